"""Files between srtpy and libsrt: streams and messages, both ways, whoever calls; what cannot match is refused."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

import srtpy
from srtpy import Config, Conn, ConnectionBrokenError, PeerError, RejectedError, RejectReason, TransType
from tests.internal.session.fakes import in_thread
from tests.tools.libsrt_peer import PATIENCE, LibsrtPeer
from tests.tools.udp_proxy import ProxyProcess, Weather

pytestmark = pytest.mark.usefixtures("libsrt")

SIZE = 8_000_000
MESSAGE = 50_000
LINGER = 40.0
both_roles = pytest.mark.parametrize("we_call", [True, False], ids=["srtpy calls", "libsrt calls"])
both_modes = pytest.mark.parametrize("message_api", [False, True], ids=["stream", "messages"])


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("files") / "source"
    path.write_bytes(os.urandom(SIZE))
    return path


def sending(source: Path) -> dict[str, Any]:
    """Settings of a peer that sends a file."""
    return {"role": "send", "in": source, "size": MESSAGE}


def digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@contextmanager
def connected(
    we_call: bool, message_api: bool, weather: Weather | None = None, seed: int = 1, ours: Any = None, **theirs: Any
) -> Iterator[tuple[Conn, LibsrtPeer]]:
    """Connect to the C peer in file mode; it plays the role that `theirs` says."""
    config = Config(trans_type=TransType.FILE, message_api=message_api, linger=LINGER, **(ours or {}))
    # in order: one message may overtake another otherwise, where one of its packets is lost
    settings: dict[str, Any] = {"transtype": "file", "messageapi": message_api, "in_order": 1, **theirs}
    with ProxyProcess() as proxy:
        if we_call:
            with LibsrtPeer(mode="listener", **settings) as peer:
                port = peer.port
                if weather is not None:
                    port = proxy.add_route(("127.0.0.1", port), weather, seed=seed)[1]
                with srtpy.dial(("127.0.0.1", port), config) as conn:
                    yield conn, peer
            return
        with srtpy.listen(("127.0.0.1", 0), config) as listener:
            port = listener.local_addr[1]
            if weather is not None:
                port = proxy.add_route(("127.0.0.1", port), weather, seed=seed)[1]
            with LibsrtPeer(mode="caller", port=port, **settings) as peer:
                listener.settimeout(PATIENCE)
                with listener.accept() as conn:
                    yield conn, peer


def send(conn: Conn, data: bytes, message_api: bool) -> None:
    if message_api:
        for start in range(0, len(data), MESSAGE):
            assert conn.write(data[start : start + MESSAGE]) == len(data[start : start + MESSAGE])
    else:
        assert conn.write(data) == len(data)
    conn.close()


def receive(conn: Conn) -> list[bytes]:
    """Return all there is to read.  libsrt says SHUTDOWN once: where that is lost the end is told by its silence."""
    conn.settimeout(PATIENCE)
    got = []
    try:
        for message in conn.messages():
            got.append(message)  # noqa: PERF402 - what came before a failure counts
    except ConnectionBrokenError as error:
        if "silent" not in str(error):
            raise
    return got


@both_roles
@both_modes
def test_libsrt_receives_what_we_send(we_call: bool, message_api: bool, source: Path, tmp_path: Path) -> None:
    data, out = source.read_bytes(), tmp_path / "out"
    with connected(we_call, message_api, role="receive", out=out) as (conn, peer):
        send(conn, data, message_api)
        got = peer.result()
    assert got["bytes"] == SIZE
    assert digest(out.read_bytes()) == digest(data)
    if message_api:
        assert got["messages"] == SIZE // MESSAGE


@both_roles
@both_modes
def test_we_receive_what_libsrt_sends(we_call: bool, message_api: bool, source: Path) -> None:
    with connected(we_call, message_api, **sending(source)) as (conn, peer):
        got = receive(conn)
        sent = peer.result()
    assert sent["bytes"] == SIZE
    assert digest(b"".join(got)) == digest(source.read_bytes())
    if message_api:
        assert {len(message) for message in got} == {MESSAGE}


@both_modes
@pytest.mark.parametrize("we_send", [True, False], ids=["srtpy sends", "libsrt sends"])
def test_over_a_path_that_loses_and_reorders_seed_7(
    we_send: bool, message_api: bool, source: Path, tmp_path: Path
) -> None:
    weather = Weather(loss=0.02, reorder=0.02, duplicate=0.01, delay_ms=5)
    data, out = source.read_bytes()[:500_000], tmp_path / "out"
    part = tmp_path / "part"
    part.write_bytes(data)
    theirs: dict[str, Any] = (
        {"role": "receive", "out": out} if we_send else {"role": "send", "in": part, "size": MESSAGE}
    )
    with connected(True, message_api, weather, 7, **theirs) as (conn, peer):
        if we_send:
            send(conn, data, message_api)
            peer.result()
            assert digest(out.read_bytes()) == digest(data)
        else:
            got = receive(conn)
            peer.result()
            assert digest(b"".join(got)) == digest(data)


@both_roles
def test_libsrt_s_own_file_functions(we_call: bool, source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with connected(we_call, False, role="receive", by_file=1, out=out, count=SIZE) as (conn, peer):
        with source.open("rb") as file:
            assert conn.send_file(file) == SIZE
        assert peer.result()["bytes"] == SIZE
    assert digest(out.read_bytes()) == digest(source.read_bytes())


def test_we_store_what_libsrt_sends(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with connected(True, False, **sending(source)) as (conn, peer):
        with out.open("wb") as file:
            assert conn.recv_file(file, SIZE) == SIZE
        peer.result()
    assert digest(out.read_bytes()) == digest(source.read_bytes())


@pytest.mark.parametrize("passphrase", ["", "correct horse battery"])
def test_both_directions_at_once(passphrase: str, source: Path, tmp_path: Path) -> None:
    """Two srtpy ends over real sockets; libsrt's peer speaks one way at a time."""
    data = source.read_bytes()
    config = Config(trans_type=TransType.FILE, passphrase=passphrase, linger=LINGER)
    with ExitStack() as stack:
        listener = stack.enter_context(srtpy.listen(("127.0.0.1", 0), config))
        a = stack.enter_context(srtpy.dial(listener.local_addr, config))
        with listener.accept() as b:
            running = [in_thread(lambda one=one: one.write(data)) for one in (a, b)]  # type: ignore[misc]
            files = [tmp_path / name for name in "ab"]
            for conn, path in zip((a, b), files, strict=True):
                running.append(in_thread(lambda conn=conn, path=path: conn.recv_file(path.open("wb"), SIZE)))  # type: ignore[misc]
            assert [one.result(PATIENCE) for one in running] == [SIZE] * 4
    assert {digest(path.read_bytes()) for path in files} == {digest(data)}


@both_roles
def test_encrypted(we_call: bool, source: Path, tmp_path: Path) -> None:
    data, out, secret = source.read_bytes(), tmp_path / "out", "correct horse battery"
    ours = {"passphrase": secret, "key_length": 16}
    theirs: dict[str, Any] = {"passphrase": secret, "pbkeylen": 16, "role": "receive", "out": out}
    with connected(we_call, False, ours=ours, **theirs) as (conn, peer):
        send(conn, data, False)
        peer.result()
    assert digest(out.read_bytes()) == digest(data)


@both_roles
def test_libsrt_s_disk_fails_and_our_write_says_so(we_call: bool, source: Path) -> None:
    settings: dict[str, Any] = {"role": "receive", "by_file": 1, "out": "/dev/full", "count": 100 * SIZE}
    with connected(we_call, False, **settings) as (conn, peer):
        conn.settimeout(PATIENCE)
        with pytest.raises(PeerError) as caught:
            conn.write(source.read_bytes() * 10)
        assert caught.value.code == srtpy.PEER_ERROR_FILE_SYSTEM
        peer.result()


@both_roles
def test_our_disk_fails_and_libsrt_s_send_says_so(we_call: bool) -> None:
    with connected(we_call, False, role="send", size=MESSAGE, count=4000, keep_open_ms=0) as (conn, peer):
        with open("/dev/full", "wb", buffering=0) as full, pytest.raises(OSError, match="No space left"):
            conn.recv_file(full)
        sent = peer.result()
    assert sent["peer_errors"] == 1
    assert sent["messages"] < 4000


@pytest.mark.parametrize(
    ("ours", "theirs", "reason"),
    [
        ({}, {"transtype": "file"}, RejectReason.MESSAGE_API),
        ({"trans_type": TransType.FILE}, {}, RejectReason.MESSAGE_API),
        ({"trans_type": TransType.FILE}, {"transtype": "file", "messageapi": 1}, RejectReason.MESSAGE_API),
        ({}, {"transtype": "file", "messageapi": 1}, RejectReason.CONGESTION),
        ({"trans_type": TransType.FILE, "message_api": True}, {}, RejectReason.CONGESTION),
    ],
)
def test_what_does_not_match_is_refused_by_either_side(
    ours: dict[str, Any], theirs: dict[str, Any], reason: RejectReason
) -> None:
    with LibsrtPeer(mode="listener", role="receive", **theirs) as peer:
        with pytest.raises(RejectedError, match="compare trans_type") as caught:
            srtpy.dial(("127.0.0.1", peer.port), Config(**ours))
        assert caught.value.reason is reason
    with srtpy.listen(("127.0.0.1", 0), Config(**ours)) as listener:
        calling = LibsrtPeer(mode="caller", role="send", port=listener.local_addr[1], **theirs)
        with calling as peer:
            assert peer.outcome()["refused"] == reason - 1000  # libsrt counts from 0


def test_messages_that_may_overtake_do_so_from_libsrt() -> None:
    """Numbers of messages show the order; a lost packet delays its own message only."""
    weather = Weather(loss=0.02, delay_ms=10)
    settings: dict[str, Any] = {"role": "send", "size": 20_000, "count": 200, "in_order": 0}
    with connected(True, True, weather, 3, **settings) as (conn, peer):
        got = [int.from_bytes(message[:8], "little") for message in receive(conn)]
        assert peer.result()["messages"] == 200
    assert sorted(got) == list(range(200))
    assert got != sorted(got)


def test_messages_in_order_stay_so_from_libsrt() -> None:
    weather = Weather(loss=0.02, delay_ms=10)
    settings: dict[str, Any] = {"role": "send", "size": 20_000, "count": 200, "in_order": 1}
    with connected(True, True, weather, 3, **settings) as (conn, peer):
        got = [int.from_bytes(message[:8], "little") for message in receive(conn)]
        assert peer.result()["messages"] == 200
    assert got == list(range(200))


def test_libsrt_gives_up_what_has_expired_and_we_go_on() -> None:
    """A message in front waits for a repair that comes too late; libsrt announces what it gives up, and all ends."""
    weather = Weather(loss=0.03, delay_ms=30)
    settings: dict[str, Any] = {"role": "send", "size": 20_000, "count": 200, "ttl": 70, "in_order": 1}
    with connected(True, True, weather, 3, **settings) as (conn, peer):
        got = receive(conn)
        assert peer.result()["messages"] == 200
        assert conn.stats().recv_dropped > 0
    assert 0 < len(got) < 200
    assert all(len(message) == 20_000 for message in got)
