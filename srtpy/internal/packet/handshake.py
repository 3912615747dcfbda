"""The body of a handshake packet: twelve words, then extension blocks.

Lives here: the layout of both, the kinds of handshake, the flags that announce blocks.
Never here: what is inside a block (extensions.py, keymaterial.py), who says what when
and what values are sensible (handshake).
Draft: 3.2.1 "Handshake", 3.2.1.1 "Handshake Extension Message".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from srtpy.internal.packet.header import MalformedPacket, SocketId
from srtpy.internal.seq.number import SequenceNumber

HANDSHAKE_SIZE: Final = 48  # draft 3.2.1 "Handshake": without extensions
BODY: Final = struct.Struct(">IHHIIIiII16s")
BLOCK: Final = struct.Struct(">HH")

VERSION_4: Final = 4  # draft 3.2.1 "Handshake": UDT's, used in every induction request
VERSION_5: Final = 5  # draft 3.2.1 "Handshake"
MAGIC: Final = 0x4A17  # draft 4.3.1.1 "The Induction Phase": extension field of the induction response
DATAGRAM_SOCKET: Final = 2  # draft 4.3.1.1 "The Induction Phase": extension field of the induction request
FIRST_REJECTION: Final = 1000  # draft 4.3 "Handshake Messages", table 7: kinds from here on refuse

ANNOUNCES_SRT: Final = 0x1  # draft 3.2.1 "Handshake", table 5: HSREQ
ANNOUNCES_KEYS: Final = 0x2  # draft 3.2.1 "Handshake", table 5: KMREQ
ANNOUNCES_CONFIG: Final = 0x4  # draft 3.2.1 "Handshake", table 5: CONFIG


class HandshakeKind(IntEnum):
    """What a handshake packet says (draft 3.2.1 "Handshake", table 4); from 1000 on it refuses."""

    INDUCTION = 1
    WAVEAHAND = 0
    CONCLUSION = -1
    AGREEMENT = -2
    DONE = -3


class ExtensionKind(IntEnum):
    """What an extension block holds (draft 3.2.1 "Handshake", table 6)."""

    HSREQ = 1
    HSRSP = 2
    KMREQ = 3
    KMRSP = 4
    STREAM_ID = 5
    CONGESTION = 6
    FILTER = 7
    GROUP = 8


@dataclass(frozen=True, slots=True)
class Extension:
    """One extension block as it travelled; `kind` may be one nobody here knows."""

    kind: int
    body: bytes

    def encode(self) -> bytes:
        """Return the block; the body is whole words."""
        return BLOCK.pack(self.kind, len(self.body) // 4) + self.body


def decode_extensions(data: bytes) -> tuple[Extension, ...]:
    """Read the blocks that follow a handshake's twelve words.

    Raises:
        MalformedPacket: a block is longer than what is left.
    """
    found = []
    start = 0
    while start < len(data):
        if start + BLOCK.size > len(data):
            raise MalformedPacket(f"{len(data) - start} bytes after the last handshake extension")
        kind, words = BLOCK.unpack_from(data, start)
        start += BLOCK.size
        end = start + 4 * words
        if end > len(data):
            raise MalformedPacket(
                f"handshake extension {kind} claims {words} words, {len(data) - start} bytes are left"
            )
        found.append(Extension(kind, data[start:end]))
        start = end
    return tuple(found)


def encode_extensions(extensions: Iterable[Extension]) -> bytes:
    """Return the blocks as they travel."""
    return b"".join([extension.encode() for extension in extensions])


@dataclass(frozen=True, slots=True, kw_only=True)
class Handshake:
    """A handshake packet's body."""

    version: int
    encryption: int = 0  # the key length in 8 bytes, or 0: nothing advertised
    extension: int = 0  # flags in a conclusion, else a number that depends on the phase
    isn: SequenceNumber
    mss: int
    flow_window: int
    kind: int  # a HandshakeKind or a rejection
    socket_id: SocketId  # of who sends this packet
    cookie: int
    peer_address: bytes = bytes(16)  # of who it is sent to, as libsrt fills it; see extensions.py
    extensions: tuple[Extension, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a handshake; give only its first 48 bytes to leave extensions alone.

        Raises:
            MalformedPacket: too short, or an extension does not fit.
        """
        if len(body) < HANDSHAKE_SIZE:
            raise MalformedPacket(f"a handshake of {len(body)} bytes is shorter than {HANDSHAKE_SIZE}")
        version, encryption, extension, isn, mss, window, kind, socket_id, cookie, address = BODY.unpack_from(body)
        return cls(
            version=version,
            encryption=encryption,
            extension=extension,
            isn=isn,
            mss=mss,
            flow_window=window,
            kind=kind,
            socket_id=socket_id,
            cookie=cookie,
            peer_address=address,
            extensions=decode_extensions(body[HANDSHAKE_SIZE:]),
        )

    def encode(self) -> bytes:
        """Return the body as it travels."""
        fixed = BODY.pack(
            self.version,
            self.encryption,
            self.extension,
            self.isn,
            self.mss,
            self.flow_window,
            self.kind,
            self.socket_id,
            self.cookie,
            self.peer_address,
        )
        return fixed + encode_extensions(self.extensions)

    @property
    def is_rejection(self) -> bool:
        """Whether this refuses the connection; `kind` then says why."""
        return self.kind >= FIRST_REJECTION
