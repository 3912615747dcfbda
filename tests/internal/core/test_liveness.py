from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.core.events import Broken, Event, Finished
from srtpy.internal.core.liveness import (
    KEEPALIVE_PERIOD,
    LATE,
    PLAYED_MARGIN,
    SHUTDOWN_COPIES,
    UNHEARD_KEEPALIVES,
    Liveness,
)
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.packet.header import HEADER, ControlType, control_kind

LATENCY: Micros = 120 * MILLISECOND


class Life:
    """A Liveness with its surroundings, driven by its own deadlines."""

    def __init__(self, *, initiator: bool = True, plays: bool = True, **fields: Any) -> None:
        self.outbox = Outbox(0x1234, 0)
        self.news: list[Event] = []
        negotiated = cast(Any, SimpleNamespace(initiator=initiator, peer_latency=LATENCY, tsbpd_send=plays))
        self.part = Liveness(negotiated, Config(**fields), self.outbox, self.news, 0)
        self.said: list[tuple[int, Micros]] = []

    def run_until(self, end: Micros, unacknowledged: int = 0) -> None:
        """Let time pass, and fail if a deadline does not move on."""
        for _ in range(10_000):
            now = self.part.deadline
            if now > end:
                return
            self.part.on_deadline(now)
            self.part.finish_if_safe(unacknowledged, now)
            self.said += [(control_kind(HEADER.unpack_from(head)[0]), now) for head, _ in self.outbox.take()]
        raise AssertionError("the deadline does not move")


def test_a_quiet_connection_says_each_second_that_it_is_there() -> None:
    life = Life()
    for second in range(1, 11):
        life.run_until(second * SECOND)
        life.part.heard(second * SECOND)
    assert life.said == [(ControlType.KEEPALIVE, second * SECOND) for second in range(1, 11)]
    assert life.news == []


def test_whatever_else_was_said_postpones_the_keepalive() -> None:
    life = Life()
    life.outbox.last_said = 700 * MILLISECOND
    assert life.part.deadline == 700 * MILLISECOND + KEEPALIVE_PERIOD


def test_the_shortest_patience_survives_a_late_keepalive_of_an_idle_peer() -> None:
    life = Life(peer_idle_timeout=1.0)
    for turn in range(1, 6):
        life.run_until(turn * 1100 * MILLISECOND)
        life.part.heard(turn * 1100 * MILLISECOND)
    assert life.news == []


@pytest.mark.parametrize("limit", [2.0, 5.0, 7.5])
def test_a_silent_peer_breaks_the_connection_after_the_configured_time(limit: float) -> None:
    life = Life(peer_idle_timeout=limit)
    life.run_until(20 * SECOND)
    (broken,) = life.news
    assert isinstance(broken, Broken)
    assert "silent" in broken.text
    assert life.part.is_over
    assert life.part.deadline == NEVER
    assert all(now < limit * SECOND for _, now in life.said[:-1])
    assert life.said[-1] == (ControlType.SHUTDOWN, limit * SECOND)


def test_anything_heard_renews_the_patience() -> None:
    life = Life(peer_idle_timeout=2.0)
    for second in range(1, 11):
        life.run_until(second * SECOND)
        life.part.heard(second * SECOND)
    assert life.news == []


def test_a_peer_that_only_says_it_is_there_breaks_when_data_is_demanded() -> None:
    life = Life(data_idle_timeout=3.0)
    for second in range(1, 5):
        life.run_until(second * SECOND)
        life.part.heard(second * SECOND)
    assert [type(event) for event in life.news] == [Broken]
    assert "data_idle_timeout" in cast(Broken, life.news[0]).text
    assert [kind for kind, _ in life.said if kind == ControlType.SHUTDOWN] == [ControlType.SHUTDOWN]


@pytest.mark.parametrize("direction", ["heard_data", "wrote"])
def test_data_in_either_direction_satisfies_that_demand(direction: str) -> None:
    life = Life(data_idle_timeout=3.0)
    for second in range(1, 9):
        life.run_until(second * SECOND)
        life.part.heard(second * SECOND)
        getattr(life.part, direction)(second * SECOND)
    assert life.news == []


def test_a_caller_that_never_speaks_again_gets_three_keepalives() -> None:
    life = Life(initiator=False, peer_idle_timeout=10.0)
    life.run_until(9 * SECOND)
    assert len(life.said) == UNHEARD_KEEPALIVES


def test_closing_an_unused_connection_says_so_at_once() -> None:
    life = Life()
    life.part.close(None, SECOND // 2)
    life.run_until(SECOND // 2)
    assert life.said == [(ControlType.SHUTDOWN, SECOND // 2)] * SHUTDOWN_COPIES
    assert life.news == [Finished()]
    assert life.part.is_closing
    assert life.part.is_over


def test_closing_waits_until_the_peer_has_played_what_was_written() -> None:
    life = Life()
    life.part.wrote(SECOND)
    life.part.close(None, SECOND)
    life.run_until(SECOND + LATENCY)
    assert (ControlType.SHUTDOWN, SECOND) not in life.said
    life.run_until(2 * SECOND)
    assert life.said[-1] == (ControlType.SHUTDOWN, SECOND + LATENCY + PLAYED_MARGIN)


def test_a_peer_without_timestamps_is_not_waited_for() -> None:
    life = Life(plays=False)
    life.part.wrote(SECOND)
    life.part.close(None, SECOND)
    life.run_until(SECOND)
    assert life.said[-1] == (ControlType.SHUTDOWN, SECOND)


def test_closing_gives_up_on_a_peer_that_acknowledges_nothing_after_latency_and_a_second() -> None:
    life = Life(peer_idle_timeout=60.0)
    life.part.wrote(SECOND)
    life.part.close(None, SECOND)
    life.run_until(10 * SECOND, unacknowledged=5)
    assert life.said[-1] == (ControlType.SHUTDOWN, SECOND + LATENCY + SECOND)


@pytest.mark.parametrize("linger", [0, 50 * MILLISECOND, 3 * SECOND])
def test_a_linger_of_the_users_own_is_the_limit(linger: Micros) -> None:
    life = Life(peer_idle_timeout=60.0)
    life.part.wrote(SECOND)
    life.part.close(linger, SECOND)
    life.run_until(10 * SECOND, unacknowledged=5)
    assert life.said[-1] == (ControlType.SHUTDOWN, SECOND + linger)


def test_a_second_close_can_only_hurry() -> None:
    life = Life(peer_idle_timeout=60.0)
    life.part.wrote(SECOND)
    life.part.close(3 * SECOND, SECOND)
    life.part.close(0, SECOND + 1)
    life.part.close(9 * SECOND, SECOND + 2)
    life.run_until(10 * SECOND, unacknowledged=5)
    assert life.said[-1][1] <= SECOND + 2


def test_who_has_stood_still_gives_the_peer_time_to_play_once_more() -> None:
    """A peer on the same machine has stood still too; libsrt forgets at SHUTDOWN what it has not played."""
    life = Life()
    life.part.wrote(SECOND)
    life.part.close(None, SECOND)
    life.run_until(SECOND + LATENCY)
    woken = SECOND + LATENCY + PLAYED_MARGIN + LATE
    life.part.finish_if_safe(0, woken)
    assert not life.part.is_over
    life.part.finish_if_safe(0, woken + PLAYED_MARGIN)
    assert life.part.is_over


def test_however_often_it_stands_still_closing_ends_in_time() -> None:
    life = Life()
    life.part.wrote(SECOND)
    life.part.close(None, SECOND)
    life.run_until(SECOND + LATENCY)
    now = SECOND + LATENCY + PLAYED_MARGIN + LATE
    while not life.part.is_over:
        life.part.finish_if_safe(0, now)
        now += PLAYED_MARGIN + LATE
    assert now - PLAYED_MARGIN - LATE <= SECOND + LATENCY + SECOND + PLAYED_MARGIN + LATE


def test_shutdown_is_said_at_one_instant_and_never_again() -> None:
    """Several times, since nothing confirms it."""
    life = Life()
    life.part.close(0, SECOND)
    life.run_until(20 * SECOND)
    life.part.finish_if_safe(0, 21 * SECOND)
    said = [when for kind, when in life.said if kind == ControlType.SHUTDOWN]
    assert said == [SECOND] * SHUTDOWN_COPIES
    assert life.news == [Finished()]


def test_the_peers_shutdown_ends_all_timers_and_counts_once() -> None:
    life = Life()
    assert life.part.peer_shut_down()
    assert not life.part.peer_shut_down()
    assert life.part.deadline == NEVER
