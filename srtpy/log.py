"""Where the library's words go: levels, categories, and the bridge to `logging`.

Lives here: log levels and categories, the `Logger` protocol, the bridge to the standard
library's `logging`, and `Log`, which answers with one boolean whether anybody listens;
escaping what a peer may have written into what is told.
Never here: what is worth saying (whoever says it).  Imports nothing of srtpy, so that
every floor from the mechanisms up may take it as an argument.
"""

from __future__ import annotations

import logging
import traceback
from enum import IntEnum, StrEnum
from typing import Final, Protocol, runtime_checkable


class LogLevel(IntEnum):
    """How much a line matters."""

    DEBUG = 0
    NOTE = 1
    WARNING = 2
    ERROR = 3

    def __str__(self) -> str:
        return self.name.lower()


class LogCategory(StrEnum):
    """What a line is about; also the last part of the standard logger's name (`srtpy.<category>`)."""

    GENERAL = "general"
    CONN = "conn"
    HANDSHAKE = "handshake"
    TSBPD = "tsbpd"
    CONGESTION = "congestion"
    MUX = "mux"
    CRYPTO = "crypto"
    GROUP = "group"
    FILTER = "filter"


@runtime_checkable
class Logger(Protocol):
    """Anything that takes log lines; called from library threads, so it must not block."""

    def log(self, level: LogLevel, category: LogCategory, socket_id: int, message: str) -> None:
        """Take one line."""


STANDARD_LEVELS: Final = {
    LogLevel.DEBUG: logging.DEBUG,
    LogLevel.NOTE: logging.INFO,
    LogLevel.WARNING: logging.WARNING,
    LogLevel.ERROR: logging.ERROR,
}

logging.getLogger("srtpy").addHandler(logging.NullHandler())


def _log(logger: logging.Logger, level: LogLevel, category: LogCategory, socket_id: int, message: str) -> None:
    """Log a line; an error that no handler takes goes to the standard error output, as it would without ours.

    The handler that does nothing keeps a library from talking where nobody has asked it to.  A mistake in a user's
    callback must be seen all the same: nothing else shows it, callers are only refused.
    """
    attributes = {"category": str(category), "socket_id": socket_id}
    logger.log(STANDARD_LEVELS[level], "%s", message, extra=attributes)
    resort = logging.lastResort
    if level is LogLevel.ERROR and resort and logger.isEnabledFor(logging.ERROR) and not _is_handled(logger):
        text = f"{logger.name}: {message}"
        resort.handle(logger.makeRecord(logger.name, logging.ERROR, "", 0, text, (), None))


def _is_handled(logger: logging.Logger | None) -> bool:
    """Whether a logger's lines come to a handler that does something."""
    while logger is not None:
        if not all(isinstance(handler, logging.NullHandler) for handler in logger.handlers):
            return True
        logger = logger.parent if logger.propagate else None
    return False


class _StandardLogger:
    """Passes lines on to one `logging.Logger`, category and socket id as attributes of the record."""

    __slots__ = ("_logger",)

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def log(self, level: LogLevel, category: LogCategory, socket_id: int, message: str) -> None:
        _log(self._logger, level, category, socket_id, message)

    def is_enabled_for(self, level: LogLevel) -> bool:
        return self._logger.isEnabledFor(STANDARD_LEVELS[level])


class _CategoryLogger:
    """Passes lines on to `logging.getLogger("srtpy.<category>")`; what a connection without a logger uses."""

    __slots__ = ("_loggers",)

    def __init__(self) -> None:
        self._loggers = {category: logging.getLogger(f"srtpy.{category}") for category in LogCategory}

    def log(self, level: LogLevel, category: LogCategory, socket_id: int, message: str) -> None:
        text = f"[{socket_id}] {message}" if socket_id else message
        _log(self._loggers[category], level, category, socket_id, text)

    def is_enabled_for(self, level: LogLevel) -> bool:
        return any(logger.isEnabledFor(STANDARD_LEVELS[level]) for logger in self._loggers.values())


_BY_CATEGORY: Final = _CategoryLogger()


def std_logger(logger: logging.Logger) -> Logger:
    """Return a `Logger` that passes lines on to `logger`.

    NOTE becomes INFO; category and socket id are attributes of the record (`record.category`,
    `record.socket_id`), for use in a format or a filter.

    Raises:
        TypeError: `logger` is not a `logging.Logger`.
    """
    if not isinstance(logger, logging.Logger):
        raise TypeError(f"std_logger takes a logging.Logger, not {type(logger).__name__}")
    return _StandardLogger(logger)


def harmless(text: str) -> str:
    """Escape what a terminal would obey, what nobody would see, and what is not UTF-8; line ends and tabs stay."""
    if text.isprintable():
        return text
    return "".join([c if c.isprintable() or c in "\n\t" else c.encode("unicode_escape").decode() for c in text])


def in_a_line(error: BaseException) -> str:
    """Return an exception in one line, whatever is in it, and even if it cannot say so itself."""
    try:
        return repr(error)
    except Exception:  # noqa: BLE001 a user's exception; its name has to do
        return f"{type(error).__name__}, which cannot be shown"


def with_frames(error: BaseException) -> str:
    """Return an exception with where it happened; what it quotes may be a peer's, and stays in its line."""
    return "".join(traceback.format_tb(error.__traceback__)) + in_a_line(error)


class Log:
    """One connection's way to say something.

    Attributes:
        is_debugging: whether debug lines go anywhere; asked before a line is put together.
    """

    __slots__ = ("_logger", "_socket_id", "is_debugging")

    def __init__(self, logger: logging.Logger | Logger | None, socket_id: int = 0) -> None:
        """Take `Config.logger` as it is: a standard logger, an object with `log`, or None."""
        self._socket_id = socket_id
        target: Logger
        if logger is None:
            target, self.is_debugging = _BY_CATEGORY, _BY_CATEGORY.is_enabled_for(LogLevel.DEBUG)
        elif isinstance(logger, logging.Logger):
            target, self.is_debugging = _StandardLogger(logger), logger.isEnabledFor(logging.DEBUG)
        else:
            target, self.is_debugging = logger, True
        self._logger = target

    def debug(self, category: LogCategory, message: str) -> None:
        """Say something only a developer wants to know; ask `is_debugging` first where it is often."""
        self._say(LogLevel.DEBUG, category, message)

    def note(self, category: LogCategory, message: str) -> None:
        """Say that something normal and rare happened."""
        self._say(LogLevel.NOTE, category, message)

    def warning(self, category: LogCategory, message: str) -> None:
        """Say that something may need somebody's attention."""
        self._say(LogLevel.WARNING, category, message)

    def error(self, category: LogCategory, message: str) -> None:
        """Say that something went wrong."""
        self._say(LogLevel.ERROR, category, message)

    def _say(self, level: LogLevel, category: LogCategory, message: str) -> None:
        try:
            self._logger.log(level, category, self._socket_id, harmless(message))
        except Exception as error:  # noqa: BLE001 a user's broken logger must not end a library thread, and is told
            text = f"the logger given in Config.logger raised\n{with_frames(error)}"
            _log(logging.getLogger("srtpy.general"), LogLevel.ERROR, LogCategory.GENERAL, 0, text)
