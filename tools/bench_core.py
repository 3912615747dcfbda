"""What a packet costs inside the protocol: two connections in virtual time, no sockets, no threads.

Run `python tools/bench_core.py` before and after a change on the data path, and put both in the commit.
Prints microseconds of processor time a packet for the sending and the receiving connection, by batch
size and by loss, in clear or (`--cipher ctr`, `--cipher gcm`) encrypted.  The figures are of this
machine at this moment: compare them with each other only.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from srtpy.config import Config  # noqa: E402 - the tool runs from anywhere
from srtpy.fields import CryptoMode  # noqa: E402
from srtpy.internal.clock.units import Micros  # noqa: E402
from srtpy.internal.core.agreeing import fitted, terms_of  # noqa: E402
from srtpy.internal.core.connection import Connection  # noqa: E402
from srtpy.internal.crypto.exchange import Answer, Keying, offer, respond  # noqa: E402
from srtpy.internal.packet.batch import Batch  # noqa: E402
from tests.sim.pair import Birth, agreed  # noqa: E402

PAYLOAD = bytes(1316)
CIPHERS = {"": CryptoMode.AUTO, "ctr": CryptoMode.CTR, "gcm": CryptoMode.GCM}
PACKET_EVERY: Micros = 12  # virtual microseconds between packets: about 880 Mbit/s
DELAY: Micros = 100


class Bench:
    """Two connections joined by nothing but function calls, each side timed apart."""

    def __init__(self, batch: int, loss: float, keying: Keying) -> None:
        config = Config(max_bw=-1, fc=25600, recv_buf_size=25600, send_buf_size=25600)
        birth = Birth(config=config)
        caller, listener = agreed(birth, DELAY)
        self._skew = birth.peer_clock.local(0) - birth.clock.local(0)
        self._now = birth.clock.local(0)
        self._sender, self._receiver = (
            Connection(fitted(half, keying), config, now, keying=keying, entropy=random.randbytes)
            for half, now in ((caller, self._now), (listener, self._now + self._skew))
        )
        self._messages = [PAYLOAD] * batch
        self._loss = loss
        self._chance = random.Random(batch)
        self.sending = self.receiving = 0.0
        self.packets = self.read = 0

    def run(self, packets: int) -> None:
        """Send this many new packets."""
        self.sending = self.receiving = 0.0
        self.packets = self.read = 0
        while self.packets < packets:
            self._now += PACKET_EVERY * len(self._messages)
            self._step()

    def _step(self) -> None:
        clock, now = time.perf_counter, self._now
        began = clock()
        self.packets += self._sender.write_many(self._messages, now)
        if self._sender.next_deadline() <= now:
            self._sender.handle_timer(now)
        datagrams = self._sender.datagrams_to_send(now)
        sent = clock()
        self.sending += sent - began
        data = [head + body for head, body in datagrams if self._chance.random() >= self._loss]
        runs = self._runs(data)
        began = clock()
        local = now + self._skew
        for run, stride in runs:
            self._receiver.receive_datagrams(Batch(run, stride), local)
        if self._receiver.next_deadline() <= local:
            self._receiver.handle_timer(local)
        if self._receiver.delivery_due() <= local:
            self._receiver.release(local)
        messages = self._receiver.messages
        while messages:
            messages.popleft()
            self.read += 1
        answers = self._receiver.datagrams_to_send(local)
        heard = clock()
        self.receiving += heard - began
        for head, body in answers:
            self._sender.receive_datagrams(Batch(head + body), now)
        self.sending += clock() - heard

    def _runs(self, data: list[bytes]) -> list[tuple[bytes, int]]:
        """Join datagrams of one size, as a read with GRO brings them."""
        size = max(map(len, data), default=0)
        full = b"".join([each for each in data if len(each) == size])
        rest = [(each, len(each)) for each in data if len(each) != size]
        return ([(full, size)] if full else []) + rest


def keying_for(cipher: str) -> Keying:
    """Return what a handshake with this cipher comes to."""
    if not cipher:
        return Keying()
    terms = terms_of(Config(passphrase="what both ends know", crypto_mode=CIPHERS[cipher]))
    agreed = respond(terms, offer(terms, 16, random.randbytes).message, terms.version, random.randbytes)
    assert isinstance(agreed, Answer)
    return agreed.keying


def main() -> None:
    """Measure a few batch sizes and loss rates, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=60_000, help="packets a row (60000)")
    parser.add_argument("--cipher", choices=CIPHERS, default="", help="encrypt (no)")
    options = parser.parse_args()
    keying = keying_for(options.cipher)
    print(f"{'batch':>6} {'loss':>6} {'send us':>9} {'receive us':>11}")
    for batch, loss in ((1, 0.0), (2, 0.0), (4, 0.0), (8, 0.0), (16, 0.0), (32, 0.0), (32, 0.01), (32, 0.05)):
        bench = Bench(batch, loss, keying)
        bench.run(options.packets // 4)
        bench.run(options.packets)
        sending, receiving = (1e6 * spent / bench.packets for spent in (bench.sending, bench.receiving))
        print(f"{batch:>6} {loss:>6.0%} {sending:>9.2f} {receiving:>11.2f}")


if __name__ == "__main__":
    main()
