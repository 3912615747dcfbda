"""What is missing, and asking for it.

Lives here: the set of missing packets, the report at once when a gap shows, the patience with
packets that may only be reordered.
Never here: finding gaps (receiver.py), when a report is repeated (asking.py), giving up what is
too late (delivery.py), how a report looks on the wire (packet/losses.py).
Draft: 3.2.5 "NAK (Negative Acknowledgement or Loss Report)", 4.8.2 "Packet Retransmission (NAKs)".

With the option LOSSMAXTTL a gap is not reported at once but after some more packets, the
tolerance: the path may only have changed their order.  The tolerance follows what the path
does, as in libsrt: it grows to the distance by which originals come late, and shrinks while
they come in order or early.  A repeated report does not wait for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from srtpy.config import Config
from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.core.asking import Asking, Range
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.receiver import GAP, LEFT, RESENT, Arrived, Finding
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.header import HEADER_SIZE, UDP_IP_HEADERS, ControlType
from srtpy.internal.packet.losses import encode_losses
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber, precedes
from srtpy.internal.seq.ranges import SequenceSet

ORDERED_PACKETS: Final = 50  # libsrt core.cpp processData: so many in order lower the tolerance
EARLY_PACKETS: Final = 10  # libsrt core.cpp unlose: so many reordered by less than tolerated lower it, too
EARLY_PATIENCE: Final = 2  # libsrt core.cpp unlose: early is who leaves more than this of the patience


class FreshLosses:
    """Gaps not yet reported, oldest first, each with the packets it may still wait for."""

    __slots__ = ("_records",)

    def __init__(self) -> None:
        self._records: list[tuple[SequenceNumber, SequenceNumber, int]] = []

    def __bool__(self) -> bool:
        return bool(self._records)

    def records(self) -> list[tuple[SequenceNumber, SequenceNumber, int]]:
        """Return first and last number of each gap, and its patience."""
        return list(self._records)

    def add(self, first: SequenceNumber, last: SequenceNumber, patience: int) -> None:
        """Take in a gap, later than all others."""
        self._records.append((first, last, patience))

    def age(self) -> list[tuple[SequenceNumber, SequenceNumber]]:
        """Let one packet pass; return the gaps whose patience had run out before it."""
        expired = [(first, last) for first, last, patience in self._records if patience <= 0]
        self._records = [(first, last, patience - 1) for first, last, patience in self._records if patience > 0]
        return expired

    def remove(self, seq: SequenceNumber) -> int:
        """Take out a number; return the patience its gap had left, 0 if it was in none."""
        for index, (first, last, patience) in enumerate(self._records):
            if precedes(seq, first) or precedes(last, seq):
                continue
            parts = [(first, (seq - 1) & SEQ_MASK, patience)] if seq != first else []
            if seq != last:
                parts.append(((seq + 1) & SEQ_MASK, last, patience))
            self._records[index : index + 1] = parts
            return patience
        return 0

    def forget(self, last: SequenceNumber) -> None:
        """Take out all numbers up to `last`."""
        kept = [record for record in self._records if precedes(last, record[1])]
        if kept and not precedes(last, kept[0][0]):
            kept[0] = ((last + 1) & SEQ_MASK, kept[0][1], kept[0][2])
        self._records = kept


class Losses:
    """Reports missing packets to the sender.

    Attributes:
        missing: all sequence numbers to ask for.
        tolerance: packets a gap may wait for before it is reported.
        deadline: when something missing is reported again.
    """

    def __init__(
        self,
        negotiated: Negotiated,
        config: Config,
        outbox: Outbox,
        counters: Counters,
        round_trip: RoundTrip,
    ) -> None:
        self._outbox = outbox
        self._counters = counters
        self._asking = Asking(round_trip)
        self._limit_words = (negotiated.mss - UDP_IP_HEADERS - HEADER_SIZE) // 4
        self._repeats = negotiated.nak_report
        # a peer that does not flag what it sends again leaves nothing to tell reordered from resent
        self._knows_order = negotiated.peer_retransmit_flag
        self._largest_tolerance = self.tolerance = config.loss_max_ttl if self._knows_order else 0
        self._fresh = FreshLosses()
        self._ordered = 0  # packets in a row that were not reordered
        self._early = 0  # packets reordered by less than tolerated
        self.missing = SequenceSet()
        self.deadline: Micros = NEVER

    def note(self, arrived: Arrived, now: Micros) -> None:
        """Learn what a batch revealed, and report new gaps that need no patience."""
        stored, findings = arrived
        if self._largest_tolerance or self._fresh:
            self._note_each(stored, findings, now)
        elif findings:
            fresh = SequenceSet()
            for _, first, last, late in findings:
                if late == GAP:
                    fresh.add(first, last)
                    self.missing.add(first, last)
                else:
                    fresh.remove(first, last)
                    self.missing.remove(first, last)
                    self._note_distance(late)
            gaps = fresh.ranges()
            self._ask(gaps, gaps, now)
        if self.missing or self.deadline != NEVER:
            self._rearm()

    def forget(self, first: SequenceNumber, last: SequenceNumber) -> None:
        """Ask no more for `first` to `last`: the sender will not send them."""
        self.missing.remove(first, last)
        if self._fresh:
            self._fresh.forget(last)
        self._rearm()

    def forget_before(self, seq: SequenceNumber) -> None:
        """Ask no more for what precedes `seq`: it would come too late."""
        self.missing.discard_before(seq)
        if self._fresh:
            self._fresh.forget((seq - 1) & SEQ_MASK)
        self._rearm()

    def on_deadline(self, now: Micros) -> None:
        """Report again what is missing for too long."""
        self._report(self._asking.take(self.missing, now), now)
        self._rearm()

    def set_largest_tolerance(self, packets: int) -> None:
        """Change the option LOSSMAXTTL; the tolerance starts from there."""
        if self._knows_order:
            self._largest_tolerance = self.tolerance = packets

    def _rearm(self) -> None:
        """Set the time of the next repetition; libsrt makes the first wait 300 ms, we do not."""
        if self.missing:
            self.deadline = self._asking.deadline
        else:
            self._asking.clear()
            self.deadline = NEVER

    def _ask(self, found: list[Range], ripe: list[Range], now: Micros) -> None:
        """Report gaps that are `ripe`, and along with them what is due again; `found` begin their rounds."""
        if ripe:
            again = self._asking.take(self.missing, now)
            self._report(ripe + again, now)
        if not self._repeats:
            return
        if found:
            self._asking.begin(found, now)
        if ripe:
            self._asking.repeat(ripe, now)

    def _report(self, ranges: list[Range], now: Micros) -> None:
        if len(ranges) > 1:
            merged = SequenceSet()
            for first, last in ranges:
                merged.add(first, last)
            ranges = merged.ranges()
        for body in encode_losses(ranges, self._limit_words):
            self._counters.sent_naks += 1
            self._outbox.control(ControlType.NAK, 0, body, now)

    def _note_distance(self, late: int) -> None:
        if late > self._counters.reorder_distance:
            self._counters.reorder_distance = late

    # with a tolerance: packet by packet

    def _note_each(self, stored: int, findings: Sequence[Finding], now: Micros) -> None:
        """Take in a batch in the order its packets came, and report the gaps that have waited long enough."""
        found: list[Range] = []
        expired: list[Range] = []
        passed = 0
        for before, first, last, late in findings:
            self._pass(before - passed, expired)
            if late == GAP:
                self.missing.add(first, last)
                found.append((first, last))
                if self.tolerance:
                    self._fresh.add(first, last, self.tolerance)
                else:
                    expired.append((first, last))
            elif late == LEFT:
                self.forget(first, last)
                passed = before
                continue
            else:
                self._note_late(first, late)
            expired += self._fresh.age()
            if late <= GAP:
                self._note_ordered(1)
            passed = before + 1
        self._pass(stored - passed, expired)
        self._ask(found, expired, now)

    def _pass(self, count: int, expired: list[Range]) -> None:
        """Let `count` packets pass that came in order."""
        while count and self._fresh:
            expired += self._fresh.age()
            self._note_ordered(1)
            count -= 1
        self._note_ordered(count)

    def _note_late(self, seq: SequenceNumber, late: int) -> None:
        """Learn from a packet that fills a hole how much reordering the path does."""
        self.missing.remove(seq, seq)
        patience = self._fresh.remove(seq)
        if late == RESENT:
            return
        self._note_distance(late)
        self._ordered = 0
        if late > self.tolerance:
            self.tolerance = min(late, self._largest_tolerance)
            self._early = 0
        elif patience > EARLY_PATIENCE:
            self._early += 1
            if self._early >= EARLY_PACKETS:
                self._early = 0
                self._lower_tolerance(1)

    def _note_ordered(self, count: int) -> None:
        steps, self._ordered = divmod(self._ordered + count, ORDERED_PACKETS)
        if steps:
            self._lower_tolerance(steps)

    def _lower_tolerance(self, steps: int) -> None:
        steps = min(steps, self.tolerance)
        self.tolerance -= steps
        # libsrt core.cpp processData: the distance in the statistics follows
        self._counters.reorder_distance = max(self._counters.reorder_distance - steps, 0)
