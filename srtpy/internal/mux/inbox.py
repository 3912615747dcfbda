"""What waits for a connection or a listener, and whether anybody has to be woken for it.

Lives here: `Inbox`: first in, first out, with a bell.
Never here: whose datagrams they are (routes.py), what is done with them (session).

Any thread puts, one thread waits for the bell; who takes is the owner's business, one at a time.

No wake-up is lost.  `put` appends first and looks at `is_attended` and `_is_rung` afterwards; whoever takes clears
the one or the other first and looks for items afterwards.  So either `put` finds it cleared, and rings, or
its item was there before the looking.  Every step is atomic by itself, so no lock is needed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final, TypeAlias

from srtpy.internal.clock.units import MILLISECOND, Micros
from srtpy.internal.mux.address import Path
from srtpy.internal.packet.batch import Batch

MANY: Final = 16  # ours: items that may wait unheard of; an idle connection has one a second
PATIENCE: Final[Micros] = 2 * MILLISECOND  # ours: as long as a reader naps while data flows

Item: TypeAlias = tuple[Batch, Path] | None
"""A batch and where it came from; None is the owner's own word to wake up and look."""


class Inbox:
    """What a connection or a listener reads from.

    Attributes:
        is_attended: somebody who is awake soon, and clears this first, will look: batches do not ring.
        is_patient: the owner looks now and then anyway: what can wait does not ring.
        is_let_down: somebody has not looked, whose word it was to do so.
        patience: for how long what comes may be left unread where little comes for each of many.
        tend: does on the socket's thread, at an instant, what the owner would be woken for, or rings; None: the owner
            is woken.
        is_tended_always: not only for a little.
    """

    __slots__ = (
        *("_bell", "_is_rung", "_items", "get_nowait", "is_attended", "is_let_down", "is_patient", "patience"),
        *("is_tended_always", "qsize", "tend"),
    )

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._is_rung = False
        self.is_attended = False
        self.is_let_down = False
        self.is_patient = False
        self.patience = PATIENCE
        self.tend: Callable[[Micros], None] | None = None
        self.is_tended_always = False
        self.qsize = self._items.__len__
        """Return how many wait."""
        self.get_nowait = self._items.popleft
        """Take the oldest; IndexError if none waits."""

    def put(self, item: Item, can_wait: bool = False) -> None:
        """Put in what has come; None always rings."""
        if self.add(item, can_wait):
            self.ring()

    def add(self, item: Item, can_wait: bool = False) -> bool:
        """Put in what has come; return whether somebody has to be told, which is the caller's business."""
        items = self._items
        items.append(item)
        is_silent = self.is_attended or (can_wait and self.is_patient and len(items) < MANY)
        return item is None or not is_silent

    def ring(self) -> None:
        """Have `wait` return, now or when it is called next."""
        if not self._is_rung:
            self._is_rung = True
            self._bell.put(None)

    def wait(self, timeout: float | None = None) -> None:
        """Wait for the bell; there need not be anything.

        Raises:
            queue.Empty: it has not rung in so many seconds.
        """
        self._bell.get(timeout=timeout)
        self._is_rung = False

    def get(self, timeout: float | None = None) -> Item:
        """Wait for something and take it; for an owner with one thread.

        Raises:
            queue.Empty: nothing came, in so many seconds, or twice as many.
        """
        while not self._items:
            self.wait(timeout)
        return self._items.popleft()

    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._items
