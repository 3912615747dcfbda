"""The table of hostile inputs is complete, and says the truth."""

from __future__ import annotations

import ast
import re
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

import pytest

import tests.hostile
from tests.house.sources import ROOT, parsed

LATER = {20, 21}
ROWS = sorted(set(range(1, 28)) - LATER)
TESTS = ROOT / "tests"


VULNERABILITIES = {  # every CVE there is of an implementation of SRT's protocol, 2018 to 2026
    "CVE-2026-55868",
    "CVE-2026-55869",
}


def entries() -> dict[str, list[tuple[str, str]]]:
    """Return the file and the pattern of each entry, by row and by what others got wrong."""
    found: dict[str, list[tuple[str, str]]] = {}
    row = ""
    for line in (tests.hostile.__doc__ or "").splitlines():
        if begin := re.match(r" ?(\d+|[A-Za-z]+-\S+)  \w", line):
            row = begin[1]
            found[row] = []
        elif entry := re.match(r" {6}(\S+\.py)  (.+)", line):
            found[row] += [(entry[1], pattern) for pattern in entry[2].split()]
    return found


def table() -> dict[int, list[tuple[str, str]]]:
    """Return the entries of the rows."""
    return {int(row): places for row, places in entries().items() if row.isdecimal()}


KNOWN = sorted(row for row in entries() if not row.isdecimal())


@cache
def names_of_tests(path: Path) -> frozenset[str]:
    """Return the names of the tests in a file."""
    return frozenset(
        node.name
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    )


def rows_of(name: str) -> set[int]:
    """Return the rows a test's name says it is about."""
    if one := re.match(r"test_row_(\d+)_", name):
        return {int(one[1])}
    if pair := re.match(r"test_rows_(\d+)_and_(\d+)_", name):
        return {int(pair[1]), int(pair[2])}
    if several := re.match(r"test_rows_(\d+)_to_(\d+)_", name):
        return set(range(int(several[1]), int(several[2]) + 1)) - {16, 17}
    return set()


def test_every_row_has_a_test_of_its_name_against_real_sockets() -> None:
    assert sorted(table()) == ROWS
    for row, entries in table().items():
        assert any(file.startswith("hostile/") and pattern.startswith("test_row") for file, pattern in entries), row


@pytest.mark.parametrize("row", ROWS)
def test_what_the_table_names_exists(row: int) -> None:
    for file, pattern in table()[row]:
        assert any(fnmatchcase(name, pattern) for name in names_of_tests(TESTS / file)), f"{file}: no {pattern}"


def test_every_cve_has_tests_that_carry_its_number() -> None:
    assert {known for known in KNOWN if known.startswith("CVE")} == VULNERABILITIES
    for known in VULNERABILITIES:
        prefix = f"test_{known.lower().replace('-', '_')}_"
        assert all(pattern.startswith(prefix) for _, pattern in entries()[known]), known
        assert any(file.startswith("hostile/") for file, _ in entries()[known]), "one of them against real sockets"


@pytest.mark.parametrize("known", KNOWN)
def test_what_others_got_wrong_is_tested(known: str) -> None:
    assert entries()[known]
    for file, pattern in entries()[known]:
        assert any(fnmatchcase(name, pattern) for name in names_of_tests(TESTS / file)), f"{file}: no {pattern}"


def test_what_exists_is_in_the_table() -> None:
    named = [
        (row, f"hostile/{path.name}", name)
        for path in sorted((TESTS / "hostile").glob("test_*.py"))
        for name in sorted(names_of_tests(path))
        for row in rows_of(name)
    ]
    assert {row for row, _, _ in named} == set(ROWS)
    for row, file, name in named:
        patterns = [pattern for entry, pattern in table()[row] if entry == file]
        assert any(fnmatchcase(name, pattern) for pattern in patterns), f"row {row}: {file} {name}"
