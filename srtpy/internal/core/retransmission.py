"""What is to be sent again.

Lives here: the set of packets reported lost, how soon one may be sent again after the last
time, the limit on what is sent again.
Never here: rows and datagrams (buffer, packing.py), when silence counts as loss (silence.py),
whether new packets go first (sender.py).
Draft: 4.8.2 "Packet Retransmission"; libsrt SRTO_RETRANSMITALGO.

How soon again.  An answer to a resend takes a round trip, so a report that comes earlier cannot
be about it.  libsrt's algorithm 1 waits RTT - 4 * variance, which on a jittery link is nothing;
we wait three quarters of the round trip at least, algorithm 0 half of it, and both `SHORTEST_WAIT`:
a peer that claims a round trip of nothing must not make us repeat the whole window with each report.
For the same reason reports are worth only so much work (`WORK`); those beyond are ignored, and
an honest peer, whose periodic report names everything again, does not notice.
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, Micros
from srtpy.internal.congestion.shaper import UNBOUNDED, Shaper
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber, precedes
from srtpy.internal.seq.ranges import SequenceSet

SHORTEST_WAIT: Final[Micros] = 5 * MILLISECOND  # ours: an honest report repeats itself after 20 ms at the earliest
WORK: Final = 4096  # ours: packets looked at beside twice what is on its way, before reports have to wait
AVERAGE_WEIGHT: Final = 16  # libsrt core.cpp CUDT::packUniqueData, avg_iir<16>


class Retransmission:
    """Packets to send again, earliest first.

    Attributes:
        waiting: their sequence numbers.
    """

    __slots__ = (
        "_is_eager",
        "_looked_at",
        "_looking_since",
        "_payload",
        "_repaired_to",
        "_resent",
        "_round_trip",
        "_shaper",
        "_unreported",
        "waiting",
    )

    def __init__(
        self,
        shaper: Shaper,
        round_trip: RoundTrip,
        is_eager: bool,
        payload_size: int,
        now: Micros,
        first: SequenceNumber = 0,
    ) -> None:
        """Begin with nothing lost; `first` is the number of the first packet."""
        self.waiting = SequenceSet()
        self._shaper = shaper
        self._round_trip = round_trip
        self._is_eager = is_eager
        self._payload = float(payload_size)
        self._resent: dict[SequenceNumber, Micros] = {}  # when each was last sent again
        self._looked_at = 0
        self._looking_since = now
        self._unreported = 1  # how many from the first on the next silence repeats
        self._repaired_to = first  # what was next when silence was last taken for losses

    @property
    def wait(self) -> Micros:
        """How long after a resend the same packet is not sent again."""
        smoothed = self._round_trip.smoothed
        if self._is_eager:
            return max(smoothed // 2, SHORTEST_WAIT)
        # libsrt core.cpp checkRexmitRightTime: RTT - 4 * variance; the least of it is ours
        return max(smoothed - 4 * self._round_trip.variance, 3 * smoothed // 4, SHORTEST_WAIT)

    def is_worth_looking(self, packets: int, on_their_way: int, now: Micros) -> bool:
        """Say whether a report of so many packets is looked at; see the module's docstring."""
        if now - self._looking_since >= SHORTEST_WAIT:
            self._looking_since, self._looked_at = now, 0
        self._looked_at += packets
        return self._looked_at <= 2 * on_their_way + WORK

    def report(self, base: SequenceNumber, first: int, last: int, now: Micros) -> int:
        """Take in the packets `first` to `last` places after `base`; return how many are newly lost."""
        resent = self._resent
        if not resent:
            return self.everything(base, first, last)
        horizon = now - self.wait
        get = resent.get
        seqs = [(base + place) & SEQ_MASK for place in range(first, last + 1)]
        due = [seq for seq in seqs if get(seq, horizon) <= horizon]
        if len(due) == len(seqs):
            return self.everything(base, first, last)
        return sum([self.waiting.add(seq, seq) for seq in due])

    def everything(self, base: SequenceNumber, first: int, last: int) -> int:
        """Take in the packets `first` to `last` places after `base`, however recently they were sent."""
        return self.waiting.add((base + first) & SEQ_MASK, (base + last) & SEQ_MASK)

    def overdue(self, base: SequenceNumber, sent: int, now: Micros, is_reported_once: bool) -> int:
        """Take in what silence calls lost of the `sent` packets from `base` on; return how many are newly lost.

        A receiver that reports each gap once (`is_reported_once`) has reported those that it saw.  So what it lacks is
        the first packet, what was sent again in vain, and perhaps the end: sending all the rest (libsrt
        LATEREXMIT) would, on a path that loses much, leave no room for anything else.  Only if reports were
        lost it lacks more; then each silence, until one has brought us past what was on its way, repeats twice
        as many from the first on.
        """
        last = sent - 1
        if not is_reported_once:
            return self.everything(base, 0, last)
        if precedes(base, self._repaired_to):
            self._unreported *= 2
        else:
            self._repaired_to, self._unreported = (base + sent) & SEQ_MASK, 1
        lost = self.everything(base, 0, min(self._unreported, sent) - 1)
        horizon = now - self.wait  # what left later cannot have been answered
        lost += sum([self.waiting.add(seq, seq) for seq, sent_at in self._resent.items() if sent_at <= horizon])
        return lost + self.everything(base, last, last)

    def ready(self, now: Micros) -> int:
        """Return how many may be sent again now, as far as the limit goes."""
        if not self.waiting:
            return 0
        allowed = self._shaper.allowance(self._payload, now)
        return len(self.waiting) if allowed == UNBOUNDED else min(len(self.waiting), allowed)

    @property
    def ready_at(self) -> Micros:
        """When the limit lets the next one through; follows `ready`."""
        return self._shaper.ready(self._payload) if self.waiting else NEVER

    def take(self, count: int, now: Micros) -> list[SequenceNumber]:
        """Hand over the `count` earliest."""
        pop, resent = self.waiting.pop_first, self._resent
        seqs = [pop() for _ in range(count)]
        resent.update(dict.fromkeys(seqs, now))
        return seqs

    def spent(self, packets: int, size: int) -> None:
        """Note what was really sent again."""
        self._shaper.spend(packets, size)

    def learn(self, packets: int, size: int) -> None:
        """Learn how large packets are from what leaves for the first time."""
        if size != packets * self._payload:
            mean = size / packets
            self._payload = mean + (self._payload - mean) * ((AVERAGE_WEIGHT - 1) / AVERAGE_WEIGHT) ** packets

    def forget(self, base: SequenceNumber, count: int) -> None:
        """Forget the `count` packets from `base` on: acknowledged or given up."""
        if self.waiting:
            self.waiting.discard_before((base + count) & SEQ_MASK)
        resent = self._resent
        if not resent:
            return
        pop = resent.pop
        for place in range(count):
            pop((base + place) & SEQ_MASK, None)

    def withdraw(self, first: SequenceNumber, last: SequenceNumber) -> None:
        """Forget packets in the middle: their message was given up."""
        self.waiting.remove(first, last)

    def set_limit(self, rate: int) -> None:
        """Limit what is sent again to `rate` bytes per second; 0 for no limit."""
        self._shaper.set_rate(rate)

    def fit(self) -> None:
        """Let the limit's bucket follow the round trip."""
        self._shaper.fit(self._round_trip.smoothed, self._round_trip.variance)
