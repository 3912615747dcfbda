"""A file is a room with one idea, a function one thought: the limits beyond which to look for the second."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.sources import parsed, python_files, relative

FILE_LINES = 450
FUNCTION_LINES = 40
ATTRIBUTES = 15


def telling_lines(text: str) -> set[int]:
    """Return the numbers of the lines that hold code or a docstring: not empty, not a comment alone."""
    quiet = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in quiet:
            lines.update(range(token.start[0], token.end[0] + 1))
    return lines


def long_functions(text: str, tree: ast.Module) -> list[str]:
    """Return the functions that are too long, with their length."""
    telling = telling_lines(text)
    found = []
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = len(telling.intersection(range(node.lineno, (node.end_lineno or node.lineno) + 1)))
            if length > FUNCTION_LINES:
                found.append(f"{node.name} (line {node.lineno}) has {length} lines")
    return found


def attributes(node: ast.ClassDef) -> set[str]:
    """Return the attributes a class's methods give to `self`."""

    def assigned() -> Iterator[ast.expr]:
        for inner in ast.walk(node):
            if isinstance(inner, ast.Attribute) and isinstance(inner.ctx, ast.Store):
                yield inner

    return {
        target.attr
        for target in assigned()
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    }


def crowded_classes(tree: ast.Module) -> list[str]:
    """Return the classes with too many attributes."""
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    return [f"{node.name} has {len(attributes(node))}" for node in classes if len(attributes(node)) > ATTRIBUTES]


@pytest.mark.parametrize("path", python_files("srtpy", "tools", "examples"), ids=relative)
def test_within_the_limits(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= FILE_LINES, "find the second idea and give it a room"
    assert long_functions(text, parsed(path)) == []
    assert crowded_classes(parsed(path)) == []


@pytest.mark.parametrize("path", python_files("srtpy/internal"), ids=relative)
def test_a_module_says_what_room_it_is(path: Path) -> None:
    told = ast.get_docstring(parsed(path)) or ""
    assert told, "a module begins with its idea"
    if path.name != "__init__.py":
        assert "Lives here:" in told
        assert "Never here:" in told


def test_what_is_too_long_is_found() -> None:
    body = "def f():\n" + "    '''A docstring.\n\n    Two.'''\n" + "    x = 1\n\n    # why\n" * 38
    assert long_functions(body, ast.parse(body)) == ["f (line 1) has 42 lines"]
    shorter = "def f():\n" + "    x = 1\n\n    # why\n" * 39
    assert long_functions(shorter, ast.parse(shorter)) == []


def test_a_crowded_class_is_found() -> None:
    names = [f"self.a{number}" for number in range(ATTRIBUTES)]
    source = "class C:\n    def f(self):\n        " + " = ".join(names) + " = 0\n        other.b = 0\n"
    assert crowded_classes(ast.parse(source)) == []
    assert crowded_classes(ast.parse(source + "        self.z: int = 0\n")) == ["C has 16"]
