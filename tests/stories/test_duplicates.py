"""The network delivers packets twice; the application gets them once."""

from __future__ import annotations

from typing import Any

import pytest

from srtpy.internal.clock.units import MILLISECOND, SECOND
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow, counters

DELAY = 20 * MILLISECOND


@anyhow
@pytest.mark.parametrize("joined", [1, 44])
def test_every_third_packet_arrives_twice_seed_3(birth: Birth, swapped: bool, joined: int) -> None:
    links = Link(DELAY, duplicate=0.3, seed=3), Link(DELAY, duplicate=0.3, seed=4)
    world = connected(birth, *links, swapped=swapped, joined=joined, read_interval=2000 if joined > 1 else 0)
    stream = Stream(world, world.a, 1000)
    world.run_until(stream.is_complete, 3 * SECOND)
    assert stream.arrived == list(range(1000))
    heard = counters(world.b)
    assert heard.recv_duplicates + heard.recv_belated >= 250
    assert heard.recv_loss == counters(world.a).retransmits == 0


@anyhow
def test_loss_reordering_and_duplicates_together_seed_30(birth: Birth, swapped: bool) -> None:
    weather: dict[str, Any] = {"loss": 0.02, "reorder": 0.05, "duplicate": 0.01}
    links = Link(DELAY, seed=30, **weather), Link(DELAY, seed=31, **weather)
    world = connected(birth, *links, swapped=swapped)
    stream = Stream(world, world.a, 2000)
    world.run_for(2_400_000)
    assert stream.arrived == sorted(set(stream.arrived))
    assert len(stream.arrived) >= 1998  # 120 ms is not enough for three losses of one packet


@anyhow
def test_an_old_copy_arrives_a_second_later(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    copies: list[bytes] = []
    world.a.sent = []
    stream = Stream(world, world.a, 100)
    world.run_until(stream.is_complete, 2 * SECOND)
    copies = [datagram for _, datagram in world.a.sent if not datagram[0] & 0x80]
    world.run_for(SECOND)
    for copy in copies:
        world.inject(world.b, copy)
    world.run_for(SECOND)
    assert stream.arrived == list(range(100))
    assert counters(world.b).recv_belated == 100
