"""The store: nothing but the old file or the whole new one, and nothing outside the folder."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from pathlib import Path

import pytest

from srtpy.cli.file_names import partial_name
from srtpy.cli.file_store import FOLDERS, Incoming, Refused, Store, refusal
from srtpy.cli.file_words import Verdict


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(str(tmp_path / "in"), replaces=False)


@pytest.fixture
def inside(tmp_path: Path) -> Path:
    return tmp_path / "in"


def verdict_of(action: object, *arguments: object) -> Verdict:
    assert callable(action)
    with pytest.raises((Refused, OSError)) as caught:
        action(*arguments)
    assert isinstance(caught.value, (Refused, OSError))
    return refusal(caught.value)


def received(store: Store, *parts: str, data: bytes = b"data", mode: int = 0o644) -> None:
    incoming = store.grow(parts)
    incoming.write(data)
    incoming.finish(store.permissions(mode), 1_000_000_000, replaces=store.replaces)


def test_a_file_has_its_name_when_it_is_whole(store: Store, inside: Path) -> None:
    incoming = store.grow(("a", "b"))
    incoming.write(b"half")
    assert os.listdir(inside / "a") == [partial_name("b")]
    incoming.finish(0o600, 1_000_000_000, replaces=False)
    assert os.listdir(inside / "a") == ["b"]
    assert (inside / "a" / "b").read_bytes() == b"half"
    assert (inside / "a" / "b").stat().st_mtime_ns == 1_000_000_000


def test_what_was_begun_goes_on(store: Store, inside: Path) -> None:
    incoming = store.grow(("f",))
    incoming.write(b"0123")
    incoming.close()
    have, digest = store.begun(("f",), 10)
    assert (have, digest and digest.digest()) == (4, hashlib.sha256(b"0123").digest())
    incoming = store.grow(("f",), have, digest)
    incoming.write(b"456789")
    assert incoming.digest() == hashlib.sha256(b"0123456789").digest()
    incoming.finish(0o600, 0, replaces=False)
    assert (inside / "f").read_bytes() == b"0123456789"


def test_what_was_begun_longer_than_the_file_is_begun_anew(store: Store) -> None:
    incoming = store.grow(("f",))
    incoming.write(b"0123")
    incoming.close()
    assert store.begun(("f",), 3) == (0, None)
    store.grow(("f",)).close()
    assert store.begun(("f",), 10) == (0, None)


def test_two_cannot_receive_one_file(store: Store) -> None:
    first = store.grow(("f",))
    assert verdict_of(store.grow, ("f",)) is Verdict.BUSY
    first.write(b"1234")
    assert verdict_of(store.grow, ("f",), 2) is Verdict.BUSY
    first.close()
    assert verdict_of(store.grow, ("f",), 2) is Verdict.BUSY, "it has changed since we looked"


def test_a_file_that_is_finished_between_opening_and_locking_it_is_not_cut(
    store: Store, inside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = store.grow(("f",))
    first.write(b"whole")
    lock = fcntl.flock

    def finish_first(descriptor: int, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", lock)
        first.finish(0o600, 0, replaces=False)
        lock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", finish_first)
    assert verdict_of(store.grow, ("f",)) is Verdict.BUSY
    assert (inside / "f").read_bytes() == b"whole"


@pytest.mark.parametrize("replaces", [False, True])
def test_a_file_that_comes_to_stand_there(tmp_path: Path, replaces: bool) -> None:
    store = Store(str(tmp_path), replaces=replaces)
    incoming = store.grow(("f",))
    incoming.write(b"new")
    (tmp_path / "f").write_bytes(b"old")
    if replaces:
        incoming.finish(0o600, 0, replaces=True)
        assert (tmp_path / "f").read_bytes() == b"new"
    else:
        assert verdict_of(lambda: incoming.finish(0o600, 0, replaces=False)) is Verdict.EXISTS
        assert (tmp_path / "f").read_bytes() == b"old"
    incoming.close()


def test_links_are_not_followed(store: Store, inside: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (inside / "folder").symlink_to(outside)
    (inside / "file").symlink_to(outside / "secret")
    (inside / "dangling").symlink_to(outside / "new")
    (inside / partial_name("sly")).symlink_to(outside / "secret")
    assert verdict_of(store.grow, ("folder", "x")) is Verdict.IN_THE_WAY
    assert verdict_of(store.make_folder, ("folder", "x"), 0o755) is Verdict.IN_THE_WAY
    assert verdict_of(store.make_folder, ("folder",), 0o755) is Verdict.IN_THE_WAY
    assert verdict_of(store.existing, ("file",)) is Verdict.IN_THE_WAY
    assert verdict_of(store.existing, ("dangling",)) is Verdict.IN_THE_WAY
    assert verdict_of(store.digest_of, ("file",), 6) is Verdict.IN_THE_WAY
    assert verdict_of(store.grow, ("sly",)) is Verdict.IN_THE_WAY
    assert store.begun(("sly",), 100) == (0, None)
    assert [path.name for path in outside.iterdir()] == ["secret"]
    assert (outside / "secret").read_bytes() == b"secret"


def test_a_link_put_there_while_a_file_comes_is_left_alone(store: Store, inside: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    incoming = store.grow(("f",))
    (inside / "f").symlink_to(tmp_path / "secret")
    for replaces in (False, True):
        assert verdict_of(lambda replaces=replaces: incoming.finish(0o600, 0, replaces=replaces)) is Verdict.IN_THE_WAY
    assert (tmp_path / "secret").read_bytes() == b"secret"
    incoming.discard()
    assert os.listdir(inside) == ["f"]


def test_another_name_of_some_file_is_not_written_into(store: Store, inside: Path, tmp_path: Path) -> None:
    (tmp_path / "precious").write_bytes(b"precious")
    os.link(tmp_path / "precious", inside / partial_name("f"))
    assert verdict_of(store.grow, ("f",)) is Verdict.IN_THE_WAY
    assert (tmp_path / "precious").read_bytes() == b"precious"


def test_what_is_no_file_is_in_the_way(store: Store, inside: Path) -> None:
    (inside / "folder").mkdir()
    os.mkfifo(inside / "pipe")
    os.mkfifo(inside / partial_name("sly"))
    for name in ("folder", "pipe"):
        assert verdict_of(store.existing, (name,)) is Verdict.IN_THE_WAY
    assert verdict_of(store.grow, ("sly",)) is Verdict.IN_THE_WAY
    assert verdict_of(store.grow, ("pipe", "x")) is Verdict.IN_THE_WAY
    (inside / "file").write_bytes(b"")
    assert verdict_of(store.make_folder, ("file",), 0o755) is Verdict.IN_THE_WAY


def test_permissions_never_include_those_of_somebody_else(store: Store, inside: Path) -> None:
    received(store, "tool", mode=0o7777)
    found = stat.S_IMODE((inside / "tool").stat().st_mode)
    assert found & 0o7000 == 0
    assert found & 0o700 == 0o700
    store.make_folder(("closed",), 0o000)
    received(store, "closed", "file")
    assert (inside / "closed" / "file").read_bytes() == b"data"


@pytest.mark.parametrize("mtime", [-(1 << 63), -1, 0, (1 << 63) - 1])
def test_times_that_cannot_be_do_no_harm(store: Store, inside: Path, mtime: int) -> None:
    incoming = store.grow(("f",))
    incoming.finish(0o600, mtime, replaces=False)
    assert (inside / "f").exists()


def test_offsets_beyond_four_gibibytes(store: Store, inside: Path) -> None:
    have = 5 << 30
    (inside / partial_name("huge")).touch()
    os.truncate(inside / partial_name("huge"), have)
    incoming = store.grow(("huge",), have)
    incoming.write(b"end")
    assert incoming.position == have + 3
    incoming.finish(0o600, 0, replaces=False)
    with (inside / "huge").open("rb") as file:
        file.seek(have)
        assert file.read() == b"end"
    (inside / "huge").unlink()


def test_many_folders_are_not_open_at_once(store: Store) -> None:
    before = len(os.listdir("/proc/self/fd"))
    for number in range(3 * FOLDERS):
        received(store, f"folder {number}", "deep", "file")
    assert len(os.listdir("/proc/self/fd")) <= before + FOLDERS + 1


def test_the_room_is_the_disk_s(store: Store, inside: Path) -> None:
    found = os.statvfs(inside)
    assert abs(store.room() - found.f_bavail * found.f_frsize) < 1 << 30


@pytest.mark.parametrize(
    ("number", "verdict"),
    [
        (errno.ENOSPC, Verdict.NO_ROOM),
        (errno.EDQUOT, Verdict.NO_ROOM),
        (errno.EIO, Verdict.DISK),
        (errno.EROFS, Verdict.DISK),
        (errno.EACCES, Verdict.DENIED),
        (errno.ENAMETOOLONG, Verdict.NAME),
    ],
)
def test_what_is_said_of_errors(number: int, verdict: Verdict) -> None:
    assert refusal(OSError(number, "words")) is verdict


def test_a_partial_file_that_goes_away_is_told(store: Store, inside: Path) -> None:
    incoming = store.grow(("f",))
    assert isinstance(incoming, Incoming)
    (inside / partial_name("f")).unlink()
    assert verdict_of(lambda: incoming.finish(0o600, 0, replaces=False)) is Verdict.DISK
    incoming.discard()
