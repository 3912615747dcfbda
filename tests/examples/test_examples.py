"""Every example runs as its docstring says."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "error"}


def command(name: str, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "examples" / name), *arguments]


def run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(name, *arguments), env=ENVIRONMENT, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_each_says_what_it_is_and_how_to_run_it(path: Path) -> None:
    text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert f"python examples/{path.name}" in text
    done = run(path.name, "--help")
    assert done.returncode == 0
    assert "usage:" in done.stdout


def test_loopback() -> None:
    done = run("loopback.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "received    10,000,000 bytes" in done.stdout
    assert "identical" in done.stdout
    assert done.stderr == ""


def test_streaming() -> None:
    done = run("streaming.py", "--duration", "2.2", "--bitrate", "2000000", "--latency", "0.5")
    assert done.returncode == 0, done.stdout + done.stderr
    header, *rows, verdict = done.stdout.splitlines()
    assert header.split()[:2] == ["time", "sent"]
    assert len(rows) >= 3
    assert all(re.fullmatch(r"[\d. ]+", row) for row in rows)
    assert verdict == "417 of 417 messages arrived, in order"


def test_sender_and_receiver() -> None:
    data = os.urandom(1_000_001)
    receiver = subprocess.Popen(
        command("receiver.py", "--address", "127.0.0.1:0", "--latency", "0.8"),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        assert receiver.stderr is not None
        port = int(receiver.stderr.readline().split()[-1])
        sender = subprocess.Popen(
            command("sender.py", "-addr", f"127.0.0.1:{port}", "--latency", "0.8", "--stream-id", "live/a"),
            env=ENVIRONMENT,
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _, said_by_sender = sender.communicate(data, timeout=60)
        received, said = receiver.communicate(timeout=60)
    finally:
        receiver.kill()
        receiver.wait()
    assert received == data
    assert b"sent 1,000,001 bytes" in said_by_sender
    assert b"live/a" in said
    assert b"received 1,000,001 bytes, lost 0 packets" in said
    assert (sender.returncode, receiver.returncode) == (0, 0)


def test_a_pattern_that_nobody_listens_for() -> None:
    done = run("sender.py", "--address", "127.0.0.1", "--pattern")
    assert done.returncode == 1
    assert "cannot connect" in done.stderr


def test_filetransfer(tmp_path: Path) -> None:
    original, copy = tmp_path / "original.bin", tmp_path / "copy.bin"
    original.write_bytes(os.urandom(3_000_001))
    secret = ("--passphrase", "known to both")
    receiver = subprocess.Popen(
        command("filetransfer.py", "--mode", "recv", "--address", "127.0.0.1:0", "--file", str(copy), *secret),
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert receiver.stderr is not None
        port = receiver.stderr.readline().split()[-1]
        sent = run("filetransfer.py", "-mode", "send", "-addr", f"127.0.0.1:{port}", "-file", str(original), *secret)
        received, said = receiver.communicate(timeout=60)
    finally:
        receiver.kill()
        receiver.wait()
    assert copy.read_bytes() == original.read_bytes()
    assert (sent.returncode, receiver.returncode) == (0, 0), sent.stderr + said
    assert "sends 'file/original.bin'" in said
    assert sent.stdout.startswith("3,000,001 bytes in ")
    assert sent.stdout.split()[-1] == received.split()[-1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.bin", "original.bin"]


def test_a_file_for_nobody() -> None:
    done = run("filetransfer.py", "--mode", "send", "--address", "127.0.0.1", "--file", str(ROOT / "LICENSE"))
    assert done.returncode == 1
    assert "LICENSE: " in done.stderr
    assert "Traceback" not in done.stderr
