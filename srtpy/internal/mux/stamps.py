"""When a datagram arrived, as the kernel noted it: it may have waited for us to read.

Lives here: asking the socket for these times, and making instants of our clock out of them.
Never here: reading them (recvmmsg.py, recvmsg.py), what they are for (core: a round trip, a peer's clock).
Source: Linux socket(7) SO_TIMESTAMPNS; the kernel's times are of the wall clock, which may be set at any moment.

A thread that naps reads an echo up to 20 ms after it came; without these times that would be part of the round trip.
"""

from __future__ import annotations

import socket
import sys
import time
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, Micros

SO_TIMESTAMPNS: Final = 35  # ours: Linux asm-generic/socket.h SO_TIMESTAMPNS_OLD, which the socket module lacks
STAMP_LEVEL: Final = socket.SOL_SOCKET
LONGEST_WAIT: Final[Micros] = (
    100 * MILLISECOND
)  # ours: nobody naps for so long; what says so was stamped by a clock set
NANOSECONDS: Final = 1_000  # ours: in a microsecond


def ask_for_stamps(sock: socket.socket) -> bool:
    """Have the kernel tell when each datagram arrived; return whether it does."""
    if sys.maxsize < 1 << 32:  # its structures are others where words have 32 bits
        return False
    try:
        sock.setsockopt(STAMP_LEVEL, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    return True


class Stamps:
    """Turns the kernel's times into instants of our clock; one read of the socket at a time."""

    __slots__ = ("_ahead", "_now")

    def __init__(self) -> None:
        self._now: Micros = 0
        self._ahead = 0  # nanoseconds of the wall clock, beyond our clock's

    def begin(self) -> None:
        """Look at both clocks; the datagrams asked about next have arrived by now."""
        wall = time.time_ns()  # first: if we are stopped in between all seems to have come later, and nothing too soon
        instant = time.monotonic_ns()
        self._ahead = wall - instant
        self._now = instant // NANOSECONDS

    def instants(self, times: list[tuple[int, int]]) -> list[Micros]:
        """Return when each of several datagrams arrived; the kernel tells seconds and nanoseconds of each."""
        ahead, now = self._ahead, self._now
        found = [(seconds * 1_000_000_000 + rest - ahead) // NANOSECONDS for seconds, rest in times]
        if now - LONGEST_WAIT <= min(found) and max(found) <= now:
            return found
        return [self.instant(seconds, rest) for seconds, rest in times]

    def instant(self, seconds: int, nanoseconds: int) -> Micros:
        """Return when a datagram arrived, given what the kernel says; now, if that cannot be."""
        then = (seconds * 1_000_000_000 + nanoseconds - self._ahead) // NANOSECONDS
        return then if self._now - LONGEST_WAIT <= then <= self._now else self._now
