from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtpy.config import Config
from srtpy.fields import TransType
from srtpy.internal.buffer.send import Row
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.core.sender import Sender
from srtpy.internal.packet.control import Ack, DropRequest
from srtpy.internal.packet.header import (
    HEADER,
    HEADER_SIZE,
    IN_ORDER,
    KEY_EVEN,
    RETRANSMITTED,
    ControlType,
    control_kind,
)
from srtpy.internal.seq.number import SEQ_MASK, distance
from tests.sim.pair import ORDINARY, agreed

START = 5 * SECOND
MESSAGE = bytes(1316)
WINDOW = 8192


class Scene:
    """A sender, driven by hand."""

    def __init__(self, isn: int = 1001, config: Config | None = None, seal: Any = None, **changes: Any) -> None:
        terms: dict[str, Any] = {
            "start": START,
            "send_isn": isn,
            "flow_window": WINDOW,
            "peer_latency": 120 * MILLISECOND,
        }
        terms |= changes
        terms["flow_window"] += 1  # the peer advertises one packet more than it can hold
        self.terms = replace(agreed(replace(ORDINARY, config=config), 0)[0], **terms)
        self.isn = isn
        self.outbox = Outbox(self.terms.peer_socket_id, START)
        self.counters, self.round_trip = Counters(), RoundTrip()
        self.sender = Sender(
            self.terms, config or Config(), self.outbox, self.counters, self.round_trip, START, seal=seal
        )
        self.now = START
        self.acks = 0
        self.left: list[tuple[int, str]] = []

    def seq(self, place: int) -> int:
        return (self.isn + place) & SEQ_MASK

    def write(self, count: int, now: int | None = None) -> None:
        assert self.sender.write_many([MESSAGE] * count, self.now if now is None else now) == count

    def take(self, now: int | None = None) -> list[str]:
        """Take a burst: "n3" is the packet at place 3 for the first time, "r3" again."""
        headers = [HEADER.unpack(head) for head, _ in self.sender.take(self.now if now is None else now)]
        return [f"{'r' if info & RETRANSMITTED else 'n'}{(seq - self.isn) & SEQ_MASK}" for seq, info, *_ in headers]

    def run(self, until: int) -> list[str]:
        """Do what a connection does until an instant: deadlines, then a take after each.  Return what left."""
        left: list[str] = []
        for _ in range(1_000_000):
            left += (taken := self.take())
            self.left += [(self.now, one) for one in taken]
            deadline = self.sender.deadline
            if deadline > until:
                self.now = until
                return left
            self.now = max(self.now, deadline)
            self.sender.on_deadline(self.now)
        raise AssertionError("the deadline stays in the past")

    def sent(self, count: int) -> None:
        """Have `count` packets on their way."""
        self.write(count)
        assert len(self.run(self.now + count * 20)) == count

    def ack(self, place: int, available: int = WINDOW, rtt: int = 40_000, variance: int = 1_000) -> bool:
        self.acks += 1
        ack = Ack(self.seq(place), rtt, variance, available, 1000, 2000, 1_316_000)
        return self.sender.acknowledged(ack, self.acks, self.now)

    def light_ack(self, place: int) -> bool:
        return self.sender.acknowledged(Ack(self.seq(place)), None, self.now)

    def nak(self, *ranges: tuple[int, int]) -> bool:
        return self.sender.lost([(self.seq(first), self.seq(last)) for first, last in ranges], self.now)

    def requests(self) -> list[tuple[int, int, int]]:
        said = []
        for datagram, _ in self.outbox.take():
            word, number, _, _ = HEADER.unpack_from(datagram)
            assert control_kind(word) == ControlType.DROPREQ
            request = DropRequest.decode(datagram[HEADER_SIZE:])
            said.append((number, distance(self.isn, request.first), distance(self.isn, request.last)))
        return said


def new(first: int, count: int) -> list[str]:
    return [f"n{place}" for place in range(first, first + count)]


def again(*places: int) -> list[str]:
    return [f"r{place}" for place in places]


@pytest.fixture(params=[1001, 0x7FFFFFF0])
def isn(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


# ---- written -----------------------------------------------------------------------------------


def test_the_first_packet(isn: int) -> None:
    scene = Scene(isn)
    scene.sender.write(b"hello", START + 500)
    ((head, payload),) = scene.sender.take(START + 700)
    assert HEADER.unpack(head) == (isn, 0xE0000001, 500, scene.terms.peer_socket_id)
    assert payload == b"hello"
    assert scene.outbox.last_said == START + 700


def test_the_order_flag_is_the_writers_choice() -> None:
    scene = Scene()
    scene.sender.write(b"x", START, in_order=False)
    ((head, _),) = scene.sender.take(START)
    assert not HEADER.unpack(head)[1] & IN_ORDER


@pytest.mark.parametrize(
    ("stamp", "on_the_wire"),
    [(START + 450, 450), (START, 0), (START + 9000, 9000), (START - 1, 500), (0, 500)],
)
def test_a_message_can_say_when_it_was_made(stamp: int, on_the_wire: int) -> None:
    scene = Scene()
    scene.sender.write(b"x", START + 500, stamp=stamp)
    ((head, _),) = scene.sender.take(START + 500)
    assert HEADER.unpack(head)[2] == on_the_wire


def test_timestamps_wrap() -> None:
    scene = Scene()
    scene.sender.write(b"x", START + (1 << 32) + 5)
    ((head, _),) = scene.sender.take(START + (1 << 32) + 5)
    assert HEADER.unpack(head)[2] == 5


def test_many_messages_are_what_they_are_one_by_one(isn: int) -> None:
    together, apart = Scene(isn), Scene(isn)
    messages = [b"%d" % index for index in range(40)]
    assert together.sender.write_many(messages, START) == 40
    for message in messages:
        apart.sender.write(message, START)
    assert together.sender.take(START) == apart.sender.take(START)
    assert together.sender.last_message_number == apart.sender.last_message_number == 40


def test_as_many_are_taken_as_there_is_room_for() -> None:
    scene = Scene(config=Config(send_buf_size=50))
    assert scene.sender.room() == 50
    assert scene.sender.write_many([MESSAGE] * 40, START) == 40
    assert scene.sender.write_many([MESSAGE] * 40, START) == 10
    assert scene.sender.write_many([MESSAGE] * 40, START) == 0
    assert scene.sender.room() == 0
    assert scene.sender.unacknowledged == 50


def test_a_message_larger_than_a_packet_is_cut() -> None:
    scene = Scene(payload_size=1000)
    message = bytes(index % 251 for index in range(2500))
    assert scene.sender.packets_for(2500) == 3
    scene.sender.write(message, START)
    datagrams = scene.sender.take(START)
    assert [HEADER.unpack(head)[1] for head, _ in datagrams] == [0xA0000001, 0x20000001, 0x60000001]
    assert b"".join(payload for _, payload in datagrams) == message


def test_messages_larger_than_packets_are_taken_whole_or_not() -> None:
    scene = Scene(config=Config(send_buf_size=32), payload_size=1000)
    assert scene.sender.write_many([bytes(10_000)] * 5, START) == 3
    assert scene.sender.room() == 2


def test_gauges() -> None:
    scene = Scene()
    assert scene.sender.is_empty
    assert scene.sender.oldest_age(START + 5) == 0
    scene.write(3)
    scene.sender.write(bytes(100), START + 50)
    scene.take()
    scene.write(2)
    assert not scene.sender.is_empty
    assert (scene.sender.unacknowledged, scene.sender.flight, scene.sender.next_seq) == (6, 4, 1005)
    assert scene.sender.buffered_bytes == 5 * 1316 + 100
    assert scene.sender.oldest_age(START + 70) == 70
    assert (scene.sender.flow_window, scene.sender.congestion_window) == (WINDOW, WINDOW)
    assert (scene.sender.period, scene.sender.max_bandwidth, scene.sender.capacity) == (10, 125_000_000, 1)
    assert scene.sender.last_message_number == 6


def test_what_is_too_late_is_dropped_when_something_is_written() -> None:
    scene = Scene()
    scene.write(5)
    scene.sender.write(MESSAGE, START + 1021 * MILLISECOND)
    assert (scene.sender.unacknowledged, scene.counters.sent_dropped) == (1, 5)


def test_the_input_is_measured_however_it_is_written() -> None:
    scene = Scene(config=Config(max_bw=0))
    for tick in range(2000):
        now = START + tick * MILLISECOND
        if tick % 2:
            scene.sender.write(MESSAGE, now)
        else:
            scene.sender.write_many([MESSAGE], now)
    assert scene.sender.max_bandwidth == 1360 * 1000 * 125 // 100
    assert scene.sender.congestion_window == WINDOW


def test_a_take_can_be_limited() -> None:
    scene = Scene()
    scene.write(30)
    assert len(scene.sender.take(START, limit=10)) == 10
    assert scene.sender.deadline <= START + 440


# ---- sent --------------------------------------------------------------------------------------


def test_nothing_written_has_no_deadline() -> None:
    scene = Scene()
    assert scene.take() == []
    assert scene.sender.deadline == NEVER


def test_bursts_leave_at_the_pace(isn: int) -> None:
    scene = Scene(isn)
    scene.write(1000)
    left = scene.run(START + 20 * MILLISECOND)
    assert left == new(0, 1000)
    sizes = [sum(1 for now, _ in scene.left if now == when) for when in sorted({now for now, _ in scene.left})]
    assert max(sizes) <= 45
    assert scene.left[-1][0] - START == pytest.approx(10_000, rel=0.1)


def test_probe_pairs_leave_at_one_instant() -> None:
    scene = Scene(isn=0x7FFFFFF0, config=Config(max_bw=2_000_000))
    scene.write(200)
    scene.run(START + SECOND)
    times = {int(one[1:]): now for now, one in scene.left}
    assert all(times[place] == times[place + 1] for place in range(0, 199, 16))


def test_the_peers_window_is_kept(isn: int) -> None:
    scene = Scene(isn, flow_window=30)
    scene.write(100)
    assert scene.run(START + 20 * MILLISECOND) == new(0, 30)
    scene.ack(10, available=25)
    assert scene.run(scene.now + 10 * MILLISECOND) == new(30, 5)
    scene.ack(35, available=0)
    assert scene.run(scene.now + 10 * MILLISECOND) == []


def test_a_light_acknowledgement_makes_room_but_not_window(isn: int) -> None:
    scene = Scene(isn, flow_window=100)
    scene.write(300)
    scene.run(START + 20 * MILLISECOND)
    scene.light_ack(64)
    assert scene.sender.flow_window == 36
    assert scene.run(scene.now + 10 * MILLISECOND) == []
    scene.ack(64, available=100)
    assert scene.run(scene.now + 10 * MILLISECOND) == new(100, 64)


def test_retransmissions_ignore_the_window(isn: int) -> None:
    scene = Scene(isn, flow_window=30)
    scene.sent(30)
    scene.ack(5, available=0)
    scene.nak((10, 12))
    assert scene.take() == again(10, 11, 12)


def test_until_the_input_is_measured_the_window_is_libsrts() -> None:
    scene = Scene(config=Config(max_bw=0))
    assert scene.sender.congestion_window == 1000
    scene.write(1200)
    assert len(scene.run(START + 100 * MILLISECOND)) == 1000


def test_a_run_is_sealed_on_its_way_out() -> None:
    def seal(first: int, rows: list[Row]) -> list[Row]:
        return [(info | KEY_EVEN, stamp, b"sealed", *rest) for info, stamp, _, *rest in rows]  # type: ignore[misc]

    scene = Scene(seal=seal)
    scene.write(3)
    first = scene.sender.take(START)
    scene.nak((0, 2))
    second = scene.sender.take(START)
    assert [payload for _, payload in [*first, *second]] == [b"sealed"] * 6
    assert {HEADER.unpack(head)[1] & KEY_EVEN for head, _ in [*first, *second]} == {KEY_EVEN}


# ---- acknowledged ------------------------------------------------------------------------------


def test_what_is_acknowledged_is_gone(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(40)
    assert scene.ack(25)
    assert (scene.sender.unacknowledged, scene.sender.flight, scene.sender.next_seq) == (15, 15, scene.seq(40))
    assert scene.ack(40)
    assert scene.sender.is_empty
    assert scene.counters.recv_acks == 2


def test_what_was_never_sent_cannot_be_acknowledged(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(10)
    scene.write(10)
    assert not scene.ack(11)
    assert not scene.light_ack(1000)
    assert (scene.sender.unacknowledged, scene.sender.flow_window, scene.counters.recv_acks) == (20, WINDOW, 0)
    assert scene.round_trip.smoothed == 100_000
    assert scene.ack(10)


def test_an_older_acknowledgement_changes_nothing(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(40)
    scene.ack(30)
    for place in (0, 29, -5, -(1 << 29)):
        assert scene.sender.acknowledged(Ack(scene.seq(place), 999_999, 1, 3, 1, 1, 1), 0x7FFFFFFF, scene.now)
    assert scene.light_ack(10)
    assert (scene.sender.flight, scene.sender.flow_window) == (10, WINDOW)
    assert scene.round_trip.smoothed == 40_000


def test_an_overtaken_acknowledgement_does_not_close_the_window() -> None:
    scene = Scene()
    scene.sent(40)
    full, reopened = (Ack(scene.seq(40), 40_000, 1_000, available, 1, 1, 1) for available in (0, 500))
    scene.sender.acknowledged(reopened, 2, scene.now)
    scene.sender.acknowledged(full, 1, scene.now)
    assert scene.sender.flow_window == 500


def test_the_window_of_an_older_position_is_not_heeded_whatever_its_number(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(20)
    assert scene.ack(20, available=500)
    scene.acks = 0x20000000
    assert scene.ack(10, available=0)
    assert scene.sender.flow_window == 500
    scene.acks = 2
    scene.sent(1)
    assert scene.ack(21, available=499)
    assert scene.sender.flow_window == 499


def test_a_number_far_ahead_does_not_hide_the_windows_to_come(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(20)
    scene.acks = 0x20000000
    assert scene.ack(10, available=0)
    scene.acks = 2
    assert scene.ack(20, available=500)
    assert scene.sender.flow_window == 500


def test_the_window_opens_also_behind_what_was_given_up(isn: int) -> None:
    """Packets are given up as fast as they come, so no acknowledgement ever catches up."""
    scene = Scene(isn, flow_window=600)
    scene.sent(20)
    scene.ack(20, available=0)
    for _ in range(3000):
        scene.write(1)
        scene.run(scene.now + MILLISECOND)
    gone = distance(scene.isn, scene.sender.next_seq) - scene.sender.flight - 20
    assert gone == pytest.approx(2000, abs=30)
    scene.ack(20, available=gone - 1)
    assert scene.sender.flow_window == 0
    scene.ack(20, available=gone + 500)
    assert scene.sender.flow_window == 500
    assert len(scene.run(scene.now + 10 * MILLISECOND)) >= 480


def test_reports_teach_only_when_they_bring_something_new() -> None:
    scene = Scene()
    scene.sent(40)
    scene.ack(20, rtt=40_000, variance=2_000)
    assert (scene.round_trip.smoothed, scene.round_trip.variance) == (40_000, 2_000)
    scene.ack(20, rtt=90_000)
    assert scene.round_trip.smoothed == 40_000
    assert scene.sender.capacity == (7 + 2000) // 8


def test_small_acknowledgements_are_enough() -> None:
    scene = Scene()
    scene.sent(40)
    assert scene.sender.acknowledged(Ack(scene.seq(40), 30_000, 1_000, 77), 0, scene.now)
    assert (scene.sender.is_empty, scene.sender.flow_window, scene.round_trip.smoothed) == (True, 77, 30_000)


def test_how_long_the_buffer_held_something() -> None:
    scene = Scene()
    scene.sent(10)
    scene.now = START + 50_000
    scene.ack(10)
    scene.now = START + SECOND
    scene.write(1)
    scene.take()
    scene.now += 30_000
    scene.ack(11)
    assert scene.counters.send_duration == 80_000


# ---- lost --------------------------------------------------------------------------------------


def test_what_is_reported_lost_is_sent_again_first_and_as_it_was(isn: int) -> None:
    scene = Scene(isn)
    scene.write(10)
    first = scene.sender.take(scene.now)
    scene.now += 40_000
    scene.write(5)
    assert scene.nak((2, 2), (5, 7))
    second = scene.sender.take(scene.now)
    assert [HEADER.unpack(head)[0] for head, _ in second[:4]] == [scene.seq(place) for place in (2, 5, 6, 7)]
    seq, info, stamp, peer = HEADER.unpack(first[2][0])
    assert second[0] == (HEADER.pack(seq, info | RETRANSMITTED, stamp, peer), MESSAGE)
    assert (scene.counters.retransmits, scene.counters.sent_loss) == (4, 4)


@pytest.mark.parametrize("ranges", [[(10, 10)], [(3, 10)], [(1, 2), (500, 500)], [(5, 3)], [(-3, 10)], [(1 << 29, 5)]])
def test_a_report_about_what_was_never_sent_changes_nothing(isn: int, ranges: list[tuple[int, int]]) -> None:
    scene = Scene(isn)
    scene.sent(10)
    scene.write(10)
    assert not scene.nak(*ranges)
    assert (scene.counters.sent_loss, scene.requests()) == (0, [])
    assert scene.take() == new(10, 10)


def test_a_report_before_anything_was_sent_is_refused() -> None:
    assert not Scene().nak((0, 0))


def test_a_report_partly_about_what_is_gone_is_answered_and_heeded(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(20)
    scene.ack(10)
    assert scene.nak((7, 12))
    assert scene.requests() == [(0, 7, 9)]
    assert scene.take() == again(10, 11, 12)


def test_364_ancient_numbers_draw_one_answer(isn: int) -> None:
    scene = Scene(isn)
    for done in range(0, 2000, 100):
        scene.sent(100)
        scene.ack(done + 100)
    assert scene.nak(*[(place, place) for place in range(1000, 1728, 2)])
    assert scene.requests() == [(0, 1000, 1999)]
    assert scene.counters.sent_drop_requests == 1


def test_the_whole_window_reported_each_millisecond_is_sent_once_a_round_trip() -> None:
    scene = Scene(config=Config(max_bw=-1))
    scene.round_trip.sample(40 * MILLISECOND)
    scene.sent(2000)
    before = scene.now
    for _ in range(400):
        assert scene.nak((0, 1999))
        scene.run(scene.now + MILLISECOND)
    rounds = (scene.now - before) / (30 * MILLISECOND)  # three quarters of the round trip is the least
    assert scene.counters.retransmits <= 2000 * (rounds + 1)


def test_a_peer_without_periodic_reports_gets_packets_again_sooner() -> None:
    """libsrt uses algorithm 1 only with peers that repeat their reports; so do we."""
    scene = Scene(peer_nak_report=False)
    scene.round_trip.sample(40 * MILLISECOND)
    scene.sent(10)
    scene.nak((3, 3))
    scene.run(scene.now + 20 * MILLISECOND)
    scene.nak((3, 3))
    assert scene.take() == again(3)


def test_the_limit_on_what_is_sent_again_does_not_starve_it(isn: int) -> None:
    scene = Scene(isn, config=Config(max_rexmit_bw=50 * 1360))
    scene.sent(1000)
    scene.round_trip.sample(40 * MILLISECOND)
    scene.nak((0, 999))
    begin = scene.now
    scene.run(begin + 900 * MILLISECOND)
    resent = [now for now, one in scene.left if one.startswith("r")]
    assert 45 <= len(resent) <= 55
    assert sum(now == begin for now in resent) <= 5


def test_a_warning_slows_down_and_an_acknowledgement_ends_that() -> None:
    scene = Scene(config=Config(max_bw=1_360_000))
    scene.sent(1)
    scene.sender.congestion_warning()
    assert scene.sender.period == pytest.approx(1125)
    scene.ack(1)
    assert scene.sender.period == pytest.approx(1000)


# ---- silence -----------------------------------------------------------------------------------


def test_a_lost_tail_brings_its_last_packet_once_more(isn: int) -> None:
    scene = Scene(isn)
    scene.round_trip.sample(20 * MILLISECOND)
    scene.sent(10)
    scene.ack(7, rtt=20_000, variance=1_000)
    acknowledged = scene.now
    assert scene.run(acknowledged + 80_665) == []
    assert scene.run(acknowledged + 80_666) == again(9)
    scene.ack(7)
    scene.nak((7, 8))
    assert scene.take() == again(7, 8)


def test_a_tail_that_stays_lost_costs_a_packet_each_time_until_it_is_too_late() -> None:
    scene = Scene()
    scene.sent(10)
    scene.ack(7, rtt=20_000, variance=1_000)
    left = scene.run(scene.now + 5 * SECOND)
    assert set(left) == {"r9"}
    assert len(left) <= 1020 // 44
    assert scene.sender.is_empty
    assert scene.counters.sent_dropped == 3
    assert scene.sender.deadline == NEVER


def test_a_tail_given_up_is_probed_by_what_is_still_to_be_had(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(5)
    for _ in range(3):
        scene.sender.write(MESSAGE, scene.now, ttl=0)
    assert scene.take() == []
    assert scene.requests() == [(0, 5, 7)]
    assert set(scene.run(scene.now + 500 * MILLISECOND)) == set(again(4))


def test_nothing_is_awaited_but_what_was_given_up(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(2)
    for _ in range(3):
        scene.sender.write(MESSAGE, scene.now, ttl=0)
    assert scene.take() == []
    scene.ack(2)
    assert scene.sender.is_empty
    assert scene.run(scene.now + SECOND) == []
    scene.write(2)
    assert scene.take() == new(5, 2)
    assert scene.sender.flow_window == WINDOW - 3  # the peer may hold places free for them
    scene.requests()
    assert scene.nak((2, 4))
    assert scene.requests() == [(0, 2, 4)]


def test_numbers_given_up_do_not_lead_beyond_the_window(isn: int) -> None:
    scene = Scene(isn, flow_window=10)
    for _ in range(12):
        scene.sender.write(MESSAGE, scene.now, ttl=0)
    scene.write(5)
    assert scene.take() == []
    assert scene.sender.flow_window == 0
    assert scene.run(scene.now + 300 * MILLISECOND) == []
    assert scene.run(scene.now + 100 * MILLISECOND) == new(12, 1)  # it knocks


def test_a_tail_beyond_the_window_is_probed_by_what_the_peer_has_room_for(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(20)
    scene.ack(2, available=5)
    assert set(scene.run(scene.now + 300 * MILLISECOND)) == set(again(6))
    scene.ack(3, available=0)
    assert set(scene.run(scene.now + 300 * MILLISECOND)) == set(again(3))


def test_while_lost_packets_wait_for_their_turn_the_tail_is_not_probed() -> None:
    scene = Scene(config=Config(max_rexmit_bw=1))
    scene.sent(10)
    scene.ack(0)
    scene.nak((0, 7))
    assert scene.run(scene.now + 900 * MILLISECOND) == again(0)


def test_a_stream_that_flows_never_probes_its_tail() -> None:
    scene = Scene()
    for place in range(1000):
        scene.write(1)
        scene.run(scene.now + 10 * MILLISECOND)
        scene.ack(max(place - 3, 0), rtt=20_000, variance=1_000)
    assert scene.counters.retransmits == 0


def test_nothing_is_probed_when_all_is_acknowledged() -> None:
    scene = Scene()
    scene.sent(10)
    scene.ack(10)
    assert scene.run(scene.now + 10 * SECOND) == []
    assert scene.sender.deadline == NEVER


def test_a_peer_without_periodic_reports_gets_everything_again(isn: int) -> None:
    scene = Scene(isn, config=Config(snd_drop_delay=-1), peer_nak_report=False)
    scene.sent(10)
    first = scene.left[0][0]
    left = scene.run(first + SECOND)
    assert left == again(*range(10)) * 3
    times = sorted({now - first for now, one in scene.left if one == "r0"})
    assert times == [330_000, 650_000, 970_000]


def test_repeated_acknowledgements_do_not_put_it_off() -> None:
    scene = Scene(peer_nak_report=False)
    scene.sent(10)
    scene.ack(5)
    overdue = scene.now + 40_000 + 4_000 + 30_000
    while scene.now < overdue - 10_000:
        scene.run(scene.now + 10_000)
        scene.ack(5)
    assert scene.run(overdue) == again(5, 6, 7, 8, 9)


def test_each_new_acknowledgement_does_put_it_off() -> None:
    scene = Scene(peer_nak_report=False)
    scene.sent(100)
    for place in range(1, 90):
        scene.ack(place)
        assert scene.run(scene.now + 50_000 if place < 10 else scene.now) == []


def test_a_window_that_stays_closed_is_knocked_at(isn: int) -> None:
    """The acknowledgement that opened it may be the one that was lost."""
    scene = Scene(isn, config=Config(snd_drop_delay=-1))
    scene.sent(10)
    scene.ack(10, available=0, rtt=20_000, variance=1_000)
    scene.write(10)
    assert scene.run(scene.now + 53_000) == []
    assert scene.run(scene.now + 2_000) == new(10, 1)
    assert scene.run(scene.now + 84_000) == again(10)
    scene.ack(11, available=100)
    assert scene.run(scene.now + 1000) == new(11, 9)


def test_deadlines_move_on_however_late_they_are_served() -> None:
    for nak_report in (False, True):
        scene = Scene(config=Config(snd_drop_delay=-1), peer_nak_report=nak_report)
        scene.sent(10)
        for _ in range(20):
            scene.now += 10 * SECOND
            scene.sender.on_deadline(scene.now)
            scene.take()
            assert scene.sender.deadline > scene.now


# ---- too late, expired -------------------------------------------------------------------------


@pytest.mark.parametrize("on_write", [True, False])
def test_a_stalled_peer_does_not_fill_the_buffer_for_ever(isn: int, on_write: bool) -> None:
    scene = Scene(isn)
    for _ in range(300):
        if on_write:
            scene.now += 10 * MILLISECOND
            scene.take()
        else:
            scene.run(scene.now + 10 * MILLISECOND)
        scene.write(10)
        assert scene.sender.unacknowledged <= 1040
    assert scene.counters.sent_dropped == pytest.approx(3000 - 1030, abs=30)
    assert scene.requests() == []
    assert scene.sender.oldest_age(scene.now) <= 1021 * MILLISECOND


def test_a_report_about_what_was_too_late_is_answered(isn: int) -> None:
    scene = Scene(isn)
    scene.sent(10)
    scene.run(scene.now + 2 * SECOND)
    assert scene.nak((0, 9))
    assert scene.requests() == [(0, 0, 9)]
    assert scene.ack(10)


def test_after_a_drop_the_window_counts_from_what_is_left() -> None:
    scene = Scene(flow_window=20)
    scene.write(100)
    scene.run(scene.now + 900 * MILLISECOND)
    scene.write(30)
    left = scene.run(scene.now + 200 * MILLISECOND)
    assert [one for one in left if one[0] == "n"] == new(100, 20)


def test_without_too_late_drop_everything_is_kept() -> None:
    scene = Scene(peer_tlpktdrop=False)
    scene.sent(10)
    scene.run(scene.now + 10 * SECOND)
    assert scene.sender.unacknowledged == 10


def test_a_message_with_a_time_to_live_is_dropped_when_it_is_over(isn: int) -> None:
    scene = Scene(isn, flow_window=2)
    scene.write(2)
    scene.take()
    scene.sender.write(bytes(2000), scene.now, ttl=50_000)
    scene.write(1)
    scene.run(scene.now + 60_000)
    scene.ack(2)
    assert scene.run(scene.now + 1000) == new(4, 1)
    assert scene.requests() == [(3, 2, 3)]
    assert (scene.counters.sent_dropped, scene.counters.sent_dropped_bytes) == (2, 2000)


def test_a_lost_message_is_not_sent_again_after_its_time() -> None:
    scene = Scene()
    scene.sender.write(MESSAGE, scene.now, ttl=50_000)
    scene.take()
    scene.now += 60_000
    assert scene.nak((0, 0))
    assert scene.take() == []
    assert scene.requests() == [(1, 0, 0)]
    assert scene.ack(1)
    assert scene.sender.is_empty


# ---- options -----------------------------------------------------------------------------------


def test_options_that_change_while_it_runs() -> None:
    scene = Scene()
    scene.sender.set_max_bw(1_360_000)
    assert scene.sender.period == 1000
    scene.sender.set_max_bw(0)
    scene.sender.set_input_bw(1_000_000)
    scene.sender.set_overhead_bw(36)
    assert scene.sender.period == 1000
    scene.sender.set_input_bw(0)
    scene.sender.set_min_input_bw(250_000_000)
    assert scene.sender.max_bandwidth == 340_000_000
    scene.sender.set_max_bw(None)
    assert scene.sender.period == 10


def test_the_limit_on_what_is_sent_again_changes_while_it_runs() -> None:
    scene = Scene()
    scene.sender.set_max_rexmit_bw(1)
    scene.sent(10)
    scene.nak((0, 9))
    assert scene.take() == again(0), "the smallest bucket holds one packet"
    scene.sender.set_max_rexmit_bw(0)
    assert scene.take(scene.now + 1000) == again(*range(1, 10))


def test_the_drop_delay_changes_while_it_runs() -> None:
    scene = Scene()
    scene.sent(1)
    assert scene.sender._dropping.deadline - scene.now < 1020 * MILLISECOND
    scene.sender.set_snd_drop_delay(2 * SECOND)
    scene.run(scene.now + 2100 * MILLISECOND)
    assert scene.sender.unacknowledged == 1
    scene.sender.set_snd_drop_delay(-1)
    scene.run(scene.now + 10 * SECOND)
    assert scene.sender.unacknowledged == 1


# ---- all together ------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("nak_report", [True, False])
def test_everything_arrives_through_a_link_that_loses_a_fifth(isn: int, seed: int, nak_report: bool) -> None:
    """A receiver made of a set: it acknowledges every 10 ms and reports what is missing every 20."""
    chance = random.Random(seed)
    scene = Scene(isn, config=Config(snd_drop_delay=-1), peer_nak_report=nak_report)
    arrived: set[int] = set()
    scene.write(500)
    for tick in range(1000):
        seen = len(scene.left)
        scene.run(scene.now + 10 * MILLISECOND)
        arrived |= {int(one[1:]) for _, one in scene.left[seen:] if chance.random() > 0.2}
        first = next(place for place in range(502) if place not in arrived)
        if chance.random() > 0.2:
            scene.ack(first, rtt=10_000, variance=500)
        if nak_report and tick % 2 and chance.random() > 0.2 and arrived:
            missing = [(place, place) for place in range(first, max(arrived)) if place not in arrived]
            if missing:
                scene.nak(*missing)
        if scene.sender.is_empty:
            break
    assert arrived == set(range(500))
    assert scene.sender.is_empty
    assert scene.now - START < 2 * SECOND


@settings(max_examples=60)
@given(
    isn=st.sampled_from([0, 5, 0x7FFFFFF0]),
    steps=st.lists(
        st.tuples(st.sampled_from("wtaAnd"), st.integers(-20, 200), st.integers(0, 60), st.integers(0, 50_000)),
        max_size=60,
    ),
)
def test_whatever_the_peer_says_numbers_and_counts_stay_sound(isn: int, steps: list[tuple[str, int, int, int]]) -> None:
    scene = Scene(isn)
    for verb, place, count, pause in steps:
        scene.now += pause
        before = scene.sender.next_seq
        if verb == "w":
            scene.write(count)
        elif verb == "t":
            taken = scene.take()
            fresh = [int(one[1:]) for one in taken if one[0] == "n"]
            assert fresh == list(range(*(lambda first: (first, first + len(fresh)))((before - isn) & SEQ_MASK)))
        elif verb == "a":
            assert scene.ack(place, available=count) is (place <= (before - isn) & SEQ_MASK)
        elif verb == "A":
            assert scene.light_ack(place) is (place <= (before - isn) & SEQ_MASK)
        elif verb == "n":
            assert scene.nak((place, place + count)) is (place + count < (before - isn) & SEQ_MASK)
        else:
            scene.run(scene.now + pause)
        sender = scene.sender
        assert 0 <= sender.flight <= sender.unacknowledged
        assert sender.flow_window >= 0
        assert distance(before, sender.next_seq) >= 0
        assert sender.room() == 8192 - sender.unacknowledged


# ---- files -------------------------------------------------------------------------------------

STREAM = Config(trans_type=TransType.FILE)


@pytest.mark.parametrize("start", [0, 700])
def test_a_stream_fills_packets_as_far_as_there_is_room(isn: int, start: int) -> None:
    scene = Scene(isn, config=STREAM.replace(send_buf_size=40))
    data = bytes(range(256)) * 1000
    at = start + scene.sender.write_stream(data, start, start + 3 * 1456 + 5, scene.now)
    assert at == start + 3 * 1456 + 5
    at += scene.sender.write_stream(data, at, len(data), scene.now)
    assert at == start + 3 * 1456 + 5 + 36 * 1456
    assert scene.sender.room() == 0
    assert scene.sender.write_stream(data, at, len(data), scene.now) == 0
    payloads = [payload for _, payload in scene.sender.take(scene.now)]
    assert b"".join(payloads) == data[start : start + len(payloads) * 1456], "the fourth packet was filled up"
    assert len(payloads) > 4


def test_silence_over_a_file_waits_for_what_is_reported_lost(isn: int) -> None:
    """libsrt LATEREXMIT."""
    scene = Scene(isn, config=STREAM.replace(max_rexmit_bw=1))
    scene.round_trip.sample(20 * MILLISECOND)
    scene.sender.write_stream(bytes(10 * 1456), 0, 10 * 1456, scene.now)
    assert len(scene.run(scene.now + 5_000)) == 10
    scene.nak((3, 4))
    period = scene.sender.period
    left = scene.run(scene.now + SECOND)
    assert set(left) <= set(again(3, 4))
    assert scene.sender.period == period


def test_silence_over_a_file_is_a_loss_of_its_ends_and_tells_the_controller(isn: int) -> None:
    scene = Scene(isn, config=STREAM)
    scene.sender.write_stream(bytes(32 * 1456), 0, 32 * 1456, scene.now)
    for acknowledged in (16, 24):  # what is lost before the first window has come through says nothing of the path
        scene.run(scene.now + 5_000)
        scene.ack(acknowledged)
    assert scene.sender._controller._is_starting  # type: ignore[attr-defined]
    left = scene.run(scene.now + SECOND)
    assert left[left.index("r24") :][:2] == again(24, 31)
    assert not scene.sender._controller._is_starting  # type: ignore[attr-defined]


def test_files_are_never_too_late(isn: int) -> None:
    scene = Scene(isn, config=STREAM.replace(tlpktdrop=True), peer_tlpktdrop=True)  # libsrt may announce it
    scene.sender.write_stream(bytes(10 * 1456), 0, 10 * 1456, scene.now)
    scene.run(scene.now + 60 * SECOND)
    assert scene.sender.unacknowledged == 10
    assert scene.counters.sent_dropped == 0


@given(
    st.sampled_from([0x7FFFFFF0, 5]),
    st.booleans(),
    st.lists(
        st.tuples(st.sampled_from("wwwwtank"), st.integers(1, 40), st.sampled_from([0, 30, 1_053, 4_200, 30_000])),
        max_size=40,
    ),
)
def test_a_run_sent_at_once_is_one_that_is_written_and_taken(
    isn: int, is_sealed: bool, steps: list[tuple[str, int, int]]
) -> None:
    """The shortcut agrees with the full path, whatever the peer has said and however fast it is written."""
    seal = mirrored if is_sealed else None
    short, full = Scene(isn, seal=seal), Scene(isn, seal=seal)
    for verb, count, apart in steps:
        for scene in (short, full):
            scene.now += apart
        now, sent = short.now, short.sender.flight
        if verb == "w":
            count = min(count, short.sender.room() // 2)
            instants = [now - count + place for place in range(count)]
            if not count:
                continue
            left = short.sender.send_run([MESSAGE] * count, instants, now)
            full.sender.write_many([MESSAGE] * count, now, instants)
            assert left == full.sender.take(now)
        elif verb == "t":
            assert list(short.sender.take(now)) == list(full.sender.take(now))
        elif verb == "a":
            place = (short.sender.next_seq - short.isn - max(sent - count, 0)) & SEQ_MASK
            assert short.ack(place, available=WINDOW - count) == full.ack(place, available=WINDOW - count)
        elif sent and verb == "n":
            first = (short.sender.next_seq - short.isn - sent) & SEQ_MASK
            assert short.nak((first, first)) == full.nak((first, first))
        for scene in (short, full):
            if scene.sender.deadline <= scene.now:
                scene.sender.on_deadline(scene.now)
        assert short.sender.deadline == full.sender.deadline
        assert (short.sender.flight, short.sender.unacknowledged) == (full.sender.flight, full.sender.unacknowledged)
    assert vars_of(short) == vars_of(full)


def mirrored(first: int, rows: list[Row]) -> list[Row]:
    """Seal rows so that each can be told from what was written, and from the one before."""
    return [
        (info | KEY_EVEN, stamp, bytes([place & 0xFF]) + payload[:0:-1], origin, expires)
        for place, (info, stamp, payload, origin, expires) in enumerate(rows, first)
    ]


def vars_of(scene: Scene) -> dict[str, float]:
    return {name: getattr(scene.counters, name) for name in scene.counters.__slots__}
