"""Ends of a stream, by themselves."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import srtpy
from srtpy.cli.endpoints import End, FileEnd, SrtEnd, check_apart, open_end
from tests.connected import pair


def write_until_it_fails(end: SrtEnd) -> None:
    while True:
        end.write([b"data"])


def test_who_sends_is_told_that_the_peer_has_closed_and_nothing_about_reading() -> None:
    end = SrtEnd("srt://127.0.0.1:9000")
    with pair() as (a, b):
        end.conn = a
        b.close()
        with pytest.raises(srtpy.PeerShutdownError) as caught:
            write_until_it_fails(end)
    assert str(caught.value) == "the peer has closed the connection"


def test_what_was_given_up_is_remembered_when_the_connection_is_gone() -> None:
    end = SrtEnd("srt://127.0.0.1:9000")
    with pair() as (a, _):
        for sent, received in ((3, 2), (10, 0)):
            stats = replace(a.stats(), sent_dropped=sent, recv_dropped=received)
            conn: Any = SimpleNamespace(close=lambda: None, stats=lambda stats=stats: stats)
            end.conn = conn
            assert (end.conn, end.given_up) == (conn, 0 if sent == 3 else 5)
            end.hang_up()
            end.hang_up()
    assert end.given_up == 15


def two_ends(source: str, sink: str) -> tuple[End, End]:
    return open_end(source, is_source=True), open_end(sink, is_source=False)


def test_a_file_is_not_copied_onto_itself(tmp_path: Path) -> None:
    film = tmp_path / "film.ts"
    film.write_bytes(b"the only copy")
    (tmp_path / "link.ts").symlink_to(film)
    os.link(film, tmp_path / "second name.ts")
    for other in (film, f"file://{film}", tmp_path / ".." / tmp_path.name / "film.ts", tmp_path / "link.ts",
                  tmp_path / "second name.ts"):  # fmt: skip
        with pytest.raises(ValueError, match=r"film\.ts and .* are one file"):
            check_apart(*two_ends(str(film), str(other)))
    assert film.read_bytes() == b"the only copy"


def test_files_that_are_two_and_what_is_no_file_on_a_disk_go_together(tmp_path: Path) -> None:
    film, copy = tmp_path / "film.ts", tmp_path / "copy.ts"
    film.write_bytes(b"same")
    check_apart(*two_ends(str(film), str(copy)))
    copy.write_bytes(b"same")
    check_apart(*two_ends(str(film), str(copy)))
    check_apart(*two_ends("/dev/null", "/dev/null"))
    check_apart(*two_ends(str(film), "udp://127.0.0.1:9000"))
    check_apart(*two_ends(str(tmp_path / "not there"), str(tmp_path / "not there")))


def test_standard_input_is_a_file_too_if_the_shell_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    film = tmp_path / "film.ts"
    film.write_bytes(b"the only copy")
    with film.open() as stream:
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(ValueError, match=r"standard input and .*film\.ts are one file"):
            check_apart(*two_ends("-", str(film)))
    monkeypatch.setattr("sys.stdin", None)
    check_apart(*two_ends("-", str(film)))


def test_a_full_disk_is_told_with_its_file() -> None:
    end = FileEnd("/dev/full", is_source=False)
    end.open()
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        end.write([b"data"])
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        end.close()
    end.close()
