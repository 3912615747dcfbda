"""A bad network on loopback, for the demonstration: loses and delays datagrams by a seed.

Lives here: one client's datagrams forwarded to one target and back, in a thread.
Never here: what the datagrams are.
"""

from __future__ import annotations

import heapq
import random
import select
import socket
import threading
import time
from types import TracebackType
from typing import Final, Self

READ_LIMIT: Final = 256  # datagrams of one side before the other gets its turn
LARGEST_DATAGRAM: Final = 65_535
KERNEL_BUFFER: Final = 4 << 20
Address = tuple[str, int]


class LossyRelay:
    """Forwards UDP between whoever calls its `address` and a target, badly.

    Args:
        target: where datagrams go.
        loss: the chance that a datagram disappears, in each direction.
        delay: seconds each datagram takes, in each direction.
        seed: the same seed loses the same datagrams.
    """

    def __init__(self, target: Address, *, loss: float, delay: float, seed: int = 1) -> None:
        self.lost = self.forwarded = 0
        self._loss, self._delay = loss, delay
        self._chance = random.Random(seed)
        self._target: Address = target
        self._client: Address | None = None
        self._front, self._back, self._wake, self._stop = _udp(), _udp(), *socket.socketpair()
        self.address: Address = self._front.getsockname()
        self._flying: list[tuple[float, int, bytes, bool]] = []
        self._thread = threading.Thread(target=self._run, name="srt-demo-network", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.send(b"x")
        self._thread.join(2)
        for opened in (self._front, self._back, self._wake, self._stop):
            opened.close()

    def _run(self) -> None:
        sides = {self._front.fileno(): True, self._back.fileno(): False}
        poll = select.poll()
        for number in (*sides, self._wake.fileno()):
            poll.register(number, select.POLLIN)
        while True:
            wait = None if not self._flying else max(0.0, self._flying[0][0] - time.monotonic()) * 1000
            for number, _ in poll.poll(wait):
                if number not in sides:
                    return
                self._take(sides[number])
            self._deliver()

    def _take(self, is_forth: bool) -> None:
        """Read what waits on one side; lose some, delay the rest."""
        source = self._front if is_forth else self._back
        for _ in range(READ_LIMIT):
            try:
                data, sender = source.recvfrom(LARGEST_DATAGRAM, socket.MSG_DONTWAIT)
            except OSError:
                return
            if is_forth:
                self._client = sender
            if self._chance.random() < self._loss:
                self.lost += 1
            else:
                self.forwarded += 1
                arrival = time.monotonic() + self._delay
                heapq.heappush(self._flying, (arrival, self.forwarded, data, is_forth))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._flying and self._flying[0][0] <= now:
            _, _, data, is_forth = heapq.heappop(self._flying)
            exit_, goal = (self._back, self._target) if is_forth else (self._front, self._client)
            if goal is not None:
                try:
                    exit_.sendto(data, socket.MSG_DONTWAIT, goal)
                except OSError:
                    self.lost += 1


def _udp() -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BUFFER)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
    opened.bind(("127.0.0.1", 0))
    return opened
