"""A connection, for applications.

Lives here: `Conn`: who and how it is, statistics, options, closing - checked, converted and
handed on.
Never here: reading and writing (channel.py), how any of it is done (session), what options and
statistics there are (options.py, stats.py), making connections (dialer.py, listener.py).
"""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, Final, Self

from srtpy.bulk import BLOCK, Sink, Source, recv_file, send_file
from srtpy.callbacks import CALLBACKS, Repeated
from srtpy.channel import Address, Channel
from srtpy.config import Config
from srtpy.errors import PEER_ERROR_FILE_SYSTEM, ConnClosedError, WouldBlockError
from srtpy.inside import Inside
from srtpy.internal.clock.units import Micros
from srtpy.internal.session.dialing import Dialing
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import AT_ONCE, Deadline
from srtpy.observing import Observer, Watch
from srtpy.options import SockOpt, get_option, set_option
from srtpy.rawio import TS_PAYLOAD
from srtpy.stats import ConnStats, ExtendedConnStats
from srtpy.timeouts import Patience, Timeouts, seconds
from srtpy.unclosed import end_unclosed

_SETTLING: Final = threading.Lock()
"""Over the moment a session becomes a connection's; never waited for long."""


class _Later:
    """Stands for a part of a connection that is still being made; whoever needs it learns how that stands."""

    __slots__ = ("_conn", "_part")

    def __init__(self, conn: Conn, part: str) -> None:
        self._conn = conn
        self._part = part

    def __getattr__(self, name: str) -> Any:
        self._conn._settle(AT_ONCE)
        return getattr(getattr(self._conn, self._part), name)


class Conn(Channel):
    """One SRT connection; what `dial` returns and `Listener.accept` hands out.

    In live mode each write is one message and one packet, delivered whole, in order, and at its time: the moment
    it was written plus the latency.  In file mode (`trans_type=FILE`) everything is delivered, as fast as it goes:
    a stream of bytes, or with `message_api=True` messages.  Methods may be called from any thread.
    A `with` statement closes it at the end.
    """

    __slots__ = (
        *("__weakref__", "_config", "_dialing", "_is_given_up", "_watch"),
        *("_inside", "_observer", "_session"),
    )

    def __init__(self, session: Session, config: Config) -> None:
        """Not for applications: use `dial` or `Listener.accept`."""
        self._begin(config)
        self._adopt(session)

    def _begin(self, config: Config) -> None:
        self._config = config
        self._dialing: Dialing | None = None
        self._is_given_up = False
        self._timeouts = Timeouts(config.rcv_syn, config.snd_syn)
        self._watch: Repeated | None = None

    def _adopt(self, session: Session) -> None:
        self._inside = Inside(session, self._config, self._timeouts)
        self._observer = Observer(self._inside.reading)
        self._reader = session.reader
        self._writer = session.writer
        self._session = session
        self._timeouts.attach(session.set_read_deadline, session.set_write_deadline)
        self._dialing = None

    # ---- connecting

    @classmethod
    def _connecting(cls, dialing: Dialing, config: Config) -> Self:
        """Return a connection that is still being made."""
        conn = cls.__new__(cls)
        conn._begin(config)
        conn._dialing = dialing
        for part in ("_inside", "_observer", "_reader", "_session", "_writer"):
            setattr(conn, part, _Later(conn, part))
        return conn

    def _settle(self, deadline: Deadline) -> None:
        """Have a session, or raise why there is none."""
        dialing = self._dialing
        if dialing is None:
            return
        if self._is_given_up:
            raise ConnClosedError()
        try:
            session = dialing.wait(deadline)
        except WouldBlockError:
            raise WouldBlockError("not yet connected; wait_connected() waits until it is") from None
        with _SETTLING:
            if self._dialing is not None:
                self._adopt(session)

    def wait_connected(self, timeout: float | None = None) -> None:
        """Wait until a connection dialled with `wait=False` is established.

        Until then reading, writing and looking raise `WouldBlockError`; timeouts can be set.

        Raises:
            DeadlineError: not yet; the attempt goes on, for `conn_timeout` in all.
            OSError: what `dial` raises.
        """
        self._settle(Deadline.after(seconds(timeout, "timeout")))

    @property
    def _born(self) -> Micros:
        return self._session.negotiated.start

    @property
    def _packet_size(self) -> int:
        negotiated = self._session.negotiated
        if negotiated.tsbpd_receive:
            return min(self._config.payload_size or TS_PAYLOAD, negotiated.payload_size)
        return negotiated.payload_size if negotiated.message_api else 0

    # ---- closing

    def close(self) -> None:
        """Close the connection and wake readers and writers; any thread or signal handler may, again and again.

        With `linger` unset the peer is told once it has acknowledged everything and its latency has passed, at
        most the latency and a second from now: told at once, peers drop what they have not played yet.
        """
        if self._watch is not None:
            self._watch.cancel()
        dialing = self._dialing
        if dialing is None:
            self._session.close()
            if self.state is ConnState.CLOSED:  # else we are on a thread that must not wait for the end
                self._observer.freeze()
        else:
            self._is_given_up = True
            dialing.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        # a collection may come while this very thread holds the session's lock: nothing here may want it
        if not hasattr(self, "_session"):
            return
        dialing, watch = self._dialing, self._watch
        if self.closed if dialing is None else self._is_given_up or dialing.has_failed:
            return
        shown = repr(self) if dialing is None else "<srtpy.Conn connecting>"
        warnings.warn(f"unclosed connection {shown}", ResourceWarning, stacklevel=2, source=self)
        ends = [self._session.shut_down if dialing is None else dialing.close]
        if watch is not None:
            ends.append(watch.cancel)
        end_unclosed(*ends)

    @property
    def closed(self) -> bool:
        """Whether the connection was closed on this side."""
        return self.state >= ConnState.CLOSING

    # ---- who and how

    @property
    def state(self) -> ConnState:
        """Where the connection stands: CONNECTING, CONNECTED, BROKEN (the peer is gone), CLOSING, CLOSED."""
        dialing = self._dialing
        if dialing is None:
            return self._inside.state
        if not dialing.is_settled:
            return ConnState.CONNECTING
        try:
            self._settle(AT_ONCE)
        except ConnClosedError:
            return ConnState.CLOSED
        except OSError:
            return ConnState.BROKEN
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
        """The SRT version the peer says it speaks, as 0x010505."""
        return self._session.negotiated.peer_version

    def __repr__(self) -> str:
        state = self.state
        if self._dialing is not None:
            return f"<srtpy.Conn {state}>"
        stream = f" stream_id={self.stream_id!r}" if self.stream_id else ""
        return f"<srtpy.Conn {state} {self.local_addr} - {self.remote_addr} id={self.socket_id}{stream}>"

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
            interval: seconds, 0.01 at least; 0 means 1.
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
        self._watch = CALLBACKS.every(seconds(interval, "interval") or 1.0, Watch(self._observer, callback))

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
            WouldBlockError: it is still being made; only `SockOpt.STATE` can be read.
        """
        return self.state if option == SockOpt.STATE else get_option(self._inside, option)

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

    # ---- whole files

    def send_file(self, file: Source, offset: int = 0, count: int | None = None) -> int:
        """Write a file, as `socket.sendfile`; file mode only.

        A stream carries its bytes; with `message_api=True` they go in messages of up to a megabyte.

        Args:
            file: opened in binary mode.  Afterwards it stands behind what was taken, whatever happens.
            offset: where in the file to begin; a file that cannot be positioned is sent from where it stands.
            count: how many bytes; None for all.

        Returns:
            How many bytes were taken.

        Raises:
            ValueError: live mode, where what is late is dropped; waiting is switched off; not a binary file.
            PeerError: the peer has failed, 4000: its disk.
            OSError: what `write` raises, with `bytes_taken`, or the file.
        """
        self._check_bulk("send_file", self._timeouts.writing)
        limits = self._writer.limits
        return send_file(self.write, file, min(BLOCK * limits.payload_size, limits.largest), offset, count)

    sendfile = send_file

    def recv_file(self, file: Sink, count: int | None = None) -> int:
        """Read into a file what comes, until the peer closes or `count` bytes have come; file mode only.

        Args:
            file: opened in binary mode.
            count: how many bytes; None for all.

        Returns:
            How many bytes came; fewer than `count` only if the peer has closed.

        Raises:
            ValueError: live mode; waiting is switched off; not a binary file.
            OSError: what `read` raises; or the file, after the peer has been told (its writes raise `PeerError`).
        """
        self._check_bulk("recv_file", self._timeouts.reading)
        return recv_file(self._reader.read_pieces, file, count, self.send_peer_error)

    def _check_bulk(self, what: str, patience: Patience) -> None:
        if self._session.negotiated.tsbpd_receive:
            raise ValueError(f"{what} needs file mode (trans_type=FILE on both sides): live mode drops what is late")
        if self._timeouts.timeout == 0 or not patience.is_blocking:
            raise ValueError(f"{what} waits, and waiting is switched off (settimeout(0), SND_SYN or RCV_SYN off)")

    # ---- control packets

    def send_peer_error(self, code: int = PEER_ERROR_FILE_SYSTEM) -> None:
        """Tell the peer that we failed: its writes raise `PeerError` from then on.

        Raises:
            TypeError: not a whole number.
            ValueError: not a 32-bit number.
            ConnClosedError: the connection is closed.
        """
        if not isinstance(code, int):
            raise TypeError(f"code is a whole number, 0 to 4294967295, not {type(code).__name__}")
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
