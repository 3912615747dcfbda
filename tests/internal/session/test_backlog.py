from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from srtpy.errors import DeadlineError, ListenerClosedError, WouldBlockError
from srtpy.internal.session.backlog import Backlog
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import AT_ONCE, Deadline, Sleepers
from tests.internal.session.fakes import Rig, in_thread, until


def session() -> Session:
    return Rig().session


@pytest.fixture
def backlog() -> Iterator[Backlog]:
    backlog = Backlog(2)
    yield backlog
    backlog.close()


def fill(backlog: Backlog) -> Session:
    assert backlog.reserve()
    one = session()
    assert backlog.fill(one)
    return one


def test_first_come_first_served(backlog: Backlog) -> None:
    first, second = fill(backlog), fill(backlog)
    assert len(backlog) == 2
    assert [backlog.take(), backlog.take()] == [first, second]


def test_who_is_interrupted_leaves_the_session_to_the_next(backlog: Backlog) -> None:
    first, second = fill(backlog), fill(backlog)
    wait_for = backlog._filled.wait_for

    class Interrupted(Sleepers):
        def wait_for(self, look: Callable[[int], int | None]) -> None:
            wait_for(look)
            raise KeyboardInterrupt

    waiting, backlog._filled = backlog._filled, Interrupted(backlog._lock)
    with pytest.raises(KeyboardInterrupt):
        backlog.take()
    backlog._filled = waiting
    assert [backlog.take(), backlog.take()] == [first, second]


def test_a_place_that_is_reserved_is_taken(backlog: Backlog) -> None:
    fill(backlog)
    assert backlog.reserve()
    assert backlog.is_full
    assert not backlog.reserve()
    backlog.give_up()
    assert not backlog.is_full
    assert backlog.reserve()


def test_who_waits_for_a_session_has_a_hand_free(backlog: Backlog) -> None:
    fill(backlog)
    assert backlog.reserve()
    backlog.take()
    taking = in_thread(backlog.take)
    until(lambda: backlog._filled.count == 1)
    assert backlog.reserve()
    assert backlog.reserve()
    assert backlog.is_full
    assert backlog.fill(session())
    assert isinstance(taking.result(), Session)


@pytest.mark.parametrize(("deadline", "error"), [(Deadline.after(0.01), DeadlineError), (AT_ONCE, WouldBlockError)])
def test_no_longer_than_the_deadline(backlog: Backlog, deadline: Deadline, error: type[Exception]) -> None:
    with pytest.raises(error, match="nobody connected"):
        backlog.take(deadline)


def test_closing_ends_waiting_and_hands_over_who_waited(backlog: Backlog) -> None:
    one = fill(backlog)
    assert backlog.reserve()
    assert backlog.close() == [one]
    assert backlog.close() == []
    assert not backlog.fill(session())
    assert not backlog.reserve()
    with pytest.raises(ListenerClosedError):
        backlog.take()


def test_closing_wakes_everyone(backlog: Backlog) -> None:
    takers = [in_thread(backlog.take) for _ in range(3)]
    until(lambda: backlog._filled.count == 3)
    backlog.close()
    for taker in takers:
        with pytest.raises(ListenerClosedError):
            taker.result()


def test_a_forks_child_has_nobody_waiting(backlog: Backlog) -> None:
    fill(backlog)
    backlog._lock.acquire()
    backlog.abandon()
    assert len(backlog) == 0
    with pytest.raises(ListenerClosedError):
        backlog.take()
