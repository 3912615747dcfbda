"""Reading and writing, for applications: what connections have in common.

Lives here: `Channel`: the read and write family, as a socket and as a file, timeouts and
deadlines - checked, converted and handed on.
Never here: how any of it is done (session.reading, session.writing), what else a connection
is and can do (conn.py).
"""

from __future__ import annotations

import io
import sys
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from math import isfinite
from operator import index
from typing import Any, Final, TypeAlias

from srtpy.errors import DeadlineError, WouldBlockError
from srtpy.internal.clock.units import Micros, from_seconds, to_seconds
from srtpy.internal.session.reading import Reader
from srtpy.internal.session.streaming import StreamReader, StreamWriter
from srtpy.internal.session.writing import Writer
from srtpy.limits import MAX_MSS, PACKET_OVERHEAD
from srtpy.msgctrl import MsgCtrl, as_read
from srtpy.rawio import ConnIO, wrap
from srtpy.timeouts import Timeouts, seconds

BytesLike: TypeAlias = bytes | bytearray | memoryview
"""What can be written; anything else with a buffer works too."""
Address: TypeAlias = tuple[Any, ...]
"""(host, port), or the four of IPv6."""

FILE_MODES: Final = ("rb", "wb", "rwb")


def _octets(data: BytesLike) -> bytes:
    return data if type(data) is bytes else memoryview(data).tobytes()


class Channel(ABC):
    """Something messages are read from and written to."""

    __slots__ = ("_reader", "_timeouts", "_writer")

    _reader: Reader | StreamReader
    _writer: Writer | StreamWriter
    _timeouts: Timeouts

    __iter__ = None
    """Not iterable, so that `conn, address = listener.accept()` fails at once; iterate `messages()`."""

    def __getstate__(self) -> object:
        """Refuse to be pickled or copied, as a `socket.socket` does: a copy would close the original."""
        raise TypeError(f"cannot pickle or copy {type(self).__name__!r} object")

    @property
    @abstractmethod
    def _born(self) -> Micros:
        """When it began, on our clock."""

    @property
    @abstractmethod
    def _packet_size(self) -> int:
        """Into how long packets a file is cut; 0: it is not."""

    @property
    @abstractmethod
    def local_addr(self) -> Address:
        """Our address."""

    @property
    @abstractmethod
    def remote_addr(self) -> Address:
        """The peer's address."""

    # ---- reading

    def read(self, size: int = -1) -> bytes:
        """Read the next message, or its next `size` bytes; the rest is what is read next.  Of a stream, what is ready.

        Waits until a message is due, or a stream has a byte.  A stream's `read()` never waits for the end.

        Returns:
            The bytes; b"" only once the peer has closed and everything has been read (or for `size` 0).

        Raises:
            DeadlineError: nothing came in time.
            WouldBlockError: nothing is there, and waiting is switched off.
            ConnectionBrokenError: the peer has been silent for too long, or in file mode closed before all it had
                written had arrived; everything that came has been read.
            ConnClosedError: the connection was closed on this side.
        """
        return self._reader.read(index(size))

    def read_into(self, buffer: bytearray | memoryview) -> int:
        """Read into a writable buffer, as `read(len(buffer))` would; return the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("read_into needs a writable buffer")
        return self._reader.read_into(view)

    def read_many(self, limit: int = 64) -> list[bytes]:
        """Wait for one message, return all that are ready, at most `limit`; [] at the end.

        Of a stream: what is ready, in pieces as they came.
        """
        return self._reader.read_many(limit)

    def messages(self) -> Iterator[bytes]:
        """Iterate over the messages until the end; raises what `read` raises."""
        while message := self.read():
            yield message

    def read_message(self) -> bytes:
        """Read the next message whole; b"" at the end."""
        return self._reader.read()

    def read_msg_ctrl(self) -> tuple[bytes, MsgCtrl]:
        """Read the next message and what goes with it; b"" at the end."""
        found = self._reader.read_message()
        if found is None:
            return b"", MsgCtrl()
        (payload, sequence, word, _), due = found
        return payload, as_read(sequence, word, to_seconds(due))

    # ---- writing

    def write(self, data: BytesLike) -> int:
        """Write one message, or bytes of a stream; waits until the send buffer has taken all of it.

        In live mode what is too late for the peer to play is dropped rather than sent.

        Args:
            data: any bytes-like object; nothing is sent for an empty one.  A live message has `payload_size`
                bytes at most, a file's has to fit into the send buffer and the peer's receive buffer.

        Returns:
            The number of bytes, all of them; of a stream perhaps fewer, if waiting is switched off.

        Raises:
            MessageTooLargeError: it does not fit; nothing of it was sent.
            DeadlineError: the buffer stayed full; `bytes_taken` says how much of a stream was taken.
            WouldBlockError: the buffer is full, and waiting is switched off.
            PeerShutdownError: the peer has closed.
            PeerError: the peer has reported a failure.
            ConnectionBrokenError: the peer has been silent for too long.
            ConnClosedError: the connection was closed on this side.
        """
        return self._writer.write(data if type(data) is bytes else _octets(data))

    def write_many(self, messages: Iterable[BytesLike]) -> int:
        """Write many messages in one call; cheaper than one by one.

        What an iterator yields is collected first: one that goes on without end, or at a stream's pace, is for `write`.

        Returns:
            How many were taken: all of them, unless time was up in the middle.

        Raises:
            What `write` raises, and only if none was taken for want of time.
        """
        return self._writer.write_many([_octets(message) for message in messages])

    def write_message(self, data: BytesLike) -> int:
        """Write one message; the same as `write`."""
        return self.write(data)

    def write_msg_ctrl(self, data: BytesLike, msg_ctrl: MsgCtrl) -> int:
        """Write one message with an origin time, a time to live or freedom of order of its own."""
        if not isinstance(msg_ctrl, MsgCtrl):
            raise TypeError(f"msg_ctrl is a MsgCtrl, not {type(msg_ctrl).__name__}")
        source_time = msg_ctrl.src_time
        if source_time is not None and not isfinite(source_time):
            raise ValueError(f"src_time={source_time} is no instant of time.monotonic()")
        stamp = None if source_time is None else from_seconds(source_time)
        if stamp is not None and stamp < self._born:
            stamp = None
        ttl = seconds(msg_ctrl.msg_ttl, "msg_ttl")
        lifetime = None if ttl is None or not isfinite(ttl) else from_seconds(ttl)
        return self._writer.write_control(_octets(data), stamp, lifetime, msg_ctrl.in_order)

    # ---- as a socket

    def recv(self, size: int) -> bytes:
        """Read at most `size` bytes, as `socket.recv`."""
        if size < 0:
            raise ValueError("negative buffersize in recv")
        return self.read(size)

    def recv_into(self, buffer: bytearray | memoryview, nbytes: int = 0) -> int:
        """Read into a buffer, at most `nbytes` if given, as `socket.recv_into`."""
        if nbytes < 0:
            raise ValueError("negative buffersize in recv_into")
        view = memoryview(buffer).cast("B")
        if nbytes > len(view):
            raise ValueError("buffer too small for requested bytes")
        return self.read_into(view[:nbytes] if nbytes else view)

    def send(self, data: BytesLike) -> int:
        """Write one message, or bytes of a stream; return how many were taken: of a stream perhaps only the first."""
        try:
            return self.write(data)
        except (DeadlineError, WouldBlockError) as error:
            if not error.bytes_taken:
                raise
            return error.bytes_taken

    def sendall(self, data: BytesLike) -> None:
        """Write one message, or all bytes of a stream; an error's `bytes_taken` says how many were taken."""
        octets = _octets(data)
        taken = self.write(octets)
        if taken < len(octets):
            error = WouldBlockError(f"the send buffer took {taken} of {len(octets)} bytes, and waiting is switched off")
            error.bytes_taken = taken
            raise error

    def getpeername(self) -> Address:
        """Return the peer's address, as `socket.getpeername`."""
        return self.remote_addr

    def getsockname(self) -> Address:
        """Return our address, as `socket.getsockname`."""
        return self.local_addr

    def settimeout(self, timeout: float | None) -> None:
        """Limit every read and write to so many seconds; 0: do not wait at all; None: as long as it takes."""
        self._timeouts.set_timeout(timeout)

    def gettimeout(self) -> float | None:
        """Return what `settimeout` set."""
        return self._timeouts.timeout

    def setblocking(self, flag: bool) -> None:
        """Be `settimeout(None)` or `settimeout(0.0)`."""
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Say whether calls may wait, as far as `settimeout` goes."""
        return self.gettimeout() != 0

    # ---- deadlines

    def set_deadline(self, t: float | None) -> None:
        """Let reads and writes wait until that instant of `time.monotonic()`, and no longer; None: no such instant."""
        timeouts = self._timeouts
        timeouts.set_at(t, timeouts.reading, timeouts.writing)

    def set_read_deadline(self, t: float | None) -> None:
        """Let reads wait until that instant of `time.monotonic()`; a read that waits now is told."""
        self._timeouts.set_at(t, self._timeouts.reading)

    def set_write_deadline(self, t: float | None) -> None:
        """Let writes wait until that instant of `time.monotonic()`; a write that waits now is told."""
        self._timeouts.set_at(t, self._timeouts.writing)

    # ---- as a file

    def makefile(
        self, mode: str = "rb", buffering: int = -1
    ) -> io.RawIOBase | io.BufferedReader | io.BufferedWriter | io.BufferedRWPair:
        """Return a file over the connection; closing it leaves the connection open.

        Reading takes all messages that are ready and fit.  Writing cuts into packets of `payload_size` (1316
        bytes, seven packets of MPEG-TS, when that is unset and the mode is live); what does not fill one waits
        for more or for `flush()`.  A stream is read and written as it is.  After a timeout it refuses to read
        on.  With `buffering=0` reads return what has come; a buffered reader waits until its buffer is full,
        which is no good for live media.

        Args:
            mode: "rb", "wb" or "rwb".
            buffering: 0 for none, -1 for the default size, else the size in bytes.

        Raises:
            ValueError: another mode.
        """
        if mode not in FILE_MODES:
            raise ValueError(f"mode={mode!r}: use one of {', '.join(FILE_MODES)}")
        largest = sys.maxsize if self._writer.limits.largest > MAX_MSS else MAX_MSS - PACKET_OVERHEAD
        return wrap(ConnIO(self, mode, self._packet_size, largest, repr(self)), buffering)
