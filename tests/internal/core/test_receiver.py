from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.core.receiver import GAP, RESENT, Finding
from srtpy.internal.packet.header import HEADER, IN_ORDER, POSITION_FIRST, POSITION_LAST, RETRANSMITTED
from srtpy.internal.seq.number import SEQ_MASK
from tests.internal.core.receiving import LATENCY, STARTS, ReceivingSide, batch, datagram


def counted(side: ReceivingSide) -> dict[str, float]:
    """All that has been counted and is not zero."""
    values = {name: getattr(side.counters, name) for name in side.counters.__slots__}
    return {name: value for name, value in values.items() if value}


@pytest.mark.parametrize("isn", STARTS)
def test_the_next_packets_are_stored_and_counted(isn: int) -> None:
    side = ReceivingSide(isn)
    stored, findings = side.receiver.accept(batch(*(datagram(isn + n) for n in range(44))), 0)
    assert (stored, list(findings)) == (44, [])
    assert side.buffer.next_missing() == (isn + 44) & SEQ_MASK
    assert counted(side) == {"recv_packets": 44, "recv_bytes": 352, "recv_unique_packets": 44, "recv_unique_bytes": 352}


@pytest.mark.parametrize("isn", STARTS)
def test_a_gap_is_found_where_it_is_revealed(isn: int) -> None:
    side = ReceivingSide(isn)
    stored, findings = side.receiver.accept(batch(*(datagram(isn + n) for n in (0, 1, 4, 5, 9, 10))), 0)
    assert stored == 6
    assert [(at, side.offset(first), side.offset(last), late) for at, first, last, late in findings] == [
        (2, 2, 3, GAP),
        (4, 6, 8, GAP),
    ]
    assert side.counters.recv_loss == 5


@pytest.mark.parametrize("isn", STARTS)
def test_a_late_packet_tells_whether_it_was_reordered_or_sent_again(isn: int) -> None:
    side = ReceivingSide(isn)
    side.hear_numbers([0, 1, 7], 0)
    stored, findings = side.receiver.accept(
        batch(datagram(isn + 4), datagram(isn + 3, flags=RETRANSMITTED), datagram(isn + 8)), 0
    )
    assert stored == 3
    assert [(at, side.offset(first), side.offset(last), late) for at, first, last, late in findings] == [
        (0, 4, 4, 3),
        (1, 3, 3, RESENT),
    ]
    assert (side.counters.recv_retrans, side.counters.recv_retrans_bytes) == (1, 8)


def test_a_peer_without_the_flag_is_not_believed_to_reorder() -> None:
    side = ReceivingSide(peer_retransmit_flag=False)
    side.hear_numbers([0, 4], 0)
    _, findings = side.receiver.accept(batch(datagram(2, flags=RETRANSMITTED), datagram(3)), 0)
    assert [late for *_, late in findings] == [RESENT, RESENT]
    assert side.counters.recv_retrans == 0


def test_the_tail_sent_again_counts_as_sent_again_though_it_is_next() -> None:
    side = ReceivingSide()
    assert side.receiver.accept(batch(*(datagram(n, flags=RETRANSMITTED) for n in range(3))), 0) == (3, [])
    assert side.counters.recv_retrans == 3
    assert side.receiver.accept(batch(datagram(3), datagram(4, flags=RETRANSMITTED), datagram(5)), 0) == (3, [])
    assert side.counters.recv_retrans == 4


def test_duplicates_are_counted_and_not_stored() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 1, 5], 0)
    assert side.receiver.accept(batch(datagram(1), datagram(5), datagram(0)), 0) == (0, [])
    assert side.counters.recv_duplicates == 3
    assert (side.counters.recv_packets, side.counters.recv_unique_packets) == (6, 3)


def test_the_first_copy_wins() -> None:
    side = ReceivingSide()
    side.hear(batch(datagram(0, payload=b"first")), 0)
    side.hear(batch(datagram(0, payload=b"other")), 0)
    side.release(LATENCY)
    assert [row[0] for row in side.delivery.messages] == [b"first"]


@pytest.mark.parametrize("isn", STARTS)
def test_belated_packets_are_counted_once_and_by_how_late_they_are(isn: int) -> None:
    side = ReceivingSide(isn)
    side.hear_numbers([0, 2], 1000)
    side.release(1000 + LATENCY)
    assert side.read() == [0, 2]
    late = 1000 + LATENCY + 10_000
    assert side.receiver.accept(batch(datagram(isn + 1, 1000)), late) == (0, [])
    assert (side.counters.recv_belated, side.counters.recv_belated_bytes) == (1, 8)
    assert side.counters.belated_time_average == pytest.approx(2.0)  # a fifth of ten milliseconds
    side.receiver.accept(batch(datagram(isn + 1, 1000)), late)
    assert side.counters.belated_time_average == pytest.approx(3.6)
    assert side.counters.recv_unique_packets == 2


def test_an_empty_packet_is_counted_and_never_delivered() -> None:
    side = ReceivingSide()
    side.hear(batch(datagram(0), datagram(1), datagram(2, payload=b"")), 0)
    side.hear(batch(datagram(3, payload=b""), datagram(4, payload=b"")), 0)
    side.hear_numbers([5], 0)
    assert side.buffer.next_missing() == 6
    side.release(LATENCY)
    assert side.read() == [0, 1, 5]
    assert (side.counters.recv_empty, side.counters.recv_loss) == (3, 0)


def test_what_could_not_be_opened_is_lost() -> None:
    side = ReceivingSide()
    packets = batch(*(datagram(n) for n in range(5)))
    opened: list[bytes | None] = list(packets.payloads())
    opened[2] = None
    stored, findings = side.receiver.accept(packets, 0, opened)
    assert (stored, findings) == (4, [(2, 2, 2, GAP)])
    assert side.counters.recv_packets == 5
    good = batch(datagram(2, flags=RETRANSMITTED))
    assert side.receiver.accept(good, 0, good.payloads()) == (1, [(0, 2, 2, RESENT)])
    side.release(LATENCY)
    assert side.read() == [0, 1, 2, 3, 4]


def test_what_a_stage_has_opened_is_what_is_delivered() -> None:
    side = ReceivingSide()
    packets = batch(*(datagram(n, payload=b"sealed!!") for n in range(5)))
    assert side.receiver.accept(packets, 0, [b"open"] * 5) == (5, ())
    side.release(LATENCY)
    assert [row[0] for row in side.delivery.messages] == [b"open"] * 5


@pytest.mark.parametrize("seqs", [(0, 1, 2), (2, 0, 1)])
def test_what_a_stage_has_opened_counts_as_long_as_it_is_delivered(seqs: tuple[int, ...]) -> None:
    """Tags arrive and are not delivered, whether the packets are a run or not."""
    side = ReceivingSide()
    side.receiver.accept(batch(*map(datagram, seqs)), 0, [b"open!"] * 3)
    assert (side.counters.recv_bytes, side.counters.recv_unique_bytes) == (24, 15)


def test_rebuilt_packets_enter_without_having_arrived() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 2], 0)
    assert side.receiver.accept_rows([((1).to_bytes(8, "big"), 1, 0xC0000002, 0)], 0) == (1, [(0, 1, 1, 1)])
    side.release(LATENCY)
    assert side.read() == [0, 1, 2]
    assert (side.counters.recv_packets, side.counters.recv_unique_packets) == (2, 3)


def test_many_packets_of_one_message_are_delivered_packet_by_packet() -> None:
    side = ReceivingSide()
    parts = [(0b10, b"aaaa"), (0b00, b"bbbb"), (0b01, b"cc")]
    side.hear(batch(*(HEADER.pack(n, pp << 30 | 1, 0, 1) + payload for n, (pp, payload) in enumerate(parts))), 0)
    side.release(LATENCY)
    assert [row[0] for row in side.delivery.messages] == [b"aaaa", b"bbbb", b"cc"]


@pytest.mark.parametrize(("read", "told"), [(0, "most of them wait to be read"), (1, "a latency of 0.12 s takes more")])
def test_a_full_buffer_is_complained_of_once_with_what_to_do(read: int, told: str) -> None:
    side = ReceivingSide(capacity=100)
    if not read:
        side.hear_numbers(range(100), 0)
        side.release(LATENCY)
    side.hear_numbers(range(100 - 100 * read, 200 - 100 * read), LATENCY + 1)
    assert not side.receiver.complaint or not read
    side.hear_numbers([150], LATENCY + 2)
    assert told in side.receiver.complaint
    assert "raise recv_buf_size and fc" in side.receiver.complaint
    side.receiver.complaint = ""
    side.hear_numbers([151], LATENCY + 3)
    assert side.receiver.complaint == ""


def test_what_is_due_and_has_not_been_handed_over_waits_to_be_read_too() -> None:
    side = ReceivingSide(capacity=100)
    side.hear_numbers(range(100), 0)
    side.hear_numbers([100], LATENCY + 1)
    assert "wait to be read" in side.receiver.complaint


def test_a_stray_far_ahead_fills_no_buffer() -> None:
    side = ReceivingSide(capacity=100)
    side.hear_numbers([0, 5000], 0)
    assert (side.counters.out_of_window, side.receiver.complaint) == (1, "")


def test_who_sends_files_beyond_the_window_is_not_complained_of() -> None:
    side = ReceivingSide(capacity=100, tsbpd_receive=False, tlpktdrop=False)
    side.hear_numbers(range(110), 0)
    assert (side.counters.out_of_window, side.receiver.complaint) == (10, "")


@pytest.mark.parametrize("isn", STARTS)
def test_far_ahead_with_an_empty_buffer_is_the_end(isn: int) -> None:
    side = ReceivingSide(isn, capacity=100)
    side.hear_numbers([99], 0)
    assert side.counters.out_of_window == 0
    side = ReceivingSide(isn, capacity=100)
    assert side.receiver.accept(batch(datagram(isn + 100)), 0) == (0, [])
    assert side.counters.out_of_window == 1
    assert "100 packets" in side.receiver.failure
    said = side.receiver.failure
    side.hear_numbers([101], 0)
    assert side.receiver.failure == said


def test_far_ahead_with_something_in_the_buffer_is_only_dropped() -> None:
    side = ReceivingSide(capacity=100)
    side.hear_numbers([0, 1], 0)
    side.hear_numbers([100, 1 << 29, 99], 0)
    assert side.counters.out_of_window == 2
    assert not side.receiver.failure
    assert side.counters.recv_loss == 97
    side.release(LATENCY)
    assert len(side.delivery.messages) == 3
    side.hear_numbers([300], 0)  # unread messages count as something
    assert not side.receiver.failure


@pytest.mark.parametrize("changes", [{"tlpktdrop": False}, {"tsbpd_receive": False, "tlpktdrop": False}])
def test_far_ahead_outside_live_mode_is_only_dropped(changes: dict[str, Any]) -> None:
    side = ReceivingSide(capacity=100, **changes)
    side.hear_numbers([100], 0)
    assert side.counters.out_of_window == 1
    assert not side.receiver.failure


def test_far_behind_is_belated_and_harms_nothing() -> None:
    side = ReceivingSide(isn=5000, capacity=100)
    side.hear_numbers([-1, -5000, -(1 << 30)], 0)
    assert side.counters.recv_belated == 3
    side.hear_numbers([0], 0)
    assert side.counters.recv_unique_packets == 1


def test_a_reader_who_does_not_read_fills_the_buffer_and_no_more() -> None:
    side = ReceivingSide(capacity=50)
    for first in range(0, 100, 10):
        side.hear_numbers(range(first, first + 10), first)
        side.release(first + LATENCY)
    assert len(side.delivery.messages) == 50
    assert side.counters.out_of_window == 50
    side.delivery.messages.popleft()
    side.hear_numbers([50, 51], 200)
    assert len(side.buffer) == 1


def test_a_drop_request_in_live_mode_leaves_the_buffer_alone() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 3], 0)
    assert side.receiver.drop(0, 3) == 0
    assert side.buffer.holes == 2


def test_a_drop_request_beyond_the_newest_moves_what_comes_next() -> None:
    side = ReceivingSide(isn=0x7FFFFFF0)
    side.hear_numbers([0, 1], 0)
    side.drop_request(2, 30, 0)
    side.hear_numbers([31], 0)
    assert side.counters.recv_loss == 0
    assert side.said_naks() == []
    side.hear_numbers([20], 0)  # came after all
    side.release(LATENCY)
    assert side.read() == [0, 1, 20, 31]
    assert side.counters.recv_dropped == 28


@pytest.mark.parametrize(
    ("first", "last"), [(0, 1 << 29), (2, 1 << 29), (500, 1 << 29), (-(1 << 28), 1 << 29), (-9, -5)]
)
@pytest.mark.parametrize("tlpktdrop", [True, False])
def test_a_drop_request_for_half_the_world_costs_a_buffer_at_most(first: int, last: int, tlpktdrop: bool) -> None:
    side = ReceivingSide(isn=0x7FFFFFF0, capacity=100, tlpktdrop=tlpktdrop)
    side.hear_numbers([0, 1], 0)
    side.drop_request(first, last, 0)
    assert len(side.buffer) <= 100
    assert side.counters.recv_dropped <= 98


@pytest.mark.parametrize("loss_max_ttl", [0, 5])
@pytest.mark.parametrize("isn", STARTS)
def test_what_comes_after_a_buffer_full_of_dropped_numbers_is_stored(isn: int, loss_max_ttl: int) -> None:
    side = ReceivingSide(isn=isn, capacity=100, loss_max_ttl=loss_max_ttl)
    side.hear_numbers([0, 1], 0)
    side.run_until(LATENCY)
    side.read()
    for first in range(2, 102, 10):
        side.drop_request(first, first + 9, LATENCY)
    side.hear_numbers([102, 104], 2 * LATENCY)
    assert not side.receiver.failure
    assert side.buffer.next_missing() == side.isn + 103 & SEQ_MASK
    side.hear_numbers([103], 2 * LATENCY)
    side.run_until(4 * LATENCY)
    assert side.read() == [102, 103, 104]
    assert side.counters.recv_dropped == 100
    assert not side.losses.missing


def test_what_was_missing_among_dropped_numbers_is_not_asked_for_any_more() -> None:
    side = ReceivingSide(capacity=100)
    side.hear_numbers([0], 0)
    side.drop_request(1, 1, 0)
    side.hear_numbers([5], 0)  # 2 to 4 are missing
    side.run_until(LATENCY - 1)
    side.said_naks()
    side.buffer.refuse_first()
    side.buffer.refuse_first()  # what came turns out to be of no use
    side.drop_request(6, 99, LATENCY)
    side.hear_numbers([150], LATENCY)
    assert side.losses.missing.ranges() == [(100, 149)]
    assert side.counters.recv_dropped == 98


def test_a_drop_request_unblocks_a_reader_who_waits_for_everything() -> None:
    side = ReceivingSide(tlpktdrop=False)
    side.hear_numbers([0, 1, 4, 5, 7], 0)
    side.run_until(LATENCY)
    assert side.read() == [0, 1]
    side.drop_request(0, 4, LATENCY)
    side.run_until(LATENCY)
    assert side.read() == [4, 5]
    assert side.counters.recv_dropped == 2
    side.drop_request(3, 3, LATENCY)
    assert side.buffer.next_missing() == 6


@dataclass(frozen=True)
class Sent:
    """One packet on its way: how far from the first, how often, when, flagged, as what."""

    offset: int
    resent: bool
    payload: bytes


PACKETS = st.lists(
    st.builds(Sent, st.integers(-5, 60), st.booleans(), st.sampled_from([b"12345678"] * 8 + [b""])),
    min_size=1,
    max_size=80,
)


@given(PACKETS, st.sampled_from(STARTS), st.integers(1, 50), st.sampled_from([20, 8191]))
def test_the_fast_path_is_the_slow_path(packets: list[Sent], isn: int, size: int, capacity: int) -> None:
    batched, single = ReceivingSide(isn, capacity=capacity), ReceivingSide(isn, capacity=capacity)
    for start in range(0, len(packets), size):
        made = [
            datagram(isn + p.offset, start, p.payload, flags=RETRANSMITTED if p.resent else 0)
            for p in packets[start : start + size]
        ]
        while made:  # batches hold datagrams of one size
            like = next((n for n, one in enumerate(made) if len(one) != len(made[0])), len(made))
            both_ways(batched, single, made[:like], start)
            made = made[like:]
    assert_alike(batched, single)


STRETCHES = st.lists(
    st.tuples(
        st.sampled_from([0, 0, 0, 0, 1, 3, -1, -10, -50]), st.integers(1, 60), st.sampled_from([False] * 9 + [True])
    ),
    min_size=1,
    max_size=12,
)
"""Packets on their way: each stretch begins so far from the end of the one before, has so many, is sent again."""


@given(STRETCHES, st.sampled_from(STARTS), st.integers(1, 50), st.sampled_from([64, 8191]), st.booleans())
def test_a_stream_is_the_same_by_the_run_and_by_the_packet(
    stretches: list[tuple[int, int, bool]], isn: int, size: int, capacity: int, is_read: bool
) -> None:
    """Cut, joined, partly repeated, overlapping: the reader's bytes, the room and all counts are the slow path's."""
    agreed: dict[str, Any] = {"tsbpd_receive": False, "tlpktdrop": False, "message_api": False, "congestion": "file"}
    batched, single = (ReceivingSide(isn, capacity=capacity, **agreed) for _ in range(2))
    end, made = 0, []
    for apart, length, is_resent in stretches:
        flags = RETRANSMITTED if is_resent else 0
        made += [datagram(isn + offset, offset, flags=flags) for offset in range(end + apart, end + apart + length)]
        end += apart + length
    for start in range(0, len(made), size):
        findings = both_ways(batched, single, made[start : start + size], start)
        for side in (batched, single):
            side.delivery.note_arrivals(start, findings)
        assert batched.buffer.handed_over() == single.buffer.handed_over()
        if is_read:
            assert taken(batched) == taken(single)
    assert_alike(batched, single)
    assert taken(batched) == taken(single)


MESSAGES = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 4, 5, 20, 60]), st.integers(1, 8), st.sampled_from([*range(7), *[9] * 9])),
    min_size=1,
    max_size=12,
)
"""Messages on their way: how many packets, how long the last, what is wrong with the one in the middle (9: nothing)."""


@given(MESSAGES, st.sampled_from(STARTS), st.integers(1, 70), st.booleans(), st.sampled_from([0, IN_ORDER]))
def test_messages_are_the_same_by_the_run_and_by_the_packet(
    messages: list[tuple[int, int, int]], isn: int, size: int, is_read: bool, order: int
) -> None:
    """Read whole, cut, joined; with a packet sent again, of another message, without its first, or missing."""
    agreed: dict[str, Any] = {"tsbpd_receive": False, "tlpktdrop": False, "message_api": True, "congestion": "file"}
    batched, single = (ReceivingSide(isn, **agreed) for _ in range(2))
    made: list[bytes] = []
    seq = isn
    for number, (count, tail, wrong) in enumerate(messages, 1):
        for at in range(count):
            info = order | number | (POSITION_FIRST if at == 0 else 0) | (POSITION_LAST if at == count - 1 else 0)
            if wrong < 6 and at == count // 2:
                info ^= (RETRANSMITTED, 1, 1 << 8, 1 << 16, POSITION_FIRST, POSITION_LAST)[wrong]
            if wrong != 6 or at != count // 2:
                payload = bytes([number]) * (8 if at < count - 1 else tail)
                made.append(HEADER.pack(seq, info, at, 1) + payload)
            seq = (seq + 1) & SEQ_MASK
    for now, packets in enumerate(reads_of(made, size)):
        findings = both_ways(batched, single, packets, now)
        for side in (batched, single):
            side.delivery.note_arrivals(now, findings)
        assert list(batched.delivery.messages) == list(single.delivery.messages)
        assert batched.buffer.handed_over() == single.buffer.handed_over()
        if is_read:
            assert taken(batched) == taken(single)
    assert_alike(batched, single)


def reads_of(made: list[bytes], size: int) -> Iterator[list[bytes]]:
    """Cut datagrams into reads of at most so many; a shorter one is the last of its read."""
    read: list[bytes] = []
    for one in made:
        if read and (len(read) == size or len(one) > len(read[0])):
            yield read
            read = []
        read.append(one)
        if len(one) < len(read[0]):
            yield read
            read = []
    if read:
        yield read


def test_a_run_that_is_a_message_is_one_row_from_the_first() -> None:
    side = ReceivingSide(tsbpd_receive=False, tlpktdrop=False, congestion="file")
    infos = [POSITION_FIRST | 7, 7, 7, POSITION_LAST | 7]
    side.hear(batch(*[HEADER.pack(n, info, 5, 1) + b"1234" for n, info in enumerate(infos)]), 0)
    assert list(side.delivery.messages) == [(b"1234" * 4, 0, POSITION_FIRST | POSITION_LAST | 7, 5)]
    assert side.buffer.unread() == 4


def taken(side: ReceivingSide) -> bytes:
    """Read all of a stream there is to read."""
    pieces = []
    while side.delivery.messages:
        pieces.append(side.delivery.messages.popleft()[0])
    return b"".join(pieces)


@given(st.integers(1, 60), st.sampled_from(STARTS), st.data())
def test_a_run_with_one_thing_wrong_is_stored_as_if_row_by_row(count: int, isn: int, data: st.DataObject) -> None:
    batched, single = ReceivingSide(isn, capacity=50), ReceivingSide(isn, capacity=50)
    made = [datagram(isn + n, n) for n in range(count)]
    wrong = data.draw(st.sampled_from(["nothing", "twice", "missing", "swapped", "resent", "message", "tail"]))
    at = data.draw(st.integers(0, count - 1))
    if wrong == "twice":
        made.insert(at, made[at])
    elif wrong == "missing" and count > 1:
        del made[at]
    elif wrong == "swapped":
        made[at], made[-1] = made[-1], made[at]
    elif wrong == "resent":
        made[at] = datagram(isn + at, at, flags=RETRANSMITTED)
    elif wrong == "message":
        made[at] = datagram(isn + at, at, message=0)
    elif wrong == "tail":
        made[-1] = made[-1][:-8]
    both_ways(batched, single, made, 0)
    assert_alike(batched, single)


def assert_alike(batched: ReceivingSide, single: ReceivingSide) -> None:
    """Check that both have counted the same, and hold the same at the same place."""
    assert counted(batched) == counted(single)
    assert (batched.buffer.base, batched.buffer.end) == (single.buffer.base, single.buffer.end)
    assert batched.buffer._rows == single.buffer._rows


def both_ways(batched: ReceivingSide, single: ReceivingSide, made: list[bytes], now: int) -> Sequence[Finding]:
    """Give one side the batch, the other its rows one by one; both must have seen the same."""
    packets = batch(*made)
    fast = batched.receiver.accept(packets, now)
    single.counters.recv_packets += packets.count
    single.counters.recv_bytes += sum(map(len, packets.payloads()))
    seqs, infos, stamps, _ = zip(*packets.headers, strict=True)
    slow = single.receiver._accept_each(zip(packets.payloads(), seqs, infos, stamps, strict=True), now)
    assert (fast[0], list(fast[1])) == (slow[0], list(slow[1]))
    return slow[1]


@pytest.mark.parametrize("isn", STARTS)
@pytest.mark.parametrize("seed", range(8))
def test_whatever_the_path_does_everything_comes_once_and_in_order(isn: int, seed: int) -> None:
    """Loss, doubling and any order of arrival; what is lost is sent again until it has come."""
    rng = random.Random(seed)
    side = ReceivingSide(isn, capacity=2000)
    total = 400
    way = [(offset, 0) for offset in range(total) for _ in range(rng.choice([1, 1, 1, 2])) if rng.random() > 0.2]
    spread = rng.choice([1, 5, 50, 400])
    way.sort(key=lambda packet: packet[0] + rng.randrange(spread))
    now = 0
    while way or side.losses.missing:
        size = rng.randint(1, 44)
        part, way = way[:size], way[size:]
        if part:
            side.hear(batch(*(datagram(isn + offset, 0, flags=flag) for offset, flag in part)), now)
        for nak in side.said_naks():
            asked = [offset for first, last in nak for offset in range(first, last + 1)]
            way += [(offset, RETRANSMITTED) for offset in asked if rng.random() > 0.3]
        now += 1_000
        if not way:
            way = [(offset, RETRANSMITTED) for offset in range(total) if offset >= len(side.buffer)]
            side.losses.on_deadline(now)
    side.release(LATENCY + now)
    assert side.read() == list(range(len(side.buffer) or side.offset(side.buffer.base)))
    assert side.counters.recv_dropped == side.counters.recv_belated == side.counters.out_of_window == 0
    assert side.counters.recv_unique_packets == total


FILE: dict[str, Any] = {"tsbpd_receive": False, "tlpktdrop": False, "message_api": False}


@pytest.mark.parametrize("isn", STARTS)
def test_files_are_cut_short_by_a_hole_or_by_what_there_was_no_place_for(isn: int) -> None:
    side = ReceivingSide(isn, capacity=20, **FILE)
    assert not side.receiver.is_cut_short
    side.hear_numbers(range(10), 0)
    assert not side.receiver.is_cut_short
    side.hear_numbers([11], 0)
    assert side.receiver.is_cut_short
    side.resend(10, 0, 0)
    assert not side.receiver.is_cut_short
    side.hear_numbers([40], 0)
    side.hear_numbers([30], 0)
    assert side.receiver.is_cut_short
    side.delivery.messages.clear()
    side.hear_numbers(range(12, 30), 0)
    side.delivery.messages.clear()
    side.hear_numbers(range(30, 40), 0)
    assert side.receiver.is_cut_short
    side.hear_numbers([40], 0)
    assert not side.receiver.is_cut_short


def test_what_cannot_be_opened_cuts_files_short() -> None:
    side = ReceivingSide(**FILE)
    side.receiver.accept(batch(datagram(0)), 0, [None])
    assert side.receiver.is_cut_short


def test_in_live_mode_nothing_is_cut_short() -> None:
    side = ReceivingSide(capacity=20)
    side.hear_numbers([0, 5, 200], 0)
    assert not side.receiver.is_cut_short
