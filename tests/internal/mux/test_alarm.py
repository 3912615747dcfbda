"""Sleeping by an alarm that others move."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import IO

import pytest

from srtpy.internal.clock.monotonic import now
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.mux import alarm
from srtpy.internal.mux.alarm import AlarmClock
from tests.conftest import descriptors


@pytest.fixture(params=["timerfd", "poll"])
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "poll":
        monkeypatch.setattr(alarm, "_make_timer", lambda: -1)
    return str(request.param)


@pytest.fixture
def wake() -> Iterator[IO[bytes]]:
    with open(os.eventfd(0, os.EFD_NONBLOCK), "r+b", buffering=0) as file:
        yield file


@pytest.mark.parametrize("ahead", [-SECOND, 0, 5 * MILLISECOND])
def test_it_goes_off_at_its_time(kind: str, wake: IO[bytes], ahead: int) -> None:
    with closing(AlarmClock(wake)) as clock:
        at = now() + ahead
        clock.set(at)
        clock.sleep()
        assert now() >= at
        clock.set(now() + MILLISECOND)
        clock.sleep()


def test_it_can_be_set_to_an_earlier_or_a_later_instant(kind: str, wake: IO[bytes]) -> None:
    with closing(AlarmClock(wake)) as clock:
        clock.set(now() + 3_600 * SECOND)
        clock.set(now() + MILLISECOND)
        clock.sleep()
        clock.set(now())
        clock.set(at := now() + 5 * MILLISECOND)
        clock.sleep()
        assert now() >= at


def test_it_is_moved_while_somebody_sleeps(wake: IO[bytes]) -> None:
    with closing(AlarmClock(wake)) as clock:
        clock.set(now() + 3_600 * SECOND)
        sleeper = threading.Thread(target=clock.sleep)
        sleeper.start()
        clock.set(now())
        sleeper.join(30)
        assert not sleeper.is_alive()


def test_whoever_wakes_the_sleeper_ends_its_sleep(kind: str, wake: IO[bytes]) -> None:
    with closing(AlarmClock(wake)) as clock:
        clock.set(now() + 3_600 * SECOND)
        sleeper = threading.Thread(target=clock.sleep)
        sleeper.start()
        os.eventfd_write(wake.fileno(), 1)
        sleeper.join(30)
        assert not sleeper.is_alive()


def test_closed_it_can_still_be_set_and_holds_no_descriptor(kind: str, wake: IO[bytes]) -> None:
    before = descriptors()
    clock = AlarmClock(wake)
    clock.close()
    clock.set(now())
    clock.close()
    assert descriptors() == before
