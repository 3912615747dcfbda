"""Many connections of libsrt's into one listener of ours: two hundred that stream, five hundred that do not."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.tools.libsrt_peer import LibsrtPeer
from tests.tools.srtpy_peer import SrtpyPeer

pytestmark = pytest.mark.usefixtures("libsrt")

STREAM = 12_500  # bytes a second: 100 kbit/s
MOST_IDLE = 0.25  # of a core


def test_two_hundred_streams_of_100_kbit_s_arrive_without_a_loss() -> None:
    messages = 200 * 95  # ten seconds
    both = {"connections": 200, "count": messages, "latency": 600}  # a machine that stands still is no loss of ours
    with SrtpyPeer(mode="listener", role="receive", settle=0.0, **both) as receiver:
        settings = {"role": "send", "rate": 200 * STREAM, "share_port": 1, "keep_open_ms": 5000, **both}
        with LibsrtPeer(mode="caller", port=receiver.port, settle=1.0, **settings) as sender:
            sent, got = sender.result(), receiver.result()
    assert sent["messages"] == got["messages"] == messages, f"{sent}\n{got}"
    assert got["missing"] == got["repeated"] == got["damaged"] == got["stats"]["receive_drop"] == 0


def cpu_seconds(pid: int) -> float:
    """Return the processor time a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_five_hundred_idle_connections_leave_the_machine_to_others() -> None:
    """The aim is a tenth of a core, which `tools/srt_bench.py` measures; on a busy machine time costs more."""
    with ExitStack() as stack:
        listener = stack.enter_context(SrtpyPeer(mode="listener", role="idle", connections=500, seconds=60))
        calling = {"mode": "caller", "role": "idle", "connections": 500, "share_port": 1, "seconds": 60}
        stack.enter_context(LibsrtPeer(port=listener.port, **calling))
        listener.wait_connected()
        time.sleep(1)
        shares = []
        for _ in range(8):  # of several looks the best: others use this machine too
            before, begin = cpu_seconds(listener.pid), time.monotonic()
            time.sleep(2.5)
            shares.append((cpu_seconds(listener.pid) - before) / (time.monotonic() - begin))
            if shares[-1] < MOST_IDLE:
                break
        listener.stop()
        report = listener.result()
    assert report["connections"] == 500
    assert report["all_stats"]["recv_packets"] == 0
    assert min(shares) < MOST_IDLE, shares
