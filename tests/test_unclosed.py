"""Connections and listeners that nobody closes, and the interpreter's exit."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from srtpy.unclosed import end_unclosed

ROOT = Path(__file__).resolve().parents[1]

LEFT_OPEN = {
    "a connection being made": "conn = srtpy.dial(('127.0.0.1', PORT), wait=False)",
    "a listener": "listener = srtpy.listen('127.0.0.1:0')",
}


@pytest.mark.parametrize("left", sorted(LEFT_OPEN))
def test_what_is_left_open_does_not_keep_a_program_from_its_end(left: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        script = "import srtpy\n" + LEFT_OPEN[left].replace("PORT", str(silent.getsockname()[1]))
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            [sys.executable, "-c", script], timeout=60, env=environment, capture_output=True, check=False
        )
    assert done.returncode == 0, done.stderr


def test_ends_are_called_on_a_thread_of_their_own() -> None:
    called: list[str] = []
    both = threading.Event()
    end_unclosed(lambda: called.append(threading.current_thread().name), both.set)
    assert both.wait(30)
    assert called == ["srt-unclosed"]
