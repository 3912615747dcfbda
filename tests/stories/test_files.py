"""Files: a stream of bytes, or messages of many packets, arrive whole over paths that lose, double and reorder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from random import Random

import pytest

from srtpy.config import Config
from srtpy.fields import TransType
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.events import Broken, PeerFailed
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import ON_THE_EDGE, Birth, connected, meeting
from tests.sim.telling import anyhow, counters, data_packets, is_data, packets_of
from tests.sim.world import Side, World

DELAY = 20 * MILLISECOND
STREAM = Config(trans_type=TransType.FILE)
MESSAGES = Config(trans_type=TransType.FILE, message_api=True)
SIZES = [1, 100, 1456, 1457, 5_000, 50_000]


class Bytes:
    """A stream of bytes that one side of a world writes as fast as there is room."""

    def __init__(self, world: World, side: Side, total: int, seed: int) -> None:
        self.data = Random(seed).randbytes(total)
        self.side, self.world, self.written = side, world, 0
        world.every(5 * MILLISECOND, self._write)

    def _write(self) -> bool:
        now = self.world.local_time(self.side)
        end = min(self.written + 300_000, len(self.data))
        self.written += self.side.end.write_stream(self.data, self.written, end, now)
        return self.written < len(self.data)

    @property
    def arrived(self) -> bytes:
        return b"".join(self.side.peer.payloads)

    def is_complete(self) -> bool:
        return sum(map(len, self.side.peer.payloads)) >= len(self.data)


class Mail:
    """Messages that one side of a world writes as fast as there is room; some may overtake."""

    def __init__(self, world: World, side: Side, messages: Sequence[bytes], in_order: Sequence[bool]) -> None:
        self.messages, self.in_order = messages, in_order
        self.side, self.world, self.written = side, world, 0
        world.every(5 * MILLISECOND, self._write)

    def _write(self) -> bool:
        end = self.side.end
        while self.written < len(self.messages):
            message = self.messages[self.written]
            if end.room() < end.packets_for(len(message)):
                return True
            end.write(message, self.world.local_time(self.side), in_order=self.in_order[self.written])
            self.written += 1
        return False

    @property
    def arrived(self) -> list[bytes]:
        return self.side.peer.payloads

    def is_complete(self) -> bool:
        return len(self.arrived) >= len(self.messages)


def mail(seed: int, count: int, is_ordered: bool | None) -> tuple[list[bytes], list[bool]]:
    """Messages of all sizes; in order or not, or some of them so."""
    chance = Random(seed)
    order = [chance.random() < 0.5 if is_ordered is None else is_ordered for _ in range(count)]
    return [chance.randbytes(chance.choice(SIZES)) for _ in range(count)], order


def bad_links(loss: float, seed: int) -> tuple[Link, Link]:
    return (
        Link(DELAY, loss=loss, reorder=0.02, duplicate=0.02, seed=seed),
        Link(DELAY, loss=loss, reorder=0.02, duplicate=0.02, seed=seed + 100),
    )


@anyhow
@pytest.mark.parametrize(("loss", "seed"), [(0.0, 1), (0.01, 2), (0.1, 3)])
def test_a_stream_arrives_whole_by_seed(birth: Birth, swapped: bool, loss: float, seed: int) -> None:
    world = connected(replace(birth, config=STREAM), *bad_links(loss, seed), swapped=swapped, joined=16)
    story = Bytes(world, world.a, 2_000_000, seed)
    world.run_until(story.is_complete, 60 * SECOND)
    assert story.arrived == story.data
    world.run_until(lambda: world.a.end.sender.unacknowledged == 0, SECOND)
    assert counters(world.b).recv_dropped == counters(world.a).sent_dropped == 0


@anyhow
@pytest.mark.parametrize(("loss", "seed"), [(0.0, 1), (0.01, 2), (0.1, 3)])
@pytest.mark.parametrize("is_ordered", [True, False, None])
def test_messages_arrive_whole_by_seed(
    birth: Birth, swapped: bool, loss: float, seed: int, is_ordered: bool | None
) -> None:
    world = connected(replace(birth, config=MESSAGES), *bad_links(loss, seed), swapped=swapped, joined=16)
    story = Mail(world, world.a, *mail(seed, 150, is_ordered))
    world.run_until(story.is_complete, 60 * SECOND)
    assert sorted(story.arrived) == sorted(story.messages)
    ordered = [
        message for message, kept in zip(story.messages, story.in_order, strict=True) if kept and len(message) > 1
    ]
    assert [message for message in story.arrived if message in set(ordered)] == ordered
    world.run_until(lambda: world.a.end.sender.unacknowledged == 0, SECOND)


@pytest.mark.parametrize("config", [STREAM, MESSAGES])
@pytest.mark.parametrize("seed", [1, 2])
def test_after_the_real_handshake_both_ways_at_once_by_seed(config: Config, seed: int) -> None:
    world = meeting(config, config, *bad_links(0.02, seed), isn=0x7FFFFFF0, joined=16)
    world.run_until(lambda: None not in (world.a.end.connection, world.b.end.connection), 10 * SECOND)
    assert world.b.end.requests[0].offer.settings.flags == (0xA4 if config.message_api else 0xE4)
    for side in (world.a, world.b):
        side.end = side.end.connection
    if config.message_api:
        stories = [Mail(world, side, *mail(seed + 5, 100, None)) for side in (world.a, world.b)]
        world.run_until(lambda: all(story.is_complete() for story in stories), 60 * SECOND)
        assert all(sorted(story.arrived) == sorted(story.messages) for story in stories)
    else:
        streams = [Bytes(world, side, 700_000, seed + 5) for side in (world.a, world.b)]
        world.run_until(lambda: all(story.is_complete() for story in streams), 60 * SECOND)
        assert all(story.arrived == story.data for story in streams)


def test_a_message_that_may_overtake_does_not_wait_for_a_lost_one() -> None:
    world = connected(replace(ON_THE_EDGE, config=MESSAGES), Link(DELAY, drop=data_packets(3)), Link(DELAY))
    first, second, third = b"1" * 10_000, b"2" * 10_000, b"3" * 10_000
    Mail(world, world.a, [first, second, third], [True, False, True])
    world.run_until(lambda: len(world.b.payloads) == 3, SECOND)
    assert world.b.payloads == [second, first, third]


def test_a_lost_tail_is_sent_again() -> None:
    world = connected(replace(ON_THE_EDGE, config=STREAM), Link(DELAY, drop=data_packets(8, 9)), Link(DELAY))
    story = Bytes(world, world.a, 10 * 1456, 1)
    world.run_until(story.is_complete, SECOND)
    assert story.arrived == story.data
    assert counters(world.a).retransmits <= 3


def test_a_lost_report_is_made_good() -> None:
    first_report = packets_of(ControlType.NAK, 0)
    world = connected(
        replace(ON_THE_EDGE, config=STREAM), Link(DELAY, drop=data_packets(4)), Link(DELAY, drop=first_report)
    )
    story = Bytes(world, world.a, 10 * 1456, 1)
    world.run_until(story.is_complete, SECOND)
    assert story.arrived == story.data
    assert counters(world.b).sent_naks == 1  # no periodic report


# ---- a reader that does not read --------------------------------------------------------------


@anyhow
@pytest.mark.parametrize("config", [STREAM, MESSAGES])
def test_a_full_receive_buffer_stops_the_sender_until_something_is_read(
    birth: Birth, swapped: bool, config: Config
) -> None:
    config = config.replace(recv_buf_size=100, send_buf_size=200)
    world = connected(replace(birth, config=config), Link(DELAY), Link(DELAY), swapped=swapped, joined=16)
    world.b.reads = False
    messages = [bytes([number]) * 14_560 for number in range(100)]
    story = Mail(world, world.a, messages, [True] * 100) if config.message_api else None
    if story is None:
        Bytes(world, world.a, 1_456_000, 1)
    world.run_for(20 * SECOND)
    receiver, sender = world.b.end, world.a.end.sender
    assert receiver._receiver._buffer.handed_over() <= 99
    assert sender.flow_window == 0
    assert sender.room() < 11
    assert not world.a.news
    assert not world.b.news  # they know that they are there
    counters(world.b).sent_acks, sent_before = 0, counters(world.a).sent_unique_packets

    def read_one() -> None:
        receiver.messages.popleft()
        receiver.note_read(world.local_time(world.b))

    world.at(world.now, read_one)
    world.run_for(20 * MILLISECOND + DELAY)  # and the way back
    assert counters(world.a).sent_unique_packets > sent_before
    world.b.reads = True
    world.at(world.now, lambda: None)
    world.run_until(lambda: sender.is_empty and sender.room() == 200, 30 * SECOND)


def test_a_reopened_window_that_nobody_hears_of_is_told_again() -> None:
    config = STREAM.replace(recv_buf_size=64)
    silent: list[bool] = []

    def the_next_two(index: int, datagram: bytes) -> bool:
        if not 0 < len(silent) < 3:
            return False
        silent.append(True)
        return True

    world = connected(replace(ON_THE_EDGE, config=config), Link(DELAY), Link(DELAY, drop=the_next_two))
    world.b.reads = False
    story = Bytes(world, world.a, 500_000, 1)
    world.run_for(5 * SECOND)
    assert world.a.end.sender.flow_window == 0
    silent.append(True)
    world.b.reads = True
    world.at(world.now, lambda: None)
    world.run_until(story.is_complete, 10 * SECOND)
    assert story.arrived == story.data


@pytest.mark.parametrize("role", [0, 1])
def test_a_message_larger_than_the_receive_buffer_breaks_the_connection_and_says_why(role: int) -> None:
    small, large = MESSAGES.replace(recv_buf_size=64), MESSAGES
    birth = Birth(config=small if role else large, peer_config=large if role else small)
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=bool(role))
    world.at(0, lambda: world.a.end.write(bytes(200_000), world.local_time(world.a)))
    world.run_until(lambda: world.b.heard(Broken), 10 * SECOND)
    (news,) = world.b.news
    assert isinstance(news, Broken)
    assert "message 1 does not fit: it takes more than the receive buffer's 63 packets (recv_buf_size)" in news.text


# ---- time to live, failures -------------------------------------------------------------------


@anyhow
def test_a_message_that_expires_is_given_up_as_a_whole_and_the_next_ones_arrive(birth: Birth, swapped: bool) -> None:
    """The first message leaves in part, then nothing gets through for longer than it lives."""
    dark: list[bool] = []

    def drop(index: int, datagram: bytes) -> bool:
        return is_data(datagram) and index >= 5 and not dark

    world = connected(replace(birth, config=MESSAGES), Link(DELAY, drop=drop), Link(DELAY), swapped=swapped)
    end = world.a.end
    world.at(0, lambda: end.write(b"1" * 20_000, world.local_time(world.a), ttl=500 * MILLISECOND))
    world.at(1000, lambda: end.write(b"2" * 20_000, world.local_time(world.a)))
    world.at(SECOND, lambda: dark.append(False))
    world.run_until(lambda: len(world.b.payloads) == 1, 20 * SECOND)
    assert world.b.payloads == [b"2" * 20_000]
    assert 0 < counters(world.a).sent_dropped < 14  # the first packets had been acknowledged
    assert counters(world.a).sent_drop_requests >= 1
    world.run_until(lambda: end.sender.is_empty, SECOND)


@anyhow
def test_the_receiver_s_failure_reaches_the_sender_though_a_copy_of_it_is_lost(birth: Birth, swapped: bool) -> None:
    lossy = Link(DELAY, drop=packets_of(ControlType.PEERERROR, 0))
    world = connected(replace(birth, config=STREAM), Link(DELAY), lossy, swapped=swapped, joined=16)
    Bytes(world, world.a, 500_000, 1)
    world.at(100 * MILLISECOND, lambda: world.b.end.send_peer_error(4000, world.local_time(world.b)))
    world.run_until(lambda: world.a.heard(PeerFailed), SECOND)
    assert world.a.news == [PeerFailed(4000)]


@anyhow
@pytest.mark.parametrize("buffer", [32, 8192])
@pytest.mark.parametrize(("loss", "seed"), [(0.03, 1), (0.1, 2), (0.1, 3)])
def test_what_is_given_up_is_announced_until_the_receiver_has_heard_it_by_seed(
    birth: Birth, swapped: bool, loss: float, seed: int, buffer: int
) -> None:
    """A hundred messages expire while the first of them are on their way, and announcements of that are lost."""
    delay = 30 * MILLISECOND
    forth, back = Link(delay, loss=loss, seed=seed), Link(delay, loss=loss, seed=seed + 9)
    config = MESSAGES.replace(recv_buf_size=buffer)
    world = connected(replace(birth, config=config), forth, back, swapped=swapped, joined=16)
    end, last = world.a.end, bytes(20_000)

    def write_all() -> None:
        for number in range(1, 101):
            end.write(bytes([number]) * 20_000, world.local_time(world.a), ttl=70 * MILLISECOND)

    world.at(0, write_all)
    world.at(300 * MILLISECOND, lambda: end.write(last, world.local_time(world.a)))
    world.run_until(lambda: last in world.b.payloads, 10 * SECOND)
    world.run_until(lambda: end.sender.unacknowledged == 0, SECOND)


@anyhow
@pytest.mark.parametrize("lost", [1, 5, 15, 16])
def test_losing_the_first_packets_costs_a_second_at_most(birth: Birth, swapped: bool, lost: int) -> None:
    """A libsrt listener loses what comes before it has accepted; the transfer is none the slower."""
    unready = Link(DELAY, drop=data_packets(*range(lost)))
    world = connected(replace(birth, config=STREAM), unready, Link(DELAY), swapped=swapped, joined=16)
    story = Bytes(world, world.a, 8_000_000, 1)
    world.run_until(story.is_complete, 1_400 * MILLISECOND)  # it takes 387 ms if nothing is lost
