"""Rare news a connection has for whoever drives it.

Lives here: the event types `Connection.events` returns, a few in a connection's life.
Never here: data (it has its own door, `Connection.messages`), handshake outcomes (handshake).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The peer sent SHUTDOWN: nothing more will arrive."""


@dataclass(frozen=True, slots=True)
class Broken:
    """The connection cannot go on; `text` says why, for people."""

    text: str


@dataclass(frozen=True, slots=True)
class PeerFailed:
    """The peer sent PEERERROR with this code."""

    code: int


@dataclass(frozen=True, slots=True)
class Noteworthy:
    """Something people should know of, which changes nothing; `text` says what, and what to do."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """Our own closing is complete: SHUTDOWN has been queued, nothing is left to send."""


Event: TypeAlias = PeerClosed | Broken | PeerFailed | Noteworthy | Finished
