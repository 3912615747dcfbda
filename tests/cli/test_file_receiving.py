"""A hostile sender: nothing it says writes outside the folder, holds memory or ends in anything but a complaint."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtpy.cli.file_greeting import Opening, Veil
from srtpy.cli.file_names import partial_name
from srtpy.cli.file_outcome import Status, Tally
from srtpy.cli.file_receiving import PROMISES, RIPE, ReceivingTalk, Reception
from srtpy.cli.file_store import Folder, Incoming, Store
from srtpy.cli.file_words import (
    FROM_RECEIVER,
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

DATA = b"0123456789"
WHOLE = End(0, 10, hashlib.sha256(DATA).digest())


class Listening:
    """A receiver, and what it says."""

    def __init__(self, folder: Path, *, count: int = 8, replaces: bool = False) -> None:
        self.folder = folder / "in"
        self.news: list[str] = []
        self.tally = Tally(self.news.append)
        reception = Reception(Store(str(self.folder), replaces=replaces), self.tally)
        reception.open(Opening(False, bytes(16), count, count, 100))
        self.talk = ReceivingTalk(reception, bytes(16))
        self._veil = Veil(bytes(16))
        self._reader = FrameReader(FROM_RECEIVER, has_data=False)

    def hear(self, *words: Word | bytes) -> list[Word | bytes]:
        self.talk.receive(b"".join(data_frame(each) if isinstance(each, bytes) else frame(each) for each in words))
        return list(self._reader.feed(self._veil.over(self.talk.take_said())))


@pytest.fixture
def receiver(tmp_path: Path) -> Iterator[Listening]:
    made = Listening(tmp_path)
    yield made
    made.talk.close()


def offer(name: bytes = b"f", *, index: int = 0, size: int = 10, kind: Kind = Kind.FILE) -> Offer:
    return Offer(index, kind, 0o644, size, 0, name)


def test_a_file(receiver: Listening) -> None:
    assert receiver.hear(offer()) == [Answer(0, Verdict.WELCOME)]
    assert receiver.hear(Start(0, 0), DATA[:3], DATA[3:]) == []
    assert receiver.hear(WHOLE) == [Done(0, Verdict.WHOLE)]
    assert (receiver.folder / "f").read_bytes() == DATA


@pytest.mark.parametrize(
    "name", [b"../f", b"/etc/f", b"a/../../f", b"a\\f", b"C:f", b"\x1b[2Jf", b"a//f", b".f.srtpy-part"]
)
@pytest.mark.parametrize("kind", list(Kind))
def test_names_that_lead_elsewhere_are_refused_and_shown_harmless(
    receiver: Listening, tmp_path: Path, name: bytes, kind: Kind
) -> None:
    told = receiver.hear(offer(name, size=0, kind=kind))
    assert told == [Done(0, Verdict.NAME) if kind is Kind.FOLDER else Answer(0, Verdict.NAME)]
    assert list(tmp_path.iterdir()) == [receiver.folder]
    assert list(receiver.folder.iterdir()) == []
    assert all(line.isprintable() for line in receiver.news)
    with pytest.raises(MalformedFrame):
        receiver.hear(Start(0, 0))


@pytest.mark.parametrize(
    "words",
    [
        (Start(0, 0),),
        (Same(0),),
        (DATA,),
        (WHOLE,),
        (Farewell(),),
        (offer(index=8),),
        (offer(), offer()),
        (offer(), Start(0, 1)),
        (offer(), Start(0, 0), DATA, b"more"),
        (offer(), Start(0, 0), Start(0, 0)),
        (offer(), offer(b"g", index=1), Start(0, 0), Start(1, 0)),
        (offer(), Start(0, 0), offer()),
        (offer(), Start(0, 0), DATA, End(1, 10, bytes(32))),
        (offer(), Start(0, 0), DATA, End(0, 9, bytes(32))),
        (offer(), Same(0)),
        (offer(), Start(0, 0), Farewell()),
        (offer(kind=Kind.FOLDER, size=0), Start(0, 0)),
    ],
    ids=lambda words: "-".join(type(word).__name__ for word in words),
)
def test_words_out_of_turn_are_a_complaint(receiver: Listening, words: tuple[Word | bytes, ...]) -> None:
    with pytest.raises(MalformedFrame):
        receiver.hear(*words)
    assert not (receiver.folder / "f").exists() or (receiver.folder / "f").is_dir()


def test_a_file_that_ends_early_or_with_another_digest_has_no_name(receiver: Listening) -> None:
    receiver.hear(offer())
    assert receiver.hear(Start(0, 0), DATA[:5], WHOLE) == [Done(0, Verdict.DIFFERS)]
    assert list(receiver.folder.iterdir()) == []
    receiver.hear(offer())
    assert receiver.hear(Start(0, 0), DATA, End(0, 10, bytes(32))) == [Done(0, Verdict.DIFFERS)]
    assert list(receiver.folder.iterdir()) == []
    assert receiver.tally.status() is Status.CHECKSUM


def test_what_is_there_is_not_touched_by_a_sender_that_goes_on_regardless(tmp_path: Path) -> None:
    receiver = Listening(tmp_path)
    (receiver.folder / "f").write_bytes(b"precious!!")
    digest = hashlib.sha256(b"precious!!").digest()
    assert receiver.hear(offer()) == [Answer(0, Verdict.COMPARE, 10, digest)]
    with pytest.raises(MalformedFrame):
        receiver.hear(Start(0, 0), DATA, WHOLE)
    assert (receiver.folder / "f").read_bytes() == b"precious!!"


def test_offers_are_bounded(tmp_path: Path) -> None:
    receiver = Listening(tmp_path, count=PROMISES + 1)
    for index in range(PROMISES):
        receiver.hear(offer(b"f%d" % index, index=index, size=0))
    with pytest.raises(MalformedFrame, match="offers at once"):
        receiver.hear(offer(b"one more", index=PROMISES, size=0))


def test_a_size_beyond_any_disk_is_refused(receiver: Listening) -> None:
    assert receiver.hear(offer(size=1 << 62)) == [Answer(0, Verdict.NO_ROOM)]
    assert receiver.tally.status() is Status.DISK


def test_promises_count_against_the_room(receiver: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "room", lambda store: 25)
    told = receiver.hear(*[offer(b"f%d" % index, index=index) for index in range(3)])
    assert [each.verdict for each in told if isinstance(each, Answer)] == [
        Verdict.WELCOME,
        Verdict.WELCOME,
        Verdict.NO_ROOM,
    ]
    assert receiver.hear(Leave(0, Rest.KEEP), offer(b"f2", index=2)) == [Answer(2, Verdict.WELCOME)]


def test_a_folder_that_is_a_link_is_not_entered(receiver: Listening, tmp_path: Path) -> None:
    (receiver.folder / "way").symlink_to(tmp_path)
    assert receiver.hear(offer(b"way/out")) == [Answer(0, Verdict.IN_THE_WAY)]
    assert receiver.hear(offer(b"way", kind=Kind.FOLDER, size=0)) == [Done(0, Verdict.IN_THE_WAY)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in"]


def test_a_full_disk_ends_it_and_keeps_what_there_is(receiver: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver.hear(offer())
    receiver.hear(Start(0, 0), DATA[:5])

    def full(incoming: object, piece: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Incoming, "write", full)
    assert receiver.hear(DATA[5:], WHOLE) == [Done(0, Verdict.NO_ROOM)]
    assert receiver.talk.failure is not None
    assert receiver.talk.failure.status is Status.DISK
    assert (receiver.folder / partial_name("f")).read_bytes() == DATA[:5]


def test_a_disk_that_fails_at_the_end_fails_the_file(receiver: Listening, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    receiver.hear(offer())
    assert receiver.hear(Start(0, 0), DATA, WHOLE) == [Done(0, Verdict.DISK)]
    assert not (receiver.folder / "f").exists()
    assert receiver.talk.failure is not None


def test_a_name_that_does_not_reach_the_disk_fails_the_file(
    receiver: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(folder: Folder) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(Folder, "sync", broken)
    receiver.hear(offer(), offer(b"g", index=1))
    second = Start(1, 0), DATA, End(1, 10, WHOLE.digest)
    assert receiver.hear(Start(0, 0), DATA, WHOLE, *second) == [Done(0, Verdict.DISK), Done(1, Verdict.DISK)]
    assert receiver.talk.failure is not None
    assert receiver.hear(DATA) == [], "nothing more is heard"


def test_a_file_somebody_else_receives_is_skipped_while_it_comes(tmp_path: Path) -> None:
    receiver = Listening(tmp_path)
    receiver.hear(offer(), offer(b"g", index=1))
    other = Store(str(receiver.folder), replaces=False).grow(("f",))
    assert receiver.hear(Start(0, 0), DATA) == [Done(0, Verdict.BUSY)]
    assert receiver.hear(WHOLE, Start(1, 0), DATA, End(1, 10, WHOLE.digest)) == [Done(1, Verdict.WHOLE)]
    assert (receiver.folder / "g").read_bytes() == DATA
    other.close()


def test_descriptors_are_bounded_while_many_files_become_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 3 * RIPE
    receiver = Listening(tmp_path, count=count)
    receiver.hear(*[offer(b"f%d" % index, index=index, size=0) for index in range(count)])
    most = []
    settle = ReceivingTalk._settle_ripe

    def counted(talk: ReceivingTalk) -> None:
        most.append(len(os.listdir("/proc/self/fd")))
        settle(talk)

    monkeypatch.setattr(ReceivingTalk, "_settle_ripe", counted)
    before = len(os.listdir("/proc/self/fd"))
    empty = hashlib.sha256().digest()
    told = receiver.hear(*[word for index in range(count) for word in (Start(index, 0), End(index, 0, empty))])
    assert len(told) == count
    assert max(most) <= before + RIPE + 2


SOME_WORDS: st.SearchStrategy[Word | bytes] = st.one_of(
    st.builds(
        Offer,
        st.integers(0, 3),
        st.just(Kind.FILE),
        st.integers(0, 0xFFFF),
        st.integers(0, 20),
        st.integers(-(1 << 63), (1 << 63) - 1),
        st.sampled_from([b"f", b"g/h", b"../x", b"/y", b"d", b"link/z"]),
    ),
    st.builds(Offer, st.integers(0, 3), st.just(Kind.FOLDER), st.just(0), st.just(0), st.just(0), st.just(b"d")),
    st.builds(Start, st.integers(0, 3), st.integers(0, 12)),
    st.builds(End, st.integers(0, 3), st.integers(0, 20), st.sampled_from([bytes(32), hashlib.sha256().digest()])),
    st.builds(Leave, st.integers(0, 3), st.sampled_from(Rest)),
    st.builds(Same, st.integers(0, 3)),
    st.binary(min_size=1, max_size=8),
    st.just(Farewell()),
)


@settings(max_examples=150)
@given(words=st.lists(SOME_WORDS, max_size=12), replaces=st.booleans())
def test_whatever_a_sender_says(
    tmp_path_factory: pytest.TempPathFactory, words: list[Word | bytes], replaces: bool
) -> None:
    outside = tmp_path_factory.mktemp("outside")
    receiver = Listening(outside, replaces=replaces)
    (receiver.folder / "link").symlink_to(outside)
    (outside / "z").write_bytes(b"precious")
    try:
        for word in words:
            receiver.hear(word)
    except MalformedFrame:
        pass
    finally:
        receiver.talk.close()
    assert sorted(os.listdir(outside)) == ["in", "z"]
    assert (outside / "z").read_bytes() == b"precious"
    for name in ("f", "g/h"):
        assert not (receiver.folder / name).exists() or (receiver.folder / name).read_bytes() == b""


@given(garbage=st.binary(max_size=300))
def test_garbage(tmp_path_factory: pytest.TempPathFactory, garbage: bytes) -> None:
    receiver = Listening(tmp_path_factory.mktemp("garbage"))
    try:
        receiver.talk.receive(garbage)
    except MalformedFrame:
        pass
    finally:
        receiver.talk.close()
