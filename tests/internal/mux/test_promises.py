"""Promises to look, and who is told when one is broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import NEVER
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.promises import Promises
from tests.internal.mux.sockets import has_rung


class Desk:
    """Promises, and what the alarm was last set to."""

    def __init__(self) -> None:
        self.alarm = NEVER
        self.promises = Promises(self.set_alarm)

    def set_alarm(self, instant: int) -> None:
        self.alarm = instant


def test_a_signals_handler_may_come_in_the_middle_of_a_promise() -> None:
    """It runs on the thread that it interrupts, closes another connection, and must not wait for us."""
    one, other = Inbox(), Inbox()
    alarms: list[int] = []

    def interrupted(instant: int) -> None:
        alarms.append(instant)
        if len(alarms) == 1:
            promises.keep(other)
            promises.make(other, 200)

    promises = Promises(interrupted)
    promises.make(one, 100)
    assert promises.end(100) == 200
    assert promises.end(200) == NEVER
    assert one.is_let_down
    assert other.is_let_down


def test_a_promise_lasts_until_it_is_kept() -> None:
    desk, inbox = Desk(), Inbox()
    desk.promises.make(inbox, 100)
    assert (inbox.is_attended, len(desk.promises), desk.alarm) == (True, 1, 100)
    assert desk.promises.end(99) == 100
    desk.promises.keep(inbox)
    desk.promises.keep(inbox)
    assert desk.promises.end(1_000) == NEVER
    assert not has_rung(inbox)
    assert not inbox.is_let_down


def test_a_broken_one_rings_once() -> None:
    desk, inbox = Desk(), Inbox()
    desk.promises.make(inbox, 100)
    assert desk.promises.end(100) == NEVER
    assert (inbox.is_attended, inbox.is_let_down, len(desk.promises)) == (False, True, 0)
    assert has_rung(inbox)
    assert desk.promises.end(200) == NEVER
    assert not has_rung(inbox)


def test_after_the_end_no_promise_is_taken_and_no_alarm_set() -> None:
    desk, inbox = Desk(), Inbox()
    desk.promises.stop()
    desk.promises.make(inbox, 100)
    assert (inbox.is_attended, len(desk.promises), desk.alarm) == (False, 0, NEVER)


@pytest.mark.parametrize("by", [50, 150])
def test_a_promise_made_again_moves_the_alarm(by: int) -> None:
    desk, inbox = Desk(), Inbox()
    desk.promises.make(inbox, 100)
    desk.promises.make(inbox, by)
    assert desk.alarm == by


@pytest.mark.parametrize("is_set", [False, True])
@pytest.mark.parametrize(("first", "others", "by"), [(None, [], 15), (10, [], 15), (10, [20], 15), (30, [20], 15)])
def test_who_is_interrupted_while_promising_leaves_no_promise_unwatched(
    first: int | None, others: list[int], by: int, is_set: bool
) -> None:
    desk, inbox = Desk(), Inbox()
    if first is not None:
        desk.promises.make(inbox, first)
    for other in others:
        desk.promises.make(Inbox(), other)

    def interrupted(instant: int) -> None:
        if is_set:
            desk.alarm = instant
        desk.promises._set_alarm = desk.set_alarm
        raise KeyboardInterrupt

    desk.promises._set_alarm = interrupted
    with pytest.raises(KeyboardInterrupt):
        desk.promises.make(inbox, by)
    ends = 0
    while len(desk.promises):
        assert desk.alarm < NEVER
        assert desk.promises.end(desk.alarm) >= desk.alarm
        ends += 1
        assert ends <= 3, "the alarm went off, and was not set again"
    assert not inbox.is_attended


@given(st.lists(st.tuples(st.sampled_from("mkte"), st.integers(0, 3), st.integers(0, 50)), max_size=40))
def test_nobody_is_let_down_in_silence(steps: list[tuple[str, int, int]]) -> None:
    """Whatever is made, kept and broken: the alarm goes off in time, and who waits for a broken promise is rung."""
    desk, inboxes = Desk(), [Inbox() for _ in range(4)]
    expected: dict[int, int] = {}
    now = 0
    for verb, which, step in steps:
        if verb == "m":
            desk.promises.make(inboxes[which], now + 1 + step)
            expected[which] = now + 1 + step
        elif verb == "k":
            desk.promises.keep(inboxes[which])
            inboxes[which].is_attended = False
            expected.pop(which, None)
        else:
            now += step
        if verb == "e" or desk.alarm <= now:
            earliest = desk.promises.end(now)
            broken = [each for each, by in expected.items() if by <= now]
            assert [each for each in range(4) if has_rung(inboxes[each])] == sorted(broken)
            expected = {each: by for each, by in expected.items() if by > now}
            assert earliest == min(expected.values(), default=NEVER)
        assert desk.alarm <= min(expected.values(), default=NEVER)
        assert {each for each in range(4) if inboxes[each].is_attended} == set(expected)
