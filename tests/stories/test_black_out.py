"""The path goes dark for a while; what the latency allows is repaired, the rest is given up, life goes on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.core.events import Broken
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow, counters

DELAY = 20 * MILLISECOND


@anyhow
def test_three_hundred_dark_milliseconds_fit_into_a_second_of_latency(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(latency=1.0))
    dark = [(500 * MILLISECOND, 800 * MILLISECOND)]
    world = connected(birth, Link(DELAY, black_outs=dark), Link(DELAY, black_outs=dark), swapped=swapped)
    stream = Stream(world, world.a, 1500)
    world.run_until(stream.is_complete, 4 * SECOND)
    assert stream.arrived == list(range(1500))
    assert max(stream.delays()) <= SECOND + DELAY + 5000
    assert counters(world.a).retransmits <= 300 * 2


@anyhow
def test_three_dark_seconds_lose_what_is_too_late_and_nothing_else(birth: Birth, swapped: bool) -> None:
    dark = [(SECOND, 4 * SECOND)]
    world = connected(birth, Link(DELAY, black_outs=dark), Link(DELAY, black_outs=dark), swapped=swapped)
    stream = Stream(world, world.a, 7000)
    world.run_for(8 * SECOND)
    arrived = stream.arrived
    assert arrived == sorted(set(arrived))
    # everything before the dark, and everything from shortly after it on
    assert arrived[:1000] == list(range(1000))
    assert set(range(4200, 7000)) <= set(arrived)
    heard, said = counters(world.b), counters(world.a)
    assert heard.recv_unique_packets + heard.recv_dropped == 7000
    assert heard.recv_unique_packets == len(arrived)
    assert said.sent_dropped >= 1500
    # the sender gives up after a second; what it still has when the light returns is played at once
    assert max(stream.delays()) <= 1020 * MILLISECOND + 2 * DELAY
    assert max(stream.delays()[-2500:]) <= 145 * MILLISECOND
    assert not world.a.news
    assert not world.b.news


@pytest.mark.parametrize("only", ["there", "back"])
@anyhow
def test_one_direction_dark_for_two_seconds(birth: Birth, swapped: bool, only: str) -> None:
    dark = [(SECOND, 3 * SECOND)]
    forth = Link(DELAY, black_outs=dark if only == "there" else [])
    back = Link(DELAY, black_outs=dark if only == "back" else [])
    world = connected(birth, forth, back, swapped=swapped)
    stream = Stream(world, world.a, 5000)
    world.run_for(6 * SECOND)
    assert stream.arrived == sorted(set(stream.arrived))
    assert set(range(1000)) | set(range(3300, 5000)) <= set(stream.arrived)
    if only == "back":  # data went through all the time, only nobody could say so
        assert stream.arrived == list(range(5000))


@anyhow
def test_dark_for_longer_than_the_idle_limit_breaks_both_ends(birth: Birth, swapped: bool) -> None:
    world = connected(
        birth,
        Link(DELAY, black_outs=[(SECOND, 60 * SECOND)]),
        Link(DELAY, black_outs=[(SECOND, 60 * SECOND)]),
        swapped=swapped,
    )
    Stream(world, world.a, 2000)
    world.run_until(lambda: world.a.heard(Broken) and world.b.heard(Broken), 10 * SECOND)
    assert 5 * SECOND <= world.now - SECOND <= 5 * SECOND + 2 * SECOND
    assert world.a.end.is_closed
    assert world.b.end.is_closed
    assert world.a.end.next_deadline() == world.b.end.next_deadline() == NEVER
    world.a.sent, world.b.sent = [], []
    world.run_for(5 * SECOND)
    assert not world.a.sent
    assert not world.b.sent
