"""What became of datagrams that reached nobody, and what the kernel complained about.

Lives here: plain counts, and telling a peer's refusal (ICMP) from other errors.
Never here: what a connection counts (core), what is done about any of it (udp, gso, routes).
"""

from __future__ import annotations

import errno
from threading import Lock
from typing import Final

from srtpy.internal.clock.monotonic import now
from srtpy.internal.clock.units import Micros

REFUSALS: Final = frozenset({errno.ECONNREFUSED, errno.ECONNRESET})
"""What an ICMP "port unreachable" becomes: nobody has that port open."""


class MuxCounters:
    """Counts since the socket was opened.  Only `note_error` is called from more than one thread.

    Attributes:
        malformed: datagrams too short for a header, or longer than any that SRT sends.
        unknown: datagrams for a socket id that nobody has registered.
        wrong_source: datagrams for a connection from an address that is not its peer's.
        overflowed: datagrams for a connection that does not keep up with its inbox.
        unheard: handshakes the listener's inbox had no room for, and what is not a handshake but sent to id 0.
        unsent: datagrams that did not leave, for whatever reason: as lost as on the way.
        unsegmented: 1 after the kernel has refused to cut a run into datagrams itself (GSO).
        refusals, refused_at: how often, and when last, the peer's machine said that nobody has the port.
        errors, last_error: other complaints of the kernel, and the words of the last.
    """

    __slots__ = (
        "_lock",
        "errors",
        "last_error",
        "malformed",
        "overflowed",
        "refusals",
        "refused_at",
        "unheard",
        "unknown",
        "unsegmented",
        "unsent",
        "wrong_source",
    )

    def __init__(self) -> None:
        self._lock = Lock()
        self.malformed = 0
        self.unknown = 0
        self.wrong_source = 0
        self.overflowed = 0
        self.unheard = 0
        self.unsent = 0
        self.unsegmented = 0
        self.refusals = 0
        self.refused_at: Micros = 0
        self.errors = 0
        self.last_error = ""

    def note_error(self, error: OSError) -> None:
        """Count what the kernel said."""
        with self._lock:
            if error.errno in REFUSALS:
                self.refusals += 1
                self.refused_at = now()
            else:
                self.errors += 1
                self.last_error = error.strerror or str(error)

    def note_unsent(self, datagrams: int) -> None:
        """Count datagrams that did not leave."""
        with self._lock:
            self.unsent += datagrams
