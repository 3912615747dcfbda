"""How the whole suite is run: what failed in real time beside other tests runs once more alone, and is told."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LANES = Path(__file__).resolve().parents[2] / "tools" / "lanes.sh"
FAKE = """
import json, pathlib, sys
words = sys.argv[1:]
lane = words[words.index("-o") + 1].rpartition("/")[2]
name = lane + (" again" if "--last-failed" in words else "")
with open("calls", "a") as calls:
    print(name, *words, file=calls)
status, failed = json.load(open("plan")).get(name, (0, []))
cache = pathlib.Path(".pytest_cache", lane, "v", "cache")
cache.mkdir(parents=True, exist_ok=True)
(cache / "lastfailed").write_text(json.dumps(dict.fromkeys(failed, True)))
print("ran", name)
sys.exit(status)
"""
SCRIPT = 'set -euo pipefail; . "$1"; python=$2; pytest=("$2" {}); shift 2; run_lanes "$@"'
Plan = dict[str, tuple[int, list[str]]]


def run(room: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-c", SCRIPT.format(program), "bash", str(LANES), sys.executable, *arguments]
    # these are pytest's own, of the run that this test is part of
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    return subprocess.run(words, cwd=room, env=environment, capture_output=True, text=True, check=False)


def run_fake(room: Path, plan: Plan, *arguments: str) -> tuple[int, list[str], list[str]]:
    """Run with a pytest that ends as planned; return the status, the names of its runs, and all that was printed."""
    (room / "fake.py").write_text(FAKE)
    (room / "plan").write_text(json.dumps(plan))
    done = run(room, "fake.py", *arguments)
    assert done.stderr == ""
    calls = [line.partition(" -")[0] for line in (room / "calls").read_text().splitlines()]
    return done.returncode, calls, done.stdout.splitlines()


def test_what_passes_runs_once(tmp_path: Path) -> None:
    status, calls, said = run_fake(tmp_path, {})
    assert (status, sorted(calls)) == (0, ["busy", "rest", "waiting"])
    assert calls.index("rest") < calls.index("busy")
    assert [line for line in said if line] == [
        "ran waiting",
        "the tests that ran beside these:",
        "ran rest",
        "ran busy",
    ]


@pytest.mark.parametrize(
    ("waiting", "busy"),
    [
        (["tests/interop/test_a.py::test_one[x y]"], []),
        ([], ["tests/cli/test_b.py::test_two"]),
        (["a::one", "a::two"], ["b::three"]),
    ],
)
def test_what_passes_alone_is_told_last(tmp_path: Path, waiting: list[str], busy: list[str]) -> None:
    plan = {"waiting": (int(bool(waiting)), waiting), "busy": (int(bool(busy)), busy)}
    status, calls, said = run_fake(tmp_path, plan, "-x")
    assert status == 0
    again = [call for call in calls if "again" in call]
    assert calls[-len(again) :] == again == [f"{lane} again" for lane, failed in plan.items() if failed[0]]
    assert said[-1] == "failed beside the other tests, passed alone: " + " ".join(waiting + busy)
    assert said.count("ran waiting") == said.count("ran busy") == 1, "the first failure is shown too"


def test_what_fails_alone_too_fails_the_run(tmp_path: Path) -> None:
    plan: Plan = {"waiting": (1, ["a::one"]), "busy": (1, ["b::two"]), "waiting again": (1, ["a::one"])}
    status, calls, said = run_fake(tmp_path, plan)
    assert status == 1
    assert calls[-2:] == ["waiting again", "busy again"]
    assert not any("passed alone" in line for line in said)


@pytest.mark.parametrize("failed", [(4, 0), (2, 2)])
def test_many_failures_are_no_accident(tmp_path: Path, failed: tuple[int, int]) -> None:
    names = [[f"{lane}::{number}" for number in range(count)] for lane, count in zip("ab", failed, strict=True)]
    plan = {"waiting": (1, names[0]), "busy": (int(bool(names[1])), names[1])}
    status, calls, said = run_fake(tmp_path, plan)
    assert (status, sorted(calls)) == (1, ["busy", "rest", "waiting"])
    assert said[-1] == "4 failed beside the other tests; only up to 3 are run again alone"


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        ({"rest": (1, ["c::one"])}, 1),
        ({"waiting": (2, ["a.py"])}, 2),
        ({"waiting": (1, ["a::one"]), "busy": (3, [])}, 1),
        ({"busy": (137, [])}, 137),
        ({"rest": (5, [])}, 5),
    ],
)
def test_what_computes_and_what_breaks_off_is_never_repeated(tmp_path: Path, plan: Plan, expected: int) -> None:
    status, calls, _ = run_fake(tmp_path, plan)
    assert (status, sorted(calls)) == (expected, ["busy", "rest", "waiting"])


def test_a_failure_that_computes_is_not_hidden_by_a_repetition_that_passes(tmp_path: Path) -> None:
    status, calls, said = run_fake(tmp_path, {"rest": (1, ["c::one"]), "waiting": (1, ["a::one"])})
    assert status == 1
    assert calls[-1] == "waiting again"
    assert said[-1] == "failed beside the other tests, passed alone: a::one"


def test_failures_of_an_earlier_run_are_forgotten(tmp_path: Path) -> None:
    old = tmp_path / ".pytest_cache" / "waiting" / "v" / "cache"
    old.mkdir(parents=True)
    (old / "lastfailed").write_text('{"old::one": true}')
    _, _, said = run_fake(tmp_path, {"busy": (1, ["b::one"])})
    assert said[-1].endswith("passed alone: b::one")


def test_pytest_itself_repeats_that_one_test(tmp_path: Path) -> None:
    folders = ["interop", "threads", "tools", "hostile", "cli", "examples", "internal/mux", "internal/session", "rest"]
    for folder in folders:
        (tmp_path / "tests" / folder).mkdir(parents=True)
        name = f"test_{folder.replace('/', '_')}.py"
        (tmp_path / "tests" / folder / name).write_text("def test_fine():\n    pass\n")
    (tmp_path / "tests" / "test_door.py").write_text("def test_fine():\n    pass\n")
    test = "import pathlib\n\ndef test_other():\n    pass\n\ndef test_flaky():\n"
    test += (
        "    mark = pathlib.Path('been here')\n    was, _ = mark.exists(), mark.touch()\n    assert was, 'the first'\n"
    )
    (tmp_path / "tests" / "threads" / "test_threads.py").write_text(test)
    done = run(tmp_path, "-m pytest --color=no -p no:randomly --rootdir=.")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "AssertionError: the first" in done.stdout
    assert "1 failed, 3 passed" in done.stdout
    assert done.stdout.count("test_flaky") >= 3, "the failure, the repetition, the last line"
    assert re.search(r"^=+ 1 passed\b", done.stdout, re.MULTILINE)
    told = "failed beside the other tests, passed alone: tests/threads/test_threads.py::test_flaky"
    assert done.stdout.splitlines()[-1] == told
