"""From a passphrase to the key that wraps keys, and values that keep to themselves what they hold.

Lives here: a passphrase with the key-encrypting keys (KEK) that have come of it, the
stream-encrypting keys (SEK) of one direction, the lengths that keys have.
Never here: wrapping (keywrap.py), encrypting payloads (cipher.py), what two ends agree on
(exchange.py), when keys change (core), where randomness comes from (the shell).
Draft: 6.1.3 "Stream Encrypting Key (SEK)", 6.1.4 "Key Encrypting Key (KEK)".

Nothing here shows a secret in its `repr`, nor puts one into an exception.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from srtpy.internal.packet.keymaterial import EVEN_KEY, ODD_KEY

SHORTEST_PASSPHRASE: Final = 10  # libsrt haicrypt.h HAICRYPT_PWD_MIN_SIZE: bytes
LONGEST_PASSPHRASE: Final = 80  # libsrt haicrypt.h HAICRYPT_SECRET_MAX_SZ: bytes
KEY_SIZES: Final = (16, 24, 32)
DEFAULT_KEY_SIZE: Final = 16  # libsrt SRTO_PBKEYLEN: what 0 comes to
ROUNDS: Final = 2048  # draft 6.1.4 "Key Encrypting Key (KEK)": iterations of PBKDF2
SALT_START: Final = 8  # draft 6.1.4: only the last 64 bits of the salt go into the KEK
REMEMBERED: Final = 4  # ours: KEKs kept; a connection needs one, or one a direction


class Passphrase:
    """What both ends know, and the keys derived from it: a derivation takes half a millisecond, so each is kept."""

    __slots__ = ("_derived", "_text")

    def __init__(self, text: str | bytes) -> None:
        """Take a passphrase; text counts as UTF-8.

        Raises:
            ValueError: it is too short or too long.
        """
        self._text = text.encode() if isinstance(text, str) else bytes(text)
        self._derived: dict[tuple[bytes, int], bytes] = {}
        size = len(self._text)
        if not SHORTEST_PASSPHRASE <= size <= LONGEST_PASSPHRASE:
            raise ValueError(
                f"a passphrase of {size} bytes: it must have {SHORTEST_PASSPHRASE} to {LONGEST_PASSPHRASE}"
            )

    def __repr__(self) -> str:
        return "Passphrase(<hidden>)"

    def has_derived(self, salt: bytes, size: int) -> bool:
        """Say whether the key for this salt is at hand."""
        return (salt[SALT_START:], size) in self._derived

    def wrapping_key(self, salt: bytes, size: int) -> bytes:
        """Return the key-encrypting key of `size` bytes for this salt."""
        recipe = salt[SALT_START:], size
        key = self._derived.get(recipe)
        if key is None:
            key = hashlib.pbkdf2_hmac("sha1", self._text, recipe[0], ROUNDS, size)
            if len(self._derived) >= REMEMBERED:
                # the first is the handshake's, which salts that somebody makes up must not drive out
                del self._derived[list(self._derived)[1]]
            self._derived[recipe] = key
        return key


@dataclass(frozen=True, slots=True, repr=False)
class SessionKeys:
    """The keys that encrypt payloads in one direction: an even one, an odd one, or both; b"" where there is none."""

    even: bytes = b""
    odd: bytes = b""

    def __repr__(self) -> str:
        return f"SessionKeys(even=<{len(self.even)} bytes>, odd=<{len(self.odd)} bytes>)"

    def __bool__(self) -> bool:
        return bool(self.even or self.odd)

    @property
    def which(self) -> int:
        """Which there are, as key material says it: EVEN_KEY, ODD_KEY, their sum, or 0."""
        return (EVEN_KEY if self.even else 0) | (ODD_KEY if self.odd else 0)
