"""Key material against known answers, every check it makes, and garbage."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.packet.header import MalformedPacket
from srtpy.internal.packet.keymaterial import (
    BOTH_KEYS,
    CIPHER_CTR,
    CIPHER_GCM,
    EVEN_KEY,
    ODD_KEY,
    KeyMaterial,
    KeyState,
    decode_state,
    encode_state,
)
from tests.vectors import vectors

SALT = bytes(range(0xA0, 0xB0))
WRAPPED_128 = bytes.fromhex("dfd3dbca 799372cc 1df6374a 348730e1 fc86f21e 552acba9")
ONE_KEY = bytes.fromhex("12202901 00000000 02000200 00000404") + SALT + WRAPPED_128
RESERVED = {3: 0xFC, 11: 0xFF, 12: 0xFF, 13: 0xFF}
"""The bits nobody looks at, by the byte they are in."""


def test_vector() -> None:
    (vector,) = vectors("km_message")
    facts = vector["expected_fields"]
    body = bytes.fromhex(vector["hex"])
    material = KeyMaterial.decode(body)
    assert material == KeyMaterial(
        facts["kk"], facts["cipher"], bytes.fromhex(facts["salt"]), bytes.fromhex(facts["wrap"]), facts["keki"]
    )
    assert material.key_size == facts["klen_bytes"]
    assert material.encode() == body


@pytest.mark.parametrize("vector", vectors("km_wrap"), ids=lambda vector: vector["description"])
def test_wrapped_keys_of_every_size_travel(vector: dict[str, Any]) -> None:
    wrapped, facts = bytes.fromhex(vector["hex"]), vector["expected_fields"]
    odd, both = "odd" in vector["description"], "both" in vector["description"]
    keys = BOTH_KEYS if both else ODD_KEY if odd else EVEN_KEY
    material = KeyMaterial(keys, CIPHER_CTR, bytes.fromhex(facts["salt"]), wrapped)
    assert KeyMaterial.decode(material.encode()) == material
    assert material.key_size * (2 if both else 1) == len(bytes.fromhex(facts["sek"]))


def test_the_message_libsrt_echoed() -> None:
    assert KeyMaterial(EVEN_KEY, CIPHER_CTR, SALT, WRAPPED_128).encode() == ONE_KEY
    assert KeyMaterial.decode(ONE_KEY).key_size == 16


def test_authentication_follows_the_cipher() -> None:
    body = KeyMaterial(EVEN_KEY, CIPHER_GCM, SALT, WRAPPED_128).encode()
    assert body[:16] == bytes.fromhex("12202901 00000000 04010200 00000404")
    assert KeyMaterial.decode(body).cipher == CIPHER_GCM


@pytest.mark.parametrize("keys", [EVEN_KEY, ODD_KEY, BOTH_KEYS])
@pytest.mark.parametrize("size", [16, 24, 32])
def test_lengths(keys: int, size: int) -> None:
    count = 2 if keys == BOTH_KEYS else 1
    body = KeyMaterial(keys, CIPHER_CTR, SALT, bytes(size * count + 8)).encode()
    assert len(body) == 16 + 16 + 8 + count * size
    for changed in (body[:-1], body[:-4], body + bytes(1), body + bytes(4), body[: len(body) // 2], body + body):
        with pytest.raises(MalformedPacket):
            KeyMaterial.decode(changed)


@pytest.mark.parametrize(
    "vector",
    [entry for entry in vectors("km_invalid") if "kk" in entry["expected_fields"]],
    ids=lambda vector: vector["description"],
)
def test_invalid_vectors(vector: dict[str, Any]) -> None:
    facts = vector["expected_fields"]
    head = bytes.fromhex("12202900 00000000 02000200 00000404")
    body = head[:3] + bytes([facts["kk"]]) + head[4:] + bytes.fromhex(facts["salt"]) + bytes.fromhex(vector["hex"])
    with pytest.raises(MalformedPacket, match=r"no key|announces 16 byte keys, holds 32"):
        KeyMaterial.decode(body)


@pytest.mark.parametrize(
    ("offset", "value", "complaint"),
    [
        (0, 0x92, "begins with"),
        (0, 0x22, "begins with"),
        (0, 0x11, "begins with"),
        (1, 0x21, "begins with"),
        (2, 0x28, "begins with"),
        (3, 0x00, "no key"),
        (3, 0x03, "wrapped bytes"),
        (8, 0x00, "cipher 0"),
        (8, 0x03, "cipher 3"),
        (8, 0x04, "authentication 0"),
        (9, 0x01, "authentication 1"),
        (10, 0x01, "encapsulation 1"),
        (14, 0x00, "salt of 0"),
        (14, 0x03, "salt of 12"),
        (14, 0xFF, "salt of 40"),
        (15, 0x00, "announces 0"),
        (15, 0x06, "announces 24"),
        (15, 0xFF, "announces 1020"),
    ],
)
def test_each_check(offset: int, value: int, complaint: str) -> None:
    body = ONE_KEY[:offset] + bytes([value]) + ONE_KEY[offset + 1 :]
    with pytest.raises(MalformedPacket, match=complaint):
        KeyMaterial.decode(body)


def test_nothing_is_read_beyond_a_short_body() -> None:
    for size in range(len(ONE_KEY)):
        with pytest.raises(MalformedPacket):
            KeyMaterial.decode(ONE_KEY[:size])


def test_reserved_bits_are_not_looked_at() -> None:
    body = bytes(byte | RESERVED.get(offset, 0) for offset, byte in enumerate(ONE_KEY))
    assert KeyMaterial.decode(body) == KeyMaterial.decode(ONE_KEY)


def test_what_cannot_be_said_cannot_be_made() -> None:
    for wrong in ((0, CIPHER_CTR, SALT, WRAPPED_128), (1, 1, SALT, WRAPPED_128), (1, 2, b"", WRAPPED_128)):
        with pytest.raises(ValueError, match="key material"):
            KeyMaterial(*wrong)


def test_no_key_is_shown() -> None:
    assert repr(KeyMaterial.decode(ONE_KEY)) == "KeyMaterial(keys=1, cipher=2, keki=0)"


@given(st.data())
def test_garbage_is_malformed_or_encodes_back(data: st.DataObject) -> None:
    body = bytearray(ONE_KEY + data.draw(st.binary(max_size=60)))
    for offset, value in data.draw(st.lists(st.tuples(st.integers(0, 20), st.integers(0, 255)), max_size=4)):
        body[offset] = value
    try:
        material = KeyMaterial.decode(bytes(body))
    except MalformedPacket:
        return
    kept = bytes(byte & ~RESERVED.get(offset, 0) for offset, byte in enumerate(body))
    assert material.encode() == kept


def test_states_are_little_endian() -> None:
    assert encode_state(KeyState.BAD_SECRET) == bytes.fromhex("04000000")
    for state in KeyState:
        assert decode_state(encode_state(state)) is state


@pytest.mark.parametrize("body", ["", "04", "040000", "0400000000", "00000004", "06000000", "ffffffff"])
def test_states_there_are_not(body: str) -> None:
    with pytest.raises(MalformedPacket, match="state"):
        decode_state(bytes.fromhex(body))
