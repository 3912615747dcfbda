"""Joining what one read brought in: neighbours of one size from one peer become one batch.

Lives here: the rule of what may join, and throwing out what is too short or too long to be SRT.
Never here: reading (recvmmsg.py, recvmsg.py), whose datagrams they are (routes.py).
Draft: 3 "Packet Structure" (nothing is shorter than its header).
"""

from __future__ import annotations

from typing import Final, TypeAlias

from srtpy.internal.clock.units import Micros
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER_SIZE, UDP_IP_HEADERS
from srtpy.limits import MAX_MSS

Reads: TypeAlias = list[tuple[Batch, Path]]
"""What one read brought in, in order of arrival."""

LARGEST_DATAGRAM: Final = MAX_MSS - UDP_IP_HEADERS  # ours: all later bounds on memory count datagrams, not bytes
LARGE: Final = 32  # ours: datagrams that stay a batch: joining copies them, and costs more than it spares
JOIN_LIMIT: Final = 128  # ours: datagrams a batch; a connection holds its lock for a batch, 0.2 ms for these


class Joiner:
    """Builds batches from reads of one datagram, or of several that the kernel has joined (GRO)."""

    __slots__ = ("_counters", "_done", "_joined", "_open", "_path", "_pieces", "_stride", "_times")

    def __init__(self, counters: MuxCounters) -> None:
        self._counters = counters
        self._done: Reads = []
        self._pieces: list[bytes | memoryview] = []
        self._stride = 0
        self._joined = 0
        self._open = False
        self._path: Path | None = None
        self._times: list[Micros] = []  # of the pieces

    def add(self, data: bytes | memoryview, stride: int, path: Path, arrived: Micros = 0) -> None:
        """Take datagrams of `stride` bytes end to end (0: one datagram) from one peer, whose path is one object.

        `data` must stay as it is until `take`.  `arrived` is when the last of it came; 0: nobody knows.
        """
        size = len(data)
        if not stride or stride > size:
            stride = size
        if stride < HEADER_SIZE:
            self._counters.malformed += -(-size // stride) if stride else 1
            return
        count, tail = divmod(size, stride)
        if stride > LARGEST_DATAGRAM:
            self._counters.malformed += count
            if tail:  # somebody else may have written it in the peer's name, and the kernel joined it to the peer's own
                self.add(data[size - tail :], 0, path, arrived)
            return
        if 0 < tail < HEADER_SIZE:
            self._counters.malformed += 1
            size -= tail
            data = data[:size]
        elif tail:
            count += 1
        if count >= LARGE:
            self._finish()
            batch = Batch(bytes(data), stride)
            batch.arrived = arrived
            self._done.append((batch, path))
            return
        alike = stride == self._stride or (count == 1 and size < self._stride)
        if not (self._open and alike and path is self._path and self._joined + count <= JOIN_LIMIT):
            self._finish()
            self._stride = stride
            self._path = path
        self._pieces.append(data)
        self._joined += count
        self._times.append(arrived)
        self._open = not size % self._stride  # a shorter one is always the last

    def add_alike(self, pieces: list[bytes | memoryview], path: Path, arrivals: list[Micros]) -> None:
        """Take datagrams of one size, of one peer, that came one by one at these instants: as `add` does with each."""
        size = len(pieces[0])
        self.add(pieces[0], 0, path, arrivals[0])
        if self._open and self._stride == size and self._joined + len(pieces) <= JOIN_LIMIT + 1:
            self._pieces += pieces[1:]
            self._joined += len(pieces) - 1
            self._times += arrivals[1:]
        else:
            for piece, arrived in zip(pieces[1:], arrivals[1:], strict=True):
                self.add(piece, 0, path, arrived)

    def take(self) -> Reads:
        """Hand over the batches and forget them."""
        self._finish()
        done = self._done
        self._done = []
        return done

    def forget(self) -> None:
        """Begin afresh: whoever read last was interrupted (Ctrl-C), and what it left is lost, as on the way."""
        self._done = []
        self._pieces = []
        self._times = []
        self._path = None
        self._joined = 0
        self._open = False

    def _finish(self) -> None:
        if self._path is not None and self._pieces:
            batch = Batch(b"".join(self._pieces), self._stride)
            batch.arrived = self._times[-1]
            if batch.count == len(self._times) > 1 and batch.arrived:  # else the kernel has joined some of them
                batch.times = self._times
            self._done.append((batch, self._path))
        self._pieces.clear()
        self._times = []
        self._joined = 0
        self._open = False
