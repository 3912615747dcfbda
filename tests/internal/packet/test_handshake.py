"""The twelve words and the blocks after them, against known answers and garbage."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.packet.handshake import (
    FIRST_REJECTION,
    HANDSHAKE_SIZE,
    Extension,
    Handshake,
    HandshakeKind,
    decode_extensions,
    encode_extensions,
)
from srtpy.internal.packet.header import HEADER_SIZE, MalformedPacket
from tests.vectors import vectors

WORD = st.integers(0, 0xFFFFFFFF)
HALF = st.integers(0, 0xFFFF)
BLOCKS = st.lists(
    st.builds(Extension, HALF, st.integers(0, 5).flatmap(lambda n: st.binary(min_size=4 * n, max_size=4 * n))),
    max_size=5,
).map(tuple)
HANDSHAKES = st.builds(
    Handshake,
    version=WORD,
    encryption=HALF,
    extension=HALF,
    isn=WORD,
    mss=WORD,
    flow_window=WORD,
    kind=st.integers(-(1 << 31), (1 << 31) - 1),
    socket_id=WORD,
    cookie=WORD,
    peer_address=st.binary(min_size=16, max_size=16),
    extensions=BLOCKS,
)
PLAIN = Handshake(version=5, isn=7, mss=1500, flow_window=8192, kind=-1, socket_id=9, cookie=3)


def captured() -> list[tuple[bytes, dict[str, Any]]]:
    """Bodies and what they mean, from bodies alone and from whole packets."""
    found = [(bytes.fromhex(entry["hex"]), entry["expected_fields"]) for entry in vectors("handshake_cif")]
    packets = [entry for entry in vectors("control_packet") if "handshake" in entry["expected_fields"]]
    found += [(bytes.fromhex(entry["hex"])[HEADER_SIZE:], entry["expected_fields"]["handshake"]) for entry in packets]
    return found


@pytest.mark.parametrize(("body", "fields"), captured())
def test_known_answers(body: bytes, fields: dict[str, Any]) -> None:
    read = Handshake.decode(body)
    assert (read.version, read.encryption, read.extension) == (
        fields["version"],
        fields["encryption_field"],
        fields["extension_field"],
    )
    assert (read.isn, read.mss, read.flow_window) == (fields["isn"], fields["mss"], fields["fc"])
    assert read.kind & 0xFFFFFFFF == int(fields["handshake_type"], 0)
    assert read.socket_id == fields["socket_id"]
    assert read.cookie == int(fields["cookie"], 0)
    assert read.peer_address.hex() == fields["peer_ip_raw"]
    assert len(read.extensions) == len(fields["extensions"])
    assert read.encode() == body


@pytest.mark.parametrize(
    ("kind", "wire"),
    [
        (HandshakeKind.CONCLUSION, "ffffffff"),
        (HandshakeKind.AGREEMENT, "fffffffe"),
        (HandshakeKind.DONE, "fffffffd"),
        (HandshakeKind.WAVEAHAND, "00000000"),
        (HandshakeKind.INDUCTION, "00000001"),
        (1010, "000003f2"),
    ],
)
def test_the_type_is_a_signed_word(kind: int, wire: str) -> None:
    assert dataclasses.replace(PLAIN, kind=kind).encode()[20:24].hex() == wire


@given(HANDSHAKES)
def test_round_trip(handshake: Handshake) -> None:
    assert Handshake.decode(handshake.encode()) == handshake
    assert handshake.is_rejection == (handshake.kind >= FIRST_REJECTION)


@given(st.binary(max_size=200))
def test_garbage_is_malformed_or_comes_back(body: bytes) -> None:
    try:
        handshake = Handshake.decode(body)
    except MalformedPacket:
        return
    assert handshake.encode() == body


@given(HANDSHAKES, st.integers(0, 200))
def test_a_cut_handshake_is_malformed_or_shorter(handshake: Handshake, length: int) -> None:
    body = handshake.encode()[:length]
    try:
        assert Handshake.decode(body).encode() == body
    except MalformedPacket:
        assert len(body) < HANDSHAKE_SIZE or len(body) < len(handshake.encode())


@given(HANDSHAKES)
def test_the_first_48_bytes_can_be_read_alone(handshake: Handshake) -> None:
    read = Handshake.decode(handshake.encode()[:HANDSHAKE_SIZE])
    assert read == dataclasses.replace(handshake, extensions=())


@pytest.mark.parametrize("size", [0, 1, 47])
def test_too_short(size: int) -> None:
    with pytest.raises(MalformedPacket, match=f"{size} bytes"):
        Handshake.decode(bytes(size))


@pytest.mark.parametrize("blocks", ["00", "000100", "00010001", "0001000300000000", "0005ffff" + "00" * 64])
def test_a_block_that_does_not_fit(blocks: str) -> None:
    with pytest.raises(MalformedPacket):
        decode_extensions(bytes.fromhex(blocks))


def test_unknown_blocks_are_kept_in_order() -> None:
    blocks = (Extension(0xBD01, bytes(16)), Extension(5, b"dcba"), Extension(0, b""), Extension(5, b"xxxx"))
    assert decode_extensions(encode_extensions(blocks)) == blocks
