from __future__ import annotations

from typing import Any

import pytest

from srtpy.internal.clock.units import NEVER
from srtpy.internal.session.waiting import Deadline
from srtpy.timeouts import Timeouts, seconds


def told(rcv_syn: bool = True, snd_syn: bool = True) -> tuple[Timeouts, list[Deadline], list[Deadline]]:
    reading: list[Deadline] = []
    writing: list[Deadline] = []
    timeouts = Timeouts(rcv_syn, snd_syn)
    timeouts.attach(reading.append, writing.append)
    return timeouts, reading, writing


def test_nothing_set_is_for_ever() -> None:
    timeouts, reading, writing = told()
    assert timeouts.timeout is None
    for deadline in (*reading, *writing):
        assert (deadline.at, deadline.patience, deadline.is_blocking) == (NEVER, NEVER, True)


def test_what_was_set_before_there_was_anybody_to_tell() -> None:
    timeouts = Timeouts()
    timeouts.set_timeout(0.5)
    reading: list[Deadline] = []
    timeouts.attach(reading.append, reading.append)
    assert [deadline.patience for deadline in reading] == [500_000, 500_000]


def test_the_timeout_is_for_both() -> None:
    timeouts, reading, writing = told()
    timeouts.set_timeout(0.5)
    assert reading[-1].patience == writing[-1].patience == 500_000
    assert timeouts.timeout == 0.5
    timeouts.set_timeout(0)
    assert not reading[-1].is_blocking
    timeouts.set_timeout(None)
    assert reading[-1].patience == NEVER
    assert reading[-1].is_blocking


def test_the_earliest_counts() -> None:
    timeouts, reading, writing = told()
    timeouts.set_timeout(0.5)
    timeouts.set_limit(0.2, timeouts.reading)
    assert (reading[-1].patience, writing[-1].patience) == (200_000, 500_000)
    timeouts.set_at(7.0, timeouts.reading, timeouts.writing)
    assert reading[-1].limit(6_900_000) == writing[-1].limit(6_900_000) == 7_000_000
    timeouts.set_at(None, timeouts.reading)
    assert (reading[-1].at, writing[-1].at) == (NEVER, 7_000_000)


def test_waiting_can_be_switched_off() -> None:
    timeouts, reading, writing = told(rcv_syn=False)
    assert (reading[-1].is_blocking, writing[-1].is_blocking) == (False, True)
    timeouts.set_blocking(True, timeouts.reading)
    assert reading[-1].is_blocking


@pytest.mark.parametrize("bad", [-1, -0.001, float("nan")])
def test_no_such_timeout(bad: float) -> None:
    timeouts, _, _ = told()
    with pytest.raises(ValueError):
        timeouts.set_timeout(bad)
    assert timeouts.timeout is None


@pytest.mark.parametrize("bad", ["1", True, b"", object()])
def test_not_seconds(bad: Any) -> None:
    timeouts, _, _ = told()
    with pytest.raises(TypeError):
        timeouts.set_timeout(bad)
    with pytest.raises(TypeError):
        timeouts.set_at(bad, timeouts.reading)


def test_deadlines_are_numbers() -> None:
    timeouts, _, _ = told()
    with pytest.raises(ValueError):
        timeouts.set_at(float("nan"), timeouts.reading)


def test_seconds() -> None:
    assert seconds(None, "x") is None
    assert seconds(3, "x") == 3.0
