"""SequenceSet against a plain set of numbers, over the wrap and against hostile ranges."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.seq.number import SEQ_HALF, SEQ_MASK, forward
from srtpy.internal.seq.ranges import SequenceSet

ORIGINS = (0, 1000, 0x3FFFFFF0, 0x7FFFFFF0, 0x7FFFFFFF)


def filled(*ranges: tuple[int, int]) -> SequenceSet:
    numbers = SequenceSet()
    for first, last in ranges:
        numbers.add(first, last)
    return numbers


def as_ranges(offsets: set[int], origin: int) -> list[tuple[int, int]]:
    """Return the ranges a plain set of offsets forms, on the circle."""
    ranges: list[tuple[int, int]] = []
    for offset in sorted(offsets):
        if offset - 1 in offsets:
            ranges[-1] = (ranges[-1][0], forward(origin, offset))
        else:
            ranges.append((forward(origin, offset), forward(origin, offset)))
    return ranges


def test_begins_empty() -> None:
    numbers = SequenceSet()
    assert not numbers
    assert len(numbers) == 0
    assert numbers.ranges() == []
    assert 5 not in numbers
    assert numbers.remove(0, 100) == 0
    assert numbers.discard_before(50) == 0
    for ask in (numbers.first, numbers.last, numbers.pop_first):
        with pytest.raises(IndexError):
            ask()


@pytest.mark.parametrize("origin", ORIGINS)
def test_ranges_that_touch_become_one(origin: int) -> None:
    def at(offset: int) -> int:
        return forward(origin, offset)

    numbers = filled((at(10), at(12)), (at(20), at(22)))
    assert numbers.ranges() == [(at(10), at(12)), (at(20), at(22))]
    assert numbers.add(at(13), at(13)) == 1
    assert numbers.add(at(23), at(24)) == 2
    assert numbers.add(at(9), at(9)) == 1
    assert numbers.ranges() == [(at(9), at(13)), (at(20), at(24))]
    assert numbers.add(at(12), at(21)) == 6
    assert numbers.ranges() == [(at(9), at(24))]
    assert numbers.add(at(10), at(11)) == 0
    assert len(numbers) == 16
    assert (numbers.first(), numbers.last()) == (at(9), at(24))


@pytest.mark.parametrize("origin", ORIGINS)
def test_removing_from_the_middle_leaves_both_ends(origin: int) -> None:
    def at(offset: int) -> int:
        return forward(origin, offset)

    numbers = filled((at(0), at(30)))
    assert numbers.remove(at(10), at(20)) == 11
    assert numbers.ranges() == [(at(0), at(9)), (at(21), at(30))]
    assert numbers.remove(at(5), at(25)) == 10
    assert numbers.ranges() == [(at(0), at(4)), (at(26), at(30))]
    assert numbers.discard_before(at(28)) == 7
    assert numbers.ranges() == [(at(28), at(30))]
    assert numbers.discard_before(at(-1000)) == 0
    assert numbers.discard_before(at(1000)) == 3
    assert not numbers


def test_pops_in_order_across_the_wrap() -> None:
    numbers = filled((2, 3), (0x7FFFFFFE, 0))
    assert [numbers.pop_first() for _ in range(5)] == [0x7FFFFFFE, 0x7FFFFFFF, 0, 2, 3]
    assert not numbers
    assert len(numbers) == 0


def test_clear_forgets_where_the_circle_was_cut() -> None:
    numbers = filled((0x7FFFFFFE, 5))
    numbers.clear()
    assert len(numbers) == 0
    assert numbers.add(0x3FFFFFFF, 0x3FFFFFFF) == 1
    assert numbers.ranges() == [(0x3FFFFFFF, 0x3FFFFFFF)]
    assert repr(numbers) == "SequenceSet([(1073741823, 1073741823)])"


def test_reversed_ranges_are_refused() -> None:
    numbers = filled((10, 20))
    for change in (numbers.add, numbers.remove):
        with pytest.raises(ValueError, match="before it begins"):
            change(15, 14)
    assert numbers.ranges() == [(10, 20)]


def test_a_set_never_spans_half_the_circle() -> None:
    numbers = filled((0, SEQ_HALF - 2))
    assert numbers.add(SEQ_HALF - 1, SEQ_HALF - 1) == 1
    for first, last in ((SEQ_HALF, SEQ_HALF), (SEQ_HALF + 5, SEQ_HALF + 9), (SEQ_MASK, SEQ_MASK), (10, SEQ_HALF + 2)):
        with pytest.raises(ValueError, match="half the circle"):
            numbers.add(first, last)
    assert numbers.ranges() == [(0, SEQ_HALF - 1)]
    assert len(numbers) == SEQ_HALF


def test_huge_ranges_cost_no_more_than_small_ones() -> None:
    begun = time.process_time()
    for origin in ORIGINS:
        numbers = SequenceSet()
        assert numbers.add(origin, forward(origin, SEQ_HALF - 1)) == SEQ_HALF
        assert numbers.remove(forward(origin, 1), forward(origin, SEQ_HALF - 2)) == SEQ_HALF - 2
        assert len(numbers) == 2
        assert numbers.remove(forward(origin, -SEQ_HALF // 2), forward(origin, SEQ_HALF // 4)) == 1
        assert numbers.discard_before(forward(origin, SEQ_HALF - 1)) == 0
        assert numbers.pop_first() == forward(origin, SEQ_HALF - 1)
    assert time.process_time() - begun < 0.5


def test_keeps_working_while_the_numbers_go_round_and_round() -> None:
    numbers = SequenceSet()
    seq = 0x7FFFFFF0
    numbers.add(seq, seq)
    for _ in range(1000):
        seq = forward(seq, 0x01234567)
        assert numbers.add(seq, seq) == 1
        numbers.pop_first()
        assert numbers.ranges() == [(seq, seq)]
        assert seq in numbers


Step = tuple[str, int, int]
steps = st.lists(
    st.tuples(st.sampled_from(["add", "add", "remove", "before", "pop"]), st.integers(0, 60), st.integers(0, 12)),
    max_size=60,
)


@given(origin=st.sampled_from(ORIGINS) | st.integers(0, SEQ_MASK), script=steps)
def test_agrees_with_a_plain_set(origin: int, script: list[Step]) -> None:
    numbers, model = SequenceSet(), set[int]()
    for verb, start, extra in script:
        first, last = forward(origin, start), forward(origin, start + extra)
        named = set(range(start, start + extra + 1))
        if verb == "add":
            assert numbers.add(first, last) == len(named - model)
            model |= named
        elif verb == "remove":
            assert numbers.remove(first, last) == len(named & model)
            model -= named
        elif verb == "before":
            assert numbers.discard_before(first) == len({offset for offset in model if offset < start})
            model = {offset for offset in model if offset >= start}
        elif model:
            assert numbers.pop_first() == forward(origin, min(model))
            model.discard(min(model))
        assert numbers.within(first, last) == as_ranges(model & named, origin)
        assert numbers.ranges() == as_ranges(model, origin)
        assert len(numbers) == len(model)
        assert bool(numbers) == bool(model)
    assert all((forward(origin, offset) in numbers) == (offset in model) for offset in range(-3, 80))
