"""One end of a stream, whatever kind it is.

Lives here: the four verbs of every end: open, read or write, close; what whoever drives it wants to know.
Never here: the kinds (endpoints.py, udp_end.py), moving data between two ends (pump.py).
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import srtpy

READ_MESSAGES: Final = 64  # messages moved in one go


class End:
    """One end of a stream.

    Attributes:
        name: how people call it.
        is_live: its data comes whether or not it is read, and is worth nothing later.
        reopens: it can come back after it ended.
        has_link: its connection says itself what goes through it.
        calls: it goes to its peer, rather than wait for one.
        conn: the SRT connection, if it has one now.
        given_up: packets that came or left too late, or never, on connections that are over.
        first_open_at: when it first was open, by `time.monotonic`; whoever opens the end sets it.
        say: told what people wait for; whoever drives the end sets it.
    """

    is_live = False
    reopens = False
    calls = False
    has_link = False
    conn: srtpy.Conn | None = None
    given_up = 0
    first_open_at: float | None = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.stop = threading.Event()
        self.say: Callable[[str], None] = lambda text: None

    def open(self) -> None:
        """Get ready; may take as long as the other side does."""

    def peer(self) -> str:
        """Say who the other side is now, if that is news."""
        return ""

    def read(self) -> list[bytes]:
        """Wait for data and return it; [] at the end."""
        raise srtpy.SRTError(f"{self.name} cannot be read")

    def write(self, messages: list[bytes]) -> None:
        """Write messages."""
        raise srtpy.SRTError(f"{self.name} cannot be written to")

    def close(self) -> None:
        """Let go; may be called from another thread, and more than once."""
