"""What two ends agree on, decided by pure functions.

Lives here: `Negotiated`, which a connection is born from, `Refusal`, what a handshake ends
with; the rules an offer must pass and how the values come about; our own announcements.
Never here: who says what when (caller.py, listener.py), reading blocks (offer.py), layouts
(packet), the codes on the wire (codes.py), keys (keying.py and whom it names).
Draft: 3.2.1.1 "Handshake Extension Message", 4.3.1 "Caller-Listener Handshake"; where
libsrt is stricter or looser than the draft, libsrt.

Rules are tables: the first that objects decides.  A new extension adds a rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeAlias

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, Micros, from_seconds
from srtpy.internal.handshake.offer import SRT_VERSION, Offer
from srtpy.internal.packet.extensions import (
    CRYPT,
    LARGEST_LATENCY_MS,
    PACKET_FILTER,
    PERIODIC_NAK,
    RETRANSMIT_FLAG,
    STREAM,
    TLPKTDROP,
    TSBPD_RECEIVE,
    TSBPD_SEND,
    SrtExtension,
    encode_text,
)
from srtpy.internal.packet.handshake import ANNOUNCES_SRT, VERSION_5, Extension, ExtensionKind, Handshake
from srtpy.internal.packet.header import SocketId
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber
from srtpy.limits import MIN_MSS, PACKET_OVERHEAD

LIVE: Final = "live"
FIRST_HSV5_VERSION: Final = 0x010300  # libsrt core.h HS_VERSION_SRT1: older ones do not speak HSv5
SMALLEST_WINDOW: Final = 2  # libsrt handshake.cpp CHandShake::valid
LARGEST_WINDOW: Final = 1 << 20  # ours: a claim of more is cut, so that no arithmetic depends on it


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
    round_trip: Micros = 0  # what the handshake took, there and back; 0: it cannot be told (a listener keeps no state)


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
    """The handshake has failed: a public reject code, words for people, whether the peer said it."""

    reason: int
    text: str
    by_peer: bool = False


Rule: TypeAlias = Callable[[Config, Handshake, Offer], Refusal | None]


# ---- what we say of ourselves ------------------------------------------------------------


def _latency_ms(seconds: float) -> int:
    return min(-(-from_seconds(seconds) // MILLISECOND), LARGEST_LATENCY_MS)


def request_settings(config: Config) -> SrtExtension:
    """Return the HSREQ of an initiator with this config."""
    flags = CRYPT | RETRANSMIT_FLAG | PACKET_FILTER
    flags |= TSBPD_SEND | TSBPD_RECEIVE if not config.is_file else 0
    flags |= 0 if config.effective_message_api else STREAM
    flags |= TLPKTDROP if config.effective_tlpktdrop else 0
    flags |= PERIODIC_NAK if config.effective_nak_report else 0
    own, peer = _latency_ms(config.effective_recv_latency), _latency_ms(config.effective_peer_latency)
    return SrtExtension(SRT_VERSION, flags, own, peer)


def response_settings(agreed: Negotiated) -> SrtExtension:
    """Return the HSRSP of a responder: the outcome, which the initiator takes over unseen."""
    flags = CRYPT | PACKET_FILTER  # STREAM never: libsrt does not set it in a response
    flags |= TSBPD_SEND if agreed.tsbpd_send else 0
    flags |= TSBPD_RECEIVE if agreed.tsbpd_receive else 0
    flags |= TLPKTDROP if agreed.tlpktdrop else 0
    flags |= PERIODIC_NAK if agreed.nak_report else 0
    flags |= RETRANSMIT_FLAG if agreed.peer_retransmit_flag else 0
    own, peer = agreed.recv_latency // MILLISECOND, agreed.peer_latency // MILLISECOND
    return SrtExtension(SRT_VERSION, flags, own, peer)


def congestion_block(config: Config) -> tuple[Extension, ...]:
    """Return the block both sides need of a connection that is not live, and no other."""
    name = config.effective_congestion.value
    return () if name == LIVE else (Extension(ExtensionKind.CONGESTION, encode_text(name)),)


# ---- the rules -----------------------------------------------------------------------------


def judge_words(theirs: Handshake) -> Refusal | None:
    """Object to twelve words of a conclusion that no sane peer sends."""
    if theirs.version != VERSION_5:
        return Refusal(RejectReason.VERSION, f"handshake version {theirs.version} where {VERSION_5} is needed")
    if not theirs.extension & ANNOUNCES_SRT:
        return Refusal(RejectReason.ROGUE, f"no SRT settings announced (extension field {theirs.extension:#x})")
    if theirs.isn >= SEQ_MASK:
        return Refusal(RejectReason.ROGUE, f"initial sequence number {theirs.isn:#x} is out of range")
    if theirs.mss < MIN_MSS:
        return Refusal(RejectReason.ROGUE, f"MSS {theirs.mss} is less than {MIN_MSS} bytes")
    if theirs.flow_window < SMALLEST_WINDOW:
        return Refusal(RejectReason.ROGUE, f"a flow window of {theirs.flow_window} packets")
    return None


def _speaks_hsv5(_config: Config, _theirs: Handshake, offer: Offer) -> Refusal | None:
    version = offer.settings.version
    if version >= FIRST_HSV5_VERSION:
        return None
    return Refusal(RejectReason.ROGUE, f"SRT version {dotted(version)} in a handshake that began with 1.3.0")


def _is_new_enough(config: Config, _theirs: Handshake, offer: Offer) -> Refusal | None:
    version = offer.settings.version
    if version >= config.min_version:
        return None
    return Refusal(
        RejectReason.VERSION,
        f"the peer has SRT version {dotted(version)}, min_version demands {dotted(config.min_version)}",
    )


def _has_no_empty_text(_config: Config, _theirs: Handshake, offer: Offer) -> Refusal | None:
    # libsrt refuses these without naming a reason
    if "" in (offer.stream_id, offer.congestion, offer.packet_filter):
        return Refusal(RejectReason.UNKNOWN, "an extension with an empty text")
    return None


def _sends_as_we_do(config: Config, _theirs: Handshake, offer: Offer) -> Refusal | None:
    if bool(offer.settings.flags & STREAM) != config.effective_message_api:
        return None
    ours, theirs = ("messages", "a stream of bytes")[:: 1 if config.effective_message_api else -1]
    return Refusal(RejectReason.MESSAGE_API, f"the peer sends {theirs}, we send {ours}")


def _is_alone(_config: Config, _theirs: Handshake, offer: Offer) -> Refusal | None:
    if offer.group is not None:
        return Refusal(RejectReason.GROUP, "the peer connects as a group; groups are not accepted here")
    return None


def _has_our_congestion(config: Config, _theirs: Handshake, offer: Offer) -> Refusal | None:
    name = LIVE if offer.congestion is None else offer.congestion
    ours = config.effective_congestion.value
    if name != ours:
        return Refusal(RejectReason.CONGESTION, f"the peer's congestion control is {name!r}, ours is {ours!r}")
    return None


def _has_no_filter(_config: Config, _theirs: Handshake, offer: Offer) -> Refusal | None:
    if offer.packet_filter is not None:
        return Refusal(RejectReason.FILTER, f"the peer wants the packet filter {offer.packet_filter!r}, we have none")
    return None


REQUEST_RULES: Final[tuple[Rule, ...]] = (
    _speaks_hsv5,
    _is_new_enough,
    _has_no_empty_text,
    _sends_as_we_do,
    _is_alone,
    _has_our_congestion,
)
"""What a request must pass before the application is asked."""
ENTRY_RULES: Final[tuple[Rule, ...]] = (_has_no_filter,)
"""What it must pass afterwards: these may depend on what the application has answered."""
RESPONSE_RULES: Final[tuple[Rule, ...]] = (
    _speaks_hsv5,
    _is_new_enough,
    _has_no_empty_text,
    _has_our_congestion,
    _has_no_filter,
)
"""What a response must pass; its STREAM flag means nothing, libsrt never sets it."""


def first_objection(rules: Iterable[Rule], config: Config, theirs: Handshake, offer: Offer) -> Refusal | None:
    """Return what the first rule that objects says, or None."""
    return next((refusal for rule in rules if (refusal := rule(config, theirs, offer)) is not None), None)


def judge_entry(config: Config, theirs: Handshake, offer: Offer) -> Refusal | None:
    """Object to a request for what the application could not know; keys are agreed on elsewhere."""
    return first_objection(ENTRY_RULES, config, theirs, offer)


def dotted(version: int) -> str:
    """Return an SRT version as people write it."""
    return f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}"


# ---- the outcome ---------------------------------------------------------------------------


def _payload_size(config: Config, mss: int) -> int:
    largest = mss - PACKET_OVERHEAD
    return min(config.payload_size or largest, largest)


def negotiate_request(
    config: Config, theirs: Handshake, offer: Offer, socket_id: SocketId, peer_start: Micros, now: Micros
) -> Negotiated | Refusal:
    """Decide a caller's request, as the responder; both directions get the larger latency.

    `peer_start` is our clock at the peer's timestamp zero, `now` becomes our own.
    """
    refusal = judge_words(theirs) or first_objection((*REQUEST_RULES, *ENTRY_RULES), config, theirs, offer)
    if refusal is not None:
        return refusal
    said, mine = offer.settings, request_settings(config)
    # draft 4.4 "SRT Buffer Latency", in libsrt's order: each direction's sender and receiver, the larger wins
    own_ms = max(mine.receive_latency_ms, said.send_latency_ms if said.flags & TSBPD_SEND else 0)
    peer_ms = max(mine.send_latency_ms, said.receive_latency_ms) if said.flags & TSBPD_RECEIVE else 0
    return _agreed(
        config,
        theirs,
        offer,
        socket_id=socket_id,
        latencies=(own_ms * MILLISECOND, peer_ms * MILLISECOND),
        stream_id=offer.stream_id or "",
        clocks=(now, peer_start),
        initiator=False,
    )


def negotiate_response(
    config: Config,
    theirs: Handshake,
    offer: Offer,
    socket_id: SocketId,
    isn: SequenceNumber,
    start: Micros,
    peer_start: Micros,
) -> Negotiated | Refusal:
    """Decide a listener's response, as the initiator; its latencies are taken over as they are."""
    refusal = judge_words(theirs)
    if refusal is None and theirs.isn != isn:
        refusal = Refusal(
            RejectReason.ROGUE, f"the listener starts at sequence number {theirs.isn:#x} instead of our {isn:#x}"
        )
    refusal = refusal or first_objection(RESPONSE_RULES, config, theirs, offer)
    if refusal is not None:
        return refusal
    said, mine = offer.settings, request_settings(config)
    own_ms = said.send_latency_ms if said.flags & TSBPD_SEND else mine.receive_latency_ms
    peer_ms = said.receive_latency_ms if said.flags & TSBPD_RECEIVE else 0
    return _agreed(
        config,
        theirs,
        offer,
        socket_id=socket_id,
        latencies=(own_ms * MILLISECOND, peer_ms * MILLISECOND),
        stream_id=config.stream_id,
        clocks=(start, peer_start),
        initiator=True,
    )


def _agreed(
    config: Config,
    theirs: Handshake,
    offer: Offer,
    *,
    socket_id: SocketId,
    latencies: tuple[Micros, Micros],
    stream_id: str,
    clocks: tuple[Micros, Micros],
    initiator: bool,
) -> Negotiated:
    """Put together what both roles decide alike."""
    flags = offer.settings.flags
    mss = min(config.mss, theirs.mss)
    return Negotiated(
        socket_id=socket_id,
        peer_socket_id=theirs.socket_id,
        send_isn=theirs.isn,
        recv_isn=theirs.isn,
        mss=mss,
        payload_size=_payload_size(config, mss),
        flow_window=min(theirs.flow_window, LARGEST_WINDOW),
        peer_version=offer.settings.version,
        recv_latency=latencies[0],
        peer_latency=latencies[1],
        tsbpd_receive=not config.is_file,
        tsbpd_send=bool(flags & TSBPD_RECEIVE),
        tlpktdrop=config.effective_tlpktdrop,
        peer_tlpktdrop=bool(flags & TLPKTDROP),
        nak_report=config.effective_nak_report,
        peer_nak_report=bool(flags & PERIODIC_NAK),
        peer_retransmit_flag=bool(flags & RETRANSMIT_FLAG),
        message_api=config.effective_message_api,
        congestion=config.effective_congestion.value,
        stream_id=stream_id,
        start=clocks[0],
        peer_start=clocks[1],
        initiator=initiator,
        reply=b"",
    )
