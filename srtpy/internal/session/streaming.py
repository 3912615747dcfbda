"""Reading and writing a stream of bytes: no message has an end, a call takes what there is.

Lives here: how much of what is ready a read takes, in what pieces a write goes into the send buffer.
Never here: waiting (reading.py, writing.py), how packets become bytes (buffer.messages).
Draft: 4.2.2 "Buffer Mode".

Several threads may read: each gets bytes that follow one another, because taking is one step.  What a read
leaves of a chunk goes back to the head of the queue as a view of the same bytes, not as a copy.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from threading import Lock
from typing import Final

from srtpy.errors import SRTError, WouldBlockError
from srtpy.internal.buffer.receive import Delivered
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import Micros
from srtpy.internal.session.engine import Engine
from srtpy.internal.session.reading import READ_LIMIT, Reader
from srtpy.internal.session.waiting import Deadline
from srtpy.internal.session.writing import Limits, Writer

CHUNK: Final = 176  # ours: packets put in before the first of them may leave: four bursts
EVERYTHING: Final = 1 << 62  # ours: more than there will ever be


class StreamReader:
    """The reading half of a session that carries a stream."""

    __slots__ = ("_engine", "_queue", "_taking", "_waiting")

    def __init__(self, engine: Engine, waiting: Reader) -> None:
        """Begin with nothing read; `waiting` does the waiting."""
        self._engine = engine
        self._queue = engine.core.messages
        self._taking = Lock()
        self._waiting = waiting

    @property
    def deadline(self) -> Deadline:
        """How long calls may take that are not told otherwise."""
        return self._waiting.deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._waiting.deadline = deadline

    @property
    def is_ready(self) -> bool:
        """Whether a read would return at once.  Needs the lock."""
        return self._waiting.is_ready

    def read(self, size: int = -1, deadline: Deadline | None = None) -> bytes:
        """Return what is ready, at most `size` bytes and at least one; b"" at the end."""
        if not size:
            return b""
        pieces = self._pieces(EVERYTHING if size < 0 else size, EVERYTHING, deadline)
        if len(pieces) == 1 and type(pieces[0]) is bytes:
            return pieces[0]
        return b"".join(pieces)

    def read_into(self, buffer: memoryview, deadline: Deadline | None = None) -> int:
        """Fill `buffer` (bytes) with what is ready, as far as it fits; 0 at the end."""
        if not len(buffer):
            return 0
        filled = 0
        for piece in self._pieces(len(buffer), EVERYTHING, deadline):
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)
        return filled

    def read_many(self, limit: int = READ_LIMIT, deadline: Deadline | None = None) -> list[bytes]:
        """Return what is ready in at most `limit` pieces, as they come; [] at the end."""
        if limit < 1:
            raise ValueError(f"limit={limit} is out of range: 1 or more pieces")
        return [bytes(piece) for piece in self._pieces(EVERYTHING, limit, deadline)]

    def read_pieces(self, size: int, deadline: Deadline | None = None) -> list[bytes]:
        """Return what is ready, at most `size` bytes, in pieces as they are: bytes, or views of them; [] at the end."""
        return self._pieces(size, EVERYTHING, deadline)

    def read_message(self, deadline: Deadline | None = None) -> tuple[Delivered, Micros] | None:
        """Return what is ready as if it were a message, with the words of its first packet; None at the end."""
        rows: list[Delivered] = []
        self._fetch(rows, EVERYTHING, EVERYTHING, deadline)
        if not rows:
            return None
        payload = b"".join([row[0] for row in rows])
        return (payload, *rows[0][1:]), monotonic_now()

    def _pieces(self, size: int, limit: int, deadline: Deadline | None) -> list[bytes]:
        rows: list[Delivered] = []
        self._fetch(rows, size, limit, deadline)
        return [row[0] for row in rows]

    def _fetch(self, rows: list[Delivered], size: int, limit: int, deadline: Deadline | None) -> None:
        """Take at most `size` bytes in at most `limit` rows; wait for the first."""
        with suppress(IndexError):
            self._take(rows, size, limit)
        if not rows:
            self._waiting.wait(lambda: self._take(rows, size, limit), deadline)
        if self._engine.core.is_tight:
            self._waiting.report()

    def _take(self, rows: list[Delivered], size: int, limit: int) -> None:
        """Move what is ready into `rows`; raise IndexError if there is nothing."""
        queue = self._queue
        with self._taking:
            row = queue.popleft()
            while True:
                payload = row[0]
                if len(payload) > size:
                    view = memoryview(payload)
                    queue.appendleft((view[size:], *row[1:]))  # type: ignore[arg-type]  # bytes to be, when it is read
                    row = (bytes(view[:size]), *row[1:])
                rows.append(row)
                size -= len(row[0])
                if not size or len(rows) >= limit or not queue:
                    return
                row = queue.popleft()


class StreamWriter:
    """The writing half of a session that carries a stream."""

    __slots__ = ("_chunk", "_engine", "_waiting")

    def __init__(self, engine: Engine, waiting: Writer, payload_size: int) -> None:
        """Begin with nothing written; `waiting` does the waiting, a packet takes `payload_size` bytes."""
        self._chunk = CHUNK * payload_size
        self._engine = engine
        self._waiting = waiting

    @property
    def deadline(self) -> Deadline:
        """How long calls may take that are not told otherwise."""
        return self._waiting.deadline

    @deadline.setter
    def deadline(self, deadline: Deadline) -> None:
        self._waiting.deadline = deadline

    @property
    def limits(self) -> Limits:
        """How much at once makes sense."""
        return self._waiting.limits

    @property
    def is_ready(self) -> bool:
        """Whether a write would take something at once.  Needs the lock."""
        return self._waiting.is_ready

    def write(self, data: bytes, deadline: Deadline | None = None) -> int:
        """Put bytes into the send buffer, waiting for room until all are taken; return how many were.

        That is fewer only where waiting is switched off.  An error says in `bytes_taken` how many were taken.
        """
        engine, core, chunk, serving = self._engine, self._engine.core, self._chunk, self._waiting.serving
        assert serving is not None, "only live writers have none"
        taken, began = 0, monotonic_now()
        may_wait = (self.deadline if deadline is None else deadline).is_blocking

        def put(now: Micros) -> None:
            nonlocal taken
            while taken < len(data) and (serving.may_write(1, now) if may_wait else core.room()):
                taken += engine.change(partial(core.write_stream, data, taken, min(taken + chunk, len(data)), now))
                serving.leave(now)
                now = monotonic_now()

        with engine.lock:
            if engine.fate.is_unwritable:
                raise engine.fate.refusal_to_write()
            put(began)
        try:
            while taken < len(data):
                self._waiting.once_there_is_room(put, deadline, began)
        except SRTError as error:
            if taken and isinstance(error, WouldBlockError):
                return taken
            error.bytes_taken = taken
            raise
        return taken

    def write_many(self, messages: Sequence[bytes], deadline: Deadline | None = None) -> int:
        """Put all bytes into the send buffer, one piece after the other; return how many pieces were taken whole."""
        taken = self.write(b"".join(messages), deadline)
        whole = 0
        for message in messages:
            taken -= len(message)
            if taken < 0:
                break
            whole += 1
        return whole

    def write_control(
        self,
        data: bytes,
        stamp: Micros | None = None,
        ttl: Micros | None = None,
        in_order: bool = True,
        deadline: Deadline | None = None,
    ) -> int:
        """Put bytes into the send buffer; they cannot have a time to live.

        Raises:
            ValueError: a time to live: what follows in the stream would make no sense without them.
        """
        if ttl is not None:
            raise ValueError("msg_ttl: a stream of bytes has no messages that could expire (message_api=False)")
        return self.write(data, deadline)
