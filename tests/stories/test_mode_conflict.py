"""AES-CTR on one side, AES-GCM on the other: the bytes of a libsrt that has both, and what each end makes of them.

The packets are a libsrt 1.5.3's and a 1.5.5's, taken from the wire between them and srtpy.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.fields import CryptoMode
from srtpy.internal.handshake.negotiation import Refused
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.extensions import SrtExtension, encode_text
from srtpy.internal.packet.handshake import Extension, ExtensionKind, Handshake, HandshakeKind
from srtpy.internal.packet.header import HEADER_SIZE
from tests.sim.pair import Answering, Calling

PASSPHRASE = "0123456789ab"
MODES = {CryptoMode.CTR: 2, CryptoMode.GCM: 4}
COOKIE = slice(44, 48)
SOCKET_ID = slice(40, 44)

REQUESTS = {  # a libsrt caller's conclusion, without its cookie: version of libsrt, its mode
    ("1.5.5", CryptoMode.GCM): (
        "80000000000000000000369e00000000000000050000000361b8e0d2000005dc00002000ffffffff34dd18d400000000"
        "0100007f0000000000000000000000000001000300010505000000bf007800000003000e122029010000000004010200"
        "00000404f091a9e4172761bd2eb8da0df6dfda7408eeac117d48405a69feb19963b6858cd804071ac27c4f2c"
    ),
    ("1.5.5", CryptoMode.CTR): (
        "8000000000000000000022b400000000000000050000000331351e1b000005dc00002000ffffffff03b125c200000000"
        "0100007f0000000000000000000000000001000300010505000000bf007800000003000e122029010000000002000200"
        "00000404ab4e92b2e828b2bf09572c7f1e77ca93fbad754c29f9729367f3e01ab755fe9060bec651b2ac6b04"
    ),
    ("1.5.3", CryptoMode.GCM): (
        "800000000000000000000bfc0000000000000005000000030e149b2b000005dc00002000ffffffff3b2faf6a00000000"
        "0100007f0000000000000000000000000001000300010503000000bf007800000003000e122029010000000004010200"
        "00000404f767afc52544d9b7ab7827ab32657ffd21c117e2c0c70540dabbd3abce6f38451a0b1b3e62051711"
    ),
}
REFUSAL = (  # a libsrt 1.5.5 listener in GCM mode to a caller in CTR mode, and the same of 1.5.3
    "8000000000000000000019e4195404cc000000050000000362a0bbc1000005dc00002000000003f9236b2c43c2f67380"
    "0100007f000000000000000000000000"
)


def replaced(packet: bytes, place: slice, value: bytes) -> bytes:
    return packet[: place.start] + value + packet[place.stop :]


def induction(version: int, extension: int, socket_id: int, cookie: int) -> Handshake:
    return Handshake(
        version=version,
        extension=extension,
        isn=1000,
        mss=1500,
        flow_window=8192,
        kind=HandshakeKind.INDUCTION,
        socket_id=socket_id,
        cookie=cookie,
        peer_address=bytes(16),
    )


def cookie_of(listener: Answering, request: bytes) -> bytes:
    """Ask for a cookie as the caller of this request."""
    caller = int.from_bytes(request[SOCKET_ID], "big")
    hello = induction(4, 2, caller, 0)
    listener.receive_datagrams(Batch(request[:HEADER_SIZE] + hello.encode()), 0)
    [(answer, _)] = listener.datagrams_to_send(0)
    return answer[COOKIE]


@pytest.mark.parametrize(("version", "mode"), REQUESTS)
def test_a_caller_of_libsrt_in_another_mode_is_told_1017(version: str, mode: CryptoMode) -> None:
    request = bytes.fromhex(REQUESTS[version, mode])
    other = CryptoMode.CTR if mode is CryptoMode.GCM else CryptoMode.GCM
    listener = Answering(Config(passphrase=PASSPHRASE, crypto_mode=other), 0)
    request = replaced(request, COOKIE, cookie_of(listener, request))
    listener.receive_datagrams(Batch(request), 0)
    [(answer, _)] = listener.datagrams_to_send(0)
    assert listener.connection is None
    said = Handshake.decode(answer[HEADER_SIZE:])
    assert (said.kind, said.version, len(answer)) == (RejectReason.CRYPTO, 5, 64)
    assert answer[12:16] == request[SOCKET_ID], "it goes to the caller's socket"


@pytest.mark.parametrize("ours", [CryptoMode.AUTO, None])
@pytest.mark.parametrize(("version", "mode"), REQUESTS)
def test_a_listener_with_no_mode_of_its_own_or_the_same_takes_the_callers(
    version: str, mode: CryptoMode, ours: CryptoMode | None
) -> None:
    request = bytes.fromhex(REQUESTS[version, mode])
    listener = Answering(Config(passphrase=PASSPHRASE, crypto_mode=mode if ours is None else ours), 0)
    request = replaced(request, COOKIE, cookie_of(listener, request))
    listener.receive_datagrams(Batch(request), 0)
    connection = listener.connection
    assert connection is not None
    assert connection.keys.cipher == MODES[mode]
    assert connection.keys.key_size == 16


@pytest.mark.parametrize("is_enforced", [True, False])
def test_a_listener_of_libsrt_in_another_mode_is_understood(is_enforced: bool) -> None:
    config = Config(passphrase=PASSPHRASE, crypto_mode=CryptoMode.CTR, enforced_encryption=is_enforced)
    caller = Calling(config, 0)
    greeting = induction(5, 0x4A17, 0x11111111, 77)
    refusal = replaced(bytes.fromhex(REFUSAL), SOCKET_ID, (0x11111111).to_bytes(4, "big"))
    head = bytes.fromhex(REFUSAL)[:12] + (0x11111111).to_bytes(4, "big")
    caller.receive_datagrams(Batch(head + greeting.encode()), 10)
    caller.receive_datagrams(Batch(head + refusal[HEADER_SIZE:]), 20)
    [news] = caller.events()
    assert isinstance(news, Refused)
    assert news.reason == RejectReason.CRYPTO
    assert news.by_peer
    assert "compare crypto_mode on both sides (here it is ctr)" in news.text.lower()


# ---- AES-GCM and a packet filter: what a filter rebuilds, nobody can authenticate


def with_filter(request: bytes, text: str) -> bytes:
    """Return a conclusion that offers a packet filter besides."""
    body = encode_text(text)
    block = ExtensionKind.FILTER.to_bytes(2, "big") + (len(body) // 4).to_bytes(2, "big") + body
    return request[:22] + (7).to_bytes(2, "big") + request[24:] + block


@pytest.mark.parametrize("text", ["fec", "fec,cols:10,rows:5", "somebody's"])
@pytest.mark.parametrize("is_enforced", [True, False])
def test_a_packet_filter_with_gcm_is_refused_for_the_filter_and_no_key_is_derived(
    text: str, is_enforced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("srtpy.internal.crypto.keys.hashlib", None)
    request = with_filter(bytes.fromhex(REQUESTS["1.5.5", CryptoMode.GCM]), text)
    listener = Answering(Config(passphrase=PASSPHRASE, enforced_encryption=is_enforced), 0)
    request = replaced(request, COOKIE, cookie_of(listener, request))
    listener.receive_datagrams(Batch(request), 0)
    [(answer, _)] = listener.datagrams_to_send(0)
    assert Handshake.decode(answer[HEADER_SIZE:]).kind == RejectReason.FILTER
    assert listener.connection is None


def test_a_listener_that_answers_gcm_with_a_packet_filter_is_refused_for_the_filter() -> None:
    caller = Calling(Config(passphrase=PASSPHRASE, crypto_mode=CryptoMode.GCM), 0)
    head = bytes.fromhex(REFUSAL)[:12] + (0x11111111).to_bytes(4, "big")
    caller.receive_datagrams(Batch(head + induction(5, 0x4A17, 0x11111111, 77).encode()), 10)
    [*_, (request, _)] = caller.datagrams_to_send(10)
    said = Handshake.decode(request[HEADER_SIZE:])
    keys = next(block.body for block in said.extensions if block.kind == ExtensionKind.KMREQ)
    answer = replace(
        said,
        extension=7,
        socket_id=0x22222222,
        extensions=(
            Extension(ExtensionKind.HSRSP, SrtExtension(0x010505, 0xBF, 120, 120).encode()),
            Extension(ExtensionKind.KMRSP, keys),
            Extension(ExtensionKind.FILTER, encode_text("fec,cols:10,rows:5")),
        ),
    )
    caller.receive_datagrams(Batch(head + answer.encode()), 20)
    [news] = caller.events()
    assert isinstance(news, Refused)
    assert news.reason == RejectReason.FILTER
    assert caller.connection is None
