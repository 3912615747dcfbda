"""What joins, what does not, and that nothing is lost, moved or invented on the way."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.mux.address import Path
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.joining import JOIN_LIMIT, LARGE, LARGEST_DATAGRAM, Joiner
from srtpy.internal.packet.header import HEADER_SIZE

HERE, THERE = Path(("192.0.2.1", 1)), Path(("192.0.2.2", 2))


def joined(*rows: tuple[bytes, int, Path]) -> tuple[list[tuple[int, int, Path]], MuxCounters]:
    counters = MuxCounters()
    joiner = Joiner(counters)
    for row in rows:
        joiner.add(*row)
    return [(batch.count, batch.stride, path) for batch, path in joiner.take()], counters


def test_neighbours_of_one_size_become_one_batch() -> None:
    assert joined(*[(bytes(100), 0, HERE)] * 5)[0] == [(5, 100, HERE)]


def test_a_shorter_one_may_only_be_the_last() -> None:
    rows = [(bytes(size), 0, HERE) for size in (100, 100, 40, 40, 100)]
    assert joined(*rows)[0] == [(3, 100, HERE), (1, 40, HERE), (1, 100, HERE)]


def test_another_peer_is_another_batch() -> None:
    assert joined((bytes(100), 0, HERE), (bytes(100), 0, THERE))[0] == [(1, 100, HERE), (1, 100, THERE)]


def test_what_the_kernel_joined_joins_again() -> None:
    rows = [(bytes(300), 100, HERE), (bytes(230), 100, HERE), (bytes(200), 100, HERE)]
    assert joined(*rows)[0] == [(6, 100, HERE), (2, 100, HERE)]


def test_what_is_large_already_is_left_as_it_is() -> None:
    rows = [
        (bytes(100), 100, HERE),
        (bytes(100 * LARGE), 100, HERE),
        (bytes(100 * LARGE), 100, HERE),
        (bytes(100), 0, HERE),
    ]
    assert joined(*rows)[0] == [(1, 100, HERE), (LARGE, 100, HERE), (LARGE, 100, HERE), (1, 100, HERE)]


def test_a_run_of_another_size_does_not_join() -> None:
    assert joined((bytes(100), 0, HERE), (bytes(80), 40, HERE))[0] == [(1, 100, HERE), (2, 40, HERE)]


def test_a_batch_has_a_limit() -> None:
    counts = [count for count, _, _ in joined(*[(bytes(20), 0, HERE)] * (JOIN_LIMIT + 3))[0]]
    assert counts == [JOIN_LIMIT, 3]


def test_what_is_too_short_is_counted_and_stops_nothing() -> None:
    rows = [(bytes(100), 0, HERE), (bytes(15), 0, HERE), (b"", 0, HERE), (bytes(30), 4, HERE), (bytes(100), 0, HERE)]
    batches, counters = joined(*rows)
    assert batches == [(2, 100, HERE)]
    assert counters.malformed == 1 + 1 + 8


def test_a_tail_too_short_is_cut_off() -> None:
    batches, counters = joined((bytes(210), 100, HERE), (bytes(100), 0, HERE))
    assert batches == [(3, 100, HERE)]
    assert counters.malformed == 1


def test_what_is_too_long_is_counted_and_takes_nothing_good_with_it() -> None:
    """All later bounds on memory count datagrams: of 64 kilobytes each they would not bound much."""
    long, fits = LARGEST_DATAGRAM + 1, LARGEST_DATAGRAM
    assert fits == 1472
    rows = [(bytes(fits), 0, HERE), (bytes(long), 0, HERE), (bytes(65_507), 0, HERE), (bytes(fits), 0, HERE)]
    batches, counters = joined(*rows)
    assert batches == [(2, fits, HERE)]
    assert counters.malformed == 2
    batches, counters = joined((bytes(2 * long + 100), long, HERE), (bytes(2 * long), long, HERE))
    assert batches == [(1, 100, HERE)]
    assert counters.malformed == 4


def test_take_forgets() -> None:
    joiner = Joiner(MuxCounters())
    joiner.add(bytes(100), 0, HERE)
    assert len(joiner.take()) == 1
    assert joiner.take() == []


@st.composite
def reads(draw: st.DrawFn) -> tuple[bytes, int, Path]:
    stride = draw(st.sampled_from([0, 3, 15, 16, 20, 40]))
    size = draw(st.integers(0, 130))
    return draw(st.binary(min_size=size, max_size=size)), stride, draw(st.sampled_from([HERE, THERE]))


@given(st.lists(reads(), max_size=60))
def test_every_datagram_comes_out_once_in_order(rows: list[tuple[bytes, int, Path]]) -> None:
    counters = MuxCounters()
    joiner = Joiner(counters)
    expected, short = [], 0
    for content, stride, path in rows:
        joiner.add(content, stride, path)
        step = stride or max(1, len(content))
        pieces = [content[start : start + step] for start in range(0, len(content), step)] or [b""]
        for piece in pieces:
            if len(piece) < HEADER_SIZE:
                short += 1
            else:
                expected.append((piece, path))
    out = [(batch.datagram(index), path) for batch, path in joiner.take() for index in range(batch.count)]
    assert out == expected
    assert counters.malformed == short


@pytest.mark.parametrize("size", [8, 20, 100, LARGEST_DATAGRAM + 1])
@pytest.mark.parametrize("before", [[], [(bytes(100), 0, HERE)], [(bytes(100), 0, THERE)], [(bytes(300), 100, HERE)]])
@pytest.mark.parametrize("count", [1, 2, JOIN_LIMIT - 1, JOIN_LIMIT, JOIN_LIMIT + 5])
def test_datagrams_that_are_alike_join_as_if_they_came_one_by_one(
    size: int, before: list[tuple[bytes, int, Path]], count: int
) -> None:
    found = []
    for at_once in (True, False):
        counters = MuxCounters()
        joiner = Joiner(counters)
        for row in before:
            joiner.add(*row, 7)
        pieces, arrivals = [bytes([place & 0xFF]) * size for place in range(count)], list(range(10, 10 + count))
        if at_once:
            joiner.add_alike([*pieces], HERE, arrivals)
        else:
            for piece, arrived in zip(pieces, arrivals, strict=True):
                joiner.add(piece, 0, HERE, arrived)
        joiner.add(bytes(50), 0, HERE, 999)
        reads = [(batch.data, batch.stride, batch.arrived, batch.times, path) for batch, path in joiner.take()]
        found.append((reads, counters.malformed))
    assert found[0] == found[1]
