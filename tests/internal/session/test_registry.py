from __future__ import annotations

import gc

from srtpy.internal.session.registry import Registry


class Thing:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def shut_down(self) -> None:
        self.calls.append("shut down")

    def abandon(self) -> None:
        self.calls.append("abandon")


def test_what_is_open_is_shut_down_and_what_is_closed_is_not() -> None:
    registry = Registry()
    opened, closed = Thing(), Thing()
    registry.add(opened)
    registry.add(closed)
    registry.discard(closed)
    registry.discard(closed)
    registry.shut_down()
    assert (opened.calls, closed.calls) == (["shut down"], [])


def test_it_keeps_nothing_alive() -> None:
    registry = Registry()
    registry.add(Thing())
    gc.collect()
    registry.shut_down()


def test_in_a_forks_child_all_is_given_up_even_if_the_lock_was_held() -> None:
    registry = Registry()
    thing = Thing()
    registry.add(thing)
    registry._lock.acquire()
    registry.abandon()
    assert thing.calls == ["abandon"]
    registry.shut_down()
    assert thing.calls == ["abandon"]


def test_closing_while_shutting_down() -> None:
    registry = Registry()

    class Leaver(Thing):
        def shut_down(self) -> None:
            registry.discard(self)

    things = [Leaver() for _ in range(3)]
    for thing in things:
        registry.add(thing)
    registry.shut_down()
