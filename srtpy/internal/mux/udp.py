"""One UDP socket: batches in, runs out, and a way to wake whoever waits for it.

Lives here: `UdpSocket`, which chooses once how it reads and sends, waits without polling,
and gives its descriptors back.
Never here: how each way of reading works (recvmmsg.py, recvmsg.py), sending (gso.py), whose
datagrams they are (routes.py), the thread (mux.py).
"""

from __future__ import annotations

import os
import select
import socket
from enum import Enum, auto
from typing import Final, TypeAlias

from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.mux.address import Address, plain
from srtpy.internal.mux.alarm import AlarmClock, milliseconds
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.gso import Sending
from srtpy.internal.mux.joining import Reads
from srtpy.internal.mux.options import granted_buffer
from srtpy.internal.mux.recvmmsg import ManyReader, is_available
from srtpy.internal.mux.recvmsg import MessageReader, PlainReader

ERROR_PAUSE: Final = 5  # ours: milliseconds without reading after an error, so that a lasting one cannot spin
DATAGRAM_COST: Final = 2_304  # ours: what the kernel charges its buffer for a datagram of 1,332 bytes, measured


class Reading(Enum):
    """How a socket is read."""

    MANY = auto()
    """Many datagrams a call (recvmmsg)."""
    MESSAGES = auto()
    """A `recvmsg` a datagram, or a run the kernel has joined."""
    PLAIN = auto()
    """A `recvfrom` a datagram."""


class UdpSocket:
    """A bound or connected UDP socket.  One thread reads and waits; any thread sends and wakes.

    Args:
        sock: taken over; closed by `close`.
        reading: how to read; `None`: the best there is.
        cuts: whether to have the kernel cut runs into datagrams (GSO) if it can.
    """

    __slots__ = (
        "_alarm",
        "_poll",
        "_reader",
        "_sending",
        "_socket",
        "_troubled",
        "_wake",
        "capacity",
        "counters",
        "has_alarm",
        "local_address",
        "remote_address",
        "send",
        "set_alarm",
    )

    def __init__(self, sock: socket.socket, *, reading: Reading | None = None, cuts: bool = True) -> None:
        self._socket = sock
        self.counters = MuxCounters()
        self.local_address: Address = plain(sock.getsockname())
        self.remote_address: Address | None = _peer(sock)
        self.capacity = 2 * granted_buffer(sock, socket.SO_RCVBUF) // DATAGRAM_COST
        """About how many full datagrams the kernel holds for us."""
        self._sending = Sending(sock, self.counters, connected=self.remote_address is not None, cuts=cuts)
        self.send = self._sending.send
        """Send datagrams in order and return how many left; those that could not leave at once are lost."""
        self._reader = _reader(sock, self.counters, reading)
        self._troubled = False
        # a file, so that it is closed with the last reference even if an interrupt comes before there is an owner
        self._wake = open(os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK), "r+b", buffering=0)  # noqa: SIM115
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._poll.register(self._wake, select.POLLIN)
        self._alarm = AlarmClock(self._wake)
        self.has_alarm = self._alarm.descriptor >= 0
        """Whether `wait` and `rest` can be told when to end."""
        if self.has_alarm:
            self._poll.register(self._alarm.descriptor, select.POLLIN)
        self.set_alarm = self._alarm.set
        """Have `wait` and `rest` end at that instant, and not at any told before."""

    @property
    def reading(self) -> Reading:
        """How this socket is read."""
        return next(way for way, kind in _READERS.items() if type(self._reader) is kind)

    @property
    def cuts(self) -> bool:
        """Whether runs leave by one call (GSO); turns false when the kernel has refused."""
        return self._sending.cuts

    def read(self) -> Reads:
        """Return what waits, in batches, without waiting for more; nothing when nothing waits or the kernel complains.

        Raises nothing: errors are counted.
        """
        try:
            return self._reader.read()
        except OSError as error:
            self.counters.note_error(error)
            self._troubled = True
            return []

    def wait(self, longest: Micros = NEVER) -> None:
        """Wait for something to read, for the alarm, or for `wake`; for `ERROR_PAUSE` alone after an error."""
        if self._troubled:
            self._troubled = False
            waking = select.poll()
            waking.register(self._wake, select.POLLIN)
            ready = waking.poll(ERROR_PAUSE)
        else:
            ready = self._poll.poll(milliseconds(longest))
        for descriptor, _ in ready:
            if descriptor == self._wake.fileno():
                os.eventfd_read(descriptor)
            elif descriptor == self._alarm.descriptor:
                self._alarm.clear()

    def rest(self, longest: Micros = NEVER) -> None:
        """Wait for the alarm, or for `wake`; what there is to read is left alone."""
        if self._alarm.sleep(longest):
            os.eventfd_read(self._wake.fileno())

    def wake(self) -> None:
        """Make the `wait` or `rest` that runs now, or the next one, return."""
        if not self._wake.closed:
            os.eventfd_write(self._wake.fileno(), 1)

    def close(self) -> None:
        """Give the port and the descriptors back.  Nobody may be reading or waiting."""
        self._socket.close()
        self._wake.close()
        self._alarm.close()


_Reader: TypeAlias = ManyReader | MessageReader | PlainReader
_READERS: Final[dict[Reading, type[_Reader]]] = {
    Reading.MANY: ManyReader,
    Reading.MESSAGES: MessageReader,
    Reading.PLAIN: PlainReader,
}


def _reader(sock: socket.socket, counters: MuxCounters, reading: Reading | None) -> _Reader:
    if reading is None:
        reading = Reading.MANY if is_available(sock) else Reading.MESSAGES
    return _READERS[reading](sock, counters)


def _peer(sock: socket.socket) -> Address | None:
    """Return whom a socket is connected to, if it is."""
    try:
        return plain(sock.getpeername())
    except OSError:
        return None
