"""One UDP socket and one thread for everybody who shares them.

Lives here: the reader thread, who still uses the socket, and the end of both.
Never here: the table of socket ids (routes.py), how datagrams are read and sent (udp.py),
connections (session).

Threads                   runs                 sleeps on
  srt-mux-<port>          Mux._read_loop       the UDP socket, its nap, or its alarm; waits for nobody's lock
  whoever has promised    look                 nothing
Locks   _lock guards the count of users and the end; nothing is called under it but the wake.
        _reading is held while somebody reads and delivers; it is never held for longer than that.

Who will be awake at a known instant, a connection's reader or a steady writer, promises to `look` then, and the
thread leaves the socket alone: reading on the thread that wants the data saves two wake-ups.  Meanwhile it
sleeps by an alarm clock that each promise moves, so that promises that are kept do not wake it at all.  It
waits for them only while the kernel can hold what arrives meanwhile (nap.py).

Where a connection has little to do, the thread does that itself, and keeps its next appointment: waking
another thread for it would cost several times as much (errands.py).  So it does where a file comes, for
which each of three threads that take turns would wait for the interpreter.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Callable, Sequence
from threading import Lock, Thread, current_thread
from typing import Final, Protocol

from srtpy.internal.clock.monotonic import now
from srtpy.internal.clock.units import NEVER, Micros, to_seconds
from srtpy.internal.mux.address import Address, Path
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.errands import Errands
from srtpy.internal.mux.farewells import Farewells
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.joining import Reads
from srtpy.internal.mux.nap import Nap, Trickle
from srtpy.internal.mux.promises import Promises
from srtpy.internal.mux.recvmmsg import MESSAGES
from srtpy.internal.mux.routes import Routes
from srtpy.internal.packet.header import CONTROL, Datagram, SocketId

MOST_READS: Final = 4  # ours: full reads by one who looks, under its session's lock; 170,000 datagrams/s at 3 ms a look
END_PATIENCE: Final = 2.0  # ours: seconds the last user waits for the thread; it ends within its nap


class Transport(Protocol):
    """What a mux needs of a socket; `UdpSocket` says what each means."""

    counters: MuxCounters
    capacity: int
    has_alarm: bool
    local_address: Address

    def read(self) -> Reads:
        """Return what waits, without waiting for more; raises nothing."""

    def wait(self, longest: Micros = NEVER) -> None:
        """Wait for something to read, for the alarm, or for `wake`."""

    def set_alarm(self, instant: Micros) -> None:
        """Have `wait` and `rest` end at that instant, and not at any told before."""

    def rest(self, longest: Micros = NEVER) -> None:
        """Wait for the alarm, or for `wake`; what there is to read is left alone."""

    def wake(self) -> None:
        """Make the `wait` or `rest` that runs now, or the next one, return."""

    def send(self, datagrams: Sequence[Datagram], path: Path) -> int:
        """Send without waiting; return how many left."""

    def close(self) -> None:
        """Give everything back."""


class Mux:
    """A socket shared by connections and perhaps a listener.  Whoever makes it is its first user.

    Args:
        transport: the socket; closed when the last user has let go.
        naps: whether to let datagrams gather while data flows, a few milliseconds at most.
        warning: what people should know of the socket; for whoever keeps the log.
    """

    def __init__(self, transport: Transport, *, naps: bool = True, warning: str = "") -> None:
        self.counters: MuxCounters = transport.counters
        self.warning = warning
        self.send = transport.send
        """Send datagrams in order, without waiting, and return how many left; the rest is lost and counted."""
        self._transport = transport
        self._routes = Routes(transport.counters, Farewells(transport.send))
        self._nap = Nap(transport.capacity if naps else 0)
        self._lock = Lock()
        self._reading = Lock()
        self._promises = Promises(transport.set_alarm)
        self._trickle = Trickle(transport.capacity if naps else 0)
        self._errands = Errands(transport.wake)
        self._was_full = False
        self._users = 1
        self._ending = False
        self._thread = Thread(target=self._read_loop, name=f"srt-mux-{self.local_address[1]}", daemon=True)

    @property
    def capacity(self) -> int:
        """About how many full datagrams the kernel holds for everybody who reads from it."""
        return self._transport.capacity

    @property
    def local_address(self) -> Address:
        """Where the socket is bound."""
        return self._transport.local_address

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    # -- who gets what ------------------------------------------------------------------------------------------

    def register(self, socket_id: SocketId, inbox: Inbox, remote: Address | None, *, is_opening: bool = False) -> bool:
        """Have datagrams for `socket_id` put into `inbox`; return whether the id was free.

        A datagram from an address other than `remote` is dropped and counted; `None` takes them from anywhere.
        One that is opening may be answered without its id, until `opened`.
        """
        return self._routes.register(socket_id, inbox, remote, is_opening=is_opening)

    def opened(self, socket_id: SocketId) -> None:
        """Note that a connection has shaken hands: whatever is for it has its id from now on."""
        self._routes.opened(socket_id)

    def unregister(self, socket_id: SocketId, farewell: bytes = b"") -> None:
        """Drop what comes for `socket_id` from now on; a batch on its way may still arrive in the inbox.

        `farewell`, if there is one, is what its peer is told if it goes on while others use the socket still.
        """
        self._routes.unregister(socket_id, farewell)

    def overflowed(self, socket_id: SocketId) -> int:
        """Return how many datagrams a connection's inbox had no room for."""
        return self._routes.overflowed(socket_id)

    def listen(self, inbox: Inbox) -> bool:
        """Have handshakes for nobody in particular put into `inbox`; return whether nobody listened here yet."""
        return self._routes.listen(inbox)

    def unlisten(self) -> None:
        """Have handshakes for nobody in particular dropped again."""
        self._routes.unlisten()

    # -- users and the end --------------------------------------------------------------------------------------

    def acquire(self) -> None:
        """Become one more user.

        Raises:
            OSError: the last user has let go already (EBADF).
        """
        with self._lock:
            if not self._users:
                raise OSError(errno.EBADF, f"the socket on port {self.local_address[1]} is closed")
            self._users += 1

    def release(self) -> None:
        """Let go; the last user closes the socket, after which its port is free."""
        with self._lock:
            assert self._users > 0, "released more often than acquired"
            self._users -= 1
            if self._users:
                return
            self._ending = True
            self._transport.wake()
        if self._thread.ident is None:  # it may be about to begin all the same, if its start was interrupted
            with self._lock:
                self._transport.close()
        elif self._thread is not current_thread():
            self._thread.join(END_PATIENCE)

    def abandon(self) -> None:
        """Give back a child process's copies of the descriptors; thread and port are the parent's.  Idempotent."""
        self._lock, self._reading = Lock(), Lock()  # a thread that exists in the parent only may have held one
        self._promises = Promises(self._transport.set_alarm)
        self._errands = Errands(self._transport.wake)
        self._transport.close()

    # -- reading ------------------------------------------------------------------------------------------------

    def attend(self, inbox: Inbox, by: Micros) -> None:
        """Promise to `look` by that instant: what arrives before need not be read, nor be told of in that inbox.

        If the promise is broken the inbox rings.
        """
        if self._transport.has_alarm and not self._ending:
            self._promises.make(inbox, by)

    def look(self, inbox: Inbox) -> None:
        """Keep a promise: read what has arrived, on the caller's thread, unless somebody is reading already."""
        self._promises.keep(inbox)
        if self._reading.locked():
            return
        with self._reading:  # the one way of taking a lock that no interrupt can come between
            for _ in range(MOST_READS):
                if self._ending:
                    return
                self._read()
                if not self._was_full:
                    return

    def remind(self, inbox: Inbox, at: Micros) -> bool:
        """Have an inbox tended at that instant and not at any told before; return whether it will be."""
        self._errands.remind(inbox, at)
        return not self._ending

    @property
    def patience(self) -> Micros:
        """How long what arrives may be left to the kernel by those who promise, at the rate at which it comes."""
        return self._nap.longest

    @property
    def company(self) -> Micros:
        """How long what arrives may be left unread for the sake of the others who share the socket."""
        return self._routes.company

    def _read_loop(self) -> None:
        promises, errands = self._promises, self._errands
        try:
            while not self._ending:
                with self._reading:
                    pause = self._read(errands.add)
                if not errands.run(now):
                    self._sleep(pause)
                elif promises:
                    promises.end(now())  # however much there is to do
        finally:
            errands.give_back()
            promises.stop()
            with self._lock, self._reading:  # nobody wakes, or reads, a descriptor that is somebody else's by now
                self._ending = True
                self._transport.close()

    def _sleep(self, pause: Micros | None) -> None:
        """Sleep after a read: until others break their promises, for that long, or (None) until there is more."""
        transport, promises, errands = self._transport, self._promises, self._errands
        left_alone = NEVER
        if promises:
            instant = now()
            left_alone = promises.end(instant, errands.add) - instant
            if errands.has_work and errands.run(now):
                return
        if left_alone <= self._nap.longest and not self._ending:
            # then read, whatever others promise: who has broken a promise has not
            transport.rest(max(errands.sleep() - now(), 0))
        elif pause:
            time.sleep(to_seconds(pause))
        elif pause is None:
            transport.wait(max(errands.sleep() - now(), 0))

    def _read(self, tell: Callable[[Inbox], None] = Inbox.ring) -> Micros | None:
        """Read once and deliver; return how long to nap, None if there was nothing.  Needs `_reading`."""
        reads = self._transport.read()
        self._was_full = False
        if not reads:
            return None
        instant = now()
        total, data = self._deliver(reads, instant, tell)
        self._was_full = total >= MESSAGES
        pause = self._nap.after(data, self._was_full, instant)
        longer = self._trickle.after(total, self._routes.are_visited, self._routes.count, instant)
        return 0 if self._was_full else max(pause, longer)

    def _deliver(self, reads: Reads, instant: Micros, tell: Callable[[Inbox], None]) -> tuple[int, int]:
        """Put everything where it belongs; return how many datagrams, and how many in batches of data."""
        deliver = self._routes.deliver
        total = data = 0
        for batch, path in reads:
            if not batch.arrived:
                batch.arrived = instant
            deliver(batch, path, tell)
            total += batch.count
            if batch.first[0] < CONTROL:
                data += batch.count
        return total, data
