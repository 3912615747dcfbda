"""Whoever is to be seen to is, in time and once; nobody is forgotten, and the socket is never unread for long."""

from __future__ import annotations

import random

import pytest

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.mux.errands import MOMENT, MOST_WAITING, Errands
from srtpy.internal.mux.inbox import Inbox
from tests.internal.mux.sockets import has_rung


class World:
    """Errands, a clock that stands still unless somebody works, and who was tended when."""

    def __init__(self, takes: Micros = 0) -> None:
        self.now: Micros = 1_000
        self.takes = takes
        self.wakes = 0
        self.tended: list[tuple[Inbox, Micros]] = []
        self.errands = Errands(self.wake)

    def wake(self) -> None:
        self.wakes += 1

    def inbox(self) -> Inbox:
        inbox = Inbox()

        def tend(now: Micros) -> None:
            self.tended.append((inbox, now))
            self.now += self.takes

        inbox.tend = tend
        return inbox

    def run(self, now: Micros | None = None) -> bool:
        if now is not None:
            self.now = now
        return self.errands.run(lambda: self.now)


def test_what_has_something_is_tended_once_and_does_not_ring() -> None:
    world = World()
    one, other = world.inbox(), world.inbox()
    for inbox in (one, other, one):
        world.errands.add(inbox)
    assert not world.run()
    assert world.tended == [(one, 1_000), (other, 1_000)]
    assert not has_rung(one)
    world.run(2_000)
    assert len(world.tended) == 2
    assert len(world.errands) == 0


def test_a_reminder_comes_at_its_time_and_once() -> None:
    world = World()
    inbox = world.inbox()
    world.errands.remind(inbox, 5_000)
    world.run(4_999)
    assert world.tended == []
    world.run(5_000)
    world.run(6_000)
    assert world.tended == [(inbox, 5_000)]
    assert world.errands.sleep() == NEVER


@pytest.mark.parametrize(
    ("told", "at"), [((5_000, 3_000), 3_000), ((5_000, 8_000), 8_000), ((5_000, 3_000, 8_000), 8_000)]
)
def test_only_the_last_reminder_counts(told: tuple[Micros, ...], at: Micros) -> None:
    world = World()
    inbox = world.inbox()
    for instant in told:
        world.errands.remind(inbox, instant)
    for now in range(1_000, 20_000, 500):
        world.run(now)
    assert world.tended == [(inbox, at)]


@pytest.mark.parametrize("seed", range(20))
def test_of_many_reminders_each_inboxs_last_one_is_kept(seed: int) -> None:
    chance, world = random.Random(seed), World()
    inboxes = [world.inbox() for _ in range(8)]
    wanted: dict[int, Micros] = {}
    expected: list[tuple[int, Micros]] = []
    for now in range(1_000, 100_000, 100):
        for _ in range(chance.randrange(3)):
            which, at = chance.randrange(8), now + chance.randrange(1, 5_000)
            world.errands.remind(inboxes[which], at)
            wanted[which] = at
        world.run(now)
        expected += sorted((which, now) for which, at in wanted.items() if at <= now)
        wanted = {which: at for which, at in wanted.items() if at > now}
        assert world.errands.sleep() == min(wanted.values(), default=NEVER)
    places = {inbox: which for which, inbox in enumerate(inboxes)}
    assert sorted((now, places[inbox]) for inbox, now in world.tended) == sorted(
        (now, which) for which, now in expected
    )


def test_who_sleeps_is_woken_for_what_is_due_before_it_would_wake() -> None:
    world = World()
    one, other = world.inbox(), world.inbox()
    world.errands.remind(one, SECOND)
    assert world.wakes == 0, "it is awake, and will look"
    assert world.errands.sleep() == SECOND
    world.errands.remind(other, 2 * SECOND)
    world.errands.remind(one, 3 * SECOND)
    assert world.wakes == 0
    world.errands.remind(other, SECOND // 2)
    assert world.wakes == 1
    world.errands.remind(one, SECOND // 2)
    assert world.wakes == 1, "it is waking"
    world.run(SECOND // 4)
    world.errands.remind(one, SECOND // 3)
    assert world.wakes == 1, "it is awake"
    assert world.errands.sleep() == SECOND // 3


def test_a_signals_handler_may_come_in_the_middle_of_a_reminder() -> None:
    """It runs on the thread that it interrupts, closes another connection, and must not wait for us."""
    world = World()
    one, other = world.inbox(), world.inbox()
    errands = Errands(lambda: errands.remind(other, 2_000))
    assert errands.sleep() == NEVER
    errands.remind(one, 3_000)
    errands.run(lambda: 2_000)
    errands.run(lambda: 3_000)
    assert world.tended == [(other, 2_000), (one, 3_000)]


def test_the_socket_is_read_again_after_a_moment() -> None:
    world = World(takes=MILLISECOND)
    inboxes = [world.inbox() for _ in range(10)]
    for inbox in inboxes:
        world.errands.add(inbox)
    rounds = 1
    while world.run():
        rounds += 1
    assert rounds == 10 * MILLISECOND // MOMENT
    assert [inbox for inbox, _ in world.tended] == inboxes, "first come, first served"


def test_one_for_whom_more_comes_each_time_than_a_moment_takes_in_starves_nobody() -> None:
    world = World(takes=MOMENT)
    flooded, others = world.inbox(), [world.inbox() for _ in range(3)]
    for _ in range(2 * len(others)):
        for inbox in (flooded, *others):  # as a transfer's batches come first in every read
            world.errands.add(inbox)
        world.run()
    assert [inbox for inbox, _ in world.tended] == [flooded, *others, flooded, *others][: 2 * len(others)]


def test_too_many_are_left_to_their_own_threads() -> None:
    world = World()
    inboxes = [world.inbox() for _ in range(MOST_WAITING + 1)]
    for inbox in inboxes:
        world.errands.add(inbox)
    assert not world.run()
    assert world.tended == []
    assert all(has_rung(inbox) for inbox in inboxes)


def test_one_that_has_ended_rings_and_harms_nobody() -> None:
    world = World()
    inbox = world.inbox()
    world.errands.remind(inbox, 2_000)
    inbox.tend = None
    world.run(2_000)
    assert has_rung(inbox)
    assert len(world.errands) == 0


def test_at_the_end_whoever_waits_rings() -> None:
    world = World()
    inbox = world.inbox()
    world.errands.add(inbox)
    world.errands.give_back()
    assert has_rung(inbox)
    assert not world.run()
    assert world.tended == []
