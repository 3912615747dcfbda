from __future__ import annotations

import gc
import threading
import warnings

import pytest

from srtpy.config import Config
from srtpy.errors import (
    ConnClosedError,
    PeerError,
)
from srtpy.inside import ConnState
from srtpy.options import SockOpt
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
        reader.join(5)
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
        assert twice.wait(5)
        a.on_stats(0.01, None)
        assert sum(stats.sent_packets for stats in seen) == 0
        with pytest.raises(TypeError):
            a.on_stats(1, "not callable")  # type: ignore[arg-type]
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
        assert closed.wait(5)
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
    with pytest.raises(ConnClosedError):
        b.send_peer_error()


def test_keepalives() -> None:
    a, b, cable, _ = join()
    with b, a:
        a.send_keep_alive()
        assert 1 in cable.kinds
    with pytest.raises(ConnClosedError):
        a.send_keep_alive()


def test_a_conn_is_small() -> None:
    with pair(SHORT) as (a, _), pytest.raises(AttributeError):
        a.something = 1  # type: ignore[attr-defined]
