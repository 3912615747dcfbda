"""A short sleep while data flows, so that datagrams gather and one wake-up serves several.

Lives here: whether the reader naps after a read, and for how long, judged by what came lately; how long the nap
may last while others read.
Never here: sleeping itself (mux.py), pacing (congestion).
Measured: plain datagrams of 1,332 bytes, a 4 MB kernel buffer, a busy machine of two cores, medians
of five; without and with naps, per cent of a core: 950/s 10 and 3.5, 4,750/s 22 and 4.8, 10,000/s
29 and 3.9, 100,000/s 26 and 18; none lost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from srtpy.internal.clock.units import NEVER, Micros

NAP: Final[Micros] = 2_000  # ours: at 10 Mbit/s two datagrams gather; ACK and NAK leave at most this much later
SHORTEST: Final[Micros] = 500  # ours: a buffer that fills so soon leaves no time to be woken late
FILL: Final = 16  # ours: the part of the kernel buffer a nap may fill; sleep lasts longer than asked, and bursts come
LONGEST: Final[Micros] = NEVER // 2  # ours: longer than any promise; no promise is NEVER
LONG_FILL: Final = 8  # ours: the part of the kernel buffer that may fill while others have promised to read
FLOWING: Final[Micros] = 5_000  # ours: reads no further apart than that are still a flow; who promises comes so often
UNKNOWN: Final[Micros] = 4_000  # ours: as long as nobody knows how much comes; 4 MB fill in twice that at 2 Gbit/s
FORGOTTEN: Final[Micros] = 60_000  # ours: two pictures' time; what has been quiet for longer begins anew
WINDOW: Final[Micros] = 2 * NAP  # ours: how long to look before deciding; one read tells nothing of a burst's length
SPELL: Final[Micros] = 10_000  # ours: for how long the socket may be left alone where little comes for each of many
LOOK: Final[Micros] = 4 * SPELL  # ours: how long to look before deciding that it is so
FEW: Final = 4  # ours: packets for a connection in that time, its acknowledgements' echoes included; 0.5 Mbit/s


class Nap:
    """Decides after each read.

    It looks at what arrived in a window of a few milliseconds and keeps to its decision for the next
    one.  Naps begin when reads come closer together than a nap is long: only then does one gather anything.

    Args:
        capacity: how many datagrams the kernel holds for the reader; 0: never nap.

    Attributes:
        longest: how long the socket may be left alone while others have promised to read.
    """

    __slots__ = ("_arrived", "_pause", "_reads", "_room", "_since", "longest")

    def __init__(self, capacity: int) -> None:
        self._room = capacity // FILL
        self._since: Micros = 0
        self._arrived = 0
        self._reads = 0
        self._pause: Micros = 0
        self.longest: Micros = LONGEST if capacity else 0

    def after(self, data: int, more: bool, now: Micros) -> Micros:
        """Return how long to sleep after a read; 0: not at all.

        Args:
            data: the data packets it brought; nobody naps for control packets alone.
            more: it brought as much as it could, so that more may wait.
            now: the instant.
        """
        if data and now - self._since > FORGOTTEN:  # what came before tells nothing of what begins now
            self._since, self._arrived, self._reads, self._pause = now, 0, 0, 0
            self.longest = UNKNOWN if self._room else 0
        if data and more:
            self.longest = 0  # nobody's promise is good enough for a flood
        self._arrived += data
        if more or not data:
            return 0
        self._reads += 1
        if now - self._since >= WINDOW or self._arrived > self._room:
            self._decide(max(1, now - self._since))
            self._since = now
            self._arrived = self._reads = 0
        return self._pause

    def _decide(self, elapsed: Micros) -> None:
        apart = FLOWING if self._pause else NAP
        pause = min(NAP, self._room * elapsed // self._arrived) if elapsed <= self._reads * apart else 0
        self._pause = pause if pause >= SHORTEST else 0
        self.longest = min(self._room * FILL * elapsed // (LONG_FILL * self._arrived), LONGEST)


class Trickle:
    """Decides whether the socket may be left alone for longer, because little comes for each of many connections.

    Args:
        capacity: how many datagrams the kernel holds for the reader; 0: never.
    """

    __slots__ = ("_packets", "_pause", "_reads", "_room", "_since")

    def __init__(self, capacity: int) -> None:
        self._room = capacity // FILL
        self._since: Micros = 0
        self._packets = 0
        self._reads = 0
        self._pause: Micros = 0

    def after(self, packets: int, is_visited: bool, count: Callable[[], tuple[int, Micros]], now: Micros) -> Micros:
        """Return for how long to leave the socket alone after a read.

        Args:
            packets: what it brought, of any kind.
            is_visited: somebody shakes hands, and is to be answered at once.
            count: says how many connections got anything since it was called last, and how long all have patience.
            now: the instant.
        """
        self._packets += packets
        self._reads += 1
        elapsed = now - self._since
        if is_visited or elapsed >= LOOK:
            reached, patience = count()
            is_little = self._packets <= reached * FEW
            pause = min(patience, SPELL, self._room * elapsed // self._packets) if is_little else 0
            apart = 2 * pause if self._pause else pause
            self._pause = pause if pause >= SHORTEST and elapsed <= self._reads * apart else 0
            self._since = now
            self._packets = self._reads = 0
        return self._pause
