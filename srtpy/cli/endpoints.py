"""Where a stream comes from and where it goes: SRT, files, standard input and output, and what an address means.

Lives here: the ends of these kinds; which end a text describes; which two do not go together.
Never here: what every end does (end.py), UDP (udp_end.py), moving data (pump.py), SRT URLs (srtpy.url).
Source: srt-live-transmit's URL forms.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Final

import srtpy
from srtpy.cli.end import READ_MESSAGES, End
from srtpy.cli.mpegts import MESSAGE_SIZE, SYNC
from srtpy.cli.turned_away import telling
from srtpy.cli.udp_end import UdpEnd
from srtpy.url import SrtUrl, host_and_port, parse_url

ACCEPT_STEP: Final = 0.5  # seconds between looks at whether we are to stop
_Reason = srtpy.RejectReason
MISFITS: Final = {  # settings of the two ends that do not go together, which waiting does not change
    *(_Reason.BAD_SECRET, _Reason.UNSECURE, _Reason.CRYPTO, _Reason.VERSION),
    *(_Reason.MESSAGE_API, _Reason.CONGESTION, _Reason.FILTER),
}


class SrtEnd(End):
    """An srt:// URL: calls, or listens and accepts one peer at a time."""

    is_live = reopens = has_link = True

    def __init__(self, url: str, stream_id: str | None = None) -> None:
        self._where: SrtUrl = parse_url(url, is_quiet=True)  # `from_url` warns below
        name = f"srt://{host_and_port(self._where.local if self._where.mode == 'listener' else self._where.remote)}"
        super().__init__(f"{name} ({self._where.mode})")
        if self._where.mode == "rendezvous":  # the URL itself may hold a passphrase
            raise ValueError(
                f"{name}: mode=rendezvous is not supported yet: use caller or listener "
                "(a URL with a host and an adapter, and no mode, means rendezvous)"
            )
        self.calls = self._where.mode == "caller"
        self._config = srtpy.Config.from_url(url)
        if stream_id is not None:
            self._config.stream_id = stream_id
        self._listener: srtpy.Listener | None = None
        self._has_been_open = False

    @property
    def listens_on(self) -> int:
        """The port it listens on; 0: it calls, or takes any."""
        return 0 if self.calls else self._where.local[1]

    @property
    def calls_here(self) -> int:
        """The port of this machine it calls; 0: it listens, or calls another machine."""
        host, port = self._where.remote
        return port if self.calls and (host in ("", "localhost", "::1") or host.startswith("127.")) else 0

    def open(self) -> None:
        """Dial, or wait for a caller; `stop` ends the wait."""
        conn = self._dial() if self.calls else self._accept()
        conn.settimeout(self._where.timeout)
        self.conn = conn
        self._has_been_open = True

    def _dial(self) -> srtpy.Conn:
        """Call; a peer that refuses our settings, and has never taken them, is not called again."""
        try:
            return srtpy.dial(self._where.remote, self._config)
        except srtpy.RejectedError as error:
            if error.reason in MISFITS and not self._has_been_open:
                self.reopens = False
            raise

    def peer(self) -> str:
        """Say who is connected, with what latency and stream id."""
        conn = self.conn
        if conn is None:
            return ""
        latency = f"{conn.stats().negotiated_latency * 1000:g} ms"
        stream_id = f", stream id {conn.stream_id!r}" if conn.stream_id else ""
        return f"connected to {host_and_port(conn.remote_addr)}, latency {latency}{stream_id}"

    def _accept(self) -> srtpy.Conn:
        if self._listener is None:
            self._listener = self._listen()
        began, patience = time.monotonic(), self._where.timeout
        while not self.stop.is_set():
            try:
                return self._listener.accept()
            except TimeoutError:
                if patience is not None and time.monotonic() - began >= patience:
                    raise srtpy.DeadlineError(f"nobody called within {patience:g} s (timeout)") from None
        raise srtpy.ConnClosedError("stopped while waiting for a caller")

    def _listen(self) -> srtpy.Listener:
        """Begin to listen, once and for all: an address that cannot be had now is not waited for."""
        self._config.logger = telling(self.say)
        try:
            listener = srtpy.listen(self._where.local, self._config, backlog=1)
        except OSError as error:
            self.reopens = False
            text = error.strerror or str(error)
            if error.errno == errno.EADDRINUSE:
                text = f"port {self._where.local[1]} is taken already, by this command's other end or another program"
            raise OSError(error.errno or errno.EADDRNOTAVAIL, f"{self.name}: {text}") from error
        listener.settimeout(ACCEPT_STEP)
        address = listener.local_addr
        self.name = f"srt://{host_and_port(address)} (listener)"
        self.say(f"{self.name}: waiting for a caller on port {address[1]}")
        return listener

    def read(self) -> list[bytes]:
        """Read what is ready."""
        return self._connected().read_many(READ_MESSAGES)

    def write(self, messages: list[bytes]) -> None:
        """Write all messages."""
        conn = self._connected()
        done = 0
        try:
            while done < len(messages):
                done += conn.write_many(messages[done:])
        except srtpy.PeerShutdownError:  # its text says what can still be read: here, nothing is
            raise srtpy.PeerShutdownError("the peer has closed the connection") from None

    def _connected(self) -> srtpy.Conn:
        if self.conn is None:
            raise srtpy.ConnClosedError(f"{self.name} is not connected")
        return self.conn

    def hang_up(self) -> None:
        """Close the connection, keep the listener for the next caller."""
        conn, self.conn = self.conn, None
        if conn is not None:
            conn.close()
            stats = conn.stats()
            self.given_up += stats.recv_dropped + stats.sent_dropped + stats.send_buf_size

    def close(self) -> None:
        """Close everything; a wait in `open` ends."""
        self.stop.set()
        self.hang_up()
        if self._listener is not None:
            self._listener.close()


class FileEnd(End):
    """A file, or standard input or output.

    Args:
        path: where; None for the standard streams.
        chunk: bytes of a message read from it.
    """

    def __init__(self, path: str | None, *, is_source: bool, chunk: int = MESSAGE_SIZE) -> None:
        super().__init__(path if path is not None else "standard input" if is_source else "standard output")
        self._path = path
        self._chunk = chunk
        self._is_source = is_source
        self._file: IO[bytes] | None = None

    @property
    def is_regular(self) -> bool:
        """Whether it is a file on a disk, which could be read at any speed."""
        return self._path is not None and os.path.isfile(self._path)

    @property
    def lacks_clock(self) -> bool:
        """Whether it is a file on a disk that does not begin as a transport stream does."""
        if not self.is_regular or self._path is None:
            return False
        with Path(self._path).open("rb") as file:
            first = file.read(1)
        return bool(first) and first[0] != SYNC

    def open(self) -> None:
        """Open the file."""
        if self._path is None:
            stream = sys.stdin if self._is_source else sys.stdout
            if stream is None:
                raise OSError(errno.EBADF, f"{self.name} is closed")
            self._file = stream.buffer
        else:
            self._file = Path(self._path).open("rb" if self._is_source else "wb")  # noqa: SIM115 - close() does

    def read(self) -> list[bytes]:
        """Return the next chunk; a pipe's short read is filled up, so that messages are whole."""
        if self._file is None:
            return []
        chunk = self._file.read(self._chunk)
        return [chunk] if chunk else []

    def write(self, messages: list[bytes]) -> None:
        """Write and flush: whoever reads along is live."""
        if self._file is None:
            raise srtpy.ConnClosedError(f"{self.name} is closed")
        with self._named():
            self._file.writelines(messages)
            self._file.flush()

    def close(self) -> None:
        """Close the file; the standard streams stay open."""
        opened, self._file = self._file, None
        if opened is not None and self._path is not None:
            with self._named():
                opened.close()

    @contextlib.contextmanager
    def _named(self) -> Iterator[None]:
        """Have what the system says of the file tell which it is."""
        try:
            yield
        except OSError as error:
            raise OSError(error.errno, error.strerror or str(error), self.name) from None

    def is_same_file(self, other: FileEnd) -> bool:
        """Whether both are one file on a disk, by whatever names."""
        ours, theirs = self._status(), other._status()
        return ours is not None and theirs is not None and stat.S_ISREG(ours.st_mode) and os.path.samestat(ours, theirs)

    def _status(self) -> os.stat_result | None:
        with contextlib.suppress(OSError, ValueError, AttributeError):  # not there yet; no descriptor; closed
            stream = sys.stdin if self._is_source else sys.stdout
            return os.stat(stream.fileno() if self._path is None else self._path)
        return None


def check_apart(source: End, sink: End) -> None:
    """Check that two ends do not meet each other.

    Raises:
        ValueError: both are one file, both listen on one port, or one of them would call the other.
    """
    if isinstance(source, FileEnd) and isinstance(sink, FileEnd) and source.is_same_file(sink):
        raise ValueError(f"{source.name} and {sink.name} are one file: writing would destroy what is to be read")
    if not isinstance(source, SrtEnd) or not isinstance(sink, SrtEnd):
        return
    ports = source.listens_on, sink.listens_on
    if ports[0] and ports[0] == ports[1]:
        raise ValueError(f"both ends listen on port {ports[0]}: each needs a port of its own, as srt://:{ports[0] + 1}")
    for end, port in ((source, ports[1]), (sink, ports[0])):
        if port and end.calls_here == port:
            raise ValueError(f"one end calls the other, on port {port} of this machine: the stream would go nowhere")


def open_end(text: str, *, is_source: bool, chunk: int = MESSAGE_SIZE, stream_id: str | None = None) -> End:
    """Return the end that `text` describes, not yet opened.

    Args:
        text: `srt://…`, `udp://…`, `file://con`, `file:///path`, `-` or a path.
        is_source: whether it is to be read.
        chunk: bytes of a message, for files.
        stream_id: overrides the URL's, for SRT.

    Raises:
        ValueError: the URL is wrong, or of a kind not known here.
    """
    scheme, separator, rest = text.partition("://")
    match scheme.lower() if separator else "":
        case "srt":
            return SrtEnd(text, stream_id)
        case "udp":
            return UdpEnd(text, is_source=is_source)
        case "file":
            return FileEnd(None if rest == "con" else rest, is_source=is_source, chunk=chunk)
        case "":
            return FileEnd(None if text == "-" else text, is_source=is_source, chunk=chunk)
        case other:
            raise ValueError(f"{other}:// is not known; use srt://, udp://, file://, a path or -")
