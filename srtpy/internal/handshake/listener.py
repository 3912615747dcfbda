"""The listener's side of the handshake: answers, and as little memory as possible.

Lives here: `Answerer`, which answers inductions without keeping anything, checks
conclusions in order of cost, and turns the application's verdict into an answer.
Never here: what a cookie is (cookie.py), what has been answered (answers.py), which offers
fit (negotiation.py), waiting for verdicts and making connections (session).
Draft: 4.3.1 "Caller-Listener Handshake".

Order of checks, cheapest and most anonymous first: a whole handshake packet; for an
induction the allowance; for a conclusion the cookie, then repeats, then the twelve words,
then the extension blocks, then what they say, then room to wait.  Only who brings a fresh
cookie is told why it is refused; everybody else gets silence.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import WIRE_TIME_MASK, Micros
from srtpy.internal.handshake.answers import SILENCE, Allowance, AnswerBook, Key, Told
from srtpy.internal.handshake.codes import to_wire
from srtpy.internal.handshake.cookie import CookieJar
from srtpy.internal.handshake.negotiation import (
    REQUEST_RULES,
    Negotiated,
    Refusal,
    congestion_block,
    first_objection,
    judge_words,
    negotiate_request,
    response_settings,
)
from srtpy.internal.handshake.offer import REQUEST, Offer, read_offer
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.control import PADDING
from srtpy.internal.packet.extensions import peer_address_field
from srtpy.internal.packet.handshake import (
    ANNOUNCES_CONFIG,
    ANNOUNCES_KEYS,
    ANNOUNCES_SRT,
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
    HEADER,
    HEADER_SIZE,
    ControlType,
    Datagram,
    MalformedPacket,
    SocketId,
    control_kind,
    pack_control_header,
)

INDUCTIONS_PER_SECOND: Final = 5000  # ours: a tenth of a core; callers ask again after 250 ms
KEY_SIZE_STEP: Final = 8  # libsrt core.cpp CUDT::createSrtHandshake: the encryption field counts such steps
INDUCTION_BURST: Final = 1000  # ours: everybody who comes back at once after an outage
COMPLAINTS_PER_SECOND: Final = 1  # ours: an operator needs no more to know


@dataclass(frozen=True, slots=True)
class Reply:
    """Send these to where the request came from; nothing else is to be done."""

    datagrams: list[Datagram]


@dataclass(frozen=True, slots=True)
class Ignored:
    """Nothing to do; `text` says why, for debugging."""

    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """A caller that may come in if the application agrees: see `Answerer.accept` and `reject`."""

    remote: Hashable
    handshake: Handshake
    offer: Offer
    arrived: Micros
    stamp: int  # the caller's own time on the packet
    displaced: Key | None = None  # whose request must be rejected for it: that is in nobody's book any more

    @property
    def key(self) -> Key:
        """Who asks."""
        return self.remote, self.handshake.socket_id, self.handshake.isn

    @property
    def peer_socket_id(self) -> SocketId:
        """The caller's socket id."""
        return self.handshake.socket_id

    @property
    def stream_id(self) -> str:
        """The stream id, "" if there is none.  Escape it before it gets into a log."""
        return self.offer.stream_id or ""

    @property
    def peer_version(self) -> int:
        """The caller's SRT version."""
        return self.offer.settings.version

    @property
    def hs_version(self) -> int:
        """The handshake's version: 5."""
        return self.handshake.version

    @property
    def encrypted(self) -> bool:
        """Whether the caller wants to encrypt."""
        return self.offer.key_material is not None

    @property
    def group_id(self) -> int:
        """The caller's group, 0 if it comes alone."""
        return 0 if self.offer.group is None else self.offer.group.group_id

    @property
    def group_type(self) -> int:
        """What kind of group that is, 0 if none."""
        return 0 if self.offer.group is None else self.offer.group.kind


Answer: TypeAlias = Reply | Request | Ignored


class Answerer:
    """What a listener says to handshakes that reach it.

    Purely a function of the packet, the time and the cookies, apart from a bounded book of
    the requests being judged and the answers given.  Nothing here raises for what a packet
    says.

    Attributes:
        complaints: how often callers may be complained of: whoever floods us must not fill the log as well.
    """

    def __init__(self, config: Config, cookies: CookieJar, start: Micros) -> None:
        self._config = config
        self._cookies = cookies
        self._start = start
        self._inductions = Allowance(INDUCTIONS_PER_SECOND, INDUCTION_BURST, start)
        self._book = AnswerBook(start)
        self.complaints = Allowance(COMPLAINTS_PER_SECOND, 1, start)

    @property
    def waiting(self) -> int:
        """How many requests wait for `accept` or `reject`."""
        return self._book.waiting

    @property
    def abandoned(self) -> int:
        """How many requests' callers had given up before there was a verdict."""
        return self._book.abandoned

    def answer(self, piece: Batch, remote: Hashable, local: Hashable, now: Micros) -> Answer:
        """Answer one control packet that came from `remote` to `local` (see `Batch.pieces`).

        A `Request` must be answered by `accept` or `reject`; until then repeats are ignored.
        """
        first_word, _, stamp, _ = piece.first
        if not piece.is_control or control_kind(first_word) != ControlType.HANDSHAKE:
            return Ignored("not a handshake")
        body = piece.datagram(0)[HEADER_SIZE:]
        try:
            theirs = Handshake.decode(body[:HANDSHAKE_SIZE])
        except MalformedPacket as error:
            return Ignored(str(error))
        if not theirs.socket_id:
            return Ignored("a caller without a socket id")
        if theirs.kind == HandshakeKind.INDUCTION:
            return self._answer_induction(theirs, remote, local, now)
        if theirs.kind != HandshakeKind.CONCLUSION:
            return Ignored(f"handshake type {theirs.kind} does not concern a listener")
        if not self._cookies.is_fresh(theirs.cookie, remote, local, now):
            return Ignored("a cookie that is not ours, or stale")
        return self._answer_conclusion(theirs, body[HANDSHAKE_SIZE:], remote, stamp, now)

    def _answer_induction(self, theirs: Handshake, remote: Hashable, local: Hashable, now: Micros) -> Answer:
        if not self._inductions.take(now):
            return Ignored("too many callers at once")
        # libsrt api: the request comes back with version, magic and cookie; the draft's socket id is not what it does
        echo = replace(
            theirs,
            version=VERSION_5,
            encryption=_size_field(self._config),
            extension=MAGIC,
            cookie=self._cookies.bake(remote, local, now),
        )
        return Reply([self._packet(echo, theirs.socket_id, now - self._start)])

    def _answer_conclusion(self, theirs: Handshake, blocks: bytes, remote: Hashable, stamp: int, now: Micros) -> Answer:
        key = remote, theirs.socket_id, theirs.isn
        known = self._book.find(key, now)
        if known is not None:
            return Ignored("a repeat; nothing to say") if known == SILENCE else Reply([_repeated(known, now)])
        judged = self._judge(theirs, blocks)
        if isinstance(judged, Refusal):
            return Reply(self._refusal(theirs, judged.reason, now))
        found = self._book.wait(key, now)
        if isinstance(found, RejectReason):
            return Reply(self._refusal(theirs, found, now))
        return Request(remote, theirs, judged, now, stamp, found)

    def _judge(self, theirs: Handshake, blocks: bytes) -> Offer | Refusal:
        """Read the offer and check all that does not depend on the application."""
        refusal = judge_words(theirs)
        if refusal is not None:
            return refusal
        try:
            offer = read_offer(theirs.extension, blocks, REQUEST)
        except MalformedPacket as error:
            return Refusal(RejectReason.ROGUE, str(error))
        return first_objection(REQUEST_RULES, self._config, theirs, offer) or offer

    def accept(
        self,
        request: Request,
        socket_id: SocketId,
        now: Micros,
        config: Config | None = None,
        keys: bytes | None = None,
    ) -> Negotiated | Refusal:
        """Let a request in: send `reply` of what is returned to the caller; repeats are answered here.

        A Refusal says what the application could not know (encryption, packet filter): hand it to `reject`.
        `config` stands in for the listener's own where the application chose otherwise for this caller.
        `keys` is the body of the KMRSP block, b"" for none, once keys have been agreed on; None: nobody has
        seen to that, and who wants any is refused.
        """
        theirs = request.handshake
        mine = config or self._config
        if keys is None and (request.encrypted or mine.passphrase):
            return Refusal(RejectReason.UNSECURE, "one side encrypts, and no keys have been agreed on")
        agreed = negotiate_request(mine, theirs, request.offer, socket_id, request.arrived - request.stamp, now)
        if isinstance(agreed, Refusal):
            return agreed
        blocks = [Extension(ExtensionKind.HSRSP, response_settings(agreed).encode())]
        congestion = congestion_block(mine)
        blocks.extend(congestion)
        if keys:
            blocks.append(Extension(ExtensionKind.KMRSP, keys))
        answer = replace(
            theirs,
            encryption=_size_field(mine),
            extension=ANNOUNCES_SRT | (ANNOUNCES_CONFIG if congestion else 0) | (ANNOUNCES_KEYS if keys else 0),
            mss=agreed.mss,
            flow_window=mine.effective_recv_buf_size,
            socket_id=socket_id,
            peer_address=peer_address_field(packed_host(request.remote)),
            extensions=tuple(blocks),
        )
        reply, _ = self._packet(answer, theirs.socket_id, 0)
        self._book.accepted(request.key, (reply, now))
        return replace(agreed, reply=reply)

    def is_replayed(self, keys: bytes) -> bool:
        """Say whether a connection has begun with these keys, as they were wrapped, before."""
        return self._book.is_used(keys)

    def abandon(self, request: Request, now: Micros) -> bool:
        """Forget a request whose caller must have given up meanwhile, silent for so long; say whether it must.

        If it comes again after all, it is a new one.
        """
        return self._book.abandon(request.key, now)

    def reject(self, request: Request, reason: int, now: Micros) -> list[Datagram]:
        """Refuse a request; send what is returned to the caller.

        Raises:
            ValueError: a reason that cannot be sent.
        """
        datagrams = self._refusal(request.handshake, reason, now)
        self._book.refused(request.key, (datagrams[0][0], self._start), now)
        return datagrams

    def ended(self, key: Key, now: Micros) -> None:
        """Note that the connection that came of a request is over: repeats of it get no answer any more."""
        self._book.ended(key, now)

    def _refusal(self, theirs: Handshake, reason: int, now: Micros) -> list[Datagram]:
        since = now - self._start
        if theirs.version == VERSION_4:  # it would take a code for a success
            header = pack_control_header(ControlType.SHUTDOWN, 0, since & WIRE_TIME_MASK, theirs.socket_id)
            return [(header + PADDING, b"")]
        echo = replace(theirs, kind=to_wire(reason), socket_id=0, extensions=())
        return [self._packet(echo, theirs.socket_id, since)]

    @staticmethod
    def _packet(handshake: Handshake, destination: SocketId, stamp: Micros) -> Datagram:
        header = pack_control_header(ControlType.HANDSHAKE, 0, stamp & WIRE_TIME_MASK, destination)
        return header + handshake.encode(), b""


def _size_field(config: Config) -> int:
    """Return the encryption field of what we answer: the size of key we would like, if we would like one."""
    return (config.key_length or 0) // KEY_SIZE_STEP


def _repeated(told: Told, now: Micros) -> Datagram:
    """Return an answer once more, the same but for its timestamp.

    As libsrt does (measured): the caller takes the answer's timestamp for our clock, so an old one would
    move all that we send to it, and play it later by as long as the answer was lost.
    """
    datagram, start = told
    first, information, _, destination = HEADER.unpack_from(datagram)
    header = HEADER.pack(first, information, (now - start) & WIRE_TIME_MASK, destination)
    return header + datagram[HEADER_SIZE:], b""


def packed_host(remote: Hashable) -> bytes:
    """Return the packed IP address in a socket address, b"" where there is none."""
    host = remote[0] if isinstance(remote, tuple) and remote else remote
    if not isinstance(host, str):
        return b""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return b""
    mapped = getattr(address, "ipv4_mapped", None)
    return address.packed if mapped is None else bytes(mapped.packed)
