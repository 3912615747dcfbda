"""Writing: messages from the caller's hands into the core, and when they leave.

Lives here: waiting for room, and gathering: a message written by itself leaves at once,
those that follow within a moment leave together in few system calls.
Never here: pacing, packets, what is sent again (core), the system calls (mux).

Gathering.  The first `write` after a pause is sent at once.  Further ones are gathered until there
are `GATHERED` of them, until the next write after `APART`, or until the timer thread sees to
what is left.  While a writer keeps filling bursts by itself the timer thread is asked for no more than a late
look (`TAIL`), so that it does not wake for each burst.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from srtpy.errors import DeadlineError, MessageTooLargeError, WouldBlockError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, NEVER, Micros
from srtpy.internal.session.engine import Engine
from srtpy.internal.session.waiting import FOREVER, Deadline

APART: Final[Micros] = 100  # ours: writes this far apart are sent singly; a system call costs a tenth of it
WINDOW: Final[Micros] = 120  # ours: how long gathered messages wait for more, then the timer thread sends them
TAIL: Final[Micros] = 2 * MILLISECOND  # ours: the same after bursts that filled by themselves
GATHERED: Final = 32  # ours: messages that leave together, a burst a libsrt receiver's default buffer takes
SHORTEST_NAP: Final[Micros] = 100  # ours: a blocked writer that paces the core gathers at least this much credit
CHUNK: Final = 128  # ours: messages `write_many` puts in before it lets the first of them leave


class Writer:
    """The writing half of a session.

    Attributes:
        deadline: how long calls may take that are not told otherwise; set through the session, which wakes
            those who wait.
    """

    __slots__ = ("_engine", "_gathered", "_left_at", "_payload_size", "deadline")

    def __init__(self, engine: Engine, payload_size: int) -> None:
        self._engine = engine
        self._payload_size = payload_size
        self._gathered = 0
        self._left_at: Micros = 0
        self.deadline = FOREVER

    def write(self, data: bytes, deadline: Deadline | None = None) -> int:
        """Put one message into the send buffer, waiting for room; return its length."""
        engine, core, size = self._engine, self._engine.core, len(data)
        with engine.lock:
            if engine.fate.is_unwritable or size > self._payload_size:
                self._refuse(size)
            if not size:
                return 0
            if core.room():
                self._put(data, monotonic_now())
                return size
        self._once_there_is_room(partial(self._put, data), deadline)
        return size

    def write_control(
        self,
        data: bytes,
        stamp: Micros | None = None,
        ttl: Micros | None = None,
        in_order: bool = True,
        deadline: Deadline | None = None,
    ) -> int:
        """Put one message into the send buffer with an origin time and a time to live of its own."""
        engine = self._engine

        def put(now: Micros) -> None:
            engine.core.write(data, now, stamp=stamp, ttl=ttl, in_order=in_order)
            self._left_at = now
            engine.flush(now)

        with engine.lock:
            self._refuse(len(data))
        if data:
            self._once_there_is_room(put, deadline)
        return len(data)

    def write_many(self, messages: Sequence[bytes], deadline: Deadline | None = None) -> int:
        """Put many messages into the send buffer; return how many were taken.

        Waits for room until all are taken.  If time is up in the middle the number says how
        many were taken; the error comes if there were none.
        """
        longest = max(map(len, messages), default=0)
        wanted = messages if all(messages) else [message for message in messages if message]
        engine, core, taken, began = self._engine, self._engine.core, 0, monotonic_now()

        def put(now: Micros) -> None:
            nonlocal taken
            while taken < len(wanted) and core.room():
                taken += core.write_many(wanted[taken : taken + CHUNK], now)
                engine.flush(now)
            self._left_at = now

        with engine.lock:
            self._refuse(longest)
            put(began)
        while taken < len(wanted):
            try:
                self._once_there_is_room(put, deadline, began)
            except (DeadlineError, WouldBlockError):
                if not taken:
                    raise
                return _position_after(messages, taken)
        return len(messages)

    @property
    def is_ready(self) -> bool:
        """Whether a write would return at once.  Needs the lock."""
        return self._engine.fate.is_unwritable or self._engine.core.room() > 0

    def _refuse(self, size: int) -> None:
        """Raise if nothing, or nothing that long, can be written."""
        if self._engine.fate.is_unwritable:
            raise self._engine.fate.refusal_to_write()
        if size > self._payload_size:
            raise MessageTooLargeError(
                f"a message of {size} bytes does not fit: in live mode each is one packet of at most "
                f"{self._payload_size} bytes (payload_size)"
            )

    def _put(self, data: bytes, now: Micros) -> None:
        """Have the core take a message; send it, or let it wait for more.  Needs the lock, and room."""
        self._engine.core.write(data, now)
        if now - self._left_at < APART:
            self._gather(now)
        else:
            self._left_at = now
            self._engine.flush(now)

    def _gather(self, now: Micros) -> None:
        """Let the message just written wait for more, or send what has gathered.  Needs the lock."""
        engine = self._engine
        if engine.gathered_until == NEVER:
            self._gathered = 1
            engine.gathered_until = now + WINDOW
            engine.rouse_timer(now)
            return
        self._gathered += 1
        if self._gathered >= GATHERED or now >= engine.gathered_until:
            engine.writer_back_at = now + TAIL
            self._left_at = now
            engine.turn(now)

    def _once_there_is_room(
        self, put: Callable[[Micros], None], deadline: Deadline | None, began: Micros | None = None
    ) -> None:
        """Wait until the send buffer has room, pacing the core meanwhile; then `put`, with the lock."""
        engine, core, fate = self._engine, self._engine.core, self._engine.fate
        since = monotonic_now() if began is None else began

        def look(now: Micros) -> Micros | None:
            engine.turn(now)
            if fate.is_unwritable:
                raise fate.refusal_to_write()
            if core.room():
                put(now)
                return None
            patience = self.deadline if deadline is None else deadline
            limit = patience.limit(since)
            if now >= limit:
                raise patience.expired("the send buffer stayed full", since)
            wakes_at = min(limit, max(core.next_deadline(), now + SHORTEST_NAP))
            if wakes_at <= now + TAIL:  # further off, what is due may change: then the timer thread sees to it
                engine.writer_back_at = wakes_at + MILLISECOND
            return wakes_at

        engine.writable.wait_for(look)


def _position_after(messages: Sequence[bytes], taken: int) -> int:
    """Return how many messages have been dealt with when `taken` that are not empty have been."""
    position = 0
    for position, message in enumerate(messages):
        if not taken and message:
            return position
        taken -= bool(message)
    return position + 1
