"""Somebody sends nonsense into the middle of a stream; the stream does not care.

Rows of the hostile-input matrix: 10 sequence jumps, 11 timestamp jumps, 12 ACKs, 13 ACKACKs,
14 NAKs, 15 DROPREQ, 16 SHUTDOWN for somebody else, 17 PEERERROR, 18 unknown control types,
19 sizes.  Everything is injected with the right destination: the worst a forger can do.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable

import pytest

from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.events import PeerClosed, PeerFailed
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import NEAR_THE_WRAP, Birth, connected
from tests.sim.telling import Stream, both_roles, control_to, counters, data_to
from tests.sim.world import World

DELAY = 10 * MILLISECOND
TOTAL = 1500
WORDS = struct.Struct(">I")

Attack = Callable[[World], list[tuple[str, bytes]]]


def words(*values: int) -> bytes:
    return b"".join(WORDS.pack(value & 0xFFFFFFFF) for value in values)


def acks(seq: int) -> list[bytes]:
    """Return ACK bodies about `seq`, sane and mad."""
    return [
        words(seq),
        words(seq, 0, 0, 8192),
        words(seq, 0x80000000, 0xFFFFFFFF, 8192),
        words(seq, 1, 1, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0xFFFFFFFF),
        words(seq, *[0] * 20),
        words(seq)[:3],
        b"",
    ]


def bad_acks(world: World) -> list[tuple[str, bytes]]:
    """Row 12."""
    next_seq = world.a.end.sender.next_seq
    spots = [next_seq + 1, next_seq + 10_000, next_seq - 100_000, next_seq + (1 << 30), next_seq | 0x80000000]
    return [
        ("a", control_to(world, world.a, ControlType.ACK, number, body))
        for seq in spots
        for number, body in enumerate(acks(seq))
    ]


def bad_ackacks(world: World) -> list[tuple[str, bytes]]:
    """Row 13."""
    return [("b", control_to(world, world.b, ControlType.ACKACK, number)) for number in (0, 1 << 20, 0xFFFFFFFF)]


def bad_naks(world: World) -> list[tuple[str, bytes]]:
    """Row 14."""
    seq = world.a.end.sender.next_seq
    bodies = [
        b"",
        words(0x80000000 | seq),  # a range without its end
        words(0x80000000 | (seq + 10), seq + 5),  # reversed
        words(seq + 5),
        words(0x80000000 | seq, seq + (1 << 29)),
        words(*[(seq - 200_000 + n) & 0x7FFFFFFF for n in range(364)]),
        words(0x80000000 | (seq - 8000) & 0x7FFFFFFF, (seq - 1) & 0x7FFFFFFF),
        b"\x00\x01\x02",
        words(0x80000000, 0x80000000),
    ]
    return [("a", control_to(world, world.a, ControlType.NAK, 0, body)) for body in bodies]


def bad_drop_requests(world: World) -> list[tuple[str, bytes]]:
    """Row 15: reversed, huge, ahead, short; and one for data that is there and has not been played."""
    seq = world.a.end.sender.next_seq
    bodies = [
        words(seq + 10, seq + 5),
        words(seq - 8000, seq - 1),
        words(seq - 60, seq - 30),
        words(seq + 100_000, seq + 200_000),
        words(seq - (1 << 30) + 1, seq - 5),
        words(seq),
        b"",
    ]
    return [("b", control_to(world, world.b, ControlType.DROPREQ, 7, body)) for body in bodies]


def bad_data(world: World) -> list[tuple[str, bytes]]:
    """Rows 10 and 19: jumps, old numbers, the same number with another payload, no payload."""
    seq = world.a.end.sender.next_seq
    spots = [seq + 20_000, seq + (1 << 30), seq - 20_000, seq - (1 << 30), seq - 50, seq - 300]
    return [("b", data_to(world, world.b, spot)) for spot in spots] + [("b", data_to(world, world.b, seq - 60, b""))]


def unknown_control(world: World) -> list[tuple[str, bytes]]:
    """Row 18: keepalives in a flood, types nobody knows, user-defined ones."""
    kinds = [ControlType.KEEPALIVE] * 50 + [0x0009, 0x0010, 0x0FFF, ControlType.USER_DEFINED, ControlType.HANDSHAKE]
    return [
        (side, control_to(world, end, kind, 0xDEADBEEF, bytes(length)))
        for side, end in (("a", world.a), ("b", world.b))
        for kind in kinds
        for length in (0, 4, 5, 64)
    ]


def strange_sizes(world: World) -> list[tuple[str, bytes]]:
    """Row 19: shorter than a header, just a header, as long as UDP can be."""
    base = control_to(world, world.b, ControlType.ACK, 1, b"")
    return [("b", base[:length]) for length in range(16)] + [("b", base), ("b", base + bytes(65_000))]


def shutdown_for_others(world: World) -> list[tuple[str, bytes]]:
    """Row 17: a peer error is news, not the end."""
    return [("b", control_to(world, world.b, ControlType.PEERERROR, 4000))]


ATTACKS: dict[str, Attack] = {
    "row 10 and 19 data": bad_data,
    "row 12 acks": bad_acks,
    "row 13 ackacks": bad_ackacks,
    "row 14 naks": bad_naks,
    "row 15 drop requests": bad_drop_requests,
    "row 17 peer error": shutdown_for_others,
    "row 18 unknown control": unknown_control,
    "row 19 sizes": strange_sizes,
}


@both_roles
@pytest.mark.parametrize("isn", [1000, NEAR_THE_WRAP])
@pytest.mark.parametrize("attack", ATTACKS)
def test_a_stream_under_attack_arrives_whole(swapped: bool, isn: int, attack: str) -> None:
    world = connected(Birth(isn=isn), Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, TOTAL)
    world.run_for(400 * MILLISECOND)

    def strike() -> bool:
        for side, packet in ATTACKS[attack](world):
            world.inject(world.a if side == "a" else world.b, packet)
        return not stream.is_written

    world.every(50 * MILLISECOND, strike)
    world.run_until(lambda: stream.is_written, 4 * SECOND)
    world.run_for(SECOND)
    assert stream.arrived == list(range(TOTAL))
    assert max(stream.delays()) <= 150 * MILLISECOND
    news = [event for event in world.a.news + world.b.news if not isinstance(event, PeerFailed)]
    assert not news, news


@both_roles
def test_row_11_timestamps_out_of_nowhere_hold_nobody_up(swapped: bool) -> None:
    """Packets in sequence whose timestamps lie hours away: they go by, the stream goes on."""
    jumps = {300: 1 << 31, 500: 5 << 20, 700: (1 << 32) - (5 << 20), 900: 0x70000000}
    places = iter(range(1 << 20))

    def tamper(index: int, datagram: bytes) -> bytes:
        if datagram[0] & 0x80:
            return datagram
        jump = jumps.get(next(places))
        if jump is None:
            return datagram
        stamp = (WORDS.unpack_from(datagram, 8)[0] + jump) & 0xFFFFFFFF
        return datagram[:8] + WORDS.pack(stamp) + datagram[12:]

    world = connected(Birth(), Link(DELAY, tamper=tamper), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, TOTAL)
    world.run_for(12 * SECOND)
    arrived = stream.arrived
    assert arrived == sorted(arrived)
    assert set(range(TOTAL)) - set(arrived) <= set(jumps)
    later = [delay for delay, number in zip(stream.delays(), arrived, strict=True) if number > 1100]
    assert max(later) <= 6 * SECOND


@both_roles
def test_row_14_the_whole_window_reported_lost_every_millisecond_costs_a_resend_a_round_trip(swapped: bool) -> None:
    world = connected(Birth(), Link(50 * MILLISECOND), Link(50 * MILLISECOND), swapped=swapped)
    stream = Stream(world, world.a, 1000)
    world.run_for(500 * MILLISECOND)
    before = counters(world.a).retransmits

    def report() -> bool:
        sender = world.a.end.sender
        last = (sender.next_seq - 1) & 0x7FFFFFFF
        first = (last - 90) & 0x7FFFFFFF
        world.inject(world.a, control_to(world, world.a, ControlType.NAK, 0, words(0x80000000 | first, last)))
        return world.now < SECOND

    world.every(MILLISECOND, report)
    world.run_until(stream.is_complete, 3 * SECOND)
    assert stream.arrived == list(range(1000))
    # 500 packets were sent meanwhile, each can be sent again once in 100 ms; it lives 100 ms in the window
    assert counters(world.a).retransmits - before <= 500 * 3


@both_roles
def test_row_16_a_shutdown_with_our_id_ends_the_stream_and_is_told(swapped: bool) -> None:
    """On this path only the session's address check protects; what arrived before is still delivered."""
    world = connected(Birth(), Link(DELAY), Link(DELAY), swapped=swapped)
    stream = Stream(world, world.a, 300)
    world.run_for(200 * MILLISECOND)
    arrived = counters(world.b).recv_unique_packets
    world.inject(world.b, control_to(world, world.b, ControlType.SHUTDOWN))
    world.run_for(SECOND)
    assert world.b.heard(PeerClosed)
    assert stream.arrived[:arrived] == list(range(arrived))


@both_roles
@pytest.mark.parametrize("seed", range(5))
def test_random_and_mutated_packets_change_nothing_by_seed(swapped: bool, seed: int) -> None:
    """Anything but a forged SHUTDOWN or forged data in the window: noise, and real packets with flipped bits."""
    chance = random.Random(seed)
    world = connected(Birth(isn=NEAR_THE_WRAP), Link(DELAY), Link(DELAY), swapped=swapped)
    world.a.sent, world.b.sent = [], []
    stream = Stream(world, world.a, TOTAL)

    def noise() -> bool:
        for side in (world.a, world.b):
            other = side.peer
            assert other.sent is not None
            for _ in range(5):
                if chance.random() < 0.5 or not other.sent:
                    packet = chance.randbytes(chance.randrange(120))
                else:
                    genuine = bytearray(chance.choice(other.sent)[1])
                    for _ in range(chance.randrange(1, 4)):
                        genuine[chance.randrange(4)] ^= 1 << chance.randrange(8)
                    packet = bytes(genuine)
                if packet[:2] != b"\x80\x05" and packet[:1] >= b"\x80":
                    world.inject(side, packet)
        return not stream.is_written

    world.every(5 * MILLISECOND, noise)
    world.run_until(lambda: stream.is_written, 4 * SECOND)
    world.run_for(SECOND)
    assert stream.arrived == list(range(TOTAL))
