"""Which of the peer's keys opens which packet, through turns, losses and things that must not be opened."""

from __future__ import annotations

import random
from collections.abc import Iterable

import pytest

from srtpy.internal.core.opening import MEMORY, Opening
from srtpy.internal.crypto.cipher import Suite
from srtpy.internal.crypto.keys import SessionKeys
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import (
    HEADER,
    HEADER_SIZE,
    KEY_CLEAR,
    KEY_EVEN,
    KEY_ODD,
    POSITION_SINGLE,
    RETRANSMITTED,
)
from srtpy.internal.packet.keymaterial import CIPHER_CTR, CIPHER_GCM
from srtpy.internal.seq.number import SEQ_MASK
from tests.sealed import sealed as sealed_by

US = 0x1234
SALT = bytes(range(16))
STARTS = [0, 1000, 0x7FFFFFF0]
SUITES = [Suite(CIPHER_CTR), Suite(CIPHER_GCM), Suite(CIPHER_GCM, True)]


def key(generation: int) -> bytes:
    return bytes([generation + 1]) * 16


def text(offset: int) -> bytes:
    return offset.to_bytes(8, "big") * 3


class Peer:
    """Seals packets by their distance from the first of all, with any of the keys it has ever had: even ones have
    even numbers."""

    def __init__(self, isn: int = 0, suite: Suite = SUITES[0], salt: bytes = SALT) -> None:
        self.isn = isn
        self.suite = suite
        self.salt = salt

    def packet(self, offset: int, generation: int, *, again: bool = False, flag: int | None = None) -> bytes:
        flag = (KEY_ODD if generation % 2 else KEY_EVEN) if flag is None else flag
        row = ((self.isn + offset) & SEQ_MASK, POSITION_SINGLE | offset + 1, 7, text(offset))
        ((seq, info, stamp, payload),) = sealed_by(self.suite.make(key(generation), self.salt, US).seal, [row], flag)
        return HEADER.pack(seq, info | (RETRANSMITTED if again else 0), stamp, US) + payload

    def batch(self, offsets: Iterable[int], generation: int, *, again: bool = False) -> Batch:
        packets = [self.packet(offset, generation, again=again) for offset in offsets]
        return Batch(b"".join(packets), len(packets[0]))

    def keys(self, *generations: int) -> SessionKeys:
        even = [key(one) for one in generations if one % 2 == 0]
        odd = [key(one) for one in generations if one % 2]
        return SessionKeys(even[0] if even else b"", odd[0] if odd else b"")

    def opening(self, flags_resent: bool = True) -> Opening:
        return Opening(self.suite, self.keys(0), self.salt, self.isn, flags_resent)


def opened(opening: Opening, batch: Batch) -> list[bytes | None]:
    payloads = opening.open(batch)
    assert payloads is not None
    return list(payloads)


def texts(offsets: Iterable[int]) -> list[bytes | None]:
    return [text(offset) for offset in offsets]


@pytest.fixture(params=SUITES, ids=["CTR", "GCM", "GCM old"])
def suite(request: pytest.FixtureRequest) -> Suite:
    found: Suite = request.param
    return found


@pytest.fixture(params=STARTS)
def peer(request: pytest.FixtureRequest, suite: Suite) -> Peer:
    return Peer(request.param, suite)


# ---- without keys


def test_in_clear_packets_stay_as_they_are() -> None:
    opening = Opening(SUITES[0], SessionKeys(), b"", 0, True)
    packets = [HEADER.pack(seq, POSITION_SINGLE | seq + 1, 7, US) + text(seq) for seq in range(44)]
    assert opening.open(Batch(b"".join(packets), len(packets[0]))) is None
    assert opening.open(Batch(packets[0])) is None
    assert not opening.is_secured


@pytest.mark.parametrize("place", [0, 7, 43])
@pytest.mark.parametrize("flag", [KEY_EVEN, KEY_ODD, KEY_EVEN | KEY_ODD])
def test_sealed_packets_without_a_key_never_arrived(place: int, flag: int) -> None:
    opening = Opening(SUITES[0], SessionKeys(), b"", 0, True)
    flags = [flag if seq == place else KEY_CLEAR for seq in range(44)]
    packets = [HEADER.pack(seq, POSITION_SINGLE | flags[seq] | seq + 1, 7, US) + text(seq) for seq in range(44)]
    expected = [None if seq == place else text(seq) for seq in range(44)]
    assert opened(opening, Batch(b"".join(packets), len(packets[0]))) == expected
    assert (opening.undecrypted, opening.undecrypted_bytes) == (1, len(text(0)))


def test_every_flag_is_seen_wherever_it_stands() -> None:
    # all values of the byte with PP, O, KK, R: only KK decides
    opening = Opening(SUITES[0], SessionKeys(), b"", 0, True)
    for value in range(256):
        info = value << 24 | 1
        payloads = opening.open(Batch(HEADER.pack(5, info, 7, US) + b"text"))
        assert (payloads is None) == (not info & (KEY_EVEN | KEY_ODD))


# ---- one key


def test_a_run_opens(peer: Peer) -> None:
    opening = peer.opening()
    assert opening.is_secured
    for start in range(0, 440, 44):
        assert opened(opening, peer.batch(range(start, start + 44), 0)) == texts(range(start, start + 44))
    assert opened(opening, peer.batch([450, 449, 3], 0, again=True)) == texts([450, 449, 3])
    assert opening.undecrypted == 0


def test_a_last_packet_may_be_shorter(suite: Suite) -> None:
    opening = Peer(0, suite).opening()
    rows = [(0, POSITION_SINGLE | 1, 7, b"long enough"), (1, POSITION_SINGLE | 2, 7, b"short")]
    sealed = sealed_by(suite.make(key(0), SALT, US).seal, rows, KEY_EVEN)
    packets = [HEADER.pack(seq, info, stamp, US) + payload for seq, info, stamp, payload in sealed]
    assert opened(opening, Batch(b"".join(packets), len(packets[0]))) == [b"long enough", b"short"]
    clear = HEADER.pack(2, POSITION_SINGLE | 3, 7, US) + b"clear"
    assert opened(opening, Batch(packets[0] + clear, len(packets[0]))) == [b"long enough", None]
    assert opening.undecrypted_bytes == len(b"clear")


@pytest.mark.parametrize("flag", [KEY_CLEAR, KEY_ODD, KEY_EVEN | KEY_ODD])
def test_what_is_in_clear_or_under_no_key_we_have_is_refused(peer: Peer, flag: int) -> None:
    opening = peer.opening()
    packets = [peer.packet(offset, 0) for offset in range(3)]
    packets[1] = peer.packet(1, 0, flag=flag)
    assert opened(opening, Batch(b"".join(packets), len(packets[0]))) == [text(0), None, text(2)]
    assert opened(opening, Batch(packets[1])) == [None]
    assert (opening.undecrypted, opening.undecrypted_bytes) == (2, 2 * (len(packets[0]) - HEADER_SIZE))
    assert opened(opening, peer.batch([1], 0, again=True)) == texts([1]), "the hole can be filled"


def test_a_damaged_packet_never_arrived_and_can_come_again() -> None:
    peer = Peer(0, Suite(CIPHER_GCM))
    opening = peer.opening()
    good = [peer.packet(offset, 0) for offset in range(4)]
    damaged = good[2][:-1] + bytes([good[2][-1] ^ 1])
    assert opened(opening, Batch(b"".join([*good[:2], damaged, good[3]]), len(good[0]))) == [
        text(0),
        text(1),
        None,
        text(3),
    ]
    assert opening.undecrypted == 1
    assert opened(opening, peer.batch([2], 0, again=True)) == texts([2])


def test_a_key_that_is_odd_from_the_beginning() -> None:
    peer = Peer(5)
    opening = Opening(peer.suite, peer.keys(1), SALT, 5, True)
    assert opened(opening, peer.batch(range(10), 1)) == texts(range(10))


def test_two_keys_from_the_beginning() -> None:
    peer = Peer(5)
    opening = Opening(peer.suite, peer.keys(0, 1), SALT, 5, True)
    assert opened(opening, peer.batch(range(10), 0)) == texts(range(10))
    assert opened(opening, peer.batch(range(10, 20), 1)) == texts(range(10, 20))


# ---- keys that change


def test_turns(peer: Peer) -> None:
    opening = peer.opening()
    for generation in range(8):
        start = 100 * generation
        assert opened(opening, peer.batch(range(start, start + 50), generation)) == texts(range(start, start + 50))
        opening.install(peer.keys(generation, generation + 1), SALT)
        opening.install(peer.keys(generation, generation + 1), SALT)  # it changes nothing to hear it twice
        assert opened(opening, peer.batch(range(start + 50, start + 100), generation)) == texts(
            range(start + 50, start + 100)
        )
    assert opening.undecrypted == 0


def test_a_turn_in_the_middle_of_a_batch(peer: Peer) -> None:
    opening = peer.opening()
    opening.install(peer.keys(0, 1), SALT)
    packets = [peer.packet(offset, offset // 22) for offset in range(44)]
    assert opened(opening, Batch(b"".join(packets), len(packets[0]))) == texts(range(44))


def test_a_message_may_bring_the_new_key_alone(peer: Peer) -> None:
    opening = peer.opening()
    for generation in range(4):
        assert opened(opening, peer.batch([10 * generation], generation)) == texts([10 * generation])
        opening.install(peer.keys(generation + 1), SALT)


def test_what_is_sent_again_after_turns_opens_with_the_key_of_its_time(peer: Peer) -> None:
    opening = peer.opening()
    opened(opening, peer.batch([*range(40), *range(41, 50)], 0))
    opening.install(peer.keys(0, 1), SALT)
    opened(opening, peer.batch([*range(50, 90), *range(91, 100)], 1))
    assert opened(opening, peer.batch([40], 0, again=True)) == texts([40]), "after the turn"
    opening.install(peer.keys(2, 1), SALT)
    assert opened(opening, peer.batch([40], 0, again=True)) == texts([40]), "after its key was replaced"
    assert opened(opening, peer.batch([90], 1, again=True)) == texts([90])
    opened(opening, peer.batch(range(100, 150), 2))
    assert opened(opening, peer.batch([40], 0, again=True)) == texts([40]), "after the next turn"
    assert opened(opening, peer.batch([90], 1, again=True)) == texts([90])
    assert opened(opening, peer.batch([120], 2, again=True)) == texts([120])
    assert opening.undecrypted == 0


def test_so_it_does_where_the_peer_does_not_flag_it(suite: Suite) -> None:
    peer = Peer(3, suite)
    opening = peer.opening(flags_resent=False)
    opened(opening, peer.batch(range(50), 0))
    for generation in (1, 2):
        opening.install(peer.keys(generation - 1, generation), SALT)
        opened(opening, peer.batch(range(50 * generation, 50 * generation + 50), generation))
    assert opened(opening, peer.batch([40], 0)) == texts([40])
    assert opened(opening, peer.batch([140], 2)) == texts([140])


def test_the_first_packets_of_a_key_come_out_of_order(peer: Peer) -> None:
    opening = peer.opening()
    opened(opening, peer.batch(range(50), 0))
    opening.install(peer.keys(0, 1), SALT)
    assert opened(opening, peer.batch([53, 52], 1)) == texts([53, 52])
    assert opened(opening, peer.batch([49], 0, again=True)) == texts([49])
    assert opened(opening, peer.batch([50, 51], 1, again=True)) == texts([50, 51])
    opening.install(peer.keys(2, 1), SALT)
    assert opened(opening, peer.batch([50], 1, again=True)) == texts([50])
    assert opened(opening, peer.batch([49], 0, again=True)) == texts([49])


def test_a_key_whose_announcement_is_missing_opens_nothing_until_it_comes(peer: Peer) -> None:
    opening = peer.opening()
    opened(opening, peer.batch(range(50), 0))
    assert opened(opening, peer.batch([50, 51], 1)) == [None, None]
    opening.install(peer.keys(0, 1), SALT)
    assert opened(opening, peer.batch(range(50, 100), 1)) == texts(range(50, 100))
    # the even key is there, but it is not the one: counter mode alone would make noise of this
    assert opened(opening, peer.batch([100, 101], 2)) == [None, None]
    opening.install(peer.keys(2, 1), SALT)
    assert opened(opening, peer.batch(range(100, 150), 2)) == texts(range(100, 150))
    assert opening.undecrypted == 4


def test_nothing_of_a_whole_key_arrived(peer: Peer) -> None:
    opening = peer.opening()
    opened(opening, peer.batch(range(50), 0))
    opening.install(peer.keys(0, 1), SALT)
    opening.install(peer.keys(2, 1), SALT)  # so the odd one is in use, unseen
    assert opened(opening, peer.batch(range(100, 110), 2)) == texts(range(100, 110))
    assert opened(opening, peer.batch([49], 0, again=True)) == texts([49])
    assert opened(opening, peer.batch([60], 1, again=True)) == texts([60])


def test_messages_were_missed_and_both_keys_are_new(peer: Peer) -> None:
    for in_use in (2, 3):
        opening = peer.opening()
        opened(opening, peer.batch(range(50), 0))
        opening.install(peer.keys(0, 1), SALT)
        opened(opening, peer.batch(range(50, 100), 1))
        opening.install(peer.keys(2, 3), SALT)
        start = 100
        for generation in (in_use, in_use + 1):
            assert opened(opening, peer.batch(range(start, start + 50), generation)) == texts(range(start, start + 50))
            opening.install(peer.keys(generation, generation + 1), SALT)
            start += 50
        assert opened(opening, peer.batch(range(start, start + 50), in_use + 2)) == texts(range(start, start + 50))


def test_a_peer_that_replaces_the_key_it_uses(peer: Peer) -> None:
    opening = peer.opening()
    opened(opening, peer.batch(range(50), 0))
    opening.install(peer.keys(2), SALT)
    assert opened(opening, peer.batch(range(50, 100), 2)) == texts(range(50, 100))
    assert opened(opening, peer.batch([40], 0, again=True)) == texts([40])


def test_a_damaged_packet_is_no_turn() -> None:
    peer = Peer(0, Suite(CIPHER_GCM))
    opening = peer.opening()
    opening.install(peer.keys(0, 1), SALT)
    good = peer.packet(5, 1)
    assert opened(opening, Batch(good[:-1] + bytes([good[-1] ^ 1]))) == [None]
    assert repr(opening) == "Opening(1 keys seen, 1 to come)"
    assert opened(opening, peer.batch(range(10), 0)) == texts(range(10))


def test_a_new_salt_makes_a_new_key(suite: Suite) -> None:
    peer, other = Peer(0, suite), Peer(0, suite, salt=SALT[::-1])
    opening = peer.opening()
    opened(opening, peer.batch([0], 0))
    opening.install(other.keys(1), other.salt)
    assert opened(opening, other.batch([1], 1)) == texts([1])
    assert opened(opening, peer.batch([0], 0, again=True)) == texts([0])


def test_a_key_long_gone_is_forgotten_and_the_numbers_go_round(suite: Suite) -> None:
    peer = Peer(0x7FFFFFF0, suite)
    opening = peer.opening()
    opened(opening, peer.batch([0], 0))
    for generation in (1, 2):
        opening.install(peer.keys(generation - 1, generation), SALT)
        opened(opening, peer.batch([generation], generation))
    for offset in (MEMORY // 2, MEMORY + 5):
        assert opened(opening, peer.batch([offset], 2)) == texts([offset])
    assert repr(opening) == "Opening(1 keys seen, 0 to come)"
    # half the circle later the comparison with a number from back then would have turned round
    for offset in range(MEMORY + MEMORY // 2, 1 << 31, MEMORY // 2):
        packet = Peer(peer.isn + offset, suite).batch([0], 2)
        assert opened(opening, packet) == texts([0])
    far = Peer(peer.isn + (1 << 31) - 7, suite)
    opening.install(peer.keys(2, 3), SALT)
    assert opened(opening, far.batch([1], 3)) == texts([1])
    assert opening.undecrypted == 0


def test_a_key_that_waits_long_is_not_forgotten() -> None:
    peer = Peer()
    opening = peer.opening()
    opening.install(peer.keys(0, 1), SALT)
    for offset in (MEMORY // 2, MEMORY + 5, MEMORY + 6):
        opened(opening, peer.batch([offset], 0))
    assert opened(opening, peer.batch([MEMORY + 7], 1)) == texts([MEMORY + 7])


@pytest.mark.parametrize("seed", range(12))
def test_the_short_way_agrees_with_the_long_one(seed: int) -> None:
    luck = random.Random(seed)
    peer = Peer(STARTS[seed % 3], SUITES[seed // 3 % 3])
    short, long = peer.opening(), peer.opening()
    missing: list[tuple[int, int]] = []
    for step in range(80):
        generation = step // 8
        come = [(offset, generation, False) for offset in range(10 * step, 10 * step + 10)]
        lost = [row for row in come if luck.random() < 0.1]
        come = [row for row in come if row not in lost]
        while missing and luck.random() < 0.7:
            again = missing.pop(luck.randrange(len(missing)))
            come.insert(luck.randrange(len(come) + 1), (*again, True))
        missing += [row[:2] for row in lost]
        packets = [peer.packet(offset, one, again=again) for offset, one, again in come]
        batch = Batch(b"".join(packets), len(packets[0]))
        payloads = opened(short, batch)
        assert payloads == long._open_each(batch)
        # what is several keys old is opened rightly or not at all
        expected = [
            text(offset) if one > generation - 3 else payload
            for (offset, one, _), payload in zip(come, payloads, strict=True)
        ]
        assert payloads == expected
        assert all(payload in (None, text(offset)) for (offset, _, _), payload in zip(come, payloads, strict=True))
        if step % 8 == 4:
            for opening in (short, long):
                opening.install(peer.keys(generation, generation + 1), SALT)


def test_no_key_shows(peer: Peer) -> None:
    opening = peer.opening()
    opening.install(peer.keys(0, 1), SALT)
    for thing in (opening, *opening._seen, *opening._coming.values()):
        assert key(0).hex() not in repr(thing)
        assert repr(key(0))[2:-1] not in repr(thing)


def test_the_salt_is_the_sessions() -> None:
    even, odd, salt = bytes([1]) * 16, bytes([2]) * 16, bytes(16)
    opening = Opening(SUITES[0], SessionKeys(), b"", 0, True)
    assert not opening.is_foreign(salt), "as long as there is none"
    opening.install(SessionKeys(even), salt)
    assert not opening.is_foreign(salt)
    for place in range(16):
        assert opening.is_foreign(salt[:place] + b"x" + salt[place + 1 :])
    opening.install(SessionKeys(even, odd), salt)
    assert opening.is_foreign(bytes([1]) + salt[1:])


@pytest.mark.parametrize(
    "far", [(1 << 30) - 1001, (1 << 30) - 5, 1 << 30, (1 << 30) + 5, MEMORY + 100, -MEMORY - 100, -(1 << 29)]
)
def test_a_forged_packet_from_far_away_does_not_turn_the_key(peer: Peer, far: int) -> None:
    """In counter mode anything opens; if it counted as the turn, the numbers in use would lie beyond it some day."""
    opening = peer.opening()
    assert opened(opening, peer.batch(range(1000), 0)) == texts(range(1000))
    opening.install(peer.keys(0, 1), SALT)
    noise = HEADER.pack((peer.isn + 1000 + far) & SEQ_MASK, POSITION_SINGLE | KEY_ODD | 1, 7, US) + bytes(40)
    opening.open(Batch(noise))
    for start in range(1000, 1440, 44):
        assert opened(opening, peer.batch(range(start, start + 44), 0)) == texts(range(start, start + 44))
    assert opened(opening, peer.batch(range(1440, 1500), 1)) == texts(range(1440, 1500))
    assert opened(opening, peer.batch([1439, 1400], 0, again=True)) == texts([1439, 1400])


def test_packets_one_by_one_let_go_of_old_keys_too(suite: Suite) -> None:
    """A peer that sets no R has its packets looked at singly once a flag comes again; that must not be for ever."""
    peer = Peer(5, suite)
    opening = peer.opening(flags_resent=False)
    opened(opening, peer.batch([0], 0))
    for generation in (1, 2):
        opening.install(peer.keys(generation - 1, generation), SALT)
        opened(opening, peer.batch([generation * 10], generation))
    assert len(opening._seen) == 3
    steps = range(1, 4)
    for step in steps:
        assert opened(opening, peer.batch([step * (MEMORY - 1)], 2)) == texts([step * (MEMORY - 1)])
    assert len(opening._seen) == 1
    for step in range(4, 2100, 700):
        opening._newest = (peer.isn + step * (MEMORY - 1) - 1) & SEQ_MASK  # so many packets later
        opened(opening, peer.batch([step * (MEMORY - 1)], 2))
    assert opened(opening, peer.batch([2100 * (MEMORY - 1)], 2)) == texts([2100 * (MEMORY - 1)])
