"""What the receiver measures and tells us: how fast data arrives, what the link could carry.

Lives here: smoothing the speeds that full ACKs report; which ACKs are news.
Never here: measuring them (arrivals.py), the round trip (core), what follows from them
(controllers).
Draft: 5.2.1.2 "Delivery Rate", 3.2.4 "ACK"; the smoothing is libsrt's (core.cpp processCtrlAck, avg_iir<8>).
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import Micros
from srtpy.internal.seq.number import SequenceNumber, precedes

WEIGHT: Final = 8  # libsrt core.cpp processCtrlAck: avg_iir<8>
FIRST_DELIVERY_RATE: Final = 16  # libsrt core.cpp setInitialSndSeq, m_iDeliveryRate
FIRST_CAPACITY: Final = 1  # libsrt core.cpp open, m_iBandwidth


class Feedback:
    """Smoothed speeds at the receiver: packets per second, and bytes per second.

    Attributes:
        jitter: how much round trips vary, in microseconds; whoever measures them sets it.
    """

    __slots__ = (
        "_learnt",
        "_number",
        "_payload_size",
        "_position",
        "capacity",
        "delivery_bytes",
        "delivery_rate",
        "jitter",
    )

    def __init__(self, payload_size: int, first: SequenceNumber) -> None:
        self._payload_size = payload_size
        self._number = 0  # until the first: peers may begin to count anywhere
        self._position = first
        self._learnt = first
        self.jitter: Micros = 0
        self.capacity = FIRST_CAPACITY
        self.delivery_rate = FIRST_DELIVERY_RATE
        self.delivery_bytes = FIRST_DELIVERY_RATE * payload_size

    def reached(self, seq: SequenceNumber) -> None:
        """Record the position of a light ACK."""
        if precedes(self._position, seq):
            self._position = seq

    def is_current(self, seq: SequenceNumber, number: int) -> bool:
        """Record a numbered ACK and return whether it is not older than any before; only then its window counts.

        The position decides, as in libsrt (core.cpp processCtrlAck), and the number where the position is the
        same: an ACK that was overtaken does not close a window again.  A peer that goes by the draft does not number
        small ACKs: 0 is as new as its position.
        """
        if precedes(seq, self._position):
            return False
        if seq == self._position and number and self._number and precedes(number, self._number):
            return False
        self._position = seq
        self._number = number or self._number
        return True

    def is_progress(self, seq: SequenceNumber) -> bool:
        """Record a full ACK's position and return whether it is beyond those before; only then it teaches."""
        if not precedes(self._learnt, seq):
            return False
        self._learnt = seq
        return True

    def learn(self, rate: int, capacity: int, bytes_rate: int | None) -> None:
        """Take in one report; a peer that does not count bytes sends full packets."""
        if bytes_rate is None:
            bytes_rate = rate * self._payload_size
        self.capacity = _smoothed(self.capacity, capacity)
        self.delivery_rate = _smoothed(self.delivery_rate, rate)
        self.delivery_bytes = _smoothed(self.delivery_bytes, bytes_rate)


def _smoothed(old: int, new: int) -> int:
    return (old * (WEIGHT - 1) + new) // WEIGHT
