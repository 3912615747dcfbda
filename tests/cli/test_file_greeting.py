"""The first words: a conversation is never taken for a file, nor a file for a conversation."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from srtpy.cli.file_greeting import HelloReader, NotGreeted, Opening, OpeningReader, hello
from srtpy.cli.file_words import MalformedFrame

NONCE = bytes(range(16))
OPENING = Opening(False, b"t" * 16, 7, 1000)


def fed(reader: HelloReader | OpeningReader, data: bytes, cut: int) -> bytes:
    return b"".join(reader.feed(data[at : at + cut]) for at in range(0, len(data), cut))


@given(cut=st.integers(1, 80), rest=st.binary(max_size=20))
def test_both_sides_understand_each_other(cut: int, rest: bytes) -> None:
    sender = HelloReader()
    assert fed(sender, hello(NONCE) + rest, cut) == rest
    assert sender.nonce == NONCE
    receiver = OpeningReader(NONCE)
    assert fed(receiver, OPENING.encode(sender.nonce) + rest, cut) == rest
    assert receiver.opening == OPENING
    assert not receiver.is_bare
    assert receiver.end() == b""


@given(data=st.binary(min_size=1, max_size=200), cut=st.integers(1, 80))
def test_a_file_is_a_file_to_its_last_byte(data: bytes, cut: int) -> None:
    assume(not data.startswith(hello(NONCE)[:12]))  # refused, see below, rather than misread
    reader = OpeningReader(NONCE)
    heard = fed(reader, data, cut)
    heard = heard or reader.end()
    assert reader.is_bare
    assert heard == data


@pytest.mark.parametrize("cut", [1, 5, 1000])
def test_a_recorded_conversation_is_a_file(cut: int) -> None:
    recorded = OPENING.encode(b"another number!!") + bytes(100)
    reader = OpeningReader(NONCE)
    assert fed(reader, recorded, cut) == recorded
    assert reader.is_bare


@pytest.mark.parametrize("length", [32, 63])
def test_an_opening_that_breaks_off_is_no_file(length: int) -> None:
    reader = OpeningReader(NONCE)
    assert reader.feed(OPENING.encode(NONCE)[:length]) == b""
    assert reader.end() == b""
    assert not reader.is_bare


@pytest.mark.parametrize("length", [0, 1, 12, 31])
def test_a_very_short_file_is_a_file(length: int) -> None:
    data = OPENING.encode(NONCE)[:length]
    reader = OpeningReader(NONCE)
    assert reader.feed(data) == b""
    assert reader.end() == data


@pytest.mark.parametrize("cut", [1, 9, 100])
def test_two_receivers_are_told(cut: int) -> None:
    with pytest.raises(NotGreeted, match="the other side receives, too"):
        fed(OpeningReader(NONCE), hello(NONCE), cut)


@pytest.mark.parametrize("data", [b"GIF89a", OPENING.encode(NONCE), b"\x8bsrtpy-send"])
def test_two_senders_are_told(data: bytes) -> None:
    with pytest.raises(NotGreeted, match="the other side sends, too"):
        HelloReader().feed(data)


@pytest.mark.parametrize(
    "opening",
    [
        Opening(True, bytes(16), 2, 0),
        Opening(True, bytes(16), 0, 0),
        Opening(False, bytes(16), 1 << 33, 0),
    ],
)
def test_openings_that_cannot_be(opening: Opening) -> None:
    with pytest.raises(MalformedFrame):
        OpeningReader(NONCE).feed(opening.encode(NONCE))


def test_another_version_is_told() -> None:
    data = bytearray(OPENING.encode(NONCE))
    data[12] = 2
    with pytest.raises(MalformedFrame, match="version 2"):
        OpeningReader(NONCE).feed(bytes(data))
    assert HelloReader().feed(hello(NONCE)[:12] + b"\x02" + hello(NONCE)[13:] + b"x") == b"x", "newer receivers know us"
    with pytest.raises(NotGreeted, match="version 0"):
        HelloReader().feed(hello(NONCE)[:12] + b"\0" + hello(NONCE)[13:])
