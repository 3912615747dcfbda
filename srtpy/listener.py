"""Being called: listeners and who may come in.

Lives here: `Listener`, `listen`, `ConnRequest`, what an accept callback is told.
Never here: the handshake and the backlog (session.accepting), running callbacks
(session.judging), the connections (conn.py).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self, TypeAlias, Unpack

from srtpy.channel import Address
from srtpy.config import Config
from srtpy.conn import Conn
from srtpy.errors import ListenerClosedError, RejectReason
from srtpy.internal.session.accepting import Accepting
from srtpy.internal.session.accepting import listen as start_listening
from srtpy.internal.session.judging import Applicant, Judge, by_bool, by_code
from srtpy.internal.session.waiting import Deadline
from srtpy.secrecy import Secret, hide
from srtpy.settings import ConfigFields
from srtpy.timeouts import seconds
from srtpy.unclosed import end_unclosed


@dataclass(frozen=True, slots=True)
class ConnRequest:
    """Somebody who wants to connect, for an accept callback to judge.

    Attributes:
        stream_id: what the caller asks for; `parse_stream_id` takes it apart.  The caller's to choose.
        remote_addr: where the caller is.
        hs_version: the version of its handshake, 5.
        peer_version: the SRT version it says it speaks, as 0x010505.
        encrypted: whether it wants to encrypt; whether its passphrase is right turns out after the callback.
    """

    stream_id: str
    remote_addr: Address
    hs_version: int
    peer_version: int
    encrypted: bool = False
    _choose: Callable[[str], None] | None = field(default=None, repr=False, compare=False)

    def set_passphrase(self, passphrase: str) -> None:
        """Demand this passphrase of the caller instead of the listener's own; "" for none.

        It counts if the callback then lets the caller in, and for this connection only.

        Raises:
            ValueError: it has not 10 to 80 bytes.
        """
        if self._choose is not None:
            passphrase = Secret(passphrase) if isinstance(passphrase, str) else passphrase
            self._choose(passphrase)


AcceptFunc: TypeAlias = Callable[[ConnRequest], bool]
"""Says True to let a caller in; anything else keeps it out."""
AcceptRejectFunc: TypeAlias = Callable[[ConnRequest], RejectReason | int]
"""Says 0 to let a caller in, or why not."""


def _told(callback: Callable[[ConnRequest], object]) -> Callable[[Applicant], object]:
    """Return a callback for the session's kind of request."""

    def call(one: Applicant) -> object:
        return callback(
            ConnRequest(one.stream_id, one.remote, one.hs_version, one.peer_version, one.encrypted, one.set_passphrase)
        )

    return call


def _either(callback: Callable[[ConnRequest], object]) -> Callable[[ConnRequest], object]:
    """Turn True and False into codes."""

    def call(request: ConnRequest) -> object:
        answer = callback(request)
        if isinstance(answer, bool):
            return 0 if answer else RejectReason.PEER
        return answer

    return call


class Listener:
    """Takes calls; what `listen` returns.

    Accepted connections live on when it is closed; the socket closes with the last of them.  A `with` statement
    closes it at the end.
    """

    __slots__ = ("__weakref__", "_accept", "_accept_reject", "_accepting", "_config", "_deadline", "_timeout")

    def __init__(self, accepting: Accepting, config: Config) -> None:
        """Not for applications: use `listen`."""
        self._accepting = accepting
        self._config = config
        self._timeout: float | None = None
        self._deadline = Deadline.after(None)
        self._accept: Judge | None = accepting.judge
        self._accept_reject: Judge | None = None

    def accept(self) -> Conn:
        """Wait for the next connection.

        Raises:
            DeadlineError: nobody came within `settimeout`.
            WouldBlockError: nobody is waiting, and `settimeout(0)`.
            ListenerClosedError: the listener was closed.
        """
        session = self._accepting.accept(self._deadline)
        try:
            return Conn(session, self._config.copy())
        except BaseException:
            session.shut_down()
            raise

    def connections(self) -> Iterator[Conn]:
        """Iterate over the connections that come, until the listener is closed."""
        while True:
            try:
                conn = self.accept()
            except ListenerClosedError:
                return
            yield conn

    def settimeout(self, timeout: float | None) -> None:
        """Limit `accept` to so many seconds; 0: do not wait; None: as long as it takes."""
        self._timeout = seconds(timeout, "settimeout")
        self._deadline = Deadline.after(self._timeout)

    def gettimeout(self) -> float | None:
        """Return what `settimeout` set."""
        return self._timeout

    def set_accept_func(self, f: AcceptFunc | None) -> None:
        """Have `f` judge callers: True lets in, anything else and any exception keeps out; None lets everybody in.

        It runs on a thread of the listener's own: a slow one delays nobody else.
        """
        self._accept = None if f is None else by_bool(_told(_callable(f)))
        self._judge()

    def set_accept_reject_func(self, f: AcceptRejectFunc | None) -> None:
        """Have `f` judge callers: 0 lets in, a `RejectReason` or code refuses for that reason.

        Anything else it returns, and any exception, refuses with `X_INTERNAL_ERROR` and is logged.  It goes before
        `set_accept_func`.
        """
        self._accept_reject = None if f is None else by_code(_told(_callable(f)))
        self._judge()

    def _judge(self) -> None:
        self._accepting.judge = self._accept_reject or self._accept

    @property
    def local_addr(self) -> Address:
        """Where it listens; the port is the real one if 0 was asked for."""
        return self._accepting.local_address

    @property
    def closed(self) -> bool:
        """Whether it has been closed."""
        return self._accepting.is_closed

    def close(self) -> None:
        """Stop listening; any thread may, and as often as it likes.  Callers not accepted yet are turned away."""
        self._accepting.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getstate__(self) -> object:
        """Refuse to be pickled or copied, as a `socket.socket` does: a copy would close the original."""
        raise TypeError(f"cannot pickle or copy {type(self).__name__!r} object")

    def __del__(self) -> None:
        if not hasattr(self, "_accepting") or self.closed:
            return
        warnings.warn(f"unclosed listener {self!r}", ResourceWarning, stacklevel=2, source=self)
        end_unclosed(self._accepting.close)

    def __repr__(self) -> str:
        return f"<srtpy.Listener {'closed' if self.closed else 'listening'} {self.local_addr}>"


def _callable(f: Callable[[ConnRequest], Any]) -> Callable[[ConnRequest], Any]:
    if not callable(f):
        raise TypeError(f"an accept callback is a callable or None, not {type(f).__name__}")
    return f


def listen(
    address: str | Sequence[object],
    config: Config | None = None,
    *,
    backlog: int = 128,
    accept: AcceptFunc | AcceptRejectFunc | None = None,
    **fields: Unpack[ConfigFields],
) -> Listener:
    """Listen for connections.

    Args:
        address: (host, port), or "host:port", ":port" (every address, IPv4 and IPv6), "[::1]:port"; port 0: any.
        config: settings of the connections accepted; copied.
        backlog: how many connections may wait to be accepted; callers beyond it are refused.
        accept: judges callers from the first packet on; says True or 0 to let one in, else False or why not.  See
            `Listener.set_accept_func` and `Listener.set_accept_reject_func`.
        fields: fields of `Config`, over `config`.

    Raises:
        ValueError: an address or a setting that cannot be.
        OSError: the name is not known, or the address cannot be bound.
    """
    hide(fields)
    if backlog < 1:
        raise ValueError(f"backlog={backlog} is out of range: 1 or more connections")
    merged = (config or Config()).replace(**fields)
    merged.validate()
    judge = None if accept is None else by_code(_told(_either(_callable(accept))))
    return Listener(start_listening(address, merged, backlog, judge), merged)
