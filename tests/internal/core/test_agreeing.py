"""The exchange of keys as the handshake sees it: offers, answers, and which ciphers live with what."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.fields import CryptoMode
from srtpy.internal.core.agreeing import Initiating, answer, fitted, needs_derivation, terms_of
from srtpy.internal.crypto.exchange import Answer, Keying
from srtpy.internal.handshake.keying import KeyExchange
from srtpy.internal.handshake.negotiation import Negotiated, Refusal
from srtpy.internal.handshake.offer import SRT_VERSION, Offer
from srtpy.internal.packet.extensions import TSBPD_RECEIVE, SrtExtension
from srtpy.internal.packet.keymaterial import CIPHER_CTR, CIPHER_GCM, KeyState, decode_state
from tests.internal.session.fakes import negotiated

PASSPHRASE = "0123456789ab"
LIVE = 0xBF


def config(passphrase: str = PASSPHRASE, **fields: Any) -> Config:
    return Config(passphrase=passphrase, **fields)


def entropy(seed: int = 1) -> Callable[[int], bytes]:
    return random.Random(seed).randbytes


def asked(material: bytes, version: int = SRT_VERSION, flags: int = LIVE) -> Offer:
    return Offer(SrtExtension(version, flags, 120, 120), key_material=material or None)


def met(caller: Config, listener: Config, version: int = SRT_VERSION) -> tuple[Keying, Keying]:
    """Let two ends agree; return both outcomes."""
    keys: KeyExchange = Initiating(caller, entropy(1))
    said = answer(listener, asked(keys.offer((listener.key_length or 0) // 8), version), entropy(2))
    assert isinstance(said, Answer), said
    assert keys.conclude(negotiated(peer_version=SRT_VERSION), said.body or None) is None
    assert isinstance(keys, Initiating)
    return keys.keying, said.keying


@pytest.mark.parametrize(
    ("mine", "theirs", "size"), [(None, None, 16), (24, None, 24), (None, 32, 32), (16, 32, 32), (32, 16, 16)]
)
def test_the_size_of_keys_comes_from_either_side(mine: int | None, theirs: int | None, size: int) -> None:
    caller, listener = met(config(key_length=mine), config(key_length=theirs))
    assert len(caller.send_keys.even) == len(listener.send_keys.even) == size
    assert caller.recv_keys == listener.send_keys
    assert Initiating(config(key_length=mine), entropy()).size_field == (mine or 0) // 8


@pytest.mark.parametrize(
    ("mine", "theirs", "cipher"),
    [
        ("AUTO", "AUTO", CIPHER_CTR),
        ("CTR", "AUTO", CIPHER_CTR),
        ("GCM", "AUTO", CIPHER_GCM),
        ("GCM", "GCM", CIPHER_GCM),
    ],
)
def test_modes_that_agree(mine: str, theirs: str, cipher: int) -> None:
    both = met(config(crypto_mode=CryptoMode[mine]), config(crypto_mode=CryptoMode[theirs]))
    assert [keying.suite.cipher for keying in both] == [cipher, cipher]


@pytest.mark.parametrize(("mine", "theirs"), [("AUTO", "GCM"), ("CTR", "GCM"), ("GCM", "CTR")])
@pytest.mark.parametrize("is_enforced", [True, False])
def test_modes_that_do_not(mine: str, theirs: str, is_enforced: bool) -> None:
    keys = Initiating(config(crypto_mode=CryptoMode[mine]), entropy())
    listener = config(crypto_mode=CryptoMode[theirs], enforced_encryption=is_enforced)
    refusal = answer(listener, asked(keys.offer(0)), entropy())
    assert isinstance(refusal, Refusal)
    assert refusal.reason == RejectReason.CRYPTO


def test_an_offer_is_made_once() -> None:
    keys = Initiating(config(), entropy())
    first = keys.offer(2)
    assert first
    assert keys.offer(4) == first, "a listener that repeats itself, or somebody in its name, changes nothing"


def test_the_caller_names_what_it_objects_to() -> None:
    keys = Initiating(config(), entropy())
    keys.offer(0)
    refusal = keys.conclude(negotiated(), None)
    assert refusal is not None
    assert refusal.reason == RejectReason.UNSECURE


def test_the_listener_names_what_it_objects_to() -> None:
    material = Initiating(config(), entropy()).offer(0)
    for listener, theirs, reason in (
        (config("another passphrase"), material, RejectReason.BAD_SECRET),
        (config(""), material, RejectReason.UNSECURE),
        (config(), b"", RejectReason.UNSECURE),
        (config(), material[:-4], RejectReason.BAD_SECRET),
    ):
        refusal = answer(listener, asked(theirs), entropy())
        assert isinstance(refusal, Refusal)
        assert refusal.reason == reason
        assert PASSPHRASE not in refusal.text


def test_without_enforcement_there_is_an_answer_all_the_same() -> None:
    material = Initiating(config(), entropy()).offer(0)
    said = answer(config("another passphrase", enforced_encryption=False), asked(material), entropy())
    assert isinstance(said, Answer)
    assert decode_state(said.body) is KeyState.BAD_SECRET


@pytest.mark.parametrize("flags", [0, TSBPD_RECEIVE, LIVE & ~TSBPD_RECEIVE])
def test_gcm_needs_timestamps_on_both_sides(flags: int) -> None:
    gcm = config(crypto_mode=CryptoMode.GCM)
    material = Initiating(gcm, entropy()).offer(0)
    for listener in (config(), gcm, config("another passphrase")):
        refusal = answer(listener, asked(material, flags=flags), entropy())
        assert isinstance(refusal, Refusal)
        assert refusal.reason == RejectReason.CRYPTO
    keys = Initiating(gcm, entropy())
    echo = keys.offer(0)
    objection = keys.conclude(negotiated(tsbpd_send=False), echo)
    assert objection is not None
    assert objection.reason == RejectReason.CRYPTO
    ctr = Initiating(config(), entropy())
    assert ctr.conclude(negotiated(tsbpd_send=False), ctr.offer(0)) is None
    assert isinstance(answer(config(), asked(ctr.offer(0), flags=flags), entropy()), Answer)


def test_what_takes_time() -> None:
    material = Initiating(config(), entropy()).offer(0)
    assert needs_derivation(config(), asked(material))
    assert not needs_derivation(config(), asked(b""))
    assert not needs_derivation(config(""), asked(material))


@pytest.mark.parametrize(("version", "is_old"), [(0x010503, True), (0x010504, False), (0x010505, False)])
def test_the_layout_of_gcm_is_chosen_by_both_versions(version: int, is_old: bool) -> None:
    gcm = config(crypto_mode=CryptoMode.GCM)
    said = answer(gcm, asked(Initiating(gcm, entropy()).offer(0), version), entropy())
    assert isinstance(said, Answer)
    assert said.keying.suite.is_old is is_old
    keys = Initiating(gcm, entropy())
    assert keys.conclude(negotiated(peer_version=version), keys.offer(0)) is None
    assert keys.keying.suite.is_old is is_old


@pytest.mark.parametrize(("wanted", "mode", "left"), [(0, "GCM", 1440), (1316, "GCM", 1316), (0, "CTR", 1456)])
def test_payloads_shrink_by_what_sealing_adds(wanted: int, mode: str, left: int) -> None:
    agreed: Negotiated = negotiated(mss=1500, payload_size=wanted or 1456)
    keying, _ = met(config(crypto_mode=CryptoMode[mode]), config())
    assert fitted(agreed, keying).payload_size == left
    assert fitted(agreed, Keying()) == agreed


def test_terms_show_no_secret() -> None:
    assert PASSPHRASE not in repr(terms_of(config()))
