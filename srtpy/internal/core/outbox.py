"""Control packets made and not yet sent, in order.

Lives here: giving control packets their header (timestamp, the peer's socket id) and
holding them until the shell takes them.
Never here: data packets (sender.py), when to say what (the part that says it).
Draft: 3.2 "Control Packets".
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import WIRE_TIME_MASK, Micros
from srtpy.internal.packet.header import Datagram, SocketId, pack_control_header

KIND_SIZE: Final = 4  # draft 3.2 "Control Packets": type and subtype


class Outbox:
    """Control datagrams ready to leave; shared by a connection's parts."""

    __slots__ = ("_peer", "_start", "_waiting", "last_said")

    def __init__(self, peer: SocketId, start: Micros) -> None:
        self._peer = peer
        self._start = start
        self._waiting: list[Datagram] = []
        self.last_said: Micros = start
        """When anything last left for the peer; data counts too (the sender notes it)."""

    def control(self, kind: int, information: int, body: bytes, now: Micros, subtype: int = 0) -> None:
        """Queue a control packet; `information` is its type-specific word."""
        self._waiting.append((self._packet(kind, information, body, now, subtype), b""))
        self.last_said = now

    def replace_last(self, kind: int, information: int, body: bytes, now: Micros) -> bool:
        """Put a control packet in the place of the one queued last, if that is of its kind and size."""
        if not self._waiting:
            return False
        last = self._waiting[-1][0]
        packet = self._packet(kind, information, body, now)
        if last[:KIND_SIZE] != packet[:KIND_SIZE] or len(last) != len(packet):
            return False
        self._waiting[-1] = packet, b""
        self.last_said = now
        return True

    def _packet(self, kind: int, information: int, body: bytes, now: Micros, subtype: int = 0) -> bytes:
        stamp = (now - self._start) & WIRE_TIME_MASK
        return pack_control_header(kind, information, stamp, self._peer, subtype) + body

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def take(self) -> list[Datagram]:
        """Hand over what is queued and forget it."""
        taken = self._waiting
        self._waiting = []
        return taken
