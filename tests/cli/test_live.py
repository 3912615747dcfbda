"""`srtpy live` as its users run it: processes, signals, exit statuses, files."""

from __future__ import annotations

import contextlib
import csv
import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

import srtpy
from srtpy.cli.mpegts import TransportStream
from tests.interop.cells import NULL_PACKET, wait_until_bound

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 60.0


class Command:
    """One running `srtpy`, killed at the end whatever happens."""

    def __init__(self, *arguments: str, stdin: int | None = subprocess.DEVNULL, stdout: int | None = None) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "srtpy", *arguments],
            cwd=ROOT,
            stdin=stdin,
            stdout=stdout,
            stderr=subprocess.PIPE,
        )

    def finish(self, stop: int | None = None) -> tuple[int, str]:
        """Wait for the end, after a signal if one is given; return exit status and what it said."""
        if stop is not None:
            self.process.send_signal(stop)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said.decode()

    def wait_to_say(self, words: str) -> str:
        """Wait for a line with these words."""
        assert self.process.stderr is not None
        for line in iter(self.process.stderr.readline, b""):
            if words in line.decode():
                return line.decode()
        raise AssertionError(f"it never said {words!r}")


@pytest.fixture
def run() -> Iterator[type[Command]]:
    started: list[Command] = []

    class Tracked(Command):
        def __init__(self, *arguments: str, **streams: int | None) -> None:
            super().__init__(*arguments, **streams)
            started.append(self)

    yield Tracked
    for command in started:
        if command.process.poll() is None:
            command.process.kill()
            command.process.communicate()


@pytest.fixture
def port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Two seconds of a transport stream."""
    path = tmp_path / "in.ts"
    path.write_bytes(b"".join(islice(TransportStream(4_000_000).messages(), 760)))
    return path


def test_a_file_travels_from_one_command_to_another(
    run: type[Command], port: int, recording: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "out.ts"
    receiver = run("live", f"srt://:{port}", str(copy), "--no-reconnect")
    wait_until_bound(port)
    began = time.monotonic()
    sender = run("live", str(recording), f"srt://127.0.0.1:{port}?latency=80", "--no-reconnect")
    status, said = sender.finish()
    assert status == 0, said
    assert time.monotonic() - began > 1.9, "a file is sent at the speed of its own clock"
    assert "760 messages" in said
    status, said = receiver.finish()
    assert status == 0, said
    assert "connected to 127.0.0.1:" in said
    assert copy.read_bytes() == recording.read_bytes()


def test_standard_input_to_standard_output(run: type[Command], port: int, recording: Path) -> None:
    receiver = run("live", f"srt://:{port}", "-", "--no-reconnect", "--quiet", stdout=subprocess.PIPE)
    wait_until_bound(port)
    with recording.open("rb") as source:
        sender = run("live", "-", f"srt://127.0.0.1:{port}", "--pace", "8M", "--no-reconnect", stdin=source.fileno())
        status, said = sender.finish()
    assert status == 0, said
    received, _ = receiver.process.communicate(timeout=PATIENCE)
    assert receiver.process.returncode == 0
    assert received == recording.read_bytes()


def test_udp_in_and_udp_out(run: type[Command], port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.bind(("127.0.0.1", 0))
        out.settimeout(PATIENCE)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
            taken.bind(("127.0.0.1", 0))
            udp_in = taken.getsockname()[1]
        receiver = run("live", f"srt://:{port}", f"udp://127.0.0.1:{out.getsockname()[1]}")
        sender = run("live", f"udp://127.0.0.1:{udp_in}", f"srt://127.0.0.1:{port}", "--interval", "0.2")
        sender.wait_to_say("ms")  # a row with a round trip: connected
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
            for number in range(50):
                source.sendto(b"datagram %d" % number, ("127.0.0.1", udp_in))
        assert [out.recv(2000) for _ in range(50)] == [b"datagram %d" % number for number in range(50)]
        for command in (sender, receiver):
            status, said = command.finish(signal.SIGINT)
            assert status == 0, said
            assert "50 messages" in said


@pytest.mark.parametrize("stop", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_cleanly_with_the_totals(run: type[Command], port: int, stop: int) -> None:
    command = run("live", f"srt://:{port}", "-", stdout=subprocess.PIPE)
    command.wait_to_say("time")  # the first figures: it runs and waits for a caller
    status, said = command.finish(stop)
    assert status == 0
    assert re.search(r"0 messages, 0 B in 0:0\d\.\d", said)
    assert "Traceback" not in said


def test_a_receiver_that_comes_back_gets_the_rest(run: type[Command], port: int, tmp_path: Path) -> None:
    sender = run("live", "-", f"srt://127.0.0.1:{port}", "--quiet", stdin=subprocess.PIPE)
    first = run("live", f"srt://:{port}", "-", "--quiet", stdout=subprocess.PIPE)
    assert sender.process.stdin is not None
    assert first.process.stdout is not None
    sender.process.stdin.write(b"a" * 1316)
    sender.process.stdin.flush()
    assert first.process.stdout.read(1316) == b"a" * 1316
    first.finish(signal.SIGINT)
    sender.process.stdin.write(b"b" * 1316)  # finds the peer gone, or is lost on the way: live
    sender.process.stdin.flush()
    sender.wait_to_say("waiting for it to come back")
    second = run("live", f"srt://:{port}", "-", "--quiet", stdout=subprocess.PIPE)
    assert second.process.stdout is not None
    for _ in range(3):
        sender.process.stdin.write(b"c" * 1316)
        sender.process.stdin.flush()
    assert second.process.stdout.read(1316)[:1] in (b"b", b"c")
    status, said = sender.finish(signal.SIGINT)
    assert status == 0
    assert "1 interruption" in said


@pytest.mark.parametrize("form", ["json", "csv", "prometheus"])
def test_statistics_go_to_a_file(run: type[Command], port: int, recording: Path, tmp_path: Path, form: str) -> None:
    figures = tmp_path / "figures"
    receiver = run("live", f"srt://:{port}", "-", "--no-reconnect", stdout=subprocess.DEVNULL)
    wait_until_bound(port)
    sender = run(
        "live", str(recording), f"srt://127.0.0.1:{port}", "--no-reconnect", "--interval", "0.5",
        "--stats-out", str(figures), "--stats-format", form,
    )  # fmt: skip
    status, said = sender.finish()
    assert status == 0, said
    receiver.finish()
    text = figures.read_text()
    if form == "json":
        rows = [json.loads(line) for line in text.splitlines()]
        assert len(rows) >= 2
        assert 700 <= sum(row["send"]["packetsUnique"] for row in rows) <= 760
    elif form == "csv":
        table = list(csv.DictReader(text.splitlines()))
        assert len(table) >= 2
        assert 700 <= sum(int(row["pktSentUnique"]) for row in table) <= 760
    else:
        found = re.search(r"srt_sent_unique_packets_total\{[^}]*role=\"sender\"[^}]*\} (\d+)", text)
        assert found
        assert 700 <= int(found[1]) <= 760


def test_nobody_there_is_a_failure_that_says_so(run: type[Command], port: int) -> None:
    status, said = run("live", "-", f"srt://127.0.0.1:{port}?conntimeo=500", "--no-reconnect").finish()
    assert status == 1
    assert "127.0.0.1" in said
    assert "Traceback" not in said


@pytest.mark.parametrize(
    "arguments",
    [
        ("live",),
        ("nonsense",),
        ("live", "gopher://x", "-"),
        ("live", "srt://:9000?latency=120000", "-"),
        ("live", "udp://127.0.0.1", "-"),
        ("live", "udp://127.0.0.1:abc", "-"),
        ("live", "-", "-", "--pace", "fast"),
        ("live", "-", "-", "--chunk", "2000"),
        ("live", "-", "-", "--interval", "inf"),
        ("live", "-", "udp://127.0.0.1:5000?ttl=far"),
        ("live", "srt://localhost:9000?mode=rendezvous", "-"),
        ("live", "srt://:9000", "srt://:9000"),
        ("live", "srt://:9000", "srt://127.0.0.1:9000"),
        ("live", "srt://localhost:9000", "srt://:9000"),
        ("demo", "--mbps", "0"),
    ],
)
def test_wrong_usage_is_status_two(run: type[Command], arguments: tuple[str, ...]) -> None:
    status, said = run(*arguments).finish()
    assert status == 2
    assert said.strip()
    assert "Traceback" not in said


def test_no_passphrase_is_told_with_a_wrong_url(run: type[Command]) -> None:
    _, said = run("live", "srt://localhost:9000?mode=rendezvous&passphrase=0123456789", "-").finish()
    assert "srt://localhost:9000: mode=rendezvous is not supported" in said
    assert "0123456789" not in said


def test_a_warning_is_one_line(run: type[Command]) -> None:
    _, said = run("live", "srt://[::1]:9?latncy=200", "nothing/out.ts", "--no-reconnect").finish()
    assert said.splitlines()[0] == "srtpy: warning: the URL's key 'latncy' is unknown and left out"
    assert "srtpy live: srt://[::1]:9 (caller)" in said


def test_a_listener_says_which_port_it_waits_on(run: type[Command], recording: Path) -> None:
    receiver = run("live", "srt://127.0.0.1:0?mode=listener", "-", "--no-reconnect", stdout=subprocess.DEVNULL)
    port = receiver.wait_to_say("waiting for a caller on port").split()[-1]
    sender = run("live", str(recording), f"srt://127.0.0.1:{port}", "--no-reconnect")
    assert (sender.finish()[0], receiver.finish()[0]) == (0, 0)


def test_a_port_that_is_taken_is_told_at_once(run: type[Command]) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        taken = holder.getsockname()[1]
        status, said = run("live", f"srt://127.0.0.1:{taken}?mode=listener", "-").finish()
    assert status == 1
    assert f"port {taken} is taken already" in said
    assert "trying again" not in said


def test_a_wrong_passphrase_is_told_and_not_tried_for_ever(run: type[Command]) -> None:
    with srtpy.listen("127.0.0.1:0", passphrase="what the listener has") as listener:
        url = f"srt://127.0.0.1:{listener.local_addr[1]}?passphrase=what+the+caller+has"
        status, said = run("live", url, "-", stdout=subprocess.DEVNULL).finish()
    assert status == 1
    assert "wrong passphrase" in said
    assert "trying again" not in said


def test_a_listener_that_has_let_us_in_before_may_refuse_for_a_while(run: type[Command], port: int) -> None:
    with srtpy.listen(("127.0.0.1", port), passphrase="what both of them know") as listener:
        command = run(
            "live", f"srt://127.0.0.1:{port}?passphrase=what both of them know", "-", stdout=subprocess.DEVNULL
        )
        listener.accept().close()
    with srtpy.listen(("127.0.0.1", port), passphrase="what nobody else knows"):
        assert "wrong passphrase" in command.wait_to_say("trying again")
    status, _ = command.finish(signal.SIGINT)
    assert status == 0


def test_nobody_is_waited_for_longer_than_the_url_says(run: type[Command]) -> None:
    url = "srt://127.0.0.1:0?mode=listener&timeout=600"
    status, said = run("live", url, "-", "--no-reconnect", stdout=subprocess.DEVNULL).finish()
    assert status == 1
    assert "nobody called within 0.6 s" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_that_comes_twice_is_one(run: type[Command], number: int) -> None:
    command = run("live", "srt://127.0.0.1:0?mode=listener", "-", stdout=subprocess.DEVNULL)
    command.wait_to_say("waiting for a caller")
    command.process.send_signal(number)
    status, said = command.finish(number)
    assert status == 0
    assert "0 messages" in said
    assert "interrupted" not in said


def test_what_has_no_clock_is_told(run: type[Command], tmp_path: Path) -> None:
    film = tmp_path / "film.mp4"
    film.write_bytes(b"no transport stream")
    status, said = run("live", str(film), str(tmp_path / "copy")).finish()
    assert status == 0
    assert "film.mp4: no transport stream" in said


def test_a_missing_file_is_a_failure(run: type[Command], tmp_path: Path) -> None:
    status, said = run("live", str(tmp_path / "nothing.ts"), "-").finish()
    assert status == 1
    assert "nothing.ts" in said


def test_the_help_tells_the_exit_statuses() -> None:
    help_text = subprocess.run(
        [sys.executable, "-m", "srtpy", "live", "--help"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE,
        check=True,
    ).stdout  # fmt: skip
    assert re.findall(r"^  (\d)  ", help_text.partition("exit status:")[2], re.MULTILINE) == ["0", "1", "2"]


def test_a_file_is_not_copied_onto_itself(run: type[Command], recording: Path) -> None:
    before = recording.read_bytes()
    status, said = run("live", str(recording), str(recording)).finish()
    assert status == 2
    assert "are one file" in said
    assert recording.read_bytes() == before


def test_a_full_disk_is_told_with_its_file_and_the_totals(run: type[Command], recording: Path) -> None:
    status, said = run("live", str(recording), "/dev/full", "--pace", "off").finish()
    assert status == 1
    assert "srtpy live: 0 messages" in said
    assert said.rstrip().endswith("No space left on device: '/dev/full'")


def test_a_missing_file_is_a_failure_even_while_the_peer_is_still_called(run: type[Command], port: int) -> None:
    status, said = run("live", "nothing.ts", f"srt://127.0.0.1:{port}?conntimeo=60000").finish()
    assert status == 1
    assert "nothing.ts" in said


def test_a_reader_that_has_seen_enough_ends_the_pipeline_without_a_word(
    run: type[Command], port: int, recording: Path
) -> None:
    receiver = run("live", f"srt://:{port}", "-", "--no-reconnect", stdout=subprocess.PIPE)
    wait_until_bound(port)
    sender = run("live", str(recording), f"srt://127.0.0.1:{port}", "--pace", "8M", "--quiet", "--no-reconnect")
    assert receiver.process.stdout is not None
    assert receiver.process.stdout.read(1316)[:1] == b"G"
    receiver.process.stdout.close()
    assert receiver.process.stderr is not None
    said = receiver.process.stderr.read().decode()
    assert receiver.process.wait(PATIENCE) == 1
    assert "messages" in said, "the totals"
    assert "Broken" not in said
    assert "Traceback" not in said
    sender.finish()


def test_a_closed_standard_output_is_told(port: int) -> None:
    told = subprocess.run(
        ["sh", "-c", f"exec {sys.executable} -m srtpy live srt://:{port} - >&-"],
        cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False,
    )  # fmt: skip
    assert told.returncode == 1
    assert "standard output is closed" in told.stderr
    assert "Traceback" not in told.stderr


def test_a_statistics_file_that_cannot_be_written_does_not_end_the_stream(
    run: type[Command], port: int, recording: Path
) -> None:
    receiver = run("live", f"srt://:{port}", "-", "--no-reconnect", "--quiet", stdout=subprocess.PIPE)
    wait_until_bound(port)
    sender = run(
        "live", str(recording), f"srt://127.0.0.1:{port}", "--pace", "16M", "--no-reconnect", "--interval", "0.1",
        "--stats-out", "/dev/full",
    )  # fmt: skip
    received, _ = receiver.process.communicate(timeout=PATIENCE)
    status, said = sender.finish()
    assert status == 0
    assert said.count("statistics can no longer be written") == 1
    assert "Traceback" not in said
    assert received == recording.read_bytes()


def test_the_version_is_told() -> None:
    told = subprocess.run([sys.executable, "-m", "srtpy", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0
    assert told.stdout.startswith("srtpy ")


# ---- encrypted

PASSPHRASE = "what both ends know"


def escaped(passphrase: str) -> str:
    return passphrase.replace(" ", "%20")


@pytest.mark.parametrize(
    "keys", ["", "&pbkeylen=32", "&cryptomode=2&kmrefreshrate=200&kmpreannounce=80", "&kmrefreshrate=200"]
)
def test_an_encrypted_stream_from_one_command_to_another(
    run: type[Command], port: int, recording: Path, tmp_path: Path, keys: str
) -> None:
    copy = tmp_path / "out.ts"
    key = f"passphrase={escaped(PASSPHRASE)}"
    receiver = run("live", f"srt://:{port}?{key}", str(copy), "--no-reconnect")
    wait_until_bound(port)
    sender = run("live", str(recording), f"srt://127.0.0.1:{port}?{key}{keys}", "--no-reconnect")
    heard = [sender.finish(), receiver.finish()]
    assert [status for status, _ in heard] == [0, 0], heard
    assert copy.read_bytes() == recording.read_bytes()
    assert not any(PASSPHRASE in said or escaped(PASSPHRASE) in said for _, said in heard)


@pytest.mark.parametrize(("ours", "reason"), [("another passphrase", "BAD_SECRET, 1010"), ("", "UNSECURE, 1011")])
def test_a_wrong_passphrase_is_told_and_is_a_failure(run: type[Command], port: int, ours: str, reason: str) -> None:
    receiver = run("live", f"srt://:{port}?passphrase={escaped(PASSPHRASE)}", "-", stdout=subprocess.DEVNULL)
    wait_until_bound(port)
    key = f"?passphrase={escaped(ours)}" if ours else ""
    sender = run("live", "/dev/zero", f"srt://127.0.0.1:{port}{key}", "--no-reconnect")
    status, said = sender.finish()
    assert status == 1
    assert reason in said
    assert "passphrase" in said
    assert not (ours and ours in said)
    assert receiver.process.poll() is None, "and the listener goes on"
    assert PASSPHRASE not in receiver.finish(signal.SIGTERM)[1]


@pytest.mark.parametrize("we_listen", [True, False], ids=["we listen", "we call"])
def test_an_encrypted_stream_to_srt_live_transmit(
    srt_live_transmit: str, run: type[Command], port: int, recording: Path, tmp_path: Path, we_listen: bool
) -> None:
    copy = tmp_path / "out.ts"
    key = "passphrase=what-both-ends-know&pbkeylen=24"
    theirs = f"srt://127.0.0.1:{port}?mode={'caller' if we_listen else 'listener'}&{key}"
    ours = f"srt://127.0.0.1:{port}?mode={'listener' if we_listen else 'caller'}&{key}"
    words = [srt_live_transmit, "-a:no", "-q", "-loglevel:error", theirs, "file://con"]
    if we_listen:
        sender = run("live", str(recording), ours, "--no-reconnect")
        wait_until_bound(port)
    with copy.open("wb") as out:
        tool = subprocess.Popen(words, stdout=out, stdin=subprocess.DEVNULL)
        try:
            if not we_listen:
                wait_until_bound(port)
                sender = run("live", str(recording), ours, "--no-reconnect")
            status, said = sender.finish()
            assert status == 0, said
            tool.wait(PATIENCE)
        finally:
            tool.kill()
            tool.wait()
    assert copy.read_bytes() == recording.read_bytes()


@pytest.mark.parametrize("we_listen", [True, False], ids=["we listen", "we call"])
def test_an_encrypted_stream_from_srt_live_transmit(
    srt_live_transmit: str, run: type[Command], port: int, recording: Path, tmp_path: Path, we_listen: bool
) -> None:
    copy = tmp_path / "out.ts"
    key = "passphrase=what-both-ends-know"
    theirs = f"srt://127.0.0.1:{port}?mode={'caller' if we_listen else 'listener'}&{key}"
    ours = f"srt://127.0.0.1:{port}?mode={'listener' if we_listen else 'caller'}&{key}"
    words = [srt_live_transmit, "-a:no", "-q", "-loglevel:error", "file://con", theirs]
    if we_listen:
        receiver = run("live", ours, str(copy), "--no-reconnect")
        wait_until_bound(port)
    tool = subprocess.Popen(words, stdin=subprocess.PIPE)
    try:
        if not we_listen:
            wait_until_bound(port)
            receiver = run("live", ours, str(copy), "--no-reconnect")
        receiver.wait_to_say("connected to")
        assert tool.stdin is not None
        sent, goal, limit = recording.read_bytes(), 1, time.monotonic() + PATIENCE

        def pad() -> None:
            while copy.stat().st_size < goal and time.monotonic() < limit:
                assert tool.stdin is not None
                tool.stdin.write(NULL_PACKET * 7)
                tool.stdin.flush()
                time.sleep(0.01)

        pad()  # srt-live-transmit throws away what it reads before it knows that it is connected
        for start in range(0, len(sent), 1316):
            tool.stdin.write(sent[start : start + 1316])
            tool.stdin.flush()
            time.sleep(0.001)
        goal = copy.stat().st_size + len(sent) + 1316 * 100
        pad()  # its end loses what has not been played: null packets follow until we have all
        status, said = receiver.finish(signal.SIGTERM)
        assert status == 0, said
    finally:
        tool.kill()
        tool.wait()
        assert tool.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            tool.stdin.close()
    assert copy.read_bytes().count(sent) == 1
