"""A process stands still: a long garbage collection, a suspended machine (row 26)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.events import Broken
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow

DELAY = 20 * MILLISECOND


@anyhow
@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_half_a_second_of_standing_still_costs_nothing_with_a_second_of_latency(
    birth: Birth, swapped: bool, who: str
) -> None:
    birth = replace(birth, config=Config(latency=1.0))
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped, joined=44)
    stream = Stream(world, world.a, 2000)
    world.run_for(700 * MILLISECOND)
    world.freeze(world.a if who == "sender" else world.b, 500 * MILLISECOND)
    world.run_until(stream.is_complete, 5 * SECOND)
    assert stream.arrived == list(range(2000))


@anyhow
@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_two_seconds_of_standing_still_are_survived(birth: Birth, swapped: bool, who: str) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped, joined=44)
    stream = Stream(world, world.a, 6000)
    world.run_for(SECOND)
    world.freeze(world.a if who == "sender" else world.b, 2 * SECOND)
    world.run_for(6 * SECOND)
    assert stream.arrived == sorted(set(stream.arrived))
    assert set(range(4500, 6000)) <= set(stream.arrived)
    assert not world.a.news
    assert not world.b.news


@anyhow
@pytest.mark.parametrize("pause", [10, 3600])
def test_standing_still_for_longer_than_the_peer_s_patience_breaks_cleanly(
    birth: Birth, swapped: bool, pause: int
) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped, joined=44)
    Stream(world, world.a, 1000)
    world.run_for(SECOND)
    world.freeze(world.b, pause * SECOND)
    world.run_until(lambda: world.a.heard(Broken), 20 * SECOND)
    world.run_for((pause + 10) * SECOND)
    assert world.b.end.is_closed
    assert world.a.end.is_closed


@anyhow
def test_both_machines_suspended_for_an_hour_break_or_go_on_and_never_hang(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped, joined=44)
    Stream(world, world.a, 500)
    world.run_for(200 * MILLISECOND)
    world.freeze(world.a, 3600 * SECOND)
    world.freeze(world.b, 3600 * SECOND)
    world.run_for(3620 * SECOND)
    assert world.a.end.is_closed == world.b.end.is_closed
