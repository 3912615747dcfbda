"""The round trip: how long an answer takes, smoothed.

Lives here: the smoothed round-trip time and its variance, and the two ways they learn.
Never here: when a sample is taken (acks.py; handshake.timing for the first), what timers make of it
(sender.py, losses.py).
Draft: 4.10 "Round-Trip Time Estimation".
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros

INITIAL_RTT: Final[Micros] = 100 * MILLISECOND  # draft 4.10 "Round-Trip Time Estimation"
INITIAL_VARIANCE: Final[Micros] = 50 * MILLISECOND  # draft 4.10 "Round-Trip Time Estimation"
LARGEST_RTT: Final[Micros] = 10 * SECOND  # ours: a peer's claim must not push our timers out of sight
# ours: the shorter of two round trips is nearly the way's.  Simulated at 15 % loss and 20 to 100 ms, a caller gives up
# 12 to 80 % fewer of the first second's packets than without; with half, as of a first sample, more beyond 100 ms
STEADY: Final = 8  # ours: see above


class RoundTrip:
    """Round-trip time of one connection, shared by its parts; guarded by whoever drives them.

    Attributes:
        smoothed, variance: what timers go by.
        is_known: whether they are of this path, and not what everybody begins with.
    """

    __slots__ = ("_is_measured", "is_known", "smoothed", "variance")

    def __init__(self, handshake: Micros = 0) -> None:
        """Begin; `handshake` is what the handshake's round trip took, if that is known.

        It stands in until the first sample or report, which replaces it: it may have waited for a busy listener.
        """
        self.smoothed: Micros = INITIAL_RTT
        self.variance: Micros = INITIAL_VARIANCE
        self._is_measured = False
        self.is_known = handshake > 0
        if self.is_known:
            self.smoothed = min(handshake, LARGEST_RTT)
            self.variance = self.smoothed // STEADY

    def sample(self, taken: Micros) -> None:
        """Learn from a round trip of our own measuring (ACK to ACKACK)."""
        taken = min(max(taken, 1), LARGEST_RTT)
        if not self._is_measured:
            self.smoothed, self.variance, self._is_measured = taken, taken // 2, True
            self.is_known = True
            return
        # draft 4.10 "Round-Trip Time Estimation", in libsrt's order: the variance first, whole microseconds
        self.variance = (3 * self.variance + abs(taken - self.smoothed)) // 4
        self.smoothed = (7 * self.smoothed + taken) // 8

    def report(self, smoothed: Micros, variance: Micros, is_receiving: bool) -> None:
        """Learn from what the peer reports in a full ACK.

        A peer that has measured nothing yet reports the initial values; they teach nothing.
        A side that receives data too measures for itself and only lets the report weigh in.
        """
        if not 0 < smoothed <= LARGEST_RTT or not 0 <= variance <= LARGEST_RTT:
            return
        if self._is_initial(smoothed, variance):
            return
        if self._is_measured and is_receiving:
            self.sample(smoothed)
            return
        self.smoothed, self.variance, self._is_measured = smoothed, variance, True
        self.is_known = True

    def _is_initial(self, smoothed: Micros, variance: Micros) -> bool:
        if not self._is_measured:
            return smoothed == INITIAL_RTT or variance == INITIAL_VARIANCE
        return smoothed == INITIAL_RTT and variance == INITIAL_VARIANCE

    @property
    def patience(self) -> Micros:
        """How long an answer may take before it counts as missing: RTT + 4 x variance."""
        return self.smoothed + 4 * self.variance
