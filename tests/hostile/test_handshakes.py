"""Rows 1 to 7: what strangers and callers can do to a listener before there is a connection."""

from __future__ import annotations

import contextlib
import logging
import time
from collections import Counter
from dataclasses import replace
from threading import Event
from typing import Any

import prometheus_client
import pytest

import srtpy
from srtpy.config import Config
from srtpy.internal.handshake.answers import LARGEST_WAITING_PER_HOST
from srtpy.internal.handshake.listener import INDUCTION_BURST, INDUCTIONS_PER_SECOND
from srtpy.internal.packet.extensions import encode_text
from srtpy.internal.packet.handshake import Extension, Handshake, HandshakeKind
from srtpy.internal.packet.header import HEADER_SIZE
from srtpy.internal.seq.number import SEQ_MASK
from tests.hostile.peers import Footprint, MadPeer, Stranger, conclusion, strangers
from tests.internal.handshake.doorman import induction, packet, settings_block
from tests.internal.session.callers import without_stamp
from tests.internal.session.fakes import until

FLOOD = 30_000
OVERLOADED = 2402  # on the wire


def kind(answer: bytes) -> int:
    """Return the handshake type of an answer."""
    return Handshake.decode(answer[HEADER_SIZE:]).kind


def book_size(listener: srtpy.Listener) -> int:
    return len(listener._accepting._answerer._book)


# ---- row 1


def test_row_01_an_induction_flood_costs_no_state_and_callers_still_come_in(
    listener: srtpy.Listener, said: list[logging.LogRecord]
) -> None:
    with strangers(listener.local_addr, 200) as flood:
        flood[0].answer(packet(induction()).data)
        before, begun, heard = Footprint.now(), time.monotonic(), []
        for number in range(FLOOD):
            flood[number % 200].send(packet(induction(socket_id=1 + number)).data)
            if number % 1000 == 0:
                heard += [one for stranger in flood for one in stranger.heard()]
            if number == FLOOD // 2:
                with srtpy.dial(listener.local_addr, linger=0.0), listener.accept():
                    pass
        assert book_size(listener) <= 1, "the one caller"
        heard += [one for stranger in flood for one in stranger.heard(0.002)]
        took = time.monotonic() - begun
        assert {len(one) for one in heard} == {64}
        assert 0 < len(heard) <= INDUCTION_BURST + INDUCTIONS_PER_SECOND * took
        before.assert_not_outgrown(16)
    assert said == []


def test_row_01_answers_to_strangers_are_never_longer_than_the_question(listener: srtpy.Listener) -> None:
    with Stranger(listener.local_addr) as stranger:
        whole = packet(induction()).data
        for extra in (0, 4, 400, 1300):
            assert len(stranger.answer(whole + bytes(extra))) == 64
        assert stranger.answers(*(whole[:size] for size in (16, 40, 60, 63))) == []


# ---- row 2


def test_row_02_a_conclusion_flood_with_good_cookies_is_bounded_per_host(said: list[logging.LogRecord]) -> None:
    """While callbacks think, one host gets so many places and no more, and no thread beyond the pool."""
    released, began = Event(), time.monotonic()

    def think(request: srtpy.ConnRequest) -> bool:
        return released.wait(30) and False

    with srtpy.listen(("127.0.0.1", 0), accept=think) as listener, Stranger(listener.local_addr) as one:
        cookie = one.cookie()
        before, refused = Footprint.now(), list[bytes]()
        for start in range(1, 1001, 50):
            refused += one.answers(*(conclusion(cookie, number) for number in range(start, start + 50)))
        assert Counter(kind(answer) for answer in refused) == {OVERLOADED: 1000 - LARGEST_WAITING_PER_HOST}
        assert book_size(listener) == LARGEST_WAITING_PER_HOST
        assert Footprint.now().threads <= before.threads + 8
        with Stranger(listener.local_addr, "127.0.0.2") as other:
            other.send(conclusion(other.cookie(9), 9))
            until(lambda: book_size(listener) == LARGEST_WAITING_PER_HOST + 1)
        released.set()
        until(lambda: not listener._accepting._answerer.waiting)
        assert len(one.heard(1.0)) > 200, "those who had a place are told as well"
    texts = [record.getMessage() for record in said]
    assert len(texts) <= 1 + (time.monotonic() - began)  # a flood does not fill the log
    assert all(text.startswith("refused 127.0.0.") for text in texts), texts


def test_row_02_without_a_callback_the_backlog_is_the_limit() -> None:
    with srtpy.listen(("127.0.0.1", 0), backlog=4, linger=0.0) as listener, Stranger(listener.local_addr) as one:
        before = Footprint.now()
        cookie = one.cookie()
        verdicts: Counter[int] = Counter()
        for number in range(1, 201):
            verdicts[kind(one.answer(conclusion(cookie, number)))] += 1
        assert verdicts == {HandshakeKind.CONCLUSION: 4, 1005: 196}
        assert Footprint.now().threads == before.threads + 2 * 4


# ---- row 3


def test_row_03_spoofed_sources_and_replayed_cookies_meet_with_silence(listener: srtpy.Listener) -> None:
    target = listener.local_addr
    with Stranger(target) as owner, Stranger(target) as port, Stranger(target, "127.0.0.2") as host:
        cookie = owner.cookie()
        for thief in (port, host):
            assert thief.answers(conclusion(cookie, 1), conclusion(cookie, 4711)) == []
        wrong = [0, 1, cookie ^ 1, cookie ^ 1 << 31, 0xFFFFFFFF]
        assert owner.answers(*(conclusion(other, 2) for other in wrong if other != cookie)) == []
        assert owner.answers(conclusion(cookie, 0)) == []
        assert kind(owner.answer(conclusion(cookie, 4711))) == HandshakeKind.CONCLUSION
        listener.accept().close()


def test_row_03_a_cookie_dies_with_its_listener() -> None:
    with srtpy.listen(("127.0.0.1", 0)) as first, Stranger(first.local_addr) as stranger:
        port = first.local_addr[1]
        cookie = stranger.cookie()
        first.close()
        with srtpy.listen(("127.0.0.1", port)):
            assert stranger.answers(conclusion(cookie)) == []


# ---- row 4


def test_row_04_conclusions_repeated_on_a_live_connection_change_nothing(listener: srtpy.Listener) -> None:
    with MadPeer(listener.local_addr) as caller, listener.accept() as conn:
        answers = []
        for number in range(100):
            caller.send(caller.packet(number, number.to_bytes(4, "big")))
            if number % 5 == 0:
                caller.send(caller.conclusion)
        assert [int.from_bytes(conn.read(), "big") for _ in range(100)] == list(range(100))
        answers = [one for one in caller.swallow() if one[:2] == b"\x80\x00"]
        assert len(answers) == 20
        assert len({without_stamp(one) for one in answers}) == 1
        listener.settimeout(0)
        with pytest.raises(srtpy.WouldBlockError):
            listener.accept()
        assert conn.stats().recv_unique_packets == 100


def test_row_04_a_conclusion_changed_on_its_way_back_rolls_nothing_back(listener: srtpy.Listener) -> None:
    """The same caller says other things about itself: it gets the old answer, the connection keeps its terms."""
    with MadPeer(listener.local_addr) as caller, listener.accept() as conn:
        terms = conn._session.negotiated
        theirs = Handshake.decode(caller.conclusion[HEADER_SIZE:])
        changes: list[dict[str, Any]] = [
            {"mss": 76},
            {"flow_window": 2},
            {"extensions": (settings_block(receive_ms=5000),)},
            {"extensions": ()},
            {"version": 4},
        ]
        for change in changes:
            caller.send(packet(replace(theirs, **change), stamp=5).data)
        caller.send(caller.packet(0, b"after"))
        assert conn.read() == b"after"
        assert conn._session.negotiated is terms
        kinds = {kind(one) for one in caller.swallow() if one[:2] == b"\x80\x00"}
        assert kinds == {HandshakeKind.CONCLUSION}


# ---- rows 5 and 6

SILENCE, ROGUE, VERSION = 0, 1004, 1008
STRANGE: list[tuple[str, dict[str, Any], int]] = [
    ("version 0", {"version": 0}, VERSION),
    ("version 1", {"version": 1}, VERSION),
    ("version 6", {"version": 6}, VERSION),
    ("version 4", {"version": 4}, SILENCE),  # it gets SHUTDOWN: it would take a code for a success
    ("type 0", {"kind": 0}, SILENCE),
    ("type agreement", {"kind": -2}, SILENCE),
    ("type garbage", {"kind": 0x12345678}, SILENCE),
    ("flags without blocks", {"extension": 7, "extensions": ()}, ROGUE),
    ("keys announced, none there", {"extension": 3}, ROGUE),
    ("no flags", {"extension": 0}, ROGUE),
    ("settings too short", {"extensions": (Extension(1, bytes(8)),)}, ROGUE),
    ("settings of length 0", {"extensions": (Extension(1, b""),)}, ROGUE),
    ("mss 0", {"mss": 0}, ROGUE),
    ("mss 31", {"mss": 31}, ROGUE),
    ("window 0", {"flow_window": 0}, ROGUE),
    ("window 1", {"flow_window": 1}, ROGUE),
    ("isn 2^31 - 1", {"isn": 0x7FFFFFFF}, ROGUE),
    ("isn 2^31", {"isn": 0x80000000}, ROGUE),
    ("isn 2^32 - 1", {"isn": 0xFFFFFFFF}, ROGUE),
    ("SRT version 0", {"extensions": (settings_block(version=0),)}, ROGUE),
]


@pytest.mark.parametrize(("words", "verdict"), [row[1:] for row in STRANGE], ids=[row[0] for row in STRANGE])
def test_rows_05_and_06_strange_handshakes_are_refused_or_ignored(
    listener: srtpy.Listener, said: list[logging.LogRecord], words: dict[str, Any], verdict: int
) -> None:
    with Stranger(listener.local_addr) as stranger:
        answers = stranger.answers(conclusion(stranger.cookie(), **words))
        handshakes = [kind(one) for one in answers if one[:2] == b"\x80\x00"]
        assert handshakes == ([verdict] if verdict else [])
        assert all(len(one) <= 64 for one in answers)
        assert not book_size(listener)
        assert kind(stranger.answer(conclusion(stranger.cookie()))) == HandshakeKind.CONCLUSION
        listener.accept().close()
    assert said == []


TAILS = {
    "longer than the packet": bytes.fromhex("0001ffff") + bytes(12),
    "odd": b"\x00\x05\x00\x01abc",
    "three bytes": b"\x00\x05\x00",
    "a header and nothing": b"\x00\x05\x00\x01",
}


@pytest.mark.parametrize("tail", TAILS.values(), ids=TAILS)
def test_row_05_blocks_that_do_not_fit_are_refused(listener: srtpy.Listener, tail: bytes) -> None:
    with Stranger(listener.local_addr) as stranger:
        assert [kind(one) for one in stranger.answers(conclusion(stranger.cookie(), extension=5) + tail)] == [ROGUE]


def test_row_05_unknown_blocks_are_skipped(listener: srtpy.Listener) -> None:
    blocks = (Extension(0xBD01, bytes(16)), settings_block(), Extension(0, b""), Extension(0xFFFF, bytes(400)))
    with Stranger(listener.local_addr) as stranger:
        assert kind(stranger.answer(conclusion(stranger.cookie(), extensions=blocks))) == HandshakeKind.CONCLUSION
        with listener.accept() as conn:
            assert conn.stream_id == ""


def test_row_06_a_tiny_mss_leaves_small_packets(listener: srtpy.Listener) -> None:
    with MadPeer(listener.local_addr, Config(mss=76)) as caller, listener.accept() as conn:
        with pytest.raises(srtpy.MessageTooLargeError, match="32"):
            conn.write(bytes(1316))
        conn.write(bytes(32))
        for number in (0, 40):
            caller.send(caller.packet(number, b"x"))
        until(lambda: conn.stats().sent_naks > 0)
        assert max(len(one) for one in caller.swallow() if one[:2] != b"\x80\0") <= 76 - 28


def test_row_06_no_claim_of_a_peer_makes_buffers_larger(listener: srtpy.Listener) -> None:
    """The largest window, latency and MSS that can be claimed: what is kept is what is configured here."""
    words: dict[str, Any] = {
        "mss": 0xFFFF,
        "flow_window": 0xFFFFFFFF,
        "extensions": (settings_block(receive_ms=65535, send_ms=65535),),
    }
    with Stranger(listener.local_addr) as stranger:
        before = Footprint.now()
        stranger.answer(conclusion(stranger.cookie(), **words))
        with listener.accept() as conn:
            conn.settimeout(0)
            assert conn.stats().negotiated_mss == 1500
            assert conn.stats().negotiated_latency == 65.535
            with contextlib.suppress(srtpy.WouldBlockError):
                for _ in range(20_000):
                    conn.write(bytes(1316))
            assert conn.stats().send_buf_size <= Config().send_buf_size
            assert conn.stats().recv_buf_available < Config().recv_buf_size
            before = replace(before, threads=before.threads + 2)
            before.assert_not_outgrown(48)


@pytest.mark.parametrize("isn", [0, 1, 0x7FFFFFF0, 0x7FFFFFFE])
def test_row_06_the_edges_of_the_number_space_are_in_order(listener: srtpy.Listener, isn: int) -> None:
    with Stranger(listener.local_addr) as stranger:
        answer = stranger.answer(conclusion(stranger.cookie(), isn=isn))
        ours = Handshake.decode(answer[HEADER_SIZE:])
        with listener.accept() as conn:
            for number in range(40):
                head = ((isn + number) & SEQ_MASK, 0xE0000001 + number, 1000, ours.socket_id)
                stranger.send(b"".join(word.to_bytes(4, "big") for word in head) + bytes([number]))
            assert [conn.read() for _ in range(40)] == [bytes([number]) for number in range(40)]


# ---- row 7

STREAM_IDS = {
    "escapes": b"\x1b[31mred\x1b]0;title\x07\r\nERROR forged line",
    "nul": b"live\0/../../etc",
    "not utf-8": b"caf\xe9\xff\xfe",
    "c1 control": "csi\u009b31m".encode(),
    "bidi": "\u202egpj.exe".encode(),
    "percent": b"%1b%5b31m%n%s{0}",
    "longest": b"x" * 512,
}


def caller_with(listener: srtpy.Listener, stream_id: bytes) -> bytes:
    """Call with these bytes as stream id; return the answer."""
    block = Extension(5, encode_text(stream_id.decode("utf-8", "surrogateescape")))
    with Stranger(listener.local_addr) as stranger:
        return stranger.answer(conclusion(stranger.cookie(), extension=5, extensions=(settings_block(), block)))


class Lines(list[str]):
    """A logger of the application's that keeps what it is told."""

    def log(self, level: srtpy.LogLevel, category: srtpy.LogCategory, socket_id: int, message: str) -> None:
        self.append(message)


def is_harmless(text: str) -> bool:
    """Whether a text can go to a terminal or a file of lines, and is UTF-8."""
    return all(line.isprintable() for line in text.expandtabs().split("\n"))


@pytest.mark.parametrize("stream_id", STREAM_IDS.values(), ids=STREAM_IDS)
def test_row_07_a_stream_id_gets_through_as_it_is_and_into_no_log_as_it_is(
    stream_id: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Debug lines, a callback that puts it into its exception, representations."""
    lines, asked = Lines(), list[srtpy.ConnRequest]()

    def judge(request: srtpy.ConnRequest) -> bool:
        asked.append(request)
        if len(asked) == 1:
            raise ValueError(f"no such stream: {request.stream_id}")
        return True

    with srtpy.listen(("127.0.0.1", 0), accept=judge, logger=lines, linger=0.0) as listener:
        assert kind(caller_with(listener, stream_id)) == 2500
        assert kind(caller_with(listener, stream_id)) == HandshakeKind.CONCLUSION
        with listener.accept() as conn:
            assert conn.stream_id.encode("utf-8", "surrogateescape") == stream_id
            assert is_harmless(repr(conn))
    assert is_harmless(repr(asked))
    assert any("no such stream" in line for line in lines)
    assert all(is_harmless(line) for line in lines), lines
    assert not any(line.startswith("ERROR forged") for text in lines for line in text.split("\n"))
    assert caplog.records == []


@pytest.mark.parametrize("stream_id", [b"x" * 513, b"x" * 1300])
def test_row_07_a_stream_id_that_is_too_long_is_refused(listener: srtpy.Listener, stream_id: bytes) -> None:
    body = stream_id + bytes(-len(stream_id) % 4)
    with Stranger(listener.local_addr) as stranger:
        blocks = (settings_block(), Extension(5, body))
        answer = stranger.answer(conclusion(stranger.cookie(), extension=5, extensions=blocks))
        assert kind(answer) == ROGUE


def test_row_07_a_stream_id_cannot_spoil_the_metrics_of_others(listener: srtpy.Listener) -> None:
    writer = srtpy.PrometheusWriter()
    registry = prometheus_client.CollectorRegistry()
    registry.register(writer)
    for stream_id in STREAM_IDS.values():
        caller_with(listener, stream_id)
        with listener.accept() as conn:
            writer.write(conn.stats(), "listener", str(conn.remote_addr), conn.stream_id)
    assert is_harmless(prometheus_client.generate_latest(registry).decode("utf-8"))
