"""One SRT connection, put together from parts that do not know each other.

Lives here: the five verbs, which part hears what, control packets by type.
Never here: arithmetic (a line that computes belongs in a part), sockets, threads, clocks.
Draft: 3.2 "Control Packets", 4 "SRT Data Transmission and Control".
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import ClassVar, Final

from srtpy.config import Config
from srtpy.internal.buffer.receive import Delivered, ReceiveBuffer
from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.congestion.arrivals import Arrivals
from srtpy.internal.core.acks import Acks
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.delivery import Delivery
from srtpy.internal.core.echo import Echo
from srtpy.internal.core.events import Broken, Event, Noteworthy, PeerClosed, PeerFailed
from srtpy.internal.core.gauges import Gauges, Instruments
from srtpy.internal.core.keys import Keys
from srtpy.internal.core.leisure import Leisure
from srtpy.internal.core.liveness import Liveness
from srtpy.internal.core.losses import Losses
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.receiver import Receiver
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.core.sender import Sender
from srtpy.internal.crypto.exchange import Entropy, Keying
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.control import PADDING, Ack, DropRequest
from srtpy.internal.packet.handshake import ExtensionKind
from srtpy.internal.packet.header import (
    CONTROL,
    HEADER_SIZE,
    PATIENT,
    ControlType,
    Datagram,
    Header,
    MalformedPacket,
    control_kind,
    control_subtype,
)
from srtpy.internal.packet.losses import decode_losses
from srtpy.internal.tsbpd.timebase import TimeBase

IN_CLEAR: Final = Keying()
CUT_SHORT: Final = "the peer closed before all it had written had arrived; what came is only a part"
LAST_WORD_COPIES: Final = 3  # ours: as many as of the SHUTDOWN that follows
PEER_ERROR_COPIES: Final = 3  # ours: nobody acknowledges it; libsrt and we tell a writer once, however many come


def _none(size: int) -> bytes:
    raise AssertionError(f"{size} bytes of randomness wanted by a connection in clear")


class Connection:
    """One SRT connection, without a socket, a thread or a clock.

    Driven by three hands: the network (`receive_datagrams`), the application (`write`,
    `messages`) and time (`handle_timer`).  Each call is told the time.  After any of them
    send `datagrams_to_send(now)`, read `events()`, and sleep until `next_deadline()`.
    What has arrived becomes readable at `delivery_due()`, when `release(now)` is called.

    Attributes:
        negotiated: what the two ends agreed on.
        messages: what the application may read now, oldest first.
        counters: what has been counted; `gauges(now)` has the rest.
        keys: how encryption stands.
        sender, losses, delivery: the parts whose options may change while the connection lives.
        leisure: how long what is to leave, or has come, may wait.
    """

    def __init__(
        self,
        negotiated: Negotiated,
        config: Config,
        now: Micros,
        *,
        keying: Keying = IN_CLEAR,
        entropy: Entropy = _none,
    ) -> None:
        """Begin where the handshake has ended; new keys will be made of `entropy`."""
        self.negotiated = negotiated
        self.counters = counters = Counters()
        self._news: list[Event] = []
        round_trip = RoundTrip(negotiated.round_trip)
        self.leisure = Leisure(negotiated, round_trip)
        self._outbox = outbox = Outbox(negotiated.peer_socket_id, negotiated.start)
        buffer = ReceiveBuffer(negotiated.recv_isn, config.effective_recv_buf_size - 1)
        time_base = TimeBase(negotiated.peer_start, negotiated.recv_latency)
        arrivals = Arrivals(negotiated.payload_size, now)
        refresh, before = config.km_refresh_rate, config.km_pre_announce
        self.keys = keys = Keys(
            keying, negotiated, outbox, round_trip, entropy, now, refresh=refresh, pre_announce=before
        )
        seal = keys.seal if keys.seals else None
        self.sender = Sender(negotiated, config, outbox, counters, round_trip, now, seal=seal, tag_size=keys.tag_size)
        self._receiver = Receiver(negotiated, buffer, time_base, arrivals, counters)
        self._acks = Acks(negotiated, buffer, round_trip, arrivals, outbox, counters, now)
        self.losses = Losses(negotiated, config, outbox, counters, round_trip)
        self.delivery = Delivery(negotiated, config, buffer, time_base, counters)
        self._echo = Echo(outbox, counters, now)
        self._liveness = Liveness(negotiated, config, outbox, self._news, now)
        self.messages: deque[Delivered] = buffer.messages
        self._instruments = Instruments(negotiated, self.sender, buffer, round_trip, arrivals, self.losses, keys)

    # -- the network ------------------------------------------------------------------------

    def receive_datagrams(self, batch: Batch, now: Micros) -> None:
        """Take in what one read of the socket brought; garbage is counted, never raised."""
        arrived = batch.arrived or now
        self._liveness.heard(arrived)
        self.leisure.heard(arrived)
        for piece in batch.pieces():
            if piece.first[0] < CONTROL:
                self._receive_data(piece, now)
            else:
                self._receive_control(piece, now)

    def _receive_data(self, batch: Batch, now: Micros) -> None:
        self._liveness.heard_data(now)
        arrived = self._receiver.accept(batch, now, self.keys.open(batch))
        self.losses.note(arrived, now)
        if arrived[1]:
            self.leisure.lost(now)
        self._acks.note_arrivals(batch.count, now)
        self.delivery.note_arrivals(now, arrived[1])
        if self._receiver.complaint:
            self._news.append(Noteworthy(self._receiver.complaint))
            self._receiver.complaint = ""
        if self._receiver.failure or self.delivery.failure:
            self._liveness.give_up(self._receiver.failure or self.delivery.failure, now)

    def _receive_control(self, packet: Batch, now: Micros) -> None:
        self.counters.recv_control += 1
        header = packet.first
        kind = control_kind(header[0])
        hear = self._HEAR.get(kind)
        if hear is None:
            self.counters.ignored_control += 1
            return
        if packet.arrived and kind in PATIENT:
            now = packet.arrived
        try:
            hear(self, header, packet.data[HEADER_SIZE:], now)
        except MalformedPacket:
            self.counters.malformed += 1

    def _on_ack(self, header: Header, body: bytes, now: Micros) -> None:
        ack = Ack.decode(body)
        if not self.sender.acknowledged(ack, None if ack.is_light else header[1], now):
            self.counters.ignored_control += 1
            return
        self.keys.acknowledged(ack.seq)
        if not ack.is_light:
            self._echo.heard(header[1], now)
        self._liveness.finish_if_safe(self.sender.unacknowledged, now)

    def _on_ackack(self, header: Header, body: bytes, now: Micros) -> None:
        rtt = self._acks.confirm(header[1], now)
        if rtt is not None:
            self.delivery.confirmed(header[2], rtt, now)

    def _on_nak(self, header: Header, body: bytes, now: Micros) -> None:
        self.counters.recv_naks += 1
        self.leisure.lost(now)
        if not self.sender.lost(decode_losses(body), now):
            self.counters.ignored_control += 1

    def _on_drop_request(self, header: Header, body: bytes, now: Micros) -> None:
        request = DropRequest.decode(body)
        given_up = self._receiver.drop(request.first, request.last)
        self.losses.forget(request.first, request.last)
        self._acks.note_progress(now)
        self.delivery.gave_up(given_up, now)
        if self.delivery.failure:
            self._liveness.give_up(self.delivery.failure, now)

    def _on_keepalive(self, header: Header, body: bytes, now: Micros) -> None:
        self.delivery.keepalive(header[2], now)

    def _on_congestion_warning(self, header: Header, body: bytes, now: Micros) -> None:
        self.sender.congestion_warning()

    def _on_shutdown(self, header: Header, body: bytes, now: Micros) -> None:
        if self._liveness.peer_shut_down():
            self._news.append(Broken(CUT_SHORT) if self._receiver.is_cut_short else PeerClosed())

    def _on_peer_error(self, header: Header, body: bytes, now: Micros) -> None:
        news = PeerFailed(header[1])
        if news not in self._news:  # it comes several times
            self._news.append(news)

    def _on_extension(self, header: Header, body: bytes, now: Micros) -> None:
        subtype = control_subtype(header[0])
        if subtype == ExtensionKind.KMREQ:
            self.keys.requested(body, now)
        elif subtype == ExtensionKind.KMRSP:
            self.keys.answered(body, now)
        else:
            self.counters.ignored_control += 1

    _HEAR: ClassVar[dict[int, Callable[[Connection, Header, bytes, Micros], None]]] = {
        ControlType.ACK: _on_ack,
        ControlType.ACKACK: _on_ackack,
        ControlType.NAK: _on_nak,
        ControlType.DROPREQ: _on_drop_request,
        ControlType.KEEPALIVE: _on_keepalive,
        ControlType.CONGESTION_WARNING: _on_congestion_warning,
        ControlType.SHUTDOWN: _on_shutdown,
        ControlType.PEERERROR: _on_peer_error,
        ControlType.USER_DEFINED: _on_extension,
    }

    # -- the application --------------------------------------------------------------------

    def room(self) -> int:
        """Return how many more packets may be written now."""
        return self.sender.room()

    @property
    def unsent(self) -> int:
        """How many packets wait for their first sending."""
        return self.sender.unsent

    def write(
        self,
        message: bytes,
        now: Micros,
        *,
        stamp: Micros | None = None,
        ttl: Micros | None = None,
        in_order: bool = True,
    ) -> None:
        """Queue one message for which there is room."""
        self.sender.write(message, now, stamp=stamp, ttl=ttl, in_order=in_order)
        self._liveness.wrote(now if stamp is None else max(stamp, now))

    def write_stream(self, data: bytes, start: int, end: int, now: Micros) -> int:
        """Queue bytes of a stream, from `start` up to `end` of `data`, as far as there is room; return how many."""
        self._liveness.wrote(now)
        return self.sender.write_stream(data, start, end, now)

    def packets_for(self, size: int) -> int:
        """Return how much of `room` a message of that size takes."""
        return self.sender.packets_for(size)

    def write_many(self, messages: Sequence[bytes], now: Micros, instants: Sequence[Micros] | None = None) -> int:
        """Queue messages, written at these instants or now, as far as there is room; return how many."""
        self._liveness.wrote(now)
        return self.sender.write_many(messages, now, instants)

    def send_run(self, messages: Sequence[bytes], instants: Sequence[Micros], now: Micros) -> Sequence[Datagram]:
        """Queue messages for which there is room, written at these instants; take what is to leave now."""
        if self._outbox or self._liveness.is_over or self.keys.deadline <= now:
            self.write_many(messages, now, instants)
            return self.datagrams_to_send(now)
        self._liveness.wrote(now)
        return self._accompanied(self.sender.send_run(messages, instants, now), now)

    def delivery_due(self) -> Micros:
        """Return when something more becomes readable; `NEVER` if nothing waits."""
        return self.delivery.deadline

    def release(self, now: Micros) -> None:
        """Make readable what is due; what is missing before it is given up, if it may be."""
        if self.delivery.release(now):
            self.losses.forget_before(self.delivery.base)
            self._acks.note_progress(now)

    def note_read(self, now: Micros) -> None:
        """Learn that the application has taken from `messages`."""
        self._acks.note_read(now)

    def limit_bursts(self, packets: int) -> None:
        """Learn how many packets the kernel holds for us: more at once would be lost."""
        self._acks.limit_bursts(packets)

    @property
    def is_tight(self) -> bool:
        """Whether the peer knows of so small a window that `note_read` has something to tell it."""
        return self._acks.is_tight

    def play_time(self, stamp: int, now: Micros) -> Micros:
        """Return when a packet with this timestamp is, or was, to be played."""
        return self.delivery.play_time(stamp, now)

    def close(self, linger: Micros | None, now: Micros) -> None:
        """Begin to close; `Finished` is the event that ends it."""
        self._liveness.close(linger, now)
        self._liveness.finish_if_safe(self.sender.unacknowledged, now)

    def send_keepalive(self, now: Micros) -> None:
        """Say at once that we are there."""
        self._outbox.control(ControlType.KEEPALIVE, 0, PADDING, now)

    def send_peer_error(self, code: int, now: Micros) -> None:
        """Tell the peer that what it sends cannot be used."""
        for _ in range(PEER_ERROR_COPIES):
            self._outbox.control(ControlType.PEERERROR, code, PADDING, now)

    # -- time -------------------------------------------------------------------------------

    def next_deadline(self) -> Micros:
        """Return when `handle_timer` is needed next; what becomes readable has its own time."""
        if self._liveness.is_over:
            return NEVER
        deadline, other = self._liveness.deadline, self.sender.deadline
        if other < deadline:
            deadline = other
        other = self._acks.deadline
        if other < deadline:
            deadline = other
        other = self.losses.deadline
        if other < deadline:
            deadline = other
        other = self.keys.deadline
        return other if other < deadline else deadline

    def handle_timer(self, now: Micros) -> None:
        """Let every part whose deadline has come do what it is for."""
        if self._liveness.is_over:
            return
        for part in (self.sender, self._acks, self.losses, self._liveness, self.keys):
            if part.deadline <= now:
                part.on_deadline(now)
        self._liveness.finish_if_safe(self.sender.unacknowledged, now)

    def datagrams_to_send(self, now: Micros) -> Sequence[Datagram]:
        """Take what is to leave now: control packets first, then data as pace and window allow."""
        if self._liveness.is_over:
            return self._last_words(now)
        return self._accompanied(self.sender.take(now), now)

    def _accompanied(self, data: Sequence[Datagram], now: Micros) -> Sequence[Datagram]:
        """Return data with the control packets that are to leave before it."""
        if self.keys.deadline <= now:
            self.keys.on_deadline(now)  # sealing may have brought a new key, to be announced along with the data
        return [*self._outbox.take(), *data] if self._outbox else data

    def _last_words(self, now: Micros) -> list[Datagram]:
        """Take what is still to be said when all is over: to a reader of files also what shows that it has not all."""
        words = self._outbox.take()
        if words and not self._liveness.peer_closed and not self.negotiated.tsbpd_send:
            return [*self.sender.last_word(now)] * LAST_WORD_COPIES + words
        return words

    def events(self) -> list[Event]:
        """Take the news."""
        if not self._news:
            return []
        taken = self._news[:]
        self._news.clear()
        return taken

    @property
    def is_closed(self) -> bool:
        """Whether the connection is over, by either side or by silence."""
        return self._liveness.is_over

    def gauges(self, now: Micros) -> Gauges:
        """Take a reading of everything that is not counted."""
        return self._instruments.read(now)
