"""Passphrases and the keys that come of them, against known answers; and what must not be seen of them."""

from __future__ import annotations

import copy
import hashlib
import traceback
from typing import Any

import pytest

from srtpy.internal.crypto.keys import (
    DEFAULT_KEY_SIZE,
    KEY_SIZES,
    LONGEST_PASSPHRASE,
    REMEMBERED,
    ROUNDS,
    SHORTEST_PASSPHRASE,
    Passphrase,
    SessionKeys,
)
from srtpy.internal.packet.keymaterial import BOTH_KEYS, EVEN_KEY, ODD_KEY
from tests.vectors import vectors

SALT = bytes(range(0xA0, 0xB0))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (16, "02b8ead5bcbb35da438caebbce99b4a0"),
        (24, "02b8ead5bcbb35da438caebbce99b4a0d9612aca7e514f46"),
        (32, "02b8ead5bcbb35da438caebbce99b4a0d9612aca7e514f46460c33d7145d56cc"),
    ],
)
def test_the_wrapping_key_libsrt_derives(size: int, expected: str) -> None:
    assert Passphrase("0123456789ab").wrapping_key(SALT, size).hex() == expected


@pytest.mark.parametrize("vector", vectors("kek") + vectors("km_wrap"), ids=lambda vector: vector["description"])
def test_vectors(vector: dict[str, Any]) -> None:
    facts = vector["expected_fields"]
    kek = bytes.fromhex(facts["kek"])
    assert Passphrase(facts["passphrase"]).wrapping_key(bytes.fromhex(facts["salt"]), len(kek)) == kek


@pytest.mark.parametrize("vector", vectors("pbkdf2"), ids=lambda vector: vector["description"])
def test_the_derivation_function(vector: dict[str, Any]) -> None:
    facts = vector["expected_fields"]
    password, salt = facts["password"].encode(), facts["salt_ascii"].encode()
    assert hashlib.pbkdf2_hmac("sha1", password, salt, facts["iterations"], facts["dklen"]).hex() == facts["dk"]
    if facts["iterations"] == ROUNDS and len(salt) == 8:
        derived = Passphrase(password).wrapping_key(b"whatever" + salt, facts["dklen"])
        assert derived.hex() == facts["dk"], "only the last eight bytes of the salt count"


def test_lengths() -> None:
    for size in (SHORTEST_PASSPHRASE - 1, LONGEST_PASSPHRASE + 1):
        with pytest.raises(ValueError, match=f"{size} bytes: it must have 10 to 80"):
            Passphrase("x" * size)
    for size in (SHORTEST_PASSPHRASE, LONGEST_PASSPHRASE):
        assert len(Passphrase("x" * size).wrapping_key(SALT, 16)) == 16
    with pytest.raises(ValueError, match="82 bytes"):
        Passphrase("ü" * 41)  # what counts is bytes
    assert DEFAULT_KEY_SIZE in KEY_SIZES


def test_text_and_its_bytes_are_the_same_passphrase() -> None:
    assert Passphrase("grüße von da").wrapping_key(SALT, 16) == Passphrase("grüße von da".encode()).wrapping_key(
        SALT, 16
    )


def test_a_key_is_derived_once(monkeypatch: pytest.MonkeyPatch) -> None:
    derivations = []
    original = hashlib.pbkdf2_hmac

    def counted(*arguments: Any) -> bytes:
        derivations.append(arguments)
        return original(*arguments)

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", counted)
    passphrase = Passphrase("0123456789ab")
    assert not passphrase.has_derived(SALT, 16)
    first = passphrase.wrapping_key(SALT, 16)
    assert passphrase.has_derived(SALT, 16)
    assert not passphrase.has_derived(SALT, 32)
    assert passphrase.wrapping_key(bytes(8) + SALT[8:], 16) == first
    assert len(derivations) == 1
    for number in range(2 * REMEMBERED):
        passphrase.wrapping_key(bytes(15) + bytes([number]), 16)
    assert passphrase.has_derived(SALT, 16), "the first is kept whatever comes"
    assert len(passphrase._derived) == REMEMBERED


def test_which_keys_there_are() -> None:
    assert SessionKeys(even=b"x").which == EVEN_KEY
    assert SessionKeys(odd=b"x").which == ODD_KEY
    assert SessionKeys(b"x", b"y").which == BOTH_KEYS
    assert SessionKeys().which == 0
    assert not SessionKeys()
    assert SessionKeys(odd=b"x")


def test_nothing_shows_what_it_hides() -> None:
    secret = "a most secret secret"
    passphrase = Passphrase(secret)
    key = passphrase.wrapping_key(SALT, 16)
    shown = [repr(passphrase), str(passphrase), f"{passphrase}", repr({"passphrase": passphrase})]
    shown += [repr(copy.copy(passphrase)), repr(SessionKeys(key, key)), f"{SessionKeys(key)}"]
    short = secret[:9]
    with pytest.raises(ValueError, match="9 bytes") as caught:
        Passphrase(short)
    shown += [str(caught.value), repr(caught.value), "".join(traceback.format_exception(caught.value))]
    for text in shown:
        assert short not in text
        assert key.hex() not in text
        assert repr(key)[2:-1] not in text
