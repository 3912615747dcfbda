"""Writing: messages from the caller's hands into the core, and when they leave.

Lives here: waiting for room, and gathering: a message written by itself leaves at once,
those that follow within a moment, or steadily, leave together in few system calls.
Never here: pacing, packets, what is sent again (core), the system calls (mux).

Gathering.  The first `write` after a pause is sent at once.  Further ones that are less than `APART` away are
gathered until there are `GATHERED` of them, until the next write after `WINDOW`, or until the timer thread sees
to what is left.  While a writer keeps sending its bursts by itself the timer thread is asked for no more than a
late look (`TAIL`), so that it does not wake for each burst.

A steady writer (`STEADY` writes, none `PAUSE` after the one before) may be slower and gathers for longer: for a window
as long as repairs can spare (core/leisure.py), `STEADY_WINDOW` at least.  To the application this changes nothing: a
message's time is when it was written.  What it costs is time for repairs, so only where the peer plays by timestamps,
and `LEAST_LATENCY` later at least.

A steady writer also promises to come back before the window ends (intake.py): the first write after a burst takes in
what has arrived, and nobody is woken for it, neither for acknowledgements nor for the time.  If it does not come
back, what it has left behind is sent when that is noticed, a message's distance after the window has ended.

A writer that comes in a rhythm, with bursts of messages (an encoder's pictures), has all of a burst gathered, from its
first message on, for `BURST_WINDOW`.  It promises as if it came back then, which it does not: so the socket's thread
wakes, sends them and takes in what has arrived, and neither it nor any other has been woken before.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from srtpy.errors import DeadlineError, MessageTooLargeError, WouldBlockError
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, Micros
from srtpy.internal.session.engine import Engine
from srtpy.internal.session.rhythm import Rhythm
from srtpy.internal.session.serving import Serving
from srtpy.internal.session.waiting import FOREVER, Deadline

APART: Final[Micros] = 100  # ours: writes this far apart are sent singly; a system call costs a tenth of it
WINDOW: Final[Micros] = 120  # ours: how long gathered messages wait for more, then the timer thread sends them
TAIL: Final[Micros] = 2 * MILLISECOND  # ours: the same after bursts that filled by themselves
STEADY: Final = 16  # ours: so many writes in a row are no chance
PAUSE: Final[Micros] = 2 * MILLISECOND  # ours: two of 1,316 bytes at 5 Mbit/s; slower, there is nothing to gather
STEADY_WINDOW: Final[Micros] = 3_300  # ours: four of 1,316 bytes at 10 Mbit/s; the least, see above
LEAST_LATENCY: Final[Micros] = 40 * MILLISECOND  # ours: less has no tenth to spare
BREAK: Final[Micros] = 5 * MILLISECOND  # ours: who comes back sooner has sent what had gathered by itself
BURST_WINDOW: Final[Micros] = 2 * MILLISECOND  # ours: in which a picture is written, by whoever wakes for it once
GRACE: Final[Micros] = 300  # ours: who is so late breaks no promise
LATEST: Final[Micros] = 24 * MILLISECOND  # ours: a steady writer looks for answers with its burst only if it has to
GATHERED: Final = 32  # ours: messages that leave together, a burst a libsrt receiver's default buffer takes
ROOM_TO_GATHER: Final = 2 * GATHERED  # ours: no message takes more than two packets, sealed and with a tag
SHORTEST_NAP: Final[Micros] = 100  # ours: a blocked writer that paces the core gathers at least this much credit
CHUNK: Final = 128  # ours: messages `write_many` puts in before it lets the first of them leave


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How large a message may be.

    Attributes:
        payload_size: bytes a packet takes.
        send_buffer: packets our buffer takes, if a message may have many.
        peer_buffer: packets the peer can hold, if a message may have many.
    """

    payload_size: int
    send_buffer: int = 1
    peer_buffer: int = 1

    @property
    def largest(self) -> int:
        """Bytes of the largest message."""
        return self.payload_size * min(self.send_buffer, self.peer_buffer)

    def explain(self, size: int) -> str:
        """Say for people why a message of that size does not fit."""
        text = f"a message of {size} bytes does not fit: "
        if min(self.send_buffer, self.peer_buffer) == 1:
            return text + f"in live mode each is one packet of at most {self.payload_size} bytes (payload_size)"
        if self.send_buffer <= self.peer_buffer:
            where = f"the send buffer takes {self.largest} bytes ({self.send_buffer} packets, send_buf_size)"
        else:
            where = f"the peer can hold {self.largest} bytes ({self.peer_buffer} packets, its recv_buf_size)"
        return text + where + "; write it in parts"


class Writer:
    """The writing half of a session.

    Attributes:
        deadline: how long calls may take that are not told otherwise; set through the session, which wakes
            those who wait.
        limits: how large messages may be.
        serving: what a writer of files does for the core as it writes.
    """

    __slots__ = (
        "_back_by",
        "_engine",
        "_has_time",
        "_payload_size",
        "_rhythm",
        "_steady",
        "_wrote_at",
        "deadline",
        "limits",
        "serving",
    )

    def __init__(self, engine: Engine, limits: Limits, latency: Micros = 0, *, serving: Serving | None = None) -> None:
        """Begin with nothing written; `latency` is how much later the peer plays what is written, 0: at once."""
        self._engine = engine
        self.limits = limits
        self.serving = serving
        self._payload_size = limits.payload_size
        self._has_time = latency >= LEAST_LATENCY
        self._wrote_at: Micros = 0
        self._steady = 0  # writes in a row
        self._rhythm = Rhythm()  # of what is written
        self._back_by: Micros = 0  # as last promised
        self.deadline = FOREVER

    def write(self, data: bytes, deadline: Deadline | None = None) -> int:
        """Put one message into the send buffer, waiting for room; return its length."""
        engine, size = self._engine, len(data)
        gathering = engine.gathering
        with engine.lock:
            needed = 1
            if engine.fate.is_unwritable or size > self._payload_size:
                needed = self._packets_for(size)
            if not size:
                return 0
            now = monotonic_now()
            if needed == 1 and gathering.places:
                since = now - self._wrote_at
                if now + since <= gathering.until and len(gathering.waiting) < gathering.places:
                    gathering.waiting.append((data, now))
                    self._wrote_at = now
                else:
                    self._put(data, 1, now)
                return size
            engine.hand_over(now)
            if engine.core.room() >= needed and (self.serving is None or self.serving.may_write(needed, now)):
                self._put(data, needed, now)
                return size
        self.once_there_is_room(partial(self._put, data, needed), deadline, needed=needed)
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
            engine.change(partial(engine.core.write, data, now, stamp=stamp, ttl=ttl, in_order=in_order))
            self._wrote_at = now
            engine.wrote(now)
            engine.flush(now)

        with engine.lock:
            needed = self._packets_for(len(data))
        if data:
            self.once_there_is_room(put, deadline, needed=needed)
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
            moved = CHUNK
            engine.hand_over(now)
            engine.wrote(now)
            while moved and taken < len(wanted) and core.room():
                moved = engine.change(partial(core.write_many, wanted[taken : taken + CHUNK], now))
                taken += moved
                self._let_leave(now)
            self._wrote_at = now

        with engine.lock:
            self._packets_for(longest)
            put(began)
        while taken < len(wanted):
            try:
                self.once_there_is_room(put, deadline, began, core.packets_for(len(wanted[taken])))
            except (DeadlineError, WouldBlockError):
                if not taken:
                    raise
                return _position_after(messages, taken)
        return len(messages)

    @property
    def is_ready(self) -> bool:
        """Whether a write would return at once.  Needs the lock."""
        engine = self._engine
        return engine.fate.is_unwritable or engine.core.room() > len(engine.gathering.waiting)

    def _packets_for(self, size: int) -> int:
        """Return how many packets a message of that size takes; raise if no such one can be written."""
        if self._engine.fate.is_unwritable:
            raise self._engine.fate.refusal_to_write()
        if size > self.limits.largest:
            raise MessageTooLargeError(self.limits.explain(size))
        return self._engine.core.packets_for(size)

    def _put(self, data: bytes, needed: int, now: Micros) -> None:
        """Have the core take a message of `needed` packets, or let it wait for more.  Needs the lock, and room."""
        engine, gathering, since = self._engine, self._engine.gathering, now - self._wrote_at
        self._wrote_at = now
        if since < PAUSE:
            self._steady = min(self._steady + 1, 2 * STEADY)
        else:
            self._note_pause(since)
        is_steady = self._has_time and self._steady >= STEADY
        if gathering.places:
            gathering.waiting.append((data, now))
            self._leave(now, is_steady)
        elif (
            (since < APART or (since < PAUSE and is_steady) or self._rhythm.is_kept)
            and needed == 1
            and engine.core.room() >= ROOM_TO_GATHER
        ):
            self._gather(data, now, max(since, 1) if is_steady else 0)
        else:
            try:
                engine.core.write(data, now)
            except BaseException as error:
                engine.torn(error)
                raise
            self._let_leave(now)

    def _let_leave(self, now: Micros) -> None:
        """Send what may leave of what was written.  Needs the lock."""
        if self.serving is not None:
            self.serving.leave(now)
        else:
            self._engine.wrote(now)
            self._engine.flush(now)

    def _gather(self, data: bytes, now: Micros, pace: Micros) -> None:
        """Let a message wait for more; a steady writer's come at a `pace`, others' at 0.  Needs the lock."""
        engine = self._engine
        until = now + WINDOW
        if pace:
            engine.listen(now)
            until = self._promise(now, pace) - pace - GRACE
        elif self._rhythm.is_kept and engine.core.leisure.to_send(now) >= 2 * BURST_WINDOW:
            until = now + BURST_WINDOW
            engine.promise_to_write(until)
        engine.gathering.begin(data, now, until, GATHERED - 1)
        if not engine.intake.inbox.is_attended:
            engine.served_until = min(engine.served_until, now + TAIL)
            engine.rouse_timer(now)

    def _note_pause(self, since: Micros) -> None:
        """Learn from a pause before a message, and from how many have left since the one before."""
        gathering = self._engine.gathering
        if since >= BREAK:
            self._steady //= 2
        if self._has_time:
            self._rhythm.note(since, gathering.left)
        gathering.left = 0

    def _leave(self, now: Micros, is_steady: bool) -> None:
        """Send what has gathered.  Needs the lock."""
        if is_steady:
            self._engine.burst(now, LATEST)
        else:
            self._engine.burst(now)
            self._engine.serve_until(now + TAIL)

    def _promise(self, now: Micros, pace: Micros) -> Micros:
        """Promise to be back, unless that has been promised and is far enough off; return by when.  Needs the lock.

        A burst leaves when the window ends.  Then the writer comes back once more, a `pace` later, and looks.
        """
        engine = self._engine
        window = max(min(engine.core.leisure.to_send(now), engine.intake.company), STEADY_WINDOW) + pace + GRACE
        if not engine.intake.is_promised or not window // 2 < self._back_by - now <= window:
            self._back_by = now + window
            engine.promise_to_write(self._back_by)
        return self._back_by

    def once_there_is_room(
        self, put: Callable[[Micros], None], deadline: Deadline | None, began: Micros | None = None, needed: int = 1
    ) -> None:
        """Wait until there is room for `needed` packets, pacing the core meanwhile; then `put`, with the lock."""
        engine, core, fate, serving = self._engine, self._engine.core, self._engine.fate, self.serving
        since = monotonic_now() if began is None else began

        def look(now: Micros) -> Micros | None:
            engine.hand_over(now)
            if serving is not None:
                now = serving.stand_by(needed, now)
            else:
                if engine.intake.is_promised:
                    engine.intake.keep()  # or nobody reads what makes room before the promise is broken
                engine.turn(now)
            if fate.is_unwritable:
                raise fate.refusal_to_write()
            patience = self.deadline if deadline is None else deadline
            limit = patience.limit(since)
            if core.room() >= needed and (serving is None or now >= limit or serving.may_write(needed, now)):
                put(now)
                return None
            if now >= limit:
                raise patience.expired("the send buffer stayed full", since)
            duty = core.next_deadline()
            wakes_at = min(limit, max(duty, now + SHORTEST_NAP) if serving is None else serving.wakes_at(duty, now))
            if wakes_at <= now + TAIL:  # further off, what is due may change: then the timer thread sees to it
                engine.serve_until(wakes_at + MILLISECOND)
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
