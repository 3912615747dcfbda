from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import MILLISECOND, NEVER
from srtpy.internal.core.asking import FIRST_ROUND, REPEATS, REPORTS, ROUND_MARGIN, SHORTEST_ROUND, Asking, Range
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.seq.number import SEQ_MASK
from srtpy.internal.seq.ranges import SequenceSet

STARTS = [0, 1000, 0x7FFFFFF0]


class Scene:
    """Gaps and their clocks, on a path with a round trip of our choice."""

    def __init__(self, isn: int = 0, rtt: int = 40_000, variance: int = 0) -> None:
        self.isn = isn
        self.round_trip = RoundTrip()
        if rtt:
            self.round_trip.sample(rtt)
            self.round_trip.variance = variance
        self.asking = Asking(self.round_trip)
        self.missing = SequenceSet()

    def lose(self, *places: int, now: int = 0) -> None:
        """Find these missing, and ask for them."""
        ranges = [(self.seq(place), self.seq(place)) for place in places]
        for first, last in ranges:
            self.missing.add(first, last)
        self.asking.begin(ranges, now)
        self.asking.repeat(ranges, now)

    def come(self, place: int) -> None:
        self.missing.remove(self.seq(place), self.seq(place))

    def seq(self, place: int) -> int:
        return (self.isn + place) & SEQ_MASK

    def take(self, now: int) -> list[int]:
        return self.places(self.asking.take(self.missing, now))

    def places(self, ranges: list[Range]) -> list[int]:
        return [
            (first - self.isn + step) & SEQ_MASK
            for first, last in ranges
            for step in range((last - first & SEQ_MASK) + 1)
        ]

    def run(self, until: int) -> list[tuple[int, list[int]]]:
        """Ask at each deadline; return when for what."""
        asked = []
        while (now := self.asking.deadline) <= until:
            asked.append((now, self.take(now)))
            assert self.asking.deadline > now
        return asked


def test_nothing_asked_for_has_no_deadline() -> None:
    scene = Scene()
    assert scene.asking.deadline == NEVER
    assert scene.take(1_000_000) == []


@pytest.mark.parametrize("isn", STARTS)
def test_a_gap_is_asked_for_twice_more_and_again_in_the_next_round(isn: int) -> None:
    scene = Scene(isn)
    scene.lose(20)
    length = 40_000 + ROUND_MARGIN
    times = [10_000, 20_000, length, length + 10_000, length + 20_000, 2 * length]
    assert scene.run(2 * length) == [(time, [20]) for time in times]
    assert REPEATS == 2


def test_what_has_come_is_not_asked_for() -> None:
    scene = Scene()
    scene.lose(1, 2, 3)
    scene.come(2)
    assert scene.take(10_000) == [1, 3]
    scene.come(1)
    scene.come(3)
    scene.lose(9, now=11_000)
    assert scene.take(50_000) == [9]


def test_each_gap_has_its_own_clock() -> None:
    scene = Scene(variance=1_000)
    scene.lose(1)
    scene.lose(5, now=30_000)
    length = 41_000 + ROUND_MARGIN
    scene.run(length - 1)
    assert scene.take(length) == [1]
    assert [time for time, places in scene.run(30_000 + length) if places == [5]][-1] == 30_000 + length


def test_a_repeat_takes_along_what_is_due_soon() -> None:
    scene = Scene()
    scene.lose(1)
    scene.lose(5, now=4_000)
    scene.lose(9, now=6_000)
    assert scene.take(10_000) == [1, 5]


def test_the_handshake_tells_how_long_the_first_round_is() -> None:
    for handshake, length in ((40_000, 45_000 + ROUND_MARGIN), (1_000, SHORTEST_ROUND), (0, FIRST_ROUND)):
        asking = Asking(RoundTrip(handshake))
        asking.begin([(5, 6)], 0)
        assert asking.deadline == length


@pytest.mark.parametrize(
    ("rtt", "variance", "length"),
    [
        (0, 0, FIRST_ROUND),  # nothing measured yet
        (500, 100, SHORTEST_ROUND),
        (17_000, 1_000, SHORTEST_ROUND),
        (40_000, 5_000, 47_000),
        (200_000, 10_000, 212_000),
    ],
)
def test_a_round_lasts_as_long_as_an_answer_takes(rtt: int, variance: int, length: int) -> None:
    scene = Scene(rtt=rtt, variance=variance)
    scene.asking.begin([(1, 1)], 0)
    assert scene.asking.deadline == length


@pytest.mark.parametrize(
    ("rtt", "variance", "first"),
    [
        (100_000, 0, 25_000),
        (40_000, 5_000, 8_000),  # a libsrt sender sends again after RTT - 4 x variance: 20 ms
        (40_000, 8_000, NEVER),
        (8_000, 0, NEVER),
        (0, 0, NEVER),
    ],
)
def test_repeats_end_before_a_sender_would_send_again(rtt: int, variance: int, first: int) -> None:
    scene = Scene(rtt=rtt, variance=variance)
    scene.asking.repeat([(1, 1)], 0)
    assert scene.asking.deadline == first


def test_repeats_are_left_out_when_the_path_has_become_uneven() -> None:
    scene = Scene()
    scene.lose(1)
    scene.round_trip.variance = 30_000
    assert scene.run(72_000) == [(72_000 // REPORTS, []), (72_000, [1])]


def test_a_longer_round_trip_puts_the_next_round_off_and_a_shorter_one_brings_it_forward() -> None:
    scene = Scene()
    scene.asking.begin([(1, 1)], 0)
    scene.round_trip.smoothed = 300 * MILLISECOND
    assert scene.asking.deadline == 302_000
    scene.round_trip.smoothed = 1_000
    assert scene.asking.deadline == SHORTEST_ROUND


@pytest.mark.parametrize("rtt", [1_000, 40_000, 400_000])
def test_a_thousand_gaps_are_asked_for_in_a_few_reports_a_round(rtt: int) -> None:
    scene = Scene(rtt=rtt)
    for place in range(0, 2000, 2):
        scene.lose(place, now=place * rtt // 2000)
    length = max(rtt + ROUND_MARGIN, SHORTEST_ROUND)
    asked = scene.run(20 * length)
    assert len(asked) <= 20 * REPORTS
    for place in (0, 500, 1998):
        times = [time for time, places in asked if place in places]
        assert len(times) >= 17
        assert all(later - earlier <= length + length // REPORTS for earlier, later in pairwise(times))


def test_cleared_is_as_new() -> None:
    scene = Scene()
    scene.lose(1, 2)
    scene.asking.clear()
    assert scene.asking.deadline == NEVER
    assert scene.take(10_000_000) == []


@given(st.lists(st.tuples(st.integers(0, 30_000), st.booleans()), max_size=40), st.sampled_from(STARTS))
def test_whatever_is_missing_is_asked_for_in_each_round(steps: list[tuple[int, bool]], isn: int) -> None:
    scene = Scene(isn, variance=1_000)
    length = 41_000 + ROUND_MARGIN
    now, asked_at = 0, dict[int, int]()
    for place, (pause, comes) in enumerate(steps):
        for time, places in scene.run(now + pause):
            asked_at |= dict.fromkeys(places, time)
        now += pause
        scene.lose(place, now=now)
        asked_at[place] = now
        if comes:
            scene.come(place // 2)
            asked_at.pop(place // 2, None)
        assert all(now - asked <= length + length // REPORTS for asked in asked_at.values())
    for time, places in scene.run(now + 2 * length):
        asked_at |= dict.fromkeys(places, time)
    assert all(asked > now + length for asked in asked_at.values())
