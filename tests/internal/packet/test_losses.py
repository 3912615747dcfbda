"""Loss reports: known answers, splitting, ranges over the wrap, garbage."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.packet.header import MalformedPacket
from srtpy.internal.packet.losses import decode_losses, encode_losses
from srtpy.internal.seq.number import SEQ_MASK, forward
from srtpy.internal.seq.ranges import SequenceSet
from tests.vectors import vectors

Ranges = list[tuple[int, int]]
ONE_DATAGRAM = 364  # words: what fits into a packet of the usual size

range_lists: st.SearchStrategy[Ranges] = st.lists(
    st.tuples(st.integers(0, SEQ_MASK), st.integers(0, 3) | st.integers(0, (1 << 30) - 1)).map(
        lambda pair: (pair[0], forward(pair[0], pair[1]))
    ),
    max_size=40,
)


def as_ranges(losses: list[Any]) -> Ranges:
    """Return ranges, given either ranges or plain numbers."""
    numbers = SequenceSet()
    for loss in losses:
        first, last = loss if isinstance(loss, list) else (loss, loss)
        numbers.add(first, last)
    return numbers.ranges()


@pytest.mark.parametrize("vector", vectors("nak_cif"), ids=lambda vector: vector["description"])
def test_vectors(vector: dict[str, Any]) -> None:
    body = bytes.fromhex(vector["hex"])
    ranges = as_ranges(vector["expected_fields"]["losses"])
    assert decode_losses(body) == ranges
    assert encode_losses(ranges, ONE_DATAGRAM) == [body]


@pytest.mark.parametrize(
    ("ranges", "body"),
    [
        ([(5, 5), (7, 9), (12, 12)], "00000005 80000007 00000009 0000000c"),
        ([(0x7FFFFFFE, 1)], "fffffffe 00000001"),
        ([(0x7FFFFFFF, 0x7FFFFFFF), (0, 0)], "7fffffff 00000000"),
    ],
)
def test_codings_by_hand(ranges: Ranges, body: str) -> None:
    assert encode_losses(ranges, ONE_DATAGRAM) == [bytes.fromhex(body)]
    assert decode_losses(bytes.fromhex(body)) == ranges


def test_a_range_of_one_written_as_a_range_is_understood() -> None:
    assert decode_losses(bytes.fromhex("80000007 00000007")) == [(7, 7)]


MALFORMED = [entry["hex"] for entry in vectors("nak_cif_invalid") if entry["hex"]] + [
    entry["hex"] for entry in vectors("malformed") if entry["hex"]
]


@pytest.mark.parametrize(
    "body",
    [
        *MALFORMED,
        "",
        "00",
        "000000",
        "0000000500",
        "80000007 80000009",
        "80000007 80000009 00000010",
        "00000001 80000007",
        "80000009 00000007",
        "80000000 40000000",
    ],
)
def test_malformed(body: str) -> None:
    with pytest.raises(MalformedPacket):
        decode_losses(bytes.fromhex(body))


def test_nothing_lost_is_no_report() -> None:
    assert encode_losses([], ONE_DATAGRAM) == []


def test_a_reversed_range_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="before it begins"):
        encode_losses([(10, 1)], ONE_DATAGRAM)


def test_a_report_must_hold_a_range() -> None:
    with pytest.raises(ValueError, match="1 words"):
        encode_losses([(1, 2)], 1)


def test_ranges_are_never_cut_in_two() -> None:
    bodies = encode_losses([(1, 1), (3, 4), (6, 7), (9, 9)], 3)
    assert [decode_losses(body) for body in bodies] == [[(1, 1), (3, 4)], [(6, 7), (9, 9)]]
    bodies = encode_losses([(1, 1), (3, 4), (6, 7)], 2)
    assert [decode_losses(body) for body in bodies] == [[(1, 1)], [(3, 4)], [(6, 7)]]


@given(range_lists, st.integers(2, 9) | st.just(ONE_DATAGRAM))
def test_round_trip_and_sizes(ranges: Ranges, limit: int) -> None:
    bodies = encode_losses(ranges, limit)
    assert [entry for body in bodies for entry in decode_losses(body)] == ranges
    assert all(0 < len(body) <= 4 * limit for body in bodies)
    for body, following in pairwise(bodies):  # nobody leaves room that the next entry would have filled
        entry = decode_losses(following)[0]
        assert len(body) + (4 if entry[0] == entry[1] else 8) > 4 * limit


@given(st.binary(max_size=64) | st.lists(st.binary(min_size=4, max_size=4), max_size=8).map(b"".join))
def test_garbage_is_malformed_or_means_the_same_again(body: bytes) -> None:
    try:
        ranges = decode_losses(body)
    except MalformedPacket:
        return
    assert [entry for piece in encode_losses(ranges, ONE_DATAGRAM) for entry in decode_losses(piece)] == ranges
    if not any(first == last and flagged for (first, last), flagged in zip(ranges, _flags(body), strict=True)):
        assert encode_losses(ranges, ONE_DATAGRAM) == [body]


def _flags(body: bytes) -> list[bool]:
    """Return, for each entry, whether it was written as a range."""
    flags, position = [], 0
    while position < len(body):
        flags.append(body[position] >= 0x80)
        position += 8 if flags[-1] else 4
    return flags
