"""Reads of many datagrams: rows, payloads, mixed reads, tails too short to be packets."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import CONTROL, HEADER, HEADER_SIZE, ControlType, MalformedPacket, pack_control_header

PAYLOAD = 40
STRIDE = HEADER_SIZE + PAYLOAD


def data(seq: int, size: int = PAYLOAD) -> bytes:
    return HEADER.pack(seq, 0xC0000001 + seq % 1000, 7, 9) + bytes([seq & 0xFF]) * size


def control(size: int, kind: int = ControlType.ACKACK) -> bytes:
    return pack_control_header(kind, 3, 7, 9).ljust(size, b"\1")


def mixed(datagrams: Sequence[bytes], stride: int = STRIDE) -> Batch:
    return Batch(b"".join(datagrams), stride)


def by_hand(datagrams: Sequence[bytes]) -> tuple[list[tuple[int, int, int, int]], list[bytes]]:
    """Return rows and payloads the slow way, one datagram at a time."""
    rows = [HEADER.unpack_from(datagram) for datagram in datagrams]
    return rows, [datagram[HEADER_SIZE:] for datagram in datagrams]


def test_a_lone_datagram_is_a_batch_of_one() -> None:
    packet = data(5)
    for batch in (Batch(packet), Batch(packet, STRIDE), Batch(packet, 1500)):
        assert len(batch) == batch.count == 1
        assert batch.stride == len(packet)
        assert batch.headers == [HEADER.unpack_from(packet)]
        assert batch.payloads() == [packet[HEADER_SIZE:]]
        assert batch.datagram(0) == packet
        assert not batch.is_control
        assert list(batch.pieces()) == [batch]


def test_a_header_alone_is_a_datagram() -> None:
    assert Batch(data(5, 0)).payloads() == [b""]
    assert mixed([data(seq, 0) for seq in range(3)], HEADER_SIZE).payloads() == [b""] * 3


@given(st.lists(st.integers(0, 0x7FFFFFFF), min_size=1, max_size=50), st.integers(0, PAYLOAD))
def test_rows_and_payloads_agree_with_the_slow_way(seqs: list[int], tail: int) -> None:
    datagrams = [data(seq) for seq in seqs[:-1]] + [data(seqs[-1], tail)]
    batch = mixed(datagrams)
    assert (batch.headers, batch.payloads()) == by_hand(datagrams)
    assert [batch.datagram(index) for index in range(batch.count)] == datagrams
    assert list(batch.pieces()) == [batch]


@given(
    st.lists(st.integers(0, 0x7FFFFFFF), min_size=1, max_size=50),
    st.integers(0, PAYLOAD),
    st.sampled_from([0, PAYLOAD]),
)
def test_columns_and_body_agree_with_the_slow_way(seqs: list[int], tail: int, size: int) -> None:
    datagrams = [data(seq, size) for seq in seqs[:-1]] + [data(seqs[-1], min(tail, size))]
    batch = mixed(datagrams, HEADER_SIZE + size)
    rows, payloads = by_hand(datagrams)
    assert batch.columns() == (tuple(payloads), *[tuple(row[place] for row in rows) for place in range(3)])
    assert batch.body() == b"".join(payloads)
    assert batch.first == rows[0]
    assert batch.shortest == len(payloads[-1])
    assert [batch.column(place) for place in range(HEADER_SIZE)] == [
        bytes(datagram[place] for datagram in datagrams) for place in range(HEADER_SIZE)
    ]


@given(
    st.sampled_from([0, 200, 0xFF00, 0xFFFFF0, 0x7FFFFFF0]),
    st.integers(0, 60),
    st.integers(1, 300),
    st.sampled_from([1, 1, 1, 0, -1, 256, 1 << 16, 1 << 24]),
    st.data(),
)
def test_numbers_that_count_up_are_seen_in_columns(
    base: int, ahead: int, count: int, step: int, draw: st.DataObject
) -> None:
    seqs = [(base + ahead + n) & 0x7FFFFFFF for n in range(count)]
    at = draw.draw(st.integers(0, count - 1))
    seqs[at] = (seqs[at] + step - 1) & 0x7FFFFFFF
    batch = mixed([data(seq) for seq in seqs])
    assert batch.counts_up == (seqs == list(range(seqs[0], seqs[0] + count)))


@given(st.integers(0, 31), st.integers(0, 4), st.integers(2, 20))
def test_kind_and_destination_are_seen_in_columns(bit: int, at: int, count: int) -> None:
    other = at % count
    datagrams = [data(seq) for seq in range(count)]
    assert mixed(datagrams).is_to_one
    assert mixed(datagrams).is_data
    changed = HEADER.pack(5, 0xC0000001, 7, 9 ^ 1 << bit) + bytes(PAYLOAD)
    assert not mixed([*datagrams[:other], changed, *datagrams[other + 1 :]]).is_to_one
    assert not mixed([*datagrams[:other], control(STRIDE), *datagrams[other + 1 :]]).is_data


@pytest.mark.parametrize("size", range(HEADER_SIZE))
def test_too_short_to_be_a_packet(size: int) -> None:
    with pytest.raises(MalformedPacket, match=f"{size} bytes"):
        Batch(bytes(size))
    with pytest.raises(MalformedPacket, match=f"{size} bytes"):
        Batch(bytes(100), size)


@pytest.mark.parametrize("tail", range(1, HEADER_SIZE))
def test_a_tail_too_short_to_be_a_packet(tail: int) -> None:
    with pytest.raises(MalformedPacket, match=f"{tail} bytes"):
        Batch(data(1) + data(2) + bytes(tail), STRIDE)


def test_data_and_then_a_short_control_packet() -> None:
    datagrams = [data(1), data(2), control(20)]
    run, last = mixed(datagrams).pieces()
    assert not run.is_control
    assert run.payloads() == [datagram[HEADER_SIZE:] for datagram in datagrams[:2]]
    assert last.is_control
    assert last.count == 1
    assert last.datagram(0) == datagrams[2]


def test_control_packets_come_one_by_one() -> None:
    datagrams = [control(20), control(20, ControlType.KEEPALIVE)]
    assert [piece.datagram(0) for piece in mixed(datagrams, 20).pieces()] == datagrams


def test_a_control_packet_as_long_as_data_in_the_middle() -> None:
    datagrams = [data(1), control(STRIDE), data(2), data(3)]
    pieces = list(mixed(datagrams).pieces())
    assert [piece.count for piece in pieces] == [1, 1, 2]
    assert pieces[2].headers == [HEADER.unpack_from(datagram) for datagram in datagrams[2:]]


def test_part_keeps_the_stride() -> None:
    datagrams = [data(seq) for seq in range(5)] + [data(5, 3)]
    batch = mixed(datagrams)
    assert batch.part(1, 3).payloads() == [datagram[HEADER_SIZE:] for datagram in datagrams[1:3]]
    assert batch.part(3, 6).payloads() == [datagram[HEADER_SIZE:] for datagram in datagrams[3:]]
    assert batch.part(5, 6).stride == HEADER_SIZE + 3


@given(st.lists(st.booleans(), min_size=1, max_size=20), st.integers(0, PAYLOAD))
def test_pieces_keep_everything_in_order(kinds: list[bool], tail: int) -> None:
    """Control packets as long as data packets, anywhere in the read; the last of any length."""
    datagrams = [control(STRIDE) if is_control else data(index) for index, is_control in enumerate(kinds)]
    datagrams[-1] = datagrams[-1][: HEADER_SIZE + tail]
    pieces = list(mixed(datagrams).pieces())
    assert [piece.datagram(index) for piece in pieces for index in range(piece.count)] == datagrams
    for piece in pieces:
        flags = {row[0] >= 1 << 31 for row in piece.headers}
        assert flags == {piece.is_control}
        assert piece.count == 1 or not piece.is_control
    assert all(one.is_control or other.is_control for one, other in pairwise(pieces)), "a run of data was cut in two"


def test_payloads_do_not_keep_the_read_alive() -> None:
    assert all(type(payload) is bytes for payload in mixed([data(1), data(2)]).payloads())


def test_parts_arrived_when_the_whole_did() -> None:
    batch = Batch(HEADER.pack(CONTROL, 0, 0, 7) + HEADER.pack(1, 0, 0, 7), 16)
    assert batch.arrived == 0
    batch.arrived = 77
    assert [piece.arrived for piece in batch.pieces()] == [77, 77]


def test_a_part_came_when_its_last_datagram_came() -> None:
    batch = mixed([data(1), data(2), control(STRIDE), data(3)])
    batch.times, batch.arrived = [100, 200, 300, 400], 400
    assert [(piece.arrived, piece.times) for piece in batch.pieces()] == [(200, [100, 200]), (300, [300]), (400, [400])]
    batch.times = []
    assert {piece.arrived for piece in batch.pieces()} == {400}
