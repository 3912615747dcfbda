from __future__ import annotations

import math
import signal
import threading
from threading import Event, Lock

import pytest

from srtpy.errors import DeadlineError, WouldBlockError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, SECOND
from srtpy.internal.session.waiting import AT_ONCE, FOREVER, Deadline, Sleepers
from tests.internal.session.fakes import in_thread, sleep_once, until

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
        (math.inf, (math.inf,), True, NEVER),
        (-math.inf, (), True, -(10**18)),
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
    soon, late = monotonic_now() + 3600 * SECOND, monotonic_now() + 7200 * SECOND
    first = in_thread(lambda: sleep_once(sleepers, soon))
    until(lambda: sleepers.count == 1)
    second = in_thread(lambda: sleep_once(sleepers, late))
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


def test_each_call_wakes_one_more() -> None:
    lock = Lock()
    sleepers = Sleepers(lock)
    running = [in_thread(lambda: sleep_once(sleepers)) for _ in range(3)]
    until(lambda: sleepers.count == 3)
    with lock:
        for _ in range(5):
            sleepers.wake_one()
    for one in running:
        one.result()


def test_who_has_been_woken_looks_and_may_sleep_again() -> None:
    lock = Lock()
    sleepers = Sleepers(lock)
    looks: list[int] = []
    is_over = False

    def look(now: int) -> int | None:
        looks.append(now)
        return None if is_over else NEVER

    waiting = in_thread(lambda: sleepers.wait_for(look))
    for count in (1, 2, 3):
        until(lambda count=count: len(looks) == count and sleepers.count == 1)  # type: ignore[misc]
        with lock:
            is_over = count == 3
            sleepers.wake_all()
    waiting.result()
    assert len(looks) == 4


@pytest.mark.parametrize("until_when", [-5, 0, 2_000])
def test_sleeping_ends_by_itself(until_when: int) -> None:
    now = monotonic_now()
    sleep_once(Sleepers(Lock()), now + until_when)
    assert monotonic_now() - now >= until_when


def test_nobody_sleeps_longer_than_the_machine_can_count() -> None:
    lock = Lock()
    sleepers = Sleepers(lock)
    sleeper = in_thread(lambda: sleep_once(sleepers, NEVER))
    until(lambda: sleepers.count == 1)
    with lock:
        sleepers.wake_all()
    sleeper.result()


def test_what_looking_raises_ends_the_wait() -> None:
    lock = Lock()
    sleepers = Sleepers(lock)

    def look(now: int) -> int:
        raise WouldBlockError

    with pytest.raises(WouldBlockError):
        sleepers.wait_for(look)
    assert not lock.locked()
    assert sleepers.count == 0


@pytest.mark.parametrize("round_", range(20))
def test_an_interrupt_leaves_neither_a_lock_nor_a_sleeper_behind(round_: int) -> None:
    """Signals come while another thread holds the lock, and the sleeper sleeps, or is awake and wants the lock."""
    lock = Lock()
    sleepers = Sleepers(lock)
    caught, left = Event(), Event()

    def interrupt(number: int, frame: object) -> None:
        caught.set()
        raise KeyboardInterrupt

    def disturb() -> bool:
        until(lambda: sleepers.count == 1)
        with lock:
            if round_ % 2:
                sleepers.wake_one()
            while not left.wait(0.02 if caught.is_set() else 0):
                caught.clear()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
                while not caught.wait(1.0):  # it came just before the sleep: Python looks no more
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            return sleepers.count == 0

    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        disturber = in_thread(disturb)
        try:
            sleepers.wait_for(lambda now: NEVER)
        except KeyboardInterrupt:
            left.set()
        assert disturber.result() is True
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert not lock.locked()
