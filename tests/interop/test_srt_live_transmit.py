"""A minute of television to and from srt-live-transmit, either side calling, in clean and in bad weather."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.interop.cells import Cell, Outcome, cells_of
from tests.interop.streaming import Probe, assert_complete


@pytest.mark.timeout(400)
@pytest.mark.parametrize("cell", cells_of("srt-live-transmit"), ids=str)
def test_a_minute_arrives_complete(cell: Cell, outcome_of: Callable[[Cell], Outcome], packets: Probe) -> None:
    assert_complete(cell, outcome_of(cell), packets)
