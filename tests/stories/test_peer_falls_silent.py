"""The peer is gone without a word: its process died, its cable was cut."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.core.events import Broken
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow

DELAY = 20 * MILLISECOND


@anyhow
@pytest.mark.parametrize("limit", [2.0, 5.0])
def test_broken_after_the_idle_limit_and_not_before(birth: Birth, swapped: bool, limit: float) -> None:
    birth = replace(birth, config=Config(peer_idle_timeout=limit))
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    Stream(world, world.a, 500)
    world.run_for(SECOND)
    world.b.link.black_outs.append((0, 1 << 62))
    fell_silent = world.now
    world.run_until(lambda: world.a.heard(Broken), 20 * SECOND)
    silence = (world.now - fell_silent) / SECOND
    assert limit - 1.1 <= silence <= limit + 0.1
    news = [event for event in world.a.news if isinstance(event, Broken)]
    assert len(news) == 1
    assert "silent" in news[0].text
    assert world.a.end.next_deadline() == NEVER


@anyhow
def test_an_idle_pair_keeps_each_other_alive_for_an_hour_on_a_few_wakes(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    world.run_for(3600 * SECOND)
    assert not world.a.news
    assert not world.b.news
    # a keepalive a second each, and hardly another reason to wake
    assert world.a.wakes <= 3700
    assert world.b.wakes <= 3700
    stream = Stream(world, world.a, 100)
    world.run_until(stream.is_complete, SECOND)
    assert stream.arrived == list(range(100))


@anyhow
def test_keepalives_get_through_heavy_loss_for_a_minute_seed_2(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY, loss=0.2, seed=2), Link(DELAY, loss=0.2, seed=3), swapped=swapped)
    world.run_for(60 * SECOND)
    assert not world.a.news
    assert not world.b.news


@anyhow
def test_a_publisher_that_sends_nothing_is_cut_off_when_wanted(birth: Birth, swapped: bool) -> None:
    """Row 23: it connects, keeps itself alive, and never sends."""
    birth = replace(birth, peer_config=Config(data_idle_timeout=3.0), config=Config())
    if swapped:
        birth = replace(birth, config=Config(data_idle_timeout=3.0), peer_config=Config())
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 1000)
    world.run_until(stream.is_complete, 2 * SECOND)
    last = world.now
    world.run_until(lambda: world.b.heard(Broken), 5 * SECOND)
    assert 2 * SECOND <= world.now - last <= 3 * SECOND + 200 * MILLISECOND
