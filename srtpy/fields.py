"""What a setting may hold: the rule behind each field of `Config`.

Lives here: `Rule` (kind, unit, range, libsrt's name), the check of a value against it, the
makers of dataclass fields that carry one, the enums they take.
Never here: the settings themselves (config.py).
"""

from __future__ import annotations

import math
import operator
import reprlib
from dataclasses import dataclass, field
from enum import Enum, IntEnum, StrEnum
from typing import Any, Final, TypeVar, cast

LONGEST: Final = 31_536_000.0
"""The longest duration taken, a year: beyond it a clock's arithmetic would need care."""
MOST_PACKETS: Final = 1 << 24
MOST_BYTES: Final = (1 << 63) - 1

T = TypeVar("T")


class CryptoMode(IntEnum):
    """How payloads are encrypted: in counter mode, or so that nobody can change them unseen (GCM)."""

    AUTO = 0
    CTR = 1
    GCM = 2

    def __str__(self) -> str:
        return self.name.lower()


class TransType(IntEnum):
    """What a connection is for: media that is played as it comes, or bulk that arrives whole."""

    LIVE = 0
    FILE = 1

    def __str__(self) -> str:
        return self.name.lower()


class CongestionType(StrEnum):
    """Who sets the pace: the input (live), or what the path can carry (file)."""

    LIVE = "live"
    FILE = "file"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a field may hold."""

    kind: str
    means: str = ""
    """What the field is for, in a few words."""
    unit: str = ""
    source: str = "ours"
    low: float = 0
    high: float = 0
    also: tuple[int, ...] = ()
    """Numbers outside the range with a meaning of their own."""
    none: bool = False
    minus_one_is_none: bool = False
    secret: bool = False
    members: type[Enum] | None = None
    """The enum whose members, or their values, are taken."""

    def allowed(self) -> str:
        """Say for people what may be assigned."""
        if self.kind in ("seconds", "whole"):
            parts = [f"{value}" for value in self.also]
            parts.append(self._range())
            text = " or ".join(parts) + f" {self.unit}"
        elif self.kind == "secret":
            text = f"{self.low:g} to {self.high:g} bytes of UTF-8, or nothing"
        elif self.kind == "choice":
            text = " or ".join(str(value) for value in self.also)
        elif self.members is not None:
            *others, last = [f"{one.name} ({one.value!r})" for one in self.members]
            text = f"a {self.members.__name__}: {', '.join(others)} or {last}"
        elif self.kind == "text":
            text = f"at most {self.high:g} bytes of UTF-8 without NUL"
        else:
            text = _KINDS[self.kind]
        return f"None or {text}" if self.none else text

    def _range(self) -> str:
        top = LONGEST if self.kind == "seconds" else MOST_BYTES
        if self.high >= top:
            return "any number of" if self.low <= -LONGEST else f"{self.low} or more"
        if self.low <= -LONGEST:
            return f"at most {self.high}"
        return f"{self.low} to {self.high}"

    def checked(self, name: str, value: object) -> object:
        """Return `value` as it is kept.

        Raises:
            TypeError: a value of the wrong type.
            ValueError: a value out of range.
        """
        if value is None and self.none:
            return None
        if self.minus_one_is_none and value == -1 and not isinstance(value, bool):
            return None
        kept = _CHECKS[self.kind](self, name, value)
        if kept is _WRONG_TYPE:
            raise TypeError(f"{name} takes {self.allowed()}, not {type(value).__name__}")
        return kept

    def wrong(self, name: str, value: object, hint: str = "") -> ValueError:
        """Return the error for a value out of range."""
        shown = "<hidden>" if self.secret else reprlib.repr(value)
        return ValueError(f"{name}={shown} is out of range: {self.allowed()}{hint}")


_WRONG_TYPE: Final = object()
_KINDS: Final = {
    "flag": "True or False",
    "version": "a version as text (1.4.0) or int (0x010400), 1.0.0 to 255.255.255",
    "logger": "a logging.Logger or an object with log(level, category, socket_id, message)",
}


def _check_seconds(rule: Rule, name: str, value: object) -> object:
    if isinstance(value, (bool, str, bytes)) or not hasattr(value, "__float__"):
        return _WRONG_TYPE
    try:
        seconds = float(cast(float, value))
    except OverflowError:
        raise rule.wrong(name, value) from None
    if seconds in rule.also or rule.low <= seconds <= rule.high:
        return seconds
    hint = ""
    if math.isfinite(seconds) and rule.low <= seconds / 1000 <= rule.high:
        hint = f"; did you mean {seconds / 1000} seconds ({seconds:g} ms)?"
    raise rule.wrong(name, value, hint)


def _check_whole(rule: Rule, name: str, value: object) -> object:
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        return _WRONG_TYPE
    number = operator.index(cast(int, value))
    if number in rule.also or rule.low <= number <= rule.high:
        return number
    raise rule.wrong(name, value)


def _check_flag(rule: Rule, name: str, value: object) -> object:
    if isinstance(value, bool):
        return value
    if rule.minus_one_is_none and value in (0, 1):
        return bool(value)
    return _WRONG_TYPE


def _check_text(rule: Rule, name: str, value: object) -> object:
    if not isinstance(value, str):
        return _WRONG_TYPE
    try:
        encoded = value.encode()
    except UnicodeEncodeError as error:
        raise rule.wrong(name, value) from error
    if b"\0" in encoded or len(encoded) > rule.high:
        raise rule.wrong(name, value, f" ({len(encoded)} bytes)")
    return value


def _check_secret(rule: Rule, name: str, value: object) -> object:
    if not isinstance(value, str):
        return _WRONG_TYPE
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        raise rule.wrong(name, value, " (it cannot be encoded)") from None
    if size and not rule.low <= size <= rule.high:
        raise rule.wrong(name, value, f" ({size} bytes)")
    return value


def _check_choice(rule: Rule, name: str, value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, int):
        return _WRONG_TYPE
    if value not in rule.also:
        raise rule.wrong(name, value)
    return int(value)


def _check_member(rule: Rule, name: str, value: object) -> object:
    assert rule.members is not None
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        return _WRONG_TYPE
    if isinstance(value, str) is not issubclass(rule.members, str):
        return _WRONG_TYPE
    try:
        return rule.members(value)
    except ValueError:
        raise rule.wrong(name, value) from None


def _check_version(rule: Rule, name: str, value: object) -> object:
    if isinstance(value, str):
        parts = value.split(".")
        if len(parts) != 3 or not all(part.isascii() and part.isdecimal() and int(part) < 256 for part in parts):
            raise rule.wrong(name, value)
        value = int(parts[0]) << 16 | int(parts[1]) << 8 | int(parts[2])
    return _check_whole(rule, name, value)


def _check_logger(rule: Rule, name: str, value: object) -> object:
    return value if callable(getattr(value, "log", None)) else _WRONG_TYPE


_CHECKS: Final = {
    "seconds": _check_seconds,
    "whole": _check_whole,
    "flag": _check_flag,
    "text": _check_text,
    "secret": _check_secret,
    "choice": _check_choice,
    "member": _check_member,
    "version": _check_version,
    "logger": _check_logger,
}


def seconds(default: T, means: str, source: str, low: float, high: float = LONGEST, **more: Any) -> T:
    """Return a field of seconds."""
    rule = Rule(kind="seconds", means=means, unit="seconds", source=source, low=low, high=high, **more)
    return field(default=default, metadata={"rule": rule})


def whole(default: T, means: str, source: str, unit: str, low: int, high: int, **more: Any) -> T:
    """Return a field of whole numbers."""
    return field(
        default=default,
        metadata={"rule": Rule(kind="whole", means=means, unit=unit, source=source, low=low, high=high, **more)},
    )


def rate(default: T, means: str, source: str, **more: Any) -> T:
    """Return a field of bytes per second."""
    return whole(default, means, source, "bytes per second", more.pop("low", 0), MOST_BYTES, **more)


def flag(default: T, means: str, source: str, **more: Any) -> T:
    """Return a field of yes or no."""
    return field(default=default, metadata={"rule": Rule(kind="flag", means=means, source=source, **more)})


def text(means: str, source: str, high: int, **more: Any) -> str:
    """Return a field of text, `high` bytes at most."""
    return field(
        default="", metadata={"rule": Rule(kind="text", means=means, unit="bytes", source=source, high=high, **more)}
    )


def secret(means: str, source: str, low: int, high: int) -> str:
    """Return a field of text that is never shown, of `low` to `high` bytes; "" for none."""
    rule = Rule(kind="secret", means=means, unit="bytes", source=source, low=low, high=high, secret=True)
    return field(default="", repr=False, metadata={"rule": rule})


def choice(default: T, means: str, source: str, values: tuple[int, ...], **more: Any) -> T:
    """Return a field of one number out of a few."""
    return field(
        default=default, metadata={"rule": Rule(kind="choice", means=means, source=source, also=values, **more)}
    )


def member(default: T, of: type[Enum], means: str, source: str, **more: Any) -> T:
    """Return a field of an enum's members."""
    return field(
        default=default, metadata={"rule": Rule(kind="member", means=means, source=source, members=of, **more)}
    )


def version(default: int, means: str, source: str) -> int:
    """Return a field of a version, 0x010400 for 1.4.0."""
    rule = Rule(kind="version", means=means, source=source, low=0x010000, high=0xFFFFFF)
    return field(default=default, metadata={"rule": rule})
