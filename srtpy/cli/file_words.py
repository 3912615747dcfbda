"""The words of a file transfer between two `srtpy file`: their layouts and their limits.

Lives here: frames as values, written and read; what is too long or unknown is `MalformedFrame`.
Never here: the first words of a connection (file_greeting.py), who says what when
(file_sending.py, file_receiving.py), whether a name is safe (file_names.py).

A frame is a byte for its kind, four for the length of its body, and the body; numbers are big-endian.  Only DATA
may be long, and it is handed on as it comes: nobody can make us hold more than `LONGEST_BODY`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from struct import Struct, error
from typing import ClassVar, Final, Self

LONGEST_NAME: Final = 4096  # bytes; what a path may have on Linux
LONGEST_BODY: Final = 64 + LONGEST_NAME
LONGEST_DATA: Final = 1 << 20
LARGEST_FILE: Final = (1 << 63) - 1
DATA: Final = 4
"""The kind of a frame that holds a piece of a file."""

_HEAD: Final = Struct(">BI")


class MalformedFrame(ValueError):
    """The other side said something that this conversation does not have."""


class Kind(IntEnum):
    """What an offered thing is."""

    FILE = 0
    FOLDER = 1


class Verdict(IntEnum):
    """What the receiver says to an offer, or of a file at its end."""

    WELCOME = 0  # send it; some may be here already
    COMPARE = 1  # a file of that size is here already, and will not be replaced
    REPLACE = 2  # a file of that size is here already, and may be replaced
    WHOLE = 16  # it is here
    DIFFERS = 17  # what arrived has another digest than what was sent
    EXISTS = 32  # refused from here on
    NAME = 33
    IN_THE_WAY = 34
    BUSY = 35
    DENIED = 36
    NO_ROOM = 48  # the receiver's disk
    DISK = 49


class Rest(IntEnum):
    """What the receiver is to do with what it has of a file that is not sent to its end."""

    DISCARD = 0
    KEEP = 1


class Word:
    """A frame's body as a value: numbers in a fixed layout."""

    __slots__ = ()
    LAYOUT: ClassVar[Struct] = Struct("")
    CHOICES: ClassVar[Mapping[int, type[IntEnum]]] = {}

    def encode(self) -> bytes:
        """Return the body."""
        names: Sequence[str] = self.__slots__
        return self.LAYOUT.pack(*[getattr(self, name) for name in names])

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body.

        Raises:
            MalformedFrame: it is none of this kind.
        """
        try:
            values = list(cls.LAYOUT.unpack(body))
            for place, choice in cls.CHOICES.items():
                values[place] = choice(values[place])
        except (error, ValueError) as reason:
            raise MalformedFrame(f"{cls.__name__}: {reason}") from None
        return cls(*values)


@dataclass(frozen=True, slots=True)
class Offer(Word):
    """Sender: there is this file, or folder; do you want it?"""

    LAYOUT = Struct(">IBHQq")
    CHOICES = {1: Kind}  # noqa: RUF012
    index: int
    kind: Kind
    mode: int
    size: int
    mtime: int
    name: bytes = b""

    def encode(self) -> bytes:
        """Return the body."""
        return self.LAYOUT.pack(self.index, self.kind, self.mode, self.size, self.mtime) + self.name

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """Read a body; raises `MalformedFrame`."""
        fixed, name = body[: cls.LAYOUT.size], body[cls.LAYOUT.size :]
        found = super(Offer, cls).decode(fixed)
        if not 1 <= len(name) <= LONGEST_NAME or found.size > LARGEST_FILE or (found.kind and found.size):
            raise MalformedFrame(f"an offer of {found.size} bytes with a name of {len(name)}")
        return cls(found.index, found.kind, found.mode, found.size, found.mtime, name)


@dataclass(frozen=True, slots=True)
class Start(Word):
    """Sender: the data of this file follows, from that offset on."""

    LAYOUT = Struct(">IQ")
    index: int
    offset: int


@dataclass(frozen=True, slots=True)
class End(Word):
    """Sender: that was all of it; the SHA-256 is of the file from its first byte on."""

    LAYOUT = Struct(">IQ32s")
    index: int
    size: int
    digest: bytes


@dataclass(frozen=True, slots=True)
class Leave(Word):
    """Sender: no more of this file."""

    LAYOUT = Struct(">IB")
    CHOICES = {1: Rest}  # noqa: RUF012
    index: int
    rest: Rest


@dataclass(frozen=True, slots=True)
class Same(Word):
    """Sender: the file you have is the file I have."""

    LAYOUT = Struct(">I")
    index: int


@dataclass(frozen=True, slots=True)
class Answer(Word):
    """Receiver: what is to become of an offer; of what is here already, how much and its SHA-256."""

    LAYOUT = Struct(">IBQ32s")
    CHOICES = {1: Verdict}  # noqa: RUF012
    index: int
    verdict: Verdict
    have: int = 0
    digest: bytes = field(default=bytes(32))


@dataclass(frozen=True, slots=True)
class Done(Word):
    """Receiver: what has become of it."""

    LAYOUT = Struct(">IB")
    CHOICES = {1: Verdict}  # noqa: RUF012
    index: int
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class Farewell(Word):
    """Sender: that was everything.  Receiver: so it was."""


FROM_SENDER: Final[Mapping[int, type[Word]]] = {1: Offer, 2: Start, 3: End, 5: Leave, 6: Same, 7: Farewell}
FROM_RECEIVER: Final[Mapping[int, type[Word]]] = {7: Farewell, 16: Answer, 17: Done}
_NUMBERS: Final = {kind: number for number, kind in (*FROM_SENDER.items(), *FROM_RECEIVER.items())}


def frame(word: Word) -> bytes:
    """Return a word as it is sent."""
    body = word.encode()
    return _HEAD.pack(_NUMBERS[type(word)], len(body)) + body


def data_frame(piece: bytes) -> bytes:
    """Return a piece of a file as it is sent."""
    return _HEAD.pack(DATA, len(piece)) + piece


class FrameReader:
    """Takes what arrives apart into words, and pieces of files as `bytes`.

    Args:
        kinds: the words the other side has, by number.
        has_data: whether it sends pieces of files.
    """

    def __init__(self, kinds: Mapping[int, type[Word]], *, has_data: bool) -> None:
        self._kinds = kinds
        self._has_data = has_data
        self._rest = b""
        self._data_left = 0  # bytes of a piece that are still to come

    def feed(self, data: bytes) -> Iterator[Word | bytes]:
        """Yield what is complete, in order; pieces of files are passed on however they are cut.

        Raises:
            MalformedFrame: the other side does not keep to the layouts; nothing after it can be read.
        """
        data, at = self._rest + data, 0
        self._rest = b""
        while at < len(data):
            if self._data_left:
                piece = data[at : at + self._data_left]
                self._data_left -= len(piece)
                at += len(piece)
                yield piece
                continue
            if len(data) - at < _HEAD.size:
                break
            number, size = _HEAD.unpack_from(data, at)
            self._check(number, size)
            if number == DATA:
                self._data_left = size
                at += _HEAD.size
                continue
            if len(data) - at < _HEAD.size + size:
                break
            body = data[at + _HEAD.size : at + _HEAD.size + size]
            at += _HEAD.size + size
            yield self._kinds[number].decode(body)
        self._rest = data[at:]

    def _check(self, number: int, size: int) -> None:
        if number == DATA and self._has_data:
            if size > LONGEST_DATA:
                raise MalformedFrame(f"a piece of {size} bytes; {LONGEST_DATA} is the most")
        elif number not in self._kinds:
            raise MalformedFrame(f"kind {number} is unknown here")
        elif size > LONGEST_BODY:
            raise MalformedFrame(f"a word of {size} bytes; {LONGEST_BODY} is the most")
