"""When a packet is to be played: the peer's timestamps on our clock.

Lives here: our clock at the peer's timestamp zero, the latency, the current drift, and the
way from a 32-bit timestamp to an instant and back.
Never here: learning the drift (drift.py), handing packets over (core/delivery.py).
Draft: 4.5 "Timestamp-Based Packet Delivery", 4.5.1.1 "Packet Delivery Time".

A timestamp comes round every 71 minutes.  It is placed at its nearest point to the time the
peer's clock must show now, which our own clock tells.  Nothing has to be remembered, so
several turns, long silence and packets reordered across a turn need no care (libsrt moves
its base inside a window of 30 s around the turn instead).
"""

from __future__ import annotations

from srtpy.internal.clock.units import HALF_WIRE_TIME, WIRE_TIME_MASK, Micros, WireTime


class TimeBase:
    """Where the peer's clock stands, shared by the parts that place its timestamps.

    Attributes:
        base: our clock at the peer's timestamp zero.
        latency: how long after that a packet is played.
        drift: what the peer's clock has moved away since, as far as `base` does not show it yet.
    """

    __slots__ = ("base", "drift", "latency")

    def __init__(self, base: Micros, latency: Micros) -> None:
        self.base = base
        self.latency = latency
        self.drift: Micros = 0

    def horizon(self, now: Micros) -> WireTime:
        """Return the timestamp of packets to be played at this moment."""
        # draft 4.5.1.1 "Packet Delivery Time": play time = base + timestamp + latency + drift
        return (now - self.base - self.latency - self.drift) & WIRE_TIME_MASK

    def lateness(self, stamp: WireTime, now: Micros) -> Micros:
        """Return how long ago a packet was to be played; negative: how long there is to wait."""
        passed = (now - self.base - self.latency - self.drift - stamp) & WIRE_TIME_MASK
        return passed if passed < HALF_WIRE_TIME else passed - WIRE_TIME_MASK - 1

    def play_time(self, stamp: WireTime, now: Micros) -> Micros:
        """Return when, on our clock, a packet is to be played."""
        return now - self.lateness(stamp, now)

    def delay(self, stamp: WireTime, now: Micros) -> Micros:
        """Return how much later than `base` has it a packet came that was stamped on leaving."""
        passed = (now - self.base - stamp) & WIRE_TIME_MASK
        return passed if passed < HALF_WIRE_TIME else passed - WIRE_TIME_MASK - 1

    def correct(self, drift: Micros, step: Micros) -> None:
        """Take a newly learnt drift, and move the base by `step`."""
        self.drift = drift
        self.base += step
