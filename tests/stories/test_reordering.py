"""Packets overtake each other on the way; the application never notices."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow, counters

DELAY = 20 * MILLISECOND


@anyhow
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("joined", [1, 44])
def test_a_tenth_is_overtaken_and_arrives_in_order_by_seed(birth: Birth, swapped: bool, seed: int, joined: int) -> None:
    links = Link(DELAY, reorder=0.1, seed=seed), Link(DELAY, reorder=0.1, seed=seed + 50)
    world = connected(birth, *links, swapped=swapped, joined=joined, read_interval=2000 if joined > 1 else 0)
    stream = Stream(world, world.a, 1000)
    world.run_until(stream.is_complete, 3 * SECOND)
    assert stream.arrived == list(range(1000))
    assert counters(world.b).recv_dropped == 0
    assert counters(world.b).reorder_distance > 0


@anyhow
def test_reorder_tolerance_asks_for_almost_nothing_again_seed_7(birth: Birth, swapped: bool) -> None:
    def resends(tolerance: int) -> int:
        chosen = replace(birth, config=Config(loss_max_ttl=tolerance))
        world = connected(chosen, Link(DELAY, reorder=0.05, seed=7), Link(DELAY), swapped=swapped)
        stream = Stream(world, world.a, 2000)
        world.run_until(stream.is_complete, 4 * SECOND)
        assert stream.arrived == list(range(2000))
        return int(counters(world.a).retransmits)

    impatient, tolerant = resends(0), resends(40)
    assert impatient > 50
    assert tolerant < impatient / 2


@anyhow
def test_reordering_with_loss_and_tolerance_seed_8(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(latency=0.4, loss_max_ttl=20))
    world = connected(
        birth, Link(DELAY, reorder=0.05, loss=0.03, seed=8), Link(DELAY, loss=0.03, seed=9), swapped=swapped
    )
    stream = Stream(world, world.a, 1500)
    world.run_until(stream.is_complete, 4 * SECOND)
    assert stream.arrived == list(range(1500))
