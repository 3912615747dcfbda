"""The conversation of a file transfer: whatever happens to the wire, a file is whole or has not its name."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtpy.cli import file_sending
from srtpy.cli.file_names import PARTIAL, partial_name
from srtpy.cli.file_outcome import Status
from srtpy.cli.file_store import Incoming, Store
from tests.cli.talking import Transfer, chops, digests


def tree(folder: Path, *, big: int = 40_000) -> Path:
    """Make a folder with some of everything."""
    random = Random(1)
    top = folder / "things"
    (top / "inner" / "deeper").mkdir(parents=True)
    (top / "empty").mkdir()
    (top / "nothing").write_bytes(b"")
    (top / "big").write_bytes(random.randbytes(big))
    (top / "inner" / "a file.txt").write_bytes(random.randbytes(1000))
    (top / "inner" / "deeper" / "ünï").write_bytes(random.randbytes(17))
    Path(os.fsdecode(os.fsencode(top) + b"/not \xff utf-8")).write_bytes(b"x")
    return top


@pytest.fixture(autouse=True)
def _small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_sending, "PIECE", 4096)
    monkeypatch.setattr(file_sending, "ENOUGH", 4096)


def one(tmp_path: Path, data: bytes, name: str = "file") -> Path:
    path = tmp_path / "from" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    return path


def test_everything_arrives_as_it_is(tmp_path: Path) -> None:
    top = tree(tmp_path, big=700_001)
    script = top / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o4755)
    os.utime(script, ns=(1, 1_234_567_890_123_456_789))
    transfer = Transfer([top], tmp_path / "out")
    assert transfer.connect()
    assert digests(tmp_path / "out" / "things") == digests(top)
    found = (tmp_path / "out" / "things" / "run.sh").stat()
    assert found.st_mtime_ns == 1_234_567_890_123_456_789
    assert stat.S_IMODE(found.st_mode) & ~0o022 == 0o755 & ~0o022
    for tally in (transfer.sent, transfer.received):
        assert (tally.whole, tally.files, tally.failed, tally.done) == (6, 6, 0, tally.size)
        assert tally.status() is Status.WHOLE


@settings(max_examples=60)
@given(
    cuts=st.lists(st.tuples(st.integers(0, 43_000), st.integers(0, 1_000), st.booleans()), max_size=3),
    sizes=st.lists(st.sampled_from([7, 100, 1456, 65_536]), min_size=1, max_size=3).map(lambda found: [*found, 9999]),
)
def test_a_wire_cut_anywhere_and_the_rest_comes_later(
    tmp_path_factory: pytest.TempPathFactory, cuts: list[tuple[int, int, bool]], sizes: list[int]
) -> None:
    tmp_path = tmp_path_factory.mktemp("cut")
    top = tree(tmp_path)
    wanted = {"things": "", **{f"things/{name}": digest for name, digest in digests(top).items()}}
    transfer = Transfer([top], tmp_path / "out")
    for forth, back, forgets in cuts:
        transfer.connect(forth, back, chops(sizes))
        for name, digest in digests(tmp_path / "out").items():
            assert name.endswith(PARTIAL) or digest == wanted[name], "a truncated file under the final name"
        if forgets:
            transfer.restart_receiver()
    assert transfer.connect(chop=chops(sizes))
    assert digests(tmp_path / "out") == wanted
    assert transfer.sent.status() is transfer.received.status() is Status.WHOLE


def test_it_goes_on_where_it_was(tmp_path: Path) -> None:
    data = Random(2).randbytes(400_000)
    transfer = Transfer([one(tmp_path, data)], tmp_path / "out")
    assert not transfer.connect(forth=300_000)
    transfer.restart_receiver()
    assert transfer.connect()
    assert transfer.forth.carried < 110_000
    assert (tmp_path / "out" / "file").read_bytes() == data
    assert transfer.sent.done == transfer.received.done == 400_000


def test_a_source_that_changed_meanwhile_begins_anew(tmp_path: Path) -> None:
    source = one(tmp_path, bytes(400_000))
    transfer = Transfer([source], tmp_path / "out")
    assert not transfer.connect(forth=300_000)
    data = Random(3).randbytes(400_000)
    source.write_bytes(data)
    again = Transfer([source], tmp_path / "out")
    assert again.connect()
    assert again.forth.carried > 400_000
    assert (tmp_path / "out" / "file").read_bytes() == data


def test_a_partial_file_that_was_damaged_begins_anew(tmp_path: Path) -> None:
    data = Random(4).randbytes(100_000)
    transfer = Transfer([one(tmp_path, data)], tmp_path / "out")
    assert not transfer.connect(forth=80_000)
    with (tmp_path / "out" / partial_name("file")).open("r+b") as partial:
        partial.write(b"damage")
    assert transfer.connect()
    assert (tmp_path / "out" / "file").read_bytes() == data


def test_only_the_last_word_was_lost(tmp_path: Path) -> None:
    data = bytes(10_000)
    transfer = Transfer([one(tmp_path, data)], tmp_path / "out")
    assert not transfer.connect(back=32 + 50)  # the greeting and the answer to the offer, no more
    assert (tmp_path / "out" / "file").read_bytes() == data
    assert transfer.connect()
    assert transfer.forth.carried < 300, "it is compared, not sent again"
    assert transfer.sent.whole == transfer.received.whole == 1


def test_what_is_there_and_the_same_is_not_sent(tmp_path: Path) -> None:
    top = tree(tmp_path)
    assert Transfer([top], tmp_path / "out").connect()
    again = Transfer([top], tmp_path / "out")
    assert again.connect()
    assert again.forth.carried < 2_000
    assert again.sent.status() is Status.WHOLE
    assert "(5 there already)" in again.sent.summary("sent")
    assert "(5 there already)" in again.received.summary("received")


@pytest.mark.parametrize("old", [b"different!", b"of another size"])
@pytest.mark.parametrize("replaces", [False, True])
def test_what_is_there_and_differs(tmp_path: Path, old: bytes, replaces: bool) -> None:
    source = one(tmp_path, b"0123456789")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "file").write_bytes(old)
    transfer = Transfer([source, one(tmp_path, b"other", "other")], tmp_path / "out", replaces=replaces)
    assert transfer.connect()
    assert (tmp_path / "out" / "file").read_bytes() == (b"0123456789" if replaces else old)
    assert (tmp_path / "out" / "other").read_bytes() == b"other"
    status = Status.WHOLE if replaces else Status.REFUSED
    assert transfer.sent.status() is transfer.received.status() is status
    assert replaces or "file: a different file of that name is there; with --overwrite it is replaced" in transfer.news
    assert sorted(os.listdir(tmp_path / "out")) == ["file", "other"], "nothing is left beside it"


def test_one_file_may_get_another_name(tmp_path: Path) -> None:
    assert Transfer([one(tmp_path, b"1")], tmp_path / "out", single="renamed").connect()
    assert os.listdir(tmp_path / "out") == ["renamed"]


def test_several_files_go_into_a_folder_of_the_name_given(tmp_path: Path) -> None:
    assert Transfer([one(tmp_path, b"1"), one(tmp_path, b"2", "b")], tmp_path / "out", single="new").connect()
    assert sorted(os.listdir(tmp_path / "out" / "new")) == ["b", "file"]


def test_a_name_that_the_receiver_does_not_take_holds_up_nobody(tmp_path: Path) -> None:
    transfer = Transfer([one(tmp_path, b"1", "back\\slash"), one(tmp_path, b"2", "b")], tmp_path / "out")
    assert transfer.connect()
    assert os.listdir(tmp_path / "out") == ["b"]
    assert transfer.sent.status() is transfer.received.status() is Status.REFUSED


def test_a_file_that_grows_while_it_is_sent_is_the_file_as_it_was(tmp_path: Path) -> None:
    source = one(tmp_path, bytes(50_000))

    def grow() -> None:
        with source.open("ab") as file:
            file.write(b"more")

    transfer = Transfer([source], tmp_path / "out")
    assert transfer.connect(meanwhile=grow)
    assert (tmp_path / "out" / "file").read_bytes() == bytes(50_000)


def test_a_file_that_shrinks_once_arrives_as_it_is_then(tmp_path: Path) -> None:
    data = Random(5).randbytes(50_000)
    source = one(tmp_path, data)
    transfer = Transfer([source], tmp_path / "out")

    def shrink() -> None:
        if 8_000 < transfer.sent.moved < 20_000:
            os.truncate(source, 25_000)

    assert transfer.connect(meanwhile=shrink)
    assert (tmp_path / "out" / "file").read_bytes() == data[:25_000]
    assert transfer.sent.moved < 35_000, "what had come was kept"


def test_a_file_that_never_holds_still_is_given_up(tmp_path: Path) -> None:
    source = one(tmp_path, bytes(50_000))
    random = Random(6)

    def change() -> None:
        source.write_bytes(random.randbytes(50_000))

    transfer = Transfer([source, one(tmp_path, b"steady", "steady")], tmp_path / "out")
    assert transfer.connect(meanwhile=change)
    assert os.listdir(tmp_path / "out") == ["steady"]
    assert transfer.sent.status() is transfer.received.status() is Status.SOURCE
    assert any("changes while it is sent" in text for text in transfer.news)


def test_a_file_that_is_gone_when_its_turn_comes(tmp_path: Path) -> None:
    source = one(tmp_path, b"1")
    transfer = Transfer([source, one(tmp_path, b"2", "b")], tmp_path / "out")
    source.unlink()
    assert transfer.connect()
    assert os.listdir(tmp_path / "out") == ["b"]
    assert transfer.sent.status() is transfer.received.status() is Status.SOURCE


def test_a_source_that_cannot_be_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transfer = Transfer([one(tmp_path, bytes(50_000)), one(tmp_path, b"2", "b")], tmp_path / "out")
    read = os.pread

    def failing(descriptor: int, count: int, at: int) -> bytes:
        if at > 20_000:
            raise OSError(errno.EIO, "Input/output error")
        return read(descriptor, count, at)

    monkeypatch.setattr(os, "pread", failing)
    assert transfer.connect()
    assert os.listdir(tmp_path / "out") == ["b"]
    assert transfer.sent.status() is transfer.received.status() is Status.SOURCE
    assert any("cannot be read: Input/output error" in text for text in transfer.news)


def test_a_file_that_changes_and_is_gone(tmp_path: Path) -> None:
    source = one(tmp_path, bytes(50_000))
    transfer = Transfer([source], tmp_path / "out")

    def remove() -> None:
        if transfer.sent.moved and source.exists():
            os.truncate(source, 0)
            source.unlink()

    assert transfer.connect(meanwhile=remove)
    assert os.listdir(tmp_path / "out") == []
    assert transfer.sent.status() is transfer.received.status() is Status.SOURCE


def test_what_arrives_changed_is_sent_again_and_then_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = Random(7).randbytes(50_000)
    transfer = Transfer([one(tmp_path, data)], tmp_path / "out")
    spoil = Incoming.write
    spoiled: list[int] = []

    def write(incoming: Incoming, piece: bytes) -> None:
        if len(spoiled) < limit and incoming.position == 0:
            spoiled.append(1)
            piece = bytes([piece[0] ^ 1]) + piece[1:]
        spoil(incoming, piece)

    monkeypatch.setattr(Incoming, "write", write)
    limit = 1
    assert transfer.connect()
    assert (tmp_path / "out" / "file").read_bytes() == data
    assert transfer.sent.status() is transfer.received.status() is Status.WHOLE
    limit = 100
    worse = Transfer([one(tmp_path, data)], tmp_path / "bad")
    assert worse.connect()
    assert os.listdir(tmp_path / "bad") == []
    assert worse.sent.status() is worse.received.status() is Status.CHECKSUM


def test_no_room_is_said_before_anything_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Store, "room", lambda store: 30_000)
    files = [one(tmp_path, bytes(25_000), "a"), one(tmp_path, bytes(25_000), "b"), one(tmp_path, bytes(1000), "c")]
    transfer = Transfer(files, tmp_path / "out")
    assert transfer.connect()
    assert sorted(os.listdir(tmp_path / "out")) == ["a", "c"]
    assert transfer.sent.status() is transfer.received.status() is Status.DISK
    assert transfer.sent.moved == 26_000


def test_thousands_of_small_files_cost_few_round_trips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    top = tmp_path / "many"
    for number in range(2_000):
        (top / str(number % 10)).mkdir(parents=True, exist_ok=True)
        (top / str(number % 10) / str(number)).write_bytes(b"%d" % number)
    turns = []
    transfer = Transfer([top], tmp_path / "out")
    assert transfer.connect(meanwhile=lambda: turns.append(1))
    assert digests(tmp_path / "out" / "many") == digests(top)
    assert len(turns) < 100
