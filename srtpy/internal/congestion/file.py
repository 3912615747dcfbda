"""FileCC: as fast as the path allows, found by trying and slowed down by losses.

Lives here: slow start, avoidance, what a loss report and silence do to pace and window.
Never here: keeping the pace (pacing.py), measuring at the receiver (arrivals.py), smoothing what it
reports (feedback.py), which packets are sent again (core).
Draft: 5.2 "File Transfer Congestion Control (FileCC)", 5.2.1.1 "Slow Start", 5.2.1.2 "Congestion
Avoidance".  The numbers are libsrt's (congctl.cpp FileCC): unlike the draft's text it counts a packet
more in each step of slow start, and losses of less than 2 % do not slow it down.

Slow start lets the window grow by what is acknowledged, with hardly a pace.  It ends with the first
loss, the first silence, or when the window passes what the peer can hold; then the pace follows
the rate at which packets arrived.  Avoidance shortens the period every ten milliseconds, the more of
the estimated capacity is unused the more, unless something was lost since.  A report of more than a
few losses lengthens it by 3 %, and so do some of the reports about what had been sent by then: a
random few, so that flows which lose together do not slow down together.

Where we differ from libsrt:

- While the path is clear, that is while the round trip shows no queue and a round trip loses less than
  2 %, losses are the path's and not ours: they neither end slow start nor keep from speeding up.  Nor does
  the estimated capacity, which a receiver that reads many packets at once cannot measure.  And the window
  leaves room for what is acknowledged late because something before it was lost.
  With a queue everything is libsrt's, so that a path is shared as libsrt's flows share it.
- Slow start ends at the better of the smoothed delivery rate, which lags, and what
  was acknowledged in the latest round trip.
- No period is so long that not even the least window, 16 packets, would leave in a round trip.  libsrt's
  flow that loses its first packets crawls for a minute.
- Slowing down does not go to the next whole microsecond: at short periods that is a fifth and not 3 %.
- The limit `max_bw` holds from the first packet on, not from the first acknowledgement; slow start has a
  pace (`STARTING_PERIOD`), and no formula makes it shorter than `SHORTEST_PERIOD`.

What may be done better later: libsrt's steps take seconds over 100 Mbit/s; its rule for losses that do not
matter favours the faster of two flows; both keep queues full, which is hard on a flow that comes later.
"""

from __future__ import annotations

from math import ceil, log10
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.congestion.controller import Controller, Limits
from srtpy.internal.congestion.feedback import FIRST_DELIVERY_RATE, Feedback
from srtpy.internal.seq.number import SequenceNumber, distance, forward, precedes, span

RATE_INTERVAL: Final[Micros] = 10 * MILLISECOND  # draft 5.2.1.1 "Slow Start": RC_INTERVAL
FIRST_WINDOW: Final = 16.0  # draft 5.2.1.1 "Slow Start": CWND_SIZE
FIRST_PERIOD: Final = 1.0  # draft 5.2.1.1 "Slow Start": PKT_SND_PERIOD, microseconds
SPARE_WINDOW: Final = 16  # draft 5.2.1.2 "Congestion Avoidance": packets beside what fills the path
INCREASE: Final = 1.5e-6  # draft 5.2.1.2 "Congestion Avoidance": beta
NEAR: Final = 9  # draft 5.2.1.2 "Congestion Avoidance": above the last loss no more than a ninth of the capacity
DECREASE: Final = 1.03  # draft 5.2.1.2 "Congestion Avoidance": the period's growth when something is lost
DECREASES: Final = 5  # draft 5.2.1.2 "Congestion Avoidance": at most so often in one congestion period
AVERAGE_WEIGHT: Final = 0.03  # draft 5.2.1.2 "Congestion Avoidance": of a congestion period in AvgNAKNum
HARMLESS_PERMILLE: Final = 20  # libsrt congctl.cpp FileCC::slowdownSndPeriod: a smaller share is no matter
WARNING_FACTOR: Final = 1.125  # libsrt core.cpp processCtrl UMSG_CGWARNING
WARNED_AT_MOST: Final = 2.0  # ours: warnings until the next acknowledgement slow down so much and no more
STARTING_PERIOD: Final = 10.0  # ours: microseconds a libsrt receiver needs for a packet
SHORTEST_PERIOD: Final = 4.0  # ours: microseconds; one core of ours keeps up with no more
LEAST_QUEUE: Final[Micros] = 10 * MILLISECOND  # ours: peers answer when they look, and libsrt looks so often
QUEUE_SHARE: Final = 8  # ours: on long paths an eighth of the round trip may be chance
CLEAR_TRIPS: Final = 3  # ours: a packet lost twice is acknowledged, with all after it, in its third round trip
HARMLESS_PACKETS: Final = 3  # ours: 2 % of slow start's first windows would be less than one packet
DICE_FACTOR: Final = 48_271  # ours: the multiplier of a minimal standard generator (Park and Miller)
DICE_MODULUS: Final = (1 << 31) - 1  # ours: its modulus


class FileCC(Controller):
    """The controller of bulk transfer."""

    measures_input = False
    waits_for_losses = True

    def __init__(self, limits: Limits, mss: int, flow_window: int, first: SequenceNumber, entropy: int) -> None:
        """Begin slow start.

        `first` is the number of the first packet, `entropy` any number that other flows do not share.
        """
        self.limits = limits
        self._mss = mss
        self._flow_window = flow_window
        self._is_starting = True
        self._window = FIRST_WINDOW
        self._pace = FIRST_PERIOD  # libsrt's period, before limits
        self._warned = 1.0
        self._stepped_at: Micros = -RATE_INTERVAL
        self._acknowledged = first
        self._delivery_rate = FIRST_DELIVERY_RATE
        self._trip = _Trip(first)
        self._losses = _LossHistory(forward(first, -1), entropy)
        self._show()

    def limit(self, limits: Limits) -> None:
        """Take over what the user allows from now on; a file has no input rate to go by."""
        self.limits = limits
        self._show()

    def wrote(self, packets: int, size: int, now: Micros) -> None:
        """How fast the application writes does not matter."""

    def sent(self, packets: int, size: int) -> None:
        """What packets carry does not matter: each counts as a full one."""
        self._trip.sent += packets

    def acknowledged(self, seq: SequenceNumber, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        """Speed up, at most once in ten milliseconds."""
        self._delivery_rate = feedback.delivery_rate
        self._warned = 1.0
        self._trip.acknowledged(seq, round_trip, now)
        if now - self._stepped_at >= RATE_INTERVAL:
            self._stepped_at = now
            self._step(seq, feedback.capacity, round_trip)
        self._show()

    def lost(
        self, first: SequenceNumber, waiting: int, next_seq: SequenceNumber, round_trip: Micros, now: Micros
    ) -> None:
        """Slow down, if what is lost is more than a small share of what is on its way."""
        trip = self._trip
        trip.lost(waiting)
        if trip.is_clear(HARMLESS_PACKETS if self._is_starting else 0):
            return
        self._end_slow_start(round_trip)
        losses = self._losses
        losses.is_fresh = True
        flight = int(round_trip / self._pace)
        if flight == 0 or waiting * 1000 // flight < HARMLESS_PERMILLE:
            losses.period = self._pace
        elif losses.is_to_slow_down(first, next_seq, self._pace):
            self._pace = min(self._pace * DECREASE, slowest(round_trip))
        self._show()

    def timed_out(self, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        """End slow start; what silence has lost is sent again at the pace there is."""
        self._delivery_rate = feedback.delivery_rate
        self._end_slow_start(round_trip)
        self._show()

    def slow_down(self) -> None:
        """Lengthen the period by an eighth, until the next acknowledgement."""
        self._warned = min(self._warned * WARNING_FACTOR, WARNED_AT_MOST)
        self._show()

    # ---- the steps -------------------------------------------------------------------------

    def _step(self, seq: SequenceNumber, capacity: int, round_trip: Micros) -> None:
        """Take one step of slow start or avoidance."""
        if self._is_starting:
            # libsrt congctl.cpp updateSndPeriod: seqlen counts both ends, one more than was acknowledged
            self._window += span(self._acknowledged, seq)
            self._acknowledged = seq
            if self._window > self._flow_window:
                self._end_slow_start(round_trip)
        else:
            # draft 5.2.1.2 "Congestion Avoidance": CWND_SIZE = RECEIVING_RATE * (RTT + RC_INTERVAL) / 1000000 + 16
            trips = CLEAR_TRIPS if self._trip.is_clear() else 1
            self._window = self._delivery_rate * (trips * round_trip + RATE_INTERVAL) / SECOND + SPARE_WINDOW
        if self._is_starting:
            return
        if self._losses.is_fresh:
            self._losses.is_fresh = False
            return
        self._pace = faster(self._pace, self._losses.period, capacity, self._mss, self._trip.is_clear())

    def _end_slow_start(self, round_trip: Micros) -> None:
        """Go on at the rate at which packets arrived."""
        if not self._is_starting:
            return
        self._is_starting = False
        rate = max(self._delivery_rate, self._trip.rate)
        self._pace = min(SECOND / max(rate, 1), slowest(round_trip))

    def _show(self) -> None:
        """Set what the controller is asked for."""
        allowed = self.limits.max_bw or 0
        self.max_bandwidth = max(allowed, 0)
        if allowed > 0:
            # libsrt congctl.cpp updateSndPeriod: minSP; it lengthens the formulas' own period as well
            self._pace = max(self._pace, SECOND * self._mss / allowed)
        if not self._is_starting:
            self._pace = max(self._pace, SHORTEST_PERIOD)
        self.period = max(self._pace, STARTING_PERIOD if self._is_starting else 0.0) * self._warned
        self.window = int(self._window)


def slowest(round_trip: Micros) -> float:
    """Return the longest period: avoidance has a window of 16 packets at least, and they may leave in a round trip."""
    return (round_trip + RATE_INTERVAL) / SPARE_WINDOW


def faster(pace: float, lost_at: float, capacity: int, mss: int, is_clear: bool) -> float:
    """Return the period after `pace`; `lost_at` is the one at which something was lost last."""
    rate = SECOND / pace
    usable = min(int(2 * (SECOND / lost_at)), capacity)
    spare = int(usable - rate)
    if pace > lost_at and usable // NEAR < spare:
        spare = usable // NEAR
    if is_clear:
        spare = max(spare, int(rate))
    more = 1 / mss
    if spare > 0:
        # draft 5.2.1.2 "Congestion Avoidance": inc = max(10 ^ ceil(log10(B * MSS * 8)) * beta / MSS, 1 / MSS)
        more = max(10.0 ** ceil(log10(spare * mss * 8)) * INCREASE / mss, more)
    # draft 5.2.1.2 "Congestion Avoidance":
    # PKT_SND_PERIOD = PKT_SND_PERIOD * RC_INTERVAL / (PKT_SND_PERIOD * inc + RC_INTERVAL)
    return pace * RATE_INTERVAL / (pace * more + RATE_INTERVAL)


class _Trip:
    """What one round trip after the other shows of the path.

    Attributes:
        sent: packets that left for the first time in this round trip.
        rate: packets acknowledged a second, in the round trip before.
    """

    __slots__ = ("_acknowledged", "_began", "_losses", "_queue", "_sent_before", "_shortest", "rate", "sent")

    def __init__(self, first: SequenceNumber) -> None:
        self.sent = 0
        self.rate = 0
        self._acknowledged = first
        self._began: Micros = 0
        self._losses = 0
        self._sent_before = 0
        self._shortest: Micros = NEVER
        self._queue: Micros = 0

    def acknowledged(self, seq: SequenceNumber, round_trip: Micros, now: Micros) -> None:
        """Learn the round trip; begin the next one if this one is over."""
        self._shortest = min(self._shortest, round_trip)
        self._queue = round_trip - self._shortest
        elapsed = now - self._began
        if elapsed < max(round_trip, RATE_INTERVAL):
            return
        self.rate = distance(self._acknowledged, seq) * SECOND // elapsed if self._began else 0
        self._acknowledged, self._began = seq, now
        self._sent_before, self.sent, self._losses = self.sent, 0, 0

    def lost(self, packets: int) -> None:
        """Learn that so many packets are to be sent again."""
        self._losses += packets

    def is_clear(self, allowance: int = 0) -> bool:
        """Say whether there is neither a queue nor a loss of more than a small share, or `allowance` packets."""
        if self._queue > max(LEAST_QUEUE, self._shortest // QUEUE_SHARE):
            return False
        return self._losses <= max(allowance, self._sent_before * HARMLESS_PERMILLE // 1000)


class _LossHistory:
    """Which loss reports are to slow down.

    A congestion period begins with the report of a packet sent after the last slowing down.

    Attributes:
        is_fresh: whether something was lost since the last step.
        period: the pace at which something was lost last.
    """

    __slots__ = ("_average", "_decreases", "_dice", "_every", "_last", "_reports", "is_fresh", "period")

    def __init__(self, last: SequenceNumber, entropy: int) -> None:
        self.is_fresh = False
        self.period = FIRST_PERIOD
        self._last = last  # the packet sent last when we last slowed down
        self._reports = 0  # in this congestion period
        self._average = 0  # reports a congestion period
        self._decreases = 0
        self._every = 1  # of the reports that repeat a loss, which one counts
        self._dice = entropy % (DICE_MODULUS - 1) + 1

    def is_to_slow_down(self, first: SequenceNumber, next_seq: SequenceNumber, pace: float) -> bool:
        """Take in a report whose first number is `first`, when the next new packet is `next_seq`."""
        if precedes(self._last, first):
            self.period = pace
            self._average = ceil(self._average * (1 - AVERAGE_WEIGHT) + self._reports * AVERAGE_WEIGHT)
            self._reports = self._decreases = 1
            self._every = self._throw(self._average) if self._average > 1 else 1
        else:
            # libsrt congctl.cpp slowdownSndPeriod: the counters move on only as far as the test goes
            self._decreases += 1
            if self._decreases > DECREASES:
                return False
            self._reports += 1
            if self._reports % self._every:
                return False
        self._last = forward(next_seq, -1)
        return True

    def _throw(self, sides: int) -> int:
        """Return a number from 1 to `sides`."""
        self._dice = self._dice * DICE_FACTOR % DICE_MODULUS
        return self._dice % sides + 1
