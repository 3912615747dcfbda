"""A set of sequence numbers, held as the ranges they form.

Lives here: `SequenceSet`: what is lost, what is to be sent again, what was given up.
Never here: why a number is in a set (core), one number's arithmetic (number.py), how
ranges look on the wire (packet/losses.py).
Draft: 3.2.5 "NAK (Negative Acknowledgement or Loss Report)", appendix A "Packet Sequence List Coding".

The circle is cut open where the set begins: the numbers inside are unrolled into plain
integers that keep growing past the wrap, so they are ordered and can be bisected.  Costs
follow the number of ranges, never how many numbers a range spans: a peer may name two
billion of them in eight bytes.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from srtpy.internal.seq.number import SEQ_HALF, SEQ_MASK, SequenceNumber


class SequenceSet:
    """Sequence numbers in order, all of them within half the circle of each other."""

    __slots__ = ("_count", "_firsts", "_lasts")

    def __init__(self) -> None:
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        """Return how many numbers there are (not ranges)."""
        return self._count

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def __contains__(self, seq: SequenceNumber) -> bool:
        place = self._place(seq)
        index = bisect_left(self._lasts, place)
        return index < len(self._firsts) and self._firsts[index] <= place

    def __repr__(self) -> str:
        return f"SequenceSet({self.ranges()})"

    def first(self) -> SequenceNumber:
        """Return the earliest number.

        Raises:
            IndexError: the set is empty.
        """
        return self._firsts[0] & SEQ_MASK

    def last(self) -> SequenceNumber:
        """Return the latest number.

        Raises:
            IndexError: the set is empty.
        """
        return self._lasts[-1] & SEQ_MASK

    def ranges(self) -> list[tuple[SequenceNumber, SequenceNumber]]:
        """Return the first and the last number of every range, in order."""
        return [(first & SEQ_MASK, last & SEQ_MASK) for first, last in zip(self._firsts, self._lasts, strict=True)]

    def within(self, first: SequenceNumber, last: SequenceNumber) -> list[tuple[SequenceNumber, SequenceNumber]]:
        """Return what there is from `first` to `last`, as ranges in order.

        Raises:
            ValueError: `last` precedes `first`.
        """
        low = self._place(first)
        high = low + self._steps(first, last)
        begin = bisect_left(self._lasts, low)
        end = bisect_right(self._firsts, high)
        pairs = zip(self._firsts[begin:end], self._lasts[begin:end], strict=True)
        return [(max(begins, low) & SEQ_MASK, min(ends, high) & SEQ_MASK) for begins, ends in pairs]

    def add(self, first: SequenceNumber, last: SequenceNumber) -> int:
        """Take in `first` to `last`, both included, and return how many of them are new.

        Raises:
            ValueError: `last` precedes `first`, or the set would span half the circle.
        """
        firsts, lasts = self._firsts, self._lasts
        low = self._place(first)
        high = low + self._steps(first, last)
        if firsts and max(high, lasts[-1]) - min(low, firsts[0]) >= SEQ_HALF:
            raise ValueError(f"{first} to {last} lies half the circle of sequence numbers away from {self.first()}")
        if not firsts or low > lasts[-1] + 1:
            firsts.append(low)
            lasts.append(high)
            new = high - low + 1
        else:
            new = self._merge(low, high)
        self._count += new
        return new

    def remove(self, first: SequenceNumber, last: SequenceNumber) -> int:
        """Take out `first` to `last`, both included, and return how many of them were there.

        Raises:
            ValueError: `last` precedes `first`.
        """
        low = self._place(first)
        gone = self._cut(low, low + self._steps(first, last))
        self._count -= gone
        return gone

    def discard_before(self, seq: SequenceNumber) -> int:
        """Take out every number that precedes `seq` and return how many that were."""
        if not self._firsts:
            return 0
        gone = self._cut(self._firsts[0], self._place(seq) - 1)
        self._count -= gone
        return gone

    def pop_first(self) -> SequenceNumber:
        """Take out the earliest number and return it.

        Raises:
            IndexError: the set is empty.
        """
        place = self._firsts[0]
        if place == self._lasts[0]:
            del self._firsts[0], self._lasts[0]
        else:
            self._firsts[0] = place + 1
        self._count -= 1
        return place & SEQ_MASK

    def clear(self) -> None:
        """Take out everything."""
        self._firsts.clear()
        self._lasts.clear()
        self._count = 0

    def _place(self, seq: SequenceNumber) -> int:
        """Return the unrolled integer for `seq`: the one nearest to where the set begins."""
        if not self._firsts:
            return seq
        origin = self._firsts[0]
        return origin + ((seq - origin + SEQ_HALF) & SEQ_MASK) - SEQ_HALF

    @staticmethod
    def _steps(first: SequenceNumber, last: SequenceNumber) -> int:
        steps = (last - first) & SEQ_MASK
        if steps >= SEQ_HALF:
            raise ValueError(f"a range of sequence numbers cannot end at {last} before it begins at {first}")
        return steps

    def _merge(self, low: int, high: int) -> int:
        """Put a range among the others, joining all it touches; return how many numbers are new."""
        firsts, lasts = self._firsts, self._lasts
        begin = bisect_left(lasts, low - 1)
        end = bisect_right(firsts, high + 1)
        known = sum(lasts[begin:end]) - sum(firsts[begin:end]) + end - begin
        if begin < end:
            low = min(low, firsts[begin])
            high = max(high, lasts[end - 1])
        firsts[begin:end] = (low,)
        lasts[begin:end] = (high,)
        return high - low + 1 - known

    def _cut(self, low: int, high: int) -> int:
        """Take a range out, keeping what sticks out of it on both sides; return how many numbers went."""
        firsts, lasts = self._firsts, self._lasts
        begin = bisect_left(lasts, low)
        end = bisect_right(firsts, high)
        if begin >= end:
            return 0
        met_first, met_last = firsts[begin], lasts[end - 1]
        met = sum(lasts[begin:end]) - sum(firsts[begin:end]) + end - begin
        kept = [(met_first, low - 1)] if met_first < low else []
        if met_last > high:
            kept.append((high + 1, met_last))
        firsts[begin:end] = [first for first, _ in kept]
        lasts[begin:end] = [last for _, last in kept]
        return met - sum(last - first + 1 for first, last in kept)
