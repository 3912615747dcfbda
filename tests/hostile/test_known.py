"""What was found in other implementations, each once more against ours; most rows of the table go further.

Those about keys are in test_encryption.py.
"""

from __future__ import annotations

import struct
from typing import Any

import pytest

import srtpy
from srtpy.errors import RejectReason
from srtpy.internal.packet.handshake import Extension, Handshake, HandshakeKind
from srtpy.internal.packet.header import HEADER_SIZE, ControlType
from tests.hostile.peers import MadPeer, Stranger, conclusion
from tests.hostile.test_packets import Talk, core, words
from tests.internal.handshake.doorman import settings_block
from tests.internal.session.callers import ISN
from tests.internal.session.fakes import until

MASK = 0x7FFFFFFF


def answer_to(stranger: Stranger, **changes: Any) -> int:
    """Return the type of the answer to a conclusion."""
    [answer] = stranger.answers(conclusion(stranger.cookie(), **changes))
    return Handshake.decode(answer[HEADER_SIZE:]).kind


@pytest.mark.parametrize("size", range(8))
def test_srt_pr_3320_a_drop_request_shorter_than_its_range(listener: srtpy.Listener, size: int) -> None:
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        talk = Talk(peer, conn)
        talk.say(3)
        peer.send(peer.control(ControlType.DROPREQ, 7, words(ISN, ISN + 2)[:size]))
        talk.say(3)
        talk.assert_heard()
        assert core(conn).counters.malformed == 1


@pytest.mark.parametrize("before", [0, 1, 363])
def test_srt_pr_3324_a_loss_report_that_ends_within_a_range(listener: srtpy.Listener, before: int) -> None:
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        body = words(*[ISN] * before, 1 << 31 | ISN)
        peer.send(peer.control(ControlType.NAK, 0, body))
        until(lambda: core(conn).counters.malformed == 1)
        assert conn.state is srtpy.ConnState.CONNECTED


@pytest.mark.parametrize(
    ("low", "high"),
    [(-8192, 8192), (0, 1 << 29), (0, (1 << 30) - 1), (-(1 << 30) + 1, 0), (8191, 1 << 20)],
)
def test_srt_pr_3322_a_drop_range_beyond_the_buffer_takes_no_live_packet(
    listener: srtpy.Listener, low: int, high: int
) -> None:
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        talk = Talk(peer, conn)
        talk.say(30)
        talk.arrived()
        base = ISN + talk.said
        peer.send(peer.control(ControlType.DROPREQ, 7, words(base + low & MASK, base + high & MASK)))
        peer.send(peer.control(ControlType.KEEPALIVE))
        talk.assert_heard()
        assert conn.state is srtpy.ConnState.CONNECTED


def test_srt_pr_3359_ranges_the_wrong_way_round(listener: srtpy.Listener) -> None:
    """Of drop requests and loss reports; and an ACK of what lies before the last."""
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:
        talk = Talk(peer, conn)
        talk.say(20)
        talk.arrived()
        conn.write(b"one")
        until(lambda: conn.stats().sent_unique_packets == 1)
        peer.send(peer.control(ControlType.DROPREQ, 7, words(ISN + 15 & MASK, ISN + 5 & MASK)))
        peer.send(peer.control(ControlType.NAK, 0, words(1 << 31 | (ISN + 15 & MASK), ISN + 5 & MASK)))
        talk.acknowledge()
        peer.send(peer.control(ControlType.ACK, 9, words(ISN - 100, 1000, 500, 8192)))
        talk.say(5)
        talk.assert_heard()
        assert core(conn).counters.malformed + core(conn).counters.ignored_control >= 2


@pytest.mark.parametrize("size", [0, 1, 16, 28, 31, 32, 44, 75])
def test_srt_pr_3359_an_mss_smaller_than_its_headers(listener: srtpy.Listener, size: int) -> None:
    with Stranger(listener.local_addr) as stranger:
        assert answer_to(stranger, mss=size) == RejectReason.ROGUE


@pytest.mark.parametrize("members", [1, 8, 9, 170])
def test_srt_pr_3272_a_group_block_longer_than_any_array(listener: srtpy.Listener, members: int) -> None:
    """Whatever becomes of the caller, nobody else notices."""
    body = struct.pack(">II", 0x40000001, 1) * members
    blocks = (settings_block(), Extension(8, body))
    with Stranger(listener.local_addr) as stranger:
        assert answer_to(stranger, extension=5, extensions=blocks) in (HandshakeKind.CONCLUSION, RejectReason.GROUP)
    with MadPeer(listener.local_addr) as peer:
        assert peer.peer_id


@pytest.mark.parametrize(
    "field",
    [{"stream_id": "x" * 513}, {"passphrase": "x" * 81}, {"bind_to_device": "x" * 17}, {"stream_id": "é" * 257}],
    ids=["stream id", "passphrase", "device", "stream id in bytes"],
)
def test_srt_pr_3210_settings_that_are_too_long_are_exceptions(field: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        srtpy.Config(**field)  # type: ignore[arg-type]


@pytest.mark.parametrize("extension", [0, 1, 2, 4, 5, 7, 0x4A17, 0xFFFF])
def test_gosrt_pr_60_a_conclusion_of_version_5_without_blocks(listener: srtpy.Listener, extension: int) -> None:
    with Stranger(listener.local_addr) as stranger:
        assert answer_to(stranger, extension=extension, extensions=()) == RejectReason.ROGUE
        assert answer_to(stranger, socket_id=4712) == HandshakeKind.CONCLUSION
        listener.accept().close()


def test_gosrt_pr_77_packets_from_another_source_are_nobodys(listener: srtpy.Listener) -> None:
    with (
        MadPeer(listener.local_addr) as peer,
        Stranger(listener.local_addr, "127.0.0.9") as host,
        Stranger(listener.local_addr) as port,
        listener.accept() as conn,
    ):
        talk = Talk(peer, conn)
        for other in (host, port):
            other.send(peer.packet(0, b"slipped in"), peer.control(ControlType.SHUTDOWN), peer.control(ControlType.ACK))
            other.answers()
        talk.say(3)
        talk.assert_heard()
        assert conn.state is srtpy.ConnState.CONNECTED
