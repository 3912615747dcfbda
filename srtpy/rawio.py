"""A connection as a file: what `Conn.makefile` hands out.

Lives here: the raw file over a connection in live mode's manner (a write is cut into packets,
a read takes all messages that are ready and fit), and buffered files that flush it.
Never here: how buffering is done (io), the connection (conn.py).
"""

from __future__ import annotations

import io
from collections import deque
from typing import Any, Final, Protocol

from srtpy.errors import DeadlineError, WouldBlockError

TS_PAYLOAD: Final = 1316
"""Seven packets of MPEG-TS: what a live packet carries unless `payload_size` says otherwise."""


class Stream(Protocol):
    """What a file needs of a connection."""

    def read(self, size: int = -1) -> bytes:
        """Take one message, or a part of it."""

    def read_many(self, limit: int = 64) -> list[bytes]:
        """Take all messages that are ready, and wait for one."""

    def write(self, data: bytes) -> int:
        """Send one message."""

    def write_many(self, messages: list[bytes]) -> int:
        """Send messages; say how many were taken."""


class ConnIO(io.RawIOBase):
    """The raw file over a connection; closing it leaves the connection open.

    With a `payload_size` of 0 the connection carries a stream of bytes, and nothing is cut.

    Attributes:
        mode: "rb", "wb" or "rwb".
        name: says which connection, for messages.
    """

    def __init__(self, stream: Stream, mode: str, payload_size: int, largest_message: int, name: str) -> None:
        super().__init__()
        self.mode = mode
        self.name = name
        self._stream = stream
        self._payload_size = payload_size
        self._largest_message = largest_message
        self._left: deque[bytes] = deque()
        self._tail = b""
        self._has_timed_out = False

    def readable(self) -> bool:
        """Whether it was opened for reading."""
        self._check_open()
        return "r" in self.mode

    def writable(self) -> bool:
        """Whether it was opened for writing."""
        self._check_open()
        return "w" in self.mode

    def _check_open(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")

    def readinto(self, buffer: Any) -> int | None:
        """Fill `buffer` with all messages that are ready and fit; wait for the first.

        Returns:
            The number of bytes; 0 at the end; None if there is nothing and waiting is switched off.

        Raises:
            OSError: an earlier read has timed out: what had been buffered then is lost, so no more is read.
        """
        if not self.readable():
            raise io.UnsupportedOperation("not opened for reading")
        if self._has_timed_out:
            raise OSError("cannot read from a file after a timeout; make a new one")
        view = memoryview(buffer).cast("B")
        if not len(view):
            return 0
        if not self._left:
            try:
                self._fetch(len(view))
            except WouldBlockError:
                return None
            except DeadlineError:
                self._has_timed_out = True
                raise
        return self._pour(view)

    def _fetch(self, space: int) -> None:
        messages = space // self._largest_message
        if messages:
            self._left.extend(self._stream.read_many(messages))
            return
        part = self._stream.read(space)
        if part:
            self._left.append(part)

    def _pour(self, view: memoryview) -> int:
        filled = 0
        while self._left and filled < len(view):
            message = self._left.popleft()
            space = len(view) - filled
            if len(message) > space:
                self._left.appendleft(message[space:])
                message = message[:space]
            view[filled : filled + len(message)] = message
            filled += len(message)
        return filled

    def write(self, data: Any) -> int | None:
        """Send `data` in packets; what does not fill one waits for more, or for `flush`.

        Returns:
            How many bytes were taken; None if there was no room at all and waiting is switched off.
        """
        if not self.writable():
            raise io.UnsupportedOperation("not opened for writing")
        if not self._payload_size:
            return self._write_bytes(memoryview(data).cast("B").tobytes())
        size, old = self._payload_size, len(self._tail)
        pending = self._tail + memoryview(data).cast("B")
        whole = len(pending) - len(pending) % size
        packets = [pending[start : start + size] for start in range(0, whole, size)]
        if packets:
            try:
                taken = self._stream.write_many(packets)
            except WouldBlockError:
                return None
            if taken < len(packets):
                self._tail = b""
                return taken * size - old
        self._tail = pending[whole:]
        return len(pending) - old

    def _write_bytes(self, data: bytes) -> int | None:
        """Write to a stream."""
        try:
            return self._stream.write(data)
        except WouldBlockError:
            return None
        except DeadlineError as error:
            if not error.bytes_taken:
                raise
            return error.bytes_taken

    def flush(self) -> None:
        """Send what has not filled a packet."""
        super().flush()
        tail, self._tail = self._tail, b""
        if tail:
            try:
                self._stream.write(tail)
            except (DeadlineError, WouldBlockError):
                self._tail = tail
                raise


class _Writer(io.BufferedWriter):
    """A buffered writer that flushes the raw file too."""

    def flush(self) -> None:
        super().flush()
        self.raw.flush()


class _Pair(io.BufferedRWPair):
    """A buffered reader and writer that flushes the raw file too."""

    def __init__(self, raw: ConnIO, size: int) -> None:
        super().__init__(raw, raw, size)
        self._below = raw

    def flush(self) -> None:
        super().flush()
        self._below.flush()


def wrap(raw: ConnIO, buffering: int) -> io.RawIOBase | io.BufferedReader | io.BufferedWriter | io.BufferedRWPair:
    """Put a buffer of `buffering` bytes around a raw file: 0 none, -1 the default size."""
    if buffering == 0:
        return raw
    size = io.DEFAULT_BUFFER_SIZE if buffering < 0 else buffering
    if raw.mode == "rb":
        return io.BufferedReader(raw, size)
    return _Writer(raw, size) if raw.mode == "wb" else _Pair(raw, size)
