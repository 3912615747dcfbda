from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.congestion.controller import Limits
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.congestion.file import DECREASES, STARTING_PERIOD, FileCC, faster, slowest
from srtpy.internal.seq.number import SEQ_MASK

MSS, PAYLOAD, WINDOW = 1500, 1456, 8192
RTT = 40 * MILLISECOND
STARTS = [0, 1000, 0x7FFFFFF0]


@dataclass
class Path:
    """A controller and the answers it gets; each `ack` is one interval later."""

    isn: int = 0
    flow_window: int = WINDOW
    max_bw: int | None = None
    entropy: int = 1
    now: int = 5 * SECOND
    acknowledged: int = 0
    sent: int = 0
    feedback: Feedback = field(init=False)
    controller: FileCC = field(init=False)

    def __post_init__(self) -> None:
        self.feedback = Feedback(PAYLOAD, self.isn)
        self.controller = FileCC(Limits(max_bw=self.max_bw), MSS, self.flow_window, self.isn, self.entropy)

    def measure(self, rate: int, capacity: int) -> None:
        """Let the receiver have measured this for long."""
        self.feedback.delivery_rate, self.feedback.capacity = rate, capacity

    def send(self, packets: int) -> None:
        self.sent += packets
        self.controller.sent(packets, packets * PAYLOAD)

    def ack(self, packets: int, rtt: int = RTT, after: int = 10 * MILLISECOND) -> None:
        self.now += after
        self.acknowledged += packets
        self.controller.acknowledged((self.isn + self.acknowledged) & SEQ_MASK, self.feedback, rtt, self.now)

    def lose(self, first: int, waiting: int = 1, rtt: int = RTT) -> None:
        """Report packet `first` (counted from the beginning) lost, when so many wait to be sent again."""
        self.controller.lost((self.isn + first) & SEQ_MASK, waiting, (self.isn + self.sent) & SEQ_MASK, rtt, self.now)

    def queue_up(self) -> None:
        """Let the round trip show a queue from now on: then everything is libsrt's."""
        self.ack(1, RTT, 0)
        self.ack(1, 2 * RTT, 0)

    def avoid(self, rate: int = 5000, capacity: int = 20_000) -> None:
        """Leave slow start behind at this rate, with a queue on the path."""
        self.measure(rate, capacity)
        self.send(2000)
        self.queue_up()
        self.controller.timed_out(self.feedback, RTT, self.now)

    @property
    def state(self) -> tuple[float, int]:
        return self.controller.period, self.controller.window


# ---- the formula, with the fact sheet's numbers ------------------------------------------------


def test_the_step_of_avoidance_above_the_last_loss() -> None:
    # a ninth of 20,000 is 2,222 packets a second, 27 Mbit/s: a tenth of a packet more in ten milliseconds
    assert faster(100, 80, 20_000, MSS, False) == pytest.approx(99.9001, abs=1e-4)


def test_the_step_of_avoidance_without_spare_capacity() -> None:
    # 25,000 leave already, more than the 20,000 the path can carry: a 1,500th of a packet
    assert faster(40, 80, 20_000, MSS, False) == pytest.approx(40 * 10_000 / (40 / 1500 + 10_000))
    assert faster(40, 80, 20_000, MSS, False) == pytest.approx(39.99989, abs=1e-5)


def test_the_last_loss_bounds_what_is_usable() -> None:
    # twice the 5,000 at which something was lost, though the path seems to carry a million
    assert faster(200, 200, 10**6, MSS, False) == faster(200, 200, 10_000, MSS, False)
    assert faster(200, 200, 10**6, MSS, False) == pytest.approx(200 * 10_000 / (200 * 0.1 + 10_000))


def test_a_clear_path_does_not_mind_what_was_estimated() -> None:
    assert faster(200, 200, 1, MSS, True) == pytest.approx(200 * 10_000 / (200 * 0.1 + 10_000))
    assert faster(5, 5, 200_000, MSS, True) == pytest.approx(5 * 10_000 / (5 * 10 + 10_000))


# ---- slow start --------------------------------------------------------------------------------


@pytest.mark.parametrize("isn", STARTS)
def test_slow_start_adds_what_is_acknowledged_and_one(isn: int) -> None:
    path = Path(isn)
    assert path.state == (STARTING_PERIOD, 16)
    path.ack(16)
    assert path.controller.window == 16 + 17
    path.ack(33)
    assert path.controller.window == 33 + 34
    assert path.controller.period == STARTING_PERIOD


def test_acknowledgements_within_ten_milliseconds_count_together() -> None:
    path = Path()
    path.ack(10)
    path.ack(10, after=5 * MILLISECOND)
    assert path.controller.window == 16 + 11
    path.ack(10, after=5 * MILLISECOND)
    assert path.controller.window == 16 + 11 + 21


@pytest.mark.parametrize("isn", STARTS)
def test_slow_start_ends_beyond_what_the_peer_can_hold(isn: int) -> None:
    path = Path(isn, flow_window=100)
    path.measure(10_000, 1)
    path.ack(83)
    assert path.controller.period == STARTING_PERIOD
    path.ack(1)
    # 100 packets a second at the beginning of the step, which is then taken
    assert path.controller.period == pytest.approx(faster(100, 1, 1, MSS, True))
    path.ack(1)
    assert path.controller.window == 10_000 * (3 * RTT + 10_000) // SECOND + 16


def test_slow_start_does_not_mind_a_queue() -> None:
    path = Path()
    path.ack(16)
    path.ack(16, 3 * RTT)
    assert path.state == (STARTING_PERIOD, 16 + 17 + 17)
    path.lose(20)
    assert path.controller.period != STARTING_PERIOD, "but with a queue it ends with the first loss"


@pytest.mark.parametrize(("rtt", "allowed"), [(RTT, 10 * MILLISECOND), (8 * RTT, 40 * MILLISECOND)])
def test_ten_milliseconds_or_an_eighth_of_the_round_trip_may_be_chance(rtt: int, allowed: int) -> None:
    for late, is_queue in ((allowed, False), (allowed + 1, True)):
        path = Path()
        path.ack(16, rtt)
        path.ack(16, rtt + late)
        path.lose(20)
        assert (path.controller.period != STARTING_PERIOD) == is_queue


def test_slow_start_ends_with_silence() -> None:
    path = Path()
    path.measure(10_000, 1)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.state == (100, 16)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.state == (100, 16), "in avoidance silence changes nothing"


def test_slow_start_ends_with_a_report_of_many() -> None:
    path = Path()
    path.measure(10_000, 1)
    path.send(16)
    path.ack(16)
    path.send(33)
    path.lose(20, 3)
    assert path.controller.period == STARTING_PERIOD
    path.lose(24, 1)
    # the flight of 400 is libsrt's: round trip by period; one packet of it is no reason to slow down
    assert path.controller.period == 100


def test_slow_start_goes_on_at_what_was_acknowledged_if_that_is_more() -> None:
    path = Path()
    path.measure(1000, 1)
    path.ack(1)
    path.ack(400, after=RTT)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.controller.period == 100


def test_a_receiver_that_measures_nothing_does_not_stop_the_transfer() -> None:
    path = Path()
    path.measure(0, 0)
    path.ack(0)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.controller.period == (RTT + 10_000) / 16
    path.ack(1)
    assert path.controller.window == 16


# ---- avoidance ---------------------------------------------------------------------------------


def test_avoidance_follows_the_delivery_rate_with_its_window() -> None:
    path = Path()
    path.avoid(5000)
    path.ack(1, 2 * RTT)
    assert path.controller.window == 5000 * (2 * RTT + 10_000) // SECOND + 16


def test_avoidance_speeds_up_each_interval_but_the_one_after_a_loss() -> None:
    path = Path()
    path.avoid()
    assert path.controller.period == 200
    path.ack(1, 2 * RTT)
    expected = faster(200, 1, 20_000, MSS, False)
    assert path.controller.period == expected
    path.lose(50)
    path.ack(1, 2 * RTT)
    assert path.controller.period == expected, "something was lost"
    path.ack(1, 2 * RTT)
    assert path.controller.period == faster(expected, expected, 20_000, MSS, False)
    path.ack(1, 2 * RTT, after=9 * MILLISECOND)
    assert path.controller.period == faster(expected, expected, 20_000, MSS, False)


def test_less_than_two_percent_of_the_flight_do_not_slow_down() -> None:
    path = Path()
    path.avoid(5000)  # 200 of 40 ms are on their way
    path.lose(100, 3)
    assert path.controller.period == 200
    path.lose(200, 4)
    assert path.controller.period == 200 * 1.03


def test_a_clear_path_speeds_up_whatever_is_lost() -> None:
    path = Path()
    path.measure(5000, 1)
    path.controller.timed_out(path.feedback, RTT, path.now)
    for _ in range(8):  # the last begins a round trip after one with 200 packets
        path.send(50)
        path.ack(50)
    before = path.controller.period
    path.lose(410, 4)
    path.ack(1)
    assert path.controller.period < before
    assert path.controller.window == 5000 * (3 * RTT + 10_000) // SECOND + 16
    path.lose(420, 5)
    slowed = path.controller.period
    assert slowed > before, "nine of two hundred in one round trip"
    path.ack(1)
    assert path.controller.period == slowed
    assert path.controller.window == 5000 * (RTT + 10_000) // SECOND + 16


@pytest.mark.parametrize("isn", STARTS)
def test_a_congestion_period_lasts_until_what_was_sent_since_is_lost(isn: int) -> None:
    path = Path(isn)
    path.avoid()
    path.lose(100, 50)
    assert path.controller.period == pytest.approx(200 * 1.03)
    for again in range(2, 20):
        path.lose(100 + again, 50)
        assert path.controller.period == pytest.approx(200 * 1.03 ** min(again, DECREASES))
    path.send(500)
    path.lose(2100, 50)
    assert path.controller.period == pytest.approx(200 * 1.03 ** (DECREASES + 1))


def periods_of_many_losses(entropy: int) -> list[float]:
    path = Path(entropy=entropy)
    path.avoid()
    periods = []
    for _ in range(40):
        for _ in range(10):
            path.lose(path.sent - 1, 500)
            periods.append(path.controller.period)
        path.send(100)
    return periods


def test_flows_that_lose_together_do_not_slow_down_together() -> None:
    assert periods_of_many_losses(1) == periods_of_many_losses(1)
    assert len({tuple(periods_of_many_losses(entropy)) for entropy in range(5)}) > 1


# ---- limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize("max_bw", [1_500_000, 15_000_000])
def test_a_limit_holds_from_the_first_packet_on(max_bw: int) -> None:
    path = Path(max_bw=max_bw)
    assert path.controller.max_bandwidth == max_bw
    assert path.controller.period == MSS * SECOND / max_bw
    path.avoid(10**6)
    for _ in range(50):
        path.ack(100)
        assert path.controller.period >= MSS * SECOND / max_bw


@pytest.mark.parametrize("max_bw", [None, 0, -1])
def test_everything_else_is_no_limit(max_bw: int | None) -> None:
    controller = Path(max_bw=max_bw).controller
    assert (controller.max_bandwidth, controller.period) == (0, STARTING_PERIOD)
    assert not controller.measures_input


def test_a_limit_can_come_later() -> None:
    path = Path()
    path.avoid()
    path.controller.limit(Limits(max_bw=1_500_000))
    assert (path.controller.period, path.controller.limits.max_bw) == (1000, 1_500_000)
    path.controller.limit(Limits())
    assert path.controller.period == 1000, "from there it speeds up by itself"
    path.ack(1)
    assert path.controller.period < 1000


def test_no_pace_is_shorter_than_one_core_can_keep() -> None:
    path = Path()
    path.measure(1 << 31, 1 << 31)
    path.controller.timed_out(path.feedback, RTT, path.now)
    for _ in range(100):
        path.ack(100)
    assert path.controller.period == 4.0


def test_warnings_slow_down_within_reason_and_until_the_next_acknowledgement() -> None:
    path = Path()
    path.avoid()
    path.controller.slow_down()
    assert path.controller.period == 225
    for _ in range(100):
        path.controller.slow_down()
    assert path.controller.period == 400
    path.ack(1, 2 * RTT)
    assert path.controller.period < 200


def test_what_the_application_writes_does_not_matter() -> None:
    path = Path()
    before = path.state
    path.controller.wrote(100, 100 * PAYLOAD, path.now)
    assert path.state == before
    assert path.controller.waits_for_losses


# ---- whatever is reported ----------------------------------------------------------------------

words = st.integers(min_value=0, max_value=(1 << 32) - 1)
reports = st.one_of(
    st.tuples(st.just("ack"), words, words, st.integers(0, 10 * SECOND)),
    st.tuples(st.just("lost"), words, words, st.integers(0, 10 * SECOND)),
    st.tuples(st.just("silence"), words, words, st.integers(0, 10 * SECOND)),
)


@given(st.sampled_from(STARTS), st.lists(reports, max_size=40))
def test_whatever_a_peer_reports_there_is_a_pace_and_a_window(isn: int, story: list[tuple[str, int, int, int]]) -> None:
    path = Path(isn)
    for kind, one, other, rtt in story:
        path.send(one % 50)
        path.now += other % SECOND
        if kind == "ack":
            path.measure(one, other)
            path.ack(one % 100, rtt)
        elif kind == "lost":
            path.lose(one % (path.sent + 1), other % 10_000, rtt)
        else:
            path.controller.timed_out(path.feedback, rtt, path.now)
        period, window = path.state
        assert 4.0 <= period <= 2 * slowest(10 * SECOND)
        assert window >= 16


def test_a_simulated_path_is_filled_and_not_flooded() -> None:
    """A fluid model: 8,000 packets a second through a queue of 400, 40 ms away, in steps of a millisecond."""
    chance, path = Random(1), Path()
    speed, limit, queue, flight = 8, 400, 0, 0
    delivered = lost = 0
    owed = 0.0
    arriving: list[tuple[int, int]] = []
    for tick in range(20_000):
        path.now += MILLISECOND
        owed += min(MILLISECOND / path.controller.period, max(path.controller.window - flight, 0))
        leaving, owed = int(owed), owed - int(owed)
        path.send(leaving)
        flight += leaving
        dropped = sum(chance.random() < 0.005 for _ in range(leaving)) + max(queue + leaving - limit, 0)
        queue = min(queue + leaving, limit) - min(speed, queue + leaving)
        if dropped:
            lost += dropped
            path.lose(path.sent - leaving, dropped, RTT + queue * 125)
        arriving.append((tick + 40 + queue // speed, leaving - dropped))
        if tick % 10 == 0:
            due = sum(count for when, count in arriving if when <= tick)
            arriving = [entry for entry in arriving if entry[0] > tick]
            delivered += due
            flight = sum(count for _, count in arriving)
            path.feedback.learn(due * 100, speed * 1000, None)
            path.ack(due, RTT + queue * 125, 0)
    assert delivered > 20_000 * speed * 0.8
    assert lost < delivered * 0.1
