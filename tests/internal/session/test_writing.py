from __future__ import annotations

from collections.abc import Sequence

import pytest

from srtpy.errors import (
    ConnClosedError,
    ConnectionBrokenError,
    DeadlineError,
    MessageTooLargeError,
    PeerError,
    PeerShutdownError,
    WouldBlockError,
)
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER
from srtpy.internal.core.events import Broken, Event, PeerClosed, PeerFailed
from srtpy.internal.core.leisure import LONGEST
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.header import Datagram
from srtpy.internal.session import writing
from srtpy.internal.session.engine import TIMER_SLACK, Engine
from srtpy.internal.session.rhythm import RHYTHM
from srtpy.internal.session.waiting import AT_ONCE, Deadline
from srtpy.internal.session.writing import (
    APART,
    BREAK,
    CHUNK,
    GATHERED,
    GRACE,
    LEAST_LATENCY,
    PAUSE,
    ROOM_TO_GATHER,
    STEADY,
    STEADY_WINDOW,
    TAIL,
    WINDOW,
    Limits,
    Writer,
)
from tests.internal.session.fakes import LATENCY, FakeCore, FakeWire, Running, in_thread, until


class Clock:
    """The time as the test says; an hour after the beginning."""

    def __init__(self) -> None:
        self.now = 3_600_000_000

    def __call__(self) -> int:
        return self.now


class Desk:
    """A writer, the core it fills, and what left by which call."""

    def __init__(self, room: int = 1000, latency: int = 0) -> None:
        self.core = FakeCore(room)
        self.bursts: list[int] = []
        self.wire = FakeWire()
        self.engine = Engine(self.core, self.send, Inbox(), self.wire)
        self.writer = Writer(self.engine, Limits(payload_size=1456), latency)

    def send(self, datagrams: Sequence[Datagram]) -> None:
        self.bursts.append(len(datagrams))

    def blocked(self, call: str, *arguments: object, **more: object) -> Running:
        running = in_thread(lambda: getattr(self.writer, call)(*arguments, **more))
        until(lambda: self.engine.writable.count > 0)
        return running

    def acknowledge(self, packets: int) -> None:
        with self.engine.lock:
            self.core.space += packets
            self.engine.turn(monotonic_now())

    def tell(self, event: Event) -> None:
        with self.engine.lock:
            self.core.news.append(event)
            self.engine.turn(monotonic_now())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(writing, "monotonic_now", clock)
    return clock


def test_a_write_by_itself_leaves_at_once(clock: Clock) -> None:
    desk = Desk()
    for _ in range(3):
        assert desk.writer.write(b"x" * 1316) == 1316
        clock.now += APART
    assert desk.bursts == [1, 1, 1]
    assert desk.engine.gathering.until == NEVER


def test_writes_close_together_leave_together(clock: Clock) -> None:
    desk = Desk()
    for _ in range(1 + 2 * GATHERED):
        desk.writer.write(b"x")
        clock.now += 1
    assert desk.bursts == [1, GATHERED, GATHERED]


def test_what_has_gathered_leaves_with_the_next_write_after_the_window(clock: Clock) -> None:
    desk = Desk()
    for step in (0, 10, 10, WINDOW):
        clock.now += step
        desk.writer.write(b"x")
    assert desk.bursts == [1, 3]


def test_the_timer_thread_sends_what_is_left(clock: Clock) -> None:
    desk = Desk()
    desk.writer.write(b"x")
    clock.now += 10
    desk.writer.write(b"y")
    assert desk.engine.gathering.until == clock.now + WINDOW
    assert desk.engine.next_duty(clock.now) == clock.now + WINDOW
    with desk.engine.lock:
        desk.engine.turn(clock.now + WINDOW - 1)
        assert desk.bursts == [1]
        desk.engine.turn(clock.now + WINDOW)
    assert desk.bursts == [1, 1]
    assert desk.core.written_at == [clock.now], "it counts as written when it was"
    clock.now += WINDOW + 1
    desk.writer.write(b"z")
    assert desk.bursts == [1, 1, 1]


def test_while_bursts_fill_by_themselves_the_timer_thread_sleeps_longer(clock: Clock) -> None:
    desk = Desk()
    for _ in range(GATHERED + 2):
        clock.now += 1
        desk.writer.write(b"x")
    assert desk.engine.gathering.until == clock.now + WINDOW
    assert desk.engine.next_duty(clock.now) == clock.now - 1 + TAIL


@pytest.mark.parametrize("call", ["write_many", "write_control"])
def test_what_has_gathered_leaves_before_what_is_written_another_way(clock: Clock, call: str) -> None:
    desk = Desk()
    for number in range(GATHERED // 2):
        clock.now += 1
        desk.writer.write(b"%d" % number)
    getattr(desk.writer, call)([b"next"] if call == "write_many" else b"next")
    assert desk.core.written == [b"%d" % number for number in range(GATHERED // 2)] + [b"next"]
    assert sum(desk.bursts) == len(desk.core.written)
    assert desk.engine.gathering.until == NEVER
    clock.now += 1
    desk.writer.write(b"x")
    assert desk.engine.gathering.waiting == [(b"x", clock.now)]


@pytest.mark.parametrize("room", [ROOM_TO_GATHER, ROOM_TO_GATHER + 1])
def test_nothing_gathers_that_there_may_be_no_room_for(clock: Clock, room: int) -> None:
    desk = Desk(room)
    desk.writer.write(b"x")
    clock.now += 1
    desk.writer.write(b"y")
    assert bool(desk.engine.gathering.waiting) is (room > ROOM_TO_GATHER)


def test_a_peer_that_is_gone_is_noticed_by_who_gathers(clock: Clock) -> None:
    desk = Desk()
    desk.writer.write(b"x")
    clock.now += 1
    desk.writer.write(b"y")
    desk.tell(PeerClosed())
    with pytest.raises(PeerShutdownError):
        desk.writer.write(b"z")


def keep_writing(desk: Desk, clock: Clock, every: int, count: int) -> None:
    for _ in range(count):
        desk.writer.write(b"x")
        clock.now += every


@pytest.mark.parametrize(("every", "together"), [(1_053, 4), (1_500, 3), (210, 16), (105, 32)])
def test_a_steady_writers_messages_leave_together(clock: Clock, every: int, together: int) -> None:
    desk = Desk(10_000, LATENCY)
    keep_writing(desk, clock, every, STEADY)
    del desk.bursts[:]
    keep_writing(desk, clock, every, 1 + 10 * together)
    assert desk.bursts[1:9] == [together] * 8
    assert together * every <= STEADY_WINDOW + every


@pytest.mark.parametrize(("every", "latency"), [(PAUSE, LATENCY), (1_053, 0), (1_053, LEAST_LATENCY - 1)])
def test_a_slow_writer_and_one_without_time_to_spare_gather_nothing(clock: Clock, every: int, latency: int) -> None:
    desk = Desk(latency=latency)
    keep_writing(desk, clock, every, 100)
    assert desk.bursts == [1] * 100


@pytest.mark.parametrize("every", [210, 1_053, 1_990])
def test_the_timer_thread_does_not_see_to_bursts_that_leave_by_themselves(clock: Clock, every: int) -> None:
    desk = Desk(10_000, LATENCY)
    keep_writing(desk, clock, every, 2 * STEADY)
    woken = 0
    wakes_at = desk.engine.next_duty(clock.now)
    for _ in range(300):
        desk.writer.write(b"x")
        clock.now += every
        if wakes_at <= clock.now:
            woken += 1
            wakes_at = desk.engine.next_duty(clock.now)
            assert wakes_at > clock.now, "it would send what leaves by itself in a moment"
    assert woken <= 300 * every // TIMER_SLACK + 1


@pytest.mark.parametrize("every", [210, 1_053, 1_600, 1_990])
@pytest.mark.parametrize("count", [STEADY + 2, 150, 600])
def test_what_a_steady_writer_leaves_behind_is_sent_in_time(clock: Clock, every: int, count: int) -> None:
    desk = Desk(10_000, LATENCY)
    keep_writing(desk, clock, every, count)
    while desk.engine.gathering.until == NEVER:
        keep_writing(desk, clock, every, 1)
    first_written = desk.engine.gathering.waiting[0][1]
    broken_at = desk.wire.promised[-1]
    assert clock.now < broken_at <= first_written + STEADY_WINDOW + every + GRACE, "then the socket's thread rings"
    with desk.engine.lock:
        desk.engine.turn(broken_at)
    assert not desk.engine.gathering.waiting
    assert sum(desk.bursts) == len(desk.core.written)


@pytest.mark.parametrize(
    ("rtt", "every", "together"),
    [
        *((1_000, every, together) for every, together in ((1_053, 19), (1_500, 14), (1_990, 10), (210, 32))),
        *((10_000, every, together) for every, together in ((1_053, 16), (1_500, 12), (1_990, 9), (210, 32))),
    ],
)
def test_with_time_to_spare_a_steady_writer_gathers_for_longer(
    clock: Clock, rtt: int, every: int, together: int
) -> None:
    desk = Desk(100_000, LATENCY)
    desk.core.round_trip.sample(rtt)
    keep_writing(desk, clock, every, STEADY)
    del desk.bursts[:]
    keep_writing(desk, clock, every, 1 + 20 * together)
    assert desk.bursts[1:16] == [together] * 15
    assert together * every <= LONGEST + every


def test_after_a_loss_it_gathers_no_longer_than_it_must(clock: Clock) -> None:
    desk = Desk(100_000, LATENCY)
    desk.core.round_trip.sample(1_000)
    keep_writing(desk, clock, 1_053, 2 * STEADY)
    desk.core.leisure.lost(clock.now)
    keep_writing(desk, clock, 1_053, 2 * GATHERED)
    assert set(desk.bursts[-8:]) == {4}


def test_with_company_that_cannot_wait_it_gathers_no_longer_than_it_must(clock: Clock) -> None:
    desk = Desk(100_000, LATENCY)
    desk.core.round_trip.sample(1_000)
    desk.wire.company = 2_000
    keep_writing(desk, clock, 1_053, 2 * STEADY + 2 * GATHERED)
    assert set(desk.bursts[-8:]) == {4}


def test_a_steady_writer_that_finds_no_room_reads_what_makes_room(clock: Clock) -> None:
    desk = Desk(100_000, LATENCY)
    desk.core.round_trip.sample(1_000)
    keep_writing(desk, clock, 1_053, 2 * STEADY)
    desk.engine.intake.promise(clock.now + LONGEST)
    desk.core.space, looks = 0, desk.wire.looks
    with pytest.raises(WouldBlockError):
        desk.writer.once_there_is_room(lambda now: None, AT_ONCE)
    assert desk.wire.looks == looks + 1
    assert not desk.engine.intake.is_promised, "what arrives from now on rings"


@pytest.mark.parametrize("rtt", [1_000, 100_000])
@pytest.mark.parametrize("every", [300, 1_053, 1_700])
def test_all_that_a_steady_writer_promises_it_keeps(clock: Clock, every: int, rtt: int) -> None:
    """As long as it comes a little late at most, nobody has to stand in for it."""
    desk = Desk(100_000, LATENCY)
    desk.core.round_trip.sample(rtt)
    keep_writing(desk, clock, every, 2 * STEADY)
    for number in range(300):
        late = GRACE // 2 * (number % 2)
        clock.now += late
        assert clock.now < desk.wire.promised[-1]
        desk.writer.write(b"x")
        clock.now += every - late


def test_a_steady_writer_looks_for_answers_soon_after_its_burst_and_not_with_it(clock: Clock) -> None:
    desk = Desk(100_000, LATENCY)
    desk.core.round_trip.sample(1_000)
    keep_writing(desk, clock, 1_053, 2 * STEADY)
    for _ in range(10):
        looks, bursts = desk.wire.looks, len(desk.bursts)
        while len(desk.bursts) == bursts:
            keep_writing(desk, clock, 1_053, 1)
        assert desk.wire.looks == looks, "a burst goes out by itself"
        keep_writing(desk, clock, 1_053, 1)
        assert desk.wire.looks == looks + 1
        keep_writing(desk, clock, 1_053, 2)
        assert desk.wire.looks == looks + 1


class Rhythm:
    """Bursts of messages, and the socket's thread that sees to what was promised and not kept."""

    def __init__(self, desk: Desk, clock: Clock) -> None:
        self.desk = desk
        self.clock = clock
        self.woken = 0
        desk.core.round_trip.sample(1_000)

    def burst(self, count: int, period: int) -> None:
        desk, clock = self.desk, self.clock
        next_at = clock.now + period
        for _ in range(count):
            desk.writer.write(b"x")
            clock.now += 10
        duty = min(desk.engine.gathering.until, next_at)
        if desk.engine.gathering.waiting:
            if desk.engine.intake.is_promised:
                assert desk.wire.promised[-1] == duty
                desk.engine.intake.inbox.is_attended = False
                desk.engine.intake.inbox.is_let_down = True
            self.woken += 1
            clock.now = duty
            with desk.engine.lock:
                desk.engine.visit(clock.now)
        assert not desk.engine.gathering.waiting
        clock.now = max(next_at, clock.now)


@pytest.mark.parametrize("period", [16_667, 20_000, 40_000])
@pytest.mark.parametrize("count", [4, 19, 31])
def test_of_bursts_in_a_rhythm_each_leaves_at_once_and_wakes_one_thread(clock: Clock, period: int, count: int) -> None:
    desk = Desk(100_000, LATENCY)
    rhythm = Rhythm(desk, clock)
    for _ in range(RHYTHM + 2):
        rhythm.burst(count + 1, period)
    del desk.bursts[:], desk.wire.promised[:]
    rhythm.woken = 0
    for _ in range(10):
        rhythm.burst(count, period)
    assert desk.bursts == [count] * 10
    assert rhythm.woken == len(desk.wire.promised) == 10
    assert desk.core.written_at[-1] - desk.core.written_at[-count] == 10 * (count - 1), "written when they were"


@pytest.mark.parametrize("change", ["loss", "single messages", "longer pauses"])
def test_out_of_the_rhythm_a_message_leaves_at_once_again(clock: Clock, change: str) -> None:
    desk = Desk(100_000, LATENCY)
    rhythm = Rhythm(desk, clock)
    for _ in range(RHYTHM + 2):
        rhythm.burst(19, 20_000)
    if change == "loss":
        desk.core.leisure.lost(clock.now)
        rhythm.burst(19, 20_000)
        assert desk.engine.gathering.until == NEVER
        return
    for _ in range(2 * RHYTHM):
        rhythm.burst(1, 20_000 if change == "single messages" else 60_000)
    del desk.bursts[:]
    desk.writer.write(b"x")
    assert desk.bursts == [1]


def test_a_burst_without_a_rhythm_begins_at_once(clock: Clock) -> None:
    desk = Desk(100_000, LATENCY)
    rhythm = Rhythm(desk, clock)
    for _ in range(RHYTHM):
        del desk.bursts[:]
        rhythm.burst(19, 20_000)
        assert (desk.bursts[0], sum(desk.bursts)) == (1, 19)


def test_where_nobody_watches_over_promises_the_timer_thread_sends_what_is_left(clock: Clock) -> None:
    desk = Desk(10_000, LATENCY)
    desk.engine = Engine(desk.core, desk.send)
    desk.writer = Writer(desk.engine, Limits(payload_size=1456), LATENCY)
    keep_writing(desk, clock, 1_053, 2 * STEADY)
    while desk.engine.gathering.until == NEVER:
        keep_writing(desk, clock, 1_053, 1)
    first_written = desk.engine.gathering.waiting[0][1]
    assert desk.engine.next_duty(clock.now) == first_written + STEADY_WINDOW


def test_a_process_that_was_stopped_while_it_gathered_promises_no_more_than_before(clock: Clock) -> None:
    desk = Desk(10_000, LATENCY)
    keep_writing(desk, clock, 1_053, 600)
    while desk.engine.gathering.until == NEVER:
        keep_writing(desk, clock, 1_053, 1)
    clock.now += 60_000_000
    desk.writer.write(b"x")
    assert not desk.engine.gathering.waiting
    assert desk.wire.promised[-1] < clock.now


def test_what_gathers_after_long_silence_is_seen_to_whatever_a_reader_has_promised(clock: Clock) -> None:
    desk = Desk()
    engine = desk.engine
    with engine.lock:
        engine.promise_to_read(clock.now, clock.now)
        engine.intake.keep()
    assert engine.next_duty(clock.now) > clock.now + TIMER_SLACK
    desk.writer.write(b"first")
    clock.now += APART // 2
    desk.writer.write(b"second")
    assert desk.bursts == [1]
    assert engine.next_duty(clock.now) == clock.now + WINDOW


def test_the_rest_of_what_is_written_after_long_silence_keeps_its_pace(clock: Clock) -> None:
    desk = Desk()
    engine, now = desk.engine, monotonic_now()
    with engine.lock:
        engine.promise_to_read(now, now)
        engine.intake.keep()
    desk.core.deadline = now + 10
    desk.writer.write_many([b"x", b"y"])
    assert engine.next_duty(now) == now + 10


def test_what_a_steady_writer_leaves_behind_is_watched_over_when_a_reader_has_looked_meanwhile(clock: Clock) -> None:
    desk = Desk(10_000, LATENCY)
    keep_writing(desk, clock, 1_053, 150)
    while desk.engine.gathering.until == NEVER:
        keep_writing(desk, clock, 1_053, 1)
    leaves_at, promised = desk.engine.gathering.until, len(desk.wire.promised)
    assert desk.engine.next_duty(clock.now) > leaves_at + TAIL, "the timer thread counts on the promise"
    with desk.engine.lock:
        desk.engine.look()
    assert desk.wire.promised[promised:] == [leaves_at]


def test_after_a_pause_a_message_leaves_at_once_however_steady_its_writer_was(clock: Clock) -> None:
    desk = Desk(10_000, LATENCY)
    keep_writing(desk, clock, 1_053, 600)
    clock.now += BREAK
    with desk.engine.lock:
        desk.engine.turn(clock.now)
    desk.writer.write(b"x")
    assert desk.bursts[-1] == 1
    assert not desk.core.outgoing


def test_many_at_once_leave_in_chunks() -> None:
    desk = Desk()
    assert desk.writer.write_many([b"x"] * (2 * CHUNK + 5)) == 2 * CHUNK + 5
    assert desk.bursts == [CHUNK, CHUNK, 5]


def test_empty_messages_are_taken_and_not_sent() -> None:
    desk = Desk()
    assert desk.writer.write(b"") == 0
    assert desk.writer.write_control(b"") == 0
    assert desk.writer.write_many([]) == 0
    assert desk.writer.write_many([b"", b"a", b"", b"b", b""]) == 5
    assert desk.core.written == [b"a", b"b"]


def test_with_metadata() -> None:
    desk = Desk()
    assert desk.writer.write_control(b"abc", stamp=5, ttl=6, in_order=False) == 3
    assert desk.core.controls == [(5, 6, False)]
    assert desk.bursts == [1]


def test_too_large_says_how_large_it_may_be() -> None:
    desk = Desk()
    for call, argument in (("write", bytes(1457)), ("write_control", bytes(1457)), ("write_many", [b"x", bytes(1457)])):
        with pytest.raises(MessageTooLargeError, match=r"1457 bytes.*at most 1456"):
            getattr(desk.writer, call)(argument)
    assert desk.core.written == []
    assert desk.writer.write(bytes(1456)) == 1456


@pytest.mark.parametrize("call", ["write", "write_control"])
def test_a_write_waits_for_room(call: str) -> None:
    desk = Desk(room=0)
    writing = desk.blocked(call, b"x")
    desk.acknowledge(1)
    assert writing.result() == 1
    assert desk.core.written == [b"x"]


def test_many_wait_for_room_until_all_are_taken() -> None:
    desk = Desk(room=3)
    writing = desk.blocked("write_many", [b"1", b"2", b"3", b"4", b"5"])
    assert desk.core.written == [b"1", b"2", b"3"]
    desk.acknowledge(2)
    assert writing.result() == 5
    assert desk.core.written == [b"1", b"2", b"3", b"4", b"5"]


@pytest.mark.parametrize(("deadline", "error"), [(Deadline.after(0.01), DeadlineError), (AT_ONCE, WouldBlockError)])
def test_no_longer_than_the_deadline(deadline: Deadline, error: type[Exception]) -> None:
    desk = Desk(room=0)
    with pytest.raises(error, match="full"):
        desk.writer.write(b"x", deadline)
    with pytest.raises(error):
        desk.writer.write_control(b"x", deadline=deadline)
    with pytest.raises(error):
        desk.writer.write_many([b"x"], deadline)
    desk.writer.deadline = deadline
    with pytest.raises(error):
        desk.writer.write(b"x")


def test_many_that_run_out_of_time_say_how_many_were_taken() -> None:
    desk = Desk(room=2)
    assert desk.writer.write_many([b"", b"1", b"", b"2", b"", b"3"], AT_ONCE) == 5
    assert desk.core.written == [b"1", b"2"]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (PeerClosed(), PeerShutdownError),
        (Broken("silence"), ConnectionBrokenError),
        (PeerFailed(4000), PeerError),
    ],
)
def test_a_peer_that_is_gone_ends_writing(event: Event, error: type[Exception]) -> None:
    desk = Desk(room=0)
    writing = desk.blocked("write", b"x")
    desk.tell(event)
    with pytest.raises(error):
        writing.result()
    for call, argument in (("write", b""), ("write_control", b"x"), ("write_many", [b"x"]), ("write", bytes(9999))):
        with pytest.raises(error):
            getattr(desk.writer, call)(argument)


def test_closing_wakes_who_waits_for_room() -> None:
    desk = Desk(room=0)
    writers = [desk.blocked("write", b"x")]
    with desk.engine.lock:
        desk.engine.fate.closing()
        desk.engine.wake_everyone()
    for writer in writers:
        with pytest.raises(ConnClosedError):
            writer.result()


@pytest.mark.parametrize(("due_in", "instead"), [(TAIL - 500, True), (10 * TAIL, False)])
def test_a_blocked_writer_paces_the_core_and_for_what_is_due_soon_instead_of_the_timer_thread(
    due_in: int, instead: bool
) -> None:
    desk = Desk(room=0)
    with desk.engine.lock:
        desk.engine.wrote(monotonic_now())
        soon = desk.core.deadline = monotonic_now() + due_in
        desk.core.on_timer = lambda now: setattr(desk.core, "space", 1)
    assert desk.writer.write(b"x") == 1
    assert len(desk.core.timer_calls) == 1
    assert desk.core.timer_calls[0] >= soon
    assert (desk.engine.served_until > soon) is instead


def test_several_blocked_writers_all_get_their_turn() -> None:
    desk = Desk(room=0)
    writers = [in_thread(lambda: desk.writer.write(b"x")) for _ in range(5)]
    until(lambda: desk.engine.writable.count == 5)
    desk.acknowledge(1000)
    assert [writer.result() for writer in writers] == [1] * 5


def test_readiness() -> None:
    desk = Desk(room=0)
    ready = [desk.writer.is_ready]
    desk.core.space = 1
    ready.append(desk.writer.is_ready)
    desk.core.space = 0
    desk.engine.fate.peer_closed()
    ready.append(desk.writer.is_ready)
    assert ready == [False, True, True]


# ---- messages of many packets ------------------------------------------------------------------


def bulk(room: int = 1000, peer_buffer: int = 8191) -> Desk:
    desk = Desk(room)
    desk.writer = Writer(desk.engine, Limits(payload_size=1456, send_buffer=1000, peer_buffer=peer_buffer))
    return desk


def test_a_large_message_waits_for_room_for_all_of_it() -> None:
    desk = bulk(room=50)
    message = bytes(100 * 1456)
    running = desk.blocked("write", message)
    desk.acknowledge(49)
    assert not desk.core.written
    desk.acknowledge(1)
    assert running.result() == len(message)
    assert desk.core.written == [message]
    assert desk.core.space == 0


def test_many_large_messages_go_as_there_is_room_for_each() -> None:
    desk = bulk(room=50)
    messages = [bytes(size * 1456) for size in (20, 20, 20, 5)]
    running = desk.blocked("write_many", messages)
    assert [len(message) // 1456 for message in desk.core.written] == [20, 20]
    desk.acknowledge(10)
    assert running.is_done or len(desk.core.written) >= 2
    desk.acknowledge(100)
    assert running.result() == 4
    assert desk.core.written == messages


def test_a_large_message_goes_whole_or_not_at_all() -> None:
    desk = bulk(room=50)
    for call in (desk.writer.write, desk.writer.write_control):
        with pytest.raises(WouldBlockError):
            call(bytes(51 * 1456), deadline=AT_ONCE)
        with pytest.raises(DeadlineError):
            call(bytes(51 * 1456), deadline=Deadline.after(0.02))
    assert not desk.core.written
    assert desk.writer.write_many([bytes(40 * 1456), bytes(20 * 1456)], AT_ONCE) == 1


@pytest.mark.parametrize(
    ("peer_buffer", "match"),
    [
        (8191, r"the send buffer takes 1456000 bytes \(1000 packets"),
        (999, r"the peer can hold 1454544 bytes \(999 pac"),
    ],
)
def test_what_can_never_fit_says_where(peer_buffer: int, match: str) -> None:
    desk = bulk(peer_buffer=peer_buffer)
    for write in (desk.writer.write, desk.writer.write_control, lambda data: desk.writer.write_many([b"x", data])):
        with pytest.raises(MessageTooLargeError, match=match):
            write(bytes(1000 * 1456 + 1))
    assert not desk.core.written
