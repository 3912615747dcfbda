"""Events are values: compared by what they say, never changed."""

from __future__ import annotations

import dataclasses
from typing import get_args

import pytest

from srtpy.internal.core.events import Broken, Event, Finished, PeerClosed, PeerFailed


def test_equal_when_they_say_the_same() -> None:
    assert PeerClosed() == PeerClosed()
    assert Broken("no word for five seconds") == Broken("no word for five seconds")
    assert Broken("one") != Broken("another")
    assert PeerFailed(4000).code == 4000


def test_they_do_not_change() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Broken("one").text = "another"  # type: ignore[misc]
    for event in (PeerClosed(), Broken(""), PeerFailed(1), Finished()):
        assert not hasattr(event, "__dict__")
        assert hash(event) == hash(dataclasses.replace(event))


def test_no_two_kinds_are_equal() -> None:
    kinds = get_args(Event)
    assert {PeerClosed, Broken, PeerFailed, Finished} <= set(kinds)
    empty = [kind() for kind in kinds if not dataclasses.fields(kind)]
    assert len(set(empty)) == len(empty)
