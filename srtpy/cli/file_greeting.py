"""The first words of a connection: who speaks our conversation, and who just sends a file.

Lives here: the receiver's greeting, the sender's answer to it, telling that answer from the bytes of a file, the
veil over what the receiver says.
Never here: what is said afterwards (file_words.py), what to do with a peer that does not speak (file.py).

srt-file-transmit sends a file's bytes and nothing else, and what it receives it stores.  So the receiver speaks
first: a sender that knows no greeting reads nothing and never notices.  A sender that hears no greeting sends
bare bytes.  What it says to a greeting begins with the greeting itself, which no file can contain by chance.

With AES-CTR both directions of a connection are under the same keystream, packet for packet: whoever listens has
the difference of what the two sides say.  So the receiver says nothing that could be guessed.  Its greeting is a
random number and a check of it, the sender begins with the same bytes, and that number, which the difference does
not show, veils everything the receiver says afterwards.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from struct import Struct
from typing import Final

from srtpy.cli.file_words import MalformedFrame

NONCE: Final = 16  # bytes of a random number
CHECK: Final = 8  # bytes that show it to be a greeting
MOST_FILES: Final = 1 << 24
VERSION: Final = 1

_HELLO: Final = NONCE + CHECK
_OPENING: Final = Struct(">B?2x16sIIQ")
_BLOCK: Final = 32


class NotGreeted(ValueError):
    """The other side sends something that is no greeting; the text says what it may be."""


def hello(nonce: bytes) -> bytes:
    """Return the receiver's greeting."""
    return nonce + hashlib.sha256(b"srtpy file recv\0" + nonce).digest()[:CHECK]


def _is_hello(heard: bytes) -> bool:
    return len(heard) >= _HELLO and heard[:_HELLO] == hello(heard[:NONCE])


class Veil:
    """Makes what the receiver says look random to whoever does not know the greeting; twice is not at all."""

    def __init__(self, nonce: bytes) -> None:
        self._key = hashlib.sha256(b"srtpy file veil\0" + nonce).digest()
        self._count = 0
        self._stream = b""

    def over(self, data: bytes) -> bytes:
        """Return the next bytes with the veil over them, or taken away."""
        while len(self._stream) < len(data):
            self._stream += hashlib.sha256(self._key + self._count.to_bytes(8)).digest()
            self._count += 1
        veil, self._stream = self._stream[: len(data)], self._stream[len(data) :]
        return (int.from_bytes(data) ^ int.from_bytes(veil)).to_bytes(len(data))


class HelloReader:
    """The sender's ear for a greeting.

    Attributes:
        nonce: the receiver's random number; empty until it has greeted.
    """

    def __init__(self) -> None:
        self.nonce = b""
        self._heard = b""

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; return what comes after the greeting.

        Raises:
            NotGreeted: it is something else.
        """
        if self.nonce:
            return data
        self._heard += data
        if len(self._heard) < _HELLO:
            return b""
        if not _is_hello(self._heard):
            raise NotGreeted("the other side sends, too, or is another program: it has to be `srtpy file recv`")
        self.nonce = self._heard[:NONCE]
        return self._heard[_HELLO:]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a sender says first.

    Attributes:
        is_single: it sends one file, which may get another name here.
        transfer: the same in every connection of one transfer.
        count: how many files and folders there are.
        left: how many of them are not settled yet.
        size: bytes of those.
    """

    is_single: bool
    transfer: bytes
    count: int
    left: int
    size: int

    def encode(self, nonce: bytes) -> bytes:
        """Return it as the answer to a greeting."""
        return hello(nonce) + _OPENING.pack(VERSION, self.is_single, self.transfer, self.count, self.left, self.size)


class OpeningReader:
    """The receiver's ear: is it an answer to our greeting, or a file?

    Attributes:
        opening: what the sender said, once it is known to speak.
        is_bare: the sender knows nothing of a conversation: all it sends is a file.
    """

    def __init__(self, nonce: bytes) -> None:
        self.opening: Opening | None = None
        self.is_bare = False
        self._hello = hello(nonce)
        self._heard = b""

    def feed(self, data: bytes) -> bytes:
        """Take what arrived; return what comes after the opening, or of a bare file all there is.

        Raises:
            NotGreeted: the other side receives, too.
            MalformedFrame: it answers our greeting, with something else than an opening.
        """
        if self.is_bare or self.opening is not None:
            return data
        self._heard += data
        if len(self._heard) < _HELLO:
            return b""
        if not self._heard.startswith(self._hello):
            if _is_hello(self._heard):
                raise NotGreeted("the other side receives, too: one of the two has to be `srtpy file send`")
            self.is_bare = True
            return self._heard
        if len(self._heard) < _HELLO + _OPENING.size:
            return b""
        self.opening = _opening(self._heard[_HELLO : _HELLO + _OPENING.size])
        return self._heard[_HELLO + _OPENING.size :]

    def end(self) -> bytes:
        """Return what was heard until the other side fell silent, which was then a short bare file."""
        self.is_bare = self.opening is None and not self._heard.startswith(self._hello)
        return self._heard if self.is_bare else b""


def _opening(data: bytes) -> Opening:
    version, is_single, transfer, count, left, size = _OPENING.unpack(data)
    if version != VERSION:
        raise MalformedFrame(f"the sender speaks version {version} of the conversation, here it is {VERSION}")
    if not 0 < count <= MOST_FILES or left > count or (is_single and count != 1):
        raise MalformedFrame(f"a transfer of {count} files, {left} of them left")
    return Opening(is_single, transfer, count, left, size)
