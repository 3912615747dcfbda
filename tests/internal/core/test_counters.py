"""Counters begin at nothing, and no name slips in by a typing mistake."""

from __future__ import annotations

import pytest

from srtpy.internal.core.counters import Counters


def test_everything_begins_at_nothing() -> None:
    counters = Counters()
    assert all(getattr(counters, name) == 0 for name in Counters.__slots__)
    assert isinstance(counters.belated_time_average, float)


def test_every_counter_is_declared_once() -> None:
    assert set(Counters.__annotations__) == set(Counters.__slots__)
    assert len(set(Counters.__slots__)) == len(Counters.__slots__)


def test_a_misspelt_counter_is_a_mistake() -> None:
    counters = Counters()
    with pytest.raises(AttributeError):
        counters.recieved = 1  # type: ignore[attr-defined]


def test_counters_are_of_one_connection() -> None:
    one, other = Counters(), Counters()
    one.recv_packets += 44
    assert (one.recv_packets, other.recv_packets) == (44, 0)
