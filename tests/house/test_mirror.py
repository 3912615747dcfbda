"""tests/internal mirrors srtpy/internal, file for file, and tests/ the public modules."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.sources import ROOT, parsed, python_files, relative

UNTESTED = {"__init__.py", "__main__.py"}


def mirror(path: Path) -> Path:
    """Return where the tests of a source file are."""
    inside = path.relative_to(ROOT / "srtpy")
    return ROOT / "tests" / inside.parent / f"test_{inside.name}"


SOURCES = [
    path
    for path in (*python_files("srtpy/internal"), *sorted((ROOT / "srtpy").glob("*.py")))
    if path.name not in UNTESTED
]
TESTS = [path for path in python_files("tests/internal") if path.name.startswith("test_")]


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_every_file_has_its_tests(path: Path) -> None:
    if not mirror(path).is_file():
        pytest.fail(f"{relative(mirror(path))} is missing", pytrace=False)
    functions = [node for node in ast.walk(parsed(mirror(path))) if isinstance(node, ast.FunctionDef)]
    assert any(function.name.startswith("test_") for function in functions), "there is no test in it"


@pytest.mark.parametrize("path", TESTS, ids=relative)
def test_every_test_file_has_its_source(path: Path) -> None:
    assert path in {mirror(source) for source in SOURCES}, "what it tests has moved or gone"


def test_the_mirror() -> None:
    assert mirror(ROOT / "srtpy/internal/seq/ranges.py") == ROOT / "tests/internal/seq/test_ranges.py"
    assert mirror(ROOT / "srtpy/conn.py") == ROOT / "tests/test_conn.py"
