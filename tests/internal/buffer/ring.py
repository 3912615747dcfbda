"""A receive buffer with the verbs that `buffer/messages.py` needs, and the rows tests put into it."""

from __future__ import annotations

from collections import deque

from srtpy.internal.buffer.receive import BLANK, Delivered, ReceiveBuffer
from srtpy.internal.packet.header import (
    IN_ORDER,
    POSITION_FIRST,
    POSITION_LAST,
    POSITION_MIDDLE,
    POSITION_SINGLE,
)
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber, distance


class Ring(ReceiveBuffer):
    """What the receive buffer becomes when a message may be made of several packets."""

    def __init__(self, isn: SequenceNumber, capacity: int) -> None:
        super().__init__(isn, capacity)
        self._made_of: deque[int] = deque()  # of how many packets each of the last messages was made
        self._together = 0  # their sum

    def limit(self) -> int:
        """Return how many places there may be now: what is not read takes room."""
        return self.capacity - self.handed_over()

    def unread(self) -> int:
        """Return how many packets without a gap before them wait to be read."""
        return self._prefix() + self.handed_over()

    def handed_over(self) -> int:
        """Return how many packets the application has yet to read."""
        messages, made_of = len(self.messages), self._made_of
        while len(made_of) > messages:
            self._together -= made_of.popleft()
        return messages - len(made_of) + self._together

    def peek(self, first: int, end: int) -> list[Delivered]:
        """Return the rows from place `first` up to `end`, holes and blanks among them."""
        return self._rows[self._head + first : self._head + end]

    def hand_over(self, row: Delivered, packets: int) -> None:
        """Give the application a row made of so many packets."""
        self._made_of.append(packets)
        self._together += packets
        self.messages.append(row)

    def leave(self, count: int) -> None:
        """Leave the first `count` places behind; none is a hole."""
        if self._blanks:
            self._blanks -= sum([not row[0] for row in self._rows[self._head : self._head + count]])
        self._advance(count)

    def blank(self, first: int, end: int) -> None:
        """Empty the places from `first` up to `end`: their packets were handed over out of turn."""
        begin = self._head + first
        self._blanks += sum([bool(row[0]) for row in self._rows[begin : self._head + end]])
        self._rows[begin : self._head + end] = [BLANK] * (end - first)


def store(ring: Ring, row: Delivered) -> list[SequenceNumber]:
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
