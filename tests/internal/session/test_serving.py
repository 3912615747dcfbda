from __future__ import annotations

from collections.abc import Sequence

import pytest

from srtpy.internal.clock.units import NEVER
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.header import Datagram
from srtpy.internal.session.engine import Engine
from srtpy.internal.session.serving import (
    AHEAD,
    APART,
    BRIEF,
    CLOSE,
    LOOK,
    PROMISE,
    RUN,
    SHORTEST_NAP,
    STAY,
    TAIL,
    WATCHED,
    Serving,
)
from tests.internal.session.fakes import FakeCore, FakeWire, batch

START = 1_000_000
PATH = Path(("127.0.0.1", 9001))


class PacedCore(FakeCore):
    """Lets `burst` packets leave at once, as often as it is asked; 0: none."""

    def __init__(self) -> None:
        super().__init__()
        self.burst = RUN

    def datagrams_to_send(self, now: int) -> list[Datagram]:
        taken, self.outgoing = self.outgoing[: self.burst], self.outgoing[self.burst :]
        return taken


class Desk:
    """A writer's serving, between a core and a wire."""

    def __init__(self, *, gathers: bool = True) -> None:
        self.core, self.wire, self.inbox = PacedCore(), FakeWire(), Inbox()
        self.bursts: list[int] = []
        self.engine = Engine(self.core, self.send, self.inbox, self.wire)
        self.serving = Serving(self.engine, gathers=gathers)

    def send(self, datagrams: Sequence[Datagram]) -> None:
        self.bursts.append(len(datagrams))

    def write(self, packets: int, now: int) -> list[int]:
        """Write; return the bursts that left."""
        self.bursts = []
        with self.engine.lock:
            for _ in range(packets):
                self.core.write(b"x", now)
            self.serving.leave(now)
        return self.bursts

    def duty(self, now: int) -> int:
        with self.engine.lock:
            return self.engine.next_duty(now)


def test_a_write_by_itself_leaves_at_once_and_promises_nothing() -> None:
    desk = Desk()
    assert desk.write(RUN + 2, START) == [RUN, 2]
    assert desk.write(1, START + APART + 1) == [1]
    assert desk.wire.promised == []
    assert desk.duty(START + APART + 1) == NEVER


def test_of_a_write_that_follows_another_the_rest_waits_for_more() -> None:
    desk = Desk()
    desk.write(1, START)
    assert desk.write(RUN + 2, START + 200) == [RUN]
    assert desk.write(RUN - 2, START + 400) == [RUN]
    assert desk.write(3 * RUN, START + 600) == [RUN] * 3


def test_who_writes_little_from_time_to_time_is_not_kept_waiting() -> None:
    desk = Desk()
    desk.write(1, START)
    assert desk.write(3, START + CLOSE + 1) == [3]
    assert desk.write(3, START + 2 * CLOSE + 2) == [3]


def test_little_writes_close_together_leave_together() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.write(1, START + 1)
    bursts = [desk.write(1, START + 1 + step) for step in range(1, 2 * RUN + 1)]
    assert [size for burst in bursts for size in burst] == [RUN, RUN]


def test_what_waits_for_more_is_seen_to_by_whoever_hears_of_the_broken_promise() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.write(RUN + 2, START + 200)
    assert desk.duty(START + 200) == START + 200 + WATCHED, "the timer thread need not wake for it"
    desk.inbox.is_attended, desk.inbox.is_let_down = False, True
    with desk.engine.lock:
        desk.engine.receive(START + 200 + PROMISE)
    assert desk.bursts == [RUN, 2]
    assert desk.duty(START + 200 + PROMISE) == NEVER


def test_what_waits_for_more_is_seen_to_though_a_reader_has_taken_the_promise_back() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.write(RUN + 2, START + 200)
    with desk.engine.lock:
        desk.engine.look()
    desk.engine.intake.take_back()
    assert desk.duty(START + 200) <= START + 200 + WATCHED
    with desk.engine.lock:
        assert desk.engine.next_duty(START + 200 + WATCHED) <= START + 200 + WATCHED


@pytest.mark.parametrize("burst", [0, RUN])
def test_where_nobody_watches_promises_the_timer_sees_to_what_is_left(burst: int) -> None:
    desk = Desk()
    desk.wire.attend = lambda inbox, by: None  # type: ignore[method-assign]
    desk.write(1, START)
    desk.core.burst = burst  # 0: the pace holds it back
    left = [*desk.write(RUN + 2, START + 200)]
    assert left == [RUN][: bool(burst)]
    assert desk.duty(START + 200) == START + 200 + TAIL
    with desk.engine.lock:
        assert desk.engine.next_duty(START + 200 + TAIL) <= START + 200 + TAIL
        desk.core.burst = RUN
        desk.engine.turn(START + 200 + TAIL)
    assert desk.bursts == [*left, min(RUN, RUN + 2 - sum(left))]


def test_a_busy_writer_reads_the_socket_now_and_then_and_nobody_else_does() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.write(RUN, START + 100)
    assert (desk.wire.looks, desk.inbox.is_attended) == (1, True)
    assert desk.wire.promised == [START + 100 + PROMISE]
    desk.inbox.put((batch(b"what came"), PATH))
    desk.write(RUN, START + 100 + LOOK - 1)
    assert (desk.wire.looks, desk.core.received) == (1, [])
    desk.write(RUN, START + 100 + LOOK)
    assert desk.wire.looks == 2
    assert len(desk.core.received) == 1


def test_between_looks_nothing_is_served() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.write(1, START + 100)
    desk.core.deadline = START + 150
    desk.write(RUN, START + 200)
    assert desk.core.timer_calls == []
    desk.write(RUN, START + 100 + LOOK)
    assert desk.core.timer_calls == [START + 100 + LOOK]


def test_who_is_interrupted_while_the_core_is_at_work_breaks_the_connection() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.write(1, START + 10)

    def interrupt(now: int) -> list[Datagram]:
        raise KeyboardInterrupt

    desk.core.datagrams_to_send = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        desk.write(RUN, START + 20)
    assert desk.engine.fate.is_finished


def test_a_message_leaves_at_once_whatever_follows() -> None:
    desk = Desk(gathers=False)
    desk.write(1, START)
    assert desk.write(RUN - 9, START + 50) == [RUN - 9]
    assert desk.write(RUN + 2, START + 200) == [RUN, 2]


# ---- without room ------------------------------------------------------------------------------


def stand_by(desk: Desk, now: int, needed: int = 1) -> int:
    with desk.engine.lock:
        return desk.serving.stand_by(needed, now)


def test_a_writer_that_lacks_room_goes_on_sending_and_reading() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.core.space, desk.core.burst = 3 * RUN, 0
    desk.write(3 * RUN, START + 100)
    desk.core.burst = RUN
    assert stand_by(desk, START + 200) == START + 200
    assert desk.bursts == [RUN] * 3
    assert desk.serving.wakes_at(START + 205, START + 200) == START + 200 + SHORTEST_NAP
    assert desk.serving.wakes_at(START + 300, START + 200) == START + 300
    assert desk.serving.wakes_at(NEVER, START + 200) == START + 200 + LOOK
    assert desk.wire.looks == 1
    stand_by(desk, START + 100 + LOOK)
    assert (desk.wire.looks, desk.inbox.is_attended) == (2, True)


def test_a_writer_that_lacks_room_for_long_is_woken_by_others() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.core.space = RUN
    desk.write(RUN, START + 100)
    late = START + 100 + PROMISE
    assert stand_by(desk, late) == late
    assert not desk.inbox.is_attended
    assert desk.serving.wakes_at(NEVER, late) == NEVER
    desk.core.deadline = late + 5
    assert desk.duty(late) == late + 5, "the timer thread has its duties again"


def test_a_writer_stays_for_what_is_due_before_it_could_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(START + 201, START + 1000))
    monkeypatch.setattr("srtpy.internal.session.serving.monotonic_now", lambda: next(clock))
    desk = Desk()
    desk.write(1, START)
    desk.core.space = 0
    desk.core.deadline = START + 205 + BRIEF
    assert stand_by(desk, START + 200) == START + 200
    desk.core.deadline = START + 199 + BRIEF

    def acknowledge(now: int) -> list[Datagram]:
        desk.core.space = 1 if now >= START + 204 else 0
        return []

    desk.core.outgoing = [(b"waits", b"")] * RUN
    desk.core.datagrams_to_send = acknowledge  # type: ignore[method-assign]
    assert stand_by(desk, START + 200) == START + 204


def test_nobody_writes_far_ahead_of_a_fast_pace_or_waits_for_a_slow_one() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.core.burst = 0
    desk.write(AHEAD, START + 100)
    desk.core.deadline = START + 300
    assert not desk.serving.may_write(1, START + 200)
    assert desk.serving.may_write(1, START + 100 + STAY), "it has waited long enough"
    desk.core.deadline = START + 200 + STAY
    assert desk.serving.may_write(1, START + 200)
    assert not desk.serving.may_write(desk.core.space + 1, START + 200)
    desk.core.deadline = START + 300
    desk.core.outgoing.pop()
    assert desk.serving.may_write(1, START + 200)
