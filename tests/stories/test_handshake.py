"""Two ends shake hands over links that lose, double, reorder and damage what they say."""

from __future__ import annotations

from random import Random

import pytest

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.handshake.caller import Caller
from srtpy.internal.handshake.negotiation import Negotiated, Opened, Refused
from tests.internal.handshake.doorman import CALLER_ID, Doorman
from tests.sim.clock import Clock
from tests.sim.link import Link
from tests.sim.world import World

CALLER_CLOCK, LISTENER_CLOCK = Clock(offset=17 * SECOND), Clock(offset=900_000 * SECOND, drift_ppm=50)


def meet(forth: Link, back: Link, caller: Config | None = None, doorman: Doorman | None = None, isn: int = 5) -> World:
    """Return a world in which a caller is about to call."""
    start = CALLER_CLOCK.local(0)
    calling = Caller(caller or Config(conn_timeout=60.0), CALLER_ID, isn, bytes([127, 0, 0, 1]), start, start)
    door = doorman or Doorman(start=LISTENER_CLOCK.local(0))
    return World(calling, door, forth, back, a_clock=CALLER_CLOCK, b_clock=LISTENER_CLOCK)


def outcome(world: World) -> tuple[Negotiated, Negotiated]:
    """Run until the caller knows; return what both ends think they agreed on."""
    world.run_until(lambda: bool(world.a.news), 61 * SECOND)
    (event,) = world.a.news
    assert isinstance(event, Opened), event
    (there,) = world.b.end.accepted
    return event.negotiated, there


def check(here: Negotiated, there: Negotiated) -> None:
    """Check that both ends mean the same connection."""
    assert (here.socket_id, here.peer_socket_id) == (there.peer_socket_id, there.socket_id)
    assert (here.send_isn, here.recv_isn) == (there.recv_isn, there.send_isn)
    assert (here.mss, here.stream_id) == (there.mss, there.stream_id)
    assert (here.recv_latency, here.peer_latency) == (there.peer_latency, there.recv_latency)
    assert (here.initiator, there.initiator) == (True, False)


@pytest.mark.parametrize("isn", [0, 0x7FFFFFF0, 0x7FFFFFFE])
def test_on_a_good_link_it_takes_two_round_trips(isn: int) -> None:
    world = meet(Link(10 * MILLISECOND), Link(10 * MILLISECOND), Config(stream_id="live/a", latency=0.5), isn=isn)
    check(*outcome(world))
    assert 40 * MILLISECOND <= world.now <= 41 * MILLISECOND


@pytest.mark.parametrize("seed", range(30))
def test_seventy_percent_loss_both_ways(seed: int) -> None:
    world = meet(Link(loss=0.7, seed=seed), Link(loss=0.7, seed=seed + 1000), isn=0x7FFFFFF0)
    check(*outcome(world))
    assert len(world.b.end.requests) == 1


@pytest.mark.parametrize("seed", range(10))
def test_doubles_and_reordering(seed: int) -> None:
    def link(own_seed: int) -> Link:
        return Link(loss=0.3, duplicate=0.5, reorder=0.5, reorder_by=400 * MILLISECOND, seed=own_seed)

    world = meet(link(seed), link(seed + 1000))
    check(*outcome(world))


@pytest.mark.parametrize("lost", [1, 2, 3, 5])
def test_lost_responses_do_not_move_the_listeners_clock(lost: int) -> None:
    """A repeated response carries the time of its sending: the caller's idea of the listener's clock stays right."""
    world = meet(Link(10 * MILLISECOND), Link(10 * MILLISECOND, drop_indexes=range(1, 1 + lost)))
    here, there = outcome(world)
    check(here, there)
    zero_here = here.peer_start - CALLER_CLOCK.local(0)
    zero_there = LISTENER_CLOCK.world(there.start)
    assert abs(zero_here - zero_there - 10 * MILLISECOND) <= 1 * MILLISECOND  # half a round trip, as always


def test_a_listener_that_restarts_between_greeting_and_agreement() -> None:
    old = Doorman(start=LISTENER_CLOCK.local(0), secret=b"before the restart")
    world = meet(Link(10 * MILLISECOND), Link(10 * MILLISECOND), doorman=old)
    new = Doorman(start=LISTENER_CLOCK.local(25 * MILLISECOND), secret=b"after the restart")
    world.at(25 * MILLISECOND, lambda: setattr(world.b, "end", new))
    check(*outcome(world))
    assert old.requests == []
    assert SECOND < world.now < 2 * SECOND


@pytest.mark.parametrize("seed", range(10))
def test_a_refusal_arrives_through_loss(seed: int) -> None:
    door = Doorman(start=LISTENER_CLOCK.local(0))
    door.verdict = lambda _request: RejectReason.X_FORBIDDEN
    world = meet(Link(loss=0.6, seed=seed), Link(loss=0.6, seed=seed + 1000), doorman=door)
    world.run_until(lambda: bool(world.a.news), 61 * SECOND)
    (event,) = world.a.news
    assert isinstance(event, Refused)
    assert event.reason == RejectReason.X_FORBIDDEN
    assert len(door.requests) == 1


def test_nobody_there() -> None:
    world = meet(Link(loss=1.0), Link(), Config(conn_timeout=3.0))
    world.run_until(lambda: bool(world.a.news), 4 * SECOND)
    (event,) = world.a.news
    assert isinstance(event, Refused)
    assert (event.reason, world.now) == (RejectReason.TIMEOUT, 3 * SECOND)
    assert world.a.wakes == 12  # each 250 ms


@pytest.mark.parametrize("seed", range(40))
def test_damaged_packets_raise_nowhere(seed: int) -> None:
    """Nine of ten packets change bits on the way; whatever comes of it, nothing raises and nothing spins."""
    chance = Random(seed)

    def tamper(_index: int, datagram: bytes) -> bytes:
        if chance.random() < 0.1:
            return datagram
        damaged = bytearray(datagram)
        for _ in range(chance.randrange(1, 3)):
            damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
        return bytes(damaged[: chance.randrange(16, len(damaged) + 1)] if chance.random() < 0.1 else damaged)

    world = meet(Link(tamper=tamper), Link(tamper=tamper), Config(conn_timeout=5.0))
    world.run_until(lambda: bool(world.a.news), 6 * SECOND)
    assert len(world.a.news) == 1


def test_the_world_knows_what_time_it_is() -> None:
    start: Micros = CALLER_CLOCK.local(0)
    assert CALLER_CLOCK.world(start) == 0
