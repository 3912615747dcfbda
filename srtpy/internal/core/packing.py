"""From the send buffer's columns to datagrams.

Lives here: the header of a data packet, its first time and again; where encryption joins in.
Never here: which packets leave (sender.py, retransmission.py), how payloads are encrypted (crypto).
Draft: 3.1 "Data Packets", 4.8.2 "Packet Retransmission" (the same packet with R set).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import repeat
from typing import TypeAlias

from srtpy.internal.buffer.send import Row, Run
from srtpy.internal.clock.units import NEVER, Micros, wire_time
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.header import HEADER, RETRANSMITTED, Datagram
from srtpy.internal.packet.train import couple
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber
from srtpy.limits import PACKET_OVERHEAD

Seal: TypeAlias = Callable[[SequenceNumber, list[Row]], list[Row]]
"""Encrypts a run that begins with a number: the same rows with key flags in information words, payloads sealed."""


class Packing:
    """Puts headers on packets for one peer.

    A peer that delivers by timestamp is told when a packet was written, each time the same; any
    other is told when it leaves.

    Attributes:
        payload_size: the most the application's bytes in one packet can be.
    """

    __slots__ = ("_again", "_keeps_stamps", "_peer", "_seal", "_start", "payload_size")

    def __init__(self, negotiated: Negotiated, seal: Seal | None, tag_size: int) -> None:
        self.payload_size = min(negotiated.payload_size, negotiated.mss - PACKET_OVERHEAD - tag_size)
        self._peer = negotiated.peer_socket_id
        self._start = negotiated.start
        self._keeps_stamps = negotiated.tsbpd_send
        # To a peer that does not know R the bit would be part of the message number.
        self._again = RETRANSMITTED if negotiated.peer_retransmit_flag else 0
        self._seal = seal

    @property
    def seals(self) -> bool:
        """Whether payloads change on their way out; the buffer then keeps what `sealed` returns."""
        return self._seal is not None

    def sealed(self, first: SequenceNumber, run: Run, now: Micros) -> Run:
        """Return a run as it is to be sent and kept for a resend."""
        if self._seal is None:
            return run
        stamps = run.stamps if self._keeps_stamps else repeat(wire_time(now, self._start))
        rows = self._seal(first, list(zip(run.infos, stamps, run.payloads, repeat(0), repeat(NEVER), strict=False)))
        return Run([row[0] for row in rows], [row[1] for row in rows], [row[2] for row in rows])

    def first_time(self, first: SequenceNumber, run: Run, now: Micros) -> Sequence[Datagram]:
        """Return the datagrams of a run; `first` is the number of its first packet."""
        infos, stamps, payloads = run
        count = len(payloads)
        if not self._keeps_stamps:
            stamps = [wire_time(now, self._start)] * count
        if count > 1:
            train = couple(first, infos, stamps, payloads, self._peer)
            if train is not None:
                return train
        pack, peer = HEADER.pack, self._peer
        seqs = _numbers(first, count)
        return [
            (pack(seq, info, stamp, peer), payload)
            for seq, info, stamp, payload in zip(seqs, infos, stamps, payloads, strict=True)
        ]

    def again(self, seq: SequenceNumber, row: Row, now: Micros) -> Datagram:
        """Return a packet once more: the same bytes, R set."""
        info, stamp, payload, _, _ = row
        if not self._keeps_stamps:
            stamp = wire_time(now, self._start)
        return HEADER.pack(seq, info | self._again, stamp, self._peer), payload


def _numbers(first: SequenceNumber, count: int) -> range | list[SequenceNumber]:
    if first + count <= SEQ_MASK + 1:
        return range(first, first + count)
    return [(first + step) & SEQ_MASK for step in range(count)]
