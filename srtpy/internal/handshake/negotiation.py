"""What two ends agree on, as values.

Lives here: `Negotiated`, which a connection is born from, and what a handshake ends with.
Never here: who says what when (caller.py, listener.py), layouts (packet.handshake),
reject numbers on the wire (codes.py).
Draft: 3.2.1.1 "Handshake Extension Message", 4.3.1 "Caller-Listener Handshake".
"""

from __future__ import annotations

from dataclasses import dataclass

from srtpy.internal.clock.units import Micros
from srtpy.internal.packet.header import SocketId
from srtpy.internal.seq.number import SequenceNumber


@dataclass(frozen=True, slots=True, kw_only=True)
class Negotiated:
    """Everything two ends have agreed on; a connection is born from this."""

    socket_id: SocketId
    peer_socket_id: SocketId
    send_isn: SequenceNumber  # the first number we send
    recv_isn: SequenceNumber  # the first number the peer sends
    mss: int
    payload_size: int  # the largest payload of a packet we may send
    flow_window: int  # packets the peer says it can hold
    peer_version: int
    recv_latency: Micros
    peer_latency: Micros
    tsbpd_receive: bool  # we deliver by timestamp
    tsbpd_send: bool  # the peer delivers by timestamp
    tlpktdrop: bool  # we skip what comes too late
    peer_tlpktdrop: bool
    nak_report: bool  # we send periodic NAKs
    peer_nak_report: bool
    peer_retransmit_flag: bool  # the peer understands the R bit
    message_api: bool
    congestion: str
    stream_id: str
    start: Micros  # our timestamp zero
    peer_start: Micros  # our clock at the peer's timestamp zero: arrival - timestamp
    initiator: bool
    reply: bytes  # listener: the whole conclusion datagram, to repeat; caller: b""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why two ends cannot agree: a public reject code, and words for people."""

    reason: int
    text: str


@dataclass(frozen=True, slots=True)
class Opened:
    """The handshake has succeeded."""

    negotiated: Negotiated


@dataclass(frozen=True, slots=True)
class Refused:
    """The handshake has failed: a public reject code, and words for people."""

    reason: int
    text: str
