"""Payloads sealed and opened, a run at a time.

Lives here: AES in counter mode and AES-GCM with one key, what goes into their counters,
nonces and authenticated data.
Never here: which key a packet gets (core), keys on their way (keywrap.py), headers on the wire
(packet, core/packing.py).
Draft: 6.1.2 "AES Counter", 6.2.2 "Encrypting the Payload", 6.3.2 "Decrypting the Payload";
AES-GCM is libsrt's (from 1.5.2 on) and in no draft.

Both take what makes them unique to a packet from its sequence number, so that a packet sent
again is the same bytes again, and a key must not outlive the circle of sequence numbers.

    CTR      counter  salt[0..9], salt[10..13] ^ number, two bytes of block count
    GCM      nonce    salt[0..7], salt[8..11] ^ number; the header, R cleared, is authenticated
    GCM old  nonce    salt[0..9], salt[10..11] ^ upper half of the number; the same header with
                      each word reversed

The old layout is that of libsrt up to 1.5.3.  It repeats a nonce for 65,536 packets in a row,
which gives away what GCM promises; it is here to talk to those versions and is used with no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final, Protocol, TypeAlias

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from srtpy.internal.clock.units import Micros, WireTime
from srtpy.internal.packet.header import HEADER, RETRANSMITTED, Header, SocketId
from srtpy.internal.packet.keymaterial import CIPHER_GCM
from srtpy.internal.seq.number import SEQ_MASK, SequenceNumber

Row: TypeAlias = tuple[int, WireTime, bytes, Micros, Micros]
"""A packet about to leave: information word, timestamp, payload; origin and expiry, which pass through."""
Run: TypeAlias = list[Row]
"""Such packets with consecutive sequence numbers."""
Opened: TypeAlias = list[bytes | None]
"""Payloads in clear; None where one could not be opened."""

TAG_SIZE: Final = 16  # libsrt hcrypt_msg.h HAICRYPT_AUTHTAG_MAX
FIRST_NEW_LAYOUT: Final = 0x010504  # libsrt core.cpp m_bUseGcm153: 1.5.4 and later use the new layout

_COUNTER: Final = Struct(">10sIxx")
_NONCE: Final = Struct(">8sI")
_OLD_NONCE: Final = Struct(">10sH")
_REVERSED_HEADER: Final = Struct("<IIII")
_NOT_RETRANSMITTED: Final = ~RETRANSMITTED


class PayloadCipher(Protocol):
    """One key, one direction: nobody else may use it at the same time."""

    @property
    def may_fail(self) -> bool:
        """Whether it notices what cannot be opened."""

    def seal(self, first: SequenceNumber, run: Run, key_flag: int) -> Run:
        """Return the run from number `first` on, its payloads encrypted, `key_flag` set in its information words."""

    def open(self, headers: Sequence[Header], payloads: Sequence[bytes]) -> Opened:
        """Return the payloads of these packets in clear."""


class CounterCipher:
    """AES-CTR: as long as before, and nothing notices a changed bit."""

    __slots__ = ("_head", "_start", "_tail", "_update")
    may_fail = False

    def __init__(self, key: bytes, salt: bytes) -> None:
        # encrypting and decrypting are the same; one context is kept, a new one takes longer than a packet
        context = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        self._start, self._update = context.reset_nonce, context.update
        self._head = salt[:10]
        self._tail = int.from_bytes(salt[10:14], "big")

    def seal(self, first: SequenceNumber, run: Run, key_flag: int) -> Run:
        """Return the run from number `first` on, its payloads encrypted, `key_flag` set in its information words."""
        start, encrypt, counter = self._start, self._update, _COUNTER.pack
        head, tail, seq = self._head, self._tail, first
        sealed: Run = []
        for info, stamp, payload, origin, expires in run:
            start(counter(head, tail ^ seq))
            sealed.append((info | key_flag, stamp, encrypt(payload), origin, expires))
            seq = (seq + 1) & SEQ_MASK
        return sealed

    def open(self, headers: Sequence[Header], payloads: Sequence[bytes]) -> Opened:
        """Return the payloads of these packets in clear."""
        start, decrypt, counter = self._start, self._update, _COUNTER.pack
        head, tail = self._head, self._tail
        opened: Opened = []
        for (seq, _, _, _), payload in zip(headers, payloads, strict=True):
            start(counter(head, tail ^ seq))
            opened.append(decrypt(payload))
        return opened


class GcmCipher:
    """AES-GCM: payloads grow by a tag that vouches for them and for the header.

    `peer` is whom sealed packets go to: part of the header, and so authenticated.
    """

    __slots__ = ("_aead", "_head", "_header", "_is_old", "_nonce", "_peer", "_tail")
    may_fail = True

    def __init__(self, key: bytes, salt: bytes, peer: SocketId, is_old: bool) -> None:
        self._aead = AESGCM(key)
        self._peer = peer
        self._is_old = is_old
        self._nonce = (_OLD_NONCE if is_old else _NONCE).pack
        self._header = (_REVERSED_HEADER if is_old else HEADER).pack
        self._head, tail = (salt[:10], salt[10:12]) if is_old else (salt[:8], salt[8:12])
        self._tail = int.from_bytes(tail, "big")

    def seal(self, first: SequenceNumber, run: Run, key_flag: int) -> Run:
        """Return the run from `first` on, payloads encrypted, tags appended, `key_flag` in its information words."""
        encrypt, nonce, header, peer = self._aead.encrypt, self._nonce, self._header, self._peer
        head, tail, shift, seq = self._head, self._tail, 16 if self._is_old else 0, first
        sealed: Run = []
        for info, stamp, payload, origin, expires in run:
            flagged = info | key_flag
            bound = header(seq, flagged & _NOT_RETRANSMITTED, stamp, peer)
            closed = encrypt(nonce(head, tail ^ seq >> shift), payload, bound)
            sealed.append((flagged, stamp, closed, origin, expires))
            seq = (seq + 1) & SEQ_MASK
        return sealed

    def open(self, headers: Sequence[Header], payloads: Sequence[bytes]) -> Opened:
        """Return the payloads of these packets in clear, None for those that are not what was sent."""
        decrypt, nonce, pack = self._aead.decrypt, self._nonce, self._header
        head, tail, shift = self._head, self._tail, 16 if self._is_old else 0
        opened: Opened = []
        add = opened.append
        for (seq, info, stamp, destination), payload in zip(headers, payloads, strict=True):
            bound = pack(seq, info & _NOT_RETRANSMITTED, stamp, destination)
            try:
                add(decrypt(nonce(head, tail ^ seq >> shift), payload, bound))
            except InvalidTag:
                add(None)
        return opened


@dataclass(frozen=True, slots=True)
class Suite:
    """Which cipher two ends have agreed on; `is_old` is GCM's layout of libsrt up to 1.5.3."""

    cipher: int
    is_old: bool = False

    @classmethod
    def between(cls, cipher: int, own_version: int, peer_version: int) -> Suite:
        """Return what two versions of SRT make of a cipher: both must decide alike."""
        return cls(cipher, cipher == CIPHER_GCM and min(own_version, peer_version) < FIRST_NEW_LAYOUT)

    @property
    def tag_size(self) -> int:
        """By how much a sealed payload is longer."""
        return TAG_SIZE if self.cipher == CIPHER_GCM else 0

    def make(self, key: bytes, salt: bytes, peer: SocketId = 0) -> PayloadCipher:
        """Return a cipher with this key; `peer` is whom it seals for."""
        if self.cipher == CIPHER_GCM:
            return GcmCipher(key, salt, peer, self.is_old)
        return CounterCipher(key, salt)
