"""Reading: messages out of the core, into the caller's hands.

Lives here: the shortcut without the lock, a reader's wait (it is its own delivery timer:
it wakes when something is due, not when somebody tells it), what it sees to as it wakes, what is
left of a message read in part, the end of the stream.
Never here: what is due when (core), what an end means (fate.py), the wake-ups (engine.py).

While data flows a reader wakes each `DELIVERY_GAP`: that is how late it hands over what is due.  The socket need not be
read as often, nor the core be served, only as repairs ask for it (core/leisure.py): in between a reader touches nothing
but what is due, and leaves its promise standing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import repeat
from typing import Final

from srtpy.internal.buffer.receive import Delivered
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.session.engine import DELIVERY_GAP, PROMISE, Engine
from srtpy.internal.session.rhythm import LONGEST_PERIOD, Rhythm
from srtpy.internal.session.waiting import FOREVER, Deadline

READ_LIMIT: Final = 64  # ours: messages taken by one `read_many`, unless told otherwise
REPORT_EVERY: Final = 64  # ours: messages read before the core hears of it, which may have told its peer to wait
TURN_AGAIN: Final[Micros] = 500  # ours: who comes back to sleep so soon has served the core when it woke


class Reader:
    """The reading half of a session.

    `messages` is the core's own queue: the core appends, readers take from the left, both
    atomic, so a reader needs the lock only when there is nothing to take.

    Attributes:
        deadline: how long calls may take that are not told otherwise; set through the session, which wakes
            those who wait.
    """

    __slots__ = (
        "_engine",
        "_looks_at",
        "_messages",
        "_rhythm",
        "_stands",
        "_tells_at_once",
        "_turned_at",
        "_unreported",
        "_woke_at",
        "deadline",
    )

    def __init__(self, engine: Engine, tells_at_once: bool = False) -> None:
        """Begin with nothing read; `tells_at_once` is for senders that are as fast as we take what they send."""
        self._engine = engine
        self._tells_at_once = tells_at_once
        self._messages = engine.core.messages
        self._unreported = 0
        self._woke_at: Micros = 0
        self._rhythm = Rhythm()  # of what is delivered at once
        self._looks_at: Micros = 0  # until then we see to nothing but what is due
        self._stands = False  # whether our promise is left standing as we return
        self._turned_at: Micros = 0
        self.deadline = FOREVER

    def read(self, size: int = -1, deadline: Deadline | None = None) -> bytes:
        """Return the next message, or its next `size` bytes; b"" at the end."""
        if not size:
            return b""
        row = self._next(deadline)
        if row is None:
            return b""
        payload = row[0]
        if 0 < size < len(payload):
            return self._part(row, size)
        return payload if type(payload) is bytes else bytes(payload)

    def read_into(self, buffer: memoryview, deadline: Deadline | None = None) -> int:
        """Fill `buffer` (bytes) with the next message, or as much of it as fits; 0 at the end."""
        size = len(buffer)
        if not size:
            return 0
        payload = self.read(size, deadline)
        buffer[: len(payload)] = payload
        return len(payload)

    def read_many(self, limit: int = READ_LIMIT, deadline: Deadline | None = None) -> list[bytes]:
        """Wait for one message, return all that are ready, at most `limit`; [] at the end."""
        if limit < 1:
            raise ValueError(f"limit={limit} is out of range: 1 or more messages")
        taken: list[bytes] = []
        self._take(taken, limit)
        if not taken:
            row = self._wait(deadline)
            if row is not None:
                taken.append(row[0])
                self._take(taken, limit - 1)
        if taken and type(taken[0]) is not bytes:
            taken[0] = bytes(taken[0])  # the rest of a message read in part
        self._unreported += len(taken)
        if self._unreported >= REPORT_EVERY or (self._tells_at_once and self._engine.core.is_tight):
            self.report()
        return taken

    def read_pieces(self, size: int, deadline: Deadline | None = None) -> list[bytes]:
        """Return the next message, or its next `size` bytes, as a list of one; [] at the end."""
        payload = self.read(size, deadline)
        return [payload] if payload else []

    def read_message(self, deadline: Deadline | None = None) -> tuple[Delivered, Micros] | None:
        """Return the next message with its words from the wire and the instant it was due; None at the end."""
        row = self._next(deadline)
        if row is None:
            return None
        if type(row[0]) is not bytes:
            row = (bytes(row[0]), *row[1:])
        with self._engine.lock:
            return row, self._engine.core.play_time(row[3], monotonic_now())

    @property
    def is_ready(self) -> bool:
        """Whether a read would return at once.  Needs the lock."""
        if self._messages:
            return True
        engine = self._engine
        due, fate = engine.core.delivery_due(), engine.fate
        return due <= monotonic_now() or (fate.is_ending and (due == NEVER or fate.is_finished))

    def _take(self, taken: list[bytes], limit: int) -> None:
        """Move what is ready into `taken`.  One at a time: another reader may be taking too."""
        popleft, append = self._messages.popleft, taken.append
        try:
            for _ in repeat(None, limit):
                append(popleft()[0])
        except IndexError:
            pass

    def _next(self, deadline: Deadline | None) -> Delivered | None:
        self._unreported += 1
        if self._unreported >= REPORT_EVERY:
            self.report()
        try:
            row = self._messages.popleft()
        except IndexError:
            pass  # waiting is not done here, or every error would be told with this one
        else:
            if self._tells_at_once and self._engine.core.is_tight:
                self.report()
            return row
        return self._wait(deadline)

    def report(self) -> None:
        """Let the core hear that there is room again.  Without the lock the count is a rough one: that will do."""
        self._unreported = 0
        engine = self._engine
        with engine.lock:
            now = monotonic_now()
            engine.core.note_read(now)
            engine.rouse_timer(now)

    def _part(self, row: Delivered, size: int) -> bytes:
        """Return the first `size` bytes; the rest is what is read next, by whichever call."""
        payload = memoryview(row[0])
        self._messages.appendleft((payload[size:], *row[1:]))  # type: ignore[arg-type]  # bytes to be, when it is read
        return bytes(payload[:size])

    def _wait(self, deadline: Deadline | None) -> Delivered | None:
        """Wait for a message, serving the core meanwhile; None at the end of the stream."""
        found: list[Delivered] = []
        self.wait(lambda: found.append(self._messages.popleft()), deadline)
        if found and self._tells_at_once and self._engine.core.is_tight:
            self.report()
        return found[0] if found else None

    def wait(self, take: Callable[[], object], deadline: Deadline | None) -> None:
        """Wait until `take`, called with the lock, finds something and raises no IndexError, or until the end."""
        engine = self._engine
        began = monotonic_now()
        self._stands = False
        try:
            engine.readable.wait_for(lambda now: self._look(take, deadline, began, now))
        finally:
            if engine.intake.is_promised and not self._stands:  # we are interrupted, or another reader sleeps
                engine.intake.take_back()
            if engine.readable.count:  # who stays behind may have counted on our waking in time
                with engine.lock:
                    engine.rouse_reader(monotonic_now())

    def _look(self, take: Callable[[], object], deadline: Deadline | None, began: Micros, now: Micros) -> Micros | None:
        """Take something, or see that it is the end; or return until when to sleep.  Needs the lock."""
        engine, core, fate = self._engine, self._engine.core, self._engine.fate
        is_between = now < self._looks_at and engine.is_calm(now)
        if not is_between:
            self._serve(now)
        elif core.delivery_due() <= now:
            engine.change(partial(core.release, now))
        waiting = len(self._messages)
        if waiting:
            try:
                take()
            except IndexError:
                pass
            else:
                self._note_delivery(waiting, now)
                self._stands = is_between
                return None
        due = core.delivery_due()
        if fate.is_ending and (due == NEVER or fate.is_closing or fate.is_finished):
            refusal = fate.refusal_to_read()
            if refusal is not None:
                raise refusal
            return None
        patience = self.deadline if deadline is None else deadline
        limit = patience.limit(began)
        if now >= limit:
            raise patience.expired("nothing arrived", began)
        # woken once for all that is due by then; a lone message is not kept waiting
        until = min(limit, max(due, self._woke_at + DELIVERY_GAP))
        if is_between:
            return until if until <= self._looks_at + DELIVERY_GAP else self._looks_at
        if self._rhythm.is_kept and now < min(self._looks_at, self._woke_at + LONGEST_PERIOD):
            self._looks_at = until = min(until, self._looks_at)
        engine.promise_to_read(until, now, self._looks_at)
        return until

    def _note_delivery(self, waiting: int, now: Micros) -> None:
        """Learn from so many messages at once; while they come in bursts it is worth looking for the next one."""
        pause = now - self._woke_at
        self._woke_at = now
        if pause > PROMISE:
            self._rhythm.note(pause, waiting)

    def _serve(self, now: Micros) -> None:
        """Keep our promise, if we have given one: look what has arrived, and see to all there is to do."""
        engine = self._engine
        if engine.intake.is_promised:
            engine.look()
        engine.core.note_read(now)  # always: a sender may wait for the room there is, and nothing else would tell it
        if now >= self._turned_at + TURN_AGAIN or engine.has_work(now):
            self._turned_at = now
            engine.turn(now)
        else:
            engine.rouse_timer(now)
        self._looks_at = engine.look_again(now)
