"""What two ends agree on, as a table of cases."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.fields import CongestionType, TransType
from srtpy.internal.clock.units import MILLISECOND
from srtpy.internal.handshake.negotiation import (
    LARGEST_WINDOW,
    Negotiated,
    congestion_block,
    dotted,
    judge_entry,
    judge_words,
    negotiate_request,
    negotiate_response,
    request_settings,
    response_settings,
)
from srtpy.internal.handshake.offer import SRT_VERSION, Offer
from srtpy.internal.packet.extensions import GroupExtension, SrtExtension, encode_text
from srtpy.internal.packet.handshake import Extension, ExtensionKind
from tests.internal.handshake.doorman import CALLER_ID, ISN, LIVE_FLAGS, handshake, refused

OWN_ID = 0x11223344


def offer(
    version: int = 0x010501, flags: int = LIVE_FLAGS, receive_ms: int = 120, send_ms: int = 0, **more: Any
) -> Offer:
    return Offer(SrtExtension(version, flags, receive_ms, send_ms), **more)


def request(config: Config, theirs: Offer, **words: Any) -> Any:
    return negotiate_request(config, handshake(**words), theirs, OWN_ID, 500, 9000)


def response(config: Config, theirs: Offer, own_isn: int = ISN, **words: Any) -> Any:
    return negotiate_response(config, handshake(**words), theirs, OWN_ID, own_isn, 100, 500)


def test_an_ordinary_caller() -> None:
    assert request(Config(), offer(stream_id="live/a")) == Negotiated(
        socket_id=OWN_ID,
        peer_socket_id=CALLER_ID,
        send_isn=ISN,
        recv_isn=ISN,
        mss=1500,
        payload_size=1456,
        flow_window=8192,
        peer_version=0x010501,
        recv_latency=120 * MILLISECOND,
        peer_latency=120 * MILLISECOND,
        tsbpd_receive=True,
        tsbpd_send=True,
        tlpktdrop=True,
        peer_tlpktdrop=True,
        nak_report=True,
        peer_nak_report=True,
        peer_retransmit_flag=True,
        message_api=True,
        congestion="live",
        stream_id="live/a",
        start=9000,
        peer_start=500,
        initiator=False,
        reply=b"",
    )


def test_an_ordinary_listener() -> None:
    agreed = response(Config(stream_id="live/a"), offer(receive_ms=200, send_ms=80))
    assert (agreed.start, agreed.peer_start, agreed.initiator) == (100, 500, True)
    assert (agreed.stream_id, agreed.reply) == ("live/a", b"")
    assert (agreed.recv_latency, agreed.peer_latency) == (80 * MILLISECOND, 200 * MILLISECOND)


def test_both_ends_agree_on_both_latencies() -> None:
    """Each direction gets the larger of what its sender and its receiver want."""
    caller, listener = Config(recv_latency=0.1, peer_latency=0.3), Config(recv_latency=0.2, peer_latency=0.05)
    theirs = Offer(request_settings(caller))
    there = request(listener, theirs)
    here = response(caller, Offer(response_settings(there)))
    assert there.recv_latency == here.peer_latency == 300 * MILLISECOND
    assert there.peer_latency == here.recv_latency == 100 * MILLISECOND


LATENCY = st.floats(0.02, 65.535)


@given(LATENCY, LATENCY, LATENCY, LATENCY)
def test_latencies_are_the_larger_ones(mine: float, peers: float, theirs: float, ours: float) -> None:
    caller, listener = Config(recv_latency=mine, peer_latency=peers), Config(recv_latency=theirs, peer_latency=ours)
    there = request(listener, Offer(request_settings(caller)))
    here = response(caller, Offer(response_settings(there)))
    assert (there.recv_latency, there.peer_latency) == (here.peer_latency, here.recv_latency)
    for agreed, wanted in ((there.recv_latency, max(peers, theirs)), (here.recv_latency, max(mine, ours))):
        assert wanted * 1_000_000 - 1 <= agreed <= wanted * 1_000_000 + 1001


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (LIVE_FLAGS, (300, 120, True)),
        (LIVE_FLAGS & ~0x01, (120, 120, True)),  # it does not send by timestamp: its wish for us is void
        (LIVE_FLAGS & ~0x02, (300, 0, False)),  # it does not play by timestamp: no latency of its own
        (LIVE_FLAGS & ~0x03, (120, 0, False)),
    ],
)
def test_latency_of_a_request_without_timestamps(flags: int, expected: tuple[int, int, bool]) -> None:
    agreed = request(Config(), offer(flags=flags, receive_ms=60, send_ms=300))
    got = agreed.recv_latency // MILLISECOND, agreed.peer_latency // MILLISECOND, agreed.tsbpd_send
    assert got == expected


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(LIVE_FLAGS, (40, 70)), (LIVE_FLAGS & ~0x01, (120, 70)), (LIVE_FLAGS & ~0x02, (40, 0))],
)
def test_latency_of_a_response_is_taken_as_it_is(flags: int, expected: tuple[int, int]) -> None:
    agreed = response(Config(), offer(flags=flags, receive_ms=70, send_ms=40))
    assert (agreed.recv_latency // MILLISECOND, agreed.peer_latency // MILLISECOND) == expected


def test_hostile_row_6_the_largest_latency() -> None:
    agreed = request(Config(), offer(receive_ms=65535, send_ms=65535))
    assert agreed.recv_latency == agreed.peer_latency == 65535 * MILLISECOND
    assert response_settings(agreed).receive_latency_ms == 65535
    assert request_settings(Config(latency=65.535)).send_latency_ms == 65535


def test_odd_latencies_are_rounded_up() -> None:
    assert request_settings(Config(latency=0.1201)).receive_latency_ms == 121
    assert request_settings(Config(latency=0.12)).receive_latency_ms == 120


@pytest.mark.parametrize(
    ("config", "flags"),
    [
        (Config(), 0xBF),
        (Config(nak_report=False), 0xAF),
        (Config(tlpktdrop=False), 0xB7),
        (Config(tlpktdrop=False, nak_report=False), 0xA7),
        (Config(tlpktdrop=True, nak_report=True), 0xBF),
    ],
)
def test_flags_we_send(config: Config, flags: int) -> None:
    assert request_settings(config) == SrtExtension(SRT_VERSION, flags, 120, 120)
    assert response_settings(request(config, offer())).flags == flags


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (0xBF, 0xBF),
        (0xBF & ~0x20, 0xBF & ~0x20),  # no retransmission flag: not said back
        (0xBF & ~0x02, 0xBF & ~0x01),  # it does not play by timestamp: we do not send by it
        (0xBF & ~0x18, 0xBF),  # what it does with losses is its own affair
        (0x00, 0x9E),
    ],
)
def test_flags_we_answer(theirs: int, ours: int) -> None:
    assert response_settings(request(Config(), offer(flags=theirs))).flags == ours


@pytest.mark.parametrize("role", [request, response])
def test_what_the_peer_announces(role: Any) -> None:
    names = "peer_tlpktdrop", "peer_nak_report", "peer_retransmit_flag"
    assert all(getattr(role(Config(), offer()), name) for name in names)
    assert not any(getattr(role(Config(), offer(flags=0x87)), name) for name in names)


@pytest.mark.parametrize(
    ("config", "theirs", "mss", "payload"),
    [
        (Config(), 1500, 1500, 1456),
        (Config(mss=1300), 1500, 1300, 1256),
        (Config(), 1464, 1464, 1420),
        (Config(), 9000, 1500, 1456),
        (Config(), 65535, 1500, 1456),
        (Config(), 76, 76, 32),
        (Config(payload_size=1316), 1500, 1500, 1316),
        (Config(payload_size=1316), 1300, 1300, 1256),
    ],
)
def test_mss_and_payload(config: Config, theirs: int, mss: int, payload: int) -> None:
    for agreed in (request(config, offer(), mss=theirs), response(config, offer(), mss=theirs)):
        assert (agreed.mss, agreed.payload_size) == (mss, payload)


@pytest.mark.parametrize(
    ("theirs", "window"),
    [(2, 2), (100, 100), (8192, 8192), (LARGEST_WINDOW + 1, LARGEST_WINDOW), (0xFFFFFFFF, LARGEST_WINDOW)],
)
def test_hostile_row_6_flow_window(theirs: int, window: int) -> None:
    assert request(Config(), offer(), flow_window=theirs).flow_window == window


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ({"version": 0}, RejectReason.VERSION),
        ({"version": 1}, RejectReason.VERSION),
        ({"version": 4, "extension": 2}, RejectReason.VERSION),
        ({"version": 6}, RejectReason.VERSION),
        ({"extension": 0}, RejectReason.ROGUE),
        ({"extension": 6}, RejectReason.ROGUE),
        ({"mss": 0}, RejectReason.ROGUE),
        ({"mss": 31}, RejectReason.ROGUE),
        ({"mss": 75}, RejectReason.ROGUE),
        ({"flow_window": 0}, RejectReason.ROGUE),
        ({"flow_window": 1}, RejectReason.ROGUE),
        ({"isn": 0x7FFFFFFF}, RejectReason.ROGUE),
        ({"isn": 0x80000000}, RejectReason.ROGUE),
        ({"isn": 0xFFFFFFFF}, RejectReason.ROGUE),
    ],
)
def test_hostile_rows_5_and_6_words_out_of_range(words: dict[str, int], reason: int) -> None:
    for role in (request, response):
        result = role(Config(), offer(), **words)
        assert refused(result) == reason
        assert result == judge_words(handshake(**words))


OBJECTIONS = [
    (offer(version=0), RejectReason.ROGUE),
    (offer(version=0x010200), RejectReason.ROGUE),
    (offer(version=0x0102FF), RejectReason.ROGUE),
    (offer(congestion="file"), RejectReason.CONGESTION),
    (offer(congestion=""), RejectReason.UNKNOWN),
    (offer(packet_filter=""), RejectReason.UNKNOWN),
    (offer(stream_id=""), RejectReason.UNKNOWN),
    (offer(packet_filter="fec,cols:10"), RejectReason.FILTER),
]


@pytest.mark.parametrize(("theirs", "reason"), OBJECTIONS)
def test_objections_of_both_roles(theirs: Offer, reason: int) -> None:
    assert refused(request(Config(), theirs)) == reason
    assert refused(response(Config(), theirs)) == reason


def test_objections_to_requests_only() -> None:
    stream, group = offer(flags=0xE4), offer(group=GroupExtension(0x40000001, 1, 0, 1))
    assert refused(request(Config(), stream)) == RejectReason.MESSAGE_API
    assert refused(request(Config(), group)) == RejectReason.GROUP
    assert isinstance(response(Config(), offer(flags=0xFF)), Negotiated)
    assert isinstance(response(Config(), group), Negotiated)


def test_congestion_said_out_loud() -> None:
    assert isinstance(request(Config(), offer(congestion="live")), Negotiated)


STREAM = Config(trans_type=TransType.FILE)
MESSAGES = Config(trans_type=TransType.FILE, message_api=True)
PACED = Config(trans_type=TransType.FILE, message_api=True, congestion=CongestionType.LIVE)
MODES = {"live": Config(), "stream": STREAM, "messages": MESSAGES, "paced": PACED}


@pytest.mark.parametrize(
    ("config", "flags", "congestion"),
    [(Config(), 0xBF, "live"), (STREAM, 0xE4, "file"), (MESSAGES, 0xA4, "file"), (PACED, 0xA4, "live")],
)
def test_what_a_mode_announces_and_becomes(config: Config, flags: int, congestion: str) -> None:
    settings = request_settings(config)
    assert settings.flags == flags
    blocks = congestion_block(config)
    assert blocks == (() if congestion == "live" else (Extension(ExtensionKind.CONGESTION, encode_text(congestion)),))
    is_live = flags == 0xBF
    if not is_live:
        assert (settings.receive_latency_ms, settings.send_latency_ms) == (0, 0)
    there = request(config, Offer(settings, congestion=congestion))
    here = response(config, Offer(response_settings(there), congestion=congestion))
    assert not response_settings(there).flags & 0x40  # libsrt never sets STREAM in a response
    for agreed in (here, there):
        assert (agreed.tsbpd_receive, agreed.tsbpd_send, agreed.tlpktdrop, agreed.nak_report) == (is_live,) * 4
        assert (agreed.peer_tlpktdrop, agreed.peer_nak_report) == (is_live,) * 2
        assert (agreed.message_api, agreed.congestion) == (config.effective_message_api, congestion)
        assert (agreed.recv_latency, agreed.peer_latency) == ((120_000,) * 2 if is_live else (0, 0))


@pytest.mark.parametrize(
    ("caller", "listener", "reason"),
    [
        ("live", "stream", RejectReason.MESSAGE_API),
        ("stream", "live", RejectReason.MESSAGE_API),
        ("messages", "stream", RejectReason.MESSAGE_API),
        ("stream", "messages", RejectReason.MESSAGE_API),
        ("live", "messages", RejectReason.CONGESTION),
        ("messages", "live", RejectReason.CONGESTION),
        ("paced", "messages", RejectReason.CONGESTION),
        ("messages", "paced", RejectReason.CONGESTION),
    ],
)
def test_modes_that_do_not_match(caller: str, listener: str, reason: int) -> None:
    mine, theirs = MODES[caller], MODES[listener]
    said = None if mine.effective_congestion == "live" else mine.effective_congestion.value
    result = request(theirs, Offer(request_settings(mine), congestion=said))
    assert refused(result) == reason
    if reason == RejectReason.MESSAGE_API:
        words = "the peer sends messages, we send a stream", "the peer sends a stream of bytes, we send messages"
        assert words[mine.effective_message_api is False] in result.text
    else:
        assert f"ours is {theirs.effective_congestion.value!r}" in result.text


@pytest.mark.parametrize("role", [request, response])
def test_a_peer_that_does_not_say_how_it_paces_is_live(role: Any) -> None:
    assert refused(role(STREAM, offer(flags=0xE4))) == RejectReason.CONGESTION
    assert refused(role(MESSAGES, offer(flags=0xA4, congestion="live"))) == RejectReason.CONGESTION


@pytest.mark.parametrize("role", [request, response])
def test_min_version(role: Any) -> None:
    config = Config(min_version="1.5.1")
    assert isinstance(role(config, offer(version=0x010501)), Negotiated)
    result = role(config, offer(version=0x010500))
    assert refused(result) == RejectReason.VERSION
    assert "1.5.0" in result.text
    assert "1.5.1" in result.text
    assert isinstance(role(Config(), offer(version=0x010300)), Negotiated)


def test_the_first_objection_decides() -> None:
    worst = offer(version=0x010200, flags=0xFF, congestion="file", packet_filter="x", key_material=b"")
    modern = replace(worst, settings=offer(flags=0xFF).settings)
    messages = replace(worst, settings=offer().settings)
    live = replace(messages, congestion=None)
    reasons = [refused(request(Config(), theirs)) for theirs in (worst, modern, messages, live)]
    assert reasons == [1004, 1012, 1013, 1014]


def test_what_is_judged_after_the_application_was_asked() -> None:
    assert judge_entry(Config(), handshake(), offer(congestion="file")) is None
    objection = judge_entry(Config(), handshake(), offer(packet_filter="fec,cols:10"))
    assert objection is not None
    assert objection.reason == RejectReason.FILTER


def test_a_listener_with_another_start() -> None:
    result = response(Config(), offer(), own_isn=5)
    assert refused(result) == RejectReason.ROGUE
    assert "0x7ffffff0" in result.text


def test_texts_of_the_peer_are_escaped() -> None:
    assert "\x1b" not in request(Config(), offer(congestion="\x1b[31m")).text
    assert "\x1b" not in request(Config(), offer(packet_filter="\x1b[31m\udcff")).text


def test_dotted() -> None:
    assert dotted(0x010505) == "1.5.5"


def test_we_say_a_version_that_has_gcm_as_both_ends_understand_it() -> None:
    assert SRT_VERSION >= 0x010504
