"""Seconds and microseconds, and the 32-bit time of the wire."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, from_seconds, to_seconds, wire_time


@pytest.mark.parametrize(
    ("seconds", "micros"),
    [(0, 0), (0.12, 120_000), (1, SECOND), (0.001, MILLISECOND), (1e-6, 1), (2.9999999, 3_000_000), (-0.5, -500_000)],
)
def test_seconds_become_whole_microseconds(seconds: float, micros: int) -> None:
    assert from_seconds(seconds) == micros
    assert isinstance(from_seconds(seconds), int)


@given(st.integers(-(10**15), 10**15))
def test_there_and_back(micros: int) -> None:
    assert from_seconds(to_seconds(micros)) == micros


@pytest.mark.parametrize(
    ("instant", "start", "stamp"),
    [
        (5_000, 5_000, 0),
        (5_000 + 630, 5_000, 630),
        (1_000 + 0xFFFFFFFF, 1_000, 0xFFFFFFFF),
        (1_000 + 0x100000000, 1_000, 0),
        (1_000 + 0x100000005, 1_000, 5),
        (0, 1, 0xFFFFFFFF),
    ],
)
def test_wire_time_goes_round(instant: int, start: int, stamp: int) -> None:
    assert wire_time(instant, start) == stamp


def test_never_is_later_than_anything() -> None:
    assert min(NEVER, 10**15) == 10**15
    assert to_seconds(NEVER) > 100_000 * 365 * 24 * 3600
