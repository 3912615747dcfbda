"""What the tests of the mux room share: datagrams, bells, and sockets on the loopback that are always closed."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import Empty

from srtpy.config import Config
from srtpy.internal.mux.address import Endpoint, Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.joining import Reads
from srtpy.internal.mux.options import open_bound, open_connected
from srtpy.internal.mux.udp import Reading, UdpSocket
from srtpy.internal.packet.header import HEADER, Datagram, pack_control_header

IPV4 = Endpoint(socket.AF_INET, ("127.0.0.1", 0))
IPV6 = Endpoint(socket.AF_INET6, ("::1", 0, 0, 0))
HANDSHAKE = 0


def data(seq: int, size: int = 1316, destination: int = 77) -> Datagram:
    return HEADER.pack(seq, 0xC0000000 | seq % 1000, 5, destination), bytes([seq & 0xFF]) * size


def control(kind: int, size: int = 48, destination: int = 77) -> Datagram:
    return pack_control_header(kind, 0, 5, destination) + bytes(size), b""


def whole(datagrams: Sequence[Datagram]) -> list[bytes]:
    return [header + payload for header, payload in datagrams]


def arrived(reads: Reads) -> list[bytes]:
    return [batch.datagram(index) for batch, _ in reads for index in range(batch.count)]


def read_until(sock: UdpSocket, count: int) -> Reads:
    """Read until `count` datagrams have come; the kernel says when there is more."""
    reads: Reads = []
    while sum(batch.count for batch, _ in reads) < count:
        more = sock.read()
        if not more:
            sock.wait()
        reads += more
    return reads


def has_rung(inbox: Inbox) -> bool:
    try:
        inbox.wait(0)
    except Empty:
        return False
    return True


@contextmanager
def bound(
    endpoint: Endpoint = IPV4, config: Config | None = None, reading: Reading | None = None
) -> Iterator[UdpSocket]:
    sock = UdpSocket(open_bound([endpoint], config or Config()), reading=reading)
    try:
        yield sock
    finally:
        sock.close()


@contextmanager
def dialed(to: UdpSocket, host: str = "", reading: Reading | None = None, cuts: bool = True) -> Iterator[UdpSocket]:
    """Yield a socket connected to another, by `host` where that one is bound to all addresses."""
    remote = endpoint_of(to, host)
    sock = UdpSocket(open_connected(remote, Config()), reading=reading, cuts=cuts)
    try:
        yield sock
    finally:
        sock.close()


def endpoint_of(sock: UdpSocket, host: str = "") -> Endpoint:
    address = sock.local_address
    host = host or address[0]
    if ":" in host:
        return Endpoint(socket.AF_INET6, (host, address[1], 0, 0))
    return Endpoint(socket.AF_INET, (host, address[1]))


def path_to(sock: UdpSocket, host: str = "") -> Path:
    return Path(endpoint_of(sock, host).address)


@contextmanager
def nothing_left() -> Iterator[None]:
    """Check that no thread of ours and no descriptor outlives the block."""
    before = set(os.listdir("/proc/self/fd"))
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("srt-")] == []
    assert len(os.listdir("/proc/self/fd")) == len(before)
