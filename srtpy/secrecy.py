"""Text that does not show itself.

Lives here: `Secret`, a `str` whose `repr` is nothing of it; hiding what came in as plain text.
Never here: passphrases' lengths (settings.py), what is derived of them (internal/crypto).

Tracebacks are printed, and sent to people who collect errors, with the values of local variables in
them.  So a passphrase is wrapped where it comes in, before anything can fail, and the frame that got
it in the clear forgets it.  What the user's own frames hold is the user's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, cast

HIDDEN: Final = "<hidden>"
SECRET_FIELDS: Final = ("passphrase",)


class Secret(str):
    """Text as any other, but for its `repr`."""

    __slots__ = ()

    def __repr__(self) -> str:
        return HIDDEN


def hide(fields: Mapping[str, Any]) -> None:
    """Wrap what is secret among the fields of a `Config`, in place; a mapping that is a call's own keywords."""
    for name in SECRET_FIELDS:
        value = fields.get(name)
        if isinstance(value, str) and not isinstance(value, Secret):
            cast(dict[str, Any], fields)[name] = Secret(value)


def redacted(text: str) -> str:
    """Return text that may be a damaged URL, cut where a secret of it would begin."""
    low = text.lower()
    ends = [low.index(name) for name in SECRET_FIELDS if name in low]
    return text[: min(ends)] + HIDDEN if ends else text
