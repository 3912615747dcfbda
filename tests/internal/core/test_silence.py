from __future__ import annotations

import pytest

from srtpy.internal.clock.units import MILLISECOND, NEVER
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.core.silence import Remedy, Silence


def a_silence(waits_for_quiet: bool) -> Silence:
    return Silence(RoundTrip(), waits_for_quiet, 0)


def test_nothing_on_its_way_is_nothing_to_wait_for() -> None:
    for waits_for_quiet in (False, True):
        assert a_silence(waits_for_quiet).deadline(0, False) == NEVER


def test_the_intervals_are_libsrts() -> None:
    silence = a_silence(False)
    deadlines = []
    for _ in range(3):
        deadlines.append(silence.deadline(5, False))
        silence.acted(deadlines[-1])
    assert deadlines == [330_000, 650_000, 970_000]


def test_news_ends_the_silence_and_the_waiting_longer_each_time() -> None:
    silence = a_silence(False)
    silence.acted(330_000)
    silence.ended(400_000)
    assert silence.deadline(5, False) == 730_000


def test_sending_does_not_end_a_silence_that_calls_for_everything() -> None:
    silence = a_silence(False)
    silence.sent(300_000)
    assert silence.deadline(5, False) == 330_000


def test_a_quiet_tail_is_measured_from_the_last_packet_sent() -> None:
    silence = a_silence(True)
    silence.sent(300_000)
    assert silence.deadline(5, False) == 630_000
    silence.ended(400_000)
    assert silence.deadline(5, False) == 730_000


def test_a_remedy_gets_the_time_to_work_even_when_applied_late() -> None:
    silence = a_silence(False)
    silence.acted(5_000_000)
    assert silence.deadline(5, False) == 5_320_000


def test_it_follows_the_round_trip() -> None:
    round_trip = RoundTrip()
    silence = Silence(round_trip, True, 0)
    round_trip.sample(20 * MILLISECOND)
    assert silence.deadline(1, False) == 20_000 + 4 * 10_000 + 30_000


def test_what_both_ends_may_nap_is_no_silence_but_only_where_the_tail_is_meant() -> None:
    for waits_for_quiet, overdue in ((True, 354_000), (False, 330_000)):
        assert Silence(RoundTrip(), waits_for_quiet, 0, 272_000).deadline(5, False) == overdue


@pytest.mark.parametrize(
    ("waits_for_quiet", "on_their_way", "remedy"),
    [(False, 5, Remedy.EVERYTHING), (True, 5, Remedy.LAST), (False, 0, Remedy.KNOCK), (True, 0, Remedy.KNOCK)],
)
def test_what_silence_calls_for(waits_for_quiet: bool, on_their_way: int, remedy: Remedy) -> None:
    assert a_silence(waits_for_quiet).remedy(on_their_way) is remedy


@pytest.mark.parametrize("waits_for_quiet", [False, True])
def test_a_closed_window_is_knocked_at(waits_for_quiet: bool) -> None:
    silence = a_silence(waits_for_quiet)
    assert silence.deadline(0, True) == 330_000
    silence.knock()
    assert silence.is_knocking
    silence.sent(330_000)
    assert not silence.is_knocking


def test_looking_again_later() -> None:
    silence = a_silence(False)
    silence.postpone(330_000)
    assert silence.deadline(5, False) == 340_000
