"""Names for the integers that mean time.

Lives here: what an instant and a duration are inside the library, how seconds at the
public edge become microseconds and back, the 32-bit time that travels on the wire.
Never here: reading a clock (monotonic.py), placing wire time on our own (tsbpd).
Draft: 3 "Packet Structure" (the Timestamp field).
"""

from __future__ import annotations

from typing import Final, TypeAlias

Micros: TypeAlias = int
"""An instant or a duration in whole microseconds."""
WireTime: TypeAlias = int
"""A 32-bit count of microseconds since the sending socket was opened."""

MILLISECOND: Final[Micros] = 1_000  # ours: microseconds in a millisecond
SECOND: Final[Micros] = 1_000_000  # ours: microseconds in a second
NEVER: Final[Micros] = 1 << 62  # ours: a deadline that does not come; keeps min() free of None
WIRE_TIME_MASK: Final = 0xFFFFFFFF  # draft 3 "Packet Structure": Timestamp is 32 bits wide
HALF_WIRE_TIME: Final = 0x80000000  # ours: half of the circle, what counts as "later"


def from_seconds(seconds: float) -> Micros:
    """Turn seconds, as the public interface speaks them, into microseconds."""
    return round(seconds * SECOND)


def to_seconds(micros: Micros) -> float:
    """Turn microseconds into the seconds the public interface speaks."""
    return micros / SECOND


def wire_time(instant: Micros, start: Micros) -> WireTime:
    """Return the timestamp a packet made at `instant` carries, for a socket opened at `start`."""
    return (instant - start) & WIRE_TIME_MASK
