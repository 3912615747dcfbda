"""The caller, packet by packet."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.handshake.caller import EARLY_LIMIT, REPEAT, Caller, CallerEvent
from srtpy.internal.handshake.negotiation import Negotiated, Opened, Refusal, Refused
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.extensions import GroupExtension, SrtExtension, encode_text
from srtpy.internal.packet.handshake import Extension, ExtensionKind, Handshake
from srtpy.internal.packet.header import HEADER_SIZE, ControlType
from tests.internal.handshake.doorman import (
    CALLER_ID,
    ISN,
    bare,
    data,
    handshake,
    induction,
    packet,
    read,
    settings_block,
)

START: Micros = 500 * SECOND
LISTENER_ID = 0x327E627B
COOKIE = 0x936EE677
LOCALHOST = bytes([127, 0, 0, 1])


def caller(start: Micros = START, **config: Any) -> Caller:
    return Caller(Config(**config), CALLER_ID, ISN, LOCALHOST, start, start)


class FakeKeys:
    """Records what it is asked, and answers as told."""

    size_field = 4

    def __init__(self, verdict: Refusal | None = None) -> None:
        self.verdict = verdict
        self.advertised: list[int] = []
        self.answers: list[bytes | None] = []

    def offer(self, advertised: int) -> bytes:
        self.advertised.append(advertised)
        return b"key material"

    def conclude(self, agreed: Negotiated, answer: bytes | None) -> Refusal | None:
        assert agreed.peer_socket_id == LISTENER_ID
        self.answers.append(answer)
        return self.verdict


def test_keys_are_offered_with_the_conclusion_and_concluded_with_the_response() -> None:
    keys = FakeKeys()
    one = Caller(Config(stream_id="x"), CALLER_ID, ISN, LOCALHOST, START, START, keys=keys)
    one.datagrams_to_send(START)
    one.receive_datagrams(packet(cookie_reply(encryption=3), CALLER_ID), START)
    _, conclusion = said(one, START)
    assert keys.advertised == [3]
    assert (conclusion.encryption, conclusion.extension) == (4, 7)
    assert conclusion.extensions[-1] == Extension(ExtensionKind.KMREQ, b"key material")
    one.handle_timer(START + REPEAT)
    assert said(one, START)[1] == conclusion
    answer = Extension(ExtensionKind.KMRSP, b"answer..")
    assert isinstance(hear(one, response(extension=3, extensions=(*response().extensions, answer))), Opened)
    assert keys.answers == [b"answer.."]


def test_keys_may_object_to_the_response() -> None:
    keys = FakeKeys(Refusal(RejectReason.BAD_SECRET, "not ours"))
    one = Caller(Config(), CALLER_ID, ISN, LOCALHOST, START, START, keys=keys)
    one.receive_datagrams(packet(cookie_reply(), CALLER_ID), START)
    one.datagrams_to_send(START)
    assert hear(one, response()) == Refused(RejectReason.BAD_SECRET, "not ours")
    assert keys.answers == [None]
    ((header, _),) = one.datagrams_to_send(START)
    assert Batch(header).headers[0][0] == 0x80050000  # SHUTDOWN: the listener has let us in


@pytest.mark.parametrize(("config", "flags"), [({}, 0xE4), ({"message_api": True}, 0xA4)])
def test_a_file_s_conclusion_names_its_congestion_control(config: dict[str, Any], flags: int) -> None:
    one = caller(trans_type=1, stream_id="a", **config)
    one.datagrams_to_send(START)
    one.receive_datagrams(packet(cookie_reply(), CALLER_ID), START + 1000)
    _, conclusion = said(one, START + 1000)
    assert conclusion.extension == 5
    assert [block.kind for block in conclusion.extensions] == [1, 5, 6]
    assert SrtExtension.decode(conclusion.extensions[0].body) == SrtExtension(0x010505, flags, 0, 0)
    assert conclusion.extensions[2].body == b"elif"
    blocks = (settings_block(kind=2, flags=0xA4, receive_ms=0), Extension(ExtensionKind.CONGESTION, b"elif"))
    agreed = opened(hear(one, response(extension=5, extensions=blocks)))
    assert (agreed.congestion, agreed.message_api) == ("file", "message_api" in config)


@pytest.mark.parametrize(
    ("config", "reason", "advice"),
    [
        ({}, 1010, "wrong passphrase"),
        ({}, 1011, "no passphrase is set here"),
        ({"passphrase": "0123456789ab"}, 1011, "the listener has none"),
        ({"crypto_mode": 2}, 1017, "here it is GCM"),
        ({}, 1012, "here it is messages and at the listener a byte stream; compare trans_type"),
        ({"trans_type": 1}, 1012, "here it is a byte stream and at the listener messages; compare trans_type"),
        ({"trans_type": 1}, 1013, "the listener's congestion control is not ours, 'file'; compare trans_type"),
        ({}, 1008, "newer SRT version than ours, 1.5.5"),
        ({}, 2403, "denies access"),
    ],
)
def test_a_rejection_says_what_to_do(config: dict[str, Any], reason: int, advice: str) -> None:
    refused = hear(agreeing(**config), response(kind=reason, extensions=()))
    assert isinstance(refused, Refused)
    assert advice in refused.text
    assert "0123456789ab" not in refused.text


def cookie_reply(**changes: Any) -> Handshake:
    return induction(**{"version": 5, "extension": 0x4A17, "cookie": COOKIE, **changes})


def response(**changes: Any) -> Handshake:
    blocks = (settings_block(receive_ms=120, send_ms=120, kind=2),)
    return handshake(**{"socket_id": LISTENER_ID, "cookie": COOKIE, "extensions": blocks, **changes})


def said(one: Caller, now: Micros) -> tuple[tuple[int, int, int, int], Handshake]:
    (datagram,) = one.datagrams_to_send(now)
    return read(datagram)


def agreeing(now: Micros = START + 1000, **config: Any) -> Caller:
    """Return a caller that has its cookie and has sent its conclusion."""
    one = caller(**config)
    one.datagrams_to_send(START)
    one.receive_datagrams(packet(cookie_reply(), CALLER_ID), now)
    one.datagrams_to_send(now)
    return one


def hear(
    one: Caller, theirs: Handshake, now: Micros = START + 2000, destination: int = CALLER_ID
) -> CallerEvent | None:
    one.receive_datagrams(packet(theirs, destination, stamp=300), now)
    events = one.events()
    return events[0] if events else None


def opened(event: CallerEvent | None) -> Negotiated:
    assert isinstance(event, Opened), event
    return event.negotiated


def reason(event: CallerEvent | None) -> int:
    assert isinstance(event, Refused), event
    return int(event.reason)


# ---- the ordinary way


def test_induction_in_bytes() -> None:
    one = caller(recv_buf_size=8192)
    ((datagram, payload),) = one.datagrams_to_send(START)
    assert datagram.hex(" ", 4) == (
        "80000000 00000000 00000000 00000000 00000004 00000002 7ffffff0 000005dc 00002000 00000001 2bf2e4fc "
        "00000000 0100007f 00000000 00000000 00000000"
    )
    assert payload == b""
    assert one.datagrams_to_send(START) == []


def test_conclusion_in_bytes_and_at_once() -> None:
    one = caller(stream_id="#!::u=me", latency=0.12)
    one.datagrams_to_send(START)
    one.receive_datagrams(packet(cookie_reply(), CALLER_ID), START + 0x1000)
    ((datagram, _),) = one.datagrams_to_send(START + 0x1000)
    assert datagram.hex(" ", 4) == (
        "80000000 00000000 00001000 00000000 00000005 00000005 7ffffff0 000005dc 00002000 ffffffff 2bf2e4fc "
        "936ee677 0100007f 00000000 00000000 00000000 00010003 00010505 000000bf 00780078 00050002 3a3a2123 656d3d75"
    )


def test_a_conclusion_without_stream_id_announces_settings_only() -> None:
    one = caller()
    one.datagrams_to_send(START)
    one.receive_datagrams(packet(cookie_reply(), CALLER_ID), START)
    _, conclusion = said(one, START)
    assert (conclusion.extension, len(conclusion.extensions)) == (1, 1)


def test_the_window_is_what_we_can_take() -> None:
    _, asked = said(caller(recv_buf_size=4096, fc=2048), START)
    assert asked.flow_window == 2048


def test_the_peers_clock_is_told_by_when_its_answer_arrived() -> None:
    one = agreeing()
    answer = packet(response(), CALLER_ID, stamp=300)
    answer.arrived = START + 1_500
    one.receive_datagrams(answer, START + 9_000)
    (event,) = one.events()
    assert opened(event).peer_start == START + 1_200


def test_opened() -> None:
    one = agreeing(stream_id="live/a")
    agreed = opened(hear(one, response(mss=1400, flow_window=4000), START + 2000))
    assert (agreed.socket_id, agreed.peer_socket_id) == (CALLER_ID, LISTENER_ID)
    assert (agreed.send_isn, agreed.recv_isn, agreed.mss, agreed.flow_window) == (ISN, ISN, 1400, 4000)
    assert (agreed.start, agreed.peer_start) == (START, START + 1700)
    assert (agreed.stream_id, agreed.initiator) == ("live/a", True)
    assert one.next_deadline() == NEVER
    assert one.datagrams_to_send(START + 2000) == []
    one.handle_timer(START + 100 * SECOND)
    assert one.events() == []


def test_how_long_the_way_is_is_told_by_the_quickest_answer() -> None:
    """The conclusion's may have waited for an application."""
    one = agreeing(START + 40_000)
    assert opened(hear(one, response(), START + SECOND // 4)).round_trip == 40_000


def test_answers_to_what_was_said_twice_do_not_tell_how_long_the_way_is() -> None:
    one = caller()
    one.handle_timer(START + REPEAT)
    hear(one, cookie_reply(), START + REPEAT + 1000)
    assert opened(hear(one, response(), START + REPEAT + 2000)).round_trip == 0


def test_a_response_without_destination() -> None:
    """Listeners built on libsrt up to 1.3.0 do not fill it in."""
    one = caller()
    one.receive_datagrams(packet(cookie_reply(), 0), START)
    assert isinstance(hear(one, response(), destination=0), Opened)


def test_what_is_for_others_is_not_heard() -> None:
    one = agreeing()
    assert hear(one, response(), destination=CALLER_ID + 1) is None
    one.receive_datagrams(bare(ControlType.SHUTDOWN, CALLER_ID + 1), START)
    one.receive_datagrams(bare(ControlType.SHUTDOWN, 0), START)
    one.receive_datagrams(data(CALLER_ID + 1), START + SECOND)
    assert (one.events(), one.early) == ([], [])


# ---- repeats and patience


def test_repeats_every_250_ms_stamped_anew() -> None:
    one = caller()
    one.datagrams_to_send(START)
    assert one.next_deadline() == START + 250 * MILLISECOND
    one.handle_timer(START + 249 * MILLISECOND)
    assert one.datagrams_to_send(START + 249 * MILLISECOND) == []
    for times in (1, 2, 3):
        now = START + times * 250 * MILLISECOND
        one.handle_timer(now)
        header, asked = said(one, now)
        assert header[2] == times * 250 * MILLISECOND
        assert asked.kind == 1
        assert one.next_deadline() == now + 250 * MILLISECOND


def test_asking_the_deadline_changes_nothing() -> None:
    one = caller()
    assert [one.next_deadline() for _ in range(3)] == [START + 250 * MILLISECOND] * 3
    assert len(one.datagrams_to_send(START)) == 1


@pytest.mark.parametrize("timeout", [0.1, 1.0, 3.0])
def test_timeout(timeout: float) -> None:
    one = caller(conn_timeout=timeout)
    now = START
    while not (events := one.events()):
        now = one.next_deadline()
        one.handle_timer(now)
        one.datagrams_to_send(now)
    assert now == START + round(timeout * SECOND)
    assert reason(events[0]) == RejectReason.TIMEOUT
    assert isinstance(events[0], Refused)
    assert "nobody answered" in events[0].text
    assert one.next_deadline() == NEVER


def test_timeout_after_the_greeting_says_so() -> None:
    one = agreeing(conn_timeout=0.2)
    one.handle_timer(START + SECOND)
    (event,) = one.events()
    assert reason(event) == RejectReason.TIMEOUT
    assert isinstance(event, Refused)
    assert "greeted" in event.text


def test_a_second_cookie_is_ignored_while_agreeing() -> None:
    one = agreeing()
    hear(one, cookie_reply(cookie=1))
    one.handle_timer(START + SECOND)
    assert said(one, START + SECOND)[1].cookie == COOKIE


def test_a_listener_that_has_forgotten_its_cookies_is_asked_again() -> None:
    """It is silent about cookies of its former life: after a second of silence we ask for a new one."""
    one = agreeing()
    kinds = []
    now = START
    for _ in range(6):
        now = one.next_deadline()
        one.handle_timer(now)
        kinds.append([read(datagram)[1].kind for datagram in one.datagrams_to_send(now)])
    assert kinds == [[-1], [-1], [-1], [1, -1], [1, -1], [1, -1]]
    hear(one, cookie_reply(cookie=0x55), now)
    assert said(one, now)[1].cookie == 0x55
    assert isinstance(hear(one, response(), now), Opened)


def test_a_late_response_counts_while_asking_again() -> None:
    one = agreeing()
    for _ in range(4):
        one.handle_timer(one.next_deadline())
    assert isinstance(hear(one, response(), START + 2 * SECOND), Opened)


# ---- what comes for the connection too early


def test_early_data_is_kept_and_asks_for_the_response_at_once() -> None:
    one = agreeing(START + 1000)
    now = START + 50 * MILLISECOND
    one.receive_datagrams(data(CALLER_ID), now)
    assert said(one, now)[1].kind == -1
    one.receive_datagrams(data(CALLER_ID, ISN + 1), now + 100)
    assert one.datagrams_to_send(now + 100) == []  # a stream of it asks for few
    one.receive_datagrams(bare(ControlType.KEEPALIVE, CALLER_ID), now + 20 * MILLISECOND)
    assert said(one, now + 20 * MILLISECOND)[1].kind == -1
    assert isinstance(hear(one, response(), now + 30 * MILLISECOND), Opened)
    assert [batch.headers[0][0] for batch in one.early[:2]] == [ISN, ISN + 1]
    assert one.early[2].is_control


def test_what_follows_the_response_in_the_same_read_is_kept() -> None:
    one = agreeing()
    hear(one, response())
    one.receive_datagrams(data(CALLER_ID), START + 3000)
    one.receive_datagrams(bare(ControlType.SHUTDOWN, CALLER_ID), START + 3000)
    assert len(one.early) == 2
    assert one.events() == []


def test_early_data_is_bounded() -> None:
    one = agreeing()
    for step in range(2 * EARLY_LIMIT):
        one.receive_datagrams(data(CALLER_ID, step), START + 2000)
    assert len(one.early) == EARLY_LIMIT


def test_data_before_the_cookie_is_nothing_of_ours() -> None:
    one = caller()
    one.receive_datagrams(data(CALLER_ID), START)
    assert one.early == []


# ---- refusals


@pytest.mark.parametrize(
    ("wire", "public"),
    [(1000, 1000), (1005, 1005), (1010, 1010), (2403, 1403), (3007, 2007), (2000, 1002), (1402, 1402)],
)
def test_rejection(wire: int, public: int) -> None:
    for one in (caller(), agreeing()):
        event = hear(one, response(kind=wire, extensions=(), socket_id=0))
        assert reason(event) == public
        assert isinstance(event, Refused)
        assert event.text == RejectReason(public).advice
        assert one.next_deadline() == NEVER


def test_shutdown_is_a_refusal() -> None:
    for one in (caller(), agreeing()):
        one.receive_datagrams(bare(ControlType.SHUTDOWN, CALLER_ID), START + 2000)
        assert [reason(event) for event in one.events()] == [RejectReason.CLOSE]


@pytest.mark.parametrize(
    ("changes", "expected", "text"),
    [
        ({"extension": 0}, RejectReason.ROGUE, "no SRT listener"),
        ({"extension": 2}, RejectReason.ROGUE, "no SRT listener"),
        ({"version": 3}, RejectReason.ROGUE, "no SRT listener"),
        ({"version": 4, "extension": 2}, RejectReason.VERSION, "HSv4"),
        ({"version": 4, "extension": 0x4A17}, RejectReason.VERSION, "HSv4"),
    ],
)
def test_cookies_of_others(changes: dict[str, int], expected: int, text: str) -> None:
    event = hear(caller(), cookie_reply(**changes))
    assert reason(event) == expected
    assert isinstance(event, Refused)
    assert text in event.text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"isn": 5}, RejectReason.ROGUE),
        ({"extension": 0, "extensions": ()}, RejectReason.ROGUE),
        ({"extensions": ()}, RejectReason.ROGUE),
        ({"extensions": (Extension(2, bytes(8)),)}, RejectReason.ROGUE),
        ({"extensions": (settings_block(kind=1),)}, RejectReason.ROGUE),
        ({"version": 4}, RejectReason.VERSION),
        ({"mss": 20}, RejectReason.ROGUE),
        ({"flow_window": 1}, RejectReason.ROGUE),
        ({"extensions": (settings_block(version=0x010200, kind=2),)}, RejectReason.ROGUE),
        ({"extension": 3, "extensions": (settings_block(kind=2), Extension(4, b"\0\0\0\0"))}, RejectReason.UNSECURE),
        ({"extension": 5, "extensions": (settings_block(kind=2), Extension(7, encode_text("f")))}, RejectReason.FILTER),
        ({"extension": 5, "extensions": (settings_block(kind=2), Extension(6, encode_text("file")))},
         RejectReason.CONGESTION),
    ],
)  # fmt: skip
def test_responses_we_cannot_live_with_are_answered_with_shutdown(changes: dict[str, Any], expected: int) -> None:
    one = agreeing()
    assert reason(hear(one, response(**changes))) == expected
    ((datagram, _),) = one.datagrams_to_send(START + 2000)
    assert datagram.hex(" ", 4) == f"80050000 00000000 000007d0 {LISTENER_ID:08x} 00000000"


@pytest.mark.parametrize(
    "blocks",
    [
        (Extension(0xBD01, bytes(16)), settings_block(kind=2)),
        (settings_block(kind=2, flags=0xBF | 0x40),),
        (settings_block(kind=2), Extension(8, GroupExtension(0x40000001, 1, 0, 1).encode())),
        (Extension(2, SrtExtension(0x010505, 0xBF, 0, 0).encode()),),
        (Extension(2, SrtExtension(0x010505, 0, 65535, 65535).encode() + bytes(8)),),
    ],
)
def test_responses_we_can_live_with(blocks: tuple[Extension, ...]) -> None:
    assert isinstance(hear(agreeing(), response(extension=5, extensions=blocks)), Opened)


@pytest.mark.parametrize("kind", [0, -2, -3, 2, 999, -1000])
def test_types_without_meaning_are_ignored(kind: int) -> None:
    for one in (caller(), agreeing()):
        assert hear(one, response(kind=kind)) is None


def test_after_the_end_nothing_counts() -> None:
    one = agreeing()
    hear(one, response(kind=1010))
    assert hear(one, response()) is None
    one.receive_datagrams(bare(ControlType.SHUTDOWN, CALLER_ID), START)
    one.receive_datagrams(data(CALLER_ID), START)
    assert (one.events(), one.early) == ([], [])


@pytest.mark.parametrize("size", [16, 20, 63])
def test_short_handshakes_are_counted(size: int) -> None:
    one = caller()
    one.receive_datagrams(Batch(packet(cookie_reply(), CALLER_ID).data[:size]), START)
    assert one.malformed == 1


def test_two_answers_in_one_read() -> None:
    one = caller()
    twice = packet(cookie_reply(), CALLER_ID).data * 2
    one.receive_datagrams(Batch(twice, len(twice) // 2), START)
    assert len(one.datagrams_to_send(START)) == 2  # the induction, and one conclusion


@pytest.mark.parametrize("seed", range(4))
def test_garbage_never_raises(seed: int) -> None:
    chance = Random(seed)
    samples = [
        packet(cookie_reply(), CALLER_ID).data,
        packet(response(extension=7), CALLER_ID).data + chance.randbytes(20),
        data(CALLER_ID).data,
        bare(ControlType.ACK, CALLER_ID).data,
    ]
    for _ in range(100):
        one = caller()
        for step in range(20):
            raw = bytearray(chance.choice(samples))
            for _ in range(chance.randrange(3)):
                raw[chance.randrange(len(raw))] = chance.randrange(256)
            raw = raw[: chance.randrange(HEADER_SIZE, len(raw) + 1)] if chance.random() < 0.2 else raw
            now = START + step * 100 * MILLISECOND
            one.receive_datagrams(Batch(bytes(raw)), now)
            one.handle_timer(now)
            one.datagrams_to_send(now)
        assert len(one.events()) <= 1
