"""Packets are lost, in either direction or both; the stream arrives whole and in time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, anyhow, counters, data_packets, is_data, packets_of

DELAY = 20 * MILLISECOND


@anyhow
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("joined", [1, 44])
def test_ten_percent_lost_both_ways_arrives_whole_by_seed(birth: Birth, swapped: bool, seed: int, joined: int) -> None:
    birth = replace(birth, config=Config(latency=0.5))
    links = Link(DELAY, loss=0.1, seed=seed), Link(DELAY, loss=0.1, seed=seed + 100)
    world = connected(birth, *links, swapped=swapped, joined=joined, read_interval=2000 if joined > 1 else 0)
    stream = Stream(world, world.a, 1500)
    world.run_until(stream.is_complete, 3 * SECOND)
    assert stream.arrived == list(range(1500))
    assert counters(world.b).recv_dropped == counters(world.a).sent_dropped == 0
    # at the negotiated latency plus the way, not sooner and not later
    assert min(stream.delays()) >= 500 * MILLISECOND + DELAY - 1000
    assert max(stream.delays()) <= 500 * MILLISECOND + DELAY + 5000
    # each loss is repaired by little more than one resend: a resend can be lost too
    assert counters(world.a).retransmits <= 1.35 * world.a.link.lost + 5


@anyhow
def test_thirty_percent_loss_with_ten_round_trips_of_latency_seed_9(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(latency=1.0))
    world = connected(birth, Link(DELAY, loss=0.3, seed=9), Link(DELAY, loss=0.3, seed=10), swapped=swapped)
    stream = Stream(world, world.a, 1000)
    world.run_until(stream.is_complete, 3 * SECOND)
    assert stream.arrived == list(range(1000))


@anyhow
def test_only_acknowledgements_are_lost_seed_4(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY), Link(DELAY, loss=0.5, seed=4), swapped=swapped)
    stream = Stream(world, world.a, 1000)
    world.run_until(stream.is_complete, 3 * SECOND)
    assert stream.arrived == list(range(1000))
    world.run_until(lambda: world.a.end.sender.unacknowledged == 0, SECOND)
    assert counters(world.a).retransmits <= 50  # the tail timer may think an acknowledgement missing


@anyhow
def test_the_first_loss_report_is_lost_and_a_periodic_one_repairs(birth: Birth, swapped: bool) -> None:
    first_report = packets_of(ControlType.NAK, 0)
    world = connected(birth, Link(DELAY, drop=data_packets(50)), Link(DELAY, drop=first_report), swapped=swapped)
    stream = Stream(world, world.a, 200)
    world.run_until(stream.is_complete, 2 * SECOND)
    assert stream.arrived == list(range(200))
    assert counters(world.b).sent_naks >= 2
    assert counters(world.a).recv_naks == counters(world.b).sent_naks - 1
    assert counters(world.a).retransmits <= 2  # reports come twice a round trip


@anyhow
def test_a_resend_is_lost_twice_and_repaired_the_third_time(birth: Birth, swapped: bool) -> None:
    tries: list[bytes] = []

    def the_unlucky_one(index: int, datagram: bytes) -> bool:
        if is_data(datagram) and datagram.endswith(b"\x64\x64"):  # message number 100
            tries.append(datagram)
            return len(tries) <= 3
        return False

    birth = replace(birth, config=Config(latency=0.4))
    world = connected(birth, Link(DELAY, drop=the_unlucky_one), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 200)
    world.run_until(stream.is_complete, 2 * SECOND)
    assert stream.arrived == list(range(200))
    assert len(tries) == 4
    # the same packet each time, marked as sent again from the second time on, with its first timestamp
    assert {datagram[8:12] for datagram in tries} == {tries[0][8:12]}
    assert [bool(datagram[4] & 0x04) for datagram in tries] == [False, True, True, True]


@anyhow
def test_a_named_handful_of_losses_costs_exactly_as_many_resends(birth: Birth, swapped: bool) -> None:
    drop = data_packets(150, 151, 152, 207, 333)
    world = connected(birth, Link(DELAY, drop=drop), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 400)
    world.run_until(stream.is_complete, 2 * SECOND)
    assert stream.arrived == list(range(400))
    assert counters(world.a).retransmits == counters(world.b).recv_retrans == 5
    assert counters(world.b).recv_loss == 5


@anyhow
def test_both_directions_stream_and_lose_seed_21(birth: Birth, swapped: bool) -> None:
    birth = replace(birth, config=Config(latency=0.4))
    world = connected(birth, Link(DELAY, loss=0.08, seed=21), Link(DELAY, loss=0.08, seed=22), swapped=swapped)
    there, back = Stream(world, world.a, 800), Stream(world, world.b, 800)
    world.run_until(lambda: there.is_complete() and back.is_complete(), 3 * SECOND)
    assert there.arrived == back.arrived == list(range(800))


def test_same_seed_same_story() -> None:
    def story() -> tuple[int, int, list[int]]:
        world = connected(forth=Link(DELAY, loss=0.1, seed=5), back=Link(DELAY, loss=0.1, seed=6))
        stream = Stream(world, world.a, 500)
        world.run_until(lambda: stream.is_written and world.a.end.sender.unacknowledged == 0, 3 * SECOND)
        return world.now, counters(world.a).retransmits, stream.delays()

    assert story() == story()


@anyhow
def test_a_minute_with_half_of_everything_lost_breaks_nothing_seed_31(birth: Birth, swapped: bool) -> None:
    world = connected(birth, Link(DELAY, loss=0.5, seed=31), Link(DELAY, loss=0.5, seed=32), swapped=swapped)
    stream = Stream(world, world.a, 6000, period=10 * MILLISECOND)
    world.run_until(lambda: stream.is_written, 61 * SECOND)
    world.run_for(SECOND)
    assert not world.a.news
    assert not world.b.news
    assert len(stream.arrived) > 4500


@anyhow
@pytest.mark.parametrize(("latency", "is_enough"), [(0.12, False), (0.6, True)])
def test_a_way_longer_than_the_latency_is_measured_and_repairs_only_with_time_seed_33(
    birth: Birth, swapped: bool, latency: float, is_enough: bool
) -> None:
    birth = replace(birth, config=Config(latency=latency))
    way = 75 * MILLISECOND
    world = connected(birth, Link(way, loss=0.03, seed=33), Link(way, loss=0.03, seed=34), swapped=swapped)
    stream = Stream(world, world.a, 3000)
    world.run_until(lambda: stream.is_written, 4 * SECOND)
    world.run_for(2 * SECOND)
    for side in (world.a, world.b):
        assert abs(side.end.gauges(world.local_time(side)).rtt - 2 * way) < 10 * MILLISECOND
    assert (counters(world.b).recv_dropped == 0) is is_enough


@anyhow
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_counts_add_up_whatever_the_weather_by_seed(birth: Birth, swapped: bool, seed: int) -> None:
    links = [Link(DELAY, loss=0.1, duplicate=0.1, reorder=0.1, seed=seed + more) for more in (0, 100)]
    world = connected(birth, *links, swapped=swapped)
    world.a.sent = sent = list[tuple[int, bytes]]()
    stream = Stream(world, world.a, 2000)
    world.run_until(lambda: stream.is_written, 4 * SECOND)
    world.run_for(SECOND)
    said, heard = counters(world.a), counters(world.b)
    assert said.sent_unique_packets + said.retransmits == sum(is_data(datagram) for _, datagram in sent)
    assert said.sent_unique_packets == 2000
    known = heard.recv_unique_packets + heard.recv_duplicates + heard.recv_belated + heard.out_of_window
    assert known == heard.recv_packets
    assert heard.recv_unique_packets + heard.recv_dropped == 2000
    assert heard.recv_unique_packets == len(stream.arrived)
