"""What the application wrote and the peer has not acknowledged.

Lives here: rows for packets that wait for their first sending and for those on their way;
cutting messages into packets, message numbers, which sequence number a row has.
Never here: when a packet leaves or leaves again (core), headers on the wire (core/packing.py).
Draft: 3.1 "Data Packets" (PP, O, message number), 4.6 "Too-Late Packet Drop", 4.1.1 "Message TTL".

One list holds all rows in order: the packet `base` first, then its successors.  The first
`sent` of them have been sent, the rest wait.  So a row's number is its place, appending and
acknowledging are slices, and a packet that expires unsent keeps its number, as libsrt has it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat
from typing import Final, NamedTuple, TypeAlias

from srtpy.internal.clock.units import NEVER, Micros, WireTime
from srtpy.internal.packet.header import (
    IN_ORDER,
    MESSAGE_MASK,
    POSITION_FIRST,
    POSITION_LAST,
    POSITION_MIDDLE,
    POSITION_SINGLE,
)
from srtpy.internal.seq.number import (
    LAST_MESSAGE_NUMBER,
    SEQ_MASK,
    MessageNumber,
    SequenceNumber,
    distance,
    next_message,
)

Row: TypeAlias = tuple[int, WireTime, bytes, Micros, Micros]
"""A packet: information word, timestamp, payload, origin instant, when it expires (`NEVER`; 0: given up)."""

GIVEN_UP: Final[Micros] = 0  # ours: before any instant, so that it counts as expired
"""The expiry of a row that will not be sent (again) though its place is kept."""


class GivenUp(NamedTuple):
    """A message that will not be sent (again): what of it is still in the buffer.

    `packets` and `size` are what this giving up let go of: nothing, the second time.
    """

    number: MessageNumber
    first: SequenceNumber
    last: SequenceNumber
    packets: int
    size: int


class SendBuffer:
    """Rows of one direction, in order of sequence numbers.

    Attributes:
        base: the sequence number of the first row: the first packet not acknowledged.
        capacity: how many rows writers should let it hold; only `room` knows it.
        sent: how many rows have been sent.
        last_message: the number of the message written last.
    """

    __slots__ = ("_rows", "_timed", "base", "capacity", "last_message", "sent")

    def __init__(self, first: SequenceNumber, capacity: int) -> None:
        self.base = first
        self.capacity = capacity
        self.sent = 0
        self.last_message: MessageNumber = LAST_MESSAGE_NUMBER
        self._rows: list[Row] = []
        self._timed = 0  # rows after this place have no time to live

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def room(self) -> int:
        """How many more rows writers may add."""
        room = self.capacity - len(self._rows)
        return room if room > 0 else 0

    @property
    def unsent(self) -> int:
        """How many rows wait for their first sending."""
        return len(self._rows) - self.sent

    @property
    def next_seq(self) -> SequenceNumber:
        """The number of the next packet sent for the first time."""
        return (self.base + self.sent) & SEQ_MASK

    @property
    def size(self) -> int:
        """Payload bytes held; counted when asked, because few ask."""
        return sum([len(row[2]) for row in self._rows])

    def origin(self, index: int) -> Micros:
        """Return when the row at `index` was written, or `NEVER` if there is none."""
        return self._rows[index][3] if index < len(self._rows) else NEVER

    # ---- written ---------------------------------------------------------------------------

    def append_run(
        self, messages: Sequence[bytes], in_order: bool, stamps: Iterable[WireTime], origins: Iterable[Micros]
    ) -> None:
        """Queue messages of one packet each; the timestamps and instants may go on for longer."""
        count = len(messages)
        first = next_message(self.last_message)
        if first + count - 1 > LAST_MESSAGE_NUMBER:
            for message, stamp, origin in zip(messages, stamps, origins, strict=False):
                self.append(message, len(message), in_order, stamp, origin, NEVER)
            return
        info = POSITION_SINGLE | (IN_ORDER if in_order else 0) | first
        infos = range(info, info + count)
        self._rows.extend(zip(infos, stamps, messages, origins, repeat(NEVER), strict=False))
        self.last_message = first + count - 1

    def append(
        self, message: bytes, limit: int, in_order: bool, stamp: WireTime, origin: Micros, expires: Micros
    ) -> None:
        """Queue one message, cut into packets of at most `limit` bytes."""
        self.last_message = number = next_message(self.last_message)
        info = (IN_ORDER if in_order else 0) | number
        rows = self._rows
        if len(message) <= limit:
            rows.append((POSITION_SINGLE | info, stamp, message, origin, expires))
        else:
            pieces = [message[start : start + limit] for start in range(0, len(message), limit)]
            infos = [POSITION_MIDDLE | info] * len(pieces)
            infos[0], infos[-1] = POSITION_FIRST | info, POSITION_LAST | info
            rows += zip(infos, repeat(stamp), pieces, repeat(origin), repeat(expires), strict=False)
        if expires != NEVER:
            self._timed = len(rows)

    def append_stream(self, data: bytes, start: int, end: int, limit: int, stamp: WireTime, origin: Micros) -> None:
        """Queue bytes of a stream, from `start` up to `end` of `data`, in packets of at most `limit` bytes.

        They are marked as one message whose O bit is clear, as libsrt does; receivers heed neither.
        """
        self.last_message = number = next_message(self.last_message)
        last = end - (end - start - 1) % limit - 1  # where the last packet begins, the only one that may be shorter
        pieces = [data[place : place + limit] for place in range(start, last, limit)]
        pieces.append(data[last:end])
        infos = [number] * len(pieces)
        infos[0] |= POSITION_FIRST
        infos[-1] |= POSITION_LAST
        self._rows += zip(infos, repeat(stamp), pieces, repeat(origin), repeat(NEVER), strict=False)

    # ---- sent ------------------------------------------------------------------------------

    def send(self, count: int) -> list[Row]:
        """Count the next `count` rows as sent and return them."""
        start = self.sent
        self.sent = start + count
        return self._rows[start : start + count]

    def send_run(self, messages: Sequence[bytes], stamps: Sequence[WireTime], origins: Sequence[Micros]) -> list[Row]:
        """Queue messages of one packet each, count them as sent and return their rows; nothing waits before them."""
        start = len(self._rows)
        self.append_run(messages, True, stamps, origins)
        self.sent = len(self._rows)
        return self._rows[start:]

    def keep(self, rows: list[Row]) -> None:
        """Hold these instead of the rows sent last: what a resend repeats."""
        self._rows[self.sent - len(rows) : self.sent] = rows

    def row(self, seq: SequenceNumber) -> Row:
        """Return a packet that was sent."""
        return self._rows[(seq - self.base) & SEQ_MASK]

    def rows(self, seqs: list[SequenceNumber]) -> list[Row]:
        """Return packets that were sent."""
        rows, base = self._rows, self.base
        return [rows[(seq - base) & SEQ_MASK] for seq in seqs]

    # ---- gone ------------------------------------------------------------------------------

    def remove(self, count: int) -> None:
        """Forget the first `count` rows, sent or not; their numbers are used up."""
        del self._rows[:count]
        self.base = (self.base + count) & SEQ_MASK
        self.sent = max(self.sent - count, 0)
        self._timed = max(self._timed - count, 0)

    def count_before(self, instant: Micros) -> int:
        """Return how many rows from the first on were written before `instant`."""
        count = 0
        for row in self._rows:
            if row[3] >= instant:
                break
            count += 1
        return count

    def size_of(self, count: int) -> int:
        """Return the payload bytes of the first `count` rows."""
        return sum([len(row[2]) for row in self._rows[:count]])

    @property
    def may_expire(self) -> bool:
        """Whether an unsent row has a time to live."""
        return self._timed > self.sent

    def skip_expired(self, now: Micros) -> list[SequenceNumber]:
        """Count rows that expired before their first sending as sent; return their numbers."""
        rows, start = self._rows, self.sent
        end = start
        while end < len(rows) and rows[end][4] <= now:
            end += 1
        self.sent = end
        return [(self.base + index) & SEQ_MASK for index in range(start, end)]

    def unexpired(self, count: int, now: Micros) -> int:
        """Return how many of the next `count` unsent rows may leave before one that has expired."""
        ahead = self._rows[self.sent : self.sent + count]
        return next((place for place, row in enumerate(ahead) if row[4] <= now), len(ahead))

    def newest(self, limit: int) -> int:
        """Return the place of the newest packet among the first `limit` sent that is not given up; -1: none."""
        rows = self._rows
        for place in range(min(limit, self.sent) - 1, -1, -1):
            if rows[place][4] != GIVEN_UP:
                return place
        return -1

    def give_up(self, seq: SequenceNumber) -> GivenUp:
        """Give up the message a packet belongs to: its rows keep their places and lose their payload."""
        rows = self._rows
        first = last = distance(self.base, seq)
        number = rows[first][0] & MESSAGE_MASK
        while first and rows[first - 1][0] & MESSAGE_MASK == number:
            first -= 1
        while last + 1 < len(rows) and rows[last + 1][0] & MESSAGE_MASK == number:
            last += 1
        members = [row for row in rows[first : last + 1] if row[4] != GIVEN_UP]
        size = sum([len(row[2]) for row in members])
        rows[first : last + 1] = [
            (info, stamp, b"", origin, GIVEN_UP) for info, stamp, _, origin, _ in rows[first : last + 1]
        ]
        return GivenUp(number, (self.base + first) & SEQ_MASK, (self.base + last) & SEQ_MASK, len(members), size)
