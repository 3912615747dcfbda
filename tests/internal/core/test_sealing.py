"""When our keys change, counted packet by packet, and what they wait for."""

from __future__ import annotations

import random
from itertools import groupby

import pytest

from srtpy.internal.core.sealing import (
    DEFAULT_PRE_ANNOUNCE,
    DEFAULT_REFRESH,
    LONGEST_USE,
    LONGEST_WAIT,
    Sealing,
    Spare,
    pre_announce_for,
)
from srtpy.internal.crypto.cipher import Suite
from srtpy.internal.crypto.exchange import Keying
from srtpy.internal.crypto.keys import Passphrase, SessionKeys
from srtpy.internal.crypto.keywrap import read_message
from srtpy.internal.packet.header import KEY_EVEN, KEY_MASK, KEY_ODD, POSITION_SINGLE
from srtpy.internal.packet.keymaterial import BOTH_KEYS, CIPHER_CTR, CIPHER_GCM, KeyMaterial
from srtpy.internal.seq.number import SEQ_MASK
from tests.sealed import Packet
from tests.sealed import sealed as sealed_by
from tests.vectors import vectors

PEER = 0x77
SALT = bytes(range(16))
STARTS = [0, 1000, 0x7FFFFFF0]


def sealing_of(
    refresh: int = 40, pre: int | None = 10, isn: int = 1000, suite: Suite | None = None, odd: bool = False
) -> Sealing:
    key = bytes(range(16))
    keying = Keying(
        suite=suite or Suite(CIPHER_CTR),
        passphrase=Passphrase("0123456789ab"),
        salt=SALT,
        send_keys=SessionKeys(odd=key) if odd else SessionKeys(key),
    )
    return Sealing(keying, PEER, isn, random.Random(5).randbytes, refresh, pre)


class Story:
    """Packets from the first on; what each was sealed with, and after which packet something was announced.

    Attributes:
        flags: of each packet.
        announced: (how many packets had been sealed, message).
    """

    def __init__(self, sealing: Sealing, isn: int = 1000) -> None:
        self.sealing = sealing
        self.isn = isn
        self.flags: list[int] = []
        self.announced: list[tuple[int, bytes]] = []
        self.sealed: list[Packet] = []

    def send(self, count: int, *, known: bool = True, acknowledged: bool = True) -> None:
        """Seal so many packets in one run; then the peer answers what it heard of."""
        start = len(self.flags)
        run = [
            ((self.isn + place) & SEQ_MASK, POSITION_SINGLE | place + 1, 7, b"text")
            for place in range(start, start + count)
        ]
        before = self.sealing.message
        sealed = sealed_by(self.sealing.seal, run)
        self.sealed += sealed
        self.flags += [info & KEY_MASK for _, info, _, _ in sealed]
        if self.sealing.message is not before:
            self.announced.append((len(self.flags), self.sealing.message))
            if known:
                self.sealing.note_known()
        if acknowledged:
            self.sealing.note_acknowledged((self.isn + len(self.flags)) & SEQ_MASK)

    @property
    def stretches(self) -> list[int]:
        """How many packets each key sealed."""
        return [len(list(group)) for _, group in groupby(self.flags)]


@pytest.mark.parametrize("isn", STARTS)
def test_the_counts_libsrt_was_seen_to_keep(isn: int) -> None:
    story = Story(sealing_of(40, 10, isn), isn)
    for _ in range(200):
        story.send(1)
    assert story.announced[0][0] == 31, "the announcement follows packet 31"
    assert story.stretches == [40, 41, 41, 41, 37], "the key changes at packet 41, then every 41"
    assert story.flags[0] == KEY_EVEN
    assert set(story.flags) == {KEY_EVEN, KEY_ODD}


@pytest.mark.parametrize("isn", STARTS)
@pytest.mark.parametrize("seed", range(5))
def test_how_packets_are_grouped_into_runs_changes_nothing_else(seed: int, isn: int) -> None:
    luck = random.Random(seed)
    single, grouped = Story(sealing_of(100, 30, isn), isn), Story(sealing_of(100, 30, isn), isn)
    while len(grouped.flags) < 1000:
        count = luck.randrange(1, 20)
        grouped.send(count)
        for _ in range(count):
            single.send(1)
    assert grouped.sealed == single.sealed
    assert [message for _, message in grouped.announced] == [message for _, message in single.announced]


def test_a_run_longer_than_a_key_lives() -> None:
    story = Story(sealing_of(40, 10))
    story.send(1000)
    assert story.stretches == [1000], "the peer does not know the next key yet"
    story.send(1000)
    assert story.stretches == [1000, 1000]
    assert len(story.announced) == 2


def test_an_announcement_brings_both_keys_the_even_one_first() -> None:
    story = Story(sealing_of(40, 10))
    story.send(31)
    story.send(41)
    story.send(41)
    found = [read_message(Passphrase("0123456789ab"), KeyMaterial.decode(message)) for _, message in story.announced]
    assert found[0].even == bytes(range(16))
    assert found[1].odd == found[0].odd
    assert found[1].even != found[0].even
    for (_, message), keys in zip(story.announced, found, strict=True):
        material = KeyMaterial.decode(message)
        assert (material.keys, material.salt, material.cipher) == (BOTH_KEYS, SALT, CIPHER_CTR), "the salt is kept"
        assert len(message) == 72
        assert keys.even != keys.odd


@pytest.mark.parametrize("suite", [Suite(CIPHER_CTR), Suite(CIPHER_GCM)])
def test_what_is_sealed_opens_with_what_was_announced(suite: Suite) -> None:
    story = Story(sealing_of(40, 10, suite=suite))
    for _ in range(20):
        story.send(9)
    keys = {KEY_EVEN: [bytes(range(16))], KEY_ODD: []}
    for _, message in story.announced:
        found = read_message(Passphrase("0123456789ab"), KeyMaterial.decode(message))
        for flag, key in ((KEY_EVEN, found.even), (KEY_ODD, found.odd)):
            if key not in keys[flag]:
                keys[flag].append(key)
    turns = -1
    previous = 0
    for seq, info, stamp, payload in story.sealed:
        flag = info & KEY_MASK
        turns += flag != previous
        previous = flag
        cipher = suite.make(keys[flag][turns // 2], SALT)
        assert cipher.open([(seq, info, stamp, PEER)], [payload]) == [b"text"]
    assert turns >= 3


def test_a_connection_may_begin_with_the_odd_key() -> None:
    story = Story(sealing_of(40, 10, odd=True))
    for _ in range(90):
        story.send(1)
    assert story.flags[0] == KEY_ODD
    assert story.stretches == [40, 41, 9]


# ---- waiting for the peer


def test_the_turn_waits_for_the_answer_and_data_does_not() -> None:
    story = Story(sealing_of(40, 10))
    for _ in range(300):
        story.send(1, known=False)
    assert story.stretches == [300]
    assert len(story.announced) == 1
    story.sealing.note_known()
    story.send(1)
    story.send(60)
    assert story.stretches == [300, 61]


def test_an_answer_in_time_changes_nothing() -> None:
    story = Story(sealing_of(40, 10))
    for _ in range(35):
        story.send(1, known=False)
    story.sealing.note_known()
    for _ in range(45):
        story.send(1)
    assert story.stretches == [40, 40]


def test_a_new_key_waits_until_nothing_can_be_sent_again_with_the_one_it_replaces() -> None:
    story = Story(sealing_of(40, 10))
    story.send(31)
    for _ in range(200):
        story.send(1, acknowledged=False)
    assert story.stretches == [40, 191]
    assert len(story.announced) == 1
    story.sealing.note_acknowledged(1000 + 39)  # one of the old key's is missing
    story.send(1, acknowledged=False)
    assert len(story.announced) == 1
    story.sealing.note_acknowledged(1000 + 40)
    story.send(1, acknowledged=False)
    assert len(story.announced) == 2


def test_an_acknowledgement_that_goes_back_is_none() -> None:
    story = Story(sealing_of(40, 10))
    story.send(31)
    story.send(50)
    story.sealing.note_acknowledged(1000)
    story.send(31)
    assert len(story.announced) == 2


def test_it_does_not_wait_for_a_peer_that_never_acknowledges() -> None:
    sealing = sealing_of(40, 10)
    story = Story(sealing)
    story.send(31)
    story.send(10, acknowledged=False)
    assert sealing._spare is Spare.OLD
    story.send(40, acknowledged=False)
    sealing._count = LONGEST_WAIT
    story.send(60, acknowledged=False)
    assert len(story.announced) == 2


# ---- settings


@pytest.mark.parametrize(
    ("refresh", "wanted", "expected"),
    [
        (DEFAULT_REFRESH, None, DEFAULT_PRE_ANNOUNCE),
        (1000, None, 499),
        (1000, 100, 100),
        (1000, 600, 499),
        (40, 10, 10),
        (3, None, 1),
        (1, None, 0),
        (1, 5, 0),
        (LONGEST_USE, 1 << 29, (1 << 29) - 1),
    ],
)
def test_how_long_before_a_key_is_announced(refresh: int, wanted: int | None, expected: int) -> None:
    assert pre_announce_for(refresh, wanted) == expected


@pytest.mark.parametrize("refresh", [1, 2, 3, 4, 5])
def test_keys_that_live_very_shortly(refresh: int) -> None:
    story = Story(sealing_of(refresh, None))
    for _ in range(60):
        story.send(1)
    assert len(story.announced) >= 60 // (refresh + 3)
    assert sum(story.stretches) == 60


def test_never_means_as_long_as_is_safe() -> None:
    sealing = sealing_of(0, None)
    story = Story(sealing)
    story.send(5000)
    assert story.announced == []
    sealing._count = LONGEST_USE - DEFAULT_PRE_ANNOUNCE
    story.send(2)
    assert len(story.announced) == 1, "a key must not meet the same sequence number again"
    assert LONGEST_USE + LONGEST_WAIT < SEQ_MASK


def test_the_announcements_of_another_implementations_story() -> None:
    (vector,) = vectors("km_scenario")
    facts = vector["expected_fields"]
    story = Story(sealing_of(facts["period"], facts["pre_announce"]))
    for _ in range(240):
        story.send(100, known=False)
    assert story.announced == []
    for _ in range(100):
        story.send(100, known=False)
    assert len(story.announced) == 1, "how often it is repeated is a matter of time, not of packets: see test_keys"
    assert 24_000 < story.announced[0][0] <= 24_100
    story.sealing.note_known()
    story.send(9_000)
    assert len(story.announced) == 1 + facts["after_response"]
    assert story.stretches == [43_000]
    story.send(2_000)
    assert story.stretches == [44_000, 1_000]


def test_nothing_shows() -> None:
    story = Story(sealing_of(40, 10))
    story.send(41)
    for key in (story.sealing._keys.even, story.sealing._keys.odd):
        assert key.hex() not in repr(story.sealing)
        assert repr(key)[2:-1] not in repr(story.sealing)
