"""Finding what is to be sent, and reading files that do not hold still."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from srtpy.cli.file_digests import TooShort
from srtpy.cli.file_sources import Entry, Source, gather
from srtpy.cli.file_words import Kind


def entry(path: Path) -> Entry:
    return gather([str(path)]).entries[0]


def names(*paths: Path | str) -> list[bytes]:
    return [each.name for each in gather([os.fspath(path) for path in paths]).entries]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    return path


def test_folders_come_before_what_is_in_them(tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "b").mkdir(parents=True)
    (top / "a").write_bytes(b"1")
    (top / "b" / "c").write_bytes(b"22")
    found = gather([str(top)]).entries
    assert [each.name for each in found] == [b"top", b"top/a", b"top/b", b"top/b/c"]
    assert [each.index for each in found] == [0, 1, 2, 3]
    assert [each.kind for each in found] == [Kind.FOLDER, Kind.FILE, Kind.FOLDER, Kind.FILE]
    assert [each.size for each in found] == [0, 1, 0, 2]


def test_a_folder_is_called_by_its_name_however_it_is_reached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "top" / "in").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "top")
    assert names(".") == names("../top/") == names(tmp_path / "top") == [b"top", b"top/in"]
    with pytest.raises(ValueError, match="no name"):
        gather(["/"])


def test_the_same_thing_twice_is_sent_once_and_two_of_one_name_not_at_all(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_bytes(b"")
    assert names(tmp_path / "one" / "x", f"{tmp_path}/one/../one/x") == [b"x"]
    with pytest.raises(ValueError, match="would both be called x"):
        names(tmp_path / "one" / "x", tmp_path / "two" / "x")


def test_links_devices_and_pipes_are_left_out_and_named_links_followed(tmp_path: Path, file: Path) -> None:
    top = tmp_path / "top"
    top.mkdir()
    (top / "link").symlink_to(file)
    (top / "loop").symlink_to(top)
    os.mkfifo(top / "pipe")
    found = gather([str(top)])
    assert [each.name for each in found.entries] == [b"top"]
    assert sorted(found.left_out) == [
        (str(top / "link"), "a link"),
        (str(top / "loop"), "a link"),
        (str(top / "pipe"), "neither a file nor a folder"),
    ]
    linked = gather([str(top / "link")]).entries[0]
    assert (linked.name, linked.size) == (b"link", 10)


def test_what_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError):
        gather([str(tmp_path / "nothing")])
    (tmp_path / "top" / "locked").mkdir(parents=True)
    listing = os.listdir

    def refusing(path: str) -> list[str]:
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return listing(path)

    monkeypatch.setattr(os, "listdir", refusing)
    found = gather([str(tmp_path / "top")])
    assert found.unreadable == [(str(tmp_path / "top" / "locked"), "cannot be read: Permission denied")]
    with pytest.raises(PermissionError):
        gather([str(tmp_path / "top" / "locked")])


def test_a_source_goes_on_where_the_start_is_the_same(file: Path) -> None:
    source = Source(entry(file))
    assert source.begins_with(4, hashlib.sha256(b"0123").digest())
    assert source.read(3) == b"456"
    assert source.read(100) == b"789"
    assert source.read(100) == b""
    assert source.digest() == hashlib.sha256(b"0123456789").digest()
    assert source.is_steady()
    source.close()
    source.close()


def test_a_source_begins_anew_where_it_is_not(file: Path) -> None:
    source = Source(entry(file))
    assert not source.begins_with(4, hashlib.sha256(b"012x").digest())
    assert not source.begins_with(11, hashlib.sha256(b"0123456789a").digest())
    assert source.position == 0
    assert source.read(100) == b"0123456789"
    assert source.digest() == hashlib.sha256(b"0123456789").digest()
    source.close()


def test_a_file_that_has_grown_is_sent_as_it_was_and_is_steady(file: Path) -> None:
    source = Source(entry(file))
    with file.open("ab") as more:
        more.write(b"more")
    assert source.read(100) == b"0123456789"
    assert source.read(100) == b""
    assert source.is_steady()
    source.close()


def test_a_file_that_was_changed_under_way_is_not_steady(file: Path) -> None:
    source = Source(entry(file))
    source.read(5)
    file.write_bytes(b"abcdefghij")
    os.utime(file, ns=(0, 0))
    source.read(5)
    assert not source.is_steady()
    source.close()


def test_a_file_that_has_shrunk_is_told(file: Path) -> None:
    source = Source(entry(file))
    os.truncate(file, 3)
    assert not source.begins_with(4, bytes(32))
    assert source.read(100) == b"012"
    with pytest.raises(TooShort):
        source.read(100)
    assert not source.is_steady()
    source.close()


def test_what_is_no_file_any_more_is_not_waited_for(file: Path) -> None:
    found = entry(file)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(FileNotFoundError, match="no file any more"):
        Source(found)
    with pytest.raises(FileNotFoundError, match="no file any more"):
        found.look_again()
