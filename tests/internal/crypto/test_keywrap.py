"""Keys wrapped and unwrapped, against RFC 3394, gosrt, srt-rs and two handshakes libsrt once made."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.crypto.keys import Passphrase, SessionKeys
from srtpy.internal.crypto.keywrap import Undecryptable, WrongPassphrase, make_message, read_message, unwrap, wrap
from srtpy.internal.packet.handshake import HANDSHAKE_SIZE, ExtensionKind, decode_extensions
from srtpy.internal.packet.header import HEADER_SIZE, MalformedPacket
from srtpy.internal.packet.keymaterial import BOTH_KEYS, CIPHER_CTR, CIPHER_GCM, EVEN_KEY, ODD_KEY, KeyMaterial
from tests.vectors import vectors

SALT = bytes(range(0xA0, 0xB0))
PASSPHRASE = "0123456789ab"
CTR_HEAD, GCM_HEAD = "0000000002000200000004", "0000000004010200000004"
MESSAGES = [
    (16, b"", "12202901" + CTR_HEAD + "04", "dfd3dbca799372cc1df6374a348730e1fc86f21e552acba9"),
    (24, b"", "12202901" + CTR_HEAD + "06", "95c38fe1878b10de9854279965798094707d4f253d4204b09e931e18e7af432b"),
    (
        32,
        b"",
        "12202901" + CTR_HEAD + "08",
        "781f990f70992f7eed31193b2636e516e3fa4819fc9cc8387adf06ec22806ceec1d09ea4c918d17a",
    ),
    (
        16,
        bytes(range(0x10, 0x20)),
        "12202903" + CTR_HEAD + "04",
        "c893999b7d19f8f8c0a735b0b9c9e9ff972abd4da1d627e6d564b851ec287ce6faa682c0c601a223",
    ),
]


def keys_of(vector: dict[str, Any]) -> tuple[int, SessionKeys]:
    """Return which keys a vector wraps, and the keys."""
    text = vector["description"]
    sek = bytes.fromhex(vector["expected_fields"]["sek"])
    if "both" in text:
        return BOTH_KEYS, SessionKeys(sek[: len(sek) // 2], sek[len(sek) // 2 :])
    return (ODD_KEY, SessionKeys(odd=sek)) if "odd" in text else (EVEN_KEY, SessionKeys(even=sek))


@pytest.mark.parametrize("vector", vectors("km_wrap"), ids=lambda vector: vector["description"])
def test_wrapped_vectors(vector: dict[str, Any]) -> None:
    kek, wrapped = bytes.fromhex(vector["expected_fields"]["kek"]), bytes.fromhex(vector["hex"])
    which, keys = keys_of(vector)
    assert wrap(kek, keys) == wrapped
    assert unwrap(kek, which, wrapped) == keys
    assert keys.which == which


@pytest.mark.parametrize("vector", vectors("rfc3394"), ids=lambda vector: vector["description"])
def test_rfc_3394(vector: dict[str, Any]) -> None:
    facts = vector["expected_fields"]
    kek, plain = bytes.fromhex(facts["kek"]), bytes.fromhex(facts["key_data"])
    assert wrap(kek, SessionKeys(even=plain)).hex() == facts["wrapped"]
    assert unwrap(kek, EVEN_KEY, bytes.fromhex(facts["wrapped"])).even == plain


@pytest.mark.parametrize(("size", "odd", "head", "wrapped"), MESSAGES, ids=["128", "192", "256", "128 both"])
def test_messages_libsrt_makes(size: int, odd: bytes, head: str, wrapped: str) -> None:
    keys = SessionKeys(bytes(range(size)), odd)
    message = make_message(Passphrase(PASSPHRASE), CIPHER_CTR, SALT, keys)
    assert message.hex() == head + SALT.hex() + wrapped
    assert read_message(Passphrase(PASSPHRASE), KeyMaterial.decode(message)) == keys


def test_a_message_for_gcm_wraps_the_same() -> None:
    message = make_message(Passphrase(PASSPHRASE), CIPHER_GCM, SALT, SessionKeys(bytes(range(16))))
    assert message.hex() == "12202901" + GCM_HEAD + "04" + SALT.hex() + MESSAGES[0][3]


@pytest.mark.parametrize("vector", vectors("km_invalid"), ids=lambda vector: vector["description"])
def test_what_must_be_refused(vector: dict[str, Any]) -> None:
    facts = vector["expected_fields"]
    head = bytes.fromhex(f"1220290{facts.get('kk', EVEN_KEY)}" + CTR_HEAD + "04")
    message = head + bytes.fromhex(facts["salt"]) + bytes.fromhex(vector["hex"])
    with pytest.raises((MalformedPacket, WrongPassphrase)) as caught:
        read_message(Passphrase(facts["passphrase"]), KeyMaterial.decode(message))
    assert caught.type is (WrongPassphrase if "unwrap" in facts["expect"] else MalformedPacket)


@pytest.mark.parametrize(
    "vector",
    [vector for vector in vectors("control_packet") if "raw_handshake_crypto" in vector["source"]],
    ids=lambda vector: vector["source"].split("(")[1],
)
def test_handshakes_that_libsrt_made(vector: dict[str, Any]) -> None:
    (facts,) = [one["km"] for one in vector["expected_fields"]["handshake"]["extensions"] if "km" in one]
    blocks = bytes.fromhex(vector["hex"])[HEADER_SIZE + HANDSHAKE_SIZE :]
    (body,) = [one.body for one in decode_extensions(blocks) if one.kind in (ExtensionKind.KMREQ, ExtensionKind.KMRSP)]
    material = KeyMaterial.decode(body)
    keys = read_message(Passphrase(facts["passphrase_found"]), material)
    assert keys == SessionKeys(even=bytes.fromhex(facts["sek"]))
    assert make_message(Passphrase(facts["passphrase_found"]), CIPHER_CTR, material.salt, keys) == body
    with pytest.raises(WrongPassphrase):
        read_message(Passphrase("password124"), material)


@given(st.sampled_from([16, 24, 32]), st.booleans(), st.integers(0), st.data())
def test_any_changed_bit_is_noticed(size: int, is_both: bool, bit: int, data: st.DataObject) -> None:
    kek = data.draw(st.binary(min_size=size, max_size=size))
    key = st.binary(min_size=size, max_size=size)
    keys = SessionKeys(data.draw(key), data.draw(key) if is_both else b"")
    wrapped = wrap(kek, keys)
    assert unwrap(kek, keys.which, wrapped) == keys
    changed = int.from_bytes(wrapped, "big") ^ 1 << bit % (8 * len(wrapped))
    with pytest.raises(WrongPassphrase):
        unwrap(kek, keys.which, changed.to_bytes(len(wrapped), "big"))


def test_a_failure_tells_what_is_wrong_and_no_secret() -> None:
    other = PASSPHRASE[::-1]
    message = make_message(Passphrase(PASSPHRASE), CIPHER_CTR, SALT, SessionKeys(bytes(range(16))))
    with pytest.raises(Undecryptable, match="passphrase") as caught:
        read_message(Passphrase(other), KeyMaterial.decode(message))
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value)
    for secret in (PASSPHRASE, other, message.hex(), repr(message)[2:-1]):
        assert secret not in shown
    assert caught.value.__suppress_context__, "what is beneath does not show"
