"""Who has promised to look at the socket, and by when.

Lives here: the promises, finding the broken ones.
Never here: looking (mux.py), what makes somebody promise (session).

A promise is made for an inbox: until it is kept or broken, nobody is woken for what is put there.  Whoever breaks one
has the inbox ring, which wakes the session's receiver thread.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import RLock

from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.mux.inbox import Inbox


class Promises:
    """Promises of any threads, watched over by one.

    Args:
        set_alarm: has the one who watches wake at an instant, instead of any told before.
    """

    __slots__ = ("_alarm_at", "_by", "_is_over", "_lock", "_set_alarm")

    def __init__(self, set_alarm: Callable[[Micros], None]) -> None:
        self._by: dict[Inbox, Micros] = {}
        self._lock = RLock()  # a signal's handler that closes another connection may come in between
        self._set_alarm = set_alarm
        self._alarm_at: Micros = 0
        self._is_over = False

    def __len__(self) -> int:
        return len(self._by)

    def make(self, inbox: Inbox, by: Micros) -> None:
        """Promise to look by that instant."""
        with self._lock:
            if self._is_over:
                return
            others = [instant for one, instant in self._by.items() if one is not inbox]
            if not others or by < min(others):  # first, and never noted as later than it is: we may be interrupted
                self._alarm_at = min(self._alarm_at, by)
                self._set_alarm(by)
                self._alarm_at = by
            self._by[inbox] = by
            inbox.is_attended = True

    def keep(self, inbox: Inbox) -> None:
        """Note that a promise is kept: who made it looks now."""
        with self._lock:
            self._by.pop(inbox, None)

    def stop(self) -> None:
        """Take no more promises, and leave the alarm alone: its descriptor may soon be somebody else's."""
        with self._lock:
            self._is_over = True

    def end(self, now: Micros, tell: Callable[[Inbox], None] = Inbox.ring) -> Micros:
        """Tell of the inboxes of broken promises; return when the next one will be broken, `NEVER` if there is none.

        The alarm is set to that, if it has gone off.
        """
        with self._lock:
            broken = [inbox for inbox, by in self._by.items() if by <= now]
            for inbox in broken:
                del self._by[inbox]
                inbox.is_attended, inbox.is_let_down = False, True
            earliest = min(self._by.values(), default=NEVER)
            if earliest < NEVER and self._alarm_at <= now:
                self._alarm_at = earliest
                self._set_alarm(earliest)
        for inbox in broken:
            tell(inbox)
        return earliest
