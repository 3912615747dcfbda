"""One side closes: what was sent is safe first, the other side hears of it, and it ends."""

from __future__ import annotations

from dataclasses import replace

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.core.events import Broken, Finished, PeerClosed
from srtpy.internal.core.liveness import SHUTDOWN_COPIES
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow, is_kind, message

DELAY = 20 * MILLISECOND


@anyhow
def test_closing_after_the_last_write_under_loss_delivers_everything_seed_6(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(latency=0.5))
    world = connected(birth, Link(DELAY, loss=0.1, seed=6), Link(DELAY, loss=0.1, seed=7), swapped=swapped)
    stream = Stream(world, world.a, 500)
    world.run_until(lambda: stream.is_written, SECOND)
    world.a.end.close(None, world.local_time(world.a))
    world.run_until(lambda: world.a.heard(Finished), 2 * SECOND)
    assert stream.arrived == list(range(500))
    world.run_until(lambda: world.b.heard(PeerClosed) or world.b.heard(Broken), 10 * SECOND)


@anyhow
def test_the_shutdown_leaves_when_the_last_message_has_been_played(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    world.a.end.write(message(0), world.local_time(world.a))
    world.a.end.close(None, world.local_time(world.a))
    world.run_until(lambda: world.b.heard(PeerClosed), 2 * SECOND)
    assert 120 * MILLISECOND <= world.now <= 250 * MILLISECOND
    assert world.b.payloads == [message(0)]
    assert world.a.end.next_deadline() == NEVER


@anyhow
def test_an_idle_connection_closes_at_once_and_says_so_then_and_never_again(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    world.run_for(500 * MILLISECOND)
    world.a.sent = []
    world.a.end.close(None, world.local_time(world.a))
    world.run_until(lambda: world.b.heard(PeerClosed), 100 * MILLISECOND)
    world.a.end.close(None, world.local_time(world.a))
    world.run_for(3 * SECOND)
    said = [datagram for _, datagram in world.a.sent]
    assert [is_kind(datagram, ControlType.SHUTDOWN) for datagram in said] == [True] * SHUTDOWN_COPIES
    assert world.a.news == [Finished()]
    assert world.b.news == [PeerClosed()]


@anyhow
def test_a_shutdown_that_is_lost_costs_the_peer_no_idle_timeout(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    world.run_for(500 * MILLISECOND)
    copies = iter(range(SHUTDOWN_COPIES))
    last = SHUTDOWN_COPIES - 1
    world.a.link.drop = lambda index, datagram: is_kind(datagram, ControlType.SHUTDOWN) and next(copies) < last
    world.a.end.close(None, world.local_time(world.a))
    world.run_until(lambda: world.b.heard(PeerClosed), 100 * MILLISECOND)


@anyhow
def test_without_linger_the_shutdown_leaves_at_once(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 100)
    world.run_until(lambda: stream.is_written, SECOND)
    at = world.now
    world.a.end.close(0, world.local_time(world.a))
    world.run_until(lambda: world.b.heard(PeerClosed), SECOND)
    assert world.now - at <= DELAY + 2 * MILLISECOND


@anyhow
def test_closing_with_nobody_there_takes_the_latency_and_a_second_at_most(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 100)
    world.run_until(lambda: stream.is_written, SECOND)
    world.a.link.black_outs.append((0, 1 << 62))
    world.b.link.black_outs.append((0, 1 << 62))
    world.a.end.write(message(0), world.local_time(world.a))
    at = world.now
    world.a.end.close(None, world.local_time(world.a))
    world.run_until(lambda: world.a.heard(Finished) or world.a.heard(Broken), 5 * SECOND)
    assert world.now - at <= 1120 * MILLISECOND + 20 * MILLISECOND


@anyhow
def test_both_close_at_the_same_time(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    world.run_for(300 * MILLISECOND)
    world.a.end.close(None, world.local_time(world.a))
    world.b.end.close(None, world.local_time(world.b))
    world.run_for(SECOND)
    assert world.a.end.is_closed
    assert world.b.end.is_closed
    assert world.a.heard(Finished)
    assert world.b.heard(Finished)
