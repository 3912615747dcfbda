"""Each row of the close table, and what else a session does around its core."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from srtpy.config import Config
from srtpy.errors import ConnClosedError, ConnectionBrokenError, DeadlineError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.core.events import Broken, Finished, PeerClosed, PeerFailed
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.header import ControlType
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.registry import OPEN
from srtpy.internal.session.session import PART_OF_LATENCY, Session
from srtpy.internal.session.waiting import Deadline
from tests.internal.session.fakes import LATENCY, FakeCore, FakeWire, Rig, batch, in_thread, negotiated, row, until


@pytest.fixture
def rig() -> Iterator[Rig]:
    rig = Rig()
    yield rig
    rig.core.finish()
    rig.session.shut_down()
    rig.session.close()


def threads(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name]


def test_the_constructor_starts_nothing(rig: Rig) -> None:
    assert not threads("srt-recv-77")
    assert not threads("srt-timer-77")
    rig.start()
    for name in ("srt-recv-77", "srt-timer-77"):
        (thread,) = threads(name)
        assert thread.daemon


def test_what_arrives_is_read(rig: Rig) -> None:
    rig.core.on_receive = lambda batch, now: rig.core.messages.extend(row(one) for one in batch.payloads())
    rig.start()
    reading = in_thread(rig.session.reader.read)
    rig.arrive(batch(b"hello"))
    assert reading.result() == b"hello"


def test_an_error_of_the_peers_is_logged_once_with_its_code(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    rig.start()
    rig.tell(PeerFailed(4000))
    until(lambda: bool(caplog.records))
    rig.tell(PeerFailed(4000), PeerFailed(4001))
    rig.session.shut_down()
    rig.session.close()
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("srtpy.conn", "WARNING")
    assert "4000" in record.getMessage()
    assert "77" in record.getMessage()


def test_what_came_before_there_was_a_session_comes_first(rig: Rig) -> None:
    rig.core.on_receive = lambda batch, now: rig.core.messages.extend(row(one) for one in batch.payloads())
    rig.arrive(batch(b"second"))
    rig.session.start([batch(b"first")])
    until(lambda: len(rig.core.messages) == 2)
    assert rig.session.reader.read_many() == [b"first", b"second"]


def test_what_is_written_is_sent(rig: Rig) -> None:
    rig.start()
    rig.session.writer.write(b"hello")
    assert rig.wire.bursts == [[b"hello"]]


def test_the_last_of_a_burst_leaves_by_the_timer_thread(rig: Rig) -> None:
    rig.start()
    for number in range(5):
        rig.session.writer.write(bytes([number]))
    until(lambda: sum(map(len, rig.wire.bursts)) == 5)
    assert [payload for burst in rig.wire.bursts for payload in burst] == [bytes([number]) for number in range(5)]


def test_asking(rig: Rig) -> None:
    rig.start()
    rig.core.deadline = 0
    assert rig.session.ask(lambda now: rig.core.space) == 1000
    assert rig.core.timer_calls, "whatever the question changed has been seen to"


def test_who_it_is(rig: Rig) -> None:
    session = rig.session
    assert (session.socket_id, session.state) == (77, ConnState.CONNECTED)
    assert (session.local_address, session.remote_address) == (("127.0.0.1", 9000), ("127.0.0.1", 9001))


def test_new_deadlines_reach_who_already_waits(rig: Rig) -> None:
    rig.core.space = 0
    rig.start()
    calls = [in_thread(rig.session.reader.read), in_thread(lambda: rig.session.writer.write(b"x"))]
    until(lambda: rig.session.engine.readable.count + rig.session.engine.writable.count == 2)
    rig.session.set_read_deadline(Deadline(at=0))
    rig.session.set_write_deadline(Deadline(at=0))
    for call in calls:
        with pytest.raises(DeadlineError):
            call.result()


# ---- the close table, row by row


def test_a_blocked_reader_gets_what_was_delivered_first(rig: Rig) -> None:
    rig.start()
    reading = in_thread(rig.session.reader.read)
    until(lambda: rig.session.engine.readable.count == 1)
    rig.deliver(b"one", b"two")
    assert reading.result() == b"one"
    rig.session.close()
    assert rig.session.reader.read() == b"two"
    with pytest.raises(ConnClosedError):
        rig.session.reader.read()


def test_a_blocked_reader_is_woken(rig: Rig) -> None:
    rig.start()
    reading = in_thread(rig.session.reader.read)
    until(lambda: rig.session.engine.readable.count == 1)
    rig.session.close()
    with pytest.raises(ConnClosedError):
        reading.result()


def test_a_blocked_writer_is_woken(rig: Rig) -> None:
    rig.core.space = 0
    rig.start()
    writing = in_thread(lambda: rig.session.writer.write(b"x"))
    until(lambda: rig.session.engine.writable.count == 1)
    rig.session.close()
    with pytest.raises(ConnClosedError):
        writing.result()


def test_both_threads_end_and_the_socket_is_given_back(rig: Rig) -> None:
    rig.start()
    rig.session.close()
    assert not threads("srt-recv-77")
    assert not threads("srt-timer-77")
    assert rig.session.state is ConnState.CLOSED
    assert rig.wire.calls == ["unregister 77", "release"]
    assert rig.down.is_set()


def test_nothing_goes_in_after_the_route_is_gone(rig: Rig) -> None:
    rig.start()
    rig.session.close()
    rig.arrive(batch(b"late"))
    assert rig.core.received == []
    assert rig.inbox.qsize() == 1, "the sentinel came before it"


def test_a_second_close_waits_for_the_first(rig: Rig) -> None:
    rig.core.finishes_at_once = False
    rig.start()
    closers = [in_thread(rig.session.close) for _ in range(8)]
    until(lambda: rig.session.state is ConnState.CLOSING)
    assert not any(closer.is_done for closer in closers)
    rig.session.ask(lambda now: rig.core.finish())
    for closer in closers:
        closer.result()
    rig.session.close()
    assert rig.core.closings.count(None) <= 8
    assert [burst for burst in rig.wire.bursts if b"SHUTDOWN" in burst] == [[b"SHUTDOWN"]]
    assert rig.wire.calls == ["unregister 77", "release"]


@pytest.mark.parametrize("thread", ["receiver", "timer"])
def test_a_thread_of_ours_that_closes_does_not_wait_for_itself(rig: Rig, thread: str) -> None:
    asked = threading.Event()

    def close() -> None:
        rig.session.close()
        asked.set()

    if thread == "timer":
        rig.session._on_down = close
        rig.start()
        rig.session.shut_down()
    else:
        loop = rig.session._run_receiver

        def close_and_run() -> None:
            close()
            loop()

        rig.session._receiver = threading.Thread(target=close_and_run, name="srt-recv-77", daemon=True)
        rig.start()
    assert asked.wait(30)
    rig.session.close()
    assert rig.session.state is ConnState.CLOSED


def test_lingering_ends_when_the_core_has_finished(rig: Rig) -> None:
    rig.core.finishes_at_once = False
    rig.start()
    closing = in_thread(rig.session.close)
    until(lambda: rig.core.closings == [None])
    assert not closing.is_done
    with rig.session.engine.lock:
        rig.core.deadline = monotonic_now() + 10 * MILLISECOND
        rig.core.on_timer = lambda now: rig.core.finish()
        rig.session.engine.rouse_timer(monotonic_now())
    closing.result()
    assert rig.wire.bursts == [[b"SHUTDOWN"]]


@pytest.mark.parametrize(("linger", "told"), [(None, None), (0.0, 0), (2.5, 2_500_000)])
def test_linger_is_as_configured(linger: float | None, told: int | None) -> None:
    rig = Rig(config=Config(linger=linger)).start()
    rig.session.close()
    assert rig.core.closings == [told]


@pytest.mark.parametrize("news", [PeerClosed(), Broken("silence")])
def test_with_the_peer_gone_there_is_nothing_to_wait_for(rig: Rig, news: PeerClosed | Broken) -> None:
    rig.core.finishes_at_once = False
    rig.start()
    rig.tell(news)
    states = [rig.session.state]
    rig.session.close()
    assert rig.core.closings == [0]
    assert [*states, rig.session.state] == [ConnState.BROKEN, ConnState.CLOSED]


@pytest.mark.parametrize("news", [PeerClosed(), Broken("silence")])
def test_a_peer_that_goes_meanwhile_ends_the_linger(rig: Rig, news: PeerClosed | Broken) -> None:
    rig.core.finishes_at_once = False
    rig.start()
    closing = in_thread(rig.session.close)
    until(lambda: rig.core.closings == [None])
    rig.tell(news)
    closing.result()


def test_shutting_down_cuts_a_linger_short_and_says_so_at_once(rig: Rig) -> None:
    rig.core.finishes_at_once = False
    rig.start()
    closing = in_thread(rig.session.close)
    until(lambda: rig.core.closings == [None])
    rig.session.shut_down()
    assert rig.wire.bursts == [[b"SHUTDOWN"]]
    closing.result()


def test_what_has_gathered_leaves_before_an_end_that_waits_for_nothing(rig: Rig) -> None:
    rig.start()
    before: list[list[bytes]] = []
    close = rig.core.close

    def note(linger: Micros | None, now: Micros) -> None:
        before.extend(rig.wire.bursts)
        close(linger, now)

    rig.core.close = note  # type: ignore[method-assign]
    engine = rig.session.engine
    with engine.lock:
        engine.gathering.begin(b"gathered", monotonic_now(), monotonic_now() + 5 * SECOND, 31)
    rig.session.shut_down()
    assert before == [[b"gathered"]]


def test_what_is_open_at_the_interpreters_exit_is_shut_down() -> None:
    rig = Rig(FakeCore()).start()
    rig.core.finishes_at_once = False
    OPEN.shut_down()
    assert rig.wire.bursts == [[b"SHUTDOWN"]]
    rig.session.close()
    rig.wire.bursts.clear()
    OPEN.shut_down()
    assert rig.wire.bursts == []


def test_the_child_of_a_fork_has_no_connection(rig: Rig) -> None:
    rig.start()
    before = len(rig.wire.bursts)
    with rig.session.engine.lock:
        child = os.fork()
        if not child:
            os._exit(_in_the_child(rig, before))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    rig.session.writer.write(b"the parent's still works")
    assert rig.wire.bursts == [[b"the parent's still works"]]


def _in_the_child(rig: Rig, before: int) -> int:
    """Look at the parent's session; return 0 if it is as it should be."""
    for call in (rig.session.reader.read, lambda: rig.session.writer.write(b"x")):
        try:
            call()
        except ConnClosedError:
            continue
        return 1
    rig.session.close()
    OPEN.shut_down()
    if rig.session.state is not ConnState.CLOSED or len(rig.wire.bursts) != before:
        return 2
    return 0 if rig.wire.calls == ["abandon"] else 3


@pytest.mark.parametrize("where", ["turn", "_heed"])
def test_a_close_that_is_interrupted_goes_on_by_itself(rig: Rig, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    def interrupt(argument: object) -> None:
        if where == "_heed":
            rig.core.news.append(Finished())
        monkeypatch.undo()
        raise KeyboardInterrupt

    rig.start()
    until(lambda: rig.session.engine.sooner.count == 1)
    monkeypatch.setattr(rig.session.engine, where, interrupt)
    with pytest.raises(KeyboardInterrupt):
        rig.session.close()
    until(rig.down.is_set)
    assert rig.wire.bursts == [[b"SHUTDOWN"]]
    until(lambda: rig.session.state is ConnState.CLOSED)
    with pytest.raises(ConnClosedError):
        rig.session.reader.read()


def test_a_second_close_wakes_whom_an_interrupted_one_did_not(rig: Rig) -> None:
    rig.start()
    until(lambda: rig.session.engine.sooner.count == 1)
    with rig.session.engine.lock:
        rig.session.engine.fate.finished()
    in_thread(rig.session.close).result()


@pytest.mark.parametrize("verb", ["write", "write_many", "write_control"])
def test_a_write_that_is_interrupted_breaks_the_connection_which_ends_with_a_word(rig: Rig, verb: str) -> None:
    rig.start()

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    rig.core.write = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        getattr(rig.session.writer, verb)([b"x"] if verb == "write_many" else b"x")
    with pytest.raises(ConnectionBrokenError, match="interrupted in the middle"):
        rig.session.reader.read()
    assert rig.down.wait(30)
    assert rig.wire.bursts == [[rig.wire.farewell]]
    assert rig.wire.farewell[1] == ControlType.SHUTDOWN
    rig.session.close()
    assert rig.session.state is ConnState.CLOSED


def test_a_write_of_a_file_that_is_interrupted_leaves_its_peer_to_the_idle_timeout() -> None:
    """A SHUTDOWN would tell it that it has all."""
    core, wire = FakeCore(), FakeWire()
    terms = negotiated(tsbpd_receive=False, tsbpd_send=False)
    session = Session(core, terms, Config(), wire, Path(("127.0.0.1", 9001)), Inbox())
    session.start()

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    core.write = interrupt  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        session.writer.write(b"x")
    session.close()
    assert session.state is ConnState.CLOSED
    assert (wire.bursts, wire.farewell) == ([], b"")


def test_a_signals_handler_may_close_whatever_it_has_interrupted(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the main thread holds the lock, in the middle of a write."""
    monkeypatch.setattr("srtpy.internal.session.session.HELD_TOO_LONG", 20 * MILLISECOND)
    write, returned = rig.core.write, threading.Event()

    def close(number: int, frame: object) -> None:
        rig.session.close()
        returned.set()

    def interrupted(message: bytes, now: int, **more: Any) -> None:
        signal.raise_signal(signal.SIGUSR1)
        assert returned.is_set(), "it did not wait for us"
        write(message, now, **more)

    monkeypatch.setattr(rig.core, "write", interrupted)
    rig.start()
    before = signal.signal(signal.SIGUSR1, close)
    try:
        assert rig.session.writer.write(b"last words") == 10
    finally:
        signal.signal(signal.SIGUSR1, before)
    until(lambda: rig.session.state is ConnState.CLOSED)
    assert rig.wire.bursts[0] == [b"last words"]
    until(lambda: not threads("srt-close-77"))


def test_a_signals_handler_that_closes_ends_the_read_it_has_interrupted(rig: Rig) -> None:
    rig.start()
    before, ended = signal.signal(signal.SIGUSR1, lambda number, frame: rig.session.close()), threading.Event()

    def disturb() -> None:
        until(lambda: rig.session.engine.readable.count == 1)
        while not ended.is_set():  # one that comes just before the sleep does not end it: Python looks no more
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            ended.wait(0.05)

    disturber = in_thread(disturb)
    try:
        with pytest.raises(ConnClosedError):
            rig.session.reader.read()
    finally:
        ended.set()
        disturber.result()
        signal.signal(signal.SIGUSR1, before)


# ---- when our own code fails


@pytest.mark.parametrize("where", ["receiver", "timer"])
def test_a_fault_of_ours_breaks_the_connection_and_leaves_no_thread(
    rig: Rig, where: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("a bug")

    rig.core.on_receive = rig.core.on_timer = fail
    rig.start()
    reading = in_thread(rig.session.reader.read)
    until(lambda: rig.session.engine.readable.count == 1)
    if where == "receiver":
        rig.arrive(batch(b"x"))
    else:
        with rig.session.engine.lock:
            rig.core.deadline = monotonic_now()
            rig.session.engine.rouse_timer(monotonic_now())
    with pytest.raises(ConnectionBrokenError, match=r"internal error.*a bug"):
        reading.result()
    until(rig.down.is_set)
    assert "a bug" in caplog.text
    rig.session.close()
    assert rig.session.state is ConnState.CLOSED


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_not_even_a_logger_that_exits_keeps_a_broken_connection_open() -> None:
    class Exiting:
        def log(self, *arguments: object) -> None:
            raise SystemExit

    rig = Rig(config=Config(logger=Exiting()))

    def fail(now: int) -> None:
        raise RuntimeError("a bug")

    rig.core.on_timer = fail
    rig.start()
    with rig.session.engine.lock:
        rig.core.deadline = monotonic_now()
        rig.session.engine.rouse_timer(monotonic_now())
    until(rig.down.is_set)
    rig.session.close()


def test_closing_what_was_never_started() -> None:
    rig = Rig()
    rig.session.close()
    assert rig.wire.calls == ["unregister 77", "release"]
    assert rig.session.state is ConnState.CLOSED


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), KeyboardInterrupt()])
def test_a_start_that_fails_costs_nothing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    rig = Rig()

    def refuse() -> None:
        raise error

    monkeypatch.setattr(rig.session._timer, "start", refuse)
    with pytest.raises(type(error)):
        rig.start()
    assert rig.wire.calls == ["unregister 77", "release"]
    assert not threads("srt-recv-77")
    rig.session.close()


def test_a_deadline_does_not_outlive_a_session() -> None:
    rig = Rig().start()
    rig.session.set_read_deadline(Deadline(at=monotonic_now() + 3600 * SECOND))
    session: Session = rig.session
    session.close()
    with pytest.raises(ConnClosedError):
        session.reader.read()


def test_the_sockets_thread_sees_to_a_session_from_its_start_to_its_end(rig: Rig) -> None:
    assert rig.inbox.tend is None
    rig.start()
    assert rig.inbox.patience == LATENCY // PART_OF_LATENCY
    rig.inbox.add((batch(b"x"), rig.path))
    assert rig.inbox.tend is not None
    assert not rig.inbox.is_tended_always
    rig.inbox.tend(monotonic_now())
    assert len(rig.core.received) == 1
    rig.session.close()
    assert rig.inbox.tend is None


def test_the_sockets_thread_sees_to_a_transfer_however_much_comes() -> None:
    rig = Rig(tsbpd_receive=False, tsbpd_send=False, message_api=False).start()
    assert rig.inbox.tend is not None
    assert rig.inbox.is_tended_always
    rig.inbox.add((batch(b"x"), rig.path))
    rig.inbox.tend(monotonic_now())
    assert len(rig.core.received) == 1
    rig.session.close()
    assert rig.inbox.tend is None
