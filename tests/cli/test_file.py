"""`srtpy file` as its users run it: processes, folders, losses, signals, exit statuses."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

import srtpy
from srtpy.cli import file as command_file
from srtpy.cli import interruption
from srtpy.cli.file_carrying import send_parcel
from srtpy.cli.file_greeting import Veil, hello
from srtpy.cli.file_line import Line
from srtpy.cli.file_names import partial_name
from srtpy.cli.file_outcome import STATUSES, Status, Tally, TransferError
from srtpy.cli.file_sending import Parcel
from srtpy.cli.file_sources import Entry, gather
from srtpy.cli.file_words import Answer, Kind, Verdict, frame
from srtpy.cli.main import main
from tests.cli.talking import digests
from tests.conftest import free_port
from tests.tools.udp_proxy import UdpProxy

ROOT = Path(__file__).resolve().parents[2]
LONG = 60.0
PASSPHRASE = "a secret nobody may see"
SLOW = "maxbw=3000000&peeridletimeo=2000"


class Command:
    """One running `srtpy file`."""

    def __init__(self, *arguments: str | Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "srtpy", "file", *map(str, arguments)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONWARNINGS": "error"},
        )
        self._said = b""

    def wait_to_say(self, words: str) -> str:
        """Wait for a line with these words."""
        assert self.process.stderr is not None
        for line in iter(self.process.stderr.readline, b""):
            self._said += line
            if words in line.decode():
                return line.decode()
        raise AssertionError(f"it never said {words!r}, but {self._said.decode()}")

    def finish(self, stop: int | None = None) -> tuple[int, str]:
        """Wait for the end, after a signal if one is given; return exit status and all it said."""
        if stop is not None:
            self.process.send_signal(stop)
        _, rest = self.process.communicate(timeout=LONG)
        said = (self._said + rest).decode()
        assert "Traceback" not in said
        assert PASSPHRASE not in said
        return self.process.returncode, said


@pytest.fixture
def run() -> Iterator[Callable[..., Command]]:
    started: list[Command] = []

    def start(*arguments: str | Path) -> Command:
        started.append(Command(*arguments))
        return started[-1]

    yield start
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
            command.process.communicate()


Run = Callable[..., Command]


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def film(tmp_path: Path) -> Path:
    path = tmp_path / "film.mov"
    path.write_bytes(Random(1).randbytes(6_000_000))
    return path


def receiver_at(run: Run, port: int, target: Path | str, *more: str, keys: str = "") -> Command:
    command = run("recv", f"srt://127.0.0.1:{port}?mode=listener{keys}", target, "--peer", "srtpy", *more)
    command.wait_to_say("listening on")
    return command


def wait_until(holds: Callable[[], bool]) -> None:
    limit = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < limit
        time.sleep(0.02)


def test_folders_travel_from_one_command_to_the_other(run: Run, port: int, film: Path, tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "empty").mkdir(parents=True)
    (top / "in").mkdir()
    for number in range(300):
        (top / "in" / str(number)).write_bytes(b"%d" % number)
    Path(os.fsdecode(os.fsencode(top) + b"/\xff")).write_bytes(b"")
    receiver = receiver_at(run, port, f"{tmp_path}/out/", keys=f"&passphrase={PASSPHRASE}")
    sender = run("send", top, film, f"srt://127.0.0.1:{port}?passphrase={PASSPHRASE}")
    status, said = sender.finish()
    assert status == 0, said
    assert "302 files sent whole; 6.0 MB" in said
    assert "encrypted" in said
    status, said = receiver.finish()
    assert status == 0, said
    assert "302 files received whole" in said
    found = digests(tmp_path / "out" / "top")
    assert found == digests(top)
    assert (tmp_path / "out" / "film.mov").read_bytes() == film.read_bytes()


def test_the_sender_may_listen_and_one_file_get_another_name(run: Run, port: int, film: Path, tmp_path: Path) -> None:
    sender = run("send", f"file://{film}", f"srt://127.0.0.1:{port}?mode=listener", "--peer", "srtpy")
    sender.wait_to_say("listening on")
    receiver = run("recv", f"srt://127.0.0.1:{port}", tmp_path / "copy", "--interval", "0.05")
    status, said = receiver.finish()
    assert status == 0, said
    assert " % " in said
    assert "1 file received whole" in said
    assert sender.finish()[0] == 0
    assert (tmp_path / "copy").read_bytes() == film.read_bytes()


def test_what_is_there_is_not_replaced_unasked_and_not_sent_twice(
    run: Run, port: int, film: Path, tmp_path: Path
) -> None:
    target = tmp_path / "out"
    target.mkdir()
    (target / "film.mov").write_bytes(b"older")
    for more, expected, news in (
        ((), Status.REFUSED, "with --overwrite it is replaced"),
        (("--overwrite",), Status.WHOLE, "6.0 MB"),
        ((), Status.WHOLE, "(1 there already); 0 B"),
    ):
        receiver = receiver_at(run, port, target, *more)
        status, said = run("send", film, f"srt://127.0.0.1:{port}").finish()
        assert (status, news in said) == (expected, True), said
        assert receiver.finish()[0] == expected
        assert (target / "film.mov").read_bytes() == (b"older" if expected else film.read_bytes())


def test_a_connection_that_is_lost_under_way_is_gone_on_with(run: Run, port: int, film: Path, tmp_path: Path) -> None:
    growing = tmp_path / "out" / partial_name("film.mov")
    receiver = receiver_at(run, port, f"{tmp_path}/out/", keys="&peeridletimeo=2000")
    with UdpProxy() as network:
        front = network.add_route(("127.0.0.1", port))
        sender = run("send", film, f"srt://127.0.0.1:{front[1]}?{SLOW}")
        wait_until(lambda: growing.exists() and growing.stat().st_size > 1_000_000)
        network.black_out(LONG)  # for this connection; the next one has another port
        sender.wait_to_say("to go on")
        assert not (tmp_path / "out" / "film.mov").exists()
        status, said = sender.finish()
    assert status == 0, said
    assert float(said.rsplit("whole; ", 1)[1].split(" MB")[0]) < 8.0, "it went on where it was"
    status, said = receiver.finish()
    assert status == 0, said
    assert "to go on" in said
    assert (tmp_path / "out" / "film.mov").read_bytes() == film.read_bytes()
    assert not growing.exists()


def test_a_receiver_that_is_killed_is_gone_on_with_by_the_next(run: Run, port: int, film: Path, tmp_path: Path) -> None:
    receiver = receiver_at(run, port, f"{tmp_path}/out/")
    growing = tmp_path / "out" / partial_name("film.mov")
    sender = run("send", film, f"srt://127.0.0.1:{port}?{SLOW}")
    wait_until(lambda: growing.exists() and growing.stat().st_size > 1_000_000)
    receiver.process.kill()
    receiver.process.wait()
    had = growing.stat().st_size
    receiver = receiver_at(run, port, f"{tmp_path}/out/")
    status, said = receiver.finish()
    assert status == 0, said
    moved = float(said.rsplit("whole; ", 1)[1].split(" MB")[0])
    assert moved <= (6_000_000 - had) / 1e6 + 0.1
    assert sender.finish()[0] == 0
    assert (tmp_path / "out" / "film.mov").read_bytes() == film.read_bytes()


def test_a_sender_that_is_killed_is_gone_on_with_by_the_next(run: Run, port: int, film: Path, tmp_path: Path) -> None:
    receiver = receiver_at(run, port, f"{tmp_path}/out/", keys="&peeridletimeo=2000")
    growing = tmp_path / "out" / partial_name("film.mov")
    sender = run("send", film, f"srt://127.0.0.1:{port}?{SLOW}")
    wait_until(lambda: growing.exists() and growing.stat().st_size > 1_000_000)
    sender.process.kill()
    status, said = run("send", film, f"srt://127.0.0.1:{port}").finish()  # at once: the receiver has not noticed yet
    assert status == 0, said
    assert float(said.rsplit("whole; ", 1)[1].split(" MB")[0]) < 5.1
    status, said = receiver.finish()
    assert status == 0, said
    assert (tmp_path / "out" / "film.mov").read_bytes() == film.read_bytes()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_sender_with_its_totals(run: Run, port: int, film: Path, tmp_path: Path, number: int) -> None:
    receiver = receiver_at(run, port, f"{tmp_path}/out/", "--patience", "0")
    sender = run("send", film, f"srt://127.0.0.1:{port}?{SLOW}")
    growing = tmp_path / "out" / partial_name("film.mov")
    wait_until(lambda: growing.exists() and growing.stat().st_size > 500_000)
    began = time.monotonic()
    status, said = sender.finish(number)
    assert status == Status.STOPPED
    assert time.monotonic() - began < 10
    assert "0 of 1 file sent whole" in said
    status, said = receiver.finish()
    assert status == Status.INTERRUPTED, said
    assert not (tmp_path / "out" / "film.mov").exists()


def test_a_signal_ends_a_receiver_that_waits(run: Run, port: int, tmp_path: Path) -> None:
    status, said = receiver_at(run, port, f"{tmp_path}/out/").finish(signal.SIGINT)
    assert status == Status.STOPPED
    assert "0 files received whole" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_twice_is_one(
    port: int, tmp_path: Path, number: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(interruption, "SAME_SIGNAL", LONG)
    close = Line.close

    def close_as_it_comes_again(line: Line) -> None:
        signal.raise_signal(number)
        close(line)

    monkeypatch.setattr(command_file, "persist", lambda *_: signal.raise_signal(number))
    monkeypatch.setattr(Line, "close", close_as_it_comes_again)
    assert main(["file", "recv", f"srt://127.0.0.1:{port}?mode=listener", f"{tmp_path}/out/"]) == Status.STOPPED
    assert "srtpy file: 0 files received whole" in capsys.readouterr().err


def test_a_wait_for_a_caller_is_in_steps(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # a signal that comes just before a wait without end is not heeded before something else ends the wait
    waits: list[float | None] = []
    settimeout = srtpy.Listener.settimeout

    def noted(listener: srtpy.Listener, timeout: float | None) -> None:
        waits.append(timeout)
        if len(waits) == 3:
            raise KeyboardInterrupt
        settimeout(listener, 0.01)

    monkeypatch.setattr(srtpy.Listener, "settimeout", noted)
    line = Line(f"srt://127.0.0.1:{port}?mode=listener")
    with pytest.raises(KeyboardInterrupt):
        line.connect(None)
    line.close()
    assert waits == [0.5, 0.5, 0.5]


def test_a_wait_for_a_caller_to_come_back_is_told_in_round_numbers(port: int) -> None:
    line = Line(f"srt://127.0.0.1:{port}?mode=listener")
    with pytest.raises(TransferError, match=r"nobody called in 0\.1 s"):
        line.connect(time.monotonic() + 0.1)
    line.close()


class Unread:
    """A connection whose other side reads nothing: five packets stay where they are."""

    state = srtpy.ConnState.CONNECTED

    def get_option(self, option: srtpy.SockOpt) -> object:
        assert option is srtpy.SockOpt.SND_DATA
        return 5


def test_a_sender_that_is_stopped_counts_what_arrived(film: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally()
    tally.expect(1, 100_000)
    entries = gather([str(film)]).entries

    def stopped(conn: object, parcel: Parcel, greeting: float) -> None:
        tally.move(0, 10_000)
        raise KeyboardInterrupt

    monkeypatch.setattr(command_file, "send_parcel", stopped)
    sender = command_file._Sender(
        Parcel(entries, bytes(16), tally, is_single=True), entries[0], "srtpy", LONG, lambda text: None
    )
    conn: Any = Unread()
    with pytest.raises(KeyboardInterrupt):
        sender.attempt(conn)
    assert tally.moved == 10_000 - 5 * 1456


@pytest.mark.parametrize("why", ["", "send it anew"])
def test_who_is_stopped_is_told_what_to_do(
    film: Path, why: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt(*[why] if why else [])

    monkeypatch.setattr(command_file, "persist", stopped)
    assert main(["file", "send", str(film), "srt://127.0.0.1:9000"]) == Status.STOPPED
    assert f"srtpy: stopped; {why or 'run it again to go on'}\n" in capsys.readouterr().err


def test_a_full_disk_is_both_sides_exit_status(port: int, film: Path, tmp_path: Path, run: Run) -> None:
    # a limit on the size of files stands for a disk: the kernel answers alike
    script = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000));"
        "from srtpy.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    url = f"srt://127.0.0.1:{port}?mode=listener"
    receiver = subprocess.Popen(
        [sys.executable, "-c", script, "file", "recv", url, f"{tmp_path}/out/"], cwd=ROOT, stderr=subprocess.PIPE
    )
    try:
        assert receiver.stderr is not None
        assert b"listening" in receiver.stderr.readline()
        status, said = run("send", film, f"srt://127.0.0.1:{port}", "--peer", "srtpy").finish()
        assert status == Status.DISK, said
        assert "disk" in said
        _, rest = receiver.communicate(timeout=LONG)
        assert receiver.returncode == Status.DISK, rest
        assert b"Traceback" not in rest
        assert not (tmp_path / "out" / "film.mov").exists()
    finally:
        receiver.kill()
        receiver.wait()


def test_a_wrong_passphrase_is_refused(run: Run, port: int, film: Path, tmp_path: Path) -> None:
    receiver = receiver_at(run, port, f"{tmp_path}/out/", keys=f"&passphrase={PASSPHRASE}")
    status, said = run("send", film, f"srt://127.0.0.1:{port}?passphrase=wrong secret").finish()
    assert status == Status.REFUSED
    assert "passphrase" in said
    assert "wrong secret" not in said
    receiver.finish(signal.SIGINT)


def test_nobody_there(run: Run, port: int, film: Path) -> None:
    status, said = run("send", film, f"srt://127.0.0.1:{port}?conntimeo=300").finish()
    assert status == Status.UNREACHABLE
    assert f"srt://127.0.0.1:{port} (caller)" in said
    status, said = run("recv", f"srt://127.0.0.1:{port}?mode=listener&timeout=100", "out").finish()
    assert status == Status.UNREACHABLE
    assert "nobody called in 0.1 s" in said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("send",), "required"),
        (("send", "nothing"), "required"),
        (("recv", "out", "srt://:9000"), "not an srt:// URL"),
        (("send", "-", "srt://:9000"), "a file or folder is needed"),
        (("recv", "srt://:9000", "file://con"), "a file or folder is needed"),
        (("recv", "srt://:9000", os.devnull), "neither a file nor a folder"),
        (("recv", "srt://h:9000?mode=rendezvous", "out"), "not mode=rendezvous"),
        (("recv", "srt://h:9000?messageapi=1", "out"), "leave messageapi=1 out"),
        (("send", "README.md", "tests/README.md", "srt://h:9000", "--patience", "-1"), "out of range"),
        (("send", "--peer", "plain", "README.md", "LICENSE", "srt://h:9000"), "takes one file"),
    ],
)
def test_wrong_usage_is_status_two(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as ended:
        sys.exit(main(["file", *arguments]))
    assert ended.value.code == Status.USAGE
    assert words in capsys.readouterr().err


def test_a_source_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["file", "send", "no\x1bthing", "srt://127.0.0.1:9000"]) == Status.SOURCE
    said = capsys.readouterr().err
    assert "no\\x1bthing: No such file or directory" in said


@pytest.mark.parametrize("verb", ["send", "recv"])
def test_the_help_is_complete(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["file", verb, "--help"])
    said = capsys.readouterr().out
    assert STATUSES in said
    for word in ("--peer", "--patience", "--quiet", "--interval", "examples:", "srt-file-transmit"):
        assert word in said


def test_folders_need_somebody_who_greets(port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_file, "SILENCE", 0.2)
    (tmp_path / "top").mkdir()
    with srtpy.listen(("127.0.0.1", port), trans_type=srtpy.TransType.FILE):
        assert main(["file", "send", "--hello-wait", "0.2", str(tmp_path / "top"), f"srt://127.0.0.1:{port}"]) == (
            Status.PROTOCOL
        )


def test_a_hostile_sender_gets_nothing_out_of_the_folder(run: Run, port: int, film: Path, tmp_path: Path) -> None:
    receiver = receiver_at(run, port, f"{tmp_path}/deep/out/")
    names = [b"../escaped", os.fsencode(tmp_path) + b"/escaped", b"way/escaped", b"\x1b[2Jescaped", b"fine"]
    (tmp_path / "deep" / "out" / "way").symlink_to(tmp_path)
    tally = Tally()
    entries = [Entry(index, name, str(film), Kind.FILE, 0o7777, 10, 0) for index, name in enumerate(names)]
    line = Line(f"srt://127.0.0.1:{port}")
    conn = line.connect(None)
    send_parcel(conn, Parcel(entries, bytes(16), tally, is_single=False), LONG)
    line.hang_up(conn)
    status, said = receiver.finish()
    assert status == tally.status() == Status.REFUSED, said
    assert "\x1b" not in said
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "film.mov"]
    assert sorted(path.name for path in (tmp_path / "deep" / "out").iterdir()) == ["fine", "way"]


def test_a_hostile_receiver_gets_nothing_but_what_was_offered(run: Run, port: int, film: Path) -> None:
    sender = run("send", film, f"srt://127.0.0.1:{port}?mode=listener")
    sender.wait_to_say("listening on")
    with srtpy.open_url(f"srt://127.0.0.1:{port}?transtype=file") as conn:
        conn.write(hello(bytes(16)))
        assert conn.read(24) == hello(bytes(16))
        conn.write(Veil(bytes(16)).over(frame(Answer(7, Verdict.WELCOME))))
        status, said = sender.finish()
    assert status == Status.PROTOCOL
    assert "file 7, which was not offered" in said


def test_one_caller_at_a_time(port: int) -> None:
    listening = Line(f"srt://127.0.0.1:{port}?mode=listener")
    try:
        with pytest.raises(TransferError, match="nobody called"):
            listening.connect(time.monotonic())
        first = srtpy.open_url(f"srt://127.0.0.1:{port}?transtype=file")
        served = listening.connect(None)
        with pytest.raises(srtpy.RejectedError) as caught:
            srtpy.open_url(f"srt://127.0.0.1:{port}?transtype=file")
        assert caught.value.reason is srtpy.RejectReason.X_LOCKED
        first.close()
        listening.hang_up(served)
        second = srtpy.open_url(f"srt://127.0.0.1:{port}?transtype=file")
        second.close()
        listening.hang_up(listening.connect(None))
    finally:
        listening.close()


def test_a_listener_that_is_away_is_called_again(port: int) -> None:
    calling, listening = (Line(f"srt://127.0.0.1:{port}?conntimeo=200{keys}") for keys in ("", "&mode=listener"))
    found: list[srtpy.Conn] = []
    caller = threading.Thread(target=lambda: found.append(calling.connect(time.monotonic() + LONG)))
    caller.start()
    time.sleep(0.3)  # it has called once and found nobody
    served = listening.connect(time.monotonic() + LONG)
    caller.join(LONG)
    for line, conn in ((calling, found[0]), (listening, served)):
        line.hang_up(conn, at_once=True)
        line.close()


def test_a_port_that_is_taken(port: int) -> None:
    with srtpy.listen(("127.0.0.1", port)), pytest.raises(TransferError, match=str(port)) as caught:
        Line(f"srt://127.0.0.1:{port}?mode=listener").connect(None)
    assert caught.value.status is Status.UNREACHABLE


def test_a_line_shows_no_secret() -> None:
    line = Line(f"srt://localhost:9000?passphrase={PASSPHRASE}")
    assert PASSPHRASE not in f"{line.name}{vars(line)}"
