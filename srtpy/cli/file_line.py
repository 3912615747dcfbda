"""The connection of a file transfer, made and made again.

Lives here: an srt:// URL as a caller or a listener in file mode, one peer at a time.
Never here: what is said over it, and how often it is made again (file_carrying.py).
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from math import inf
from typing import Final

import srtpy
from srtpy.cli.file_outcome import Status, TransferError
from srtpy.cli.turned_away import telling
from srtpy.secrecy import Secret
from srtpy.url import host_and_port, parse_url

FILE_MODE: Final = "transtype=file&messageapi=0"
FIRST_RETRY: Final = 0.2  # seconds before another call; doubles
LONGEST_RETRY: Final = 2.0
BUSY_WAIT: Final = 10.0  # seconds; longer than a listener takes to notice that its caller is gone
STEP: Final = 0.5  # seconds of one wait for a caller
LINGER: Final = 2  # seconds; what matters is waited for by other means
BUSY: Final = srtpy.RejectReason.X_LOCKED
"""What a listener says while it serves somebody else."""

_COMES_BACK: Final = frozenset({BUSY, srtpy.RejectReason.BACKLOG, srtpy.RejectReason.CLOSE})


class Line:
    """Where the other side is: called, or waited for.

    Args:
        url: an srt:// URL; the file transfer's own settings go over it.
        say: told the news.

    Attributes:
        name: how people call it; without what the URL holds besides.
        listens: whether it waits for callers.
    """

    def __init__(self, url: str, say: Callable[[str], None] = lambda text: None) -> None:
        url = Secret(url)
        where = parse_url(url, is_quiet=True)  # `from_url` warns below
        address = where.local if where.mode == "listener" else where.remote
        self.name = f"srt://{host_and_port(address)} ({where.mode})"
        if where.mode == "rendezvous":  # the URL itself may hold a passphrase
            raise ValueError(f"{self.name}: a file transfer has a caller and a listener, not mode=rendezvous")
        self.listens = where.mode == "listener"
        if where.fields.get("message_api"):
            raise ValueError(f"{self.name}: files are a stream of bytes; leave messageapi=1 out")
        more = FILE_MODE if "linger" in where.fields else f"{FILE_MODE}&linger={LINGER}"
        self._url = Secret(f"{url}{'&' if '?' in url else '?'}{more}")
        self._config = srtpy.Config.from_url(self._url)
        self._address = address
        self._timeout = where.timeout
        self._say = say
        self._listener: srtpy.Listener | None = None
        self._is_busy = threading.Event()

    def connect(self, limit: float | None) -> srtpy.Conn:
        """Return a connection.

        Args:
            limit: instant of `time.monotonic()` until which to try; None: a caller tries once, a listener waits
                for the URL's `timeout`, else for ever.

        Raises:
            TransferError: none came about, and why.
        """
        conn = self._accept(limit) if self.listens else self._call(limit)
        self._is_busy.set()
        conn.settimeout(None)  # the URL's is for the wait
        secured = srtpy.KmState(conn.stats().snd_km_state) is srtpy.KmState.SECURED
        self._say(f"connected to {host_and_port(conn.remote_addr)}{', encrypted' if secured else ''}")
        return conn

    def hang_up(self, conn: srtpy.Conn, *, at_once: bool = False) -> None:
        """Close a connection, at once or when what is on its way has arrived; the next caller may come."""
        if at_once and not conn.closed:
            conn.set_option(srtpy.SockOpt.LINGER, 0)
        conn.close()
        self._is_busy.clear()

    def close(self) -> None:
        """Take no more callers."""
        if self._listener is not None:
            self._listener.close()

    def _call(self, limit: float | None) -> srtpy.Conn:
        wait, began = FIRST_RETRY, time.monotonic()
        while True:
            try:
                with warnings.catch_warnings(action="ignore"):  # said already
                    return srtpy.open_url(self._url)
            except OSError as error:
                reason = error.reason if isinstance(error, srtpy.RejectedError) else None
                until = limit if limit is not None else began + BUSY_WAIT if reason is BUSY else began
                if (reason is not None and reason not in _COMES_BACK) or time.monotonic() + wait > until:
                    status = Status.UNREACHABLE if reason is None else Status.REFUSED
                    raise TransferError(status, f"{self.name}: {error}") from None
            time.sleep(wait)
            wait = min(2 * wait, LONGEST_RETRY)

    def _accept(self, limit: float | None) -> srtpy.Conn:
        if self._listener is None:
            self._config.logger = telling(self._say)
            try:
                self._listener = srtpy.listen(self._address, self._config, backlog=1, accept=self._judge)
            except OSError as error:
                raise TransferError(Status.UNREACHABLE, f"{self.name}: {error}") from None
            self._say(f"listening on {host_and_port(self._listener.local_addr)}")
        wait = self._timeout if limit is None else max(limit - time.monotonic(), 0.0)
        until = inf if wait is None else time.monotonic() + wait
        while True:
            # in steps: a signal that comes just before a wait without end would not be heeded
            self._listener.settimeout(max(min(STEP, until - time.monotonic()), 0.0))
            try:
                return self._listener.accept()
            except (TimeoutError, BlockingIOError):
                if time.monotonic() >= until:
                    waited = round(wait or 0.0, 1) or wait  # what is left of patience is not round
                    raise TransferError(Status.UNREACHABLE, f"{self.name}: nobody called in {waited:g} s") from None

    def _judge(self, request: srtpy.ConnRequest) -> int:
        return BUSY if self._is_busy.is_set() else 0
