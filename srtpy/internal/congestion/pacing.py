"""Keeping a pace in bursts: how many packets may leave by now.

Lives here: the credit that grows with time and is spent in bursts, the largest burst,
how far bursts must lie apart.
Never here: what the pace is (controllers), which packets leave (core).
Draft: 5.1.2 "Pacing"; the draft and libsrt space single packets, which costs a wake-up each.

Two clocks bound what leaves:

- the pace: `due` is when the next packet should leave.  It advances by one period a packet, so
  being woken late is made good and the average holds; of a longer stall `LATENESS` is made good
  and the rest is forgone.  While nothing waits no credit gathers beyond one ordinary burst.
- the receiver: a libsrt receiver with the default kernel buffer holds 92 datagrams of 1,316
  bytes and takes about 10 microseconds for each.  `clear` is when it will have taken all that we sent.
  What we make good never puts more than `DEPTH` in front of it.  A receiver of files that has lost
  nothing for a while, at a pace that leaves it less time than that, takes faster or holds more: it is
  given more at once, step by step, also after a moment in which nothing waited.

Waiting until an ordinary burst (`BURST_TIME` of the pace) is due lets one wake-up and one system
call serve many packets; less is waited for when less is queued.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, Micros

BURST: Final = 44  # ours: packets of 1,316 bytes one GSO call carries; under half of a default receive buffer
BURST_TIME: Final[Micros] = 2 * MILLISECOND  # ours: the wait that a burst may cost its first packet
LATENESS: Final[Micros] = 50 * MILLISECOND  # ours: a busy machine's or container's stall; libsrt has no such limit
DEPTH: Final = 64  # ours: of a receiver's 92 datagrams; the rest is for 280 microseconds in which it is not scheduled
TAKING: Final = 10.0  # ours: microseconds a libsrt receiver takes for a packet, measured
DEEPEST: Final = 256.0  # ours: packets; as fast as 1,024, and a fourteenth of what 4 MB hold, as is usual
DEEPENING: Final = 1.25  # ours: each time a receiver says that it has lost nothing, so DEEPEST takes seven
FORGETTING: Final = 1.002  # ours: as often; what was too much is not given again for 3.5 s of reports


class Pacing:
    """Credit of one sending side."""

    __slots__ = ("_bound", "_clear", "_depth", "_due", "_is_resting")

    def __init__(self, now: Micros) -> None:
        self._due = float(now - BURST_TIME)
        self._clear = float(now)
        self._depth = float(DEPTH)
        self._bound = DEEPEST  # of that depth; less once it was too much
        self._is_resting = True

    def allowance(self, wanted: int, period: float, now: Micros) -> int:
        """Return how many of `wanted` packets may leave; 0: not before `deadline`."""
        burst = _ordinary_burst(period)
        self._due = self._next_due(burst, period, now)
        self._is_resting = False
        granted = wanted if wanted < burst else burst
        if now < self._ready(granted, period):
            return 0
        if granted == wanted:
            return wanted
        credit = int((now - self._due) / period) + 1
        room = int(self._depth - (self._clear - now) / min(period, TAKING))
        return max(min(wanted, credit, room, BURST), granted)

    def spend_at_once(self, count: int, period: float, now: Micros) -> bool:
        """Spend the credit for `count` packets if they are all there is and may leave now; say whether they may.

        A shortcut: `allowance`, `spend` and `rest` in one step.
        """
        burst = _ordinary_burst(period)
        if count > burst or not self._is_resting:
            return False
        due = self._next_due(burst, period, now)
        taking = period if period < TAKING else TAKING
        if now < due + (count - 1) * period or now < self._clear - (self._depth - count) * taking:
            return False
        self._due = due + count * period
        self._clear = (self._clear if self._clear > now else now) + count * taking
        return True

    def spend(self, count: int, period: float, now: Micros) -> None:
        """Note that `count` packets have left."""
        self._due += count * period
        taking = period if period < TAKING else TAKING
        self._clear = (self._clear if self._clear > now else now) + count * taking

    def deepen(self, period: float) -> None:
        """Give the receiver more at once: it says that all has arrived for a while, at this pace."""
        if period >= TAKING:
            self._depth = DEPTH
        else:
            self._depth = min(self._depth * DEEPENING, self._bound)
            self._bound = min(self._bound * FORGETTING, DEEPEST)

    def overrun(self) -> None:
        """Give the receiver no more at once than any takes: it has lost something, perhaps because it was too much."""
        if self._depth > DEPTH:
            self._bound = max(self._depth / 2, DEPTH)
        self._depth = DEPTH

    def rest(self) -> None:
        """Note that nothing waits for credit any more."""
        self._is_resting = True

    def deadline(self, wanted: int, period: float) -> Micros:
        """Return when `wanted` packets, or an ordinary burst of them, may leave."""
        return ceil(self._ready(min(wanted, _ordinary_burst(period)), period)) if wanted else NEVER

    def _next_due(self, burst: int, period: float, now: Micros) -> float:
        """Return when the next packet should leave, after what is forgone of a stall, or of a pause, has been forgone.

        A debt honestly made is two periods at most: if it is more the period has become shorter since.
        """
        kept = max(burst - 1, self._depth - DEPTH) * period if self._is_resting else LATENESS
        return min(max(self._due, now - kept), now + 2 * period)

    def _ready(self, burst: int, period: float) -> float:
        by_pace = self._due + (burst - 1) * period
        by_receiver = self._clear - (self._depth - burst) * (period if period < TAKING else TAKING)
        return by_pace if by_pace > by_receiver else by_receiver


def _ordinary_burst(period: float) -> int:
    burst = int(BURST_TIME / period)
    return BURST if burst > BURST else burst or 1
