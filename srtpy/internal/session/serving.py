"""A writer that keeps a connection busy does the other threads' work as well.

Lives here: noticing that writes follow each other, and what is done with each of them instead of waking others.
Never here: what a turn of the core is (engine.py), waiting for room (writing.py), promises kept by others (intake.py).

Whoever writes a file writes again a moment later.  Woken for each acknowledgement and for each burst that its pace
holds back, two more threads and the socket's would take the interpreter from the one that has the data.  So with its
second write within `APART` a writer promises to come back, and reads the socket itself every `LOOK`; between looks it
only sends.  If it does not come back, others are woken for what arrives and for what it has left behind: `PROMISE`
after it looked last, by whoever watches over promises, or if nobody does by the timer, `TAIL` after it wrote last.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import MILLISECOND, Micros
from srtpy.internal.session.engine import Engine

RUN: Final = 44  # ours: packets one burst, and one GSO call, carries
APART: Final[Micros] = 1 * MILLISECOND  # ours: who reads a disk in between may take so long
CLOSE: Final[Micros] = 100  # ours: writes this far apart are sent singly if they are short; as live ones are
LOOK: Final[Micros] = 1 * MILLISECOND  # ours: a peer's window is far longer, and its round trip hardly longer for it
AHEAD: Final = 264  # ours: packets; six bursts, 400 kB of a core's cache of one or two megabytes
BRIEF: Final[Micros] = 40  # ours: a sleep takes 60 more than it should
STAY: Final[Micros] = 500  # ours: so long a writer may keep the lock from others, or be kept from writing
SHORTEST_NAP: Final[Micros] = 10  # ours: a sleep takes 60 more, and by then a burst is due
PROMISE: Final[Micros] = 3 * MILLISECOND  # ours: a thread that is to run waits 5 ms for another
WATCHED: Final[Micros] = 10 * MILLISECOND  # ours: for the case that a reader beside us takes the promise back
TAIL: Final[Micros] = 2 * MILLISECOND  # ours: what a rest may wait for more, as with live writers


class Serving:
    """What one connection's writers do for the core as they write; needs the session's lock."""

    __slots__ = ("_busy_at", "_engine", "_gathers", "_look_at", "_wrote_at")

    def __init__(self, engine: Engine, *, gathers: bool) -> None:
        """Begin with nothing written; `gathers` says whether what is left of a write may leave with the next one."""
        self._engine = engine
        self._gathers = gathers
        self._busy_at: Micros = 0
        self._wrote_at: Micros = 0
        self._look_at: Micros = 0

    def leave(self, now: Micros) -> None:
        """Send what is to leave after something was written."""
        engine = self._engine
        since, self._busy_at, self._wrote_at = now - self._busy_at, now, now
        engine.wrote(now)
        if since > APART:
            engine.flush(now)
            self._send(1, now)
        else:
            self._serve(RUN if self._gathers and (since <= CLOSE or engine.core.unsent >= RUN) else 1, now)

    def stand_by(self, needed: int, now: Micros) -> Micros:
        """Do what is due while there is no room for `needed` packets, and what is due in a moment; return when it is.

        That is: take in what has arrived, if it is time for that, and send what may leave.
        """
        engine, core = self._engine, self._engine.core
        if not self._is_patient(now):  # others do the same
            engine.intake.keep()
            engine.served_until = 0
            engine.turn(now)
            return now
        until = now + STAY
        self._serve(1, now)
        while not self.may_write(needed, now) and core.next_deadline() < now + BRIEF and now < until:
            now = monotonic_now()
            self._serve(1, now)
        self._busy_at = now
        return now

    def may_write(self, needed: int, now: Micros) -> bool:
        """Say whether there is room for `needed` packets, and not so much ahead of them that it had better leave first.

        A writer has to wait for the pace anyway.  If it does so early, what leaves is still in the processor's cache.
        """
        core = self._engine.core
        if core.room() < needed:
            return False
        return core.unsent < AHEAD or now - self._wrote_at >= STAY or core.next_deadline() >= now + STAY

    def wakes_at(self, duty: Micros, now: Micros) -> Micros:
        """Return when to stand by again, if something is due at `duty`."""
        if self._is_patient(now):
            return min(max(duty, now + SHORTEST_NAP), now + LOOK)
        return duty

    def _is_patient(self, now: Micros) -> bool:
        """Whether it is so short a time since there was room that nobody else need be woken."""
        return now - self._wrote_at < PROMISE

    def _serve(self, least: int, now: Micros) -> None:
        """Do everybody's work, and see to it that it is done if we do not come back."""
        engine = self._engine
        if now >= self._look_at:
            self._look_at = now + LOOK
            engine.intake.keep()
            engine.turn(now)
            engine.intake.promise(now + PROMISE)
            if engine.intake.is_promised:  # whom a broken promise wakes sees to the rest and to the timer's duties
                engine.serve_until(now + WATCHED)
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
