"""Two ends agree on keys in their handshake: the rules of crypto in the words of the handshake.

Lives here: both sides' part in the exchange, what settings bring to it, what an agreement on
keys changes in what was agreed before.
Never here: the rules themselves (crypto/exchange.py), packets and blocks (handshake), on which
thread a key is derived and where randomness comes from (session), keys that come later (keys.py).
Draft: 6.1.5 "Key Material Exchange"; which ciphers live with what is libsrt's.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.crypto.exchange import (
    Answer,
    Entropy,
    Keying,
    Objection,
    Terms,
    advertised_size,
    conclude,
    offer,
    offered_size,
    respond,
    size_field,
)
from srtpy.internal.handshake.negotiation import Negotiated, Refusal
from srtpy.internal.handshake.offer import SRT_VERSION, Offer
from srtpy.internal.packet.extensions import TSBPD_RECEIVE, TSBPD_SEND
from srtpy.internal.packet.header import MalformedPacket
from srtpy.internal.packet.keymaterial import CIPHER_CTR, CIPHER_GCM, KeyMaterial
from srtpy.limits import PACKET_OVERHEAD

_CIPHERS: Final = {"AUTO": None, "CTR": CIPHER_CTR, "GCM": CIPHER_GCM}  # by the names of srtpy.CryptoMode
_NEEDS_TIMESTAMPS: Final = Refusal(
    RejectReason.CRYPTO,
    "AES-GCM, where one side does not deliver by timestamp: use it in live mode, or crypto_mode CTR",
)


def terms_of(config: Config) -> Terms:
    """Return what one side brings."""
    cipher = _CIPHERS[config.crypto_mode.name]
    return Terms(config.passphrase, config.key_length, cipher, config.enforced_encryption, SRT_VERSION)


class Initiating:
    """The initiator's part.

    Attributes:
        keying: what the connection's keys begin with, once the handshake is content.
    """

    __slots__ = ("_entropy", "_has_offered", "_terms", "keying")

    def __init__(self, config: Config, entropy: Entropy) -> None:
        self._terms = terms_of(config)
        self._entropy = entropy
        self._has_offered = False
        self.keying = Keying()

    @property
    def size_field(self) -> int:
        """The encryption field of our conclusion."""
        return size_field(self._terms)

    def offer(self, advertised: int) -> bytes:
        """Return the body of our KMREQ block, b"" for none; the same each time."""
        if not self._has_offered:
            self._has_offered = True
            size = offered_size(self._terms, advertised_size(advertised))
            self.keying = offer(self._terms, size, self._entropy)
        return self.keying.message

    def conclude(self, agreed: Negotiated, answer: bytes | None) -> Refusal | None:
        """Take in the body of the KMRSP block, None if there was none; object, or be content."""
        assert self._has_offered, "an answer comes after an offer"
        outcome = conclude(self._terms, self.keying, answer, agreed.peer_version)
        if isinstance(outcome, Objection):
            return Refusal(outcome.reason, outcome.text)
        if outcome.tag_size and not agreed.tsbpd_send:
            return _NEEDS_TIMESTAMPS
        self.keying = outcome
        return None


def needs_derivation(config: Config, request: Offer) -> bool:
    """Say whether answering a request takes as long as deriving a key."""
    return bool(config.passphrase) and request.key_material is not None


def answer(config: Config, request: Offer, entropy: Entropy) -> Answer | Refusal:
    """Answer a request for the responder, who may have to derive a key; all that is cheap is checked before."""
    settings = request.settings
    by_timestamp = settings.flags & TSBPD_SEND and settings.flags & TSBPD_RECEIVE
    if config.passphrase and not by_timestamp and _is_authenticated(request.key_material):
        return _NEEDS_TIMESTAMPS
    outcome = respond(terms_of(config), request.key_material, settings.version, entropy)
    return Refusal(outcome.reason, outcome.text) if isinstance(outcome, Objection) else outcome


def _is_authenticated(body: bytes | None) -> bool:
    try:
        return body is not None and KeyMaterial.decode(body).cipher == CIPHER_GCM
    except MalformedPacket:
        return False  # whoever reads it next says what is wrong with it


def fitted(agreed: Negotiated, keying: Keying) -> Negotiated:
    """Return what was agreed on with room for what sealing adds to each payload."""
    return replace(agreed, payload_size=min(agreed.payload_size, agreed.mss - PACKET_OVERHEAD - keying.tag_size))
