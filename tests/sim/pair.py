"""Connected pairs for the virtual world.

Lives here: `connected`, two `Connection`s that have already agreed, with sequence numbers,
message numbers, clocks and ages of the story's choice; `Calling` and `Answering`, ends that
go through the real handshake first.
Never here: the world (world.py); what a connection does.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from srtpy.config import Config
from srtpy.internal.buffer.receive import Delivered
from srtpy.internal.clock.units import NEVER, WIRE_TIME_MASK, Micros, from_seconds
from srtpy.internal.core.agreeing import Initiating, answer, fitted
from srtpy.internal.core.connection import Connection
from srtpy.internal.crypto.exchange import Answer
from srtpy.internal.handshake.caller import Caller
from srtpy.internal.handshake.cookie import CookieJar
from srtpy.internal.handshake.listener import Answerer, Reply, Request
from srtpy.internal.handshake.negotiation import Negotiated, Opened, judge_entry
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import Datagram
from srtpy.internal.seq.number import SEQ_MASK
from tests.sim.clock import Clock
from tests.sim.link import Link
from tests.sim.world import World

CALLER, LISTENER = 0x11111111, 0x22222222
NEAR_THE_WRAP = 0x7FFFFFF0
"""Initial sequence number a few packets before the circle closes."""
WRAP_IN_A_SECOND: Micros = WIRE_TIME_MASK + 1 - 1_000_000
"""Age of a socket whose timestamps begin again in a second."""
LAST_MESSAGES = (1 << 26) - 20
"""Message number after which only nineteen are left."""
PAYLOAD_ROOM = 44
CALLER_CLOCK, LISTENER_CLOCK = Clock(5_000_000), Clock(1 << 40)


@dataclass(frozen=True, kw_only=True)
class Birth:
    """How a pair begins.

    Attributes:
        config: what the caller wants; the listener wants `peer_config`, or the same.
        isn: the first sequence number of both directions.
        last_message: the message number both ends believe to have used last.
        age: how long ago, by its own clock, each socket was opened: where its timestamps stand.
        clock: the caller's clock.
        peer_clock: the listener's clock.
        changes: fields of `Negotiated` to set on both ends, for peers of other kinds.
    """

    config: Config | None = None
    peer_config: Config | None = None
    isn: int = 1000
    last_message: int = 0
    age: Micros = 0
    peer_age: Micros = 0
    clock: Clock = CALLER_CLOCK
    peer_clock: Clock = LISTENER_CLOCK
    changes: tuple[tuple[str, Any], ...] = ()


ORDINARY = Birth()
ON_THE_EDGE = Birth(isn=NEAR_THE_WRAP, last_message=LAST_MESSAGES, age=WRAP_IN_A_SECOND, peer_age=WRAP_IN_A_SECOND)
"""All three counters begin again early in the story."""


def agreed(birth: Birth, delay: Micros) -> tuple[Negotiated, Negotiated]:
    """Return what caller and listener of this birth hold after a handshake whose last packet took `delay`."""
    mine = birth.config or Config()
    theirs = birth.peer_config or mine
    caller = _half(mine, theirs, birth, is_caller=True, delay=delay)
    return caller, _half(theirs, mine, birth, is_caller=False, delay=delay)


def _half(mine: Config, theirs: Config, birth: Birth, *, is_caller: bool, delay: Micros) -> Negotiated:
    clock, age = (birth.clock, birth.age) if is_caller else (birth.peer_clock, birth.peer_age)
    other, other_age = (birth.peer_clock, birth.peer_age) if is_caller else (birth.clock, birth.age)
    # the other's last handshake packet left `delay` before the world began, with its timestamp of then
    stamp = (other.local(-delay) - other.local(0) + other_age) & WIRE_TIME_MASK
    mss = min(mine.mss, theirs.mss)
    half = Negotiated(
        socket_id=CALLER if is_caller else LISTENER,
        peer_socket_id=LISTENER if is_caller else CALLER,
        send_isn=birth.isn & SEQ_MASK,
        recv_isn=birth.isn & SEQ_MASK,
        mss=mss,
        payload_size=min(mine.payload_size or mss - PAYLOAD_ROOM, mss - PAYLOAD_ROOM),
        flow_window=theirs.effective_recv_buf_size,
        peer_version=0x010505,
        recv_latency=from_seconds(max(mine.effective_recv_latency, theirs.effective_peer_latency)),
        peer_latency=from_seconds(max(mine.effective_peer_latency, theirs.effective_recv_latency)),
        tsbpd_receive=not mine.is_file,
        tsbpd_send=not theirs.is_file,
        tlpktdrop=mine.effective_tlpktdrop,
        peer_tlpktdrop=theirs.effective_tlpktdrop,
        nak_report=mine.effective_nak_report,
        peer_nak_report=theirs.effective_nak_report,
        peer_retransmit_flag=True,
        message_api=mine.effective_message_api,
        congestion=mine.effective_congestion.value,
        stream_id="",
        start=clock.local(0) - age,
        peer_start=clock.local(0) - stamp,
        initiator=is_caller,
        reply=b"",
    )
    return replace(half, **dict(birth.changes))


def connected(
    birth: Birth = ORDINARY,
    forth: Link | None = None,
    back: Link | None = None,
    *,
    swapped: bool = False,
    **reading: Any,
) -> World:
    """Return a world whose side `a` is the caller and `b` the listener, connected at its first instant.

    With `swapped`, `a` is the listener: a story in which `a` sends is then told with the roles
    exchanged.  `reading` is `joined` and `read_interval` of `World`.
    """
    forth, back = forth or Link(), back or Link()
    caller, listener = agreed(birth, forth.delay)
    clocks = birth.clock, birth.peer_clock
    mine, theirs = birth.config or Config(), birth.peer_config or birth.config or Config()
    ends = Connection(caller, mine, clocks[0].local(0)), Connection(listener, theirs, clocks[1].local(0))
    if birth.last_message:
        for end in ends:
            end.sender._buffer.last_message = birth.last_message  # no user can count that far in a test
    if swapped:
        ends = ends[1], ends[0]
        clocks = clocks[1], clocks[0]
    return World(ends[0], ends[1], forth, back, a_clock=clocks[0], b_clock=clocks[1], **reading)


class _Opening:
    """An end that begins as a handshake and becomes a `Connection`: the five verbs and the application's."""

    def __init__(self) -> None:
        self.connection: Connection | None = None
        self._nothing: deque[Delivered] = deque()

    @property
    def messages(self) -> deque[Delivered]:
        return self._nothing if self.connection is None else self.connection.messages

    def delivery_due(self) -> Micros:
        return NEVER if self.connection is None else self.connection.delivery_due()

    def release(self, now: Micros) -> None:
        if self.connection is not None:
            self.connection.release(now)

    def note_read(self, now: Micros) -> None:
        if self.connection is not None:
            self.connection.note_read(now)

    def write(self, message: bytes, now: Micros, **more: Any) -> None:
        assert self.connection is not None, "not connected yet"
        self.connection.write(message, now, **more)


class Calling(_Opening):
    """A caller from its first induction on."""

    def __init__(self, config: Config, now: Micros, *, socket_id: int = CALLER, isn: int = 1000) -> None:
        super().__init__()
        self._config = config
        self._now = now
        self._entropy = Random(socket_id).randbytes
        self._keys = Initiating(config, self._entropy)
        self._opening = Caller(config, socket_id, isn, bytes([127, 0, 0, 1]), now, now, keys=self._keys)

    def receive_datagrams(self, batch: Batch, now: Micros) -> None:
        self._now = now
        (self.connection or self._opening).receive_datagrams(batch, now)

    def handle_timer(self, now: Micros) -> None:
        (self.connection or self._opening).handle_timer(now)

    def next_deadline(self) -> Micros:
        return (self.connection or self._opening).next_deadline()

    def datagrams_to_send(self, now: Micros) -> list[Datagram]:
        waiting = self._opening.datagrams_to_send(now)
        return [*waiting, *self.connection.datagrams_to_send(now)] if self.connection else waiting

    def events(self) -> list[object]:
        news: list[object] = list(self._opening.events())
        for event in list(news):
            if isinstance(event, Opened):
                keying = self._keys.keying
                agreed = fitted(event.negotiated, keying)
                self.connection = Connection(agreed, self._config, self._now, keying=keying, entropy=self._entropy)
                for batch in self._opening.early:
                    self.connection.receive_datagrams(batch, self._now)
        if self.connection:
            news += self.connection.events()
        return news


class Answering(_Opening):
    """A listener that lets in one caller.

    `judge` is the application's verdict: 0 lets the caller in, any other number is the reason.
    """

    def __init__(
        self, config: Config, now: Micros, *, socket_id: int = LISTENER, judge: Callable[[Request], int] | None = None
    ) -> None:
        super().__init__()
        self._config = config
        self._socket_id = socket_id
        self._judge = judge or (lambda request: 0)
        self._answerer = Answerer(config, CookieJar(b"for tests only"), now)
        self._outgoing: list[Datagram] = []
        self.requests: list[Request] = []

    def receive_datagrams(self, batch: Batch, now: Micros) -> None:
        for piece in batch.pieces():
            destination = piece.headers[0][3]
            if destination == 0:
                self._answer(piece, now)
            elif self.connection is not None and destination == self._socket_id:
                self.connection.receive_datagrams(piece, now)

    def _answer(self, piece: Batch, now: Micros) -> None:
        said = self._answerer.answer(piece, ("127.0.0.1", 5000), ("127.0.0.1", 9000), now)
        if isinstance(said, Reply):
            self._outgoing += said.datagrams
        elif isinstance(said, Request):
            self.requests.append(said)
            reason = self._judge(said)
            if reason:
                self._outgoing += self._answerer.reject(said, reason, now)
                return
            entropy = Random(self._socket_id).randbytes
            keys = judge_entry(self._config, said.handshake, said.offer) or answer(self._config, said.offer, entropy)
            if not isinstance(keys, Answer):
                self._outgoing += self._answerer.reject(said, keys.reason, now)
                return
            negotiated = self._answerer.accept(said, self._socket_id, now, None, keys.body)
            assert isinstance(negotiated, Negotiated), negotiated
            agreed = fitted(negotiated, keys.keying)
            self.connection = Connection(agreed, self._config, now, keying=keys.keying, entropy=entropy)
            self._outgoing.append((negotiated.reply, b""))

    def handle_timer(self, now: Micros) -> None:
        if self.connection is not None:
            self.connection.handle_timer(now)

    def next_deadline(self) -> Micros:
        return NEVER if self.connection is None else self.connection.next_deadline()

    def datagrams_to_send(self, now: Micros) -> list[Datagram]:
        waiting, self._outgoing = self._outgoing, []
        return [*waiting, *self.connection.datagrams_to_send(now)] if self.connection else waiting

    def events(self) -> list[object]:
        return [] if self.connection is None else list(self.connection.events())


def meeting(
    config: Config | None = None,
    peer_config: Config | None = None,
    forth: Link | None = None,
    back: Link | None = None,
    *,
    isn: int = 1000,
    judge: Callable[[Request], int] | None = None,
    clock: Clock | None = None,
    peer_clock: Clock | None = None,
    **reading: Any,
) -> World:
    """Return a world whose side `a` is about to call side `b`."""
    clock, peer_clock = clock or CALLER_CLOCK, peer_clock or LISTENER_CLOCK
    calling = Calling(config or Config(), clock.local(0), isn=isn)
    answering = Answering(peer_config or config or Config(), peer_clock.local(0), judge=judge)
    return World(calling, answering, forth, back, a_clock=clock, b_clock=peer_clock, **reading)
