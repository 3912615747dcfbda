"""Calling users' functions now and then, on a thread that is nobody's stream.

Lives here: the process's one `srt-callbacks` thread, which exists only while something is
registered, and when it calls what.
Never here: what is called (conn.py), anything a stream waits for.

Threads  srt-callbacks runs everything registered, one after another; it sleeps on `_changed`.
Lock     `_changed`'s, over the list and the thread.  Nothing is called under it.
"""

from __future__ import annotations

import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable
from typing import Final

from srtpy.log import Log, LogCategory, with_frames

SHORTEST: Final = 0.010
"""Seconds between two calls at least."""
LONGEST_SLEEP: Final = 3_600.0
"""Seconds the thread sleeps at a time: far below where the system's timeouts overflow."""


class Repeated:
    """Something called again and again; `cancel` ends it."""

    __slots__ = ("_clock", "function", "interval", "is_cancelled")

    def __init__(self, clock: Callbacks, interval: float, function: Callable[[], None]) -> None:
        self._clock = clock
        self.interval = interval
        self.function = function
        self.is_cancelled = False

    def cancel(self) -> None:
        """Call it no more; a call under way is not waited for."""
        self._clock.forget(self)


class Callbacks:
    """Functions to be called again and again, and the thread that calls them."""

    def __init__(self) -> None:
        self._changed = threading.Condition()  # notified when the first due time or the number of entries changed
        self._due: list[tuple[float, int, Repeated]] = []
        self._order = itertools.count()
        self._thread: threading.Thread | None = None

    def every(self, interval: float, function: Callable[[], None]) -> Repeated:
        """Call `function` every `interval` seconds, the first time after one."""
        entry = Repeated(self, max(interval, SHORTEST), function)
        with self._changed:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="srt-callbacks", daemon=True)
                thread.start()  # it needs the lock first of all
                self._thread = thread
            self._put(time.monotonic() + entry.interval, entry)
            self._changed.notify()
        return entry

    def forget(self, entry: Repeated) -> None:
        """Drop an entry; with the last one the thread ends."""
        with self._changed:
            entry.is_cancelled = True
            self._due = [row for row in self._due if row[2] is not entry]
            heapq.heapify(self._due)
            self._changed.notify()

    def abandon(self) -> None:
        """Start afresh in the child of a fork: the thread is the parent's."""
        self.__init__()  # type: ignore[misc]

    def _put(self, due: float, entry: Repeated) -> None:
        heapq.heappush(self._due, (due, next(self._order), entry))

    def _run(self) -> None:
        entry: Repeated | None = None
        while True:
            entry = self._next(entry)
            if entry is None:
                return
            try:
                entry.function()
            except BaseException as error:  # noqa: BLE001 a user's mistake must not end the thread, and is told
                Log(None).error(LogCategory.GENERAL, f"a callback raised\n{with_frames(error)}")

    def _next(self, done: Repeated | None) -> Repeated | None:
        """Put back what has been called, wait for what is next; None: nothing is left, the thread ends."""
        with self._changed:
            now = time.monotonic()
            if done is not None and not done.is_cancelled:
                self._put(now + done.interval, done)
            while self._due:
                wait = self._due[0][0] - time.monotonic()
                if wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(min(wait, LONGEST_SLEEP))
            self._thread = None
            return None


CALLBACKS: Final = Callbacks()
"""The process's own."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=CALLBACKS.abandon)
