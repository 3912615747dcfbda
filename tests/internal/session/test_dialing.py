"""Dialling, against scripted listeners on real sockets."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Iterator

import pytest

from srtpy.config import Config
from srtpy.errors import (
    ConnClosedError,
    ConnectionTimeoutError,
    DeadlineError,
    NobodyListeningError,
    RejectedError,
    RejectReason,
    SRTError,
    WouldBlockError,
)
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import SECOND
from srtpy.internal.mux import opening
from srtpy.internal.mux.address import Endpoint, Path
from srtpy.internal.packet.header import CONTROL, HEADER, ControlType
from srtpy.internal.session import dialing
from srtpy.internal.session.accepting import Accepting, listen
from srtpy.internal.session.dialing import Dialing, dial, new_isn, new_socket_id
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.judging import by_code
from srtpy.internal.session.waiting import AT_ONCE, Deadline
from tests.internal.session.fakes import until

pytestmark = pytest.mark.usefixtures("no_descriptor_left")

QUICK = Config(conn_timeout=0.4, linger=0.0)


@pytest.fixture
def listener() -> Iterator[Accepting]:
    listener = listen(("127.0.0.1", 0), Config(linger=0.0), 16)
    yield listener
    listener.close()


@pytest.fixture
def nobody() -> int:
    """A port with nobody behind it, so that the machine says so."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def mute() -> Iterator[socket.socket]:
    """A socket that says nothing."""
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as mute:
        mute.bind(("127.0.0.1", 0))
        yield mute


def test_ids_and_numbers_are_in_range_and_unlike() -> None:
    ids = {new_socket_id() for _ in range(200)}
    assert len(ids) == 200
    assert all(1 <= one <= 0x3FFFFFFF for one in ids)
    isns = {new_isn() for _ in range(200)}
    assert len(isns) == 200
    assert all(0 <= one < 0x7FFFFFFF for one in isns)


def test_a_session_at_work(listener: Accepting) -> None:
    session = dial(listener.local_address, QUICK)
    other = listener.accept()
    assert session.state is ConnState.CONNECTED
    assert session.negotiated.peer_socket_id == other.socket_id
    assert (session.remote_address, other.remote_address) == (listener.local_address, session.local_address)
    names = {thread.name for thread in threading.enumerate()}
    port = session.local_address[1]
    assert {f"srt-mux-{port}", f"srt-recv-{session.socket_id}", f"srt-timer-{session.socket_id}"} <= names
    session.close()
    other.close()


def test_once_connected_handshakes_for_nobody_are_not_heard(listener: Accepting) -> None:
    session = dial(listener.local_address, QUICK)
    accepted = listener.accept()
    received = session.core.counters.recv_control  # type: ignore[attr-defined]
    handshake = HEADER.pack(CONTROL | ControlType.HANDSHAKE << 16, 0, 0, 0) + bytes(48)
    listener._mux.send([(handshake, b"")], Path(session.local_address))
    until(lambda: session._wire.counters.unknown == 1)  # type: ignore[attr-defined]
    assert session.core.counters.recv_control == received  # type: ignore[attr-defined]
    session.close()
    accepted.close()


def test_from_an_address_of_ones_own(listener: Accepting, nobody: int) -> None:
    session = dial(listener.local_address, QUICK, ("127.0.0.3", nobody))
    assert session.local_address == ("127.0.0.3", nobody)
    session.close()


def test_nobody_answers(mute: socket.socket) -> None:
    begun = monotonic_now()
    with pytest.raises(ConnectionTimeoutError):
        dial(mute.getsockname(), QUICK)
    assert 0.4 * SECOND <= monotonic_now() - begun < 2.9 * SECOND, "the usual limit is 3 s"


def test_nobody_listens(nobody: int) -> None:
    begun = monotonic_now()
    with pytest.raises(NobodyListeningError, match=rf"nobody listens on 127\.0\.0\.1:{nobody} \(UDP\)"):
        dial(("127.0.0.1", nobody), QUICK)
    assert monotonic_now() - begun >= 0.4 * SECOND


def test_a_listener_that_starts_a_moment_later_is_found(nobody: int) -> None:
    attempt = Dialing(("127.0.0.1", nobody), Config(linger=0.0))
    attempt.start()
    until(lambda: attempt._inbox is not None and not attempt.is_settled)
    threading.Event().wait(0.05)  # the machine has said no by now
    listener = listen(("127.0.0.1", nobody), Config(linger=0.0), 1)
    session = attempt.wait(Deadline.after(30.0))
    assert session.state is ConnState.CONNECTED
    session.close()
    listener.close()


def test_a_refusal_says_why(listener: Accepting) -> None:
    listener.judge = by_code(lambda request: RejectReason.X_FORBIDDEN)
    begun = monotonic_now()
    with pytest.raises(RejectedError, match="X_FORBIDDEN, 1403") as caught:
        dial(listener.local_address, Config(conn_timeout=30.0))
    assert caught.value.reason is RejectReason.X_FORBIDDEN
    assert monotonic_now() - begun < 20 * SECOND, "a refusal is not waited out"


@pytest.mark.parametrize("address", ["nowhere", ("127.0.0.1", 70_000), "127.0.0.1:0"])
def test_what_is_no_address(address: object) -> None:
    with pytest.raises(ValueError):
        dial(address, QUICK)  # type: ignore[arg-type]


def test_a_name_nobody_knows() -> None:
    with pytest.raises(OSError):
        dial("no-such-host.invalid:9000", QUICK)


# ---- several addresses


def resolve_to(monkeypatch: pytest.MonkeyPatch, *ports: int) -> None:
    endpoints = [Endpoint(socket.AF_INET, ("127.0.0.1", port)) for port in ports]
    monkeypatch.setattr(dialing, "resolve_remote", lambda address: list(endpoints))


def test_a_machine_that_says_no_makes_it_the_next_addresss_turn_at_once(
    monkeypatch: pytest.MonkeyPatch, listener: Accepting, nobody: int
) -> None:
    resolve_to(monkeypatch, nobody, listener.local_address[1])
    begun = monotonic_now()
    dial("name:1", Config(linger=0.0, conn_timeout=60.0)).close()
    assert monotonic_now() - begun < 20 * SECOND, "its share would be 30 s"


def test_a_silent_address_takes_its_share_of_the_time(
    monkeypatch: pytest.MonkeyPatch, listener: Accepting, mute: socket.socket
) -> None:
    resolve_to(monkeypatch, mute.getsockname()[1], listener.local_address[1])
    begun = monotonic_now()
    dial("name:1", Config(linger=0.0, conn_timeout=3.0)).close()
    assert 1.4 * SECOND <= monotonic_now() - begun < 3.0 * SECOND


def test_addresses_that_refused_are_tried_again(monkeypatch: pytest.MonkeyPatch, nobody: int) -> None:
    resolve_to(monkeypatch, nobody, nobody)
    attempt = Dialing("name:1", Config(linger=0.0))
    attempt.start()
    threading.Event().wait(0.1)
    listener = listen(("127.0.0.1", nobody), Config(linger=0.0), 1)
    attempt.wait(Deadline.after(30.0)).close()
    listener.close()


def test_what_is_said_when_nothing_came_of_any(
    monkeypatch: pytest.MonkeyPatch, nobody: int, mute: socket.socket
) -> None:
    resolve_to(monkeypatch, nobody, nobody)
    with pytest.raises(NobodyListeningError):
        dial("name:1", QUICK)
    resolve_to(monkeypatch, mute.getsockname()[1], nobody)
    with pytest.raises(ConnectionTimeoutError):
        dial("name:1", QUICK)


def test_a_refusal_ends_the_search(monkeypatch: pytest.MonkeyPatch, listener: Accepting) -> None:
    listener.judge = by_code(lambda request: 2007)
    port = listener.local_address[1]
    resolve_to(monkeypatch, port, port)
    with pytest.raises(RejectedError, match="2007"):
        dial("name:1", Config())


def test_an_address_there_is_no_way_to_is_passed_over(monkeypatch: pytest.MonkeyPatch, listener: Accepting) -> None:
    resolve_to(monkeypatch, 1, listener.local_address[1])

    def open_dialing(remote: Endpoint, *arguments: object) -> object:
        if remote.address[1] == 1:
            raise OSError("no route to host")
        return opening.open_dialing(remote, QUICK)

    monkeypatch.setattr(dialing, "open_dialing", open_dialing)
    dial("name:1", QUICK).close()
    resolve_to(monkeypatch, 1, 1)
    with pytest.raises(OSError, match="no route"):
        dial("name:1", QUICK)


# ---- without waiting


def test_without_waiting(listener: Accepting) -> None:
    attempt = Dialing(listener.local_address, QUICK)
    attempt.start()
    session = attempt.wait(Deadline.after(30.0))
    assert attempt.is_settled
    assert attempt.wait() is session
    attempt.close()
    assert session.state is ConnState.CLOSED


def test_not_yet(mute: socket.socket) -> None:
    attempt = Dialing(mute.getsockname(), Config())
    attempt.start()
    with pytest.raises(WouldBlockError):
        attempt.wait(AT_ONCE)
    with pytest.raises(DeadlineError):
        attempt.wait(Deadline.after(0.01))
    assert not attempt.is_settled
    attempt.close()


def test_giving_up_frees_everything_soon(mute: socket.socket) -> None:
    attempt = Dialing(mute.getsockname(), Config(conn_timeout=60.0))
    attempt.start()
    begun = monotonic_now()
    attempt.close()
    attempt.close()
    assert monotonic_now() - begun < 20 * SECOND
    with pytest.raises(ConnClosedError):
        attempt.wait()


def test_an_error_comes_each_time_it_is_asked_for(nobody: int) -> None:
    attempt = Dialing(("127.0.0.1", nobody), Config(conn_timeout=0.05))
    attempt.start()
    for _ in range(2):
        with pytest.raises(NobodyListeningError):
            attempt.wait(Deadline.after(30.0))
    attempt.close()


def test_an_error_does_not_grow_however_often_it_is_asked_for(nobody: int) -> None:
    attempt = Dialing(("127.0.0.1", nobody), Config(conn_timeout=0.02))
    attempt.start()
    lengths = set()
    for _ in range(3):
        with pytest.raises(SRTError) as caught:  # which one, depends on how busy the machine is
            attempt.wait()
        lengths.add(len(caught.traceback))
    assert len(lengths) == 1
    assert attempt.has_failed
    attempt.close()


def test_the_child_of_a_fork_does_not_wait_for_its_parents_attempt(mute: socket.socket) -> None:
    attempt = Dialing(mute.getsockname(), Config(conn_timeout=30.0))
    attempt.start()
    child = os.fork()
    if not child:
        try:
            attempt.wait(Deadline.after(30.0))
        except ConnClosedError:
            attempt.close()
            os._exit(0)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not attempt.is_settled
    attempt.close()


def test_giving_up_before_it_began(mute: socket.socket) -> None:
    Dialing(mute.getsockname(), QUICK).close()
