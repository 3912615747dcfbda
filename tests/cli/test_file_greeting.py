"""The first words: a conversation is never taken for a file, nor a file for a conversation."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.cli.file_greeting import MOST_FILES, HelloReader, NotGreeted, Opening, OpeningReader, Veil, hello
from srtpy.cli.file_words import MalformedFrame

NONCE = bytes(range(16))
OPENING = Opening(False, b"t" * 16, 7, 5, 1000)


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
    reader = OpeningReader(NONCE)
    heard = fed(reader, data, cut)
    heard = heard or reader.end()
    assert reader.is_bare
    assert heard == data


@pytest.mark.parametrize("length", [0, 1, 23, 24, 100])
def test_a_recorded_conversation_is_refused_or_a_file(length: int) -> None:
    recorded = OPENING.encode(b"another number!!")[:length]
    reader = OpeningReader(NONCE)
    if length >= 24:
        with pytest.raises(NotGreeted):
            reader.feed(recorded)
    else:
        assert reader.feed(recorded) == b""
        assert reader.end() == recorded


@pytest.mark.parametrize("length", [24, 50])
def test_an_opening_that_breaks_off_is_no_file(length: int) -> None:
    reader = OpeningReader(NONCE)
    assert reader.feed(OPENING.encode(NONCE)[:length]) == b""
    assert reader.end() == b""
    assert not reader.is_bare


@pytest.mark.parametrize("cut", [1, 9, 100])
def test_two_receivers_are_told(cut: int) -> None:
    with pytest.raises(NotGreeted, match="the other side receives, too"):
        fed(OpeningReader(NONCE), hello(b"another number!!"), cut)


def test_two_senders_are_told() -> None:
    with pytest.raises(NotGreeted, match="the other side sends, too"):
        HelloReader().feed(b"GIF89a and what else is in a picture")


@pytest.mark.parametrize(
    "opening",
    [
        Opening(True, bytes(16), 2, 2, 0),
        Opening(False, bytes(16), 0, 0, 0),
        Opening(False, bytes(16), 1, 2, 0),
        Opening(False, bytes(16), MOST_FILES + 1, 0, 0),
    ],
)
def test_openings_that_cannot_be(opening: Opening) -> None:
    with pytest.raises(MalformedFrame):
        OpeningReader(NONCE).feed(opening.encode(NONCE))


def test_another_version_is_told() -> None:
    data = bytearray(OPENING.encode(NONCE))
    data[24] = 2
    with pytest.raises(MalformedFrame, match="version 2"):
        OpeningReader(NONCE).feed(bytes(data))


@given(said=st.lists(st.binary(max_size=100)), cut=st.integers(1, 50))
def test_a_veil_is_taken_away_however_it_is_cut(said: list[bytes], cut: int) -> None:
    over, off = Veil(NONCE), Veil(NONCE)
    veiled = b"".join(map(over.over, said))
    assert b"".join(off.over(veiled[at : at + cut]) for at in range(0, len(veiled), cut)) == b"".join(said)


def test_the_difference_of_what_both_say_shows_nothing() -> None:
    # what AES-CTR leaves to whoever listens: both directions, each packet against the other's of the same number
    nonce = bytes(range(100, 116))
    difference = bytes(a ^ b for a, b in zip(hello(nonce), OPENING.encode(nonce), strict=False))
    assert difference == bytes(len(hello(nonce))), "not even the number"
    veiled = Veil(nonce).over(bytes(10_000))
    assert len({veiled[at : at + 16] for at in range(0, 10_000, 16)}) == 625
    assert abs(sum(map(int.bit_count, veiled)) - 40_000) < 1_000
    assert Veil(NONCE).over(bytes(32)) != veiled[:32]
