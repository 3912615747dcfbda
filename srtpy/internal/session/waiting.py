"""How long a call may wait, and waiting on a condition no longer than that.

Lives here: `Deadline` (an instant, a duration, or no waiting at all: the earliest counts),
`Sleepers` (a condition that knows whether anybody waits on it, and until when).
Never here: what is waited for (reading.py, writing.py), the machine's clock (clock.monotonic).
"""

from __future__ import annotations

from threading import Condition, Lock
from typing import Final

from srtpy.errors import DeadlineError, SRTError, WouldBlockError
from srtpy.internal.clock.units import NEVER, SECOND, Micros, from_seconds

LONGEST_SLEEP: Final[Micros] = (
    3_600 * SECOND
)  # ours: far below what Condition.wait overflows at; woken early, all look again


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
            NEVER if at is None else min(from_seconds(at), NEVER),
            NEVER if shortest is None else min(from_seconds(shortest), NEVER),
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


FOREVER: Final = Deadline()
AT_ONCE: Final = Deadline(is_blocking=False)


class Sleepers:
    """A condition that knows whether anybody sleeps on it, and when the first wakes by itself.

    Its lock is the session's; every method needs it.

    Attributes:
        count: how many threads sleep here.
        wakes_at: when the first of them wakes by itself, or has been woken for; `NEVER` if none does.
    """

    __slots__ = ("_alarms", "_condition", "count", "wakes_at")

    def __init__(self, lock: Lock) -> None:
        self._condition = Condition(lock)
        self._alarms: list[Micros] = []
        self.count = 0
        self.wakes_at: Micros = NEVER

    def sleep(self, until: Micros, now: Micros) -> None:
        """Sleep until notified, until that instant, or for no reason: the caller looks again."""
        alarms = self._alarms
        alarms.append(until)
        self.count += 1
        self.wakes_at = min(until, self.wakes_at)
        try:
            self._condition.wait(min(max(until - now, 0), LONGEST_SLEEP) / SECOND)
        finally:
            alarms.remove(until)
            self.count -= 1
            self.wakes_at = min(alarms, default=NEVER)

    def wake_one(self, for_instant: Micros = NEVER) -> None:
        """Wake one sleeper, if there is any, because of something to be done at `for_instant`."""
        self._condition.notify()
        self.wakes_at = min(for_instant, self.wakes_at)

    def wake_all(self) -> None:
        """Wake everyone."""
        self._condition.notify_all()
