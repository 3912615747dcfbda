"""Checksums: of what is read as it is read, and of the start of a file, to go on from there.

Lives here: SHA-256 of a file's first so many bytes; whether two starts are the same.
Never here: what follows from it (file_sending.py, file_receiving.py).
"""

from __future__ import annotations

import hashlib
import os
from typing import Final, Protocol

PIECE: Final = 1 << 20  # bytes read at a time


class Digest(Protocol):
    """What `hashlib` makes."""

    def update(self, data: bytes, /) -> None:
        """Take in more."""

    def digest(self) -> bytes:
        """Return the digest of everything so far."""


class TooShort(OSError):
    """A file ends before the place that was asked for."""


def new_digest() -> Digest:
    """Return a SHA-256 of nothing yet."""
    return hashlib.sha256()


def digest_of_start(descriptor: int, count: int) -> Digest:
    """Return the SHA-256 of a file's first `count` bytes, ready to go on.

    Raises:
        TooShort: there are fewer.
        OSError: it cannot be read.
    """
    digest, at = new_digest(), 0
    while at < count:
        piece = os.pread(descriptor, min(PIECE, count - at), at)
        if not piece:
            raise TooShort(f"{at} bytes are there, not {count}")
        digest.update(piece)
        at += len(piece)
    return digest
