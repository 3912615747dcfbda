"""Sessions and listeners that are open, for the ends that nobody announces.

Lives here: shutting down what is still open when the interpreter exits; after a fork,
telling the child's copies that they are only that.
Never here: how one closes (session.py, accepting.py).
"""

from __future__ import annotations

import atexit
import os
import weakref
from threading import Lock
from typing import Final, Protocol


class Open(Protocol):
    """What can be left open."""

    def shut_down(self) -> None:
        """End now, without linger and without waiting for threads."""

    def abandon(self) -> None:
        """Be closed, in a child process: the threads and the connection are the parent's."""


class Registry:
    """Everything that is open; holds nothing alive."""

    __slots__ = ("_lock", "_open")

    def __init__(self) -> None:
        self._open: weakref.WeakSet[Open] = weakref.WeakSet()
        self._lock = Lock()

    def add(self, one: Open) -> None:
        """Remember what has been opened."""
        with self._lock:
            self._open.add(one)

    def discard(self, one: Open) -> None:
        """Forget what has been closed."""
        with self._lock:
            self._open.discard(one)

    def shut_down(self) -> None:
        """Shut everything down: peers learn of it now rather than by our silence."""
        with self._lock:
            remaining = list(self._open)
        for one in remaining:
            one.shut_down()

    def abandon(self) -> None:
        """Give up, in the child of a fork, what belongs to the parent."""
        self._lock = Lock()  # a thread that exists in the parent only may have held it
        for one in list(self._open):
            one.abandon()
        self._open.clear()


OPEN: Final = Registry()

atexit.register(OPEN.shut_down)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=OPEN.abandon)
