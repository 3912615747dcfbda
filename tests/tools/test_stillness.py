"""What is missing from a stream, and whether a stall explains it."""

from __future__ import annotations

import time
from random import Random

import pytest

from tests.tools.stillness import AFTER, BEFORE, NOTICEABLE, Gap, Stall, Stillness, gaps, is_explained

STREAM = Random(1).randbytes(1316 * 300)


def without(*missing: Gap) -> bytes:
    copy = STREAM
    for place, size in reversed(missing):
        copy = copy[:place] + copy[place + size :]
    return copy


@pytest.mark.parametrize(
    "missing",
    [
        [],
        [(0, 1316)],
        [(1316 * 10, 1316)],
        [(1316 * 10, 1316 * 3), (1316 * 20, 1316), (1316 * 250, 1316 * 40)],
        [(1316 * 280, 1316 * 20)],
        [(0, len(STREAM))],
    ],
)
def test_what_is_missing_is_found_whatever_follows(missing: list[Gap]) -> None:
    assert gaps(STREAM, without(*missing)) == missing
    if sum(missing[-1:], ()) != (0, len(STREAM)) and (not missing or sum(missing[-1]) < len(STREAM)):
        assert gaps(STREAM, without(*missing) + bytes(5000)) == missing


def test_what_nobody_sent_is_no_gap() -> None:
    assert gaps(STREAM, STREAM[:5000] + b"x" + STREAM[5001:]) is None
    assert gaps(STREAM, STREAM[:13160] + STREAM[2632:]) is None


@pytest.mark.parametrize(
    ("times", "stalls", "explained"),
    [
        ([], [(5.0, 5.1)], False),
        ([5.0], [], False),
        ([5.0], [(5.0, 5.1)], True),
        ([5.0 - AFTER, 5.1 + BEFORE], [(5.0, 5.1)], True),
        ([5.0 - AFTER - 0.01], [(5.0, 5.1)], False),
        ([5.1 + BEFORE + 0.01], [(5.0, 5.1)], False),
        ([5.0, 30.0], [(5.0, 5.1)], False),
        ([5.0, 30.0], [(5.0, 5.1), (30.2, 30.4)], True),
    ],
)
def test_a_stall_explains_what_was_sent_about_then_and_no_more(
    times: list[float], stalls: list[Stall], explained: bool
) -> None:
    assert is_explained(times, stalls) is explained


def test_stalls_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, begun = time.sleep, time.monotonic()
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(NOTICEABLE * 1.1))
    with Stillness() as stillness:
        while not stillness.stalls:
            sleep(0.005)
    (begin, end), *_ = stillness.stalls
    assert begun <= begin < end <= time.monotonic()
