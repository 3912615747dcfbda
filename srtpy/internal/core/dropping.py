"""What will not be sent, or not again, and what the peer is told about it.

Lives here: too-late drop, messages whose time to live is over, answers to reports about
packets that are gone.
Never here: packets the peer has (sender.py), skipping on the receiving side (delivery.py).
Draft: 4.6 "Too-Late Packet Drop", 3.2.9 "Message Drop Request".

Too late.  The peer is not told (libsrt does not either): it gives the packets up by itself, or
reports them lost and hears it then.  An expired message is announced at once, also when it never left:
its numbers are used up, and the announcement saves the peer the report.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from srtpy.internal.buffer.send import SendBuffer
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.retransmission import Retransmission
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.control import DropRequest
from srtpy.internal.packet.header import ControlType
from srtpy.internal.seq.number import SEQ_HALF, SEQ_MASK, MessageNumber, SequenceNumber
from srtpy.internal.seq.ranges import SequenceSet

LEAST_AGE: Final[Micros] = 1 * SECOND  # libsrt core.h SRT_TLPKTDROP_MINTHRESHOLD_MS
MARGIN: Final[Micros] = 20 * MILLISECOND  # libsrt core.cpp sndDropTooLate: + 2 * COMM_SYN_INTERVAL_US
LOOK: Final[Micros] = 20 * MILLISECOND  # ours: of the second or more that packets have
STALE_ANSWERS: Final = 8  # ours: DROPREQs one loss report of a peer that does not play by time can draw


class Dropping:
    """Gives packets up.

    Attributes:
        look_at: before then nothing can be too late, or by `LOOK` at most; cheaper than `deadline`, for each write.
    """

    def __init__(
        self, negotiated: Negotiated, buffer: SendBuffer, again: Retransmission, outbox: Outbox, counters: Counters
    ) -> None:
        self._buffer = buffer
        self._again = again
        self._outbox = outbox
        self._counters = counters
        # libsrt announces TLPKTDROP in a response though it does not deliver by timestamp
        self._drops = negotiated.peer_tlpktdrop and negotiated.tsbpd_send and negotiated.message_api
        self._plays_by_time = negotiated.tsbpd_send and negotiated.peer_tlpktdrop
        self._peer_latency = negotiated.peer_latency
        self._age = NEVER
        self.look_at: Micros = 0

    def set_delay(self, delay: Micros) -> None:
        """Set how long after the peer's latency a packet is too late; negative: never."""
        self._age = NEVER
        self.look_at = 0
        if delay >= 0 and self._drops:
            # libsrt core.cpp sndDropTooLate; the draft's 4.6 has 1.25 * latency
            self._age = max(self._peer_latency + delay, LEAST_AGE) + MARGIN

    @property
    def deadline(self) -> Micros:
        """When the oldest packet will be too late."""
        return self._buffer.origin(0) + self._age + 1

    def too_late(self, now: Micros) -> int:
        """Let go of packets the peer cannot play any more, sent or not; return how many."""
        buffer = self._buffer
        count = buffer.count_before(now - self._age)
        if count:
            self._counters.sent_dropped += count
            self._counters.sent_dropped_bytes += buffer.size_of(count)
            self._again.forget(buffer.base, count)
            buffer.remove(count)
        self.look_at = min(self.deadline, now + LOOK)
        return count

    def expired(self, seqs: Iterable[SequenceNumber], now: Micros) -> None:
        """Give up the messages these packets belong to, and tell the peer not to wait for them.

        Neighbours share a DROPREQ where their numbers mean nothing to the peer: a stalled stream may expire by
        the thousand at one instant.
        """
        told: set[MessageNumber] = set()
        spans: list[tuple[MessageNumber, SequenceNumber, SequenceNumber]] = []
        for seq in seqs:
            number, first, last, packets, size = self._buffer.give_up(seq)
            if number in told:
                continue
            told.add(number)
            self._again.withdraw(first, last)
            self._counters.sent_dropped += packets
            self._counters.sent_dropped_bytes += size
            if self._plays_by_time and spans and first == (spans[-1][2] + 1) & SEQ_MASK:
                spans[-1] = 0, spans[-1][1], last  # libsrt core.cpp: 0 is any message
            else:
                spans.append((number, first, last))
        for number, first, last in spans:
            self._request(first, last, number, now)

    def release(self) -> int:
        """Let go of what was sent if all of it is given up: no acknowledgement is to come.  Return how many.

        A peer that does not play by time acknowledges what it hears is given up, and until then may still wait
        for it: the announcement is repeated as a packet would be.
        """
        buffer = self._buffer
        count = buffer.sent
        if not count or not self._plays_by_time or buffer.newest(count) >= 0:
            return 0
        self._again.forget(buffer.base, count)
        buffer.remove(count)
        return count

    def disown(self, stale: list[tuple[int, int]], now: Micros) -> None:
        """Tell the peer not to wait for packets we no longer have; `stale` holds places before the first row.

        libsrt answers each range by itself, so that a report of 364 numbers draws 364 packets.  A peer that
        plays by time only strikes them off its list of losses: one range covers them all.  Any other
        might let go of packets it holds, so it hears of what it named, merged, and not of more than a few.
        """
        base = self._buffer.base
        if self._plays_by_time:
            self._request((base + min(stale)[0]) & SEQ_MASK, (base - 1) & SEQ_MASK, 0, now)
            return
        named = SequenceSet()
        for first, last in stale:
            if first > 1 - SEQ_HALF:
                named.add((base + first) & SEQ_MASK, (base + last) & SEQ_MASK)
        for low, high in named.ranges()[-STALE_ANSWERS:]:
            self._request(low, high, 0, now)

    def _request(self, first: SequenceNumber, last: SequenceNumber, message: MessageNumber, now: Micros) -> None:
        self._counters.sent_drop_requests += 1
        self._outbox.control(ControlType.DROPREQ, message, DropRequest(first, last).encode(), now)
