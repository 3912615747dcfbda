"""Two ends find each other by the real handshake, on paths that lose its packets, and stream."""

from __future__ import annotations

import pytest

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.handshake.negotiation import Opened, Refused
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import NEAR_THE_WRAP, meeting
from tests.sim.telling import is_kind, message, numbers
from tests.sim.world import World

DELAY = 20 * MILLISECOND


def connect(world: World) -> None:
    world.run_until(lambda: world.a.heard(Opened) or world.a.heard(Refused), 5 * SECOND)


def talk(world: World, total: int = 200) -> None:
    """Send both ways and check that all arrives."""
    for side in (world.a, world.b):
        for number in range(total):
            at = world.now + number * MILLISECOND
            world.at(at, lambda side=side, number=number: side.end.write(message(number), world.local_time(side)))  # type: ignore[misc]
    world.run_until(lambda: all(len(side.delivered) == total for side in (world.a, world.b)), 3 * SECOND)
    assert numbers(world.a) == numbers(world.b) == list(range(total))


@pytest.mark.parametrize("isn", [0, 1000, NEAR_THE_WRAP, 0x7FFFFFFE])
def test_two_round_trips_on_a_clean_path(isn: int) -> None:
    world = meeting(Config(latency=0.2), forth=Link(DELAY), back=Link(DELAY), isn=isn)
    connect(world)
    assert world.now == 4 * DELAY
    mine, theirs = world.a.end.connection.negotiated, world.b.end.connection.negotiated
    assert mine.send_isn == theirs.recv_isn == mine.recv_isn == isn
    assert mine.recv_latency == mine.peer_latency == theirs.recv_latency == theirs.peer_latency == 200 * MILLISECOND
    talk(world)


@pytest.mark.parametrize("seed", range(12))
def test_a_third_of_everything_is_lost_while_meeting_by_seed(seed: int) -> None:
    links = Link(DELAY, loss=0.33, seed=seed), Link(DELAY, loss=0.33, seed=seed + 1000)
    world = meeting(Config(latency=1.0, conn_timeout=10.0), forth=links[0], back=links[1])
    world.run_until(lambda: world.a.heard(Opened), 10 * SECOND)
    links[0].loss = links[1].loss = 0.05
    talk(world)
    assert len(world.b.end.requests) == 1


def test_the_response_is_lost_and_the_listener_s_data_brings_it_back() -> None:
    """The listener streams at once; the caller answers early data by asking again, and loses none of it."""
    responses = iter(range(1 << 20))

    def the_response(index: int, datagram: bytes) -> bool:
        return is_kind(datagram, ControlType.HANDSHAKE) and next(responses) == 1

    world = meeting(Config(latency=0.3), forth=Link(DELAY), back=Link(DELAY, drop=the_response))
    world.run_until(lambda: world.b.end.connection is not None, SECOND)
    for number in range(300):
        at = world.now + number * MILLISECOND
        world.at(at, lambda number=number: world.b.end.write(message(number), world.local_time(world.b)))  # type: ignore[misc]
    connect(world)
    assert world.now < 300 * MILLISECOND
    world.run_until(lambda: len(world.a.delivered) == 300, 2 * SECOND)
    assert numbers(world.a) == list(range(300))


def test_a_late_copy_of_the_conclusion_is_answered_again_and_changes_nothing() -> None:
    """Row 4."""
    world = meeting(Config(), forth=Link(DELAY), back=Link(DELAY))
    world.a.sent, world.b.sent = [], []
    connect(world)
    conclusion = [datagram for _, datagram in world.a.sent if is_kind(datagram, ControlType.HANDSHAKE)][-1]
    connection = world.b.end.connection
    talk(world, 50)
    before = sum(is_kind(datagram, ControlType.HANDSHAKE) for _, datagram in world.b.sent)
    for _ in range(5):
        world.inject(world.b, conclusion)
    world.run_for(100 * MILLISECOND)
    assert sum(is_kind(datagram, ControlType.HANDSHAKE) for _, datagram in world.b.sent) == before + 5
    assert world.b.end.connection is connection
    assert len(world.b.end.requests) == 1
    world.a.delivered.clear()
    world.b.delivered.clear()
    talk(world, 50)


@pytest.mark.parametrize("reason", [RejectReason.X_FORBIDDEN, RejectReason.PEER, 2007])
def test_the_application_says_no_and_the_caller_hears_why(reason: int) -> None:
    world = meeting(Config(), forth=Link(DELAY), back=Link(DELAY), judge=lambda request: int(reason))
    connect(world)
    [news] = [event for event in world.a.news if isinstance(event, Refused)]
    assert news.reason == reason
    assert not world.a.heard(Opened)


def test_nobody_answers() -> None:
    world = meeting(Config(conn_timeout=2.0), forth=Link(DELAY, loss=1.0), back=Link(DELAY))
    connect(world)
    assert world.a.heard(Refused)
    assert 2 * SECOND <= world.now <= 2 * SECOND + 1000


def test_latencies_are_the_larger_of_each_direction_s_wishes() -> None:
    world = meeting(
        Config(recv_latency=0.1, peer_latency=0.4),
        Config(recv_latency=0.3, peer_latency=0.05),
        Link(DELAY),
        Link(DELAY),
    )
    connect(world)
    caller, listener = world.a.end.connection.negotiated, world.b.end.connection.negotiated
    assert caller.recv_latency == listener.peer_latency == 100 * MILLISECOND
    assert caller.peer_latency == listener.recv_latency == 400 * MILLISECOND
