"""The one door itself: what it runs, in which order, and that it does not let anything through."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from coverage import Coverage

from tools import check


def test_the_order() -> None:
    assert [step.name for step in check.steps(is_fast=False)] == [
        "format",
        "lint",
        "types",
        "house",
        "single files, coverage",
        "all other tests",
    ]
    assert [step.name for step in check.steps(is_fast=True)][4:] == ["single files", "all other tests"]


def test_a_command_that_fails_is_complained_about() -> None:
    assert check.command(sys.executable, "-c", "print('fine')")() == ""
    assert check.command(sys.executable, "-c", "raise SystemExit('no good')")() == "no good"
    assert check.command(sys.executable, "-c", "raise SystemExit(3)")() == "exit status 3"
    lines = check.command(sys.executable, "-c", "[print(n) for n in range(99)]; raise SystemExit(1)")().splitlines()
    assert lines == [str(number) for number in range(99 - check.TAIL, 99)]


def test_the_status_says_whether_anything_failed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    complaints = ["", "it is crooked"]
    steps = [check.Step(f"step {number}", partial(str, text)) for number, text in enumerate(complaints)]
    monkeypatch.setattr(sys, "argv", ["check.py"])
    monkeypatch.setattr(check, "steps", lambda is_fast: steps)
    assert check.main() == 1
    assert "fell short: step 1" in capsys.readouterr().out
    del steps[1]
    assert check.main() == 0
    assert "everything passed" in capsys.readouterr().out


def test_every_file_is_measured_by_its_own_tests() -> None:
    pairs = dict(check.mirrored())
    assert pairs[check.ROOT / "srtpy/internal/seq/ranges.py"] == check.ROOT / "tests/internal/seq/test_ranges.py"
    assert not any(source.name == "__init__.py" for source in pairs)


def test_a_file_is_not_covered_by_the_tests_of_another(tmp_path: Path) -> None:
    data = tmp_path / "data"
    watched = [*check.RUN, "coverage", "run", f"--data-file={data}", *check.PYTEST[1:], "-p", "tools.contexts"]
    subprocess.run([*watched, "tests/internal/clock/test_units.py"], cwd=check.ROOT, check=True, capture_output=True)
    measured = Coverage(data_file=str(data), config_file=str(check.ROOT / "pyproject.toml"))
    measured.load()
    units = check.ROOT / "srtpy/internal/clock/units.py"
    own, missing = check.covered_by(measured, units, check.ROOT / "tests/internal/clock/test_units.py")
    assert (own, missing) == (100.0, "")
    others, missing = check.covered_by(measured, units, check.ROOT / "tests/internal/clock/test_monotonic.py")
    assert others < 100.0
    assert missing
    never, _ = check.covered_by(
        measured, check.ROOT / "srtpy/internal/seq/ranges.py", check.ROOT / "tests/internal/seq/test_ranges.py"
    )
    assert never < 50.0  # importing runs the lines that define; only its own tests run the rest
