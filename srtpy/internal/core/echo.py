"""ACKACK: telling the peer that its acknowledgement arrived, so that it can time the round trip.

Lives here: which acknowledgements are echoed.
Never here: what an acknowledgement means for the send buffer (sender.py), our own ACKs (acks.py).
Draft: 3.2.8 "ACKACK"; libsrt answers one in ten milliseconds, and a repeated number always.

Of several that are taken in together, after a nap, the newest is answered: it has waited the least, so that the peer
that times the answer measures the path and not our nap, and the answer holds for all before it.  A peer that does not
number its small acknowledgements (0) times the others only.
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import MILLISECOND, Micros
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.packet.control import PADDING
from srtpy.internal.packet.header import ControlType
from srtpy.internal.seq.number import precedes

ECHO_PERIOD: Final[Micros] = 10 * MILLISECOND  # libsrt common.h COMM_SYN_INTERVAL_US


class Echo:
    """Answers numbered acknowledgements."""

    __slots__ = ("_counters", "_echoed_at", "_number", "_outbox")

    def __init__(self, outbox: Outbox, counters: Counters, now: Micros) -> None:
        self._outbox = outbox
        self._counters = counters
        self._echoed_at = now - ECHO_PERIOD - 1
        self._number = -1

    def heard(self, number: int, now: Micros) -> None:
        """Answer acknowledgement `number`, unless one was answered a moment ago."""
        if number != self._number and now - self._echoed_at <= ECHO_PERIOD:
            is_newer = number and precedes(self._number, number)  # numbers wrap as sequence numbers do
            if is_newer and self._outbox.replace_last(ControlType.ACKACK, number, PADDING, now):
                self._number = number
            return
        self._number, self._echoed_at = number, now
        self._counters.sent_ackacks += 1
        self._outbox.control(ControlType.ACKACK, number, PADDING, now)
