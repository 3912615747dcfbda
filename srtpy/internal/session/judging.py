"""Asking the application whether a caller may come in, without waiting for its answer.

Lives here: the few threads that run accept callbacks, started when needed and gone when
idle; what a callback sees of a caller and may decide for it alone; what counts as yes:
callbacks fail closed.
Never here: what a caller's request says (handshake.listener), what follows a verdict (accepting.py).

Threads   up to `MOST_JUDGES` of `srt-accept-<port>`, one `srt-keys-<port>`; each ends when no request waits.
Lock      _lock guards the requests that wait and the number of threads; a leaf.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Hashable
from threading import Lock, Thread
from typing import Final, TypeAlias, cast

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.handshake.codes import to_wire
from srtpy.internal.handshake.listener import Request
from srtpy.internal.mux.address import Address
from srtpy.log import Log, LogCategory, with_frames

MOST_JUDGES: Final = 8  # ours: slow callbacks at a time; the next caller waits for one of them


class Applicant:
    """A caller that is being judged.

    Attributes:
        config: the settings its connection will have: the listener's, but for what was decided for it.
    """

    __slots__ = ("_request", "config")

    def __init__(self, request: Request, config: Config) -> None:
        self._request = request
        self.config = config

    @property
    def stream_id(self) -> str:
        """What it asks for."""
        return self._request.stream_id

    @property
    def remote(self) -> Address:
        """Where it is."""
        return cast(Address, self._request.remote)

    @property
    def hs_version(self) -> int:
        """The version of its handshake."""
        return self._request.hs_version

    @property
    def peer_version(self) -> int:
        """The SRT version it says it speaks."""
        return self._request.peer_version

    @property
    def encrypted(self) -> bool:
        """Whether it wants to encrypt."""
        return self._request.encrypted

    def set_passphrase(self, passphrase: str) -> None:
        """Choose the passphrase it must have; "" for none.

        Raises:
            TypeError, ValueError: not a passphrase.
        """
        self.config = self.config.replace(passphrase=passphrase)


Judge: TypeAlias = Callable[[Applicant, Log], RejectReason | None]
"""Returns why a caller is refused, or None to let it in.  Raises nothing."""


def by_bool(callback: Callable[[Applicant], object]) -> Judge:
    """Return the judge of a callback that says True or False."""

    def read(answer: object) -> RejectReason | None:
        if answer is True:
            return None
        if answer is False:
            return RejectReason.PEER
        raise TypeError(f"it returned {answer!r}, which is neither True nor False")

    return _judge(callback, read)


def by_code(callback: Callable[[Applicant], object]) -> Judge:
    """Return the judge of a callback that says 0, or a reject code."""

    def read(answer: object) -> RejectReason | None:
        if type(answer) is int and answer == 0:
            return None
        if isinstance(answer, bool) or not isinstance(answer, int):
            raise TypeError(f"it returned {answer!r}, which is neither 0 nor a reject code")
        reason = RejectReason(answer)
        to_wire(reason)  # raises for what cannot be sent
        return reason

    return _judge(callback, read)


def _judge(callback: Callable[[Applicant], object], read: Callable[[object], RejectReason | None]) -> Judge:
    def judge(applicant: Applicant, log: Log) -> RejectReason | None:
        try:
            return read(callback(applicant))
        except BaseException as error:  # noqa: BLE001 whatever a callback does, the caller gets an answer
            text = f"the accept callback failed; refused with 1500\n{with_frames(error)}"
            log.error(LogCategory.HANDSHAKE, text)
            return RejectReason.X_INTERNAL_ERROR

    return judge


class Judges:
    """A few threads for work that may be slow; sources take turns, so that one with much of it delays no other."""

    __slots__ = ("_count", "_lock", "_most", "_name", "_waiting")

    def __init__(self, name: str, most: int = MOST_JUDGES) -> None:
        self._name = name
        self._most = most
        self._lock = Lock()
        self._waiting: dict[Hashable, deque[Callable[[], None]]] = {}
        self._count = 0

    def submit(self, work: Callable[[], None], source: Hashable = None) -> None:
        """Have some thread do this, when it is the turn of its source.

        Raises:
            RuntimeError: the system has no thread left, and we have none.
        """
        with self._lock:
            self._waiting.setdefault(source, deque()).append(work)
            if self._count >= self._most:
                return
            self._count += 1
        try:
            Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._count -= 1
                if not self._count and work in self._waiting.get(source, ()):
                    self._waiting[source].remove(work)
                    raise

    def _run(self) -> None:
        while True:
            with self._lock:
                work = self._next()
                if work is None:
                    self._count -= 1
                    return
            work()

    def _next(self) -> Callable[[], None] | None:
        """Take what is to be done next; the source it is from goes to the end of the line."""
        while self._waiting:
            source = next(iter(self._waiting))
            own = self._waiting.pop(source)
            if own:
                work = own.popleft()
                if own:
                    self._waiting[source] = own
                return work
        return None
