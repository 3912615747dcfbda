"""Listening, with callers whose every packet is known."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from srtpy.config import Config
from srtpy.errors import DeadlineError, ListenerClosedError, RejectReason, WouldBlockError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.connection import Connection
from srtpy.internal.core.liveness import SHUTDOWN_COPIES
from srtpy.internal.handshake.listener import Ignored
from srtpy.internal.handshake.negotiation import Opened, Refusal
from srtpy.internal.mux import mux
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.mux import Mux
from srtpy.internal.mux.stamps import Stamps
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import ControlType
from srtpy.internal.packet.keymaterial import KeyState
from srtpy.internal.session import accepting
from srtpy.internal.session.accepting import Accepting, listen
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.judging import Applicant, Judge, Judges, by_bool, by_code
from srtpy.internal.session.registry import OPEN
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import AT_ONCE, Deadline
from tests.conftest import descriptors
from tests.internal.session.callers import PlainCaller, without_stamp
from tests.internal.session.fakes import in_thread, until

pytestmark = pytest.mark.usefixtures("no_descriptor_left")

CONFIG = Config(linger=0.0)
SOON = Deadline.after(30.0)


@pytest.fixture
def listener() -> Iterator[Accepting]:
    with listening() as listener:
        yield listener


@contextlib.contextmanager
def listening(config: Config = CONFIG, backlog: int = 16) -> Iterator[Accepting]:
    listener = listen(("127.0.0.1", 0), config, backlog)
    try:
        yield listener
    finally:
        listener.close()


def threads(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_a_caller_is_let_in(listener: Accepting) -> None:
    with PlainCaller(listener.local_address, Config(stream_id="live/a")) as caller:
        agreed = caller.connect().negotiated
        session = listener.accept(SOON)
        assert session.socket_id == agreed.peer_socket_id
        assert session.negotiated.stream_id == "live/a"
        assert session.remote_address == caller.address
        assert session.local_address == listener.local_address
        session.close()


def test_its_thread_is_named_after_the_port(listener: Accepting) -> None:
    assert threads(f"srt-listen-{listener.local_address[1]}") == 1


def test_data_on_the_heels_of_the_answer_is_not_lost(listener: Accepting) -> None:
    with PlainCaller(listener.local_address) as caller:
        opened = caller.connect()
        caller.socket.send(caller.data(opened.negotiated.peer_socket_id, b"first"))
        session = listener.accept(SOON)
        assert session.reader.read(deadline=SOON) == b"first"
        session.close()


def test_a_repeated_conclusion_is_answered_again_and_opens_nothing(listener: Accepting) -> None:
    with PlainCaller(listener.local_address) as caller:
        caller.ask()
        answers = [caller.receive()]
        for _ in range(4):
            caller.socket.send(caller.conclusion)
            answers.append(caller.receive())
        assert len({without_stamp(answer) for answer in answers}) == 1
        session = listener.accept(SOON)
        with pytest.raises(WouldBlockError):
            listener.accept(AT_ONCE)
        session.close()


def test_one_socket_id_from_two_ports_makes_two_connections(listener: Accepting) -> None:
    with PlainCaller(listener.local_address) as one, PlainCaller(listener.local_address) as other:
        ids = {caller.connect().negotiated.peer_socket_id for caller in (one, other)}
        sessions = [listener.accept(SOON), listener.accept(SOON)]
        assert {session.socket_id for session in sessions} == ids
        assert len(ids) == 2
        for session in sessions:
            session.close()


def test_an_id_that_is_taken_is_not_given_again(listener: Accepting, monkeypatch: pytest.MonkeyPatch) -> None:
    ids = iter([4, 4, 4, 5])
    monkeypatch.setattr(accepting, "new_socket_id", lambda: next(ids))
    with PlainCaller(listener.local_address) as one, PlainCaller(listener.local_address) as other:
        one.connect()
        other.connect()
        sessions = [listener.accept(SOON), listener.accept(SOON)]
        assert [session.socket_id for session in sessions] == [4, 5]
        for session in sessions:
            session.close()


def test_a_belated_repeat_after_the_end_opens_nothing(listener: Accepting) -> None:
    with PlainCaller(listener.local_address) as caller:
        caller.connect()
        listener.accept(SOON).close()
        for _ in range(SHUTDOWN_COPIES):
            assert caller.receive()[1] == ControlType.SHUTDOWN
        caller.socket.send(caller.conclusion)
        with pytest.raises(TimeoutError):
            caller.receive(0.05)
        with pytest.raises(WouldBlockError):
            listener.accept(AT_ONCE)


def test_a_peer_that_has_missed_the_shutdown_is_told_when_it_goes_on(listener: Accepting) -> None:
    with PlainCaller(listener.local_address) as caller, PlainCaller(listener.local_address) as other:
        caller.connect()
        session = listener.accept(SOON)
        session.close()
        for _ in range(SHUTDOWN_COPIES):
            caller.receive()
        for sender in (other, caller):
            sender.socket.send(caller.data(session.socket_id, b"still here"))
        told = caller.receive()
        assert (told[1], told[12:16]) == (ControlType.SHUTDOWN, caller.socket_id.to_bytes(4))
        with pytest.raises(TimeoutError):
            other.receive(0.05)


def test_garbage_is_survived(listener: Accepting) -> None:
    with PlainCaller(listener.local_address) as caller:
        for garbage in (
            b"",
            b"x",
            bytes(16),
            bytes(64),
            b"\x80" + bytes(63),
            b"\x80\0\0\0" + b"\xff" * 60,
            os.urandom(1456),
        ):
            caller.socket.send(garbage)
        caller.connect()
        listener.accept(SOON).close()


@pytest.mark.parametrize("judge", [None, by_bool(lambda request: True)])
def test_an_error_of_ours_on_the_way_in_leaves_no_request_behind(
    listener: Accepting, judge: Judge | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    listener.judge = judge
    with PlainCaller(listener.local_address) as caller:
        monkeypatch.setattr(listener._answerer, "accept", lambda *arguments: 1 // 0)
        caller.ask()
        until(lambda: "ZeroDivisionError" in caplog.text)
        until(lambda: not listener._judged)


def test_an_error_of_ours_costs_one_caller_one_answer(
    listener: Accepting, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with PlainCaller(listener.local_address) as caller:
        with monkeypatch.context() as broken:
            broken.setattr(listener._answerer, "answer", lambda *arguments: 1 // 0)
            caller.say()
            until(lambda: "ZeroDivisionError" in caplog.text)
        caller.caller.handle_timer(monotonic_now() + 250 * MILLISECOND)
        caller.connect()
        listener.accept(SOON).close()


# ---- the application's word


@pytest.mark.parametrize(
    ("judge", "reason"),
    [
        (by_bool(lambda request: True), None),
        (by_bool(lambda request: False), RejectReason.PEER),
        (by_bool(lambda request: None), RejectReason.X_INTERNAL_ERROR),
        (by_code(lambda request: 0), None),
        (by_code(lambda request: 1409), RejectReason.X_CONFLICT),
        (by_code(lambda request: 1 // 0), RejectReason.X_INTERNAL_ERROR),
    ],
)
def test_a_callback_decides(listener: Accepting, judge: Callable[..., RejectReason | None], reason: int | None) -> None:
    listener.judge = judge
    with PlainCaller(listener.local_address) as caller:
        caller.ask()
        if reason is None:
            assert isinstance(caller.outcome(), Opened)
            listener.accept(SOON).close()
        else:
            assert caller.refusal().reason == reason
            with pytest.raises(WouldBlockError):
                listener.accept(AT_ONCE)


def test_a_callback_sees_who_asks_once_though_it_is_asked_often(listener: Accepting) -> None:
    gate = threading.Event()
    seen: list[Applicant] = []

    def callback(request: Applicant) -> bool:
        seen.append(request)
        return gate.wait(30)

    listener.judge = by_bool(callback)
    with PlainCaller(listener.local_address, Config(stream_id="who")) as caller:
        caller.ask()
        until(lambda: len(seen) == 1)
        for _ in range(3):
            caller.socket.send(caller.conclusion)
        gate.set()
        assert isinstance(caller.outcome(), Opened)
        listener.accept(SOON).close()
        assert len(seen) == 1
        assert (seen[0].stream_id, seen[0].remote, seen[0].hs_version) == ("who", caller.address, 5)


def test_a_slow_callback_delays_nobody_else(listener: Accepting) -> None:
    gate = threading.Event()

    def callback(request: Applicant) -> bool:
        return request.stream_id != "slow" or gate.wait(30)

    listener.judge = by_bool(callback)
    with (
        PlainCaller(listener.local_address, Config(stream_id="slow")) as slow,
        PlainCaller(listener.local_address, Config(stream_id="quick")) as quick,
    ):
        slow.ask()
        begun = monotonic_now()
        quick.connect()
        assert monotonic_now() - begun < 20 * SECOND
        first = listener.accept(SOON)
        gate.set()
        assert isinstance(slow.outcome(), Opened)
        second = listener.accept(SOON)
        assert [first.negotiated.stream_id, second.negotiated.stream_id] == ["quick", "slow"]
        first.close()
        second.close()
    until(lambda: threads(f"srt-accept-{listener.local_address[1]}") == 0)


@pytest.mark.parametrize("passphrase", ["", "a passphrase"])
def test_a_yes_that_comes_too_late_opens_nothing(
    passphrase: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def callback(request: Applicant) -> bool:
        monkeypatch.setattr(accepting, "monotonic_now", lambda: monotonic_now() + 4 * SECOND)
        monkeypatch.setattr(mux, "now", lambda: monotonic_now() + 4 * SECOND)
        monkeypatch.setattr(Stamps, "instants", lambda _, times: [monotonic_now() + 4 * SECOND for _ in times])
        return True

    config = Config(linger=0.0, passphrase=passphrase)
    with listening(config) as listener, PlainCaller(listener.local_address, config) as caller:
        listener.judge = by_bool(callback)
        caller.ask()
        until(lambda: listener._answerer.abandoned == 1)
        until(lambda: f" 127.0.0.1:{caller.address[1]} gave up before it was let in" in caplog.text)
        assert not listener._judged
        assert len(listener._mux._routes) == 0
        with pytest.raises(WouldBlockError):
            listener.accept(AT_ONCE)
        listener.judge = None
        caller.socket.send(caller.conclusion)  # it was patient after all
        assert isinstance(caller.outcome(), Opened)
        listener.accept(SOON).close()


def test_a_caller_that_waits_for_its_turn_in_vain_costs_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    config = Config(linger=0.0, passphrase="a passphrase")
    monkeypatch.setattr(accepting, "answer", lambda *_: pytest.fail("a key was derived"))
    with listening(config) as listener, PlainCaller(listener.local_address, config) as caller:
        submit = Judges.submit

        def late(pool: Judges, *work: Any) -> None:
            monkeypatch.setattr(accepting, "monotonic_now", lambda: monotonic_now() + 4 * SECOND)
            submit(pool, *work)

        monkeypatch.setattr(Judges, "submit", late)
        caller.ask()
        until(lambda: listener._answerer.abandoned == 1)


def test_a_callback_may_close_the_listener(listener: Accepting) -> None:
    def callback(request: Applicant) -> bool:
        listener.close()
        return True

    listener.judge = by_bool(callback)
    with PlainCaller(listener.local_address) as caller:
        caller.ask()
        assert caller.refusal().reason == RejectReason.CLOSE


def test_without_a_thread_for_the_callback_the_caller_hears_of_it(
    listener: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(work: object) -> None:
        raise RuntimeError("can't start new thread")

    listener.judge = by_bool(lambda request: True)
    monkeypatch.setattr(type(listener._judges), "submit", lambda judges, work, source: refuse(work))
    with PlainCaller(listener.local_address) as caller:
        caller.ask()
        assert caller.refusal().reason == RejectReason.RESOURCE


# ---- the backlog


def test_when_the_backlog_is_full_callers_hear_so_at_once() -> None:
    with listening(backlog=1) as listener, contextlib.ExitStack() as stack:
        first, second, third = (stack.enter_context(PlainCaller(listener.local_address)) for _ in range(3))
        first.connect()
        until(lambda: listener._backlog.is_full)
        second.ask()
        assert second.refusal().reason == RejectReason.BACKLOG
        listener.accept(SOON).close()
        third.connect()
        listener.accept(SOON).close()


def test_a_place_is_lost_while_the_callback_thinks() -> None:
    gate = threading.Event()
    with listening(backlog=1) as listener, contextlib.ExitStack() as stack:
        listener.judge = by_bool(lambda request: gate.wait(30))
        callers = [stack.enter_context(PlainCaller(listener.local_address)) for _ in range(2)]
        for caller in callers:
            caller.ask()
        until(lambda: len(listener._judged) == 2)
        gate.set()
        outcomes = [caller.outcome() for caller in callers]
        assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1
        assert [outcome.reason for outcome in outcomes if not isinstance(outcome, Opened)] == [RejectReason.BACKLOG]
        listener.accept(SOON).close()


def test_what_a_caller_cannot_agree_to_is_told_though_the_application_would(
    listener: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener._answerer, "accept", lambda *arguments: Refusal(RejectReason.UNSECURE, "no"))
    with PlainCaller(listener.local_address) as caller:
        caller.ask()
        assert caller.refusal().reason == RejectReason.UNSECURE
    assert not listener._judged


def test_no_longer_than_the_deadline(listener: Accepting) -> None:
    with pytest.raises(DeadlineError):
        listener.accept(Deadline.after(0.01))
    with pytest.raises(WouldBlockError):
        listener.accept(AT_ONCE)


def test_a_system_without_threads_lets_nobody_in_and_keeps_nothing(
    listener: Accepting, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(session: Session, early: object = ()) -> None:
        session.shut_down()
        session._take_down()
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without, PlainCaller(listener.local_address) as caller:
        without.setattr(Session, "start", refuse)
        caller.ask()
        until(lambda: not listener._judged and not listener._backlog._reserved)
    with PlainCaller(listener.local_address) as caller:
        caller.connect()
        listener.accept(SOON).close()


# ---- the end


def test_closing_wakes_who_waits_to_accept() -> None:
    with listening() as listener:
        accepting = in_thread(listener.accept)
        until(lambda: listener._backlog._filled.count == 1)
        listener.close()
        with pytest.raises(ListenerClosedError):
            accepting.result()
        with pytest.raises(ListenerClosedError):
            listener.accept(AT_ONCE)
        assert listener.is_closed


def test_what_has_been_accepted_lives_on_and_the_port_with_it() -> None:
    with listening() as listener, PlainCaller(listener.local_address) as caller:
        peer = caller.connect().negotiated.peer_socket_id
        session = listener.accept(SOON)
        listener.close()
        caller.socket.send(caller.data(peer, b"still here"))
        assert session.reader.read(deadline=SOON) == b"still here"
        with pytest.raises(OSError, match="in use") as caught:
            listen(listener.local_address, CONFIG, 1)
        assert caught.value.errno == errno.EADDRINUSE
        session.close()
        listen(listener.local_address, CONFIG, 1).close()


def test_what_waits_to_be_accepted_is_closed() -> None:
    with listening() as listener, PlainCaller(listener.local_address) as caller:
        caller.connect()
        until(lambda: len(listener._backlog) == 1)
        listener.close()
        kinds = {caller.receive()[1] for _ in range(1)}
        assert kinds == {5}, "SHUTDOWN"


def test_who_is_being_judged_is_refused() -> None:
    gate, asked = threading.Event(), threading.Event()

    def callback(request: Applicant) -> bool:
        asked.set()
        return gate.wait(30)

    with listening() as listener, PlainCaller(listener.local_address) as caller:
        listener.judge = by_bool(callback)
        caller.ask()
        assert asked.wait(30)
        begun = monotonic_now()
        listener.close()
        assert monotonic_now() - begun < 20 * SECOND, "nobody waits for callbacks"
        assert caller.refusal().reason == RejectReason.CLOSE
        gate.set()


def test_closing_is_idempotent_from_many_threads() -> None:
    with listening() as listener:
        for closer in [in_thread(listener.close) for _ in range(8)]:
            closer.result()
        assert threads(f"srt-listen-{listener.local_address[1]}") == 0


def test_an_interrupt_while_closing_leaves_nothing_open_and_nobody_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as listener, PlainCaller(listener.local_address) as caller:
        caller.connect()
        until(lambda: len(listener._backlog) == 1)
        address = listener.local_address
        with monkeypatch.context() as interrupted:
            interrupted.setattr(listener._thread, "join", interrupt)
            with pytest.raises(KeyboardInterrupt):
                listener.close()
        in_thread(listener.close).result()
        assert caller.receive()[1] == 5, "SHUTDOWN"
        until(lambda: threads(f"srt-mux-{address[1]}") == 0)
        listen(address, CONFIG, 1).close()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_handler_that_closes_what_is_being_closed_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as listener:
        join = listener._thread.join

        def interrupted() -> None:
            listener.close()
            join()

        monkeypatch.setattr(listener._thread, "join", interrupted)
        in_thread(listener.close).result()


def test_a_listener_that_cannot_start_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(mux: Mux) -> None:
        raise RuntimeError("can't start new thread")

    with listening() as other:
        address = other.local_address
    before = len(descriptors())
    with monkeypatch.context() as without:
        without.setattr(Mux, "start", refuse)
        with pytest.raises(RuntimeError):
            listen(address, CONFIG, 1)
    assert len(descriptors()) == before
    assert threads(f"srt-listen-{address[1]}") == 0
    listen(address, CONFIG, 1).close()


def test_the_port_is_free_at_once() -> None:
    with listening() as listener:
        address = listener.local_address
    for _ in range(5):
        listen(address, CONFIG, 1).close()


def test_when_the_interpreter_ends_nobody_is_let_in_any_more(listener: Accepting) -> None:
    listener.shut_down()
    with PlainCaller(listener.local_address) as caller:
        caller.say()
        with pytest.raises(TimeoutError):
            caller.receive(0.05)
    listener._is_closed = False  # so that the fixture can close it


def test_a_request_is_dated_by_when_it_arrived(listener: Accepting, monkeypatch: pytest.MonkeyPatch) -> None:
    dates: list[int] = []

    def answer(piece: Batch, remote: object, local: object, now: int) -> Ignored:
        dates.append(now)
        return Ignored("a test")

    monkeypatch.setattr(listener._answerer, "answer", answer)
    request = Batch(bytes(64))
    request.arrived = 12_345
    listener._inbox.put((request, Path(("127.0.0.1", 9001))))
    until(lambda: dates == [12_345])


def test_a_forks_child_does_not_listen(listener: Accepting) -> None:
    before = len(descriptors())
    with listener._lock:
        child = os.fork()
        if not child:
            try:
                listener.accept(AT_ONCE)
            except ListenerClosedError:
                listener.close()
                OPEN.shut_down()
                os._exit(len(descriptors()) - before + 3)  # the socket, what wakes its reader, its alarm
            os._exit(100)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with PlainCaller(listener.local_address) as caller:
        caller.connect()
        session = listener.accept(SOON)
        assert session.state is ConnState.CONNECTED
        session.close()


# ---- keys

PASSPHRASE = "0123456789ab"


def secured(passphrase: str = PASSPHRASE, **fields: Any) -> Config:
    return Config(passphrase=passphrase, **fields)


def test_keys_are_agreed_on() -> None:
    with listening(secured(key_length=32)) as listener, PlainCaller(listener.local_address, secured()) as caller:
        caller.connect()
        with closing(listener.accept(SOON)) as session:
            keying = caller.keys.keying
            assert keying.send_state == keying.recv_state == KeyState.SECURED
            assert len(keying.send_keys.even) == 32, "as the listener has asked"
            core = session.core
            assert isinstance(core, Connection)
            assert core.keys.send_state is KeyState.SECURED


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        (PASSPHRASE, "another passphrase", RejectReason.BAD_SECRET),
        (PASSPHRASE, "", RejectReason.UNSECURE),
        ("", PASSPHRASE, RejectReason.UNSECURE),
    ],
)
def test_keys_that_do_not_fit_are_refused(ours: str, theirs: str, reason: RejectReason) -> None:
    with listening(secured(ours)) as listener, PlainCaller(listener.local_address, secured(theirs)) as caller:
        caller.ask()
        assert caller.refusal().reason == reason
        with pytest.raises(WouldBlockError):
            listener.accept(AT_ONCE)


def test_a_passphrase_chosen_for_one_caller_counts_for_that_one() -> None:
    def callback(applicant: Applicant) -> bool:
        assert applicant.encrypted
        if applicant.stream_id == "special":
            applicant.set_passphrase("a special passphrase")
        return True

    with (
        listening(secured()) as listener,
        PlainCaller(listener.local_address, secured("a special passphrase", stream_id="special")) as special,
        PlainCaller(listener.local_address, secured(stream_id="other")) as other,
        PlainCaller(listener.local_address, secured(stream_id="special")) as wrong,
    ):
        listener.judge = by_bool(callback)
        special.connect()
        other.connect()
        wrong.ask()
        assert wrong.refusal().reason == RejectReason.BAD_SECRET
        for _ in range(2):
            listener.accept(SOON).close()


def test_a_key_is_derived_after_all_that_is_cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    derived: list[str] = []
    real = hashlib.pbkdf2_hmac

    def derive(*recipe: Any) -> bytes:
        derived.append(threading.current_thread().name)
        return real(*recipe)

    with listening(secured()) as listener, PlainCaller(listener.local_address, secured()) as caller:
        caller.say()
        caller.hear(caller.receive())
        ((head, body),) = caller.caller.datagrams_to_send(monotonic_now())
        monkeypatch.setattr(hashlib, "pbkdf2_hmac", derive)
        conclusion = head + body
        with_bad_cookie = conclusion[:44] + bytes([conclusion[44] ^ 1]) + conclusion[45:]
        caller.socket.send(with_bad_cookie)
        listener.judge = by_bool(lambda applicant: False)
        caller.socket.send(conclusion)
        assert caller.refusal().reason == RejectReason.PEER
        assert derived == [], "neither for a wrong cookie nor for whom the application refuses"
        caller.socket.send(conclusion)
        caller.receive()
        assert derived == [], "nor for a repeat"
    with listening(secured()) as listener, PlainCaller(listener.local_address, secured()) as caller:
        caller.ask()
        assert isinstance(caller.outcome(), Opened)
        listener.accept(SOON).close()
        name = f"srt-keys-{listener.local_address[1]}"
        assert derived.count(name) == 1
        assert set(derived) <= {name, threading.current_thread().name}


def test_a_packet_filter_is_refused_before_keys_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Refusal(RejectReason.FILTER, "none here")
    monkeypatch.setattr(accepting, "judge_entry", lambda config, theirs, offer: refusal)
    with listening(secured()) as listener, PlainCaller(listener.local_address, secured("another passphrase")) as caller:
        caller.ask()
        assert caller.refusal().reason == RejectReason.FILTER


def test_no_thread_left_for_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(work: Callable[[], None]) -> None:
        raise RuntimeError("can't start new thread")

    with listening(secured()) as listener, PlainCaller(listener.local_address, secured()) as caller:
        monkeypatch.setattr(type(listener._derivers), "submit", lambda judges, work, source: refuse(work))
        caller.ask()
        assert caller.refusal().reason == RejectReason.RESOURCE


def test_a_friend_takes_the_place_of_one_of_many_and_that_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srtpy.internal.handshake.answers.LARGEST_WAITING", 4)
    monkeypatch.setattr(accepting, "LARGEST_WAITING", 4)
    gate = threading.Event()
    asked: list[object] = []

    def judge(applicant: Applicant, _log: object) -> RejectReason | None:
        asked.append(applicant.remote)
        gate.wait(30)
        return None

    with listening() as listener, contextlib.ExitStack() as stack:
        listener.judge = judge
        where = listener.local_address
        many = [stack.enter_context(PlainCaller(where, socket_id=number + 1, host="127.0.5.1")) for number in range(4)]
        for one in many:
            one.ask()
        until(lambda: len(listener._judged) == 4)
        friend = stack.enter_context(PlainCaller(where, socket_id=9, host="127.0.5.2"))
        friend.ask()
        assert many[3].refusal().reason == RejectReason.BACKLOG
        gate.set()
        assert isinstance(friend.outcome(), Opened)
        for one in many[:3]:
            assert isinstance(one.outcome(), Opened)
        for _ in range(4):
            listener.accept(SOON).close()


def test_who_was_told_no_while_waiting_for_its_turn_is_not_asked_about(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("srtpy.internal.handshake.answers.LARGEST_WAITING", 4)
    monkeypatch.setattr(accepting, "LARGEST_WAITING", 4)
    gate = threading.Event()
    asked: list[Any] = []

    def judge(applicant: Applicant, _log: object) -> RejectReason | None:
        asked.append(applicant.remote)
        gate.wait(30)
        return None

    with listening() as listener, contextlib.ExitStack() as stack:
        listener._judges._most = 1
        listener.judge = judge
        where = listener.local_address
        many = [stack.enter_context(PlainCaller(where, socket_id=number + 1, host="127.0.5.1")) for number in range(4)]
        for one in many:
            one.ask()
        until(lambda: len(listener._judged) == 4)
        friend = stack.enter_context(PlainCaller(where, socket_id=9, host="127.0.5.2"))
        friend.ask()
        assert many[3].refusal().reason == RejectReason.BACKLOG
        gate.set()
        assert isinstance(friend.outcome(), Opened)
        for _ in range(4):
            listener.accept(SOON).close()
        assert many[3].address not in asked
