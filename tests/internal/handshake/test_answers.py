"""The book of requests and answers, its bounds, and the allowance."""

from __future__ import annotations

import pytest

from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.handshake import answers
from srtpy.internal.handshake.answers import SILENCE, Allowance, AnswerBook, Key

TOLD = (b"answer", 0)


def key(number: int, host: str = "10.0.0.1") -> Key:
    return (host, 5000), number, 7


def test_a_stranger_is_not_in_the_book() -> None:
    assert AnswerBook(0).find(key(1), 0) is None


def test_who_is_judged_hears_nothing_again() -> None:
    book = AnswerBook(0)
    assert book.wait(key(1), 0) is None
    assert book.find(key(1), 1) == SILENCE
    assert book.waiting == 1


def test_the_answer_is_repeated_while_the_connection_lives_and_then_not() -> None:
    book = AnswerBook(0)
    book.wait(key(1), 0)
    book.accepted(key(1), TOLD)
    assert book.waiting == 0
    assert book.find(key(1), 3600 * SECOND) == TOLD
    book.ended(key(1), 3600 * SECOND)
    assert book.find(key(1), 3600 * SECOND + 129 * SECOND) == SILENCE
    assert book.find(key(1), 3600 * SECOND + 131 * SECOND) is None
    assert len(book) == 0


def test_a_refusal_is_repeated_for_ten_seconds() -> None:
    book = AnswerBook(0)
    book.wait(key(1), 0)
    book.refused(key(1), TOLD, 0)
    assert book.find(key(1), 10 * SECOND - 1) == TOLD
    assert book.find(key(1), 10 * SECOND) is None


def test_a_lost_verdict_is_forgotten_after_a_minute() -> None:
    book = AnswerBook(0)
    book.wait(key(1), 0)
    assert book.find(key(1), 61 * SECOND) is None
    assert book.waiting == 0


def test_who_no_longer_repeats_its_request_has_given_up() -> None:
    book = AnswerBook(0)
    book.wait(key(1), 0)
    for instant in range(250, 4001, 250):
        assert not book.abandon(key(1), instant * MILLISECOND)
        book.find(key(1), instant * MILLISECOND)
    assert not book.abandon(key(1), 5500 * MILLISECOND)
    assert book.waiting == 1
    assert book.abandon(key(1), 5501 * MILLISECOND)
    assert (book.waiting, len(book), book.abandoned) == (0, 0, 1)
    assert book.find(key(1), 6 * SECOND) is None


def test_who_never_repeats_its_request_may_be_patient() -> None:
    book = AnswerBook(0)
    book.wait(key(1), 0)
    assert not book.abandon(key(1), 3 * SECOND)
    assert book.abandon(key(1), 3 * SECOND + 1)


def test_who_has_been_forgotten_has_given_up() -> None:
    book = AnswerBook(0)
    book.wait(key(1), 0)
    book.find(key(2), 61 * SECOND)
    assert book.abandon(key(1), 61 * SECOND)
    assert book.abandoned == 1


def test_ending_what_never_began() -> None:
    book = AnswerBook(0)
    book.ended(key(1), 0)
    assert book.find(key(1), 0) is None


def test_one_host_cannot_fill_the_book() -> None:
    book = AnswerBook(0)
    for number in range(answers.LARGEST_WAITING_PER_HOST):
        assert book.wait(key(number), 0) is None
    assert book.wait(key(9999), 0) == RejectReason.X_OVERLOADED
    assert book.wait(key(9999, "10.0.0.2"), 0) is None
    book.refused(key(0), TOLD, 0)
    assert book.wait(key(9999), 0) is None


def test_the_book_is_full_some_time() -> None:
    book = AnswerBook(0)
    for number in range(answers.LARGEST_WAITING):
        assert book.wait(key(number, f"10.{number // 100}.{number % 100}.1"), 0) is None
    assert book.wait(key(1, "10.9.9.9"), 0) == RejectReason.BACKLOG


def test_who_has_many_in_a_full_book_makes_room_for_who_has_few() -> None:
    book = AnswerBook(0)
    floods = [f"10.0.0.{number}" for number in range(4)]
    for number in range(answers.LARGEST_WAITING):
        assert book.wait(key(number, floods[number % 4]), 0) is None
    victims = []
    for number in range(100):
        displaced = book.wait(key(number, f"10.1.{number}.1"), 0)
        assert isinstance(displaced, tuple)
        victims.append(displaced)
        assert displaced[0][0] in floods  # type: ignore[index]
        assert book.find(displaced, 0) is None, "it is in nobody's book"
        assert book.waiting == answers.LARGEST_WAITING
        for flood in floods:
            assert book.wait(key(9999, flood), 0) in (RejectReason.BACKLOG, RejectReason.X_OVERLOADED)
    assert len(set(victims)) == 100
    assert victims[0][1] >= answers.LARGEST_WAITING - 4, "the newest of theirs"
    hosts = {victim[0][0] for victim in victims}  # type: ignore[index]
    assert hosts == set(floods), "each gives up as many as the others"


def test_two_of_one_host_take_no_place_from_who_has_as_many_in_the_end() -> None:
    book = AnswerBook(0)
    for number in range(answers.LARGEST_WAITING):
        book.wait(key(number, f"10.0.{number // 2}.1"), 0)
    assert isinstance(book.wait(key(1, "10.9.9.9"), 0), tuple)
    assert book.wait(key(2, "10.9.9.9"), 0) == RejectReason.BACKLOG


def test_keys_are_used_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LARGEST_USED", 3)
    book = AnswerBook(0)
    for number in range(4):
        assert not book.is_used(bytes([number]))
        assert book.is_used(bytes([number]))
    assert not book.is_used(bytes([0])), "long ago"


def test_old_answers_make_room() -> None:
    book = AnswerBook(0)
    for number in range(answers.LARGEST_ANSWERED + 5):
        book.accepted(key(number), TOLD)
    assert len(book) == answers.LARGEST_ANSWERED
    assert book.find(key(0), 0) is None
    assert book.find(key(answers.LARGEST_ANSWERED + 4), 0) == TOLD


def test_addresses_of_any_kind() -> None:
    book = AnswerBook(0)
    for remote in ("pipe", 7, (), ("::1", 5, 0, 0)):
        assert book.wait((remote, 1, 1), 0) is None
    assert book.waiting == 4


def test_allowance() -> None:
    allowance = Allowance(per_second=100, burst=5, now=0)
    assert [allowance.take(0) for _ in range(7)] == [True] * 5 + [False] * 2
    assert allowance.take(10 * MILLISECOND)
    assert not allowance.take(10 * MILLISECOND)
    assert sum(allowance.take(SECOND) for _ in range(10)) == 5


def test_allowance_over_a_long_flood() -> None:
    allowance = Allowance(per_second=100, burst=5, now=0)
    assert sum(allowance.take(instant) for instant in range(0, 10 * SECOND, 1000)) in range(995, 1010)
