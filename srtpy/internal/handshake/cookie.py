"""The SYN cookie: a listener's memory, kept by the caller.

Lives here: making a cookie for an address, telling whether one is ours and fresh.
Never here: what happens to whom that brings one (listener.py), where the secret comes
from (the shell), the cookie contest of a rendezvous.
Draft: 4.3.1.1 "The Induction Phase" (SYN Cookie); 9 "Security Considerations".

libsrt hashes address and minute without a secret, so anyone can make its cookies; ours
are keyed, with a secret that changes every hour.  A cookie is good in the window it was made in and in the next.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Hashable
from hashlib import sha256
from typing import Final

from srtpy.internal.clock.units import SECOND, Micros

WINDOW: Final[Micros] = 64 * SECOND  # ours: like the Go library; a cookie lives 64 to 128 seconds
SECRET_WINDOWS: Final = 56  # ours: an hour; who guesses at a secret has no longer
COOKIE_VERSION: Final = 1  # ours: part of what is hashed, so that a change of recipe ends old cookies
COOKIE_SIZE: Final = 4  # draft 3.2.1 "Handshake": SYN Cookie


class CookieJar:
    """Bakes and recognises cookies; keeps nothing about anyone.

    `entropy` returns so many unguessable bytes: new secrets are made of it; without it the first one stays.
    """

    __slots__ = ("_entropy", "_previous", "_rotated_in", "_secret", "_since")

    def __init__(self, secret: bytes, entropy: Callable[[int], bytes] | None = None) -> None:
        self._secret = secret
        self._previous = secret
        self._rotated_in = -1
        self._entropy = entropy
        self._since: int | None = None  # the window in which the secret was first used

    def __repr__(self) -> str:
        return "CookieJar(<secret>)"

    def rotate(self, secret: bytes, now: Micros) -> None:
        """Use another secret; cookies of the last one stay good as long as they would have."""
        self._previous, self._secret = self._secret, secret
        self._rotated_in = now // WINDOW

    def bake(self, remote: Hashable, local: Hashable, now: Micros) -> int:
        """Return the cookie, never 0, for a caller at `remote` that spoke to `local`."""
        self._renew(now)
        return int.from_bytes(self._digest(self._secret, remote, local, now // WINDOW), "big")

    def is_fresh(self, cookie: int, remote: Hashable, local: Hashable, now: Micros) -> bool:
        """Say whether we gave this cookie to that caller lately; takes as long for wrong ones as for right ones."""
        self._renew(now)
        shown = cookie.to_bytes(COOKIE_SIZE, "big")
        window = now // WINDOW
        candidates = [(self._secret, window), (self._secret, window - 1)]
        if window - 1 <= self._rotated_in:
            candidates += [(self._previous, window), (self._previous, window - 1)]
        matches = [hmac.compare_digest(shown, self._digest(secret, remote, local, made)) for secret, made in candidates]
        return any(matches)

    def _renew(self, now: Micros) -> None:
        window = now // WINDOW
        if self._entropy is None:
            return
        if self._since is None:
            self._since = window
        elif window - self._since >= SECRET_WINDOWS:
            self._since = window
            self.rotate(self._entropy(len(self._secret)), now)

    @staticmethod
    def _digest(secret: bytes, remote: Hashable, local: Hashable, window: int) -> bytes:
        text = f"{COOKIE_VERSION}|{remote!r}|{local!r}|{window}".encode("utf-8", "surrogateescape")
        digest = hmac.digest(secret, text, sha256)[:COOKIE_SIZE]
        return digest if any(digest) else b"\0\0\0\1"
