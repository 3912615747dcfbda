"""How a NAK lists what is missing.

Lives here: packing ranges of sequence numbers into the words of loss reports, as many
reports as it takes, and reading a report back with nothing taken on trust.
Never here: which packets are missing (core), sets of ranges (seq/ranges.py), whether the
numbers were ever sent (core).
Draft: 3.2.5 "NAK (Negative Acknowledgement or Loss Report)", appendix A "Packet Sequence List Coding".
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Final

from srtpy.internal.packet.header import MalformedPacket
from srtpy.internal.seq.number import SEQ_HALF, SEQ_MASK, SequenceNumber

RANGE_FOLLOWS: Final = 1 << 31  # draft A "Packet Sequence List Coding": the first number of a range carries this bit
WORDS_OF_A_RANGE: Final = 2  # draft A "Packet Sequence List Coding"


def encode_losses(ranges: Iterable[tuple[SequenceNumber, SequenceNumber]], limit_words: int) -> list[bytes]:
    """Return the bodies of as many loss reports as it takes, none longer than `limit_words` words.

    Raises:
        ValueError: a range ends before it begins, or a range does not fit into a report.
    """
    if limit_words < WORDS_OF_A_RANGE:
        raise ValueError(f"a loss report of {limit_words} words cannot hold a range; it takes {WORDS_OF_A_RANGE}")
    bodies: list[bytes] = []
    words: list[int] = []
    for first, last in ranges:
        if ((last - first) & SEQ_MASK) >= SEQ_HALF:
            raise ValueError(f"a range of lost packets cannot end at {last} before it begins at {first}")
        entry = (first,) if first == last else (first | RANGE_FOLLOWS, last)
        if len(words) + len(entry) > limit_words:
            bodies.append(struct.pack(f">{len(words)}I", *words))
            words.clear()
        words.extend(entry)
    if words:
        bodies.append(struct.pack(f">{len(words)}I", *words))
    return bodies


def decode_losses(body: bytes) -> list[tuple[SequenceNumber, SequenceNumber]]:
    """Return the ranges a loss report names, in its order, a single number as a range of one.

    Raises:
        MalformedPacket: nothing is named, words are cut, or a range has no end or ends before it begins.
    """
    count, cut = divmod(len(body), 4)
    if cut or not count:
        raise MalformedPacket(f"a loss report of {len(body)} bytes is not a list of words")
    ranges: list[tuple[int, int]] = []
    words = iter(struct.unpack(f">{count}I", body))
    for word in words:
        first = last = word & SEQ_MASK
        if word & RANGE_FOLLOWS:
            last = next(words, RANGE_FOLLOWS)
            if last & RANGE_FOLLOWS:
                raise MalformedPacket(f"a loss report whose range from {first} has no end")
            if ((last - first) & SEQ_MASK) >= SEQ_HALF:
                raise MalformedPacket(f"a loss report whose range from {first} ends before it, at {last}")
        ranges.append((first, last))
    return ranges
