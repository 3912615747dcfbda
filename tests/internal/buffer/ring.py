"""Rows that tests put into a receive buffer."""

from __future__ import annotations

from srtpy.internal.buffer.receive import Delivered, ReceiveBuffer
from srtpy.internal.packet.header import (
    IN_ORDER,
    POSITION_FIRST,
    POSITION_LAST,
    POSITION_MIDDLE,
    POSITION_SINGLE,
)
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber, distance


def store(ring: ReceiveBuffer, row: Delivered) -> list[SequenceNumber]:
    """Put a packet where it belongs; return its number if it filled a hole."""
    ahead = (row[1] - ring.end) & SEQ_MASK
    if ahead < SEQ_MASK // 2:
        if ahead:
            ring.open_gap(ahead)
        ring.append(row)
        return []
    place = distance(ring.base, row[1])
    if place < 0 or ring.has(place):
        return []
    ring.fill(place, row)
    return [row[1]]


def fragments(first: SequenceNumber, message: int, payloads: list[bytes], *, in_order: bool = True) -> list[Delivered]:
    """A message's packets."""
    rows = []
    for place, payload in enumerate(payloads):
        info = message | (IN_ORDER if in_order else 0) | POSITION_MIDDLE
        info |= POSITION_FIRST if place == 0 else 0
        info |= POSITION_LAST if place == len(payloads) - 1 else 0
        rows.append((payload, (first + place) & SEQ_MASK, info, 1000 + place))
    assert len(payloads) != 1 or rows[0][2] & POSITION_SINGLE == POSITION_SINGLE
    return rows


def parts(message: int, count: int) -> list[bytes]:
    """Payloads by which each packet of a story is told from all others."""
    return [b"%d.%d;" % (message, place) for place in range(count)]
