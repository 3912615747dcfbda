"""Conversations over connections that come and go: two threads, no socket."""

from __future__ import annotations

import errno
import threading
import time
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from random import Random

import pytest

import srtpy
from srtpy.cli import file_carrying
from srtpy.cli.file_bare import bare_name, receive_bare, send_bare
from srtpy.cli.file_carrying import (
    BareFile,
    Lost,
    NobodyGreets,
    Patience,
    Stranger,
    persist,
    receive_parcel,
    send_parcel,
)
from srtpy.cli.file_greeting import hello
from srtpy.cli.file_names import partial_name
from srtpy.cli.file_outcome import Status, Tally, TransferError
from srtpy.cli.file_receiving import Reception
from srtpy.cli.file_sending import Parcel
from srtpy.cli.file_sources import gather
from srtpy.cli.file_store import Incoming, Store
from tests.cli.streams import Direction, MemoryStream, joined

DATA = Random(1).randbytes(600_000)
LONG = 20.0
NOON = time.strptime("2026-01-02 12:00:00", "%Y-%m-%d %H:%M:%S")


class Ends:
    """A sender and a receiver, each with its thread, and connections of a length given."""

    def __init__(self, folder: Path, *lengths: int | None) -> None:
        (folder / "film").write_bytes(DATA)
        self.folder = folder / "in"
        self.lengths = list(lengths) or [None]
        self.ends: SimpleQueue[MemoryStream] = SimpleQueue()
        self.news: list[str] = []
        self.sent, self.received = Tally(self.news.append), Tally(self.news.append)
        found = gather([str(folder / "film")]).entries
        self.parcel = Parcel(found, bytes(16), self.sent, is_single=True)
        self.reception = Reception(Store(str(self.folder), replaces=False), self.received)

    def send(self, patience: float = LONG) -> None:
        def attempt(stream: MemoryStream) -> None:
            send_parcel(stream, self.parcel, LONG)

        persist(Calling(self), attempt, self.sent, Patience(patience), self.news.append)

    def receive(self, patience: float = LONG) -> None:
        def attempt(stream: MemoryStream) -> None:
            receive_parcel(stream, self.reception, greets=True, silence=LONG)

        persist(Answering(self), attempt, self.received, Patience(patience), self.news.append)


class Calling:
    listens = False

    def __init__(self, ends: Ends) -> None:
        self._ends = ends

    def connect(self, limit: float | None) -> MemoryStream:
        if not self._ends.lengths:
            raise TransferError(Status.UNREACHABLE, "nobody is there")
        caller, listener = joined(self._ends.lengths.pop(0))
        self._ends.ends.put(listener)
        return caller

    def hang_up(self, stream: MemoryStream, *, at_once: bool = False) -> None:
        stream.close()


class Answering(Calling):
    listens = True

    def connect(self, limit: float | None) -> MemoryStream:
        return self._ends.ends.get(timeout=LONG)


class Aside:
    """A thread whose error is raised where it is awaited."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._error: BaseException | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:  # noqa: BLE001 raised below
            self._error = error

    def wait(self) -> None:
        self._thread.join(LONG)
        assert not self._thread.is_alive()
        if self._error is not None:
            raise self._error


@pytest.mark.parametrize("lengths", [(), (0,), (100, 300_000), (1, 2, 300_000, 400_000)])
def test_it_arrives_over_as_many_connections_as_it_takes(tmp_path: Path, lengths: tuple[int, ...]) -> None:
    ends = Ends(tmp_path, *lengths, None)
    receiver = Aside(ends.receive)
    ends.send()
    receiver.wait()
    assert (ends.folder / "film").read_bytes() == DATA
    assert ends.sent.status() is ends.received.status() is Status.WHOLE


def test_patience_ends_and_what_came_is_kept(tmp_path: Path) -> None:
    ends = Ends(tmp_path, 300_000)
    receiver = Aside(lambda: ends.receive(0.0))
    with pytest.raises(TransferError, match="did not come back: nobody is there") as caught:
        ends.send()
    assert caught.value.status is Status.INTERRUPTED
    with pytest.raises(TransferError, match="interrupted") as caught:
        receiver.wait()
    assert caught.value.status is Status.INTERRUPTED
    assert (ends.folder / partial_name("film")).stat().st_size > 200_000
    assert not (ends.folder / "film").exists()


def test_nobody_there_at_first_is_unreachable(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    ends.lengths.clear()
    with pytest.raises(TransferError) as caught:
        ends.send()
    assert caught.value.status is Status.UNREACHABLE


def test_patience_is_renewed_by_progress_alone() -> None:
    now = [0.0]
    patience = Patience(10, lambda: now[0])
    assert patience.limit is None
    for at, progress, limit in ((1, "a", 11), (5, "a", 11), (7, "b", 17), (16, "b", 17)):
        now[0] = at
        patience.note(progress)
        assert patience.limit == limit
        assert not patience.is_exhausted
    now[0] = 17
    assert patience.is_exhausted


def test_strangers_come_and_go_before_anything_has_begun(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    for _ in range(2):
        stranger, listener = joined()
        stranger.close()
        ends.ends.put(listener)
    receiver = Aside(lambda: ends.receive(0.0))
    ends.send()
    receiver.wait()
    assert ends.news == [file_carrying.LEFT] * 2


def test_somebody_who_says_nothing_is_given_up(tmp_path: Path) -> None:
    _, listener = joined()
    with pytest.raises(Stranger, match="said nothing for"):
        receive_parcel(listener, Ends(tmp_path).reception, greets=True, silence=0.01)


def test_a_file_without_a_word_is_told_from_a_conversation(tmp_path: Path) -> None:
    one, two = joined()
    one.write(b"just bytes, some of a file")
    with pytest.raises(BareFile) as caught:
        receive_parcel(two, Ends(tmp_path).reception, greets=True, silence=LONG)
    assert (caught.value.start, caught.value.is_all) == (b"just bytes, some of a file", False)


@pytest.mark.parametrize("greets", [False, True])
def test_a_short_file_without_a_word(tmp_path: Path, greets: bool) -> None:
    one, two = joined()
    one.write(b"\x8bsrtpy")
    one.close()
    with pytest.raises(BareFile) as caught:
        receive_parcel(two, Ends(tmp_path).reception, greets=greets, silence=LONG)
    assert caught.value.start == b"\x8bsrtpy"


def test_an_empty_file_is_one_only_if_that_is_expected(tmp_path: Path) -> None:
    for greets, raised in ((True, Stranger), (False, BareFile)):
        one, two = joined()
        one.close()
        with pytest.raises(raised):
            receive_parcel(two, Ends(tmp_path).reception, greets=greets, silence=LONG)


def test_a_receiver_that_does_not_greet_gets_not_a_byte(tmp_path: Path) -> None:
    one, two = joined()
    with pytest.raises(NobodyGreets):
        send_parcel(one, Ends(tmp_path).parcel, 0.01)
    assert one._out.carried == 0
    two.close()
    with pytest.raises(Stranger):
        send_parcel(one, Ends(tmp_path).parcel, LONG)


def test_two_receivers_and_two_senders_are_told(tmp_path: Path) -> None:
    one, two = joined()
    ends = Ends(tmp_path)
    one.write(hello(bytes(16)))
    with pytest.raises(TransferError, match="receives, too") as caught:
        receive_parcel(two, ends.reception, greets=True, silence=LONG)
    assert caught.value.status is Status.PROTOCOL
    one.write(b"a file's bytes, and more of them")
    with pytest.raises(TransferError, match="sends, too") as caught:
        send_parcel(two, ends.parcel, LONG)
    assert caught.value.status is Status.PROTOCOL


def test_a_peer_that_talks_nonsense_is_left(tmp_path: Path) -> None:
    one, two = joined()
    one.write(hello(bytes(16)) + b"\xff\xff\xff\xff\xff")
    with pytest.raises(TransferError, match="does not keep to the conversation") as caught:
        send_parcel(two, Ends(tmp_path).parcel, LONG)
    assert caught.value.status is Status.PROTOCOL


def test_a_full_disk_is_both_sides_news(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ends = Ends(tmp_path)
    rooms = iter([1 << 30, 1 << 30, 0, 0])
    monkeypatch.setattr(Store, "room", lambda store: next(rooms))

    def full(incoming: object, piece: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("srtpy.cli.file_store.Incoming.write", full)
    receiver = Aside(ends.receive)
    with pytest.raises(TransferError) as caught:
        ends.send()
    assert caught.value.status is Status.DISK
    with pytest.raises(TransferError) as caught:
        receiver.wait()
    assert caught.value.status is Status.DISK


def test_a_failure_that_is_told_out_of_band(tmp_path: Path) -> None:
    one, two = joined()
    two.write(hello(bytes(16)))
    two.send_peer_error()
    with pytest.raises(TransferError, match="its disk failed") as caught:
        send_parcel(one, Ends(tmp_path).parcel, LONG)
    assert caught.value.status is Status.DISK


# ---- bare files


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "in"), replaces=False)


def bare(tmp_path: Path, stream: MemoryStream, store: Store, start: bytes = b"", *, is_all: bool = False) -> Tally:
    tally = Tally()
    receive_bare(stream, store, "film", start, is_all=is_all, tally=tally)
    return tally


def send_and_close(stream: MemoryStream, ends: Ends) -> None:
    send_bare(stream, ends.parcel.entries[0], ends.sent)
    stream.close()


def test_a_bare_file_there_and_back(tmp_path: Path, store: Store) -> None:
    ends = Ends(tmp_path)
    one, two = joined()
    sender = Aside(lambda: send_and_close(one, ends))
    start = two.read(5)
    tally = bare(tmp_path, two, store, start)
    sender.wait()
    assert (tmp_path / "in" / "film").read_bytes() == DATA
    assert tally.moved == ends.sent.moved == len(DATA)
    assert tally.whole == ends.sent.whole == 1


def test_a_bare_file_of_one_read(tmp_path: Path, store: Store) -> None:
    _, two = joined()
    bare(tmp_path, two, store, b"all", is_all=True)
    assert (tmp_path / "in" / "film").read_bytes() == b"all"


def test_a_bare_file_that_breaks_off_has_no_name(tmp_path: Path, store: Store) -> None:
    one, two = joined()
    one.write(b"half")
    one.cut()
    with pytest.raises(TransferError) as caught:
        bare(tmp_path, two, store, b"first ")
    assert caught.value.status is Status.INTERRUPTED
    assert [path.name for path in (tmp_path / "in").iterdir()] == [partial_name("film")]


def test_a_bare_file_replaces_nothing_unasked(tmp_path: Path, store: Store) -> None:
    (tmp_path / "in" / "film").write_bytes(b"old")
    one, two = joined()
    with pytest.raises(TransferError) as caught:
        bare(tmp_path, two, store, b"new", is_all=True)
    assert caught.value.status is Status.REFUSED
    assert (tmp_path / "in" / "film").read_bytes() == b"old"
    with pytest.raises(srtpy.PeerError):
        one.write(b"more")
    bare(tmp_path, two, Store(str(tmp_path / "in"), replaces=True), b"new", is_all=True)
    assert (tmp_path / "in" / "film").read_bytes() == b"new"


class Stopping(MemoryStream):
    """Ctrl-C comes as soon as it is used."""

    def read(self, size: int = -1) -> bytes:
        raise KeyboardInterrupt

    def write(self, data: bytes) -> int:
        raise KeyboardInterrupt


def test_a_bare_file_that_is_stopped_is_not_said_to_go_on(tmp_path: Path, store: Store) -> None:
    condition = threading.Condition()
    stream = Stopping(Direction(condition), Direction(condition))
    with pytest.raises(KeyboardInterrupt, match="begin anew"):
        bare(tmp_path, stream, store, b"first")
    ends = Ends(tmp_path)
    with pytest.raises(KeyboardInterrupt, match="begin anew"):
        send_bare(stream, ends.parcel.entries[0], ends.sent)


def test_a_bare_file_on_a_full_disk_is_not_said_to_go_on(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(incoming: Incoming, data: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Incoming, "write", full)
    _, two = joined()
    with pytest.raises(TransferError, match="no room") as caught:
        bare(tmp_path, two, store, b"data")
    assert caught.value.status is Status.DISK
    assert "goes on" not in str(caught.value)
    assert partial_name("film") in str(caught.value), "it takes room"


def test_a_bare_sender_waits_for_the_last_byte(tmp_path: Path) -> None:
    ends = Ends(tmp_path)
    (tmp_path / "film").write_bytes(b"short")
    ends.parcel.entries[0].look_again()
    one, two = joined()
    sender = Aside(lambda: send_bare(one, ends.parcel.entries[0], ends.sent))
    with two._condition:
        assert two._condition.wait_for(lambda: two._in.waiting, LONG)
    two.cut()
    with pytest.raises(TransferError, match="before it had everything") as caught:
        sender.wait()
    assert caught.value.status is Status.INTERRUPTED
    assert ends.sent.whole == 0


@pytest.mark.parametrize(
    ("single", "stream_id", "name"),
    [
        ("given", "anything", "given"),
        (None, "film.ts", "film.ts"),
        (None, "file/there/film.ts", "film.ts"),
        (None, "#!::r=film.ts,m=publish", "film.ts"),
        (None, "../../film.ts", "film.ts"),
    ],
)
def test_what_a_bare_file_is_called(single: str | None, stream_id: str, name: str) -> None:
    assert bare_name(single, stream_id, NOON) == name


@pytest.mark.parametrize("stream_id", ["", "..", "a/", "a\\b", "#!::", "\x1b", "x" * 300, "x.srtpy-part"])
def test_a_bare_file_without_a_usable_name(stream_id: str) -> None:
    assert bare_name(None, stream_id, NOON) == "received-20260102-120000"


def test_lost_is_not_for_good() -> None:
    assert issubclass(Stranger, Lost)
