from __future__ import annotations

from collections.abc import Sequence

import pytest

from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, SECOND
from srtpy.internal.core.events import Broken, Event, Finished, PeerClosed, PeerFailed
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.header import Datagram
from srtpy.internal.session.engine import (
    CALM,
    DELIVERY_GAP,
    LAZY_DELIVERY,
    OVERDUE,
    PROMISE,
    TIMER_SLACK,
    WORTHWHILE_ROOM,
    Engine,
)
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.waiting import Sleepers
from tests.internal.session.fakes import FakeCore, FakeWire, Running, batch, in_thread, row, sleep_once, until

PATH = Path(("127.0.0.1", 9001))


class Bench:
    """An engine, what it sent, and sleepers on its conditions."""

    def __init__(self, room: int = 1000) -> None:
        self.core = FakeCore(room)
        self.sent: list[Datagram] = []
        self.wire = FakeWire()
        self.engine = Engine(self.core, self.send, Inbox(), self.wire)

    def send(self, datagrams: Sequence[Datagram]) -> None:
        self.sent.extend(datagrams)

    def sleeper(self, sleepers: Sleepers, until_when: int = NEVER) -> Running:
        before = sleepers.count
        running = in_thread(lambda: sleep_once(sleepers, until_when))
        until(lambda: sleepers.count > before)
        return running

    def flush(self) -> int:
        with self.engine.lock:
            now = monotonic_now()
            self.engine.flush(now)
        return now

    def end(self) -> None:
        with self.engine.lock:
            self.engine.wake_everyone()


def test_a_turn_serves_what_is_due_and_sends_what_comes_of_it() -> None:
    bench = Bench()
    bench.core.deadline = 1_000
    bench.core.arrive(b"due", 900)
    bench.core.on_timer = lambda now: bench.core.outgoing.append((b"ack", b""))
    with bench.engine.lock:
        bench.engine.turn(999)
        assert (bench.core.timer_calls, len(bench.core.messages)) == ([], 1)
        bench.engine.turn(1_000)
    assert bench.core.timer_calls == [1_000]
    assert bench.sent == [(b"ack", b"")]


def test_nothing_turns_once_all_is_over() -> None:
    bench = Bench()
    bench.core.deadline = 0
    bench.engine.fate.finished()
    with bench.engine.lock:
        bench.engine.turn(1_000)
    assert bench.core.timer_calls == []


def test_flushing_needs_the_lock() -> None:
    with pytest.raises(AssertionError):
        Bench().engine.flush(0)


def test_a_reader_wakes_when_a_message_is_there() -> None:
    bench = Bench()
    reader = bench.sleeper(bench.engine.readable)
    bench.flush()
    assert not reader.is_done
    bench.core.messages.append(row(b"x"))
    bench.flush()
    reader.result()


def test_a_reader_that_wakes_soon_is_left_alone() -> None:
    bench = Bench()
    now = monotonic_now()
    soon = now + 3600 * SECOND
    reader = bench.sleeper(bench.engine.readable, soon)
    bench.core.arrive(b"x", soon - DELIVERY_GAP // 2)
    bench.flush()
    assert bench.engine.readable.wakes_at == soon
    bench.end()
    reader.result()


def test_a_reader_learns_of_a_message_that_is_due_before_it_would_wake() -> None:
    bench = Bench()
    reader = bench.sleeper(bench.engine.readable, monotonic_now() + 3600 * SECOND)
    bench.core.arrive(b"x", monotonic_now() + SECOND)
    bench.flush()
    reader.result()


def test_a_writer_is_woken_for_room_worth_waking_for() -> None:
    bench = Bench()
    bench.core.space = 0
    writer = bench.sleeper(bench.engine.writable)
    bench.core.space = WORTHWHILE_ROOM - 1
    bench.flush()
    assert bench.engine.writable.count == 1
    bench.core.space = WORTHWHILE_ROOM
    bench.flush()
    writer.result()


def test_in_a_small_buffer_little_room_is_worth_waking_for() -> None:
    bench = Bench(room=32)
    bench.core.space = 0
    writer = bench.sleeper(bench.engine.writable)
    bench.core.space = 8
    bench.flush()
    writer.result()


def test_the_timer_thread_is_woken_only_for_an_earlier_duty() -> None:
    bench = Bench()
    sooner = bench.engine.sooner
    at = monotonic_now() + 3600 * SECOND
    timer = bench.sleeper(sooner, at)
    bench.core.deadline = at
    bench.flush()
    bench.core.deadline = at + SECOND
    bench.flush()
    assert (sooner.count, sooner.wakes_at) == (1, at)
    bench.core.deadline = at - SECOND
    bench.flush()
    timer.result()


@pytest.mark.parametrize(
    ("deadline", "due", "gathered", "readers", "writer", "duty"),
    [
        (500, NEVER, NEVER, 0, 0, 500),
        (NEVER, NEVER, 400, 0, 0, 400),
        (NEVER, 300, NEVER, 0, 0, 300 + LAZY_DELIVERY),
        (NEVER, 300, NEVER, 1, 0, NEVER),
        (500, 300, 400, 1, 0, 400),
        (500, 300, 400, 1, 2_000, 2_000),
        (NEVER, NEVER, NEVER, 0, 0, NEVER),
    ],
)
def test_when_the_timer_thread_has_to_be_awake(
    deadline: int, due: int, gathered: int, readers: int, writer: int, duty: int
) -> None:
    bench = Bench()
    bench.core.deadline = deadline
    if due < NEVER:
        bench.core.arrive(b"x", due)
    bench.engine.gathering.until = gathered
    bench.engine.served_until = writer
    running = [bench.sleeper(bench.engine.readable) for _ in range(readers)]
    assert bench.engine.next_duty(100) == duty
    bench.end()
    for reader in running:
        reader.result()


@pytest.mark.parametrize(
    ("event", "state", "is_finished"),
    [
        (PeerClosed(), ConnState.BROKEN, False),
        (Broken("silence"), ConnState.BROKEN, False),
        (PeerFailed(4000), ConnState.CONNECTED, False),
        (Finished(), ConnState.CLOSING, True),
    ],
)
def test_news_wakes_everyone(event: Event, state: ConnState, is_finished: bool) -> None:
    bench = Bench()
    engine = bench.engine
    sleepers = [bench.sleeper(one) for one in (engine.readable, engine.writable, engine.sooner)]
    bench.core.news.append(event)
    bench.core.space = 0
    bench.flush()
    for sleeper in sleepers:
        sleeper.result()
    assert (engine.fate.state, engine.fate.is_finished) == (state, is_finished)


@pytest.mark.parametrize(("is_time", "sent"), [(False, [b"ack"]), (True, [b"ack", b"x", b"y"])])
def test_gathered_messages_leave_with_any_flush_once_it_is_time(is_time: bool, sent: list[bytes]) -> None:
    bench = Bench()
    now = monotonic_now()
    bench.engine.gathering.begin(b"x", now, now if is_time else NEVER, 31)
    bench.engine.gathering.waiting.append((b"y", now))
    bench.core.outgoing.append((b"h", b"ack"))
    bench.flush()
    assert [payload for _, payload in bench.sent] == sent
    assert bench.core.written == sent[1:]


def gathered(bench: Bench, now: int) -> None:
    bench.engine.gathering.begin(b"x", now, now + 1, 31)


def test_a_burst_looks_at_the_socket_now_and_then_only() -> None:
    bench = Bench()
    engine, now = bench.engine, 10 * SECOND
    with engine.lock:
        for _ in range(20):
            gathered(bench, now)
            engine.burst(now)
            engine.promise_to_write(now + 5_000)
            now += CALM // 2
    assert len(bench.sent) == 20
    assert bench.wire.looks == 9, "at first nobody had promised"


def test_who_listens_between_bursts_spares_them_the_look() -> None:
    bench = Bench()
    engine, now = bench.engine, 10 * SECOND
    with engine.lock:
        engine.listen(now)
        for step in range(1, 30):
            engine.promise_to_write(now + 20_000)
            gathered(bench, now)
            engine.burst(now, 2 * CALM)
            assert bench.wire.looks == (step - 1) // 2
            now += CALM // 2
            engine.listen(now)
            assert bench.wire.looks == step // 2
    assert len(bench.sent) == 29


@pytest.mark.parametrize("what", ["arrival", "deadline"])
def test_a_burst_sees_at_once_to_what_is_there(what: str) -> None:
    bench = Bench()
    engine, now = bench.engine, 10 * SECOND
    with engine.lock:
        bench.core.deadline = now + 2 if what == "deadline" else NEVER
        gathered(bench, now)
        engine.burst(now)
        if what == "arrival":
            engine.intake.inbox.put((batch(b"come"), Path(("127.0.0.1", 9001))))
        gathered(bench, now + 2)
        engine.burst(now + 2)
    assert len(bench.sent) == 2
    assert (len(bench.core.received), len(bench.core.timer_calls)) == ((1, 0) if what == "arrival" else (0, 1))


@pytest.mark.parametrize(("due", "is_spared"), [(NEVER, True), (4_000, False)])
def test_a_writers_promise_spares_the_timer_thread_unless_something_is_due_before(due: int, is_spared: bool) -> None:
    bench = Bench()
    engine, now = bench.engine, 10 * SECOND
    bench.core.deadline = due if due == NEVER else now + due
    with engine.lock:
        gathered(bench, now)
        engine.burst(now)
        engine.promise_to_write(now + 5_000)
    assert bench.wire.promised == [now + 5_000]
    assert engine.next_duty(now) == (now + 5_000 + TIMER_SLACK if is_spared else now + due)


def test_who_is_woken_by_a_broken_promise_stands_in() -> None:
    engine = Bench().engine
    with engine.lock:
        engine.serve_until(7 * SECOND)
        engine.stand_in(SECOND)
        assert engine.next_duty(SECOND) == 7 * SECOND
        engine.intake.inbox.is_let_down = True
        engine.stand_in(SECOND)
        assert engine.next_duty(SECOND) == NEVER
        engine.serve_until(7 * SECOND)
        engine.stand_in(SECOND)
        assert engine.next_duty(SECOND) == 7 * SECOND, "once is enough"


def test_a_forks_child_starts_with_a_lock_nobody_holds() -> None:
    bench = Bench()
    bench.engine.lock.acquire()
    bench.engine.abandon()
    with bench.engine.lock:
        assert bench.engine.fate.state is ConnState.CLOSED
        assert bench.engine.fate.is_down


@pytest.mark.parametrize(("wrote_at", "is_spared"), [(0, True), (10 * SECOND, False)])
def test_a_promise_spares_the_timer_thread_unless_somebody_writes(wrote_at: int, is_spared: bool) -> None:
    engine = Bench().engine
    engine.core.deadline, engine.gathering.wrote_at, now = 0, wrote_at, 10 * SECOND  # type: ignore[attr-defined]
    engine.promise_to_read(now + PROMISE + 1, now)
    assert (engine.intake.is_promised, engine.next_duty(now)) == (False, 0)
    engine.promise_to_read(now + PROMISE, now)
    assert engine.intake.is_promised
    assert engine.next_duty(now) == (now + PROMISE + OVERDUE + TIMER_SLACK if is_spared else 0)


def test_who_is_interrupted_at_work_on_the_core_breaks_the_connection() -> None:
    steps = ["receive_datagrams", "handle_timer", "release", "datagrams_to_send", "events"]
    for step in steps:
        bench = Bench()
        sleepers = [bench.sleeper(one) for one in (bench.engine.readable, bench.engine.writable, bench.engine.sooner)]
        bench.core.deadline = 0
        bench.core.arrive(b"due", 0)
        bench.engine.intake.inbox.put((batch(b"x"), PATH))

        def interrupt(*_: object) -> None:
            raise KeyboardInterrupt

        setattr(bench.core, step, interrupt)
        with pytest.raises(KeyboardInterrupt), bench.engine.lock:
            bench.engine.turn(monotonic_now())
        fate = bench.engine.fate
        assert (fate.state, fate.is_finished) == (ConnState.BROKEN, True), step
        assert "interrupted in the middle of its work by KeyboardInterrupt()" in str(fate.refusal_to_read())
        for sleeper in sleepers:
            sleeper.result()


def test_who_is_interrupted_while_sending_has_lost_a_packet_and_no_more() -> None:
    bench = Bench()
    bench.core.outgoing.append((b"data", b""))

    def interrupt(datagrams: Sequence[Datagram]) -> None:
        raise KeyboardInterrupt

    bench.engine.send = interrupt
    with pytest.raises(KeyboardInterrupt):
        bench.flush()
    assert bench.engine.fate.state is ConnState.CONNECTED
