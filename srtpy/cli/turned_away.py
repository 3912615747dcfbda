"""What a command that listens tells about callers it did not let in.

Lives here: a logger that passes on what a listener has to say about handshakes.
Never here: why a caller is refused (the library says it, at most once a second), how a line looks on the screen.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

import srtpy


def telling(say: Callable[[str], None]) -> logging.Logger:
    """Return a logger for `Config.logger` that has `say` called with what befell callers, and drops the rest."""
    logger = logging.Logger("srtpy", logging.INFO)  # not in the hierarchy: this command's own
    logger.addHandler(_Handshakes(say))
    return logger


class _Handshakes(logging.Handler):
    """Passes on lines about handshakes."""

    def __init__(self, say: Callable[[str], None]) -> None:
        super().__init__(logging.INFO)
        self._say = say

    def emit(self, record: logging.LogRecord) -> None:
        """Say a line, if it is about a handshake."""
        if getattr(record, "category", "") == srtpy.LogCategory.HANDSHAKE:
            self._say(record.getMessage())
