"""One socket: how it chooses to read, waiting and waking, refusals by ICMP, giving back what it took."""

from __future__ import annotations

import gc
import socket
import warnings
from threading import Event, Thread

import pytest

from srtpy.config import Config
from srtpy.internal.clock.monotonic import now
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.mux import alarm, udp
from srtpy.internal.mux.address import Endpoint, Path
from srtpy.internal.mux.options import open_bound, open_connected
from srtpy.internal.mux.udp import ERROR_PAUSE, Reading, UdpSocket
from tests.internal.mux.sockets import (
    IPV4,
    IPV6,
    arrived,
    bound,
    data,
    dialed,
    nothing_left,
    path_to,
    read_until,
    whole,
)

ALL_WAYS = list(Reading)


def closed_port(endpoint: Endpoint = IPV4) -> Endpoint:
    with open_bound([endpoint], Config()) as sock:
        return Endpoint(endpoint.family, sock.getsockname())


def test_it_reads_in_the_best_way_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with bound() as sock:
        assert sock.reading is Reading.MANY
        assert sock.cuts
    monkeypatch.setattr(udp, "is_available", lambda sock: False)
    with bound() as sock:
        assert sock.reading is Reading.MESSAGES


@pytest.mark.parametrize("reading", ALL_WAYS)
def test_it_reads_as_it_is_told(reading: Reading) -> None:
    with bound(reading=reading) as sock:
        assert sock.reading is reading
        assert sock.read() == []


@pytest.mark.parametrize("endpoint", [IPV4, IPV6])
@pytest.mark.parametrize("reading", ALL_WAYS)
@pytest.mark.parametrize("cuts", [True, False])
def test_there_and_back(endpoint: Endpoint, reading: Reading, cuts: bool) -> None:
    sent = [data(seq) for seq in range(70)]
    with bound(endpoint, reading=reading) as here, dialed(here, reading=reading, cuts=cuts) as there:
        assert there.send(sent, path_to(here)) == 70
        reads = read_until(here, 70)
        assert arrived(reads) == whole(sent)
        assert here.send(sent, reads[0][1]) == 70
        assert arrived(read_until(there, 70)) == whole(sent)


@pytest.mark.parametrize("reading", [Reading.MANY, Reading.MESSAGES])
@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.2", "::1"])
def test_a_reply_leaves_from_the_address_the_request_came_to(reading: Reading, host: str) -> None:
    everywhere = Endpoint(socket.AF_INET6, ("::", 0, 0, 0), dual=True)
    with bound(everywhere, reading=reading) as here, dialed(here, host) as there:
        there.send([data(1)], path_to(here, host))
        ((_, path),) = read_until(here, 1)
        here.send([data(2)], path)  # the caller's socket is connected: from elsewhere it would not hear it
        ((_, back),) = read_until(there, 1)
        assert back.remote[0] == host


@pytest.mark.parametrize("reading", ALL_WAYS)
@pytest.mark.parametrize("endpoint", [IPV4, IPV6])
def test_a_closed_port_is_noted_and_the_socket_lives_on(endpoint: Endpoint, reading: Reading) -> None:
    nobody = closed_port(endpoint)
    sock = UdpSocket(open_connected(nobody, Config()), reading=reading)
    try:
        sock.send([data(1)], Path(nobody.address))
        sock.wait()
        assert sock.read() == []
        assert sock.counters.refusals == 1
        with bound(nobody) as late:  # callers may be there before their listener
            sock.send([data(2)], Path(nobody.address))
            ((_, path),) = read_until(late, 1)
            late.send([data(3)], path)
            assert arrived(read_until(sock, 1)) == whole([data(3)])
    finally:
        sock.close()


def test_a_refusal_still_to_be_told_does_not_cost_a_datagram() -> None:
    nobody = closed_port()
    sock = UdpSocket(open_connected(nobody, Config()))
    try:
        sock.send([data(1)], Path(nobody.address))
        with bound(nobody) as late:
            assert sock.send([data(2), data(3)], Path(nobody.address)) == 2
            assert arrived(read_until(late, 2)) == whole([data(2), data(3)])
        assert sock.counters.refusals == 1
    finally:
        sock.close()


@pytest.mark.parametrize("reading", ALL_WAYS)
def test_one_dead_peer_of_a_listener_is_nobody_elses_business(reading: Reading) -> None:
    dead = Path(closed_port().address)
    with bound(reading=reading) as here, dialed(here) as there:
        there.send([data(0)], path_to(here))
        ((_, alive),) = read_until(here, 1)
        for seq in range(20):
            assert here.send([data(seq)], dead) == 1
            assert here.send([data(seq)], alive) == 1
            assert arrived(read_until(there, 1)) == whole([data(seq)])
        there.send([data(7)], path_to(here))
        assert arrived(read_until(here, 1)) == whole([data(7)])
        assert (here.counters.refusals, here.counters.errors) == (0, 0)


def test_waking_ends_one_wait() -> None:
    with bound() as sock:
        waiting, done = Event(), Event()

        def wait() -> None:
            waiting.set()
            sock.wait()
            done.set()

        thread = Thread(target=wait)
        thread.start()
        waiting.wait()
        sock.wake()
        thread.join()
        assert done.is_set()
        sock.wake()  # before the wait: just as good
        sock.wait()
        assert sock._poll.poll(0) == []


@pytest.mark.parametrize("has_timer", [True, False])
def test_waking_ends_one_rest(monkeypatch: pytest.MonkeyPatch, has_timer: bool) -> None:
    """What is not taken back would end every later one, and the thread would spin as long as others promise."""
    if not has_timer:
        monkeypatch.setattr(alarm, "_make_timer", lambda: -1)
    with bound() as sock:
        sock.set_alarm(now() + 3_600 * SECOND)
        sock.wake()
        sock.rest()
        assert sock._poll.poll(0) == []
        began = now()
        sock.rest(20 * MILLISECOND)
        assert now() >= began + 10 * MILLISECOND


def test_an_error_is_followed_by_a_pause_that_can_be_woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A complaint the kernel repeats for ever must not make the reader spin."""

    class Broken:
        def read(self) -> list[object]:
            raise OSError(12, "Cannot allocate memory")

    with bound() as sock, dialed(sock) as other:
        other.send([data(1)], path_to(sock))
        monkeypatch.setattr(sock, "_reader", Broken())
        monkeypatch.setattr(udp, "ERROR_PAUSE", 60_000)
        assert sock.read() == []
        sock.wake()
        sock.wait()  # not ended by the datagram that waits, only by the wake
        assert (sock.counters.errors, sock.counters.last_error) == (1, "Cannot allocate memory")
        sock.wait()  # by the datagram again
    assert ERROR_PAUSE < 50


def test_what_it_knows_of_itself() -> None:
    with bound(config=Config(udp_recv_buf_size=106_496)) as here, dialed(here) as there:
        assert here.remote_address is None
        assert there.remote_address == here.local_address
        assert here.capacity == 92


def test_closing_gives_everything_back() -> None:
    with nothing_left():
        for _ in range(50):
            sock = UdpSocket(open_bound([IPV4], Config()))
            sock.close()
            sock.close()
            sock.wake()


def test_what_nobody_closes_is_closed_with_the_last_reference() -> None:
    with nothing_left(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        opened = [UdpSocket(open_bound([IPV4], Config()))]
        del opened[0]
        gc.collect()
