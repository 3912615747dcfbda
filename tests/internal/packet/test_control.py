"""ACK in every size, DROPREQ, and bodies that say nothing, against known answers and garbage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.packet.control import PADDING, Ack, DropRequest
from srtpy.internal.packet.header import HEADER, HEADER_SIZE, MalformedPacket
from srtpy.internal.seq.number import SEQ_MASK, forward
from tests.vectors import vectors

NAMES = {
    "seq": "last_ack_seq",
    "rtt": "rtt_us",
    "rtt_variance": "rttvar_us",
    "available": "avail_buf_pkts",
    "receive_rate": "pkt_recv_rate",
    "capacity": "link_capacity",
    "receive_bytes_rate": "recv_rate_Bps",
    "send_rate": "no vector has it",
}
WORD = st.integers(0, 0xFFFFFFFF)
SEQ = st.integers(0, SEQ_MASK)


def expected(facts: dict[str, int]) -> Ack:
    return Ack(**{field: facts[name] for field, name in NAMES.items() if name in facts})


@pytest.mark.parametrize("vector", vectors("ack_cif"), ids=lambda vector: vector["description"])
def test_ack_vectors(vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["hex"])
    assert Ack.decode(body) == expected(vector["expected_fields"])
    assert Ack.decode(body).encode() == body
    assert Ack.decode(body).is_light == (len(body) == 4)


def test_the_short_ack_that_crashed_another_parser() -> None:
    (vector,) = [entry for entry in vectors("control_packet") if "(short_ack)" in entry["source"]]
    body = bytes.fromhex(vector["hex"])[HEADER_SIZE:]
    assert len(body) == vector["expected_fields"]["cif_len"]
    assert Ack.decode(body) == expected(vector["expected_fields"]["ack"])


def test_ack_seen_on_the_wire() -> None:
    packet = bytes.fromhex(
        "80020000 00000001 0000351e 11223344 1234567c 000186a0 0000c350 00001ffb 00000001 000003e8 000005dc"
    )
    assert HEADER.unpack_from(packet)[1] == 1
    assert Ack.decode(packet[HEADER_SIZE:]) == Ack(0x1234567C, 100_000, 50_000, 8187, 1, 1000, 1500)
    assert Ack(0x1234567C, 100_000, 50_000, 8187, 1, 1000, 1500).encode() == packet[HEADER_SIZE:]
    assert Ack(0x123456B8).encode() == bytes.fromhex("123456b8")


@pytest.mark.parametrize("size", range(44))
def test_only_the_sizes_in_use_are_acks(size: int) -> None:
    body = bytes(size)
    if size in (4, 16, 20, 24, 28, 32):
        assert Ack.decode(body).encode() == body
    else:
        with pytest.raises(MalformedPacket, match=f"{size} bytes"):
            Ack.decode(body)


def test_an_ack_of_no_sequence_number() -> None:
    with pytest.raises(MalformedPacket, match="0x80000000"):
        Ack.decode(bytes.fromhex("80000000"))


def test_an_ack_says_the_most_its_field_can() -> None:
    body = Ack(1, 2, 3, 4, 5, 6, 1 << 40).encode()
    assert Ack.decode(body).receive_bytes_rate == 0xFFFFFFFF


@pytest.mark.parametrize("ack", [Ack(1, 2), Ack(1, 2, 3), Ack(1, rtt_variance=3), Ack(1, 2, 3, capacity=4)])
def test_fields_that_make_no_ack_are_a_mistake(ack: Ack) -> None:
    with pytest.raises(ValueError, match="not the fields"):
        ack.encode()


@given(SEQ, st.lists(WORD, max_size=7))
def test_acks_round_trip(seq: int, rest: list[int]) -> None:
    ack = Ack(seq, *rest)
    if 1 + len(rest) in (1, 4, 5, 6, 7, 8):
        assert Ack.decode(ack.encode()) == ack
    else:
        with pytest.raises(ValueError, match="not the fields"):
            ack.encode()


@given(
    st.binary(max_size=40)
    | st.sampled_from([4, 16, 20, 24, 28, 32]).flatmap(lambda n: st.binary(min_size=n, max_size=n))
)
def test_garbage_is_malformed_or_an_ack(body: bytes) -> None:
    try:
        ack = Ack.decode(body)
    except MalformedPacket:
        return
    assert ack.encode() == body
    assert 0 <= ack.seq <= SEQ_MASK


def test_drop_request_seen_on_the_wire() -> None:
    body = bytes.fromhex("1234566d 1234566d")
    assert DropRequest.decode(body) == DropRequest(0x1234566D, 0x1234566D)
    assert DropRequest(0x1234566D, 0x1234566D).encode() == body


def test_drop_request_over_the_wrap() -> None:
    request = DropRequest(0x7FFFFFF0, 5)
    assert DropRequest.decode(request.encode()) == request


def test_drop_requests_of_other_lengths() -> None:
    (facts,) = [entry for entry in vectors("malformed") if "DROPREQ" in entry["description"]]
    for size in [*facts["expected_fields"]["dropreq_bad_lengths"], 12]:
        with pytest.raises(MalformedPacket, match=f"{size} bytes"):
            DropRequest.decode(bytes(size))


@pytest.mark.parametrize("body", ["00000005 00000004", "80000001 00000002", "00000001 80000002", "00000000 40000000"])
def test_drop_requests_without_sense(body: str) -> None:
    with pytest.raises(MalformedPacket, match="no range"):
        DropRequest.decode(bytes.fromhex(body))


@given(SEQ, st.integers(0, (1 << 30) - 1))
def test_drop_requests_round_trip(first: int, steps: int) -> None:
    request = DropRequest(first, forward(first, steps))
    assert DropRequest.decode(request.encode()) == request


@given(st.binary(min_size=8, max_size=8))
def test_garbage_is_malformed_or_a_drop_request(body: bytes) -> None:
    try:
        request = DropRequest.decode(body)
    except MalformedPacket:
        return
    assert request.encode() == body


def test_padding_is_one_word_of_zeros() -> None:
    (vector,) = vectors("shutdown_cif")
    assert bytes.fromhex(vector["hex"]) == PADDING


def test_values_do_not_change() -> None:
    with pytest.raises(AttributeError):
        Ack(1).seq = 2  # type: ignore[misc]
