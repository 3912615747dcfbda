from __future__ import annotations

import argparse
from collections.abc import Callable

import pytest

from srtpy.cli.arguments import LONGEST, duration, megabits, percent


@pytest.mark.parametrize(
    ("read", "text", "value"),
    [(duration, "0.5", 0.5), (duration, "86400", LONGEST), (megabits, "8", 8.0), (percent, "0", 0.0)],
)
def test_what_is_taken(read: Callable[[str], float], text: str, value: float) -> None:
    assert read(text) == value


@pytest.mark.parametrize("read", [duration, megabits, percent])
@pytest.mark.parametrize("text", ["-1", "nan", "inf", "1e300"])
def test_what_is_out_of_range(read: Callable[[str], float], text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"{text} is out of range"):
        read(text)


@pytest.mark.parametrize("read", [duration, megabits])
def test_none_at_all_is_too_little(read: Callable[[str], float]) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="more than 0"):
        read("0")
