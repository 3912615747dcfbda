"""FileCC: as fast as the path allows, found by trying and slowed down by queues and losses.

Lives here: slow start, avoidance, what a queue, a loss report and silence do to pace and window.
Never here: keeping the pace (pacing.py), what round trips show (path.py), measuring at the receiver
(arrivals.py), smoothing what it reports (feedback.py), which packets are sent again (core).
Draft: 5.2 "File Transfer Congestion Control (FileCC)", 5.2.1.1 "Slow Start", 5.2.1.2 "Congestion
Avoidance".  Where it differs from the draft's text slow start is libsrt's (congctl.cpp FileCC).

Slow start lets the window grow by what is acknowledged, with hardly a pace.  It ends with losses, with the
first silence, or when the window passes what the peer can hold; then the pace follows the rate at which
packets arrived.  Avoidance shortens the period every ten milliseconds by the draft's formula, and
something makes it longer by some percent now and then.

Where we differ, and why:

- What slows down.  libsrt goes by losses, so it mistakes a bad line for a full one (at 1 % loss and 40 ms it takes
  a third of 100 Mbit/s), and where the line is good it fills every queue until that overflows.  Here the
  round trip tells: while it shows no queue, losses up to a twentieth are the line's.  A queue we
  drain, by as much as it is long, an eighth at a time, and then come back a little slower than before (`COST`).
- Company.  Whoever gives way to queues gets nothing beside libsrt, which does not.  Where the queue stays (`Path`
  tells) losses decide, as in libsrt, but evenly: each lost packet takes `PRICE` packets from a round trip, and what
  is added does not depend on our own pace, so two of ours become alike.  libsrt hardly minds losses that come
  singly, so the two numbers are such that at the loss it bears we have as much as it has.
  Of a round no more than a tenth counts (`COUNTED`): a libsrt flow whose receiver woke late sends whole windows
  several times over, at ten times the path's speed, for seconds, and does not mind how little the others send.
- Alone too losses of more than a twentieth count while there is a queue: they are not the line's.  Nor are they if
  half as much again leaves as arrives (`FLOOD`): then the pace is what arrives.  A receiver that is slower than slow
  start has shown, because it decrypts, loses in its kernel what no round trip shows at first.
- Steps.  The draft's B, the spare capacity, is what the path carries besides; a receiver that reads many packets
  at once measures no more than what arrives.  So B is a ninth of the most that was ever measured, for a fast flow
  and a slow one alike, alone not less than `LEAST_SPARE`.  When nothing has slowed us down for long, or for some
  rounds of a short path, the steps become larger; in company they make up for acknowledgements that come rarely,
  because much is lost.  The draft rounds up to powers of ten, which makes the steps of one who has measured a little
  less ten times as small: in company B is a sixth, so that what is measured on 20, 50 or 100 Mbit/s is far from where
  they change.
  No step exceeds an eighth a round trip, in company a sixteenth.
- Bounds.  No pace is much faster than what arrives (`OVERSHOOT`, `LEAD`), so an application that pauses, or a
  bottleneck, does not let it run away.  None is so slow that the least window, 16 packets, would not leave in a
  round trip: libsrt's flow that loses its first packets crawls for a minute.
- The window does not pace: it leaves room for what is acknowledged late because something before it was lost.
- Slowing down does not go to the next whole microsecond: at short periods that is a fifth and not 3 %.
- What is lost of the first window does not end slow start: the peer was not ready yet.
- The limit `max_bw` holds from the first packet on, not from the first acknowledgement; slow start has a
  pace (`STARTING_PERIOD`), and no formula makes it shorter than `SHORTEST_PERIOD`.
"""

from __future__ import annotations

from math import ceil, log10
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.congestion.controller import Controller, Limits
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.congestion.path import Path, a_round
from srtpy.internal.seq.number import SequenceNumber, span

RATE_INTERVAL: Final[Micros] = 10 * MILLISECOND  # draft 5.2.1.1 "Slow Start": RC_INTERVAL
FIRST_WINDOW: Final = 16.0  # draft 5.2.1.1 "Slow Start": CWND_SIZE
FIRST_PERIOD: Final = 1.0  # draft 5.2.1.1 "Slow Start": PKT_SND_PERIOD, microseconds
SPARE_WINDOW: Final = 16  # draft 5.2.1.2 "Congestion Avoidance": packets beside what fills the path
INCREASE: Final = 1.5e-6  # draft 5.2.1.2 "Congestion Avoidance": beta
NEAR: Final = 9  # draft 5.2.1.2 "Congestion Avoidance": where it was slowed down a ninth of the capacity is spare
NEARER: Final = 6  # ours: the same in company, see above
WARNING_FACTOR: Final = 1.125  # libsrt core.cpp processCtrl UMSG_CGWARNING
WARNED_AT_MOST: Final = 2.0  # ours: warnings until the next acknowledgement slow down so much and no more
STARTING_PERIOD: Final = 10.0  # ours: microseconds a libsrt receiver needs for a packet
SHORTEST_PERIOD: Final = 1.0  # draft 5.2.1.1 "Slow Start": PKT_SND_PERIOD of an unlimited sender, microseconds
HARMLESS_PACKETS: Final = 3  # ours: a twentieth of slow start's first windows would be less than one packet
PATIENT_TRIPS: Final = 3  # ours: a packet lost twice is acknowledged, with all after it, in its third round trip
LOSING_TRIPS: Final = 4  # ours: the same where a third may be lost
LEAST_SPARE: Final = 834.0  # ours: packets a second; 10 Mbit/s, from which on a step is a tenth of a packet
CAREFUL: Final[Micros] = 200 * MILLISECOND  # ours: the steps grow by one of theirs in so long
CAREFUL_ROUNDS: Final = 2.5  # ours: or in so many rounds (path.py); on 40 ms these are as long
BOLDEST: Final = 10.0  # ours: the largest step, in draft's steps
BOLD: Final = 1.4  # ours: in company, where libsrt, which does not slow down for single losses, takes as much
PRICE: Final = 0.75  # ours: packets a round trip fewer for each that is lost; at BOLD a third of 100 Mbit/s loses 7 %
GROWTH: Final = 0.125  # ours: a round trip must show a queue before it is long
OVERSHOOT: Final = 1.08  # ours: faster than this the queue would be long before it is seen
MOST_STEPS: Final = 10.0  # ours: where much is lost acknowledgements are rare
LEAD: Final = 150.0  # ours: packets a second; what steps add until the receiver's measurement shows it
FLOOD: Final = 1.5  # ours: times what arrives; where so much is lost it is our own doing, whatever the round trip shows
CONTEST: Final = 4.0  # ours: the same in company, where most of what is sent may be lost
LEAST_YIELD: Final = 0.03  # ours: the draft's own step back
MOST_YIELD: Final = 0.125  # ours: what drains a queue of a round trip in eight
COST: Final = (
    1.1  # ours: times the period, what a queue costs when it has drained; a small flow finds room within seconds
)
FURTHEST: Final = 1.4  # ours: times the period, the most that one queue is worth


class FileCC(Controller):
    """The controller of bulk transfer."""

    measures_input = False
    waits_for_losses = True

    def __init__(self, limits: Limits, mss: int, flow_window: int, first: SequenceNumber) -> None:
        """Begin slow start; `first` is the number of the first packet."""
        self.limits = limits
        self._mss = mss
        self._flow_window = flow_window
        self._is_starting = True
        self._window = FIRST_WINDOW
        self._pace = FIRST_PERIOD  # libsrt's period, before limits
        self._warned = 1.0
        self._stepped_at: Micros = -RATE_INTERVAL
        self._acknowledged = first
        self._path = Path(first)
        self._slowed_at: Micros = 0
        self._before = 0.0  # the pace before we gave way to a queue; 0: we did not
        self._show()

    def limit(self, limits: Limits) -> None:
        """Take over what the user allows from now on; a file has no input rate to go by."""
        self.limits = limits
        self._show()

    def wrote(self, packets: int, size: int, now: Micros) -> None:
        """How fast the application writes does not matter."""

    def sent(self, packets: int, size: int) -> None:
        """What packets carry does not matter: each counts as a full one."""
        self._path.sent += packets

    def acknowledged(self, seq: SequenceNumber, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        """Speed up, at most once in ten milliseconds; slow down before what queues up is lost."""
        self._warned = 1.0
        if self._path.acknowledged(seq, feedback, round_trip, now) and not self._is_starting:
            self._give_way(round_trip, now)
        if now - self._stepped_at >= RATE_INTERVAL:
            steps = min((now - self._stepped_at) / RATE_INTERVAL, MOST_STEPS)
            self._stepped_at = now
            self._step(seq, steps, round_trip, now)
        self._show()

    def lost(
        self,
        first: SequenceNumber,
        packets: int,
        waiting: int,
        next_seq: SequenceNumber,
        round_trip: Micros,
        now: Micros,
    ) -> None:
        """End slow start; slow down in company, and for more than the line's own losses where there is a queue."""
        if self._is_unproven:
            return
        path = self._path
        counted = path.lost(packets, a_round(round_trip) / self._pace)
        if self._is_starting:
            if not path.is_clear or path.is_losing(HARMLESS_PACKETS):
                self._end_slow_start(round_trip, now)
        elif path.is_shared or (path.is_losing() and not path.is_clear):
            self._slowed_at = now
            rate = SECOND / self._pace
            less = rate - PRICE * counted * SECOND / (round_trip + RATE_INTERVAL)
            self._pace = min(SECOND / max(less, rate / 2), slowest(round_trip))
        self._show()

    def timed_out(self, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        """End slow start; what silence has lost is sent again at the pace there is."""
        if not self._is_unproven:
            self._end_slow_start(round_trip, now)
        self._show()

    def slow_down(self) -> None:
        """Lengthen the period by an eighth, until the next acknowledgement."""
        self._warned = min(self._warned * WARNING_FACTOR, WARNED_AT_MOST)
        self._show()

    @property
    def _is_unproven(self) -> bool:
        """Whether not even the first window was acknowledged: a libsrt peer loses what comes before it is ready."""
        return self._is_starting and self._window < 2 * FIRST_WINDOW

    # ---- the steps -------------------------------------------------------------------------

    def _step(self, seq: SequenceNumber, steps: float, round_trip: Micros, now: Micros) -> None:
        """Take one step of slow start, or so many of avoidance."""
        if self._is_starting:
            # libsrt congctl.cpp updateSndPeriod: seqlen counts both ends, one more than was acknowledged
            self._window += span(self._acknowledged, seq)
            self._acknowledged = seq
            if self._window <= self._flow_window:
                return
            self._end_slow_start(round_trip, now)
        path = self._path
        if not path.is_shared and path.is_losing(HARMLESS_PACKETS) and SECOND / self._pace > path.rate * FLOOD:
            self._slowed_at = now
            self._pace = SECOND / max(path.rate, 1)
        self._pace = min(self._pace, slowest(round_trip))  # which the handshake may have made out to be far longer
        careful = min(CAREFUL, CAREFUL_ROUNDS * a_round(round_trip))
        boldness = min(max((now - self._slowed_at) / careful, 1.0), BOLDEST)
        bound = SECOND / self._fastest
        if self._pace > bound and (path.is_shared or path.is_clear):
            if path.is_shared:
                self._speed_up(steps * BOLD, GROWTH / 2 * steps, round_trip)
            else:
                self._speed_up(boldness, GROWTH, round_trip)
            self._pace = max(self._pace, bound)
        # draft 5.2.1.2 "Congestion Avoidance": CWND_SIZE = RECEIVING_RATE * (RTT + RC_INTERVAL) / 1000000 + 16
        trips = LOSING_TRIPS if path.is_shared else PATIENT_TRIPS
        self._window = (trips * round_trip + RATE_INTERVAL) / self._pace + SPARE_WINDOW

    @property
    def _fastest(self) -> float:
        """How many packets a second may leave, by how many arrive."""
        arriving = max(self._path.rate, 1)
        if self._path.is_shared:
            return arriving * CONTEST
        return max(arriving * OVERSHOOT, arriving + min(arriving / 2, LEAD))

    def _speed_up(self, boldness: float, growth: float, round_trip: Micros) -> None:
        """Take a step of avoidance, `boldness` times the draft's, but not faster than by `growth` a round trip."""
        path = self._path
        spare = path.capacity / NEARER if path.is_shared else max(path.capacity / NEAR, LEAST_SPARE)
        fastest = self._pace / (1 + growth * RATE_INTERVAL / max(round_trip, RATE_INTERVAL))
        self._pace = max(faster(self._pace, step(spare, self._mss) * boldness), fastest)

    def _give_way(self, round_trip: Micros, now: Micros) -> None:
        """Let a queue drain that may be ours; take it back if it is not."""
        path = self._path
        if path.is_clear or path.is_shared:
            if self._before:
                cost = 1.0 if path.is_shared else COST
                self._pace, self._before = min(self._pace, self._before * cost), 0.0
        else:
            self._slowed_at = now
            if not self._before or not path.drains:
                self._before = self._before or self._pace
                share = min(max(path.queue / round_trip, LEAST_YIELD), MOST_YIELD)
                rate = min(SECOND / self._pace, path.rate) * (1 - share)
                furthest = self._before * FURTHEST
                self._pace = max(self._pace, min(SECOND / max(rate, 1), furthest, slowest(round_trip)))

    def _end_slow_start(self, round_trip: Micros, now: Micros) -> None:
        """Go on at the rate at which packets arrived."""
        if self._is_starting:
            self._is_starting = False
            self._slowed_at = now
            # half the window that was too much; the measured rate may lag behind, or be that of a burst
            carried = self._window / 2 * SECOND / (round_trip + RATE_INTERVAL)
            self._pace = min(SECOND / min(max(self._path.rate, carried), 2 * carried), slowest(round_trip))

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


def step(spare: float, mss: int) -> float:
    """Return how many packets more leave in the next interval when the path could carry `spare` a second more."""
    # draft 5.2.1.2 "Congestion Avoidance": inc = max(10 ^ ceil(log10(B * MSS * 8)) * beta / MSS, 1 / MSS)
    return max(10.0 ** ceil(log10(spare * mss * 8)) * INCREASE, 1.0) / mss if spare > 0 else 1 / mss


def faster(pace: float, more: float) -> float:
    """Return the period after `pace`, with `more` packets in an interval."""
    # draft 5.2.1.2 "Congestion Avoidance":
    # PKT_SND_PERIOD = PKT_SND_PERIOD * RC_INTERVAL / (PKT_SND_PERIOD * inc + RC_INTERVAL)
    return pace * RATE_INTERVAL / (pace * more + RATE_INTERVAL)
