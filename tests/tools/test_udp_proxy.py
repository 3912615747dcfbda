"""The lossy proxy: it does what its weather says, on time, and the same each time."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.internal.session.fakes import PATIENCE, until
from tests.tools.udp_proxy import CLEAR, ROOT, Address, ProxyProcess, UdpProxy, Weather

SIZE = 102  # bytes a datagram of a burst


@pytest.fixture
def target() -> Iterator[socket.socket]:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
        made.bind(("127.0.0.1", 0))
        made.settimeout(PATIENCE)
        yield made


@pytest.fixture
def client() -> Iterator[socket.socket]:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as made:
        made.settimeout(PATIENCE)
        yield made


def drain(proxy: UdpProxy, offered: int, receiver: socket.socket) -> list[bytes]:
    """Return what has arrived when the proxy has had so many bytes and nothing more to send."""
    until(lambda: sum(route["offered"] for route in proxy.counters()["routes"]) == offered)
    links = {flow.forth for route in proxy._routes for flow in route.flows.values()}
    until(lambda: proxy.forwarded == sum(link.carried - link.lost + link.duplicated for link in links))
    receiver.setblocking(False)
    got = []
    with contextlib.suppress(BlockingIOError):
        while True:
            got.append(receiver.recv(2048))
    return got


def burst(client: socket.socket, front: Address, total: int) -> None:
    for number in range(total):
        client.sendto(number.to_bytes(2, "big") + bytes(SIZE - 2), front)
        if number % 50 == 49:
            time.sleep(0.002)  # the default kernel buffer of the receiver holds 92


def test_both_directions_and_several_clients(target: socket.socket, client: socket.socket) -> None:
    with UdpProxy() as proxy, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        second.settimeout(PATIENCE)
        front = proxy.add_route(target.getsockname())
        for each in (client, second):
            each.sendto(b"ping" + bytes([each is second]), front)
            asked, way = target.recvfrom(100)
            target.sendto(b"pong" + asked[4:], way)
        assert client.recv(100) == b"pong\x00"
        assert second.recv(100) == b"pong\x01"
        counters = proxy.counters()
    assert counters["routes"][0]["clients"] == 2
    assert counters["routes"][0]["forth"]["carried"] == counters["routes"][0]["back"]["carried"] == 2


def test_delay_is_kept_to_the_millisecond(target: socket.socket, client: socket.socket) -> None:
    late: list[float] = []
    with UdpProxy() as proxy:
        front = proxy.add_route(target.getsockname(), Weather(delay_ms=20))
        # on a busy machine too, some are in time
        while sum(each < 0.002 for each in late) < 5 and len(late) < 500:
            start = time.monotonic()
            client.sendto(b"x", front)
            target.recv(10)
            late.append(time.monotonic() - start - 0.020)
    assert min(late) >= 0
    assert len(late) < 500, sorted(late)


def test_loss_and_duplicates_by_seed(target: socket.socket, client: socket.socket) -> None:
    fates, counters = [], []
    weather = Weather(loss=0.2, duplicate=0.1)
    for seed in (1, 1, 2):
        with UdpProxy() as proxy:
            burst(client, proxy.add_route(target.getsockname(), weather, CLEAR, seed=seed), 200)
            fates.append(sorted(drain(proxy, 200 * SIZE, target)))
            counters.append(proxy.counters()["routes"][0]["forth"])
    assert fates[0] == fates[1] != fates[2]
    for fate, counted in zip(fates, counters, strict=True):
        assert len(fate) == 200 - counted["lost"] + counted["duplicated"]
        assert 25 < counted["lost"] < 60


def test_reordering_by_seed_3(target: socket.socket, client: socket.socket) -> None:
    with UdpProxy() as proxy:
        front = proxy.add_route(target.getsockname(), Weather(reorder=0.05, reorder_by_ms=5), seed=3)
        burst(client, front, 200)
        got = drain(proxy, 200 * SIZE, target)
    assert len(got) == 200
    assert got != sorted(got)


def test_black_out_loses_everything_for_its_time(target: socket.socket, client: socket.socket) -> None:
    with UdpProxy() as proxy:
        front = proxy.add_route(target.getsockname())
        client.sendto(b"before", front)
        assert target.recv(10) == b"before"
        proxy.black_out(1.0)
        over = time.monotonic() + 1.0
        client.sendto(b"during", front)
        until(lambda: proxy.counters()["routes"][0]["forth"]["lost"] == 1)
        until(lambda: time.monotonic() > over)
        client.sendto(b"after", front)
        assert target.recv(10) == b"after"


def test_a_process_of_its_own_speaks_the_same(target: socket.socket, client: socket.socket) -> None:
    with ProxyProcess() as proxy:
        front = proxy.add_route(target.getsockname(), Weather(delay_ms=1))
        client.sendto(b"x", front)
        assert target.recv(10) == b"x"
        proxy.black_out(0.0)
        counters = proxy.counters()
    assert counters["routes"][0]["forth"]["carried"] == 1
    assert counters["kernel_drops"] == 0


def test_routes_of_one_path_share_its_bottleneck(target: socket.socket, client: socket.socket) -> None:
    narrow = Weather(bandwidth=50_000, queue=20_000)  # two fifths of a second for what fits in
    with UdpProxy() as proxy, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as second:
        fronts = [proxy.add_route(target.getsockname(), narrow, path="street") for _ in range(2)]
        alone = proxy.add_route(target.getsockname(), narrow)
        for number in range(60):
            client.sendto(bytes(1000), fronts[0])
            second.sendto(bytes(1000), fronts[1])
            if number % 20 == 0:
                second.sendto(bytes(1000), alone)
        drain(proxy, 123_000, target)
        first, other, own = proxy.counters()["routes"]
    assert first["forth"] == other["forth"], "they are the path's"
    assert first["forth"]["lost"] > 50
    assert 20_000 <= first["passed"] + other["passed"] < 40_000
    assert own["forth"]["lost"] == 0
    assert own["passed"] == 3000


def test_when_it_lost_or_delayed_something_itself_is_remembered() -> None:
    with UdpProxy() as proxy:
        for begin, end in ((1.0, 1.1), (1.05, 1.3), (1.3, 1.3), (9.0, 9.0)):
            proxy._note_stall(begin, end)
        assert proxy.counters()["stalls"] == [(1.0, 1.3), (9.0, 9.0)]


def test_what_came_and_what_got_through_is_counted_for_each_route(target: socket.socket, client: socket.socket) -> None:
    with UdpProxy() as proxy:
        front = proxy.add_route(target.getsockname(), Weather(loss=1.0))
        answers = proxy.add_route(target.getsockname())
        client.sendto(bytes(100), front)
        client.sendto(bytes(30), answers)
        target.recv(100)
        lost, passed = proxy.counters()["routes"]
    assert (lost["offered"], lost["passed"]) == (100, 0)
    assert (passed["offered"], passed["passed"]) == (30, 30)


def test_a_proxy_of_its_own_process_is_woken_when_it_asks_to_be() -> None:
    asked = "from ctypes import CDLL; from tests.tools.udp_proxy import be_punctual; be_punctual(); "
    done = subprocess.run(
        [sys.executable, "-c", asked + "print(CDLL(None).prctl(30, 0, 0, 0, 0))"],  # PR_GET_TIMERSLACK
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert int(done.stdout) <= 1
