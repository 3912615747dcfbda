from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.congestion.pacing import BURST, DEEPEST, DEPTH, LATENESS, TAKING, Pacing

PLENTY = 1 << 20
KERNEL_BUFFER = 92  # datagrams of 1,316 bytes in a default receive buffer


def burst_times(period: float, span: int, late: Callable[[], int], begin: int = 1_000_000) -> list[tuple[int, int]]:
    """Send as much as is allowed, woken `late()` after each deadline; return (time, packets)."""
    pacing, now, bursts = Pacing(begin), begin, []
    while now < begin + span:
        count = pacing.allowance(PLENTY, period, now)
        if count:
            pacing.spend(count, period, now)
            bursts.append((now, count))
        deadline = pacing.deadline(PLENTY, period)
        now = max(deadline, now) + late()
    return bursts


def rate(bursts: list[tuple[int, int]]) -> float:
    """Packets a second."""
    return sum(count for _, count in bursts[:-1]) * SECOND / (bursts[-1][0] - bursts[0][0])


def deepest(bursts: list[tuple[int, int]], taking: float) -> float:
    """Return how many packets a receiver that takes one in `taking` microseconds has before it at worst."""
    waiting, last, worst = 0.0, bursts[0][0], 0.0
    for now, count in bursts:
        waiting = max(waiting - (now - last) / taking, 0.0) + count
        last, worst = now, max(worst, waiting)
    return worst


def never_late() -> int:
    return 0


@pytest.mark.parametrize("period", [4.5, 10.0, 10.88, 27.2, 108.8, 1088.0, 50_000.0])
def test_the_average_is_the_pace(period: float) -> None:
    assert rate(burst_times(period, 10 * SECOND, never_late)) == pytest.approx(SECOND / period, rel=0.01)


@pytest.mark.parametrize("mbps", [1, 10, 50, 70])
def test_the_average_is_kept_by_a_loop_that_wakes_up_to_5_ms_late_each_time(mbps: int) -> None:
    period, seeded = 1360 * 8 / mbps, random.Random(1)
    bursts = burst_times(period, 60 * SECOND, lambda: seeded.randint(0, 5 * MILLISECOND))
    assert rate(bursts) == pytest.approx(SECOND / period, rel=0.01)
    assert max(count for _, count in bursts) <= BURST


@pytest.mark.parametrize("mbps", [100, 300, 600, 800])
def test_the_average_is_kept_when_every_tenth_wake_up_is_5_ms_late(mbps: int) -> None:
    period, turn = 1360 * 8 / mbps, iter(range(1 << 30))
    bursts = burst_times(period, 10 * SECOND, lambda: 5 * MILLISECOND if next(turn) % 100 == 0 else 60)
    assert rate(bursts) == pytest.approx(SECOND / period, rel=0.01)
    assert deepest(bursts, 10) < KERNEL_BUFFER


@pytest.mark.parametrize("mbps", [1, 10, 50])
def test_the_average_is_kept_by_a_machine_that_stands_still_for_40_ms_ten_times_a_second(mbps: int) -> None:
    """A limit five percent above the input leaves nothing to catch up with but what the pace owes."""
    period, stalls = 1360 * 8 / mbps, iter(range(100_000, 1 << 40, 100_000))
    stall = next(stalls)
    pacing, now, sent = Pacing(0), 0, 0
    bursts = []
    while now < 10 * SECOND:
        count = pacing.allowance(PLENTY, period, now)
        if count:
            pacing.spend(count, period, now)
            bursts.append((now, count))
            sent += count
        now = max(pacing.deadline(PLENTY, period), now)
        if now >= stall:
            now, stall = now + 40 * MILLISECOND, next(stalls)
    assert sent * period == pytest.approx(10 * SECOND, rel=0.01)
    assert deepest(bursts, 10) < KERNEL_BUFFER


def test_full_speed_of_libsrt_survives_timers_that_are_always_a_little_late() -> None:
    seeded = random.Random(2)
    bursts = burst_times(10.0, 5 * SECOND, lambda: seeded.randint(50, 150))
    assert rate(bursts) == pytest.approx(100_000, rel=0.01)


@pytest.mark.parametrize("period", [10.0, 10.88, 20.0, 100.0])
def test_a_default_receiver_is_never_overrun_however_late_the_loop(period: float) -> None:
    seeded = random.Random(3)
    bursts = burst_times(period, 10 * SECOND, lambda: int(seeded.expovariate(1 / 800)))
    assert deepest(bursts, 10) <= KERNEL_BUFFER - 28, "28 more is what arrives while a receiver is not scheduled"


def test_a_stall_is_made_good_as_far_as_fifty_milliseconds() -> None:
    pacing = Pacing(0)
    assert pacing.allowance(PLENTY, 2000.0, 0) == 1
    pacing.spend(1, 2000.0, 0)
    assert pacing.allowance(PLENTY, 2000.0, 5 * SECOND) == 26


def test_while_nothing_waits_no_more_than_an_ordinary_burst_is_saved_up() -> None:
    pacing = Pacing(0)
    pacing.spend(pacing.allowance(1, 108.8, 0), 108.8, 0)
    pacing.rest()
    assert pacing.allowance(PLENTY, 108.8, 5 * SECOND) == 18


def test_a_single_packet_after_a_pause_leaves_at_once() -> None:
    pacing = Pacing(0)
    for now in range(0, SECOND, 5000):
        assert pacing.allowance(1, 1088.0, now) == 1
        pacing.spend(1, 1088.0, now)
        pacing.rest()


def test_what_waits_is_gathered_into_a_burst() -> None:
    pacing = Pacing(0)
    pacing.spend(pacing.allowance(BURST, 10.0, 0), 10.0, 0)
    assert pacing.allowance(30, 10.0, 200) == 0
    assert pacing.deadline(30, 10.0) == 300
    assert pacing.allowance(30, 10.0, 300) == 30


def all_at_once(pacing: Pacing, period: float, now: int) -> int:
    """Return how many packets leave in one moment, burst after burst."""
    total = 0
    while count := pacing.allowance(PLENTY, period, now):
        pacing.spend(count, period, now)
        total += count
    return total


def late(pacing: Pacing, period: float, now: int = 0) -> int:
    """Return how many packets leave in one moment when the loop has stood still for long."""
    all_at_once(pacing, period, now)
    return all_at_once(pacing, period, now + LATENESS)


def test_who_loses_nothing_is_given_more_at_once() -> None:
    pacing, given = Pacing(0), [late(Pacing(0), 2.0)]
    assert given[0] <= DEPTH
    for since in range(1, 20):
        pacing.deepen(2.0)
        given.append(late(pacing, 2.0, since * SECOND))
    assert given == sorted(given)
    assert DEEPEST - BURST <= given[-1] <= DEEPEST


def test_at_a_pace_any_receiver_keeps_nobody_is_given_more() -> None:
    pacing = Pacing(0)
    for _ in range(20):
        pacing.deepen(2.0)
    pacing.deepen(TAKING)
    assert late(pacing, TAKING) <= DEPTH


def test_who_loses_something_is_given_little_and_then_half_of_what_was_too_much() -> None:
    pacing = Pacing(0)
    for _ in range(20):
        pacing.deepen(2.0)
    pacing.overrun()
    assert late(pacing, 2.0) <= DEPTH
    pacing.overrun()
    for _ in range(20):
        pacing.deepen(2.0)
    assert DEEPEST / 2 - BURST <= late(pacing, 2.0, SECOND) <= DEEPEST / 2 * 1.05, "the second report says nothing new"
    for _ in range(400):
        pacing.deepen(2.0)
    assert late(pacing, 2.0, 2 * SECOND) >= DEEPEST - BURST, "in time it is tried again"


def test_a_moment_in_which_nothing_waits_is_made_good_to_who_can_be_given_more() -> None:
    pacing = Pacing(0)
    for _ in range(20):
        pacing.deepen(2.0)
    all_at_once(pacing, 2.0, 0)
    pacing.rest()
    assert all_at_once(pacing, 2.0, 300) == pytest.approx(150, abs=BURST)
    pacing.rest()
    assert all_at_once(pacing, 2.0, SECOND) <= DEEPEST


def test_nothing_wanted_has_no_deadline() -> None:
    assert Pacing(0).deadline(0, 10.0) == NEVER


def test_a_pace_that_becomes_faster_does_not_wait_out_the_old_one() -> None:
    pacing = Pacing(0)
    pacing.spend(pacing.allowance(1, 10.0 * SECOND, 0), 10.0 * SECOND, 0)
    assert pacing.allowance(PLENTY, 10.0 * SECOND, 1000) == 0
    assert pacing.allowance(PLENTY, 1000.0, 2000) == 0
    assert pacing.deadline(PLENTY, 1000.0) <= 2000 + 3 * 1000


@given(
    period=st.floats(1.0, 100_000.0),
    steps=st.lists(st.tuples(st.integers(1, 100), st.integers(0, 20_000), st.booleans()), min_size=1, max_size=60),
)
def test_from_its_deadline_on_something_may_leave_and_before_it_nothing(
    period: float, steps: list[tuple[int, int, bool]]
) -> None:
    pacing, now = Pacing(0), 0
    for wanted, late, is_over in steps:
        count = pacing.allowance(wanted, period, now)
        if not count:
            deadline = pacing.deadline(wanted, period)
            assert deadline > now
            assert pacing.allowance(wanted, period, deadline - 1) == 0
            now = deadline
            count = pacing.allowance(wanted, period, now)
        assert 1 <= count <= min(wanted, BURST)
        pacing.spend(count, period, now)
        if is_over:
            pacing.rest()
        now += late


@given(
    st.sampled_from([4.5, 10.0, 108.8, 1_088.0, 5_000.0]),
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 20_000), st.booleans()), max_size=30),
)
def test_spending_at_once_is_asking_spending_and_resting(period: float, steps: list[tuple[int, int, bool]]) -> None:
    short, long, now = Pacing(1_000_000), Pacing(1_000_000), 1_000_000
    for count, apart, at_once in steps:
        now += apart
        if at_once and short.spend_at_once(count, period, now):
            assert long.allowance(count, period, now) == count
            long.spend(count, period, now)
            long.rest()
        else:
            for pacing in (short, long):
                granted = pacing.allowance(count, period, now)
                if granted:
                    pacing.spend(granted, period, now)
                if granted == count:
                    pacing.rest()
        for wanted in (1, 10, 100):
            assert short.deadline(wanted, period) == long.deadline(wanted, period)
