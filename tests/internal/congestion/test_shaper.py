from __future__ import annotations

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.congestion.shaper import UNBOUNDED, Shaper

PAYLOAD = 1316
PACKET = PAYLOAD + 44


def sent_in(shaper: Shaper, span: int, step: int = MILLISECOND) -> int:
    """Take all that is allowed each millisecond; return the bytes sent."""
    total = 0
    for now in range(0, span, step):
        count = min(shaper.allowance(PAYLOAD, now), 1000)
        shaper.spend(count, count * PAYLOAD)
        total += count * PACKET
    return total


def test_no_rate_is_no_limit() -> None:
    shaper = Shaper(0, 0)
    assert shaper.allowance(PAYLOAD, 0) == UNBOUNDED
    shaper.spend(1000, 1000 * PAYLOAD)
    assert shaper.allowance(PAYLOAD, 0) == UNBOUNDED
    assert shaper.ready(PAYLOAD) == NEVER


def test_a_tenth_of_a_second_may_leave_at_once() -> None:
    assert Shaper(100 * PACKET, 0).allowance(PAYLOAD, 0) == 10


def test_the_rate_is_kept() -> None:
    rate = 500 * PACKET
    assert abs(sent_in(Shaper(rate, 0), 20 * SECOND) / 20 / rate - 1) < 0.01


def test_a_small_rate_does_not_starve() -> None:
    shaper = Shaper(PACKET // 2, 0)
    assert sent_in(shaper, 20 * SECOND) in range(10 * PACKET, 12 * PACKET)


def test_idleness_saves_up_no_more_than_a_burst() -> None:
    shaper = Shaper(100 * PACKET, 0)
    assert shaper.allowance(PAYLOAD, 3600 * SECOND) == 10


def test_it_says_when_the_next_one_may_leave() -> None:
    shaper = Shaper(100 * PACKET, 0)
    shaper.spend(10, 10 * PAYLOAD)
    assert shaper.allowance(PAYLOAD, 0) == 0
    assert shaper.ready(PAYLOAD) == 10_000
    assert shaper.allowance(PAYLOAD, 9_999) == 0
    assert shaper.allowance(PAYLOAD, 10_000) == 1


def test_the_moment_named_is_never_in_the_past() -> None:
    shaper = Shaper(PACKET // 2, 0)
    now = 0
    for _ in range(50):
        if count := shaper.allowance(PAYLOAD, now):
            shaper.spend(count, count * PAYLOAD)
        assert shaper.ready(PAYLOAD) > now
        now = shaper.ready(PAYLOAD)


def test_larger_packets_than_expected_are_paid_for() -> None:
    shaper = Shaper(100 * PACKET, 0)
    shaper.spend(10, 1000 * PAYLOAD)
    assert shaper.allowance(PAYLOAD, 50 * MILLISECOND) == 0
    assert shaper.allowance(PAYLOAD, 300 * MILLISECOND) > 0, "but a debt is never deeper than a burst"


def test_a_long_round_trip_gets_a_larger_bucket() -> None:
    shaper = Shaper(100 * PACKET, 0)
    shaper.fit(800 * MILLISECOND, 100 * MILLISECOND)
    assert shaper.allowance(PAYLOAD, SECOND) == 35
    shaper.fit(20 * SECOND, 0)
    assert shaper.allowance(PAYLOAD, 10 * SECOND) == 10, "an absurd one does not"


def test_the_rate_changes_while_it_runs() -> None:
    shaper = Shaper(100 * PACKET, 0)
    shaper.set_rate(10 * PACKET)
    assert shaper.allowance(PAYLOAD, 0) == 1
    shaper.set_rate(0)
    assert shaper.allowance(PAYLOAD, 0) == UNBOUNDED
