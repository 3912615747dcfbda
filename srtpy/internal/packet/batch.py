"""Many datagrams at once: what one read of a socket brought in.

Lives here: equal-sized datagrams in one buffer, their headers as rows, their payloads
as copies, and the split of a read that mixes data with control packets.
Never here: what a header's words mean (header.py), reading sockets (mux).
Draft: 3 "Packet Structure".
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from struct import Struct

from srtpy.internal.clock.units import Micros
from srtpy.internal.packet.header import CONTROL, HEADER, HEADER_SIZE, Header, MalformedPacket

WALKERS: int = 256  # ours: datagram sizes whose header walker is kept; a stream uses two or three


@lru_cache(maxsize=WALKERS)
def _walker(stride: int) -> Struct:
    """Return a reader of one header followed by the rest of a `stride` bytes long datagram."""
    return Struct(f">IIII{stride - HEADER_SIZE}x")


class Batch:
    """Datagrams of `stride` bytes, end to end; the last may be shorter.  A lone datagram is a batch of one.

    Attributes:
        data: the datagrams' bytes.
        stride: the length of each datagram but perhaps the last.
        headers: a row of four integers for each datagram.
        count: how many datagrams there are.
        arrived: when they were read, for who takes them in later; 0: not told.
    """

    __slots__ = ("arrived", "count", "data", "headers", "stride")

    def __init__(self, data: bytes, stride: int | None = None) -> None:
        """Read the headers.

        Raises:
            MalformedPacket: a datagram is too short to hold a header.
        """
        size = len(data)
        if stride is None or stride > size:
            stride = size
        if stride < HEADER_SIZE:
            raise MalformedPacket(f"a datagram of {stride} bytes is shorter than a header ({HEADER_SIZE})")
        self.data = data
        self.stride = stride
        self.arrived: Micros = 0
        tail = size % stride
        if not tail:
            self.headers: list[Header] = list(_walker(stride).iter_unpack(data))
        elif tail < HEADER_SIZE:
            raise MalformedPacket(f"a datagram of {tail} bytes is shorter than a header ({HEADER_SIZE})")
        else:
            self.headers = list(_walker(stride).iter_unpack(memoryview(data)[: size - tail]))
            self.headers.append(HEADER.unpack_from(data, size - tail))
        self.count = len(self.headers)

    def __len__(self) -> int:
        return self.count

    @property
    def is_control(self) -> bool:
        """Whether the (first) datagram is a control packet."""
        return self.headers[0][0] >= CONTROL

    def payloads(self) -> list[bytes]:
        """Return a copy of what follows each header: views would keep the whole read alive."""
        data, stride = self.data, self.stride
        return [data[start + HEADER_SIZE : start + stride] for start in range(0, len(data), stride)]

    def datagram(self, index: int) -> bytes:
        """Return a copy of one whole datagram."""
        return self.data[index * self.stride : (index + 1) * self.stride]

    def part(self, first: int, last: int) -> Batch:
        """Return the datagrams from `first` up to, not including, `last`, as a batch of their own."""
        part = Batch(self.data[first * self.stride : last * self.stride], self.stride)
        part.arrived = self.arrived
        return part

    def pieces(self) -> Iterator[Batch]:
        """Yield runs of data packets whole and control packets one by one, in order of arrival."""
        if self.count == 1 or max(self.headers)[0] < CONTROL:
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
