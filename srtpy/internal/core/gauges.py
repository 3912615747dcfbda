"""What a connection can be asked about at one moment, beside what it has counted.

Lives here: the record `Connection.gauges` fills.
Never here: counts since the beginning (counters.py), units and names for the public (srtpy.stats).
Source: libsrt SRT_TRACEBSTATS, the instantaneous fields.
"""

from __future__ import annotations

from dataclasses import dataclass

from srtpy.internal.clock.units import Micros


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
    unread_messages: int  # delivered and waiting for the application
