from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.congestion.controller import Limits
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.congestion.file import (
    BOLD,
    BOLDEST,
    CAREFUL,
    CAREFUL_ROUNDS,
    COST,
    FURTHEST,
    LEAD,
    LEAST_SPARE,
    OVERSHOOT,
    PRICE,
    STARTING_PERIOD,
    FileCC,
    faster,
    slowest,
    step,
)
from srtpy.internal.congestion.path import STUBBORN
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
    now: int = 5 * SECOND
    acknowledged: int = 0
    sent: int = 0
    feedback: Feedback = field(init=False)
    controller: FileCC = field(init=False)

    def __post_init__(self) -> None:
        self.feedback = Feedback(PAYLOAD, self.isn)
        self.controller = FileCC(Limits(max_bw=self.max_bw), MSS, self.flow_window, self.isn)

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

    def lose(self, packets: int = 1, rtt: int = RTT) -> None:
        """Report so many packets lost."""
        seq, next_seq = (self.isn + self.acknowledged) & SEQ_MASK, (self.isn + self.sent) & SEQ_MASK
        self.controller.lost(seq, packets, packets, next_seq, rtt, self.now)

    def rounds(self, count: int, rtt: int = RTT, percent: int = 0) -> None:
        """Let so many rounds pass, full of packets; lose a percentage of them."""
        for _ in range(count):
            elapsed = 2 * rtt + 10 * MILLISECOND
            packets = self.feedback.delivery_rate * elapsed // SECOND
            self.send(packets)
            if percent:
                self.lose(packets * percent // 100, rtt)
            self.ack(packets, rtt, after=elapsed)

    def avoid(self, rate: int = 5000, capacity: int = 20_000) -> None:
        """Leave slow start behind at this rate, with nothing on the path."""
        self.measure(rate, capacity)
        self.ack(rate // 10 - 17)  # half of such a window, in a round trip and an interval
        self.controller.timed_out(self.feedback, RTT, self.now)

    def share(self, rate: int = 5000, capacity: int = 20_000) -> None:
        """Leave slow start behind on a path that others fill."""
        self.avoid(rate, capacity)
        self.rounds(STUBBORN + 2, 2 * RTT)

    @property
    def state(self) -> tuple[float, int]:
        return self.controller.period, self.controller.window


# ---- the formula, with the fact sheet's numbers ------------------------------------------------


def test_the_step_of_avoidance() -> None:
    # a ninth of 20,000 is 2,222 packets a second, 27 Mbit/s: a tenth of a packet more in ten milliseconds
    assert step(20_000 // 9, MSS) == pytest.approx(0.1)
    assert faster(100, 0.1) == pytest.approx(99.9001, abs=1e-4)


@pytest.mark.parametrize("spare", [0, -5000, 1])
def test_the_step_of_avoidance_without_spare_capacity(spare: int) -> None:
    assert step(spare, MSS) == 1 / MSS
    assert faster(40, 1 / MSS) == pytest.approx(39.99989, abs=1e-5)


def test_the_least_spare_capacity_is_where_a_step_becomes_a_tenth_of_a_packet() -> None:
    assert step(LEAST_SPARE, MSS) == pytest.approx(0.1)
    assert step(LEAST_SPARE - 1, MSS) == pytest.approx(0.01)


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
    assert path.controller.period < 500
    path.ack(1)
    assert path.controller.window == int((3 * RTT + 10_000) / path.controller.period + 16)


def test_slow_start_does_not_mind_a_queue() -> None:
    path = Path()
    path.ack(16)
    path.ack(16, 3 * RTT)
    assert path.state == (STARTING_PERIOD, 16 + 17 + 17)
    path.lose()
    assert path.controller.period != STARTING_PERIOD, "but with a queue it ends with the first loss"


def test_slow_start_ends_with_silence() -> None:
    path = Path()
    path.measure(10_000, 1)
    path.ack(983)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.state == (100, 1000)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.state == (100, 1000), "in avoidance silence changes nothing"


def test_what_is_lost_of_the_first_window_does_not_count() -> None:
    """A libsrt peer loses what comes before it is ready; then it has the first packet, and misses fourteen."""
    path = Path()
    path.measure(10_000, 1)
    path.send(16)
    path.lose(15)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert (path.controller.period, path.controller.window) == (STARTING_PERIOD, 16)
    path.ack(1)
    path.lose(14)
    path.controller.timed_out(path.feedback, RTT, path.now)
    path.ack(15)
    assert (path.controller.period, path.controller.window) == (STARTING_PERIOD, 34)
    path.send(34)
    path.lose(1)
    assert path.controller.period == STARTING_PERIOD, "and it is forgotten"
    path.lose(3)
    assert path.controller.period > STARTING_PERIOD


def test_a_round_trip_that_was_thought_to_be_long_is_no_reason_to_stay_slow() -> None:
    path = Path()
    path.measure(1, 1)
    path.ack(16)
    path.controller.timed_out(path.feedback, 300 * MILLISECOND, path.now)
    before = path.controller.period
    path.ack(1, rtt=MILLISECOND)
    assert path.controller.period <= slowest(MILLISECOND) < before


def test_slow_start_ends_with_a_report_of_many() -> None:
    path = Path()
    path.measure(10_000, 1)
    path.send(16)
    path.ack(16)
    path.send(33)
    path.lose(3)
    assert path.controller.period == STARTING_PERIOD
    path.lose(1)
    assert path.controller.period > STARTING_PERIOD


def test_slow_start_ends_at_no_more_than_its_window_whatever_a_burst_measures() -> None:
    path = Path()
    path.measure(1_000_000, 1)
    path.ack(983)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.controller.period == (RTT + 10_000) / 1000


def test_slow_start_goes_on_at_half_the_window_if_that_is_more_than_what_was_measured() -> None:
    path = Path()
    path.measure(100, 1)
    path.ack(983)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.controller.period == (RTT + 10_000) / 500


def test_a_receiver_that_measures_nothing_does_not_stop_the_transfer() -> None:
    path = Path()
    path.measure(0, 0)
    path.ack(0)
    path.controller.timed_out(path.feedback, RTT, path.now)
    assert path.controller.period <= slowest(RTT)
    path.ack(1)
    assert path.controller.window >= 16


# ---- alone on the path -------------------------------------------------------------------------


def test_the_window_leaves_room_for_three_round_trips() -> None:
    path = Path()
    path.avoid(5000)
    path.ack(1)
    assert path.controller.window == pytest.approx(5000 * (3 * RTT + 10_000) / SECOND + 16, rel=0.01)


def test_avoidance_speeds_up_each_interval_and_more_boldly_with_time() -> None:
    path = Path()
    path.avoid(5000)
    assert path.controller.period == 200
    path.ack(1)
    assert path.controller.period == pytest.approx(faster(200, 0.1))
    path.ack(1, after=9 * MILLISECOND)
    assert path.controller.period == pytest.approx(faster(200, 0.1)), "not yet"
    path.measure(50_000, 1)
    path.now += 4 * CAREFUL
    before = path.controller.period
    path.ack(1)
    assert path.controller.period == pytest.approx(faster(before, 0.1 * 4), rel=1e-3)
    path.now += 100 * CAREFUL
    before = path.controller.period
    path.ack(1)
    assert path.controller.period == pytest.approx(faster(before, 0.1 * BOLDEST))


def test_on_a_short_path_some_rounds_make_as_bold() -> None:
    path = Path()
    path.avoid(5000)
    path.measure(50_000, 1)
    path.now += int(4 * CAREFUL_ROUNDS * 12 * MILLISECOND) - 10 * MILLISECOND
    before = path.controller.period
    path.ack(1, MILLISECOND)
    assert path.controller.period == pytest.approx(faster(before, 0.1 * 4), rel=1e-3)
    assert before > path.controller.period


def test_no_step_exceeds_an_eighth_a_round_trip() -> None:
    path = Path()
    path.avoid(340)
    before = path.controller.period
    for _ in range(4):
        path.measure(100_000, 1)
        path.ack(1)
    assert before / 1.13 < path.controller.period < before / 1.11


def test_the_pace_does_not_run_away_from_what_arrives() -> None:
    path = Path()
    path.avoid(5000)
    for _ in range(200):
        path.ack(0)
    assert path.controller.period == pytest.approx(200 / OVERSHOOT)


def test_losses_are_the_lines_while_there_is_no_queue() -> None:
    path = Path()
    path.avoid(5000)
    for _ in range(20):
        before = path.controller.period
        path.measure(10_000, 1)
        path.rounds(1, percent=4)
        assert path.controller.period < before


@pytest.mark.parametrize(("leaving", "period"), [(1.4, 200 / 1.4), (1.6, 200)])
def test_who_sends_far_more_than_arrives_and_loses_it_goes_back_to_what_arrives(leaving: float, period: float) -> None:
    path = Path()
    path.avoid(int(5000 * leaving))
    path.measure(5000, 1)
    path.send(1000)
    path.lose(300)
    path.ack(1)
    assert path.controller.period == pytest.approx(period, rel=0.01)
    path.measure(1000, 1)
    path.send(1000)
    before = path.controller.period
    path.rounds(2)
    assert path.controller.period <= before, "nothing is lost, so it is the application that sends less"


def test_a_queue_is_given_way_to_by_no_more_than_an_eighth_at_a_time() -> None:
    path = Path()
    path.avoid(5000)
    path.rounds(2)
    before = path.controller.period
    path.measure(10_000, 1)
    path.ack(100, RTT + 20 * MILLISECOND, after=0)
    path.rounds(1, RTT + 20 * MILLISECOND)
    slowed = path.controller.period
    assert slowed == pytest.approx(before / 0.875)
    path.rounds(1, RTT + 12 * MILLISECOND)
    assert path.controller.period == slowed, "it drains"
    path.rounds(1, RTT)
    assert path.controller.period == pytest.approx(before * COST, rel=0.01), "then we come back, a little slower"


def test_a_queue_that_stays_is_given_way_to_again_but_only_so_far() -> None:
    path = Path()
    path.avoid(5000)
    path.rounds(2)
    before = path.controller.period
    seen = set()
    for _ in range(STUBBORN):
        path.rounds(1, 2 * RTT)
        seen.add(path.controller.period)
    assert len(seen) > 2
    assert max(seen) == pytest.approx(before * FURTHEST, rel=0.05)


# ---- in company --------------------------------------------------------------------------------


def test_a_queue_of_others_gives_back_what_it_cost() -> None:
    path = Path()
    path.avoid(5000)
    path.rounds(2)
    before = path.controller.period
    path.rounds(STUBBORN, 2 * RTT)
    assert path.controller.period > before
    path.rounds(2, 2 * RTT)
    assert path.controller.period <= before


@pytest.mark.parametrize("isn", STARTS)
def test_in_company_each_lost_packet_takes_three_quarters_of_one_from_a_round_trip(isn: int) -> None:
    path = Path(isn)
    path.share()
    before = SECOND / path.controller.period
    path.lose(10)
    assert SECOND / path.controller.period == pytest.approx(before - 10 * PRICE * SECOND / (RTT + 10 * MILLISECOND))


def test_of_a_round_no_more_than_a_tenth_counts_as_lost() -> None:
    path, other = Path(), Path()
    path.share()
    other.share()
    carried = (2 * RTT + 10 * MILLISECOND) / path.controller.period
    path.lose(int(carried * 0.1))
    other.lose(int(carried * 0.5))
    assert path.controller.period == other.controller.period
    period = path.controller.period
    path.lose(10)
    assert path.controller.period == period, "not before the next round"


def test_losses_with_a_queue_slow_down_alone_too_if_they_are_many() -> None:
    path = Path()
    path.avoid(5000)
    path.rounds(2)
    path.send(450)
    path.ack(100, RTT + 20 * MILLISECOND)
    before = path.controller.period
    path.lose(15)
    assert path.controller.period == before, "a twentieth is the line's"
    path.lose(15)
    assert path.controller.period > before


def test_in_company_a_step_does_not_depend_on_the_own_pace() -> None:
    """Which evens out two of ours: what they lose does depend on it."""
    steps = []
    for rate in (2000, 5000):
        path = Path()
        path.share(rate, 20_000)
        before = SECOND / path.controller.period
        path.ack(1, 2 * RTT)
        steps.append(SECOND / path.controller.period - before)
    assert steps[0] == pytest.approx(steps[1], rel=1e-3)
    assert steps[0] == pytest.approx(0.1 * BOLD * 100, rel=1e-3)


def test_in_company_who_has_measured_100_mbit_a_tenth_wrong_takes_the_same_steps() -> None:
    steps = []
    for capacity in (7_500, 8_333, 9_200):
        path = Path()
        path.share(2000, capacity)
        before = SECOND / path.controller.period
        path.ack(1, 2 * RTT)
        steps.append(SECOND / path.controller.period - before)
    assert steps == pytest.approx([0.1 * BOLD * 100] * 3, rel=1e-3)


def test_who_hears_rarely_makes_up_for_the_steps_between_but_not_for_a_pause() -> None:
    for after, steps in ((30, 3), (100, 10), (5000, 10)):
        path = Path()
        path.share()
        path.measure(5000, 20_000)
        before = SECOND / path.controller.period
        path.ack(1, 2 * RTT, after=after * MILLISECOND)
        assert SECOND / path.controller.period - before == pytest.approx(steps * 0.1 * BOLD * 100, rel=0.02)


def test_a_slow_flow_may_be_ahead_of_what_arrives_by_more_than_a_fast_one() -> None:
    for rate, fastest in ((400, 400 + LEAD), (5000, 5000 * OVERSHOOT)):
        path = Path()
        path.avoid(rate)
        for _ in range(300):
            path.measure(rate, 1)
            path.ack(0)
        assert SECOND / path.controller.period == pytest.approx(fastest, rel=0.01)


def test_in_company_the_steps_go_on_whatever_is_lost() -> None:
    path = Path()
    path.share(capacity=20_000)
    path.lose(50, 2 * RTT)
    before = path.controller.period
    path.ack(1, 2 * RTT)
    assert path.controller.period == pytest.approx(faster(before, 0.1 * BOLD))


def test_nothing_makes_a_flow_so_slow_that_sixteen_packets_would_not_leave_in_a_round_trip() -> None:
    path = Path()
    path.share()
    path.measure(4, 20_000)  # so little arrives that no step is taken
    for _ in range(1000):
        path.lose(100, 2 * RTT)
        path.ack(1, 2 * RTT, after=5 * RTT)
    assert path.controller.period == slowest(2 * RTT)


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


def test_no_pace_is_shorter_than_the_drafts_first() -> None:
    path = Path()
    path.measure(1 << 31, 1 << 31)
    path.controller.timed_out(path.feedback, RTT, path.now)
    for _ in range(2000):
        path.ack(10_000)
    assert path.controller.period == 1.0


def test_warnings_slow_down_within_reason_and_until_the_next_acknowledgement() -> None:
    path = Path()
    path.avoid()
    path.controller.slow_down()
    assert path.controller.period == 225
    for _ in range(100):
        path.controller.slow_down()
    assert path.controller.period == 400
    path.ack(1)
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
            path.lose(other % 10_000, rtt)
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
            path.lose(dropped, RTT + queue * 125)
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
