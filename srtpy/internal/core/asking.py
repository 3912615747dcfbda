"""What has been asked for, and when to ask for it again.

Lives here: when an answer is overdue, and the repeats before that, for the case that the asking was lost.
Never here: what is missing (losses.py), how a report looks on the wire (packet/losses.py), how
soon a sender sends again (retransmission.py).
Draft: 4.8.2 "Packet Retransmission (NAKs)"; when to repeat is ours.

The draft and libsrt report all that is missing each (RTT + 4 x variance) / 2.  Many of these reports come
to the sender while its answer to an earlier one is on its way, some so late that it answers
again: a packet for nothing.  Here each gap has its own clock.

- A round lasts as long as an answer takes and a little more.  Who asks again then has no needless answer
  under way, and has lost no time.
- In the first half of a round the asking is repeated.  A sender that has answered ignores that (libsrt's
  SRTO_RETRANSMITALGO 1 does, ours too); one that has not heard the first, hears this, and the round is saved.

Simulated at 5 % loss both ways, 40 ms round trip and 120 ms latency: one resend in 300 is for nothing instead
of one in 30; at 20 % loss a third fewer packets are given up.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final, TypeAlias

from srtpy.internal.clock.units import MILLISECOND, NEVER, Micros
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.seq.number import SequenceNumber
from srtpy.internal.seq.ranges import SequenceSet

Range: TypeAlias = tuple[SequenceNumber, SequenceNumber]

SHORTEST_ROUND: Final[Micros] = 20 * MILLISECOND  # draft 4.8.2 "Packet Retransmission (NAKs)": NAKInterval's least
# ours: libsrt waits 300 ms before anything is measured, which a stream with 120 ms of latency has not got; a caller
# knows the handshake's round trip by then, a listener, that keeps no state of it, nothing
FIRST_ROUND: Final[Micros] = 60 * MILLISECOND  # ours: see above
ROUND_MARGIN: Final[Micros] = 2 * MILLISECOND  # ours: an answer may wait that long for a burst to be full
REPEATS: Final = 2  # ours: of three askings all are lost once in 8000 times at 5 % loss
REPORTS: Final = 8  # ours: of many gaps together, in a round; new gaps' own apart
SHORTEST_SPAN: Final[Micros] = 5 * MILLISECOND  # ours: what is repeated within less may be lost with the first
SPAN_MARGIN: Final[Micros] = 4 * MILLISECOND  # ours: two naps; a repeat must not be the first news after an answer


class Asking:
    """The clocks of all gaps.

    Numbers that arrive or are given up meanwhile stay in the queues until their time comes, and are found
    to be missing no more.
    """

    __slots__ = ("_repeats", "_round_trip", "_rounds", "_taken_at")

    def __init__(self, round_trip: RoundTrip) -> None:
        self._round_trip = round_trip
        self._rounds: deque[tuple[Micros, Sequence[Range]]] = deque()
        self._repeats: deque[tuple[Micros, Sequence[Range], int]] = deque()
        self._taken_at: Micros = 0

    def begin(self, ranges: Sequence[Range], now: Micros) -> None:
        """Begin a round for these numbers: if they are missing at its end they are asked for."""
        self._rounds.append((now, ranges))

    def repeat(self, ranges: Sequence[Range], now: Micros) -> None:
        """Have the asking for these numbers, that leaves now, repeated within their round."""
        if self._pause:
            self._repeats.append((now, ranges, REPEATS))

    def take(self, missing: SequenceSet, now: Micros) -> list[Range]:
        """Return what of the `missing` is to be asked for now, counting it as asked for."""
        repeats, rounds, pause, length = self._repeats, self._rounds, self._pause, self._length
        self._taken_at = now
        due: list[Range] = []
        while repeats and repeats[0][0] + pause // 2 <= now:  # what is due soon goes along
            _, ranges, left = repeats.popleft()
            still = _within(missing, ranges) if pause else []
            due += still
            if still and left > 1:
                repeats.append((now, still, left - 1))
        overdue: list[Range] = []
        while rounds and rounds[0][0] + length <= now:
            overdue += _within(missing, rounds.popleft()[1])
        if overdue:
            self.begin(overdue, now)
            self.repeat(overdue, now)
        return due + overdue

    def clear(self) -> None:
        """Forget everything: nothing is missing."""
        self._rounds.clear()
        self._repeats.clear()

    @property
    def deadline(self) -> Micros:
        """When `take` may have something to return."""
        deadline, length = NEVER, self._length
        if self._rounds:
            deadline = self._rounds[0][0] + length
        if self._repeats:
            deadline = min(deadline, self._repeats[0][0] + self._pause)
        soonest = self._taken_at + length // REPORTS
        return deadline if deadline > soonest else soonest

    @property
    def _length(self) -> Micros:
        """How long a round lasts."""
        round_trip = self._round_trip
        if not round_trip.is_known:
            return FIRST_ROUND
        return max(round_trip.smoothed + round_trip.variance + ROUND_MARGIN, SHORTEST_ROUND)

    @property
    def _pause(self) -> Micros:
        """How long after an asking it is repeated; 0: not at all, a sender would take it for another round's."""
        smoothed, variance = self._round_trip.smoothed, self._round_trip.variance
        # libsrt core.cpp checkRexmitRightTime: a resend is not repeated within RTT - 4 * variance
        span = min(smoothed // 2, smoothed - 4 * variance - SPAN_MARGIN)
        return span // REPEATS if span >= SHORTEST_SPAN else 0


def _within(missing: SequenceSet, ranges: Sequence[Range]) -> list[Range]:
    return [part for first, last in ranges for part in missing.within(first, last)]
