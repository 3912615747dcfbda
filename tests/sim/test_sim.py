"""The virtual world itself: clocks, links, the loop."""

from __future__ import annotations

from math import ceil

import pytest

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER, Datagram, Header
from tests.sim.clock import Clock
from tests.sim.link import Link
from tests.sim.rival import LibsrtArrivals
from tests.sim.world import World, joined


class Echo:
    """Sends numbered datagrams on a timer; remembers what it got and when."""

    def __init__(self, period: Micros = 0, total: int = 0, size: int = 100) -> None:
        self.deadline: Micros = period if total else NEVER
        self.period, self.left, self.size = period, total, size
        self.heard: list[tuple[Micros, int]] = []
        self.batches: list[int] = []
        self.out: list[Datagram] = []

    def receive_datagrams(self, batch: Batch, now: Micros) -> None:
        self.batches.append(batch.count)
        self.heard += [(now, row[0]) for row in batch.headers]

    def handle_timer(self, now: Micros) -> None:
        self.out.append((HEADER.pack(self.left, 0, 0, 0), bytes(self.size - 16)))
        self.left -= 1
        self.deadline = self.deadline + self.period if self.left else NEVER

    def next_deadline(self) -> Micros:
        return self.deadline

    def datagrams_to_send(self, now: Micros) -> list[Datagram]:
        out, self.out = self.out, []
        return out

    def events(self) -> list[object]:
        return []


@pytest.mark.parametrize("offset", [0, 5, -7, 1 << 40])
@pytest.mark.parametrize("drift", [0, 200, -200, 1, 999_999])
def test_clock_wakes_at_the_first_instant_that_shows_the_deadline(offset: int, drift: int) -> None:
    clock = Clock(offset, drift)
    for world in (0, 1, 999, 10_000_000, 86_400 * SECOND):
        again = clock.world(clock.local(world))
        assert clock.local(again) == clock.local(world)
        assert clock.local(again - 1) < clock.local(world)
    assert clock.world(NEVER) == NEVER


def test_clock_with_drift_gains_what_it_says() -> None:
    assert Clock(0, 100).local(SECOND * 100) - SECOND * 100 == 10_000


def test_link_same_seed_same_fate_other_seed_other_fate() -> None:
    def fate(seed: int) -> list[list[tuple[int, bytes]]]:
        link = Link(loss=0.2, duplicate=0.1, reorder=0.1, jitter=1000, seed=seed)
        return [link.carry(bytes([n % 256]) * 20, n * 100) for n in range(300)]

    assert fate(7) == fate(7)
    assert fate(7) != fate(8)


def test_link_counts_loss_duplicates_and_reordering_near_their_chance() -> None:
    link = Link(loss=0.2, duplicate=0.1, reorder=0.1, seed=3)
    for n in range(10_000):
        link.carry(b"x" * 20, n * 100)
    assert 1800 < link.lost < 2200
    assert 650 < link.duplicated < 950
    assert 650 < link.reordered < 950


def test_link_jitter_never_reorders() -> None:
    link = Link(jitter=50 * MILLISECOND, seed=5)
    arrivals = [link.carry(b"x" * 20, n * 100)[0][0] for n in range(1000)]
    assert arrivals == sorted(arrivals)


def test_link_bottleneck_delays_then_drops() -> None:
    link = Link(0, bandwidth=128_000, queue=10 * 128)
    fates = [link.carry(b"x" * 100, 0) for _ in range(20)]
    assert [fate[0][0] for fate in fates[:3]] == [1000, 2000, 3000]  # 128 bytes with headers, a millisecond each
    assert link.lost == 20 - sum(bool(fate) for fate in fates) > 0


def test_link_hooks_pick_their_victims() -> None:
    link = Link(
        0,
        drop_indexes=[1],
        drop=lambda n, data: data[0] == 9,
        black_outs=[(50, 60)],
        tamper=lambda n, data: data + bytes([n]),
    )
    assert [len(link.carry(bytes([kind]) * 20, now)) for kind, now in [(0, 0), (0, 1), (9, 2), (0, 55), (0, 60)]] == [
        1, 0, 0, 0, 1,
    ]  # fmt: skip
    assert link.carry(b"a" * 20, 70)[0][1] == b"a" * 20 + b"\x05"


def test_world_carries_with_delay_and_shows_each_end_its_own_clock() -> None:
    a, b = Echo(10 * MILLISECOND, 3), Echo()
    world = World(a, b, Link(7 * MILLISECOND), b_clock=Clock(1 << 33))
    world.run_until(lambda: len(b.heard) == 3, SECOND)
    assert b.heard == [((1 << 33) + (10 * n + 7) * MILLISECOND, 4 - n) for n in (1, 2, 3)]
    assert world.a.wakes == 3
    assert world.b.wakes == 0


def test_world_a_frozen_end_gets_everything_at_once_afterwards_and_the_other_goes_on() -> None:
    a, b = Echo(MILLISECOND, 20), Echo(3 * MILLISECOND, 5)
    world = World(a, b, Link(0), Link(0), joined=44)
    world.freeze(world.b, 30 * MILLISECOND)
    world.run_until(lambda: len(b.heard) == 20 and len(a.heard) == 5, SECOND)
    assert {when for when, _ in b.heard} == {30 * MILLISECOND}
    assert b.batches == [20]
    assert len(a.heard) == 5


def test_world_read_interval_gathers_arrivals() -> None:
    a, b = Echo(MILLISECOND, 10), Echo()
    world = World(a, b, Link(500), joined=44, read_interval=5 * MILLISECOND)
    world.run_until(lambda: len(b.heard) == 10, SECOND)
    assert b.batches == [4, 5, 1]


def test_world_does_actions_on_time_and_run_for_passes_exactly_that() -> None:
    world = World(Echo(), Echo())
    seen: list[int] = []
    world.every(10 * MILLISECOND, lambda: seen.append(world.now))
    world.run_for(35 * MILLISECOND)
    assert seen == [0, 10_000, 20_000, 30_000]
    assert world.now == 35_000


def test_world_reports_a_story_that_does_not_end() -> None:
    world = World(Echo(), Echo())
    with pytest.raises(AssertionError, match="did not end"):
        world.run_until(lambda: False, SECOND)


def test_world_reports_an_end_that_wants_to_be_woken_for_nothing() -> None:
    class Restless(Echo):
        def next_deadline(self) -> Micros:
            return 5

        def handle_timer(self, now: Micros) -> None:
            pass

    with pytest.raises(AssertionError, match=r"time stands still.*Restless"):
        World(Restless(), Echo()).run_for(SECOND)


def test_joined_follows_gro_equal_sizes_a_shorter_last_and_drops_fragments() -> None:
    sizes = [32, 32, 20, 32, 40, 8, 40, 40]
    batches = joined([bytes(size) for size in sizes], 44)
    assert [(batch.stride, batch.count) for batch in batches] == [(32, 3), (32, 1), (40, 3)]
    assert [batch.count for batch in joined([bytes(32)] * 5, 2)] == [2, 2, 1]


# ---- libsrt's measurements --------------------------------------------------------------------


def test_libsrt_measures_a_burst_many_times_too_fast() -> None:
    """What its files go by: packets that were spaced by a bottleneck but are read late count as ten times as fast."""
    steady, bursts = LibsrtArrivals(), LibsrtArrivals()
    headers: list[Header] = [(seq, 0, 0, 0) for seq in range(1600)]
    for header in headers:
        now = SECOND + 120 * header[0]
        steady.measure([header], now)
        bursts.measure([header], now // 2400 * 2400)
    assert steady.speed()[0] == steady.capacity(0) == ceil(1e6 / 120)
    assert bursts.speed()[0] == bursts.capacity(0) == 100_000
