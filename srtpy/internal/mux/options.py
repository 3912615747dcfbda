"""Making the UDP socket: its family, its buffers, and the options users ask for.

Lives here: binding, connecting, kernel buffers and what was granted, TTL, TOS, IPv6-only,
the device, the request for packet info and GRO, option numbers the socket module lacks.
Never here: which address (address.py), reading and sending (udp.py), the settings (srtpy.config).
Source: Linux socket(7), ip(7), ipv6(7), udp(7); libsrt SRTO_UDP_SNDBUF, SRTO_IPTTL and neighbours.
"""

from __future__ import annotations

import contextlib
import errno
import socket
from collections.abc import Iterable, Sequence
from typing import Final

from srtpy.config import Config
from srtpy.internal.mux.address import IP_PKTINFO, Endpoint, shown

SOL_UDP: Final = 17  # ours: Linux socket.h SOL_UDP, which the socket module lacks
UDP_SEGMENT: Final = 103  # ours: Linux udp.h UDP_SEGMENT, which the socket module lacks
UDP_GRO: Final = 104  # ours: Linux udp.h UDP_GRO, which the socket module lacks
BUFFER_PACKETS: Final = 8_192  # libsrt socketconfig.h DEF_UDP_BUFFER_SIZE: in datagrams of the MSS
BUSY_READER: Final = 1_250_000  # ours: bytes, 100 ms at 100 Mbit/s: as long as a busy program may keep us from reading

_TRY_THE_NEXT: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def open_bound(endpoints: Iterable[Endpoint], config: Config) -> socket.socket:
    """Return a socket bound to the first endpoint whose family and address this machine has.

    The port is ours alone: SO_REUSEADDR would let two sockets take the same UDP port and share
    its datagrams; without it a port is free again as soon as its socket is closed.

    Raises:
        OSError: none can be bound; the first one's reason.
    """
    first: OSError | None = None
    for endpoint in endpoints:
        try:
            return _open(endpoint.family, config, endpoint.dual, endpoint, None)
        except OSError as error:
            first = first or error
            if error.errno not in _TRY_THE_NEXT:
                break
    assert first is not None, "nothing to bind"
    raise first


def open_connected(remote: Endpoint, config: Config, local: Sequence[Endpoint] = ()) -> socket.socket:
    """Return a socket that speaks with `remote` alone, bound to the one of `local` that has its family.

    A connected socket is the cheapest to send on, hears of nobody else, and is told when the peer's
    machine says that nobody has the port.

    Raises:
        OSError: there is no way to it, or nothing in `local` can be bound for it.
    """
    fitting = [one for one in local if one.family == remote.family]
    if local and not fitting:
        raise OSError(errno.EAFNOSUPPORT, f"cannot dial {remote.address[0]} from an address of another family")
    return _open(remote.family, config, None, fitting[0] if fitting else None, remote)


def _open(
    family: int, config: Config, dual: bool | None, local: Endpoint | None, remote: Endpoint | None
) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        if dual is not None:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not dual)
        _apply(sock, config)
        if local is not None:
            if local.is_wildcard and remote is None:
                _ask_for_packet_info(sock)
            try:
                sock.bind(local.address)
            except OSError as error:  # it does not say which address
                raise OSError(error.errno, f"{error.strerror}: {shown(local.address)} (UDP)") from None
        if remote is not None:
            sock.connect(remote.address)
    except BaseException:
        sock.close()
        raise
    return sock


def _apply(sock: socket.socket, config: Config) -> None:
    if config.bind_to_device:
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, config.bind_to_device.encode())
        except OSError as error:  # it does not say which device
            raise OSError(error.errno, f"bind_to_device={config.bind_to_device!r}: {error.strerror}") from None
    wished = BUFFER_PACKETS * config.mss
    for option, size in ((socket.SO_RCVBUF, config.udp_recv_buf_size), (socket.SO_SNDBUF, config.udp_send_buf_size)):
        sock.setsockopt(socket.SOL_SOCKET, option, size or wished)
    for value, option4, option6 in (
        (config.ip_ttl, socket.IP_TTL, socket.IPV6_UNICAST_HOPS),
        (config.ip_tos, socket.IP_TOS, socket.IPV6_TCLASS),
    ):
        if value is None:
            continue
        # a dual-stack socket has both: IPv4 peers get the first, IPv6 peers the second
        sock.setsockopt(socket.IPPROTO_IP, option4, value)
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, option6, value)


def _ask_for_packet_info(sock: socket.socket) -> None:
    """Have the kernel tell which address of ours each datagram came to, so that the reply leaves from it."""
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
    else:
        sock.setsockopt(socket.IPPROTO_IP, IP_PKTINFO, 1)


def ask_for_joined_reads(sock: socket.socket) -> None:
    """Have the kernel hand over runs joined (GRO) where it can; only for who reads the size told beside them."""
    with contextlib.suppress(OSError):  # an older kernel: a datagram at a time then
        sock.setsockopt(SOL_UDP, UDP_GRO, 1)


def granted_buffer(sock: socket.socket, option: int) -> int:
    """Return the bytes of datagrams a kernel buffer was granted for (Linux reports twice that: bookkeeping)."""
    return sock.getsockopt(socket.SOL_SOCKET, option) // 2


def buffer_warning(sock: socket.socket, config: Config) -> str:
    """Return what to tell people about kernel buffers that are too small; empty when they are not."""
    words = []
    for option, asked, what, limit in (
        (socket.SO_RCVBUF, config.udp_recv_buf_size, "receiving", "net.core.rmem_max"),
        (socket.SO_SNDBUF, config.udp_send_buf_size, "sending", "net.core.wmem_max"),
    ):
        granted = granted_buffer(sock, option)
        if granted < (asked or BUSY_READER):
            wished = asked or BUFFER_PACKETS * config.mss
            words.append(
                f"the kernel granted {granted} bytes for {what} where {wished} were asked for: "
                f"allow more with sysctl -w {limit}={wished}"
            )
    return "; ".join(words)
