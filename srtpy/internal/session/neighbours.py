"""What a session stands between: the core it drives and the socket it shares.

Lives here: the verbs a session uses of either.
Never here: what the verbs do (core.connection, mux).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from srtpy.internal.buffer.receive import Delivered
from srtpy.internal.clock.units import Micros, WireTime
from srtpy.internal.core.events import Event
from srtpy.internal.core.leisure import Leisure
from srtpy.internal.mux.address import Address, Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import Datagram, SocketId


class Core(Protocol):
    """One connection without a socket, a thread or a clock."""

    messages: deque[Delivered]

    @property
    def is_closed(self) -> bool:
        """Whether it is over, for whatever reason."""

    def receive_datagrams(self, batch: Batch, now: Micros) -> None:
        """Take in what arrived."""

    def write(
        self,
        message: bytes,
        now: Micros,
        *,
        stamp: Micros | None = None,
        ttl: Micros | None = None,
        in_order: bool = True,
    ) -> None:
        """Take one message; there is room, and it is not too long."""

    def write_many(self, messages: Sequence[bytes], now: Micros, instants: Sequence[Micros] | None = None) -> int:
        """Take as many messages as there is room for, written at these instants or now; say how many."""

    def send_run(self, messages: Sequence[bytes], instants: Sequence[Micros], now: Micros) -> Sequence[Datagram]:
        """Take messages for which there is room, written at these instants; hand over what may leave now."""

    def write_stream(self, data: bytes, start: int, end: int, now: Micros) -> int:
        """Take bytes of a stream, from `start` up to `end` of `data`, as far as there is room; say how many."""

    def packets_for(self, size: int) -> int:
        """Say how much of `room` a message of that size takes."""

    def room(self) -> int:
        """Say how many packets more can be written."""

    @property
    def unsent(self) -> int:
        """How many packets wait for their first sending."""

    def handle_timer(self, now: Micros) -> None:
        """Do what is due."""

    def next_deadline(self) -> Micros:
        """Say when `handle_timer` wants to be called."""

    def datagrams_to_send(self, now: Micros) -> Sequence[Datagram]:
        """Hand over what may leave now."""

    def events(self) -> list[Event]:
        """Hand over what has happened."""

    def delivery_due(self) -> Micros:
        """Say when `release` will have something to do."""

    def release(self, now: Micros) -> None:
        """Move what is due to `messages`, past what will not come in time."""

    @property
    def leisure(self) -> Leisure:
        """How long what is to leave, or has come, may wait."""

    @property
    def is_tight(self) -> bool:
        """Whether `note_read` is news that a sender may wait for; may be asked without the lock."""

    def note_read(self, now: Micros) -> None:
        """Note that the application has taken messages."""

    def close(self, linger: Micros | None, now: Micros) -> None:
        """Begin to close."""

    def limit_bursts(self, packets: int) -> None:
        """Learn how many packets may come at once."""

    def play_time(self, stamp: WireTime, now: Micros) -> Micros:
        """Say when a packet stamped so is due, on our clock."""


class Wire(Protocol):
    """One UDP socket and its thread, shared."""

    @property
    def capacity(self) -> int:
        """About how many full datagrams the kernel holds for everybody who reads from it."""

    @property
    def local_address(self) -> Address:
        """Where the socket is bound."""

    def send(self, datagrams: Sequence[Datagram], path: Path) -> int:
        """Send without waiting; return how many left, the rest is lost."""

    @property
    def patience(self) -> Micros:
        """How long what arrives may be left to the kernel by those who promise."""

    @property
    def company(self) -> Micros:
        """How long what arrives may be left unread for the sake of the others who share the socket."""

    def attend(self, inbox: Inbox, by: Micros) -> None:
        """Promise to `look` by that instant: what arrives before need not be read; else the inbox rings."""

    def look(self, inbox: Inbox) -> None:
        """Keep a promise: read what has arrived, on the caller's thread."""

    def remind(self, inbox: Inbox, at: Micros) -> bool:
        """Have the inbox's `tend` called at that instant and not at any told before; return whether it will be."""

    def unregister(self, socket_id: SocketId, farewell: bytes) -> None:
        """Forget where packets for this id go; a peer that goes on sending them is told `farewell`, if any."""

    def release(self) -> None:
        """Say that one user less needs the socket."""

    def abandon(self) -> None:
        """Give back a child process's copy of the socket: the connection is the parent's."""
