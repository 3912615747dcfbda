"""Dialling: from an address to a session.

Lives here: trying one address after another, driving the caller's handshake, putting the
session together, giving everything back when it does not come to that.
Never here: what is said in a handshake (handshake.caller), resolving and opening sockets
(mux), the session (session.py).

A machine that says that nobody listens (ICMP) is believed only when time is up: a listener may be a
moment late.  Where a name has several addresses, such an answer makes it the next one's turn at
once; later each is tried again.

Threads   The caller's own drives the handshake, or `srt-dial-<port>` if the caller does not wait.
"""

from __future__ import annotations

import contextlib
import itertools
import secrets
import threading
from collections.abc import Sequence
from queue import Empty
from types import TracebackType
from typing import Final

from srtpy.config import Config
from srtpy.errors import (
    ConnClosedError,
    ConnectionTimeoutError,
    NobodyListeningError,
    RejectedError,
    RejectReason,
    SRTError,
)
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros, from_seconds
from srtpy.internal.core.agreeing import Initiating, fitted
from srtpy.internal.core.connection import Connection
from srtpy.internal.handshake.caller import Caller
from srtpy.internal.handshake.negotiation import Negotiated, Opened, Refused
from srtpy.internal.mux.address import Endpoint, Path, parse_address, resolve_remote, shown
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.mux import Mux
from srtpy.internal.mux.opening import open_dialing
from srtpy.internal.packet.header import SocketId
from srtpy.internal.seq.number import SequenceNumber
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import FOREVER, Deadline
from srtpy.log import Log, LogCategory

LARGEST_SOCKET_ID: Final = 0x3FFFFFFF  # libsrt common.h SRTGROUP_MASK: the bit above marks groups
ISN_LIMIT: Final = 0x7FFFFFFF  # ours: libsrt takes no initial sequence number of all ones
REFUSAL_LOOK: Final[Micros] = (
    20 * MILLISECOND
)  # ours: how often to ask whether a machine has refused, with others to try
SECOND_LOOK: Final[Micros] = (
    250 * MILLISECOND
)  # ours: how long an address that refused is tried when its turn comes again


def new_socket_id() -> SocketId:
    """Return an id that nobody can guess."""
    return 1 + secrets.randbelow(LARGEST_SOCKET_ID)


def new_isn() -> SequenceNumber:
    """Return a first sequence number that nobody can guess."""
    return secrets.randbelow(ISN_LIMIT)


def dial(address: str | Sequence[object], config: Config, local: str | Sequence[object] | None = None) -> Session:
    """Open a connection; waits for `config.conn_timeout` at most.

    Raises:
        ValueError: not an address.
        OSError: the name is not known, or there is no way there.
        RejectedError: the peer answered and refused.
        NobodyListeningError: the peer's machine says so, and nobody answered in time.
        ConnectionTimeoutError: nobody answered in time.
    """
    return Dialing(address, config, local).run()


class Dialing:
    """One attempt to connect, on the caller's thread (`run`) or on one of its own (`start`)."""

    def __init__(
        self, address: str | Sequence[object], config: Config, local: str | Sequence[object] | None = None
    ) -> None:
        """Prepare; nothing is sent before `run` or `start`.

        Raises:
            ValueError, TypeError: not an address.
        """
        port = parse_address(address)[1]
        self._address = address
        self._config = config
        self._local = local
        self._log = Log(config.logger)
        self._inbox: Inbox = Inbox()
        self._is_cancelled = False
        self._settled = threading.Event()
        self._session: Session | None = None
        self._error: BaseException | None = None
        self._trace: TracebackType | None = None
        self._thread = threading.Thread(target=self._run_on_thread, name=f"srt-dial-{port}", daemon=True)

    # ---- with a thread of its own

    def start(self) -> None:
        """Begin on a thread of its own."""
        self._thread.start()

    def _run_on_thread(self) -> None:
        try:
            self.run()
        except BaseException as error:  # noqa: BLE001 raised to whoever waits
            self._error = error
            self._trace = error.__traceback__
        self._settled.set()

    @property
    def is_settled(self) -> bool:
        """Whether it has come to a session or an error."""
        return self._settled.is_set()

    @property
    def has_failed(self) -> bool:
        """Whether it has come to an error."""
        return self._error is not None

    def wait(self, deadline: Deadline = FOREVER) -> Session:
        """Wait for the session.

        Raises:
            DeadlineError, WouldBlockError: not yet; the attempt goes on.
            OSError: what `dial` raises, each time it is asked.
        """
        began = now = monotonic_now()
        limit = deadline.limit(began)
        while not self._settled.is_set():
            if self._thread.ident is not None and not self._thread.is_alive() and not self._settled.is_set():
                raise ConnClosedError("the attempt to connect is the parent process's")
            if now >= limit:
                raise deadline.expired("not yet connected", began)
            self._settled.wait(min(limit - now, 3600 * SECOND) / SECOND)
            now = monotonic_now()
        self._thread.join()
        if self._error is not None:
            raise self._error.with_traceback(self._trace)  # it would grow with every raise
        assert self._session is not None
        return self._session

    def close(self) -> None:
        """Give up, or close what has come of it; waits until all is given back.  Idempotent."""
        self._is_cancelled = True
        self._inbox.put(None)
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()
        if self._session is not None:
            self._session.close()

    # ---- trying

    def run(self) -> Session:
        """Connect, on this thread; see `dial`."""
        until = monotonic_now() + from_seconds(self._config.conn_timeout)
        remotes = resolve_remote(self._address)
        if len(remotes) == 1:
            return self._try(remotes[0], until)
        failures: list[OSError] = []
        refused: list[Endpoint] = []
        for position, remote in enumerate(remotes):
            now = monotonic_now()
            try:
                return self._try(remote, now + (until - now) // (len(remotes) - position), is_impatient=True)
            except (RejectedError, ConnClosedError):
                raise
            except NobodyListeningError as error:
                failures.append(error)
                refused.append(remote)
            except OSError as error:  # no answer; or no way there, as to IPv6 without a route
                failures.append(error)
        for remote in itertools.cycle(refused):
            now = monotonic_now()
            if now >= until:
                break
            with contextlib.suppress(NobodyListeningError, ConnectionTimeoutError):
                return self._try(remote, min(now + SECOND_LOOK, until))
        # silence says least about what is wrong, but more than that another address does not exist
        raise max(failures, key=lambda error: isinstance(error, ConnectionTimeoutError))

    def _try(self, remote: Endpoint, until: Micros, is_impatient: bool = False) -> Session:
        """Try one address; if impatient, believe at once that nobody listens there."""
        config = self._config
        mux, path = open_dialing(remote, config, self._local)
        socket_id = new_socket_id()
        inbox = self._inbox = Inbox()
        try:
            mux.register(
                socket_id, inbox, path.remote, is_opening=True
            )  # before anything is sent: answers may be quick
            mux.start()
            if mux.warning:
                self._log.warning(LogCategory.MUX, mux.warning)
            now = monotonic_now()
            keys = Initiating(config, secrets.token_bytes)
            caller = Caller(config, socket_id, new_isn(), path.remote_packed, now, now, keys=keys)
            agreed = fitted(self._shake_hands(caller, mux, path, until, is_impatient), keys.keying)
            mux.opened(socket_id)
            core = Connection(agreed, config, monotonic_now(), keying=keys.keying, entropy=secrets.token_bytes)
            session = Session(core, agreed, config, mux, path, inbox)
        except BaseException:
            mux.unregister(socket_id)
            mux.release()
            raise
        self._session = session  # ours to close until somebody else knows of it
        session.start(caller.early)
        return session

    def _shake_hands(self, caller: Caller, mux: Mux, path: Path, until: Micros, is_impatient: bool) -> Negotiated:
        """Drive the opening until it is decided."""
        inbox = self._inbox
        while True:
            now = monotonic_now()
            if self._is_cancelled:
                raise ConnClosedError("closed while connecting")
            if caller.next_deadline() <= now:
                caller.handle_timer(now)
            datagrams = caller.datagrams_to_send(now)
            if datagrams:
                mux.send(datagrams, path)
            for event in caller.events():
                if isinstance(event, Opened):
                    return event.negotiated
                raise _refusal(event, mux, path)
            if now >= until or (is_impatient and mux.counters.refusals):
                raise _silence(mux, path)
            wakes_at = min(caller.next_deadline(), until)
            if is_impatient:
                wakes_at = min(wakes_at, now + REFUSAL_LOOK)
            with contextlib.suppress(Empty):
                item = inbox.get(timeout=max(wakes_at - now, 0) / SECOND)
                if item is not None:
                    caller.receive_datagrams(item[0], monotonic_now())


def _refusal(refused: Refused, mux: Mux, path: Path) -> SRTError:
    """Return the error for the end of an opening."""
    if refused.reason == RejectReason.TIMEOUT and not refused.by_peer:
        return _silence(mux, path, refused.text)
    reason = RejectReason(refused.reason)
    by = shown(path.remote)
    return RejectedError(reason, f"connection rejected by {by} ({reason.name}, {reason.value}): {refused.text}")


def _silence(mux: Mux, path: Path, text: str = "") -> SRTError:
    where = shown(path.remote)
    if mux.counters.refusals:
        return NobodyListeningError(f"nobody listens on {where} (UDP); check the port, and that the listener runs")
    return ConnectionTimeoutError(f"{where}: {text or ConnectionTimeoutError.default_text}")
