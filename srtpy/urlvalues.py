"""The values of an srt:// URL's query: each kind's units and words.

Lives here: one function a kind, from the text to what the field of `Config` takes.
Never here: which key has which kind, the URL around them (url.py), what a field may hold (fields.py).
Draft: none; libsrt's apps (uriparser.cpp, socketoptions.hpp).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

_NUMBER: Final = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))\s*([a-zA-Zµ/]*)")
_TIME_UNITS: Final = {"us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0}
_RATE_UNITS: Final = {"": 1.0, "b/s": 1.0, "bps": 1 / 8, "kbps": 1e3 / 8, "mbps": 1e6 / 8, "gbps": 1e9 / 8}
_WORDS: Final = {
    "1": True,
    "yes": True,
    "on": True,
    "true": True,
    "0": False,
    "no": False,
    "off": False,
    "false": False,
}


def _with_unit(value: str, units: Mapping[str, float], bare: float) -> float:
    found = _NUMBER.fullmatch(value)
    if not found or (found[2] and found[2].lower() not in units):
        raise ValueError(f"not a number with an optional unit ({', '.join(unit for unit in units if unit)})")
    return float(found[1]) * (units[found[2].lower()] if found[2] else bare)


def milliseconds(value: str) -> float:
    """Return seconds, from milliseconds unless a unit follows."""
    return round(_with_unit(value, _TIME_UNITS, 1e-3), 9)


def latency(value: str) -> float:
    """Return seconds, and notice what was meant otherwise."""
    seconds = milliseconds(value)
    if seconds > 65.535:
        raise ValueError(
            "more than 65535 ms; did you mean microseconds, as in ffmpeg's URLs? "
            f"Then write {value}us, or {seconds:g} here"
        )
    if 0 < seconds < 0.02:
        raise ValueError("less than 20 ms; a number without a unit is in milliseconds, 200ms and 0.2s are the same")
    return seconds


def drop_delay(value: str) -> float:
    """Return seconds; negative: off."""
    seconds = milliseconds(value)
    return -1.0 if seconds < 0 else seconds


def whole_seconds(value: str) -> float:
    """Return seconds, from seconds unless a unit follows."""
    return _with_unit(value, _TIME_UNITS, 1.0)


def rate(value: str) -> int:
    """Return bytes per second."""
    return round(_with_unit(value, _RATE_UNITS, 1.0))


def retransmission_rate(value: str) -> int:
    """Return bytes per second; libsrt writes -1 for no limit."""
    return max(rate(value), 0)


def whole(value: str) -> int:
    """Return a whole number, hexadecimal too."""
    try:
        return int(value, 0)
    except ValueError:
        raise ValueError("not a whole number") from None


def flag(value: str) -> bool:
    """Return yes or no."""
    word = _WORDS.get(value.lower())
    if word is None:
        raise ValueError(f"neither yes nor no ({', '.join(_WORDS)})")
    return word


def maybe_flag(value: str) -> bool | None:
    """Return yes, no, or None for the system's choice."""
    return None if value == "-1" else flag(value)


def trans_type(value: str) -> int:
    """Return the number of live or file."""
    if value.lower() not in ("live", "file"):
        raise ValueError("neither live nor file")
    return int(value.lower() == "file")


def congestion(value: str) -> str:
    """Return the name of a congestion control."""
    return "file" if value == "vod" else value  # libsrt congctl.cpp has both names for it


def key_length(value: str) -> int | None:
    """Return bytes of a key, None for any."""
    return whole(value or "0") or None


def crypto_mode(value: str) -> int:
    """Return the number of a way to encrypt, by number or name."""
    names = ("auto", "ctr", "gcm")
    if value.lower() in names:
        return names.index(value.lower())
    try:
        return whole(value)
    except ValueError:
        raise ValueError("not one of 0 (auto), 1 (ctr) or 2 (gcm)") from None


def version(value: str) -> int | str:
    """Return a version as it was written, or its number."""
    return value if "." in value else whole(value)


def text(value: str) -> str:
    """Return it as it is."""
    return value
