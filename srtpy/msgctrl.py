"""What travels with a message beside its bytes.

Lives here: `MsgCtrl` and `Boundary`.
Never here: reading and writing with them (conn.py), the header's layout (packet.header).
Draft: 3.1 "Data Packets".
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from srtpy.internal.packet.header import IN_ORDER, MESSAGE_MASK


class Boundary(IntEnum):
    """Where a packet stands in its message."""

    MIDDLE = 0
    LAST = 1
    FIRST = 2
    SINGLE = 3

    def __str__(self) -> str:
        return self.name.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class MsgCtrl:
    """What goes with a message.

    Attributes:
        src_time: seconds of `time.monotonic()`.  Writing: when the message came into being, None or an instant before
            the connection's start for now.  Reading: when it was due, its sender's time plus the latency.
        msg_ttl: seconds after which it is no longer worth sending (again), None for ever; writing only.
        in_order: whether it has to be delivered in order.
        boundary: SINGLE for a whole message; reading only.
        pkt_seq: the sequence number of its first packet; reading only.
        msg_no: its number, 1 to 67,108,863; reading only.
    """

    src_time: float | None = None
    msg_ttl: float | None = None
    in_order: bool = True
    boundary: Boundary = Boundary.SINGLE
    pkt_seq: int | None = None
    msg_no: int | None = None


def as_read(sequence: int, word: int, due: float) -> MsgCtrl:
    """Return what goes with a message just read, from its header's second word."""
    return MsgCtrl(
        src_time=due,
        in_order=bool(word & IN_ORDER),
        boundary=Boundary.SINGLE,
        pkt_seq=sequence,
        msg_no=word & MESSAGE_MASK,
    )
