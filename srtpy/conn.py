"""A connection, for applications.

Lives here: `Conn`: reading, writing, timeouts, files, statistics, options, closing - checked,
converted and handed on.
Never here: how any of it is done (session), what options and statistics there are (options.py,
stats.py), making connections (dialer.py, listener.py).
"""

from __future__ import annotations

import contextlib
import io
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeAlias

from srtpy.callbacks import CALLBACKS, Repeated
from srtpy.config import MAX_MSS, PACKET_OVERHEAD, Config
from srtpy.errors import PEER_ERROR_FILE_SYSTEM, ConnClosedError
from srtpy.inside import ConnState, Inside
from srtpy.internal.clock.units import from_seconds, to_seconds
from srtpy.internal.session.session import Session
from srtpy.msgctrl import MsgCtrl, as_read
from srtpy.observing import Observer, Watch
from srtpy.options import SockOpt, get_option, set_option
from srtpy.rawio import TS_PAYLOAD, ConnIO, wrap
from srtpy.stats import ConnStats, ExtendedConnStats
from srtpy.timeouts import seconds

BytesLike: TypeAlias = bytes | bytearray | memoryview
"""What can be written; anything else with a buffer works too."""
Address: TypeAlias = tuple[Any, ...]
"""(host, port), or the four of IPv6."""

FILE_MODES = ("rb", "wb", "rwb")


def _octets(data: BytesLike) -> bytes:
    return data if type(data) is bytes else memoryview(data).tobytes()


class Conn:
    """One SRT connection; what `dial` returns and `Listener.accept` hands out.

    In live mode, which is all there is so far, each write is one message and one packet, delivered whole, in
    order, and at its time: the moment it was written plus the latency.  Methods may be called from any thread.
    A `with` statement closes it at the end.
    """

    __slots__ = ("__weakref__", "_inside", "_observer", "_reader", "_session", "_watch", "_writer")

    __iter__ = None
    """Not iterable, so that `conn, address = listener.accept()` fails at once; iterate `messages()`."""

    def __init__(self, session: Session, config: Config) -> None:
        """Not for applications: use `dial` or `Listener.accept`."""
        self._session = session
        self._reader = session.reader
        self._writer = session.writer
        self._inside = Inside(session, config)
        self._observer = Observer(self._inside.reading)
        self._watch: Repeated | None = None

    # ---- reading

    def read(self, size: int = -1) -> bytes:
        """Read the next message, or its next `size` bytes; the rest is what is read next.

        Waits until a message is due.

        Returns:
            The bytes; b"" only once the peer has closed and everything has been read (or for `size` 0).

        Raises:
            DeadlineError: nothing came in time.
            WouldBlockError: nothing is there, and waiting is switched off.
            ConnectionBrokenError: the peer has been silent for too long; everything that came has been read.
            ConnClosedError: the connection was closed on this side.
        """
        return self._reader.read(size)

    def read_into(self, buffer: bytearray | memoryview) -> int:
        """Read into a writable buffer, as `read(len(buffer))` would; return the number of bytes, 0 at the end."""
        view = memoryview(buffer).cast("B")
        if view.readonly:
            raise TypeError("read_into needs a writable buffer")
        return self._reader.read_into(view)

    def read_many(self, limit: int = 64) -> list[bytes]:
        """Wait for one message, return all that are ready, at most `limit`; [] at the end."""
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
        """Write one message; waits until the send buffer has taken it.

        What is too late for the peer to play is dropped rather than sent, as is live's manner.

        Args:
            data: any bytes-like object, at most `payload_size` bytes; nothing is sent for an empty one.

        Returns:
            The number of bytes, all of them.

        Raises:
            MessageTooLargeError: it does not fit into a packet.
            DeadlineError: the buffer stayed full; `bytes_taken` says how much was taken.
            WouldBlockError: the buffer is full, and waiting is switched off.
            PeerShutdownError: the peer has closed.
            PeerError: the peer has reported a failure.
            ConnectionBrokenError: the peer has been silent for too long.
            ConnClosedError: the connection was closed on this side.
        """
        return self._writer.write(_octets(data))

    def write_many(self, messages: Iterable[BytesLike]) -> int:
        """Write many messages in one call; cheaper than one by one.

        Returns:
            How many were taken: all of them, unless time was up in the middle.

        Raises:
            What `write` raises, and only if none was taken for want of time.
        """
        return self._writer.write_many([_octets(message) for message in messages])

    def write_message(self, data: BytesLike) -> int:
        """Write one message; the same as `write` in live mode."""
        return self.write(data)

    def write_msg_ctrl(self, data: BytesLike, msg_ctrl: MsgCtrl) -> int:
        """Write one message with an origin time, a time to live or freedom of order of its own."""
        stamp = None if msg_ctrl.src_time is None else from_seconds(msg_ctrl.src_time)
        if stamp is not None and stamp < self._session.negotiated.start:
            stamp = None
        ttl = seconds(msg_ctrl.msg_ttl, "msg_ttl")
        return self._writer.write_control(
            _octets(data), stamp, None if ttl is None else from_seconds(ttl), msg_ctrl.in_order
        )

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
        return self.read_into(view[:nbytes] if nbytes else view)

    def send(self, data: BytesLike) -> int:
        """Write one message, as `write`."""
        return self.write(data)

    def sendall(self, data: BytesLike) -> None:
        """Write one message, as `write`."""
        self.write(data)

    def getpeername(self) -> Address:
        """Return the peer's address, as `socket.getpeername`."""
        return self.remote_addr

    def getsockname(self) -> Address:
        """Return our address, as `socket.getsockname`."""
        return self.local_addr

    def settimeout(self, timeout: float | None) -> None:
        """Limit every read and write to so many seconds; 0: do not wait at all; None: as long as it takes."""
        self._inside.timeouts.set_timeout(timeout)

    def gettimeout(self) -> float | None:
        """Return what `settimeout` set."""
        return self._inside.timeouts.timeout

    def setblocking(self, flag: bool) -> None:
        """Be `settimeout(None)` or `settimeout(0.0)`."""
        self.settimeout(None if flag else 0.0)

    def getblocking(self) -> bool:
        """Say whether calls may wait, as far as `settimeout` goes."""
        return self.gettimeout() != 0

    # ---- deadlines

    def set_deadline(self, t: float | None) -> None:
        """Let reads and writes wait until that instant of `time.monotonic()`, and no longer; None: no such instant."""
        timeouts = self._inside.timeouts
        timeouts.set_at(t, timeouts.reading, timeouts.writing)

    def set_read_deadline(self, t: float | None) -> None:
        """Let reads wait until that instant of `time.monotonic()`; a read that waits now is told."""
        self._inside.timeouts.set_at(t, self._inside.timeouts.reading)

    def set_write_deadline(self, t: float | None) -> None:
        """Let writes wait until that instant of `time.monotonic()`; a write that waits now is told."""
        self._inside.timeouts.set_at(t, self._inside.timeouts.writing)

    # ---- as a file

    def makefile(
        self, mode: str = "rb", buffering: int = -1
    ) -> io.RawIOBase | io.BufferedReader | io.BufferedWriter | io.BufferedRWPair:
        """Return a file over the connection; closing it leaves the connection open.

        Reading takes all messages that are ready and fit.  Writing cuts into packets of `payload_size` (1316
        bytes, seven packets of MPEG-TS, when that is unset); what does not fill one waits for more or for
        `flush()`.  After a timeout it refuses to read on.  With `buffering=0` reads return what has come; a
        buffered reader waits until its buffer is full, which is no good for live media.

        Args:
            mode: "rb", "wb" or "rwb".
            buffering: 0 for none, -1 for the default size, else the size in bytes.

        Raises:
            ValueError: another mode.
        """
        if mode not in FILE_MODES:
            raise ValueError(f"mode={mode!r}: use one of {', '.join(FILE_MODES)}")
        size = min(self._inside.config.payload_size or TS_PAYLOAD, self._session.negotiated.payload_size)
        return wrap(ConnIO(self, mode, size, MAX_MSS - PACKET_OVERHEAD, repr(self)), buffering)

    # ---- closing

    def close(self) -> None:
        """Close the connection; any thread may, and as often as it likes.  Wakes whoever waits in a read or write.

        With `linger` unset the peer is told once it has acknowledged everything and its latency has passed, at
        most the latency and a second from now: told at once, peers drop what they have not played yet.
        """
        if self._watch is not None:
            self._watch.cancel()
        self._session.close()
        self._observer.freeze()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        session = getattr(self, "_session", None)
        if session is None or ConnState(session.state) >= ConnState.CLOSING:
            return
        warnings.warn(f"unclosed connection {self!r}", ResourceWarning, stacklevel=2, source=self)
        # on a thread: a collection may come while this very thread holds the session's lock
        with contextlib.suppress(RuntimeError):
            threading.Thread(target=session.shut_down, name="srt-unclosed", daemon=True).start()

    @property
    def closed(self) -> bool:
        """Whether the connection was closed on this side."""
        return self.state >= ConnState.CLOSING

    # ---- who and how

    @property
    def state(self) -> ConnState:
        """Where the connection stands."""
        return self._inside.state

    @property
    def local_addr(self) -> Address:
        """Our address."""
        return self._session.local_address

    @property
    def remote_addr(self) -> Address:
        """The peer's address."""
        return self._session.remote_address

    @property
    def socket_id(self) -> int:
        """Our socket id."""
        return self._session.negotiated.socket_id

    @property
    def peer_socket_id(self) -> int:
        """The peer's socket id."""
        return self._session.negotiated.peer_socket_id

    @property
    def stream_id(self) -> str:
        """The stream id: the caller's, on both sides."""
        return self._session.negotiated.stream_id

    @property
    def peer_version(self) -> int:
        """The SRT version the peer says it speaks, as 0x010503."""
        return self._session.negotiated.peer_version

    def __repr__(self) -> str:
        stream = f" stream_id={self.stream_id!r}" if self.stream_id else ""
        return f"<srtpy.Conn {self.state} {self.local_addr} - {self.remote_addr} id={self.socket_id}{stream}>"

    # ---- statistics

    def stats(self, clear: bool = False) -> ConnStats:
        """Return statistics since the beginning; with `clear`, since the last call with `clear`.  Works after close."""
        return self._observer.stats(clear)

    def extended_stats(self, clear: bool = False) -> ExtendedConnStats:
        """Return `stats` and smoothed figures."""
        return self._observer.extended(clear)

    def on_stats(self, interval: float, callback: Callable[[ConnStats], object] | None) -> None:
        """Have `callback` called with the statistics of each interval; one at a time, a new one replaces the old.

        It runs on a thread of its own that all connections share: it delays no stream, only other callbacks.
        `stats(clear=True)` and it do not disturb each other.

        Args:
            interval: seconds; 0 means 1.
            callback: None ends it, as closing does.
        """
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if callback is None:
            return
        if not callable(callback):
            raise TypeError(f"on_stats takes a callable or None, not {type(callback).__name__}")
        if self.closed:
            raise ConnClosedError()
        self._watch = CALLBACKS.every(interval if interval > 0 else 1.0, Watch(self._observer, callback))

    def send_rate(self) -> tuple[float, float]:
        """Return packets and bytes sent a second: over the last second, or since the last look if that is longer."""
        return self._observer.send_rate()

    def avg_snd_buf_size(self) -> float:
        """Return the smoothed number of packets in the send buffer."""
        return self._observer.averages()[0]

    def avg_snd_buf_bytes(self) -> float:
        """Return the smoothed number of bytes in the send buffer."""
        return self._observer.averages()[1]

    def avg_rcv_buf_size(self) -> float:
        """Return the smoothed number of packets in the receive buffer."""
        return self._observer.averages()[2]

    def avg_rcv_buf_bytes(self) -> float:
        """Return the smoothed number of bytes in the receive buffer."""
        return self._observer.averages()[3]

    # ---- options

    def get_option(self, option: SockOpt) -> Any:
        """Return an option's value; durations are seconds.

        Raises:
            InvalidOptionError: there is no such option.
            ConnClosedError: the connection is closed; only `SockOpt.STATE` can still be read.
        """
        return get_option(self._inside, option)

    def set_option(self, option: SockOpt, value: object) -> None:
        """Set an option that can change while connected.

        Raises:
            InvalidOptionError, ReadOnlyOptionError, PreConnectOnlyError: not an option, or not to be set now.
            TypeError, ValueError: not a value for it.
            ConnClosedError: the connection is closed.
        """
        set_option(self._inside, option, value)

    def set_max_bw(self, n: int | None) -> None:
        """Limit the sending rate to `n` bytes a second; -1: no limit; 0: from the input; None: the default."""
        self.set_option(SockOpt.MAX_BW, n)

    # ---- control packets

    def send_peer_error(self, code: int = PEER_ERROR_FILE_SYSTEM) -> None:
        """Tell the peer that we failed: its writes raise `PeerError` from then on.

        Raises:
            ValueError: not a 32-bit number.
            ConnClosedError: the connection is closed.
        """
        if not 0 <= code <= 0xFFFFFFFF:
            raise ValueError(f"code={code} is out of range: 0 to 4294967295")
        self._check_open()
        self._inside.send_peer_error(code)

    def send_keep_alive(self) -> None:
        """Tell the peer that we are here, at once rather than when nothing else has been said for a second."""
        self._check_open()
        self._inside.send_keepalive()

    def _check_open(self) -> None:
        if self.closed:
            raise ConnClosedError()
