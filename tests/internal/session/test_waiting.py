from __future__ import annotations

from threading import Event, Lock

import pytest

from srtpy.errors import DeadlineError, WouldBlockError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, SECOND
from srtpy.internal.session.waiting import AT_ONCE, FOREVER, Deadline, Sleepers
from tests.internal.session.fakes import in_thread, until

BEGAN = 1_000 * SECOND


@pytest.mark.parametrize(
    ("at", "timeouts", "is_blocking", "limit"),
    [
        (None, (), True, NEVER),
        (None, (None, None), True, NEVER),
        (None, (2.0,), True, BEGAN + 2 * SECOND),
        (None, (2.0, 0.5), True, BEGAN + SECOND // 2),
        (1_001.0, (None,), True, BEGAN + SECOND),
        (1_001.0, (0.25,), True, BEGAN + SECOND // 4),
        (1_001.0, (4.0,), True, BEGAN + SECOND),
        (999.0, (4.0,), True, 999 * SECOND),
        (None, (0.0, 3.0), True, BEGAN),
        (1_001.0, (3.0,), False, BEGAN),
        (1e30, (1e30,), True, NEVER),
    ],
)
def test_the_earliest_counts(
    at: float | None, timeouts: tuple[float | None, ...], is_blocking: bool, limit: int
) -> None:
    assert Deadline.of(at, *timeouts, is_blocking=is_blocking).limit(BEGAN) == limit


def test_one_deadline_serves_many_calls() -> None:
    deadline = Deadline.after(1.5)
    assert [deadline.limit(began) for began in (0, SECOND)] == [1_500_000, 2_500_000]


def test_errors_tell_waiting_from_not_waiting() -> None:
    timeout = Deadline.after(0.25).expired("nothing arrived", BEGAN)
    assert isinstance(timeout, DeadlineError)
    assert isinstance(timeout, TimeoutError)
    assert "nothing arrived within 0.250 s" in str(timeout)
    refused = Deadline.of(None, 0.0).expired("nothing arrived", BEGAN)
    assert isinstance(refused, WouldBlockError)
    assert isinstance(refused, BlockingIOError)


def test_a_deadline_in_the_past_asks_whether_a_timeout_was_meant() -> None:
    error = Deadline.of(5.0).expired("nothing arrived", BEGAN)
    assert isinstance(error, DeadlineError)
    assert "did you mean settimeout" in str(error)


def test_the_constants() -> None:
    assert FOREVER.limit(BEGAN) == NEVER
    assert AT_ONCE.limit(BEGAN) == BEGAN


def test_sleepers_are_counted_and_the_first_waking_is_known() -> None:
    lock = Lock()
    sleepers = Sleepers(lock)
    soon, late = monotonic_now() + 20 * SECOND, monotonic_now() + 40 * SECOND

    def sleep(until_when: int) -> None:
        with lock:
            sleepers.sleep(until_when, monotonic_now())

    first = in_thread(lambda: sleep(soon))
    until(lambda: sleepers.count == 1)
    second = in_thread(lambda: sleep(late))
    until(lambda: sleepers.count == 2)
    with lock:
        assert sleepers.wakes_at == soon
        sleepers.wake_one(for_instant=soon - 5)
        assert sleepers.wakes_at == soon - 5, "one is up already"
    first.result()
    with lock:
        assert (sleepers.count, sleepers.wakes_at) == (1, late)
        sleepers.wake_all()
    second.result()
    assert (sleepers.count, sleepers.wakes_at) == (0, NEVER)


@pytest.mark.parametrize("until_when", [-5, 0, 2_000])
def test_sleeping_ends_by_itself(until_when: int) -> None:
    lock = Lock()
    with lock:
        now = monotonic_now()
        Sleepers(lock).sleep(now + until_when, now)
    assert monotonic_now() - now >= until_when


def test_nobody_sleeps_longer_than_the_machine_can_count() -> None:
    lock = Lock()
    sleepers = Sleepers(lock)
    begun = Event()

    def sleep() -> None:
        with lock:
            begun.set()
            sleepers.sleep(NEVER, 0)

    sleeper = in_thread(sleep)
    begun.wait()
    until(lambda: sleepers.count == 1)
    with lock:
        sleepers.wake_all()
    sleeper.result()
