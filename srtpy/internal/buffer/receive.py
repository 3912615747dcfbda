"""The packets that arrived, in order, with holes where some are missing.

Lives here: the ring from the first packet not yet handed over to the newest, what of it is
due, and the messages handed over that the application has not read.
Never here: which packets may enter (core/receiver.py), asking again for the missing
(core/losses.py), when a timestamp is due (tsbpd), putting fragments together (messages.py).
Draft: 4.5.1 "Packet Delivery Time", 4.6 "Too-Late Packet Drop".

A row is made once, when its packet arrives, and is what the reader gets.  What is in order
is appended by the run; a gap appends holes; a late packet replaces one.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import chain, islice
from typing import Final, TypeAlias

from srtpy.internal.clock.units import HALF_WIRE_TIME, WIRE_TIME_MASK, Micros, WireTime
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber

Delivered: TypeAlias = tuple[bytes, int, int, int]
"""A data packet: payload, sequence number, information word, timestamp."""

HOLE: Final[Delivered] = (b"", -1, 0, 0)
"""Stands where a packet is missing; compared by identity."""
BLANK: Final[Delivered] = (b"", -2, 0, 0)
"""Stands where nothing will come and nothing is missed: given up, or refused."""

SPENT_ROWS: Final = 64  # ours: rows handed over stay at the head of the list until so many make cutting it worth while
SPENT_SHARE: Final = 8  # ours: and until they are an eighth of the list, so that cutting costs 8 moved words a row


class ReceiveBuffer:
    """Packets of one direction, shared by the receiving parts.

    A place is how far a sequence number is ahead of `base`.

    Attributes:
        base: the sequence number of the first place; everything before it is handed over or given up.
        end: the number after the newest packet, and the one expected next.
        capacity: how many packets there may be, those the application has yet to read included.
        messages: packets handed over, for the application to take.
    """

    __slots__ = (
        *("_blanks", "_head", "_holes", "_lead", "_rows", "_solid"),
        *("_made_of", "_together"),
        *("base", "capacity", "end", "messages"),
    )

    def __init__(self, isn: SequenceNumber, capacity: int) -> None:
        self.base = isn
        self.end = isn
        self.capacity = capacity
        self.messages: deque[Delivered] = deque()
        self._made_of: deque[int] = deque()  # of how many packets each of the last messages was made, if of several
        self._together = 0  # their sum
        self._rows: list[Delivered] = []
        self._head = 0  # index of the first place; rows before it are spent
        self._holes = 0
        self._blanks = 0  # rows without payload that are no holes
        self._solid = 0  # no row from the head up to this index is a hole
        self._lead = 0  # no row from the head up to this index is a packet

    # what there is

    def __len__(self) -> int:
        """Return how many places there are from `base` to `end`, holes included."""
        return len(self._rows) - self._head

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits here, neither to become due nor to be read."""
        return not self.messages and len(self._rows) == self._head

    @property
    def is_blocked(self) -> bool:
        """Whether the first place is a hole."""
        return self._head < len(self._rows) and self._rows[self._head] is HOLE

    @property
    def holes(self) -> int:
        """How many packets are missing before the newest."""
        return self._holes

    def limit(self) -> int:
        """Return how many places there may be now: what is not read takes room."""
        return self.capacity - self.handed_over()

    def handed_over(self) -> int:
        """Return how many packets the application has yet to read: a message is one, unless it was made of more.

        A reader takes from the left without telling anybody; what it has taken is found out here.
        """
        messages, made_of = len(self.messages), self._made_of
        while len(made_of) > messages:
            self._together -= made_of.popleft()
        return messages - len(made_of) + self._together

    def next_missing(self) -> SequenceNumber:
        """Return the first sequence number that is neither here nor given up."""
        return (self.base + self._prefix()) & SEQ_MASK

    def unread(self) -> int:
        """Return how many packets without a gap before them wait to become due or to be read."""
        return self._prefix() + self.handed_over()

    def first_packet(self) -> Delivered | None:
        """Return the earliest packet that is here, whatever is missing before it."""
        rows = self._rows
        index = self._head
        if self._holes or self._blanks:
            index = max(index, self._lead)
            while index < len(rows) and not rows[index][0]:
                index += 1
            self._lead = index
        return rows[index] if index < len(rows) else None

    def held(self) -> int:
        """Return how many packets are here, whatever is missing between them, unread messages included."""
        return len(self) - self._holes - self._blanks + self.handed_over()

    def held_bytes(self) -> int:
        """Return the payload bytes of all packets held, unread messages included."""
        unread = tuple(self.messages)  # a reader takes from it without asking anybody
        return sum(len(row[0]) for row in chain(unread, islice(self._rows, self._head, None)))

    def span(self) -> Micros:
        """Return how far apart the timestamps of the oldest and the newest packet held are."""
        unread = tuple(self.messages)  # a reader takes from it without asking anybody
        oldest = unread[0] if unread else self.first_packet()
        if oldest is None:
            return 0
        newest = next((row for row in islice(reversed(self._rows), len(self)) if row[0]), None) or unread[-1]
        apart = (newest[3] - oldest[3]) & WIRE_TIME_MASK
        return apart if apart < HALF_WIRE_TIME else 0

    def has(self, place: int) -> bool:
        """Say whether a place is taken."""
        return self._rows[self._head + place] is not HOLE

    # what comes in

    def append_run(self, rows: Sequence[Delivered]) -> None:
        """Add the very next packets; none of them is empty."""
        self._rows += rows
        self.end = (self.end + len(rows)) & SEQ_MASK

    def append(self, row: Delivered) -> None:
        """Add the very next packet."""
        if not row[0]:
            self._blanks += 1
        self._rows.append(row)
        self.end = (self.end + 1) & SEQ_MASK

    def open_gap(self, count: int) -> None:
        """Leave `count` places for packets that did not come."""
        if not self._holes:
            self._solid = len(self._rows)
        self._holes += count
        self._rows.extend([HOLE] * count)
        self.end = (self.end + count) & SEQ_MASK

    def fill(self, place: int, row: Delivered) -> None:
        """Put a late packet into its hole."""
        index = self._head + place
        self._rows[index] = row
        self._holes -= 1
        if not row[0]:
            self._blanks += 1
        elif index < self._lead:
            self._lead = index

    def give_up(self, first: int, last: int) -> int:
        """Stop waiting for what is missing from place `first` to `last`; return how many that were."""
        rows = self._rows
        begin = self._head + first
        missing = [index for index, row in enumerate(rows[begin : self._head + last + 1], begin) if row is HOLE]
        for index in missing:
            rows[index] = BLANK
        self._holes -= len(missing)
        self._blanks += len(missing)
        return len(missing)

    # what goes out

    def take_due(self, horizon: WireTime) -> None:
        """Hand over packets from the head while their timestamp is not after `horizon`."""
        rows = self._rows
        head = self._head
        if self._holes or self._blanks:
            self._hand_over_each(self._due_or_blank(horizon))
            return
        due = 0
        for row in islice(rows, head, None) if head else rows:
            # on the circle: the difference's highest bit says that the stamp lies ahead of the horizon
            if (horizon - row[3]) & HALF_WIRE_TIME:
                break
            due += 1
        if due:
            self.messages.extend(rows[head : head + due])
            self._advance(due)

    def skip(self) -> int:
        """Give up what is missing before the first packet that is here; return how many that were."""
        self.first_packet()
        passed = self._rows[self._head : self._lead]
        holes = sum(1 for row in passed if row is HOLE)
        self._holes -= holes
        self._blanks -= len(passed) - holes
        self._advance(len(passed))
        return holes

    def peek(self, first: int, end: int) -> list[Delivered]:
        """Return the rows from place `first` up to `end`, holes and blanks among them."""
        return self._rows[self._head + first : self._head + end]

    def pass_on(self, row: Delivered, packets: int) -> None:
        """Give the application a row made of the very next packets, so many, while nothing waits here."""
        self.hand_over(row, packets)
        self.base = self.end = (self.end + packets) & SEQ_MASK

    def hand_over(self, row: Delivered, packets: int) -> None:
        """Give the application a row made of so many packets, which `leave` their places or are a `blank` there."""
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

    def refuse_first(self) -> None:
        """Replace the earliest packet that is here by nothing."""
        if self.first_packet() is not None:
            index = max(self._lead, self._head)
            self._rows[index] = BLANK
            self._blanks += 1

    def _due_or_blank(self, horizon: WireTime) -> int:
        """Count the rows at the head that are due, or nothing to wait for."""
        due = 0
        for row in islice(self._rows, self._head, None):
            if row is HOLE or (row[0] and (horizon - row[3]) & HALF_WIRE_TIME):
                break
            due += 1
        return due

    def _hand_over_each(self, count: int) -> None:
        """Hand over the packets among the first `count` rows, none of them a hole."""
        if count:
            packets = [row for row in self._rows[self._head : self._head + count] if row[0]]
            self._blanks -= count - len(packets)
            self.messages.extend(packets)
            self._advance(count)

    def _advance(self, count: int) -> None:
        """Leave the first `count` rows behind."""
        self.base = (self.base + count) & SEQ_MASK
        head = self._head + count
        spent = len(self._rows)
        if head == spent or (head >= SPENT_ROWS and head * SPENT_SHARE >= spent):
            del self._rows[:head]
            self._solid = max(self._solid - head, 0)
            self._lead = max(self._lead - head, 0)
            head = 0
        self._head = head

    def _prefix(self) -> int:
        """Count the rows before the first hole."""
        if not self._holes:
            return len(self._rows) - self._head
        self._solid = self._rows.index(HOLE, max(self._solid, self._head))
        return self._solid - self._head
