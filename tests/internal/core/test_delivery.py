from __future__ import annotations

import random

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import NEVER, SECOND
from srtpy.internal.core.delivery import LARGEST_LEAD, Delivery
from srtpy.internal.packet.header import IN_ORDER, POSITION_FIRST
from srtpy.internal.tsbpd.drift import DRIFT_SAMPLES, FIRST_SAMPLES
from tests.internal.core.receiving import LATENCY, STARTS, ReceivingSide, batch, datagram, negotiated

TURN = 1 << 32


@pytest.mark.parametrize("isn", STARTS)
def test_a_packet_is_delivered_when_its_latency_has_passed(isn: int) -> None:
    side = ReceivingSide(isn)
    side.hear_numbers([0, 1], 5_000)
    side.hear_numbers([2], 8_000)
    assert side.delivery.deadline == 5_000 + LATENCY
    side.release(5_000 + LATENCY - 1)
    assert side.read() == []
    side.release(side.delivery.deadline)
    assert side.read() == [0, 1]
    assert side.delivery.deadline == 8_000 + LATENCY
    side.delivery.on_deadline(side.delivery.deadline)
    assert side.read() == [2]
    assert side.delivery.deadline == NEVER


@pytest.mark.parametrize("isn", STARTS)
def test_what_is_missing_is_skipped_when_its_follower_is_due(isn: int) -> None:
    side = ReceivingSide(isn)
    side.hear(batch(*(datagram(isn + n, 1_000 * (n + 1)) for n in range(5))), 0)
    side.hear(batch(*(datagram(isn + n, 1_000 * (n + 1)) for n in range(8, 13))), 0)
    side.run_until(LATENCY + 8_999)
    assert side.read() == [0, 1, 2, 3, 4]
    assert side.buffer.next_missing() == side.buffer.base
    side.run_until(LATENCY + 10_000)
    assert side.read() == [8, 9]
    assert (side.counters.recv_dropped, side.counters.recv_dropped_bytes) == (3, 24)
    assert side.offset(side.buffer.next_missing()) == 13


def test_a_hole_filled_in_time_costs_nothing() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 2], 0)
    side.resend(1, 0, LATENCY - 1)
    assert side.delivery.deadline == LATENCY
    side.release(LATENCY)
    assert side.read() == [0, 1, 2]
    assert side.counters.recv_dropped == 0


def test_several_gaps_are_skipped_one_after_the_other() -> None:
    side = ReceivingSide()
    for n, offset in enumerate((0, 3, 6, 9)):
        side.hear(batch(datagram(offset, 1_000 * n)), 0)
    assert side.delivery.release(LATENCY + 2_500) == 4
    assert side.read() == [0, 3, 6]
    assert side.delivery.deadline == LATENCY + 3_000
    assert side.delivery.release(LATENCY + 3_000) == 2


def test_a_first_packet_that_is_filled_in_moves_the_deadline_back() -> None:
    side = ReceivingSide()
    side.hear(batch(datagram(2, 50_000)), 50_000)
    assert side.delivery.deadline == 50_000 + LATENCY
    side.hear(batch(datagram(0, 10_000)), 60_000)
    assert side.delivery.deadline == 10_000 + LATENCY


def test_without_too_late_drop_a_hole_blocks_until_it_is_filled() -> None:
    side = ReceivingSide(tlpktdrop=False)
    side.hear_numbers([0, 2], 0)
    side.run_until(LATENCY)
    assert side.read() == [0]
    assert side.delivery.deadline == NEVER
    side.release(10 * SECOND)
    assert side.read() == []
    side.resend(1, 0, 10 * SECOND)
    assert side.delivery.deadline <= 10 * SECOND
    side.release(10 * SECOND)
    assert side.read() == [1, 2]
    assert side.counters.recv_dropped == 0


def test_without_timestamps_what_is_in_order_is_ready_at_once() -> None:
    side = ReceivingSide(tsbpd_receive=False, tlpktdrop=False)
    side.hear(batch(datagram(0, 1 << 31, flags=IN_ORDER), datagram(1, 5, flags=IN_ORDER)), 1_000)
    assert side.delivery.deadline == NEVER
    assert side.read() == [0, 1]
    side.hear_numbers([3], 2_000, flags=IN_ORDER)
    assert side.delivery.deadline == NEVER
    side.release(2_000)
    assert side.read() == []
    side.hear_numbers([2], 3_000)
    assert side.read() == [2, 3]


@pytest.mark.parametrize("isn", STARTS)
def test_without_timestamps_a_message_whose_order_does_not_matter_overtakes(isn: int) -> None:
    side = ReceivingSide(isn, tsbpd_receive=False, tlpktdrop=False)
    side.hear_numbers([0, 2], 1_000)
    assert side.read() == [0, 2]
    side.hear_numbers([4], 2_000, flags=IN_ORDER)
    assert side.read() == []
    side.hear_numbers([3], 2_000)
    assert side.read() == [3]
    side.resend(1, 0, 3_000)
    assert side.read() == [1, 4]


def test_without_timestamps_what_will_not_come_is_waited_for_no_more() -> None:
    side = ReceivingSide(tsbpd_receive=False, tlpktdrop=False)
    side.hear_numbers([0, 3], 1_000, flags=IN_ORDER)
    assert side.read() == [0]
    side.drop_request(1, 2, 2_000)
    assert side.read() == [3]
    assert side.counters.recv_dropped == 2
    assert side.delivery.failure == ""


def test_fragments_whose_rest_is_given_up_are_dropped_and_counted() -> None:
    side = ReceivingSide(tsbpd_receive=False, tlpktdrop=False)
    begin = datagram(0, message=1)[:4] + (POSITION_FIRST | IN_ORDER | 1).to_bytes(4, "big") + bytes(16)
    side.hear(batch(begin), 0)
    side.hear_numbers([2], 1_000, flags=IN_ORDER)
    side.drop_request(1, 1, 2_000)
    assert side.read() == [2]
    assert side.counters.recv_dropped == 2


def test_a_stream_is_bytes_after_bytes_and_cannot_go_on_past_what_was_given_up() -> None:
    side = ReceivingSide(tsbpd_receive=False, tlpktdrop=False, message_api=False)
    side.hear(batch(*(datagram(place, payload=b"%d;" % place) for place in range(3))), 0)
    side.hear(batch(datagram(4, payload=b"4;")), 0)
    assert [row[0] for row in side.buffer.messages] == [b"0;1;2;"]
    side.drop_request(3, 3, 1_000)
    assert side.delivery.failure == "the peer gave up a part of the byte stream (packets: 1)"


def test_a_packet_behind_a_later_one_waits_for_it() -> None:
    side = ReceivingSide()
    side.hear(batch(datagram(0, 9_000), datagram(1, 1_000), datagram(2, 9_001)), 10_000)
    side.release(LATENCY + 8_999)
    assert side.read() == []
    side.release(LATENCY + 9_000)
    assert side.read() == [0, 1]


@pytest.mark.parametrize("ahead", [LARGEST_LEAD + 2 * LATENCY, 30 * 60 * SECOND])
@pytest.mark.parametrize("isn", STARTS)
def test_a_stamp_from_the_far_future_holds_nobody_up(ahead: int, isn: int) -> None:
    side = ReceivingSide(isn)
    now = SECOND
    side.hear(batch(datagram(isn, now), datagram(isn + 1, now + ahead), datagram(isn + 2, now + 10)), now)
    side.hear(batch(datagram(isn + 4, now + ahead), datagram(isn + 5, now + 20)), now)
    side.run_until(now + LATENCY + 20)
    assert side.read() == [0, 2, 5]
    assert side.counters.recv_dropped == 3
    assert not side.losses.missing


def test_a_stream_that_runs_ahead_of_its_clock_by_seconds_is_only_later() -> None:
    side = ReceivingSide()
    side.hear(batch(datagram(0, 9 * SECOND)), 0)
    assert side.delivery.deadline == 9 * SECOND + LATENCY
    side.run_until(9 * SECOND + LATENCY)
    assert side.read() == [0]


def test_a_stamp_from_the_past_is_due_at_once() -> None:
    side = ReceivingSide()
    now = 3600 * SECOND
    side.hear(batch(datagram(0, now - 30 * 60 * SECOND)), now)
    assert side.delivery.deadline <= now
    side.release(now)
    assert side.read() == [0]


@pytest.mark.parametrize("isn", STARTS)
def test_two_hours_across_the_turn_of_the_timestamp_lose_nothing(isn: int) -> None:
    """As srt-rs's rollover test: ten packets a second from a clock at 2^32 - 1, a path of 10 ms; here with pauses."""
    start = TURN - 1
    latency = 20_000
    side = ReceivingSide(isn, now=start, peer_start=10_000, recv_latency=latency)
    rng = random.Random(isn)
    sent, late = start, 0
    for n in range(72_000 // 10):  # every tenth of it, a second apart
        sent += SECOND if rng.random() > 0.001 else 180 * SECOND
        side.hear(batch(datagram(isn + n, sent)), sent + 10_000)
        assert side.delivery.deadline == sent + 10_000 + latency
        side.release(side.delivery.deadline)
        late += len(side.delivery.messages) != 1
        (row,) = side.delivery.messages
        assert side.delivery.play_time(row[3], sent + 15_000) == sent + 10_000 + latency
        side.delivery.messages.clear()
    assert sent > 2 * TURN
    assert (late, side.counters.recv_dropped) == (0, 0)


def test_packets_reordered_across_the_turn_are_delivered() -> None:
    side = ReceivingSide(now=TURN)
    stamps = {0: TURN - 20, 1: TURN - 10, 2: TURN + 1, 3: TURN + 10}
    for offset in (0, 2, 1, 3):
        side.hear(batch(datagram(offset, stamps[offset])), TURN + 11)
    side.run_until(TURN + LATENCY)
    assert side.read() == [0, 1]
    side.run_until(TURN + LATENCY + 10)
    assert side.read() == [2, 3]


def test_drift_moves_what_is_waiting() -> None:
    side = ReceivingSide()
    side.hear_numbers([0], 0)
    for _ in range(FIRST_SAMPLES - 1):
        side.delivery.confirmed(0, 30_000, 3_000)
    side.delivery.keepalive(0, 3_000)
    side.delivery.note_arrivals(3_000)
    assert side.delivery.deadline == LATENCY + 3_000
    assert side.delivery.play_time(0, 3_000) == LATENCY + 3_000
    for _ in range(DRIFT_SAMPLES):
        side.delivery.confirmed(0, 30_000, 1_000)
    side.delivery.note_arrivals(3_000)
    assert side.delivery.deadline == LATENCY + 1_000


def test_data_timestamps_are_no_measure_of_drift() -> None:
    side = ReceivingSide()
    rng = random.Random(52)
    for n in range(2 * DRIFT_SAMPLES):
        side.hear(batch(datagram(n, n * 1_000 - rng.randrange(50_000))), n * 1_000)
        side.release(n * 1_000)
    assert (side.time_base.base, side.time_base.drift) == (0, 0)


def test_the_drift_tracer_can_be_off() -> None:
    side = ReceivingSide()
    delivery = Delivery(negotiated(), Config(drift_tracer=False), side.buffer, side.time_base, side.counters)
    for _ in range(2 * DRIFT_SAMPLES):
        delivery.confirmed(0, 30_000, 3_000)
        delivery.keepalive(0, 3_000)
    assert side.time_base.drift == 0


def test_nothing_to_wait_for_means_no_deadline() -> None:
    side = ReceivingSide()
    assert side.delivery.deadline == NEVER
    assert side.delivery.release(0) == 0
    side.hear(batch(datagram(0, payload=b"")), 0)
    assert side.delivery.deadline == NEVER


def test_a_stream_with_loss_is_delivered_in_order_each_packet_in_its_time() -> None:
    for seed in range(5):
        rng = random.Random(seed)
        side = ReceivingSide(0x7FFFFFF0, capacity=500)
        expected = []
        played: list[int] = []
        now = 0
        for n in range(2_000):
            now += 1_000
            if rng.random() > 0.1:
                side.hear_numbers([n], now)
                expected.append(n)
            side.run_until(now)
            while side.delivery.messages:
                row = side.delivery.messages.popleft()
                assert 0 <= now - side.delivery.play_time(row[3], now) < 1_000
                played.append(side.offset(row[1]))
        side.run_until(now + LATENCY)
        played += side.read()
        assert played == expected
        assert side.counters.recv_dropped == expected[-1] + 1 - len(expected)
