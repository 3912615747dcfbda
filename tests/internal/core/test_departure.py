from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from srtpy.internal.buffer.send import Row, SendBuffer
from srtpy.internal.clock.units import MILLISECOND, NEVER
from srtpy.internal.congestion.controller import Limits
from srtpy.internal.congestion.live import LiveCC
from srtpy.internal.congestion.shaper import Shaper
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.departure import Departure
from srtpy.internal.core.dropping import Dropping
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.packing import Packing, Seal
from srtpy.internal.core.retransmission import Retransmission
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.packet.header import HEADER, RETRANSMITTED, Datagram
from srtpy.internal.seq.number import SEQ_MASK
from tests.sim.pair import ORDINARY, agreed

LIMIT = 44


class Scene:
    """A departure and everything it takes from."""

    def __init__(self, isn: int = 1000, seal: Seal | None = None, **changes: object) -> None:
        terms = replace(agreed(ORDINARY, 0)[0], start=0, peer_latency=120 * MILLISECOND, **changes)  # type: ignore[arg-type]
        self.isn = isn
        self.buffer = SendBuffer(isn, 8192)
        self.again = Retransmission(Shaper(0, 0), RoundTrip(), False, 1316, 0)
        self.controller = LiveCC(Limits(max_bw=1_000_000), 1316, 8192)
        self.outbox, self.counters = Outbox(7, 0), Counters()
        dropping = Dropping(terms, self.buffer, self.again, self.outbox, self.counters)
        self.part = Departure(
            terms,
            self.buffer,
            self.again,
            Packing(terms, seal, 0),
            self.controller,
            dropping,
            self.outbox,
            self.counters,
        )

    def write(self, count: int, now: int = 0, expires: int = NEVER) -> None:
        for _ in range(count):
            self.buffer.append(bytes(1316), 1456, True, now, now, expires)

    def release(self, allowed: int, now: int = 0, limit: int = LIMIT) -> list[str]:
        return self.named(self.part.release(self.buffer.unsent, len(self.again.waiting), allowed, limit, now))

    def named(self, datagrams: Sequence[Datagram]) -> list[str]:
        """What left: "n3" is the packet at place 3 for the first time, "r3" again."""
        headers = [HEADER.unpack(head) for head, _ in datagrams]
        return [f"{'r' if info & RETRANSMITTED else 'n'}{(seq - self.isn) & SEQ_MASK}" for seq, info, _, _ in headers]


def new(first: int, count: int) -> list[str]:
    return [f"n{place}" for place in range(first, first + count)]


def again(*places: int) -> list[str]:
    return [f"r{place}" for place in places]


@pytest.fixture(params=[1001, 0x7FFFFFF1])
def isn(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


def test_new_packets_leave_in_order(isn: int) -> None:
    scene = Scene(isn)
    scene.write(50)
    assert scene.release(20) == new(0, 20)
    assert scene.release(LIMIT) == new(20, 30)
    assert (scene.counters.sent_unique_packets, scene.counters.sent_unique_bytes) == (50, 50 * 1316)


def test_lost_packets_leave_first(isn: int) -> None:
    scene = Scene(isn)
    scene.write(40)
    scene.release(20)
    scene.again.everything(isn, 3, 4)
    scene.again.everything(isn, 19, 19)
    assert scene.release(10) == again(3, 4, 19) + new(20, 7)
    assert (scene.counters.retransmits, scene.counters.retrans_bytes) == (3, 3 * 1316)


def test_lost_packets_alone_when_no_more_are_allowed(isn: int) -> None:
    scene = Scene(isn)
    scene.write(40)
    scene.release(20)
    scene.again.everything(isn, 0, 9)
    assert scene.release(10) == again(*range(10))
    assert scene.release(5) == new(20, 5)


def test_new_packets_that_have_waited_long_leave_before_lost_ones(isn: int) -> None:
    scene = Scene(isn)
    scene.write(40)
    scene.release(20)
    scene.again.everything(isn, 0, 9)
    assert scene.release(12, now=30 * MILLISECOND) == again(*range(10)) + new(20, 2)
    scene.again.everything(isn, 0, 9)
    assert scene.release(12, now=30 * MILLISECOND + 1) == new(22, 12)
    assert scene.release(12, now=30 * MILLISECOND + 1) == new(34, 6) + again(*range(6))


def test_a_peer_that_does_not_play_by_time_gets_lost_packets_first_always() -> None:
    scene = Scene(tsbpd_send=False)
    scene.write(40)
    scene.release(20)
    scene.again.everything(scene.isn, 0, 9)
    assert scene.release(12, now=1 << 40) == again(*range(10)) + new(20, 2)


def test_a_probe_pair_is_not_parted() -> None:
    scene = Scene(isn=0x7FFFFFF0)
    scene.write(100)
    assert scene.release(1) == new(0, 2), "the sixteenth takes its follower along"
    assert scene.release(15) == new(2, 16), "from the third to the seventeenth, and its follower"
    assert scene.release(14) == new(18, 14)
    assert scene.release(17, limit=17) == new(32, 16), "where one more is too many, both leave with the next burst"
    assert scene.release(1) == new(48, 2)


def test_a_probe_waits_for_no_follower_that_is_not_there() -> None:
    scene = Scene(isn=0)
    scene.write(1)
    assert scene.release(1) == new(0, 1)


def test_even_a_limit_of_one_lets_a_pair_through() -> None:
    scene = Scene(isn=0)
    scene.write(2)
    assert scene.release(1, limit=1) == new(0, 2)


def test_what_expired_unsent_is_passed_over_and_announced(isn: int) -> None:
    scene = Scene(isn)
    scene.write(3)
    scene.write(2, expires=100)
    scene.write(3)
    assert scene.release(LIMIT, now=100) == new(0, 3)
    assert scene.release(LIMIT, now=100) == new(5, 3)
    assert len(scene.outbox.take()) == 1
    assert scene.counters.sent_dropped == 2


def test_what_expired_unsent_takes_room_in_the_window(isn: int) -> None:
    scene = Scene(isn)
    scene.write(5, expires=10)
    scene.write(5)
    left = scene.part.release(7, 0, 9, LIMIT, 10)
    assert scene.named(left) == new(5, 2)
    assert scene.buffer.sent == 7


def test_what_expired_unsent_may_leave_no_room_in_the_window(isn: int) -> None:
    scene = Scene(isn)
    scene.write(9, expires=10)
    scene.write(1)
    assert scene.part.release(4, 0, 9, LIMIT, 10) == []
    assert scene.buffer.sent == 9


def test_what_has_time_left_is_sent() -> None:
    scene = Scene()
    scene.write(3, expires=100)
    assert scene.release(LIMIT, now=99) == new(0, 3)
    assert not scene.outbox


def test_nothing_but_expired_packets_is_nothing(isn: int) -> None:
    scene = Scene(isn)
    scene.write(3, expires=100)
    assert scene.release(LIMIT, now=200) == []
    assert scene.buffer.sent == 3
    assert scene.outbox.last_said == 200, "the announcements count as having said something"


def test_what_expired_is_not_sent_again(isn: int) -> None:
    scene = Scene(isn)
    scene.write(2)
    scene.write(2, expires=100)
    scene.release(4, now=50)
    scene.again.everything(isn, 0, 3)
    assert scene.release(4, now=100) == again(0, 1)
    assert len(scene.outbox.take()) == 1
    assert (scene.counters.retransmits, scene.counters.sent_dropped) == (2, 2)


def test_a_departure_is_something_said() -> None:
    scene = Scene()
    scene.write(1)
    scene.release(1, now=555)
    assert scene.outbox.last_said == 555
    scene.release(1, now=777)
    assert scene.outbox.last_said == 555


def test_the_controller_hears_of_new_packets_only() -> None:
    scene = Scene()
    period = scene.controller.period
    for _ in range(10):
        scene.buffer.append(bytes(188), 1456, True, 0, 0, NEVER)
    scene.release(10)
    assert scene.controller.period < period
    period = scene.controller.period
    scene.again.everything(scene.isn, 0, 9)
    scene.release(10)
    assert scene.controller.period == period


def test_a_packet_is_sealed_once_and_sent_again_as_it_was(isn: int) -> None:
    sealed: list[int] = []

    def seal(first: int, rows: list[Row]) -> list[Row]:
        seqs = [(first + place) & SEQ_MASK for place in range(len(rows))]
        sealed.extend(seqs)
        return [(row[0], row[1], b"%d" % seq, row[3], row[4]) for seq, row in zip(seqs, rows, strict=True)]

    scene = Scene(isn, seal)
    scene.write(30)
    first = scene.part.release(30, 0, 30, LIMIT, 0)
    scene.again.everything(isn, 0, 29)
    second = scene.part.release(0, 30, 30, LIMIT, 0)
    assert sealed == [(isn + place) & SEQ_MASK for place in range(30)]
    assert [payload for _, payload in first] == [payload for _, payload in second] == [b"%d" % seq for seq in sealed]


def test_the_last_word_is_the_last_packet_written_again_or_for_the_first_time(isn: int) -> None:
    scene = Scene(isn)
    assert scene.part.last_word(0) == []
    scene.write(30)
    assert scene.named(scene.part.last_word(0)) == new(29, 1)
    scene.release(30)
    assert scene.named(scene.part.last_word(0)) == again(29)
    scene.buffer.remove(30)
    assert scene.part.last_word(0) == []


def test_the_last_word_is_sealed_once() -> None:
    sealed: list[tuple[int, int]] = []

    def seal(first: int, rows: list[Row]) -> list[Row]:
        sealed.append((first, len(rows)))
        return [(row[0], row[1], b"sealed", row[3], row[4]) for row in rows]

    scene = Scene(1000, seal)
    scene.write(5)
    assert [payload for _, payload in scene.part.last_word(0)] == [b"sealed"]
    scene.part.release(5, 0, 5, LIMIT, 0)
    assert [payload for _, payload in scene.part.last_word(0)] == [b"sealed"]
    assert sealed == [(1004, 1), (1000, 5)]


def test_nothing_is_said_of_what_was_given_up() -> None:
    scene = Scene(tsbpd_send=False)
    scene.write(5)
    scene.release(5)
    scene.buffer.give_up((scene.isn + 4) & SEQ_MASK)
    assert scene.named(scene.part.last_word(0)) == again(3)


def test_a_burst_of_a_file_ends_where_a_message_does(isn: int) -> None:
    scene = Scene(isn, tsbpd_send=False)
    for size in (3000, 1456, 100):
        scene.buffer.append(bytes(size), 1456, True, 0, 0, NEVER)
    assert scene.release(LIMIT) == new(0, 3)
    assert scene.release(LIMIT) == new(3, 2)
    live = Scene(isn)
    for size in (1316, 100, 1316):
        live.buffer.append(bytes(size), 1456, True, 0, 0, NEVER)
    assert live.release(LIMIT) == new(0, 3)


def test_a_probe_pair_of_a_file_is_not_parted_where_a_message_ends() -> None:
    scene = Scene(0x7FFFFFFE, tsbpd_send=False)
    for _ in range(3):
        scene.buffer.append(bytes(3000), 1456, True, 0, 0, NEVER)
    assert scene.release(LIMIT) == new(0, 4), "the third is the one with number 0"
