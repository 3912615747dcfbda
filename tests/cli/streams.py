"""A connection in file mode without one: two ends in memory, which threads read and write, and which can be cut."""

from __future__ import annotations

import threading
import time

import srtpy

ROOM = 1 << 20  # bytes on the way in one direction


class Direction:
    """Bytes from one end to the other."""

    def __init__(self, condition: threading.Condition) -> None:
        self.condition = condition
        self.waiting = bytearray()
        self.carried = 0
        self.limit: int | None = None
        self.is_closed = False
        self.error: int | None = None


class MemoryStream:
    """One end."""

    def __init__(self, inward: Direction, outward: Direction) -> None:
        self._in, self._out = inward, outward
        self._condition = inward.condition
        self._deadline: float | None = None
        self.state = srtpy.ConnState.CONNECTED
        self.stream_id = ""

    def set_read_deadline(self, t: float | None) -> None:
        self._deadline = t

    def read(self, size: int = -1) -> bytes:
        with self._condition:
            while not self._in.waiting:
                if self.state is srtpy.ConnState.BROKEN:
                    raise srtpy.ConnectionBrokenError()
                if self._in.is_closed:
                    return b""
                left = None if self._deadline is None else self._deadline - time.monotonic()
                if left is not None and left <= 0:
                    raise srtpy.DeadlineError()
                self._condition.wait(left)
            taken = bytes(self._in.waiting[:size] if size >= 0 else self._in.waiting)
            del self._in.waiting[: len(taken)]
            self._condition.notify_all()
            return taken

    def write(self, data: bytes) -> int:
        out = self._out
        with self._condition:
            while len(out.waiting) >= ROOM and self.state is srtpy.ConnState.CONNECTED and out.error is None:
                self._condition.wait()
            if out.error is not None:
                raise srtpy.PeerError(out.error)
            if self.state is not srtpy.ConnState.CONNECTED:
                raise srtpy.ConnectionBrokenError()
            if out.is_closed or self._in.is_closed:
                raise srtpy.PeerShutdownError()
            if out.limit is not None and out.carried + len(data) > out.limit:
                out.waiting += data[: out.limit - out.carried]
                self.cut()
                return len(data)
            out.waiting += data
            out.carried += len(data)
            self._condition.notify_all()
            return len(data)

    def send_peer_error(self, code: int = srtpy.PEER_ERROR_FILE_SYSTEM) -> None:
        with self._condition:
            self._in.error = code
            self._condition.notify_all()

    def get_option(self, option: srtpy.SockOpt) -> object:
        return len(self._out.waiting)

    def close(self) -> None:
        with self._condition:
            self._out.is_closed = True
            self._condition.notify_all()

    def cut(self) -> None:
        """Lose the connection, at both ends."""
        with self._condition:
            self.other.state = self.state = srtpy.ConnState.BROKEN
            self._condition.notify_all()

    other: MemoryStream


def joined(limit: int | None = None) -> tuple[MemoryStream, MemoryStream]:
    """Return two ends; what the first writes is cut off after so many bytes."""
    condition = threading.Condition(threading.RLock())
    forth, back = Direction(condition), Direction(condition)
    forth.limit = limit
    one, two = MemoryStream(back, forth), MemoryStream(forth, back)
    one.other, two.other = two, one
    return one, two
