"""The application does not read: the window closes, opens again, and nothing breaks."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.events import Broken, Noteworthy, PeerClosed
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow

DELAY = 5 * MILLISECOND


@anyhow
@pytest.mark.parametrize("sleep", [1, 3])
def test_patient_ends_lose_nothing_while_the_reader_sleeps(birth: Birth, swapped: bool, sleep: int) -> None:
    """Row 22: the window closes; the writer waits; memory stays bounded; reading opens the window again."""
    small = Config(tlpktdrop=False, snd_drop_delay=-1, recv_buf_size=300, send_buf_size=200, fc=300)
    world = connected(replace(birth, config=small), Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 3000)
    world.run_for(500 * MILLISECOND)
    world.b.reads = False
    world.run_for(sleep * SECOND)
    assert stream.refused > 0
    assert world.a.end.room() == 0
    assert world.a.end.sender.unacknowledged <= 200
    world.b.reads = True
    world.run_until(stream.is_complete, 8 * SECOND)
    assert stream.arrived == list(range(3000))
    assert not world.a.news
    assert not world.b.news


@anyhow
def test_the_window_s_reopening_is_lost_and_told_again_seed_5(birth: Birth, swapped: bool) -> None:
    small = Config(tlpktdrop=False, snd_drop_delay=-1, recv_buf_size=300, send_buf_size=200, fc=300)
    world = connected(replace(birth, config=small), Link(DELAY), Link(DELAY, loss=0.5, seed=5), swapped=swapped)
    stream = Stream(world, world.a, 2000)
    world.run_for(200 * MILLISECOND)
    world.b.reads = False
    world.run_for(SECOND)
    world.b.reads = True
    world.run_until(stream.is_complete, 10 * SECOND)
    assert stream.arrived == list(range(2000))


@anyhow
def test_a_live_reader_that_sleeps_gets_a_gap_and_then_the_present(birth: Birth, swapped: bool) -> None:
    small = Config(recv_buf_size=1500, send_buf_size=2000, fc=1500)
    world = connected(replace(birth, config=small), Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 6000, waits=False)
    world.run_for(SECOND)
    world.b.reads = False
    world.run_for(3 * SECOND)
    world.b.reads = True
    world.run_for(4 * SECOND)
    arrived = stream.arrived
    assert arrived == sorted(set(arrived))
    assert set(range(5200, 6000)) <= set(arrived)
    assert len(arrived) < 6000
    late = [delay for delay, number in zip(stream.delays(), arrived, strict=True) if number >= 5200]
    assert max(late) <= 140 * MILLISECOND
    assert not world.a.news
    (told,) = world.b.news
    assert isinstance(told, Noteworthy)
    assert "wait to be read" in told.text


@anyhow
def test_a_writer_faster_than_the_link_is_held_back(birth: Birth, swapped: bool) -> None:
    """Back-pressure instead of memory: `room` runs out, the buffer stays within its limit."""
    slow = Config(tlpktdrop=False, snd_drop_delay=-1, send_buf_size=100)
    link = Link(DELAY, bandwidth=50_000)  # about 700 of our packets a second
    world = connected(replace(birth, config=slow), link, Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 1000)
    held = []
    world.every(10 * MILLISECOND, lambda: held.append(world.a.end.sender.unacknowledged))
    world.run_until(stream.is_complete, 20 * SECOND)
    assert stream.arrived == list(range(1000))
    assert stream.refused > 0
    assert max(held) <= 100


@anyhow
def test_a_live_reader_that_sleeps_away_more_than_its_buffer_is_told_so(birth: Birth, swapped: bool) -> None:
    """As with libsrt: what comes next lies beyond the buffer, and the connection says why it ends."""
    small = Config(recv_buf_size=300, send_buf_size=2000, fc=300)
    world = connected(replace(birth, config=small), Link(DELAY), Link(DELAY), swapped=swapped)
    Stream(world, world.a, 6000, waits=False)
    world.run_for(SECOND)
    world.b.reads = False
    world.run_for(3 * SECOND)
    world.b.reads = True
    world.run_until(lambda: world.b.heard(Broken), 2 * SECOND)
    [news] = [event for event in world.b.news if isinstance(event, Broken)]
    assert "receive buffer's" in news.text
    # and the peer hears of it, instead of talking to nobody until its patience ends
    world.run_until(lambda: world.a.heard(PeerClosed), SECOND)
