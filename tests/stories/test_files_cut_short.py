"""A file's connection ends before all has arrived: the reader hears of it and does not take a part for the whole."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from srtpy.config import Config
from srtpy.fields import TransType
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.events import Broken, Finished, PeerClosed
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import ON_THE_EDGE, Birth, connected
from tests.sim.telling import anyhow, data_packets, is_kind
from tests.sim.world import World

DELAY = 20 * MILLISECOND
FIRST_WINDOW = 16 * 1456
"""Bytes that leave at once."""
STREAM = Config(trans_type=TransType.FILE)
MESSAGES = Config(trans_type=TransType.FILE, message_api=True)
BOTH = pytest.mark.parametrize("config", [STREAM, MESSAGES], ids=["stream", "messages"])


def write(world: World, data: bytes) -> None:
    end, now = world.a.end, world.local_time(world.a)
    if end.negotiated.message_api:
        for start in range(0, len(data), 14_560):
            end.write(data[start : start + 14_560], now)
    else:
        assert end.write_stream(data, 0, len(data), now) == len(data)


def close(world: World, linger: int = 0) -> None:
    world.a.end.close(linger, world.local_time(world.a))


def ended(world: World) -> bool:
    return world.b.heard(PeerClosed) or world.b.heard(Broken)


def is_told(world: World) -> bool:
    """Say whether the reader heard, and heard rightly, that something is missing."""
    return world.b.heard(Broken) and not world.b.heard(PeerClosed)


@anyhow
@BOTH
def test_a_hole_in_what_came_is_no_end(birth: Birth, swapped: bool, config: Config) -> None:
    lossy = Link(DELAY, drop=data_packets(12))
    world = connected(replace(birth, config=config), lossy, Link(DELAY), swapped=swapped)
    data = Random(1).randbytes(43_680)
    world.at(0, lambda: write(world, data))
    world.at(25 * MILLISECOND, lambda: close(world))
    world.run_until(lambda: ended(world), SECOND)
    assert is_told(world)
    assert 0 < sum(map(len, world.b.payloads)) < len(data)


@anyhow
@BOTH
def test_a_lost_tail_is_no_end(birth: Birth, swapped: bool, config: Config) -> None:
    lossy = Link(DELAY, drop=data_packets(*range(10, 16)))
    world = connected(replace(birth, config=config), lossy, Link(DELAY), swapped=swapped)
    world.at(0, lambda: write(world, bytes(FIRST_WINDOW)))
    world.at(25 * MILLISECOND, lambda: close(world))
    world.run_until(lambda: ended(world), SECOND)
    assert is_told(world)


@anyhow
@BOTH
def test_if_only_the_last_packet_was_lost_all_is_well(birth: Birth, swapped: bool, config: Config) -> None:
    lossy = Link(DELAY, drop=data_packets(15))
    world = connected(replace(birth, config=config), lossy, Link(DELAY), swapped=swapped)
    data = Random(2).randbytes(FIRST_WINDOW)
    world.at(0, lambda: write(world, data))
    world.at(25 * MILLISECOND, lambda: close(world))
    world.run_until(lambda: ended(world), SECOND)
    assert world.b.news == [PeerClosed()]
    assert b"".join(world.b.payloads) == data


@anyhow
@BOTH
def test_what_never_left_for_a_reader_that_was_too_slow_is_missed(birth: Birth, swapped: bool, config: Config) -> None:
    """All that was sent has arrived, and the linger is over."""
    config = config.replace(recv_buf_size=64)
    world = connected(replace(birth, config=config), Link(DELAY), Link(DELAY), swapped=swapped, joined=16)
    world.b.reads = False
    world.at(0, lambda: write(world, bytes(436_800)))
    world.run_for(2 * SECOND)
    assert world.a.end.sender.flow_window == 0
    close(world, 3 * SECOND)
    world.run_until(lambda: world.a.heard(Finished), 4 * SECOND)
    world.run_until(lambda: ended(world), SECOND)
    assert is_told(world)
    (news,) = world.b.news
    assert isinstance(news, Broken)
    assert "before all it had written had arrived" in news.text


@anyhow
@BOTH
def test_whoever_gives_up_on_a_silent_reader_does_not_tell_it_that_this_was_all(
    birth: Birth, swapped: bool, config: Config
) -> None:
    """The way back is dead, so the sender hears nothing, and says so in the end."""
    deaf: list[bool] = []
    dead = Link(DELAY, drop=lambda index, datagram: bool(deaf))
    lossy = Link(DELAY, drop=lambda index, datagram: bool(deaf) and not is_kind(datagram, ControlType.SHUTDOWN))
    world = connected(replace(birth, config=config), lossy, dead, swapped=swapped)
    world.run_for(100 * MILLISECOND)
    deaf.append(True)
    world.at(world.now, lambda: write(world, bytes(436_800)))
    world.run_for(4 * SECOND)
    world.a.link.drop = None
    world.run_until(lambda: world.a.heard(Broken), 10 * SECOND)
    world.run_until(lambda: ended(world), 10 * SECOND)
    assert is_told(world)


@pytest.mark.parametrize("seed", [1, 2, 3])
@BOTH
def test_who_waits_long_enough_loses_nothing_and_both_hear_of_the_end_by_seed(config: Config, seed: int) -> None:
    forth, back = Link(DELAY, loss=0.05, reorder=0.05, seed=seed), Link(DELAY, loss=0.05, seed=seed + 10)
    world = connected(replace(ON_THE_EDGE, config=config), forth, back, joined=16)
    data = Random(seed).randbytes(436_800)
    world.at(0, lambda: write(world, data))
    world.at(1000, lambda: close(world, 180 * SECOND))
    world.run_until(lambda: world.a.heard(Finished), 30 * SECOND)
    world.run_until(lambda: ended(world), 10 * SECOND)
    assert world.b.news == [PeerClosed()]
    assert b"".join(world.b.payloads) == data
