"""Files on a path with a bottleneck: who gets what of it, against libsrt's own law and against bad luck."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.fields import TransType
from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros
from srtpy.internal.core.connection import Connection
from tests.sim.link import Link
from tests.sim.pair import NEAR_THE_WRAP, Birth, agreed
from tests.sim.rival import follow_the_draft
from tests.sim.world import Side, World

CONFIG = Config(trans_type=TransType.FILE)
DELAY = 20 * MILLISECOND
PAYLOAD = 1456
PIECE = bytes(PAYLOAD * 44)
BOTTLENECK = 3_750_000  # 30 Mbit/s: three flows of several hundred packets in flight, and a second is soon over
ALL = 1 << 60  # bytes: more than any path takes meanwhile
QUEUE = BOTTLENECK * 2 * DELAY // SECOND


class Race:
    """Flows over one bottleneck: `O` is ours, `L` goes by libsrt's law; each has its own way back."""

    def __init__(self, kinds: str, *, loss: float = 0.0, queue: int = QUEUE, isn: int = 1000, seed: int = 1) -> None:
        self.path = Link(DELAY, loss=loss, bandwidth=BOTTLENECK, queue=queue, seed=seed)
        self.senders: list[Side] = []
        self.got = [0] * len(kinds)
        self.allowed = [ALL] * len(kinds)
        self.written = [0] * len(kinds)
        for flow, kind in enumerate(kinds):
            self._join(flow, kind, isn, seed, Link(DELAY, loss=loss, seed=seed + 100 + flow))
        self.world.every(500 * MILLISECOND, self._count)

    def _join(self, flow: int, kind: str, isn: int, seed: int, back: Link) -> None:
        birth = Birth(config=CONFIG, isn=isn + 7777 * flow)
        caller, listener = agreed(birth, DELAY)
        caller = replace(caller, socket_id=caller.socket_id + flow)
        sending = Connection(caller, CONFIG, birth.clock.local(0))
        receiving = Connection(listener, CONFIG, birth.peer_clock.local(0))
        if kind == "L":
            follow_the_draft(sending, receiving, seed * 10 + flow, birth.clock.local(0))
        if flow:
            side, _ = self.world.join(sending, receiving, self.path, back, birth.clock, birth.peer_clock)
        else:
            self.world: World = World(
                sending, receiving, self.path, back, a_clock=birth.clock, b_clock=birth.peer_clock, joined=44
            )
            side = self.world.a
        self.senders.append(side)
        self.world.every(10 * MILLISECOND, lambda: self._write(flow))

    def _write(self, flow: int) -> None:
        side = self.senders[flow]
        now = self.world.local_time(side)
        while (left := self.allowed[flow] - self.written[flow]) > 0:
            taken = side.end.write_stream(PIECE, 0, min(len(PIECE), left), now)
            self.written[flow] += taken
            if taken < len(PIECE):
                break

    def _count(self) -> None:
        for flow, side in enumerate(self.senders):
            self.got[flow] += sum(map(len, side.peer.payloads))
            side.peer.delivered.clear()

    def run(self, duration: Micros) -> list[float]:
        """Let time pass; return what each flow brought across in it, in Mbit/s."""
        self._count()
        before = list(self.got)
        self.world.run_for(duration)
        self._count()
        return [(new - old) * 8 / duration for old, new in zip(before, self.got, strict=True)]

    def let_in_late(self, flow: int, after: Micros) -> None:
        """Let the others have the path for so long, then one more."""
        self.allowed[flow] = 0
        self.run(after)
        self.allowed[flow] = ALL


@pytest.mark.parametrize(("loss", "seed"), [(0.0, 1), (0.01, 1), (0.01, 2), (0.02, 3)])
@pytest.mark.parametrize("isn", [1000, NEAR_THE_WRAP])
def test_alone_the_path_is_filled_though_it_loses_by_seed(loss: float, seed: int, isn: int) -> None:
    race = Race("O", loss=loss, isn=isn, seed=seed)
    race.run(4 * SECOND)
    [rate] = race.run(6 * SECOND)
    assert rate > 30 * (0.75 if loss else 0.85)


@pytest.mark.parametrize("seed", [1, 2])
def test_with_loss_it_is_faster_than_libsrt_by_seed(seed: int) -> None:
    rates = []
    for kind in "OL":
        race = Race(kind, loss=0.01, seed=seed)
        race.run(3 * SECOND)
        rates += race.run(6 * SECOND)
    assert rates[0] > 1.2 * rates[1]


@pytest.mark.parametrize(("kinds", "seed"), [("OOL", 1), ("LOO", 2)])
def test_two_of_ours_and_one_of_libsrt_share_the_path_by_seed(kinds: str, seed: int) -> None:
    race = Race(kinds, seed=seed)
    race.run(8 * SECOND)
    rates = race.run(12 * SECOND)
    assert min(rates) > 0.2 * sum(rates), rates
    assert sum(rates) > 30 * 0.75


@pytest.mark.parametrize("seed", [1, 2])
def test_one_that_comes_later_gets_its_share_by_seed(seed: int) -> None:
    race = Race("OO", seed=seed)
    race.let_in_late(1, 4 * SECOND)
    race.run(8 * SECOND)
    rates = race.run(8 * SECOND)
    assert min(rates) > 0.3 * sum(rates), rates
    assert sum(rates) > 30 * 0.8


@pytest.mark.parametrize("isn", [1000, NEAR_THE_WRAP])
def test_libsrt_that_comes_later_gets_its_share_of_two_of_ours_by_seed_12(isn: int) -> None:
    race = Race("OOL", isn=isn, seed=12)
    race.let_in_late(2, 5 * SECOND)
    race.run(6 * SECOND)
    rates = race.run(9 * SECOND)
    assert min(rates) > 0.2 * sum(rates), rates


def test_alone_it_does_not_keep_the_queue_full() -> None:
    race = Race("O")
    race.run(5 * SECOND)
    lost = race.path.lost
    race.run(10 * SECOND)
    assert race.path.lost - lost < 100, "of 25,000"


@pytest.mark.parametrize("isn", [1000, NEAR_THE_WRAP])
def test_a_black_out_does_not_slow_it_down_for_long(isn: int) -> None:
    race = Race("O", isn=isn)
    race.run(4 * SECOND)
    race.path.black_outs.append((race.world.now, race.world.now + 800 * MILLISECOND))
    race.run(2 * SECOND)
    [rate] = race.run(3 * SECOND)
    assert rate > 30 * 0.7


def test_an_application_that_pauses_comes_back_at_a_pace_the_path_can_take() -> None:
    race = Race("O")
    race.run(4 * SECOND)
    for _ in range(20):  # a tenth of what the path could carry
        race.allowed[0] = race.written[0] + BOTTLENECK // 100
        race.run(100 * MILLISECOND)
    period = race.senders[0].end.sender.period
    assert period > 300, "the pace has not run away: 400 microseconds fill the path"
    race.allowed[0] = ALL
    lost = race.path.lost
    race.run(SECOND)
    [rate] = race.run(3 * SECOND)
    assert rate > 30 * 0.8
    assert race.path.lost - lost < 200


def test_a_receiver_that_stops_reading_stops_the_sender_and_nothing_grows() -> None:
    race = Race("O")
    race.run(2 * SECOND)
    sender, receiver = race.senders[0], race.senders[0].peer
    receiver.reads = False
    race.run(10 * SECOND)
    assert sum(len(message[0]) for message in receiver.end.messages) <= 8192 * PAYLOAD
    assert sender.end.sender.unacknowledged <= 8192
    assert race.run(5 * SECOND) == [0.0]
    receiver.reads = True
    race.run(2 * SECOND)
    [rate] = race.run(3 * SECOND)
    assert rate > 30 * 0.8
