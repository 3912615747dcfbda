"""Files to and from srt-file-transmit, either side calling: the same bytes, and found out without being told."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

from srtpy.cli.file_outcome import Status
from tests.conftest import free_port, program

ROOT = Path(__file__).resolve().parents[2]
LONG = 60.0
SIZES = [31, 400_001]

Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a program; srt-file-transmit by its name, `srtpy file` otherwise."""
    running: list[subprocess.Popen[str]] = []

    def run(*words: str | Path) -> subprocess.Popen[str]:
        theirs = words[0] == "srt-file-transmit"
        command = (
            [program("srt-file-transmit"), *words[1:]] if theirs else [sys.executable, "-m", "srtpy", "file", *words]
        )
        running.append(
            subprocess.Popen(
                list(map(str, command)), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            )
        )
        return running[-1]

    yield run
    for each in running:
        if each.poll() is None:
            each.kill()
        each.communicate()


def ended(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, said = process.communicate(timeout=LONG)
    return process.returncode, said


def listening(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    assert "listening" in process.stderr.readline()


def bound(port: int) -> None:
    """Wait until somebody holds the port; srt-file-transmit does not say when it listens."""
    wanted = re.compile(rf":{port:04X} 0+:0000 ")
    for _ in range(int(LONG / 0.02)):
        tables = [Path("/proc/net/udp"), Path("/proc/net/udp6")]
        if any(wanted.search(table.read_text()) for table in tables if table.exists()):
            return
        subprocess.run(["sleep", "0.02"], check=True)
    raise AssertionError(f"nobody took port {port}")


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture(params=SIZES)
def film(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    path = tmp_path / "film.mov"
    path.write_bytes(Random(1).randbytes(request.param))
    return path


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_it_calls_us_and_sends(start: Start, port: int, film: Path, tmp_path: Path) -> None:
    receiver = start("recv", f"srt://127.0.0.1:{port}?mode=listener", tmp_path / "copy")
    listening(receiver)
    start("srt-file-transmit", f"file://{film}", f"srt://127.0.0.1:{port}")
    status, said = ended(receiver)
    assert status == Status.WHOLE, said
    assert "without checksum" in said
    assert digest(tmp_path / "copy") == digest(film)


def test_it_listens_and_sends(start: Start, port: int, film: Path, tmp_path: Path) -> None:
    start("srt-file-transmit", f"file://{film}", f"srt://127.0.0.1:{port}?mode=listener")
    bound(port)
    status, said = ended(start("recv", f"srt://127.0.0.1:{port}", tmp_path / "copy"))
    assert status == Status.WHOLE, said
    assert digest(tmp_path / "copy") == digest(film)


@pytest.mark.parametrize("how", [("--hello-wait", "0.3"), ("--peer", "plain")], ids=["found out", "told"])
def test_it_calls_us_and_receives(start: Start, port: int, film: Path, tmp_path: Path, how: tuple[str, str]) -> None:
    sender = start("send", film, f"srt://127.0.0.1:{port}?mode=listener", *how)
    listening(sender)
    theirs = start("srt-file-transmit", f"srt://127.0.0.1:{port}", f"file://{tmp_path}/copy")
    status, said = ended(sender)
    assert status == Status.WHOLE, said
    assert "Download COMPLETE" in ended(theirs)[1]
    assert digest(tmp_path / "copy") == digest(film)


@pytest.mark.parametrize("how", [("--hello-wait", "0.3"), ("--peer", "plain")], ids=["found out", "told"])
def test_it_listens_and_receives(start: Start, port: int, film: Path, tmp_path: Path, how: tuple[str, str]) -> None:
    theirs = start("srt-file-transmit", f"srt://127.0.0.1:{port}?mode=listener", f"file://{tmp_path}/copy")
    bound(port)
    status, said = ended(start("send", film, f"srt://127.0.0.1:{port}", *how))
    assert status == Status.WHOLE, said
    assert "Download COMPLETE" in ended(theirs)[1]
    assert digest(tmp_path / "copy") == digest(film)


def test_with_a_passphrase_and_a_stream_id_for_a_name(start: Start, port: int, tmp_path: Path) -> None:
    film = tmp_path / "film.mov"
    film.write_bytes(os.urandom(100_000))
    (tmp_path / "in").mkdir()
    receiver = start("recv", f"srt://127.0.0.1:{port}?mode=listener&passphrase=0123456789", tmp_path / "in")
    listening(receiver)
    start("srt-file-transmit", f"file://{film}", f"srt://127.0.0.1:{port}?passphrase=0123456789&streamid=up/named.mov")
    status, said = ended(receiver)
    assert status == Status.WHOLE, said
    (found,) = (tmp_path / "in").iterdir()
    assert found.name in ("film.mov", "named.mov"), "the first if it is quick enough to set its stream id"
    assert digest(found) == digest(film)


def test_a_file_that_is_there_is_not_replaced_and_it_is_told(start: Start, port: int, tmp_path: Path) -> None:
    film = tmp_path / "film.mov"
    film.write_bytes(os.urandom(30_000_000))
    (tmp_path / "copy").write_bytes(b"precious")
    receiver = start("recv", f"srt://127.0.0.1:{port}?mode=listener", tmp_path / "copy")
    listening(receiver)
    theirs = start("srt-file-transmit", f"file://{film}", f"srt://127.0.0.1:{port}")
    status, said = ended(receiver)
    assert status == Status.REFUSED, said
    assert "File sent" not in ended(theirs)[1]
    assert (tmp_path / "copy").read_bytes() == b"precious"
