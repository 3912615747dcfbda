from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from srtpy.latency import low_latency


@pytest.fixture(autouse=True)
def _restore() -> Iterator[None]:
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


def test_for_the_process() -> None:
    low_latency()
    assert sys.getswitchinterval() == pytest.approx(0.0005)
    low_latency(0.001)
    assert sys.getswitchinterval() == pytest.approx(0.001)


def test_within_a_statement() -> None:
    before = sys.getswitchinterval()
    with low_latency(switch_interval=0.002):
        assert sys.getswitchinterval() == pytest.approx(0.002)
    assert sys.getswitchinterval() == pytest.approx(before)


def test_no_such_interval() -> None:
    with pytest.raises(ValueError):
        low_latency(0)
