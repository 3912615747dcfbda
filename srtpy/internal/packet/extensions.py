"""What is inside a handshake's extension blocks, and its address field.

Lives here: the SRT settings (HSREQ and HSRSP) and their flags, texts (stream id,
congestion, packet filter), the group block, the peer address field.
Never here: the blocks around them (handshake.py), key material (keymaterial.py), what
the values lead to (handshake).
Draft: 3.2.1.1 "Handshake Extension Message", 3.2.1.3 "Stream ID Extension Message",
3.2.1.4 "Group Membership Extension".
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Self

from srtpy.internal.packet.header import MalformedPacket

SETTINGS: Final = struct.Struct(">IIHH")
GROUP: Final = struct.Struct(">IBBH")

TSBPD_SEND: Final = 0x01  # draft 3.2.1.1.1 "Handshake Extension Message Flags": TSBPDSND
TSBPD_RECEIVE: Final = 0x02  # draft 3.2.1.1.1: TSBPDRCV
CRYPT: Final = 0x04  # draft 3.2.1.1.1: CRYPT; always set, also without a passphrase
TLPKTDROP: Final = 0x08  # draft 3.2.1.1.1: TLPKTDROP
PERIODIC_NAK: Final = 0x10  # draft 3.2.1.1.1: PERIODICNAK
RETRANSMIT_FLAG: Final = 0x20  # draft 3.2.1.1.1: REXMITFLG
STREAM: Final = 0x40  # draft 3.2.1.1.1: STREAM
PACKET_FILTER: Final = 0x80  # draft 3.2.1.1.1: PACKET_FILTER; a capability

LARGEST_LATENCY_MS: Final = 0xFFFF  # draft 3.2.1.1 "Handshake Extension Message": 16 bits
LONGEST_STREAM_ID: Final = 512  # draft 3.2.1.3 "Stream ID Extension Message"
LONGEST_CONGESTION: Final = 16  # libsrt core.h MAX_CONGESTION_NAME: bytes
LONGEST_FILTER: Final = 64  # libsrt core.h MAX_FILTER_CONFIG: bytes
ADDRESS_SIZE: Final = 16  # draft 3.2.1 "Handshake": Peer IP Address


@dataclass(frozen=True, slots=True)
class SrtExtension:
    """The body of HSREQ and HSRSP."""

    version: int
    flags: int
    receive_latency_ms: int  # of who sends this block
    send_latency_ms: int  # the least the other side is asked to receive with

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the settings; words after the third are from a future version and left alone.

        Raises:
            MalformedPacket: fewer than three words.
        """
        if len(body) < SETTINGS.size:
            raise MalformedPacket(f"SRT settings of {len(body)} bytes are shorter than {SETTINGS.size}")
        return cls(*SETTINGS.unpack_from(body))

    def encode(self) -> bytes:
        """Return the body as it travels."""
        return SETTINGS.pack(self.version, self.flags, self.receive_latency_ms, self.send_latency_ms)


@dataclass(frozen=True, slots=True)
class GroupExtension:
    """The body of a group block."""

    group_id: int
    kind: int
    flags: int
    weight: int

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a group's id, kind, flags and this link's weight; further words are left alone.

        Raises:
            MalformedPacket: fewer than two words.
        """
        if len(body) < GROUP.size:
            raise MalformedPacket(f"a group extension of {len(body)} bytes is shorter than {GROUP.size}")
        return cls(*GROUP.unpack_from(body))

    def encode(self) -> bytes:
        """Return the body as it travels."""
        return GROUP.pack(self.group_id, self.kind, self.flags, self.weight)


def reverse_words(data: bytes) -> bytes:
    """Return `data`, filled up with zeros to whole words, with the bytes of each word reversed."""
    padded = data + bytes(-len(data) % 4)
    count = len(padded) // 4
    return struct.pack(f"<{count}I", *struct.unpack(f">{count}I", padded))


def encode_text(text: str, limit: int = LONGEST_STREAM_ID) -> bytes:
    """Return a text extension's body: UTF-8, zeros up to whole words, each word reversed.

    Raises:
        ValueError: the text is longer than `limit` bytes.
    """
    data = text.encode("utf-8", "surrogateescape")
    if len(data) > limit:
        raise ValueError(f"a text of {len(data)} bytes does not fit an extension of {limit}")
    return reverse_words(data)


def decode_text(body: bytes, limit: int = LONGEST_STREAM_ID) -> str:
    """Read a text extension's body.

    What is not UTF-8 becomes lone surrogates, as for file names: nothing is lost, and
    `encode_text` gives the same bytes back.  Zeros at the end are filling; others stay.

    Raises:
        MalformedPacket: longer than `limit` bytes, or not whole words.
    """
    if len(body) > limit:
        raise MalformedPacket(f"a text of {len(body)} bytes where {limit} are allowed")
    if len(body) % 4:
        raise MalformedPacket(f"a text of {len(body)} bytes is not whole words")
    return reverse_words(body).rstrip(b"\0").decode("utf-8", "surrogateescape")


def peer_address_field(packed: bytes) -> bytes:
    """Return the handshake's address field for a packed IPv4 or IPv6 address, or for none (b"").

    libsrt keeps the address in host words and swaps each word on sending, so the bytes
    of each word travel reversed; IPv4 fills the first word.  Nobody checks the field.
    """
    return reverse_words(packed[:ADDRESS_SIZE].ljust(ADDRESS_SIZE, b"\0"))
