"""Listening and dialing, as the session begins them."""

from __future__ import annotations

import errno

import pytest

from srtpy.config import Config
from srtpy.internal.mux.address import resolve_remote
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.opening import open_dialing, open_listening
from tests.internal.mux.sockets import HANDSHAKE, control, data, nothing_left, whole


@pytest.mark.parametrize("local", [None, "127.0.0.6:0"])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_a_handshake_and_its_answer(host: str, local: str | None) -> None:
    if local is not None and host == "::1":
        local = "[::1]:0"
    with nothing_left():
        listening = open_listening(":0", Config())
        heard = Inbox()
        assert listening.listen(heard)
        listening.start()
        (remote,) = resolve_remote((host, listening.local_address[1]))
        dialing, path = open_dialing(remote, Config(), local)
        answers = Inbox()
        assert dialing.register(77, answers, path.remote)
        dialing.start()

        hello = control(HANDSHAKE, destination=0)
        assert dialing.send([hello], path) == 1
        item = heard.get()
        assert item is not None
        assert item[0].data == whole([hello])[0]
        assert item[1].remote == dialing.local_address
        assert item[1].local_host == host
        assert listening.send([data(5)], item[1]) == 1
        answer = answers.get()
        assert answer is not None
        assert answer[0].data == whole([data(5)])[0]
        dialing.release()
        listening.release()


def test_a_port_that_is_taken() -> None:
    with nothing_left():
        first = open_listening("127.0.0.1:0", Config())
        with pytest.raises(OSError, match="in use") as refused:
            open_listening(first.local_address, Config())
        assert refused.value.errno == errno.EADDRINUSE
        address = first.local_address
        first.start()
        first.release()
        again = open_listening(address, Config())
        again.release()


def test_dials_that_come_to_nothing_leave_nothing() -> None:
    (remote,) = resolve_remote("127.0.0.1:9")
    with nothing_left():
        for _ in range(200):
            dialing, _ = open_dialing(remote, Config())
            dialing.release()


def test_warnings_are_handed_on() -> None:
    mux = open_listening("127.0.0.1:0", Config(udp_recv_buf_size=1 << 30))
    assert "net.core.rmem_max" in mux.warning
    mux.release()
