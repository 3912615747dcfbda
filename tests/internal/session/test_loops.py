from __future__ import annotations

import pytest

from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.core.events import Finished, Noteworthy, PeerFailed
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.session.engine import NEAR, Engine
from srtpy.internal.session.loops import receive_loop, timer_loop
from tests.internal.session.fakes import FakeCore, batch, in_thread, until

PATH = Path(("127.0.0.1", 9001))


def engine(core: FakeCore, inbox: Inbox | None = None) -> Engine:
    return Engine(core, lambda datagrams: None, inbox)


def ignore(remark: str) -> None:
    """Nobody listens."""


def test_the_receiver_serves_what_is_due_meanwhile() -> None:
    core, inbox = FakeCore(), Inbox()
    core.deadline = monotonic_now() - 1
    inbox.put((batch(b"x"), PATH))
    inbox.put(None)
    receive_loop(engine(core, inbox))
    assert len(core.timer_calls) == 1
    assert len(core.received) == 1


def test_the_receiver_waits_for_more_and_ends_on_the_sentinel() -> None:
    core, inbox = FakeCore(), Inbox()
    receiver = in_thread(lambda: receive_loop(engine(core, inbox)))
    for number in range(3):
        inbox.put((batch(b"x"), PATH))
        until(lambda number=number: len(core.received) == number + 1)  # type: ignore[misc]
    assert not receiver.is_done
    inbox.put(None)
    receiver.result()


def test_the_receiver_ends_whoever_took_the_sentinel() -> None:
    core, inbox = FakeCore(), Inbox()
    one = engine(core, inbox)
    receiver = in_thread(lambda: receive_loop(one))
    with one.lock:
        inbox.put(None)
        one.turn(monotonic_now())
    receiver.result()


def test_nothing_goes_into_a_core_that_is_finished() -> None:
    core, inbox = FakeCore(), Inbox()
    one = engine(core, inbox)
    one.fate.finished()
    inbox.put((batch(b"x"), PATH))
    inbox.put(None)
    receive_loop(one)
    assert core.received == []


@pytest.mark.parametrize("due_in", [0, 20 * MILLISECOND])
def test_the_timer_thread_wakes_when_something_is_due(due_in: int) -> None:
    core = FakeCore()
    begun = monotonic_now()
    core.deadline = begun + due_in
    core.on_timer = lambda now: core.news.append(Finished())
    timer_loop(engine(core), ignore)
    assert len(core.timer_calls) == 1
    assert begun + due_in <= core.timer_calls[0] < begun + due_in + SECOND


def test_the_timer_thread_wakes_for_a_duty_that_comes_earlier() -> None:
    core = FakeCore()
    one = engine(core)
    core.on_timer = lambda now: core.news.append(Finished())
    timer = in_thread(lambda: timer_loop(one, ignore))
    until(lambda: one.sooner.count == 1)
    assert one.sooner.wakes_at == NEVER
    with one.lock:
        core.deadline = monotonic_now() + 5 * MILLISECOND
        one.flush(monotonic_now())
    timer.result()
    assert len(core.timer_calls) == 1


def test_with_nobody_reading_the_timer_thread_moves_on_what_is_due() -> None:
    core = FakeCore()
    one = engine(core)
    timer = in_thread(lambda: timer_loop(one, ignore))
    until(lambda: one.sooner.count == 1)
    with one.lock:
        core.arrive(b"x", monotonic_now())
        one.rouse_timer(monotonic_now())
    until(lambda: len(core.messages) == 1)
    with one.lock:
        one.fate.finished()
        one.wake_everyone()
    timer.result()


def test_the_timer_thread_tells_once_and_without_the_lock_that_the_peer_failed() -> None:
    core, told = FakeCore(), list[str]()
    one = engine(core)

    def tell(remark: str) -> None:
        assert not one.lock.locked()
        told.append(remark)

    timer = in_thread(lambda: timer_loop(one, tell))
    for _ in range(3):
        with one.lock:
            core.news.append(PeerFailed(4001))
            one.turn(monotonic_now())
    until(lambda: bool(told))
    with one.lock:
        core.news.append(Finished())
        one.turn(monotonic_now())
    timer.result()
    assert len(told) == 1
    assert "4001" in told[0]


def test_what_there_is_to_tell_as_it_ends_is_told() -> None:
    core, told = FakeCore(), list[str]()
    one = engine(core)
    core.deadline = 0
    core.on_timer = lambda now: core.news.extend([PeerFailed(4001), Noteworthy("full"), Finished()])
    timer_loop(one, told.append)
    assert ["4001" in told[0], told[1:]] == [True, ["full"]]


def test_the_receiver_sees_to_what_is_due_soon_by_itself() -> None:
    core, inbox = FakeCore(), Inbox()
    one = engine(core, inbox)
    timer = in_thread(lambda: timer_loop(one, ignore))
    until(lambda: one.sooner.count == 1)
    core.on_receive = lambda batch, now: setattr(core, "deadline", now + NEAR // 10)
    receiver = in_thread(lambda: receive_loop(one))
    inbox.put((batch(b"x"), PATH))
    until(lambda: len(core.timer_calls) == 1)
    with one.lock:
        assert one.sooner.wakes_at == NEVER, "the timer thread was not woken"
        core.deadline = monotonic_now() + NEAR // 2
        one.intake.back_at = core.deadline
        one.rouse_timer(monotonic_now())
        assert one.sooner.wakes_at == NEVER
        core.deadline -= NEAR // 4
        one.rouse_timer(monotonic_now())
        assert one.sooner.wakes_at == core.deadline, "but for what is due sooner it is"
    until(lambda: len(core.timer_calls) == 2)
    with one.lock:
        one.fate.finished()
        one.wake_everyone()
    inbox.put(None)
    timer.result()
    receiver.result()


def test_what_is_due_later_is_the_timer_threads() -> None:
    core, inbox = FakeCore(), Inbox()
    one = engine(core, inbox)
    now = monotonic_now()
    with one.lock:
        core.deadline = now + NEAR + 1
        assert one.receive(now) == NEVER
        assert one.intake.back_at == NEVER
        assert one.receive(now + 1) == NEAR
        assert one.intake.back_at == core.deadline
        one.fate.finished()
        assert one.receive(now + 1) == NEVER
