"""Payloads sealed and opened, against known answers and what libsrt was seen to accept."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.crypto.cipher import TAG_SIZE, CounterCipher, GcmCipher, PayloadCipher, Suite
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER, KEY_EVEN, KEY_ODD, POSITION_SINGLE, RETRANSMITTED
from srtpy.internal.packet.keymaterial import CIPHER_CTR, CIPHER_GCM
from srtpy.internal.seq.number import SEQ_MASK
from tests.sealed import sealed as sealed_by
from tests.vectors import vectors

SALT = bytes(range(0xA0, 0xB0))
KEY = bytes(range(16))
PEER = 0x2BF2E4FC
TEXT = b"SRT-CTR-KAT!SRT-CTR-KAT!"
PACKET = (0x12345678, POSITION_SINGLE | 1, 1_000_000, TEXT)
HEADER_ROW = (0x12345678, POSITION_SINGLE | KEY_EVEN | 1, 1_000_000, PEER)
SUITES = [Suite(CIPHER_CTR), Suite(CIPHER_GCM), Suite(CIPHER_GCM, is_old=True)]
KNOWN = [
    (Suite(CIPHER_CTR), "7bf080a394166648f5d8187025a38b254771a722ae83f6ce"),
    (Suite(CIPHER_GCM), "614b389d3d79d6c74efe82438a39eb150d29d30fc5ef91ed16b3abeb68644ba1554dd11e48fd6fbe"),
    (Suite(CIPHER_GCM, True), "7dd0d33fc0fc33960589f685e2522fd174681810da823206d0032db3eb782148dddefed61100cf2b"),
]


def suites(suite: Suite) -> str:
    return ("GCM old" if suite.is_old else "GCM") if suite.cipher == CIPHER_GCM else "CTR"


@pytest.mark.parametrize(("suite", "expected"), KNOWN, ids=map(suites, SUITES))
def test_what_libsrt_opens(suite: Suite, expected: str) -> None:
    (sealed,) = sealed_by(suite.make(KEY, SALT, PEER).seal, [PACKET], KEY_EVEN)
    assert sealed == (*HEADER_ROW[:3], bytes.fromhex(expected))
    assert suite.make(KEY, SALT).open([HEADER_ROW], [sealed[3]]) == [TEXT]
    assert suite.tag_size == len(sealed[3]) - len(TEXT)


@pytest.mark.parametrize("vector", vectors("payload_ctr"), ids=lambda vector: vector["description"])
def test_payload_vectors(vector: dict[str, Any]) -> None:
    facts = vector["expected_fields"]
    seq, sealed, plain = int(facts["seq"], 16), bytes.fromhex(vector["hex"]), bytes.fromhex(facts["plaintext"])
    cipher = CounterCipher(bytes.fromhex(facts["sek"]), bytes.fromhex(facts["salt"]))
    assert sealed_by(cipher.seal, [(seq, 0, 0, plain)], KEY_ODD) == [(seq, KEY_ODD, 0, sealed)]
    assert cipher.open([(seq, KEY_ODD, 0, 0)], [sealed]) == [plain]


@pytest.mark.parametrize("vector", vectors("iv"), ids=lambda vector: vector["description"])
def test_the_counter_block(vector: dict[str, Any]) -> None:
    facts = vector["expected_fields"]
    (sealed,) = sealed_by(CounterCipher(KEY, bytes.fromhex(facts["salt"])).seal, [(facts["seq"], 0, 0, TEXT)], KEY_EVEN)
    stock = Cipher(algorithms.AES(KEY), modes.CTR(bytes.fromhex(facts["iv"]))).encryptor()
    assert sealed[3] == stock.update(TEXT)


@pytest.mark.parametrize("vector", vectors("aes_ctr"), ids=lambda vector: vector["description"])
def test_plain_counter_mode(vector: dict[str, Any]) -> None:
    facts = vector["expected_fields"]
    assert not any(bytes.fromhex(facts["iv"])), "number 0 under a salt of zeros"
    cipher = CounterCipher(bytes.fromhex(facts["key"]), bytes(16))
    (sealed,) = sealed_by(cipher.seal, [(0, 0, 0, facts["plaintext_ascii"].encode())], KEY_EVEN)
    assert sealed[3].hex() == facts["ciphertext"]


@pytest.mark.parametrize("first", [0, 5, 0x7FFFFFF0])
@pytest.mark.parametrize("size", [16, 24, 32])
@pytest.mark.parametrize("suite", SUITES, ids=suites)
def test_a_run_round_the_circle(suite: Suite, size: int, first: int) -> None:
    key = bytes(range(size))
    payloads = [bytes([number]) * (1316 if number else 0) for number in range(44)]
    run = [((first + place) & SEQ_MASK, POSITION_SINGLE | place + 1, 7, text) for place, text in enumerate(payloads)]
    sealed = sealed_by(suite.make(key, SALT, PEER).seal, run, KEY_EVEN)
    assert len({payload for *_, payload in sealed}) == len(sealed)
    batches = [Batch(HEADER.pack(seq, info, stamp, PEER) + payload) for seq, info, stamp, payload in sealed]
    opener = suite.make(key, SALT)
    headers = [batch.headers[0] for batch in batches]
    assert opener.open(headers, [batch.payloads()[0] for batch in batches]) == payloads
    backwards = opener.open(headers[::-1], [payload for *_, payload in sealed[::-1]])
    assert backwards == payloads[::-1], "each packet stands alone"


@pytest.mark.parametrize("suite", SUITES, ids=suites)
def test_a_resend_opens_like_the_first(suite: Suite) -> None:
    (sealed,) = sealed_by(suite.make(KEY, SALT, PEER).seal, [PACKET], KEY_EVEN)
    again = (sealed[0], sealed[1] | RETRANSMITTED, sealed[2], PEER)
    assert suite.make(KEY, SALT).open([again], [sealed[3]]) == [TEXT]


@pytest.mark.parametrize("suite", SUITES[1:], ids=suites)
def test_gcm_vouches_for_header_and_payload(suite: Suite) -> None:
    (sealed,) = sealed_by(suite.make(KEY, SALT, PEER).seal, [PACKET], KEY_EVEN)
    payload = sealed[3]
    opener = suite.make(KEY, SALT)
    for place in range(4):
        for bit in (1, 1 << 24):
            header = list(HEADER_ROW)
            header[place] ^= bit
            assert opener.open([tuple(header)], [payload]) == [None]  # type: ignore[list-item]
    for place in range(0, len(payload), 7):
        changed = payload[:place] + bytes([payload[place] ^ 1]) + payload[place + 1 :]
        assert opener.open([HEADER_ROW], [changed]) == [None]
    assert opener.open([HEADER_ROW] * 3, [payload, b"", payload]) == [TEXT, None, TEXT]


@pytest.mark.parametrize("size", range(TAG_SIZE + 1))
def test_gcm_takes_garbage_of_any_size(size: int) -> None:
    assert GcmCipher(KEY, SALT, 0, False).open([HEADER_ROW], [bytes(size)]) == [None]


@pytest.mark.parametrize("cipher", [CIPHER_CTR, CIPHER_GCM])
@pytest.mark.parametrize("key", [KEY[:-1] + b"x", SALT])
def test_another_key_opens_nothing(cipher: int, key: bytes) -> None:
    suite = Suite(cipher)
    (sealed,) = sealed_by(suite.make(KEY, SALT, PEER).seal, [PACKET], KEY_EVEN)
    opened = suite.make(key, SALT).open([HEADER_ROW], [sealed[3]])
    assert opened != [TEXT]
    assert opened == [None] or cipher == CIPHER_CTR


@given(st.sampled_from(SUITES), st.integers(0, SEQ_MASK), st.binary(max_size=1456), st.binary(min_size=16, max_size=16))
def test_what_was_sealed_opens(suite: Suite, seq: int, payload: bytes, salt: bytes) -> None:
    (sealed,) = sealed_by(suite.make(KEY, salt, PEER).seal, [(seq, 9, 8, payload)], KEY_ODD)
    assert suite.make(KEY, salt).open([(*sealed[:3], PEER)], [sealed[3]]) == [payload]
    assert len(sealed[3]) == len(payload) + suite.tag_size


def test_the_old_layout_is_for_old_versions_only() -> None:
    old, new = 0x010503, 0x010504
    assert Suite.between(CIPHER_GCM, new, new) == Suite(CIPHER_GCM)
    assert Suite.between(CIPHER_GCM, 0x010505, 0x010600) == Suite(CIPHER_GCM)
    for own, peer in ((old, new), (new, old), (old, old)):
        assert Suite.between(CIPHER_GCM, own, peer) == Suite(CIPHER_GCM, is_old=True)
    assert Suite.between(CIPHER_CTR, old, old) == Suite(CIPHER_CTR)


@pytest.mark.parametrize(
    "cipher", [CounterCipher(KEY, SALT), GcmCipher(KEY, SALT, 1, False), GcmCipher(KEY, SALT, 1, True)]
)
def test_ciphers_show_nothing(cipher: PayloadCipher) -> None:
    assert KEY.hex() not in repr(cipher)
    assert not hasattr(cipher, "__dict__")
