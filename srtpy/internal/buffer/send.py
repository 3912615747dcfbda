"""What the application wrote and the peer has not acknowledged.

Lives here: columns for packets that wait for their first sending and for those on their way;
cutting messages into packets, message numbers, which sequence number a packet has.
Never here: when a packet leaves or leaves again (core), headers on the wire (core/packing.py).
Draft: 3.1 "Data Packets" (PP, O, message number), 4.6 "Too-Late Packet Drop", 4.1.1 "Message TTL".

The columns hold all packets in order: the packet `base` first, then its successors.  The first
`sent` of them have been sent, the rest wait.  So a packet's number is its place, appending,
sending and acknowledging are slices, and a packet that expires unsent keeps its number, as libsrt has it.

There is no object for a packet: a stream of 500,000 a second has no time to make one.  A row is put together when one
packet is asked for.  Few packets have a time to live, so expiries are kept by number, for those that have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from struct import Struct
from typing import Final, NamedTuple, TypeAlias

from srtpy.internal.clock.units import NEVER, Micros, WireTime
from srtpy.internal.packet.header import (
    IN_ORDER,
    MESSAGE_MASK,
    POSITION_FIRST,
    POSITION_LAST,
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
"""The expiry of a packet that will not be sent (again) though its place is kept."""
TOGETHER: Final = 44  # ours: packets cut by one call; what one burst carries
CUTTERS: Final = 256  # ours: a cutter for each number of packets up to `TOGETHER`, and for a few sizes
STALE_SHARE: Final = 16  # ours: what is gone is cleared away when it is so much of the columns, at 20 ns a packet


class Run(NamedTuple):
    """Packets that follow one another, in columns."""

    infos: list[int]
    stamps: list[WireTime]
    payloads: list[bytes]


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
    """Packets of one direction, in order of sequence numbers.

    Attributes:
        base: the sequence number of the first one: the first packet not acknowledged.
        capacity: how many packets writers should let it hold; only `room` knows it.
        sent: how many have been sent.
        last_message: the number of the message written last.
    """

    __slots__ = (
        "_expiries",
        "_gone",
        "_infos",
        "_origins",
        "_payloads",
        "_stamps",
        "_timed",
        "base",
        "capacity",
        "last_message",
        "sent",
    )

    def __init__(self, first: SequenceNumber, capacity: int) -> None:
        self.base = first
        self.capacity = capacity
        self.sent = 0
        self.last_message: MessageNumber = LAST_MESSAGE_NUMBER
        self._infos: list[int] = []
        self._stamps: list[WireTime] = []
        self._payloads: list[bytes] = []
        self._origins: list[Micros] = []
        self._gone = 0  # so many at the head of the columns are not held any more
        self._expiries: dict[SequenceNumber, Micros] = {}  # of those that do not wait for ever
        self._timed = 0  # packets after this place have no time to live

    def __len__(self) -> int:
        return len(self._infos) - self._gone

    @property
    def room(self) -> int:
        """How many more packets writers may add."""
        room = self.capacity - len(self._infos) + self._gone
        return room if room > 0 else 0

    @property
    def unsent(self) -> int:
        """How many packets wait for their first sending."""
        return len(self._infos) - self._gone - self.sent

    @property
    def next_seq(self) -> SequenceNumber:
        """The number of the next packet sent for the first time."""
        return (self.base + self.sent) & SEQ_MASK

    @property
    def size(self) -> int:
        """Payload bytes held; counted when asked, because few ask."""
        return self.size_of(len(self))

    def origin(self, place: int) -> Micros:
        """Return when the packet at `place` was written, or `NEVER` if there is none."""
        place += self._gone
        return self._origins[place] if place < len(self._origins) else NEVER

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
        self._payloads += messages
        self._infos += range(info, info + count)
        self._stamps += islice(stamps, count)
        self._origins += islice(origins, count)
        self.last_message = first + count - 1

    def append(
        self, message: bytes, limit: int, in_order: bool, stamp: WireTime, origin: Micros, expires: Micros
    ) -> None:
        """Queue one message, cut into packets of at most `limit` bytes."""
        number = next_message(self.last_message)
        info = (IN_ORDER if in_order else 0) | number
        if len(message) <= limit:
            self.last_message = number
            self._payloads.append(message)
            self._infos.append(POSITION_SINGLE | info)
            self._stamps.append(stamp)
            self._origins.append(origin)
        else:
            self._append_cut(message, 0, len(message), limit, info, stamp, origin)
        if expires != NEVER:
            held = len(self)
            count = -(-len(message) // limit)
            for place in range(held - count, held):
                self._expiries[(self.base + place) & SEQ_MASK] = expires
            self._timed = held

    def append_stream(self, data: bytes, start: int, end: int, limit: int, stamp: WireTime, origin: Micros) -> None:
        """Queue bytes of a stream, from `start` up to `end` of `data`, in packets of at most `limit` bytes.

        If the last packet waits and is not full, it takes the first of them.  They are marked as one message whose
        O bit is clear, as libsrt does; receivers heed neither.
        """
        payloads = self._payloads
        if self.unsent and (space := limit - len(payloads[-1])) > 0:
            filled = min(start + space, end)
            payloads[-1] += data[start:filled]
            start = filled
        if start < end:
            self._append_cut(data, start, end, limit, next_message(self.last_message), stamp, origin)

    def _append_cut(
        self, data: bytes, start: int, end: int, limit: int, info: int, stamp: WireTime, origin: Micros
    ) -> None:
        """Queue bytes as one message with this information word, its positions to be added."""
        self.last_message = info & MESSAGE_MASK
        for pieces in _cut(data, start, end, limit):
            self._payloads += pieces
        count = len(self._payloads) - len(self._infos)
        infos = [info] * count
        infos[0] |= POSITION_FIRST
        infos[-1] |= POSITION_LAST
        self._infos += infos
        self._stamps += [stamp] * count
        self._origins += [origin] * count

    # ---- sent ------------------------------------------------------------------------------

    def send(self, count: int) -> Run:
        """Count the next `count` packets as sent and return them."""
        start = self._gone + self.sent
        end = start + count
        self.sent += count
        return Run(self._infos[start:end], self._stamps[start:end], self._payloads[start:end])

    def send_run(self, messages: Sequence[bytes], stamps: Sequence[WireTime], origins: Sequence[Micros]) -> Run:
        """Queue messages of one packet each, count them as sent and return them; nothing waits before them."""
        self.append_run(messages, True, stamps, origins)
        return self.send(self.unsent)

    def keep(self, run: Run) -> None:
        """Hold these instead of the packets sent last: what a resend repeats."""
        end = self._gone + self.sent
        start = end - len(run.infos)
        self._infos[start:end], self._stamps[start:end], self._payloads[start:end] = run

    def row(self, seq: SequenceNumber) -> Row:
        """Return a packet that is held."""
        place = self._gone + ((seq - self.base) & SEQ_MASK)
        expires = self._expiries.get(seq, NEVER) if self._expiries else NEVER
        return self._infos[place], self._stamps[place], self._payloads[place], self._origins[place], expires

    def rows(self, seqs: list[SequenceNumber]) -> list[Row]:
        """Return packets that are held."""
        row = self.row
        return [row(seq) for seq in seqs]

    # ---- gone ------------------------------------------------------------------------------

    def remove(self, count: int) -> None:
        """Forget the first `count` packets, sent or not; their numbers are used up."""
        if self._expiries:
            for place in range(count):
                self._expiries.pop((self.base + place) & SEQ_MASK, None)
        self._gone += count
        if self._gone * STALE_SHARE >= len(self._infos):
            gone, self._gone = self._gone, 0
            del self._infos[:gone], self._stamps[:gone], self._payloads[:gone], self._origins[:gone]
        self.base = (self.base + count) & SEQ_MASK
        self.sent = max(self.sent - count, 0)
        self._timed = max(self._timed - count, 0)

    def count_before(self, instant: Micros) -> int:
        """Return how many packets from the first on were written before `instant`."""
        count = 0
        for origin in islice(self._origins, self._gone, None):
            if origin >= instant:
                break
            count += 1
        return count

    def size_of(self, count: int) -> int:
        """Return the payload bytes of the first `count` packets."""
        return sum(map(len, self._payloads[self._gone : self._gone + count]))

    @property
    def may_expire(self) -> bool:
        """Whether an unsent packet has a time to live."""
        return self._timed > self.sent

    def end_to_end(self, count: int) -> int:
        """Return how many of the next `count` packets are of one size, the last perhaps shorter."""
        start = self._gone + self.sent
        sizes = list(map(len, self._payloads[start : start + count]))
        size = sizes[0]
        if sizes.count(size) == count:
            return count
        other = next(place for place, each in enumerate(sizes) if each != size)
        return other + (sizes[other] < size)

    def skip_expired(self, now: Micros) -> list[SequenceNumber]:
        """Count packets that expired before their first sending as sent; return their numbers."""
        skipped: list[SequenceNumber] = []
        while self.unsent and self._expiries.get(self.next_seq, NEVER) <= now:
            skipped.append(self.next_seq)
            self.sent += 1
        return skipped

    def unexpired(self, count: int, now: Micros) -> int:
        """Return how many of the next `count` unsent packets may leave before one that has expired."""
        count = min(count, self.unsent)
        first, expiry = self.next_seq, self._expiries.get
        return next((place for place in range(count) if expiry((first + place) & SEQ_MASK, NEVER) <= now), count)

    def newest(self, limit: int) -> int:
        """Return the place of the newest packet among the first `limit` sent that is not given up; -1: none."""
        for place in range(min(limit, self.sent) - 1, -1, -1):
            if self._expiries.get((self.base + place) & SEQ_MASK) != GIVEN_UP:
                return place
        return -1

    def give_up(self, seq: SequenceNumber) -> GivenUp:
        """Give up the message a packet belongs to: its packets keep their places and lose their payload."""
        infos, gone = self._infos, self._gone
        first = last = gone + distance(self.base, seq)
        number = infos[first] & MESSAGE_MASK
        while first > gone and infos[first - 1] & MESSAGE_MASK == number:
            first -= 1
        while last + 1 < len(infos) and infos[last + 1] & MESSAGE_MASK == number:
            last += 1
        seqs = [(self.base + place - gone) & SEQ_MASK for place in range(first, last + 1)]
        members = [
            payload
            for seq, payload in zip(seqs, self._payloads[first : last + 1], strict=True)
            if self._expiries.get(seq) != GIVEN_UP
        ]
        self._payloads[first : last + 1] = [b""] * len(seqs)
        self._expiries |= dict.fromkeys(seqs, GIVEN_UP)
        return GivenUp(number, seqs[0], seqs[-1], len(members), sum(map(len, members)))


def _cut(data: bytes, start: int, end: int, limit: int) -> Iterator[Sequence[bytes]]:
    """Yield pieces of `limit` bytes, many at a time; the last may be shorter."""
    whole, rest = divmod(end - start, limit)
    while whole:
        count = min(whole, TOGETHER)
        yield _cutter(count, limit).unpack_from(data, start)
        start += count * limit
        whole -= count
    if rest:
        yield [data[start:end]]


@lru_cache(maxsize=CUTTERS)
def _cutter(count: int, limit: int) -> Struct:
    """Return what copies `count` pieces of `limit` bytes out of something longer, all in one call."""
    return Struct(f"{limit}s" * count)
