"""A hostile receiver: it gets nothing that was not offered, and nothing it says ends in anything but a complaint."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtpy.cli.file_greeting import NotGreeted, OpeningReader, Veil, hello
from srtpy.cli.file_outcome import Status, Tally, TransferError
from srtpy.cli.file_sending import OFFERS, Parcel, SendingTalk
from srtpy.cli.file_sources import gather
from srtpy.cli.file_words import (
    FROM_SENDER,
    Answer,
    Done,
    End,
    Farewell,
    FrameReader,
    Leave,
    MalformedFrame,
    Offer,
    Rest,
    Same,
    Start,
    Verdict,
    Word,
    frame,
)

NONCE = bytes(16)
DATA = b"0123456789"
DIGEST = hashlib.sha256(DATA).digest()


class Speaking:
    """A sender of some files, and what it says."""

    def __init__(self, folder: Path, count: int = 1, *, greeted: bool = True) -> None:
        paths = []
        for number in range(count):
            path = folder / f"f{number}"
            path.write_bytes(DATA)
            paths.append(str(path))
        self.news: list[str] = []
        self.tally = Tally(self.news.append)
        self.parcel = Parcel(gather(paths).entries, bytes(16), self.tally, is_single=count == 1)
        self.talk = SendingTalk(self.parcel)
        self._opening = OpeningReader(NONCE)
        self._veil = Veil(NONCE)
        self._reader = FrameReader(FROM_SENDER, has_data=True)
        if greeted:
            self.talk.receive(hello(NONCE))

    def says(self) -> list[Word | bytes]:
        return list(self._reader.feed(self._opening.feed(self.talk.next_data())))

    def hear(self, *words: Word) -> list[Word | bytes]:
        self.talk.receive(self._veil.over(b"".join(map(frame, words))))
        return self.says()


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Speaking]:
    made = Speaking(tmp_path)
    assert [type(word) for word in made.says()] == [Offer]
    yield made
    made.talk.close()


def test_a_file(sender: Speaking) -> None:
    assert sender.hear(Answer(0, Verdict.WELCOME)) == [Start(0, 0), DATA, End(0, 10, DIGEST)]
    assert sender.hear() == []
    assert sender.hear(Done(0, Verdict.WHOLE)) == [Farewell()]
    assert not sender.talk.is_over
    assert sender.talk.is_settled
    sender.hear(Farewell())
    assert sender.talk.is_over


def test_nothing_is_said_before_the_greeting(tmp_path: Path) -> None:
    sender = Speaking(tmp_path, greeted=False)
    assert sender.talk.next_data() == b""
    sender.talk.receive(hello(NONCE)[:23])
    assert sender.talk.next_data() == b""
    assert not sender.talk.is_greeted
    with pytest.raises(NotGreeted):
        Speaking(tmp_path, greeted=False).talk.receive(b"some file's bytes, and more of them")


def test_it_goes_on_from_what_the_receiver_has(sender: Speaking) -> None:
    have = Answer(0, Verdict.WELCOME, 4, hashlib.sha256(DATA[:4]).digest())
    assert sender.hear(have) == [Start(0, 4), DATA[4:], End(0, 10, DIGEST)]


def test_it_begins_anew_if_the_receiver_has_something_else(sender: Speaking) -> None:
    assert sender.hear(Answer(0, Verdict.WELCOME, 4, bytes(32)))[:2] == [Start(0, 0), DATA]


def test_all_of_it_is_there_but_for_the_name(sender: Speaking) -> None:
    assert sender.hear(Answer(0, Verdict.WELCOME, 10, DIGEST)) == [Start(0, 10), End(0, 10, DIGEST)]


@pytest.mark.parametrize("verdict", [Verdict.COMPARE, Verdict.REPLACE])
def test_it_is_there(sender: Speaking, verdict: Verdict) -> None:
    assert sender.hear(Answer(0, verdict, 10, DIGEST)) == [Same(0)]
    assert sender.hear(Done(0, Verdict.WHOLE)) == [Farewell()]
    assert "there already" in sender.tally.summary("sent")


def test_something_else_is_there(sender: Speaking) -> None:
    assert sender.hear(Answer(0, Verdict.COMPARE, 10, bytes(32))) == [Leave(0, Rest.KEEP), Farewell()]
    assert sender.tally.status() is Status.REFUSED


def test_something_else_is_there_and_may_be_replaced(sender: Speaking) -> None:
    assert sender.hear(Answer(0, Verdict.REPLACE, 10, bytes(32)))[:2] == [Start(0, 0), DATA]


@pytest.mark.parametrize(
    "words",
    [
        (Answer(1, Verdict.WELCOME),),
        (Answer(0, Verdict.WELCOME), Answer(0, Verdict.WELCOME)),
        (Answer(0, Verdict.WELCOME, 11),),
        (Answer(0, Verdict.COMPARE, 9),),
        (Answer(0, Verdict.WHOLE),),
        (Answer(0, Verdict.DIFFERS),),
        (Done(0, Verdict.WHOLE),),
        (Done(0, Verdict.DIFFERS),),
        (Done(1, Verdict.WHOLE),),
        (Done(0, Verdict.WELCOME),),
        (Farewell(),),
    ],
    ids=str,
)
def test_words_out_of_turn_are_a_complaint(sender: Speaking, words: tuple[Word, ...]) -> None:
    with pytest.raises(MalformedFrame):
        sender.hear(*words)


def test_an_answer_to_what_was_sent_is_a_complaint(sender: Speaking) -> None:
    sender.hear(Answer(0, Verdict.WELCOME))
    with pytest.raises(MalformedFrame, match="second answer"):
        sender.hear(Answer(0, Verdict.WELCOME))


@pytest.mark.parametrize("verdict", [Verdict.NO_ROOM, Verdict.DISK])
def test_a_disk_that_fails_there_ends_it_here(sender: Speaking, verdict: Verdict) -> None:
    sender.hear(Answer(0, Verdict.WELCOME))
    with pytest.raises(TransferError) as caught:
        sender.hear(Done(0, verdict))
    assert caught.value.status is Status.DISK


def test_a_file_that_is_refused_under_way_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Speaking(tmp_path, 2)
    assert [type(word) for word in sender.says()] == [Offer, Offer]
    monkeypatch.setattr("srtpy.cli.file_sending.PIECE", 2)
    monkeypatch.setattr("srtpy.cli.file_sending.ENOUGH", 1)
    assert sender.hear(Answer(0, Verdict.WELCOME), Answer(1, Verdict.WELCOME)) == [Start(0, 0)]
    assert sender.says() == [DATA[:2]]
    assert sender.hear(Done(0, Verdict.BUSY)) == [Start(1, 0)]
    assert sender.tally.status() is Status.REFUSED


def test_offers_run_ahead_but_not_without_end(tmp_path: Path) -> None:
    sender = Speaking(tmp_path, OFFERS + 10)
    offers = sender.says()
    assert len(offers) == OFFERS
    assert all(isinstance(word, Offer) for word in offers)
    more = sender.hear(Answer(0, Verdict.NAME))
    assert [type(word) for word in more] == [Offer]


def test_offsets_beyond_four_gibibytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sender, have = Speaking(tmp_path), 5 << 30
    with (tmp_path / "f0").open("r+b") as file:
        file.seek(have)
        file.write(b"end")
    entry = sender.parcel.entries[0]
    entry.look_again()
    assert entry.size == have + 3
    monkeypatch.setattr("srtpy.cli.file_sources.digest_of_start", lambda descriptor, count: hashlib.sha256(b"start"))
    (offer,) = sender.says()
    assert isinstance(offer, Offer)
    assert offer.size == have + 3
    answer = Answer(0, Verdict.WELCOME, have, hashlib.sha256(b"start").digest())
    assert sender.hear(answer) == [Start(0, have), b"end", End(0, have + 3, hashlib.sha256(b"startend").digest())]
    assert sender.tally.moved == 3
    sender.talk.close()


@settings(max_examples=150)
@given(
    words=st.lists(
        st.one_of(
            st.builds(Answer, st.integers(0, 3), st.sampled_from(Verdict), st.integers(0, 12), st.just(bytes(32))),
            st.builds(Answer, st.integers(0, 3), st.sampled_from([Verdict.WELCOME, Verdict.COMPARE])),
            st.builds(Done, st.integers(0, 3), st.sampled_from(Verdict)),
            st.just(Farewell()),
        ),
        max_size=12,
    )
)
def test_whatever_a_receiver_says(tmp_path_factory: pytest.TempPathFactory, words: list[Word]) -> None:
    sender = Speaking(tmp_path_factory.mktemp("sender"), 3)
    before = len(os.listdir("/proc/self/fd"))
    try:
        sender.says()
        for word in words:
            sender.hear(word)
    except (MalformedFrame, TransferError):
        pass
    finally:
        sender.talk.close()
    assert len(os.listdir("/proc/self/fd")) == before
    assert not sender.talk.is_over or not sender.parcel.unsettled()
