"""Naps begin when data flows, end when it stops, and never let the kernel buffer fill."""

from __future__ import annotations

from collections import deque

import pytest

from srtpy.internal.clock.units import SECOND, Micros
from srtpy.internal.mux.nap import FILL, LONGEST, LOOK, NAP, SHORTEST, SPELL, UNKNOWN, Nap, Trickle

LARGE = 3_640  # what 4 MB hold
SMALL = 184  # what the usual limit of 212,992 bytes holds


def lived(nap: Nap, rate: int, burst: int = 1, lasting: Micros = SECOND // 5, start: Micros = 0) -> list[Micros]:
    """Return the naps of a reader to which `rate` data packets a second come in bursts."""
    gap = burst * SECOND // rate
    now, pauses, taken = start, [], 0
    while now < start + lasting:
        waiting = ((now - start) // gap + 1) * burst - taken
        if not waiting:
            now += gap - (now - start) % gap
            continue
        taken += waiting
        pauses.append(nap.after(waiting, False, now))
        now += pauses[-1] + 60
    return pauses


@pytest.mark.parametrize(("rate", "burst"), [(950, 1), (4_750, 5), (10_000, 1), (100_000, 20)])
def test_a_flow_is_read_in_naps(rate: int, burst: int) -> None:
    pauses = lived(Nap(LARGE), rate, burst)
    assert set(pauses[-20:]) == {NAP}


@pytest.mark.parametrize("rate", [10, 100, 300])
def test_a_trickle_is_never_kept_waiting(rate: int) -> None:
    assert set(lived(Nap(LARGE), rate, lasting=SECOND)) == {0}


def test_bursts_far_apart_are_never_kept_waiting() -> None:
    assert set(lived(Nap(LARGE), 8_800, burst=44)) == {0}


def test_the_first_packet_is_never_kept_waiting() -> None:
    assert Nap(LARGE).after(1, False, 1_000_000) == 0


def test_as_long_as_nobody_knows_how_much_comes_no_promise_is_good_for_long() -> None:
    nap = Nap(LARGE)
    nap.after(0, False, SECOND)
    assert nap.longest == LONGEST  # who sends hears control packets alone
    nap.after(1, False, 2 * SECOND)
    assert nap.longest == UNKNOWN
    lived(nap, 950, start=2 * SECOND)
    assert nap.longest > 20 * UNKNOWN
    nap.after(1, False, 3 * SECOND)  # after a pause, who knows?
    assert nap.longest == UNKNOWN
    assert Nap(0).after(1, False, SECOND) == Nap(0).longest == 0


def test_while_reads_are_full_no_promise_is_good_enough() -> None:
    nap = Nap(LARGE)
    lived(nap, 950, start=SECOND)
    now = SECOND + SECOND // 5
    nap.after(0, True, now)
    assert nap.longest > UNKNOWN
    nap.after(128, True, now + 1000)
    assert nap.longest == 0
    lived(nap, 950, start=now + 2000)
    assert nap.longest > UNKNOWN


@pytest.mark.parametrize("rate", [950, 4_750, 9_500, 20_000, 100_000, 1_000_000])
@pytest.mark.parametrize("capacity", [SMALL, LARGE, 20])
def test_a_nap_leaves_most_of_the_kernel_buffer_free(rate: int, capacity: int) -> None:
    for pause in lived(Nap(capacity), rate)[-20:]:
        assert pause == 0 or pause >= SHORTEST
        assert pause * rate / SECOND <= capacity / FILL + 1


def test_a_flow_that_swells_ends_the_naps() -> None:
    nap = Nap(SMALL)
    assert lived(nap, 950)[-1] == NAP
    assert lived(nap, 200_000, lasting=3 * NAP, start=SECOND // 5)[-1] == 0


def test_a_flow_that_dwindles_ends_the_naps() -> None:
    nap = Nap(LARGE)
    assert lived(nap, 10_000)[-1] == NAP
    assert lived(nap, 100, start=SECOND)[-1] == 0


def test_control_packets_alone_make_nobody_nap() -> None:
    nap = Nap(LARGE)
    assert {nap.after(0, False, now) for now in range(0, SECOND, 500)} == {0}


def test_a_full_read_is_followed_by_the_next() -> None:
    nap = Nap(LARGE)
    assert lived(nap, 100_000, burst=20)[-1] == NAP
    assert nap.after(128, True, SECOND) == 0


def test_without_room_there_are_no_naps() -> None:
    nap = Nap(0)
    assert nap.longest == 0
    assert set(lived(nap, 10_000)) == {0}
    assert nap.longest == 0


@pytest.mark.parametrize(
    ("capacity", "rate", "may"),
    [(SMALL, 950, 12_000), (SMALL, 10_000, 1_000), (LARGE, 30_000, 12_000), (LARGE, 1_000_000, 300)],
)
def test_the_socket_is_left_alone_while_an_eighth_of_the_kernel_buffer_takes_what_comes(
    capacity: int, rate: int, may: int
) -> None:
    nap = Nap(capacity)
    assert nap.longest == LONGEST, "before anything has come"
    lived(nap, rate)
    assert may <= nap.longest <= 3 * may


Count = tuple[int, Micros]
PATIENCE = 10_000


def trickled(
    trickle: Trickle, connections: int, rate: int, patience: Micros = PATIENCE, start: Micros = 0, visits: Micros = 0
) -> list[Micros]:
    """Return how long the socket was left alone while each of so many connections got `rate` packets a second.

    `visits`: the time between two handshakes.
    """
    gap = SECOND // rate
    arrivals = deque(
        sorted(
            (start + place * gap // connections + turn * gap, place)
            for place in range(connections)
            for turn in range(rate)
        )
    )
    reached: set[int] = set()
    visited_at = start

    def count() -> Count:
        found = len(reached)
        reached.clear()
        return found, 0 if is_visited else patience

    pauses, now = [], start
    while arrivals:
        now = max(now, arrivals[0][0])
        packets = 0
        while arrivals and arrivals[0][0] <= now:
            reached.add(arrivals.popleft()[1])
            packets += 1
        is_visited = visits > 0 and now >= visited_at + visits
        if is_visited:
            visited_at = now
        pauses.append(trickle.after(packets, is_visited, count, now))
        now += pauses[-1] + 60 + 100 * packets
    return pauses


@pytest.mark.parametrize(("connections", "rate"), [(500, 1), (200, 10), (200, 20), (1_000, 2), (50, 20)])
def test_where_little_comes_for_each_of_many_the_socket_is_left_alone(connections: int, rate: int) -> None:
    assert set(trickled(Trickle(LARGE), connections, rate)[-20:]) == {SPELL}


@pytest.mark.parametrize(
    ("connections", "rate"), [(1, 1), (10, 1), (1, 50), (1, 950), (1, 10_000), (4, 200), (10, 950)]
)
def test_of_few_or_busy_connections_nobody_is_kept_waiting(connections: int, rate: int) -> None:
    assert set(trickled(Trickle(LARGE), connections, rate)) == {0}


@pytest.mark.parametrize(("patience", "pause"), [(0, 0), (400, 0), (1_600, 1_600), (8_000, 8_000), (60_000, SPELL)])
def test_nobody_waits_for_longer_than_all_have_patience(patience: Micros, pause: Micros) -> None:
    assert set(trickled(Trickle(LARGE), 500, 4, patience)[-20:]) == {pause}


def test_while_somebody_shakes_hands_nobody_is_kept_waiting() -> None:
    trickle = Trickle(LARGE)
    assert trickled(trickle, 500, 1)[-1] == SPELL
    assert trickle.after(1, True, lambda: (500, 0), SECOND) == 0
    assert set(trickled(trickle, 500, 1, start=SECOND, visits=LOOK // 2)) == {0}
    assert trickled(trickle, 500, 1, start=3 * SECOND)[-1] == SPELL


def test_a_stream_that_begins_ends_it() -> None:
    trickle = Trickle(LARGE)
    assert trickled(trickle, 500, 1)[-1] == SPELL
    pauses = trickled(trickle, 1, 950, start=SECOND)
    assert sum(pauses) <= LOOK + SPELL
    assert pauses[-1] == 0


def test_silence_ends_it() -> None:
    trickle = Trickle(LARGE)
    assert trickled(trickle, 500, 1)[-1] == SPELL
    assert trickle.after(1, False, lambda: (1, PATIENCE), 3 * SECOND) == 0


@pytest.mark.parametrize("capacity", [0, 20, SMALL, LARGE])
def test_it_leaves_most_of_the_kernel_buffer_free(capacity: int) -> None:
    for pause in trickled(Trickle(capacity), 400, 20)[-20:]:
        assert pause * 400 * 20 / SECOND <= capacity / FILL + 1
