from __future__ import annotations

import pytest

from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.congestion.path import (
    DEVIATIONS,
    DOUBTFUL,
    FIRST_CONTEST,
    GONE,
    LEAST_QUEUE,
    LONGEST_CONTEST,
    NEAR_BY,
    STUBBORN,
    Path,
)
from srtpy.internal.seq.number import SEQ_MASK

RTT = 40 * MILLISECOND
FULL = 2 * RTT
STARTS = [0, 0x7FFFFFF0]


def measured(rate: int = 1 << 30, jitter: Micros = 0) -> Feedback:
    feedback = Feedback(1456, 0)
    feedback.delivery_rate, feedback.jitter = rate, jitter
    return feedback


class Trip:
    """A path, and rounds of 100 packets on it."""

    def __init__(self, isn: int = 0) -> None:
        self.path = Path(isn)
        self.now: Micros = SECOND
        self.seq = isn
        self.path.acknowledged(isn, measured(), RTT, self.now)

    def round(self, rtt: Micros = RTT, losses: int = 0, packets: int = 100) -> None:
        self.path.sent += packets
        self.path.lost(losses, packets)
        self.seq = (self.seq + packets) & SEQ_MASK
        self.now += 2 * rtt + 10 * MILLISECOND
        assert self.path.acknowledged(self.seq, measured(), rtt, self.now)

    def rounds(self, count: int, rtt: Micros, losses: int = 0) -> None:
        for _ in range(count):
            self.round(rtt, losses)

    def contested(self) -> None:
        """Find that the path is shared."""
        self.rounds(STUBBORN + 2, FULL)
        assert self.path.is_shared


@pytest.mark.parametrize("isn", STARTS)
def test_the_rate_is_what_was_acknowledged_in_three_rounds_at_most(isn: int) -> None:
    trip = Trip(isn)
    took = 2 * RTT + 10 * MILLISECOND
    for packets in (100, 100, 400):
        trip.round(packets=packets)
    assert trip.path.rate == 200 * SECOND // took
    for _ in range(4):
        trip.round(packets=10)
    assert trip.path.rate == 170 * SECOND // took, "the best of the last four"
    for _ in range(2):
        trip.round(packets=10)
    assert trip.path.rate == 10 * SECOND // took


def test_the_rate_is_not_more_than_the_receiver_measures() -> None:
    trip = Trip()
    trip.round()
    trip.round()
    trip.path.acknowledged(trip.seq, measured(50), RTT, trip.now)
    assert trip.path.rate == 50


def test_the_capacity_is_the_most_that_was_ever_measured() -> None:
    path, feedback = Path(0), measured()
    for feedback.capacity in (50, 900, 20):
        path.acknowledged(0, feedback, RTT, SECOND)
    assert path.capacity == 900


def test_a_round_takes_two_round_trips_and_an_interval() -> None:
    path = Path(0)
    path.acknowledged(0, measured(), RTT, SECOND)
    assert not path.acknowledged(1, measured(), RTT, SECOND + 2 * RTT + 10 * MILLISECOND - 1)
    assert path.acknowledged(1, measured(), RTT, SECOND + 2 * RTT + 10 * MILLISECOND)


@pytest.mark.parametrize(("rtt", "chance"), [(MILLISECOND, NEAR_BY), (RTT, LEAST_QUEUE), (8 * RTT, RTT)])
def test_a_little_longer_is_no_queue(rtt: Micros, chance: Micros) -> None:
    path = Path(0)
    path.acknowledged(0, measured(), rtt, SECOND)
    path.acknowledged(0, measured(), rtt + chance, SECOND)
    assert path.is_clear
    path.acknowledged(0, measured(), rtt + chance + 1, SECOND)
    assert not path.is_clear
    assert path.queue == chance + 1
    path.acknowledged(0, measured(jitter=chance // DEVIATIONS + 1), rtt + chance + 1, SECOND)
    assert path.is_clear, "where round trips vary more, more is chance"


def test_a_queue_that_always_stands_is_that_of_others() -> None:
    trip = Trip()
    trip.rounds(STUBBORN, FULL)
    assert not trip.path.is_shared
    trip.rounds(2, FULL)
    assert trip.path.is_shared
    trip.rounds(GONE - 1, RTT)
    assert trip.path.is_shared
    trip.round(RTT)
    assert not trip.path.is_shared


def test_a_queue_that_drains_now_and_then_is_ours() -> None:
    trip = Trip()
    for _ in range(20):
        trip.rounds(STUBBORN - 1, FULL)
        trip.round(RTT)
    assert not trip.path.is_shared


def test_much_loss_is_that_of_others_sooner_but_not_what_slow_start_lost() -> None:
    trip = Trip()
    trip.rounds(DOUBTFUL, RTT, losses=6)
    assert not trip.path.is_shared
    trip.round(RTT, losses=6)
    assert trip.path.is_shared, "with or without a queue"
    trip.rounds(GONE, RTT, losses=5)
    assert not trip.path.is_shared


def test_whether_others_are_still_there_is_looked_into_when_something_is_lost() -> None:
    trip = Trip()
    trip.contested()
    until = trip.now + FIRST_CONTEST
    while trip.now < until:
        trip.round(FULL)
    trip.rounds(10, FULL)
    assert trip.path.is_shared, "nothing was lost"
    trip.round(FULL, losses=1)
    assert not trip.path.is_shared


def test_each_look_in_vain_makes_the_next_rarer() -> None:
    trip = Trip()
    lengths = list[int]()
    for _ in range(7):
        while not trip.path.is_shared:
            trip.round(FULL, losses=1)
        began = trip.now
        while trip.path.is_shared:
            trip.round(FULL, losses=1)
        lengths.append(round((trip.now - began) / SECOND))
    assert lengths == [2, 4, 8, 16, 32, 32, 32]
    assert LONGEST_CONTEST == 32 * SECOND


def test_a_queue_drains_when_a_fifth_is_gone_in_a_round() -> None:
    trip = Trip()
    trip.round(RTT + 40 * MILLISECOND)
    trip.round(RTT + 33 * MILLISECOND)
    assert not trip.path.drains
    trip.round(RTT + 26 * MILLISECOND)
    assert trip.path.drains


def test_losses_are_held_against_what_left() -> None:
    path = Path(0)
    path.lost(3, 100)
    assert path.is_losing()
    assert not path.is_losing(3), "unless so few may be"
    path.sent = 60
    assert not path.is_losing()
    path.lost(1, 100)
    assert path.is_losing()


@pytest.mark.parametrize("isn", STARTS)
def test_of_what_a_round_carries_a_tenth_counts_as_lost(isn: int) -> None:
    path = Path(isn)
    assert [path.lost(packets, 100) for packets in (4, 4, 4, 4)] == [4, 4, 2, 0]
    path.acknowledged(isn, measured(), RTT, SECOND)
    path.acknowledged(isn, measured(), RTT, 2 * SECOND)
    assert path.lost(50, 100) == 10, "in the next round again"
