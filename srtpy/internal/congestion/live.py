"""LiveCC: the pace of live streams, set by a limit and not by what gets lost.

Lives here: the packet period from the bandwidth allowed, the average payload it is made
for, the window live mode asks for.
Never here: measuring the input (sampling.py), keeping the pace (pacing.py).
Draft: 5.1 "SRT Packet Pacing and Live Congestion Control (LiveCC)"; the average's weight is libsrt's
(avg_iir<128>; the draft says 1/8).

The default limit is libsrt's 125,000,000 bytes per second, and like libsrt we use whole microseconds
for it: 10 instead of 10.88 for 1,316 bytes.  A limit the user sets is kept exactly.
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import SECOND, Micros
from srtpy.internal.congestion.controller import (
    DEFAULT_BANDWIDTH,
    FROM_INPUT,
    HEADERS,
    UNLIMITED,
    Controller,
    Limits,
)
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.congestion.sampling import InputRate
from srtpy.internal.seq.number import SequenceNumber

AVERAGE_WEIGHT: Final = 128  # libsrt congctl.cpp LiveCC::updatePayloadSize, avg_iir<128>
FIRST_WINDOW: Final = 1000  # libsrt congctl.h m_dMaxCWndSize before the first bandwidth is known
SHORTEST_DEFAULT_PERIOD: Final = 10.0  # ours: microseconds a libsrt receiver needs for a packet
UNLIMITED_PERIOD: Final = 4.5  # ours: microseconds, what one core of ours can keep up with
SHORTEST_PERIOD: Final = 1.0  # ours: microseconds; nothing we run on sends faster
LEAST_MEASURED: Final = 16_000  # ours: bytes per second; from silence must not follow a pace of minutes
WARNING_FACTOR: Final = 1.125  # libsrt core.cpp processCtrl UMSG_CGWARNING
WARNED_AT_MOST: Final = 2.0  # ours: warnings until the next ACK slow down so much and no more


class LiveCC(Controller):
    """The controller of live mode."""

    waits_for_losses = False

    def __init__(self, limits: Limits, payload_size: int, flow_window: int) -> None:
        self._payload = float(payload_size)
        self._flow_window = flow_window
        self._input = InputRate()
        self._warned = 1.0
        self.limit(limits)

    def limit(self, limits: Limits) -> None:
        """Take over what the user allows from now on."""
        self.limits = limits
        self.measures_input = limits.max_bw == FROM_INPUT and not limits.input_bw
        self._reckon()

    def wrote(self, packets: int, size: int, now: Micros) -> None:
        """Measure the input, if the pace depends on it."""
        if self.measures_input and self._input.wrote(packets, size, now):
            self._reckon()

    def sent(self, packets: int, size: int) -> None:
        """Learn the average payload."""
        if size == packets * self._payload:
            return
        mean = size / packets
        kept = ((AVERAGE_WEIGHT - 1) / AVERAGE_WEIGHT) ** packets
        self._payload = mean + (self._payload - mean) * kept
        self._reckon()

    def acknowledged(self, seq: SequenceNumber, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        """End the effect of warnings: what is acknowledged has got through."""
        if self._warned != 1.0:
            self._warned = 1.0
            self._reckon()

    def lost(
        self,
        first: SequenceNumber,
        packets: int,
        waiting: int,
        next_seq: SequenceNumber,
        round_trip: Micros,
        now: Micros,
    ) -> None:
        """Live streams cannot slow down: losses change nothing."""

    def timed_out(self, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        """Live streams cannot slow down: silence changes nothing."""

    def slow_down(self) -> None:
        """Lengthen the period by an eighth, until the next acknowledgement."""
        self._warned = min(self._warned * WARNING_FACTOR, WARNED_AT_MOST)
        self._reckon()

    def _reckon(self) -> None:
        """Work out period and window anew."""
        limits = self.limits
        is_waiting = self.measures_input and not self._input.is_measured
        self.window = FIRST_WINDOW if is_waiting else self._flow_window
        self.max_bandwidth = self._bandwidth()
        if limits.max_bw == UNLIMITED:
            self.period = UNLIMITED_PERIOD * self._warned
            return
        # draft 5.1.2 "LiveCC: Pacing": PKT_SND_PERIOD = PktSize * 1000000 / MAX_BW
        period = (self._payload + HEADERS) * SECOND / self.max_bandwidth
        if limits.max_bw is None:
            period = max(float(int(period)), SHORTEST_DEFAULT_PERIOD)
        self.period = max(period, SHORTEST_PERIOD) * self._warned

    def _bandwidth(self) -> int:
        limits = self.limits
        if limits.max_bw is None:
            return DEFAULT_BANDWIDTH
        if limits.max_bw == UNLIMITED:
            return 0
        if limits.max_bw != FROM_INPUT:
            return limits.max_bw
        rate = limits.input_bw or max(limits.min_input_bw, self._input.rate, LEAST_MEASURED)
        return rate * (100 + limits.overhead) // 100
