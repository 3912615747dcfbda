"""What the socket's thread does for connections of which each has little to do, or a file: it is awake anyway.

Lives here: who is to be seen to and when, seeing to them for a moment at a time, and waking their own threads if
it gets too much.
Never here: what is done for a connection (session.tending), reading (mux.py), which inboxes have to ring (inbox.py).

To wake another thread costs several times what a connection has to do for a lone packet, or to say that it is there
still.  So what comes for an inbox with a `tend` does not ring: the thread that has read it calls that.  Nor does a
connection with little to do wait for its next duty: it has itself reminded.  An inbox is never forgotten: each is
tended, or rings.
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush, heapreplace
from itertools import count
from threading import RLock
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, Micros
from srtpy.internal.mux.inbox import Inbox

MOMENT: Final[Micros] = 2 * MILLISECOND  # ours: then the socket is read again: the kernel holds 90 datagrams at least
MOST_WAITING: Final = 1_000  # ours: inboxes; a thread woken for each costs more than this one needs for all


class Errands:
    """Inboxes to be tended, now or later.  Any thread has itself reminded; one thread does the rest.

    Args:
        wake: ends the sleep of the one who runs them.
    """

    __slots__ = ("_at", "_heap", "_lock", "_order", "_sleeps_until", "_waiting", "_wake")

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = RLock()  # a signal's handler that closes another connection may come in between
        self._heap: list[tuple[Micros, int, Inbox]] = []
        self._order = count()
        self._at: dict[Inbox, list[Micros]] = {}
        """For each inbox in the heap: when it wants to be reminded, and when its one entry that counts is due."""
        self._waiting: dict[Inbox, None] = {}
        self._sleeps_until: Micros = 0

    def __len__(self) -> int:
        return len(self._at) + len(self._waiting)

    @property
    def has_work(self) -> bool:
        """Whether somebody is to be tended now."""
        return bool(self._waiting)

    def remind(self, inbox: Inbox, at: Micros) -> None:
        """Have an inbox tended at that instant, and not at any told before."""
        with self._lock:
            if at < self._sleeps_until:
                self._sleeps_until = 0
                self._wake()  # first: we may be interrupted, and whoever wakes waits for the lock
            row = self._at.get(inbox)
            if row is not None and at >= row[1]:
                row[0] = at
                return
            heappush(self._heap, (at, next(self._order), inbox))
            self._at[inbox] = [at, at]

    def add(self, inbox: Inbox) -> None:
        """Have an inbox tended now: something has come for it.  For the thread that runs them."""
        self._waiting[inbox] = None

    def run(self, clock: Callable[[], Micros]) -> bool:
        """Tend whom it is time for, for a moment; return whether there is more to do."""
        now = clock()
        self._sleeps_until = 0
        self._collect(now)
        waiting = self._waiting
        if len(waiting) > MOST_WAITING:
            self.give_back()
        limit = now + MOMENT
        while waiting and now < limit:
            inbox = next(iter(waiting))
            del waiting[inbox]
            tend = inbox.tend
            if tend is None:  # it has ended meanwhile
                inbox.ring()
            else:
                tend(now)
            now = clock()
        return bool(waiting)

    def sleep(self) -> Micros:
        """Return until when whoever runs them may sleep; if that changes it is woken."""
        with self._lock:
            self._sleeps_until = until = self._next()
        return until

    def _next(self) -> Micros:
        """Return when somebody wants to be reminded next; nobody wakes for what has been told otherwise since."""
        heap = self._heap
        while heap:
            entry, _, inbox = heap[0]
            row = self._at.get(inbox)
            if row is None or row[1] != entry:
                heappop(heap)
            elif row[0] == entry:
                return entry
            else:
                row[1] = row[0]
                heapreplace(heap, (row[0], next(self._order), inbox))
        return NEVER

    def give_back(self) -> None:
        """Have the connections' own threads do what waits."""
        waiting = self._waiting
        while waiting:
            inbox, _ = waiting.popitem()
            inbox.ring()

    def _collect(self, now: Micros) -> None:
        """Find whose time has come."""
        heap = self._heap
        if not heap or heap[0][0] > now:
            return
        with self._lock:
            while heap and heap[0][0] <= now:
                entry, _, inbox = heappop(heap)
                row = self._at.get(inbox)
                if row is None or row[1] != entry:
                    continue  # an earlier one has taken its place
                if row[0] <= now:
                    del self._at[inbox]
                    self._waiting[inbox] = None
                else:
                    row[1] = row[0]
                    heappush(heap, (row[0], next(self._order), inbox))
