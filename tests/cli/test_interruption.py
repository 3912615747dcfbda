from __future__ import annotations

import signal
from functools import partial
from types import SimpleNamespace

import pytest

from srtpy.cli import interruption
from srtpy.cli.interruption import SAME_SIGNAL, SIGNALS, Interruption

LONG = 3600.0


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Have no two signals be far enough apart, however slow this machine is."""
    monkeypatch.setattr(interruption, "SAME_SIGNAL", LONG)
    return monkeypatch


@pytest.mark.parametrize("number", SIGNALS)
def test_either_signal_interrupts(number: int) -> None:
    with pytest.raises(KeyboardInterrupt), Interruption():
        signal.raise_signal(number)


@pytest.mark.parametrize("first", SIGNALS)
@pytest.mark.parametrize("second", SIGNALS)
@pytest.mark.usefixtures("interrupted")
def test_two_soon_after_one_another_are_one(first: int, second: int) -> None:
    with Interruption():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(first)
        signal.raise_signal(second)


def test_later_it_is_another(interrupted: pytest.MonkeyPatch) -> None:
    with Interruption():
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        interrupted.setattr(interruption, "SAME_SIGNAL", -LONG)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)


def test_who_presses_again_and_again_is_heard_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    heard = []
    with Interruption():
        for at in range(100, 106):
            clock = SimpleNamespace(monotonic=partial(float, at * SAME_SIGNAL * 0.75))
            monkeypatch.setattr(interruption, "time", clock)
            try:
                signal.raise_signal(signal.SIGINT)
            except KeyboardInterrupt:
                heard.append(at)
    assert heard == [100, 102, 104]


def test_what_was_ignored_is_heeded_and_afterwards_ignored_again() -> None:
    """A script's background job is started so, and the script ends it by `kill -INT`."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interruption(), pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupted")
def test_afterwards_all_is_as_before() -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    with Interruption():
        assert all(signal.getsignal(number) not in before for number in SIGNALS)
    assert [signal.getsignal(number) for number in SIGNALS] == before
    for _ in range(2):  # what was counted is not carried over either
        with pytest.raises(KeyboardInterrupt), Interruption():
            signal.raise_signal(signal.SIGINT)
    assert [signal.getsignal(number) for number in SIGNALS] == before
