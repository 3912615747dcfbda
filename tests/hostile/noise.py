"""A process that shouts at a listener: random datagrams, and real ones with damage, from many addresses.

Lives here: what is sent, how fast, from where; a process of its own, so that it takes nobody's interpreter.
Never here: damage (mutation.py), what must come of it (test_noise.py).

Run `python -m tests.hostile.noise`, give it one line of JSON (the fields of `Order`), and it prints
how many datagrams it has sent when it is done.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from srtpy.internal.packet.handshake import Handshake
from srtpy.internal.packet.header import HEADER_SIZE
from tests.hostile.mutation import WORD, Mutator
from tests.hostile.peers import Stranger, strangers
from tests.internal.handshake.doorman import induction, packet

ROOT = Path(__file__).resolve().parents[2]
BEAT = 0.005
COOKIE_AT = HEADER_SIZE + 28
SOURCES = 40
KNOWN_HERE = 8
"""So many of the sources ask for a cookie and put it into what they send."""


@dataclass(frozen=True)
class Order:
    """What to do.

    Attributes:
        port: where the listener is.
        ids: socket ids of connections there.
        good: captured datagrams, in hexadecimal.
        seed: of everything random.
        rate: datagrams a second.
        seconds: for how long.
    """

    port: int
    ids: list[int]
    good: list[str]
    seed: int
    rate: int
    seconds: float


class Shouter:
    """Sends noise from many sockets."""

    def __init__(self, order: Order, sources: Sequence[Stranger]) -> None:
        self._order = order
        self._sources = sources
        self._mutator = Mutator(order.seed)
        self._good = [bytes.fromhex(one) for one in order.good]
        self._handshakes = [one for one in self._good if one[:2] == b"\x80\0"]
        self._cookies: dict[Stranger, bytes] = {}
        self.sent = 0

    def run(self) -> None:
        """Shout until the time is up."""
        begun = time.monotonic()
        while (now := time.monotonic()) < begun + self._order.seconds:
            for _ in range(min(int((now - begun) * self._order.rate) - self.sent, 500)):
                self._shout()
            self._listen()
            time.sleep(BEAT)

    def _shout(self) -> None:
        mutator = self._mutator
        source = mutator.chance.choice(self._sources)
        lot = mutator.chance.random()
        if source in self._cookies and lot < 0.3:
            datagram = mutator.mutated(self._handshakes, 0)
            if len(datagram) >= COOKIE_AT + 4:
                datagram = datagram[:COOKIE_AT] + self._cookies[source] + datagram[COOKIE_AT + 4 :]
        elif lot < 0.3:
            datagram = mutator.noise(mutator.chance.choice((None, 0, *self._order.ids)))
        else:
            datagram = mutator.mutated(self._good, self._destination())
        source.send(datagram)
        self.sent += 1

    def _destination(self) -> int | None:
        chance = self._mutator.chance
        return chance.choice((None, 0, chance.randrange(1 << 30), *self._order.ids))

    def _listen(self) -> None:
        """Ask for cookies and read them, now and then; what else is answered is not read."""
        source = self._mutator.chance.choice(self._sources[:KNOWN_HERE])
        for heard in source.heard():
            if len(heard) == 64 and heard[:2] == b"\x80\0" and heard[16:24] == bytes.fromhex("0000000500004a17"):
                self._cookies[source] = WORD.pack(Handshake.decode(heard[HEADER_SIZE:]).cookie)
        source.send(packet(induction()).data)


@contextmanager
def shouting(order: Order) -> Iterator[Callable[[], int]]:
    """Have a process carry out an order; the function given waits for it and returns how many datagrams it sent."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.hostile.noise"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None
    process.stdin.write(json.dumps(asdict(order)) + "\n")
    process.stdin.flush()
    try:
        yield lambda: int(process.communicate(timeout=order.seconds + 30)[0])
    finally:
        process.kill()
        process.communicate()


def main() -> None:
    """Carry out the order on standard input."""
    order = Order(**json.loads(sys.stdin.readline()))
    with ExitStack() as stack:
        shouter = Shouter(order, stack.enter_context(strangers(("127.0.0.1", order.port), SOURCES)))
        shouter.run()
    sys.stdout.write(f"{shouter.sent}\n")


if __name__ == "__main__":
    main()
