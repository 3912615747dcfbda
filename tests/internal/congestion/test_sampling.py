from __future__ import annotations

from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.congestion.sampling import InputRate

PACKET = 1316


def feed(rate: InputRate, begin: int, end: int, every: int) -> list[int]:
    """Write a packet each `every` microseconds; return when the rate changed."""
    return [now for now in range(begin, end, every) if rate.wrote(1, PACKET, now)]


def test_until_the_first_window_ends_the_rate_is_live_modes_largest() -> None:
    rate = InputRate()
    assert feed(rate, 0, 500 * MILLISECOND, 1000) == []
    assert (rate.rate, rate.is_measured) == (125_000_000, False)


def test_the_first_window_is_half_a_second_later_ones_a_second() -> None:
    rate = InputRate()
    changes = feed(rate, 0, 4 * SECOND, 1000)
    assert changes == [501_000, 1_502_000, 2_503_000, 3_504_000]
    assert rate.is_measured


def test_headers_count() -> None:
    rate = InputRate()
    feed(rate, 0, 2 * SECOND, 1000)
    assert rate.rate == (PACKET + 44) * 1000


def test_many_packets_end_the_first_window_early() -> None:
    rate = InputRate()
    assert feed(rate, 0, 400 * MILLISECOND, 100)[0] == 200_100
    assert rate.rate == (PACKET + 44) * 10_000


def test_many_packets_in_no_time_have_no_rate() -> None:
    rate = InputRate()
    assert not any(rate.wrote(1000, 1000 * PACKET, 5) for _ in range(5))
    assert rate.wrote(1, PACKET, 6)


def test_a_pause_is_not_a_rate() -> None:
    rate = InputRate()
    feed(rate, 0, 2 * SECOND, 1000)
    before = rate.rate
    assert feed(rate, 60 * SECOND, 61 * SECOND, 1000) == []
    assert rate.rate == before
    assert feed(rate, 61 * SECOND, 62 * SECOND, 1000)


def test_it_follows_the_input() -> None:
    rate = InputRate()
    feed(rate, 0, 3 * SECOND, 1000)
    feed(rate, 3 * SECOND, 6 * SECOND, 4000)
    assert rate.rate == (PACKET + 44) * 250
