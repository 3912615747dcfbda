"""How long a connection's calls may take: four settings a direction, and the earliest counts.

Lives here: `settimeout`, absolute deadlines, SND_TIMEO and RCV_TIMEO, SND_SYN and RCV_SYN of
one connection, and telling the session what they come to.
Never here: waiting (session.waiting).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from srtpy.internal.session.waiting import Deadline


def seconds(value: float | None, what: str) -> float | None:
    """Return a timeout as given: None, or seconds from zero up.

    Raises:
        TypeError: not a number.
        ValueError: negative, or not a number in IEEE's sense.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{what} takes seconds or None, not {type(value).__name__}")
    if not value >= 0:
        raise ValueError(f"{what}={value!r} is out of range: None or 0 or more seconds")
    return float(value)


@dataclass(slots=True)
class Patience:
    """One direction's settings: an instant of `time.monotonic`, a limit for each call, whether to wait at all."""

    at: float | None = None
    limit: float | None = None
    is_blocking: bool = True


class Timeouts:
    """The timeouts of one connection; guarded by a lock of its own, under which a session is told, for a moment."""

    __slots__ = ("_lock", "_tell_reader", "_tell_writer", "reading", "timeout", "writing")

    def __init__(self, rcv_syn: bool = True, snd_syn: bool = True) -> None:
        self._lock = threading.Lock()
        self._tell_reader: Callable[[Deadline], None] | None = None
        self._tell_writer: Callable[[Deadline], None] | None = None
        self.timeout: float | None = None
        self.reading = Patience(is_blocking=rcv_syn)
        self.writing = Patience(is_blocking=snd_syn)

    def attach(self, tell_reader: Callable[[Deadline], None], tell_writer: Callable[[Deadline], None]) -> None:
        """Tell a session, from now on."""
        with self._lock:
            self._tell_reader = tell_reader
            self._tell_writer = tell_writer
            self._tell()

    def set_timeout(self, timeout: float | None) -> None:
        """Limit every call, as `socket.settimeout` does."""
        checked = seconds(timeout, "settimeout")
        with self._lock:
            self.timeout = checked
            self._tell()

    def set_at(self, at: float | None, *directions: Patience) -> None:
        """Set the instant after which calls of these directions wait no more; None for no such instant."""
        if at is not None and (isinstance(at, bool) or not isinstance(at, (int, float))):
            raise TypeError(f"a deadline is seconds of time.monotonic() or None, not {type(at).__name__}")
        if at is not None and at != at:
            raise ValueError("a deadline cannot be nan")
        with self._lock:
            for direction in directions:
                direction.at = None if at is None else float(at)
            self._tell()

    def set_limit(self, limit: float | None, direction: Patience) -> None:
        """Limit each call of a direction (SND_TIMEO, RCV_TIMEO)."""
        with self._lock:
            direction.limit = limit
            self._tell()

    def set_blocking(self, is_blocking: bool, direction: Patience) -> None:
        """Say whether calls of a direction wait at all (SND_SYN, RCV_SYN)."""
        with self._lock:
            direction.is_blocking = is_blocking
            self._tell()

    def _tell(self) -> None:
        for tell, one in ((self._tell_reader, self.reading), (self._tell_writer, self.writing)):
            if tell is not None:
                tell(Deadline.of(one.at, self.timeout, one.limit, is_blocking=one.is_blocking))
