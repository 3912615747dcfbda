from __future__ import annotations

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.handshake.keying import NO_KEYS, KeyExchange
from srtpy.internal.handshake.negotiation import Negotiated, negotiate_response
from srtpy.internal.handshake.offer import Offer
from srtpy.internal.packet.extensions import SrtExtension
from tests.internal.handshake.doorman import LIVE_FLAGS, handshake, refused


def agreed() -> Negotiated:
    offer = Offer(SrtExtension(0x010501, LIVE_FLAGS, 120, 120))
    result = negotiate_response(Config(), handshake(), offer, 5, handshake().isn, 0, 0)
    assert isinstance(result, Negotiated)
    return result


def test_without_keys_nothing_is_offered() -> None:
    keys: KeyExchange = NO_KEYS
    assert (keys.size_field, keys.offer(4)) == (0, b"")
    assert keys.conclude(agreed(), None) is None


def test_without_keys_an_answer_is_refused() -> None:
    assert refused(NO_KEYS.conclude(agreed(), bytes(4))) == RejectReason.UNSECURE
