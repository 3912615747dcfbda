from __future__ import annotations

import random

import pytest

from srtpy.internal.clock.units import SECOND, WIRE_TIME_MASK
from srtpy.internal.tsbpd.timebase import TimeBase

LATENCY = 120_000
TURN = 1 << 32


def test_play_time_is_base_and_timestamp_and_latency_and_drift() -> None:
    time_base = TimeBase(5_000_000, LATENCY)
    assert time_base.play_time(1_000, 5_001_000) == 5_000_000 + 1_000 + LATENCY
    time_base.correct(300, 0)
    assert time_base.play_time(1_000, 5_001_000) == 5_000_000 + 1_000 + LATENCY + 300
    time_base.correct(-200, 5_000)
    assert time_base.play_time(1_000, 5_001_000) == 5_005_000 + 1_000 + LATENCY - 200


def test_the_horizon_is_the_timestamp_played_now() -> None:
    time_base = TimeBase(5_000_000, LATENCY)
    now = 9_000_000
    assert time_base.play_time(time_base.horizon(now), now) == now
    assert time_base.lateness(time_base.horizon(now), now) == 0
    assert time_base.lateness(time_base.horizon(now) + 7, now) == -7
    assert time_base.lateness(time_base.horizon(now) - 7, now) == 7


def test_before_the_first_packet_is_due_the_horizon_lies_behind_timestamp_zero() -> None:
    time_base = TimeBase(0, LATENCY)
    assert time_base.horizon(0) == TURN - LATENCY
    assert time_base.lateness(0, 0) == -LATENCY


@pytest.mark.parametrize("base", [0, -1, 123_456_789, TURN - 1, 1 << 50])
@pytest.mark.parametrize("sent", [0, 1, TURN - 1, TURN, TURN + 1, 5 * TURN - 1, 5 * TURN, 7 * TURN + 12345])
def test_every_turn_of_the_timestamp_is_placed(base: int, sent: int) -> None:
    time_base = TimeBase(base, LATENCY)
    for delay in (0, 50_000, 3 * SECOND, -3 * SECOND):
        now = base + sent + delay
        assert time_base.play_time(sent & WIRE_TIME_MASK, now) == base + sent + LATENCY


def test_two_hours_at_ten_packets_a_second_with_silence_and_reordering() -> None:
    rng = random.Random(20)
    time_base = TimeBase(-77, LATENCY)
    sent = TURN - 1  # as srt-rs's rollover test begins
    end = sent + 7200 * SECOND
    while sent < end:
        sent += rng.choice([100_000] * 500 + [180 * SECOND, 30 * SECOND])
        for earlier in (0, rng.randrange(2 * SECOND)):
            now = sent - 77 + 10_000
            assert time_base.play_time((sent - earlier) & WIRE_TIME_MASK, now) == sent - earlier - 77 + LATENCY


def test_delay_is_measured_from_the_base_alone() -> None:
    time_base = TimeBase(1_000, LATENCY)
    time_base.correct(400, 0)
    assert time_base.delay(50, 1_057) == 7
    assert time_base.delay(50, 1_047) == -3
    assert time_base.delay(WIRE_TIME_MASK, 1_000 + TURN) == 1
