from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.congestion.shaper import Shaper
from srtpy.internal.core.retransmission import Retransmission
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.seq.number import SEQ_MASK

WINDOW = 8192


@pytest.fixture(params=[1000, 0x7FFFFFF0])
def base(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


def measured(smoothed: int, variance: int) -> RoundTrip:
    round_trip = RoundTrip()
    round_trip.smoothed, round_trip.variance, round_trip.is_known = smoothed, variance, True
    return round_trip


def a_part(
    round_trip: RoundTrip | None = None, rate: int = 0, is_eager: bool = False, first: int = 0
) -> Retransmission:
    round_trip = round_trip or measured(40 * MILLISECOND, 1 * MILLISECOND)
    return Retransmission(Shaper(rate, 0), round_trip, is_eager, 1316, 0, first)


def test_what_is_reported_is_taken_earliest_first(base: int) -> None:
    part = a_part()
    assert part.report(base, 20, 22, 0) == 3
    assert part.report(base, 5, 5, 0) == 1
    assert part.ready(0) == 4
    assert part.take(3, 0) == [(base + place) & SEQ_MASK for place in (5, 20, 21)]
    assert part.ready(0) == 1


def test_what_is_reported_twice_before_it_left_is_lost_once(base: int) -> None:
    part = a_part()
    part.report(base, 5, 10, 0)
    assert part.report(base, 5, 12, 1) == 2
    assert len(part.waiting) == 8


def test_a_report_within_a_round_trip_of_the_resend_cannot_be_about_it(base: int) -> None:
    part = a_part()
    part.report(base, 5, 5, 0)
    part.take(1, 0)
    assert part.wait == 36 * MILLISECOND
    assert part.report(base, 5, 5, part.wait - 1) == 0
    assert part.report(base, 5, 5, part.wait) == 1


def test_of_a_repeated_report_only_what_was_not_just_sent_counts(base: int) -> None:
    part = a_part()
    part.report(base, 0, 30, 0)
    part.take(10, 0)
    part.forget(base, 0)
    assert part.report(base, 0, 40, 1000) == 10
    assert part.take(100 - 69, 1000) == [(base + place) & SEQ_MASK for place in range(10, 41)]


@pytest.mark.parametrize(
    ("smoothed", "variance", "eager", "wait"),
    [
        (40_000, 1_000, False, 36_000),
        (40_000, 0, False, 40_000),
        (40_000, 10_000, False, 30_000),
        (100_000, 50_000, False, 75_000),
        (40_000, 1_000, True, 20_000),
        (200, 10, False, 5_000),
        (1, 0, True, 5_000),
    ],
)
def test_how_soon_again(smoothed: int, variance: int, eager: bool, wait: int) -> None:
    assert a_part(measured(smoothed, variance), is_eager=eager).wait == wait


def test_a_stale_round_trip_does_not_block_for_long() -> None:
    round_trip = measured(500 * MILLISECOND, 5 * MILLISECOND)
    part = a_part(round_trip)
    part.report(0, 7, 7, 0)
    part.take(1, 0)
    for now in range(10_000, SECOND, 10_000):
        round_trip.sample(10 * MILLISECOND)
        if part.report(0, 7, 7, now):
            break
    assert now <= 150 * MILLISECOND


def test_everything_is_taken_in_however_recently_it_was_sent(base: int) -> None:
    part = a_part()
    part.report(base, 0, 9, 0)
    part.take(10, 0)
    assert part.everything(base, 0, 19) == 20


def test_what_was_acknowledged_is_forgotten(base: int) -> None:
    part = a_part()
    part.report(base, 0, 19, 0)
    part.take(5, 0)
    part.forget(base, 10)
    assert part.waiting.first() == (base + 10) & SEQ_MASK
    assert part.take(10, 0)[0] == (base + 10) & SEQ_MASK
    part.forget((base + 10) & SEQ_MASK, 10)
    assert not part.waiting
    assert part._resent == {}


def test_what_was_given_up_is_withdrawn(base: int) -> None:
    part = a_part()
    part.report(base, 0, 9, 0)
    part.withdraw((base + 3) & SEQ_MASK, (base + 5) & SEQ_MASK)
    assert part.take(7, 0) == [(base + place) & SEQ_MASK for place in (0, 1, 2, 6, 7, 8, 9)]


def test_the_limit_lets_through_what_it_can_pay_for() -> None:
    part = a_part(rate=100 * 1360)
    part.report(0, 0, 99, 0)
    assert part.ready(0) == 10
    part.take(10, 0)
    part.spent(10, 10 * 1316)
    assert part.ready(0) == 0
    assert part.ready_at == 10_000
    assert part.ready(10_000) == 1
    part.set_limit(0)
    assert part.ready(10_000) == 90
    assert part.ready_at == NEVER


def test_the_limit_learns_how_large_packets_are() -> None:
    part = a_part(rate=100 * 1360)
    part.learn(1000, 188_000)
    part.report(0, 0, 99, 0)
    assert part.ready(0) == 13_600 // 232


def test_the_limits_bucket_follows_a_long_round_trip() -> None:
    part = a_part(measured(SECOND, 0), rate=100 * 1360)
    part.fit()
    part.report(0, 0, 99, SECOND)
    assert part.ready(SECOND) == 50


def test_nothing_waits_for_the_limit_when_nothing_is_lost() -> None:
    part = a_part(rate=1000)
    assert (part.ready(0), part.ready_at) == (0, NEVER)


def test_a_flood_of_reports_is_worth_only_so_much_work() -> None:
    part = a_part()
    looked_at = sum(part.is_worth_looking(WINDOW, WINDOW, now) for now in range(0, SECOND, 100))
    assert looked_at <= 2 * 200 + 200, "two or three windows in five milliseconds"


def test_honest_reports_are_always_worth_it() -> None:
    part = a_part()
    for now in range(0, SECOND, 20 * MILLISECOND):
        assert part.is_worth_looking(WINDOW, WINDOW, now), "the periodic report names the whole window"
        assert all(part.is_worth_looking(10, WINDOW, now + 10 * gap) for gap in range(200)), "and new gaps come between"


@given(
    base=st.sampled_from([0, 77, 0x7FFFFFF0]),
    steps=st.lists(st.tuples(st.integers(0, 99), st.integers(0, 30), st.integers(0, 20_000)), max_size=30),
)
def test_nothing_is_sent_twice_within_the_wait_and_nothing_reported_after_it_is_forgotten(
    base: int, steps: list[tuple[int, int, int]]
) -> None:
    part, now, sent_at = a_part(), 0, dict[int, int]()
    for first, length, pause in steps:
        now += pause
        last = min(first + length, 99)
        part.report(base, first, last, now)
        named = {(base + place) & SEQ_MASK for place in range(first, last + 1)}
        taken = part.take(part.ready(now), now)
        assert set(taken) == {seq for seq in named if now - sent_at.get(seq, -SECOND) >= part.wait}
        sent_at.update(dict.fromkeys(taken, now))


# ---- what silence calls lost -----------------------------------------------------------------------


def test_silence_of_a_peer_that_repeats_its_reports_means_everything(base: int) -> None:
    part = a_part()
    assert part.overdue(base, 100, 0, is_reported_once=False) == 100
    assert part.waiting.ranges() == [(base, (base + 99) & SEQ_MASK)]


def test_silence_of_a_peer_that_reports_once_means_the_ends_and_what_was_sent_again(base: int) -> None:
    part = a_part(first=base)
    part.report(base, 5, 6, 0)
    part.take(2, 0)
    assert part.overdue(base, 100, SECOND, is_reported_once=True) == 4
    assert [low for low, _ in part.waiting.ranges()] == [(base + place) & SEQ_MASK for place in (0, 5, 99)]
    part.take(4, SECOND)
    later = (base + 100) & SEQ_MASK
    part.forget(base, 100)
    assert part.overdue(later, 50, 2 * SECOND, is_reported_once=True) == 2


def test_silence_after_silence_repeats_twice_as_many_because_reports_were_lost(base: int) -> None:
    part = a_part(first=base)
    assert part.overdue(base, 100, 0, is_reported_once=True) == 2
    for silence, packets in enumerate((2, 4, 8, 16, 32, 64, 100), 1):
        part.take(len(part.waiting), silence * SECOND)
        part.overdue(base, 100, (silence + 1) * SECOND, is_reported_once=True)
        assert part.waiting.ranges()[0] == (base, (base + packets - 1) & SEQ_MASK)


def test_silence_does_not_repeat_what_has_only_just_left_again(base: int) -> None:
    part = a_part(first=base)
    part.report(base, 5, 6, 0)
    part.take(2, SECOND)
    assert part.overdue(base, 100, SECOND + 1, is_reported_once=True) == 2
    assert [low for low, _ in part.waiting.ranges()] == [(base + place) & SEQ_MASK for place in (0, 99)]


def test_a_path_that_has_become_short_is_not_waited_for_as_if_it_were_long(base: int) -> None:
    round_trip = measured(500 * MILLISECOND, 5 * MILLISECOND)
    part = a_part(round_trip)
    part.report(base, 3, 3, 0)
    part.take(1, 0)
    assert part.report(base, 3, 3, 20 * MILLISECOND) == 0
    round_trip.report(10 * MILLISECOND, 1 * MILLISECOND, is_receiving=False)
    assert part.report(base, 3, 3, 20 * MILLISECOND) == 1
