from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.buffer.receive import BLANK, HOLE, SPENT_ROWS, Delivered, ReceiveBuffer
from srtpy.internal.seq.number import SEQ_MASK

STARTS = [0, 1000, 0x7FFFFFF0]


def row(seq: int, stamp: int = 0, payload: bytes = b"payload") -> Delivered:
    return payload, seq & SEQ_MASK, 0xC0000001, stamp & 0xFFFFFFFF


def run(first: int, count: int, stamp: int = 0) -> list[Delivered]:
    return [row(first + n, stamp + n) for n in range(count)]


def numbers(buffer: ReceiveBuffer) -> list[int]:
    """The sequence numbers handed over, taken out."""
    taken = [seq for _, seq, _, _ in buffer.messages]
    buffer.messages.clear()
    return taken


@pytest.mark.parametrize("start", STARTS)
def test_a_run_comes_out_as_it_went_in(start: int) -> None:
    buffer = ReceiveBuffer(start, 100)
    rows = run(start, 40, 500)
    buffer.append_run(rows)
    assert (len(buffer), buffer.base, buffer.end) == (40, start, (start + 40) & SEQ_MASK)
    assert buffer.next_missing() == buffer.end
    buffer.take_due(519)
    assert list(buffer.messages) == rows[:20]
    assert (len(buffer), buffer.base) == (20, (start + 20) & SEQ_MASK)
    buffer.take_due(10_000)
    assert list(buffer.messages) == rows
    assert (len(buffer), buffer.base) == (0, buffer.end)
    assert not buffer.is_empty
    buffer.messages.clear()
    assert buffer.is_empty


@pytest.mark.parametrize("start", STARTS)
def test_a_hole_stops_what_is_behind_it_until_it_is_filled(start: int) -> None:
    buffer = ReceiveBuffer(start, 100)
    buffer.append_run(run(start, 3))
    buffer.open_gap(2)
    buffer.append(row(start + 5))
    assert (buffer.next_missing(), buffer.unread(), buffer.holes) == ((start + 3) & SEQ_MASK, 3, 2)
    assert [buffer.has(place) for place in range(6)] == [True, True, True, False, False, True]
    buffer.take_due(100)
    assert numbers(buffer) == [start, start + 1, start + 2]
    assert buffer.is_blocked
    assert buffer.first_packet() == row(start + 5)
    buffer.fill(1, row(start + 4))
    assert buffer.first_packet() == row(start + 4)
    assert buffer.next_missing() == (start + 3) & SEQ_MASK
    buffer.fill(0, row(start + 3))
    assert not buffer.is_blocked
    assert (buffer.next_missing(), buffer.unread()) == ((start + 6) & SEQ_MASK, 3)
    buffer.take_due(LATER)
    assert numbers(buffer) == [start + 3, start + 4, start + 5]


def test_the_first_missing_is_found_again_in_later_gaps() -> None:
    buffer = ReceiveBuffer(0, 100)
    for first in (0, 10, 20):
        buffer.append_run(run(first, 8))
        buffer.open_gap(2)
    found = []
    for place in (8, 9, 18, 19, 28):
        found.append(buffer.next_missing())
        buffer.fill(place, row(place))
    assert [*found, buffer.next_missing()] == [8, 9, 18, 19, 28, 29]


def test_skipping_gives_up_the_holes_and_stops_at_the_first_packet() -> None:
    buffer = ReceiveBuffer(7, 100)
    buffer.open_gap(3)
    buffer.append(row(10))
    buffer.open_gap(1)
    buffer.append(row(12))
    assert buffer.skip() == 3
    assert (buffer.base, buffer.holes, buffer.next_missing()) == (10, 1, 11)
    buffer.take_due(0)
    assert numbers(buffer) == [10]


def test_a_packet_without_payload_takes_a_place_and_is_never_handed_over() -> None:
    buffer = ReceiveBuffer(0, 100)
    buffer.append(row(0, payload=b""))
    assert buffer.first_packet() is None
    buffer.append(row(1))
    buffer.open_gap(1)
    buffer.append(row(3))
    buffer.fill(2, row(2, payload=b""))
    assert buffer.next_missing() == 4
    buffer.take_due(0)
    assert numbers(buffer) == [1, 3]
    buffer.append_run(run(4, 2))
    buffer.take_due(5)
    assert numbers(buffer) == [4, 5]


def test_what_is_given_up_no_longer_blocks() -> None:
    buffer = ReceiveBuffer(0, 100)
    buffer.append(row(0))
    buffer.open_gap(3)
    buffer.append(row(4))
    assert buffer.give_up(0, 2) == 2
    assert buffer.next_missing() == 3
    assert buffer.give_up(3, 1000) == 1
    assert buffer.next_missing() == 5
    buffer.take_due(0)
    assert numbers(buffer) == [0, 4]


def test_blanks_skipped_together_with_holes_are_not_counted_twice() -> None:
    buffer = ReceiveBuffer(0, 100)
    buffer.open_gap(4)
    buffer.append(row(4))
    assert buffer.give_up(1, 2) == 2
    assert buffer.skip() == 2
    buffer.append_run(run(5, 3))
    buffer.take_due(10)
    assert numbers(buffer) == [4, 5, 6, 7]


def test_a_refused_packet_makes_way() -> None:
    buffer = ReceiveBuffer(0, 100)
    buffer.refuse_first()
    buffer.append_run([row(0, 0x70000000), *run(1, 2)])
    buffer.take_due(5)
    assert not buffer.messages
    buffer.refuse_first()
    buffer.take_due(5)
    assert numbers(buffer) == [1, 2]


@pytest.mark.parametrize("horizon", [0, 5, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
def test_due_is_what_does_not_lie_ahead_on_the_circle_of_timestamps(horizon: int) -> None:
    for ahead, is_due in ((0, True), (-1, True), (1, False), (-1_000_000, True), (1_000_000, False)):
        for holes in (0, 1):
            buffer = ReceiveBuffer(0, 100)
            buffer.append(row(0, horizon + ahead))
            buffer.open_gap(holes)
            buffer.take_due(horizon & 0xFFFFFFFF)
            assert bool(buffer.messages) is is_due, (ahead, holes)


def test_unread_messages_take_room() -> None:
    buffer = ReceiveBuffer(0, 10)
    buffer.append_run(run(0, 6))
    buffer.take_due(3)
    assert (buffer.limit(), len(buffer), buffer.unread()) == (6, 2, 6)
    buffer.messages.popleft()
    assert (buffer.limit(), buffer.unread()) == (7, 5)


def test_bytes_and_span_of_all_that_is_held() -> None:
    buffer = ReceiveBuffer(0, 100)
    assert (buffer.held_bytes(), buffer.span()) == (0, 0)
    buffer.append_run([row(n, 0xFFFFFFF0 + 10 * n, b"x" * n) for n in range(1, 4)])
    assert (buffer.held_bytes(), buffer.span()) == (6, 20)
    buffer.take_due((0xFFFFFFF0 + 10) & 0xFFFFFFFF)
    assert len(buffer.messages) == 1
    assert (buffer.held_bytes(), buffer.span()) == (6, 20)
    buffer.take_due(LATER)
    assert (buffer.held_bytes(), buffer.span()) == (6, 20)
    buffer.messages.popleft()
    assert (buffer.held_bytes(), buffer.span()) == (5, 10)
    assert buffer.held() == 2
    buffer.open_gap(3)
    buffer.append(row(7))
    buffer.append(row(8, payload=b""))
    assert (buffer.held(), buffer.unread()) == (3, 2)
    buffer.give_up(0, 0)
    assert buffer.held() == 3


def test_rows_handed_over_do_not_pile_up() -> None:
    buffer = ReceiveBuffer(0x7FFFFFF0, 10_000)
    kept = 500
    buffer.append_run(run(0x7FFFFFF0, kept))
    for n in range(5_000):
        buffer.append(row(0x7FFFFFF0 + kept + n, kept + n))
        buffer.take_due(n)
        assert len(buffer) == kept
        assert len(buffer._rows) <= kept + max(SPENT_ROWS, kept // 4)
    assert numbers(buffer) == [(0x7FFFFFF0 + n) & SEQ_MASK for n in range(5_000)]


@dataclass
class Model:
    """The receive buffer as one would write it without a thought for speed."""

    base: int
    places: list[Delivered | str] = field(default_factory=list)
    out: list[int] = field(default_factory=list)

    def due(self, horizon: int) -> None:
        while self.places and self.places[0] != "hole":
            first = self.places[0]
            if first != "blank":
                assert isinstance(first, tuple)
                if first[3] > horizon:
                    break
                self.out.append(first[1])
            self.places.pop(0)
            self.base += 1

    def skip(self) -> int:
        holes = 0
        while self.places and isinstance(self.places[0], str):
            holes += self.places.pop(0) == "hole"
            self.base += 1
        return holes


LATER = 1 << 30
"""An instant when everything is due."""
STEPS = st.lists(
    st.tuples(st.sampled_from(["run", "gap", "fill", "empty", "due", "ready", "skip", "drop"]), st.integers(0, 40)),
    max_size=60,
)


@given(STEPS, st.sampled_from([0, 0x7FFFFFF0]))
def test_the_ring_is_the_simple_list(steps: list[tuple[str, int]], start: int) -> None:
    model, buffer = Model(start), ReceiveBuffer(start, 10_000)
    for step, n in steps:
        end = model.base + len(model.places)
        if step == "run":
            rows = run(end, n, end)
            model.places += rows
            buffer.append_run(rows)
        elif step == "gap":
            model.places += ["hole"] * n
            buffer.open_gap(n)
        elif step == "empty":
            model.places.append("blank")
            buffer.append(row(end, payload=b""))
        elif step == "fill" and n < len(model.places) and model.places[n] == "hole":
            model.places[n] = row(model.base + n, model.base + n)
            buffer.fill(n, row(model.base + n, model.base + n))
        elif step == "drop":
            model.places[n : n + 5] = ["blank" if place == "hole" else place for place in model.places[n : n + 5]]
            buffer.give_up(n, n + 4)
        elif step == "due":
            model.due(start + n * 4)
            buffer.take_due(start + n * 4)
        elif step == "ready":
            model.due(LATER)
            buffer.take_due(LATER)
        elif step == "skip" and any(isinstance(place, tuple) for place in model.places):
            assert buffer.skip() == model.skip()
        check_agreement(buffer, model)


def check_agreement(buffer: ReceiveBuffer, model: Model) -> None:
    holes = [place for place, what in enumerate(model.places) if what == "hole"]
    packets = [what for what in model.places if isinstance(what, tuple)]
    prefix = holes[0] if holes else len(model.places)
    assert buffer.base == model.base & SEQ_MASK
    assert len(buffer) == len(model.places)
    assert buffer.holes == len(holes)
    assert buffer.next_missing() == (model.base + prefix) & SEQ_MASK
    assert buffer.unread() == prefix + len(buffer.messages)
    assert buffer.first_packet() == (packets[0] if packets else None)
    assert buffer.is_blocked == (0 in holes)
    assert [seq for _, seq, _, _ in buffer.messages] == [seq & SEQ_MASK for seq in model.out]


def test_nothing_is_mistaken_for_a_hole() -> None:
    assert HOLE != BLANK
    assert row(0, payload=b"") not in (HOLE, BLANK)


# ---- for messages of several packets --------------------------------------------------------------


@pytest.mark.parametrize("start", [0, 0x7FFFFFF0])
def test_a_message_takes_the_room_of_its_packets_until_it_is_read(start: int) -> None:
    buffer = ReceiveBuffer(start, 100)
    buffer.append_run(run(start, 10))
    rows = buffer.peek(0, 7)
    assert [seq for _, seq, _, _ in rows] == [(start + place) & SEQ_MASK for place in range(7)]
    buffer.hand_over((b"whole", *rows[0][1:]), 7)
    buffer.leave(7)
    assert (len(buffer), buffer.base, buffer.handed_over()) == (3, (start + 7) & SEQ_MASK, 7)
    assert (buffer.limit(), buffer.unread(), buffer.held()) == (93, 10, 10)
    buffer.hand_over(buffer.peek(0, 1)[0], 1)
    buffer.leave(1)
    assert buffer.handed_over() == 8
    buffer.messages.popleft()
    assert (buffer.handed_over(), buffer.limit()) == (1, 99)
    buffer.messages.appendleft((b"ole", 0, 0, 0))  # a part of it goes back
    assert buffer.handed_over() == 2
    buffer.messages.clear()
    assert (buffer.handed_over(), buffer.limit(), buffer.unread()) == (0, 100, 2)


def test_what_was_handed_over_out_of_turn_leaves_nothing_but_its_places() -> None:
    buffer = ReceiveBuffer(0, 100)
    buffer.append_run(run(0, 2))
    buffer.open_gap(1)
    buffer.append_run(run(3, 3))
    buffer.hand_over((b"whole", 3, 0, 0), 3)
    buffer.blank(3, 6)
    assert (buffer.held(), buffer.holes, len(buffer)) == (5, 1, 6)  # two and the message's three
    buffer.fill(2, row(2))
    assert buffer.next_missing() == 6
    buffer.leave(6)
    assert (buffer.held(), len(buffer), buffer.first_packet()) == (3, 0, None)
