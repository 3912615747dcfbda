from __future__ import annotations

import pytest

from srtpy.internal.clock.units import SECOND, WIRE_TIME_MASK
from srtpy.internal.tsbpd.drift import (
    DRIFT_SAMPLES,
    FEWEST_SAMPLES,
    FIRST_SAMPLES,
    LARGEST_DRIFT,
    LARGEST_SAMPLE,
    LONGEST_ROUND,
    DriftTracer,
)
from srtpy.internal.tsbpd.timebase import TimeBase

BASE = 1_000_000


def fed(delay: int, count: int = FIRST_SAMPLES, rtt: int | None = 30_000) -> tuple[TimeBase, DriftTracer, list[bool]]:
    """A tracer that heard `count` packets, each `delay` later than the base has it."""
    time_base = TimeBase(BASE, 120_000)
    tracer = DriftTracer(time_base)
    return time_base, tracer, feed(tracer, delay, count, rtt)


def feed(tracer: DriftTracer, delay: int, count: int = DRIFT_SAMPLES, rtt: int | None = 30_000) -> list[bool]:
    return [tracer.sample(n * 10_000, rtt, BASE + n * 10_000 + delay) for n in range(count)]


def test_nothing_happens_before_the_first_hundred_samples() -> None:
    time_base, _, news = fed(3_000, FIRST_SAMPLES - 1)
    assert not any(news)
    assert (time_base.base, time_base.drift) == (BASE, 0)


@pytest.mark.parametrize("delay", [0, 1, 3_000, -3_000, LARGEST_DRIFT, -LARGEST_DRIFT])
def test_the_mean_of_the_first_hundred_is_the_drift(delay: int) -> None:
    time_base, _, news = fed(delay)
    assert news == [False] * (FIRST_SAMPLES - 1) + [True]
    assert (time_base.base, time_base.drift) == (BASE, delay)


@pytest.mark.parametrize("delay", [0, 1, 3_000, -3_000, LARGEST_DRIFT, -LARGEST_DRIFT])
def test_the_mean_of_a_thousand_is_the_drift_from_then_on(delay: int) -> None:
    time_base, tracer, _ = fed(700)
    assert feed(tracer, delay) == [False] * (DRIFT_SAMPLES - 1) + [True]
    assert (time_base.base, time_base.drift) == (BASE, delay)


@pytest.mark.parametrize(
    ("delay", "base", "drift"),
    [
        (5_001, BASE + 5_000, 1),
        (12_000, BASE + 5_000, 7_000),
        (-5_001, BASE - 5_000, -1),
        (-150_000, BASE - 5_000, -145_000),
    ],
)
def test_what_exceeds_five_milliseconds_moves_the_base(delay: int, base: int, drift: int) -> None:
    time_base, _, _ = fed(delay)
    assert (time_base.base, time_base.drift) == (base, drift)
    # the play time follows the whole of it
    assert time_base.play_time(0, BASE) == BASE + delay + 120_000


def test_later_rounds_measure_against_the_moved_base() -> None:
    time_base, tracer, _ = fed(12_000)
    feed(tracer, 12_000)
    assert (time_base.base, time_base.drift) == (BASE + 10_000, 2_000)


def test_half_of_what_the_round_trip_has_grown_since_the_first_round_is_path() -> None:
    time_base = TimeBase(BASE, 0)
    tracer = DriftTracer(time_base)
    for n in range(FIRST_SAMPLES):
        tracer.sample(n, 20_000 + 2_000 * (n % 2), BASE + n)  # 20 ms at best
    feed(tracer, 2_000, rtt=24_000)
    assert time_base.drift == 0


def test_keepalives_count_without_a_round_trip_and_the_next_round_teaches_it() -> None:
    time_base, tracer, _ = fed(1_000, rtt=None)
    assert time_base.drift == 1_000
    feed(tracer, 2_000, rtt=50_000)
    assert time_base.drift == 2_000
    feed(tracer, 2_000, rtt=54_000)
    assert time_base.drift == 0


def test_packets_that_waited_for_a_napping_reader_are_neither_path_nor_clock() -> None:
    """Most wait three milliseconds, one in ten is read at once: by that one we go."""
    time_base = TimeBase(BASE, 0)
    tracer = DriftTracer(time_base)
    for turn in range(FIRST_SAMPLES + DRIFT_SAMPLES):
        waited = 0 if turn % 10 == 3 else 3_000
        tracer.sample(turn * 10_000, 300 + waited, BASE + turn * 10_000 + 500 + waited)
    assert 480 <= time_base.drift <= 600


def test_a_peer_that_answers_when_its_writer_comes_by_does_not_hide_which_packet_waited_least() -> None:
    """The round trip holds its wait too, so the shortest one may end with a packet that waited here."""
    time_base = TimeBase(BASE, 0)
    tracer = DriftTracer(time_base)
    for turn in range(FIRST_SAMPLES + DRIFT_SAMPLES):
        waited, answered = 0 if turn % 10 == 3 else 3_000, 7_000 if turn % 10 == 3 else 500 * (turn % 7)
        tracer.sample(turn * 10_000, 300 + waited + answered, BASE + turn * 10_000 + 500 + waited)
    assert 480 <= time_base.drift <= 600


@pytest.mark.parametrize("jump", [1 << 30, -(1 << 30)])
def test_a_stamp_that_jumps_counts_as_a_second_at_most(jump: int) -> None:
    time_base = TimeBase(BASE, 0)
    tracer = DriftTracer(time_base)
    for n in range(FIRST_SAMPLES):
        tracer.sample((n - (jump if n % 2 else 0)) & WIRE_TIME_MASK, None, BASE + n)
    moved = time_base.base - BASE + time_base.drift
    assert abs(moved) == LARGEST_SAMPLE // 2
    assert abs(moved) < SECOND


@pytest.mark.parametrize("period", [SECOND, 5 * SECOND])
def test_of_slow_samples_fewer_will_do(period: int) -> None:
    time_base = TimeBase(BASE, 0)
    tracer = DriftTracer(time_base)
    needed = max(LONGEST_ROUND // period + 1, FEWEST_SAMPLES)
    for _ in range(2):
        news = [tracer.sample(n * period & WIRE_TIME_MASK, None, BASE + n * period + 4_000) for n in range(needed)]
        assert news == [False] * (needed - 1) + [True]
    assert time_base.drift == 4_000


def test_a_drift_that_goes_on_for_hours_is_followed_however_far_it_leads() -> None:
    """The base moves by five milliseconds a round: what is left over has no limit."""
    time_base = TimeBase(BASE, 0)
    tracer = DriftTracer(time_base)
    for minute in range(300):
        for n in range(61):
            at = minute * LONGEST_ROUND + n * SECOND
            tracer.sample(at & WIRE_TIME_MASK, None, BASE + at + minute * 12_000)
    assert time_base.base - BASE + time_base.drift == 299 * 12_000


def test_a_reader_that_looks_every_twelve_milliseconds_does_not_seem_to_be_a_late_clock() -> None:
    """Packets wait for anything up to that; one in twenty is heard at once, and the first samples count as any."""
    time_base = TimeBase(BASE, 0)
    tracer = DriftTracer(time_base)
    for turn in range(FIRST_SAMPLES):
        waited = 0 if turn % 20 == 19 else 2_000 + (turn * 1_700) % 10_000
        tracer.sample(turn * 12_000, 12_000, BASE + turn * 12_000 + 300 + waited)
    assert time_base.drift == 300
