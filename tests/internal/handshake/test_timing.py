"""Which answers tell how long the way is."""

from __future__ import annotations

from srtpy.internal.clock.units import MILLISECOND
from srtpy.internal.handshake.timing import Timing


def opening(*steps: tuple[str, int]) -> Timing:
    timing = Timing(0)
    for verb, instant in steps:
        getattr(timing, verb)(instant * MILLISECOND)
    return timing


def test_before_any_answer() -> None:
    assert Timing(0).shortest == opening(("said", 0), ("said", 250)).shortest == 0


def test_the_shorter_of_two_answers_counts() -> None:
    assert opening(("said", 0), ("answered", 30), ("said", 30), ("answered", 900)).shortest == 30 * MILLISECOND
    assert opening(("said", 0), ("answered", 90), ("said", 90), ("answered", 130)).shortest == 40 * MILLISECOND


def test_the_answer_to_what_was_said_twice_tells_nothing() -> None:
    assert opening(("said", 0), ("said", 250), ("answered", 251)).shortest == 0
    assert opening(("said", 0), ("answered", 40), ("said", 40), ("said", 290), ("answered", 291)).shortest == 40_000


def test_nor_do_later_ones_that_may_be_late_answers_to_it() -> None:
    assert opening(("said", 0), ("said", 250), ("answered", 251), ("said", 251), ("answered", 252)).shortest == 0


def test_no_way_takes_no_time() -> None:
    assert opening(("said", 5), ("answered", 5)).shortest == 1
