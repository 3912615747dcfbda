from __future__ import annotations

from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import NEVER
from srtpy.internal.core.asking import FIRST_ROUND, ROUND_MARGIN, SHORTEST_ROUND
from srtpy.internal.core.losses import FreshLosses
from srtpy.internal.packet.header import RETRANSMITTED, ControlType
from srtpy.internal.seq.number import SEQ_MASK
from tests.internal.core.receiving import LATENCY, STARTS, ReceivingSide, batch, datagram
from tests.vectors import vectors


@pytest.mark.parametrize("isn", STARTS)
def test_a_gap_is_reported_at_once(isn: int) -> None:
    side = ReceivingSide(isn)
    side.hear_numbers([0, 1, 2, 3, 4, 7, 8, 9], 0)
    assert side.said_naks() == [[(5, 6)]]
    assert side.counters.sent_naks == 1
    assert len(side.losses.missing) == 2


@pytest.mark.parametrize("isn", STARTS)
def test_all_gaps_are_reported_in_order_and_again(isn: int) -> None:
    side = ReceivingSide(isn)
    side.hear_numbers([0, 1, 2, 3, 4, 7, 8, 9], 0)
    side.hear_numbers(range(15, 20), 1000)
    assert side.said_naks() == [[(5, 6)], [(10, 14)]]
    side.losses.on_deadline(side.losses.deadline + 1000)
    assert side.said_naks() == [[(5, 6), (10, 14)]]
    side.hear_numbers([5, 6], 2000)
    side.losses.on_deadline(side.losses.deadline)
    assert side.said_naks() == [[(10, 14)]]


def test_each_gap_is_asked_for_again_when_its_own_round_is_over() -> None:
    side = ReceivingSide()
    side.round_trip.sample(20_000)
    side.round_trip.variance = 2_000
    side.hear_numbers([0, 2], 0)
    side.hear_numbers([4], 3_000)
    side.said()
    length = 22_000 + ROUND_MARGIN
    side.run_until(length - 1)
    assert set(map(str, side.said_naks())) <= {"[(1, 1)]", "[(3, 3)]", "[(1, 1), (3, 3)]"}
    side.run_until(length + 2_999)
    assert side.said_naks()[0] == [(1, 1)]
    side.resend(1, 0, length + 2_999)
    side.run_until(length + 3_000)
    assert side.said_naks()[-1] == [(3, 3)]


def test_a_new_gap_s_report_takes_along_what_is_due_again() -> None:
    side = ReceivingSide()
    for _ in range(20):
        side.round_trip.sample(40_000)
    side.hear_numbers([0, 2], 0)
    side.hear_numbers([5], 8_000)
    side.hear_numbers([7], 9_000)
    assert side.said_naks() == [[(1, 1)], [(1, 1), (3, 4)], [(6, 6)]]


def test_a_gap_across_the_wrap_is_one_range_on_the_wire() -> None:
    side = ReceivingSide(0x7FFFFFF0)
    side.hear_numbers([0, 40], 0)
    ((kind, number, body),) = [said for said in side.said() if said[0] == ControlType.NAK]
    assert (kind, number) == (ControlType.NAK, 0)
    assert body == bytes.fromhex("fffffff1 00000017")


def test_what_comes_later_in_the_same_read_is_not_asked_for() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 1, 5, 3, 2, 6], 0)
    assert side.said_naks() == [[(4, 4)]]
    side.hear_numbers([8, 7, 4], 0)
    assert side.said_naks() == []
    assert side.losses.deadline == NEVER
    assert side.counters.reorder_distance == 4


def test_reports_repeat_until_the_gap_is_closed() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 2], 0)
    side.said()
    assert side.losses.deadline == FIRST_ROUND
    times = []
    for _ in range(3):
        times.append(side.losses.deadline)
        side.losses.on_deadline(times[-1])
        assert side.said_naks() == [[(1, 1)]]
    assert times == [FIRST_ROUND, 2 * FIRST_ROUND, 3 * FIRST_ROUND]
    side.resend(1, 0, times[-1])
    assert side.losses.deadline == NEVER
    side.losses.on_deadline(times[-1] + FIRST_ROUND)
    assert side.said_naks() == []


def test_a_round_trip_measured_meanwhile_brings_the_repetition_forward() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 2], 0)
    side.round_trip.sample(10_000)
    side.hear_numbers([3], 1000)
    assert side.losses.deadline == SHORTEST_ROUND


def test_new_gaps_do_not_put_the_repetition_off() -> None:
    side = ReceivingSide()
    for n in range(1, 7):
        side.hear_numbers([2 * n], n * 10_000)
        assert side.losses.deadline == 10_000 + FIRST_ROUND


def test_without_periodic_reports_a_gap_is_reported_once() -> None:
    side = ReceivingSide(nak_report=False)
    side.hear_numbers([0, 2], 0)
    assert side.said_naks() == [[(1, 1)]]
    assert side.losses.deadline == NEVER


def test_a_long_report_is_split_and_no_pair_with_it() -> None:
    side = ReceivingSide(mss=76)  # eight words
    side.hear_numbers([3 * n for n in range(10)], 0)
    side.losses.on_deadline(side.losses.deadline)
    naks = [said for said in side.said() if said[0] == ControlType.NAK]
    assert all(len(body) <= 32 for _, _, body in naks)
    side.losses.on_deadline(side.losses.deadline)
    assert list(chain.from_iterable(side.said_naks())) == [(3 * n + 1, 3 * n + 2) for n in range(9)]


def test_what_is_given_up_is_not_asked_for() -> None:
    side = ReceivingSide(0x7FFFFFF0)
    side.hear_numbers([0, 10, 20], 0)
    side.drop_request(1, 5, 0)
    side.said()
    side.losses.on_deadline(side.losses.deadline)
    assert side.said_naks() == [[(6, 9), (11, 19)]]
    side.losses.forget_before((side.isn + 12) & SEQ_MASK)
    side.losses.on_deadline(side.losses.deadline)
    assert side.said_naks() == [[(12, 19)]]
    side.drop_request(12, 19, 0)
    assert side.losses.deadline == NEVER
    assert not side.losses.missing


def test_a_skip_in_time_ends_the_asking() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 1], 0)
    side.hear_numbers([3], 40_000)
    side.run_until(40_000 + LATENCY)
    assert side.read() == [0, 1, 3]
    assert not side.losses.missing
    assert side.losses.deadline == NEVER


# the tolerance of reordering


def test_fresh_losses_as_in_libsrts_own_test() -> None:
    (vector,) = vectors("fresh_loss")
    fields = vector["expected_fields"]
    fresh = FreshLosses()
    for first, last, patience in fields["initial"]:
        fresh.add(first, last, patience)
    for step in fields["steps"]:
        before = sum(last - first + 1 for first, last, _ in fresh.records())
        assert fresh.remove(step["remove"]) == (step.get("ttl", 0) if step["ok"] else 0)
        assert len(fresh.records()) == step["size"]
        assert before - sum(last - first + 1 for first, last, _ in fresh.records()) == step["ok"]


def test_fresh_losses_are_forgotten_with_all_before_them() -> None:
    fresh = FreshLosses()
    for first in (10, 20, 30):
        fresh.add(first, first + 5, 3)
    fresh.forget(5)
    assert len(fresh.records()) == 3
    fresh.forget(22)
    assert fresh.records() == [(23, 25, 3), (30, 35, 3)]
    fresh.forget(25)
    assert fresh.records() == [(30, 35, 3)]
    fresh.forget(100)
    assert not fresh


@pytest.mark.parametrize("isn", STARTS)
@pytest.mark.parametrize("tolerance", [1, 3, 10])
def test_a_gap_waits_for_as_many_packets_as_are_tolerated(isn: int, tolerance: int) -> None:
    side = ReceivingSide(isn, loss_max_ttl=tolerance)
    side.hear_numbers([0, 2], 0)
    for n in range(1, tolerance + 1):
        assert side.said_naks() == [], n
        side.hear_numbers([2 + n], 0)
    assert side.said_naks() == [[(1, 1)]]


def test_a_packet_within_the_tolerance_is_never_asked_for() -> None:
    side = ReceivingSide(loss_max_ttl=5)
    for group in range(20):
        start = 5 * group
        for offset in (0, 2, 3, 4, 1):
            side.hear_numbers([start + offset], 0)
    assert side.said_naks() == []
    assert side.losses.deadline == NEVER
    assert side.counters.reorder_distance == 3


def test_the_tolerance_counts_packets_inside_a_batch_too() -> None:
    side = ReceivingSide(loss_max_ttl=3)
    side.hear_numbers([0, 2, 3, 4, 5], 0)
    assert side.said_naks() == [[(1, 1)]]
    side = ReceivingSide(loss_max_ttl=3)
    side.hear_numbers([0, 2, 3, 4, 1, 5], 0)
    assert side.said_naks() == []


def test_repeated_reports_do_not_wait_for_the_tolerance() -> None:
    side = ReceivingSide(loss_max_ttl=100)
    side.hear_numbers([0, 2], 0)
    side.losses.on_deadline(side.losses.deadline)
    assert side.said_naks() == [[(1, 1)]]


def test_fifty_packets_in_order_lower_the_tolerance() -> None:
    side = ReceivingSide(loss_max_ttl=3)
    assert side.losses.tolerance == 3
    side.hear_numbers(range(49), 0)
    assert side.losses.tolerance == 3
    side.hear_numbers([49], 0)
    assert side.losses.tolerance == 2
    side.hear_numbers(range(50, 150), 0)
    assert side.losses.tolerance == 0
    side.hear_numbers(range(150, 250), 0)
    assert side.losses.tolerance == 0
    side.hear_numbers([251], 0)
    assert side.said_naks() == [[(250, 250)]]


def test_packets_sent_again_count_as_in_order() -> None:
    side = ReceivingSide(loss_max_ttl=3)
    side.hear_numbers([0, 60], 0)
    for n in range(1, 49):
        side.resend(n, 0, 0)
    assert side.losses.tolerance == 2


def test_a_packet_later_than_tolerated_raises_the_tolerance_up_to_the_option() -> None:
    side = ReceivingSide(loss_max_ttl=8)
    side.hear_numbers(range(400), 0)
    assert side.losses.tolerance == 0
    side.hear_numbers([400, *range(402, 406), 401], 0)
    assert (side.losses.tolerance, side.counters.reorder_distance) == (4, 4)
    side.hear_numbers([*range(407, 430), 406], 0)
    assert (side.losses.tolerance, side.counters.reorder_distance) == (8, 23)


def test_ten_early_packets_lower_the_tolerance() -> None:
    side = ReceivingSide(loss_max_ttl=8)
    for n in range(10):
        assert side.losses.tolerance == 8
        start = 3 * n
        side.hear_numbers([start, start + 2, start + 1], 0)  # seven of eight left
    assert side.losses.tolerance == 7


def test_packets_that_nearly_used_up_the_patience_do_not_lower_the_tolerance() -> None:
    side = ReceivingSide(loss_max_ttl=4)
    for n in range(30):
        start = 5 * n
        side.hear_numbers([start, start + 2, start + 3, start + 4, start + 1], 0)  # one of four left
    assert side.losses.tolerance == 4


def test_the_statistics_follow_the_tolerance_down() -> None:
    side = ReceivingSide(loss_max_ttl=8)
    side.hear_numbers([0, 2, 3, 1], 0)
    assert side.counters.reorder_distance == 2
    side.hear_numbers(range(4, 54), 0)
    assert (side.losses.tolerance, side.counters.reorder_distance) == (7, 1)
    side.hear_numbers(range(54, 254), 0)
    assert (side.losses.tolerance, side.counters.reorder_distance) == (3, 0)


def test_duplicates_do_not_age_a_gap() -> None:
    side = ReceivingSide(loss_max_ttl=3)
    side.hear_numbers([0, 2], 0)
    for _ in range(10):
        side.hear_numbers([2, 0], 0)
    assert side.said_naks() == []


def test_a_peer_that_does_not_flag_resent_packets_is_asked_at_once() -> None:
    side = ReceivingSide(loss_max_ttl=10, peer_retransmit_flag=False)
    side.hear_numbers([0, 2], 0)
    assert side.said_naks() == [[(1, 1)]]
    side.losses.set_largest_tolerance(5)
    assert side.losses.tolerance == 0


def test_the_option_can_change() -> None:
    side = ReceivingSide()
    side.losses.set_largest_tolerance(2)
    side.hear_numbers([0, 2], 0)
    assert side.said_naks() == []
    side.drop_request(1, 1, 0)
    side.hear_numbers([3, 4, 5], 0)
    assert side.said_naks() == []
    side.losses.set_largest_tolerance(0)
    side.hear_numbers([7], 0)
    assert side.said_naks() == [[(6, 6)]]


def test_gaps_wait_on_when_the_tolerance_falls_to_nothing() -> None:
    side = ReceivingSide(loss_max_ttl=1)
    side.hear_numbers(range(48), 0)
    side.hear_numbers([49], 0)
    side.hear_numbers([50], 0)
    assert side.losses.tolerance == 0
    assert side.said_naks() == [[(48, 48)]]


def test_gaps_wait_on_when_the_option_falls_to_nothing() -> None:
    side = ReceivingSide(loss_max_ttl=3, nak_report=False)
    side.hear_numbers([0, 2], 0)
    side.losses.set_largest_tolerance(0)
    side.hear_numbers([3, 4, 5], 0)
    assert side.said_naks() == [[(1, 1)]]


def test_a_gap_that_has_waited_for_others_is_repeated_as_any() -> None:
    side = ReceivingSide(loss_max_ttl=2)
    for _ in range(20):
        side.round_trip.sample(40_000)
    side.hear_numbers([0, 2], 0)
    side.hear_numbers([3, 4, 5], 5_000)
    assert side.said_naks() == [[(1, 1)]]
    side.run_until(14_999)
    assert side.said_naks() == []
    side.run_until(40_000)
    assert side.said_naks() == [[(1, 1)], [(1, 1)]]


def test_what_was_skipped_is_no_longer_fresh() -> None:
    side = ReceivingSide(loss_max_ttl=50)
    side.hear_numbers([0, 2], 0)
    side.run_until(LATENCY)
    side.said()
    side.hear_numbers(range(3, 60), LATENCY)
    assert side.said_naks() == []


@given(
    st.lists(st.tuples(st.integers(0, 120), st.booleans()), max_size=150), st.sampled_from(STARTS), st.integers(0, 8)
)
def test_missing_is_what_the_buffer_misses(packets: list[tuple[int, bool]], isn: int, tolerance: int) -> None:
    side = ReceivingSide(isn, loss_max_ttl=tolerance)
    reported: set[int] = set()
    for offset, is_resent in packets:
        side.hear(batch(datagram(isn + offset, flags=RETRANSMITTED if is_resent else 0)), 0)
        holes = {place for place in range(len(side.buffer)) if not side.buffer.has(place)}
        missing = {
            n for first, last in side.losses.missing.ranges() for n in range(side.offset(first), side.offset(last) + 1)
        }
        assert missing == holes
        fresh = {
            n
            for first, last, _ in side.losses._fresh.records()
            for n in range(side.offset(first), side.offset(last) + 1)
        }
        assert fresh <= missing
        reported |= {n for nak in side.said_naks() for first, last in nak for n in range(first, last + 1)}
        assert missing - fresh <= reported  # whatever is missing has been asked for, or is waited for
