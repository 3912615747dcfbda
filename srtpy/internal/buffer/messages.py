"""From packets back to what the application wrote, where no timestamp says when: messages, or bytes.

Lives here: putting a message's packets together, which message may overtake, what becomes of
messages that cannot be completed; joining a stream's packets into chunks.
Never here: the packets themselves (receive.py), live mode, where each packet is a message and has its
time (core/delivery.py), reading in pieces (session/reading.py).
Draft: 3.1 "Data Packets" (PP, O, message number), 4.2.1 "Message Mode", 4.2.2 "Buffer Mode".

Both classes have one verb for what arrives, `hand_over`: what has become complete leaves its
places and is one row of the buffer's `messages`, which remembers of how many packets; so a reader still
takes from the left without asking anybody, and what is not read takes its room.

Messages.  A message is complete when its places hold FIRST, any number of MIDDLE and LAST of one number (or
SINGLE).  Those before the first hole are handed over in turn.  A message whose O bit is clear need not wait
for a hole before it; what it takes to notice is kept by message number, so that each packet is looked
at once, however often messages stay incomplete.  Fragments that can never be completed, because their
sender gave up the rest or does not keep to the rules, are dropped when their turn comes.

Stream.  Position bits mean nothing: bytes follow bytes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Protocol

from srtpy.internal.buffer.receive import BLANK, Delivered
from srtpy.internal.packet.header import (
    IN_ORDER,
    MESSAGE_MASK,
    POSITION_FIRST,
    POSITION_LAST,
    POSITION_MASK,
    POSITION_SINGLE,
)
from srtpy.internal.seq.number import MessageNumber, SequenceNumber, distance, span

CHUNK: Final = 44  # ours: packets of a stream joined at most; 64,064 bytes, what one GSO call carries


class Ring(Protocol):
    """What of the receive buffer is needed here; a place is how far a number is ahead of `base`."""

    base: SequenceNumber
    end: SequenceNumber
    capacity: int

    def __len__(self) -> int: ...

    @property
    def holes(self) -> int:
        """How many packets are missing before the newest."""

    def next_missing(self) -> SequenceNumber:
        """Return the first sequence number that is neither here nor given up."""

    def peek(self, first: int, end: int) -> list[Delivered]:
        """Return the rows from place `first` up to `end`, holes and blanks among them."""

    def hand_over(self, row: Delivered, packets: int) -> None:
        """Give the application a row made of so many packets."""

    def leave(self, count: int) -> None:
        """Leave the first `count` places behind; none is a hole."""

    def blank(self, first: int, end: int) -> None:
        """Empty the places from `first` up to `end`: their packets were handed over out of turn."""


class Messages:
    """Puts fragments together.

    Attributes:
        failure: why the connection cannot go on, for people; empty while it can.
    """

    __slots__ = ("_early", "_looked", "_number", "_ring", "_seen", "failure")

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self._seen = 0  # places from the first on that hold the beginning of a message
        self._number: MessageNumber = 0  # its number
        self._early: dict[MessageNumber, _Fragments] = {}  # beyond the first hole, of messages that may overtake
        self._looked = ring.end  # what precedes this number has been looked at
        self.failure = ""

    def hand_over(self, filled: Iterable[SequenceNumber] = ()) -> int:
        """Hand over what has become complete; return how many packets were dropped as fragments of nothing.

        `filled` are the numbers that came late and filled holes.
        """
        ring = self._ring
        ready = distance(ring.base, ring.next_missing())
        dropped = self._hand_over_in_turn(ready) if ready > self._seen else 0
        if ring.holes:
            self._look_beyond(filled)
        else:
            self._early.clear()
        self._looked = ring.end
        return dropped

    def gave_up(self, packets: int) -> None:
        """Hear that the sender will not send so many missing packets: their messages are dropped in their turn."""

    # ---- in turn ---------------------------------------------------------------------------

    def _hand_over_in_turn(self, ready: int) -> int:
        """Hand over the complete messages among the first `ready` places."""
        seen, number, start, dropped = self._seen, self._number, 0, 0
        has_begun, is_plain = seen > 0, True
        rows = self._ring.peek(seen, ready)
        infos = [row[2] for row in rows]
        place = seen
        while place < ready:
            info = infos[place - seen]
            if info & POSITION_FIRST:
                if start < place:
                    dropped += self._drop(start, place)
                start, number, has_begun = place, info & MESSAGE_MASK, True
            elif not has_begun or info & MESSAGE_MASK != number or rows[place - seen] is BLANK:
                dropped += self._drop(start, place + 1)
                place += 1
                start, has_begun = place, False
                continue
            if is_plain and not info & POSITION_LAST:
                last = seen + _last_of(infos, place - seen)
                is_plain = last > place  # tried once where it is not: looking for the last packet takes time
                place = last
                info = infos[place - seen] if place < ready else 0
            place += 1
            if info & POSITION_LAST:
                self._complete(start, place, number)
                start, has_begun = place, False
        self._ring.leave(start)
        self._seen, self._number = ready - start, number
        if self._seen >= self._ring.capacity:
            self.failure = (
                f"message {number} does not fit: it takes more than the receive buffer's"
                f" {self._ring.capacity} packets (recv_buf_size)"
            )
        return dropped

    def _complete(self, first: int, end: int, number: MessageNumber) -> None:
        """Hand over the message in the places from `first` up to `end`."""
        rows = self._ring.peek(first, end)
        message = _joined(rows)
        if message[0]:
            self._ring.hand_over(message, len(rows))
        if self._early:
            self._early.pop(number, None)

    def _drop(self, first: int, end: int) -> int:
        """Forget the fragments in the places from `first` up to `end`; return how many packets they were."""
        packets = [row for row in self._ring.peek(first, end) if row[0]]
        if self._early:
            for row in packets:
                self._early.pop(row[2] & MESSAGE_MASK, None)
        return len(packets)

    # ---- out of turn -----------------------------------------------------------------------

    def _look_beyond(self, filled: Iterable[SequenceNumber]) -> None:
        """Look at the packets beyond the first hole that have not been looked at, and complete messages there."""
        ring = self._ring
        base, hole = ring.base, distance(ring.base, ring.next_missing())
        looked = distance(base, self._looked)
        late = [place for place in [distance(base, seq) for seq in filled] if hole < place < looked]
        rows = [ring.peek(place, place + 1)[0] for place in late]
        rows += ring.peek(max(looked, hole), len(ring))
        for row in rows:
            _, seq, info, _ = row
            if info & IN_ORDER or seq < 0:  # a hole or a blank has no number
                continue
            number = info & MESSAGE_MASK
            fragments = self._early.get(number)
            if fragments is None:
                fragments = self._early[number] = _Fragments()
            if fragments.add(seq, info):
                del self._early[number]
                self._overtake(distance(base, fragments.first), distance(base, fragments.last) + 1)

    def _overtake(self, first: int, end: int) -> None:
        """Hand over the message in the places from `first` up to `end`, if that is what they hold."""
        ring = self._ring
        rows = ring.peek(first, end)
        if _is_whole(rows):
            self._complete(first, end, rows[0][2] & MESSAGE_MASK)
            ring.blank(first, end)


class Stream:
    """Joins packets into chunks of bytes.

    Attributes:
        failure: why the connection cannot go on, for people; empty while it can.
    """

    __slots__ = ("_ring", "failure")

    def __init__(self, ring: Ring) -> None:
        self._ring = ring
        self.failure = ""

    def hand_over(self, filled: Iterable[SequenceNumber] = ()) -> int:
        """Hand over everything before the first hole; return 0: nothing is ever dropped."""
        ring = self._ring
        if not len(ring):
            return 0
        ready = distance(ring.base, ring.next_missing())
        for start in range(0, ready, CHUNK):
            rows = ring.peek(start, min(start + CHUNK, ready))
            chunk = _joined(rows)
            if chunk[0]:
                ring.hand_over(chunk, len(rows))
        if ready:
            ring.leave(ready)
        return 0

    def gave_up(self, packets: int) -> None:
        """Hear that the sender will not send so many missing packets: a stream with a gap is no stream."""
        if packets:
            self.failure = f"the peer gave up a part of the byte stream (packets: {packets})"


class _Fragments:
    """What has come of one message that may overtake."""

    __slots__ = ("_count", "first", "last")

    def __init__(self) -> None:
        self._count = 0
        self.first: SequenceNumber = -1
        self.last: SequenceNumber = -1

    def add(self, seq: SequenceNumber, info: int) -> bool:
        """Count a packet; return whether the message seems to be complete."""
        self._count += 1
        if info & POSITION_FIRST:
            self.first = seq
        if info & POSITION_LAST:
            self.last = seq
        return self.first >= 0 and self.last >= 0 and span(self.first, self.last) == self._count


def _last_of(infos: list[int], at: int) -> int:
    """Return where the message that goes on at a place has its last packet, or the end of all where nothing else comes.

    Returns the place itself where that cannot be told at a glance: then each packet is to be looked at.
    """
    middle = infos[at] & ~POSITION_MASK
    try:
        last = infos.index(middle | POSITION_LAST, at)
    except ValueError:
        last = len(infos)
    is_plain = middle and infos[at + 1 : last] == [middle] * (last - at - 1)
    return last if is_plain else at


def _joined(rows: list[Delivered]) -> Delivered:
    """Return packets as one row; its words are the first's, but that it says of itself that it is whole."""
    first = rows[0]
    if len(rows) == 1:
        return first
    return b"".join([row[0] for row in rows]), first[1], first[2] | POSITION_SINGLE, first[3]


def _is_whole(rows: list[Delivered]) -> bool:
    """Say whether rows are one message that may overtake, and nothing else."""
    middle = rows[0][2] & MESSAGE_MASK
    for place, (_, seq, info, _) in enumerate(rows):
        expected = middle
        expected |= POSITION_FIRST if place == 0 else 0
        expected |= POSITION_LAST if place == len(rows) - 1 else 0
        if seq < 0 or info & (POSITION_SINGLE | IN_ORDER | MESSAGE_MASK) != expected:
            return False
    return True
