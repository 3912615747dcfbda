"""Data packets of one size, end to end as they go over the wire.

Lives here: `Train`, made of columns by one call, and the datagrams in it for whoever wants them one by one.
Never here: which packets leave together (core), the call that sends them (mux).
Draft: 3.1 "Data Packets".

A header and a payload for each packet, put together by loops and joined in the end, take longer than all else there
is to do for a fast stream.  Here one `struct` call writes the headers and copies the payloads into place.  It
fills a short last payload up with zeros; they are in the buffer, and not in the train.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import overload

from srtpy.internal.clock.units import WireTime
from srtpy.internal.packet.header import HEADER_SIZE, Datagram, SocketId
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber

PACKERS: int = 256  # ours: one for each number of packets in a burst, and for a few sizes
WORDS = 5  # ours: four of a header, and a payload


class Train(Sequence[Datagram]):
    """Datagrams of `stride` bytes, end to end; the last may be shorter.

    Attributes:
        stride: the length of each datagram but perhaps the last.
        wire: their bytes.
    """

    __slots__ = ("_count", "stride", "wire")

    def __init__(self, wire: memoryview, stride: int, count: int) -> None:
        self.wire = wire
        self.stride = stride
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Datagram]:
        wire, stride = bytes(self.wire), self.stride
        for start in range(0, len(wire), stride):
            yield wire[start : start + HEADER_SIZE], wire[start + HEADER_SIZE : start + stride]

    @overload
    def __getitem__(self, place: int) -> Datagram: ...

    @overload
    def __getitem__(self, place: slice) -> list[Datagram]: ...

    def __getitem__(self, place: int | slice) -> Datagram | list[Datagram]:
        return list(self)[place]

    def __eq__(self, other: object) -> bool:
        return list(self) == (list(other) if isinstance(other, Train) else other)

    __hash__ = None  # type: ignore[assignment]  # like a list


def couple(
    first: SequenceNumber,
    infos: Sequence[int],
    stamps: Sequence[WireTime],
    payloads: Sequence[bytes],
    peer: SocketId,
) -> Train | None:
    """Make a train of packets numbered from `first` on; None if they are not of one size, or their numbers wrap."""
    count, size = len(payloads), len(payloads[0])
    sizes = list(map(len, payloads))
    alike = sizes.count(size)
    if (alike != count and (alike != count - 1 or sizes[-1] >= size)) or first + count > SEQ_MASK + 1:
        return None
    words: list[int | bytes] = [peer] * (WORDS * count)
    words[0::WORDS] = range(first, first + count)
    words[1::WORDS] = infos
    words[2::WORDS] = stamps
    words[4::WORDS] = payloads
    wire = memoryview(_packer(count, size).pack(*words))
    if sizes[-1] < size:
        wire = wire[: sizes[-1] - size]
    return Train(wire, HEADER_SIZE + size, count)


@lru_cache(maxsize=PACKERS)
def _packer(count: int, size: int) -> Struct:
    """Return what writes `count` headers, each followed by a payload of at most `size` bytes."""
    return Struct(">" + f"IIII{size}s" * count)
