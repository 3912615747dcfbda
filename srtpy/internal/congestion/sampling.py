"""How fast the application writes.

Lives here: the input rate, measured over windows of time.
Never here: what pace follows from it (live.py).
Source: libsrt congctl/buffer_tools CRateEstimator; the draft leaves the estimate open (5.1.2).
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.congestion.controller import DEFAULT_BANDWIDTH, HEADERS

FAST_WINDOW: Final[Micros] = 500 * MILLISECOND  # libsrt buffer_tools.h INPUTRATE_FAST_START_US
WINDOW: Final[Micros] = 1000 * MILLISECOND  # libsrt buffer_tools.h INPUTRATE_RUNNING_US
FAST_PACKETS: Final = 2000  # libsrt buffer_tools.h INPUTRATE_MAX_PACKETS: enough to end the first window early


class InputRate:
    """Bytes per second that are written, headers included.

    Attributes:
        rate: the latest measurement; before the first, all that live mode would allow.
        is_measured: whether there was one.
    """

    __slots__ = ("_packets", "_since", "_size", "_window", "is_measured", "rate")

    def __init__(self) -> None:
        self.rate = DEFAULT_BANDWIDTH
        self.is_measured = False
        self._window = FAST_WINDOW
        self._since: Micros | None = None
        self._packets = 0
        self._size = 0

    def wrote(self, packets: int, size: int, now: Micros) -> bool:
        """Count what was written; return whether `rate` is new."""
        if self._since is None:
            self._begin(now)
            return False
        elapsed = now - self._since
        if elapsed > 2 * self._window:
            # A pause, not a rate.  libsrt would average over it and then crawl for a second when the
            # stream comes back; the last rate is the better guess.
            self._begin(now)
            return False
        self._packets += packets
        self._size += size
        if elapsed <= self._window and not (self._window == FAST_WINDOW and self._packets > FAST_PACKETS and elapsed):
            return False
        self.rate = (self._size + HEADERS * self._packets) * SECOND // elapsed
        self.is_measured = True
        self._window = WINDOW
        self._begin(now)
        return True

    def _begin(self, now: Micros) -> None:
        self._since, self._packets, self._size = now, 0, 0
