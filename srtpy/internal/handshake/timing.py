"""How long an answer to a handshake packet takes: the first thing that is known of the path.

Lives here: when a request left last, and the shortest round trip of those that can be told.
Never here: when a request is repeated (caller.py), smoothing (core.roundtrip).
Draft: none; RFC 6298 "Computing TCP's Retransmission Timer", 3 (Karn's algorithm): an answer to what was
said more than once may be to either, and teaches nothing.

libsrt does not measure here: for the first hundred milliseconds of a connection its timers take every path
for one of 100 ms.  The answer to an induction says most, it comes at once; that to a conclusion may have waited
for an application or for keys.
"""

from __future__ import annotations

from srtpy.internal.clock.units import Micros


class Timing:
    """Measures one opening.

    Attributes:
        said_at: when a request left last.
        shortest: the shortest round trip; 0: none could be told.
    """

    __slots__ = ("_is_telling", "_times", "said_at", "shortest")

    def __init__(self, now: Micros) -> None:
        self.said_at = now
        self.shortest: Micros = 0
        self._times = 0
        self._is_telling = True

    def said(self, now: Micros) -> None:
        """Note that the request leaves, for the first time or again."""
        self.said_at = now
        self._times += 1

    def answered(self, now: Micros) -> None:
        """Note its answer; what is said from now on is another request.

        Once one has been repeated, late answers to it may be taken for answers to the next: nothing after it tells.
        """
        self._is_telling = self._is_telling and self._times == 1
        self._times = 0
        if self._is_telling:
            taken = max(now - self.said_at, 1)
            self.shortest = min(self.shortest or taken, taken)
