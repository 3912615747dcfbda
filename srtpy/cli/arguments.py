"""Numbers on the command line, checked where they are read.

Lives here: what a number may be; argparse turns what is raised into status 2.
Never here: which options there are (each command).
"""

from __future__ import annotations

import argparse
from typing import Final

LONGEST: Final = 86_400.0  # seconds; a day between two figures is as good as never


def _between(text: str, low: float, high: float, is_low_allowed: bool) -> float:
    value = float(text)
    if not (low <= value <= high) or (value == low and not is_low_allowed):
        least = f"{low:g}" if is_low_allowed else f"more than {low:g}"
        raise argparse.ArgumentTypeError(f"{text} is out of range: {least} to {high:g}")
    return value


def duration(text: str) -> float:
    """Return seconds, more than none and at most a day."""
    return _between(text, 0, LONGEST, False)


def megabits(text: str) -> float:
    """Return a rate in Mbit/s that a stream can have."""
    return _between(text, 0, 10_000, False)


def percent(text: str) -> float:
    """Return a share of a hundred."""
    return _between(text, 0, 100, True)
