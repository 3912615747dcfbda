"""A one-way link of the virtual world: what becomes of a datagram on its way.

Lives here: delay, jitter, loss, duplicates, reordering, a bottleneck with a queue, black-outs,
and the hooks by which a story picks its victims.
Never here: who is at the ends and what the time is (world.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from random import Random

from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros

UDP_IP_HEADERS = 28
Victims = Callable[[int, bytes], bool]


class Link:
    """A seeded, lossy, one-way link.

    Args:
        delay: one-way delay.
        jitter: up to so much more, evenly spread; it never reorders.
        loss: the chance of each datagram to be lost.
        duplicate: the chance of each datagram to arrive twice, the copy a moment later.
        reorder: the chance of each datagram to be overtaken.
        reorder_by: how much later than its neighbours an overtaken one arrives.
        bandwidth: bytes a second of the bottleneck, UDP and IP headers included; 0 is endless.
        queue: bytes that may wait at the bottleneck; the rest is lost.
        black_outs: (from, until) in world time: everything in between is lost.
        drop: told the datagram's number on this link (from 0) and its bytes; True loses it.
        drop_indexes: numbers of datagrams to lose.
        tamper: told the number and the bytes; what it returns travels instead.
        seed: same seed, same fate; each datagram draws the same amount of chance whatever is switched on.
    """

    def __init__(
        self,
        delay: Micros = 10 * MILLISECOND,
        *,
        jitter: Micros = 0,
        loss: float = 0.0,
        duplicate: float = 0.0,
        reorder: float = 0.0,
        reorder_by: Micros = 5 * MILLISECOND,
        bandwidth: int = 0,
        queue: int = 1 << 18,
        black_outs: Iterable[tuple[Micros, Micros]] = (),
        drop: Victims | None = None,
        drop_indexes: Iterable[int] = (),
        tamper: Callable[[int, bytes], bytes] | None = None,
        seed: int = 1,
    ) -> None:
        self.delay, self.jitter = delay, jitter
        self.loss, self.duplicate = loss, duplicate
        self.reorder, self.reorder_by = reorder, reorder_by
        self.bandwidth, self.queue = bandwidth, queue
        self.black_outs = list(black_outs)
        self.drop = drop
        self.drop_indexes = set(drop_indexes)
        self.tamper = tamper
        self.carried = self.lost = self.duplicated = self.reordered = self.bytes = 0
        self._chance = Random(seed)
        self._free_at: Micros = 0
        self._last_arrival: Micros = 0

    def carry(self, datagram: bytes, now: Micros) -> list[tuple[Micros, bytes]]:
        """Return when, and as what, the datagram that leaves at `now` arrives: never, once or twice."""
        index = self.carried
        self.carried += 1
        self.bytes += len(datagram)
        lottery, copy, late, wobble = (self._chance.random() for _ in range(4))
        if self._is_lost(index, datagram, now, lottery) or not self._passes_bottleneck(len(datagram), now):
            self.lost += 1
            return []
        if self.tamper is not None:
            datagram = self.tamper(index, datagram)
        arrival = max(now, self._free_at) + self.delay + int(self.jitter * wobble)
        if late < self.reorder:
            self.reordered += 1
            arrival += self.reorder_by
        else:
            arrival = self._last_arrival = max(arrival, self._last_arrival)
        if copy >= self.duplicate:
            return [(arrival, datagram)]
        self.duplicated += 1
        return [(arrival, datagram), (arrival + MILLISECOND, datagram)]

    def _is_lost(self, index: int, datagram: bytes, now: Micros, lottery: float) -> bool:
        if lottery < self.loss or index in self.drop_indexes:
            return True
        if any(begin <= now < end for begin, end in self.black_outs):
            return True
        return self.drop is not None and self.drop(index, datagram)

    def _passes_bottleneck(self, size: int, now: Micros) -> bool:
        """Queue the datagram at the bottleneck; say whether it found room."""
        if not self.bandwidth:
            return True
        start = max(now, self._free_at)
        if (start - now) * self.bandwidth // SECOND > self.queue:
            return False
        self._free_at = start + (size + UDP_IP_HEADERS) * SECOND // self.bandwidth
        return True
