"""Key material on the wire: the message that carries wrapped keys, and the one word that answers for it.

Lives here: the layout of a Key Material message with every check that needs no key, and
the one-word state a peer answers with when it cannot use one.
Never here: passphrases, wrapping and unwrapping (crypto), when keys change and what a
state means for the data (core), which packet or extension the message travels in
(handshake.py, header.py).
Draft: 3.2.2 "Key Material", 3.2.1.2 "Key Material Extension Message".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct
from typing import Final, Self

from srtpy.internal.packet.header import MalformedPacket

EVEN_KEY: Final = 0b01  # draft 3.2.2 "Key Material": KK
ODD_KEY: Final = 0b10  # draft 3.2.2 "Key Material": KK
BOTH_KEYS: Final = 0b11  # draft 3.2.2 "Key Material": KK, the even key comes first
CIPHER_CTR: Final = 2  # draft 3.2.2 "Key Material": Cipher
CIPHER_GCM: Final = 4  # libsrt hcrypt_msg.h HCRYPT_CIPHER_AES_GCM
SALT_SIZE: Final = 16  # draft 3.2.2 "Key Material": SLen, the only length there is
WRAP_OVERHEAD: Final = 8  # draft 3.2.2 "Key Material": ICV

VERSION_AND_TYPE: Final = 0x12  # draft 3.2.2 "Key Material": S 0, V 1, PT 2
SIGNATURE: Final = 0x2029  # draft 3.2.2 "Key Material": Sign, "HAI" as a vendor number
STREAM_ENCAPSULATION: Final = 2  # draft 3.2.2 "Key Material": SE, SRT
NO_AUTHENTICATION: Final = 0  # draft 3.2.2 "Key Material": Auth
GCM_AUTHENTICATION: Final = 1  # libsrt hcrypt_msg.h HCRYPT_AUTH_AES_GCM

_FIXED: Final = Struct(">BHBIBBBxxxBB")
_STATE: Final = Struct("<I")  # libsrt writes this word in its own byte order into a body it has already swapped
_AUTHENTICATION: Final = {CIPHER_CTR: NO_AUTHENTICATION, CIPHER_GCM: GCM_AUTHENTICATION}
_KEY_COUNT: Final = {EVEN_KEY: 1, ODD_KEY: 1, BOTH_KEYS: 2}
_KEY_SIZES: Final = (16, 24, 32)


class KeyState(IntEnum):
    """How one direction stands with its encryption (libsrt srt.h SRT_KM_STATE)."""

    UNSECURED = 0
    SECURING = 1
    SECURED = 2
    NO_SECRET = 3
    BAD_SECRET = 4
    BAD_CRYPTO_MODE = 5


@dataclass(frozen=True, slots=True)
class KeyMaterial:
    """One or two keys, wrapped; a value of this type is consistent in itself.

    Attributes:
        keys: which keys it carries: EVEN_KEY, ODD_KEY or BOTH_KEYS.
        cipher: what the keys are for: CIPHER_CTR or CIPHER_GCM.
        salt: what goes into the key-encrypting key and into every counter.
        wrapped: the wrapped key, or the even and the odd one wrapped together.
        keki: which key-encrypting key: nobody uses another than 0.
    """

    keys: int
    cipher: int
    salt: bytes = field(repr=False)
    wrapped: bytes = field(repr=False)
    keki: int = 0

    def __post_init__(self) -> None:
        if self.keys not in _KEY_COUNT:
            raise MalformedPacket(f"key material with key flags {self.keys}, which name no key")
        if self.cipher not in _AUTHENTICATION:
            raise MalformedPacket(f"key material for cipher {self.cipher}, which is neither AES-CTR nor AES-GCM")
        if len(self.salt) != SALT_SIZE:
            raise MalformedPacket(f"key material with a salt of {len(self.salt)} bytes instead of {SALT_SIZE}")
        if len(self.wrapped) - WRAP_OVERHEAD not in [size * _KEY_COUNT[self.keys] for size in _KEY_SIZES]:
            raise MalformedPacket(f"key material of {len(self.wrapped)} wrapped bytes for key flags {self.keys}")

    @property
    def key_size(self) -> int:
        """How long each of the keys is: 16, 24 or 32 bytes."""
        return (len(self.wrapped) - WRAP_OVERHEAD) // _KEY_COUNT[self.keys]

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a message.  Reserved bits are not looked at, as libsrt does not.

        Raises:
            MalformedPacket: it is not key material that any implementation makes.
        """
        if len(body) < _FIXED.size:
            raise MalformedPacket(f"key material of {len(body)} bytes")
        version, signature, flags, keki, cipher, authentication, encapsulation, salt_words, key_words = (
            _FIXED.unpack_from(body)
        )
        if version != VERSION_AND_TYPE or signature != SIGNATURE:
            raise MalformedPacket(f"key material that begins with {version:#04x} {signature:#06x}")
        if encapsulation != STREAM_ENCAPSULATION:
            raise MalformedPacket(f"key material for stream encapsulation {encapsulation}, which is not SRT")
        salt_end = _FIXED.size + 4 * salt_words
        material = cls(flags & BOTH_KEYS, cipher, body[_FIXED.size : salt_end], body[salt_end:], keki)
        if authentication != _AUTHENTICATION[cipher]:
            raise MalformedPacket(f"key material for cipher {cipher} with authentication {authentication}")
        if material.key_size != 4 * key_words:
            raise MalformedPacket(f"key material that announces {4 * key_words} byte keys, holds {material.key_size}")
        return material

    def encode(self) -> bytes:
        """Return the message."""
        fixed = _FIXED.pack(
            VERSION_AND_TYPE,
            SIGNATURE,
            self.keys,
            self.keki,
            self.cipher,
            _AUTHENTICATION[self.cipher],
            STREAM_ENCAPSULATION,
            SALT_SIZE // 4,
            self.key_size // 4,
        )
        return fixed + self.salt + self.wrapped


def decode_state(body: bytes) -> KeyState:
    """Return the state a one-word key material response tells.

    Raises:
        MalformedPacket: it is not one word, or no state has this number.
    """
    if len(body) != _STATE.size:
        raise MalformedPacket(f"a key material state of {len(body)} bytes instead of {_STATE.size}")
    (number,) = _STATE.unpack(body)
    try:
        return KeyState(number)
    except ValueError as error:
        raise MalformedPacket(f"a key material state {number}, which there is not") from error


def encode_state(state: KeyState) -> bytes:
    """Return the one-word key material response that tells `state`."""
    return _STATE.pack(state)
