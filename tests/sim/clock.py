"""The clocks of the virtual world.

Lives here: how an end's own clock relates to the world's: an offset, a speed error.
Never here: when anything happens (world.py).
"""

from __future__ import annotations

from srtpy.internal.clock.units import NEVER, Micros

MILLION = 1_000_000


class Clock:
    """One end's clock: `offset` ahead of the world's and `drift_ppm` microseconds a second too fast.

    Instants are whole microseconds; no end sees the world's own time.
    """

    __slots__ = ("_drift_ppm", "_offset")

    def __init__(self, offset: Micros = 0, drift_ppm: int = 0) -> None:
        self._offset = offset
        self._drift_ppm = drift_ppm

    def local(self, world: Micros) -> Micros:
        """Return what this clock shows when the world's shows `world`."""
        return self._offset + world + world * self._drift_ppm // MILLION

    def world(self, local: Micros) -> Micros:
        """Return the first instant of the world at which this clock shows `local` or more."""
        if local >= NEVER:
            return NEVER
        guess = (local - self._offset) * MILLION // (MILLION + self._drift_ppm)
        while self.local(guess - 1) >= local:
            guess -= 1
        while self.local(guess) < local:
            guess += 1
        return guess
