"""Every number at the top of an internal module says where it comes from.

On the same line: `# draft 3.1 "Data Packets"`, `# libsrt packet.h UDP_HDR_SIZE` or
`# ours: why`.  A section of the draft is named with its title at least once a file,
because numbers slip.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.house.sources import parsed, python_files, relative

SOURCE = re.compile(
    r"#.*?\b(?:draft (?:\d+(?:\.\d+)*|[A-Z])\b|libsrt \S+\.(?:h|cpp)\b|libsrt \S+ \S+|libsrt SRTO_\w+|ours: \S)"
)
SECTION = re.compile(r'\bdraft (\d+(?:\.\d+)*|[A-Z])\b( "[^"]+")?')


def is_numeric(value: ast.expr | None) -> bool:
    """Say whether an expression is a number, or arithmetic with at least one in it."""
    parts = [value] if value is not None else []
    numbers = 0
    while parts:
        part = parts.pop()
        if isinstance(part, ast.Constant) and type(part.value) in (int, float):
            numbers += 1
        elif isinstance(part, ast.BinOp):
            parts += [part.left, part.right]
        elif isinstance(part, ast.UnaryOp):
            parts.append(part.operand)
        elif not isinstance(part, (ast.Name, ast.Attribute)):
            return False
    return numbers > 0


def sourceless(text: str, tree: ast.Module) -> list[str]:
    """Return the numeric constants at the top of a module that do not say where they come from."""
    lines = text.splitlines()
    found = []
    for node in tree.body:
        if isinstance(node, (ast.Assign, ast.AnnAssign)) and is_numeric(node.value):
            comments = [line[line.index("#") :] for line in lines[node.lineno - 1 : node.end_lineno] if "#" in line]
            if not any(SOURCE.match(comment) for comment in comments):
                found.append(f"line {node.lineno}: {lines[node.lineno - 1]}")
    return found


def untitled(text: str) -> set[str]:
    """Return the sections of the draft that the comments of a module cite without ever giving their title."""
    comments = "\n".join(line[line.index("#") :] for line in text.splitlines() if re.match(r"[A-Z_]+\b.*=.*#", line))
    cited = {number for number, _ in SECTION.findall(comments)}
    return cited - {number for number, title in SECTION.findall(text) if title}


@pytest.mark.parametrize("path", python_files("srtpy/internal"), ids=relative)
def test_every_number_has_a_source(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert sourceless(text, parsed(path)) == []
    assert untitled(text) == set(), "cited without a title"


@pytest.mark.parametrize(
    "line",
    ["LIMIT = 5", "LIMIT: Final = 1 << 16", "LIMIT = -5  # because", "LIMIT = 3 * MILLISECOND", "LIMIT = 5  # ours:"],
)
def test_a_number_out_of_nowhere_is_found(line: str) -> None:
    assert len(sourceless(line, ast.parse(line))) == 1


@pytest.mark.parametrize(
    "line",
    [
        'LIMIT = 5  # draft 3.1 "Data Packets"',
        "LIMIT = 5  # libsrt core.h MAX_NAME: bytes",
        "LIMIT: Final = 5 * SECOND  # ours: long enough",
        'NAME = "five"',
        "FLAG = True",
        "OTHER = LIMIT",
        "HEADER = Struct('>I')",
    ],
)
def test_what_needs_no_source_or_has_one_passes(line: str) -> None:
    assert sourceless(line, ast.parse(line)) == []


def test_a_section_without_its_title_is_found() -> None:
    assert untitled("LIMIT = 5  # draft 3.1: F") == {"3.1"}
    assert untitled('FIRST = 5  # draft 3.1 "Data Packets"\nLIMIT = 5  # draft 3.1: F') == set()
