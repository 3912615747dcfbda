"""Signals that end a command as Ctrl-C does: what it has open is closed properly, its totals are told.

Lives here: having SIGTERM and SIGINT raise KeyboardInterrupt for a while, and which signals are one.
Never here: what a command does when it is interrupted (live.py, file.py), its exit status.
"""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Any, Final

SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)
SAME_SIGNAL: Final = 0.5  # seconds


class Interruption:
    """Has both signals raise KeyboardInterrupt inside a `with` block.  A second one soon after the first is the same.

    timeout(1), for one, signals the command and then its whole group.  Who presses Ctrl-C again and again is heard
    again and again.  A shell's script starts its background jobs with SIGINT ignored; it is heeded there too, as
    srt-live-transmit does: `kill -INT` is how a script asks for the totals.
    """

    def __init__(self) -> None:
        self._at = float("-inf")
        self._before: dict[int, Any] = {}  # the handlers, which signal's stubs give no public name

    def __enter__(self) -> None:
        for number in SIGNALS:
            self._before[number] = signal.signal(number, self._interrupt)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        """Interrupt, unless that was done just now."""
        now = time.monotonic()
        if now - self._at > SAME_SIGNAL:
            self._at = now
            raise KeyboardInterrupt
