"""The reader thread: what it delivers, what it outlives, and how it ends."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Event, current_thread

import pytest

from srtpy.config import Config
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, SECOND, Micros
from srtpy.internal.mux import alarm
from srtpy.internal.mux import mux as mux_module
from srtpy.internal.mux.address import Address, Path
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.joining import Reads
from srtpy.internal.mux.mux import Mux
from srtpy.internal.mux.options import open_bound
from srtpy.internal.mux.udp import Reading, UdpSocket
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import Datagram
from tests.conftest import descriptors
from tests.internal.mux.sockets import (
    HANDSHAKE,
    IPV4,
    control,
    data,
    dialed,
    nothing_left,
    path_to,
    whole,
)

PEER = Path(("192.0.2.1", 9000))


@contextmanager
def running(reading: Reading | None = None, naps: bool = True) -> Iterator[tuple[Mux, UdpSocket]]:
    sock = UdpSocket(open_bound([IPV4], Config()), reading=reading)
    mux = Mux(sock, naps=naps)
    mux.start()
    try:
        yield mux, sock
    finally:
        mux.release()


def take(inbox: Inbox, count: int) -> list[bytes]:
    """Take datagrams from an inbox until there are `count`."""
    found: list[bytes] = []
    while len(found) < count:
        item = inbox.get()
        assert item is not None
        found += [item[0].datagram(index) for index in range(item[0].count)]
    return found


@pytest.mark.parametrize("reading", list(Reading))
@pytest.mark.parametrize("naps", [True, False])
def test_a_burst_of_20000_arrives_whole_and_in_order(reading: Reading, naps: bool) -> None:
    with nothing_left(), running(reading, naps) as (mux, sock), dialed(sock) as there:
        inbox = Inbox()
        assert mux.register(77, inbox, there.local_address)
        for start in range(0, 20_000, 40):
            burst = [data(seq, 100) for seq in range(start, start + 40)]
            assert there.send(burst, path_to(sock)) == 40
            assert take(inbox, 40) == whole(burst)
        assert mux.counters.overflowed == 0


def test_connections_share_a_socket() -> None:
    with running() as (mux, sock), dialed(sock) as one, dialed(sock) as two:
        first = Inbox()
        second = Inbox()
        third = Inbox()
        assert mux.register(1, first, one.local_address)
        assert mux.register(2, second, one.local_address)
        assert mux.register(3, third, two.local_address)
        assert not mux.register(3, first, one.local_address)
        one.send([data(seq, destination=1 + seq % 2) for seq in range(10)], path_to(sock))
        two.send([data(seq, destination=3) for seq in range(5)], path_to(sock))
        assert take(first, 5) == whole([data(seq, destination=1) for seq in range(0, 10, 2)])
        assert take(second, 5) == whole([data(seq, destination=2) for seq in range(1, 10, 2)])
        assert take(third, 5) == whole([data(seq, destination=3) for seq in range(5)])


def test_spoofed_packets_are_dropped_and_counted() -> None:
    with running() as (mux, sock), dialed(sock) as peer, dialed(sock) as stranger:
        inbox = Inbox()
        assert mux.register(77, inbox, peer.local_address)
        stranger.send([control(5)], path_to(sock))  # SHUTDOWN with the right socket id
        stranger.send([data(1), data(2, destination=78)], path_to(sock))
        peer.send([data(3)], path_to(sock))
        assert take(inbox, 1) == whole([data(3)])
        assert (mux.counters.wrong_source, mux.counters.unknown) == (2, 1)


def test_garbage_kills_nobody() -> None:
    seeded = random.Random(19)
    with running() as (mux, sock), dialed(sock) as there:
        inbox = Inbox()
        listener = Inbox()
        assert mux.register(77, inbox, there.local_address)
        assert mux.listen(listener)
        for size in [*range(40), *(seeded.randrange(2000) for _ in range(100)), 65_507]:
            there.send([(seeded.randbytes(size), b"")], path_to(sock))
        there.send([data(1)], path_to(sock))
        assert take(inbox, 1) == whole([data(1)])
        assert mux.counters.malformed >= 16
        assert mux.overflowed(77) == 0


def test_the_listener_hears_strangers_until_it_stops() -> None:
    with running() as (mux, sock), dialed(sock) as there:
        listener = Inbox()
        inbox = Inbox()
        assert mux.register(77, inbox, there.local_address)
        assert mux.listen(listener)
        assert not mux.listen(listener)
        there.send([control(HANDSHAKE, destination=0)], path_to(sock))
        assert take(listener, 1) == whole([control(HANDSHAKE, destination=0)])
        mux.unlisten()
        mux.unregister(77)
        there.send([control(HANDSHAKE, destination=0)], path_to(sock))
        assert mux.register(78, inbox, there.local_address)
        there.send([data(1, destination=78)], path_to(sock))
        take(inbox, 1)
        assert listener.empty()


def test_the_thread_has_a_name_and_is_a_daemon() -> None:
    with nothing_left(), running() as (mux, _):
        (thread,) = [one for one in threading.enumerate() if one.name.startswith("srt-")]
        assert thread.name == f"srt-mux-{mux.local_address[1]}"
        assert thread.daemon


def test_the_last_user_closes() -> None:
    with nothing_left():
        mux = Mux(UdpSocket(open_bound([IPV4], Config())))
        mux.start()
        mux.acquire()
        mux.release()
        assert len([one for one in threading.enumerate() if one.name.startswith("srt-mux")]) == 1
        mux.release()
        with pytest.raises(OSError, match="is closed"):
            mux.acquire()
        assert mux.send([data(1), data(2)], PEER) == 0
        assert mux.counters.unsent == 2


def test_a_mux_that_never_started_closes_too() -> None:
    with nothing_left():
        Mux(UdpSocket(open_bound([IPV4], Config()))).release()


def test_the_child_of_a_fork_gives_its_descriptors_back_whoever_held_the_lock() -> None:
    with nothing_left():
        mux = Mux(UdpSocket(open_bound([IPV4], Config())))
        mux.start()
        before = len(descriptors())
        with mux._lock:
            child = os.fork()
            if not child:
                mux.abandon()
                mux.abandon()
                os._exit(before - len(descriptors()))
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 3, (
            "the socket, what wakes its reader and its alarm"
        )
        assert mux._thread.is_alive()
        mux.release()


def test_releasing_too_often_is_a_mistake_of_ours() -> None:
    mux = Mux(UdpSocket(open_bound([IPV4], Config())))
    mux.release()
    with pytest.raises(AssertionError):
        mux.release()


def test_closing_while_data_flows() -> None:
    with nothing_left():
        mux = Mux(sock := UdpSocket(open_bound([IPV4], Config())))
        inbox = Inbox()
        with dialed(sock) as there:
            assert mux.register(77, inbox, there.local_address)
            mux.start()
            path, stop = path_to(sock), Event()

            def flood() -> None:
                while not stop.is_set():
                    there.send([data(seq) for seq in range(10)], path)

            thread = threading.Thread(target=flood)
            thread.start()
            take(inbox, 200)
            mux.release()
            stop.set()
            thread.join()


class Scripted:
    """A transport that is read as told; each step is what a read returns, or what is done instead."""

    def __init__(self, *steps: Reads | Callable[[], None]) -> None:
        self.counters = MuxCounters()
        self.capacity = 1_000_000
        self.local_address: Address = ("192.0.2.9", 4_711)
        self.waits = 0
        self.closed = Event()
        self.exhausted = Event()
        self.has_alarm = True
        self.alarm = 0
        self.rested: list[int] = []
        self._steps = list(steps)
        self._woken = Event()

    def read(self) -> Reads:
        if not self._steps:
            return []
        step = self._steps.pop(0)
        if callable(step):
            step()
            return []
        return step

    def wait(self, longest: int = NEVER) -> None:
        self.waits += 1
        if not self._steps:
            self.exhausted.set()
            self._woken.wait()

    def set_alarm(self, instant: int) -> None:
        self.alarm = instant

    def rest(self, longest: int = NEVER) -> None:
        self.rested.append(self.alarm)

    def wake(self) -> None:
        self._woken.set()

    def send(self, datagrams: Sequence[Datagram], path: Path) -> int:
        return len(datagrams)

    def close(self) -> None:
        self.closed.set()


def one(datagram: Datagram, count: int = 1) -> Reads:
    content = b"".join(datagram)
    return [(Batch(content * count, len(content)), PEER)]


def lived(monkeypatch: pytest.MonkeyPatch, transport: Scripted, naps: bool = True) -> list[float]:
    """Return the naps of a mux that read all of the script."""
    slept: list[float] = []
    instants = iter(range(0, 1_000_000_000, 1_000))
    monkeypatch.setattr(time, "sleep", slept.append)
    monkeypatch.setattr(mux_module, "now", lambda: next(instants))
    mux = Mux(transport, naps=naps)
    mux.start()
    transport.exhausted.wait()
    mux.release()
    assert transport.closed.is_set()
    return slept


def test_it_naps_while_data_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    slept = lived(monkeypatch, Scripted(*[one(data(seq)) for seq in range(50)]))
    assert slept.count(0.002) == len(slept) > 40


def test_it_does_not_nap_for_control_packets_nor_when_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lived(monkeypatch, Scripted(*[one(control(2)) for _ in range(50)])) == []
    assert lived(monkeypatch, Scripted(*[one(data(seq)) for seq in range(50)]), naps=False) == []


def test_it_waits_only_when_nothing_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Scripted(one(data(1)), [], one(data(2)), one(data(3)), [])
    lived(monkeypatch, transport)
    assert transport.waits == 2


def test_a_full_read_is_followed_by_another_without_a_nap(monkeypatch: pytest.MonkeyPatch) -> None:
    assert lived(monkeypatch, Scripted(*[one(data(seq), 128) for seq in range(50)])) == []


def test_the_thread_may_let_go_itself() -> None:
    with nothing_left():
        transport = Scripted(lambda: mux.release())
        mux = Mux(transport)
        mux.start()
        assert transport.closed.wait(30)
        mux._thread.join()


def test_the_end_is_complete_when_the_last_user_has_let_go() -> None:
    with nothing_left():
        for _ in range(20):
            mux = Mux(UdpSocket(open_bound([IPV4], Config())))
            mux.start()
            mux.release()
            assert not mux._thread.is_alive()


def test_naps_last_while_somebody_has_promised_to_look(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = Scripted(*[one(data(seq)) for seq in range(30)])
    start = Mux.start

    inboxes = Inbox(), Inbox()

    def start_promised(mux: Mux) -> None:
        mux.attend(inboxes[0], 40_000)
        mux.attend(inboxes[1], 10_000)
        start(mux)

    monkeypatch.setattr(Mux, "start", start_promised)
    slept = lived(monkeypatch, transport)
    assert sorted(set(transport.rested)) == [10_000, 40_000] == list(dict.fromkeys(transport.rested))
    assert slept[-1] == 0.002, "the promise is over"
    assert [inbox.is_let_down for inbox in inboxes] == [True, True]
    for inbox in inboxes:
        inbox.wait(0)


def test_a_broken_promise_has_the_socket_read_though_others_still_promise(monkeypatch: pytest.MonkeyPatch) -> None:
    rested: list[int] = []
    transport: Scripted = Scripted(one(data(1)), *[lambda: rested.append(len(transport.rested))] * 5)
    start = Mux.start

    def start_promised(mux: Mux) -> None:
        mux.attend(Inbox(), 10_000)
        mux.attend(Inbox(), 2_000_000)
        start(mux)

    monkeypatch.setattr(Mux, "start", start_promised)
    lived(monkeypatch, transport)
    assert rested[0] <= 10


def test_who_rests_is_woken_by_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    with nothing_left():
        resting, rest = Event(), UdpSocket.rest

        def rest_and_tell(sock: UdpSocket, longest: int) -> None:
            resting.set()
            rest(sock, longest)

        monkeypatch.setattr(UdpSocket, "rest", rest_and_tell)
        mux = Mux(UdpSocket(open_bound([IPV4], Config())))
        mux.attend(Inbox(), monotonic_now() + 3_600 * SECOND)
        mux.start()
        assert resting.wait(30)
        mux.release()
        assert not mux._thread.is_alive()


def test_the_sockets_thread_tends_who_has_broken_a_promise() -> None:
    with running() as (mux, _):
        for _ in range(3):
            inbox, tended = Inbox(), Event()
            tended_by: list[str] = []

            def tend(now: Micros, by: list[str] = tended_by, done: Event = tended) -> None:
                by.append(current_thread().name)
                done.set()

            inbox.tend = tend
            mux.attend(inbox, monotonic_now() + 1_000)
            assert tended.wait(30)
            assert tended_by == [mux._thread.name]
            assert inbox.is_let_down


def test_a_broken_promise_rings_though_nothing_arrives() -> None:
    with running() as (mux, _):
        for _ in range(3):
            inbox = Inbox()
            mux.attend(inbox, monotonic_now() + 1_000)
            inbox.wait(30)
            assert (inbox.is_attended, inbox.is_let_down) == (False, True)


def test_where_promises_cannot_be_watched_over_none_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alarm, "_make_timer", lambda: -1)
    with running() as (mux, _):
        inbox = Inbox()
        mux.attend(inbox, 0)
        assert not inbox.is_attended


def test_whoever_looks_reads_on_its_own_thread() -> None:
    transport = Scripted(one(data(1)))
    mux = Mux(transport)
    inbox = Inbox()
    assert mux.register(77, inbox, PEER.remote)
    mux.look(inbox)
    mux.look(inbox)
    assert take(inbox, 1) == whole([data(1)])
    mux.release()


def test_whoever_looks_reads_on_while_reads_are_full() -> None:
    mux = Mux(Scripted(one(data(1), 128), one(data(2), 128), one(data(3)), one(data(4))))
    inbox = Inbox()
    assert mux.register(77, inbox, PEER.remote)
    mux.look(inbox)
    assert inbox.qsize() == 3
    mux.release()


def test_nobody_looks_while_somebody_reads_nor_after_the_end() -> None:
    with nothing_left():
        reading, go_on = Event(), Event()

        def hold() -> None:
            reading.set()
            go_on.wait(30)

        mux = Mux(transport := Scripted(hold, one(data(1)), one(data(2))))
        inbox = Inbox()
        assert mux.register(77, inbox, PEER.remote)
        mux.start()
        assert reading.wait(30)
        mux.look(inbox)
        assert inbox.empty()
        go_on.set()
        assert take(inbox, 2) == whole([data(1), data(2)])
        mux.release()
        assert transport.closed.is_set()
        mux.look(inbox)
        mux.attend(inbox, 1 << 60)
        assert not inbox.is_attended


def tended(mux: Mux, socket_id: int = 77) -> tuple[Inbox, list[tuple[str, int]], Event]:
    """Register a connection that the socket's thread sees to; return its inbox, and who did so and for how much."""
    inbox, found, done = Inbox(), list[tuple[str, int]](), Event()

    def tend(now: int) -> None:
        found.append((threading.current_thread().name, inbox.qsize()))
        while inbox.qsize():
            inbox.get_nowait()
        done.set()

    inbox.tend = tend
    assert mux.register(socket_id, inbox, PEER.remote)
    return inbox, found, done


def test_the_thread_sees_itself_to_a_connection_with_little_to_do() -> None:
    mux = Mux(Scripted(one(data(1)), one(data(2)), [], one(data(3), 100)))
    inbox, found, done = tended(mux)
    mux.start()
    inbox.wait(5)
    assert done.is_set()
    assert found == [("srt-mux-4711", 1)] * 2, "what is much is left to the connection's own thread"
    mux.release()


def test_whoever_looks_leaves_other_connections_to_their_own_threads() -> None:
    mux = Mux(Scripted(one(data(1))))
    inbox, found, _ = tended(mux)
    mux.look(Inbox())
    inbox.wait(0)
    assert found == []
    mux.release()


def test_a_reminder_wakes_the_thread_that_waits_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as (mux, _):
        inbox, found, done = tended(mux)
        assert mux.remind(inbox, monotonic_now() + 3_600 * SECOND)
        assert mux.remind(inbox, monotonic_now())
        assert done.wait(5)
        assert len(found) == 1
        mux.unregister(77)


def test_a_reminder_comes_though_somebody_has_promised_to_read() -> None:
    with running() as (mux, _):
        inbox, _, done = tended(mux)
        mux.attend(Inbox(), monotonic_now() + 3_600 * SECOND)
        mux.remind(inbox, monotonic_now() + 1_000)
        assert done.wait(5)
        mux.unregister(77)


def test_a_broken_promise_is_noticed_however_much_there_is_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    broken, noticed = Inbox(), list[bool]()
    many = [batch for destination in range(100, 120) for batch in one(data(1, destination=destination))]
    transport = Scripted(many)
    start = Mux.start

    def start_busy(mux: Mux) -> None:
        for destination in range(100, 120):
            inbox = Inbox()
            inbox.tend = lambda now: noticed.append(broken.is_let_down)
            assert mux.register(destination, inbox, PEER.remote)
        mux.attend(broken, 1)
        start(mux)

    monkeypatch.setattr(Mux, "start", start_busy)
    lived(monkeypatch, transport)
    assert len(noticed) == 20
    assert noticed.count(False) < 5, "each took a millisecond"
    broken.wait(0)


def test_the_thread_waits_no_longer_than_until_the_next_reminder(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[int] = []
    transport = Scripted(one(data(1)), [], [], [])
    wait = transport.wait

    def wait_and_tell(longest: int = NEVER) -> None:
        waits.append(longest)
        wait(longest)

    monkeypatch.setattr(transport, "wait", wait_and_tell)
    monkeypatch.setattr(transport, "rest", wait_and_tell)
    start = Mux.start

    def start_reminded(mux: Mux) -> None:
        inbox, _, _ = tended(mux, 78)
        mux.remind(inbox, 50_000)
        start(mux)

    monkeypatch.setattr(Mux, "start", start_reminded)
    lived(monkeypatch, transport)
    assert 0 < waits[0] <= 50_000
    assert waits == sorted(waits, reverse=True), "the clock runs"


def test_after_the_end_nobody_is_reminded() -> None:
    mux = Mux(Scripted())
    assert mux.remind(Inbox(), 0)
    mux.release()
    assert not mux.remind(Inbox(), 0)


def test_the_socket_is_left_alone_where_little_comes_for_each_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rounds = [one(control(1, 0, destination=number)) for _ in range(3) for number in range(100, 200)]
    transport = Scripted(*rounds)
    start = Mux.start

    def start_with_many(mux: Mux) -> None:
        for number in range(100, 200):
            inbox = Inbox()
            inbox.is_patient, inbox.patience = True, 8_000
            assert mux.register(number, inbox, PEER.remote)
        start(mux)

    monkeypatch.setattr(Mux, "start", start_with_many)
    slept = lived(monkeypatch, transport)
    assert set(slept) == {0.008}
    assert len(slept) > 200
