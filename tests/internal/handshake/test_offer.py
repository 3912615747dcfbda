"""Reading the blocks of a conclusion: any order, unknown ones, doubles, liars."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.handshake.offer import REQUEST, RESPONSE, SRT_VERSION, Offer, read_offer
from srtpy.internal.packet.extensions import GroupExtension, SrtExtension, encode_text
from srtpy.internal.packet.handshake import Extension, encode_extensions
from srtpy.internal.packet.header import HEADER_SIZE, MalformedPacket
from tests.vectors import vectors

SETTINGS = SrtExtension(SRT_VERSION, 0xBF, 120, 80)
HSREQ = Extension(1, SETTINGS.encode())
KEYS = Extension(3, bytes(range(72)))
TEXT = Extension(5, encode_text("live/a"))
LIVE = Extension(6, encode_text("live"))
FILTER = Extension(7, encode_text("fec,cols:10"))
GROUP = Extension(8, GroupExtension(0x40000001, 1, 0, 0).encode())
UNKNOWN = Extension(0xBD01, bytes(16))
ALL = (HSREQ, KEYS, TEXT, LIVE, FILTER, GROUP, UNKNOWN)


def test_everything() -> None:
    offer = read_offer(7, encode_extensions(ALL), REQUEST)
    assert offer == Offer(SETTINGS, "live/a", "live", "fec,cols:10", GroupExtension(0x40000001, 1, 0, 0), KEYS.body)


def test_the_order_does_not_matter() -> None:
    expected = read_offer(7, encode_extensions((HSREQ, TEXT, KEYS, UNKNOWN)), REQUEST)
    for order in permutations((HSREQ, TEXT, KEYS, UNKNOWN)):
        assert read_offer(7, encode_extensions(order), REQUEST) == expected


def test_of_two_alike_the_first_counts() -> None:
    again = Extension(5, encode_text("other"))
    assert read_offer(7, encode_extensions((KEYS, TEXT, again, HSREQ)), REQUEST).stream_id == "live/a"


def test_what_is_not_announced_does_not_count() -> None:
    assert read_offer(1, encode_extensions(ALL), REQUEST) == Offer(SETTINGS)


def test_responses_have_their_own_kinds() -> None:
    answer = Extension(2, SETTINGS.encode()), Extension(4, b"\x03\0\0\0")
    offer = read_offer(3, encode_extensions(answer), RESPONSE)
    assert offer == Offer(SETTINGS, key_material=b"\x03\0\0\0")
    with pytest.raises(MalformedPacket):
        read_offer(3, encode_extensions(answer), REQUEST)


@pytest.mark.parametrize(
    ("announced", "blocks"),
    [
        (1, ()),
        (1, (TEXT,)),
        (5, (TEXT,)),
        (0, (HSREQ,)),
        (2, (KEYS,)),
        (3, (HSREQ,)),
        (1, (Extension(1, SETTINGS.encode()[:8]),)),
        (5, (HSREQ, Extension(5, bytes(516)))),
        (5, (HSREQ, Extension(6, bytes(20)))),
        (5, (HSREQ, Extension(7, bytes(68)))),
        (5, (HSREQ, Extension(8, bytes(4)))),
    ],
)
def test_malformed(announced: int, blocks: tuple[Extension, ...]) -> None:
    with pytest.raises(MalformedPacket):
        read_offer(announced, encode_extensions(blocks), REQUEST)


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"caf\xe9", "caf\udce9"),
        (b"a\0b", "a\0b"),
        (b"\x1b[31mred", "\x1b[31mred"),
        (b"%00%2e", "%00%2e"),
        ("ü€".encode(), "ü€"),
    ],
)
def test_hostile_row_7_stream_ids(raw: bytes, text: str) -> None:
    body = encode_text(raw.decode("utf-8", "surrogateescape"))
    assert read_offer(5, encode_extensions((HSREQ, Extension(5, body))), REQUEST).stream_id == text


@given(st.integers(0, 7), st.binary(max_size=120), st.sampled_from([REQUEST, RESPONSE]))
def test_garbage_is_malformed_or_an_offer(announced: int, blocks: bytes, readers: object) -> None:
    for data in (blocks, encode_extensions((HSREQ,)) + blocks):
        try:
            offer = read_offer(announced, data, readers)  # type: ignore[arg-type]
        except MalformedPacket:
            continue
        assert isinstance(offer, Offer)


def test_captured_conclusions() -> None:
    """Conclusions of libsrt and ffmpeg, found in other implementations' tests."""
    seen = []
    for entry in vectors("control_packet"):
        fields = entry["expected_fields"].get("handshake")
        if fields and fields["version"] == 5:
            body = bytes.fromhex(entry["hex"])[HEADER_SIZE:]
            readers = RESPONSE if body[48:50] == b"\0\2" else REQUEST
            offer = read_offer(fields["extension_field"], body[48:], readers)
            seen.append((offer.settings.version, offer.stream_id, offer.key_material is not None))
    assert seen == [
        (0x010301, None, False),
        (0x010401, "abcdefghij", False),
        (0x010301, None, True),
        (0x010301, None, True),
        (0x010402, "#!::u=hex", True),
    ]
