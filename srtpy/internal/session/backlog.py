"""Connections that wait to be accepted.

Lives here: the bounded queue between who makes sessions and who accepts them.
Never here: making sessions, refusing callers (accepting.py).

Lock   _lock guards everything here; a leaf.
"""

from __future__ import annotations

from collections import deque
from threading import Lock

from srtpy.errors import ListenerClosedError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import Micros
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import FOREVER, Deadline, Sleepers


class Backlog:
    """A bounded queue of sessions.

    A place is reserved before its session is made, so that no caller is told yes in vain.
    """

    __slots__ = ("_filled", "_is_closed", "_limit", "_lock", "_reserved", "_sessions")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._sessions: deque[Session] = deque()
        self._reserved = 0
        self._is_closed = False
        self._renew_lock()

    def _renew_lock(self) -> None:
        self._lock = Lock()
        self._filled = Sleepers(self._lock)

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def is_full(self) -> bool:
        """Whether nobody more can wait; who waits for a session has a hand free for one."""
        return len(self._sessions) + self._reserved >= self._limit + self._filled.count

    def reserve(self) -> bool:
        """Take a place for a session in the making, to be filled or given up; say whether there was one."""
        with self._lock:
            if self._is_closed or self.is_full:
                return False
            self._reserved += 1
            return True

    def give_up(self) -> None:
        """Return a place that was reserved."""
        with self._lock:
            self._reserved -= 1

    def fill(self, session: Session) -> bool:
        """Put a session into the place reserved for it; False if nobody will accept it any more."""
        with self._lock:
            self._reserved -= 1
            if self._is_closed:
                return False
            self._sessions.append(session)
            self._filled.wake_one()
            return True

    def take(self, deadline: Deadline = FOREVER) -> Session:
        """Wait for a session.

        Raises:
            ListenerClosedError: closed.
            DeadlineError, WouldBlockError: nobody came in time.
        """
        taken: list[Session] = []
        began = monotonic_now()
        limit = deadline.limit(began)

        def look(now: Micros) -> Micros | None:
            if self._sessions:
                taken.append(self._sessions.popleft())
                return None
            if self._is_closed:
                raise ListenerClosedError
            if now >= limit:
                raise deadline.expired("nobody connected", began)
            return limit

        try:
            self._filled.wait_for(look)
        except BaseException:  # time is up, or an interrupt; we may have been woken for one that is now another's
            with self._lock:
                self._sessions.extendleft(taken)
                if self._sessions:
                    self._filled.wake_one()
            raise
        return taken[0]

    def close(self) -> list[Session]:
        """Let nobody wait any more; return who did."""
        with self._lock:
            self._is_closed = True
            self._filled.wake_all()
            left = list(self._sessions)
            self._sessions.clear()
            return left

    def abandon(self) -> None:
        """Forget the parent's threads and sessions after a fork."""
        self._renew_lock()
        self.close()
