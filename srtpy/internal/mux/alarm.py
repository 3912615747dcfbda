"""An alarm clock one thread sleeps by and others set: one system call moves the end of a sleep, nobody is woken for it.

Lives here: `AlarmClock`: Linux's timerfd through ctypes where there is one, a plain sleep that looks again where not.
Never here: what the alarm is for (promises.py), whose thread sleeps (mux.py).
Source: Linux timerfd_create(2), of 64-bit Linux.
"""

from __future__ import annotations

import ctypes
import os
import select
import struct
import sys
from contextlib import suppress
from typing import Final, Protocol

from srtpy.internal.clock.monotonic import now
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros

CLOCK_MONOTONIC: Final = 1  # ours: Linux time.h, the clock of `time.monotonic`
ABSOLUTE: Final = 1  # ours: Linux timerfd.h TFD_TIMER_ABSTIME
LONGEST_POLL: Final[Micros] = 3_600 * SECOND  # ours: far below where poll's milliseconds overflow; then it looks again

_SETTING: Final = struct.Struct("=qqqq")  # itimerspec: no interval, then when
_TICKS: Final = 8  # ours: timerfd_create(2), a read tells how often it has gone off, in so many bytes


class Descriptor(Protocol):
    """What can be polled."""

    def fileno(self) -> int:
        """Return its number."""


def _find() -> ctypes.PyDLL | None:
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    try:
        library = ctypes.PyDLL(None, use_errno=True)  # calls too short to let go of the interpreter for
        library.timerfd_create.argtypes = [ctypes.c_int, ctypes.c_int]
        library.timerfd_settime.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p]
    except (OSError, AttributeError):
        return None
    return library


_library = _find()


def _make_timer() -> int:
    """Return the descriptor of a new timer, -1 if there is none to be had."""
    if _library is None:
        return -1
    made: int = _library.timerfd_create(CLOCK_MONOTONIC, os.O_CLOEXEC | os.O_NONBLOCK)
    return made


def milliseconds(patience: Micros) -> float | None:
    """Return for how long to poll."""
    return None if patience >= LONGEST_POLL else max(patience, 0) / MILLISECOND


class AlarmClock:
    """Any thread sets it, at any time; one sleeps.

    Args:
        wake: ends a sleep too, whenever it is readable.

    Attributes:
        descriptor: readable from when the alarm goes off until `clear`; -1 where there is no such thing.
    """

    __slots__ = ("_at", "_poll", "_timer", "descriptor")

    def __init__(self, wake: Descriptor) -> None:
        self._at: Micros = NEVER
        self._poll = select.poll()
        self._poll.register(wake, select.POLLIN)
        self.descriptor = descriptor = _make_timer()
        # a file, so that it is closed with the last reference
        self._timer = open(descriptor, "rb", buffering=0) if descriptor >= 0 else None  # noqa: SIM115
        if self._timer is not None:
            self._poll.register(self._timer, select.POLLIN)

    def set(self, instant: Micros) -> None:
        """End the sleep there is, or the next one, at that instant and not at any told before."""
        self._at = instant
        if self._timer is None or _library is None:
            return
        seconds, rest = divmod(max(instant, 1), SECOND)  # 0 would be no alarm at all
        try:
            descriptor = self._timer.fileno()
        except ValueError:
            return  # closed: nobody sleeps any more
        _library.timerfd_settime(descriptor, ABSOLUTE, _SETTING.pack(0, 0, seconds, rest * 1_000), None)

    def sleep(self, longest: Micros = NEVER) -> bool:
        """Sleep until the alarm goes off, or what wakes us is readable, so long at most; now and then less.

        Returns whether that is readable: it is the caller's to read, or no sleep would last any more.
        """
        if self._timer is None:
            end = now() + longest
            while (left := min(self._at, end) - now()) > 0:
                if self._poll.poll(milliseconds(min(left, LONGEST_POLL - 1))):
                    return True
            return False
        ready = [descriptor for descriptor, _ in self._poll.poll(milliseconds(longest))]
        if self.descriptor in ready:
            self.clear()
            ready.remove(self.descriptor)
        return bool(ready)

    def clear(self) -> None:
        """Forget that the alarm has gone off."""
        with suppress(BlockingIOError):  # it has been set anew meanwhile
            os.read(self.descriptor, _TICKS)

    def close(self) -> None:
        """Give the descriptor back.  Nobody may be sleeping."""
        if self._timer is not None:
            self._timer.close()
