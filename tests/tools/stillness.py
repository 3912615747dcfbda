"""When a machine stood still, and whether that can be why something is missing from a stream.

Lives here: noticing stalls, finding what is missing from a copy, comparing the two in time.
Never here: running streams again because of it (tests/interop/conftest.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from typing import TypeAlias

NOTICEABLE = 0.06
"""Seconds of a stall worth remembering: a quarter of the 250 ms a lost packet has to be sent again."""
BEFORE = 0.5
"""Seconds: what a stall has held back is sent in a burst, and lost, so much later at most; clocks differ by as much."""
AFTER = 1.0
"""Seconds: a packet is repaired and played so long after it was sent at most, and a stall meanwhile may cost it."""
BLOCK = 1 << 16
NEEDLE = 2 * 1316

Stall: TypeAlias = tuple[float, float]
"""From when to when, of `time.monotonic`, which is one clock for all processes of a Linux machine."""
Gap: TypeAlias = tuple[int, int]
"""Where in what was sent, and how many bytes are missing there."""


class Stillness:
    """Notices when the machine stands still: a thread that wants to wake each five milliseconds."""

    def __init__(self) -> None:
        self.stalls: list[Stall] = []
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Stillness:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ends.is_set():
            before = time.monotonic()
            time.sleep(0.005)
            now = time.monotonic()
            if now - before > NOTICEABLE:
                self.stalls.append((before, now))


def gaps(sent: bytes, arrived: bytes) -> list[Gap] | None:
    """Return what of `sent` is missing from `arrived`, in order; None if something else has arrived in its place.

    What arrives after the end of `sent` does not matter.
    """
    found: list[Gap] = []
    place = other = 0
    while place < len(sent):
        same = _alike(sent, place, arrived, other)
        place, other = place + same, other + same
        if place >= len(sent):
            break
        needle = arrived[other : other + NEEDLE]
        if not needle:
            found.append((place, len(sent) - place))
            break
        again = sent.find(needle, place)
        if again < 0:
            return None
        found.append((place, again - place))
        place = again
    return found


def _alike(one: bytes, place: int, two: bytes, other: int) -> int:
    """Return how many bytes from these places on are the same."""
    begin, most = place, min(len(one) - place, len(two) - other)
    end, shift = begin + most, other - place
    while place < end:
        size = min(BLOCK, end - place)
        if one[place : place + size] == two[place + shift : place + shift + size]:
            place += size
        elif size == 1:
            break
        else:
            half = size // 2
            if one[place : place + half] == two[place + shift : place + shift + half]:
                place += half
            else:
                end = place + half
    return place - begin


def is_explained(times: Sequence[float], stalls: Iterable[Stall]) -> bool:
    """Whether at each of these times, when something now missing was sent, the machine stood still or just had."""
    stalls = list(stalls)
    return bool(times) and all(
        any(begin - AFTER <= instant <= end + BEFORE for begin, end in stalls) for instant in times
    )
