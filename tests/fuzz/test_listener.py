"""A listener's answers to damaged handshakes, good cookies included: no exception, no state beyond its bounds,
never more bytes out than in, and silence for whoever has not shown that it is where it says it is.
"""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.handshake.answers import LARGEST_ANSWERED, LARGEST_WAITING
from srtpy.internal.handshake.cookie import CookieJar
from srtpy.internal.handshake.listener import Answer, Answerer, Ignored, Reply, Request
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.extensions import GroupExtension, encode_text
from srtpy.internal.packet.handshake import Extension, Handshake
from srtpy.internal.packet.header import HEADER_SIZE, ControlType, control_kind
from tests.hostile.mutation import WORD, Mutator
from tests.internal.handshake.doorman import LOCAL, SECRET, handshake, induction, packet, settings_block

START: Micros = 1000 * SECOND
COOKIE_AT = HEADER_SIZE + 28
BLOCKS = (
    settings_block(),
    Extension(3, bytes(72)),
    Extension(5, encode_text("#!::u=me,r=live/one")),
    Extension(6, encode_text("live")),
    Extension(7, encode_text("fec,cols:10")),
    Extension(8, GroupExtension(0x40001234, 1, 0, 1).encode()),
    Extension(0xBD01, bytes(8)),
)
GOOD = [packet(induction(), stamp=250_000).data] + [
    packet(handshake(extension=flags, extensions=blocks), stamp=250_000).data
    for flags, blocks in ((1, BLOCKS[:1]), (5, (BLOCKS[0], BLOCKS[2])), (7, BLOCKS), (5, BLOCKS[:1] * 3))
]
HOSTS = [(f"192.0.2.{number}", 1024 + number) for number in range(40)]


class Watched:
    """An answerer, and what must hold after every packet."""

    def __init__(self, config: Config) -> None:
        self.answerer = Answerer(config, CookieJar(SECRET), START)
        self.jar = CookieJar(SECRET)
        self.now: Micros = START
        self.requests: list[Request] = []
        self.connected: list[Request] = []
        self.seen: set[type[Answer]] = set()

    def with_cookie(self, raw: bytes, remote: tuple[str, int]) -> bytes:
        """Put this caller's good cookie into a packet."""
        cookie = WORD.pack(self.jar.bake(remote, LOCAL, self.now))
        return raw[:COOKIE_AT] + cookie + raw[COOKIE_AT + 4 :] if len(raw) >= COOKIE_AT + 4 else raw

    def hear(self, raw: bytes, remote: tuple[str, int], *, has_good_cookie: bool) -> None:
        """Give the listener a packet."""
        for piece in Batch(raw).pieces():
            before = len(self.answerer._book)
            answer = self.answerer.answer(piece, remote, LOCAL, self.now)
            self.seen.add(type(answer))
            if isinstance(answer, Reply):
                self._check_reply(answer, piece.data)
            elif isinstance(answer, Request):
                assert has_good_cookie
                assert len(f"{answer.stream_id}".encode("utf-8", "surrogateescape")) <= 512
                self.requests.append(answer)
            if not has_good_cookie:
                assert len(self.answerer._book) <= before, "state for a stranger"
        self.check()

    def _check_reply(self, answer: Reply, asked: bytes) -> None:
        ((header, payload),) = answer.datagrams
        said = Batch(header + payload)
        assert said.headers[0][3] == Handshake.decode(asked[HEADER_SIZE : HEADER_SIZE + 48]).socket_id
        if control_kind(said.headers[0][0]) == ControlType.HANDSHAKE:
            Handshake.decode(said.data[HEADER_SIZE:])
        assert len(said.data) <= max(len(asked), 80), "an amplifier"

    def verdict(self, chance: Random) -> None:
        """Answer one request, in whatever way."""
        request = self.requests.pop(chance.randrange(len(self.requests)))
        lot = chance.random()
        if lot < 0.7:
            agreed = self.answerer.accept(request, 1 + chance.randrange(1 << 30), self.now)
            if isinstance(agreed, Negotiated):
                self._check_agreement(agreed)
                self.connected.append(request)
                return
            self.answerer.reject(request, agreed.reason, self.now)
        elif lot < 0.95:
            self.answerer.reject(request, chance.choice([RejectReason.PEER, 1402, 2000, 3000]), self.now)

    @staticmethod
    def _check_agreement(agreed: Negotiated) -> None:
        assert 76 <= agreed.mss <= 1500
        assert 32 <= agreed.payload_size <= agreed.mss - 44
        assert 2 <= agreed.flow_window <= 1 << 20
        assert 0 <= agreed.recv_isn == agreed.send_isn < 0x7FFFFFFF
        assert 0 <= agreed.recv_latency <= 65535 * MILLISECOND
        assert 0 <= agreed.peer_latency <= 65535 * MILLISECOND
        Handshake.decode(agreed.reply[HEADER_SIZE:])

    def end(self, chance: Random) -> None:
        """Let a connection end."""
        self.answerer.ended(self.connected.pop(chance.randrange(len(self.connected))).key, self.now)

    def check(self) -> None:
        """Look at what could grow."""
        assert self.answerer.waiting <= LARGEST_WAITING
        assert len(self.answerer._book) <= LARGEST_WAITING + LARGEST_ANSWERED
        assert len(self.answerer._book._hosts) <= self.answerer.waiting


@pytest.mark.parametrize("seed", range(8))
def test_damaged_handshakes_by_seed(seed: int) -> None:
    mutator = Mutator(seed)
    chance = mutator.chance
    watched = Watched(Config())
    for _ in range(2500):
        remote = chance.choice(HOSTS)
        raw = mutator.mutated(GOOD, 0) if chance.random() < 0.9 else mutator.noise(0)
        has_good_cookie = chance.random() < 0.7
        if has_good_cookie:
            raw = watched.with_cookie(raw, remote)
        if len(raw) >= HEADER_SIZE:
            watched.hear(raw, remote, has_good_cookie=has_good_cookie)
        if watched.requests and chance.random() < 0.9:
            watched.verdict(chance)
        if watched.connected and chance.random() < 0.3:
            watched.end(chance)
        watched.now += chance.choice((0, 1, 900, 10 * MILLISECOND, SECOND))
        if chance.random() < 0.002:
            watched.now += 3600 * SECOND
    assert watched.seen == {Reply, Request, Ignored}


NUMBER = st.sampled_from(
    [0, 1, 2, 31, 32, 75, 76, 1500, 65535, 1 << 20, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]
)
BLOCK = st.sampled_from(BLOCKS) | st.builds(
    lambda kind, body: Extension(kind, body + bytes(-len(body) % 4)), st.integers(0, 10), st.binary(max_size=16)
)


class Door(RuleBasedStateMachine):
    """Whole handshakes with any numbers in any order, verdicts, ends and time."""

    def __init__(self) -> None:
        super().__init__()
        self.watched = Watched(Config())
        self.chance = Random(1)

    @initialize(config=st.sampled_from([Config(), Config(mss=76), Config(latency=0.02, recv_buf_size=32)]))
    def begin(self, config: Config) -> None:
        self.watched = Watched(config)

    @rule(
        who=st.integers(0, 2),
        kind=st.sampled_from([1, -1, -1, -1, 0, -2, -3, 1000, 2000]),
        version=st.sampled_from([0, 1, 4, 5, 5, 5, 6]),
        extension=st.sampled_from([0, 1, 1, 2, 3, 5, 7, 0x4A17, 0xFFFF]),
        numbers=st.tuples(NUMBER, NUMBER, NUMBER),
        own_id=st.sampled_from([0, 1, 2, 0xFFFFFFFF]),
        blocks=st.lists(BLOCK, max_size=4),
        tail=st.binary(max_size=6),
        good=st.booleans(),
    )
    def ask(
        self,
        who: int,
        kind: int,
        version: int,
        extension: int,
        numbers: tuple[int, int, int],
        own_id: int,
        blocks: list[Extension],
        tail: bytes,
        good: bool,
    ) -> None:
        isn, mss, window = numbers
        theirs = handshake(
            kind=kind, version=version, extension=extension, isn=isn, mss=mss, flow_window=window, socket_id=own_id,
            extensions=(settings_block(), *blocks),
        )  # fmt: skip
        raw = packet(theirs, stamp=isn).data + tail
        self.watched.hear(self.watched.with_cookie(raw, HOSTS[who]) if good else raw, HOSTS[who], has_good_cookie=good)

    @rule()
    def judge(self) -> None:
        if self.watched.requests:
            self.watched.verdict(self.chance)

    @rule()
    def end(self) -> None:
        if self.watched.connected:
            self.watched.end(self.chance)

    @rule(pause=st.sampled_from([1, MILLISECOND, SECOND, 64 * SECOND, 3600 * SECOND]))
    def wait(self, pause: Micros) -> None:
        self.watched.now += pause


TestDoor = Door.TestCase
TestDoor.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
