from __future__ import annotations

import copy
import gc
import logging
import pickle
import threading
import warnings
from collections.abc import Callable
from typing import Any

import pytest

import srtpy
from srtpy import ConnRequest, RejectReason
from srtpy.options import VERSION

LOCAL = ("127.0.0.1", 0)


def called(listener: srtpy.Listener, **fields: Any) -> None:
    """Call and hang up at once."""
    with srtpy.dial(listener.local_addr, latency=0.02, linger=0, **fields):
        pass


def reason_of(listener: srtpy.Listener, **fields: Any) -> RejectReason:
    """Call a listener that refuses; return why."""
    with pytest.raises(srtpy.RejectedError) as caught:
        called(listener, **fields)
    return caught.value.reason


def test_listening_and_closing() -> None:
    with srtpy.listen(LOCAL) as listener:
        assert listener.local_addr[0] == "127.0.0.1"
        assert listener.local_addr[1] > 0
        assert not listener.closed
        assert repr(listener) == f"<srtpy.Listener listening {listener.local_addr}>"
    assert listener.closed
    listener.close()
    with pytest.raises(srtpy.ListenerClosedError):
        listener.accept()
    assert "closed" in repr(listener)


def test_connections_outlive_the_listener() -> None:
    with srtpy.listen(LOCAL, latency=0.02) as listener:
        caller = srtpy.dial(listener.local_addr, latency=0.02, linger=0)
        accepted = listener.accept()
    with caller, accepted:
        caller.write(b"still here")
        assert accepted.read() == b"still here"


def test_connections_until_the_listener_closes() -> None:
    listener = srtpy.listen(LOCAL, latency=0.02)
    seen: list[str] = []

    def serve() -> None:
        for conn in listener.connections():
            seen.append(conn.stream_id)
            conn.close()
            if len(seen) == 3:
                listener.close()

    thread = threading.Thread(target=serve)
    thread.start()
    for name in ("a", "b", "c"):
        called(listener, stream_id=name)
    thread.join(30)
    assert not thread.is_alive()
    assert seen == ["a", "b", "c"]


def test_timeouts() -> None:
    with srtpy.listen(LOCAL) as listener:
        assert listener.gettimeout() is None
        listener.settimeout(0.01)
        assert listener.gettimeout() == 0.01
        with pytest.raises(TimeoutError):
            listener.accept()
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()
        with pytest.raises(ValueError):
            listener.settimeout(-1)


def test_closing_wakes_accept() -> None:
    listener = srtpy.listen(LOCAL)
    failures: list[BaseException] = []

    def accept() -> None:
        try:
            listener.accept()
        except srtpy.ListenerClosedError as error:
            failures.append(error)

    thread = threading.Thread(target=accept)
    thread.start()
    listener.close()
    thread.join(30)
    assert len(failures) == 1


def test_what_a_callback_is_told() -> None:
    requests: list[ConnRequest] = []

    def judge(request: ConnRequest) -> bool:
        requests.append(request)
        return True

    with srtpy.listen(LOCAL, latency=0.02, accept=judge) as listener:
        caller = srtpy.dial(listener.local_addr, latency=0.02, linger=0, stream_id="#!::r=é,m=publish")
        with caller, listener.accept() as accepted:
            [request] = requests
            assert request.stream_id == accepted.stream_id == "#!::r=é,m=publish"
            assert request.remote_addr == caller.local_addr == accepted.remote_addr
            assert request.hs_version == 5
            assert request.peer_version == accepted.peer_version == VERSION
            assert not request.encrypted


def test_a_passphrase_for_each_stream() -> None:
    secrets = {"live/a": "passphrase of a", "live/b": "passphrase of b", "open": ""}

    def judge(request: ConnRequest) -> int:
        if request.stream_id not in secrets:
            return RejectReason.X_NOT_FOUND
        assert request.encrypted is (request.stream_id != "open")
        request.set_passphrase(secrets[request.stream_id])
        return 0

    with srtpy.listen(LOCAL, latency=0.02, accept=judge) as listener:
        for name, secret in secrets.items():
            caller = srtpy.dial(listener.local_addr, latency=0.02, stream_id=name, passphrase=secret)
            with caller, listener.accept() as accepted:
                caller.write(b"for your eyes only")
                assert accepted.read() == b"for your eyes only"
        for name, secret, reason in (
            ("live/a", secrets["live/b"], RejectReason.BAD_SECRET),
            ("none", secrets["live/b"], RejectReason.X_NOT_FOUND),
        ):
            with pytest.raises(srtpy.RejectedError) as refused:
                srtpy.dial(listener.local_addr, stream_id=name, passphrase=secret)
            assert refused.value.reason is reason


@pytest.mark.parametrize(
    ("ours", "theirs"), [("passphrase of a", "passphrase of b"), ("passphrase of a", ""), ("", "passphrase of b")]
)
def test_a_refusal_for_the_passphrase_leaves_no_half_a_connection(ours: str, theirs: str) -> None:
    with srtpy.listen(LOCAL, latency=0.02, passphrase=ours) as listener:
        listener.settimeout(0.2)
        with pytest.raises(srtpy.RejectedError):
            srtpy.dial(listener.local_addr, passphrase=theirs)
        with pytest.raises(srtpy.DeadlineError):
            listener.accept()
        listener.settimeout(30)
        with srtpy.dial(listener.local_addr, latency=0.02, passphrase=ours) as caller, listener.accept() as accepted:
            caller.write(b"the first to come in")
            assert accepted.read() == b"the first to come in"


def test_a_passphrase_that_is_none_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    def judge(request: ConnRequest) -> bool:
        request.set_passphrase("short")
        return True

    with srtpy.listen(LOCAL, latency=0.02, accept=judge) as listener:
        assert reason_of(listener) is RejectReason.X_INTERNAL_ERROR
    assert "passphrase=<hidden>" in caplog.text


def test_a_request_of_ones_own_takes_no_passphrase_along() -> None:
    request = ConnRequest("x", ("127.0.0.1", 1), 5, VERSION)
    request.set_passphrase("0123456789ab")
    assert "0123456789ab" not in repr(request)


YES: list[Callable[[ConnRequest], Any]] = [lambda request: True, lambda request: 0]
NO: list[tuple[Callable[[ConnRequest], Any], RejectReason]] = [
    (lambda request: False, RejectReason.PEER),
    (lambda request: RejectReason.X_FORBIDDEN, RejectReason.X_FORBIDDEN),
    (lambda request: 2007, RejectReason(2007)),
    (lambda request: None, RejectReason.X_INTERNAL_ERROR),
    (lambda request: "yes", RejectReason.X_INTERNAL_ERROR),
    (lambda request: 0.0, RejectReason.X_INTERNAL_ERROR),
    (lambda request: 1200, RejectReason.X_INTERNAL_ERROR),
    (lambda request: 1 // 0, RejectReason.X_INTERNAL_ERROR),
]


@pytest.mark.parametrize("accept", YES)
def test_callbacks_that_let_in(accept: Callable[[ConnRequest], Any]) -> None:
    with srtpy.listen(LOCAL, latency=0.02, accept=accept) as listener:
        called(listener)
        listener.accept().close()


@pytest.mark.parametrize(("accept", "reason"), NO)
def test_callbacks_that_refuse(
    accept: Callable[[ConnRequest], Any], reason: RejectReason, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.CRITICAL, logger="srtpy"), srtpy.listen(LOCAL, accept=accept) as listener:
        assert reason_of(listener) is reason


def test_callbacks_can_be_replaced() -> None:
    with srtpy.listen(LOCAL, latency=0.02) as listener:
        listener.set_accept_func(lambda request: False)
        assert reason_of(listener) is RejectReason.PEER
        listener.set_accept_reject_func(lambda request: RejectReason.X_NOT_FOUND)
        assert reason_of(listener) is RejectReason.X_NOT_FOUND
        listener.set_accept_func(lambda request: True)
        assert reason_of(listener) is RejectReason.X_NOT_FOUND
        listener.set_accept_reject_func(None)
        called(listener)
        listener.set_accept_func(None)
        called(listener)
        for setter in (listener.set_accept_func, listener.set_accept_reject_func):
            with pytest.raises(TypeError):
                setter("not callable")  # type: ignore[arg-type]


def test_what_a_callback_raises_is_seen_though_logging_is_not_set_up(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger("srtpy"), "propagate", False)  # pytest's handlers are the root's

    def accept(request: ConnRequest) -> bool:
        raise KeyError("on purpose")

    with srtpy.listen(LOCAL, accept=accept) as listener, pytest.raises(srtpy.RejectedError):
        srtpy.dial(listener.local_addr)
    told = capsys.readouterr().err
    assert "the accept callback failed" in told
    assert ", in accept" in told
    assert told.endswith("KeyError('on purpose')\n")


def test_the_bool_form_takes_no_codes_and_the_code_form_no_bools(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.CRITICAL, logger="srtpy"), srtpy.listen(LOCAL) as listener:
        listener.set_accept_func(lambda request: 0)  # type: ignore[arg-type,return-value]
        assert reason_of(listener) is RejectReason.X_INTERNAL_ERROR
        listener.set_accept_reject_func(lambda request: False)
        assert reason_of(listener) is RejectReason.X_INTERNAL_ERROR


def test_a_full_backlog_refuses() -> None:
    with srtpy.listen(LOCAL, latency=0.02, backlog=1) as listener:
        first = srtpy.dial(listener.local_addr, latency=0.02, linger=0)
        assert reason_of(listener) is RejectReason.BACKLOG
        first.close()


def test_bad_arguments() -> None:
    for address in ("127.0.0.1", "[::1:5", ("127.0.0.1", 70000)):
        with pytest.raises(ValueError):
            srtpy.listen(address)
    for fields in ({"backlog": 0}, {"latency": 100}, {"mss": 1400, "payload_size": 1400}):
        with pytest.raises(ValueError):
            srtpy.listen(LOCAL, **fields)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        srtpy.listen(LOCAL, accept="not callable")  # type: ignore[arg-type]


def test_a_port_in_use() -> None:
    with srtpy.listen(LOCAL) as listener, pytest.raises(OSError, match="in use"):
        srtpy.listen(listener.local_addr)


def test_settings_are_copied() -> None:
    config = srtpy.Config(latency=0.02)
    with srtpy.listen(LOCAL, config) as listener:
        config.latency = 5
        called(listener)
        with listener.accept() as accepted:
            assert accepted.get_option(srtpy.SockOpt.RCV_LATENCY) == 0.02 if not accepted.closed else True


def test_no_copies() -> None:
    with srtpy.listen(LOCAL) as listener:
        for duplicate in (copy.copy, copy.deepcopy, pickle.dumps):
            with pytest.raises(TypeError, match="cannot pickle or copy 'Listener'"):
                duplicate(listener)
        assert not listener.closed


def test_unclosed_listeners_are_reported() -> None:
    listener = srtpy.listen(LOCAL)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del listener
        gc.collect()
    assert [warning.category for warning in caught] == [ResourceWarning]
