from __future__ import annotations

import time

import pytest

from srtpy.inside import PollFlag
from tests.connected import SHORT, join, pair


def test_flags_are_libsrts() -> None:
    assert (int(PollFlag.IN), int(PollFlag.OUT), int(PollFlag.ERR)) == (1, 4, 8)


def test_a_reading_is_of_one_moment() -> None:
    with pair() as (a, b):
        a.write(b"x" * 100)
        b.read()
        reading = b._inside.reading()
        assert reading.counts["recv_bytes"] == 100
        assert reading.gauges["recv_latency"] == 20_000
        assert reading.socket_id == b.socket_id
        assert reading.flow_window == 8192
        assert 0 <= reading.age < 60
        assert reading.start_time + reading.age == pytest.approx(time.time(), abs=1)


def test_readiness() -> None:
    a, b, *_ = join(SHORT)
    with a, b:
        assert b._inside.events() == PollFlag.OUT
        a.write(b"x")
        while not b._inside.events() & PollFlag.IN:
            pass
        assert b.read() == b"x"


def test_the_linger_takes_effect() -> None:
    with pair() as (a, _):
        a._inside.config.linger = 2.5
        a._inside.apply("linger")
        assert a._session.linger == 2_500_000
