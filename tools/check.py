#!/usr/bin/env python3
"""The one door: everything a change must pass, in order, and a short word on what fell short.

    python tools/check.py           all of it
    python tools/check.py --fast    without the tests against other implementations, without coverage

Formatting, lint, types, the house rules, the tests of single files with their coverage
(each file of srtpy by its own test file), then all other tests.  A step that fails does not
stop those after it; the exit status says whether anything failed.
"""

from __future__ import annotations

import argparse
import io
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from coverage import Coverage
from coverage.exceptions import CoverageException

ROOT: Final = Path(__file__).resolve().parents[1]
LEAST_COVERED: Final = 85.0
"""Per cent of a file's lines and branches that its own test file runs."""
TAIL: Final = 40
"""Lines of a failed step's output that are shown."""
NOT_MEASURED: Final = {"__init__.py", "__main__.py"}
RUN: Final = [sys.executable, "-m"]
PYTEST: Final = [*RUN, "pytest", "-q", "-p", "no:cacheprovider"]


@dataclass(frozen=True)
class Step:
    """One thing to pass: its name and what runs it, returning complaints (nothing: passed)."""

    name: str
    run: Callable[[], str]


def command(*words: str) -> Callable[[], str]:
    """Return a step's body that runs a command and complains with the end of its output."""

    def run() -> str:
        done = subprocess.run(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        lines = done.stdout.rstrip().splitlines()
        return "\n".join(lines[-TAIL:] or [f"exit status {done.returncode}"]) if done.returncode else ""

    return run


def mirrored() -> Iterator[tuple[Path, Path]]:
    """Yield each source file that has a test file of its own, and that test file."""
    package = ROOT / "srtpy"
    for source in sorted([*package.glob("*.py"), *(package / "internal").rglob("*.py")]):
        inside = source.relative_to(package)
        tests = ROOT / "tests" / inside.parent / f"test_{inside.name}"
        if source.name not in NOT_MEASURED and tests.is_file():
            yield source, tests


def single_file_tests() -> list[str]:
    """Return where the tests are that mirror the source."""
    return ["tests/internal", *sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").glob("test_*.py"))]


def covered_by(measured: Coverage, source: Path, tests: Path) -> tuple[float, str]:
    """Return how many per cent of a file its own tests run, and which lines they do not."""
    own = re.escape(tests.relative_to(ROOT).as_posix())
    table = io.StringIO()
    try:
        # what runs while modules are imported belongs to no test: the context without a name
        percent = measured.report(morfs=[str(source)], contexts=["^$", f"^{own}$"], file=table, show_missing=True)
    except CoverageException:
        return 0.0, "never imported"
    rows = [line.partition("%")[2].strip() for line in table.getvalue().splitlines() if "%" in line]
    return percent, rows[0] if rows else ""


def run_with_coverage() -> str:
    """Run the tests that mirror the source and complain of files they leave uncovered."""
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "coverage")
        watched = [*RUN, "coverage", "run", f"--data-file={data}", *PYTEST[1:], "-p", "tools.contexts"]
        complaint = command(*watched, *single_file_tests())()
        measured = Coverage(data_file=data, config_file=str(ROOT / "pyproject.toml"))
        measured.load()
        short = []
        for source, tests in mirrored():
            percent, missing = covered_by(measured, source, tests)
            if percent < LEAST_COVERED:
                short.append(f"{source.relative_to(ROOT)}: {percent:.0f} %, {tests.name} leaves {missing}")
    if short:
        short.insert(0, f"covered less than {LEAST_COVERED:.0f} % by their own test file:")
    return "\n".join([complaint, *short]).strip()


def steps(is_fast: bool) -> list[Step]:
    """Return what to pass, in order."""
    inner = single_file_tests()
    others = [*PYTEST, "tests", "--ignore=tests/house", *(f"--ignore={path}" for path in inner)]
    return [
        Step("format", command(*RUN, "ruff", "format", "--check", ".")),
        Step("lint", command(*RUN, "ruff", "check", "--output-format=concise", ".")),
        Step("types", command(*RUN, "mypy")),
        Step("house", command(*PYTEST, "tests/house")),
        Step("single files", command(*PYTEST, *inner))
        if is_fast
        else Step("single files, coverage", run_with_coverage),
        Step("all other tests", command(*others, "-m", "not interop") if is_fast else command(*others)),
    ]


def main() -> int:
    """Run every step and return the exit status."""
    parser = argparse.ArgumentParser(description="Run everything a change must pass.")
    parser.add_argument("--fast", action="store_true", help="no tests against other implementations, no coverage")
    fallen: list[str] = []
    for step in steps(parser.parse_args().fast):
        print(f"{step.name:<24}", end="", flush=True)
        begun = time.monotonic()
        complaint = step.run()
        print(f"{'FELL SHORT' if complaint else 'ok':<12}{time.monotonic() - begun:6.1f} s", flush=True)
        if complaint:
            fallen.append(step.name)
            print("\n".join(f"    {line}" for line in complaint.splitlines()), flush=True)
    print(f"fell short: {', '.join(fallen)}" if fallen else "everything passed")
    return 1 if fallen else 0


if __name__ == "__main__":
    sys.exit(main())
