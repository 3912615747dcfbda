from __future__ import annotations

from collections.abc import Sequence

import pytest

from srtpy.internal.clock.units import NEVER
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.header import Datagram
from srtpy.internal.session.engine import Engine
from srtpy.internal.session.serving import APART, BRIEF, CLOSE, LOOK, PROMISE, RUN, STAY, TAIL, Serving
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

    def __init__(self) -> None:
        self.core, self.wire, self.inbox = PacedCore(), FakeWire(), Inbox()
        self.bursts: list[int] = []
        self.engine = Engine(self.core, self.send, self.inbox, self.wire)
        self.serving = Serving(self.engine)

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


def test_what_waits_for_more_is_seen_to_in_time() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.write(RUN + 2, START + 200)
    assert desk.duty(START + 200) == START + 200 + TAIL
    with desk.engine.lock:
        assert desk.engine.next_duty(START + 200 + TAIL) <= START + 200 + TAIL
        desk.engine.turn(START + 200 + TAIL)
    assert desk.bursts == [RUN, 2]
    assert desk.duty(START + 200 + TAIL) == NEVER


def test_what_the_pace_holds_back_is_seen_to_in_time() -> None:
    desk = Desk()
    desk.write(1, START)
    desk.core.burst = 0
    assert desk.write(RUN, START + 200) == []
    assert desk.duty(START + 200) == START + 200 + TAIL


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


@pytest.mark.parametrize(
    ("deadline", "since", "now", "stays"),
    [
        (START + BRIEF - 1, START, START, True),
        (START + BRIEF, START, START, False),
        (NEVER, START, START, False),
        (START + APART, START, START + APART, False),
        (START + STAY, START - STAY, START + 1, False),
    ],
)
def test_who_would_hardly_sleep_stays(deadline: int, since: int, now: int, stays: bool) -> None:
    desk = Desk()
    desk.write(1, START)
    desk.core.deadline = deadline
    assert desk.serving.is_worth_staying(since, now) is stays
