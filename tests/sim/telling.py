"""Words for stories: a numbered stream, what of it arrived, when.

Lives here: what every story says; parameters that tell it with the roles swapped and with
all counters about to begin again.
Never here: what should have happened (the stories).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from srtpy.internal.clock.units import MILLISECOND, Micros
from srtpy.internal.packet.control import PADDING
from srtpy.internal.packet.header import HEADER, pack_control_header
from tests.sim.pair import ON_THE_EDGE, ORDINARY
from tests.sim.world import Side, World

PERIOD = MILLISECOND
both_roles = pytest.mark.parametrize("swapped", [False, True], ids=["caller sends", "listener sends"])
births = pytest.mark.parametrize("birth", [ORDINARY, ON_THE_EDGE], ids=["ordinary", "on the edge"])


def anyhow(story: Callable[..., Any]) -> Callable[..., Any]:
    """Tell a story four ways: either role sends, and all counters begin again or none does."""
    told: Callable[..., Any] = both_roles(births(story))
    return told


def message(number: int, size: int = 40) -> bytes:
    """Return the message with this number."""
    return number.to_bytes(4, "big") + bytes([number & 0xFF]) * (size - 4)


class Stream:
    """A steady stream of numbered messages from one side of a world; begins when made.

    Attributes:
        written: when (world time) each message was written, by its number.
        refused: how often there was no room.
    """

    def __init__(
        self, world: World, side: Side, total: int, period: Micros = PERIOD, size: int = 40, waits: bool = True
    ) -> None:
        self.world, self.side, self.total, self.size, self.waits = world, side, total, size, waits
        self.written: dict[int, Micros] = {}
        self.refused = 0
        self._next = 0
        world.every(period, self._write)

    def _write(self) -> bool:
        if self.side.end.room() < 1:
            self.refused += 1
            if self.waits:
                return True
        else:
            self.written[self._next] = self.world.now
            self.side.end.write(message(self._next, self.size), self.world.local_time(self.side))
        self._next += 1
        return self._next < self.total

    @property
    def is_written(self) -> bool:
        """Whether all has been written."""
        return self._next >= self.total

    @property
    def arrived(self) -> list[int]:
        """The numbers delivered to the peer, in order of delivery."""
        return numbers(self.side.peer)

    def is_complete(self) -> bool:
        """Say whether as many were delivered as are to be sent."""
        return len(self.side.peer.delivered) >= self.total

    def delays(self) -> list[Micros]:
        """Return how long after its writing each delivered message was read."""
        return [when - self.written[number_of(row[0])] for row, when in self.side.peer.delivered]


def number_of(payload: bytes) -> int:
    """Return the number of a message, having checked the rest of it."""
    number = int.from_bytes(payload[:4], "big")
    assert payload == message(number, len(payload)), "a damaged message was delivered"
    return number


def numbers(side: Side) -> list[int]:
    """Return the numbers of the messages delivered to a side."""
    return [number_of(payload) for payload in side.payloads]


def counters(side: Side) -> Any:
    """Return a side's counters."""
    return side.end.counters


def control_to(
    world: World, side: Side, kind: int, information: int = 0, body: bytes = PADDING, subtype: int = 0
) -> bytes:
    """Return a control packet as `side`'s peer might send it now."""
    negotiated = side.end.negotiated
    stamp = (world.local_time(side) - negotiated.peer_start) & 0xFFFFFFFF
    return pack_control_header(kind, information, stamp, negotiated.socket_id, subtype) + body


def data_to(world: World, side: Side, seq: int, payload: bytes = b"forged", info: int = 0b11 << 30 | 1) -> bytes:
    """Return a data packet as `side`'s peer might send it now."""
    negotiated = side.end.negotiated
    stamp = (world.local_time(side) - negotiated.peer_start) & 0xFFFFFFFF
    return HEADER.pack(seq & 0x7FFFFFFF, info, stamp, negotiated.socket_id) + payload


def is_data(datagram: bytes) -> bool:
    """Say whether a datagram is a data packet."""
    return not datagram[0] & 0x80


def is_kind(datagram: bytes, kind: int) -> bool:
    """Say whether a datagram is this kind of control packet."""
    return bool(datagram[0] & 0x80) and int.from_bytes(datagram[:2], "big") & 0x7FFF == kind


def data_packets(*places: int) -> Callable[[int, bytes], bool]:
    """Return a `drop` hook that loses the data packets at these places, counting every data packet from 0."""
    seen = iter(range(1 << 30))

    def drop(index: int, datagram: bytes) -> bool:
        return is_data(datagram) and next(seen) in places

    return drop


def packets_of(kind: int, *places: int) -> Callable[[int, bytes], bool]:
    """Return a `drop` hook that loses control packets of this kind at these places; all, when none is named."""
    seen = iter(range(1 << 30))

    def drop(index: int, datagram: bytes) -> bool:
        return is_kind(datagram, kind) and (next(seen) in places or not places)

    return drop
