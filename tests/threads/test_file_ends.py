"""How connections of files end, over real sockets, in both modes: each row of the close table, and who hears what."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from srtpy.config import Config
from srtpy.errors import ConnClosedError, ConnectionBrokenError, PeerShutdownError, SRTError
from srtpy.fields import TransType
from srtpy.internal.session.accepting import listen
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import Deadline
from tests.internal.session.fakes import Running, in_thread, until
from tests.threads.conftest import Connect
from tests.tools.udp_proxy import UdpProxy

SOON = Deadline.after(30.0)
ROOT = Path(__file__).resolve().parents[2]
PIECE = 50_000
SMALL = Config(trans_type=TransType.FILE, send_buf_size=300, recv_buf_size=100, linger=0.0)
both = pytest.mark.parametrize("config", [SMALL, SMALL.replace(message_api=True)], ids=["stream", "messages"])


def pieces(count: int) -> list[bytes]:
    return [number.to_bytes(4) * (PIECE // 4) for number in range(count)]


def write_all(session: Session, count: int) -> None:
    for piece in pieces(count):
        session.writer.write(piece)


def blocked_writer(session: Session) -> Running:
    """Return a writer that waits for a peer that does not read: both buffers are full."""
    writing = in_thread(lambda: write_all(session, 1000))
    until(lambda: session.engine.writable.count == 1 and session.core.room() < 40)
    return writing


def read_all(session: Session) -> bytes:
    return b"".join(iter(lambda: session.reader.read(deadline=SOON), b""))


@both
def test_closing_wakes_a_reader_and_a_writer(connect: Connect, config: Config) -> None:
    caller, accepted = connect(config)
    writing, reading = blocked_writer(caller), in_thread(caller.reader.read)
    until(lambda: caller.engine.readable.count == 1)
    caller.close()
    for call in (writing, reading):
        with pytest.raises(ConnClosedError):
            call.result()
    assert caller.state is ConnState.CLOSED
    with pytest.raises(ConnectionBrokenError, match="only a part"):
        read_all(accepted)


@both
def test_the_linger_delivers_all_to_a_slow_reader_and_every_closer_waits_for_it(
    connect: Connect, config: Config
) -> None:
    caller, accepted = connect(config.replace(linger=20.0))
    write_all(caller, 4)
    closers = [in_thread(caller.close) for _ in range(3)]
    until(lambda: caller.state is ConnState.CLOSING)
    assert not any(closer.is_done for closer in closers)
    assert read_all(accepted) == b"".join(pieces(4))
    for closer in closers:
        closer.result()
    with pytest.raises(PeerShutdownError):
        accepted.writer.write(b"x")


@both
def test_a_linger_that_is_over_leaves_no_part_that_looks_like_all(connect: Connect, config: Config) -> None:
    caller, accepted = connect(config.replace(linger=0.3))
    write_all(caller, 7)
    begun = time.monotonic()
    caller.close()
    assert 0.25 < time.monotonic() - begun < 4.8, "by the linger and not by silence"
    with pytest.raises(ConnectionBrokenError, match="before all it had written had arrived"):
        read_all(accepted)


@both
def test_the_peer_closes_before_a_blocked_writer(connect: Connect, config: Config) -> None:
    caller, accepted = connect(config.replace(linger=20.0))
    writing = blocked_writer(caller)
    accepted.close()
    with pytest.raises(PeerShutdownError):
        writing.result()
    begun = time.monotonic()
    caller.close()
    assert time.monotonic() - begun < 15.0, "nobody is left to linger for"


@both
def test_a_peer_that_vanishes_in_the_middle_is_no_end(connect: Connect, config: Config) -> None:
    config = config.replace(peer_idle_timeout=2.0, linger=20.0)
    with UdpProxy() as proxy:
        caller, accepted = connect(config, by_way_of=lambda target: proxy.add_route((target[0], target[1])))
        writing = blocked_writer(caller)
        proxy.black_out(60.0)
        with pytest.raises(ConnectionBrokenError, match="silent"):
            read_all(accepted)
        with pytest.raises(ConnectionBrokenError, match="silent"):
            writing.result()
        begun = time.monotonic()
        caller.close()
        assert time.monotonic() - begun < 15.0, "nobody is left to linger for"


@both
def test_closing_with_both_directions_full(connect: Connect, config: Config) -> None:
    pair = connect(config.replace(linger=0.3))
    writing = [blocked_writer(side) for side in pair]
    for closer in [in_thread(side.close) for side in pair]:
        closer.result()
    for one in writing:
        with pytest.raises(SRTError):
            one.result()
    assert [side.state for side in pair] == [ConnState.CLOSED] * 2


@both
def test_both_directions_at_once_with_readers_slower_than_writers(connect: Connect, config: Config) -> None:
    pair = connect(config)
    writing = [in_thread(lambda side=side: write_all(side, 60)) for side in pair]  # type: ignore[misc]
    for side in pair:  # nobody reads until both are stuck
        until(lambda side=side: side.engine.writable.count == 1 and side.core.room() < 40)  # type: ignore[misc]

    def read(side: Session) -> bytes:
        got = b""
        while len(got) < 60 * PIECE:
            got += side.reader.read(10_000, deadline=SOON)
        return got

    reading = [in_thread(lambda side=side: read(side)) for side in pair]  # type: ignore[misc]
    assert [one.result() for one in reading] == [b"".join(pieces(60))] * 2
    for one in writing:
        one.result()


EXIT = """
import sys
from srtpy.config import Config
from srtpy.fields import TransType
from srtpy.internal.session.dialing import dial
config = Config(trans_type=TransType.FILE, message_api=sys.argv[2] == "1")
session = dial(("127.0.0.1", int(sys.argv[1])), config)
for _ in range(8):
    session.writer.write(bytes(50_000))
"""


@both
def test_a_program_that_exits_in_the_middle_leaves_no_part_that_looks_like_all(config: Config) -> None:
    listener = listen(("127.0.0.1", 0), config, 8)
    arguments = [str(listener.local_address[1]), str(int(config.effective_message_api))]
    program = subprocess.Popen([sys.executable, "-c", EXIT, *arguments], cwd=ROOT)
    accepted = listener.accept(SOON)
    try:
        assert program.wait(30) == 0
        begun = time.monotonic()
        with pytest.raises(ConnectionBrokenError, match="only a part"):
            read_all(accepted)
        assert time.monotonic() - begun < 4.8, "told, not found out by silence"
    finally:
        accepted.close()
        listener.close()
