"""Counting on the circle, against other implementations' facts."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.seq.number import (
    FIRST_MESSAGE_NUMBER,
    LAST_MESSAGE_NUMBER,
    SEQ_HALF,
    SEQ_MASK,
    distance,
    forward,
    later,
    next_message,
    precedes,
    span,
)
from tests.vectors import vectors

SEQ = st.integers(0, SEQ_MASK)
LAST = SEQ_MASK


def facts(source: str) -> list[str]:
    (entry,) = [entry for entry in vectors("seq_arith") if source in entry["source"]]
    found: list[str] = entry["expected_fields"]["facts"]
    return found


@pytest.mark.parametrize("fact", [fact for fact in facts("gosrt") if "=" in fact])
def test_facts_of_one_implementation(fact: str) -> None:
    call = re.fullmatch(r"(\w+)\((.+)\)=(.+?)(?: both ways)?", fact)
    assert call
    arguments = [_value(text) for text in call[2].split(",")]
    meanings: dict[str, Callable[..., int]] = {
        "inc": lambda seq: forward(seq, 1),
        "dec": lambda seq: forward(seq, -1),
        "add": forward,
        "sub": lambda seq, steps: forward(seq, -steps),
        "distance": lambda one, other: abs(distance(one, other)),
    }
    assert meanings[call[1]](*arguments) == _value(call[3])
    if call[1] == "distance":
        assert distance(*arguments) == -distance(*reversed(arguments))


@pytest.mark.parametrize("fact", [fact for fact in facts("gosrt") if "<" in fact])
def test_order_of_one_implementation(fact: str) -> None:
    left, right = fact.removeprefix("not ").replace("(", "").replace(")", "").split("<")
    assert precedes(_value(left), _value(right)) is not fact.startswith("not ")


def _value(text: str) -> int:
    """Return what `42`, `max` or `max-10` stands for."""
    base, _, less = text.partition("-")
    return (LAST if base == "max" else int(base)) - int(less or 0)


def test_facts_of_libsrt() -> None:
    known = facts("libsrt")
    assert "off(0x7FFFFFFF,1)=2" in known
    assert distance(0x7FFFFFFF, 1) == 2
    assert "off(1,0x7FFFFFFF)=-2" in known
    assert distance(1, 0x7FFFFFFF) == -2
    assert "off(125,1)=-124" in known
    assert distance(125, 1) == -124
    assert "len(125,125)=1" in known
    assert span(125, 125) == 1
    assert "len(0x7FFFFFFF,0)=2" in known
    assert span(0x7FFFFFFF, 0) == 2
    assert "inc(0x3FFFFFFF,0x40000001)=0" in known
    assert forward(0x3FFFFFFF, 0x40000001) == 0
    assert "flight(lastack 125,cur 124)=0" in known
    assert distance(125, forward(124, 1)) == 0
    assert "flight(125,130)=6" in known
    assert distance(125, forward(130, 1)) == 6


@pytest.mark.parametrize(
    ("one", "other", "steps", "length"),
    [
        (1, 2, 1, 2),
        (0x7FFFFFFF, 0, 1, 2),
        (0, 0x7FFFFFFF, -1, 0x80000000),
        (0x7FFFFFFE, 3, 5, 6),
        (100, 0x40000062, 1073741822, 1073741823),
    ],
)
def test_table(one: int, other: int, steps: int, length: int) -> None:
    assert distance(one, other) == steps
    assert span(one, other) == length
    assert precedes(one, other) is (steps > 0)
    assert later(one, other) == later(other, one) == (other if steps > 0 else one)


def test_the_circle_is_cut_exactly_at_half() -> None:
    """One step short of half is ahead, half itself is behind; libsrt cuts one step earlier."""
    assert distance(100, 100 + SEQ_HALF - 1) == SEQ_HALF - 1
    assert distance(100, 100 + SEQ_HALF) == -SEQ_HALF
    assert distance(100 + SEQ_HALF, 100) == -SEQ_HALF
    assert precedes(100, 100 + SEQ_HALF - 1)
    assert precedes(100, 100 + SEQ_HALF)
    assert precedes(100 + SEQ_HALF, 100)


@given(SEQ, st.integers(-SEQ_HALF, SEQ_HALF - 1))
def test_distance_undoes_forward(seq: int, steps: int) -> None:
    assert distance(seq, forward(seq, steps)) == steps
    assert 0 <= forward(seq, steps) <= SEQ_MASK


@given(SEQ, SEQ)
def test_order_has_one_answer(one: int, other: int) -> None:
    if one == other:
        assert not precedes(one, other)
        assert span(one, other) == 1
    elif (one - other) & SEQ_MASK != SEQ_HALF:
        assert precedes(one, other) is not precedes(other, one)
        assert precedes(one, other) is (distance(one, other) > 0)
        assert distance(one, other) == -distance(other, one)
        assert later(one, other) == later(other, one)
        assert span(one, other) + span(other, one) == SEQ_MASK + 3


def test_message_numbers_skip_zero() -> None:
    assert next_message(1) == 2
    assert next_message(LAST_MESSAGE_NUMBER - 1) == LAST_MESSAGE_NUMBER == 0x03FFFFFF
    assert next_message(LAST_MESSAGE_NUMBER) == FIRST_MESSAGE_NUMBER == 1
