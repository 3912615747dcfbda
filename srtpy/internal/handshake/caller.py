"""The caller's side of the handshake.

Lives here: `Caller`: induction, conclusion, repeats, patience; what it keeps for the
connection that follows.
Never here: which answers fit (negotiation.py), the listener (listener.py), sockets and
threads (session).
Draft: 4.3.1 "Caller-Listener Handshake".

Every transition for a handshake packet lives in the table `_STEPS` at the end of the class.

    ASKING        our induction is out                       -> AGREEING with the cookie
    AGREEING      our conclusion is out                      -> OPEN with the response
    ASKING_AGAIN  several conclusions went unanswered: the listener may have forgotten its
                  cookies, and is silent about wrong ones; now we
                  say both, the loss may be the network's    -> AGREEING, or OPEN after all
    OPEN, REFUSED the end
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import Enum, auto
from typing import ClassVar, Final, TypeAlias

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, NEVER, WIRE_TIME_MASK, Micros, from_seconds
from srtpy.internal.handshake.codes import from_wire
from srtpy.internal.handshake.keying import NO_KEYS, KeyExchange
from srtpy.internal.handshake.negotiation import (
    Negotiated,
    Opened,
    Refused,
    congestion_block,
    dotted,
    negotiate_response,
    request_settings,
)
from srtpy.internal.handshake.offer import RESPONSE, SRT_VERSION, read_offer
from srtpy.internal.handshake.timing import Timing
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.control import PADDING
from srtpy.internal.packet.extensions import encode_text, peer_address_field
from srtpy.internal.packet.handshake import (
    ANNOUNCES_CONFIG,
    ANNOUNCES_KEYS,
    ANNOUNCES_SRT,
    DATAGRAM_SOCKET,
    HANDSHAKE_SIZE,
    MAGIC,
    VERSION_4,
    VERSION_5,
    Extension,
    ExtensionKind,
    Handshake,
    HandshakeKind,
)
from srtpy.internal.packet.header import (
    HEADER_SIZE,
    ControlType,
    Datagram,
    MalformedPacket,
    SocketId,
    control_kind,
    pack_control_header,
)
from srtpy.internal.seq.number import SequenceNumber

REPEAT: Final[Micros] = 250 * MILLISECOND  # libsrt core.cpp startConnect: a request is said again after this
HURRIED_REPEAT: Final[Micros] = 10 * MILLISECOND  # ours: early data asks for a repeat, but a stream of it for few
UNANSWERED_LIMIT: Final = 4  # ours: conclusions (a second of them) before asking for a new cookie
EARLY_LIMIT: Final = 1024  # ours: packets kept that came before the response, about 1.5 MB

CallerEvent: TypeAlias = Opened | Refused


class Phase(Enum):
    """How far we are."""

    ASKING = auto()
    AGREEING = auto()
    ASKING_AGAIN = auto()
    OPEN = auto()
    REFUSED = auto()


class Heard(Enum):
    """What a handshake packet says to a caller."""

    COOKIE = auto()
    RESPONSE = auto()
    REJECTION = auto()


class Caller:
    """Opens one connection to a listener: the five verbs until `Opened` or `Refused`.

    Attributes:
        early: what came for the connection before its time; to be given to it first.
        malformed: packets that made no sense.
    """

    def __init__(
        self,
        config: Config,
        socket_id: SocketId,
        isn: SequenceNumber,
        remote_host: bytes,
        start: Micros,
        now: Micros,
        *,
        keys: KeyExchange = NO_KEYS,
    ) -> None:
        """Begin; the first induction is ready to be sent.

        Args:
            config: what we want.
            socket_id: our id.
            isn: the first sequence number, of both directions.
            remote_host: the listener's address, packed; b"" where it is no IP address.
            start: our timestamp zero.
            now: the time.
            keys: our part in the exchange of keys.
        """
        self.early: list[Batch] = []
        self.malformed = 0
        self._config = config
        self._keys = keys
        self._hello = _induction(config, socket_id, isn, remote_host)
        self._request = self._hello
        self._start = start
        self._phase = Phase.ASKING
        self._unanswered = 0
        self._timing = Timing(now)
        self._gives_up_at = now + from_seconds(config.conn_timeout)
        self._outgoing: list[Datagram] = []
        self._news: list[CallerEvent] = []
        self._early_count = 0
        self._say(now)

    # ---- the five verbs

    def receive_datagrams(self, batch: Batch, now: Micros) -> None:
        """Take in what the network brought."""
        for piece in batch.pieces():
            try:
                self._receive(piece, now)
            except MalformedPacket:
                self.malformed += 1

    def handle_timer(self, now: Micros) -> None:
        """Do what is due."""
        if not self.is_undecided:
            return
        if now >= self._gives_up_at:
            self._refuse(RejectReason.TIMEOUT, self._patience_text())
        elif now >= self._timing.said_at + REPEAT:
            self._repeat(now)

    def next_deadline(self) -> Micros:
        """Return when `handle_timer` wants to be called."""
        return min(self._timing.said_at + REPEAT, self._gives_up_at) if self.is_undecided else NEVER

    def datagrams_to_send(self, now: Micros) -> list[Datagram]:
        """Hand over what is to be sent."""
        taken, self._outgoing = self._outgoing, []
        return taken

    def events(self) -> list[CallerEvent]:
        """Hand over what has happened."""
        taken, self._news = self._news, []
        return taken

    @property
    def is_undecided(self) -> bool:
        """Whether neither `Opened` nor `Refused` has been reached."""
        return self._phase not in (Phase.OPEN, Phase.REFUSED)

    # ---- hearing

    def _receive(self, piece: Batch, now: Micros) -> None:
        first_word, _, stamp, destination = piece.first
        kind = control_kind(first_word) if piece.is_control else None
        if kind == ControlType.HANDSHAKE and destination in (0, self._hello.socket_id):
            # listeners built on libsrt up to 1.3.0 leave the destination 0
            self._receive_handshake(piece.datagram(0)[HEADER_SIZE:], (piece.arrived or now) - stamp, now)
        elif destination == self._hello.socket_id and kind == ControlType.SHUTDOWN and self.is_undecided:
            self._refuse(RejectReason.CLOSE, "the listener closed the connection while it was being made")
        elif destination == self._hello.socket_id:
            self._receive_early(piece, now)

    def _receive_handshake(self, body: bytes, peer_start: Micros, now: Micros) -> None:
        theirs = Handshake.decode(body[:HANDSHAKE_SIZE])
        heard = _heard(theirs)
        step = None if heard is None else self._STEPS.get((self._phase, heard))
        if step is not None:
            step(self, theirs, body[HANDSHAKE_SIZE:], peer_start, now)

    def _receive_early(self, piece: Batch, now: Micros) -> None:
        """Keep what is meant for the connection; before the response it says that the response was lost."""
        if self._phase in (Phase.ASKING, Phase.REFUSED):
            return
        if self._early_count + piece.count <= EARLY_LIMIT:
            self.early.append(piece)
            self._early_count += piece.count
        if self.is_undecided and now >= self._timing.said_at + HURRIED_REPEAT:
            self._say(now)

    # ---- steps: (the packet, its extension blocks, the peer's timestamp zero, now)

    def _take_cookie(self, theirs: Handshake, _blocks: bytes, _peer_start: Micros, now: Micros) -> None:
        if theirs.version == VERSION_4:
            self._refuse(
                RejectReason.VERSION,
                "the listener speaks only the old handshake (HSv4, SRT before 1.3.0), which is not supported",
            )
        elif theirs.version < VERSION_5 or theirs.extension != MAGIC:
            self._refuse(
                RejectReason.ROGUE,
                f"what answers there is no SRT listener (handshake version {theirs.version}, "
                f"magic {theirs.extension:#06x} instead of {MAGIC:#06x})",
            )
        else:
            self._timing.answered(now)
            self._request = self._conclusion(theirs)
            self._phase = Phase.AGREEING
            self._unanswered = 0
            self._say(now)

    def _take_response(self, theirs: Handshake, blocks: bytes, peer_start: Micros, now: Micros) -> None:
        try:
            offer = read_offer(theirs.extension, blocks, RESPONSE)
        except MalformedPacket as error:
            self._refuse(RejectReason.ROGUE, f"the listener's answer makes no sense: {error}")
            self._say_goodbye(theirs.socket_id, now)
            return
        self._timing.answered(now)
        hello = self._hello
        result = negotiate_response(self._config, theirs, offer, hello.socket_id, hello.isn, self._start, peer_start)
        if isinstance(result, Negotiated):
            result = self._keys.conclude(result, offer.key_material) or result
        if isinstance(result, Negotiated):
            self._phase = Phase.OPEN
            self._news.append(Opened(replace(result, round_trip=self._timing.shortest)))
        else:
            self._refuse(result.reason, result.text)
            self._say_goodbye(theirs.socket_id, now)

    def _take_rejection(self, theirs: Handshake, _blocks: bytes, _peer_start: Micros, _now: Micros) -> None:
        reason = RejectReason(from_wire(theirs.kind))
        self._refuse(reason, self._advice(reason), by_peer=True)

    def _refuse(self, reason: int, text: str, *, by_peer: bool = False) -> None:
        self._phase = Phase.REFUSED
        self._news.append(Refused(reason, text, by_peer))

    # ---- speaking

    def _repeat(self, now: Micros) -> None:
        if self._phase is Phase.AGREEING:
            self._unanswered += 1
            if self._unanswered >= UNANSWERED_LIMIT:
                self._phase = Phase.ASKING_AGAIN
        self._say(now)

    def _say(self, now: Micros) -> None:
        """Queue the requests of this phase, stamped anew: the listener reads our clock from them."""
        header = pack_control_header(ControlType.HANDSHAKE, 0, (now - self._start) & WIRE_TIME_MASK, 0)
        if self._phase is not Phase.AGREEING:
            self._outgoing.append((header + self._hello.encode(), b""))
        if self._phase is not Phase.ASKING:
            self._outgoing.append((header + self._request.encode(), b""))
        self._timing.said(now)

    def _say_goodbye(self, peer: SocketId, now: Micros) -> None:
        """Tell a listener that has accepted us that we are gone."""
        if peer:
            header = pack_control_header(ControlType.SHUTDOWN, 0, (now - self._start) & WIRE_TIME_MASK, peer)
            self._outgoing.append((header + PADDING, b""))

    def _conclusion(self, theirs: Handshake) -> Handshake:
        """Return our conclusion, with the cookie and the key size of the listener's answer to our induction."""
        extensions = [Extension(ExtensionKind.HSREQ, request_settings(self._config).encode())]
        announced = ANNOUNCES_SRT
        if self._config.stream_id:
            announced |= ANNOUNCES_CONFIG
            extensions.append(Extension(ExtensionKind.STREAM_ID, encode_text(self._config.stream_id)))
        if congestion := congestion_block(self._config):
            announced |= ANNOUNCES_CONFIG
            extensions.extend(congestion)
        offered = self._keys.offer(theirs.encryption)
        if offered:
            announced |= ANNOUNCES_KEYS
            extensions.append(Extension(ExtensionKind.KMREQ, offered))
        return replace(
            self._hello,
            version=VERSION_5,
            encryption=self._keys.size_field,
            extension=announced,
            kind=HandshakeKind.CONCLUSION,
            cookie=theirs.cookie,
            extensions=tuple(extensions),
        )

    def _advice(self, reason: RejectReason) -> str:
        """Return what to do about a rejection, by what we know of our own side."""
        config = self._config
        if reason == RejectReason.UNSECURE:
            if config.passphrase:
                # libsrt 1.5.1 refuses so what it cannot read
                hint = "; or it knows no AES-GCM: try crypto_mode CTR" if config.crypto_mode.name == "GCM" else ""
                return f"a passphrase is set here and the listener has none; set the same one there, or none here{hint}"
            return "the listener demands encryption and no passphrase is set here; set the listener's"
        if reason == RejectReason.MESSAGE_API:
            ours, theirs = ("messages", "a byte stream")[:: 1 if config.effective_message_api else -1]
            return (
                f"here it is {ours} and at the listener {theirs}; "
                "compare trans_type (live, file) and message_api on both sides"
            )
        if reason == RejectReason.CONGESTION:
            return (
                f"the listener's congestion control is not ours, {config.effective_congestion.value!r}; "
                "compare trans_type (live, file) and congestion on both sides"
            )
        if reason == RejectReason.CRYPTO:
            mode = config.crypto_mode.name
            return f"{reason.advice} (here it is {mode}{', which asks for CTR' if mode == 'AUTO' else ''})"
        if reason == RejectReason.VERSION:
            return f"the listener demands a newer SRT version than ours, {dotted(SRT_VERSION)}; see its min_version"
        return reason.advice

    def _patience_text(self) -> str:
        waited = f"{self._config.conn_timeout:g} s"
        if self._phase is Phase.ASKING:
            return f"nobody answered within {waited}; check address, port and firewall"
        return f"the listener greeted us and then did not answer within {waited}; is it overloaded?"

    _Step: TypeAlias = Callable[["Caller", Handshake, bytes, Micros, Micros], None]
    _STEPS: ClassVar[Mapping[tuple[Phase, Heard], _Step]] = {
        (Phase.ASKING, Heard.COOKIE): _take_cookie,
        (Phase.ASKING, Heard.REJECTION): _take_rejection,
        (Phase.AGREEING, Heard.RESPONSE): _take_response,
        (Phase.AGREEING, Heard.REJECTION): _take_rejection,
        (Phase.ASKING_AGAIN, Heard.COOKIE): _take_cookie,
        (Phase.ASKING_AGAIN, Heard.RESPONSE): _take_response,
        (Phase.ASKING_AGAIN, Heard.REJECTION): _take_rejection,
    }
    """Absent: ignored, as a second answer to the induction."""


def _induction(config: Config, socket_id: SocketId, isn: SequenceNumber, remote_host: bytes) -> Handshake:
    """Return our first word; the conclusion says the same, and more."""
    return Handshake(
        version=VERSION_4,
        extension=DATAGRAM_SOCKET,
        isn=isn,
        mss=config.mss,
        flow_window=config.effective_recv_buf_size,
        kind=HandshakeKind.INDUCTION,
        socket_id=socket_id,
        cookie=0,
        peer_address=peer_address_field(remote_host),
    )


def _heard(theirs: Handshake) -> Heard | None:
    if theirs.is_rejection:
        return Heard.REJECTION
    if theirs.kind == HandshakeKind.INDUCTION:
        return Heard.COOKIE
    return Heard.RESPONSE if theirs.kind == HandshakeKind.CONCLUSION else None
