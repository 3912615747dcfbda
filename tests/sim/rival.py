"""The file mode law as libsrt has it, word for word: a competitor for ours in the virtual world.

Lives here: draft 5.2's formulas with libsrt's numbers, its pace of single packets, and how a connection
of ours is made to follow both.
Never here: our own law (congestion/file.py), which departs from this one where it says so.

It is written to be compared with and not to be used: no limits, no care for silly numbers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from math import ceil, log10
from random import Random
from typing import Any

from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.congestion.controller import Controller, Limits
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.core.receiver import Arrived, Receiver
from srtpy.internal.core.retransmission import Retransmission
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import RETRANSMITTED, Header
from srtpy.internal.seq.number import SequenceNumber, forward, precedes, span

RATE_INTERVAL: Micros = 10_000
LATENESS: Micros = 10_000
TAKING = 10.0  # microseconds libsrt's receiver needs for a packet


class DraftFileCC(Controller):
    """Draft 5.2 "File Transfer Congestion Control (FileCC)", with libsrt's rule for losses of less than 2 %."""

    measures_input = False
    waits_for_losses = True

    def __init__(self, flow_window: int, first: SequenceNumber, seed: int, mss: int = 1500) -> None:
        self.limits, self.max_bandwidth = Limits(), 0
        self.period, self.window = 1.0, 16
        self._mss, self._flow_window = mss, flow_window
        self._window = 16.0
        self._starts = True
        self._stepped_at: Micros = -RATE_INTERVAL
        self._last_ack = first
        self._last_decrease = forward(first, -1)
        self._lost_at = 1.0
        self._has_lost = False
        self._naks = self._average_naks = self._decreases = 0
        self._every = 1
        self._delivery_rate = 16
        self._chance = Random(seed)

    def limit(self, limits: Limits) -> None:
        self.limits = limits

    def wrote(self, packets: int, size: int, now: Micros) -> None:
        """Nothing follows from it."""

    def sent(self, packets: int, size: int) -> None:
        """Nothing follows from it."""

    def acknowledged(self, seq: SequenceNumber, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        self._delivery_rate = feedback.delivery_rate
        if now - self._stepped_at < RATE_INTERVAL:
            return
        self._stepped_at = now
        if self._starts:
            self._window += span(self._last_ack, seq)
            self._last_ack = seq
            if self._window > self._flow_window:
                self._leave_slow_start(round_trip)
        else:
            self._window = self._delivery_rate / 1e6 * (round_trip + RATE_INTERVAL) + 16
        self.window = int(self._window)
        if self._starts:
            return
        if self._has_lost:
            self._has_lost = False
            return
        usable = min(int(2 * (1e6 / self._lost_at)), feedback.capacity)
        spare = int(usable - 1e6 / self.period)
        if self.period > self._lost_at and usable // 9 < spare:
            spare = usable // 9
        more = 1 / self._mss
        if spare > 0:
            more = max(10.0 ** ceil(log10(spare * self._mss * 8)) * 1.5e-6 / self._mss, more)
        self.period = self.period * RATE_INTERVAL / (self.period * more + RATE_INTERVAL)

    def lost(
        self,
        first: SequenceNumber,
        packets: int,
        waiting: int,
        next_seq: SequenceNumber,
        round_trip: Micros,
        now: Micros,
    ) -> None:
        self._leave_slow_start(round_trip)
        self._has_lost = True
        flight = int(round_trip / self.period)
        if not flight or waiting * 1000 // flight < 20:
            self._lost_at = self.period
            return
        if precedes(self._last_decrease, first):
            self._lost_at = self.period
            self._average_naks = ceil(self._average_naks * 0.97 + self._naks * 0.03)
            self._naks = self._decreases = 1
            self._every = self._chance.randint(1, self._average_naks) if self._average_naks > 1 else 1
        else:
            self._decreases += 1
            if self._decreases > 5:
                return
            self._naks += 1
            if self._naks % self._every:
                return
        self.period = float(ceil(self.period * 1.03))
        self._last_decrease = forward(next_seq, -1)

    def timed_out(self, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        self._delivery_rate = feedback.delivery_rate
        self._leave_slow_start(round_trip)

    def slow_down(self) -> None:
        self.period = float(ceil(self.period * 1.125))

    def _leave_slow_start(self, round_trip: Micros) -> None:
        if self._starts:
            self._starts = False
            self.period = 1e6 / self._delivery_rate if self._delivery_rate > 0 else self._window
            if not self._delivery_rate:
                self.period = self._window / (round_trip + RATE_INTERVAL)


class SinglePackets:
    """libsrt's pace: one packet each period, and what was late is made good for a while."""

    def __init__(self, now: Micros) -> None:
        self._due = float(now)

    def allowance(self, wanted: int, period: float, now: Micros) -> int:
        self._due = max(self._due, now - LATENESS)
        if self._due > now + 2 * period:
            self._due = now + 2 * period
        return 1 if now >= self._due else 0

    def spend(self, count: int, period: float, now: Micros) -> None:
        self._due += count * max(int(period), 8)  # whole microseconds; what libsrt's own thread needs for a packet

    def rest(self) -> None:
        """It goes on as before."""

    def deepen(self, period: float) -> None:
        """It sends single packets, whatever a receiver takes."""

    def overrun(self) -> None:
        """It sends single packets, whatever a receiver loses."""

    def deadline(self, wanted: int, period: float) -> Micros:
        return ceil(self._due) if wanted else NEVER


class Everything(Retransmission):
    """libsrt's LATEREXMIT: after a silence everything that is on its way is sent again."""

    __slots__ = ()

    def overdue(self, base: SequenceNumber, sent: int, now: Micros, is_reported_once: bool) -> int:
        return self.everything(base, 0, sent - 1)


class LibsrtArrivals:
    """libsrt's receiver: it takes one packet after the other, and of a burst measures its own speed.

    The rate is that of the last 16 intervals, the capacity that of the last 64 probe pairs, without what is eight
    times off the median (window.cpp).
    """

    are_pairs_known = True

    def __init__(self) -> None:
        self._intervals = deque([1e6] * 16, 16)
        self._probes = deque([1000.0] * 64, 64)
        self._last = 0.0
        self._probe = -1

    def note_batch(self, first: Header, packets: int, size: int, now: Micros) -> None:
        """Learn nothing: `LibsrtReceiver` has told of each packet."""

    def measure(self, headers: Sequence[Header], now: Micros) -> None:
        """Learn from packets that were there to be read at once."""
        for seq, info, *_ in headers:
            at = max(float(now), self._last + TAKING)
            self._intervals.append(at - self._last)
            if seq & 15 == 0:
                self._probe = seq
            elif seq & 15 == 1 and self._probe == seq - 1 and not info & RETRANSMITTED:
                self._probes.append(at - self._last)
            else:
                self._probe = -1
            self._last = at

    def speed(self) -> tuple[int, int]:
        median = sorted(self._intervals)[8]
        kept = [one for one in self._intervals if median / 8 < one < median * 8]
        rate = ceil(1e6 * len(kept) / sum(kept)) if len(kept) > 8 else 0
        return rate, rate * 1456

    def capacity(self, speed: int) -> int:
        median = sorted(self._probes)[32]
        kept = [one for one in self._probes if median / 8 < one < median * 8]
        return ceil(1e6 * (len(kept) + 1) / (sum(kept) + median))


class LibsrtReceiver(Receiver):
    """Ours, which measures each packet as libsrt does."""

    __slots__ = ()

    def accept(self, batch: Batch, now: Micros, payloads: Sequence[bytes | None] | None = None) -> Arrived:
        arrivals: Any = self._arrivals
        arrivals.measure(batch.headers, now)
        return super().accept(batch, now, payloads)


def follow_the_draft(sending: Any, receiving: Any, seed: int, now: Micros) -> None:
    """Have a fresh pair of connections send as libsrt would, and measure as its receiver would."""
    sender = sending.sender
    controller = DraftFileCC(sender.flow_window, sender.next_seq, seed)
    sender._controller = sender._departure._controller = controller
    sender._pacing = SinglePackets(now)
    again = sender._again
    again._is_eager = True
    again.__class__ = Everything
    arrivals = LibsrtArrivals()
    receiving._receiver._arrivals = receiving._acks._rates._arrivals = arrivals
    receiving._receiver.__class__ = LibsrtReceiver
