"""A connection is fed everything a peer gone mad can send: right id, right address, wrong in every other way.

Whatever comes: nothing raises, time goes on (no deadline stays in the past), memory stays within what the
configuration allows.  Breaking the connection is allowed, and then what still comes must be harmless too.
"""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from srtpy.config import Config
from srtpy.fields import CryptoMode
from srtpy.internal.buffer.receive import Delivered
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.core.acks import JOURNAL_SIZE
from srtpy.internal.core.connection import Connection
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER, HEADER_SIZE, ControlType, pack_control_header
from tests.hostile.mutation import Mutator
from tests.sim.link import Link
from tests.sim.pair import NEAR_THE_WRAP, ON_THE_EDGE, Birth, agreed, connected, meeting
from tests.sim.telling import Stream, message, numbers

SMALL = Config(recv_buf_size=300, send_buf_size=200, fc=300, latency=0.05)
PATIENT = Config(recv_buf_size=300, send_buf_size=200, fc=300, tlpktdrop=False, snd_drop_delay=-1, latency=0.05)
REORDERING = Config(recv_buf_size=600, send_buf_size=200, fc=600, loss_max_ttl=40, latency=0.2, max_rexmit_bw=100_000)
EAGER = Config(retransmit_algo=0, nak_report=False, send_buf_size=200, latency=0.05)
CONFIGS = (Config(), SMALL, PATIENT, REORDERING, EAGER)
TURNS = 64  # as many bursts as one instant may take before we call it a busy loop
LONGEST_SLEEP = 30 * SECOND
LENGTH = 400
LOOK_CLOSER = 64  # checks: the closest look takes long


class Subject:
    """A connection driven as a session drives it, watched at every turn."""

    def __init__(self, config: Config, birth: Birth, listener: bool) -> None:
        terms = agreed(birth, MILLISECOND)[listener]
        clock = birth.peer_clock if listener else birth.clock
        self.config = config
        self.now: Micros = clock.local(0)
        self.connection = Connection(terms, config, self.now)
        self.looks = 0
        self.taken: list[Delivered] = []

    def hear(self, datagram: bytes, copies: int = 1) -> None:
        """Let a datagram arrive, or several alike in one read."""
        if len(datagram) >= HEADER_SIZE:
            self.connection.receive_datagrams(Batch(datagram * copies, len(datagram)), self.now)
        self.turn()

    def turn(self) -> None:
        """Serve what is due at this instant until nothing is."""
        connection = self.connection
        for _ in range(TURNS):
            if connection.next_deadline() <= self.now:
                connection.handle_timer(self.now)
            if connection.delivery_due() <= self.now:
                connection.release(self.now)
            datagrams = connection.datagrams_to_send(self.now)
            assert all(len(header) >= HEADER_SIZE for header, _ in datagrams)
            connection.events()
            if min(connection.next_deadline(), connection.delivery_due()) > self.now:
                break
        else:
            pytest.fail(f"a busy loop: at {self.now} it wants to be woken at {connection.next_deadline()}")
        self.check()

    def check(self) -> None:
        """Look at everything that could grow, and at when it wants to be woken."""
        connection, config = self.connection, self.config
        buffer = connection._receiver._buffer
        assert len(buffer) + len(connection.messages) <= config.effective_recv_buf_size
        assert len(buffer._rows) <= 2 * config.effective_recv_buf_size
        assert len(connection.losses.missing) <= config.effective_recv_buf_size
        assert connection.sender.unacknowledged <= config.send_buf_size
        assert len(connection._acks._journal) <= JOURNAL_SIZE
        assert not connection._outbox
        self.looks += 1
        if self.looks % LOOK_CLOSER == 0:
            self.check_gauges()
        deadline = connection.next_deadline()
        assert connection.is_closed or deadline <= self.now + LONGEST_SLEEP
        assert (connection.delivery_due() == NEVER) == (buffer.first_packet() is None or self.is_waiting_for_a_gap())

    def check_gauges(self) -> None:
        """Look at what is shown to people: sizes, rates and durations, none below zero or out of all bounds."""
        gauges = self.connection.gauges(self.now)
        for field in fields(gauges):
            value = getattr(gauges, field.name)
            if field.name != "start" and isinstance(value, int | float):
                assert 0 <= value < 1 << 64, f"{field.name} is {value}"

    def is_waiting_for_a_gap(self) -> bool:
        """Whether a reader that gives nothing up waits for what is missing."""
        return self.connection._receiver._buffer.is_blocked and not self.config.effective_tlpktdrop

    def write(self, count: int) -> None:
        """Write as much of `count` messages as there is room for."""
        for number in range(min(count, self.connection.room())):
            self.connection.write(number.to_bytes(4, "big") * 10, self.now)
        self.turn()

    def read(self) -> None:
        """Take what there is."""
        self.connection.messages.clear()
        self.connection.note_read(self.now)
        self.turn()

    def sleep(self, duration: Micros) -> None:
        """Let time pass, waking when asked for."""
        until = self.now + duration
        while True:
            wake = min(self.connection.next_deadline(), self.connection.delivery_due())
            if wake > until:
                break
            self.now = max(wake, self.now)
            self.turn()
        self.now = until
        self.turn()


def talk(birth: Birth, listener: bool) -> list[tuple[Micros, bytes]]:
    """Return when the peer of a listener (or caller) really sends what, over a bad path both ways."""
    world = connected(birth, Link(loss=0.05, seed=3), Link(loss=0.05, seed=4), swapped=not listener)
    world.a.sent = []
    Stream(world, world.a, LENGTH)
    Stream(world, world.b, LENGTH)
    world.run_for(LENGTH * MILLISECOND)
    return world.a.sent


def is_shutdown(datagram: bytes) -> bool:
    return datagram[:2] == b"\x80\x05"


def torment(subject: Subject, said: list[tuple[Micros, bytes]], seed: int) -> int:
    """Play a peer's part with madness in between; return how many datagrams the connection lived through."""
    mutator = Mutator(seed)
    chance = mutator.chance
    own_id = subject.connection.negotiated.socket_id
    begin, good, lived = subject.now, [datagram for _, datagram in said[:40]], 0
    for index, (when, datagram) in enumerate(said):
        subject.sleep(max(begin + when - subject.now, 0))
        subject.write(2 if chance.random() < 0.9 else 300)
        if chance.random() < 0.9:
            subject.hear(datagram)
        good[index % len(good)] = datagram
        for _ in range(chance.randrange(8)):
            bad = mutator.mutated(good, own_id) if chance.random() < 0.8 else mutator.noise(own_id)
            if not is_shutdown(bad) or chance.random() < 0.01:
                subject.hear(bad, chance.choice((1, 1, 1, 3)))
        if chance.random() < 0.2:
            subject.read()
        if chance.random() < 0.01:
            subject.sleep(chance.choice((40 * MILLISECOND, SECOND)))
        lived += not subject.connection.is_closed
    subject.sleep(20 * SECOND)
    return lived


@pytest.mark.parametrize("config", CONFIGS, ids=["ordinary", "small", "patient", "reordering", "eager"])
@pytest.mark.parametrize("listener", [False, True], ids=["caller", "listener"])
@pytest.mark.parametrize("birth", [Birth(isn=NEAR_THE_WRAP), ON_THE_EDGE], ids=["wrap", "edge"])
def test_a_mad_peer_by_seed(config: Config, listener: bool, birth: Birth) -> None:
    birth = replace(birth, config=config)
    said = talk(birth, listener)
    lived = sum(torment(Subject(config, birth, listener), said, seed) for seed in range(4))
    assert lived > 300, "most of it fell on connections that were broken already"


FIELD = st.sampled_from([0, 1, 2, 63, 64, 300, 8191, 8192, 1 << 30, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
PLACE = st.integers(-400, 400) | st.sampled_from([-(1 << 30), 1 << 30, (1 << 30) - 1, 1 << 16, -8192, 8192])


class MadPeer(RuleBasedStateMachine):
    """Moves of a peer, an application and time, in any order; numbers are relative to where the connection stands."""

    def __init__(self) -> None:
        super().__init__()
        self.subject = Subject(SMALL, Birth(isn=NEAR_THE_WRAP, config=SMALL), False)

    @initialize(config=st.sampled_from(CONFIGS), isn=st.sampled_from([0, 1000, NEAR_THE_WRAP]), listener=st.booleans())
    def begin(self, config: Config, isn: int, listener: bool) -> None:
        self.subject = Subject(config, Birth(isn=isn, config=config), listener)

    def control(self, kind: int, information: int, *words: int, tail: bytes = b"") -> None:
        subject = self.subject
        terms = subject.connection.negotiated
        stamp = (subject.now - terms.peer_start) & 0xFFFFFFFF
        body = b"".join((word & 0xFFFFFFFF).to_bytes(4, "big") for word in words) + tail
        subject.hear(pack_control_header(kind, information, stamp, terms.socket_id) + body)

    @rule(place=PLACE, count=st.integers(1, 90), info=FIELD, late=PLACE, size=st.sampled_from([0, 1, 40, 1456]))
    def data(self, place: int, count: int, info: int, late: int, size: int) -> None:
        connection, now = self.subject.connection, self.subject.now
        terms = connection.negotiated
        first, stamp = connection._receiver._buffer.end + place, now - terms.peer_start - late * MILLISECOND
        rows = [
            HEADER.pack((first + more) & 0x7FFFFFFF, info, stamp & 0xFFFFFFFF, terms.socket_id) + bytes(size)
            for more in range(count)
        ]
        connection.receive_datagrams(Batch(b"".join(rows), HEADER_SIZE + size), now)
        self.subject.turn()

    @rule(place=PLACE, number=FIELD, fields=st.lists(FIELD, max_size=9), tail=st.binary(max_size=5))
    def ack(self, place: int, number: int, fields: list[int], tail: bytes) -> None:
        self.control(ControlType.ACK, number, self.subject.connection.sender.next_seq + place, *fields, tail=tail)

    @rule(ranges=st.lists(st.tuples(st.booleans(), PLACE, PLACE), max_size=6), tail=st.binary(max_size=5))
    def nak(self, ranges: list[tuple[bool, int, int]], tail: bytes) -> None:
        end = self.subject.connection.sender.next_seq
        words: list[int] = []
        for is_range, first, last in ranges:
            words += [end + first | 1 << 31, end + last & 0x7FFFFFFF] if is_range else [end + first & 0x7FFFFFFF]
        self.control(ControlType.NAK, 0, *words, tail=tail)

    @rule(first=PLACE, last=PLACE)
    def drop_request(self, first: int, last: int) -> None:
        end = self.subject.connection._receiver._buffer.end
        self.control(ControlType.DROPREQ, 1, end + first & 0x7FFFFFFF, end + last & 0x7FFFFFFF)

    @rule(back=st.integers(-2, 40))
    def ackack(self, back: int) -> None:
        self.control(ControlType.ACKACK, (self.subject.connection._acks._journal._number - back) & 0xFFFFFFFF, 0)

    @rule(kind=st.sampled_from([0, 1, 4, 8, 9, 0x7FFF]), information=FIELD, tail=st.binary(max_size=20))
    def other(self, kind: int, information: int, tail: bytes) -> None:
        self.control(kind, information, tail=tail)

    @rule(count=st.sampled_from([1, 3, 64, 300]))
    def write(self, count: int) -> None:
        self.subject.write(count)

    @rule()
    def read(self) -> None:
        self.subject.read()

    @rule(duration=st.sampled_from([1, 500, 11 * MILLISECOND, 60 * MILLISECOND, 2 * SECOND, 3600 * SECOND]))
    def sleep(self, duration: Micros) -> None:
        self.subject.sleep(duration)

    @rule(pause=st.sampled_from([SECOND, 3600 * SECOND]))
    def stand_still(self, pause: Micros) -> None:
        self.subject.now += pause
        self.subject.turn()

    @rule(linger=st.sampled_from([None, 0, SECOND]))
    def close(self, linger: Micros | None) -> None:
        self.subject.connection.close(linger, self.subject.now)
        self.subject.turn()

    @invariant()
    def stays_within_bounds(self) -> None:
        self.subject.check()


TestMadPeer = MadPeer.TestCase
TestMadPeer.settings = settings(
    max_examples=60, stateful_step_count=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


@pytest.mark.parametrize("mode", [CryptoMode.CTR, CryptoMode.GCM])
@pytest.mark.parametrize("seed", range(3))
def test_a_mad_peer_of_a_secured_connection_by_seed(mode: CryptoMode, seed: int) -> None:
    """Keys are refreshed meanwhile; the world reports time that stands still; what is read was written."""
    config = Config(passphrase="for tests only", crypto_mode=mode, km_refresh_rate=64, km_pre_announce=16, latency=0.05)
    world = meeting(config, config, Link(MILLISECOND, loss=0.02), Link(MILLISECOND, loss=0.02), isn=NEAR_THE_WRAP)
    world.run_until(lambda: all(side.end.connection is not None for side in world.sides), SECOND)
    mutator = Mutator(seed)
    for side in world.sides:
        side.sent = []
    counts = [0, 0]

    def write_and_strike() -> bool:
        for place, side in enumerate(world.sides):
            connection = side.end.connection
            if connection.room() and not connection.is_closed:
                connection.write(message(counts[place]), world.local_time(side))
                counts[place] += 1
            assert side.peer.sent is not None
            for _ in range(3):
                good = [datagram for _, datagram in side.peer.sent[-40:]]
                bad = mutator.mutated(good, connection.negotiated.socket_id) if good else b""
                if len(bad) >= HEADER_SIZE and not is_shutdown(bad):
                    world.inject(side, bad)
        return max(counts) < LENGTH

    world.every(MILLISECOND, write_and_strike)
    world.run_for(3 * SECOND)
    for side in world.sides:
        if mode is CryptoMode.GCM:  # the only one that would notice
            arrived = numbers(side)
            assert arrived == sorted(set(arrived))
        assert len(side.delivered) > 20, "most of it fell on connections that were broken already"
