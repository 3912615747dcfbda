from __future__ import annotations

from queue import SimpleQueue

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.core.events import Finished
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.routes import Inbox
from srtpy.internal.packet.batch import Batch
from srtpy.internal.session.engine import Engine
from srtpy.internal.session.loops import joined, receive_loop, take_in, timer_loop
from tests.internal.session.fakes import FakeCore, batch, in_thread, until

PATH = Path(("127.0.0.1", 9001))


def engine(core: FakeCore) -> Engine:
    return Engine(core, lambda datagrams: None)


def test_everything_that_waits_goes_in_at_once_and_joined() -> None:
    core, inbox = FakeCore(), SimpleQueue[tuple[Batch, Path] | None]()
    for one in (batch(b"aa", b"bb"), batch(b"cc"), batch(b"dddd"), batch(b"ee")):
        inbox.put((one, PATH))
    inbox.put(None)
    receive_loop(engine(core), inbox)
    assert [one.payloads() for one in core.received] == [[b"aa", b"bb", b"cc"], [b"dddd"], [b"ee"]]


def test_the_receiver_serves_what_is_due_meanwhile() -> None:
    core, inbox = FakeCore(), SimpleQueue[tuple[Batch, Path] | None]()
    core.deadline = monotonic_now() - 1
    inbox.put((batch(b"x"), PATH))
    inbox.put(None)
    receive_loop(engine(core), inbox)
    assert len(core.timer_calls) == 1


def test_the_receiver_waits_for_more_and_ends_on_the_sentinel() -> None:
    core = FakeCore()
    inbox: Inbox = SimpleQueue()
    receiver = in_thread(lambda: receive_loop(engine(core), inbox))
    for number in range(3):
        inbox.put((batch(b"x"), PATH))
        until(lambda number=number: len(core.received) == number + 1)  # type: ignore[misc]
    assert not receiver.is_done
    inbox.put(None)
    receiver.result()


def test_nothing_goes_into_a_core_that_is_finished() -> None:
    core = FakeCore()
    one = engine(core)
    one.fate.finished()
    with one.lock:
        take_in(one, [batch(b"x")])
    assert core.received == []


@pytest.mark.parametrize("due_in", [0, 20 * MILLISECOND])
def test_the_timer_thread_wakes_when_something_is_due(due_in: int) -> None:
    core = FakeCore()
    begun = monotonic_now()
    core.deadline = begun + due_in
    core.on_timer = lambda now: core.news.append(Finished())
    timer_loop(engine(core))
    assert len(core.timer_calls) == 1
    assert begun + due_in <= core.timer_calls[0] < begun + due_in + SECOND


def test_the_timer_thread_wakes_for_a_duty_that_comes_earlier() -> None:
    core = FakeCore()
    one = engine(core)
    core.on_timer = lambda now: core.news.append(Finished())
    timer = in_thread(lambda: timer_loop(one))
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
    timer = in_thread(lambda: timer_loop(one))
    until(lambda: one.sooner.count == 1)
    with one.lock:
        core.arrive(b"x", monotonic_now())
        one.rouse_timer(monotonic_now())
    until(lambda: len(core.messages) == 1)
    with one.lock:
        one.fate.finished()
        one.wake_everyone()
    timer.result()


@given(st.lists(st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=4), max_size=6))
def test_joining_changes_no_datagram(groups: list[list[bytes]]) -> None:
    batches = []
    for group in groups:
        size = len(group[0])
        payloads = [payload[:1] * size for payload in group[:-1]] + [group[-1][:size]]
        batches.append(batch(*payloads))
    together = joined(batches)
    assert [p for one in together for p in one.payloads()] == [p for one in batches for p in one.payloads()]
    assert [row for one in together for row in one.headers] == [row for one in batches for row in one.headers]
    assert len(together) <= len(batches)
