"""The benchmark's arithmetic, and one short run of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools import srt_bench
from tools.bench_runs import MEASUREMENTS, Measurement, Target

OURS, THEIRS = ("srtpy", "srtpy"), ("libsrt", "libsrt")


def rows(ours: list[float], theirs: list[float]) -> srt_bench.Rows:
    return {OURS: [{"x": value} for value in ours], THEIRS: [{"x": value} for value in theirs]}


def test_ratios_are_of_medians() -> None:
    verdict = srt_bench.judge(Target(figure="x", pair=OURS, at_least=1.2), rows([1, 24, 100], [20, 20, 500]))
    assert verdict is not None
    assert (verdict["value"], verdict["met"]) == (1.2, True)
    assert "1.20 (target >= 1.2)" in verdict["text"]


@pytest.mark.parametrize(("value", "met"), [(1.9, True), (2.1, False), (-3, True)])
def test_absolute_targets_need_nobody_to_compare_with(value: float, met: bool) -> None:
    verdict = srt_bench.judge(Target(figure="x", pair=OURS, at_most=2, absolute=True), {OURS: [{"x": value}]})
    assert verdict is not None
    assert verdict["met"] is met


def test_what_was_not_measured_is_not_judged() -> None:
    assert srt_bench.judge(Target(figure="x", pair=OURS, at_most=1), {OURS: [{"x": 1.0}]}) is None


def test_slack_keeps_chance_out_of_small_counts() -> None:
    target = Target(figure="x", pair=OURS, at_most=1.0, slack=2)
    assert srt_bench.judge(target, rows([2], [1]))["met"]  # type: ignore[index]
    assert not srt_bench.judge(target, rows([9], [1]))["met"]  # type: ignore[index]


def test_the_table_has_a_line_for_each_pair_and_target() -> None:
    measured = Measurement(
        name="n",
        about="a",
        figures=lambda sent, got: {},
        shown=("x",),
        targets=(Target(figure="x", pair=OURS, at_most=1),),
    )
    text = srt_bench.table(measured, rows([3], [2]))
    assert "srtpy to srtpy" in text
    assert "MISSED" in text


def test_measurements_have_names_of_their_own_and_show_what_they_take() -> None:
    assert len({each.name for each in MEASUREMENTS}) == len(MEASUREMENTS)


@pytest.mark.usefixtures("libsrt")
def test_a_short_run_writes_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "figures.json"
    srt_bench.main(["--only", "latency", "--repetitions", "1", "--seconds", "1", "--json", str(path)])
    measured = json.loads(path.read_text())["measurements"]["latency"]
    assert set(measured["medians"]) == {"libsrt to libsrt", "srtpy to srtpy", "srtpy to libsrt", "libsrt to srtpy"}
    assert all({"p50_ms", "lost"} <= set(runs[0]) for runs in measured["runs"].values())
    assert "p99_ms" in capsys.readouterr().out


def test_an_unknown_measurement_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert srt_bench.main(["--only", "nothing"]) == 2
    assert "write_many" in capsys.readouterr().err
