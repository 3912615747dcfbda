from __future__ import annotations

import logging
import threading

import pytest

from srtpy.callbacks import Callbacks


def callback_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "srt-callbacks"]


def test_called_again_and_again_until_cancelled() -> None:
    callbacks, thrice, calls = Callbacks(), threading.Event(), []

    def call() -> None:
        calls.append(threading.current_thread().name)
        if len(calls) == 3:
            thrice.set()

    entry = callbacks.every(0.0, call)
    assert thrice.wait(30)
    entry.cancel()
    entry.cancel()
    assert set(calls) == {"srt-callbacks"}


def test_the_thread_exists_only_while_something_is_registered() -> None:
    callbacks = Callbacks()
    assert callbacks._thread is None
    entries = [callbacks.every(60, lambda: None) for _ in range(2)]
    thread = callbacks._thread
    assert thread is not None
    assert thread.daemon
    entries[0].cancel()
    assert thread.is_alive()
    entries[1].cancel()
    thread.join(30)
    assert not thread.is_alive()
    again = callbacks.every(60, lambda: None)
    assert callbacks._thread is not thread
    again.cancel()


def test_the_sooner_goes_first() -> None:
    callbacks, done = Callbacks(), threading.Event()
    order: list[str] = []
    late = callbacks.every(60, lambda: order.append("late"))
    soon = callbacks.every(0.01, done.set)
    assert done.wait(30)
    late.cancel()
    soon.cancel()
    assert order == []


@pytest.mark.parametrize("error", [RuntimeError("on purpose"), SystemExit("on purpose")])
def test_a_callback_that_raises_is_logged_and_called_again(
    caplog: pytest.LogCaptureFixture, error: BaseException
) -> None:
    callbacks, twice, calls = Callbacks(), threading.Event(), []

    def fail() -> None:
        calls.append(1)
        if len(calls) == 2:
            twice.set()
        raise error

    with caplog.at_level(logging.ERROR, logger="srtpy"):
        entry = callbacks.every(0.01, fail)
        assert twice.wait(30)
        entry.cancel()
    assert "on purpose" in caplog.text


def test_one_that_is_never_due_stops_no_other() -> None:
    callbacks, done = Callbacks(), threading.Event()
    never = callbacks.every(1e12, lambda: None)
    soon = callbacks.every(0.01, done.set)
    assert done.wait(30)
    never.cancel()
    soon.cancel()


def test_a_system_without_threads_keeps_nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    callbacks, done = Callbacks(), threading.Event()
    with monkeypatch.context() as without:
        without.setattr(threading.Thread, "start", refuse)
        with pytest.raises(RuntimeError):
            callbacks.every(0.01, lambda: None)
    assert not callbacks._due
    entry = callbacks.every(0.01, done.set)
    assert done.wait(30)
    entry.cancel()


def test_cancelling_in_the_callback_itself() -> None:
    callbacks, calls, done = Callbacks(), [], threading.Event()

    def once() -> None:
        calls.append(1)
        entry.cancel()
        done.set()

    with callbacks._changed:
        pass
    entry = callbacks.every(0.01, once)
    thread = callbacks._thread
    assert done.wait(30)
    assert thread is not None
    thread.join(30)
    assert calls == [1]


def test_abandoned_it_starts_afresh() -> None:
    callbacks = Callbacks()
    entry = callbacks.every(60, lambda: None)
    thread = callbacks._thread
    callbacks.forget(entry)
    assert thread is not None
    thread.join(30)
    callbacks.abandon()
    assert callbacks._thread is None
    callbacks.every(60, lambda: None).cancel()
