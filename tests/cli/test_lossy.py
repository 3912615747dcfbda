from __future__ import annotations

import socket

import pytest

from srtpy.cli.lossy import LossyRelay
from tests.internal.session.fakes import PATIENCE, until

COUNT = 200  # what a socket with default buffers holds unread


def echo(relay: LossyRelay, client: socket.socket, target: socket.socket, data: bytes) -> bytes:
    """Send a datagram through the relay and answer it; return what came back."""
    client.sendto(data, relay.address)
    seen, sender = target.recvfrom(2000)
    target.sendto(seen, sender)
    return client.recv(2000)


def udp() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind(("127.0.0.1", 0))
    opened.settimeout(PATIENCE)
    return opened


def test_a_network_without_loss_carries_everything_both_ways() -> None:
    with udp() as target, udp() as client, LossyRelay(target.getsockname(), loss=0, delay=0.001) as relay:
        for number in range(20):
            data = f"datagram {number}".encode()
            assert echo(relay, client, target, data) == data
        assert (relay.lost, relay.forwarded) == (0, 40)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_lossy_network_loses_about_its_share(seed: int) -> None:
    with udp() as target, udp() as client, LossyRelay(target.getsockname(), loss=0.2, delay=0, seed=seed) as relay:
        for number in range(COUNT):
            client.sendto(number.to_bytes(4, "big"), relay.address)
        until(lambda: relay.forwarded + relay.lost == COUNT)
        for _ in range(relay.forwarded):
            target.recv(2000)
        target.setblocking(False)
        with pytest.raises(BlockingIOError):
            target.recv(2000)
        assert 0.1 * COUNT < relay.lost < 0.3 * COUNT


def test_nothing_is_left_open() -> None:
    with udp() as target:
        with LossyRelay(target.getsockname(), loss=0, delay=0) as relay:
            thread = relay._thread
            assert thread.is_alive()
        assert not thread.is_alive()
        assert relay._front.fileno() == relay._back.fileno() == -1
