"""The 16 bytes every SRT packet begins with.

Lives here: the header's layout, its flag bits, the control types, packing a header.
Never here: what a flag makes anyone do; the bodies of control packets (control.py,
losses.py, handshake.py); many packets at once (batch.py).
Draft: 3 "Packet Structure", 3.1 "Data Packets", 3.2 "Control Packets".
"""

from __future__ import annotations

import struct
from enum import IntEnum
from typing import Final, TypeAlias

from srtpy.internal.clock.units import WireTime

SocketId: TypeAlias = int
Header: TypeAlias = tuple[int, int, int, int]
"""The four words of a header: sequence number (or control type), information, timestamp, destination."""

Datagram: TypeAlias = tuple[bytes, bytes]
"""What one UDP datagram carries: a data packet's header and payload, or a whole control packet and nothing."""

HEADER: Final = struct.Struct(">IIII")
HEADER_SIZE: Final = 16  # draft 3 "Packet Structure"
UDP_IP_HEADERS: Final = 28  # libsrt packet.h UDP_HDR_SIZE: counted as IPv4 on IPv6 too
CONTROL: Final = 1 << 31  # draft 3 "Packet Structure": F

POSITION_MIDDLE: Final = 0b00 << 30  # draft 3.1 "Data Packets": PP
POSITION_LAST: Final = 0b01 << 30  # draft 3.1 "Data Packets": PP
POSITION_FIRST: Final = 0b10 << 30  # draft 3.1 "Data Packets": PP
POSITION_SINGLE: Final = 0b11 << 30  # draft 3.1 "Data Packets": PP
POSITION_MASK: Final = 0b11 << 30  # draft 3.1 "Data Packets": PP
IN_ORDER: Final = 1 << 29  # draft 3.1 "Data Packets": O
KEY_CLEAR: Final = 0b00 << 27  # draft 3.1 "Data Packets": KK
KEY_EVEN: Final = 0b01 << 27  # draft 3.1 "Data Packets": KK
KEY_ODD: Final = 0b10 << 27  # draft 3.1 "Data Packets": KK
KEY_MASK: Final = 0b11 << 27  # draft 3.1 "Data Packets": KK
RETRANSMITTED: Final = 1 << 26  # draft 3.1 "Data Packets": R
MESSAGE_MASK: Final = (1 << 26) - 1  # draft 3.1 "Data Packets": Message Number


class MalformedPacket(ValueError):
    """A datagram, or a part of one, that is not what the protocol allows there."""


class ControlType(IntEnum):
    """What a control packet is about (draft 3.2 "Control Packets", table 1)."""

    HANDSHAKE = 0x0000
    KEEPALIVE = 0x0001
    ACK = 0x0002
    NAK = 0x0003
    CONGESTION_WARNING = 0x0004
    SHUTDOWN = 0x0005
    ACKACK = 0x0006
    DROPREQ = 0x0007
    PEERERROR = 0x0008
    USER_DEFINED = 0x7FFF


PATIENT: Final = frozenset({ControlType.KEEPALIVE, ControlType.ACKACK})
"""Control packets that only tell something: who knows when they arrived may take them in later."""


def control_kind(first_word: int) -> int:
    """Return the control type in a control packet's first word, known or not."""
    return (first_word >> 16) & 0x7FFF


def control_subtype(first_word: int) -> int:
    """Return the subtype in a control packet's first word (meaningful for USER_DEFINED only)."""
    return first_word & 0xFFFF


def pack_control_header(kind: int, information: int, stamp: WireTime, destination: SocketId, subtype: int = 0) -> bytes:
    """Return the header of a control packet; `information` is the type-specific word."""
    return HEADER.pack(CONTROL | kind << 16 | subtype, information, stamp, destination)
