"""The first key: what both ends make of each other's passphrases, sizes and modes."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from srtpy.errors import RejectReason
from srtpy.internal.crypto import exchange
from srtpy.internal.crypto.cipher import Suite
from srtpy.internal.crypto.exchange import (
    Answer,
    Keying,
    Objection,
    Terms,
    advertised_size,
    conclude,
    offer,
    offered_size,
    respond,
    size_field,
)
from srtpy.internal.packet.handshake import HANDSHAKE_SIZE, ExtensionKind, decode_extensions
from srtpy.internal.packet.header import HEADER_SIZE
from srtpy.internal.packet.keymaterial import (
    CIPHER_CTR,
    CIPHER_GCM,
    KeyMaterial,
    KeyState,
    decode_state,
    encode_state,
)
from tests.vectors import vectors

ONE, OTHER, NONE = "the one passphrase", "another passphrase", ""
NEW, OLD = 0x010505, 0x010503
SECURED, UNSECURED, NO_SECRET, BAD_SECRET = (
    KeyState.SECURED,
    KeyState.UNSECURED,
    KeyState.NO_SECRET,
    KeyState.BAD_SECRET,
)


def entropy(seed: int = 1) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def terms(passphrase: str = ONE, **changes: Any) -> Terms:
    return replace(Terms(passphrase, version=NEW), **changes)


def shake(caller: Terms, listener: Terms) -> tuple[Keying | Objection, Keying | Objection | None]:
    """Run both ends; return the listener's outcome and the caller's (None: it was refused before it knew)."""
    offered = offer(caller, offered_size(caller, advertised_size(size_field(listener))), entropy(1))
    answer = respond(listener, offered.message or None, caller.version, entropy(2))
    if isinstance(answer, Objection):
        return answer, None
    return answer.keying, conclude(caller, offered, answer.body or None, listener.version)


def states(keying: Keying | Objection | None) -> tuple[KeyState, KeyState]:
    assert isinstance(keying, Keying)
    return keying.send_state, keying.recv_state


ENFORCED = list(itertools.product([True, False], repeat=2))
PASSPHRASES = [(ONE, ONE), (ONE, OTHER), (ONE, NONE), (NONE, ONE), (NONE, NONE)]
LAX = {  # caller and listener: sending, receiving (protocol facts, and libsrt's own test of enforced encryption)
    (ONE, OTHER): ((BAD_SECRET, BAD_SECRET), (BAD_SECRET, BAD_SECRET)),
    (ONE, NONE): ((NO_SECRET, UNSECURED), (UNSECURED, NO_SECRET)),
    (NONE, ONE): ((UNSECURED, NO_SECRET), (NO_SECRET, UNSECURED)),
}


@pytest.mark.parametrize("passphrases", PASSPHRASES, ids=["same", "different", "caller only", "listener only", "none"])
@pytest.mark.parametrize("enforced", ENFORCED, ids=["both", "caller", "listener", "neither"])
def test_who_gets_together(enforced: tuple[bool, bool], passphrases: tuple[str, str]) -> None:
    caller, listener = (
        terms(passphrase, is_enforced=strict) for passphrase, strict in zip(passphrases, enforced, strict=True)
    )
    theirs, ours = shake(caller, listener)
    if passphrases[0] == passphrases[1]:
        expected = (SECURED, SECURED) if passphrases[0] else (UNSECURED, UNSECURED)
        assert states(theirs) == states(ours) == expected
        return
    refusal = RejectReason.BAD_SECRET if passphrases == (ONE, OTHER) else RejectReason.UNSECURE
    if enforced[1]:
        assert isinstance(theirs, Objection)
        assert theirs.reason == refusal
        assert ours is None, "the caller hears it as a rejection"
        return
    assert states(theirs) == LAX[passphrases][1]
    if enforced[0]:
        assert isinstance(ours, Objection)
        assert ours.reason == refusal
    else:
        assert states(ours) == LAX[passphrases][0]


@pytest.mark.parametrize("passphrases", LAX)
def test_who_has_a_passphrase_never_sends_in_clear(passphrases: tuple[str, str]) -> None:
    caller, listener = (terms(passphrase, is_enforced=False) for passphrase in passphrases)
    theirs, ours = shake(caller, listener)
    for side, keying in ((caller, ours), (listener, theirs)):
        assert isinstance(keying, Keying)
        assert bool(keying.send_keys) == bool(keying.passphrase) == bool(side.passphrase)
        assert not keying.recv_keys
        assert keying.message == b""
    assert isinstance(theirs, Keying)
    assert isinstance(ours, Keying)
    assert not ours.send_keys or ours.send_keys != theirs.send_keys


@pytest.mark.parametrize("cipher", [CIPHER_CTR, CIPHER_GCM])
@pytest.mark.parametrize("size", [16, 24, 32])
def test_the_same_passphrase(cipher: int, size: int) -> None:
    theirs, ours = shake(terms(cipher=cipher, key_size=size), terms())
    assert isinstance(theirs, Keying)
    assert isinstance(ours, Keying)
    assert theirs.send_keys == theirs.recv_keys == ours.send_keys == ours.recv_keys
    assert len(ours.send_keys.even) == size
    assert not ours.send_keys.odd, "the even key comes first"
    assert (theirs.salt, theirs.message, theirs.suite) == (ours.salt, ours.message, ours.suite)
    assert ours.suite == Suite(cipher)
    assert ours.tag_size == (16 if cipher == CIPHER_GCM else 0)
    assert KeyMaterial.decode(ours.message).salt == ours.salt


@pytest.mark.parametrize("versions", [(NEW, OLD), (OLD, NEW), (OLD, OLD)])
def test_both_decide_alike_about_the_layout(versions: tuple[int, int]) -> None:
    theirs, ours = shake(terms(cipher=CIPHER_GCM, version=versions[0]), terms(version=versions[1]))
    assert isinstance(theirs, Keying)
    assert isinstance(ours, Keying)
    assert theirs.suite == ours.suite == Suite(CIPHER_GCM, is_old=True)


@pytest.mark.parametrize("is_enforced", [True, False])
@pytest.mark.parametrize("ciphers", list(itertools.product([None, CIPHER_CTR, CIPHER_GCM], repeat=2)))
def test_modes(ciphers: tuple[int | None, int | None], is_enforced: bool) -> None:
    caller, listener = (terms(cipher=cipher, is_enforced=is_enforced) for cipher in ciphers)
    theirs, ours = shake(caller, listener)
    wanted = ciphers[0] or CIPHER_CTR
    if ciphers[1] in (None, wanted):
        assert isinstance(ours, Keying)
        assert ours.suite.cipher == wanted
        assert states(theirs) == (SECURED, SECURED)
    else:
        assert isinstance(theirs, Objection), "whatever is enforced"
        assert theirs.reason == RejectReason.CRYPTO


def test_a_listener_that_tells_about_the_mode_is_understood() -> None:
    offered = offer(terms(is_enforced=False), 16, entropy())
    outcome = conclude(terms(is_enforced=False), offered, encode_state(KeyState.BAD_CRYPTO_MODE), NEW)
    assert isinstance(outcome, Objection)
    assert outcome.reason == RejectReason.CRYPTO


@pytest.mark.parametrize(
    ("own", "advertised", "insists", "size"),
    [
        (None, None, False, 16),
        (None, 32, False, 32),
        (24, None, False, 24),
        (24, 32, False, 32),
        (24, 32, True, 24),
        (None, 32, True, 32),
    ],
)
def test_key_sizes(own: int | None, advertised: int | None, insists: bool, size: int) -> None:
    assert offered_size(terms(key_size=own), advertised, insists) == size


def test_the_encryption_field() -> None:
    assert [advertised_size(value) for value in (0, 1, 2, 3, 4, 5, 0xFFFF)] == [None, None, 16, 24, 32, None, None]
    assert [size_field(terms(key_size=size)) for size in (None, 16, 24, 32)] == [0, 2, 3, 4]
    assert size_field(terms(NONE, key_size=32)) == 0


@pytest.mark.parametrize("own", [None, 16, 32])
def test_the_request_decides_about_the_size(own: int | None) -> None:
    theirs, _ = shake(terms(key_size=24), terms(key_size=None))
    assert isinstance(theirs, Keying)
    answer = respond(terms(key_size=own), theirs.message, NEW, entropy())
    assert isinstance(answer, Answer)
    assert len(answer.keying.send_keys.even) == 24


@pytest.mark.parametrize(
    "body", [b"", b"\0" * 3, b"\0" * 4, b"\0" * 7, b"\0" * 56, b"\xff" * 1400, b"\x12\x20\x29\x00" * 14]
)
def test_a_request_that_makes_no_sense_derives_no_key(body: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchange, "read_message", lambda *_: pytest.fail("it was looked at"))
    refused = respond(terms(), body, NEW, entropy())
    assert isinstance(refused, Objection)
    assert refused.reason == RejectReason.BAD_SECRET
    lax = respond(terms(is_enforced=False), body, NEW, entropy())
    assert isinstance(lax, Answer)
    assert decode_state(lax.body) is BAD_SECRET
    assert states(lax.keying) == (BAD_SECRET, BAD_SECRET)


def test_no_key_is_derived_for_the_wrong_mode(monkeypatch: pytest.MonkeyPatch) -> None:
    offered = offer(terms(cipher=CIPHER_GCM), 16, entropy())
    monkeypatch.setattr(exchange, "read_message", lambda *_: pytest.fail("it was looked at"))
    assert isinstance(respond(terms(cipher=CIPHER_CTR), offered.message, NEW, entropy()), Objection)


@pytest.mark.parametrize(
    ("said", "reason", "lax"),
    [
        (UNSECURED, RejectReason.UNSECURE, (NO_SECRET, UNSECURED)),
        (NO_SECRET, RejectReason.UNSECURE, (NO_SECRET, UNSECURED)),
        (BAD_SECRET, RejectReason.BAD_SECRET, (BAD_SECRET, BAD_SECRET)),
        (KeyState.SECURING, RejectReason.BAD_SECRET, (BAD_SECRET, BAD_SECRET)),
        (SECURED, RejectReason.BAD_SECRET, (BAD_SECRET, BAD_SECRET)),
    ],
)
def test_one_word_answers(said: KeyState, reason: int, lax: tuple[KeyState, KeyState]) -> None:
    offered = offer(terms(), 16, entropy())
    outcome = conclude(terms(), offered, encode_state(said), NEW)
    assert isinstance(outcome, Objection)
    assert outcome.reason == reason
    assert states(conclude(terms(is_enforced=False), offered, encode_state(said), NEW)) == lax


@pytest.mark.parametrize("place", [None, 0, 3, 20, 40, 55])
def test_an_answer_that_is_no_echo(place: int | None) -> None:
    offered = offer(terms(), 16, entropy())
    body = offered.message[:-4]
    if place is not None:
        body = offered.message[:place] + bytes([offered.message[place] ^ 1]) + offered.message[place + 1 :]
    outcome = conclude(terms(), offered, body, NEW)
    assert isinstance(outcome, Objection)
    assert outcome.reason == RejectReason.BAD_SECRET


def test_no_answer_at_all() -> None:
    offered = offer(terms(), 16, entropy())
    outcome = conclude(terms(), offered, None, NEW)
    assert isinstance(outcome, Objection)
    assert outcome.reason == RejectReason.UNSECURE
    assert states(conclude(terms(is_enforced=False), offered, None, NEW)) == (NO_SECRET, UNSECURED)


@pytest.mark.parametrize("body", [encode_state(UNSECURED), encode_state(SECURED), b"\x99" * 4, b"x" * 56, b""])
def test_an_answer_that_nobody_asked_for(body: bytes) -> None:
    offered = offer(terms(NONE), 16, entropy())
    assert offered.message == b""
    outcome = conclude(terms(NONE), offered, body, NEW)
    assert isinstance(outcome, Objection)
    assert outcome.reason == RejectReason.UNSECURE
    assert states(conclude(terms(NONE, is_enforced=False), offered, body, NEW)) == (UNSECURED, NO_SECRET)


@pytest.mark.parametrize("passphrases", [(ONE, OTHER), (ONE, NONE), (NONE, ONE)])
def test_what_is_said_about_it_on_the_wire(passphrases: tuple[str, str]) -> None:
    caller, listener = (terms(passphrase, is_enforced=False) for passphrase in passphrases)
    answer = respond(listener, offer(caller, 16, entropy()).message or None, NEW, entropy())
    assert isinstance(answer, Answer)
    expected = {(ONE, OTHER): "04000000", (ONE, NONE): "03000000", (NONE, ONE): "00000000"}
    assert answer.body.hex() == expected[passphrases]


def test_nothing_is_said_where_nobody_encrypts() -> None:
    answer = respond(terms(NONE), None, NEW, entropy())
    assert answer == Answer(b"", Keying())
    assert Keying().tag_size == 0


def test_a_request_libsrt_made() -> None:
    (vector,) = [one for one in vectors("control_packet") if one["source"].endswith("(raw_handshake_crypto)")]
    blocks = bytes.fromhex(vector["hex"])[HEADER_SIZE + HANDSHAKE_SIZE :]
    (body,) = [one.body for one in decode_extensions(blocks) if one.kind == ExtensionKind.KMREQ]
    answer = respond(terms("password123"), body, 0x010301, entropy())
    assert isinstance(answer, Answer)
    assert answer.body == body
    assert answer.keying.recv_keys.even.hex() == "28251c5439b9df3bd1e51a8aa8e7046d"
    assert isinstance(respond(terms("password321"), body, 0x010301, entropy()), Objection)


def test_randomness_is_what_it_was_given() -> None:
    asked: list[int] = []

    def counted(size: int) -> bytes:
        asked.append(size)
        return bytes([size]) * size

    keying = offer(terms(), 32, counted)
    assert asked == [16, 32]
    assert keying.salt == bytes([16]) * 16
    assert keying.send_keys.even == bytes([32]) * 32


def test_nothing_shows_a_secret() -> None:
    theirs, ours = shake(terms(key_size=32), terms())
    offered = offer(terms(), 16, entropy(3))
    answer = respond(terms(), offered.message, NEW, entropy())
    assert isinstance(ours, Keying)
    secrets = [ONE, ours.message.hex(), repr(ours.message)[2:-1]]
    secrets += [form for key in (ours.send_keys.even, ours.salt) for form in (key.hex(), repr(key)[2:-1])]
    for value in (terms(), theirs, ours, offered, answer, respond(terms(OTHER), offered.message, NEW, entropy())):
        for secret in secrets:
            assert secret not in repr(value)
            assert secret not in str(value)


def test_the_identity_is_the_wrapping_alone() -> None:
    terms = Terms("what both ends know")
    offered = offer(terms, 16, random.Random(5).randbytes)
    assert offered.identity == b"", "nothing is agreed on yet"
    body = offered.message
    changed = [
        body,
        body[:4] + b"1234" + body[8:],
        body[:3] + bytes([2]) + body[4:],
        body[:16] + b"8 bytes." + body[24:],
    ]
    answers = [respond(terms, one, 0x010505, random.Random(6).randbytes) for one in changed]
    identities = {answer.keying.identity for answer in answers if isinstance(answer, Answer)}
    assert identities == {body[32:]}
    assert Keying().identity == b""
