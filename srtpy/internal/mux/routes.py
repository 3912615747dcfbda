"""Whose datagrams they are: socket ids, the listener, and the addresses they may come from.

Lives here: the table of socket ids, the check that a datagram comes from its connection's
peer, bounded inboxes, what happens to datagrams nobody has asked for.
Never here: reading (udp.py), what a connection or a listener does with its inbox (session), what is
answered for ids that were in use lately (farewells.py).
Draft: 3 "Packet Structure" (Destination SRT Socket ID).  The source check is libsrt's
(queue.cpp worker_ProcessAddressedPacket).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock
from typing import Final

from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.mux.address import Address, Path, plain
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.farewells import Farewells
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import CONTROL, PATIENT, ControlType, SocketId, control_kind

INBOX_LIMIT: Final = 512  # ours: batches; half a second of single datagrams at 10 Mbit/s, far more once they gather
LISTENER_LIMIT: Final = 256  # ours: batches of handshakes; a flood must not grow memory
LITTLE: Final = 4  # ours: packets at once, or batches that wait; with more a connection is worth a wake-up of its own
HANDSHAKE: Final = (CONTROL >> 16) | ControlType.HANDSHAKE  # draft 3.2.1 "Handshake": the upper half of the first word


class Route:
    """Where one connection's datagrams go, from whom it takes them, and how many it was too slow for.

    Attributes:
        is_opening: whether it shakes hands still, and is to hear handshakes that are for nobody in particular.
        is_reached: whether anything has come for it since the last count.
    """

    __slots__ = ("inbox", "is_opening", "is_reached", "overflowed", "remote")

    def __init__(self, inbox: Inbox, remote: Address | None, is_opening: bool) -> None:
        self.inbox = inbox
        self.remote = remote
        self.is_opening = is_opening
        self.is_reached = False
        self.overflowed = 0


class Routes:
    """The table.  Any thread registers; one thread delivers, and takes no lock for it.

    Attributes:
        are_visited: whether a handshake has come since the last count.
        company: for how long what comes may be left unread for the most impatient of several, as of the last count;
            `NEVER` for one alone.
    """

    __slots__ = ("_counters", "_farewells", "_listener", "_lock", "_routes", "are_visited", "company")

    def __init__(self, counters: MuxCounters, farewells: Farewells) -> None:
        self._counters = counters
        self._farewells = farewells
        self._lock = Lock()
        self._routes: dict[SocketId, Route] = {}
        self._listener: Inbox | None = None
        self.are_visited = False
        self.company: Micros = NEVER

    def __len__(self) -> int:
        return len(self._routes)

    def register(self, socket_id: SocketId, inbox: Inbox, remote: Address | None, *, is_opening: bool = False) -> bool:
        """Have datagrams for `socket_id` put into `inbox`; return whether the id was free.

        A datagram from an address other than `remote` is dropped; `None` takes them from anywhere.  Until `opened`
        is called, one that is opening also hears that address's handshakes for nobody in particular, unless
        somebody listens.
        """
        assert socket_id > 0, "0 is the listener's"
        with self._lock:
            if socket_id in self._routes:
                return False
            self._routes[socket_id] = Route(inbox, None if remote is None else plain(remote), is_opening)
            return True

    def opened(self, socket_id: SocketId) -> None:
        """Keep from a connection, from now on, the handshakes that are for nobody in particular."""
        self._routes[socket_id].is_opening = False

    def unregister(self, socket_id: SocketId, farewell: bytes = b"") -> None:
        """Drop what comes for `socket_id` from now on; a batch on its way may still arrive in the inbox.

        `farewell`, if there is one, is what its peer is told if it goes on.
        """
        with self._lock:
            route = self._routes.pop(socket_id, None)
            if farewell and route is not None and route.remote is not None:
                self._farewells.leave(socket_id, route.remote, farewell)

    def overflowed(self, socket_id: SocketId) -> int:
        """Return how many datagrams a connection's inbox had no room for."""
        route = self._routes.get(socket_id)
        return route.overflowed if route is not None else 0

    def listen(self, inbox: Inbox) -> bool:
        """Have handshakes for nobody in particular put into `inbox`; return whether nobody listened yet."""
        with self._lock:
            if self._listener is not None:
                return False
            self._listener = inbox
            return True

    def unlisten(self) -> None:
        """Have handshakes for nobody in particular dropped again."""
        with self._lock:
            self._listener = None

    def count(self) -> tuple[int, Micros]:
        """Return how many connections anything has come for since the last count, and how long all have patience.

        Nobody has any while somebody shakes hands.
        """
        routes = list(self._routes.values())
        reached = [route for route in routes if route.is_reached]
        for route in reached:
            route.is_reached = False
        is_busy = self.are_visited or any(route.is_opening for route in routes)
        self.are_visited = False
        patience = min([route.inbox.patience for route in routes], default=0)
        self.company = patience if len(routes) > 1 else NEVER
        return len(reached), 0 if is_busy else patience

    def deliver(self, batch: Batch, path: Path, tell: Callable[[Inbox], None] = Inbox.ring) -> None:
        """Put the datagrams where they belong; `tell` whoever has to know at once."""
        if batch.is_to_one:
            self._deliver_run(batch, path, tell)
        else:
            for run in runs_to_one(batch):
                self._deliver_run(run, path, tell)

    def _deliver_run(self, batch: Batch, path: Path, tell: Callable[[Inbox], None]) -> None:
        destination = batch.first[3]
        route = self._routes.get(destination)
        if route is not None:
            self._put(route, batch, path, tell)
        elif not destination:
            self._deliver_handshakes(batch, path)
        else:
            self._counters.unknown += batch.count
            self._farewells.asked(batch, path)

    def _put(self, route: Route, batch: Batch, path: Path, tell: Callable[[Inbox], None] = Inbox.ring) -> None:
        inbox = route.inbox
        if route.remote is not None and route.remote != path.remote:
            self._counters.wrong_source += batch.count
        elif inbox.qsize() >= INBOX_LIMIT:
            self._counters.overflowed += batch.count
            route.overflowed += batch.count
        else:
            route.is_reached = True
            first = batch.first[0]
            can_wait = first >= CONTROL and batch.count == 1 and control_kind(first) in PATIENT
            if inbox.add((batch, path), can_wait):
                is_little = batch.count <= LITTLE and inbox.qsize() <= LITTLE
                if inbox.tend is not None and (is_little or inbox.is_tended_always):
                    tell(inbox)
                else:
                    inbox.ring()

    def _deliver_handshakes(self, batch: Batch, path: Path) -> None:
        """Give handshakes to the listener; without one, to whoever dials that address.

        Listeners as old as libsrt 1.3.0 answer to id 0, and so does a rendezvous peer's first word.
        """
        self.are_visited = True
        if not all(header[0] >> 16 == HANDSHAKE for header in batch.headers):
            self._counters.unheard += batch.count
            return
        listener = self._listener
        if listener is None:
            opening = [route for route in list(self._routes.values()) if route.is_opening]
            expecting = [route for route in opening if route.remote == path.remote]
            for route in expecting:
                self._put(route, batch, path)
            if not expecting:
                self._counters.unknown += batch.count
        elif listener.qsize() >= LISTENER_LIMIT:
            self._counters.unheard += batch.count
        else:
            listener.put((batch, path))


def runs_to_one(batch: Batch) -> Iterator[Batch]:
    """Yield the neighbours that have one destination, in order."""
    start, current = 0, batch.first[3]
    for index, header in enumerate(batch.headers):
        if header[3] != current:
            yield batch.part(start, index)
            start, current = index, header[3]
    yield batch.part(start, batch.count)
