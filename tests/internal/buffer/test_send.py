from __future__ import annotations

from itertools import repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.buffer.send import GIVEN_UP, Row, Run, SendBuffer
from srtpy.internal.clock.units import NEVER
from srtpy.internal.packet.header import IN_ORDER, MESSAGE_MASK, POSITION_MASK, POSITION_SINGLE
from srtpy.internal.seq.number import LAST_MESSAGE_NUMBER, SEQ_MASK

FIRST, MIDDLE, LAST, SINGLE = 2, 0, 1, 3


@pytest.fixture(params=[0, 1000, 0x7FFFFFF0])
def isn(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


def a_buffer(isn: int = 0, capacity: int = 8192) -> SendBuffer:
    return SendBuffer(isn, capacity)


def write(buffer: SendBuffer, count: int, now: int = 0, expires: int = NEVER) -> None:
    for index in range(count):
        buffer.append(b"%d" % index, 1456, True, now, now, expires)


def sent(buffer: SendBuffer, count: int) -> list[Row]:
    """Send packets; return them as rows, which say the same as the columns."""
    first = buffer.next_seq
    run = buffer.send(count)
    rows = [buffer.row((first + step) & SEQ_MASK) for step in range(count)]
    assert [row[:3] for row in rows] == list(zip(*run, strict=True))
    return rows


def test_a_new_buffer_is_empty(isn: int) -> None:
    buffer = a_buffer(isn)
    assert (len(buffer), buffer.unsent, buffer.sent, buffer.size) == (0, 0, 0, 0)
    assert (buffer.base, buffer.next_seq, buffer.room) == (isn, isn, 8192)
    assert buffer.origin(0) == NEVER


def test_the_first_message_is_number_one_alone_and_in_order() -> None:
    buffer = a_buffer()
    buffer.append(b"x", 1456, True, 5, 7, NEVER)
    assert sent(buffer, 1) == [(0xE0000001, 5, b"x", 7, NEVER)]
    assert buffer.last_message == 1


def test_out_of_order_clears_the_flag() -> None:
    buffer = a_buffer()
    buffer.append(b"x", 1456, False, 0, 0, NEVER)
    buffer.append_run([b"y"], False, repeat(0), repeat(0))
    assert [row[0] for row in sent(buffer, 2)] == [0xC0000001, 0xC0000002]


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        (1, [SINGLE]),
        (1456, [SINGLE]),
        (1457, [FIRST, LAST]),
        (2912, [FIRST, LAST]),
        (4000, [FIRST, MIDDLE, LAST]),
        (1456 * 5, [FIRST, MIDDLE, MIDDLE, MIDDLE, LAST]),
    ],
)
def test_a_message_is_cut_and_its_packets_say_where_they_belong(size: int, shape: list[int]) -> None:
    buffer, message = a_buffer(), bytes(index % 251 for index in range(size))
    buffer.append(message, 1456, True, 0, 0, NEVER)
    rows = sent(buffer, len(shape))
    assert [row[0] >> 30 for row in rows] == shape
    assert {row[0] & MESSAGE_MASK for row in rows} == {1}
    assert all(row[0] & IN_ORDER for row in rows)
    assert b"".join(row[2] for row in rows) == message
    assert max(len(row[2]) for row in rows) <= 1456


def test_a_run_is_what_its_messages_one_by_one_are(isn: int) -> None:
    together, apart = a_buffer(isn), a_buffer(isn)
    messages = [b"%d" % index for index in range(50)]
    together.append_run(messages, True, repeat(3), repeat(4))
    for message in messages:
        apart.append(message, 1456, True, 3, 4, NEVER)
    assert together.send(50) == apart.send(50)
    assert together.last_message == apart.last_message == 50


@pytest.mark.parametrize("before", range(LAST_MESSAGE_NUMBER - 12, LAST_MESSAGE_NUMBER + 1))
def test_message_numbers_wrap_and_skip_zero(before: int) -> None:
    buffer = a_buffer()
    buffer.last_message = before
    buffer.append_run([b"x"] * 10, True, repeat(0), repeat(0))
    expected, number = [], before
    for _ in range(10):
        number = number + 1 if number < LAST_MESSAGE_NUMBER else 1
        expected.append(number)
    rows = sent(buffer, 10)
    assert [row[0] & MESSAGE_MASK for row in rows] == expected
    assert all(row[0] & POSITION_MASK == POSITION_SINGLE for row in rows)
    assert buffer.last_message == expected[-1]


def test_an_empty_run_changes_nothing() -> None:
    buffer = a_buffer()
    buffer.append_run([], True, repeat(0), repeat(0))
    buffer.append_run([b"x"], True, repeat(0), repeat(0))
    assert buffer.send(1).infos[0] & MESSAGE_MASK == 1


def test_numbers_are_places(isn: int) -> None:
    buffer = a_buffer(isn)
    write(buffer, 40)
    buffer.send(30)
    assert buffer.next_seq == (isn + 30) & SEQ_MASK
    assert buffer.row((isn + 29) & SEQ_MASK)[2] == b"29"
    buffer.remove(20)
    assert (buffer.base, buffer.sent, buffer.unsent) == ((isn + 20) & SEQ_MASK, 10, 10)
    assert buffer.next_seq == (isn + 30) & SEQ_MASK
    assert [row[2] for row in buffer.rows([(isn + 29) & SEQ_MASK, (isn + 20) & SEQ_MASK])] == [b"29", b"20"]


def test_removing_what_was_never_sent_uses_its_numbers_up(isn: int) -> None:
    buffer = a_buffer(isn)
    write(buffer, 10)
    buffer.send(3)
    buffer.remove(5)
    assert (buffer.sent, buffer.unsent, buffer.next_seq) == (0, 5, (isn + 5) & SEQ_MASK)


def test_room_ends_at_the_capacity() -> None:
    buffer = a_buffer(capacity=32)
    write(buffer, 30)
    assert buffer.room == 2
    buffer.append(bytes(5000), 1000, True, 0, 0, NEVER)
    assert buffer.room == 0
    buffer.remove(10)
    assert buffer.room == 7


def test_sizes() -> None:
    buffer = a_buffer()
    buffer.append_run([b"a" * 10, b"b" * 20, b"c" * 30], True, repeat(0), repeat(0))
    assert buffer.size == 60
    assert buffer.size_of(2) == 30


def test_what_is_sealed_is_kept(isn: int) -> None:
    buffer = a_buffer(isn)
    write(buffer, 10)
    buffer.send(2)
    infos, stamps, payloads = buffer.send(3)
    buffer.keep(Run([info | 1 << 27 for info in infos], stamps, [b"sealed"] * len(payloads)))
    assert [row[0] >> 27 & 1 for row in buffer.rows([(isn + index) & SEQ_MASK for index in range(6)])] == [
        0,
        0,
        1,
        1,
        1,
        0,
    ]
    payloads = [row[2] for row in buffer.rows([(isn + index) & SEQ_MASK for index in range(10)])]
    assert payloads == [b"0", b"1", b"sealed", b"sealed", b"sealed", b"5", b"6", b"7", b"8", b"9"]


def test_ages_are_counted_from_the_oldest() -> None:
    buffer = a_buffer()
    for now in (10, 20, 30, 40):
        write(buffer, 2, now)
    assert (buffer.origin(0), buffer.origin(7), buffer.origin(8)) == (10, 40, NEVER)
    assert [buffer.count_before(instant) for instant in (10, 11, 30, 31, 100, -NEVER)] == [0, 2, 4, 6, 8, 0]


def test_rows_that_expired_unsent_are_passed_over_and_keep_their_numbers(isn: int) -> None:
    buffer = a_buffer(isn)
    write(buffer, 2)
    write(buffer, 3, expires=100)
    write(buffer, 2)
    assert buffer.may_expire
    assert buffer.unexpired(10, 99) == 7
    assert buffer.unexpired(10, 100) == 2
    assert buffer.skip_expired(100) == []
    buffer.send(2)
    assert buffer.skip_expired(100) == [(isn + step) & SEQ_MASK for step in (2, 3, 4)]
    assert not buffer.may_expire
    assert buffer.next_seq == (isn + 5) & SEQ_MASK


def test_the_newest_of_those_sent_and_not_given_up(isn: int) -> None:
    buffer = a_buffer(isn)
    assert buffer.newest(5) == -1
    write(buffer, 6)
    buffer.send(5)
    assert [buffer.newest(limit) for limit in (9, 5, 3, 1, 0)] == [4, 4, 2, 0, -1]
    for step in (4, 2, 1, 0):
        buffer.give_up((isn + step) & SEQ_MASK)
    assert [buffer.newest(limit) for limit in (9, 4, 3)] == [3, 3, -1]


def test_removal_moves_the_place_of_what_may_expire() -> None:
    buffer = a_buffer()
    write(buffer, 3)
    write(buffer, 1, expires=100)
    write(buffer, 3)
    buffer.send(2)
    buffer.remove(2)
    assert buffer.may_expire
    buffer.send(2)
    assert not buffer.may_expire
    buffer.remove(5)
    assert not buffer.may_expire


def test_a_message_is_given_up_as_a_whole_and_once(isn: int) -> None:
    buffer = a_buffer(isn)
    write(buffer, 2)
    buffer.append(bytes(3500), 1000, True, 0, 0, 100)
    write(buffer, 2)
    buffer.send(4)
    given_up = buffer.give_up((isn + 3) & SEQ_MASK)
    assert given_up == (3, (isn + 2) & SEQ_MASK, (isn + 5) & SEQ_MASK, 4, 3500)
    rows = buffer.rows([(isn + step) & SEQ_MASK for step in range(8)])
    assert [row[4] == GIVEN_UP for row in rows] == [False, False, True, True, True, True, False, False]
    assert [len(row[2]) for row in rows] == [1, 1, 0, 0, 0, 0, 1, 1]
    assert buffer.give_up((isn + 2) & SEQ_MASK)[3:] == (0, 0)


def test_of_a_message_partly_acknowledged_the_rest_is_given_up() -> None:
    buffer = a_buffer()
    buffer.append(bytes(3000), 1000, True, 0, 0, 100)
    buffer.send(3)
    buffer.remove(1)
    assert buffer.give_up(1) == (1, 1, 2, 2, 2000)


@given(
    isn=st.sampled_from([0, 5, 0x7FFFFFF0]),
    steps=st.lists(st.tuples(st.sampled_from("wrsa"), st.integers(0, 50)), max_size=40),
)
def test_it_is_a_list_of_payloads_with_a_number_for_each(isn: int, steps: list[tuple[str, int]]) -> None:
    buffer, model, written, gone, left = a_buffer(isn), [], 0, 0, 0
    for verb, count in steps:
        if verb == "w":
            messages = [b"%d" % (written + index) for index in range(count)]
            buffer.append_run(messages, True, repeat(0), repeat(0))
            model += messages
            written += count
        elif verb == "s":
            count = min(count, buffer.unsent)
            assert buffer.send(count).payloads == model[left : left + count]
            left += count
        elif verb == "a":
            count = min(count, buffer.sent)
            buffer.remove(count)
            gone += count
        else:
            count = min(count, len(buffer))
            buffer.remove(count)
            gone, left = gone + count, max(left, gone + count)
        assert (buffer.base, buffer.next_seq) == ((isn + gone) & SEQ_MASK, (isn + left) & SEQ_MASK)
        assert (len(buffer), buffer.sent, buffer.last_message % LAST_MESSAGE_NUMBER) == (
            written - gone,
            left - gone,
            written,
        )
        held = [buffer.row((isn + place) & SEQ_MASK)[2] for place in range(gone, written)]
        assert held == model[gone:]


@pytest.mark.parametrize("last_message", [0, LAST_MESSAGE_NUMBER])
def test_a_stream_is_cut_where_packets_are_full(isn: int, last_message: int) -> None:
    buffer = a_buffer(isn)
    buffer.last_message = last_message
    data = bytes(range(256)) * 20
    buffer.append_stream(data, 10, 3010, 1456, 5, 7)
    rows = sent(buffer, 3)
    buffer.append_stream(data, 3010, 3011, 1456, 6, 8)
    rows += sent(buffer, 1)
    assert b"".join(row[2] for row in rows) == data[10:3011]
    assert [len(row[2]) for row in rows] == [1456, 1456, 88, 1]
    assert [row[0] >> 30 for row in rows] == [FIRST, MIDDLE, LAST, SINGLE]
    assert not any(row[0] & IN_ORDER for row in rows)
    assert [row[0] & MESSAGE_MASK for row in rows] == [1, 1, 1, 2]
    assert [row[1:2] + row[3:] for row in rows] == [(5, 7, NEVER)] * 3 + [(6, 8, NEVER)]


def test_a_packet_that_waits_and_is_not_full_takes_what_is_written_next() -> None:
    buffer, data = a_buffer(), bytes(range(200))
    buffer.append_stream(data, 0, 10, 100, 5, 7)
    buffer.append_stream(data, 10, 15, 100, 6, 8)
    assert (len(buffer), buffer.last_message) == (1, 1)
    buffer.append_stream(data, 15, 150, 100, 6, 8)
    assert [(row[0] >> 30, row[0] & MESSAGE_MASK, row[2]) for row in sent(buffer, 2)] == [
        (SINGLE, 1, data[:100]),
        (SINGLE, 2, data[100:150]),
    ]


@given(
    isn=st.sampled_from([0, 5, 0x7FFFFFF0]),
    limit=st.integers(1, 30),
    steps=st.lists(st.tuples(st.sampled_from("wwwsa"), st.integers(0, 3000)), max_size=30),
)
def test_a_stream_arrives_whole_however_it_is_written_sent_and_acknowledged(
    isn: int, limit: int, steps: list[tuple[str, int]]
) -> None:
    buffer, data = a_buffer(isn, 1 << 20), bytes(index % 251 for index in range(90_000))
    written, left, gone = 0, 0, 0
    packets: list[bytes] = []
    for verb, count in steps:
        if verb == "w":
            buffer.append_stream(data, written, written + count, limit, 0, 0)
            written += count
        elif verb == "s":
            run = buffer.send(min(count, buffer.unsent))
            assert max(map(len, run.payloads), default=0) <= limit
            packets += run.payloads
            left = len(packets)
        else:
            count = min(count, buffer.sent)
            buffer.remove(count)
            gone += count
        assert (buffer.base, buffer.next_seq) == ((isn + gone) & SEQ_MASK, (isn + left) & SEQ_MASK)
        assert [buffer.row((isn + place) & SEQ_MASK)[2] for place in range(gone, left)] == packets[gone:]
        assert buffer.size == written - sum(map(len, packets[:gone]))
    packets += buffer.send(buffer.unsent).payloads
    assert b"".join(packets) == data[:written]


@given(st.lists(st.integers(0, 700), max_size=40))
def test_what_is_gone_does_not_stay_in_memory(steps: list[int]) -> None:
    buffer = a_buffer()
    for count in steps:
        buffer.append_run([b"x"] * count, True, repeat(0), repeat(0))
        buffer.send(count)
        buffer.remove(count // 2)
        held = len(buffer._payloads)
        assert held <= len(buffer) * 16 / 15 + 1
        buffer.remove(count - count // 2)
        assert not buffer._payloads


def test_a_run_that_leaves_at_once_is_one_that_was_queued_and_sent(isn: int) -> None:
    at_once, queued = a_buffer(isn), a_buffer(isn)
    messages, stamps, origins = [b"a", b"b", b"c"], [1, 2, 3], [11, 12, 13]
    for _ in range(2):
        run = at_once.send_run(messages, stamps, origins)
        queued.append_run(messages, True, stamps, origins)
        assert run == queued.send(3)
        assert (run.stamps, run.payloads) == (stamps, messages)
    assert (at_once.sent, at_once.unsent, at_once.next_seq) == (queued.sent, queued.unsent, queued.next_seq)


@pytest.mark.parametrize(
    ("sizes", "count"), [((5, 5, 5), 3), ((5, 5, 3, 5), 3), ((5, 3, 5), 2), ((3, 5), 1), ((5, 5, 6), 2), ((4,), 1)]
)
def test_what_fits_end_to_end_is_of_one_size_but_for_its_end(sizes: tuple[int, ...], count: int) -> None:
    buffer = a_buffer()
    buffer.append_run([bytes(9), *[bytes(size) for size in sizes]], True, repeat(0), repeat(0))
    buffer.send(1)
    assert buffer.end_to_end(len(sizes)) == count
