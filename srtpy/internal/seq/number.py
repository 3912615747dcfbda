"""Counting on a circle: packet sequence numbers and message numbers.

Lives here: moving, measuring and comparing on the 31-bit circle of sequence numbers,
and what follows a message number on its 26-bit one.
Never here: sets of sequence numbers (ranges.py), who counts what.
Draft: 3.1 "Data Packets" (Packet Sequence Number, Message Number).
"""

from __future__ import annotations

from typing import Final, TypeAlias

SequenceNumber: TypeAlias = int
MessageNumber: TypeAlias = int

SEQ_BITS: Final = 31  # draft 3.1 "Data Packets"
SEQ_MASK: Final = (1 << SEQ_BITS) - 1  # draft 3.1 "Data Packets"
SEQ_HALF: Final = 1 << (SEQ_BITS - 1)  # libsrt common.h m_iSeqNoTH (plus one): half the circle
LAST_MESSAGE_NUMBER: Final = (1 << 26) - 1  # draft 3.1 "Data Packets"
FIRST_MESSAGE_NUMBER: Final = 1  # libsrt common.h CMsgNo: 0 is reserved for packet filters


def forward(seq: SequenceNumber, steps: int) -> SequenceNumber:
    """Return the number `steps` after `seq`; negative steps go back."""
    return (seq + steps) & SEQ_MASK


def distance(origin: SequenceNumber, target: SequenceNumber) -> int:
    """Return how many steps lead from `origin` to `target`, the shorter way round; negative is behind."""
    steps = (target - origin) & SEQ_MASK
    return steps if steps < SEQ_HALF else steps - SEQ_MASK - 1


def precedes(seq: SequenceNumber, other: SequenceNumber) -> bool:
    """Say whether `seq` comes before `other`."""
    return ((seq - other) & SEQ_MASK) >= SEQ_HALF


def later(seq: SequenceNumber, other: SequenceNumber) -> SequenceNumber:
    """Return whichever of the two comes later."""
    return other if precedes(seq, other) else seq


def span(first: SequenceNumber, last: SequenceNumber) -> int:
    """Return how many numbers `first` to `last` are, both included."""
    return ((last - first) & SEQ_MASK) + 1


def next_message(number: MessageNumber) -> MessageNumber:
    """Return the message number after `number`: 1 follows the last, 0 is never used."""
    return number + 1 if number < LAST_MESSAGE_NUMBER else FIRST_MESSAGE_NUMBER
