"""Stream ids: which stream a caller wants, and as whom.

Lives here: the access-control syntax `#!::key=value,key=value`, read and written.
Never here: a stream id's way through the handshake (packet), who may do what (the application).
Draft: Appendix B.1 "SRT Access Control".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final
from urllib.parse import unquote_to_bytes

PREFIX: Final = "#!::"
_LONGEST: Final = 512


class StreamMode(StrEnum):
    """What the caller wants to do."""

    REQUEST = "request"
    PUBLISH = "publish"
    BIDIRECTIONAL = "bidirectional"


class StreamType(StrEnum):
    """What kind of thing the resource is."""

    STREAM = "stream"
    FILE = "file"
    AUTH = "auth"


_KEYS: Final = {
    "u": "user_name",
    "r": "resource_name",
    "h": "host_name",
    "s": "session_id",
    "t": "type",
    "m": "mode",
}


@dataclass(frozen=True, slots=True)
class StreamIDInfo:
    """A stream id taken apart; what it does not say is "".

    `type` and `mode` are plain text and may be anything; the standard words are equal to the members
    of `StreamType` and `StreamMode`.  Without `mode`, libsrt's convention is `StreamMode.REQUEST`;
    without `type`, `StreamType.STREAM`.
    """

    user_name: str = ""
    resource_name: str = ""
    host_name: str = ""
    session_id: str = ""
    type: str = ""
    mode: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    def format(self) -> str:
        """Return the stream id that says this, in the `#!::` syntax.

        Raises:
            ValueError: a key or value that the syntax cannot hold, or more than 512 bytes.
        """
        pairs = [(key, str(getattr(self, name))) for key, name in _KEYS.items()]
        pairs = [(key, value) for key, value in pairs if value] + list(self.extra.items())
        for key, value in pairs:
            if "," in value or "," in key or "=" in key or not key:
                raise ValueError(f"{key}={value!r} cannot stand in a stream id: no commas, and no '=' in keys")
        return _checked(PREFIX + ",".join(f"{key}={value}" for key, value in pairs))


def _checked(raw: str) -> str:
    size = len(raw.encode())
    if size > _LONGEST:
        raise ValueError(f"the stream id is too long: {size} bytes, at most {_LONGEST}")
    return raw


def parse_stream_id(raw: str) -> StreamIDInfo:
    """Take a stream id apart.

    Text that does not begin with `#!::` is a resource name as it is.  Otherwise it is pairs
    `key=value` between commas, of which those without "=" are skipped; keys other than u, r, h, s,
    t and m go to `extra`.  Values are taken as they are, with one exception: some senders leave the
    id percent-encoded as it stood in their URL (`%23%21%3A%3Ar%3D…`, or just `%23!::r=…`), so one that begins
    with `#!::` only once it is decoded is taken decoded.

    Raises:
        ValueError: nothing usable after `#!::`, more than 512 bytes, or not text in UTF-8.
    """
    if not isinstance(raw, str):
        raise TypeError(f"a stream id is a str, not {type(raw).__name__}")
    _checked(raw)
    if not raw.startswith(PREFIX) and unquote_to_bytes(raw).startswith(PREFIX.encode()):
        raw = unquote_to_bytes(raw).decode()
    if not raw.startswith(PREFIX):
        return StreamIDInfo(resource_name=raw)
    known: dict[str, str] = {}
    extra: dict[str, str] = {}
    for pair in raw[len(PREFIX) :].split(","):
        key, equals, value = pair.partition("=")
        if not equals or not key:
            continue
        if key in _KEYS:
            known[_KEYS[key]] = value
        else:
            extra[key] = value
    if not known and not extra:
        raise ValueError(f"the stream id {raw!r} holds no key=value after {PREFIX}")
    return StreamIDInfo(**known, extra=extra)
