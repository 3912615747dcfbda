"""Some packets cannot be had in time: the receiver skips them, the sender stops trying."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow, counters, is_data, is_kind, message

DELAY = 20 * MILLISECOND


def hopeless(*lost: int) -> Link:
    """Return a link on which these messages never arrive, however often they are sent."""
    bodies = {message(number) for number in lost}
    return Link(DELAY, drop=lambda index, datagram: is_data(datagram) and datagram[16:] in bodies)


@anyhow
def test_a_hole_is_skipped_when_its_follower_is_due(birth: Birth, swapped: bool) -> None:
    world = connected(birth, hopeless(100, 101, 102, 150), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 300)
    world.run_for(2 * SECOND)
    assert stream.arrived == [number for number in range(300) if number not in (100, 101, 102, 150)]
    heard = counters(world.b)
    assert (heard.recv_loss, heard.recv_dropped) == (4, 4)
    # nobody waits longer than the latency for the missing
    assert max(stream.delays()) <= 120 * MILLISECOND + DELAY + 5 * MILLISECOND
    # the receiver has moved on and asks no more, the sender has nothing left
    assert world.a.end.sender.unacknowledged == 0
    before = heard.sent_naks
    world.run_for(SECOND)
    assert heard.sent_naks == before


@anyhow
def test_without_too_late_drop_the_stream_waits_until_the_hole_is_filled(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(tlpktdrop=False, snd_drop_delay=-1))
    stubborn = hopeless(100)
    world = connected(birth, stubborn, Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 1000)
    world.run_for(900 * MILLISECOND)
    assert stream.arrived == list(range(100))
    stubborn.drop = None
    world.run_until(stream.is_complete, 2 * SECOND)
    assert stream.arrived == list(range(1000))
    assert counters(world.b).recv_dropped == counters(world.a).sent_dropped == 0


@anyhow
@pytest.mark.parametrize("extra", [0.0, 1.5])
def test_the_sender_gives_up_after_the_latency_and_the_extra(birth: Birth, swapped: bool, extra: float) -> None:
    birth = replace(birth, config=Config(snd_drop_delay=extra))
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 4000)
    world.run_for(SECOND)
    world.a.link.black_outs.append((world.now, world.now + 60 * SECOND))
    dark_from = world.now
    limit = max(120 * MILLISECOND + round(extra * SECOND), SECOND) + 20 * MILLISECOND
    world.run_until(lambda: counters(world.a).sent_dropped > 0, 4 * SECOND)
    assert limit - 60 * MILLISECOND <= world.now - dark_from <= limit + 60 * MILLISECOND
    world.run_for(500 * MILLISECOND)
    assert world.a.end.sender.oldest_age(world.local_time(world.a)) <= limit + 60 * MILLISECOND
    assert stream.refused == 0


@anyhow
def test_a_negative_drop_delay_never_gives_up(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(snd_drop_delay=-1))
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    Stream(world, world.a, 3000)
    world.a.link.black_outs.append((SECOND, 60 * SECOND))
    world.run_for(4 * SECOND)
    assert counters(world.a).sent_dropped == 0
    assert world.a.end.sender.unacknowledged >= 1900


@anyhow
def test_a_report_for_what_was_dropped_draws_one_drop_request_not_hundreds(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    dark = (SECOND, SECOND + 2500 * MILLISECOND)
    world.a.link.black_outs.append(dark)
    world.a.sent = []
    stream = Stream(world, world.a, 5000)
    world.run_for(6 * SECOND)
    requests = [datagram for _, datagram in world.a.sent if is_kind(datagram, ControlType.DROPREQ)]
    dropped = counters(world.a).sent_dropped
    assert dropped >= 1000
    assert len(requests) <= 60, f"{len(requests)} drop requests for {dropped} packets"
    assert stream.arrived[-1000:] == list(range(4000, 5000))


@anyhow
def test_a_reader_gets_what_waits_behind_a_hole_at_once_and_in_order(birth: Birth, swapped: bool) -> None:
    """A burst of 50 with its first packet lost for good: the rest comes together when the second is due."""
    world = connected(birth, hopeless(0), Link(DELAY), swapped=swapped)
    for number in range(50):
        world.a.end.write(message(number), world.local_time(world.a))
    world.run_until(lambda: len(world.b.delivered) == 49, SECOND)
    times = [when for _, when in world.b.delivered]
    assert world.b.payloads == [message(number) for number in range(1, 50)]
    assert times[0] >= 119 * MILLISECOND
    assert times[-1] - times[0] <= 5 * MILLISECOND


@anyhow
def test_a_windowful_of_messages_whose_time_is_over_leaves_the_way_free(birth: Birth, swapped: bool) -> None:
    """They are announced and nothing follows them: the receiver's buffer is full of holes that nobody will fill."""
    small = Config(recv_buf_size=40, max_bw=50_000)
    world = connected(replace(birth, config=small), Link(DELAY), Link(DELAY), swapped=swapped)
    world.run_for(SECOND)
    a = world.a.end
    for number in range(45):  # one leaves at once, the others find no credit in time
        a.write(message(number, 1000), world.local_time(world.a), ttl=MILLISECOND)
    world.run_for(2 * SECOND)
    assert counters(world.a).sent_dropped > 38
    Stream(world, world.a, 100, 30 * MILLISECOND)
    world.run_for(5 * SECOND)
    assert not world.a.news + world.b.news
    assert len(world.b.delivered) >= 100
    assert world.a.end.sender.unacknowledged == 0
