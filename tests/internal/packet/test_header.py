"""The header's words against packets captured and written down by others."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.packet.header import (
    CONTROL,
    HEADER,
    HEADER_SIZE,
    IN_ORDER,
    KEY_EVEN,
    KEY_MASK,
    KEY_ODD,
    MESSAGE_MASK,
    POSITION_FIRST,
    POSITION_LAST,
    POSITION_MASK,
    POSITION_MIDDLE,
    POSITION_SINGLE,
    RETRANSMITTED,
    ControlType,
    MalformedPacket,
    control_kind,
    control_subtype,
    pack_control_header,
)
from tests.vectors import vectors

WORD = st.integers(0, 0xFFFFFFFF)


def data_fields(first: int, information: int) -> dict[str, int]:
    """Return the first two words of a data packet by the vectors' names."""
    return {
        "seq": first,
        "pp": (information & POSITION_MASK) >> 30,
        "order": int(bool(information & IN_ORDER)),
        "kk": (information & KEY_MASK) >> 27,
        "rexmit": int(bool(information & RETRANSMITTED)),
        "msgno": information & MESSAGE_MASK,
    }


def control_fields(packet: bytes) -> dict[str, Any]:
    """Return a control packet's header by the vectors' names."""
    first, information, stamp, destination = HEADER.unpack_from(packet)
    return {
        "control": first >= CONTROL,
        "type": control_kind(first),
        "subtype": control_subtype(first),
        "type_specific": information,
        "timestamp": stamp,
        "dest_id": destination,
    }


def agrees(found: dict[str, Any], told: dict[str, Any]) -> bool:
    return all(found[name] == told[name] for name in told if name in found)


def described(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("vector", vectors(kind), ids=lambda vector: vector["description"][:40])


@described("packet_header")
def test_header_vectors(vector: dict[str, Any]) -> None:
    packet, told = bytes.fromhex(vector["hex"]), vector["expected_fields"]
    if told.get("control"):
        assert agrees(control_fields(packet), told)
        assert pack_control_header(told["type"], told["type_specific"], 0, 0, told["subtype"]) == packet
        return
    first, information = HEADER.unpack_from(packet.ljust(HEADER_SIZE, b"\0"))[:2]
    assert first < CONTROL
    assert data_fields(first, information) == {name: told[name] for name in data_fields(0, 0)}


@described("control_packet")
def test_control_packet_vectors(vector: dict[str, Any]) -> None:
    packet, told = bytes.fromhex(vector["hex"]), vector["expected_fields"]
    header = told.get("header", told)
    found = control_fields(packet)
    assert agrees(found, header)
    assert found["type_specific"] == told.get("ack_number", found["type_specific"])
    kind, stamp = found["type"], found["timestamp"]
    made = pack_control_header(kind, found["type_specific"], stamp, found["dest_id"], found["subtype"])
    assert made == packet[:HEADER_SIZE]


@pytest.mark.parametrize(
    ("packet", "words"),
    [
        (
            "12345678 c8000001 000f4240 2bf2e4fc",
            (0x12345678, POSITION_SINGLE | KEY_EVEN | 1, 1_000_000, 0x2BF2E4FC),
        ),
        (
            "12345678 cc000001 000f4240 2bf2e4fc",
            (0x12345678, POSITION_SINGLE | KEY_EVEN | RETRANSMITTED | 1, 1_000_000, 0x2BF2E4FC),
        ),
        (
            "7fffffff a3ffffff ffffffff 00000001",
            (0x7FFFFFFF, POSITION_FIRST | IN_ORDER | MESSAGE_MASK, 0xFFFFFFFF, 1),
        ),
        ("00000000 10000007 00000000 00000001", (0, POSITION_MIDDLE | KEY_ODD | 7, 0, 1)),
        ("00000000 40000007 00000000 00000001", (0, POSITION_LAST | 7, 0, 1)),
    ],
)
def test_data_headers_seen_on_the_wire(packet: str, words: tuple[int, int, int, int]) -> None:
    assert HEADER.unpack(bytes.fromhex(packet)) == words
    assert HEADER.pack(*words) == bytes.fromhex(packet)


@pytest.mark.parametrize(
    ("packet", "kind", "information", "subtype"),
    [
        ("80010000 00000000 0018bf04 11223344", ControlType.KEEPALIVE, 0, 0),
        ("80060000 00000001 0018bf04 11223344", ControlType.ACKACK, 1, 0),
        ("80080000 00000fa0 0018bf04 11223344", ControlType.PEERERROR, 4000, 0),
        ("ffff0004 00000000 0018bf04 11223344", ControlType.USER_DEFINED, 0, 4),
    ],
)
def test_control_headers_seen_on_the_wire(packet: str, kind: int, information: int, subtype: int) -> None:
    header = bytes.fromhex(packet)
    assert pack_control_header(kind, information, 0x18BF04, 0x11223344, subtype) == header
    first = HEADER.unpack(header)[0]
    assert (control_kind(first), control_subtype(first)) == (kind, subtype)


@given(st.integers(0, 0x7FFF), st.integers(0, 0xFFFF), WORD, WORD, WORD)
def test_control_headers_round_trip(kind: int, subtype: int, information: int, stamp: int, destination: int) -> None:
    header = pack_control_header(kind, information, stamp, destination, subtype)
    first, *rest = HEADER.unpack(header)
    assert first >= CONTROL
    assert (control_kind(first), control_subtype(first), *rest) == (kind, subtype, information, stamp, destination)


def test_the_fields_of_the_information_word_share_no_bit() -> None:
    fields = (POSITION_MASK, IN_ORDER, KEY_MASK, RETRANSMITTED, MESSAGE_MASK)
    assert sum(fields) == 0xFFFFFFFF


def test_a_malformed_packet_is_a_value_error() -> None:
    assert issubclass(MalformedPacket, ValueError)
