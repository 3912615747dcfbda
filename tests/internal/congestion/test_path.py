from __future__ import annotations

import pytest

from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.congestion.path import (
    DOUBTFUL,
    FIRST_CONTEST,
    LEAST_QUEUE,
    LONGEST_CONTEST,
    STUBBORN,
    Path,
)
from srtpy.internal.seq.number import SEQ_MASK

RTT = 40 * MILLISECOND
FULL = 2 * RTT
STARTS = [0, 0x7FFFFFF0]


class Trip:
    """A path, and rounds of 100 packets on it."""

    def __init__(self, isn: int = 0) -> None:
        self.path = Path(isn)
        self.now: Micros = SECOND
        self.seq = isn
        self.path.acknowledged(isn, RTT, self.now)

    def round(self, rtt: Micros = RTT, losses: int = 0, packets: int = 100) -> None:
        self.path.sent += packets
        self.path.lost(losses)
        self.seq = (self.seq + packets) & SEQ_MASK
        self.now += 2 * rtt + 10 * MILLISECOND
        assert self.path.acknowledged(self.seq, rtt, self.now)

    def rounds(self, count: int, rtt: Micros, losses: int = 0) -> None:
        for _ in range(count):
            self.round(rtt, losses)

    def contested(self) -> None:
        """Find that the path is shared."""
        self.rounds(STUBBORN + 2, FULL)
        assert self.path.is_shared


@pytest.mark.parametrize("isn", STARTS)
def test_the_rate_is_what_left_or_what_arrived(isn: int) -> None:
    trip = Trip(isn)
    trip.round()
    assert trip.path.rate == 100 * SECOND // (2 * RTT + 10 * MILLISECOND)
    trip.path.sent = 300
    trip.round()
    assert trip.path.rate == 400 * SECOND // (2 * RTT + 10 * MILLISECOND)


def test_a_round_takes_two_round_trips_and_an_interval() -> None:
    path = Path(0)
    path.acknowledged(0, RTT, SECOND)
    assert not path.acknowledged(1, RTT, SECOND + 2 * RTT + 10 * MILLISECOND - 1)
    assert path.acknowledged(1, RTT, SECOND + 2 * RTT + 10 * MILLISECOND)


@pytest.mark.parametrize(("rtt", "chance"), [(RTT, LEAST_QUEUE), (8 * RTT, RTT)])
def test_a_little_longer_is_no_queue(rtt: Micros, chance: Micros) -> None:
    path = Path(0)
    path.acknowledged(0, rtt, SECOND)
    path.acknowledged(0, rtt + chance, SECOND)
    assert path.is_clear
    path.acknowledged(0, rtt + chance + 1, SECOND)
    assert not path.is_clear
    assert path.queue == chance + 1


def test_a_queue_that_always_stands_is_that_of_others() -> None:
    trip = Trip()
    trip.rounds(STUBBORN, FULL)
    assert not trip.path.is_shared
    trip.rounds(2, FULL)
    assert trip.path.is_shared
    trip.round(RTT)
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
    trip.round(RTT, losses=5)
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
    lengths = []
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
    path.lost(3)
    assert path.is_losing()
    assert not path.is_losing(3), "unless so few may be"
    path.sent = 60
    assert not path.is_losing()
    path.lost(1)
    assert path.is_losing()
