"""Naps begin when data flows, end when it stops, and never let the kernel buffer fill."""

from __future__ import annotations

import pytest

from srtpy.internal.clock.units import SECOND, Micros
from srtpy.internal.mux.nap import FILL, NAP, SHORTEST, Nap

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
    assert not nap.may_be_long
    assert set(lived(nap, 10_000)) == {0}
    assert not nap.may_be_long


@pytest.mark.parametrize(
    ("capacity", "rate", "may"),
    [(SMALL, 950, True), (SMALL, 1_500, True), (SMALL, 10_000, False), (LARGE, 30_000, True), (LARGE, 50_000, False)],
)
def test_a_nap_may_be_long_while_an_eighth_of_the_kernel_buffer_takes_what_comes(
    capacity: int, rate: int, may: bool
) -> None:
    nap = Nap(capacity)
    assert nap.may_be_long, "before anything has come"
    lived(nap, rate)
    assert nap.may_be_long is may
