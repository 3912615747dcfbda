"""How long a call may wait, and waiting no longer than that.

Lives here: `Deadline` (an instant, a duration, or no waiting at all: the earliest counts),
`Sleepers` (who waits, and until when).
Never here: what is waited for (reading.py, writing.py), the machine's clock (clock.monotonic).
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Final

from srtpy.errors import DeadlineError, SRTError, WouldBlockError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, SECOND, Micros, from_seconds

FAR: Final = 1e12  # ours: seconds; what is further off never comes, infinity included
LONGEST_SLEEP: Final[Micros] = 3_600 * SECOND  # ours: far below where a lock's timeout overflows; then all look again


class Deadline:
    """How long calls may take; made once for many calls, each of which asks `limit` when it begins.

    Attributes:
        at: an instant after which no call waits; `NEVER` for none.
        patience: how long one call may wait; `NEVER` for as long as it takes.
        is_blocking: False if no call may wait at all.
    """

    __slots__ = ("at", "is_blocking", "patience")

    def __init__(self, at: Micros = NEVER, patience: Micros = NEVER, is_blocking: bool = True) -> None:
        self.at = at
        self.patience = patience
        self.is_blocking = is_blocking

    @classmethod
    def of(cls, at: float | None, *timeouts: float | None, is_blocking: bool = True) -> Deadline:
        """Combine what the public interface has been told, in seconds; the earliest counts.

        Args:
            at: an instant of `time.monotonic`, or None.
            timeouts: durations for each call (`settimeout`, `RCV_TIMEO`), or None; 0 means not to wait.
            is_blocking: False if waiting is switched off (`RCV_SYN`).
        """
        given = [timeout for timeout in timeouts if timeout is not None]
        shortest = min(given, default=None)
        return cls(
            NEVER if at is None else _instant(at),
            NEVER if shortest is None else _instant(shortest),
            is_blocking and (shortest is None or shortest > 0),
        )

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """Return the deadline of calls that may each take so many seconds; None: as long as it takes."""
        return cls.of(None, seconds)

    def limit(self, began: Micros) -> Micros:
        """Return until when a call may wait that began at this instant."""
        if not self.is_blocking:
            return began
        return min(self.at, began + self.patience, NEVER)

    def expired(self, what: str, began: Micros) -> SRTError:
        """Return the error for a call that began at this instant and whose time is up; `what` it waited for."""
        if not self.is_blocking:
            return WouldBlockError(f"{what}, and waiting is switched off (settimeout(0), or SND_SYN or RCV_SYN off)")
        if self.at < began:
            late = (began - self.at) / SECOND
            return DeadlineError(
                f"{what}: the deadline had passed {late:.3f} s before the call "
                "(deadlines are instants of time.monotonic(); did you mean settimeout?)"
            )
        return DeadlineError(f"{what} within {(self.limit(began) - began) / SECOND:.3f} s")


def _instant(seconds: float) -> Micros:
    return NEVER if seconds >= FAR else from_seconds(max(seconds, -FAR))


FOREVER: Final = Deadline()
AT_ONCE: Final = Deadline(is_blocking=False)


class Alarm:
    """One thread's sleep: until an instant, or until somebody rings.

    Attributes:
        until: when it ends by itself, or what it has been ended for.
        is_rung: whether somebody has ended it.
    """

    __slots__ = ("_bell", "is_rung", "until")

    def __init__(self) -> None:
        self._bell = Lock()
        self.until: Micros = NEVER
        self.is_rung = False

    def set(self, until: Micros) -> None:
        """Get ready for a sleep; whoever rang before is forgotten."""
        self.until = until
        self.is_rung = False
        self._bell.acquire(blocking=False)

    def ring(self, for_instant: Micros = NEVER) -> None:
        """End the sleep, because of something to be done at `for_instant`."""
        self.until = min(for_instant, self.until)
        if not self.is_rung:
            self.is_rung = True
            self._bell.release()

    def sleep(self, patience: Micros) -> None:
        """Sleep until it rings, so long at most."""
        self._bell.acquire(timeout=min(max(patience, 0), LONGEST_SLEEP) / SECOND)


class Sleepers:
    """Threads that wait for the same thing; it knows whether there are any, and until when they sleep.

    They look with the session's lock and sleep without it.  A `Condition` takes the lock again after each sleep, and
    an interrupt (Ctrl-C) in that moment leaves its caller to release a lock that another thread holds.  Here an
    interrupt at any moment leaves neither a lock nor a sleeper behind.
    """

    __slots__ = ("_alarms", "_lock")

    def __init__(self, lock: Lock) -> None:
        self._lock = lock
        self._alarms: dict[Alarm, None] = {}
        """In order of going to sleep.  Changed with the lock, but for one who is interrupted: one atomic step."""

    def wait_for(self, look: Callable[[Micros], Micros | None]) -> None:
        """Have `look` called, with the lock, until it returns None; sleep until the instant it returns in between.

        Sleeps end early when somebody wakes us, and now and then for no reason.  What `look` raises ends the wait.
        """
        alarm, alarms, lock = Alarm(), self._alarms, self._lock
        try:
            while True:
                with lock:
                    alarms.pop(alarm, None)
                    now = monotonic_now()
                    until = look(now)
                    if until is None:
                        return
                    alarm.set(until)
                    alarms[alarm] = None
                alarm.sleep(until - now)
        finally:
            alarms.pop(alarm, None)

    @property
    def count(self) -> int:
        """How many threads sleep here."""
        return len(self._alarms)

    @property
    def wakes_at(self) -> Micros:
        """When the first of them wakes by itself, or has been woken for; `NEVER` if none does."""
        alarms = list(self._alarms)
        return alarms[0].until if len(alarms) == 1 else min([alarm.until for alarm in alarms], default=NEVER)

    def wake_one(self, for_instant: Micros = NEVER) -> None:
        """Wake the one asleep for longest, if any is, because of something to be done then.  Needs the lock."""
        for alarm in list(self._alarms):
            if not alarm.is_rung:
                alarm.ring(for_instant)
                return

    def wake_all(self) -> None:
        """Wake everyone.  Needs the lock."""
        for alarm in list(self._alarms):
            alarm.ring()
