from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

import srtpy
from srtpy import ConnState
from tests.conftest import free_port

LOCAL = ("127.0.0.1", 0)


@pytest.fixture
def listener() -> Iterator[srtpy.Listener]:
    with srtpy.listen(LOCAL, latency=0.02, linger=0) as made:
        made.settimeout(30)
        yield made


@pytest.fixture
def silent() -> Iterator[tuple[str, int]]:
    """An address where somebody listens and never answers."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as quiet:
        quiet.bind(LOCAL)
        yield quiet.getsockname()


def test_both_ends_agree(listener: srtpy.Listener) -> None:
    with (
        srtpy.dial(listener.local_addr, latency=0.3, linger=0, stream_id="live/a") as caller,
        listener.accept() as accepted,
    ):
        assert caller.remote_addr == listener.local_addr == accepted.local_addr
        assert caller.local_addr == accepted.remote_addr
        assert accepted.stream_id == "live/a"
        assert caller.peer_socket_id == accepted.socket_id
        latencies = [srtpy.SockOpt.RCV_LATENCY, srtpy.SockOpt.SND_LATENCY]
        assert [conn.get_option(one) for conn in (caller, accepted) for one in latencies] == [0.3] * 4
        caller.write(b"there")
        accepted.write(b"back")
        assert (accepted.read(), caller.read()) == (b"there", b"back")


def test_a_connection_leads_to_another(listener: srtpy.Listener) -> None:
    with srtpy.dial(listener.local_addr, linger=0) as first, srtpy.dial(first.remote_addr, linger=0) as second:
        assert second.remote_addr == first.remote_addr


@pytest.mark.parametrize("form", ["127.0.0.1:{}", ":{}", "localhost:{}"])
def test_addresses_as_text(listener: srtpy.Listener, form: str) -> None:
    with srtpy.dial(form.format(listener.local_addr[1]), linger=0) as caller:
        assert caller.remote_addr[1] == listener.local_addr[1]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_listener_on_every_address_hears_both_families(host: str) -> None:
    with srtpy.listen(":0", latency=0.02) as listener:
        port = listener.local_addr[1]
        with srtpy.dial((host, port), latency=0.02, linger=0) as caller, listener.accept() as accepted:
            assert caller.remote_addr[0] == accepted.local_addr[0] == accepted.remote_addr[0] == host
            accepted.write(b"x")
            assert caller.read() == b"x"
            with srtpy.dial(caller.remote_addr, latency=0.02, linger=0) as another:
                assert another.remote_addr[1] == port


def test_fields_go_over_the_config(listener: srtpy.Listener) -> None:
    config = srtpy.Config(latency=0.5, stream_id="from config", linger=0)
    with srtpy.dial(listener.local_addr, config, stream_id="from fields"), listener.accept() as accepted:
        assert accepted.stream_id == "from fields"
        assert accepted.get_option(srtpy.SockOpt.RCV_LATENCY) == 0.5
    assert config.stream_id == "from config"


def test_mistakes_are_found_before_anything_is_sent() -> None:
    with pytest.raises(TypeError, match="did you mean 'latency'"):
        srtpy.dial("127.0.0.1:9", latncy=1)  # type: ignore[call-arg]
    for address in ("127.0.0.1", "127.0.0.1:0", "::1:5", ("127.0.0.1", -1)):
        with pytest.raises(ValueError):
            srtpy.dial(address)
    with pytest.raises(ValueError, match="payload_size"):
        srtpy.dial("127.0.0.1:9", mss=1400, payload_size=1400)
    with pytest.raises(TypeError):
        srtpy.dial(9000)  # type: ignore[arg-type]


def test_nobody_answers(silent: tuple[str, int]) -> None:
    began = time.monotonic()
    with pytest.raises(srtpy.ConnectionTimeoutError) as caught:
        srtpy.dial(silent, conn_timeout=0.3)
    assert isinstance(caught.value, TimeoutError)
    assert 0.25 < time.monotonic() - began < 2.9, "the usual limit is 3 s"


def test_nobody_listens() -> None:
    with pytest.raises(srtpy.NobodyListeningError) as caught:
        srtpy.dial(("127.0.0.1", free_port()), conn_timeout=0.3)
    assert isinstance(caught.value, ConnectionRefusedError)


def test_refused(listener: srtpy.Listener) -> None:
    listener.set_accept_reject_func(lambda request: srtpy.RejectReason.X_UNAUTHORIZED)
    with pytest.raises(srtpy.RejectedError, match="X_UNAUTHORIZED") as caught:
        srtpy.dial(listener.local_addr)
    assert caught.value.reason is srtpy.RejectReason.X_UNAUTHORIZED
    assert isinstance(caught.value, ConnectionRefusedError)


def test_without_waiting(listener: srtpy.Listener) -> None:
    with srtpy.dial(listener.local_addr, wait=False, linger=0) as caller, listener.accept():
        assert caller.state in (ConnState.CONNECTING, ConnState.CONNECTED)
        caller.wait_connected()
    with pytest.raises(ValueError):
        srtpy.dial("nonsense", wait=False)


def test_a_url_that_calls(listener: srtpy.Listener) -> None:
    host, port = listener.local_addr
    with srtpy.open_url(f"srt://{host}:{port}?latency=250&streamid=#!::r=a&timeout=7000&linger=0") as caller:
        assert caller.gettimeout() == 7
        assert caller.stream_id == "#!::r=a"
        with listener.accept() as accepted:
            assert accepted.get_option(srtpy.SockOpt.RCV_LATENCY) == 0.25


def test_a_url_that_calls_from_somewhere(listener: srtpy.Listener) -> None:
    host, port = listener.local_addr
    url = f"srt://{host}:{port}?adapter=127.0.0.1&mode=caller&linger=0"
    with srtpy.open_url(url, latency=0.3) as caller:
        assert caller.local_addr[0] == "127.0.0.1"
        assert caller.get_option(srtpy.SockOpt.RCV_LATENCY) == 0.3


def test_a_url_that_listens() -> None:
    port = free_port()
    opened: list[srtpy.Conn] = []
    thread = threading.Thread(
        target=lambda: opened.append(srtpy.open_url(f"srt://127.0.0.1:{port}?mode=listener&timeout=9000&linger=0"))
    )
    thread.start()
    with srtpy.dial(("127.0.0.1", port), linger=0) as caller:
        thread.join(30)
        with opened[0] as accepted:
            caller.write(b"x")
            assert accepted.read() == b"x"


def test_a_url_that_waits_in_vain() -> None:
    with pytest.raises(srtpy.DeadlineError):
        srtpy.open_url("srt://127.0.0.1:0?mode=listener&timeout=10")


def test_urls_that_cannot_be_opened() -> None:
    with pytest.raises(ValueError, match="rendezvous is not supported yet"):
        srtpy.open_url("srt://127.0.0.1:9?mode=rendezvous")
    with pytest.raises(ValueError):
        srtpy.open_url("udp://127.0.0.1:9")


def test_an_interrupt_leaves_no_connection_that_nobody_knows_of(
    listener: srtpy.Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as interrupted:
        interrupted.setattr("srtpy.dialer.Conn", interrupt)
        with pytest.raises(KeyboardInterrupt):
            srtpy.dial(listener.local_addr, latency=0.02, linger=0)
    with listener.accept() as accepted:
        assert accepted.read() == b""
    with srtpy.dial(listener.local_addr, latency=0.02, linger=0) as caller, monkeypatch.context() as interrupted:
        interrupted.setattr("srtpy.listener.Conn", interrupt)
        with pytest.raises(KeyboardInterrupt):
            listener.accept()
        assert caller.read() == b""


def test_no_thread_is_left(listener: srtpy.Listener) -> None:
    before = {thread.name for thread in threading.enumerate()}
    with srtpy.dial(listener.local_addr, linger=0), listener.accept():
        assert len(threading.enumerate()) > len(before)
    assert {thread.name for thread in threading.enumerate()} <= before


# ---- every end of an attempt is an exception of its own, and says what to do

SECRET = "0123456789ab"
ENDS: list[tuple[dict[str, Any], dict[str, Any], int, str]] = [  # the listener, the caller, the reason, the advice
    ({"passphrase": SECRET}, {"passphrase": "another one"}, 1010, "wrong passphrase; compare it on both sides"),
    ({"passphrase": SECRET}, {}, 1011, "the listener demands encryption and no passphrase is set here"),
    ({}, {"passphrase": SECRET}, 1011, "a passphrase is set here and the listener has none"),
    (
        {"passphrase": SECRET, "enforced_encryption": False},
        {},
        1011,
        "the peer encrypts, and no passphrase is set here",
    ),
    ({"passphrase": SECRET, "crypto_mode": 2}, {"passphrase": SECRET, "crypto_mode": 1}, 1017, "here it is CTR"),
    ({"min_version": "1.9.0"}, {}, 1008, "a newer SRT version than ours"),
    ({}, {"min_version": "1.9.0"}, 1008, "min_version demands 1.9.0"),
]


@pytest.mark.parametrize(("theirs", "ours", "reason", "advice"), ENDS)
def test_refusals_are_told_apart(theirs: dict[str, Any], ours: dict[str, Any], reason: int, advice: str) -> None:
    with srtpy.listen(LOCAL, **theirs) as listener, pytest.raises(srtpy.RejectedError, match=advice) as refused:
        srtpy.dial(listener.local_addr, **ours)
    assert refused.value.reason == reason
    assert str(refused.value).count("connection rejected") == 1
    assert SECRET not in str(refused.value)


@pytest.mark.parametrize("reason", [one for one in srtpy.RejectReason if one >= 1400] + [2007])
def test_each_access_code_arrives_with_its_advice(reason: int) -> None:
    listener = srtpy.listen(LOCAL, accept=lambda request: reason)
    with listener, pytest.raises(srtpy.RejectedError) as refused:
        srtpy.dial(listener.local_addr)
    assert refused.value.reason == reason
    assert srtpy.RejectReason(reason).advice in str(refused.value)
