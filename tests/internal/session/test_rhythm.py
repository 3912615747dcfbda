from __future__ import annotations

import pytest

from srtpy.internal.clock.units import MILLISECOND
from srtpy.internal.session.rhythm import LEAST_BURST, LONGEST_PERIOD, RHYTHM, Rhythm


def after(bursts: int) -> Rhythm:
    rhythm = Rhythm()
    for _ in range(bursts):
        rhythm.note(LONGEST_PERIOD, LEAST_BURST)
    return rhythm


@pytest.mark.parametrize(("bursts", "is_kept"), [(0, False), (RHYTHM - 1, False), (RHYTHM, True), (100, True)])
def test_a_few_bursts_are_chance(bursts: int, is_kept: bool) -> None:
    assert after(bursts).is_kept is is_kept


def test_one_that_is_too_small_or_missing_spoils_little() -> None:
    rhythm = after(RHYTHM)
    rhythm.note(MILLISECOND, LEAST_BURST - 1)
    assert not rhythm.is_kept
    rhythm.note(MILLISECOND, LEAST_BURST)
    assert rhythm.is_kept


def test_it_does_not_last_for_ever_without_bursts() -> None:
    rhythm = after(100 * RHYTHM)
    for _ in range(RHYTHM):
        rhythm.note(MILLISECOND, 1)
        assert rhythm.is_kept
    rhythm.note(MILLISECOND, 1)
    assert not rhythm.is_kept


def test_nor_does_a_lack_of_them_count_for_ever() -> None:
    rhythm = after(0)
    for _ in range(100):
        rhythm.note(MILLISECOND, 1)
    for _ in range(RHYTHM):
        rhythm.note(MILLISECOND, LEAST_BURST)
    assert rhythm.is_kept


def test_after_a_long_pause_it_begins_anew() -> None:
    rhythm = after(2 * RHYTHM)
    rhythm.note(LONGEST_PERIOD + 1, 100)
    assert not rhythm.is_kept
    for _ in range(RHYTHM - 1):
        rhythm.note(LONGEST_PERIOD, LEAST_BURST)
    assert not rhythm.is_kept
