from __future__ import annotations

import copy
import gc
import pickle
import socket
import threading
import warnings
from collections.abc import Iterator

import pytest

import srtpy
from srtpy.config import Config
from srtpy.errors import (
    ConnClosedError,
    PeerError,
)
from srtpy.internal.session.fate import ConnState
from srtpy.options import VERSION, SockOpt
from srtpy.stats import ConnStats
from tests.connected import SHORT, join, pair


def test_closing_wakes_the_reader() -> None:
    with pair() as (_, b):
        failures: list[BaseException] = []

        def read() -> None:
            try:
                b.read()
            except ConnClosedError as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        b.close()
        reader.join(30)
        assert len(failures) == 1
        assert b.closed
        assert b.state == ConnState.CLOSED
        b.close()
        with pytest.raises(ConnClosedError):
            b.write(b"x")


def test_leaving_a_with_statement_closes() -> None:
    a, b, *_ = join()
    with b, a:
        assert a.state == ConnState.CONNECTED
        assert not a.closed
    assert a.closed
    assert b.closed


def test_unclosed_connections_are_reported_and_closed() -> None:
    a, b, *_ = join()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del a
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert b.read() == b""
    b.close()


def test_an_unclosed_connection_ends_its_callbacks() -> None:
    a, b, *_ = join()
    with b, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        a.on_stats(60, print)
        watch = a._watch
        assert watch is not None
        del a
        gc.collect()
        assert b.read() == b""
        while not watch.is_cancelled:
            pass


def test_no_copies() -> None:
    with pair() as (a, _):
        for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot pickle or copy 'Conn'"):
                duplicate(a)
        gc.collect()
        assert not a.closed


def test_who_and_how() -> None:
    with pair(Config(latency=0.02, stream_id="live/a")) as (a, b):
        assert a.socket_id == b.peer_socket_id != a.peer_socket_id
        assert a.stream_id == b.stream_id == "live/a"
        assert a.peer_version == 0x010505
        assert repr(a).startswith("<srtpy.Conn connected ('127.0.0.1', 40001) - ('127.0.0.1', 40002) id=")
        assert "live/a" in repr(a)


def test_statistics() -> None:
    with pair() as (a, b):
        a.write_many([bytes(1000)] * 10)
        for _ in range(10):
            b.read()
        stats = a.stats()
        assert (stats.sent_packets, stats.sent_bytes, stats.sent_total_bytes) == (10, 10000, 10440)
        assert b.stats().recv_unique_packets == 10
        assert b.stats(clear=True).recv_packets == 10
        assert b.stats(clear=True).recv_packets == 0
        assert b.stats().recv_packets == 10
        assert a.extended_stats().send_rate_pps >= 0
        assert a.send_rate()[1] >= 0
        for average in (a.avg_snd_buf_size, a.avg_snd_buf_bytes, a.avg_rcv_buf_size, a.avg_rcv_buf_bytes):
            assert average() >= 0
        socket_id = a.socket_id
    assert a.stats().sent_packets == 10
    assert a.stats().socket_id == socket_id
    assert a.stats().duration == a.stats().duration


def test_closing_on_a_thread_of_the_connections_own_waits_for_nothing() -> None:
    a, b, *_ = join()
    closed = threading.Event()

    def close() -> None:
        with a._session.engine.lock:
            pass  # ours to take: nobody holds it while it is given back
        a.close()
        closed.set()

    a._session._on_down = close
    with b:
        a._session.shut_down()
        assert closed.wait(30)
    a.close()
    assert a.stats().duration == a.stats().duration


def test_statistics_called_back() -> None:
    with pair() as (a, b):
        a.write(b"x")
        b.read()
        seen: list[ConnStats] = []
        twice = threading.Event()

        def look(stats: ConnStats) -> None:
            seen.append(stats)
            if len(seen) == 2:
                twice.set()

        a.on_stats(0.01, look)
        assert a.stats(clear=True).sent_packets == 1
        assert twice.wait(30)
        a.on_stats(0.01, None)
        assert sum(stats.sent_packets for stats in seen) == 0
        with pytest.raises(TypeError):
            a.on_stats(1, "not callable")  # type: ignore[arg-type]
        for bad in (-1, float("nan")):
            with pytest.raises(ValueError):
                a.on_stats(bad, look)
    with pytest.raises(ConnClosedError):
        a.on_stats(1, look)


def test_closing_in_a_callback_ends_the_callbacks() -> None:
    with pair() as (a, _):
        calls: list[ConnStats] = []
        closed = threading.Event()

        def close(stats: ConnStats) -> None:
            calls.append(stats)
            a._session.shut_down()
            a.close()
            closed.set()

        a.on_stats(0.01, close)
        assert closed.wait(30)
        assert a.closed
    assert len(calls) == 1


def test_limits_can_change() -> None:
    with pair() as (a, _):
        a.set_max_bw(1_000_000)
        assert a.get_option(SockOpt.MAX_BW) == 1_000_000
        assert a.stats().mbps_max_bw == 8.0
        with pytest.raises(ValueError):
            a.set_max_bw(-2)


def test_peer_errors() -> None:
    with pair() as (a, b):
        b.send_peer_error(4000)
        codes: list[int] = []
        while not codes:
            try:
                a.write(b"x")
            except PeerError as error:
                codes.append(error.code)
        assert codes == [4000]
        with pytest.raises(ValueError):
            b.send_peer_error(-1)
        with pytest.raises(TypeError, match="whole number"):
            b.send_peer_error("full")  # type: ignore[arg-type]
    with pytest.raises(ConnClosedError):
        b.send_peer_error()


def test_keepalives() -> None:
    a, b, cable, _ = join()
    with b, a:
        a.send_keep_alive()
        assert 1 in cable.kinds
    with pytest.raises(ConnClosedError):
        a.send_keep_alive()


LOCAL = ("127.0.0.1", 0)


def test_a_conn_is_small() -> None:
    with pair(SHORT) as (a, _), pytest.raises(AttributeError):
        a.something = 1  # type: ignore[attr-defined]


@pytest.fixture
def listener() -> Iterator[srtpy.Listener]:
    with srtpy.listen(LOCAL, latency=0.02, linger=0) as made:
        made.settimeout(30)
        yield made


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address where somebody listens and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quiet:
        quiet.bind(LOCAL)
        yield quiet.getsockname()


def test_without_waiting(listener: srtpy.Listener) -> None:
    gate = threading.Event()
    listener.set_accept_func(lambda request: gate.wait(30))
    caller = srtpy.dial(listener.local_addr, wait=False, latency=0.02, linger=0)
    with caller:
        assert caller.state is ConnState.CONNECTING
        assert not caller.closed
        assert repr(caller) == "<srtpy.Conn connecting>"
        assert caller.get_option(SockOpt.STATE) is ConnState.CONNECTING
        caller.settimeout(30)
        for call in (caller.read, caller.stats, lambda: caller.write(b"x"), lambda: caller.stream_id):
            with pytest.raises(srtpy.WouldBlockError, match=r"not yet connected; wait_connected\(\) waits"):
                call()
        with pytest.raises(srtpy.DeadlineError):
            caller.wait_connected(0.01)
        gate.set()
        caller.wait_connected(10)
        caller.wait_connected()
        assert repr(caller.state) == repr(ConnState.CONNECTED)
        assert caller.gettimeout() == 30
        with listener.accept() as accepted:
            accepted.write(b"x")
            assert caller.read() == b"x"
    assert caller.closed


def test_without_waiting_it_connects_by_itself(listener: srtpy.Listener) -> None:
    with srtpy.dial(listener.local_addr, wait=False, linger=0) as caller, listener.accept():
        while caller.state is ConnState.CONNECTING:
            pass
        assert repr(caller.state) == repr(ConnState.CONNECTED)
        assert caller.peer_version == VERSION


def test_without_waiting_failures_come_later(silent: tuple[str, int]) -> None:
    with srtpy.dial(silent, wait=False, conn_timeout=0.1) as caller:
        for _ in range(2):
            with pytest.raises(srtpy.ConnectionTimeoutError):
                caller.wait_connected()
        assert caller.state is caller.get_option(SockOpt.STATE) is ConnState.BROKEN
        with pytest.raises(srtpy.ConnectionTimeoutError):
            caller.read()
    assert repr(caller) == "<srtpy.Conn closed>"


def test_forgotten_while_connecting_whatever_lock_the_collecting_thread_holds(listener: srtpy.Listener) -> None:
    caller = srtpy.dial(listener.local_addr, wait=False, latency=0.02, linger=0)
    with listener.accept() as accepted:
        dialing = caller._dialing
        assert dialing is not None
        session = dialing.wait()
        with session.engine.lock, warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            collecting = threading.Thread(target=caller.__del__)
            collecting.start()
            collecting.join(30)
            assert not collecting.is_alive()
        assert "<srtpy.Conn connecting>" in str(caught[0].message)
        assert accepted.read() == b""
    caller.close()


def test_an_attempt_that_failed_is_forgotten_without_a_word(silent: tuple[str, int]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        caller = srtpy.dial(silent, wait=False, conn_timeout=0.01)
        with pytest.raises(srtpy.ConnectionTimeoutError):
            caller.wait_connected()
        caller.__del__()
    caller.close()


def test_closed_while_connecting(silent: tuple[str, int]) -> None:
    caller = srtpy.dial(silent, wait=False, conn_timeout=60)
    caller.close()
    caller.close()
    assert caller.state is ConnState.CLOSED
    assert caller.closed
    with pytest.raises(srtpy.ConnClosedError):
        caller.read()
