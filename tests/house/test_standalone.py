"""The project stands on its own: it names no machine, no place it was made in, and leaves nothing half done."""

from __future__ import annotations

import re
import subprocess

import pytest

from tests.house.sources import ROOT

HERE = "tests/house/test_standalone.py"
KNOWN_ANSWERS = "tests/vectors.json"
MISSING_PEER = ("tests/conftest.py", "pytest.skip(what)")
"""The one place where a test may end unfinished: another implementation that is not installed (never in CI)."""

FOREIGN = {
    "a path of one machine": re.compile(r"(?<![\w.])/(?:tmp|work|opt|root|home|farm|mnt|var/tmp|Users)/"),
    "a package registry": re.compile(
        r"pypi\.org|pythonhosted|test\.pypi|registry\.\w+\.(?:org|com|io)|docker\.io|ghcr\.io|quay\.io"
    ),
    "a paper outside the project": re.compile(r"(?<!\w)shared/|CONTRACT\.md|contract between rooms", re.IGNORECASE),
    "a maker instead of the thing": re.compile(r"\b[Hh]elper [A-Z]\b|\bAI\b|\bLLM\b|language model"),
}
UNFINISHED = {
    "something not done": re.compile(r"NotImplementedError|\bTODO\b|\bFIXME\b|\bXXX\b"),
    "a test that does not run": re.compile(
        r"pytest\.(?:skip|xfail|importorskip)\b|mark\.(?:skip|xfail)|unittest\.skip"
    ),
}


def files() -> list[str]:
    """Return the files of the project: what git tracks, or would if asked."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    found = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return sorted({name for name in found.split("\0") if name and (ROOT / name).is_file()} - {HERE})


def hits(text: str, wanted: dict[str, re.Pattern[str]]) -> list[str]:
    """Return the lines of a text that hold something wanted, and what."""
    lines = enumerate(text.splitlines(), 1)
    return [f"line {n}: {what}: {line.strip()}" for n, line in lines for what, it in wanted.items() if it.search(line)]


def text_of(name: str) -> str:
    text = (ROOT / name).read_text(encoding="utf-8", errors="replace")
    return text.replace(MISSING_PEER[1], "", 1) if name == MISSING_PEER[0] else text


def test_nothing_foreign_is_named() -> None:
    found = {name: hits(text_of(name), FOREIGN) for name in files() if name != KNOWN_ANSWERS}
    assert {name: lines for name, lines in found.items() if lines} == {}


def test_nothing_is_left_half_done() -> None:
    names = [name for name in files() if name.split("/")[0] in ("srtpy", "tests", "tools", "examples")]
    found = {name: hits(text_of(name), UNFINISHED) for name in names if name != KNOWN_ANSWERS}
    assert {name: lines for name, lines in found.items() if lines} == {}


@pytest.mark.parametrize(
    "line",
    ["open('/tmp/x')", "see ../shared/style.md", "pip install -i https://pypi.org/simple", "# Helper B writes this"],
)
def test_a_foreign_line_is_found(line: str) -> None:
    assert hits(line, FOREIGN)


@pytest.mark.parametrize(
    "line", ["raise NotImplementedError", "# TODO: later", "@pytest.mark.skip", "pytest.skip('no')"]
)
def test_an_unfinished_line_is_found(line: str) -> None:
    assert hits(line, UNFINISHED)


@pytest.mark.parametrize(
    "line", ["#!/usr/bin/env python3", "tests/tools/helper.py", "a pathlib.Path(tmp_path)", "tests/homework/", "MAIL"]
)
def test_an_innocent_line_is_not(line: str) -> None:
    assert hits(line, FOREIGN | UNFINISHED) == []
