"""Known answers published by other implementations' tests and documents.

`vectors.json` holds them as they were found: `source` says where, `hex` the bytes,
`expected_fields` what they mean, `independently_verified` whether somebody recomputed them.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _all() -> list[dict[str, Any]]:
    entries: list[dict[str, Any]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
    return entries


def vectors(kind: str) -> list[dict[str, Any]]:
    """Return the entries of one kind; a kind that does not exist is a mistake in the test."""
    found = [entry for entry in _all() if entry["kind"] == kind]
    if not found:
        raise LookupError(f"no vectors of kind {kind!r}; there are {sorted({entry['kind'] for entry in _all()})}")
    return found
