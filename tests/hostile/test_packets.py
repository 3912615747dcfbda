"""Rows 10 to 19: what a peer gone mad, or somebody with its name, can do to a connection.

Each of these also has its story in the virtual world (tests/stories/test_hostile_packets.py) and its arithmetic
beside the part that does it; here it comes through a socket, with threads that could die of it.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable

import pytest

import srtpy
from srtpy.internal.core.connection import Connection
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.mux import Mux
from srtpy.internal.packet.control import Ack
from srtpy.internal.packet.header import ControlType
from tests.hostile.peers import Footprint, MadPeer, Relay, Stranger, streams
from tests.internal.session.callers import ISN
from tests.internal.session.fakes import until

LATENCY = 1.0  # of a stream that must arrive whole though a machine stands still


def words(*values: int) -> bytes:
    return struct.pack(f">{len(values)}I", *(value & 0xFFFFFFFF for value in values))


def core(conn: srtpy.Conn) -> Connection:
    found = conn._session.core
    assert isinstance(found, Connection)
    return found


def mux_counters(listener: srtpy.Listener) -> MuxCounters:
    return listener._accepting._mux.counters


def mux_of(conn: srtpy.Conn) -> Mux:
    wire = conn._session._wire
    assert isinstance(wire, Mux)
    return wire


def number(payload: bytes) -> int:
    return int.from_bytes(payload, "big")


class Talk:
    """A mad peer's own stream into a connection: what it sends in order must all be read, whatever else it sends."""

    def __init__(self, peer: MadPeer, conn: srtpy.Conn) -> None:
        self.peer, self.conn, self.said, self.heard = peer, conn, 0, 0
        conn.settimeout(30)
        self.acks = 0

    def say(self, count: int = 1) -> None:
        """Send the next messages as they should be."""
        for _ in range(count):
            self.peer.send(self.peer.packet(self.said, self.said.to_bytes(4, "big")))
            self.said += 1

    def assert_heard(self) -> None:
        """Read all that was said and not read yet."""
        expected = range(self.heard, self.said)
        assert [number(self.conn.read()) for _ in expected] == list(expected)
        self.heard = self.said

    def acknowledge(self) -> None:
        """Say, as a sane peer does, what has come from the connection."""
        self.acks += 1
        sender = core(self.conn).sender
        body = Ack(sender.next_seq, 1000, 500, 8_192).encode()
        self.peer.send(self.peer.control(ControlType.ACK, self.acks, body))
        until(lambda: not sender.unacknowledged)

    def arrived(self) -> None:
        """Wait until all that was said has arrived, read or not."""
        until(lambda: core(self.conn)._receiver._buffer.end == (ISN + self.said) & 0x7FFFFFFF)


# ---- rows 10 and 11


def test_row_10_jumps_duplicates_and_other_payloads_under_the_same_number(said: list[logging.LogRecord]) -> None:
    """While packets wait here, numbers beyond the buffer are dropped; the first payload under a number stays."""
    with (
        srtpy.listen(("127.0.0.1", 0), linger=0.0, latency=1.5) as listener,  # they wait so long for their time
        MadPeer(listener.local_addr) as peer,
        listener.accept() as conn,
    ):
        before, talk = Footprint.now(), Talk(peer, conn)
        for _ in range(20):
            talk.say(20)
            for jump in (8_192, 1 << 20, (1 << 30) - 1, 1 << 30, (1 << 30) + 1, -1, -400, -(1 << 20), -(1 << 30)):
                peer.send(peer.packet(talk.said + jump, b"jump"))
            peer.send(peer.packet(talk.said - 1, b"another payload"), peer.packet(talk.said - 20, b"a third"))
            talk.arrived()
        talk.assert_heard()
        counters = core(conn).counters
        assert counters.out_of_window >= 20 * 3
        assert counters.recv_duplicates + counters.recv_belated >= 20 * 4
        assert counters.recv_unique_packets == talk.said
        assert len(core(conn).losses.missing) == 0
        before.assert_not_outgrown(8)
    assert said == []


def test_row_10_a_jump_out_of_sight_breaks_the_connection_and_says_why(listener: srtpy.Listener) -> None:
    """As libsrt does: with nothing here, a number beyond the buffer means that both have lost track."""
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        before = Footprint.now()
        peer.send(peer.packet(1 << 29, b"far"))
        with pytest.raises(srtpy.ConnectionBrokenError, match="further ahead"):
            conn.read()
        assert len(core(conn).losses.missing) == 0
        before.assert_not_outgrown(4)
    with srtpy.dial(listener.local_addr, linger=0.0), listener.accept():
        pass


def test_row_11_timestamps_from_anywhere_delay_nobody_for_long(listener: srtpy.Listener) -> None:
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        conn.settimeout(30)
        near = 1 << 20  # a second: so far ahead is waited for, hours are not
        stamps = [None, 1 << 31, None, peer.stamp + near, None, 0, None, 0xFFFFFFFF, None, peer.stamp - near, None]
        begun = time.monotonic()
        for place, stamp in enumerate(stamps):
            peer.send(peer.packet(place, bytes([place]), stamp))
        peer.send(peer.packet(len(stamps), b"last"))
        heard = []
        while b"last" not in heard:
            heard.append(conn.read())
        assert time.monotonic() - begun < 20.0, "hours are not waited for"
        assert heard == sorted(heard, key=heard.index)
        assert {bytes([place]) for place, stamp in enumerate(stamps) if stamp is None} <= set(heard)


# ---- rows 12 to 15


def bad_acks(conn: srtpy.Conn) -> list[tuple[int, int, bytes]]:
    base = core(conn).sender.next_seq
    spots = (base + 1, base + 8_192, base + (1 << 30), base - 100_000, base - (1 << 30), base | 1 << 31)
    bodies = ((), (0, 0, 8_192), (1 << 31, 0xFFFFFFFF, 8_192), (1, 1, 0, 1 << 31, 1 << 31, 1 << 31), (0,) * 20)
    found = [(int(ControlType.ACK), 0xFFFFFFFF, words(spot, *body)) for spot in spots for body in bodies]
    return found + [(ControlType.ACK, 1, words(base)[:size]) for size in range(4)]


def poisonous_acks(conn: srtpy.Conn) -> list[tuple[int, int, bytes]]:
    """Return ACKs of what was sent whose round trip, rates and window are no such thing."""
    seq = core(conn).sender._buffer.base
    reports = ((0, 0), (1 << 31, 1 << 31), (0xFFFFFFFF, 0xFFFFFFFF), (10_000_001, 0))
    return [
        (ControlType.ACK, 7 + place, Ack(seq, *report, 8_192, 1 << 31, 1 << 31, 1 << 31).encode())
        for place, report in enumerate(reports)
    ]


def bad_ackacks(conn: srtpy.Conn) -> list[tuple[int, int, bytes]]:
    said = core(conn)._acks._journal._number
    return [(ControlType.ACKACK, one & 0xFFFFFFFF, words(0)) for one in (0, said + 1, said + 1000, 1 << 31, -1)]


def bad_naks(conn: srtpy.Conn) -> list[tuple[int, int, bytes]]:
    base = core(conn).sender.next_seq
    flag = 1 << 31
    bodies = (
        b"",
        b"abc",
        words(flag | base),
        words(flag | (base + 10), base + 5),
        words(base + 5),
        words(flag | base, base + (1 << 29)),
        words(flag, flag),
        words(*((base - 200_000 + place) & 0x7FFFFFFF for place in range(364))),
    )
    return [(ControlType.NAK, 0, body) for body in bodies]


def bad_drop_requests(conn: srtpy.Conn) -> list[tuple[int, int, bytes]]:
    """Return requests that are reversed, huge, ahead, short, and about what is here."""
    end = core(conn)._receiver._buffer.end
    ranges = ((10, 5), (-1, -9), (100_000, 200_000), (-(1 << 30), (1 << 30) - 1), (-8_192, -1), (-20, -10))
    found = [
        (int(ControlType.DROPREQ), 7, words(end + low & 0x7FFFFFFF, end + high & 0x7FFFFFFF)) for low, high in ranges
    ]
    return found + [(ControlType.DROPREQ, 7, words(end)[:size]) for size in range(5)]


def odd_controls(conn: srtpy.Conn) -> list[tuple[int, int, bytes]]:
    """Return what nobody knows: reserved types, the user-defined one with key material in it, stray handshakes."""
    kinds = (0x0000, 0x0009, 0x000B, 0x0FFF, 0x7FFE, ControlType.USER_DEFINED)
    return [(kind, 0xDEADBEEF, bytes(size)) for kind in kinds for size in (0, 4, 104, 1352)]


Attack = Callable[[srtpy.Conn], list[tuple[int, int, bytes]]]
ATTACKS: dict[str, tuple[Attack, str]] = {
    "row 12 acks": (bad_acks, "malformed ignored_control"),
    "row 12 reports": (poisonous_acks, "recv_acks"),
    "row 13 ackacks": (bad_ackacks, "ignored_control"),
    "row 14 naks": (bad_naks, "malformed ignored_control"),
    "row 15 drop requests": (bad_drop_requests, "malformed"),
    "row 18 odd controls": (odd_controls, "ignored_control"),
}


@pytest.mark.parametrize(("attack", "counted"), ATTACKS.values(), ids=ATTACKS)
def test_rows_12_to_18_control_packets_gone_mad(
    listener: srtpy.Listener, said: list[logging.LogRecord], attack: Attack, counted: str
) -> None:
    """The stream into the connection arrives whole, what it sends is sent, its clocks and timers stay sane."""
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        before, talk = Footprint.now(), Talk(peer, conn)
        for _ in range(20):
            talk.say(5)
            conn.write(b"from us")
            talk.arrived()
            peer.send(*(peer.control(kind, info, body) for kind, info, body in attack(conn)))
            talk.acknowledge()
        talk.assert_heard()
        stats, counters = conn.stats(), core(conn).counters
        assert sum(getattr(counters, name) for name in counted.split()) >= 20
        assert stats.rtt + stats.rtt_var <= 20.0
        assert stats.sent_unique_packets == 20
        deadline = conn._session.ask(lambda now: core(conn).next_deadline() - now)
        assert deadline <= 1_000_000
        assert conn.state == srtpy.ConnState.CONNECTED
        before.assert_not_outgrown(8)
    assert said == []


def test_row_14_a_report_of_364_ancient_numbers_draws_one_packet(listener: srtpy.Listener) -> None:
    """libsrt answers each of them; a NAK of 1,456 bytes would make 364 packets leave for whoever is named."""
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        for _ in range(3):
            conn.write(b"x")
        until(lambda: conn.stats().sent_unique_packets == 3)
        peer.send(peer.control(ControlType.ACK, 1, Ack((ISN + 3) & 0x7FFFFFFF, 1000, 500, 8192).encode()))
        until(lambda: conn.stats().recv_acks == 1)
        peer.swallow()
        body = words(*((ISN - 1000 + place) & 0x7FFFFFFF for place in range(364)))
        peer.send(peer.control(ControlType.NAK, 0, body))
        until(lambda: conn.stats().recv_naks == 1)
        answers = [one for one in peer.swallow() if one[:2] == b"\x80\x07"]
        assert len(answers) <= 1


# ---- rows 16 to 18


def test_row_16_a_shutdown_needs_the_address_and_the_id(listener: srtpy.Listener) -> None:
    """Whoever has both can end the connection: SRT does not sign its control packets (SECURITY.md says so)."""
    with MadPeer(listener.local_addr) as peer, Stranger(listener.local_addr) as stranger, listener.accept() as conn:
        talk = Talk(peer, conn)
        spoofed = peer.control(ControlType.SHUTDOWN)
        guesses = [peer.control(ControlType.SHUTDOWN, to=peer.peer_id ^ 1 << bit) for bit in range(30)]
        for _ in range(10):
            talk.say(5)
            stranger.send(spoofed, *guesses)
            peer.send(*guesses, peer.control(ControlType.SHUTDOWN, to=0))
        talk.assert_heard()
        assert conn.state == srtpy.ConnState.CONNECTED
        counters = mux_counters(listener)
        until(lambda: (counters.wrong_source, counters.unknown, counters.unheard) == (10, 600, 10))
        talk.say(3)
        peer.send(spoofed)
        talk.assert_heard()
        assert conn.read() == b""


def test_row_17_a_peer_error_stops_writing_and_not_reading(listener: srtpy.Listener) -> None:
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        talk = Talk(peer, conn)
        for code in (0, 4000, 0xFFFFFFFF):
            talk.say(5)
            peer.send(peer.control(ControlType.PEERERROR, code))
        talk.assert_heard()
        with pytest.raises(srtpy.PeerError):
            conn.write(b"x")
        assert conn.state == srtpy.ConnState.CONNECTED


def test_row_18_a_flood_of_keepalives_and_unknown_types_is_ignored_and_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Before a connection exists, and to one that does: counted, and not a line for each, even when debugging."""
    with (
        caplog.at_level(logging.DEBUG, "srtpy"),
        srtpy.listen(("127.0.0.1", 0), linger=0.0) as listener,
        Stranger(listener.local_addr) as stranger,
        MadPeer(listener.local_addr) as peer,
        listener.accept() as conn,
    ):
        before, talk = Footprint.now(), Talk(peer, conn)
        kinds = (ControlType.KEEPALIVE, 0x0009, 0x7FFE, ControlType.USER_DEFINED)
        for _ in range(250):
            stranger.send(*(peer.control(kind, 1, bytes(104), to=0) for kind in kinds for _ in range(5)))
            peer.send(*(peer.control(kind, 1, bytes(104)) for kind in kinds for _ in range(5)))
            talk.say()
            talk.arrived()  # a flood that the kernel's buffer takes: what it drops says nothing
        talk.assert_heard()
        counters = core(conn).counters
        assert counters.recv_control > 4000
        assert counters.ignored_control > 3000
        assert mux_counters(listener).unheard > 4000
        assert conn.stats().sent_packets == 0
        before.assert_not_outgrown(8)
        assert [record for record in caplog.records if record.name != "srtpy.mux"] == []


# ---- row 19


def test_row_19_every_length_from_everywhere(listener: srtpy.Listener, said: list[logging.LogRecord]) -> None:
    """From nothing to the most UDP carries, handshakes, control and data, to the listener and to a connection."""
    with MadPeer(listener.local_addr) as peer, Stranger(listener.local_addr) as stranger, listener.accept() as conn:
        before, talk = Footprint.now(), Talk(peer, conn)
        sizes = [*range(40), 63, 65, 127, 1471, 1472, 1473, 1501, 9_000, 65_507 - 16]
        for size in sizes:
            for head in (peer.control(0, body=b"", to=0), peer.control(2, body=b"", to=0), bytes(16), b"\xff" * 16):
                stranger.send(head + bytes(size), head[:size])
            for kind in (ControlType.ACK, ControlType.NAK, ControlType.DROPREQ, 0x7FFF):
                peer.send(peer.control(kind, 1, b"\xff" * size), peer.control(kind, 1, b"")[: size % 16])
            talk.say()
            if size > 1456:
                peer.send(peer.packet(talk.said, bytes(size)))
            talk.arrived()
        talk.assert_heard()
        assert mux_counters(listener).malformed > 200
        assert core(conn).counters.malformed > 50
        before.assert_not_outgrown(16)
        with srtpy.dial(listener.local_addr, linger=0.0), listener.accept():
            pass
    assert said == []


def test_row_19_packets_longer_than_any_do_not_fill_memory(listener: srtpy.Listener) -> None:
    """A receive buffer counts packets: 8,192 of 64 kilobytes would be half a gigabyte."""
    with MadPeer(listener.local_addr) as peer, Stranger(listener.local_addr) as stranger, listener.accept() as conn:
        before = Footprint.now()
        for place in range(3_000):
            peer.send(peer.packet(place, bytes(60_000)))
            stranger.send(peer.control(0, body=bytes(60_000), to=0))
        assert conn.stats().recv_unique_packets == 0
        before.assert_not_outgrown(16)


def test_row_19_data_without_payload_is_passed_over(listener: srtpy.Listener) -> None:
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        conn.settimeout(30)
        for place in range(100):
            peer.send(peer.packet(place, b"" if place % 3 else bytes([place])))
        assert [conn.read() for _ in range(34)] == [bytes([place]) for place in range(0, 100, 3)]
        assert conn.stats().recv_dropped == 0


def test_row_19_icmp_errors_hurt_neither_a_listener_nor_its_other_connections(listener: srtpy.Listener) -> None:
    """Peers vanish; what is sent to them comes back as ICMP, to a socket that others share."""
    with streams(listener, 1, 200.0, latency=LATENCY) as (stream,):
        gone = []
        for _ in range(20):
            with MadPeer(listener.local_addr):
                gone.append(listener.accept())
        for _ in range(20):
            for conn in gone:
                conn.write(b"to nobody")
        with Stranger(listener.local_addr) as stranger:
            assert stranger.cookie()
        for conn in gone:
            conn.close()
        with srtpy.dial(listener.local_addr, linger=0.0), listener.accept():
            pass
    stream.assert_whole(in_time=LATENCY + 2.0)


def test_row_19_icmp_errors_do_not_end_a_call_that_has_been_answered(listener: srtpy.Listener) -> None:
    """The path says "port unreachable" for a while, as a restarting router does; then it works again."""
    with Relay(listener.local_addr[1]) as relay:  # noqa: SIM117 the relay ends last
        with srtpy.dial(relay.address, latency=0.5, linger=0.0) as source, listener.accept() as sink:
            sink.settimeout(30)
            source.write(b"before")
            assert sink.read() == b"before"

            def write_into_the_void() -> None:
                for _ in range(20):
                    source.write(b"lost")
                until(lambda: mux_of(source).counters.refusals > 0)

            relay.interrupt(write_into_the_void)
            source.write(b"after")
            assert source.state == srtpy.ConnState.CONNECTED
            heard = []
            while b"after" not in heard:
                heard.append(sink.read())
            assert heard == [b"lost"] * 20 + [b"after"], "what was refused was sent again"
