"""What a connection can be asked about at one moment, beside what it has counted.

Lives here: the record `Connection.gauges` returns, and asking the parts for it.
Never here: counts since the beginning (counters.py), units and names for the public (srtpy.stats).
Source: libsrt SRT_TRACEBSTATS, the instantaneous fields.
"""

from __future__ import annotations

from dataclasses import dataclass

from srtpy.internal.buffer.receive import ReceiveBuffer
from srtpy.internal.clock.units import Micros
from srtpy.internal.congestion.arrivals import Arrivals
from srtpy.internal.core.keys import Keys
from srtpy.internal.core.losses import Losses
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.core.sender import Sender
from srtpy.internal.handshake.negotiation import Negotiated


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauges:
    """Readings of one moment.  Buffers and windows in packets, times in microseconds, rates a second."""

    now: Micros
    start: Micros
    rtt: Micros
    rtt_variance: Micros
    mss: int
    payload_size: int
    # sending
    flow_window: int
    congestion_window: int
    flight: int
    send_period: float  # microseconds between packets
    max_bandwidth: int  # bytes a second; 0: unlimited
    send_buffer_packets: int
    send_buffer_bytes: int
    send_buffer_age: Micros  # of the oldest packet not yet acknowledged
    send_buffer_room: int
    peer_capacity: int  # packets a second, from the peer's reports
    peer_latency: Micros
    # receiving
    receive_buffer_packets: int
    receive_buffer_bytes: int
    receive_buffer_span: Micros  # from the oldest packet held to the newest
    receive_buffer_room: int
    receive_rate: int  # packets a second
    link_capacity: int  # packets a second, from probe pairs
    recv_latency: Micros
    reorder_tolerance: int
    unread_packets: int  # delivered and waiting for the application
    # encryption
    send_km_state: int
    recv_km_state: int
    key_length: int  # bytes of the key we seal with; 0: we send in clear
    cipher: int  # of key material; 0: no keys


class Instruments:
    """The parts that have something to show; nothing here changes them."""

    __slots__ = ("_arrivals", "_buffer", "_keys", "_losses", "_round_trip", "_sender", "_terms")

    def __init__(
        self,
        terms: Negotiated,
        sender: Sender,
        buffer: ReceiveBuffer,
        round_trip: RoundTrip,
        arrivals: Arrivals,
        losses: Losses,
        keys: Keys,
    ) -> None:
        self._terms = terms
        self._sender = sender
        self._buffer = buffer
        self._round_trip = round_trip
        self._arrivals = arrivals
        self._losses = losses
        self._keys = keys

    def read(self, now: Micros) -> Gauges:
        """Take a reading."""
        terms, sender, buffer, round_trip, keys = self._terms, self._sender, self._buffer, self._round_trip, self._keys
        speed, _ = self._arrivals.speed()
        return Gauges(
            now=now,
            start=terms.start,
            rtt=round_trip.smoothed,
            rtt_variance=round_trip.variance,
            mss=terms.mss,
            payload_size=terms.payload_size,
            flow_window=sender.flow_window,
            congestion_window=sender.congestion_window,
            flight=sender.flight,
            send_period=sender.period,
            max_bandwidth=sender.max_bandwidth,
            send_buffer_packets=sender.unacknowledged,
            send_buffer_bytes=sender.buffered_bytes,
            send_buffer_age=sender.oldest_age(now),
            send_buffer_room=sender.room(),
            peer_capacity=sender.capacity,
            peer_latency=terms.peer_latency,
            receive_buffer_packets=buffer.held(),  # libsrt buffer_rcv.cpp getRcvDataSize: also behind a gap
            receive_buffer_bytes=buffer.held_bytes(),
            receive_buffer_span=buffer.span(),
            receive_buffer_room=max(buffer.capacity - buffer.unread(), 0),
            receive_rate=speed,
            link_capacity=self._arrivals.capacity(speed),
            recv_latency=terms.recv_latency,
            reorder_tolerance=self._losses.tolerance,
            unread_packets=buffer.handed_over(),
            send_km_state=keys.send_state,
            recv_km_state=keys.recv_state,
            key_length=keys.key_size,
            cipher=keys.cipher,
        )
