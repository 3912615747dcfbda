"""Packets as tests write them, through a seal: number, information word, timestamp, payload.

Lives here: the way between such packets and the rows of the send buffer, which a seal takes.
Never here: what comes of it (the tests).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from srtpy.internal.clock.units import NEVER
from srtpy.internal.seq.number import SEQ_MASK

Packet: TypeAlias = tuple[int, int, int, bytes]


def sealed(seal: Callable[..., list[Any]], packets: list[Packet], *more: Any) -> list[Packet]:
    """Return consecutive packets after `seal(first, rows, *more)`; what is none of its business must come through."""
    first = packets[0][0]
    rows = [(info, stamp, payload, place, NEVER - place) for place, (_, info, stamp, payload) in enumerate(packets)]
    closed = seal(first, rows, *more)
    assert [row[3:] for row in closed] == [row[3:] for row in rows]
    numbers = [(first + place) & SEQ_MASK for place in range(len(packets))]
    assert [packet[0] for packet in packets] == numbers, "packets follow each other"
    return [(seq, info, stamp, payload) for seq, (info, stamp, payload, _, _) in zip(numbers, closed, strict=True)]
