"""The sending side: what may leave, and what answers change.

Lives here: writing into the send buffer, how many packets a take may release, acknowledgements,
loss reports, silence.
Never here: rows (buffer/send.py), headers (packing.py), pace (congestion), which packets wait to be
sent again (retransmission.py) and which leave first (departure.py), what is given up (dropping.py),
when silence counts (silence.py), ACKACK (echo.py).
Draft: 4.8.1 "Packet Acknowledgement", 4.8.2 "Packet Retransmission", 5.1.2 "Pacing".
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import repeat

from srtpy.config import Config
from srtpy.internal.buffer.send import SendBuffer
from srtpy.internal.clock.units import NEVER, WIRE_TIME_MASK, Micros, from_seconds, wire_time
from srtpy.internal.congestion.controller import Controller
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.congestion.pacing import BURST, Pacing
from srtpy.internal.congestion.shaper import Shaper
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.departure import Departure
from srtpy.internal.core.dropping import Dropping
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.packing import Packing, Seal
from srtpy.internal.core.retransmission import Retransmission
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.core.silence import Remedy, Silence
from srtpy.internal.core.steering import controller_for, usual_payload
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.control import Ack
from srtpy.internal.packet.header import Datagram
from srtpy.internal.seq.number import SEQ_HALF, SEQ_MASK, MessageNumber, SequenceNumber, distance


class Sender:
    """The sending half of one connection.

    Attributes:
        flow_window: packets the peer can hold beyond what it has acknowledged.
    """

    def __init__(
        self,
        negotiated: Negotiated,
        config: Config,
        outbox: Outbox,
        counters: Counters,
        round_trip: RoundTrip,
        now: Micros,
        *,
        seal: Seal | None = None,
        tag_size: int = 0,
    ) -> None:
        """Begin with nothing written; `seal` encrypts what leaves for the first time, by `tag_size` bytes longer."""
        payload = usual_payload(config, negotiated)
        self._start = negotiated.start
        self._counters = counters
        self._round_trip = round_trip
        self._buffer = SendBuffer(negotiated.send_isn, config.send_buf_size)
        window = negotiated.flow_window - 1  # libsrt buffer_rcv.cpp capacity(): one fewer than it advertises
        self._controller: Controller = controller_for(config, negotiated, payload, window)
        self._pacing = Pacing(now)
        self._feedback = Feedback(negotiated.payload_size, negotiated.send_isn)
        shaper = Shaper(config.max_rexmit_bw, now)
        # libsrt core.cpp packLostData: algorithm 1 needs a peer that repeats its reports
        is_eager = not (config.effective_retransmit_algo and negotiated.peer_nak_report)
        self._again = Retransmission(shaper, round_trip, is_eager, payload, now, negotiated.send_isn)
        waits_for_quiet = negotiated.peer_nak_report and not self._controller.waits_for_losses
        self._silence = Silence(round_trip, waits_for_quiet, now, negotiated.peer_latency)
        packing = Packing(negotiated, seal, tag_size)
        self._payload_size = packing.payload_size
        self._dropping = dropping = Dropping(negotiated, self._buffer, self._again, outbox, counters)
        dropping.set_delay(from_seconds(config.snd_drop_delay))
        parts = (self._buffer, self._again, packing, self._controller, dropping)
        self._departure = Departure(negotiated, *parts, outbox, counters)
        self.flow_window = window
        self._send_at = NEVER
        self._busy_since = now

    # ---- written ---------------------------------------------------------------------------

    def write(
        self,
        message: bytes,
        now: Micros,
        *,
        stamp: Micros | None = None,
        ttl: Micros | None = None,
        in_order: bool = True,
    ) -> None:
        """Queue one message; it takes `packets_for(len(message))` of `room()`, which the caller has checked.

        `stamp` is when the message was made, on our clock; before the connection's start counts as now.
        `ttl` is how long it may be sent; `None`: as long as it takes.  `in_order` is whether a peer that
        does not deliver by timestamp must wait for earlier messages.
        """
        buffer, start = self._buffer, self._start
        if now >= self._dropping.look_at:
            self._drop_too_late(now)
        if not len(buffer):
            self._busy_since = now
        if self._controller.measures_input:
            self._controller.wrote(self.packets_for(len(message)), len(message), now)
        origin, expires = now if stamp is None or stamp < start else stamp, NEVER if ttl is None else now + ttl
        buffer.append(message, self._payload_size, in_order, wire_time(origin, start), origin, expires)

    def write_stream(self, data: bytes, start: int, end: int, now: Micros) -> int:
        """Queue bytes of a stream, from `start` up to `end` of `data`, as far as there is room; return how many."""
        buffer = self._buffer
        if not len(buffer):
            self._busy_since = now
        end = min(end, start + buffer.room * self._payload_size)
        if end > start:
            buffer.append_stream(data, start, end, self._payload_size, wire_time(now, self._start), now)
        return end - start

    def write_many(self, messages: Sequence[bytes], now: Micros, instants: Sequence[Micros] | None = None) -> int:
        """Queue messages, written at these instants or now, as far as there is room; return how many."""
        buffer, start = self._buffer, self._start
        if now >= self._dropping.look_at:
            self._drop_too_late(now)
        if not len(buffer):
            self._busy_since = now
        if max(map(len, messages), default=0) > self._payload_size:
            return self._write_each(messages, now, instants)
        room = buffer.room
        if room < len(messages):
            messages = messages[:room]
        if self._controller.measures_input and messages:
            self._controller.wrote(len(messages), sum(map(len, messages)), now)
        if instants is None:
            buffer.append_run(messages, True, repeat(wire_time(now, start)), repeat(now))
        else:
            buffer.append_run(messages, True, [wire_time(instant, start) for instant in instants], instants)
        return len(messages)

    def _write_each(self, messages: Sequence[bytes], now: Micros, instants: Sequence[Micros] | None) -> int:
        for count, message in enumerate(messages):
            if self.packets_for(len(message)) > self._buffer.room:
                return count
            self.write(message, now, stamp=None if instants is None else instants[count])
        return len(messages)

    def room(self) -> int:
        """Return how many more packets can be queued."""
        return self._buffer.room

    def packets_for(self, size: int) -> int:
        """Return how many packets a message of `size` bytes takes."""
        return -(-size // self._payload_size)

    # ---- sent ------------------------------------------------------------------------------

    def take(self, now: Micros, limit: int = BURST) -> Sequence[Datagram]:
        """Release what may leave now: at most one burst, of about `limit` packets.

        What must be said about packets that have expired is in the outbox afterwards.
        """
        again, pacing, period = self._again, self._pacing, self._controller.period
        if self._send_at == NEVER and not self._buffer.unsent and not again.waiting:
            return []
        fresh = self._sendable()
        repeats = again.ready(now) if again.waiting else 0
        wanted = fresh + repeats
        if not wanted:
            pacing.rest()
            self._send_at = again.ready_at
            return []
        allowed = pacing.allowance(wanted, period, now)
        if allowed > limit:
            allowed = limit
        if not allowed:
            self._send_at = pacing.deadline(wanted, period)
            return []
        if not self._buffer.sent:
            self._silence.ended(now)
        datagrams = self._departure.release(fresh, repeats, allowed, limit, now)
        left = wanted - len(datagrams)
        if datagrams:
            pacing.spend(len(datagrams), period, now)
            self._silence.sent(now)
        else:
            self._release_given_up(now)
        if left:
            self._send_at = pacing.deadline(left, period)
        else:
            pacing.rest()
            self._send_at = again.ready_at if again.waiting else NEVER
        return datagrams

    def send_run(self, messages: Sequence[bytes], instants: Sequence[Micros], now: Micros) -> Sequence[Datagram]:
        """Queue messages written at these instants, for which there is room; release what may leave now."""
        if not self._is_next_run(messages, now):
            self.write_many(messages, now, instants)
            return self.take(now)
        start, silence = self._start, self._silence
        if not self._buffer.sent:
            self._busy_since = now
            silence.ended(now)
        silence.sent(now)
        stamps = [(instant - start) & WIRE_TIME_MASK for instant in instants]
        return self._departure.release_run(messages, stamps, instants, now)

    def _is_next_run(self, messages: Sequence[bytes], now: Micros) -> bool:
        """Say whether these may leave all and at once, each in a packet; the pace has been charged if so."""
        buffer, controller = self._buffer, self._controller
        return (
            self._send_at == NEVER
            and buffer.sent + len(messages) <= min(controller.window, self.flow_window)
            and not buffer.unsent
            and not self._again.waiting
            and not controller.measures_input
            and now < self._dropping.deadline
            and max(map(len, messages)) <= self._payload_size
            and self._pacing.spend_at_once(len(messages), controller.period, now)
        )

    def last_word(self, now: Micros) -> Sequence[Datagram]:
        """Return what shows the peer how much is missing, if anything is, when nothing else will leave."""
        return self._departure.last_word(now)

    def _sendable(self) -> int:
        """Return how many packets may leave for the first time, as far as the windows go."""
        buffer, window = self._buffer, self._controller.window
        if self.flow_window < window:
            window = self.flow_window
        window -= buffer.sent
        if window <= 0:
            return 1 if self._silence.is_knocking and buffer.unsent else 0
        return min(buffer.unsent, window)

    # ---- answered --------------------------------------------------------------------------

    def acknowledged(self, ack: Ack, number: int | None, now: Micros) -> bool:
        """Take in an acknowledgement; `number` is its own, `None` if it is a light one.

        Returns:
            False if it acknowledges what was never sent: nothing has changed then.
        """
        buffer = self._buffer
        advance = (ack.seq - buffer.base) & SEQ_MASK
        is_behind = advance >= SEQ_HALF
        if advance > buffer.sent and not is_behind:
            return False
        if ack.is_light:
            self._counters.recv_light_acks += 1
        else:
            self._counters.recv_acks += 1
        if advance and not is_behind:
            self._busy_for(now)
            self._again.forget(buffer.base, advance)
            buffer.remove(advance)
            self._silence.ended(now)
        if ack.is_light:
            self._feedback.reached(ack.seq)
            if not is_behind:
                self.flow_window = max(self.flow_window - advance, 0)
        elif ack.available is not None and self._feedback.is_current(ack.seq, number or 0):
            # Of what we gave up the peer may still hold places free.  libsrt does not heed an ACK behind it, and
            # once it gives up packets as fast as they come it never learns that a window has opened.
            gone = SEQ_MASK + 1 - advance if is_behind else 0
            self.flow_window = max(ack.available - gone, 0)
        self._release_given_up(now)
        self._learn(ack, now)
        return True

    def _learn(self, ack: Ack, now: Micros) -> None:
        """Learn from what a full acknowledgement reports, unless it repeats an earlier one."""
        feedback, round_trip = self._feedback, self._round_trip
        if ack.rtt is None or ack.rtt_variance is None or not feedback.is_progress(ack.seq):
            return
        round_trip.report(ack.rtt, ack.rtt_variance, self._counters.recv_packets > 0)
        if ack.receive_rate is not None and ack.capacity is not None:
            feedback.learn(ack.receive_rate, ack.capacity, ack.receive_bytes_rate)
        feedback.jitter = round_trip.variance
        if self._controller.waits_for_losses:
            self._pacing.deepen(self._controller.period)
        self._again.fit()
        self._controller.acknowledged(ack.seq, feedback, round_trip.smoothed, now)

    def lost(self, ranges: Iterable[tuple[SequenceNumber, SequenceNumber]], now: Micros) -> bool:
        """Take in a loss report; one of what was never sent, or that ends before it begins, is nonsense: False."""
        buffer = self._buffer
        base, sent = buffer.base, buffer.sent
        places = [(distance(base, first), distance(base, last)) for first, last in ranges]
        if any(first > last or last >= sent for first, last in places):
            return False
        stale = [(first, min(last, -1)) for first, last in places if first < 0]
        fresh = [(max(first, 0), last) for first, last in places if last >= 0]
        if stale:
            self._dropping.disown(stale, now)
        again = self._again
        if fresh and again.is_worth_looking(sum([last - first + 1 for first, last in fresh]), sent, now):
            lost = sum([again.report(base, first, last, now) for first, last in fresh])
            self._counters.sent_loss += lost
            self._pacing.overrun()
            start, waiting, round_trip = (base + fresh[0][0]) & SEQ_MASK, len(again.waiting), self._round_trip.smoothed
            self._controller.lost(start, lost, waiting, buffer.next_seq, round_trip, now)
        return True

    def congestion_warning(self) -> None:
        """Slow down at the peer's request."""
        self._controller.slow_down()

    # ---- time ------------------------------------------------------------------------------

    @property
    def deadline(self) -> Micros:
        """When `on_deadline` or `take` has something to do again."""
        buffer = self._buffer
        if not len(buffer):
            return self._send_at
        silence = self._silence.deadline(buffer.sent, not buffer.sent and self._is_shut_out)
        return min(self._dropping.deadline, silence, self._send_at)

    def on_deadline(self, now: Micros) -> None:
        """Give up what is too late, and do something about a peer that does not answer."""
        self._drop_too_late(now)
        if self._silence.deadline(self._buffer.sent, self._is_shut_out) <= now:
            self._break_silence(now)

    @property
    def _is_shut_out(self) -> bool:
        """Whether nothing can leave before the peer opens its window."""
        buffer = self._buffer
        return not buffer.sent and buffer.unsent > 0 and min(self.flow_window, self._controller.window) <= 0

    def _break_silence(self, now: Micros) -> None:
        buffer, again, silence = self._buffer, self._again, self._silence
        remedy = silence.remedy(buffer.sent)
        if remedy is Remedy.KNOCK:
            silence.knock()
        elif again.waiting and (remedy is Remedy.LAST or self._controller.waits_for_losses):
            silence.postpone(now)
            return
        elif remedy is Remedy.LAST:
            # beyond the window the peer would not take it, and what is given up does not leave
            place = max(buffer.newest(self.flow_window), 0)
            again.everything(buffer.base, place, place)
        else:
            lost = again.overdue(buffer.base, buffer.sent, now, self._controller.waits_for_losses)
            self._counters.sent_loss += lost
            self._controller.timed_out(self._feedback, self._round_trip.smoothed, now)
        silence.acted(now)

    def _release_given_up(self, now: Micros) -> None:
        """Wait no more for acknowledgements of nothing; the peer may still hold places free for it."""
        released = self._dropping.release()
        if released:
            self._busy_for(now)
            self.flow_window = max(self.flow_window - released, 0)

    def _drop_too_late(self, now: Micros) -> None:
        if self._dropping.too_late(now):
            self._busy_for(now)

    def _busy_for(self, now: Micros) -> None:
        self._counters.send_duration += now - self._busy_since
        self._busy_since = now

    # ---- options ---------------------------------------------------------------------------

    def set_max_bw(self, rate: int | None) -> None:
        """Set the pace's limit in bytes per second: `None` the default, 0 from the input, -1 none."""
        self._controller.limit(replace(self._controller.limits, max_bw=rate))

    def set_input_bw(self, rate: int) -> None:
        """Set the input's rate in bytes per second; 0: to be measured."""
        self._controller.limit(replace(self._controller.limits, input_bw=rate))

    def set_min_input_bw(self, rate: int) -> None:
        """Set the least the measured input rate counts for."""
        self._controller.limit(replace(self._controller.limits, min_input_bw=rate))

    def set_overhead_bw(self, percent: int) -> None:
        """Set what is added to the input's rate."""
        self._controller.limit(replace(self._controller.limits, overhead=percent))

    def set_max_rexmit_bw(self, rate: int) -> None:
        """Limit what is sent again to `rate` bytes per second; 0: no limit."""
        self._again.set_limit(rate)

    def set_snd_drop_delay(self, delay: Micros) -> None:
        """Set how long after the peer's latency a packet is given up; negative: never."""
        self._dropping.set_delay(delay)

    # ---- asked -----------------------------------------------------------------------------

    @property
    def is_empty(self) -> bool:
        """Whether everything written has been acknowledged or given up."""
        return not len(self._buffer)

    @property
    def unacknowledged(self) -> int:
        """Packets written and not acknowledged, sent or not."""
        return len(self._buffer)

    @property
    def buffered_bytes(self) -> int:
        """Payload bytes of those."""
        return self._buffer.size

    def oldest_age(self, now: Micros) -> Micros:
        """Return how long ago the oldest of those was written; 0 if there is none."""
        return max(now - self._buffer.origin(0), 0)

    @property
    def unsent(self) -> int:
        """Packets written and not sent yet."""
        return self._buffer.unsent

    @property
    def flight(self) -> int:
        """Packets sent and not acknowledged."""
        return self._buffer.sent

    @property
    def next_seq(self) -> SequenceNumber:
        """The sequence number of the next new packet."""
        return self._buffer.next_seq

    @property
    def last_message_number(self) -> MessageNumber:
        """The number of the message written last; the number before the first if none was."""
        return self._buffer.last_message

    @property
    def congestion_window(self) -> int:
        """Packets that may be on their way as far as congestion control goes."""
        return self._controller.window

    @property
    def period(self) -> float:
        """Microseconds from one packet to the next."""
        return self._controller.period

    @property
    def max_bandwidth(self) -> int:
        """Bytes per second the pace is made for; 0: no limit."""
        return self._controller.max_bandwidth

    @property
    def capacity(self) -> int:
        """Packets per second the link could carry, from the peer's reports."""
        return self._feedback.capacity
