"""What is inside extension blocks: settings, texts with reversed words, groups, addresses."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.packet.extensions import (
    LONGEST_STREAM_ID,
    GroupExtension,
    SrtExtension,
    decode_text,
    encode_text,
    peer_address_field,
)
from srtpy.internal.packet.header import MalformedPacket
from tests.vectors import vectors

WORD = st.integers(0, 0xFFFFFFFF)
HALF = st.integers(0, 0xFFFF)
BYTE = st.integers(0, 0xFF)


def test_settings_of_a_live_caller() -> None:
    assert SrtExtension(0x010505, 0xBF, 120, 0).encode().hex() == "00010505000000bf00780000"
    assert SrtExtension.decode(bytes.fromhex("00010505000000bf00780050")) == SrtExtension(0x010505, 0xBF, 120, 80)


@given(st.builds(SrtExtension, WORD, WORD, HALF, HALF), st.binary(max_size=8))
def test_settings_round_trip_and_later_words_are_left_alone(settings: SrtExtension, more: bytes) -> None:
    assert SrtExtension.decode(settings.encode() + more) == settings


@pytest.mark.parametrize("size", [0, 4, 8, 11])
def test_settings_of_less_than_three_words(size: int) -> None:
    with pytest.raises(MalformedPacket):
        SrtExtension.decode(bytes(size))


def test_group_block() -> None:
    group = GroupExtension(0x40001234, 1, 0, 1)
    assert group.encode().hex() == "4000123401000001"
    assert GroupExtension.decode(group.encode()) == group


@given(st.builds(GroupExtension, WORD, BYTE, BYTE, HALF))
def test_group_round_trip(group: GroupExtension) -> None:
    assert GroupExtension.decode(group.encode()) == group


@pytest.mark.parametrize("size", [0, 4, 7])
def test_group_of_less_than_two_words(size: int) -> None:
    with pytest.raises(MalformedPacket):
        GroupExtension.decode(bytes(size))


@pytest.mark.parametrize("entry", vectors("streamid_wire"), ids=lambda entry: entry["expected_fields"]["text"])
def test_known_texts(entry: dict[str, dict[str, str]]) -> None:
    wire = bytes.fromhex(str(entry["hex"]))
    assert encode_text(entry["expected_fields"]["text"]) == wire
    assert decode_text(wire) == entry["expected_fields"]["text"]


@pytest.mark.parametrize(
    ("text", "wire"),
    [
        ("#!::u=me", "3a3a2123656d3d75"),
        ("abcdefg", "6463626100676665"),
        ("file", "656c6966"),
        ("fec,cols:10,rows:5", "2c636566736c6f632c30313a73776f720000353a"),
        (
            "fec,arq:onreq,cols:4,layout:staircase,rows:1",
            "2c6365663a71726165726e6f6f632c71343a736c79616c2c3a74756f69617473736163726f722c65313a7377",
        ),
        ("", ""),
    ],
)
def test_texts_seen_on_the_wire(text: str, wire: str) -> None:
    assert encode_text(text).hex() == wire
    assert decode_text(bytes.fromhex(wire)) == text


@given(st.text(max_size=128).filter(lambda text: not text.endswith("\0")))
def test_text_round_trip(text: str) -> None:
    assert decode_text(encode_text(text)) == text


@pytest.mark.parametrize("length", [0, 1, 2, 3, 4, 5, 6, 7, 8, 511, 512])
def test_every_length_round_trips(length: int) -> None:
    assert len(encode_text("x" * length)) == -(-length // 4) * 4
    assert decode_text(encode_text("x" * length)) == "x" * length


@given(st.binary(max_size=64).map(lambda data: data + bytes(-len(data) % 4)))
def test_any_bytes_survive_as_text(body: bytes) -> None:
    again = encode_text(decode_text(body))
    assert again == body[: len(again)]
    assert decode_text(again) == decode_text(body)


def test_text_that_is_too_long_or_broken() -> None:
    with pytest.raises(ValueError, match="513 bytes"):
        encode_text("x" * 513)
    with pytest.raises(ValueError, match="does not fit"):
        encode_text("ü" * 9, 16)
    with pytest.raises(MalformedPacket):
        decode_text(bytes(LONGEST_STREAM_ID + 4))
    with pytest.raises(MalformedPacket):
        decode_text(bytes(7))


@pytest.mark.parametrize(
    ("host", "wire"),
    [
        ("127.0.0.1", "0100007f000000000000000000000000"),
        ("192.168.1.20", "1401a8c0000000000000000000000000"),
        ("192.168.0.1", "0100a8c0000000000000000000000000"),
        ("2001:db8::1", "b80d0120000000000000000001000000"),
        ("::1", "00000000000000000000000001000000"),
    ],
)
def test_peer_address(host: str, wire: str) -> None:
    assert peer_address_field(ip_address(host).packed).hex() == wire


def test_no_peer_address() -> None:
    assert peer_address_field(b"") == bytes(16)
