"""The receiving parts put together as a connection does it, for the tests of each of them."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any, cast

from srtpy.config import Config
from srtpy.internal.buffer.receive import ReceiveBuffer
from srtpy.internal.clock.units import NEVER
from srtpy.internal.congestion.arrivals import Arrivals
from srtpy.internal.core.acks import Acks
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.delivery import Delivery
from srtpy.internal.core.losses import Losses
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.receiver import Receiver
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.control import Ack
from srtpy.internal.packet.header import HEADER, HEADER_SIZE, RETRANSMITTED, ControlType, control_kind
from srtpy.internal.packet.losses import decode_losses
from srtpy.internal.seq.number import SEQ_MASK
from srtpy.internal.tsbpd.timebase import TimeBase

PEER = 0x1234
LATENCY = 120_000
SINGLE = 0xC0000000
STARTS = [0, 1000, 0x7FFFFFF0]
"""First sequence numbers; the last wraps after sixteen packets."""


def negotiated(**changes: Any) -> Negotiated:
    """What a receiving live connection has agreed on."""
    fields: dict[str, Any] = {
        "peer_socket_id": PEER,
        "recv_isn": 0,
        "mss": 1500,
        "payload_size": 1456,
        "peer_version": 0x010505,
        "recv_latency": LATENCY,
        "tsbpd_receive": True,
        "tlpktdrop": True,
        "nak_report": True,
        "peer_retransmit_flag": True,
        "peer_start": 0,
        "congestion": "live",
        "message_api": True,
        "start": 0,
    }
    return cast(Negotiated, SimpleNamespace(**(fields | changes)))


def datagram(
    seq: int, stamp: int = 0, payload: bytes | None = None, message: int | None = None, flags: int = 0
) -> bytes:
    """A data packet; by default its payload tells its sequence number, and its message number follows it."""
    seq &= SEQ_MASK
    message = (seq + 1) & 0x3FFFFFF if message is None else message
    payload = seq.to_bytes(8, "big") if payload is None else payload
    return HEADER.pack(seq, SINGLE | flags | message, stamp & 0xFFFFFFFF, 1) + payload


def batch(*datagrams: bytes) -> Batch:
    """Datagrams of one size, the last perhaps shorter, as one read."""
    return Batch(b"".join(datagrams), len(datagrams[0]))


class ReceivingSide:
    """All receiving parts of one connection; what they say lands in `outbox`."""

    def __init__(self, isn: int = 0, now: int = 0, capacity: int = 8191, loss_max_ttl: int = 0, **changes: Any) -> None:
        agreed = negotiated(recv_isn=isn, **changes)
        config = Config(loss_max_ttl=loss_max_ttl)
        self.isn = isn
        self.counters = Counters()
        self.outbox = Outbox(PEER, 0)
        self.round_trip = RoundTrip()
        self.buffer = ReceiveBuffer(isn, capacity)
        self.time_base = TimeBase(agreed.peer_start, agreed.recv_latency)
        self.arrivals = Arrivals(agreed.payload_size, now)
        self.receiver = Receiver(agreed, self.buffer, self.time_base, self.arrivals, self.counters)
        self.losses = Losses(agreed, config, self.outbox, self.counters, self.round_trip)
        self.delivery = Delivery(agreed, config, self.buffer, self.time_base, self.counters)
        self.acks = Acks(agreed, self.buffer, self.round_trip, self.arrivals, self.outbox, self.counters, now)

    def hear(self, packets: Batch, now: int) -> None:
        """Take in a batch of data packets, as a connection routes it."""
        arrived = self.receiver.accept(packets, now)
        self.losses.note(arrived, now)
        self.acks.note_arrivals(packets.count, now)
        self.delivery.note_arrivals(now, arrived[1])

    def hear_numbers(self, offsets: Iterable[int], now: int, flags: int = 0) -> None:
        """Take in packets stamped now, by their distance from the first of all, as one batch."""
        self.hear(batch(*(datagram(self.isn + offset, now, flags=flags) for offset in offsets)), now)

    def resend(self, offset: int, stamp: int, now: int) -> None:
        """Take in a packet sent again."""
        self.hear(batch(datagram(self.isn + offset, stamp, flags=RETRANSMITTED)), now)

    def release(self, now: int) -> None:
        """Hand over what is due, as a connection routes it."""
        if self.delivery.release(now):
            self.losses.forget_before(self.buffer.base)
            self.acks.note_progress(now)

    def tick(self, now: int) -> None:
        """Let all parts do what is due."""
        if self.delivery.deadline <= now:
            self.release(now)
        for part in (self.acks, self.losses):
            if part.deadline <= now:
                part.on_deadline(now)

    def next_deadline(self) -> int:
        return min(self.acks.deadline, self.losses.deadline, self.delivery.deadline)

    def run_until(self, end: int) -> None:
        """Let time pass from deadline to deadline."""
        while (due := self.next_deadline()) <= end:
            self.tick(due)
            assert self.next_deadline() > due

    def drop_request(self, first: int, last: int, now: int) -> None:
        """Heed a DROPREQ, as a connection routes it."""
        first, last = (self.isn + first) & SEQ_MASK, (self.isn + last) & SEQ_MASK
        given_up = self.receiver.drop(first, last)
        self.losses.forget(first, last)
        self.acks.note_progress(now)
        self.delivery.gave_up(given_up, now)

    @property
    def is_asleep(self) -> bool:
        return self.next_deadline() == NEVER

    def offset(self, seq: int) -> int:
        return (seq - self.isn) & SEQ_MASK

    def read(self) -> list[int]:
        """Take all messages; return how far each is from the first of all."""
        taken = []
        while self.delivery.messages:
            payload, seq, _, _ = self.delivery.messages.popleft()
            assert payload == seq.to_bytes(8, "big")
            taken.append(self.offset(seq))
        return taken

    def read_all(self) -> None:
        """Read what has been handed over, whatever it is."""
        self.delivery.messages.clear()

    def said(self) -> list[tuple[ControlType, int, bytes]]:
        """Take all control packets: type, information, body."""
        said = []
        for head, _ in self.outbox.take():
            first, information, _, peer = HEADER.unpack_from(head)
            assert peer == PEER
            said.append((ControlType(control_kind(first)), information, head[HEADER_SIZE:]))
        return said

    def said_acks(self) -> list[tuple[int, Ack]]:
        """Take all control packets; return the numbers and bodies of the acknowledgements."""
        return [(number, Ack.decode(body)) for kind, number, body in self.said() if kind == ControlType.ACK]

    def said_naks(self) -> list[list[tuple[int, int]]]:
        """Take all control packets; return the ranges of each loss report, as distances from the first of all."""
        naks = [decode_losses(body) for kind, _, body in self.said() if kind == ControlType.NAK]
        return [[(self.offset(first), self.offset(last)) for first, last in nak] for nak in naks]


def words(body: bytes) -> Sequence[int]:
    """Return a control packet's body as words."""
    return struct.unpack(f">{len(body) // 4}I", body)
