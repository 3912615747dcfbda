"""Which names from the network may become files, and how any name is shown.

Lives here: the rules for a relative path that somebody else chose; making text safe for a terminal.
Never here: opening anything (file_store.py does, and follows no link on the way).
"""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from typing import Final

LONGEST_PART: Final = 255  # bytes of one component, on every file system that matters
DEEPEST: Final = 64  # components
PARTIAL: Final = ".srtpy-part"
"""How the name of a file ends that is not complete yet."""

_DRIVE: Final = re.compile(r"[A-Za-z]:")


class UnsafeName(ValueError):
    """A name that must not become a file here; the text says why."""


def parts_of(name: bytes) -> tuple[str, ...]:
    """Return the components of a relative path that came from the network.

    Raises:
        UnsafeName: it leads elsewhere, or holds what a name should not.
    """
    parts = tuple(os.fsdecode(name).split("/"))
    if len(parts) > DEEPEST:
        raise UnsafeName(f"more than {DEEPEST} folders deep")
    for part in parts:
        _check(part)
    if _DRIVE.match(parts[0]):
        raise UnsafeName("it begins with a drive letter")
    return parts


def _check(part: str) -> None:
    if not part:
        raise UnsafeName("it is absolute, or has an empty component")
    if part in (".", ".."):
        raise UnsafeName("it has a component . or ..")
    if "\\" in part:
        raise UnsafeName("it has a backslash, which some systems take for a separator")
    if any(unicodedata.category(letter) == "Cc" for letter in part):
        raise UnsafeName("it has control characters")
    if len(os.fsencode(part)) > LONGEST_PART:
        raise UnsafeName(f"a component has more than {LONGEST_PART} bytes")
    if part.endswith(PARTIAL):
        raise UnsafeName(f"{PARTIAL} is how incomplete files end here")


def partial_name(name: str) -> str:
    """Return the name under which a file grows until it is complete: beside it, hidden, never a name of its own."""
    partial = f".{name}{PARTIAL}"
    if len(os.fsencode(partial)) <= LONGEST_PART:
        return partial
    return f".{hashlib.sha256(os.fsencode(name)).hexdigest()}{PARTIAL}"


def shown(name: str | bytes) -> str:
    """Return a name as it can be printed: what would move the cursor, or is no text, is escaped."""
    text = os.fsdecode(name)
    return "".join(letter if letter.isprintable() else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    code = ord(letter)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
