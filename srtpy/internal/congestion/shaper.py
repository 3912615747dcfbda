"""A limit of its own for what is sent again.

Lives here: the bucket of bytes that retransmissions draw from.
Never here: what is to be sent again and when it was last (core), the pace of everything (pacing.py).
Source: libsrt core.cpp CShaper (SRTO_MAXREXMITBW); the draft has none.
"""

from __future__ import annotations

from math import ceil
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.congestion.controller import HEADERS

SPAN: Final[Micros] = 100 * MILLISECOND  # libsrt core.h CShaper BURSTPERIOD_DEFAULT
LONGEST_SPAN: Final[Micros] = 4 * SECOND  # libsrt core.cpp checkRexmit: a longer one is not believed
SMALLEST_BUCKET: Final = 1500  # libsrt core.h CShaper: room for one packet at any rate
UNBOUNDED: Final = 1 << 30  # ours: more packets than anything can hold


class Shaper:
    """Bytes that may be sent again; a rate of 0 does not limit."""

    __slots__ = ("_filled_at", "_rate", "_span", "_tokens")

    def __init__(self, rate: int, now: Micros) -> None:
        self._rate = rate
        self._span: Micros = SPAN
        self._filled_at = now
        self._tokens = self._capacity

    @property
    def _capacity(self) -> float:
        return max(self._rate * self._span / SECOND, float(SMALLEST_BUCKET))

    def set_rate(self, rate: int) -> None:
        """Limit to `rate` bytes per second from now on."""
        self._rate = rate
        self._tokens = min(self._tokens, self._capacity)

    def fit(self, round_trip: Micros, variance: Micros) -> None:
        """Let the bucket hold what half a long round trip brings at once."""
        wanted = (round_trip - variance) // 2
        self._span = wanted if SPAN < wanted < LONGEST_SPAN else SPAN

    def allowance(self, payload: float, now: Micros) -> int:
        """Return how many packets of about `payload` bytes may be sent again now."""
        if not self._rate:
            return UNBOUNDED
        filled = self._tokens + (now - self._filled_at) * self._rate / SECOND
        self._tokens = min(filled, self._capacity)
        self._filled_at = now
        return max(int(self._tokens // (payload + HEADERS)), 0)

    def spend(self, packets: int, size: int) -> None:
        """Note that `packets` with `size` bytes of payload were sent again."""
        if self._rate:
            self._tokens = max(self._tokens - size - HEADERS * packets, 1 - self._capacity)

    def ready(self, payload: float) -> Micros:
        """Return when one packet of about `payload` bytes may be sent again; follows `allowance`."""
        if not self._rate:
            return NEVER
        missing = min(payload + HEADERS, self._capacity) - self._tokens
        return self._filled_at + max(ceil(missing * SECOND / self._rate), 1)
