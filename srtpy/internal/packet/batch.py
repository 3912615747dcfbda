"""Many datagrams at once: what one read of a socket brought in.

Lives here: equal-sized datagrams in one buffer, their headers as rows or in columns, their payloads
as copies, and the split of a read that mixes data with control packets.
Never here: what a header's words mean (header.py), reading sockets (mux).
Draft: 3 "Packet Structure".

A batch is asked for what is needed of it, and nothing is taken apart before.  What all datagrams must have in
common (a kind, a destination, numbers that count up) is seen in columns of bytes, one comparison for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct
from typing import Final, TypeAlias

from srtpy.internal.clock.units import Micros
from srtpy.internal.packet.header import CONTROL, HEADER, HEADER_SIZE, Header, MalformedPacket

WALKERS: Final = 256  # ours: datagram sizes whose walkers are kept; a stream uses two or three
DESTINATION_BYTE: Final = 12  # draft 3 "Packet Structure": Destination SRT Socket ID

Columns: TypeAlias = tuple[tuple[bytes, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...]]
"""Payloads, sequence numbers, information words and timestamps of data packets."""

_COUNTING: Final = bytes(range(256))


@lru_cache(maxsize=WALKERS)
def _walker(stride: int) -> Struct:
    """Return a reader of one header followed by the rest of a `stride` bytes long datagram."""
    return Struct(f">IIII{stride - HEADER_SIZE}x")


@lru_cache(maxsize=WALKERS)
def _slicer(stride: int) -> Struct:
    """Return a reader of a data packet `stride` bytes long: three words of its header, and its payload."""
    return Struct(f">III4x{stride - HEADER_SIZE}s")


@lru_cache(maxsize=WALKERS)
def _stripper(stride: int, count: int) -> Struct:
    """Return a reader of the payloads of so many datagrams of `stride` bytes."""
    return Struct(f"{HEADER_SIZE}x{stride - HEADER_SIZE}s" * count)


class Batch:
    """Datagrams of `stride` bytes, end to end; the last may be shorter.  A lone datagram is a batch of one.

    Attributes:
        data: the datagrams' bytes.
        stride: the length of each datagram but perhaps the last.
        first: the four integers of the first datagram's header.
        count: how many datagrams there are.
        arrived: when the last of them came, or was read, for who takes them in later; 0: not told.
        times: when each of them came, if there are several and the kernel told it of each.
    """

    __slots__ = ("_headers", "arrived", "count", "data", "first", "stride", "times")

    def __init__(self, data: bytes, stride: int | None = None) -> None:
        """Look at the sizes, and at the first header.

        Raises:
            MalformedPacket: a datagram is too short to hold a header.
        """
        size = len(data)
        if stride is None or stride > size:
            stride = size
        if stride < HEADER_SIZE:
            raise MalformedPacket(f"a datagram of {stride} bytes is shorter than a header ({HEADER_SIZE})")
        count, tail = divmod(size, stride)
        if 0 < tail < HEADER_SIZE:
            raise MalformedPacket(f"a datagram of {tail} bytes is shorter than a header ({HEADER_SIZE})")
        self.data = data
        self.stride = stride
        self.arrived: Micros = 0
        self.times: list[Micros] = []
        self.count = count + 1 if tail else count
        self.first: Header = HEADER.unpack_from(data)
        self._headers: list[Header] | None = None

    def __len__(self) -> int:
        return self.count

    @property
    def headers(self) -> list[Header]:
        """A row of four integers for each datagram."""
        headers = self._headers
        if headers is None:
            data, whole = self._whole()
            headers = self._headers = list(_walker(self.stride).iter_unpack(data))
            if whole < len(self.data):
                headers.append(HEADER.unpack_from(self.data, whole))
        return headers

    @property
    def is_control(self) -> bool:
        """Whether the (first) datagram is a control packet."""
        return self.first[0] >= CONTROL

    @property
    def is_data(self) -> bool:
        """Whether all datagrams are data packets: none has the highest bit of its first byte set."""
        return self.data[:: self.stride].isascii()

    @property
    def is_to_one(self) -> bool:
        """Whether all datagrams have the first one's destination."""
        return self.count == 1 or (
            self.is_constant(DESTINATION_BYTE + 3)
            and self.is_constant(DESTINATION_BYTE + 2)
            and self.is_constant(DESTINATION_BYTE + 1)
            and self.is_constant(DESTINATION_BYTE)
        )

    @property
    def counts_up(self) -> bool:
        """Whether the first words are consecutive numbers, none of which is the largest there is but the last."""
        data, stride, count = self.data, self.stride, self.count
        if count == 1:
            return True
        low = data[3]
        if low + count <= len(_COUNTING):
            return (
                data[3::stride] == _COUNTING[low : low + count]
                and self.is_constant(2)
                and self.is_constant(1)
                and self.is_constant(0)
            )
        first = self.first[0]
        return [header[0] for header in self.headers] == list(range(first, first + count))

    @property
    def shortest(self) -> int:
        """The length of the last payload, which is the shortest."""
        return len(self.data) - (self.count - 1) * self.stride - HEADER_SIZE

    def is_constant(self, place: int) -> bool:
        """Whether a byte is the same in all headers."""
        data = self.data
        return data[place :: self.stride] == data[place : place + 1] * self.count

    def column(self, place: int) -> bytes:
        """Return one byte of each header."""
        return self.data[place :: self.stride]

    def columns(self) -> Columns:
        """Return the payloads, and the words before the destination, of all datagrams."""
        data, whole = self._whole()
        seqs, infos, stamps, payloads = zip(*_slicer(self.stride).iter_unpack(data), strict=True)
        if whole < len(self.data):
            seq, info, stamp, _ = HEADER.unpack_from(self.data, whole)
            return (*payloads, self.data[whole + HEADER_SIZE :]), (*seqs, seq), (*infos, info), (*stamps, stamp)
        return payloads, seqs, infos, stamps

    def payloads(self) -> list[bytes]:
        """Return a copy of what follows each header: views would keep the whole read alive."""
        data, stride = self.data, self.stride
        return [data[start + HEADER_SIZE : start + stride] for start in range(0, len(data), stride)]

    def body(self) -> bytes:
        """Return what follows each header, end to end."""
        count, tail = divmod(len(self.data), self.stride)
        parts: tuple[bytes, ...] = _stripper(self.stride, count).unpack_from(self.data)
        return b"".join((*parts, self.data[-tail + HEADER_SIZE :]) if tail > HEADER_SIZE else parts)

    def datagram(self, index: int) -> bytes:
        """Return a copy of one whole datagram."""
        return self.data[index * self.stride : (index + 1) * self.stride]

    def part(self, first: int, last: int) -> Batch:
        """Return the datagrams from `first` up to, not including, `last`, as a batch of their own."""
        part = Batch(self.data[first * self.stride : last * self.stride], self.stride)
        part.arrived = self.arrived
        if self.times:
            part.times = self.times[first:last]
            part.arrived = part.times[-1]
        return part

    def pieces(self) -> Iterator[Batch]:
        """Yield runs of data packets whole and control packets one by one, in order of arrival."""
        if self.count == 1 or self.is_data:
            yield self
            return
        start = 0
        for index, header in enumerate(self.headers):
            if header[0] >= CONTROL:
                if start < index:
                    yield self.part(start, index)
                yield self.part(index, index + 1)
                start = index + 1
        if start < self.count:
            yield self.part(start, self.count)

    def _whole(self) -> tuple[bytes | memoryview, int]:
        """Return the datagrams of full size, and how many bytes they are."""
        size = len(self.data)
        whole = size - size % self.stride
        return (self.data if whole == size else memoryview(self.data)[:whole]), whole
