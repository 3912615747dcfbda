"""Messages that wait for more, so that they can leave together.

Lives here: what waits, since when, and until when.
Never here: when it is worth waiting (writing.py), what a core does with messages (core).

They wait outside the core, which has its work for a packet and its work for a burst: gathering a message is no more
than putting it on a list.  So nothing may happen to the core that depends on them before `hand_over`.
"""

from __future__ import annotations

from collections.abc import Sequence

from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.packet.header import Datagram
from srtpy.internal.session.neighbours import Core


class Gathering:
    """What one connection's writers have gathered; needs the session's lock.

    Attributes:
        waiting: messages and when they were written, in order; each fits a packet.
        until: when they must leave; `NEVER` if there are none.
        wrote_at: when messages last went into the core.
        places: how many may wait; none before the first does.
        left: how many have left since somebody set it to 0.
    """

    __slots__ = ("_core", "left", "places", "until", "waiting", "wrote_at")

    def __init__(self, core: Core) -> None:
        self._core = core
        self.waiting: list[tuple[bytes, Micros]] = []
        self.until: Micros = NEVER
        self.places = self.left = 0
        self.wrote_at: Micros = 0

    def begin(self, message: bytes, now: Micros, until: Micros, places: int) -> None:
        """Let a message wait until then, and so many at most with it; the core has room for them."""
        self.waiting.append((message, now))
        self.until = until
        self.places = places

    def hand_over(self, now: Micros) -> None:
        """Give the core what waits."""
        waiting, self.waiting = self.waiting, []
        self.until, self.places = NEVER, 0
        if waiting:
            messages, instants = zip(*waiting, strict=True)
            self._core.write_many(messages, now, instants)

    def send(self, now: Micros) -> Sequence[Datagram]:
        """Give the core what waits, and return what is to leave now; there is something."""
        messages, instants = zip(*self.waiting, strict=True)
        self.waiting, self.until, self.places = [], NEVER, 0
        self.left += len(messages)
        return self._core.send_run(messages, instants, now)
