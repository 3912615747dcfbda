from __future__ import annotations

from dataclasses import FrozenInstanceError, fields

import pytest

from srtpy.internal.core.gauges import Gauges


def test_a_reading_is_whole_and_stays_as_it_was_taken() -> None:
    names = [field.name for field in fields(Gauges)]
    reading = Gauges(**{name: number for number, name in enumerate(names)})
    assert [getattr(reading, name) for name in names] == list(range(len(names)))
    with pytest.raises(FrozenInstanceError):
        reading.rtt = 5  # type: ignore[misc]


def test_no_part_of_a_reading_may_be_left_out() -> None:
    with pytest.raises(TypeError, match="flow_window"):
        Gauges(now=1)  # type: ignore[call-arg]
