"""What a file's sender can tell of the path: whether packets queue up there, and whether the queue is its own.

Lives here: round after round the shortest round trip, the queue, what left, what arrived, what was lost;
the judgement that others fill the path as well.
Never here: what follows for the pace (file.py), what the receiver measures (arrivals.py, feedback.py).
Draft: none.  5.2 "File Transfer Congestion Control (FileCC)" goes by losses alone.

A round is two round trips and the interval of acknowledgements: what a slower pace does to a queue
cannot be seen sooner, because the round trip that the receiver reports is smoothed.

The rate at which packets arrive is the receiver's measurement, but no more than what is acknowledged over three
rounds: libsrt measures the last sixteen packets, and where they come in bursts that is ten times the truth.

Whose queue it is shows when we slow down.  Ours drains.  If it stands for `STUBBORN` rounds all the same, or
much is lost, there are others who do not give way, and then nor do we for a while.  Two of us can take
each other for such others; therefore we try again, when something is lost, because that the others
see at the same moment.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.congestion.feedback import FIRST_CAPACITY, FIRST_DELIVERY_RATE, Feedback
from srtpy.internal.seq.number import SequenceNumber, distance

ANSWERS: Final[Micros] = 10 * MILLISECOND  # draft 4.8.1 "Packet Acknowledgement": full ACKs come so often
LEAST_QUEUE: Final[Micros] = 5 * MILLISECOND  # ours: threads that wake late look like a queue of so much
NEAR_BY: Final[Micros] = 10 * MILLISECOND  # ours: on a path so short it is mostly the machines that are busy
QUEUE_SHARE: Final = 8  # ours: on long paths an eighth of the round trip may be chance
TOLERATED: Final = 0.05  # ours: libsrt's rule of 2 % is about what waits at once, which is less than is lost in a round
COUNTED: Final = 0.1  # ours: where libsrt loses half for seconds we would be left with nothing
STUBBORN: Final = 5  # ours: rounds in which an eighth less would have drained all that two round trips can queue
DOUBTFUL: Final = 2  # ours: rounds after which losses count; those of slow start are our own
DRAINING: Final = 0.8  # ours: less than that share of a queue is left after a round that drains it
DEVIATIONS: Final = 2  # ours: what is within them is chance as well, whatever the machines are busy with
ROUNDS: Final = 3  # ours: what is acknowledged late, with all that waited for it, would be too much for one round
BEST_OF: Final = 4  # ours: measurements of the rate; one that waited is too little
GONE: Final = 3  # ours: rounds with a clear moment, after which nobody else is there
FIRST_CONTEST: Final[Micros] = 2 * SECOND  # ours: then we look whether the others are still there
LONGEST_CONTEST: Final[Micros] = 32 * SECOND  # ours: each look costs us something, so they become rarer


def a_round(round_trip: Micros) -> Micros:
    """Return how long a round is; see above."""
    return 2 * round_trip + ANSWERS


class Path:
    """The path as one sender sees it.

    Attributes:
        sent: packets that left for the first time in this round.
        rate: packets a second that arrive, at most.
        queue: how much longer than the shortest the round trip is.
        drains: whether the queue has become shorter by a fifth at least in the round before.
        capacity: packets a second the path could carry, the most that was ever measured.
    """

    __slots__ = (
        *("_best", "_company", "_jitter", "_least", "_losses", "_queue_before", "_rounds", "_sent_before"),
        *("_shortest", "capacity", "drains", "queue", "rate", "sent"),
    )

    def __init__(self, first: SequenceNumber) -> None:
        self.sent = 0
        self.rate = FIRST_DELIVERY_RATE
        self.queue: Micros = 0
        self.drains = False
        self.capacity = FIRST_CAPACITY
        self._rounds = deque([(0, first)], ROUNDS)  # when the latest rounds ended, and what was acknowledged then
        self._best = deque([0], BEST_OF)
        self._jitter: Micros = 0
        self._losses = 0
        self._sent_before = 0
        self._shortest: Micros = NEVER
        self._least: Micros = NEVER  # queue in this round
        self._queue_before: Micros = 0
        self._company = Company()

    @property
    def is_shared(self) -> bool:
        """Whether somebody else fills the path and does not give way."""
        return self._company.is_there

    @property
    def is_clear(self) -> bool:
        """Whether there is no queue to speak of."""
        return self.queue <= self._chance

    @property
    def _chance(self) -> Micros:
        shortest = self._shortest
        return max(LEAST_QUEUE if shortest > NEAR_BY else NEAR_BY, shortest // QUEUE_SHARE, self._jitter * DEVIATIONS)

    def acknowledged(self, seq: SequenceNumber, feedback: Feedback, round_trip: Micros, now: Micros) -> bool:
        """Learn the round trip and what the receiver measures; return whether a round is over."""
        self._shortest = min(self._shortest, round_trip)
        self.queue = round_trip - self._shortest
        self._least = min(self._least, self.queue)
        self.capacity = max(self.capacity, feedback.capacity)
        self._jitter = feedback.jitter
        began, _ = self._rounds[-1]
        is_over = now - began >= a_round(round_trip)
        if is_over and began:
            self._company.judge(self._least > self._chance, self.is_losing(), self._losses > 0, now)
            self.drains = self.queue < self._queue_before * DRAINING
            since, before = self._rounds[0]
            self._best.append(distance(before, seq) * SECOND // (now - since) if since else 0)
        if is_over:
            self._rounds.append((now, seq))
            self._least, self._queue_before = NEVER, self.queue
            self._sent_before, self.sent, self._losses = self.sent, 0, 0
        self.rate = min(feedback.delivery_rate, max(self._best)) or feedback.delivery_rate
        return is_over

    def lost(self, packets: int, carried: float) -> int:
        """Learn that so many packets are to be sent again; return how many count, of what a round carries."""
        limit = int(carried * COUNTED)
        before, self._losses = min(self._losses, limit), self._losses + packets
        return min(self._losses, limit) - before

    def is_losing(self, allowance: int = 0) -> bool:
        """Say whether this round loses more than `TOLERATED`, and more than `allowance` packets."""
        return self._losses > max(allowance, int(max(self._sent_before, self.sent) * TOLERATED))


class Company:
    """The judgement, made round by round, whether others fill the path.

    Attributes:
        is_there: whether they do.
    """

    __slots__ = ("_clears", "_contest", "_ends_at", "_stands", "is_there")

    def __init__(self) -> None:
        self.is_there = False
        self._stands = 0  # rounds in which there always was a queue, or much was lost
        self._clears = 0  # rounds since then in which there was a moment without
        self._contest: Micros = FIRST_CONTEST
        self._ends_at: Micros = 0

    def judge(self, has_queue: bool, is_losing: bool, has_lost: bool, now: Micros) -> None:
        """Take in a round: whether there always was a queue, whether much or anything was lost."""
        self._stands = self._stands + 1 if has_queue or is_losing else 0
        self._clears = 0 if self._stands else self._clears + 1
        if not self._stands:
            if self._clears >= GONE:
                self.is_there = False
                self._contest = FIRST_CONTEST
        elif not self.is_there:
            if self._stands > STUBBORN or (is_losing and self._stands > DOUBTFUL):
                self.is_there = True
                self._ends_at = now + self._contest
                self._contest = min(2 * self._contest, LONGEST_CONTEST)
        elif now > self._ends_at and has_lost:
            self.is_there, self._stands = False, 0
