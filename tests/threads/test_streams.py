"""Data over real sockets: nothing lost, nothing twice, in order, both ways, and in time."""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from functools import partial

import pytest

from srtpy.config import Config
from srtpy.errors import ConnectionBrokenError
from srtpy.internal.clock.units import MILLISECOND
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import Deadline
from tests.internal.session.fakes import in_thread
from tests.threads.conftest import Connect, core
from tests.tools.udp_proxy import UdpProxy, Weather

PAYLOAD = 1316
WHOLE = Config(tlpktdrop=False)  # nothing is given up, however long the machine stands still


def message(number: int, size: int = PAYLOAD) -> bytes:
    return number.to_bytes(4, "big") + hashlib.sha256(number.to_bytes(4, "big")).digest() * (size // 32)


def read_all(session: Session) -> list[bytes]:
    """Read to the end, which is silence if the one SHUTDOWN was lost."""
    taken: list[bytes] = []
    with contextlib.suppress(ConnectionBrokenError):
        while batch := session.reader.read_many(256, Deadline.after(30.0)):
            taken += batch
    return taken


def write_each(session: Session, count: int, pause: float = 0.0, first: int = 0) -> None:
    for number in range(first, first + count):
        session.writer.write(message(number)[:PAYLOAD])
        if pause:
            time.sleep(pause)  # a paced source, not a wait for anything


def test_a_burst_of_single_writes(connect: Connect) -> None:
    caller, accepted = connect(WHOLE)
    reading = in_thread(lambda: read_all(accepted))
    write_each(caller, 20_000)
    caller.close()
    assert reading.result() == [message(number)[:PAYLOAD] for number in range(20_000)]


def test_many_at_once(connect: Connect) -> None:
    caller, accepted = connect(WHOLE.replace(max_bw=-1, recv_buf_size=32_000, fc=32_000))
    reading = in_thread(lambda: read_all(accepted))
    sent = [message(number)[:PAYLOAD] for number in range(30_000)]
    assert caller.writer.write_many(sent) == len(sent)
    caller.close()
    assert reading.result() == sent


def test_both_ways_at_once(connect: Connect) -> None:
    pair = connect(WHOLE)
    counts = 3_000
    readings = [in_thread(partial(read_some, side, counts)) for side in pair]
    writings = [
        in_thread(partial(write_each, side, counts, first=first))
        for side, first in zip(pair, (0, 1_000_000), strict=True)
    ]
    for writing in writings:
        writing.result()
    assert readings[1].result() == [message(number)[:PAYLOAD] for number in range(counts)]
    assert readings[0].result() == [message(1_000_000 + number)[:PAYLOAD] for number in range(counts)]


def read_some(session: Session, count: int) -> list[bytes]:
    taken: list[bytes] = []
    while len(taken) < count:
        taken += session.reader.read_many(deadline=Deadline.after(30.0))
    return taken


@pytest.mark.parametrize("seed", [1, 2])
def test_through_a_bad_network(connect: Connect, seed: int) -> None:
    weather = Weather(loss=0.05, duplicate=0.02, reorder=0.02, delay_ms=2)
    with UdpProxy() as proxy:
        caller, accepted = connect(
            Config(latency=1.5, peer_idle_timeout=3.0),
            by_way_of=lambda target: proxy.add_route((target[0], target[1]), weather, seed=seed),
        )
        reading = in_thread(lambda: read_all(accepted))
        write_each(caller, 2_000, pause=0.0003)
        caller.close()
        assert reading.result() == [message(number)[:PAYLOAD] for number in range(2_000)]
        assert caller.ask(lambda now: core(caller).counters.retransmits) > 0
        accepted.close()


def test_all_sizes(connect: Connect) -> None:
    caller, accepted = connect(WHOLE)
    sent = [bytes([size & 0xFF]) * size for size in (1, 15, 16, 17, 188, 1315, 1316, 1317, 1455, 1456, 1, 1456, 2)]
    reading = in_thread(lambda: read_all(accepted))
    for one in sent:
        caller.writer.write(one)
    caller.close()
    assert reading.result() == sent


def test_many_writers_and_readers_of_one_connection(connect: Connect) -> None:
    caller, accepted = connect(WHOLE)
    readings = [in_thread(lambda: read_all(accepted)) for _ in range(3)]
    writings = [in_thread(partial(write_each, caller, 1_000, first=first)) for first in (0, 10_000, 20_000)]
    for writing in writings:
        writing.result()
    caller.close()
    taken = [one for reading in readings for one in reading.result()]  # type: ignore[attr-defined]
    numbers = sorted(int.from_bytes(one[:4], "big") for one in taken)
    assert numbers == [first + number for first in (0, 10_000, 20_000) for number in range(1_000)]


def test_messages_come_in_their_time(connect: Connect) -> None:
    middles = []
    for _ in range(3):  # a busy machine makes anybody late; being on time once shows that we can be
        late = sorted(lateness(connect))
        assert late[0] >= 0, "nothing comes before its time"
        middles.append(late[len(late) // 2])
        # promised are 2 ms and 6 ms on a machine with time to spare; here others run too
        if middles[-1] <= 10 * MILLISECOND:
            return
    pytest.fail(f"late each time: {middles}")


def lateness(connect: Connect) -> list[int]:
    """Return how long after its time each message of a stream could be read."""
    caller, accepted = connect(Config(latency=0.08))
    late: list[int] = []

    def read() -> None:
        while (found := accepted.reader.read_message(Deadline.after(30.0))) is not None:
            late.append(time.monotonic_ns() // 1_000 - found[1])

    reading = in_thread(read)
    write_each(caller, 400, pause=0.001)
    caller.close()
    reading.result()
    return late


def test_a_write_by_itself_does_not_wait_for_a_second(connect: Connect) -> None:
    caller, accepted = connect(Config(latency=0.02))
    waits = []
    for _ in range(5):
        begun = time.monotonic()
        caller.writer.write(b"x")
        assert accepted.reader.read(deadline=Deadline.after(30.0)) == b"x"
        waits.append(time.monotonic() - begun)
    assert sorted(waits)[2] < 0.9, waits


def test_a_connection_that_idles_stays(connect: Connect) -> None:
    caller, accepted = connect(Config(peer_idle_timeout=3.0, latency=0.02))
    threading.Event().wait(3.5)  # what is tested is that nothing happens for a while
    caller.writer.write(b"still here")
    assert accepted.reader.read(deadline=Deadline.after(30.0)) == b"still here"


def test_a_window_that_closes_reopens_as_soon_as_there_is_room(connect: Connect) -> None:
    config = Config(latency=0.02, recv_buf_size=64, tlpktdrop=False)
    caller, accepted = connect(Config(latency=0.02), config)
    caller.writer.write_many([message(number)[:PAYLOAD] for number in range(500)])
    taken = read_some(accepted, 500)
    assert taken == [message(number)[:PAYLOAD] for number in range(500)]


def test_a_reader_that_takes_one_after_another_reopens_the_window_too(connect: Connect) -> None:
    config = Config(latency=0.02, recv_buf_size=40, tlpktdrop=False)
    caller, accepted = connect(Config(latency=0.02), config)
    writing = in_thread(lambda: caller.writer.write_many([message(number)[:PAYLOAD] for number in range(2_000)]))
    waits: list[int] = []
    for _ in range(2_000):
        begun = time.monotonic_ns()
        accepted.reader.read(deadline=Deadline.after(30.0))
        waits.append(time.monotonic_ns() - begun)
    writing.result()
    # an ACK that nobody hurries is repeated after a third of a second; the window closes some fifty times
    assert sorted(waits)[-8] < 200_000_000
