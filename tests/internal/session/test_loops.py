from __future__ import annotations

from functools import partial

import pytest

from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.core.events import Finished, Noteworthy, PeerFailed
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.batch import Batch
from srtpy.internal.session.engine import GUARD, HASTE, NEAR, Engine
from srtpy.internal.session.loops import receive_loop, tend, timer_loop
from tests.internal.session.fakes import FakeCore, FakeWire, batch, in_thread, sleep_once, until

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
    assert core.timer_calls[0] >= begun + due_in


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


def tended(core: FakeCore) -> tuple[Engine, FakeWire]:
    """Return an engine whose socket's thread sees to it, and that socket."""
    wire, inbox = FakeWire(), Inbox()
    wire.reminds = True
    one = Engine(core, lambda datagrams: None, inbox, wire)
    inbox.tend = partial(tend, one)
    return one, wire


def test_the_sockets_thread_takes_in_what_has_come_and_comes_back_for_what_is_due() -> None:
    core = FakeCore()
    one, wire = tended(core)
    one.intake.inbox.add((batch(b"x"), PATH))
    core.on_receive = lambda batch, now: setattr(core, "deadline", now + 20 * MILLISECOND)
    tend(one, 1_000)
    assert len(core.received) == 1
    assert wire.reminders == [1_000 + 20 * MILLISECOND] == [one.intake.back_at]
    tend(one, wire.reminders[0])
    assert core.timer_calls == wire.reminders
    assert not one.lock.locked()


def test_the_sockets_thread_waits_for_nobody() -> None:
    core = FakeCore()
    one, _ = tended(core)
    inbox = one.intake.inbox
    inbox.add((batch(b"x"), PATH))
    with one.lock:
        tend(one, 1_000)
        assert core.received == []
    inbox.wait(0)


def test_a_fault_of_ours_on_the_sockets_thread_ends_the_connection_alone() -> None:
    core = FakeCore()
    one, _ = tended(core)

    def fail(batch: Batch, now: int) -> None:
        raise ZeroDivisionError

    core.on_receive = fail
    one.intake.inbox.add((batch(b"x"), PATH))
    tend(one, 1_000)
    assert not one.lock.locked()
    with pytest.raises(ZeroDivisionError):
        receive_loop(one)
    assert one.fate.is_finished


def test_the_timer_thread_is_not_woken_for_what_the_sockets_thread_sees_to() -> None:
    core = FakeCore()
    one, wire = tended(core)
    begun = monotonic_now()
    core.deadline = begun + 3_600 * SECOND
    timer = in_thread(lambda: timer_loop(one, ignore))
    until(lambda: one.sooner.count == 1)
    with one.lock:
        assert wire.reminders == [core.deadline]
        assert one.sooner.wakes_at == core.deadline + GUARD
        core.deadline -= SECOND
        one.rouse_timer(begun)
        assert wire.reminders[1:] == [core.deadline], "the sooner one counts"
        assert one.sooner.wakes_at == wire.reminders[0] + GUARD
        core.deadline = begun + HASTE - 1
        one.rouse_timer(begun)
        assert len(wire.reminders) == 2, "what keeps a pace is left to the timer thread"
        assert one.sooner.wakes_at == core.deadline
    until(lambda: len(core.timer_calls) == 1)
    with one.lock:
        one.fate.finished()
        one.wake_everyone()
    timer.result()


def test_the_timer_thread_stands_in_for_a_sockets_thread_that_is_gone() -> None:
    core = FakeCore()
    one, wire = tended(core)
    wire.reminds = False
    core.deadline = monotonic_now() + 20 * MILLISECOND
    core.on_timer = lambda now: core.news.append(Finished())
    timer_loop(one, ignore)
    assert len(core.timer_calls) == 1


def test_while_a_caller_serves_the_core_the_sockets_thread_is_asked_for_nothing() -> None:
    core = FakeCore()
    one, wire = tended(core)
    now = monotonic_now()
    core.deadline = now + 50 * MILLISECOND
    with one.lock:
        one.serve_until(now + 100 * MILLISECOND)
        assert one.leave(now) == now + 100 * MILLISECOND
        assert wire.reminders == []
        one.served_until = 0
        assert one.leave(now) == core.deadline + GUARD
        assert one.leave(now + 1) == core.deadline + GUARD
    assert wire.reminders == [core.deadline]


def test_the_sockets_thread_leaves_a_pace_to_the_timer_thread() -> None:
    core = FakeCore()
    one, wire = tended(core)
    timer = in_thread(lambda: sleep_once(one.sooner))
    until(lambda: one.sooner.count == 1)
    core.deadline = 1_000
    core.on_timer = lambda now: setattr(core, "deadline", now + HASTE - 1)
    tend(one, 1_000)
    assert (wire.reminders, one.intake.back_at) == ([], NEVER)
    timer.result()
