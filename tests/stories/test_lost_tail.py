"""The last packets of a stream are lost: no later packet shows the gap, a timer must."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow, counters, data_packets, message, numbers, packets_of

DELAY = 20 * MILLISECOND


@anyhow
@pytest.mark.parametrize("retransmit_algo", [0, 1])
@pytest.mark.parametrize("lost", [1, 5, 20])
def test_the_tail_is_lost_and_sent_again_in_time(birth: Birth, swapped: bool, retransmit_algo: int, lost: int) -> None:
    birth = replace(birth, config=Config(latency=0.5, retransmit_algo=retransmit_algo))
    drop = data_packets(*range(100 - lost, 100))
    world = connected(birth, Link(DELAY, drop=drop), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 100)
    world.run_until(stream.is_complete, 2 * SECOND)
    assert stream.arrived == list(range(100))
    world.run_until(lambda: world.a.end.sender.unacknowledged == 0, SECOND)
    assert counters(world.a).retransmits >= lost


@anyhow
def test_a_single_message_is_lost_and_nothing_follows(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(latency=1.0))
    world = connected(birth, Link(DELAY, drop=data_packets(0)), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 1)
    world.run_until(stream.is_complete, 2 * SECOND)
    assert stream.arrived == [0]
    assert stream.delays()[0] <= SECOND + DELAY + 5000


@anyhow
def test_the_tail_s_resend_is_lost_too(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(latency=2.0))
    world = connected(birth, Link(DELAY, drop=data_packets(49, 50, 51)), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 50)
    world.run_until(stream.is_complete, 4 * SECOND)
    assert stream.arrived == list(range(50))


@anyhow
def test_everything_arrived_and_the_last_acknowledgements_are_lost(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY, drop=packets_of(ControlType.ACK, 0, 1, 2, 3)), swapped=swapped)
    stream = Stream(world, world.a, 20)
    world.run_until(lambda: stream.is_written and world.a.end.sender.unacknowledged == 0, 3 * SECOND)
    assert stream.arrived == list(range(20)) or not stream.is_complete()
    world.run_until(stream.is_complete, SECOND)
    assert stream.arrived == list(range(20))


@anyhow
def test_a_sleeping_sender_does_not_resend_for_ever(birth: Birth, swapped: bool) -> None:
    """Acknowledged data stays quiet: ten idle seconds bring keepalives and nothing else."""
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 50)
    world.run_until(lambda: stream.is_complete() and world.a.end.sender.unacknowledged == 0, 2 * SECOND)
    world.run_for(SECOND)
    before = counters(world.a).retransmits
    world.a.sent, world.b.sent = [], []
    world.run_for(10 * SECOND)
    assert counters(world.a).retransmits == before
    kinds = {int.from_bytes(datagram[:2], "big") & 0x7FFF for _, datagram in world.a.sent + world.b.sent}
    assert kinds == {ControlType.KEEPALIVE}


@anyhow
def test_a_lost_tail_whose_last_messages_are_given_up_is_repaired(birth: Birth, swapped: bool) -> None:
    """What is given up cannot be the probe that shows the peer its gap."""
    patient = replace(birth, config=Config(latency=1.0, tlpktdrop=False))
    drop = data_packets(*range(20, 25))
    world = connected(patient, Link(DELAY, drop=drop), Link(DELAY), swapped=swapped)
    a = world.a.end
    for number in range(25):
        a.write(message(number), world.local_time(world.a))
    for number in range(25, 28):
        a.write(message(number), world.local_time(world.a), ttl=0)
    world.run_for(3 * SECOND)
    assert numbers(world.b) == list(range(25))
    assert a.sender.unacknowledged == 0
