from __future__ import annotations

import pytest

from srtpy.internal.congestion.feedback import Feedback


@pytest.fixture(params=[100, 0x7FFFFFF0])
def isn(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


def test_before_any_report_it_says_what_libsrt_begins_with() -> None:
    feedback = Feedback(1456, 0)
    assert (feedback.delivery_rate, feedback.delivery_bytes, feedback.capacity) == (16, 16 * 1456, 1)


def test_reports_are_smoothed_by_an_eighth_and_cut_to_integers() -> None:
    feedback = Feedback(1456, 0)
    feedback.learn(1000, 10_000, 1_000_000)
    assert feedback.delivery_rate == (16 * 7 + 1000) // 8
    assert feedback.capacity == (7 + 10_000) // 8
    assert feedback.delivery_bytes == (16 * 1456 * 7 + 1_000_000) // 8
    for _ in range(100):
        feedback.learn(1000, 10_000, 1_000_000)
    assert feedback.delivery_rate == pytest.approx(1000, abs=8)


def test_a_peer_that_does_not_count_bytes_sends_full_packets() -> None:
    feedback, twin = Feedback(1000, 0), Feedback(1000, 0)
    feedback.learn(500, 1, None)
    twin.learn(500, 1, 500_000)
    assert feedback.delivery_bytes == twin.delivery_bytes


def test_only_positions_beyond_the_last_teach(isn: int) -> None:
    feedback = Feedback(1456, isn)
    seqs = [(isn + steps) & 0x7FFFFFFF for steps in (0, 10, 10, 5, 30, 20, 31)]
    assert [feedback.is_progress(seq) for seq in seqs] == [False, True, False, False, True, False, True]


def test_an_overtaken_acknowledgement_is_not_current() -> None:
    feedback = Feedback(1456, 0)
    assert [feedback.is_current(0, number) for number in (1, 2, 2, 1, 4, 3)] == [True, True, True, False, True, False]


def test_an_older_position_is_not_current_whatever_its_number(isn: int) -> None:
    feedback = Feedback(1456, isn)
    seqs = [(isn + steps) & 0x7FFFFFFF for steps in (10, 9, 0, 10, 11)]
    assert [feedback.is_current(seq, 100 + index) for index, seq in enumerate(seqs)] == [True, False, False, True, True]


def test_a_further_position_is_current_whatever_was_numbered_before(isn: int) -> None:
    feedback = Feedback(1456, isn)
    assert feedback.is_current(isn, 0x30000000)
    assert feedback.is_current((isn + 1) & 0x7FFFFFFF, 7)
    assert not feedback.is_current((isn + 1) & 0x7FFFFFFF, 6)


def test_light_acknowledgements_move_the_position_on(isn: int) -> None:
    feedback = Feedback(1456, isn)
    feedback.reached((isn + 64) & 0x7FFFFFFF)
    feedback.reached(isn)
    assert not feedback.is_current((isn + 63) & 0x7FFFFFFF, 1)
    assert feedback.is_current((isn + 64) & 0x7FFFFFFF, 1)


def test_numbers_of_acknowledgements_wrap() -> None:
    feedback = Feedback(1456, 0)
    assert all(feedback.is_current(0, number) for number in (0x3FFFFFFF, 0x7FFFFFFE, 0x7FFFFFFF, 0, 1))
    assert not feedback.is_current(0, 0x7FFFFFFF)


def test_small_acknowledgements_without_number_are_as_new_as_their_position() -> None:
    feedback = Feedback(1456, 0)
    feedback.is_current(0, 1000)
    assert feedback.is_current(0, 0)
    assert not feedback.is_current(0, 999)


def test_a_peer_may_begin_to_count_anywhere() -> None:
    feedback = Feedback(1456, 0)
    assert feedback.is_current(0, 0x50000000)
    assert not feedback.is_current(0, 0x4FFFFFFF)
