"""What is asked of every stream between srtpy and a tool."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.interop.cells import Cell, Outcome

Probe = Callable[[Path], dict[str, Any]]


def assert_complete(cell: Cell, outcome: Outcome, packets: Probe) -> None:
    """Assert that a minute of television arrived whole: byte by byte, and in ffprobe's eyes."""
    report, stats = outcome.report, outcome.report.get("stats", {})
    assert report, f"no report: {outcome.fault}"
    if (cell.tool, cell.does, cell.weather) == ("ffmpeg", "sends", "bad"):
        outcome.forgive_tail()
    where = outcome.first_difference()
    assert not where, (
        f"differs at {where}; stood still {outcome.stood_still:.3f} s; {outcome.network}; {stats}; {outcome.fault}"
    )
    sent, arrived = packets(outcome.sent), packets(outcome.arrived)
    assert not arrived["complaints"]
    assert arrived["streams"] == sent["streams"]
    assert sent["streams"]["mpeg2video"] == 1500
    assert abs(arrived["seconds"] - 60) < 1
    assert stats["receive_drop"] == stats["send_drop"] == 0
    if cell.weather == "bad":
        assert outcome.network["forth"]["lost"] > 0
        repaired = stats["retransmitted"] if cell.does == "receives" else stats["receive_loss"]
        assert repaired >= 500, "the weather was not bad at all"
    outcome.arrived.unlink()
