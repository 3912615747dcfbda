"""Where a stream comes from and where it goes: SRT, UDP, files, standard input and output.

Lives here: one class a kind of end, the same four verbs for each: open, read or write, close.
Never here: moving data between two ends (live.py), SRT URLs (srtpy.url).
Source: srt-live-transmit's URL forms.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import parse_qsl, urlsplit

import srtpy
from srtpy.cli.mpegts import MESSAGE_SIZE, SYNC
from srtpy.cli.turned_away import telling
from srtpy.secrecy import redacted
from srtpy.url import SrtUrl, host_and_port, parse_url

READ_MESSAGES: Final = 64  # messages moved in one go
LARGEST_DATAGRAM: Final = 65_535
UDP_NUMBERS: Final = ("ttl", "iptos", "rcvbuf", "sndbuf", "mcloop")
UDP_BUFFER: Final = 4 << 20  # bytes asked of the kernel for UDP ends
ACCEPT_STEP: Final = 0.5  # seconds between looks at whether we are to stop
_Reason = srtpy.RejectReason
MISFITS: Final = {  # settings of the two ends that do not go together, which waiting does not change
    *(_Reason.BAD_SECRET, _Reason.UNSECURE, _Reason.CRYPTO, _Reason.VERSION),
    *(_Reason.MESSAGE_API, _Reason.CONGESTION, _Reason.FILTER),
}


class End:
    """One end of a stream.

    Attributes:
        name: how people call it.
        is_live: its data comes whether or not it is read, and is worth nothing later.
        reopens: it can come back after it ended.
        calls: it goes to its peer, rather than wait for one.
        conn: the SRT connection, if it has one now.
        given_up: packets that came, or could be sent, too late, on connections that are over.
        first_open_at: when it first was open, by `time.monotonic`; whoever opens the end sets it.
        say: told what people wait for; whoever drives the end sets it.
    """

    is_live = False
    reopens = False
    calls = False
    conn: srtpy.Conn | None = None
    given_up = 0
    first_open_at: float | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.stop = threading.Event()
        self.say: Callable[[str], None] = lambda text: None

    def open(self) -> None:
        """Get ready; may take as long as the other side does."""

    def peer(self) -> str:
        """Say who the other side is now, if that is news."""
        return ""

    def read(self) -> list[bytes]:
        """Wait for data and return it; [] at the end."""
        raise srtpy.SRTError(f"{self.name} cannot be read")

    def write(self, messages: list[bytes]) -> None:
        """Write messages."""
        raise srtpy.SRTError(f"{self.name} cannot be written to")

    def close(self) -> None:
        """Let go; may be called from another thread, and more than once."""


class SrtEnd(End):
    """An srt:// URL: calls, or listens and accepts one peer at a time."""

    is_live = reopens = True

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
            self.given_up += stats.recv_dropped + stats.sent_dropped

    def close(self) -> None:
        """Close everything; a wait in `open` ends."""
        self.stop.set()
        self.hang_up()
        if self._listener is not None:
            self._listener.close()


class UdpEnd(End):
    """A udp:// URL: a port to receive on (groups are joined), or an address to send to.

    Keys: `adapter` (a local address, for groups), `ttl`, `iptos`, `rcvbuf`, `sndbuf`, `mcloop`.
    """

    is_live = True

    def __init__(self, url: str, *, is_source: bool) -> None:
        parts = urlsplit(url)
        super().__init__(f"udp://{parts.netloc}")
        try:
            port = parts.port
        except ValueError:
            port = None
        if port is None:
            raise ValueError(f"{redacted(url)}: a port is needed, as in udp://239.1.1.1:5000")
        self._host = (parts.hostname or "").lstrip("@")
        self._port = port
        keys = dict(parse_qsl(parts.query))
        unknown = set(keys) - {"adapter", *UDP_NUMBERS}
        if unknown:
            known = ", ".join(("adapter", *UDP_NUMBERS))
            raise ValueError(f"{redacted(url)}: unknown key {', '.join(sorted(unknown))}; there are {known}")
        self._adapter = keys.pop("adapter", "")
        try:
            self._numbers = {key: int(value, 0) for key, value in keys.items()}
        except ValueError:
            raise ValueError(f"{redacted(url)}: {', '.join(UDP_NUMBERS)} are whole numbers") from None
        self._is_source = is_source
        self._socket: socket.socket | None = None
        self._partial = b""

    def open(self) -> None:
        """Open the socket."""
        host = self._host or ("" if self._is_source else "127.0.0.1")
        flags = socket.AI_PASSIVE if self._is_source else 0
        family, _, _, _, address = socket.getaddrinfo(
            host or None, self._port, type=socket.SOCK_DGRAM, flags=flags, family=0 if host else socket.AF_INET
        )[0]
        opened = socket.socket(family, socket.SOCK_DGRAM)
        try:
            self._configure(opened, family, address)
        except BaseException:
            opened.close()
            raise
        self._socket = opened

    def _configure(self, opened: socket.socket, family: int, address: tuple[Any, ...]) -> None:
        numbers = self._numbers
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, numbers.get("rcvbuf", UDP_BUFFER))
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, numbers.get("sndbuf", UDP_BUFFER))
        if self._is_source:
            if _is_group(family, str(address[0])):
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.bind(address)
            if _is_group(family, str(address[0])):
                self._join(opened, family, str(address[0]))
            return
        level, hops, many = (
            (socket.IPPROTO_IP, socket.IP_TTL, socket.IP_MULTICAST_TTL)
            if family == socket.AF_INET
            else (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, socket.IPV6_MULTICAST_HOPS)
        )
        if "ttl" in numbers:
            opened.setsockopt(level, hops, numbers["ttl"])
            opened.setsockopt(level, many, numbers["ttl"])
        if "mcloop" in numbers and family == socket.AF_INET:
            opened.setsockopt(level, socket.IP_MULTICAST_LOOP, numbers["mcloop"])
        if "iptos" in numbers and family == socket.AF_INET:
            opened.setsockopt(level, socket.IP_TOS, numbers["iptos"])
        if self._adapter and family == socket.AF_INET:
            opened.setsockopt(level, socket.IP_MULTICAST_IF, socket.inet_aton(self._adapter))
        opened.connect(address)

    def _join(self, opened: socket.socket, family: int, group: str) -> None:
        if family == socket.AF_INET:
            request = socket.inet_aton(group) + socket.inet_aton(self._adapter or "0.0.0.0")
            opened.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        else:
            request = socket.inet_pton(family, group) + struct.pack("@I", 0)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, request)

    def read(self) -> list[bytes]:
        """Wait for a datagram, take those that wait behind it; cut those too long for a message."""
        opened = self._opened()
        datagrams = [opened.recv(LARGEST_DATAGRAM)]
        with contextlib.suppress(BlockingIOError):
            while len(datagrams) < READ_MESSAGES:
                datagrams.append(opened.recv(LARGEST_DATAGRAM, socket.MSG_DONTWAIT))
        if max(map(len, datagrams)) <= MESSAGE_SIZE:
            return datagrams
        return [each[at : at + MESSAGE_SIZE] for each in datagrams for at in range(0, len(each), MESSAGE_SIZE)]

    def write(self, messages: list[bytes]) -> None:
        """Send each message as a datagram; nobody listening is nobody's fault."""
        opened = self._opened()
        for message in messages:
            with contextlib.suppress(ConnectionRefusedError):
                opened.send(message)

    def _opened(self) -> socket.socket:
        if self._socket is None:
            raise srtpy.ConnClosedError(f"{self.name} is closed")
        return self._socket

    def close(self) -> None:
        """Close the socket, waking whoever reads it."""
        opened, self._socket = self._socket, None
        if opened is not None:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)  # wakes a blocked recv, and says ENOTCONN all the same
            opened.close()


def _is_group(family: int, host: str) -> bool:
    packed = socket.inet_pton(family, host)
    return packed[0] == 0xFF if family == socket.AF_INET6 else packed[0] >> 4 == 0xE


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
