"""Connections that come and go leave nothing behind."""

from __future__ import annotations

import gc
import threading
import weakref

import pytest

from srtpy.config import Config
from srtpy.errors import ConnectionTimeoutError, NobodyListeningError, RejectedError
from srtpy.internal.session.accepting import Accepting
from srtpy.internal.session.dialing import dial
from srtpy.internal.session.judging import by_bool
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import Deadline
from tests.conftest import descriptors
from tests.internal.session.fakes import in_thread, until

QUICK = Config(linger=0.0)
SOON = Deadline.after(30.0)


def cycle(listener: Accepting, count: int) -> list[weakref.ref[Session]]:
    """Connect and close so often; the side that closes first changes each time."""
    gone: list[weakref.ref[Session]] = []
    for number in range(count):
        pair = [dial(listener.local_address, QUICK), listener.accept(SOON)]
        gone += [weakref.ref(side) for side in pair]
        for side in pair[:: 1 if number % 2 else -1]:
            side.close()
    return gone


def test_a_thousand_connections_leak_nothing(listener: Accepting) -> None:
    cycle(listener, 5)
    threads, open_before = threading.active_count(), len(descriptors())
    gone = cycle(listener, 1_000)
    gc.collect()
    assert threading.active_count() == threads
    assert len(descriptors()) == open_before
    assert [one for one in gone if one() is not None] == [], "sessions kept alive"


def test_failing_dials_free_everything(listener: Accepting) -> None:
    listener.judge = by_bool(lambda request: False)
    port = listener.local_address
    before = len(descriptors())
    for _ in range(50):
        with pytest.raises(RejectedError):
            dial(port, QUICK)
    until(lambda: len(descriptors()) == before)
    for _ in range(20):
        with pytest.raises((NobodyListeningError, ConnectionTimeoutError)):
            dial(("127.0.0.1", 1), Config(conn_timeout=0.01))
    assert len(descriptors()) == before


def test_many_at_the_same_time(listener: Accepting) -> None:
    dials = [in_thread(lambda: dial(listener.local_address, QUICK)) for _ in range(32)]
    accepted = [listener.accept(SOON) for _ in range(32)]
    callers = [one.result() for one in dials]
    assert len({side.socket_id for side in accepted}) == 32
    for side in callers + accepted:
        assert isinstance(side, Session)
        side.shut_down()
    for side in callers + accepted:
        assert isinstance(side, Session)
        side.close()
