"""Handing packets to the application: in order, in time, and not at all when it is too late.

Lives here: when the receive buffer's packets become messages, skipping what is missing
when its follower's time has come, when that will be next.
Never here: the packets (buffer/receive.py), what a timestamp means (tsbpd/timebase.py),
asking again for what is missing (losses.py).
Draft: 4.5 "Timestamp-Based Packet Delivery", 4.6 "Too-Late Packet Drop", 4.7 "Drift Management".

In live mode each packet is a message, whatever its position bits say, as with libsrt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from srtpy.config import Config
from srtpy.internal.buffer.messages import Messages, Stream
from srtpy.internal.buffer.receive import Delivered, ReceiveBuffer
from srtpy.internal.clock.units import NEVER, SECOND, Micros, WireTime
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.receiver import GAP, LEFT, Finding
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.seq.number import SequenceNumber
from srtpy.internal.tsbpd.drift import DriftTracer
from srtpy.internal.tsbpd.timebase import TimeBase

__all__ = ["LARGEST_LEAD", "Delivered", "Delivery"]

LARGEST_LEAD: Final[Micros] = 10 * SECOND  # ours: a packet to be played later than that after its latency blocks nobody


class Delivery:
    """Moves packets from the receive buffer to `messages` when their time has come.

    Attributes:
        messages: what the application may read now.
        failure: why the connection cannot go on, for people; empty while it can.
        deadline: when the next packet becomes due, or what is missing before it is skipped.
    """

    __slots__ = (
        "_assembly",
        "_buffer",
        "_counters",
        "_drift",
        "_longest_wait",
        "_skips",
        "_time_base",
        "_waits_for",
        "deadline",
        "failure",
        "messages",
    )

    def __init__(
        self,
        negotiated: Negotiated,
        config: Config,
        buffer: ReceiveBuffer,
        time_base: TimeBase,
        counters: Counters,
    ) -> None:
        self._buffer = buffer
        self._time_base = time_base
        self._counters = counters
        self._assembly: Messages | Stream | None = None  # what hands over where no timestamp says when
        if not negotiated.tsbpd_receive:
            self._assembly = Messages(buffer) if negotiated.message_api else Stream(buffer)
        self.failure = ""
        self._skips = negotiated.tsbpd_receive and negotiated.tlpktdrop
        self._longest_wait = negotiated.recv_latency + LARGEST_LEAD
        self._drift = DriftTracer(time_base) if negotiated.tsbpd_receive and config.drift_tracer else None
        self._waits_for: Delivered | None = None  # the packet `deadline` is about
        self.messages = buffer.messages
        self.deadline: Micros = NEVER

    @property
    def base(self) -> SequenceNumber:
        """The first packet that is neither handed over nor given up."""
        return self._buffer.base

    def note_arrivals(self, now: Micros, findings: Sequence[Finding] = ()) -> None:
        """Learn that the buffer has changed: set the deadline, hand over nothing yet.

        Where no timestamp says when there is nothing to wait for, and what is complete is handed over at once.
        """
        if self._assembly is not None:
            self._put_together(self._assembly, findings)
            return
        first = self._buffer.first_packet()
        if first is None or first is not self._waits_for:
            self._wait_for(first, now)

    def gave_up(self, packets: int, now: Micros) -> None:
        """Learn that the sender will not send so many missing packets."""
        if self._assembly is not None:
            self._assembly.gave_up(packets)
        self.note_arrivals(now)

    def release(self, now: Micros) -> int:
        """Hand over what is due; return how many missing packets were given up for it.

        If any were, the losses before the buffer's `base` are to be forgotten, and there is
        something new to acknowledge.
        """
        if now < self.deadline and self._waits_for is not None and self._waits_for is self._buffer.first_packet():
            return 0
        if self._assembly is not None:
            return 0
        skipped = self._hand_over(now)
        if skipped:
            self._counters.note_dropped(skipped)
        return skipped

    def on_deadline(self, now: Micros) -> int:
        """Hand over what has become due, as `release`."""
        return self.release(now)

    def confirmed(self, stamp: WireTime, rtt: Micros, now: Micros) -> None:
        """Learn the peer's clock from an ACKACK that completed a round trip."""
        if self._drift is not None and self._drift.sample(stamp, rtt, now):
            self._waits_for = None

    def keepalive(self, stamp: WireTime, now: Micros) -> None:
        """Learn the peer's clock from a KEEPALIVE."""
        if self._drift is not None and self._drift.sample(stamp, None, now):
            self._waits_for = None

    def play_time(self, stamp: WireTime, now: Micros) -> Micros:
        """Return when a packet is, or was, to be played."""
        return self._time_base.play_time(stamp, now)

    def _put_together(self, assembly: Messages | Stream, findings: Sequence[Finding]) -> None:
        """Hand over what has become complete; `findings` say which holes were filled."""
        dropped = assembly.hand_over([first for _, first, _, late in findings if late not in (GAP, LEFT)])
        if dropped:
            self._counters.note_dropped(dropped)
        self.failure = assembly.failure

    def _hand_over(self, now: Micros) -> int:
        """Hand over and skip until a packet has to be waited for; return how many were missing."""
        buffer = self._buffer
        skipped = 0
        while True:
            buffer.take_due(self._time_base.horizon(now))
            first = buffer.first_packet()
            self._wait_for(first, now)
            if self.deadline > now or first is None:
                return skipped
            if self._time_base.lateness(first[3], now) < 0:  # so far ahead that it is not waited for
                buffer.refuse_first()
                self._counters.note_dropped(1)
            else:  # due, and not taken: something is missing before it
                skipped += buffer.skip()

    def _wait_for(self, first: Delivered | None, now: Micros) -> None:
        """Set the deadline by the first packet that is here."""
        self._waits_for = None
        self.deadline = NEVER
        if first is None or (self._buffer.is_blocked and not self._skips):
            return
        wait = -self._time_base.lateness(first[3], now)
        if wait > self._longest_wait:
            wait = 0
        self._waits_for = first
        self.deadline = now + wait
