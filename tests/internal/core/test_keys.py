"""Keys of both directions: announced until confirmed, answered once and for all, and never taken back."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.core import keys as module
from srtpy.internal.core.keys import (
    DERIVATION_BURST,
    EAGER_SENDS,
    MESSAGE_BURST,
    PATIENT_REPEAT,
    REMEMBERED,
    SHORTEST_REPEAT,
    Keys,
)
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.crypto.exchange import Answer, Keying, Terms, conclude, offer, respond
from srtpy.internal.crypto.keys import Passphrase, SessionKeys
from srtpy.internal.crypto.keywrap import make_message
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.handshake import ExtensionKind
from srtpy.internal.packet.header import (
    HEADER,
    HEADER_SIZE,
    KEY_EVEN,
    KEY_MASK,
    KEY_ODD,
    POSITION_SINGLE,
    RETRANSMITTED,
    ControlType,
    MalformedPacket,
    control_kind,
    control_subtype,
)
from srtpy.internal.packet.keymaterial import CIPHER_CTR, CIPHER_GCM, KeyState, encode_state
from srtpy.internal.seq.number import SEQ_MASK
from tests.sealed import sealed as sealed_by
from tests.sim.pair import ORDINARY, agreed
from tests.vectors import vectors

ONE, OTHER, NONE = "the one passphrase", "another passphrase", ""
START: Micros = 5_000_000
STARTS = [1000, 0x7FFFFFF0]
KMREQ, KMRSP = ExtensionKind.KMREQ, ExtensionKind.KMRSP
GARBAGE = [b"", b"\0" * 3, b"\0" * 7, b"\0" * 8, b"\xff" * 56, b"\0" * 104, b"\x12" * 1456, b"\x12\x20\x29\x03" * 27]


class Side:
    """One end's keys with what they share, and what they have said."""

    def __init__(self, keying: Keying, is_caller: bool, isn: int, seed: int, **settings: Any) -> None:
        negotiated = replace(agreed(ORDINARY, 0)[0 if is_caller else 1], send_isn=isn, recv_isn=isn, start=START)
        self.peer_id = negotiated.peer_socket_id
        self.outbox = Outbox(self.peer_id, START)
        self.round_trip = RoundTrip()
        entropy = random.Random(seed).randbytes
        self.keys = Keys(keying, negotiated, self.outbox, self.round_trip, entropy, START, **settings)
        self.isn = isn
        self.sealed_count = 0

    def said(self) -> list[tuple[int, bytes]]:
        """Take what has been said: (KMREQ or KMRSP, body)."""
        said = []
        for datagram, _ in self.outbox.take():
            first, information, _, peer = HEADER.unpack_from(datagram)
            assert (control_kind(first), information, peer) == (ControlType.USER_DEFINED, 0, self.peer_id)
            said.append((control_subtype(first), datagram[HEADER_SIZE:]))
        return said

    def send(self, count: int = 1) -> list[bytes]:
        """Seal so many packets; each tells its place."""
        start = self.sealed_count
        self.sealed_count += count
        places = range(start, start + count)
        run = [((self.isn + place) & SEQ_MASK, POSITION_SINGLE | place + 1, 7, b"%08d" % place) for place in places]
        if self.keys.seals:
            run = sealed_by(self.keys.seal, run)
        return [HEADER.pack(seq, info, stamp, self.peer_id) + payload for seq, info, stamp, payload in run]

    def open(self, packets: list[bytes]) -> list[bytes | None]:
        batch = Batch(b"".join(packets), len(packets[0]))
        payloads = self.keys.open(batch)
        return [*batch.payloads()] if payloads is None else [*payloads]

    def hear(self, said: list[tuple[int, bytes]], now: Micros) -> None:
        for kind, body in said:
            (self.keys.requested if kind == KMREQ else self.keys.answered)(body, now)


def keyings(
    caller: str = ONE,
    listener: str = ONE,
    cipher: int = CIPHER_CTR,
    is_enforced: bool = True,
    size: int = 16,
    version: int = 0x010505,
) -> tuple[Keying, Keying]:
    """Return what both ends hold after a handshake."""
    mine, theirs = (Terms(one, cipher=cipher, is_enforced=is_enforced, version=version) for one in (caller, listener))
    offered = offer(mine, size, random.Random(1).randbytes)
    answer = respond(theirs, offered.message or None, mine.version, random.Random(2).randbytes)
    assert isinstance(answer, Answer)
    ours = conclude(mine, offered, answer.body or None, theirs.version)
    assert isinstance(ours, Keying)
    return ours, answer.keying


def sides(isn: int = 1000, refresh: int = 40, pre_announce: int | None = 10, **terms: Any) -> tuple[Side, Side]:
    ours, theirs = keyings(**terms)
    settings = {"refresh": refresh, "pre_announce": pre_announce}
    return Side(ours, True, isn, 3, **settings), Side(theirs, False, isn, 4, **settings)


def announcing(**terms: Any) -> tuple[Side, Side, bytes]:
    """Return two ends and an announcement the first has just made."""
    a, b = sides(**terms)
    b.open(a.send(31))
    a.keys.on_deadline(START)
    ((kind, body),) = a.said()
    assert kind == KMREQ
    return a, b, body


@pytest.fixture
def derivations(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """The salts of all keys derived during a test."""
    salts: list[bytes] = []
    original = hashlib.pbkdf2_hmac

    def counted(name: str, password: bytes, salt: bytes, rounds: int, size: int) -> bytes:
        salts.append(salt)
        return original(name, password, salt, rounds, size)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    return salts


# ---- data


def flag_of(packet: bytes) -> int:
    return int(HEADER.unpack_from(packet)[1]) & KEY_MASK


@pytest.mark.parametrize("isn", STARTS)
def test_a_responder_takes_a_key_of_its_own_where_nonces_must_not_repeat(isn: int) -> None:
    a, b = sides(isn, cipher=CIPHER_GCM)
    assert a.keys.deadline == NEVER, "the first key is the initiator's own"
    assert b.keys.deadline == NEVER, "a peer that has not got our answer yet may not be ready for it"
    assert b.open(a.send()) == [b"00000000"]
    assert b.keys.deadline <= START, "it is announced before there is anything to send"
    b.keys.on_deadline(START)
    a.hear(b.said(), START)
    b.hear(a.said(), START)
    assert b.keys.deadline == NEVER
    [ours], [theirs] = a.send(), b.send()
    assert (flag_of(ours), flag_of(theirs)) == (KEY_EVEN, KEY_ODD)
    assert (a.open([theirs]), b.open([ours])) == ([b"00000000"], [b"00000001"])
    for _ in range(200):
        [ours], [theirs] = a.send(), b.send()
        assert (a.open([theirs]), b.open([ours])) == (
            [b"%08d" % (b.sealed_count - 1)],
            [b"%08d" % (a.sealed_count - 1)],
        )
        for one, other in ((a, b), (b, a)):
            one.keys.acknowledged((isn + one.sealed_count) & SEQ_MASK)
            if one.keys.deadline <= START:
                one.keys.on_deadline(START)
            other.hear(one.said(), START)
            one.hear(other.said(), START)
    assert a.keys.sent_km >= 4


def test_until_the_peer_has_it_data_leaves_with_the_first_key() -> None:
    a, b = sides(cipher=CIPHER_GCM)
    assert a.open(b.send(3)) == [b"%08d" % place for place in range(3)]
    b.keys.acknowledged(b.isn + 3)
    b.keys.on_deadline(START)
    packets = b.send(2)
    a.hear(b.said(), START)
    b.hear(a.said(), START)
    packets += b.send(2)
    assert [flag_of(packet) for packet in packets] == [KEY_EVEN, KEY_EVEN, KEY_ODD, KEY_ODD]
    assert a.open(packets) == [b"%08d" % place for place in range(3, 7)]


def test_a_peer_that_never_answers_keeps_the_first_key_for_its_time() -> None:
    a, b = sides(cipher=CIPHER_GCM, refresh=40)
    b.keys.acknowledged(b.isn)
    for _ in range(EAGER_SENDS + 1):
        b.keys.on_deadline(START)
    assert {flag_of(packet) for packet in b.send(39)} == {KEY_EVEN}
    assert flag_of(b.send(3)[-1]) == KEY_ODD
    assert a.keys.sent_km == 0


def test_a_peer_of_the_old_layout_is_not_told() -> None:
    """Libsrt 1.5.3 (seen): told of another key before it has received data, it opens nothing any more."""
    a, b = sides(cipher=CIPHER_GCM, version=0x010503)
    b.open(a.send())
    b.keys.acknowledged(b.isn)
    assert b.keys.deadline == NEVER


@pytest.mark.parametrize("cipher", [CIPHER_CTR, CIPHER_GCM])
def test_who_has_nobodys_key_has_its_own(cipher: int) -> None:
    terms = Terms(ONE, cipher=cipher, is_enforced=False)
    answer = respond(terms, None, 0x010505, random.Random(1).randbytes)
    assert isinstance(answer, Answer)
    assert Side(answer.keying, False, 5, 6).keys.deadline == NEVER


def test_in_counter_mode_both_ends_begin_with_one_key_as_everywhere() -> None:
    """What they say under the same number is under the same keystream: SECURITY.md tells."""
    a, b = sides()
    assert b.keys.deadline == NEVER
    assert a.send()[0][HEADER_SIZE:] == b.send()[0][HEADER_SIZE:]


@pytest.mark.parametrize("cipher", [CIPHER_CTR, CIPHER_GCM])
@pytest.mark.parametrize("isn", STARTS)
def test_both_directions_change_keys_by_themselves(cipher: int, isn: int) -> None:
    a, b = sides(isn, cipher=cipher)
    now = START
    flags: dict[Side, list[int]] = {a: [], b: []}
    for step in range(300):
        now += MILLISECOND
        for one, other, share in ((a, b, 1), (b, a, 3)):
            if step % share:
                continue
            packets = one.send()
            flags[one].append(HEADER.unpack_from(packets[0])[1] & KEY_MASK)
            assert other.open(packets) == [b"%08d" % (one.sealed_count - 1)]
            one.keys.acknowledged((isn + one.sealed_count) & SEQ_MASK)
            if one.keys.deadline <= now:
                one.keys.on_deadline(now)
            other.hear(one.said(), now)
            one.hear(other.said(), now)
    turns = {side: sum(x != y for x, y in itertools.pairwise(said)) for side, said in flags.items()}
    early = 1 if cipher == CIPHER_GCM else 0  # the responder's first key is the initiator's, which GCM cannot bear
    assert turns == {a: 7, b: 2 + early}, "at packet 41 and then every 41"
    assert (a.keys.sent_km, b.keys.sent_km) == (7, 2 + early)
    assert (a.keys.recv_km, b.keys.recv_km) == (9 + early, 9 + early)
    for side in (a, b):
        assert side.keys.opening.undecrypted == 0
        assert side.keys.ignored_km == 0
        assert side.keys.send_state is side.keys.recv_state is KeyState.SECURED
        assert side.keys.tag_size == (16 if cipher == CIPHER_GCM else 0)


@pytest.mark.parametrize("cipher", [CIPHER_CTR, CIPHER_GCM])
@pytest.mark.parametrize("seed", range(4))
def test_changes_of_keys_through_loss_on_a_long_way(cipher: int, seed: int) -> None:
    """A thousand packets a second, 50 ms away, one in ten of everything lost: nothing is opened wrongly or never."""
    luck = random.Random(seed)
    a, b = sides(STARTS[seed % 2], refresh=100, pre_announce=None, cipher=cipher)
    a.round_trip.sample(100 * MILLISECOND)
    way: list[tuple[Micros, int, Callable[[], object]]] = []
    arrived: dict[int, bytes | None] = {}
    sent: dict[int, bytes] = {}

    def later(now: Micros, act: Callable[[], object]) -> None:
        if luck.random() >= 0.1:
            way.append((now + 50 * MILLISECOND, len(way), act))

    def give(now: Micros, packet: bytes, place: int) -> None:
        (payload,) = b.open([packet])
        if payload is not None:
            arrived.setdefault(place, payload)

    def resend(packet: bytes) -> bytes:
        seq, info, stamp, peer = HEADER.unpack_from(packet)
        return HEADER.pack(seq, info | RETRANSMITTED, stamp, peer) + packet[HEADER_SIZE:]

    for step in range(4000):
        now = START + step * MILLISECOND
        if step < 3000:
            (packet,) = a.send()
            sent[step] = packet
            later(now, lambda packet=packet, place=step, now=now: give(now, packet, place))  # type: ignore[misc]
        missing = [place for place in sent if place not in arrived]
        for place in missing:
            if step - place >= 120 and (step - place) % 120 == 0:
                again = resend(sent[place])
                later(now, lambda packet=again, place=place, now=now: give(now, packet, place))  # type: ignore[misc]
        first = missing[0] if missing else a.sealed_count
        later(now, lambda first=first: a.keys.acknowledged((a.isn + first) & SEQ_MASK))  # type: ignore[misc]
        if a.keys.deadline <= now:
            a.keys.on_deadline(now)
        for one, other in ((a, b), (b, a)):
            for said in one.said():
                later(now, lambda said=said, other=other, now=now: other.hear([said], now))  # type: ignore[misc]
        due = [row for row in way if row[0] <= now]
        way[:] = [row for row in way if row[0] > now]
        for _, _, act in sorted(due, key=lambda row: row[:2]):
            act()
        if step >= 3000 and len(arrived) == 3000:
            break
    assert arrived == {place: b"%08d" % place for place in range(3000)}
    assert b.keys.opening.undecrypted == 0
    turns = {HEADER.unpack_from(packet)[1] & KEY_MASK for packet in sent.values()}
    assert len(turns) == 2
    assert a.keys.sent_km > 4


def test_in_clear_there_is_nothing_to_do() -> None:
    a, b = sides(caller=NONE, listener=NONE)
    assert not a.keys.seals
    assert b.open(a.send(44)) == [b"%08d" % place for place in range(44)]
    a.keys.acknowledged(1044)
    assert a.keys.deadline == NEVER
    assert a.keys.tag_size == 0
    assert (a.keys.send_state, a.keys.recv_state) == (KeyState.UNSECURED, KeyState.UNSECURED)


@pytest.mark.parametrize("passphrases", [(ONE, OTHER), (ONE, NONE), (NONE, ONE)])
def test_where_nothing_is_enforced_a_lack_of_keys_is_counted_and_no_more(passphrases: tuple[str, str]) -> None:
    a, b = sides(caller=passphrases[0], listener=passphrases[1], is_enforced=False)
    for one, other, passphrase in ((a, b, passphrases[0]), (b, a, passphrases[1])):
        opened = other.open(one.send(100))
        assert opened == ([None] * 100 if passphrase else [b"%08d" % place for place in range(100)])
        assert other.keys.opening.undecrypted == (100 if passphrase else 0)


@pytest.mark.parametrize("passphrases", [(ONE, OTHER), (ONE, NONE)])
def test_where_nothing_is_enforced_a_change_of_keys_is_answered_by_a_word(passphrases: tuple[str, str]) -> None:
    a, b, body = announcing(caller=passphrases[0], listener=passphrases[1], is_enforced=False)
    state = {OTHER: KeyState.BAD_SECRET, NONE: KeyState.NO_SECRET}[passphrases[1]]
    b.keys.requested(body, START)
    said = b.said()
    assert said == [(KMRSP, encode_state(state))]
    before = b.keys.recv_state
    a.hear(said, START)
    assert a.keys.send_state is state
    assert a.keys.deadline == NEVER, "that is an answer"
    assert b.keys.recv_state is before
    assert len(a.send(40)) == 40


# ---- our announcements


def test_an_announcement_is_made_at_once_and_repeated_until_it_is_confirmed() -> None:
    a, b, body = announcing()
    assert a.keys.deadline == START + 150 * MILLISECOND, "one and a half round trips, not measured yet"
    a.round_trip.sample(20 * MILLISECOND)
    now = START
    for _ in range(3):
        now = a.keys.deadline
        a.keys.on_deadline(now)
        assert a.said() == [(KMREQ, body)]
        assert a.keys.deadline == now + 30 * MILLISECOND
    b.keys.requested(body, now)
    a.hear(b.said(), now)
    assert a.keys.deadline == NEVER
    assert (a.keys.sent_km, a.keys.recv_km, b.keys.recv_km) == (4, 1, 1)


def test_nothing_is_due_before_the_count_says_so() -> None:
    a, _ = sides()
    a.send(30)
    assert a.keys.deadline == NEVER
    a.send(1)
    assert a.keys.deadline <= START


def test_a_peer_that_never_answers_is_asked_seldom_and_stops_nothing() -> None:
    a, _, body = announcing()
    a.round_trip.sample(1 * MILLISECOND)
    for _ in range(EAGER_SENDS - 1):
        now = a.keys.deadline
        a.keys.on_deadline(now)
        assert a.keys.deadline - now <= 150 * MILLISECOND
        a.send(20)
    flags = {HEADER.unpack_from(packet)[1] & KEY_MASK for packet in a.send(100)}
    assert len(flags) == 1, "the turn waits for an answer that may still come"
    now = a.keys.deadline
    a.keys.on_deadline(now)
    assert a.keys.deadline == now + PATIENT_REPEAT
    flags |= {HEADER.unpack_from(packet)[1] & KEY_MASK for packet in a.send(1)}
    assert len(flags) == 2, "but not for ever"
    now = a.keys.deadline
    a.keys.on_deadline(now)
    assert a.keys.deadline == now + PATIENT_REPEAT
    assert a.said() == [(KMREQ, body)] * (EAGER_SENDS + 1)
    a.keys.answered(body, now)
    assert a.keys.deadline == NEVER


def test_a_short_way_does_not_make_a_flood() -> None:
    a, _, _ = announcing()
    a.round_trip.sample(10)
    a.keys.on_deadline(START + SECOND)
    assert a.keys.deadline == START + SECOND + SHORTEST_REPEAT


def test_ten_announcements_of_another_implementations_story() -> None:
    # srt-rs repeats every thousand packets; by time: so many packets a second apart at so many packets a second
    (vector,) = vectors("km_scenario")
    facts = vector["expected_fields"]
    a, b = sides(refresh=facts["period"], pre_announce=facts["pre_announce"])
    a.round_trip.sample(2 * SECOND // 3)  # so that one and a half round trips are a second
    body = b""
    for step in range(34):
        now = START + step * SECOND
        a.send(1000)
        if a.keys.deadline <= now:
            a.keys.on_deadline(now)
            ((_, body),) = a.said()
    assert a.keys.sent_km == facts["first_34000_announcements"]
    b.keys.requested(body, START)
    a.hear(b.said(), START)
    a.send(9000)
    assert a.keys.deadline == NEVER
    assert a.keys.sent_km == facts["first_34000_announcements"] + facts["after_response"]


def test_answers_that_are_none() -> None:
    a, b, body = announcing()
    repeated_at = a.keys.deadline
    changed = [body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :] for place in (16, 40, 71)]
    states = [encode_state(state) for state in KeyState]
    for answer in changed + states:
        a.keys.answered(answer, START)
        assert a.keys.deadline == repeated_at, "asked again until there is a true answer"
        assert a.keys.send_state is KeyState.SECURED, "a secured direction stays so (CVE-2026-55868)"
    assert a.keys.ignored_km == len(changed + states)
    assert b.open(a.send(5)) == [b"%08d" % place for place in range(31, 36)]


@pytest.mark.parametrize("body", GARBAGE)
def test_answers_that_make_no_sense(body: bytes) -> None:
    a, _, _ = announcing()
    with pytest.raises(MalformedPacket):
        a.keys.answered(body, START)
    assert a.keys.deadline != NEVER
    assert a.keys.send_state is KeyState.SECURED


@pytest.mark.parametrize("terms", [{}, {"caller": NONE, "listener": NONE}, {"is_enforced": False, "listener": OTHER}])
def test_answers_nobody_asked_for_change_nothing(terms: dict[str, Any]) -> None:
    a, _b = sides(**terms)
    before = a.keys.send_state, a.keys.recv_state
    _, _, foreign = announcing()
    for body in [*map(encode_state, KeyState), foreign, a.keys._keying.message]:
        if body:
            a.keys.answered(body, START)
    assert (a.keys.send_state, a.keys.recv_state) == before
    assert a.keys.deadline == NEVER
    assert a.said() == []
    assert a.keys.ignored_km == a.keys.recv_km > 0


def test_a_late_answer_to_an_earlier_announcement() -> None:
    a, b, first = announcing()
    b.keys.requested(first, START)
    a.hear(b.said(), START)
    a.send(41)
    a.keys.acknowledged(1041)
    a.send(31)
    a.keys.on_deadline(START)
    ((_, second),) = a.said()
    assert second != first
    a.keys.answered(first, START)
    assert a.keys.deadline != NEVER
    a.keys.answered(second, START)
    assert a.keys.deadline == NEVER


# ---- the peer's announcements


def test_an_announcement_gets_its_echo_byte_for_byte() -> None:
    _, b, body = announcing()
    b.keys.requested(body, START)
    assert b.said() == [(KMRSP, body)]


def test_copies_get_the_same_answer_and_nothing_is_computed(
    derivations: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    _, b, body = announcing()
    b.keys.requested(body, START)
    derivations.clear()
    monkeypatch.setattr(module, "read_message", lambda *_: pytest.fail("it was opened again"))
    for copy in range(20):
        b.keys.requested(body, START + copy * MILLISECOND)
    assert b.said() == [(KMRSP, body)] * 21
    assert derivations == []
    b.keys.requested(b.keys._keying.message, START)
    assert b.said() == [(KMRSP, b.keys._keying.message)], "the handshake's as well"


def test_a_copy_that_comes_late_does_not_bring_an_old_key_back() -> None:
    a, b = sides()
    messages = []
    now = START
    for _ in range(4):
        for _ in range(41):
            assert b.open(a.send()) == [b"%08d" % (a.sealed_count - 1)]
        a.keys.acknowledged(a.isn + a.sealed_count)
        a.keys.on_deadline(now)
        ((_, body),) = a.said()
        messages.append(body)
        b.keys.requested(body, now)
        a.hear(b.said(), now)
    for body in messages:
        b.keys.requested(body, now)
        assert b.said() == [(KMRSP, body)]
        for _ in range(5):
            assert b.open(a.send()) == [b"%08d" % (a.sealed_count - 1)]


def test_an_announcement_of_ours_that_comes_back_is_not_the_peers() -> None:
    a, b, body = announcing()
    a.keys.requested(body, START)
    assert a.said() == []
    assert a.keys.ignored_km == 1
    assert a.open(b.send(5)) == [b"%08d" % place for place in range(5)]


def test_no_key_is_derived_as_long_as_the_salt_stays(derivations: list[bytes]) -> None:
    a, b = sides()
    derivations.clear()
    now = START
    for _ in range(5):
        a.send(41)
        a.keys.acknowledged(a.isn + a.sealed_count)
        a.keys.on_deadline(now)
        b.hear(a.said(), now)
        a.hear(b.said(), now)
    assert a.keys.sent_km == 5
    assert derivations == []


def test_key_material_of_another_session_with_the_same_passphrase_is_not_taken(derivations: list[bytes]) -> None:
    """It would unwrap, and the peer's next packets would be opened with a key that somebody else has chosen."""
    a, b = sides()
    foreign = offer(Terms(ONE), 16, random.Random(77).randbytes)
    derivations.clear()
    for body in (
        foreign.message,
        make_message(Passphrase(ONE), CIPHER_CTR, bytes(range(16)), SessionKeys(bytes(16), bytes(16))),
        make_message(Passphrase(ONE), CIPHER_CTR, bytes(range(16)), SessionKeys(odd=bytes(32))),
    ):
        derivations.clear()
        b.keys.requested(body, START)
        assert derivations == [], "nothing is computed for it"
    assert b.said() == []
    assert b.keys.ignored_km == 3
    assert b.open(a.send(5)) == [b"%08d" % place for place in range(5)]


def test_key_material_of_others_without_end_keeps_none_of_the_peers_out() -> None:
    _a, b, body = announcing()
    foreign = [make_message(Passphrase(OTHER), CIPHER_CTR, bytes([n]) * 16, SessionKeys(bytes(16))) for n in range(9)]
    for number in range(10 * MESSAGE_BURST):
        b.keys.requested(foreign[number % 9], START)
    b.keys.requested(body, START)
    assert b.said() == [(KMRSP, body)]


def test_a_size_that_changes_under_the_same_salt_is_followed(derivations: list[bytes]) -> None:
    _a, b = sides()
    body = make_message(Passphrase(ONE), CIPHER_CTR, b.keys._keying.salt, SessionKeys(odd=bytes(32)))
    derivations.clear()
    b.keys.requested(body, START)
    assert b.said() == [(KMRSP, body)]
    assert len(derivations) == 1


def test_made_up_salts_cost_little(derivations: list[bytes]) -> None:
    _a, b, body = announcing()
    made_up = make_message(Passphrase(OTHER), CIPHER_CTR, bytes(16), SessionKeys(bytes(16)))
    derivations.clear()
    luck = random.Random(1)
    for flood in range(1000):
        b.keys.requested(made_up[:16] + luck.randbytes(16) + made_up[32:], START + flood * MILLISECOND)
    assert len(derivations) <= DERIVATION_BURST + 2
    assert b.said() == []
    assert b.keys.recv_state is KeyState.SECURED
    b.keys.requested(body, START + SECOND)
    assert b.said() == [(KMRSP, body)], "the peer's own are not kept out"


@pytest.mark.parametrize("is_copy", [True, False])
def test_announcements_are_not_looked_at_without_end(is_copy: bool) -> None:
    _a, b, body = announcing()
    b.keys.requested(body, START)
    b.said()
    bodies = [body] * 1000
    if not is_copy:
        passphrase = Passphrase(ONE)
        salt = b.keys._keying.salt
        bodies = [
            make_message(passphrase, CIPHER_CTR, salt, SessionKeys(odd=bytes([n % 256, n // 256]) * 8))
            for n in range(1000)
        ]
    for one in bodies:
        b.keys.requested(one, START)
    assert len(b.said()) <= MESSAGE_BURST
    assert b.keys.ignored_km >= 1000 - MESSAGE_BURST
    assert len(b.keys._known) <= REMEMBERED


def test_what_is_known_by_heart_does_not_grow_without_end() -> None:
    _, b = sides()
    passphrase, salt = Passphrase(ONE), b.keys._keying.salt
    for number in range(REMEMBERED + 50):
        key = SessionKeys(odd=number.to_bytes(2, "big") * 8)
        body = make_message(passphrase, CIPHER_CTR, salt, key)
        b.keys.requested(body, START + number * 3 * MILLISECOND)
        assert b.said() == [(KMRSP, body)]
    assert len(b.keys._known) == REMEMBERED


@pytest.mark.parametrize("is_enforced", [True, False])
def test_what_cannot_be_used(is_enforced: bool) -> None:
    for passphrase, cipher, state in (
        (OTHER, CIPHER_CTR, KeyState.BAD_SECRET),
        (ONE, CIPHER_GCM, KeyState.BAD_CRYPTO_MODE),
    ):
        a, b = sides(is_enforced=is_enforced)
        body = make_message(Passphrase(passphrase), cipher, bytes(16), SessionKeys(bytes(16), bytes(16)))
        b.keys.requested(body, START)
        assert b.said() == ([] if is_enforced else [(KMRSP, encode_state(state))]), "silence where keys are demanded"
        assert b.keys.recv_state is KeyState.SECURED
        assert b.open(a.send(44)) == [b"%08d" % place for place in range(44)]


@pytest.mark.parametrize("body", [*GARBAGE, encode_state(KeyState.SECURED)])
@pytest.mark.parametrize("terms", [{}, {"caller": NONE, "listener": NONE}, {"is_enforced": False, "listener": OTHER}])
def test_announcements_that_make_no_sense(body: bytes, terms: dict[str, Any], derivations: list[bytes]) -> None:
    _a, b = sides(**terms)
    derivations.clear()
    before = b.keys.send_state, b.keys.recv_state
    with pytest.raises(MalformedPacket):
        b.keys.requested(body, START)
    assert b.said() == []
    assert derivations == []
    assert (b.keys.send_state, b.keys.recv_state) == before


def test_a_direction_without_keys_says_why_not_the_last_time() -> None:
    _, b = sides(listener=OTHER, is_enforced=False)
    states = [b.keys.recv_state]
    b.keys.requested(make_message(Passphrase(ONE), CIPHER_GCM, bytes(16), SessionKeys(bytes(16))), START)
    states.append(b.keys.recv_state)
    assert b.said() == [(KMRSP, encode_state(KeyState.BAD_CRYPTO_MODE))]
    assert states == [KeyState.BAD_SECRET, KeyState.BAD_CRYPTO_MODE]


def test_keys_for_a_connection_in_clear_are_not_wanted() -> None:
    # CVE-2026-55869 came in by this door
    a, b = sides(caller=NONE, listener=NONE)
    body = make_message(Passphrase(ONE), CIPHER_CTR, bytes(16), SessionKeys(bytes(16)))
    b.keys.requested(body, START)
    assert b.said() == []
    assert b.keys.recv_state is KeyState.UNSECURED
    assert b.open(a.send(3)) == [b"%08d" % place for place in range(3)]


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200), st.booleans())
def test_nothing_but_malformed_packet_comes_out(body: bytes, is_answer: bool) -> None:
    a, _ = sides()
    with contextlib.suppress(MalformedPacket):
        (a.keys.answered if is_answer else a.keys.requested)(body, START)
    assert a.keys.recv_state is a.keys.send_state is KeyState.SECURED


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 71), st.integers(0, 255)), max_size=20))
def test_damaged_messages_never_unsecure(changes: list[tuple[bool, int, int]]) -> None:
    a, b, body = announcing()
    for is_answer, place, value in changes:
        damaged = body[:place] + bytes([value]) + body[place + 1 :]
        with contextlib.suppress(MalformedPacket):
            (b.keys.answered if is_answer else b.keys.requested)(damaged, START)
    b.keys.requested(body, START + SECOND)
    assert b.said()[-1] == (KMRSP, body)
    assert b.keys.recv_state is b.keys.send_state is KeyState.SECURED
    assert b.open(a.send(9)) == [b"%08d" % place for place in range(31, 40)]


def test_cleartext_is_refused_before_and_after_a_change_of_keys() -> None:
    a, b, body = announcing()
    clear = HEADER.pack(1031, POSITION_SINGLE | 32, 7, a.peer_id) + b"clear"
    for _ in range(2):
        assert b.open([clear]) == [None]
        b.keys.requested(body, START)
    assert (b.keys.opening.undecrypted, b.keys.opening.undecrypted_bytes) == (2, 10)


def test_nothing_shows_a_secret() -> None:
    a, b, body = announcing()
    b.keys.requested(body, START)
    sealing = a.keys._sealing
    assert sealing is not None
    secrets = [sealing._keys.even, sealing._keys.odd, a.keys._keying.salt, ONE.encode()]
    for side in (a, b):
        shown = [repr(side.keys), repr(side.keys._keying), repr(side.keys.opening), repr(sealing)]
        shown += [repr(value) for name, value in vars(side.keys).items() if name != "_known"]
        for text in shown:
            for secret in secrets:
                assert secret.hex() not in text
                assert repr(secret)[2:-1] not in text


def test_recorded_key_material_with_a_changed_salt_changes_nothing() -> None:
    a, b = sides()
    recorded = a.keys._keying.message
    for place in range(16, 24):  # the half of the salt that no wrapping vouches for
        forged = recorded[:place] + bytes([recorded[place] ^ 1]) + recorded[place + 1 :]
        b.keys.requested(forged, START)
    assert b.keys.ignored_km == 8
    assert b.keys.recv_state is KeyState.SECURED
