"""The only reader of the machine's clock.

Lives here: `now`.
Never here: units (units.py), waiting (session).  Only the shell imports this file.
"""

from __future__ import annotations

import time

from srtpy.internal.clock.units import Micros


def now() -> Micros:
    """Return the machine's monotonic clock in microseconds, the clock of `time.monotonic`."""
    return time.monotonic_ns() // 1_000
