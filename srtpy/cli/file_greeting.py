"""The first words of a connection: who speaks our conversation, and who just sends a file.

Lives here: the receiver's greeting, the sender's answer to it, telling that answer from the bytes of a file.
Never here: what is said afterwards (file_words.py), what to do with a peer that does not speak (file.py).

srt-file-transmit sends a file's bytes and nothing else, and what it receives it stores.  So the receiver speaks
first: a sender that knows no greeting reads nothing and never notices.  A sender that hears no greeting sends
bare bytes.  What it says to a greeting begins with the greeting's nonce, which no file can contain by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct, error
from typing import Final

from srtpy.cli.file_words import MalformedFrame

VERSION: Final = 1
NONCE: Final = 16  # bytes
MOST_FILES: Final = 1 << 32

_HELLO: Final = Struct(">12sB3x16s")
_OPENING: Final = Struct(">12sB?2x16s16sQQ")
_HELLO_MAGIC: Final = b"\x8bsrtpy-recv\n"
_OPENING_MAGIC: Final = b"\x8bsrtpy-send\n"
_DECIDES: Final = _HELLO.size
"""So many bytes of an opening depend on the greeting alone."""


class NotGreeted(ValueError):
    """The other side sends something that is no greeting; the text says what it may be."""


def hello(nonce: bytes) -> bytes:
    """Return the receiver's greeting."""
    return _HELLO.pack(_HELLO_MAGIC, VERSION, nonce)


class HelloReader:
    """The sender's ear for a greeting.

    Attributes:
        nonce: what the receiver wants to hear again; empty until it has greeted.
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
        start = self._heard[: len(_HELLO_MAGIC)]
        if start != _HELLO_MAGIC[: len(start)]:
            raise NotGreeted("the other side sends, too: one of the two has to be `srtpy file recv`")
        if len(self._heard) < _HELLO.size:
            return b""
        _, version, self.nonce = _HELLO.unpack_from(self._heard)
        if not version:
            raise NotGreeted("the other side speaks version 0 of the conversation, which there is not")
        return self._heard[_HELLO.size :]


@dataclass(frozen=True, slots=True)
class Opening:
    """What a sender says first.

    Attributes:
        is_single: it sends one file, which may get another name here.
        transfer: the same in every connection of one transfer.
        count: how many files and folders there are.
        size: bytes of all files.
    """

    is_single: bool
    transfer: bytes
    count: int
    size: int

    def encode(self, nonce: bytes) -> bytes:
        """Return it as the answer to a greeting."""
        return _OPENING.pack(_OPENING_MAGIC, VERSION, self.is_single, nonce, self.transfer, self.count, self.size)


class OpeningReader:
    """The receiver's ear: is it an answer to our greeting, or a file?

    Attributes:
        opening: what the sender said, once it is known to speak.
        is_bare: the sender knows nothing of a conversation: all it sends is a file.
    """

    def __init__(self, nonce: bytes) -> None:
        self.opening: Opening | None = None
        self.is_bare = False
        self._nonce = nonce
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
        if self._heard.startswith(_HELLO_MAGIC):
            raise NotGreeted("the other side receives, too: one of the two has to be `srtpy file send`")
        if not (self._may_answer(self._heard) or _HELLO_MAGIC.startswith(self._heard)):
            self.is_bare = True
            return self._heard
        if len(self._heard) < _OPENING.size:
            return b""
        self.opening = _opening(self._heard[: _OPENING.size])
        return self._heard[_OPENING.size :]

    def end(self) -> bytes:
        """Return what was heard until the other side fell silent, which was then a short bare file."""
        is_answer = len(self._heard) >= _DECIDES and self._may_answer(self._heard)
        self.is_bare = self.opening is None and not is_answer
        return self._heard if self.is_bare else b""

    def _may_answer(self, heard: bytes) -> bool:
        magic, nonce = heard[:12], heard[_DECIDES - NONCE : _DECIDES]
        return _OPENING_MAGIC.startswith(magic) and self._nonce.startswith(nonce)


def _opening(data: bytes) -> Opening:
    try:
        _, version, is_single, _, transfer, count, size = _OPENING.unpack(data)
    except error as reason:
        raise MalformedFrame(str(reason)) from None
    if version != VERSION:
        raise MalformedFrame(f"the sender speaks version {version} of the conversation, here it is {VERSION}")
    if count >= MOST_FILES or (is_single and count != 1):
        raise MalformedFrame(f"a transfer of {count} files")
    return Opening(is_single, transfer, count, size)
