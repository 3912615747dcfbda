"""Ends of a stream, by themselves."""

from __future__ import annotations

import errno
import os
import socket
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import srtpy
from srtpy.cli.end import End
from srtpy.cli.endpoints import FileEnd, SrtEnd, check_apart, open_end
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
        for sent, received in ((3, 2), (9, 0)):
            unsent = 0 if received else 1
            stats = replace(a.stats(), sent_dropped=sent, recv_dropped=received, send_buf_size=unsent)
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


def test_a_udp_address_that_cannot_be_had_is_told() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        name = f"udp://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(OSError, match=f"{name}: Address already in use") as caught:
            open_end(name, is_source=True).open()
    assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(OSError, match=r"udp://no\.such\.host\.invalid:5000: "):
        open_end("udp://no.such.host.invalid:5000", is_source=False).open()
    with pytest.raises(OSError, match=r"^udp://239\.1\.1\.1:5000: "):
        open_end("udp://239.1.1.1:5000?adapter=nonsense", is_source=True).open()


@pytest.mark.parametrize("key", ["ttl=99999999999", "rcvbuf=-1", "iptos=high", "mcloop="])
def test_a_udp_number_that_no_socket_takes_is_told(key: str) -> None:
    with pytest.raises(ValueError, match=rf"{key}: .* are whole numbers, 0 to 2147483647"):
        open_end(f"udp://127.0.0.1:5000?{key}", is_source=True)
