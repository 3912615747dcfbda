from __future__ import annotations

import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from srtpy.errors import ConnClosedError, ConnectionBrokenError, DeadlineError, WouldBlockError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.core.events import Broken, Event, PeerClosed
from srtpy.internal.core.leisure import LONGEST
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.session import reading, waiting
from srtpy.internal.session.engine import DELIVERY_GAP, OVERDUE, PROMISE, Engine
from srtpy.internal.session.reading import REPORT_EVERY, TURN_AGAIN, Reader
from srtpy.internal.session.rhythm import LONGEST_PERIOD, RHYTHM
from srtpy.internal.session.waiting import AT_ONCE, Alarm, Deadline
from tests.internal.mux.sockets import has_rung
from tests.internal.session.fakes import LATENCY, FakeCore, FakeWire, batch, in_thread, row, until


class Desk:
    """A reader, and the core it reads from."""

    def __init__(self) -> None:
        self.core = FakeCore()
        self.engine = Engine(self.core, lambda datagrams: None)
        self.reader = Reader(self.engine)

    def has(self, *payloads: bytes) -> Desk:
        self.core.messages.extend(row(payload) for payload in payloads)
        return self

    def change(self, work: Callable[[Micros], object]) -> None:
        with self.engine.lock:
            now = monotonic_now()
            work(now)
            self.engine.turn(now)

    def tell(self, event: Event) -> None:
        self.change(lambda now: self.core.news.append(event))

    def is_waiting(self) -> bool:
        return self.engine.readable.count > 0


def test_messages_come_whole_and_in_order() -> None:
    desk = Desk().has(b"one", b"two")
    assert [desk.reader.read(), desk.reader.read(-1)] == [b"one", b"two"]


def test_what_is_there_is_read_without_the_lock() -> None:
    desk = Desk().has(b"one", b"two", b"three")
    with desk.engine.lock:
        assert desk.reader.read() == b"one"
        assert desk.reader.read_many() == [b"two", b"three"]


def test_the_rest_of_a_message_is_what_comes_next_by_whichever_call() -> None:
    desk = Desk().has(b"0123456789", b"next")
    reader = desk.reader
    assert reader.read(3) == b"012"
    assert reader.read(10) == b"3456789"
    desk.has(b"0123456789")
    assert reader.read(4) == b"next"
    assert reader.read(1) == b"0"
    buffer = bytearray(4)
    assert reader.read_into(memoryview(buffer)) == 4
    assert buffer == b"1234"
    assert reader.read(1) == b"5"
    assert reader.read_many() == [b"6789"]


def test_the_rest_keeps_its_words_from_the_wire() -> None:
    desk = Desk()
    desk.core.messages.append(row(b"0123456789", seq=5, stamp=1_000))
    assert desk.reader.read(3) == b"012"
    found = desk.reader.read_message()
    assert found == ((b"3456789", 5, 0xE000_0001, 1_000), 1_000 + LATENCY)


def test_reading_nothing_consumes_nothing() -> None:
    desk = Desk()
    assert desk.reader.read(0) == b""
    assert desk.reader.read_into(memoryview(bytearray())) == 0
    desk.has(b"x")
    assert desk.reader.read(0) == b""
    assert desk.reader.read() == b"x"


def test_read_into_a_larger_buffer() -> None:
    buffer = bytearray(b"........")
    assert Desk().has(b"abc").reader.read_into(memoryview(buffer)) == 3
    assert buffer == b"abc....."


def test_read_many_takes_what_is_ready() -> None:
    desk = Desk().has(*[bytes([number]) for number in range(1, 101)])
    assert [len(desk.reader.read_many()), len(desk.reader.read_many(5)), len(desk.reader.read_many())] == [64, 5, 31]
    with pytest.raises(ValueError, match="limit=0"):
        desk.reader.read_many(0)


def test_read_many_waits_for_the_first_and_takes_the_rest() -> None:
    desk = Desk()
    reading = in_thread(desk.reader.read_many)
    until(desk.is_waiting)
    desk.change(lambda now: desk.has(b"a", b"b", b"c"))
    assert reading.result() == [b"a", b"b", b"c"]


def test_a_waiting_reader_is_its_own_delivery_timer() -> None:
    desk = Desk()
    begun = monotonic_now()
    due = begun + 20 * MILLISECOND
    desk.core.arrive(b"x", due)
    assert desk.reader.read() == b"x"
    assert monotonic_now() >= due


def test_it_serves_the_core_when_it_wakes() -> None:
    desk = Desk()
    now = monotonic_now()
    desk.core.arrive(b"x", now + 5 * MILLISECOND)
    desk.core.deadline = now + 4 * MILLISECOND
    assert desk.reader.read() == b"x"
    assert len(desk.core.timer_calls) == 1


def test_a_lone_message_is_not_kept_but_of_many_it_wakes_for_several() -> None:
    desk = Desk()
    base = monotonic_now()
    for number in range(10):
        desk.core.arrive(bytes([number + 1]), base + number * MILLISECOND)
    taken, wakes = 0, 0
    while taken < 10:
        taken += len(desk.reader.read_many())
        wakes += 1
    assert wakes <= 1 + 10 * MILLISECOND // DELIVERY_GAP + 1


@pytest.mark.parametrize("call", ["read", "read_many", "read_message"])
def test_no_longer_than_the_deadline(call: str) -> None:
    read = getattr(Desk().reader, call)
    with pytest.raises(DeadlineError):
        read(deadline=Deadline.after(0.01))
    with pytest.raises(WouldBlockError):
        read(deadline=AT_ONCE)


def test_an_error_is_told_by_itself() -> None:
    with pytest.raises(DeadlineError) as caught:
        Desk().reader.read(deadline=Deadline.after(0.01))
    assert caught.value.__context__ is None


def test_a_reader_that_must_not_wait_takes_what_is_due() -> None:
    desk = Desk()
    desk.core.arrive(b"due", monotonic_now())
    assert desk.reader.read(deadline=AT_ONCE) == b"due"


def test_its_own_deadline_holds_unless_told_otherwise() -> None:
    desk = Desk()
    desk.reader.deadline = Deadline.after(0.01)
    with pytest.raises(DeadlineError):
        desk.reader.read()


def test_a_new_deadline_reaches_who_already_waits() -> None:
    desk = Desk()
    reading = in_thread(desk.reader.read)
    until(desk.is_waiting)
    with desk.engine.lock:
        desk.reader.deadline = Deadline(at=monotonic_now())
        desk.engine.readable.wake_all()
    with pytest.raises(DeadlineError):
        reading.result()


@pytest.mark.parametrize("leaves", ["in vain", "with a message"])
def test_a_reader_that_leaves_sees_that_another_wakes_in_time(leaves: str) -> None:
    desk = Desk()
    staying = in_thread(desk.reader.read)
    until(desk.is_waiting)
    leaving = in_thread(lambda: desk.reader.read(deadline=Deadline.after(1.0)))
    until(lambda: desk.engine.readable.count == 2)
    with desk.engine.lock:
        # the one that wakes soon is counted on, and the one that stays is not told
        if leaves == "with a message":
            desk.core.arrive(b"1", desk.engine.readable.wakes_at - 10 * MILLISECOND)
        desk.core.arrive(b"2", desk.engine.readable.wakes_at + 40 * MILLISECOND)
    if leaves == "in vain":
        with pytest.raises(DeadlineError):
            leaving.result()
        assert staying.result() == b"2"
    else:
        assert {leaving.result(), staying.result()} == {b"1", b"2"}


def test_after_the_peers_close_everything_comes_in_its_time_and_then_the_end() -> None:
    desk = Desk().has(b"ready")
    desk.core.arrive(b"later", monotonic_now() + 30 * MILLISECOND)
    desk.tell(PeerClosed())
    assert [desk.reader.read() for _ in range(4)] == [b"ready", b"later", b"", b""]
    assert desk.reader.read_many() == []
    assert desk.reader.read_message() is None
    assert desk.reader.read_into(memoryview(bytearray(4))) == 0


def test_a_waiting_reader_meets_the_end() -> None:
    desk = Desk()
    reading = in_thread(desk.reader.read)
    until(desk.is_waiting)
    desk.tell(PeerClosed())
    assert reading.result() == b""


def test_after_a_break_what_arrived_comes_first() -> None:
    desk = Desk()
    desk.core.arrive(b"later", monotonic_now() + 10 * MILLISECOND)
    desk.tell(Broken("the peer has been silent for 5.0 s"))
    assert desk.reader.read() == b"later"
    with pytest.raises(ConnectionBrokenError, match="silent"):
        desk.reader.read()


def test_a_connection_that_was_torn_has_nothing_more_to_wait_for() -> None:
    desk = Desk()
    desk.core.arrive(b"nobody releases it", monotonic_now())
    with desk.engine.lock:
        desk.engine.torn(KeyboardInterrupt())
        assert desk.reader.is_ready
    with pytest.raises(ConnectionBrokenError, match="KeyboardInterrupt"):
        desk.reader.read(deadline=Deadline.after(30.0))


def test_after_our_own_close_what_was_delivered_comes_first() -> None:
    desk = Desk().has(b"delivered")
    desk.core.arrive(b"not yet due", monotonic_now() + 3600 * SECOND)
    desk.engine.fate.closing()
    assert desk.reader.read() == b"delivered"
    with pytest.raises(ConnClosedError):
        desk.reader.read()


def test_a_core_that_met_a_full_buffer_hears_of_reading() -> None:
    desk = Desk().has(*[b"x"] * (3 * REPORT_EVERY))
    for _ in range(REPORT_EVERY):
        desk.reader.read()
    assert desk.core.reads_noted == 1
    desk.reader.read_many(REPORT_EVERY)
    assert desk.core.reads_noted == 2


def test_readiness() -> None:
    desk = Desk()
    ready = [desk.reader.is_ready]
    desk.core.arrive(b"x", monotonic_now() + SECOND)
    ready.append(desk.reader.is_ready)
    desk.core.waiting.clear()
    desk.core.arrive(b"x", monotonic_now())
    ready.append(desk.reader.is_ready)
    desk.reader.read()
    ready.append(desk.reader.is_ready)
    desk.tell(PeerClosed())
    ready.append(desk.reader.is_ready)
    assert ready == [False, False, True, False, True]
    assert Desk().has(b"x").reader.is_ready


def test_several_readers_share_without_loss() -> None:
    desk = Desk()
    taken: list[bytes] = []
    done = threading.Barrier(5)

    def drain() -> None:
        while True:
            batch = desk.reader.read_many(7)
            if not batch:
                done.wait(30)
                return
            taken.extend(batch)

    readers = [in_thread(drain) for _ in range(4)]
    sent = [number.to_bytes(2, "big") for number in range(2_000)]
    for start in range(0, len(sent), 50):
        desk.change(lambda now, start=start: desk.has(*sent[start : start + 50]))  # type: ignore[misc]
    desk.tell(PeerClosed())
    done.wait(30)
    for reader in readers:
        reader.result()
    assert sorted(taken) == sent


class Promising(Desk):
    """A reader, a socket it may look at, and the inbox between them."""

    def __init__(self) -> None:
        super().__init__()
        self.wire, self.inbox = FakeWire(), Inbox()
        self.engine = Engine(self.core, lambda datagrams: None, self.inbox, self.wire)
        self.reader = Reader(self.engine)
        self.core.on_receive = lambda batch, now: self.core.messages.extend(map(row, batch.payloads()))

    def arrive(self, payload: bytes) -> None:
        self.inbox.put((batch(payload), Path(("127.0.0.1", 9001))))

    @property
    def has_rung(self) -> bool:
        return has_rung(self.inbox)


def test_a_reader_that_wakes_soon_takes_along_what_has_come() -> None:
    desk = Promising()
    desk.wire.on_look = lambda: desk.arrive(b"come")
    due = monotonic_now() + PROMISE // 2
    desk.core.arrive(b"due", due)
    assert desk.reader.read_many() == [b"come", b"due"]
    assert desk.wire.promised == [due + OVERDUE]
    assert not desk.has_rung
    desk.arrive(b"later")
    assert desk.has_rung


class Flowing(Promising):
    """A reader of a stream: a message is due every millisecond, and the clock is the test's."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, rtt: int = MILLISECOND) -> None:
        super().__init__()
        self.now = SECOND
        self.slept: list[Micros] = []
        self.core.round_trip.sample(rtt)
        for number in range(500):
            self.core.arrive(b"x", SECOND + number * MILLISECOND)
        monkeypatch.setattr(waiting, "monotonic_now", lambda: self.now)
        monkeypatch.setattr(reading, "monotonic_now", lambda: self.now)
        monkeypatch.setattr(Alarm, "sleep", lambda alarm, patience: self.sleep(patience))

    def sleep(self, patience: Micros) -> None:
        self.slept.append(patience)
        self.now += max(patience, 0)

    def read(self, lasting: Micros) -> list[Micros]:
        """Read for so long; return when the socket was looked at."""
        looks: list[Micros] = []
        self.wire.on_look = lambda: looks.append(self.now)
        end = self.now + lasting
        while self.now < end:
            self.reader.read_many()
        return looks


def test_between_two_looks_at_the_socket_a_reader_only_hands_over_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Flowing(monkeypatch)
    looks = desk.read(400 * MILLISECOND)
    assert 400 * MILLISECOND // (LONGEST + DELIVERY_GAP) <= len(looks) <= 400 * MILLISECOND // LONGEST + 1
    apart = [after - before for before, after in pairwise(looks)]
    assert LONGEST <= max(apart) <= LONGEST + DELIVERY_GAP, "what arrives waits so long at most"
    assert len(desk.slept) >= 400 * MILLISECOND // DELIVERY_GAP
    assert max(desk.slept) <= DELIVERY_GAP
    assert not desk.has_rung


@pytest.mark.parametrize("what", ["loss", "long path", "small kernel buffer", "company"])
def test_a_reader_that_has_no_time_to_spare_looks_each_time_it_wakes(
    monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    desk = Flowing(monkeypatch, rtt=60 * MILLISECOND if what == "long path" else MILLISECOND)
    if what == "loss":
        desk.core.leisure.lost(desk.now)
    elif what == "small kernel buffer":
        desk.wire.patience = PROMISE + OVERDUE
    elif what == "company":
        desk.wire.company = 2 * MILLISECOND
    looks = desk.read(90 * MILLISECOND)
    assert max(after - before for before, after in pairwise(looks)) <= DELIVERY_GAP


class Bursting(Flowing):
    """A reader of pictures: some messages are due at once, then none for a while."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, together: int, period: Micros) -> None:
        super().__init__(monkeypatch)
        self.core.waiting.clear()
        for number in range(together * 60):
            self.core.arrive(b"x", SECOND + number // together * period)


@pytest.mark.parametrize("period", [20 * MILLISECOND, 40 * MILLISECOND])
def test_while_pictures_come_in_a_rhythm_a_reader_looks_for_them_itself(
    monkeypatch: pytest.MonkeyPatch, period: Micros
) -> None:
    desk = Bursting(monkeypatch, 19, period)
    desk.read((RHYTHM + 2) * period)
    promised, begun = len(desk.wire.promised), len(desk.slept)
    looks = desk.read(20 * period)
    assert max(after - before for before, after in pairwise(looks)) <= LONGEST + DELIVERY_GAP
    assert len(desk.slept) - begun <= 20 * (period // LONGEST + 2)
    assert len(desk.wire.promised) - promised >= 20 * (period // LONGEST)
    assert not desk.has_rung


@pytest.mark.parametrize(("together", "period"), [(1, 20 * MILLISECOND), (3, 20 * MILLISECOND), (19, 60 * MILLISECOND)])
def test_for_little_or_seldom_a_reader_is_woken(monkeypatch: pytest.MonkeyPatch, together: int, period: Micros) -> None:
    desk = Bursting(monkeypatch, together, period)
    assert desk.read(30 * period) == []
    assert max(desk.slept) >= period - DELIVERY_GAP


def test_when_the_pictures_cease_the_reader_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Bursting(monkeypatch, 19, 20 * MILLISECOND)
    desk.read(50 * 20 * MILLISECOND)
    last = desk.core.waiting[-1][0]
    desk.core.arrive(b"late", last + SECOND)
    while desk.now < last:
        desk.reader.read_many()
    slept = len(desk.slept)
    assert desk.reader.read_many() == [b"late"]
    assert len(desk.slept) - slept <= LONGEST_PERIOD // LONGEST + 3


@pytest.mark.parametrize("what", ["arrival", "deadline", "end"])
def test_a_reader_sees_at_once_to_what_presses(monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    desk = Flowing(monkeypatch)
    desk.read(40 * MILLISECOND)
    while desk.now >= desk.reader._looks_at - 2 * DELIVERY_GAP or not desk.engine.intake.is_promised:
        desk.reader.read_many()
    looks = desk.wire.looks
    desk.reader.read_many()
    assert desk.wire.looks == looks
    if what == "arrival":
        desk.arrive(b"come")
    elif what == "deadline":
        desk.engine._due = desk.now + 1
    else:
        desk.engine.fate.peer_closed()
    desk.reader.read_many()
    assert looks < desk.wire.looks <= looks + 2


def test_a_promise_that_is_left_standing_is_broken_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Flowing(monkeypatch)
    desk.read(40 * MILLISECOND)
    while not desk.engine.intake.is_promised:
        desk.reader.read_many()
    assert desk.wire.promised[-1] <= desk.reader._looks_at + OVERDUE
    desk.core.messages.clear()
    with pytest.raises(WouldBlockError):
        desk.reader.read(deadline=AT_ONCE)
    assert not desk.engine.intake.is_promised, "who leaves in vain is not counted on"


def test_a_reader_that_sleeps_for_longer_promises_nothing() -> None:
    desk = Promising()
    desk.core.arrive(b"due", monotonic_now() + 5 * PROMISE)
    assert desk.reader.read() == b"due"
    assert desk.wire.promised == []


def test_a_reader_whose_time_is_up_has_kept_its_promise() -> None:
    desk = Promising()
    desk.wire.on_look = lambda: desk.arrive(b"come")
    assert desk.reader.read(deadline=Deadline.after(0.001)) == b"come"
    desk.wire.on_look = lambda: None
    with pytest.raises(DeadlineError):
        desk.reader.read(deadline=Deadline.after(0.001))
    desk.arrive(b"later")
    assert desk.has_rung


def test_a_reader_that_is_interrupted_takes_its_promise_back(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Promising()

    def interrupted(alarm: Alarm, patience: Micros) -> None:
        desk.arrive(b"come")
        raise KeyboardInterrupt

    monkeypatch.setattr(Alarm, "sleep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        desk.reader.read(deadline=Deadline.after(0.001))
    assert desk.has_rung
    desk.arrive(b"later")
    assert desk.has_rung
    assert not desk.engine.intake.is_promised


def test_who_comes_back_to_sleep_at_once_does_not_serve_the_core_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Promising()
    now = monotonic_now()
    monkeypatch.setattr(waiting, "monotonic_now", lambda: now)
    monkeypatch.setattr(reading, "monotonic_now", lambda: now)
    desk.has(b"first")
    assert desk.reader.read() == b"first"
    before = desk.core.reads_noted
    for step, turns in ((0, 1), (TURN_AGAIN - 1, 1), (TURN_AGAIN, 2), (TURN_AGAIN + 1, 2)):
        now += step
        desk.core.deadline = 0
        with pytest.raises(WouldBlockError):
            desk.reader.read(deadline=AT_ONCE)
        assert len(desk.core.timer_calls) == turns
        now -= step
    assert desk.core.reads_noted == before + 4, "but it hears each time that there is room again"
    now += 2 * TURN_AGAIN - 1
    desk.arrive(b"second")
    assert desk.reader.read(deadline=AT_ONCE) == b"second"


# ---- large messages, and senders that wait for the reader ------------------------------------------


def test_a_large_message_read_in_parts_is_copied_once() -> None:
    desk = Desk().has(bytes(1_000_000))
    desk.reader.read(1)
    rest = desk.core.messages[0][0]
    desk.reader.read(1)
    assert isinstance(rest, memoryview)
    assert desk.core.messages[0][0].obj is rest.obj
    taken = [desk.reader.read(499_998), desk.reader.read()]
    assert [(type(part), len(part)) for part in taken] == [(bytes, 499_998), (bytes, 500_000)]


@pytest.mark.parametrize("call", ["read", "read_many", "read_message", "read_pieces"])
def test_the_rest_of_a_message_is_bytes_by_whichever_call(call: str) -> None:
    desk = Desk().has(b"0123456789")
    desk.reader.read(3)
    answer = {
        "read": lambda: desk.reader.read(),
        "read_many": lambda: desk.reader.read_many()[0],
        "read_message": lambda: (desk.reader.read_message() or ((b"",), 0))[0][0],
        "read_pieces": lambda: desk.reader.read_pieces(100)[0],
    }[call]()
    assert type(answer) is bytes
    assert answer == b"3456789"


def test_a_sender_that_was_told_to_wait_hears_of_each_read() -> None:
    desk = Desk()
    desk.reader = Reader(desk.engine, tells_at_once=True)
    desk.has(b"one", b"two", b"three", b"four")
    desk.reader.read()
    assert desk.core.reads_noted == 0
    desk.core.is_tight = True
    desk.reader.read()
    assert desk.core.reads_noted == 1
    desk.reader.read_many()
    assert desk.core.reads_noted == 2
