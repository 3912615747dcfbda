"""Counters begin again: 31-bit sequence numbers, 26-bit message numbers, 32-bit timestamps."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND, WIRE_TIME_MASK
from tests.sim.clock import Clock
from tests.sim.link import Link
from tests.sim.pair import LAST_MESSAGES, NEAR_THE_WRAP, Birth, connected
from tests.sim.telling import Stream, both_roles, counters, data_packets

DELAY = 20 * MILLISECOND
CIRCLE = WIRE_TIME_MASK + 1


@both_roles
@pytest.mark.parametrize("before", range(0, 130, 13))
@pytest.mark.parametrize("joined", [1, 44])
def test_sequence_numbers_begin_again_after_n_packets_seed_n(swapped: bool, before: int, joined: int) -> None:
    birth = Birth(isn=0x80000000 - before & 0x7FFFFFFF)
    links = Link(DELAY, loss=0.05, seed=before + 1), Link(DELAY, loss=0.05, seed=before + 2)
    birth = replace(birth, config=Config(latency=0.4))
    world = connected(birth, *links, swapped=swapped, joined=joined, read_interval=2000 if joined > 1 else 0)
    stream = Stream(world, world.a, 300)
    world.run_until(stream.is_complete, 2 * SECOND)
    assert stream.arrived == list(range(300))


@both_roles
def test_a_gap_across_the_wrap_is_asked_for_and_filled(swapped: bool) -> None:
    lost = range(10, 40)  # the circle closes after sixteen
    birth = Birth(isn=NEAR_THE_WRAP)
    world = connected(birth, Link(DELAY, drop=data_packets(*lost)), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 100)
    world.run_until(stream.is_complete, SECOND)
    assert stream.arrived == list(range(100))
    assert counters(world.a).retransmits == counters(world.b).recv_loss == 30


@both_roles
@pytest.mark.parametrize("joined", [1, 44])
def test_message_numbers_begin_again_at_one(swapped: bool, joined: int) -> None:
    birth = Birth(last_message=LAST_MESSAGES)
    world = connected(birth, Link(DELAY, loss=0.05, seed=1), Link(DELAY), swapped=swapped, joined=joined)
    stream = Stream(world, world.a, 100)
    world.run_until(stream.is_complete, SECOND)
    assert stream.arrived == list(range(100))
    told = [row[2] & 0x3FFFFFF for row, _ in world.b.delivered]
    assert told == [*range(LAST_MESSAGES + 1, 1 << 26), *range(1, 82)]


@both_roles
@pytest.mark.parametrize("drift", [0, 80, -80])
def test_timestamps_begin_again_and_nothing_is_played_early_or_late_seed_3(swapped: bool, drift: int) -> None:
    birth = Birth(age=CIRCLE - 2 * SECOND, peer_age=CIRCLE - 3 * SECOND, peer_clock=Clock(777, drift))
    birth = replace(birth, config=Config(latency=0.3))
    world = connected(birth, Link(DELAY, loss=0.05, seed=3), Link(DELAY, loss=0.05, seed=4), swapped=swapped)
    stream = Stream(world, world.a, 1500, period=4 * MILLISECOND)
    world.run_until(stream.is_complete, 8 * SECOND)
    assert stream.arrived == list(range(1500))
    assert min(stream.delays()) >= 319 * MILLISECOND
    assert max(stream.delays()) <= 325 * MILLISECOND


@both_roles
def test_three_hours_of_a_slow_stream_cross_two_timestamp_wraps(swapped: bool) -> None:
    world = connected(Birth(), Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 1080, period=10 * SECOND)
    world.run_until(stream.is_complete, 4 * 3600 * SECOND)
    assert stream.arrived == list(range(1080))
    assert min(stream.delays()) >= 139 * MILLISECOND
    assert max(stream.delays()) <= 145 * MILLISECOND


@both_roles
def test_silence_across_a_timestamp_wrap(swapped: bool) -> None:
    """Nothing but keepalives for longer than half the circle, then a stream."""
    world = connected(Birth(), Link(DELAY), Link(DELAY), swapped=swapped)
    world.run_for(50 * 60 * SECOND)
    stream = Stream(world, world.a, 50)
    world.run_until(stream.is_complete, SECOND)
    world.run_for(50 * 60 * SECOND)
    again = Stream(world, world.a, 50)
    world.run_until(lambda: len(world.b.delivered) == 100, SECOND)
    assert stream.arrived == [*range(50), *range(50)]
    late = [when - again.written[number] for number, (_, when) in enumerate(world.b.delivered[50:])]
    assert max(late) <= 145 * MILLISECOND
