"""A writer that keeps a connection busy does the other threads' work as well.

Lives here: noticing that writes follow each other, and what is done with each of them instead of waking others.
Never here: what a turn of the core is (engine.py), waiting for room (writing.py), promises kept by others (intake.py).

Whoever writes a file writes again a moment later.  Woken for each acknowledgement and for each burst that its pace
holds back, two more threads and the socket's would take the interpreter from the one that has the data.  So with its
second write within `APART` a writer promises to come back, and reads the socket itself every `LOOK`; between looks it
only sends.  If it does not come back, others are woken for what it has left behind: `PROMISE` after its last write
for what arrives, `TAIL` after it for what was held back.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, Micros
from srtpy.internal.session.engine import Engine

RUN: Final = 44  # ours: packets one burst, and one GSO call, carries
APART: Final[Micros] = 1 * MILLISECOND  # ours: who reads a disk in between may take so long
CLOSE: Final[Micros] = 100  # ours: writes this far apart are sent singly if they are short; as live ones are
BRIEF: Final[Micros] = 150  # ours: falling asleep and waking take as long
STAY: Final[Micros] = 2 * MILLISECOND  # ours: so long a writer may keep the lock from others
LOOK: Final[Micros] = 500  # ours: a peer's window is far longer, and its round trip hardly longer for it
PROMISE: Final[Micros] = 3 * MILLISECOND  # ours: a thread that is to run waits 5 ms for another
TAIL: Final[Micros] = 2 * MILLISECOND  # ours: what a rest may wait for more, as with live writers


class Serving:
    """What one connection's writers do for the core as they write; needs the session's lock."""

    __slots__ = ("_engine", "_left_at", "_look_at")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._left_at: Micros = 0
        self._look_at: Micros = 0

    def leave(self, now: Micros) -> None:
        """Send what is to leave after something was written."""
        engine = self._engine
        since, self._left_at = now - self._left_at, now
        engine.wrote(now)
        if since > APART:
            engine.flush(now)
            self._send(1, now)
            return
        least = RUN if since <= CLOSE or engine.core.unsent >= RUN else 1
        if now >= self._look_at:
            self._look(now)
        engine.serve_until(now + TAIL)
        if self._send(least, now):
            engine.flush_by = now + TAIL
        engine.rouse_timer(now)

    def _send(self, least: int, now: Micros) -> int:
        """Send while so many packets wait and may leave; return how many still wait."""
        engine, core = self._engine, self._engine.core
        while (waiting := core.unsent) >= least:
            datagrams = engine.change(partial(core.datagrams_to_send, now))
            if not datagrams:
                break
            engine.send(datagrams)
        return waiting

    def is_worth_staying(self, since: Micros, now: Micros) -> bool:
        """Say whether a writer for whom there is no room had better stay than sleep: it would hardly sleep at all."""
        return now - since < STAY and now - self._left_at < APART and self._engine.core.next_deadline() < now + BRIEF

    def _look(self, now: Micros) -> None:
        """Take in what has arrived, and promise to do so again."""
        engine = self._engine
        self._look_at = now + LOOK
        engine.intake.keep()
        engine.turn(now)
        engine.intake.promise(now + PROMISE)
