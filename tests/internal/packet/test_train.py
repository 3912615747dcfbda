from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.packet.header import HEADER, Datagram
from srtpy.internal.packet.train import Train, couple
from srtpy.internal.seq.number import SEQ_MASK

PEER = 0x77


def a_train(first: int, payloads: list[bytes]) -> Train | None:
    return couple(first, range(len(payloads)), range(100, 100 + len(payloads)), payloads, PEER)


def one_by_one(first: int, payloads: list[bytes]) -> list[Datagram]:
    return [(HEADER.pack(first + i, i, 100 + i, PEER), payload) for i, payload in enumerate(payloads)]


@pytest.mark.parametrize("count", [1, 2, 44, 64])
@pytest.mark.parametrize("last", [1456, 1, 1455])
@pytest.mark.parametrize("first", [0, 5, 0x7FFFFF00])
def test_it_is_its_datagrams_end_to_end(first: int, count: int, last: int) -> None:
    payloads = [bytes([index]) * 1456 for index in range(count - 1)] + [b"z" * last]
    train = a_train(first, payloads)
    assert train is not None
    expected = one_by_one(first, payloads)
    assert bytes(train.wire) == b"".join(header + payload for header, payload in expected)
    assert train.stride == 16 + len(payloads[0])
    assert len(train) == count
    assert list(train) == expected
    assert (train[0], train[-1], train[1:]) == (expected[0], expected[-1], expected[1:])
    assert train == expected
    assert train == a_train(first, payloads)


@pytest.mark.parametrize("sizes", [(5, 4, 5), (4, 5), (5, 5, 6), (5, 4, 4), (5, 4, 5, 5)])
def test_what_is_of_several_sizes_is_none(sizes: tuple[int, ...]) -> None:
    assert a_train(0, [bytes(size) for size in sizes]) is None


def test_numbers_that_wrap_make_none() -> None:
    assert a_train(SEQ_MASK, [b"a", b"b"]) is None
    assert a_train(SEQ_MASK - 1, [b"a", b"b"]) == one_by_one(SEQ_MASK - 1, [b"a", b"b"])


@given(st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=6))
def test_whatever_becomes_a_train_can_be_cut_into_its_datagrams(payloads: list[bytes]) -> None:
    train = a_train(7, payloads)
    sizes = [len(payload) for payload in payloads]
    fits = len({*sizes[:-1]}) <= 1 and sizes[-1] <= sizes[0]
    assert (train is not None) is fits
    if train is not None:
        assert list(train) == one_by_one(7, payloads)
