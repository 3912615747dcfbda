"""The virtual world: two ends and a link each way, in time that jumps.

Lives here: the loop that carries datagrams, wakes the ends at their deadlines and lets a
story act at chosen instants; what was delivered, and when.
Never here: what links do to datagrams (link.py), how ends are made (pair.py).

An end is anything that speaks the five verbs.  It is told its own clock's time, is woken
only by a datagram, by its own deadline or by the story, and must not ask to be woken again
at once: a deadline that stays in the past is a bug this world reports.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Protocol

from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER_SIZE, Datagram
from tests.sim.clock import Clock
from tests.sim.link import Link

PATIENCE = 500  # turns of the loop in which time may stand still before we call it a bug


class End(Protocol):
    """What speaks the five verbs."""

    def receive_datagrams(self, batch: Batch, now: Micros) -> None: ...
    def handle_timer(self, now: Micros) -> None: ...
    def next_deadline(self) -> Micros: ...
    def datagrams_to_send(self, now: Micros) -> list[Datagram]: ...
    def events(self) -> Sequence[object]: ...


class Side:
    """One end in the world: its clock, the link it sends by, its peer, what it was given and when.

    Attributes:
        reads: whether the application takes messages as they come; False is a reader gone to sleep.
        delivered: rows (message, world time) the application has taken.
        news: events, in order.
        wakes: how often it was woken by its own deadline.
        sent: set it to a list to have (world time, datagram) of everything this side sends.
    """

    def __init__(self, end: Any, clock: Clock, link: Link) -> None:
        self.end = end
        self.clock = clock
        self.link = link
        self.peer: Side = self
        self.reads = True
        self.frozen_until: Micros = 0
        self.delivered: list[tuple[Any, Micros]] = []
        self.news: list[object] = []
        self.sent: list[tuple[Micros, bytes]] | None = None
        self.wakes = 0
        self.waiting: list[bytes] = []

    @property
    def payloads(self) -> list[bytes]:
        """The payloads delivered so far."""
        return [message[0] for message, _ in self.delivered]

    def deadline(self) -> Micros:
        """Return when, in world time, the end or its reader wants to be woken."""
        return max(self.clock.world(min(self.end.next_deadline(), self.delivery_due())), self.frozen_until)

    def delivery_due(self) -> Micros:
        """Return when, by its own clock, something becomes readable for a reader who waits for it."""
        ask = getattr(self.end, "delivery_due", None)
        return NEVER if ask is None or not self.reads else int(ask())

    def read(self, local: Micros, world: Micros) -> None:
        """Let the application take what is due, as a session's reader does."""
        if self.delivery_due() <= local:
            self.end.release(local)
        messages = getattr(self.end, "messages", None)
        if messages:
            self.delivered += [(message, world) for message in messages]
            messages.clear()
            note_read = getattr(self.end, "note_read", None)
            if note_read is not None:
                note_read(local)

    def heard(self, kind: type) -> bool:
        """Say whether an event of this type has been seen."""
        return any(isinstance(event, kind) for event in self.news)


class World:
    """Two ends (more pairs may join) and their links.

    Args:
        a: an end.
        b: its peer.
        forth: the link from `a` to `b`.
        back: the link from `b` to `a`.
        a_clock: the clock of `a`.
        b_clock: the clock of `b`.
        joined: up to so many equal-sized datagrams that arrive together make one batch, as a GRO read.
        read_interval: arrivals wait for the next multiple of this, as a reader that naps.
    """

    def __init__(
        self,
        a: Any,
        b: Any,
        forth: Link | None = None,
        back: Link | None = None,
        *,
        a_clock: Clock | None = None,
        b_clock: Clock | None = None,
        joined: int = 1,
        read_interval: Micros = 0,
    ) -> None:
        self.now: Micros = 0
        self.sides: list[Side] = []
        self._joined = joined
        self._read_interval = read_interval
        self._order = count()
        self._arrivals: list[tuple[Micros, int, Side, bytes]] = []
        self._actions: list[tuple[Micros, int, Callable[[], None]]] = []
        self.a, self.b = self.join(a, b, forth, back, a_clock, b_clock)

    def join(
        self,
        a: Any,
        b: Any,
        forth: Link | None = None,
        back: Link | None = None,
        a_clock: Clock | None = None,
        b_clock: Clock | None = None,
    ) -> tuple[Side, Side]:
        """Add two more ends with a link each way."""
        one = Side(a, a_clock or Clock(), forth or Link())
        other = Side(b, b_clock or Clock(), back or Link())
        one.peer, other.peer = other, one
        self.sides += [one, other]
        return one, other

    # what a story does

    def at(self, when: Micros, action: Callable[[], None]) -> None:
        """Do `action` at the instant `when` of the world (at once when that is past)."""
        heapq.heappush(self._actions, (when, next(self._order), action))

    def every(self, period: Micros, action: Callable[[], bool | None], first: Micros | None = None) -> None:
        """Do `action` each `period` until it returns False."""
        start = self.now if first is None else first

        def again(when: Micros) -> None:
            if action() is not False:
                self.at(when + period, lambda: again(when + period))

        self.at(start, lambda: again(start))

    def inject(self, side: Side, datagram: bytes) -> None:
        """Let a datagram from nowhere arrive at `side` now."""
        heapq.heappush(self._arrivals, (self.now, next(self._order), side, datagram))

    def freeze(self, side: Side, duration: Micros) -> None:
        """Stop an end (not its clock, not the network) for a while; what arrives waits for it."""
        side.frozen_until = self.now + duration

    def local_time(self, side: Side) -> Micros:
        """Return what `side`'s clock shows now."""
        return side.clock.local(self.now)

    def run_until(self, done: Callable[[], bool], limit: Micros) -> None:
        """Let time pass until `done()`; fail when that takes longer than `limit`."""
        stop = self.now + limit
        self._post(self.sides)
        stalled = 0
        while not done():
            before = self.now
            wake = self._next_wake()
            assert wake <= stop, f"the story did not end within {limit} us: the next thing happens at {wake}"
            self._step(wake)
            stalled = 0 if self.now > before else stalled + 1
            assert stalled < PATIENCE, f"time stands still at {self.now}: {self._who_waits()}"

    def run_for(self, duration: Micros) -> None:
        """Let `duration` pass."""
        stop = self.now + duration
        reached: list[bool] = []
        self.at(stop, lambda: reached.append(True))
        self.run_until(lambda: bool(reached), duration)

    # how it goes round

    def _next_wake(self) -> Micros:
        wakes = [side.deadline() for side in self.sides]
        wakes += [side.frozen_until for side in self.sides if side.waiting]
        if self._arrivals:
            wakes.append(self._read_time(self._arrivals[0][0]))
        if self._actions:
            wakes.append(self._actions[0][0])
        return min(wakes)

    def _step(self, wake: Micros) -> None:
        self.now = max(self.now, wake)
        touched = self._deliver_due()
        while self._actions and self._actions[0][0] <= self.now:
            heapq.heappop(self._actions)[2]()
            touched = set(self.sides)
        for side in self.sides:
            if side.deadline() <= self.now:
                side.wakes += 1
                if side.clock.world(side.end.next_deadline()) <= self.now:
                    side.end.handle_timer(self.local_time(side))
                touched.add(side)
        self._post(side for side in self.sides if side in touched)

    def _deliver_due(self) -> set[Side]:
        """Hand over what has arrived by now; return who was touched."""
        while self._arrivals and self._read_time(self._arrivals[0][0]) <= self.now:
            _, _, side, datagram = heapq.heappop(self._arrivals)
            side.waiting.append(datagram)
        touched = set()
        for side in self.sides:
            if side.waiting and side.frozen_until <= self.now:
                datagrams, side.waiting = side.waiting, []
                touched.add(side)
                for batch in joined(datagrams, self._joined):
                    side.end.receive_datagrams(batch, self.local_time(side))
        return touched

    def _post(self, sides: Iterable[Side]) -> None:
        """Put what the ends have to send on their links; take what they have to say and to give."""
        for side in sides:
            if side.frozen_until > self.now:
                continue
            if side.reads:
                side.read(self.local_time(side), self.now)
            for header, body in side.end.datagrams_to_send(self.local_time(side)):
                datagram = bytes(header) + body
                if side.sent is not None:
                    side.sent.append((self.now, datagram))
                for arrival, arrived in side.link.carry(datagram, self.now):
                    heapq.heappush(self._arrivals, (arrival, next(self._order), side.peer, arrived))
            side.news += side.end.events()

    def _read_time(self, arrival: Micros) -> Micros:
        interval = self._read_interval
        return arrival if not interval else -(-arrival // interval) * interval

    def _who_waits(self) -> str:
        return ", ".join(
            f"side {index} ({type(side.end).__name__}) wants to be woken at "
            + ("never" if side.end.next_deadline() >= NEVER else f"{side.end.next_deadline()}")
            + f" and its clock shows {self.local_time(side)}"
            for index, side in enumerate(self.sides)
        )


def joined(datagrams: Sequence[bytes], limit: int) -> list[Batch]:
    """Join neighbours as a GRO read would: equal sizes, the last of a read may be shorter, at most `limit`."""
    batches: list[Batch] = []
    run: list[bytes] = []
    for datagram in datagrams:
        if len(datagram) < HEADER_SIZE:  # the mux throws these away
            continue
        is_full = len(run) >= limit or (run and len(run[-1]) < len(run[0]))
        if run and (is_full or len(datagram) > len(run[0])):
            batches.append(Batch(b"".join(run), len(run[0])))
            run = []
        run.append(datagram)
    if run:
        batches.append(Batch(b"".join(run), len(run[0])))
    return batches
