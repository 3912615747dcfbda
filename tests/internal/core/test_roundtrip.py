"""The smoothed round trip against the numbers libsrt gets, and against hostile reports."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.roundtrip import INITIAL_RTT, INITIAL_VARIANCE, LARGEST_RTT, RoundTrip


def known(trip: RoundTrip) -> tuple[int, int]:
    return trip.smoothed, trip.variance


def test_before_anything_is_known() -> None:
    trip = RoundTrip()
    assert known(trip) == (100 * MILLISECOND, 50 * MILLISECOND)
    assert not trip.is_known
    assert trip.patience == 300 * MILLISECOND


def test_the_handshakes_round_trip_stands_in_until_there_is_a_better_one() -> None:
    for is_sample in (True, False):
        trip = RoundTrip(40_000)
        assert known(trip) == (40_000, 5_000)
        assert trip.is_known
        trip.report(INITIAL_RTT, 4_000, is_receiving=False)
        assert known(trip) == (40_000, 5_000)
        if is_sample:
            trip.sample(20_000)
        else:
            trip.report(20_000, 10_000, is_receiving=True)
        assert known(trip) == (20_000, 10_000)
        assert trip.is_known


def test_a_handshake_that_took_for_ever_pushes_no_timer_out_of_sight() -> None:
    assert RoundTrip(3600 * SECOND).smoothed == LARGEST_RTT


def test_samples_as_libsrt_smooths_them() -> None:
    trip = RoundTrip()
    for sample, smoothed, variance, patience in (
        (30_000, 30_000, 15_000, 90_000),
        (34_000, 30_500, 12_250, 79_500),
        (29_000, 30_312, 9_562, 68_560),
        (80_000, 36_523, 19_593, 114_895),
    ):
        trip.sample(sample)
        assert known(trip) == (smoothed, variance)
        assert trip.patience == patience
        assert trip.is_known


def test_the_peer_that_has_measured_nothing_teaches_nothing() -> None:
    trip = RoundTrip()
    trip.report(INITIAL_RTT, INITIAL_VARIANCE, is_receiving=False)
    trip.report(INITIAL_RTT, 4_000, is_receiving=False)
    trip.report(40_000, INITIAL_VARIANCE, is_receiving=False)
    assert not trip.is_known
    trip.report(40_000, 4_000, is_receiving=False)
    assert known(trip) == (40_000, 4_000)
    assert trip.is_known
    trip.report(INITIAL_RTT, INITIAL_VARIANCE, is_receiving=False)
    assert known(trip) == (40_000, 4_000)
    trip.report(INITIAL_RTT, 3_000, is_receiving=False)
    assert known(trip) == (INITIAL_RTT, 3_000)


def test_a_side_that_only_sends_believes_the_report() -> None:
    trip = RoundTrip()
    trip.report(40_000, 4_000, is_receiving=False)
    trip.report(60_000, 5_000, is_receiving=False)
    assert known(trip) == (60_000, 5_000)


def test_a_side_that_receives_too_lets_the_report_weigh_in() -> None:
    trip, other = RoundTrip(), RoundTrip()
    for one in (trip, other):
        one.sample(30_000)
    trip.report(60_000, 1, is_receiving=True)
    other.sample(60_000)
    assert known(trip) == known(other)


@pytest.mark.parametrize(
    ("smoothed", "variance"),
    [(0, 100), (-1, 100), (LARGEST_RTT + 1, 100), (1 << 31, 100), (0xFFFFFFFF, 0), (100, -1), (100, LARGEST_RTT + 1)],
)
def test_reports_out_of_reason_are_not_believed(smoothed: int, variance: int) -> None:
    trip = RoundTrip()
    trip.sample(30_000)
    for is_receiving in (True, False):
        trip.report(smoothed, variance, is_receiving)
    assert known(trip) == (30_000, 15_000)


@given(st.lists(st.integers(-(1 << 40), 1 << 40), min_size=1, max_size=50))
def test_no_sample_pushes_timers_out_of_sight(samples: list[int]) -> None:
    trip = RoundTrip()
    for sample in samples:
        trip.sample(sample)
        assert 0 < trip.smoothed <= LARGEST_RTT == 10 * SECOND
        assert 0 <= trip.variance <= LARGEST_RTT


def test_it_follows_a_path_that_gets_faster() -> None:
    trip = RoundTrip()
    trip.sample(500 * MILLISECOND)
    for _ in range(60):
        trip.sample(10 * MILLISECOND)
    assert trip.smoothed < 11 * MILLISECOND
