"""Encrypted streams: keys that change under loss, announcements that get lost, packets somebody slips in."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from srtpy.config import Config
from srtpy.fields import CryptoMode
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.core.keys import Keys
from srtpy.internal.crypto.exchange import Terms, offer
from srtpy.internal.handshake.negotiation import Refused
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.handshake import ExtensionKind
from srtpy.internal.packet.header import CONTROL, HEADER, KEY_MASK, POSITION_SINGLE, ControlType, control_subtype
from srtpy.internal.packet.keymaterial import KeyState, encode_state
from tests.sim.link import Link
from tests.sim.pair import CALLER, LISTENER, NEAR_THE_WRAP, meeting
from tests.sim.telling import Stream, message
from tests.sim.world import Side, World

PASSPHRASE = "0123456789ab"
DELAY = 20 * MILLISECOND
KMREQ_WORD = CONTROL | ControlType.USER_DEFINED << 16 | ExtensionKind.KMREQ
KMRSP_WORD = CONTROL | ControlType.USER_DEFINED << 16 | ExtensionKind.KMRSP


def config(**fields: Any) -> Config:
    return Config(**{"passphrase": PASSPHRASE, "latency": 0.6, "conn_timeout": 30.0, **fields})


def met(forth: Link, back: Link, mine: Config | None = None, theirs: Config | None = None) -> World:
    """Return a world whose two ends have shaken hands."""
    world = meeting(mine or config(), theirs or mine or config(), forth, back, isn=NEAR_THE_WRAP)
    world.run_until(lambda: bool(world.a.end.connection and world.b.end.connection), 30 * SECOND)
    for side in (world.a, world.b):
        side.end = side.end.connection
    return world


def keys(side: Side) -> Keys:
    found = side.end.keys
    assert isinstance(found, Keys)
    return found


def states(side: Side) -> tuple[KeyState, KeyState]:
    return keys(side).send_state, keys(side).recv_state


def is_secured(*sides: Side) -> bool:
    return all(states(side) == (KeyState.SECURED, KeyState.SECURED) for side in sides)


def both_ways(world: World, total: int) -> tuple[Stream, Stream]:
    streams = Stream(world, world.a, total), Stream(world, world.b, total)
    world.run_until(lambda: all(stream.is_complete() for stream in streams), 60 * SECOND)
    return streams


def is_sealed(datagram: bytes) -> bool:
    word, info, *_ = HEADER.unpack_from(datagram)
    return bool(word & CONTROL) or bool(info & KEY_MASK)


class Witness:
    """Sees what passes on a link; loses what it is told to."""

    def __init__(self, *victims: int) -> None:
        self.seen: list[bytes] = []
        self._victims = list(victims)

    def __call__(self, number: int, datagram: bytes) -> bool:
        self.seen.append(datagram)
        word = HEADER.unpack_from(datagram)[0]
        if word in self._victims:
            self._victims.remove(word)
            return True
        return False

    def count(self, word: int) -> int:
        return sum(HEADER.unpack_from(datagram)[0] == word for datagram in self.seen)


@pytest.mark.parametrize("mode", [CryptoMode.CTR, CryptoMode.GCM])
@pytest.mark.parametrize("size", [16, 24, 32])
def test_keys_change_every_hundred_packets_under_ten_percent_loss_seed_3(mode: CryptoMode, size: int) -> None:
    setting = config(km_refresh_rate=100, crypto_mode=mode, key_length=size)
    world = met(Link(DELAY, loss=0.1, seed=3), Link(DELAY, loss=0.1, seed=103), setting)
    for stream in both_ways(world, 1000):
        assert stream.arrived == list(range(1000))
    for side in (world.a, world.b):
        counts = keys(side).counts()
        assert counts["recv_undecrypt"] == counts["ignored_km"] == 0
        assert counts["sent_km"] >= 7
    assert is_secured(world.a, world.b)


def test_nothing_travels_in_clear() -> None:
    witness = Witness()
    world = met(Link(DELAY, drop=witness), Link(DELAY))
    stream = Stream(world, world.a, 50)
    world.run_until(stream.is_complete, 10 * SECOND)
    data = [datagram for datagram in witness.seen if not HEADER.unpack_from(datagram)[0] & CONTROL]
    assert len(data) == 50
    assert all(map(is_sealed, data))
    assert not any(message(number) in datagram for number in range(50) for datagram in data)


def test_a_story_of_an_announcement_lost_three_times() -> None:
    witness = Witness(KMREQ_WORD, KMREQ_WORD, KMREQ_WORD)
    world = met(Link(DELAY, drop=witness), Link(DELAY), config(km_refresh_rate=100))
    stream = Stream(world, world.a, 400)
    world.run_until(stream.is_complete, 10 * SECOND)
    assert stream.arrived == list(range(400))
    assert keys(world.b).opening.undecrypted == 0
    assert max(stream.delays()) <= 600 * MILLISECOND + DELAY + 5000, "data did not wait for the keys"
    assert witness.count(KMREQ_WORD) >= 4


def test_a_story_of_lost_answers() -> None:
    witness = Witness(*[KMRSP_WORD] * 5)
    world = met(Link(DELAY), Link(DELAY, drop=witness), config(km_refresh_rate=100))
    stream = Stream(world, world.a, 400)
    world.run_until(stream.is_complete, 10 * SECOND)
    assert stream.arrived == list(range(400))
    assert keys(world.b).opening.undecrypted == 0
    assert keys(world.a).send_state is KeyState.SECURED


def test_every_announcement_comes_twice() -> None:
    world = met(Link(DELAY, duplicate=1.0), Link(DELAY, duplicate=1.0), config(km_refresh_rate=30, km_pre_announce=10))
    for stream in both_ways(world, 150):
        assert stream.arrived == list(range(150))
    assert is_secured(world.a, world.b)


@pytest.mark.parametrize("is_secured_link", [True, False])
def test_packets_slipped_in_are_dropped_and_counted(is_secured_link: bool) -> None:
    setting = config() if is_secured_link else config(passphrase="")
    world = met(Link(DELAY), Link(DELAY), setting)
    receiver = world.b.end
    now = world.b.clock.local(world.now)
    flags = (0,) if is_secured_link else (1 << 27, 2 << 27, 3 << 27)
    for flag in flags:
        header = HEADER.pack(NEAR_THE_WRAP, POSITION_SINGLE | flag | 1, 5000, LISTENER)
        receiver.receive_datagrams(Batch(header + b"slipped in"), now)
    stream = Stream(world, world.a, 30)
    world.run_until(stream.is_complete, 10 * SECOND)
    assert stream.arrived == list(range(30))
    assert keys(world.b).opening.undecrypted == len(flags)
    assert keys(world.b).opening.undecrypted_bytes == 10 * len(flags)
    assert not receiver.is_closed


def test_a_secured_direction_never_goes_back() -> None:
    world = met(Link(DELAY), Link(DELAY))
    now = world.a.clock.local(world.now)
    for state in KeyState:
        body = int(state).to_bytes(4, "little")
        for subtype in (ExtensionKind.KMREQ, ExtensionKind.KMRSP):
            header = HEADER.pack(CONTROL | ControlType.USER_DEFINED << 16 | subtype, 0, 0, CALLER)
            assert control_subtype(HEADER.unpack_from(header)[0]) == subtype
            world.a.end.receive_datagrams(Batch(header + body), now)
    assert states(world.a) == (KeyState.SECURED, KeyState.SECURED)
    for stream in both_ways(world, 20):
        assert stream.arrived == list(range(20))


def bodies() -> list[bytes]:
    """Return key material that is none: of every length up to a packet's, beginning as it should or not."""
    material = offer(Terms(PASSPHRASE), 32, Random(9).randbytes).message
    sizes = [*range(112), 256, 1024, 1352, 1456]
    return [(begin * 64)[:size] for size in sizes for begin in (material[:32], b"\xff" * 32, bytes(32))]


@pytest.mark.parametrize("passphrase", [PASSPHRASE, ""])
def test_cve_2026_55869_key_material_of_every_length_at_both_ends(passphrase: str) -> None:
    world = met(Link(DELAY), Link(DELAY), config(passphrase=passphrase))
    before = states(world.a), states(world.b)
    for side, end in ((world.a, CALLER), (world.b, LISTENER)):
        for body in bodies():
            for subtype in (ExtensionKind.KMREQ, ExtensionKind.KMRSP):
                header = HEADER.pack(CONTROL | ControlType.USER_DEFINED << 16 | subtype, 0, 0, end)
                side.end.receive_datagrams(Batch(header + body), side.clock.local(world.now))
    assert (states(world.a), states(world.b)) == before
    for stream in both_ways(world, 20):
        assert stream.arrived == list(range(20))


def test_cve_2026_55868_refusals_while_an_announcement_waits_take_nothing_back() -> None:
    """The moment at which an answer is expected is the one at which a false one could do harm."""
    witness = Witness(*[KMREQ_WORD] * 3)
    world = met(Link(DELAY, drop=witness), Link(DELAY), config(km_refresh_rate=100))
    stream = Stream(world, world.a, 400)
    world.run_until(lambda: witness.count(KMREQ_WORD) > 0, 10 * SECOND)
    for body in [*bodies(), *(encode_state(state) for state in KeyState), *(bytes([n, 0, 0, 0]) for n in range(6, 99))]:
        header = HEADER.pack(CONTROL | ControlType.USER_DEFINED << 16 | ExtensionKind.KMRSP, 0, 0, CALLER)
        world.a.end.receive_datagrams(Batch(header + body), world.a.clock.local(world.now))
    assert states(world.a) == (KeyState.SECURED, KeyState.SECURED)
    world.run_until(stream.is_complete, 10 * SECOND)
    assert stream.arrived == list(range(400))
    assert keys(world.b).opening.undecrypted == 0, "no key was used before the peer had it"
    assert all(map(is_sealed, witness.seen))


@pytest.mark.parametrize("seed", range(12))
def test_keys_of_any_life_in_any_weather_by_seed(seed: int) -> None:
    """Both directions, losses, copies and packets out of order, keys that live for a few packets."""
    luck = Random(seed)
    life = luck.choice([7, 11, 30, 64, 100])
    setting = config(
        km_refresh_rate=life,
        km_pre_announce=luck.choice([None, 1, (life - 1) // 2]),
        crypto_mode=luck.choice([CryptoMode.CTR, CryptoMode.GCM]),
        latency=2.0,
    )
    loss, copies = luck.choice([0.05, 0.15, 0.25]), luck.choice([0.0, 0.2, 1.0])
    forth, back = (Link(DELAY, loss=loss, duplicate=copies, reorder=0.1, seed=each) for each in (seed, seed + 1000))
    world = met(forth, back, setting)
    for stream in both_ways(world, 600):
        assert stream.arrived == list(range(600))
    assert is_secured(world.a, world.b)
    for side in (world.a, world.b):
        assert keys(side).opening.undecrypted == 0
        assert keys(side).sent_km >= 1


ENFORCED_NINE = [  # (caller's passphrase, listener's, states of the caller, of the listener): libsrt's own test's cases
    ("same", "same", (2, 2), (2, 2)),
    ("same", "other", (4, 4), (4, 4)),
    ("same", "", (3, 0), (0, 3)),
    ("", "same", (0, 3), (3, 0)),
    ("", "", (0, 0), (0, 0)),
]


@pytest.mark.parametrize(("mine", "theirs", "caller", "listener"), ENFORCED_NINE)
def test_without_enforcement(mine: str, theirs: str, caller: tuple[int, int], listener: tuple[int, int]) -> None:
    words = {"same": PASSPHRASE, "other": "another passphrase", "": ""}
    world = met(
        Link(DELAY),
        Link(DELAY),
        config(passphrase=words[mine], enforced_encryption=False),
        config(passphrase=words[theirs], enforced_encryption=False),
    )
    assert (states(world.a), states(world.b)) == (caller, listener)
    Stream(world, world.a, 20)
    world.run_for(2 * SECOND)
    # who has a passphrase sends nothing in clear, but reads what comes so, as libsrt
    assert len(world.b.payloads) == (20 if mine in ("", theirs) else 0)


@pytest.mark.parametrize(
    ("mine", "theirs", "reason"), [("", "0123456789ab", 1011), ("another passphrase", "0123456789ab", 1010)]
)
def test_refusals(mine: str, theirs: str, reason: int) -> None:
    world = meeting(config(passphrase=mine), config(passphrase=theirs), Link(DELAY), Link(DELAY))
    world.run_until(lambda: bool(world.a.news), 5 * SECOND)
    (news,) = world.a.news
    assert isinstance(news, Refused)
    assert news.reason == reason
