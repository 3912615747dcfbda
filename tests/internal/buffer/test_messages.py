from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from srtpy.internal.buffer.messages import CHUNK, Messages, Stream
from srtpy.internal.buffer.receive import Delivered, ReceiveBuffer
from srtpy.internal.packet.header import (
    IN_ORDER,
    MESSAGE_MASK,
    POSITION_FIRST,
    POSITION_LAST,
    POSITION_MIDDLE,
    POSITION_SINGLE,
)
from srtpy.internal.seq.number import LAST_MESSAGE_NUMBER, SEQ_MASK, next_message
from tests.internal.buffer.ring import fragments, parts, store

STARTS = [0, 1000, 0x7FFFFFF0]
NUMBERS = [1, LAST_MESSAGE_NUMBER - 3]
SHAPES = [3, 1, 4, 1, 1, 5, 2]
"""Packets of the messages of a story."""


class Side:
    """A receive buffer in message mode, a story to arrive in it, and what was read."""

    def __init__(
        self, start: int = 0, number: int = 1, capacity: int = 100, in_order: list[bool] | None = None
    ) -> None:
        self.ring = ReceiveBuffer(start, capacity)
        self.messages = Messages(self.ring)
        self.rows: list[Delivered] = []
        self.whole: list[bytes] = []
        for count, is_ordered in zip(SHAPES, in_order or [True] * len(SHAPES), strict=True):
            pieces = parts(number, count)
            self.rows += fragments(start + len(self.rows), number, pieces, in_order=is_ordered)
            self.whole.append(b"".join(pieces))
            number = next_message(number)

    def arrive(self, *places: int) -> int:
        """Let packets of the story arrive, as one read."""
        return self.messages.hand_over([seq for place in places for seq in store(self.ring, self.rows[place])])

    def read(self) -> list[bytes]:
        """Take everything there is to read."""
        taken = [row[0] for row in self.ring.messages]
        self.ring.messages.clear()
        return taken


# ---- messages in turn --------------------------------------------------------------------------


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("number", NUMBERS)
def test_messages_that_come_in_order_are_put_together(start: int, number: int) -> None:
    side = Side(start, number)
    assert side.arrive(*range(len(side.rows))) == 0
    first, second, *_ = side.ring.messages
    assert first == (side.whole[0], start, POSITION_SINGLE | IN_ORDER | number, 1000)
    assert second == (side.whole[1], (start + 3) & SEQ_MASK, POSITION_SINGLE | IN_ORDER | number + 1, 1000)
    assert [row[2] & MESSAGE_MASK for row in side.ring.messages][-1] == side.rows[-1][2] & MESSAGE_MASK
    assert side.read() == side.whole
    assert side.ring.is_empty


def test_a_message_is_handed_over_with_its_last_packet_and_not_before() -> None:
    side = Side()
    handed = []
    for place in range(len(side.rows)):
        side.arrive(place)
        handed.append(len(side.ring.messages))
    assert handed == [0, 0, 1, 2, 2, 2, 2, 3, 4, 5, 5, 5, 5, 5, 6, 6, 7]


def test_what_is_not_read_takes_its_room_packet_by_packet() -> None:
    side = Side(capacity=20)
    side.arrive(*range(5))
    assert (side.ring.unread(), side.ring.limit(), len(side.ring)) == (5, 16, 1)
    side.ring.messages.popleft()
    assert (side.ring.unread(), side.ring.limit()) == (2, 19)
    side.arrive(*range(5, 17))
    assert side.ring.unread() == 14
    assert len(side.read()) == 6
    assert (side.ring.unread(), side.ring.limit()) == (0, 20)


def test_a_part_put_back_by_a_reader_takes_room_for_one() -> None:
    side = Side()
    side.arrive(*range(4))
    row = side.ring.messages.popleft()
    assert side.ring.unread() == 1
    side.ring.messages.appendleft((row[0][2:], *row[1:]))
    assert side.ring.unread() == 2


def test_everything_before_a_hole_is_acknowledged_though_its_message_is_not_complete() -> None:
    side = Side(1000)
    side.arrive(0, 1, 4)
    assert side.ring.next_missing() == 1002
    assert side.ring.base == 1000
    assert not side.ring.messages
    side.arrive(2, 3)
    assert side.ring.next_missing() == 1005
    assert side.ring.base == 1004
    assert side.read() == side.whole[:2]


@pytest.mark.parametrize("start", STARTS)
def test_ordered_messages_wait_for_what_is_missing_before_them(start: int) -> None:
    side = Side(start)
    side.arrive(*[place for place in range(len(side.rows)) if place != 1])
    assert side.read() == []
    side.arrive(1)
    assert side.read() == side.whole


def test_messages_without_payload_are_nobodys_message() -> None:
    ring = ReceiveBuffer(0, 100)
    messages = Messages(ring)
    for row in [*fragments(0, 1, [b""]), *fragments(1, 2, [b"", b"a", b""]), *fragments(4, 3, [b"", b""])]:
        store(ring, row)
    assert messages.hand_over() == 0
    assert [row[0] for row in ring.messages] == [b"a"]
    assert len(ring) == 0
    assert ring.first_packet() is None


# ---- messages out of turn ----------------------------------------------------------------------


@pytest.mark.parametrize("start", STARTS)
def test_a_message_that_may_overtake_does(start: int) -> None:
    side = Side(start, in_order=[True, True, False, True, True, False, True])
    side.arrive(0, 1, *range(3, 10))
    assert side.read() == side.whole[2:3]
    side.arrive(10, 11, 13, 14)
    assert side.read() == []
    side.arrive(12)
    assert side.read() == side.whole[5:6]
    assert side.ring.next_missing() == (start + 2) & SEQ_MASK
    side.arrive(2)
    assert side.read() == [side.whole[place] for place in (0, 1, 3, 4)]
    side.arrive(15, 16)
    assert side.read() == side.whole[6:]
    assert side.ring.is_empty


def test_what_has_overtaken_takes_its_room_until_it_is_read_and_its_packets_are_duplicates() -> None:
    side = Side(in_order=[False] * 7, capacity=20)
    side.arrive(*range(1, 8))
    assert side.ring.handed_over() == 5
    assert all(side.ring.has(place) for place in range(1, 8))
    assert side.arrive(5) == 0
    assert side.read() == side.whole[1:3]
    assert side.ring.limit() == 20


def test_the_second_hole_does_not_stop_a_message_either() -> None:
    side = Side(in_order=[False] * 7)
    side.arrive(1, 2, 4, 5, 6, 7)
    assert side.read() == side.whole[2:3]
    side.arrive(9)
    assert side.read() == side.whole[4:5]
    side.arrive(0)
    assert side.read() == side.whole[:1]
    side.arrive(3, 8)
    assert side.read() == [side.whole[1], side.whole[3]]


def test_a_message_whose_number_returns_before_its_time_harms_only_itself() -> None:
    ring = ReceiveBuffer(0, 100)
    messages = Messages(ring)
    rows = [
        *fragments(1, 7, [b"a", b"b"], in_order=False),
        *fragments(3, 8, [b"c"], in_order=False),
        *fragments(4, 7, [b"d", b"e"], in_order=False),
    ]
    for row in [rows[0], rows[2], rows[4], rows[1], rows[3]]:
        messages.hand_over(store(ring, row))
    store(ring, fragments(0, 6, [b"x"], in_order=False)[0])
    messages.hand_over()
    assert sorted(row[0] for row in ring.messages) == [b"ab", b"c", b"de", b"x"]


def test_what_is_remembered_of_messages_goes_with_them() -> None:
    side = Side(in_order=[False] * 7)
    side.arrive(1, 4, 6, 12)
    assert len(side.messages._early) == 3
    side.arrive(0, 2, 3, 5, 7)
    assert set(side.messages._early) == {6}
    side.arrive(*range(8, 17))
    assert not side.messages._early


# ---- what will never be complete ---------------------------------------------------------------


@pytest.mark.parametrize("given_up", [0, 1, 2])
@pytest.mark.parametrize("in_order", [True, False])
def test_the_rest_of_a_message_that_was_given_up_is_dropped(given_up: int, in_order: bool) -> None:
    side = Side(in_order=[in_order] * 7)
    side.arrive(*[place for place in range(8) if place != given_up])
    side.read()
    side.ring.give_up(0, 2)
    side.messages.gave_up(1)
    assert side.messages.hand_over() == 2
    assert not side.messages.failure
    assert side.ring.base == 8
    assert side.read() == ([] if not in_order else side.whole[1:3])


def test_the_announcement_of_a_message_that_has_come_whole_takes_nothing_away() -> None:
    side = Side()
    side.arrive(1, 2, *range(3, 8))
    assert side.ring.give_up(3, 7) == 0
    side.messages.hand_over()
    side.arrive(0)
    assert side.read() == side.whole[:3]


def test_a_message_given_up_before_any_of_it_came_is_passed_over() -> None:
    side = Side()
    side.ring.open_gap(3)
    side.ring.give_up(0, 2)
    assert side.messages.hand_over() == 0
    side.arrive(3)
    assert side.read() == side.whole[1:2]


@pytest.mark.parametrize(
    ("positions", "numbers", "expected", "dropped"),
    [
        ("ML S", [1, 1, 2], [b"2"], 2),  # no beginning
        ("FMF L", [1, 1, 2, 2], [b"23"], 2),  # no end
        ("FL L S", [1, 2, 1, 3], [b"3"], 3),  # the end of another
        ("FS", [1, 2], [b"1"], 1),
        ("FFL", [1, 1, 1], [b"12"], 1),  # begun twice
        ("MMM S", [0, 0, 0, 1], [b"3"], 3),
        ("FML", [0, 0, 0], [b"012"], 0),  # a number nobody uses is a number
    ],
)
@pytest.mark.parametrize("step", [1, 100])
def test_what_does_not_keep_to_the_rules_is_dropped_and_the_rest_is_not(
    positions: str, numbers: list[int], expected: list[bytes], dropped: int, step: int
) -> None:
    bits = {"F": POSITION_FIRST, "M": POSITION_MIDDLE, "L": POSITION_LAST, "S": POSITION_SINGLE}
    ring = ReceiveBuffer(5, 100)
    messages = Messages(ring)
    rows = [
        (b"%d" % place, 5 + place, bits[position] | number, 0)
        for place, (position, number) in enumerate(zip(positions.replace(" ", ""), numbers, strict=True))
    ]
    lost = 0
    for begin in range(0, len(rows), step):
        for row in rows[begin : begin + step]:
            store(ring, row)
        lost += messages.hand_over()
    assert [row[0] for row in ring.messages] == expected
    assert lost == dropped


def test_a_message_longer_than_the_buffer_is_a_failure_and_not_a_deadlock() -> None:
    ring = ReceiveBuffer(0, 32)
    messages = Messages(ring)
    store(ring, fragments(0, 1, [b"short"])[0])
    messages.hand_over()
    for row in fragments(1, 2, parts(2, 40))[:31]:
        store(ring, row)
        messages.hand_over()
    assert ring.limit() == len(ring)
    assert len(messages.failure) == 0, "there will be room for one more when the first message is read"
    ring.messages.clear()
    store(ring, fragments(1, 2, parts(2, 40))[31])
    messages.hand_over()
    assert messages.failure == (
        "message 2 does not fit: it takes more than the receive buffer's 32 packets (recv_buf_size)"
    )


# ---- whatever the order ------------------------------------------------------------------------

orders = st.permutations(range(sum(SHAPES)))
flags = st.lists(st.booleans(), min_size=len(SHAPES), max_size=len(SHAPES))
cuts = st.lists(st.integers(1, 6), min_size=17, max_size=17)


@settings(max_examples=60)
@given(st.sampled_from(STARTS), st.sampled_from(NUMBERS), orders, flags, cuts)
def test_in_whatever_order_packets_come_each_message_comes_once(
    start: int, number: int, order: list[int], in_order: list[bool], cut: list[int]
) -> None:
    side = Side(start, number, in_order=in_order)
    got: list[bytes] = []
    while order:
        count, order_now = cut.pop(), order
        order = order_now[count:]
        # a second copy of the first changes nothing
        assert side.arrive(*order_now[:count], order_now[0]) == 0
        assert side.ring.unread() <= 17
        got += side.read()
    assert sorted(got) == sorted(side.whole)
    ordered = [message for message, is_ordered in zip(side.whole, in_order, strict=True) if is_ordered]
    assert [message for message in got if message in ordered] == ordered
    assert side.ring.is_empty
    assert not side.messages._early


@settings(max_examples=60)
@given(st.sampled_from(STARTS), orders, flags, st.sets(st.integers(0, len(SHAPES) - 1)))
def test_whatever_is_given_up_everything_else_comes(
    start: int, order: list[int], in_order: list[bool], doomed: set[int]
) -> None:
    """The first packet of each doomed message never comes; its sender says so at the end."""
    side = Side(start, in_order=in_order)
    begins = [sum(SHAPES[:index]) for index in range(len(SHAPES))]
    never = {begins[index] for index in doomed}
    for place in order:
        if place not in never:
            side.arrive(place)
    for place in never:
        ahead = (start + place - side.ring.base) & SEQ_MASK
        side.ring.give_up(ahead, ahead)
    side.messages.hand_over()
    assert sorted(side.read()) == sorted(message for index, message in enumerate(side.whole) if index not in doomed)
    assert side.ring.is_empty


infos = st.tuples(
    st.sampled_from([POSITION_FIRST, POSITION_MIDDLE, POSITION_LAST, POSITION_SINGLE]),
    st.sampled_from([0, IN_ORDER]),
    st.integers(0, 3),
)


@settings(max_examples=60)
@given(st.permutations(range(30)), st.lists(infos, min_size=30, max_size=30), st.sets(st.integers(0, 29)))
def test_garbage_is_handed_over_or_dropped_but_never_twice_and_never_kept(
    order: list[int], words: list[tuple[int, int, int]], given_up: set[int]
) -> None:
    ring = ReceiveBuffer(0x7FFFFFF0, 30)
    messages = Messages(ring)
    rows = [
        (bytes([place]), (0x7FFFFFF0 + place) & SEQ_MASK, position | flag | number, 0)
        for place, (position, flag, number) in enumerate(words)
    ]
    dropped = sum(messages.hand_over(store(ring, rows[place])) for place in order if place not in given_up)
    if len(ring):
        ring.give_up(0, len(ring) - 1)
    dropped += messages.hand_over()
    handed = b"".join(row[0] for row in ring.messages)
    assert len(set(handed)) == len(handed)
    left = sum(1 for row in ring.peek(0, len(ring)) if row[0])
    assert len(handed) + dropped + left == 30 - len(given_up)
    assert left == 0 or ring.peek(0, 1)[0][2] & POSITION_SINGLE == POSITION_FIRST, "only a beginning may wait"


# ---- the stream --------------------------------------------------------------------------------


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("count", [1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_a_stream_is_joined_in_chunks(start: int, count: int) -> None:
    ring = ReceiveBuffer(start, 1000)
    stream = Stream(ring)
    rows = fragments(start, 5, parts(5, count))
    ring.append_run(rows)
    assert stream.hand_over() == 0
    assert len(ring.messages) == -(-count // CHUNK)
    assert b"".join(row[0] for row in ring.messages) == b"".join(parts(5, count))
    assert ring.unread() == count
    second = list(ring.messages)[1:2]
    assert all(row[1] == (start + CHUNK) & SEQ_MASK for row in second)
    ring.messages.popleft()
    assert ring.unread() == max(count - CHUNK, 0)


@settings(max_examples=60)
@given(st.sampled_from(STARTS), st.permutations(range(60)), st.lists(st.integers(0, 20), min_size=60, max_size=60))
def test_a_stream_is_its_packets_one_after_the_other(start: int, order: list[int], sizes: list[int]) -> None:
    ring = ReceiveBuffer(start, 60)
    stream = Stream(ring)
    payloads = [bytes([place]) * size for place, size in enumerate(sizes)]
    rows = fragments(start, 9, payloads)
    got = b""
    for place in order:
        stream.hand_over(store(ring, rows[place]))
        got += b"".join(row[0] for row in ring.messages)
        ring.messages.clear()
        assert b"".join(payloads).startswith(got)
    assert got == b"".join(payloads)
    assert ring.is_empty
    assert len(stream.failure) == 0


def test_a_stream_with_a_gap_is_a_failure() -> None:
    ring = ReceiveBuffer(0, 100)
    stream = Stream(ring)
    rows = fragments(0, 5, parts(5, 4))
    store(ring, rows[0])
    store(ring, rows[3])
    stream.gave_up(0)
    assert len(stream.failure) == 0
    stream.gave_up(ring.give_up(1, 2))
    assert stream.failure == "the peer gave up a part of the byte stream (packets: 2)"
