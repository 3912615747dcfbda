"""Where datagrams come from and go to.

Lives here: reading the ways people write an address, asking the resolver, `Endpoint` (one
address to bind or to dial), `Path` (both ends of a datagram's way) and their interning.
Never here: sockets (options.py), which connection a path belongs to (routes.py).
Source: RFC 3986 (brackets), RFC 3493 (IPv4 inside IPv6), Linux ip(7) and ipv6(7) (packet info).
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]
"""A numeric address as `socket` has it: (host, port), or (host, port, flow, scope) for IPv6."""
Ancillary: TypeAlias = tuple[int, int, bytes]
"""One control message beside a datagram: level, type, data."""

LARGEST_PORT: Final = 65_535  # ours: ports have 16 bits (RFC 768)
PATHS_KEPT: Final = 4_096  # ours: sources remembered at once, so that a flood from made-up ones stays small
IP_PKTINFO: Final = 8  # ours: Linux in.h IP_PKTINFO, which the socket module has from 3.14 on

_NATIVE_FAMILY: Final = struct.Struct("=H")
_SOCKADDR_IN: Final = struct.Struct(">2xH4s")
_SOCKADDR_IN6: Final = struct.Struct(">2xH4x16s")
_SCOPE: Final = struct.Struct("=I")
_SCOPE_AT: Final = 24  # ours: where sockaddr_in6 has its scope
_MAPPED: Final = "::ffff:"
_HINT: Final = 'write "host:port", ":port", "[::1]:port" or (host, port)'


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One address to bind or to dial, for the socket family it needs.

    `dual` asks an IPv6 socket to take IPv4 too, `False` to refuse it, `None` leaves it to the system.
    """

    family: int
    address: Address
    dual: bool | None = None

    @property
    def is_wildcard(self) -> bool:
        """Whether binding here means every address of the machine."""
        return self.address[0] in ("0.0.0.0", "::")


def parse_address(address: str | Sequence[object]) -> tuple[str, int]:
    """Take apart an address as people write it; an IPv6 scope stays with the host as `%scope`.

    Raises:
        TypeError: neither text nor a tuple of host and port.
        ValueError: not an address; the text shows it and what would be one.
    """
    if isinstance(address, str):
        return _parse_text(address)
    if not isinstance(address, tuple | list) or len(address) not in (2, 4):
        raise TypeError(f"an address is text or (host, port), not {address!r}")
    host, port = address[0], address[1]
    if not isinstance(host, str) or not isinstance(port, int) or isinstance(port, bool):
        raise TypeError(f"an address is (host: str, port: int), not {address!r}")
    if len(address) == 4 and address[3] and "%" not in host:
        host = f"{host}%{address[3]}"
    return host, _checked_port(port, address)


def _parse_text(text: str) -> tuple[str, int]:
    if "://" in text:
        scheme = text.partition("://")[0]
        raise ValueError(f"an address begins with its host, not with {scheme}://; URLs are for open_url")
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError(f"no port in the address {text!r}: {_HINT}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        if ":" not in host:
            raise ValueError(f"brackets are for IPv6 addresses, not for {text!r}: {_HINT}")
    elif ":" in host:
        raise ValueError(f"an IPv6 address needs brackets, {text!r} has none: {_HINT}")
    if not (port.isascii() and port.isdigit()):
        raise ValueError(f"the port in {text!r} is not a number: {_HINT}")
    return host, _checked_port(int(port), text)


def _checked_port(port: int, address: object) -> int:
    if not 0 <= port <= LARGEST_PORT:
        raise ValueError(f"the port of {address!r} is not within 0..{LARGEST_PORT}")
    return port


def resolve_remote(address: str | Sequence[object]) -> list[Endpoint]:
    """Return every address to try, in order, for dialing; an empty host is this machine.

    Raises:
        ValueError: not an address, or port 0, which nobody can be reached at.
        OSError: the name is not known (`socket.gaierror`).
    """
    host, port = parse_address(address)
    if not port:
        raise ValueError(f"cannot dial port 0 ({address!r})")
    if not host:
        # IPv4 first: a listener on ":port" hears both, an IPv4 one only this
        return [Endpoint(socket.AF_INET, ("127.0.0.1", port)), Endpoint(socket.AF_INET6, ("::1", port, 0, 0))]
    return _look_up(host, port, passive=False)


def resolve_local(address: str | Sequence[object], ipv6_only: bool | None = None) -> list[Endpoint]:
    """Return every address to try, in order, for binding; an empty host is every address, IPv4 and IPv6.

    Raises:
        ValueError: not an address.
        OSError: the name is not known (`socket.gaierror`).
    """
    host, port = parse_address(address)
    dual = None if ipv6_only is None else not ipv6_only
    if host:
        return [
            Endpoint(one.family, one.address, dual if one.family == socket.AF_INET6 else None)
            for one in _look_up(host, port, passive=True)
        ]
    both = Endpoint(socket.AF_INET6, ("::", port, 0, 0), dual is not False)
    if ipv6_only:
        return [both]
    return [both, Endpoint(socket.AF_INET, ("0.0.0.0", port))]


def _look_up(host: str, port: int, *, passive: bool) -> list[Endpoint]:
    flags = socket.AI_PASSIVE if passive else 0
    found: list[Endpoint] = []
    try:
        answers = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=flags)
    except socket.gaierror as error:  # it does not say which host
        raise socket.gaierror(error.errno, f"no address for the host {host!r}: {error.strerror}") from None
    for family, _, _, _, address in answers:
        if family == socket.AF_INET:
            found.append(Endpoint(family, (str(address[0]), port)))
        elif family == socket.AF_INET6:
            found.append(Endpoint(family, (str(address[0]), port, 0, int(address[3]) if len(address) == 4 else 0)))
    return list(dict.fromkeys(found))


def plain(address: Address) -> Address:
    """Return an IPv4 address that wears IPv6 clothes (::ffff:192.0.2.1) as the IPv4 address it is."""
    host = address[0]
    if len(address) == 4 and host.startswith(_MAPPED) and "." in host:
        return (host[len(_MAPPED) :], address[1])
    return address


def shown(address: Address) -> str:
    """Return an address as people write it: an IPv6 host in brackets."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def decode_sockaddr(raw: bytes) -> Address:
    """Return the address in a sockaddr_in or sockaddr_in6 as the kernel wrote it."""
    if _NATIVE_FAMILY.unpack_from(raw)[0] == socket.AF_INET:
        port, packed = _SOCKADDR_IN.unpack_from(raw)
        return (socket.inet_ntop(socket.AF_INET, packed), port)
    port, packed = _SOCKADDR_IN6.unpack_from(raw)
    scope = _SCOPE.unpack_from(raw, _SCOPE_AT)[0]
    return (socket.inet_ntop(socket.AF_INET6, packed), port, 0, scope)


def decode_packet_info(level: int, kind: int, data: bytes) -> bytes:
    """Return the address of ours in an IP_PKTINFO or IPV6_PKTINFO message; nothing for other messages."""
    if level == socket.IPPROTO_IP and kind == IP_PKTINFO and len(data) >= 12:
        return data[4:8]  # ipi_spec_dst: an address of ours even when a broadcast came in
    if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO and len(data) >= 20 and data[0] != 0xFF:
        return data[:16]  # a multicast address (ff...) cannot be replied from
    return b""


def _source(packed: bytes) -> list[Ancillary]:
    """Return the control message that makes a datagram leave from the address `packed`."""
    if len(packed) == 4:
        return [(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4x", 0, packed))]
    if packed:
        return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, struct.pack("=16sI", packed, 0))]
    return []


@dataclass(frozen=True, slots=True)
class Path:
    """A datagram's way: the peer's address and, on a socket bound to all addresses, the one of ours it came to.

    Attributes:
        destination: the peer as the kernel wants it (IPv4 may wear IPv6 clothes).
        source: our address, packed; empty when the socket itself decides.
        remote: the peer for people and for comparing: IPv4 is IPv4.
        ancillary: the control messages that make a reply leave from `source`.
    """

    destination: Address
    source: bytes = b""
    remote: Address = field(init=False, compare=False)
    ancillary: list[Ancillary] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "remote", plain(self.destination))
        object.__setattr__(self, "ancillary", _source(self.source))

    @property
    def remote_packed(self) -> bytes:
        """The peer's IP address in 4 or 16 bytes."""
        host = self.remote[0]
        if len(self.remote) == 2:
            return socket.inet_pton(socket.AF_INET, host)
        return socket.inet_pton(socket.AF_INET6, host.partition("%")[0])

    @property
    def local_host(self) -> str:
        """Our address on this path, for people; empty when the socket is bound to one."""
        if not self.source:
            return ""
        family = socket.AF_INET if len(self.source) == 4 else socket.AF_INET6
        return str(plain((socket.inet_ntop(family, self.source), 0, 0, 0))[0])


class Paths:
    """The paths in use, each made once; the oldest knowledge goes when there are too many."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[Address, bytes], Path] = {}

    def between(self, destination: Address, source: bytes = b"") -> Path:
        """Return the path from `source`, an address of ours (packed), to `destination`."""
        key = (destination, source)
        path = self._known.get(key)
        if path is None:
            if len(self._known) >= PATHS_KEPT:
                self._known.clear()
            path = self._known[key] = Path(destination, source)
        return path
