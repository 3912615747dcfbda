"""Who may import whom.

Floors: 0 seq clock packet, 1 mechanisms, 2 machines, 3 shell, 4 the door.  A room imports
its own files and lower floors, never upward and never sideways but for the bridges named
here.  Below the shell there is no socket, thread, clock or randomness.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house.sources import module_name, parsed, python_files, relative

FLOORS = {
    **dict.fromkeys(("seq", "clock", "packet"), 0),
    **dict.fromkeys(("buffer", "tsbpd", "congestion", "crypto", "filter", "handshake"), 1),
    **dict.fromkeys(("core", "group"), 2),
    **dict.fromkeys(("mux", "session"), 3),
}
SHELL, DOOR = 3, 4
BRIDGES = {("packet", "seq"), ("packet", "clock.units"), ("group", "core"), ("session", "mux")}

# Values that happen to be public: they stand on the ground floor alone.  Any room may use the
# first four, only the shell may write a log.
PUBLIC_VALUES = {"errors", "config", "limits", "stats"}
VALUES = PUBLIC_VALUES | {"fields", "settings", "secrecy", "url", "urlvalues", "log"}
SHELL_ONLY = {"clock.monotonic"}
MACHINE = {"socket", "threading", "_thread", "queue", "time", "os", "random", "secrets", "select", "selectors"}
MACHINE |= {"asyncio", "signal", "subprocess"}
MAY_READ_THE_CLOCK = {"clock.monotonic"}


class Imports(ast.NodeVisitor):
    """Every module a file imports, and the imports that stand where none should."""

    def __init__(self, module: str, is_package: bool) -> None:
        self.module = module
        self.is_package = is_package
        self.found: set[str] = set()
        self.misplaced: list[str] = []
        self._depth = 0

    def visit_Import(self, node: ast.Import) -> None:
        self._note(node, [alias.name for alias in node.names])

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = node.module or ""
        if node.level:
            parts = self.module.split(".")
            above = parts[: len(parts) - node.level + self.is_package]
            base = ".".join(above + ([node.module] if node.module else []))
        # `from package import module` names a module too; a name that is none does no harm
        self._note(node, [base, *(f"{base}.{alias.name}" for alias in node.names)])

    def _note(self, node: ast.stmt, names: list[str]) -> None:
        self.found.update(names)
        if self._depth:
            self.misplaced.append(f"{self.module}:{node.lineno} imports {names[0]} inside a function or for types only")

    def generic_visit(self, node: ast.AST) -> None:
        hides = isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) or _is_for_types_only(node)
        self._depth += hides
        super().generic_visit(node)
        self._depth -= hides


def _is_for_types_only(node: ast.AST) -> bool:
    """Say whether this is `if TYPE_CHECKING`; other conditions, as for an optional extra, hide nothing."""
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def imports_of(module: str, tree: ast.Module, is_package: bool = False) -> Imports:
    imports = Imports(module, is_package)
    imports.visit(tree)
    return imports


def violations(module: str, tree: ast.Module, is_package: bool = False) -> list[str]:
    """Return what is wrong with a module's imports, a sentence each."""
    imports = imports_of(module, tree, is_package)
    reasons = [reason for name in sorted(imports.found) if (reason := _objection(module, name))]
    return imports.misplaced + [f"{module} imports {reason}" for reason in reasons]


def _objection(module: str, target: str) -> str | None:
    """Return why `module` must not import `target`, or nothing."""
    inner = module.removeprefix("srtpy.internal.") if module.startswith("srtpy.internal.") else None
    name = module.removeprefix("srtpy.")
    if target.split(".")[0] != "srtpy":
        is_calm = name in VALUES or (inner is not None and FLOORS.get(inner.split(".")[0], 0) < SHELL)
        if is_calm and target.split(".")[0] in MACHINE and inner not in MAY_READ_THE_CLOCK:
            return f"{target}, which belongs to the shell"
        return None
    if target.startswith("srtpy.internal."):
        wanted = target.removeprefix("srtpy.internal.")
        return _inward(inner, wanted) if inner is not None else _from_outside(name, wanted)
    if inner is not None:
        return _outward(inner, target.removeprefix("srtpy."))
    if name in VALUES and target != "srtpy" and target.removeprefix("srtpy.").split(".")[0] not in VALUES:
        return f"{target}, which is not a value"
    return None


def _inward(inner: str, wanted: str) -> str | None:
    """Judge an import from one room to another."""
    room, other = inner.split(".")[0], wanted.split(".")[0]
    if other not in FLOORS or room not in FLOORS:
        return f"{wanted}, and one of the rooms {room} and {other} has no floor"
    if any(wanted == hidden or wanted.startswith(f"{hidden}.") for hidden in SHELL_ONLY) and FLOORS[room] < SHELL:
        return f"{wanted}, which only the shell may"
    if room == other or FLOORS[other] < FLOORS[room]:
        return None
    if any(room == bridge[0] and f"{wanted}.".startswith(f"{bridge[1]}.") for bridge in BRIDGES):
        return None
    return f"{wanted}: {'up' if FLOORS[other] > FLOORS[room] else 'sideways'} from {room}"


def _from_outside(name: str, wanted: str) -> str | None:
    """Judge an import from srtpy/*.py into a room: the door knows the shell, and what time is."""
    floor = FLOORS.get(wanted.split(".")[0])
    if name.split(".")[0] == "cli":
        return f"internal.{wanted}: the command line uses what everybody can use"
    if floor == 0 and wanted.split(".")[:2] != ["clock", "monotonic"]:
        return None
    if floor == SHELL and name not in VALUES:
        return None
    return f"internal.{wanted}, past the shell"


def _outward(inner: str, target: str) -> str | None:
    """Judge an import from a room to a public module."""
    floor, public = FLOORS.get(inner.split(".")[0], 0), target.split(".")[0]
    if public in PUBLIC_VALUES and floor > 0:
        return None
    if public == "log" and floor == SHELL:
        return None
    if target == "internal" or target == "srtpy":
        return None  # the bare package, named on the way to a room that is judged by itself
    return f"{target}, the door"


@pytest.mark.parametrize("path", python_files("srtpy"), ids=relative)
def test_imports_lead_downward(path: Path) -> None:
    assert violations(module_name(path), parsed(path), path.name == "__init__.py") == []


def test_every_room_has_a_floor() -> None:
    rooms = {path.parts[-2] for path in python_files("srtpy/internal") if path.parts[-2] != "internal"}
    assert rooms <= set(FLOORS), f"give {rooms - set(FLOORS)} a floor"


@pytest.mark.parametrize(
    ("module", "source", "complaint"),
    [
        ("srtpy.internal.core.sender", "import time", "belongs to the shell"),
        ("srtpy.internal.core.sender", "from os import urandom", "belongs to the shell"),
        ("srtpy.internal.core.sender", "def f():\n    import math", "inside a function"),
        ("srtpy.internal.core.sender", "if TYPE_CHECKING:\n    import math", "inside a function or for types only"),
        ("srtpy.internal.core.sender", "from srtpy.internal.mux.mux import Mux", "up from core"),
        ("srtpy.internal.core.sender", "from srtpy.internal import mux", "up from core"),
        ("srtpy.internal.core.sender", "from ..mux import udp", "up from core"),
        ("srtpy.internal.core.sender", "import srtpy.internal.mux.udp", "up from core"),
        ("srtpy.internal.core.sender", "from srtpy.internal.clock.monotonic import now", "only the shell"),
        ("srtpy.internal.core.sender", "from srtpy.internal.clock import monotonic", "only the shell"),
        ("srtpy.internal.core.sender", "from srtpy.internal.attic.box import Box", "has no floor"),
        ("srtpy.internal.core.sender", "from srtpy.internal.group.members import Member", "sideways from core"),
        ("srtpy.internal.core.sender", "from srtpy.log import Logger", "the door"),
        ("srtpy.internal.core.sender", "from srtpy import conn", "the door"),
        ("srtpy.internal.core.sender", "from srtpy import dial", "the door"),
        ("srtpy.internal.buffer.send", "from srtpy.internal.handshake.caller import Caller", "sideways from buffer"),
        ("srtpy.internal.seq.number", "from srtpy.errors import SRTError", "the door"),
        ("srtpy.internal.seq.number", "from srtpy.internal.packet.header import HEADER", "sideways from seq"),
        ("srtpy.internal.packet.header", "from srtpy.internal.clock.monotonic import now", "only the shell"),
        ("srtpy.internal.mux.udp", "from srtpy.internal.session.session import Session", "sideways from mux"),
        ("srtpy.internal.session.session", "from srtpy.conn import Conn", "the door"),
        ("srtpy.conn", "from srtpy.internal.core.connection import Connection", "past the shell"),
        ("srtpy.config", "from srtpy.internal.session.session import Session", "past the shell"),
        ("srtpy.config", "from srtpy.conn import Conn", "not a value"),
        ("srtpy.config", "import socket", "belongs to the shell"),
        ("srtpy.cli.main", "from srtpy.internal.session.session import Session", "the command line"),
    ],
)
def test_a_planted_violation_is_found(module: str, source: str, complaint: str) -> None:
    found = violations(module, ast.parse(source))
    assert found
    assert any(complaint in line for line in found), found


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("srtpy.internal.core.sender", "from srtpy.internal.buffer.send import SendBuffer"),
        ("srtpy.internal.core.sender", "from srtpy.internal.clock.units import Micros"),
        ("srtpy.internal.core.sender", "from srtpy.config import Config"),
        ("srtpy.internal.packet.header", "from srtpy.internal.clock.units import Micros"),
        ("srtpy.internal.packet.losses", "from srtpy.internal.seq.number import span"),
        ("srtpy.internal.group.backup", "from srtpy.internal.core.connection import Connection"),
        ("srtpy.internal.session.session", "from srtpy.internal.mux.mux import Mux\nimport threading"),
        (
            "srtpy.internal.session.session",
            "from srtpy.internal.clock.monotonic import now\nfrom srtpy.log import Logger",
        ),
        ("srtpy.internal.clock.monotonic", "import time"),
        ("srtpy.conn", "from srtpy.internal.session.session import Session\nimport threading"),
        ("srtpy.config", "from srtpy.fields import whole"),
        ("srtpy.cli.screen", "if HAS_RICH:\n    from rich.console import Console"),
    ],
)
def test_what_is_allowed_passes(module: str, source: str) -> None:
    assert violations(module, ast.parse(source)) == []
