"""What a handshake needs to know of the exchange of keys: when each side speaks, and nothing of what it says.

Lives here: `KeyExchange`, what an initiator's handshake asks; the one who exchanges no keys.
Never here: keys, passphrases and states (crypto, brought together with the handshake in
core/agreeing.py), the blocks they travel in (caller.py, listener.py).
Draft: 6.1.5 "Key Material Exchange".
"""

from __future__ import annotations

from typing import Final, Protocol

from srtpy.errors import RejectReason
from srtpy.internal.handshake.negotiation import Negotiated, Refusal


class KeyExchange(Protocol):
    """The initiator's part; it lives as long as the handshake."""

    @property
    def size_field(self) -> int:
        """The encryption field of our conclusion: the size of key we chose, in steps of 8 bytes; 0 if none."""

    def offer(self, advertised: int) -> bytes:
        """Return the body of our KMREQ block, b"" for none; the same each time.

        `advertised` is the encryption field of the responder's answer to the induction.
        """

    def conclude(self, agreed: Negotiated, answer: bytes | None) -> Refusal | None:
        """Take in the body of the KMRSP block, None if there was none; object, or be content."""


class NoKeys:
    """Exchanges no keys, and refuses a peer that does."""

    @property
    def size_field(self) -> int:
        """No size."""
        return 0

    def offer(self, advertised: int) -> bytes:
        """Offer nothing."""
        return b""

    def conclude(self, agreed: Negotiated, answer: bytes | None) -> Refusal | None:
        """Object to keys."""
        return None if answer is None else Refusal(RejectReason.UNSECURE, "the peer answers with keys nobody offered")


NO_KEYS: Final = NoKeys()
