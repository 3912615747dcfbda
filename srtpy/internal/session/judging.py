"""Asking the application whether a caller may come in, without waiting for its answer.

Lives here: the few threads that run accept callbacks, started when needed and gone when
idle; what counts as yes: callbacks fail closed.
Never here: what a caller's request says (handshake.listener), what follows a verdict (accepting.py).

Threads   up to `MOST_JUDGES` of `srt-accept-<port>`; each ends when no request waits.
Lock      _lock guards the requests that wait and the number of threads; a leaf.
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable
from threading import Lock, Thread
from typing import Final, TypeAlias

from srtpy.errors import RejectReason
from srtpy.internal.handshake.codes import to_wire
from srtpy.internal.handshake.listener import Request
from srtpy.log import Log, LogCategory, in_a_line

MOST_JUDGES: Final = 8  # ours: slow callbacks at a time; the next caller waits for one of them

Judge: TypeAlias = Callable[[Request, Log], RejectReason | None]
"""Returns why a caller is refused, or None to let it in.  Raises nothing."""


def by_bool(callback: Callable[[Request], object]) -> Judge:
    """Return the judge of a callback that says True or False."""

    def read(answer: object) -> RejectReason | None:
        if answer is True:
            return None
        if answer is False:
            return RejectReason.PEER
        raise TypeError(f"it returned {answer!r}, which is neither True nor False")

    return _judge(callback, read)


def by_code(callback: Callable[[Request], object]) -> Judge:
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


def _judge(callback: Callable[[Request], object], read: Callable[[object], RejectReason | None]) -> Judge:
    def judge(request: Request, log: Log) -> RejectReason | None:
        try:
            return read(callback(request))
        except BaseException as error:  # noqa: BLE001 whatever a callback does, the caller gets an answer
            frames = "".join(traceback.format_tb(error.__traceback__))
            # in a line: what the callback quotes may be the caller's, who would write lines of its own into the log
            text = f"the accept callback failed; refused with 1500\n{frames}{in_a_line(error)}"
            log.error(LogCategory.HANDSHAKE, text)
            return RejectReason.X_INTERNAL_ERROR

    return judge


class Judges:
    """A few threads for work that may be slow."""

    __slots__ = ("_count", "_lock", "_name", "_waiting")

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = Lock()
        self._waiting: deque[Callable[[], None]] = deque()
        self._count = 0

    def submit(self, work: Callable[[], None]) -> None:
        """Have some thread do this.

        Raises:
            RuntimeError: the system has no thread left, and we have none.
        """
        with self._lock:
            self._waiting.append(work)
            if self._count >= MOST_JUDGES:
                return
            self._count += 1
        try:
            Thread(target=self._run, name=self._name, daemon=True).start()
        except RuntimeError:
            with self._lock:
                self._count -= 1
                if not self._count and work in self._waiting:
                    self._waiting.remove(work)
                    raise

    def _run(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._count -= 1
                    return
                work = self._waiting.popleft()
            work()
