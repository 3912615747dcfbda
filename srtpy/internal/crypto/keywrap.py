"""Keys inside messages: wrapped so that only who knows the passphrase gets them out.

Lives here: wrapping one key or two by RFC 3394, and whole Key Material messages made of
keys and read back.  An unwrapped key proves itself: a wrong passphrase does not go unnoticed.
Never here: the message's layout and its checks (packet/keymaterial.py), the wrapping key
(keys.py), who sends which message when (exchange.py, core).
Draft: 6.2.1 "Generating the Stream Encrypting Key", 6.3.1 "Restoring the Stream Encrypting Key".
"""

from __future__ import annotations

from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from srtpy.internal.crypto.keys import Passphrase, SessionKeys
from srtpy.internal.packet.keymaterial import BOTH_KEYS, EVEN_KEY, KeyMaterial


class Undecryptable(ValueError):
    """What was encrypted cannot be decrypted with what we have."""


class WrongPassphrase(Undecryptable):
    """Keys were wrapped with another passphrase than ours, or damaged on their way."""


def wrap(wrapping_key: bytes, keys: SessionKeys) -> bytes:
    """Wrap one key or two, the even one first."""
    return aes_key_wrap(wrapping_key, keys.even + keys.odd)


def unwrap(wrapping_key: bytes, which: int, wrapped: bytes) -> SessionKeys:
    """Return the keys in `wrapped`; `which` is EVEN_KEY, ODD_KEY or BOTH_KEYS.

    Raises:
        WrongPassphrase: they were wrapped with another key.
    """
    try:
        plain = aes_key_unwrap(wrapping_key, wrapped)
    except InvalidUnwrap:
        raise WrongPassphrase("the keys cannot be unwrapped: the peer's passphrase is not ours") from None
    if which == BOTH_KEYS:
        half = len(plain) // 2
        return SessionKeys(plain[:half], plain[half:])
    return SessionKeys(even=plain) if which == EVEN_KEY else SessionKeys(odd=plain)


def make_message(passphrase: Passphrase, cipher: int, salt: bytes, keys: SessionKeys) -> bytes:
    """Return the Key Material message that brings `keys` to who knows the passphrase."""
    wrapping_key = passphrase.wrapping_key(salt, len(keys.even or keys.odd))
    return KeyMaterial(keys.which, cipher, salt, wrap(wrapping_key, keys)).encode()


def read_message(passphrase: Passphrase, material: KeyMaterial) -> SessionKeys:
    """Return the keys in a message.

    Raises:
        WrongPassphrase: it was made with another passphrase.
    """
    wrapping_key = passphrase.wrapping_key(material.salt, material.key_size)
    return unwrap(wrapping_key, material.keys, material.wrapped)
