"""Acknowledgements: telling the sender what has arrived, and timing the echo.

Lives here: the full ACK every ten milliseconds in which something came, the light ACK every 64
packets, when an ACK is repeated or left unsaid, ACK numbers and when each left, the round
trip an ACKACK completes.
Never here: which packets arrived (receiver.py), which are missing (losses.py), how an ACK
looks on the wire (packet/control.py), smoothing the round trip (roundtrip.py).
Draft: 3.2.4 "ACK (Acknowledgment)", 3.2.8 "ACKACK", 4.8.1 "Packet Acknowledgement", 4.10 "Round-Trip Time Estimation".

libsrt looks every ten milliseconds whether there is something to say.  Here a packet that comes
so long after the last ACK is acknowledged at once, for who takes it in is awake anyway; one that comes
sooner sets the deadline of the next.  So a connection at rest is not woken.  Where a sender's pace
depends on the rates an ACK tells, packets are given ten milliseconds to come.

A sender of files that has filled its window is told twice that it may go on: first of all but the last packet.  In
libsrt up to 1.5.1 (core.cpp processCtrlAck) the thread that sends may wake before the window has moved, and find it
full; nothing wakes it again before the next acknowledgement that says something new, or its timeout, which ends
its slow start at whatever speed it has heard of by then.
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.buffer.receive import ReceiveBuffer
from srtpy.internal.clock.units import MILLISECOND, NEVER, Micros
from srtpy.internal.congestion.arrivals import Arrivals
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.leisure import LONGEST
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.handshake.negotiation import LIVE, Negotiated
from srtpy.internal.packet.control import Ack
from srtpy.internal.packet.header import ControlType
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber, distance, precedes

FULL_ACK_PERIOD: Final[Micros] = 10 * MILLISECOND  # draft 4.8.1 "Packet Acknowledgement"
LIGHT_ACK_PACKETS: Final = 64  # draft 4.8.1 "Packet Acknowledgement"
LAST_ACK_NUMBER: Final = (1 << 31) - 1  # libsrt common.h CAckNo: 0 follows it
# ours: libsrt's 300 ms before the first echo are long where it is lost and every timer waits for what it tells
FIRST_PATIENCE: Final[Micros] = 50 * MILLISECOND  # ours: see above; twice as long each time
LAST_DOUBLING: Final = 4  # ours: of that patience, up to libsrt's
JOURNAL_SIZE: Final = 1024  # libsrt core.h ACK_WND_SIZE
REOPENED: Final = 2  # ours: a window that has grown by more than this factor since it was last told is news
# ours: Where the kernel joins packets there are no probe pairs, and a file's sender does not grow beyond the capacity
# it is told.  So what arrives must not be all we say; where nothing is lost there is room for more.
HOPE: Final = 2  # ours: see above
REPEATED: Final = 7  # ours: of eight live ACKs; reckoning costs as much as the rest of an ACK
ENDLESS: Final = 1 << 31  # ours: packets; more than any window
NEAR: Final[Micros] = MILLISECOND  # ours: on so short a way what we are late to read lies in the kernel, not on its way
VERSION_LONG: Final = 0x010002  # libsrt core.cpp sendCtrlAck: the one version that wants the sending rate too
VERSION_FULL: Final = 0x010003  # libsrt core.cpp sendCtrlAck: from here on seven words; before, six


class Journal:
    """Acknowledgements said and not yet echoed: number -> position and time."""

    __slots__ = ("_number", "_said")

    def __init__(self) -> None:
        self._number = 0
        self._said: dict[int, tuple[SequenceNumber, Micros]] = {}

    def enter(self, seq: SequenceNumber, now: Micros) -> int:
        """Return the number of a new acknowledgement of all before `seq`."""
        self._number = self._number + 1 if self._number < LAST_ACK_NUMBER else 0
        self._said[self._number] = seq, now
        if len(self._said) > JOURNAL_SIZE:
            del self._said[next(iter(self._said))]
        return self._number

    def echoed(self, number: int) -> tuple[SequenceNumber, Micros] | None:
        """Return what acknowledgement `number` said and when, and forget it with all before it."""
        entry = self._said.get(number)
        if entry is not None:
            while number in self._said:
                del self._said[next(iter(self._said))]
        return entry

    def __len__(self) -> int:
        return len(self._said)


class Rates:
    """What an ACK says beside the position: how much may come, how fast data arrives, what the link could carry.

    A sender of files that is as near as another program on this machine, or on this network, and as fast, fills the
    kernel's buffer before we are awake.  It hears of no larger window than that.

    Attributes:
        are_for_files: whether the sender's pace depends on them, and on when they come.
        burst: packets that the kernel holds for us.
    """

    __slots__ = (
        *("_arrivals", "_hope", "_is_near", "_payload_size", "_peer_version", "_repeats", "_told", "_words"),
        *("are_for_files", "burst"),
    )

    def __init__(self, negotiated: Negotiated, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._peer_version = negotiated.peer_version
        self._payload_size = negotiated.payload_size
        self.are_for_files = negotiated.congestion != LIVE
        self._hope = HOPE if self.are_for_files else 1
        self._is_near = False
        self._words: list[int] = []
        self._repeats = 0  # how often the same may be said again
        self._told = self.burst = ENDLESS
        """`_told`: how many packets the peer may send from what it knows to be acknowledged."""

    def note_round_trip(self, taken: Micros) -> None:
        """Learn how long an echo took; the peer is as near as the fastest says."""
        self._is_near |= taken <= NEAR and self.are_for_files

    def window(self, free: int) -> int:
        """Return how many packets to tell the peer of when there are so many free places."""
        self._told = told = self._reach(free)
        return told

    def are_used_up(self, advance: int, free: int) -> bool:
        """Say whether the peer, told of `advance` packets more by a light ACK, would know of too small a window.

        A light ACK opens nothing (libsrt core.cpp processCtrlAck): what it acknowledges the peer takes off its window.
        """
        self._told -= advance
        return self._is_near and self._told * REOPENED < self._reach(free)

    def _reach(self, free: int) -> int:
        return min(free, self.burst) if self._is_near else free

    def words(self) -> list[int]:
        """Return as many fields as the peer's version knows; live, where no pace goes by them, the same for a while."""
        if not self._repeats:
            self._repeats = 0 if self.are_for_files else REPEATED
            self._words = self._reckon()
        else:
            self._repeats -= 1
        return self._words

    def _reckon(self) -> list[int]:
        packets, size = self._arrivals.speed()
        hope = 1 if self._arrivals.are_pairs_known else self._hope
        capacity = max(self._arrivals.capacity(packets), packets * hope)
        if self._peer_version >= VERSION_FULL:
            return [packets, capacity, size]
        if self._peer_version == VERSION_LONG:
            return [packets, capacity, size, capacity * self._payload_size]
        return [packets, capacity]


class Acks:
    """Acknowledges what the receive buffer has.

    Attributes:
        is_tight: whether the peer knows of so small a window that what the application reads is news.
        deadline: when an acknowledgement is to be said, or repeated.
    """

    def __init__(
        self,
        negotiated: Negotiated,
        buffer: ReceiveBuffer,
        round_trip: RoundTrip,
        arrivals: Arrivals,
        outbox: Outbox,
        counters: Counters,
        now: Micros,
    ) -> None:
        self._buffer = buffer
        self._round_trip = round_trip
        self._rates = Rates(negotiated, arrivals)
        self._outbox = outbox
        self._counters = counters
        self._journal = Journal()
        self._arrived = 0  # packets since the last deadline
        self._said = self._confirmed = buffer.base  # positions: in the latest numbered ACK, in the latest echoed
        self._said_light = buffer.base
        self._full_at = now
        self._window = buffer.capacity  # free places when an ACK last told of them
        self._reopened_at = NEVER  # when a reopened window was told and not yet echoed
        self.is_tight = False
        self.deadline: Micros = NEVER

    def limit_bursts(self, packets: int) -> None:
        """Learn how many packets the kernel holds for us."""
        self._rates.burst = packets

    def note_arrivals(self, count: int, now: Micros) -> None:
        """Learn that data packets arrived; the buffer shows which.  Says a light ACK when they are many."""
        if now < self.deadline:
            is_time = now >= self._full_at + FULL_ACK_PERIOD and not self._rates.are_for_files
            self.deadline = now if is_time else min(self.deadline, now + FULL_ACK_PERIOD)
        before = self._arrived
        self._arrived = arrived = before + count
        if arrived // LIGHT_ACK_PACKETS > before // LIGHT_ACK_PACKETS:
            self._acknowledge_lightly(now)

    def note_progress(self, now: Micros) -> None:
        """Learn that the position may have moved without an arrival: packets were given up."""
        self.deadline = min(self.deadline, now + FULL_ACK_PERIOD)

    def note_read(self, now: Micros) -> None:
        """Learn that the application has read: a sender that met a closed window waits to hear of it."""
        if self._is_reopened():
            self.deadline = min(self.deadline, max(now, self._full_at + FULL_ACK_PERIOD))

    def on_deadline(self, now: Micros) -> None:
        """Say a full ACK if there is something new to say, or repeat one that was not echoed in time."""
        self._arrived = 0
        seq = self._buffer.next_missing()
        is_reopened = self._is_reopened()
        if seq == self._confirmed and not is_reopened and self._reopened_at == NEVER:
            self.deadline = NEVER
            return
        if seq == self._said and not is_reopened:
            repeat_at = self._full_at + self._patience()
            if now < repeat_at:
                self.deadline = repeat_at
                return
        if is_reopened:
            self._reopened_at = now  # a sender that does not hear of it may wait for ever
        self._acknowledge(seq, now)
        self.deadline = now + self._patience()

    def confirm(self, number: int, now: Micros) -> Micros | None:
        """Match an ACKACK with the ACK it echoes; return the round trip, None for one we do not know."""
        self._counters.recv_ackacks += 1
        entry = self._journal.echoed(number)
        if entry is None:
            self._counters.ignored_control += 1
            return None
        seq, said_at = entry
        if precedes(self._confirmed, seq):
            self._confirmed = seq
        if said_at >= self._reopened_at:
            self._reopened_at = NEVER
        taken = max(now - said_at, 1)
        self._rates.note_round_trip(taken)
        self._round_trip.sample(taken)
        is_known = self._confirmed == self._buffer.next_missing() and self._reopened_at == NEVER
        if is_known and not self._is_reopened():
            self.deadline = NEVER
        return taken

    def _acknowledge(self, seq: SequenceNumber, now: Micros) -> None:
        """Say a numbered ACK: a full one, or a small one if the last full one has only just left."""
        buffer = self._buffer
        round_trip = self._round_trip
        self._lead_up_to(seq, now)
        self._said = self._said_light = seq
        self.is_tight = True  # first: who reads while we count is not counted, and must see that it matters
        self._window = max(buffer.capacity - buffer.unread(), 0)
        self.is_tight = self._window * REOPENED < buffer.capacity
        report = [seq, round_trip.smoothed, round_trip.variance, self._rates.window(self._window)]
        if now - self._full_at >= FULL_ACK_PERIOD:
            self._full_at = now
            report += self._rates.words()
        self._counters.sent_acks += 1
        self._outbox.control(ControlType.ACK, self._journal.enter(seq, now), Ack(*report).encode(), now)

    def _acknowledge_lightly(self, now: Micros) -> None:
        """Say how far we are, and nothing else, if that has moved; a reopened window, or one used up, takes more."""
        if self._is_reopened():
            self.on_deadline(now)
            return
        buffer = self._buffer
        seq = buffer.next_missing()
        if seq == self._said_light:
            return
        if self._rates.are_used_up(distance(self._said_light, seq), buffer.capacity - buffer.unread()):
            self.on_deadline(now)
            return
        if self._outbox.replace_last(ControlType.ACK, 0, Ack(seq).encode(), now):  # taken in together, told together
            self._said_light = seq
        else:
            self._lead_up_to(seq, now)
            self._said_light = seq
            self._counters.sent_light_acks += 1
            self._outbox.control(ControlType.ACK, 0, Ack(seq).encode(), now)

    def _lead_up_to(self, seq: SequenceNumber, now: Micros) -> None:
        """Say to a sender of files that all but the last packet has come, before it hears that all has."""
        if self._rates.are_for_files and distance(self._said_light, seq) > 1:
            self._counters.sent_light_acks += 1
            self._outbox.control(ControlType.ACK, 0, Ack((seq - 1) & SEQ_MASK).encode(), now)

    def _is_reopened(self) -> bool:
        """Say whether the peer knows of a much smaller window than there is."""
        buffer = self._buffer
        return buffer.capacity - buffer.unread() > self._window * REOPENED

    def _patience(self) -> Micros:
        patience = self._round_trip.patience
        if not self._round_trip.is_known:
            patience = min(FIRST_PATIENCE << min(self._counters.sent_acks, LAST_DOUBLING) >> 1, patience)
        elif not self._rates.are_for_files:
            patience += LONGEST  # the echo may be here, and not be read yet: looking whether it is would be a wake-up
        # libsrt core.cpp sendCtrlAck: not repeated within RTT + 4 x variance; nor can it be sooner than its timer
        return max(patience, FULL_ACK_PERIOD)
