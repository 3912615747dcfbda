"""The bodies of the small control packets: ACK, DROPREQ, and those that carry nothing.

Lives here: the fields of an ACK in each of its sizes, the range of a DROPREQ, the padding
of bodies that say nothing.
Never here: loss reports (losses.py), handshakes (handshake.py), key material
(keymaterial.py); what is in the header's information word (ACK number, message number,
error code: header.py); when to send any of them (core).
Draft: 3.2.4 "ACK (Acknowledgment)", 3.2.9 "Message Drop Request", 3.2.3, 3.2.6 to 3.2.8, 3.2.10.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple, Self

from srtpy.internal.packet.header import MalformedPacket
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber, precedes

PADDING: Final = bytes(4)
"""The body of KEEPALIVE, ACKACK, SHUTDOWN, PEERERROR and CONGESTION_WARNING.

The draft gives them none; libsrt always sends one word, and some peers expect it.
"""

LARGEST_WORD: Final = (1 << 32) - 1  # ours: a field of an ACK is 32 bits wide

# Light, small, and with the receiving speed alone; then libsrt's by version: before 1.0.2, from 1.0.3 on, 1.0.2.
_ACK_LAYOUTS: Final = {4 * words: Struct(f">{words}I") for words in (1, 4, 5, 6, 7, 8)}
_RANGE: Final = Struct(">II")


class Ack(NamedTuple):
    """What an ACK says; each later field is there only if those before it are.

    A named tuple, because a stream brings a hundred a second: it is made in a fifth of a dataclass's time.

    Attributes:
        seq: the first sequence number that is not acknowledged.
        rtt: the receiver's smoothed round trip in microseconds.
        rtt_variance: its variance in microseconds.
        available: free places in the receiver's buffer, in packets.
        receive_rate: packets per second that arrive.
        capacity: estimated capacity of the link in packets per second.
        receive_bytes_rate: bytes per second that arrive, headers included.
        send_rate: bytes per second, from libsrt 1.0.2 alone.
    """

    seq: SequenceNumber
    rtt: int | None = None
    rtt_variance: int | None = None
    available: int | None = None
    receive_rate: int | None = None
    capacity: int | None = None
    receive_bytes_rate: int | None = None
    send_rate: int | None = None

    @property
    def is_light(self) -> bool:
        """Whether this only moves the acknowledged position: it has no number and gets no ACKACK."""
        return self.rtt is None

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read an ACK of any size in use.

        Raises:
            MalformedPacket: no ACK has this length, or the sequence number is none.
        """
        layout = _ACK_LAYOUTS.get(len(body))
        if layout is None:
            raise MalformedPacket(f"an ACK of {len(body)} bytes; there are {', '.join(map(str, _ACK_LAYOUTS))}")
        ack = cls(*layout.unpack(body))
        if ack.seq > SEQ_MASK:
            raise MalformedPacket(f"an ACK for {ack.seq:#x}, which is no sequence number")
        return ack

    def encode(self) -> bytes:
        """Return the body; what does not fit into its field says the most the field can.

        Raises:
            ValueError: the fields present are not those of an ACK.
        """
        present = [min(field, LARGEST_WORD) for field in self if field is not None]
        layout = _ACK_LAYOUTS.get(4 * len(present))
        if layout is None or None in self[: len(present)]:
            raise ValueError(f"not the fields of an ACK of any size: {self}")
        return layout.pack(*present)


@dataclass(frozen=True, slots=True)
class DropRequest:
    """Packets the sender will not send (again), both ends included; the message number is in the header."""

    first: SequenceNumber
    last: SequenceNumber

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read the range.

        Raises:
            MalformedPacket: not two sequence numbers, or the last precedes the first.
        """
        if len(body) != _RANGE.size:
            raise MalformedPacket(f"a DROPREQ of {len(body)} bytes instead of {_RANGE.size}")
        first, last = _RANGE.unpack(body)
        if first > SEQ_MASK or last > SEQ_MASK or precedes(last, first):
            raise MalformedPacket(f"a DROPREQ for {first:#x} to {last:#x}, which is no range of sequence numbers")
        return cls(first, last)

    def encode(self) -> bytes:
        """Return the body."""
        return _RANGE.pack(self.first, self.last)
