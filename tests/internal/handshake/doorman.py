"""What the handshake's tests share: packets as peers send them, and a listener as an end of the virtual world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from srtpy.config import Config
from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.handshake.cookie import CookieJar
from srtpy.internal.handshake.listener import Answerer, Reply, Request
from srtpy.internal.handshake.negotiation import Negotiated, Opened, Refusal, Refused
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.extensions import SrtExtension
from srtpy.internal.packet.handshake import Extension, Handshake, HandshakeKind
from srtpy.internal.packet.header import HEADER, HEADER_SIZE, Datagram, pack_control_header

SECRET = b"a secret of 32 bytes for cookies"
REMOTE, LOCAL = ("127.0.0.1", 40000), ("127.0.0.1", 9000)
CALLER_ID = 0x2BF2E4FC
ISN = 0x7FFFFFF0
LIVE_FLAGS = 0xBF


def settings_block(
    version: int = 0x010501, flags: int = LIVE_FLAGS, receive_ms: int = 120, send_ms: int = 0, kind: int = 1
) -> Extension:
    """Return an HSREQ (or HSRSP, kind 2) block."""
    return Extension(kind, SrtExtension(version, flags, receive_ms, send_ms).encode())


def handshake(**changes: Any) -> Handshake:
    """Return a caller's conclusion with HSREQ, changed as told."""
    fields: dict[str, Any] = {
        "version": 5,
        "extension": 1,
        "isn": ISN,
        "mss": 1500,
        "flow_window": 8192,
        "kind": HandshakeKind.CONCLUSION,
        "socket_id": CALLER_ID,
        "cookie": 0,
        "extensions": (settings_block(),),
    }
    return Handshake(**{**fields, **changes})


def induction(**changes: Any) -> Handshake:
    """Return a caller's induction, changed as told."""
    fields: dict[str, Any] = {"version": 4, "extension": 2, "kind": HandshakeKind.INDUCTION, "extensions": ()}
    return handshake(**{**fields, **changes})


def packet(theirs: Handshake, destination: int = 0, stamp: int = 0) -> Batch:
    """Return the handshake as one read."""
    return Batch(pack_control_header(0, 0, stamp, destination) + theirs.encode())


def bare(kind: int, destination: int, stamp: int = 0) -> Batch:
    """Return a control packet that says nothing but its kind."""
    return Batch(pack_control_header(kind, 0, stamp, destination) + bytes(4))


def data(destination: int, sequence: int = ISN, payload: bytes = b"payload") -> Batch:
    """Return a data packet as one read."""
    return Batch(HEADER.pack(sequence, 0xE0000001, 1000, destination) + payload)


def read(datagram: Datagram) -> tuple[tuple[int, int, int, int], Handshake]:
    """Return the header and the handshake in a datagram."""
    whole = b"".join(datagram)
    return Batch(whole).headers[0], Handshake.decode(whole[HEADER_SIZE:])


class Doorman:
    """A listener that judges at once, as an end of the virtual world.

    Attributes:
        accepted: what it has let in.
        requests: every request the application was asked about.
        verdict: told a request: 0 lets it in, else the reason.
    """

    def __init__(self, config: Config | None = None, start: Micros = 0, secret: bytes = SECRET) -> None:
        self.answerer = Answerer(config or Config(), CookieJar(secret), start)
        self.accepted: list[Negotiated] = []
        self.requests: list[Request] = []
        self.verdict: Callable[[Request], int] = lambda _request: 0
        self.remote = REMOTE
        self._outgoing: list[Datagram] = []
        self._news: list[Opened | Refused] = []

    def receive_datagrams(self, batch: Batch, now: Micros) -> None:
        for piece in batch.pieces():
            answer = self.answerer.answer(piece, self.remote, LOCAL, now)
            if isinstance(answer, Reply):
                self._outgoing += answer.datagrams
            elif isinstance(answer, Request):
                self._judge(answer, now)

    def _judge(self, request: Request, now: Micros) -> None:
        self.requests.append(request)
        reason = self.verdict(request)
        if not reason:
            agreed = self.answerer.accept(request, 0x1000 + len(self.requests), now)
            if isinstance(agreed, Negotiated):
                self.accepted.append(agreed)
                self._news.append(Opened(agreed))
                self._outgoing.append((agreed.reply, b""))
                return
            reason = agreed.reason
        self._outgoing += self.answerer.reject(request, reason, now)

    def handle_timer(self, now: Micros) -> None:
        raise AssertionError("a listener has no deadline")

    def next_deadline(self) -> Micros:
        return NEVER

    def datagrams_to_send(self, now: Micros) -> list[Datagram]:
        taken, self._outgoing = self._outgoing, []
        return taken

    def events(self) -> list[Opened | Refused]:
        taken, self._news = self._news, []
        return taken


def refused(result: object) -> int:
    """Return the reason of a refusal."""
    assert isinstance(result, (Refusal, Refused)), result
    return int(result.reason)
