"""A stream that comes or goes as UDP datagrams.

Lives here: the socket, its options, groups.
Never here: other kinds of ends (endpoints.py).
Source: srt-live-transmit's udp:// URLs.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import srtpy
from srtpy.cli.end import READ_MESSAGES, End
from srtpy.cli.mpegts import MESSAGE_SIZE
from srtpy.secrecy import redacted

LARGEST_DATAGRAM: Final = 65_535
UDP_NUMBERS: Final = ("ttl", "iptos", "rcvbuf", "sndbuf", "mcloop")
LARGEST_NUMBER: Final = 0x7FFFFFFF  # of socket options
UDP_BUFFER: Final = 4 << 20  # bytes asked of the kernel for UDP ends


class UdpEnd(End):
    """A udp:// URL: a port to receive on (groups are joined), or an address to send to.

    Keys: `adapter` (a local address, for groups), `ttl`, `iptos`, `rcvbuf`, `sndbuf`, `mcloop`.
    """

    is_live = True

    def __init__(self, url: str, *, is_source: bool) -> None:
        parts = urlsplit(url)
        super().__init__(f"udp://{parts.netloc}")
        try:
            port = parts.port
        except ValueError:
            port = None
        if port is None:
            raise ValueError(f"{redacted(url)}: a port is needed, as in udp://239.1.1.1:5000")
        self._host = (parts.hostname or "").lstrip("@")
        self._port = port
        keys = dict(parse_qsl(parts.query, keep_blank_values=True))
        unknown = set(keys) - {"adapter", *UDP_NUMBERS}
        if unknown:
            known = ", ".join(("adapter", *UDP_NUMBERS))
            raise ValueError(f"{redacted(url)}: unknown key {', '.join(sorted(unknown))}; there are {known}")
        self._adapter = keys.pop("adapter", "")
        try:
            self._numbers = {key: int(value, 0) for key, value in keys.items()}
        except ValueError:
            self._numbers = {"": -1}
        if not all(0 <= number <= LARGEST_NUMBER for number in self._numbers.values()):
            raise ValueError(f"{redacted(url)}: {', '.join(UDP_NUMBERS)} are whole numbers, 0 to {LARGEST_NUMBER}")
        self._is_source = is_source
        self._socket: socket.socket | None = None
        self._partial = b""

    def open(self) -> None:
        """Open the socket."""
        host = self._host or ("" if self._is_source else "127.0.0.1")
        flags = socket.AI_PASSIVE if self._is_source else 0
        opened = None
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host or None, self._port, type=socket.SOCK_DGRAM, flags=flags, family=0 if host else socket.AF_INET
            )[0]
            opened = socket.socket(family, socket.SOCK_DGRAM)
            self._configure(opened, family, address)
        except OSError as error:
            if opened is not None:
                opened.close()
            text = f"{self.name}: {error.strerror or error}"
            raise (OSError(text) if error.errno is None else OSError(error.errno, text)) from error
        self._socket = opened

    def _configure(self, opened: socket.socket, family: int, address: tuple[Any, ...]) -> None:
        numbers = self._numbers
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, numbers.get("rcvbuf", UDP_BUFFER))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, numbers.get("sndbuf", UDP_BUFFER))
        if self._is_source:
            if _is_group(family, str(address[0])):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            if _is_group(family, str(address[0])):
                self._join(opened, family, str(address[0]))
            return
        level, hops, many = (
            (socket.IPPROTO_IP, socket.IP_TTL, socket.IP_MULTICAST_TTL)
            if family == socket.AF_INET
            else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, socket.IPV6_MULTICAST_HOPS)
        )
        if "ttl" in numbers:
            opened.setsockopt(level, hops, numbers["ttl"])
            opened.setsockopt(level, many, numbers["ttl"])
        if "mcloop" in numbers and family == socket.AF_INET:
            opened.setsockopt(level, socket.IP_MULTICAST_LOOP, numbers["mcloop"])
        if "iptos" in numbers and family == socket.AF_INET:
            opened.setsockopt(level, socket.IP_TOS, numbers["iptos"])
        if self._adapter and family == socket.AF_INET:
            opened.setsockopt(level, socket.IP_MULTICAST_IF, socket.inet_aton(self._adapter))
        opened.connect(address)

    def _join(self, opened: socket.socket, family: int, group: str) -> None:
        if family == socket.AF_INET:
            request = socket.inet_aton(group) + socket.inet_aton(self._adapter or "0.0.0.0")
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            request = socket.inet_pton(family, group) + struct.pack("@I", 0)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)

    def read(self) -> list[bytes]:
        """Wait for a datagram, take those that wait behind it; cut those too long for a message."""
        opened = self._opened()
        datagrams = [opened.recv(LARGEST_DATAGRAM)]
        with contextlib.suppress(BlockingIOError):
            while len(datagrams) < READ_MESSAGES:
                datagrams.append(opened.recv(LARGEST_DATAGRAM, socket.MSG_DONTWAIT))
        if max(map(len, datagrams)) <= MESSAGE_SIZE:
            return datagrams
        return [each[at : at + MESSAGE_SIZE] for each in datagrams for at in range(0, len(each), MESSAGE_SIZE)]

    def write(self, messages: list[bytes]) -> None:
        """Send each message as a datagram; nobody listening is nobody's fault."""
        opened = self._opened()
        for message in messages:
            with contextlib.suppress(ConnectionRefusedError):
                opened.send(message)

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise srtpy.ConnClosedError(f"{self.name} is closed")
        return self._socket

    def close(self) -> None:
        """Close the socket, waking whoever reads it."""
        opened, self._socket = self._socket, None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)  # wakes a blocked recv, and says ENOTCONN all the same
            opened.close()


def _is_group(family: int, host: str) -> bool:
    packed = socket.inet_pton(family, host)
    return packed[0] == 0xFF if family == socket.AF_INET6 else packed[0] >> 4 == 0xE
