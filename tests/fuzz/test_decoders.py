"""Every decoder eats garbage: MalformedPacket and nothing else, or a value that encodes back to the same bytes.

A decoder is any class with `decode` and any function named `decode*` in srtpy/internal/packet;
the first test fails when one is missing from the table here.
"""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import srtpy.internal.packet
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.control import Ack, DropRequest
from srtpy.internal.packet.extensions import (
    LONGEST_STREAM_ID,
    GroupExtension,
    SrtExtension,
    decode_text,
    encode_text,
)
from srtpy.internal.packet.handshake import (
    HANDSHAKE_SIZE,
    Extension,
    Handshake,
    decode_extensions,
    encode_extensions,
)
from srtpy.internal.packet.header import CONTROL, HEADER, HEADER_SIZE, MalformedPacket
from srtpy.internal.packet.keymaterial import EVEN_KEY, KeyMaterial, KeyState, decode_state, encode_state
from srtpy.internal.packet.losses import decode_losses, encode_losses
from tests.vectors import vectors

KEY = KeyMaterial(EVEN_KEY, 2, bytes(16), bytes(24)).encode()
SETTINGS = SrtExtension(0x010503, 0xBF, 120, 0).encode()
BLOCKS = (Extension(1, SETTINGS), Extension(3, KEY), Extension(5, encode_text("live/one")), Extension(0xBD01, bytes(8)))
GREETING = Handshake(
    version=5, extension=7, isn=7, mss=1500, flow_window=8192, kind=-1, socket_id=9, cookie=1, extensions=BLOCKS
).encode()


@dataclass(frozen=True)
class Decoder:
    """A decoder, its inverse, and something valid to begin damaging."""

    decode: Callable[[bytes], Any]
    encode: Callable[[Any], bytes]
    seeds: tuple[bytes, ...]
    is_exact: bool = True
    """Whether every bit means something; where some do not, they need not come back."""


def _joined_losses(ranges: list[tuple[int, int]]) -> bytes:
    return b"".join(encode_losses(ranges, 1 << 16))


DECODERS = {
    "Ack": Decoder(Ack.decode, Ack.encode, (Ack(1).encode(), Ack(1, 2, 3, 4, 5, 6, 7).encode())),
    "DropRequest": Decoder(DropRequest.decode, DropRequest.encode, (DropRequest(1, 9).encode(),)),
    "decode_losses": Decoder(decode_losses, _joined_losses, (_joined_losses([(1, 1), (4, 9)]),), is_exact=False),
    "Handshake": Decoder(Handshake.decode, Handshake.encode, (GREETING, GREETING[:HANDSHAKE_SIZE])),
    "decode_extensions": Decoder(decode_extensions, encode_extensions, (encode_extensions(BLOCKS), b"")),
    "SrtExtension": Decoder(SrtExtension.decode, SrtExtension.encode, (SETTINGS,), is_exact=False),
    "GroupExtension": Decoder(
        GroupExtension.decode, GroupExtension.encode, (GroupExtension(0x40001234, 1, 0, 1).encode(),), is_exact=False
    ),
    "decode_text": Decoder(
        decode_text, encode_text, (encode_text("#!::u=me,r=caf\u00e9"), bytes(LONGEST_STREAM_ID)), is_exact=False
    ),
    "KeyMaterial": Decoder(KeyMaterial.decode, KeyMaterial.encode, (KEY,), is_exact=False),
    "decode_state": Decoder(decode_state, encode_state, (encode_state(KeyState.BAD_SECRET),)),
}


def names_of_decoders() -> set[str]:
    """Return the names of everything in the room that decodes."""
    found = set()
    for module_info in pkgutil.iter_modules(srtpy.internal.packet.__path__):
        module = import_module(f"srtpy.internal.packet.{module_info.name}")
        for name, thing in vars(module).items():
            if getattr(thing, "__module__", None) != module.__name__:
                continue
            if (inspect.isclass(thing) and hasattr(thing, "decode")) or name.lstrip("_").startswith("decode"):
                found.add(name)
    return found


def test_every_decoder_is_fuzzed() -> None:
    assert names_of_decoders() == set(DECODERS)


def check(decoder: Decoder, body: bytes) -> None:
    try:
        value = decoder.decode(body)
    except MalformedPacket:
        return
    again = decoder.encode(value)
    if decoder.is_exact:
        assert again == body
    else:  # some of the bytes mean nothing: what is left must be stable and never longer
        assert decoder.decode(again) == value
        assert decoder.encode(decoder.decode(again)) == again
        assert len(again) <= len(body)


def damaged(seeds: tuple[bytes, ...]) -> st.SearchStrategy[bytes]:
    """Return valid bytes with some changed, the end cut off, something put in or added."""

    def damage(seed: bytes, changes: list[tuple[int, int]], cut: int, more: bytes) -> bytes:
        body = bytearray(seed[: len(seed) - cut % (len(seed) + 1)] + more)
        for position, value in changes:
            if body:
                body[position % len(body)] = value
        return bytes(body)

    byte = st.sampled_from([0, 1, 0x7F, 0x80, 0xFF]) | st.integers(0, 255)
    changes = st.lists(st.tuples(st.integers(0, 200), byte), max_size=4)
    return st.builds(damage, st.sampled_from(seeds), changes, st.just(0) | st.integers(0, 200), st.binary(max_size=20))


@pytest.mark.parametrize("name", sorted(DECODERS))
@given(data=st.data())
def test_garbage_and_damage(name: str, data: st.DataObject) -> None:
    decoder = DECODERS[name]
    check(decoder, data.draw(damaged(decoder.seeds) | st.binary(max_size=100)))


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_every_length_of_the_same_byte(name: str) -> None:
    for byte in (b"\x00", b"\x01", b"\x7f", b"\x80", b"\xff"):
        for size in [*range(130), 511, 512, 513, 1456]:
            check(DECODERS[name], byte * size)


@pytest.mark.parametrize("name", sorted(DECODERS))
def test_packets_meant_for_other_decoders(name: str) -> None:
    kinds = ("control_packet", "packet_header", "handshake_cif", "ack_cif", "nak_cif", "km_message", "streamid_wire")
    for kind in kinds:
        for vector in vectors(kind):
            packet = bytes.fromhex(vector["hex"])
            for start in (0, HEADER_SIZE, HEADER_SIZE + HANDSHAKE_SIZE):
                check(DECODERS[name], packet[start:])


@given(st.binary(max_size=200), st.integers(0, 100) | st.none())
@example(b"", None)
@example(b"", 0)
@example(bytes(HEADER_SIZE), HEADER_SIZE)
def test_reads_of_a_socket(data: bytes, stride: int | None) -> None:
    try:
        batch = Batch(data, stride)
    except MalformedPacket:
        return
    assert batch.count == len(batch.headers) == len(batch.payloads()) >= 1
    assert b"".join(batch.datagram(index) for index in range(batch.count)) == data
    made = [HEADER.pack(*row) + payload for row, payload in zip(batch.headers, batch.payloads(), strict=True)]
    assert b"".join(made) == data
    pieces = list(batch.pieces())
    assert b"".join(piece.data for piece in pieces) == data
    assert all(piece.count == 1 for piece in pieces if piece.headers[0][0] >= CONTROL)
