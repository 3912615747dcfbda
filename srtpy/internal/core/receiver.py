"""What arrived: data packets into the receive buffer, and what their order reveals.

Lives here: which packet enters and where: the next ones, those after a gap, late ones,
repeated ones, those too far ahead or too late; the counts of it.
Never here: asking for what is missing (losses.py), acknowledging (acks.py), when the
application gets it (delivery.py), decrypting and repairing (stages before this one).
Draft: 3.1 "Data Packets", 4.8 "Acknowledgement and Lost Packet Handling".

The very next packets, the usual case, are a run: what makes them one is seen in columns of their headers.  A run of
a stream, or one that is a message, with nothing before it that waits, is one row from the first: bytes that the
reader gets as they are.  Most messages of many packets are such a run: their last packet is shorter, and ends a read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, TypeAlias

from srtpy.internal.buffer.receive import Delivered, ReceiveBuffer
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.congestion.arrivals import Arrivals
from srtpy.internal.core.counters import Counters
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import (
    HEADER_SIZE,
    POSITION_FIRST,
    POSITION_LAST,
    POSITION_MASK,
    POSITION_SINGLE,
    RETRANSMITTED,
)
from srtpy.internal.seq.number import SEQ_HALF, SEQ_MASK, SequenceNumber, distance, precedes
from srtpy.internal.tsbpd.timebase import TimeBase

Finding: TypeAlias = tuple[int, SequenceNumber, SequenceNumber, int]
"""What one packet revealed: how many stored packets came before it, first and last number, how late.

How late is `GAP`: the numbers are missing; `LEFT`: they are given up; `RESENT`: the number arrived,
sent again; above zero: the number arrived out of order, so many behind the newest.
"""
Arrived: TypeAlias = tuple[int, Sequence[Finding]]
"""How many packets were stored, and what they revealed, in order of arrival."""
Row: TypeAlias = tuple[bytes | None, int, int, int]
"""A packet as the stages leave it: a `Delivered`, or one without a payload that can be trusted."""

GAP: Final = 0  # ours: a finding's lateness that says the numbers are missing
RESENT: Final = -1  # ours: a finding's lateness that says the packet was sent again, not reordered
LEFT: Final = -2  # ours: a finding's lateness that says nobody waits for the numbers any more
KIND_BYTE: Final = 4  # draft 3.1 "Data Packets": PP, O, KK and R are in the first byte of the second word
NEARLY_FULL: Final = 16  # ours: a buffer with more room than a 16th is not full; a packet that has none is a stray
BELATED_SHARE: Final = 0.2  # libsrt core.cpp handleSocketPacketReception: weight of a new sample of belated time
POSITION_BYTE: Final = POSITION_MASK >> 24  # ours: what of that byte is PP
FIRST_BYTE: Final = POSITION_FIRST >> 24  # ours: and what it is in a message's first packet
LAST_BYTE: Final = POSITION_LAST >> 24  # ours: and in its last

_SENT_ONCE: Final = bytes(byte for byte in range(256) if not byte << 24 & RETRANSMITTED)


class Receiver:
    """Puts data packets where they belong.

    Attributes:
        failure: why the connection cannot go on, for people; empty while it can.
        complaint: what people should know of, once; whoever tells them empties it.
    """

    __slots__ = (
        *("_arrivals", "_buffer", "_counters", "_flags_resent", "_has_complained", "_is_live", "_time_base"),
        *("_is_stream", "_refused", "_wants_all", "complaint", "failure"),
    )

    def __init__(
        self,
        negotiated: Negotiated,
        buffer: ReceiveBuffer,
        time_base: TimeBase,
        arrivals: Arrivals,
        counters: Counters,
    ) -> None:
        self._buffer = buffer
        self._time_base = time_base
        self._arrivals = arrivals
        self._counters = counters
        self._flags_resent = negotiated.peer_retransmit_flag
        self._is_live = negotiated.tsbpd_receive and negotiated.tlpktdrop
        self.failure = self.complaint = ""
        self._has_complained = False
        self._wants_all = not negotiated.tsbpd_receive
        self._is_stream = self._wants_all and not negotiated.message_api
        self._refused: SequenceNumber | None = None  # the furthest that came and was not stored

    @property
    def is_cut_short(self) -> bool:
        """Whether something is missing if nothing more comes; never where a timestamp says when, and late is lost."""
        buffer, refused = self._buffer, self._refused
        return self._wants_all and (len(buffer) > 0 or (refused is not None and distance(buffer.end, refused) >= 0))

    def accept(self, batch: Batch, now: Micros, payloads: Sequence[bytes | None] | None = None) -> Arrived:
        """Store a batch of data packets; return what it revealed.

        `payloads` replaces what the batch carries after a stage has opened it; None stands for
        a packet that could not be opened, which is dropped as if it had never arrived.
        """
        count = batch.count
        size = len(batch.data) - count * HEADER_SIZE
        counters, buffer = self._counters, self._buffer
        counters.recv_packets += count
        counters.recv_bytes += size
        if batch.times:
            self._arrivals.note_each(batch, size)
        else:
            self._arrivals.note_batch(batch.first, count, size, batch.arrived or now)
        if not self._is_next_run(batch, payloads):
            return self._accept_each(_rows(batch, payloads), now)
        if self._wants_all and not len(buffer) and (self._is_stream or _is_one_message(batch)):
            buffer.pass_on(_chunk(batch, payloads), count)
        else:
            buffer.append_run(_rows(batch, payloads))  # type: ignore[arg-type]  # no None in a run
        counters.recv_unique_packets += count
        counters.recv_unique_bytes += size if payloads is None else sum(map(len, payloads))  # type: ignore[arg-type]
        return count, ()

    def accept_rows(self, rows: Sequence[Row], now: Micros) -> Arrived:
        """Store packets that did not come in a batch: rebuilt ones, which count as unique only."""
        return self._accept_each(rows, now)

    def drop(self, first: SequenceNumber, last: SequenceNumber) -> int:
        """Heed the sender's word that it will not send `first` to `last`; return how many were given up.

        In live mode that changes nothing about the buffer: what is there is delivered, and what
        is missing is skipped in its time.  Otherwise what is missing is waited for no more.
        """
        buffer = self._buffer
        behind = (buffer.end - first) & SEQ_MASK
        beyond = (last - buffer.end) & SEQ_MASK
        if behind < SEQ_HALF and beyond < SEQ_HALF:
            buffer.open_gap(max(min(beyond + 1, buffer.limit() - len(buffer)), 0))
        if self._is_live:
            return 0
        begin = (first - buffer.base) & SEQ_MASK
        end = (last - buffer.base) & SEQ_MASK
        if end >= SEQ_HALF or (SEQ_HALF > begin >= len(buffer)):
            return 0
        given_up = buffer.give_up(0 if begin >= SEQ_HALF else begin, end)
        self._counters.note_dropped(given_up)
        return given_up

    def _is_next_run(self, batch: Batch, payloads: Sequence[bytes | None] | None) -> bool:
        """Say whether these are the very next packets in order, none sent again, all with payload, and fit."""
        buffer = self._buffer
        return (
            batch.first[0] == buffer.end
            and batch.count <= buffer.limit() - len(buffer)
            and batch.shortest > 0
            and not batch.column(KIND_BYTE).translate(None, _SENT_ONCE)
            and batch.counts_up
            and (payloads is None or all(payloads))
        )

    def _accept_each(self, rows: Iterable[Row], now: Micros) -> Arrived:
        """Store packets one by one: the complete definition of `accept`."""
        buffer = self._buffer
        counters = self._counters
        room = buffer.limit() - len(buffer)
        stored = 0
        findings: list[Finding] = []
        for row in rows:
            payload, seq, info, _ = row
            if info & RETRANSMITTED and self._flags_resent:
                counters.recv_retrans += 1
                counters.recv_retrans_bytes += len(payload or b"")
            if payload is None:
                self._note_refused(seq)
                continue
            ahead = (seq - buffer.end) & SEQ_MASK
            if room <= ahead < SEQ_HALF and self._leave_holes(stored, findings):
                room = buffer.limit()
            if ahead >= SEQ_HALF:
                if not self._accept_late(row, stored, findings, now):  # type: ignore[arg-type]  # its payload is there
                    continue
            elif ahead < room:
                if ahead:
                    counters.recv_loss += ahead
                    findings.append((stored, buffer.end, (seq - 1) & SEQ_MASK, GAP))
                    buffer.open_gap(ahead)
                buffer.append(row)  # type: ignore[arg-type]  # its payload is there
                room -= ahead + 1
            else:
                self._refuse(seq, now)
                continue
            stored += 1
            counters.recv_unique_packets += 1
            counters.recv_unique_bytes += len(payload)
            counters.recv_empty += not payload
        return stored, findings

    def _accept_late(self, row: Delivered, stored: int, findings: list[Finding], now: Micros) -> bool:
        """Store a packet that is not newer than all others; say whether it was missing."""
        payload, seq, info, stamp = row
        buffer = self._buffer
        behind = (buffer.end - seq) & SEQ_MASK
        place = len(buffer) - behind
        if place < 0:
            self._note_belated(len(payload), self._time_base.lateness(stamp, now))
            return False
        if buffer.has(place):
            self._counters.recv_duplicates += 1
            return False
        buffer.fill(place, row)
        # a peer that does not flag what it sends again tells nothing about the order of the path
        is_reordered = self._flags_resent and not info & RETRANSMITTED
        findings.append((stored, seq, seq, max(behind - 1, 1) if is_reordered else RESENT))
        return True

    def _leave_holes(self, stored: int, findings: list[Finding]) -> bool:
        """Give up a buffer full of holes, which no packet will ever push out; say whether it was one.

        Drop requests make it: each announces numbers that will not come, and nothing comes after them.
        """
        buffer = self._buffer
        if not self._is_live or not len(buffer) or buffer.first_packet() is not None:
            return False
        findings.append((stored, buffer.base, (buffer.end - 1) & SEQ_MASK, LEFT))
        self._counters.note_dropped(buffer.skip())
        return True

    def _note_belated(self, size: int, late: Micros) -> None:
        counters = self._counters
        counters.recv_belated += 1
        counters.recv_belated_bytes += size
        average = counters.belated_time_average
        counters.belated_time_average = average + BELATED_SHARE * (max(late, 0) / MILLISECOND - average)

    def _note_refused(self, seq: SequenceNumber) -> None:
        if self._refused is None or precedes(self._refused, seq):
            self._refused = seq

    def _refuse(self, seq: SequenceNumber, now: Micros) -> None:
        """Count a packet the buffer has no place for; in live mode an empty buffer means that we have lost track."""
        self._counters.out_of_window += 1
        self._note_refused(seq)
        buffer = self._buffer
        if not self._is_live:
            return
        if buffer.is_empty and not self.failure:
            self.failure = (
                f"packet {seq} came where {buffer.base} was expected:"
                f" further ahead than the receive buffer's {buffer.capacity} packets"
            )
        elif not self._has_complained and (buffer.limit() - len(buffer)) * NEARLY_FULL <= buffer.capacity:
            self._has_complained = True
            self.complaint = self._why_it_is_full(now)

    def _why_it_is_full(self, now: Micros) -> str:
        """Say for people why packets are thrown away, and what to do."""
        buffer = self._buffer
        capacity, first = buffer.capacity, buffer.first_packet()
        full = f"the receive buffer of {capacity} packets is full, and what comes is thrown away: "
        if 2 * buffer.handed_over() >= capacity or (first is not None and self._time_base.lateness(first[3], now) > 0):
            return full + "most of them wait to be read; read faster, or raise recv_buf_size and fc"
        latency = self._time_base.latency / SECOND
        return full + f"at this rate a latency of {latency:g} s takes more; raise recv_buf_size and fc"


def _is_one_message(batch: Batch) -> bool:
    """Say whether a run is all packets of one message, the first, those between and the last, and nothing else."""
    kinds, count = batch.column(KIND_BYTE), batch.count
    middle = kinds[0] & ~POSITION_BYTE
    if count == 1:
        return kinds[0] == middle | FIRST_BYTE | LAST_BYTE
    return (
        kinds[0] == middle | FIRST_BYTE
        and kinds[-1] == middle | LAST_BYTE
        and kinds.count(middle) == count - 2
        and batch.is_constant(KIND_BYTE + 3)
        and batch.is_constant(KIND_BYTE + 2)
        and batch.is_constant(KIND_BYTE + 1)
    )


def _rows(batch: Batch, payloads: Sequence[bytes | None] | None) -> list[Row]:
    """Return a row for each packet, with what a stage has made of its payload, if one has."""
    if batch.count == 1:
        seq, info, stamp, _ = batch.first
        return [(batch.data[HEADER_SIZE:] if payloads is None else payloads[0], seq, info, stamp)]
    as_they_came, seqs, infos, stamps = batch.columns()
    return list(zip(as_they_came if payloads is None else payloads, seqs, infos, stamps, strict=True))


def _chunk(batch: Batch, payloads: Sequence[bytes | None] | None) -> Delivered:
    """Return a run as one row; its words are the first's, but that it says of itself that it is whole."""
    seq, info, stamp, _ = batch.first
    body = batch.body() if payloads is None else b"".join(payloads)  # type: ignore[arg-type]  # no None in a run
    return body, seq, info if batch.count == 1 else info | POSITION_SINGLE, stamp
