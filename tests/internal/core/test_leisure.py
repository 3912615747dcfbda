from __future__ import annotations

from typing import Any

import pytest

from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.leisure import HASTE, LONGEST, QUIET, Leisure
from srtpy.internal.core.roundtrip import RoundTrip
from tests.internal.core.receiving import negotiated


def of_a_path(rtt: int, **changes: Any) -> Leisure:
    round_trip = RoundTrip()
    if rtt:
        round_trip.sample(rtt)
    agreed = {"peer_latency": 150 * MILLISECOND, "recv_latency": 150 * MILLISECOND, "tsbpd_send": True}
    return Leisure(negotiated(**(agreed | changes)), round_trip)


@pytest.mark.parametrize(
    ("latency", "rtt", "spared"),
    [
        (120, 1, 19_666),
        (150, 10, LONGEST),
        (120, 10, 16_666),
        (120, 40, 6_666),
        (120, 60, 0),
        (120, 200, 0),
        (40, 1, 6_333),
        (2_000, 300, LONGEST),
        (0, 1, 0),
        (120, 0, 0),  # nothing is known of the path yet
    ],
)
def test_a_sixth_of_what_two_round_trips_leave(latency: int, rtt: int, spared: int) -> None:
    both = {"peer_latency": latency * MILLISECOND, "recv_latency": latency * MILLISECOND}
    leisure = of_a_path(rtt * MILLISECOND, **both)
    assert (leisure.to_send(SECOND), leisure.to_hear(SECOND)) == (spared, spared)


def test_each_direction_has_its_own() -> None:
    leisure = of_a_path(5 * MILLISECOND, peer_latency=50 * MILLISECOND, recv_latency=30 * MILLISECOND)
    assert (leisure.to_send(0), leisure.to_hear(0)) == (6_666, 3_333)


def test_where_nothing_is_played_by_timestamps_nothing_waits() -> None:
    leisure = of_a_path(MILLISECOND, tsbpd_send=False)
    assert (leisure.to_send(0), leisure.to_hear(0)) == (0, LONGEST)
    leisure = of_a_path(MILLISECOND, tsbpd_receive=False)
    assert (leisure.to_send(0), leisure.to_hear(0)) == (LONGEST, 0)


def test_for_a_while_after_a_loss_there_is_none() -> None:
    leisure = of_a_path(MILLISECOND)
    leisure.lost(SECOND)
    leisure.lost(2 * SECOND)
    ends = 2 * SECOND + HASTE
    assert (leisure.to_send(ends - 1), leisure.to_hear(ends - 1)) == (0, 0)
    assert (leisure.to_send(ends), leisure.to_hear(ends)) == (LONGEST, LONGEST)


def test_who_hears_nothing_hurries() -> None:
    leisure = of_a_path(MILLISECOND)
    leisure.heard(SECOND)
    ends = SECOND + QUIET
    assert (leisure.to_send(ends), leisure.to_hear(ends)) == (LONGEST, LONGEST)
    assert (leisure.to_send(ends + 1), leisure.to_hear(ends + 1)) == (0, 0)
    leisure.heard(2 * ends)
    assert (leisure.to_send(2 * ends), leisure.to_hear(2 * ends)) == (LONGEST, LONGEST)
