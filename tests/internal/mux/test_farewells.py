"""Who is told again that it is over, how often, and for how long."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from srtpy.internal.clock.units import SECOND
from srtpy.internal.mux import farewells as room
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.farewells import LARGEST_TABLE, LIFETIME, SPACING, Farewells
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import ControlType, Datagram
from tests.internal.mux.sockets import control, data, whole

PEER = Path(("192.0.2.1", 9000))


def batch(*datagrams: Datagram) -> Batch:
    pieces = whole(datagrams)
    return Batch(b"".join(pieces), len(pieces[0]))


class Bench:
    """Farewells, at instants of the test's choice."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000 * SECOND
        self.said: list[tuple[list[bytes], Path]] = []
        self.farewells = Farewells(self.send)
        monkeypatch.setattr(room, "now", lambda: self.now)

    def send(self, datagrams: Sequence[Datagram], path: Path) -> None:
        self.said.append((whole(datagrams), path))

    def asked(self, sent: Batch | None = None, path: Path = PEER) -> int:
        """Have something arrive; return how much is said to it."""
        before = len(self.said)
        self.farewells.asked(batch(data(1)) if sent is None else sent, path)
        return len(self.said) - before


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    bench = Bench(monkeypatch)
    bench.farewells.leave(77, PEER.remote, b"word")
    return bench


def test_whoever_goes_on_hears_the_word(bench: Bench) -> None:
    bench.asked()
    assert bench.said == [([b"word"], PEER)]


def test_so_often_at_most(bench: Bench) -> None:
    begun = bench.now
    heard = 0
    while bench.now < begun + SECOND:
        heard += bench.asked()
        bench.now += 1000
    assert heard == SECOND // SPACING


def test_for_so_long(bench: Bench) -> None:
    bench.now += LIFETIME - 1
    assert bench.asked()
    bench.now += SPACING
    assert not bench.asked()


@pytest.mark.parametrize("path", [Path(("192.0.2.1", 9001)), Path(("192.0.2.2", 9000))])
def test_strangers_hear_nothing(bench: Bench, path: Path) -> None:
    assert not bench.asked(path=path)
    assert not bench.asked(batch(data(1, destination=78)))


def test_two_that_part_do_not_go_on_for_ever(bench: Bench) -> None:
    assert not bench.asked(batch(control(ControlType.SHUTDOWN)))
    assert bench.asked(batch(control(ControlType.KEEPALIVE)))


def test_old_ones_are_forgotten(bench: Bench) -> None:
    bench.now += LIFETIME
    bench.farewells.leave(78, PEER.remote, b"word")
    assert len(bench.farewells) == 1


def test_the_table_is_bounded_and_the_oldest_go_first(bench: Bench) -> None:
    for socket_id in range(100, 100 + LARGEST_TABLE):
        bench.farewells.leave(socket_id, PEER.remote, b"word")
    assert len(bench.farewells) == LARGEST_TABLE
    assert not bench.asked()
    assert bench.asked(batch(data(1, destination=100)))
