"""The machine's clock, in microseconds."""

from __future__ import annotations

import time

from srtpy.internal.clock.monotonic import now


def test_it_is_the_monotonic_clock() -> None:
    before = time.monotonic_ns()
    read = now()
    after = time.monotonic_ns()
    assert before // 1_000 <= read <= after // 1_000


def test_it_never_goes_back() -> None:
    readings = [now() for _ in range(1_000)]
    assert readings == sorted(readings)
