"""The comparison of file modes on bad paths: its arithmetic, and one short run of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tools import file_fairness


def run(rate: float, **more: Any) -> dict[str, Any]:
    return {"delivered": [rate], "load": 1.0, **more}


def test_ours_alone_is_held_against_libsrt_by_medians() -> None:
    alone = {"libsrt": [run(30), run(31), run(90)], "srtpy": [run(10), run(62), run(63)]}
    assert file_fairness.is_faster(alone)
    assert "2.00 (target >= 1)" in file_fairness.alone_table(alone)
    assert not file_fairness.is_faster({"libsrt": [run(30)], "srtpy": [run(29)]})
    assert file_fairness.is_faster({"srtpy": [run(1)]}), "with nobody to compare"


def test_the_table_says_who_got_too_little() -> None:
    row = {"kinds": ["srtpy", "libsrt"], "order": "0,5", "shares": [81.0, 19.0], "settled": [60.0, 14.0]}
    text = file_fairness.share_table([row | {"met": False, "lost_percent": 1.0, "load": 2.0}])
    assert "MISSED" in text
    assert "srtpy   81%" in text


def test_what_a_receiver_had_by_an_instant_is_what_it_told_last() -> None:
    report = {"told": [(1.0, 10), (2.0, 30), (3.0, 60)]}
    assert [file_fairness.got_by(report, at) for at in (0.5, 1.0, 2.9, 9.0)] == [0, 10, 30, 60]


@pytest.mark.usefixtures("libsrt")
def test_a_short_run_writes_its_figures(tmp_path: Path) -> None:
    path = tmp_path / "figures.json"
    options = ["--only", "share", "--flows", "srtpy,libsrt", "--orders", "0,0.5", "--seconds", "3"]
    file_fairness.main([*options, "--megabits", "20", "--json", str(path)])
    [row] = json.loads(path.read_text())["shared"]
    assert all(rate > 0 for rate in row["delivered"])
    assert sum(row["shares"]) == pytest.approx(100)
