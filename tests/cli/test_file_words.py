"""The words of a file transfer: what is written is read again, and garbage is `MalformedFrame`."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.cli.file_words import (
    FROM_RECEIVER,
    FROM_SENDER,
    LARGEST_FILE,
    LONGEST_BODY,
    LONGEST_DATA,
    Answer,
    Done,
    End,
    Farewell,
    FrameReader,
    Kind,
    Leave,
    MalformedFrame,
    Offer,
    Rest,
    Same,
    Start,
    Verdict,
    Word,
    data_frame,
    frame,
)

INDEX = st.integers(0, (1 << 32) - 1)
SIZE = st.integers(0, LARGEST_FILE)
DIGEST = st.binary(min_size=32, max_size=32)
MTIME = st.integers(-(1 << 63), (1 << 63) - 1)
SENDERS: st.SearchStrategy[Word] = st.one_of(
    st.builds(Offer, INDEX, st.just(Kind.FILE), st.integers(0, 0xFFFF), SIZE, MTIME, st.binary(min_size=1, max_size=9)),
    st.builds(Start, INDEX, SIZE),
    st.builds(End, INDEX, SIZE, DIGEST),
    st.builds(Leave, INDEX, st.sampled_from(Rest)),
    st.builds(Same, INDEX),
    st.just(Farewell()),
)
RECEIVERS: st.SearchStrategy[Word] = st.one_of(
    st.builds(Answer, INDEX, st.sampled_from(Verdict), SIZE, DIGEST),
    st.builds(Done, INDEX, st.sampled_from(Verdict)),
    st.just(Farewell()),
)


def sender_reader() -> FrameReader:
    return FrameReader(FROM_SENDER, has_data=True)


def collected(reader: FrameReader, parts: list[bytes]) -> list[Word | bytes]:
    """Return what is read, pieces of one file joined."""
    found: list[Word | bytes] = []
    for part in parts:
        for each in reader.feed(part):
            if isinstance(each, bytes) and found and isinstance(found[-1], bytes):
                found[-1] += each
            else:
                found.append(each)
    return found


@given(words=st.lists(st.one_of(SENDERS, st.binary(min_size=1, max_size=50))), cut=st.integers(1, 100))
def test_what_a_sender_says_is_read_however_it_is_cut(words: list[Word | bytes], cut: int) -> None:
    said = b"".join(data_frame(word) if isinstance(word, bytes) else frame(word) for word in words)
    joined: list[Word | bytes] = []
    for word in words:
        if isinstance(word, bytes) and joined and isinstance(joined[-1], bytes):
            joined[-1] += word
        else:
            joined.append(word)
    assert collected(sender_reader(), [said[at : at + cut] for at in range(0, len(said), cut)]) == joined


@given(words=st.lists(RECEIVERS))
def test_what_a_receiver_says_is_read(words: list[Word]) -> None:
    assert list(FrameReader(FROM_RECEIVER, has_data=False).feed(b"".join(map(frame, words)))) == words


@given(garbage=st.binary(max_size=200), kind=st.sampled_from([1, 2, 3, 5, 6, 7, 16, 17]))
def test_garbage_is_malformed_or_says_the_same_again(garbage: bytes, kind: int) -> None:
    kinds = {**FROM_SENDER, **FROM_RECEIVER}
    try:
        word = kinds[kind].decode(garbage)
    except MalformedFrame:
        return
    assert word.encode() == garbage


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (struct.pack(">BI", 1, LONGEST_BODY + 1), "is the most"),
        (struct.pack(">BI", 4, LONGEST_DATA + 1), "is the most"),
        (struct.pack(">BI", 4, 0xFFFFFFFF), "is the most"),
        (struct.pack(">BI", 16, 45), "unknown"),
        (struct.pack(">BI", 99, 0), "unknown"),
    ],
)
def test_what_is_too_long_or_unknown_is_refused_by_its_head(head: bytes, says: str) -> None:
    with pytest.raises(MalformedFrame, match=says):
        list(sender_reader().feed(head))


def test_a_receiver_sends_no_files() -> None:
    with pytest.raises(MalformedFrame, match="kind 4 is unknown"):
        list(FrameReader(FROM_RECEIVER, has_data=False).feed(data_frame(b"x")))


def test_no_more_than_a_word_is_held() -> None:
    reader = sender_reader()
    assert list(reader.feed(struct.pack(">BI", 1, LONGEST_BODY) + bytes(LONGEST_BODY - 1))) == []
    assert len(reader._rest) < 2 * LONGEST_BODY
    pieces = list(sender_reader().feed(struct.pack(">BI", 4, LONGEST_DATA) + bytes(100)))
    assert pieces == [bytes(100)], "what there is of a piece is passed on at once"


@pytest.mark.parametrize(
    "offer",
    [
        Offer(0, Kind.FILE, 0, 0, 0, b""),
        Offer(0, Kind.FILE, 0, LARGEST_FILE + 1, 0, b"a"),
        Offer(0, Kind.FOLDER, 0, 1, 0, b"a"),
        Offer(0, Kind.FILE, 0, 1, 0, b"a" * 4097),
    ],
)
def test_offers_that_cannot_be(offer: Offer) -> None:
    with pytest.raises(MalformedFrame):
        Offer.decode(offer.encode())
