"""Damage: what a hostile or broken sender makes of packets that were once good.

Lives here: seeded random datagrams, and seeded changes of real ones.
Never here: where they are sent, and what must not come of it (the tests).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from random import Random

WORD = struct.Struct(">I")
HEADER = 16
CONTROL = 0x80000000
EDGES = (
    *(0, 1, 2, 31, 63, 1455, 1456, 8191, 8192, 0x7FFF, 0xFFFF, 1 << 20, 1 << 30, 0x7FFFFFFE, 0x7FFFFFFF),
    *(0x80000000, 0x80000001, 0xC0000000, 0xFFFFFFF0, 0xFFFFFFFF),
)
KINDS = (*range(10), 0x000B, 0x0FFF, 0x7FFE, 0x7FFF)
SIZES = (0, 1, 3, 4, 8, 12, 15, 16, 17, 20, 28, 44, 63, 64, 65, 300, 1316, 1456)


class Mutator:
    """Makes bad datagrams out of good ones; same seed, same damage."""

    def __init__(self, seed: int) -> None:
        self.chance = Random(seed)
        self._ways: tuple[Callable[[bytearray], bytearray], ...] = (
            self._flip,
            self._flip,
            self._set_word,
            self._set_word,
            self._nudge_word,
            self._nudge_word,
            self._retype,
            self._cut,
            self._grow,
            self._repeat_words,
        )

    def noise(self, destination: int | None = None) -> bytes:
        """Return random bytes; with a destination, a header that has it."""
        body = self.chance.randbytes(self.chance.choice(SIZES))
        if destination is None:
            return body
        kind = CONTROL | self.chance.choice(KINDS) << 16 if self.chance.random() < 0.7 else self.word()
        return struct.pack(">IIII", kind, self.word(), self.word(), destination) + body

    def mutated(self, good: Sequence[bytes], destination: int | None = None) -> bytes:
        """Return a damaged copy of one of these; with a destination, addressed to it."""
        datagram = bytearray(self.chance.choice(good))
        for _ in range(self.chance.randrange(1, 4)):
            datagram = self.chance.choice(self._ways)(datagram)
        if destination is not None and len(datagram) >= HEADER:
            datagram[12:16] = WORD.pack(destination)
        return bytes(datagram)

    def word(self) -> int:
        """Return a word: one at an edge, or any."""
        return self.chance.choice(EDGES) if self.chance.random() < 0.5 else self.chance.randrange(1 << 32)

    def _place(self, datagram: bytearray) -> int | None:
        """Return where a word begins, more often than not among the first twenty."""
        words = len(datagram) // 4
        if not words:
            return None
        return 4 * self.chance.randrange(min(words, 20) if self.chance.random() < 0.8 else words)

    def _flip(self, datagram: bytearray) -> bytearray:
        if datagram:
            datagram[self.chance.randrange(min(len(datagram), 80))] ^= 1 << self.chance.randrange(8)
        return datagram

    def _set_word(self, datagram: bytearray) -> bytearray:
        place = self._place(datagram)
        if place is not None:
            datagram[place : place + 4] = WORD.pack(self.word())
        return datagram

    def _nudge_word(self, datagram: bytearray) -> bytearray:
        """Move a number a little, or by a step that may leave a window."""
        place = self._place(datagram)
        if place is not None:
            step = self.chance.choice((1, 2, 16, 64, 1000, 8192, 100_000, 1 << 30)) * self.chance.choice((-1, 1))
            value = WORD.unpack_from(datagram, place)[0] + step
            datagram[place : place + 4] = WORD.pack(value & 0xFFFFFFFF)
        return datagram

    def _retype(self, datagram: bytearray) -> bytearray:
        datagram[:2] = struct.pack(">H", 0x8000 | self.chance.choice(KINDS))
        return datagram

    def _cut(self, datagram: bytearray) -> bytearray:
        return datagram[: self.chance.randrange(len(datagram) + 1)]

    def _grow(self, datagram: bytearray) -> bytearray:
        return datagram + self.chance.randbytes(self.chance.choice(SIZES))

    def _repeat_words(self, datagram: bytearray) -> bytearray:
        """Put the same word in many times, as a report that never ends."""
        place = self._place(datagram)
        if place is None:
            return datagram
        return datagram[:place] + datagram[place : place + 4] * self.chance.choice((2, 16, 350)) + datagram[place:]
