"""How connections end, over real sockets: from either side, in silence, with the interpreter."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from srtpy.config import Config
from srtpy.errors import ConnClosedError, ConnectionBrokenError, PeerShutdownError
from srtpy.internal.session.accepting import Accepting
from srtpy.internal.session.dialing import dial
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.waiting import Deadline
from tests.internal.session.fakes import in_thread, until
from tests.threads.conftest import Connect, core
from tests.tools.udp_proxy import UdpProxy

SOON = Deadline.after(30.0)
ROOT = Path(__file__).resolve().parents[2]


def test_exactly_two_threads_a_connection_and_one_a_socket(connect: Connect) -> None:
    caller, accepted = connect()
    names = sorted(thread.name.rsplit("-", 1)[0] for thread in threading.enumerate() if thread.name.startswith("srt-"))
    assert names == ["srt-listen", "srt-mux", "srt-mux", "srt-recv", "srt-recv", "srt-timer", "srt-timer"]
    assert caller.socket_id != accepted.socket_id


def test_after_the_peers_close_everything_comes_in_its_time_and_then_the_end(connect: Connect) -> None:
    caller, accepted = connect(Config(latency=0.5))
    for number in range(10):
        caller.writer.write(bytes([number]))
    begun = time.monotonic()
    closing = in_thread(caller.close)
    assert [accepted.reader.read(deadline=SOON) for _ in range(11)] == [bytes([number]) for number in range(10)] + [b""]
    closing.result()
    # SHUTDOWN leaves when the peer has played everything; libsrt's own close loses what it has not
    assert time.monotonic() - begun > 0.4
    assert accepted.state is ConnState.BROKEN
    with pytest.raises(PeerShutdownError):
        accepted.writer.write(b"x")
    assert accepted.reader.read() == b""


def test_without_linger_what_has_arrived_is_still_played(connect: Connect) -> None:
    caller, accepted = connect(Config(latency=1.0, linger=0.0))
    for number in range(10):
        caller.writer.write(bytes([number]))
    until(lambda: accepted.ask(lambda now: core(accepted).gauges(now).receive_buffer_packets) == 10)
    caller.close()
    assert [accepted.reader.read(deadline=SOON) for _ in range(11)] == [bytes([number]) for number in range(10)] + [b""]


def test_many_close_and_many_wait(connect: Connect) -> None:
    caller, accepted = connect()
    calls = [in_thread(accepted.reader.read) for _ in range(4)]
    until(lambda: accepted.engine.readable.count == 4)
    closers = [in_thread(accepted.close) for _ in range(8)]
    for closer in closers:
        closer.result()
    for call in calls:
        with pytest.raises(ConnClosedError):
            call.result()
    assert accepted.state is ConnState.CLOSED
    assert caller.reader.read(deadline=SOON) == b""


def test_both_close_at_once(connect: Connect) -> None:
    for _ in range(5):
        pair = connect()
        for closer in [in_thread(side.close) for side in pair]:
            closer.result()
        assert [side.state for side in pair] == [ConnState.CLOSED, ConnState.CLOSED]


def test_closing_with_a_full_buffer_and_a_dead_peer_ends_by_the_linger(connect: Connect) -> None:
    with UdpProxy() as proxy:
        caller, _ = connect(
            Config(linger=0.3, latency=0.02), by_way_of=lambda target: proxy.add_route((target[0], target[1]))
        )
        proxy.black_out(60.0)
        for _ in range(100):
            caller.writer.write(b"x" * 1316)
        begun = time.monotonic()
        caller.close()
        assert 0.25 < time.monotonic() - begun < 4.8, "by the linger and not by silence"


def test_a_silent_peer_breaks_the_connection_after_the_idle_timeout(connect: Connect) -> None:
    with UdpProxy() as proxy:
        caller, accepted = connect(
            Config(peer_idle_timeout=2.0, latency=0.02),
            by_way_of=lambda target: proxy.add_route((target[0], target[1])),
        )
        caller.writer.write(b"last words")
        assert accepted.reader.read(deadline=SOON) == b"last words"
        proxy.black_out(60.0)
        begun = time.monotonic()
        for side in (caller, accepted):
            with pytest.raises(ConnectionBrokenError, match="silent"):
                side.reader.read(deadline=SOON)
            assert side.state is ConnState.BROKEN
            with pytest.raises(ConnectionBrokenError):
                side.writer.write(b"x")
        assert 0.8 < time.monotonic() - begun < 4.8, "the usual limit is 5 s"


def test_a_listener_closes_while_a_stream_runs(listener: Accepting) -> None:
    caller = dial(listener.local_address, Config(latency=0.02))
    accepted = listener.accept(SOON)
    caller.writer.write(b"before")
    assert accepted.reader.read(deadline=SOON) == b"before"
    listener.close()
    caller.writer.write(b"after")
    assert accepted.reader.read(deadline=SOON) == b"after"
    caller.close()
    accepted.close()


EXIT = """
import sys
from srtpy.config import Config
from srtpy.internal.session.dialing import dial
session = dial(("127.0.0.1", int(sys.argv[1])), Config())
session.writer.write(b"last words")
if sys.argv[2] == "raise":
    raise SystemExit(0)
"""


@pytest.mark.parametrize("way", ["end", "raise"])
def test_the_interpreters_exit_shuts_down_at_once(listener: Accepting, way: str) -> None:
    program = subprocess.Popen([sys.executable, "-c", EXIT, str(listener.local_address[1]), way], cwd=ROOT)
    accepted = listener.accept(SOON)
    try:
        assert program.wait(30) == 0
        begun = time.monotonic()
        assert accepted.reader.read(deadline=SOON) == b"last words"
        assert accepted.reader.read(deadline=SOON) == b""
        assert time.monotonic() - begun < 4.8, "told, not found out by silence"
    finally:
        accepted.close()


def test_a_fork_leaves_the_connection_to_the_parent(connect: Connect) -> None:
    caller, accepted = connect(Config(latency=0.02))
    child = os.fork()
    if not child:
        try:
            caller.writer.write(b"from the child")
        except ConnClosedError:
            caller.close()
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    caller.writer.write(b"from the parent")
    assert accepted.reader.read(deadline=SOON) == b"from the parent"
