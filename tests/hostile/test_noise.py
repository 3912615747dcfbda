"""A minute of random and damaged datagrams into a busy listener changes nothing for its streams.

Three sources of noise: a process that shouts from forty addresses, with the right socket ids among others,
some of it with cookies of its own; the callers' own addresses, with other ids; and the callers' and the listener's
own addresses with the right ids, but only with what is to be ignored: whoever is on the path and says more can do
harm, and SRT has no remedy for that.
"""

from __future__ import annotations

import contextlib
import logging
import statistics
import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

import srtpy
from srtpy.internal.mux.mux import Mux
from srtpy.internal.packet.header import pack_control_header
from tests.hostile import noise
from tests.hostile.mutation import Mutator
from tests.hostile.peers import Footprint, Stream, streams
from tests.hostile.test_packets import ATTACKS
from tests.internal.session.fakes import until
from tests.tools.udp_proxy import UdpProxy

LATENCY = 1.0
STREAMS = 6
RATE = 190.0  # messages a second each: 2 Mbit/s
NOISE = 8_000  # datagrams a second


def captured(listener: srtpy.Listener) -> list[bytes]:
    """Return what a caller really sends: handshakes, data, resends, acknowledgements, a shutdown."""
    with UdpProxy() as proxy:
        proxy.tap = []
        port = proxy.add_route(("127.0.0.1", listener.local_addr[1]))[1]
        with srtpy.dial(("127.0.0.1", port), latency=0.05, stream_id="live/one") as source, listener.accept() as sink:
            for number in range(200):
                for end in (source, sink):
                    end.write(bytes([number]) * 300)
            until(lambda: source.stats().recv_unique_packets == 200)
            source.send_keep_alive()
            source.send_peer_error()
        until(lambda: any(datagram[:2] == b"\x80\x05" for _, _, datagram in list(proxy.tap or ())))
        control = [datagram for _, _, datagram in proxy.tap if datagram[0] & 0x80]
        data = [datagram for _, _, datagram in proxy.tap if not datagram[0] & 0x80]
    return control[:150] + data[:50]


class Insider(threading.Thread):
    """Noise from addresses that connections know."""

    def __init__(self, running: list[Stream], good: list[bytes], seed: int) -> None:
        super().__init__(name="insider", daemon=True)
        self._running = running
        self._good = good
        self._mutator = Mutator(seed)
        self.ends = threading.Event()
        self.sent = 0

    def run(self) -> None:
        while not self.ends.wait(0.01):
            chance = self._mutator.chance
            stream = chance.choice(self._running)
            here, there = chance.choice(((stream.source, stream.sink), (stream.sink, stream.source)))
            others = [one.socket_id for other in self._running if other is not stream for one in other.ends]
            self._say(here, self._mutator.mutated(self._good, chance.choice((0, chance.randrange(1 << 30), *others))))
            attack, _ = chance.choice(list(ATTACKS.values()))
            for kind, information, body in chance.sample(attack(there), 2):
                if kind != 2 or len(body) < 8:
                    self._say(here, pack_control_header(kind, information, 0, there.socket_id) + body)

    def _say(self, here: srtpy.Conn, datagram: bytes) -> None:
        session = here._session
        assert isinstance(session._wire, Mux)
        self.sent += session._wire.send([(datagram, b"")], session._path)


@contextlib.contextmanager
def turning_away(listener: srtpy.Listener) -> Iterator[list[str]]:
    """Close whoever else comes in: some of the noise is a good handshake, and its cookie is good."""
    came: list[str] = []

    def turn_away() -> None:
        for conn in listener.connections():
            came.append(conn.stream_id)
            conn.close()

    listener.settimeout(None)
    thread = threading.Thread(target=turn_away, daemon=True)
    thread.start()
    yield came
    listener.close()
    thread.join(30)
    assert not thread.is_alive()


def shout(seconds: float, seed: int) -> None:
    """Make that noise for so long at a listener with busy streams."""
    listener = srtpy.listen(("127.0.0.1", 0), latency=LATENCY, linger=0.0, backlog=8)
    listener.settimeout(30)
    with listener, contextlib.ExitStack() as stack:
        good = captured(listener)
        running = stack.enter_context(streams(listener, STREAMS, RATE, both_ways=True, latency=LATENCY))
        came = stack.enter_context(turning_away(listener))
        port = listener.local_addr[1]
        ids = [end.socket_id for stream in running for end in stream.ends if end.local_addr[1] == port]
        assert len(ids) == STREAMS
        insider = Insider(running, good, seed)
        insider.start()
        calm = Footprint.now()
        order = noise.Order(port, ids, [one.hex() for one in good], seed, NOISE, seconds)
        shouted_in_all = stack.enter_context(noise.shouting(order))
        threading.Event().wait(min(seconds / 4, 10.0))
        warm = Footprint.now()
        shouted = shouted_in_all()
        insider.ends.set()
        insider.join()
        until(lambda: threading.active_count() < calm.threads)
        replace(calm, resident=warm.resident).assert_not_outgrown(16)
        assert shouted > NOISE * seconds * 0.2
        assert insider.sent > 100
        assert came, "no damaged handshake was good enough to come in"
        srtpy.dial(listener.local_addr, linger=0.0).close()
        counters = listener._accepting._mux.counters
        assert counters.malformed + counters.unknown + counters.wrong_source + counters.unheard > shouted * 0.3
    for stream in running:
        stream.assert_whole(in_time=LATENCY + 5.0)
        assert LATENCY - 0.02 < statistics.median(stream.delays) < LATENCY + 0.2


def surprises(said: list[logging.LogRecord]) -> list[str]:
    """Return what was said but for the word a PEERERROR deserves, which noise may happen to be: once a connection."""
    errors = [record.getMessage() for record in said if "PEERERROR" in record.getMessage()]
    assert len(errors) == len(set(errors))  # they begin with the connection's id
    return [record.getMessage() for record in said if "PEERERROR" not in record.getMessage()]


def test_a_few_seconds_of_noise_seed_1(said: list[logging.LogRecord]) -> None:
    shout(4.0, seed=1)
    assert surprises(said) == []


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_a_minute_of_noise_changes_nothing_seed_2(said: list[logging.LogRecord]) -> None:
    shout(60.0, seed=2)
    assert surprises(said) == []
