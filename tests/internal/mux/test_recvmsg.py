"""Reading a datagram a call: the same comes out as from many a call."""

from __future__ import annotations

import socket

import pytest

from srtpy.internal.mux.address import Endpoint
from srtpy.internal.mux.recvmmsg import MESSAGES
from srtpy.internal.mux.udp import Reading
from tests.internal.mux.sockets import IPV4, IPV6, arrived, bound, control, data, dialed, path_to, read_until, whole

WAYS = [Reading.MESSAGES, Reading.PLAIN]
ANY4 = Endpoint(socket.AF_INET, ("0.0.0.0", 0))
ANY6 = Endpoint(socket.AF_INET6, ("::", 0, 0, 0), dual=True)


@pytest.mark.parametrize("endpoint", [IPV4, IPV6])
@pytest.mark.parametrize("cuts", [True, False])
@pytest.mark.parametrize("reading", WAYS)
def test_a_run_comes_as_batches(endpoint: Endpoint, cuts: bool, reading: Reading) -> None:
    sent = [*[data(seq) for seq in range(100)], control(2)]
    with bound(endpoint, reading=reading) as here, dialed(here, cuts=cuts) as there:
        there.send(sent, path_to(here))
        reads = read_until(here, len(sent))
        assert arrived(reads) == whole(sent)
        assert {path.remote for _, path in reads} == {there.local_address}
        assert here.read() == []


@pytest.mark.parametrize(("endpoint", "host"), [(ANY4, "127.0.0.2"), (ANY6, "127.0.0.2"), (ANY6, "::1")])
def test_messages_tell_which_address_of_ours_they_came_to(endpoint: Endpoint, host: str) -> None:
    with bound(endpoint, reading=Reading.MESSAGES) as here, dialed(here, host) as there:
        there.send([data(seq) for seq in range(3)], path_to(here, host))
        assert {path.local_host for _, path in read_until(here, 3)} == {host}


@pytest.mark.parametrize("reading", WAYS)
def test_a_read_has_a_bound(reading: Reading) -> None:
    sent = [data(seq, 20) for seq in range(MESSAGES + 10)]
    with bound(reading=reading) as here, dialed(here, cuts=False) as there:
        there.send(sent, path_to(here))
        assert len(arrived(here.read())) == MESSAGES
        assert len(arrived(here.read())) == 10


@pytest.mark.parametrize("reading", WAYS)
def test_garbage_is_counted_and_what_surrounds_it_is_kept(reading: Reading) -> None:
    with bound(reading=reading) as here, dialed(here) as there:
        for sent in (data(1), (b"", b""), (b"short", b""), (bytes(9_000), b""), data(2)):
            there.send([sent], path_to(here))
        assert arrived(read_until(here, 2)) == whole([data(1), data(2)])
        assert here.counters.malformed == 3


@pytest.mark.parametrize("reading", WAYS)
def test_what_came_before_an_error_is_kept(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    complaint = ConnectionRefusedError(111, "Connection refused")
    with bound(reading=reading) as here:
        replies: list[bytes | OSError] = [data(1)[0], complaint, complaint]
        monkeypatch.setattr(here._reader, "_socket", Scripted(replies))
        assert arrived(here._reader.read()) == [data(1)[0]]
        assert here.counters.refusals == 1
        with pytest.raises(ConnectionRefusedError):
            here._reader.read()


class Scripted:
    """Stands for a socket that answers as told."""

    def __init__(self, replies: list[bytes | OSError]) -> None:
        self._replies = replies

    def recvfrom(self, size: int, flags: int) -> tuple[bytes, tuple[str, int]]:
        reply = self._replies.pop(0)
        if isinstance(reply, OSError):
            raise reply
        return reply, ("192.0.2.1", 9)

    def recvmsg_into(
        self, buffers: list[memoryview], room: int, flags: int
    ) -> tuple[int, list[tuple[int, int, bytes]], int, tuple[str, int]]:
        reply, address = self.recvfrom(0, flags)
        buffers[0][: len(reply)] = reply
        return len(reply), [], 0, address
