"""The listener's answers, packet by packet, and what floods do to it."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

import pytest

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.handshake import answers
from srtpy.internal.handshake.cookie import WINDOW, CookieJar
from srtpy.internal.handshake.listener import (
    INDUCTION_BURST,
    INDUCTIONS_PER_SECOND,
    Answer,
    Answerer,
    Ignored,
    Reply,
    Request,
    packed_host,
)
from srtpy.internal.handshake.negotiation import Negotiated, Refusal
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.extensions import GroupExtension, SrtExtension, encode_text
from srtpy.internal.packet.handshake import Extension, ExtensionKind, Handshake, encode_extensions
from srtpy.internal.packet.header import HEADER_SIZE, ControlType
from tests.internal.handshake.doorman import (
    CALLER_ID,
    ISN,
    LOCAL,
    REMOTE,
    SECRET,
    bare,
    data,
    handshake,
    induction,
    packet,
    read,
    refused,
    settings_block,
)

START: Micros = 1000 * SECOND
NOW: Micros = START + 7 * SECOND
OWN_ID = 0x327E627B
STREAM_ID = Extension(5, encode_text("live/a"))
KEYS = Extension(3, bytes(72))


def listener(**config: Any) -> Answerer:
    return Answerer(Config(**config), CookieJar(SECRET), START)


def cookie(now: Micros = NOW) -> int:
    return CookieJar(SECRET).bake(REMOTE, LOCAL, now)


def ask(answerer: Answerer, theirs: Handshake, now: Micros = NOW, stamp: int = 250_000, remote: Any = REMOTE) -> Answer:
    return answerer.answer(packet(theirs, stamp=stamp), remote, LOCAL, now)


def conclude(answerer: Answerer, now: Micros = NOW, **words: Any) -> Answer:
    return ask(answerer, handshake(**{"cookie": cookie(), **words}), now)


def request(answerer: Answerer, **words: Any) -> Request:
    answer = conclude(answerer, **words)
    assert isinstance(answer, Request), answer
    return answer


def replied(answer: Answer) -> tuple[tuple[int, int, int, int], Handshake]:
    assert isinstance(answer, Reply), answer
    (datagram,) = answer.datagrams
    return read(datagram)


def rejection(answer: Answer) -> int:
    header, refusal = replied(answer)
    assert header[3] == CALLER_ID
    return refusal.kind


# ---- induction


def test_induction() -> None:
    header, reply = replied(ask(listener(), induction()))
    assert header == (1 << 31, 0, NOW - START, CALLER_ID)
    assert reply == induction(version=5, extension=0x4A17, cookie=cookie())


def test_induction_reply_in_bytes() -> None:
    """As libsrt answers its own caller: only version, magic and cookie differ from what was asked."""
    body = bytes.fromhex("00000004000000025 3e1f501000005dc0000200000000001 2bf2e4fc000000000100007f".replace(" ", ""))
    asked = bytes.fromhex("8000000000000000000000d800000000") + body + bytes(12)
    answer = listener().answer(Batch(asked), REMOTE, LOCAL, START + 0x9014A)
    assert isinstance(answer, Reply)
    expected = asked[:8] + bytes.fromhex("0009014a2bf2e4fc0000000500004a17") + asked[24:44]
    expected += cookie(START + 0x9014A).to_bytes(4, "big") + asked[48:]
    assert answer.datagrams == [(expected, b"")]


@pytest.mark.parametrize("padding", [0, 4, 400, 1300])
def test_an_induction_reply_is_64_bytes(padding: int) -> None:
    asked = Batch(packet(induction()).data + bytes(padding))
    answer = listener().answer(asked, REMOTE, LOCAL, NOW)
    assert isinstance(answer, Reply)
    assert len(answer.datagrams[0][0]) == 64 <= len(asked.data)


@pytest.mark.parametrize("size", [16, 17, 40, 63])
def test_short_packets_get_silence(size: int) -> None:
    for theirs in (induction(), handshake(cookie=cookie())):
        assert isinstance(listener().answer(Batch(packet(theirs).data[:size]), REMOTE, LOCAL, NOW), Ignored)


def test_hostile_row_1_induction_flood() -> None:
    """Random sources: no state, and a bounded number of answers."""
    chance = Random(1)
    answerer = listener()
    count = 0
    for step in range(30_000):
        remote = (f"10.{chance.randrange(256)}.{chance.randrange(256)}.1", chance.randrange(65536))
        answer = ask(answerer, induction(socket_id=1 + chance.randrange(1 << 30)), NOW + step * 10, remote=remote)
        count += isinstance(answer, Reply)
    assert len(answerer._book) == 0
    assert abs(count - INDUCTION_BURST - INDUCTIONS_PER_SECOND * 3 // 10) < 10


# ---- conclusion


def test_acceptance() -> None:
    answerer = listener(latency=0.08, mss=1400, recv_buf_size=4096)
    asked = request(answerer, extension=5, extensions=(settings_block(receive_ms=200, send_ms=100), STREAM_ID))
    assert (asked.stream_id, asked.peer_version, asked.hs_version, asked.encrypted) == ("live/a", 0x010501, 5, False)
    assert (asked.remote, asked.peer_socket_id, asked.group_id, asked.group_type) == (REMOTE, CALLER_ID, 0, 0)
    agreed = answerer.accept(asked, OWN_ID, NOW + 300)
    assert isinstance(agreed, Negotiated)
    assert (agreed.recv_latency, agreed.peer_latency) == (100 * MILLISECOND, 200 * MILLISECOND)
    assert (agreed.start, agreed.peer_start) == (NOW + 300, NOW - 250_000)
    assert (agreed.mss, agreed.flow_window, agreed.stream_id) == (1400, 8192, "live/a")
    header, reply = read((agreed.reply, b""))
    assert header == (1 << 31, 0, 0, CALLER_ID)
    assert reply == handshake(
        cookie=cookie(),
        mss=1400,
        flow_window=4096,
        socket_id=OWN_ID,
        peer_address=bytes.fromhex("0100007f") + bytes(12),
        extensions=(Extension(2, SrtExtension(0x010505, 0xBF, 100, 200).encode()),),
    )


@pytest.mark.parametrize(("flags", "message_api"), [(0xE4, False), (0xA4, True)])
def test_a_file_s_caller_is_told_the_congestion_control(flags: int, message_api: bool) -> None:
    answerer = listener(trans_type=1, message_api=message_api)
    blocks = (settings_block(flags=flags, receive_ms=0), Extension(6, encode_text("file")))
    agreed = answerer.accept(request(answerer, extension=5, extensions=blocks), OWN_ID, NOW)
    assert isinstance(agreed, Negotiated)
    _, reply = read((agreed.reply, b""))
    assert reply.extension == 5
    assert reply.extensions == (Extension(2, SrtExtension(0x010505, 0xA4, 0, 0).encode()), blocks[1])


@pytest.mark.parametrize(
    ("extension", "blocks", "reason"),
    [
        (1, (settings_block(),), 1012),
        (1, (settings_block(flags=0xE4),), 1013),
        (5, (settings_block(flags=0xE4), Extension(6, encode_text("live"))), 1013),
    ],
)
def test_callers_that_do_not_send_files(extension: int, blocks: tuple[Extension, ...], reason: int) -> None:
    answer = conclude(listener(trans_type=1), extension=extension, extensions=blocks)
    assert rejection(answer) == reason


def test_the_application_may_choose_another_config() -> None:
    answerer = listener()
    agreed = answerer.accept(request(answerer), OWN_ID, NOW, Config(latency=1.0))
    assert isinstance(agreed, Negotiated)
    assert agreed.recv_latency == SECOND


def test_hostile_row_4_repeats_get_the_same_answer() -> None:
    answerer = listener()
    agreed = answerer.accept(request(answerer), OWN_ID, NOW)
    assert isinstance(agreed, Negotiated)
    for times in range(1, 6):
        answer = conclude(answerer, NOW + times * 300 * MILLISECOND)
        assert isinstance(answer, Reply)
        header, reply = read(answer.datagrams[0])
        assert reply == read((agreed.reply, b""))[1]
        # only the timestamp moves, and on the clock of the connection, as the caller reads it from there
        assert header == (1 << 31, 0, times * 300 * MILLISECOND, CALLER_ID)


def test_a_repeat_long_after_makes_no_second_connection() -> None:
    answerer = listener()
    asked = request(answerer)
    answerer.accept(asked, OWN_ID, NOW)
    assert isinstance(conclude(answerer, NOW + WINDOW // 2), Reply)
    answerer.ended(asked.key, NOW + WINDOW // 2)
    assert isinstance(conclude(answerer, NOW + WINDOW // 2 + SECOND), Ignored)


def test_while_the_application_thinks_repeats_are_ignored() -> None:
    answerer = listener()
    asked = request(answerer)
    assert answerer.waiting == 1
    assert isinstance(conclude(answerer, NOW + 250 * MILLISECOND), Ignored)
    assert isinstance(answerer.accept(asked, OWN_ID, NOW + SECOND), Negotiated)
    assert answerer.waiting == 0
    assert isinstance(conclude(answerer, NOW + SECOND), Reply)


def test_whose_caller_has_given_up_is_forgotten_and_may_come_again() -> None:
    answerer = listener()
    asked = request(answerer)
    assert not answerer.abandon(asked, NOW + SECOND)
    assert answerer.abandon(asked, NOW + 4 * SECOND)
    assert (answerer.waiting, answerer.abandoned) == (0, 1)
    assert request(answerer).key == asked.key


def test_same_socket_id_from_elsewhere_or_with_another_start_is_another_caller() -> None:
    answerer = listener()
    answerer.accept(request(answerer), OWN_ID, NOW)
    elsewhere = ("127.0.0.1", 40001)
    theirs = handshake(cookie=CookieJar(SECRET).bake(elsewhere, LOCAL, NOW))
    assert isinstance(ask(answerer, theirs, remote=elsewhere), Request)
    assert isinstance(conclude(answerer, isn=7), Request)


@pytest.mark.parametrize(("reason", "wire"), [(1002, 1002), (1403, 2403), (2007, 3007)])
def test_rejection(reason: int, wire: int) -> None:
    answerer = listener()
    asked = request(answerer, extension=5, extensions=(settings_block(), STREAM_ID))
    (datagram,) = answerer.reject(asked, reason, NOW)
    header, refusal = read(datagram)
    assert header == (1 << 31, 0, NOW - START, CALLER_ID)
    assert refusal == handshake(cookie=cookie(), extension=5, kind=wire, socket_id=0, extensions=())
    assert len(datagram[0]) == 64
    again = conclude(answerer, NOW + SECOND, extension=5, extensions=(settings_block(), STREAM_ID))
    assert rejection(again) == wire


@pytest.mark.parametrize("reason", [0, 999, 1018, 1999, 1 << 31])
def test_a_rejection_that_cannot_be_sent(reason: int) -> None:
    answerer = listener()
    with pytest.raises(ValueError, match="reject code"):
        answerer.reject(request(answerer), reason, NOW)


def test_hostile_row_3_cookies_that_are_not_good() -> None:
    answerer = listener()
    for theirs in (
        handshake(cookie=0),
        handshake(cookie=cookie() ^ 1),
        handshake(cookie=cookie(NOW - 2 * WINDOW)),
        handshake(cookie=CookieJar(SECRET).bake(("127.0.0.1", 40001), LOCAL, NOW)),
        handshake(cookie=CookieJar(SECRET).bake(REMOTE, ("127.0.0.1", 9001), NOW)),
        handshake(cookie=0, version=6),
        handshake(cookie=0, mss=0),
    ):
        assert isinstance(ask(answerer, theirs), Ignored)
    assert len(answerer._book) == 0


@pytest.mark.parametrize(
    ("words", "wire"),
    [
        ({"version": 0}, 1008),
        ({"version": 1}, 1008),
        ({"version": 6}, 1008),
        ({"extension": 0}, 1004),
        ({"extension": 1, "extensions": ()}, 1004),
        ({"extension": 1, "extensions": (STREAM_ID,)}, 1004),
        ({"extension": 3}, 1004),
        ({"extension": 3, "extensions": (KEYS,)}, 1004),
        ({"extensions": (Extension(1, bytes(8)),)}, 1004),
        ({"extension": 5, "extensions": (settings_block(), Extension(5, b""))}, 1000),
        ({"extension": 5, "extensions": (settings_block(), Extension(5, bytes(516)))}, 1004),
        ({"extension": 5, "extensions": (settings_block(), Extension(6, encode_text("file")))}, 1013),
        ({"extensions": (settings_block(flags=0xFF),)}, 1012),
        ({"extensions": (settings_block(version=0x010200),)}, 1004),
        ({"extensions": (settings_block(version=0),)}, 1004),
        ({"extension": 5, "extensions": (settings_block(), Extension(8, GroupExtension(1 << 30, 1, 0, 1).encode()))},
         1015),
        ({"mss": 0}, 1004),
        ({"mss": 31}, 1004),
        ({"flow_window": 0}, 1004),
        ({"flow_window": 1}, 1004),
        ({"isn": 0x7FFFFFFF}, 1004),
        ({"isn": 0x80000000}, 1004),
    ],
)  # fmt: skip
def test_hostile_rows_5_and_6_refused_with_a_reason(words: dict[str, Any], wire: int) -> None:
    answerer = listener()
    assert rejection(conclude(answerer, **words)) == wire
    assert len(answerer._book) == 0


@pytest.mark.parametrize(
    "words",
    [
        {"extensions": (Extension(0xBD01, bytes(16)), settings_block())},
        {"extensions": (settings_block(), KEYS, STREAM_ID)},
        {"extensions": (Extension(1, settings_block().body + bytes(4)),)},
        {"extension": 5},
        {"mss": 65535},
        {"flow_window": 0xFFFFFFFF},
        {"extensions": (settings_block(receive_ms=65535, send_ms=65535),)},
        {"encryption": 3},
    ],
)
def test_hostile_rows_5_and_6_taken_with_a_smile(words: dict[str, Any]) -> None:
    answerer = listener()
    agreed = answerer.accept(request(answerer, **words), OWN_ID, NOW)
    assert isinstance(agreed, Negotiated)
    assert agreed.mss == 1500
    assert agreed.stream_id == ""


def test_a_block_longer_than_the_packet() -> None:
    theirs = handshake(cookie=cookie(), extensions=())
    whole = packet(theirs).data + bytes.fromhex("0001ffff") + bytes(12)
    assert rejection(listener().answer(Batch(whole), REMOTE, LOCAL, NOW)) == RejectReason.ROGUE


def test_old_callers_get_shutdown() -> None:
    """A caller of the old handshake takes a rejection code for success."""
    answer = conclude(listener(), version=4, extension=2, extensions=())
    assert isinstance(answer, Reply)
    ((datagram, _),) = answer.datagrams
    assert datagram.hex(" ", 4) == f"80050000 00000000 {NOW - START:08x} {CALLER_ID:08x} 00000000"


def test_keys_are_answered_in_the_response() -> None:
    answerer = listener(passphrase="0123456789ab", key_length=24)
    _, greeting = read(answerer.answer(packet(induction()), REMOTE, LOCAL, NOW).datagrams[0])  # type: ignore[union-attr]
    assert greeting.encryption == 3
    asked = request(answerer, extension=3, extensions=(settings_block(), KEYS))
    agreed = answerer.accept(asked, OWN_ID, NOW, Config(key_length=32), KEYS.body)
    assert isinstance(agreed, Negotiated)
    _, reply = read((agreed.reply, b""))
    assert (reply.encryption, reply.extension) == (4, 3)
    assert reply.extensions[1] == Extension(ExtensionKind.KMRSP, KEYS.body)
    assert answerer.answer(packet(asked.handshake), REMOTE, LOCAL, NOW) == Reply([(agreed.reply, b"")])


def test_keys_that_are_not_wanted_get_no_block() -> None:
    answerer = listener()
    agreed = answerer.accept(request(answerer), OWN_ID, NOW, None, b"")
    assert isinstance(agreed, Negotiated)
    _, reply = read((agreed.reply, b""))
    assert (reply.encryption, reply.extension, len(reply.extensions)) == (0, 1, 1)


def test_a_passphrase_without_an_agreement_on_keys_lets_nobody_in() -> None:
    answerer = listener(passphrase="0123456789ab")
    assert refused(answerer.accept(request(answerer), OWN_ID, NOW)) == RejectReason.UNSECURE


def test_encrypted_callers_are_refused_where_nobody_has_seen_to_keys() -> None:
    answerer = listener()
    asked = request(answerer, extension=3, extensions=(settings_block(), KEYS))
    assert asked.encrypted
    verdict = answerer.accept(asked, OWN_ID, NOW)
    assert isinstance(verdict, Refusal)
    assert refused(verdict) == RejectReason.UNSECURE
    (datagram,) = answerer.reject(asked, verdict.reason, NOW)
    assert read(datagram)[1].kind == 1011


@pytest.mark.parametrize(
    "piece",
    [
        data(0),
        bare(ControlType.KEEPALIVE, 0),
        bare(ControlType.SHUTDOWN, 0),
        bare(0x7FFF, 0),
        packet(handshake(kind=0, cookie=cookie())),
        packet(handshake(kind=-2, cookie=cookie())),
        packet(handshake(kind=1010, cookie=cookie())),
        packet(handshake(kind=99, cookie=cookie())),
        packet(handshake(socket_id=0, cookie=cookie())),
        packet(induction(socket_id=0)),
        Batch(packet(handshake()).data[:16]),
    ],
)
def test_what_does_not_concern_a_listener(piece: Batch) -> None:
    assert isinstance(listener().answer(piece, REMOTE, LOCAL, NOW), Ignored)


@pytest.mark.parametrize(
    "raw",
    [b"caf\xe9", b"nul\0in it", b"\x1b[31mred\n", b"%2e%2e%00", b"x" * 512, "ü".encode() * 256],
)
def test_hostile_row_7_stream_ids(raw: bytes) -> None:
    body = encode_text(raw.decode("utf-8", "surrogateescape"))
    asked = request(listener(), extension=5, extensions=(settings_block(), Extension(5, body)))
    assert asked.stream_id.encode("utf-8", "surrogateescape") == raw
    assert "\x1b" not in f"{asked.stream_id!a}"


def test_hostile_row_7_a_stream_id_that_is_too_long() -> None:
    blocks = (settings_block(), Extension(5, b"x" * 516))
    assert rejection(conclude(listener(), extension=5, extensions=blocks)) == RejectReason.ROGUE


def test_hostile_row_2_conclusion_flood_with_good_cookies() -> None:
    """One host cannot take every place, all hosts together cannot take more than there are."""
    answerer, jar = listener(), CookieJar(SECRET)
    verdicts = []
    for number in range(3000):
        remote = (f"10.0.0.{number % 8}", 1024 + number)
        theirs = handshake(cookie=jar.bake(remote, LOCAL, NOW), socket_id=number + 1)
        answer = ask(answerer, theirs, remote=remote)
        verdicts.append(0 if isinstance(answer, Request) else replied(answer)[1].kind)
    assert verdicts.count(0) == answers.LARGEST_WAITING == answerer.waiting
    assert set(verdicts) == {0, 1005}
    one = [
        ask(answerer_2, handshake(cookie=cookie(), socket_id=n + 1)) for answerer_2 in [listener()] for n in range(300)
    ]
    assert sum(isinstance(answer, Request) for answer in one) == answers.LARGEST_WAITING_PER_HOST
    assert replied(one[-1])[1].kind == 2402


def test_memory_stays_bounded_when_all_are_refused() -> None:
    answerer = listener()
    for number in range(1, answers.LARGEST_ANSWERED + 100):
        answerer.reject(request(answerer, socket_id=number), 1403, NOW)
    assert len(answerer._book) == answers.LARGEST_ANSWERED


def test_garbage_never_raises_seed_7() -> None:
    chance = Random(7)
    answerer = listener()
    whole = packet(handshake(cookie=cookie(), extension=7, extensions=(settings_block(), KEYS, STREAM_ID))).data
    seen = set()
    for number in range(6000):
        raw = bytearray(whole)
        for _ in range(chance.randrange(1, 4)):
            raw[chance.choice((chance.randrange(len(raw)), chance.randrange(64, len(raw))))] = chance.randrange(256)
        if chance.random() < 0.3:
            raw = raw[: chance.randrange(HEADER_SIZE, len(raw))]
        now = NOW + number * 1000
        for piece in Batch(bytes(raw)).pieces():
            answer = answerer.answer(piece, REMOTE, LOCAL, now)
            seen.add(type(answer))
            if isinstance(answer, Request):
                verdict = answerer.accept(answer, OWN_ID, now)
                if isinstance(verdict, Refusal):
                    answerer.reject(answer, verdict.reason, now)
    assert seen == {Reply, Request, Ignored}


def test_random_blocks_never_raise_seed_8() -> None:
    chance = Random(8)
    answerer = listener()
    for _ in range(3000):
        blocks = encode_extensions([Extension(chance.randrange(10), chance.randbytes(4 * chance.randrange(4)))])
        tail = blocks + chance.randbytes(chance.randrange(20))
        theirs = handshake(cookie=cookie(), extension=chance.randrange(8), extensions=())
        whole = packet(replace(theirs, isn=chance.randrange(1 << 31))).data + tail
        answer = answerer.answer(Batch(whole), REMOTE, LOCAL, NOW)
        if isinstance(answer, Request):
            answerer.reject(answer, 1002, NOW)


@pytest.mark.parametrize(
    ("remote", "packed"),
    [
        (("127.0.0.1", 5), "7f000001"),
        (("::ffff:10.0.0.1", 5, 0, 0), "0a000001"),
        (("fe80::1%eth0", 5, 0, 2), "fe800000000000000000000000000001"),
        (("a name", 5), ""),
        ("pipe", ""),
        ((), ""),
        (7, ""),
        ((7, "x"), ""),
    ],
)
def test_packed_host(remote: Any, packed: str) -> None:
    assert packed_host(remote).hex() == packed


def test_the_start_of_the_number_space_is_in_use() -> None:
    assert handshake().isn == ISN == 0x7FFFFFF0
