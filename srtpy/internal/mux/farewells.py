"""A last word for peers that have not heard that a connection is over.

Lives here: which ids have been given back lately, to whom that is told again, and how often.
Never here: the SHUTDOWN itself (session), ids in use (routes.py).
Draft: 3.2.7 "Shutdown".  It is neither confirmed nor repeated; libsrt ignores what comes for a closed socket
(queue.cpp worker_ProcessAddressedPacket, with a note that it might answer), and the peer of one that has missed
the SHUTDOWN goes on until its idle timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from srtpy.internal.clock.monotonic import now
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.mux.address import Address, Path
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import CONTROL, ControlType, Datagram, SocketId, control_kind

LIFETIME: Final[Micros] = 10 * SECOND  # ours: twice libsrt's idle timeout (5 s); by then the peer has noticed
SPACING: Final[Micros] = 100 * MILLISECOND  # ours: soon enough for people, and 20 bytes ten times a second harm nobody
LARGEST_TABLE: Final = 1024  # ours: ids; the oldest go first


class Left:
    """One id that is no longer in use."""

    __slots__ = ("remote", "said_at", "until", "word")

    def __init__(self, remote: Address, word: bytes, until: Micros) -> None:
        self.remote = remote
        self.word = word
        self.until = until
        self.said_at: Micros = until - LIFETIME - SPACING


class Farewells:
    """Ids given back lately.  `leave` needs the routes' lock; `asked` is the reading thread's, and takes none."""

    __slots__ = ("_left", "_send")

    def __init__(self, send: Callable[[Sequence[Datagram], Path], object]) -> None:
        self._send = send
        self._left: dict[SocketId, Left] = {}

    def __len__(self) -> int:
        return len(self._left)

    def leave(self, socket_id: SocketId, remote: Address, word: bytes) -> None:
        """Have `word` said again to `remote` for a while, whenever it sends something for this id."""
        left, instant = self._left, now()
        for one in [one for one, it in left.items() if it.until <= instant]:
            del left[one]
        if len(left) >= LARGEST_TABLE:
            del left[next(iter(left))]
        left[socket_id] = Left(remote, word, instant + LIFETIME)

    def asked(self, batch: Batch, path: Path) -> None:
        """Say it to somebody who sends to an id that is not in use, if it was theirs and is not what they say too."""
        first, _, _, socket_id = batch.first
        left = self._left.get(socket_id)
        if left is None or left.remote != path.remote:
            return
        if first >= CONTROL and control_kind(first) == ControlType.SHUTDOWN:
            return
        instant = now()
        if instant >= left.until or instant < left.said_at + SPACING:
            return
        left.said_at = instant
        self._send([(left.word, b"")], path)
