"""What a peer's conclusion brings besides the twelve words: its extension blocks, read.

Lives here: `Offer`, the table that says which block fills which of its fields, who we are.
Never here: blocks' layouts (packet), judging what they say (negotiation.py).
Draft: 3.2.1.1 to 3.2.1.4, the handshake's extension messages.

A block counts if its flag announces it, wherever it stands; of two alike the first counts;
unknown ones are skipped.  A new extension is a field here, a row in the table, and a rule
in negotiation.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from srtpy.internal.packet.extensions import (
    LONGEST_CONGESTION,
    LONGEST_FILTER,
    GroupExtension,
    SrtExtension,
    decode_text,
)
from srtpy.internal.packet.handshake import (
    ANNOUNCES_CONFIG,
    ANNOUNCES_KEYS,
    ANNOUNCES_SRT,
    ExtensionKind,
    decode_extensions,
)
from srtpy.internal.packet.header import MalformedPacket

SRT_VERSION: Final = 0x010505  # ours: the libsrt we behave like; from 1.5.4 on both ends make AES-GCM's nonce alike
NO_SETTINGS: Final = SrtExtension(0, 0, 0, 0)


@dataclass(slots=True)
class Offer:
    """What the blocks of one conclusion say; None where there was no block."""

    settings: SrtExtension = NO_SETTINGS
    stream_id: str | None = None
    congestion: str | None = None
    packet_filter: str | None = None
    group: GroupExtension | None = None
    key_material: bytes | None = None


def _read_settings(offer: Offer, body: bytes) -> None:
    offer.settings = SrtExtension.decode(body)


def _read_stream_id(offer: Offer, body: bytes) -> None:
    offer.stream_id = decode_text(body)


def _read_congestion(offer: Offer, body: bytes) -> None:
    offer.congestion = decode_text(body, LONGEST_CONGESTION)


def _read_filter(offer: Offer, body: bytes) -> None:
    offer.packet_filter = decode_text(body, LONGEST_FILTER)


def _read_group(offer: Offer, body: bytes) -> None:
    offer.group = GroupExtension.decode(body)


def _read_keys(offer: Offer, body: bytes) -> None:
    offer.key_material = body


Reader: TypeAlias = Callable[[Offer, bytes], None]
Readers: TypeAlias = Mapping[int, tuple[int, Reader]]

_CONFIG: Final[Readers] = {
    ExtensionKind.STREAM_ID: (ANNOUNCES_CONFIG, _read_stream_id),
    ExtensionKind.CONGESTION: (ANNOUNCES_CONFIG, _read_congestion),
    ExtensionKind.FILTER: (ANNOUNCES_CONFIG, _read_filter),
    ExtensionKind.GROUP: (ANNOUNCES_CONFIG, _read_group),
}
REQUEST: Final[Readers] = {
    ExtensionKind.HSREQ: (ANNOUNCES_SRT, _read_settings),
    ExtensionKind.KMREQ: (ANNOUNCES_KEYS, _read_keys),
    **_CONFIG,
}
"""The blocks an initiator sends: kind -> the flag that announces it, what reads it."""
RESPONSE: Final[Readers] = {
    ExtensionKind.HSRSP: (ANNOUNCES_SRT, _read_settings),
    ExtensionKind.KMRSP: (ANNOUNCES_KEYS, _read_keys),
    **_CONFIG,
}
"""The blocks a responder sends."""


def read_offer(announced: int, blocks: bytes, readers: Readers) -> Offer:
    """Read the blocks of a conclusion whose extension field is `announced`.

    Raises:
        MalformedPacket: a block does not fit, is malformed, or was announced and is not there.
    """
    offer = Offer()
    seen = set()
    for extension in decode_extensions(blocks):
        row = readers.get(extension.kind)
        if row is None or not announced & row[0] or extension.kind in seen:
            continue
        seen.add(extension.kind)
        row[1](offer, extension.body)
    if offer.settings is NO_SETTINGS:
        raise MalformedPacket("a conclusion without SRT settings")
    if announced & ANNOUNCES_KEYS and offer.key_material is None:
        raise MalformedPacket("a conclusion that announces key material and brings none")
    return offer
