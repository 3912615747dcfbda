from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.joining import LARGE
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import ControlType, pack_control_header
from srtpy.internal.session.intake import MOST_AT_ONCE, Intake, joined
from tests.internal.mux.sockets import has_rung
from tests.internal.session.fakes import ISN, FakeCore, FakeWire, batch

PATH = Path(("127.0.0.1", 9001))


class Desk:
    """An intake between an inbox and a fake core."""

    def __init__(self) -> None:
        self.core, self.inbox, self.wire = FakeCore(), Inbox(), FakeWire()
        self.intake = Intake(self.core, self.inbox, self.wire)

    def arrive(self, *payloads: bytes) -> None:
        self.inbox.put((batch(*payloads), PATH))

    @property
    def has_rung(self) -> bool:
        return has_rung(self.inbox)

    @property
    def received(self) -> list[bytes]:
        return [payload for one in self.core.received for payload in one.payloads()]


def test_everything_that_waits_goes_in_at_once_and_joined() -> None:
    desk = Desk()
    for payloads in ((b"aa", b"bb"), (b"cc",), (b"dddd",), (b"ee",)):
        desk.arrive(*payloads)
    desk.intake.feed(0)
    assert [one.payloads() for one in desk.core.received] == [[b"aa", b"bb", b"cc"], [b"dddd"], [b"ee"]]
    assert not desk.intake.is_ended


def test_what_is_too_much_for_once_is_left_to_the_receiver_thread() -> None:
    desk = Desk()
    for _ in range(MOST_AT_ONCE + 1):
        desk.arrive(b"x")
    assert desk.has_rung
    desk.intake.feed(0)
    assert len(desk.received) == MOST_AT_ONCE
    assert desk.has_rung
    desk.intake.feed(0)
    assert len(desk.received) == MOST_AT_ONCE + 1
    assert not desk.has_rung


def test_what_nobody_wants_is_thrown_away() -> None:
    desk = Desk()
    desk.arrive(b"x")
    desk.intake.feed(0, is_wanted=False)
    assert desk.inbox.empty()
    assert desk.received == []


def test_nothing_comes_after_the_end() -> None:
    desk = Desk()
    desk.arrive(b"x")
    desk.inbox.put(None)
    desk.arrive(b"late")
    desk.intake.feed(0)
    assert desk.intake.is_ended
    assert desk.received == [b"x"]
    assert desk.inbox.qsize() == 1


def test_a_promise_spares_others_the_waking_until_it_is_kept() -> None:
    desk = Desk()
    desk.wire.on_look = lambda: desk.arrive(b"second")
    desk.intake.promise(5_000)
    assert (desk.intake.is_promised, desk.wire.promised) == (True, [5_000])
    desk.arrive(b"first")
    desk.intake.keep()
    desk.intake.feed(0)
    assert desk.received == [b"first", b"second"]
    assert not desk.has_rung
    assert not desk.intake.is_promised
    desk.arrive(b"third")
    assert desk.has_rung


def test_who_is_interrupted_while_looking_promises_nothing_any_more() -> None:
    desk = Desk()

    def interrupt() -> None:
        raise KeyboardInterrupt

    desk.wire.on_look = interrupt
    desk.intake.promise(5_000)
    with pytest.raises(KeyboardInterrupt):
        desk.intake.keep()
    desk.arrive(b"x")
    assert desk.has_rung


@pytest.mark.parametrize("waiting", [0, 1])
def test_a_promise_taken_back_has_the_receiver_thread_look_at_what_came(waiting: int) -> None:
    desk = Desk()
    desk.intake.promise(5_000)
    for _ in range(waiting):
        desk.arrive(b"x")
    desk.intake.take_back()
    assert desk.has_rung is bool(waiting)
    desk.arrive(b"y")
    assert desk.has_rung


@given(st.lists(st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=4), max_size=6))
def test_joining_changes_no_datagram(groups: list[list[bytes]]) -> None:
    batches = []
    for group in groups:
        size = len(group[0])
        payloads = [payload[:1] * size for payload in group[:-1]] + [group[-1][:size]]
        batches.append(batch(*payloads))
    together = joined(batches)
    assert [p for one in together for p in one.payloads()] == [p for one in batches for p in one.payloads()]
    assert [row for one in together for row in one.headers] == [row for one in batches for row in one.headers]
    assert len(together) <= len(batches)


def test_what_is_large_already_is_joined_to_nothing() -> None:
    large, small = batch(*[b"x"] * LARGE), batch(b"x")
    together = joined([small, small, large, large, small])
    assert [one.count for one in together] == [2, LARGE, LARGE, 1]
    assert together[1] is large


def test_the_sockets_thread_is_asked_to_come_back_only_if_it_does_such_things() -> None:
    wire, inbox = FakeWire(), Inbox()
    intake = Intake(FakeCore(), inbox, wire)
    wire.reminds = True
    assert not intake.remind(5_000)
    inbox.tend = lambda now: None
    assert intake.remind(5_000)
    assert (wire.reminders, intake.back_at) == ([5_000], 5_000)
    wire.reminds = False
    assert not intake.remind(6_000)
    assert intake.back_at == 5_000
    assert not Intake(FakeCore(), inbox, None).remind(5_000)


def test_joined_batches_keep_the_times_of_each_packet_where_all_are_known() -> None:
    first, second, third = batch(b"a", b"b"), batch(b"c"), batch(b"d", b"e")
    first.times, first.arrived, second.arrived, third.arrived = [10, 20], 20, 30, 50
    (together,) = joined([first, second])
    assert (together.times, together.arrived) == ([10, 20, 30], 30)
    (together,) = joined([first, second, third])
    assert (together.times, together.arrived) == ([], 50)


@pytest.mark.parametrize(
    ("kind", "arrived", "goes_first"),
    [
        (ControlType.ACKACK, 5, True),
        (ControlType.KEEPALIVE, 5, True),
        (ControlType.ACKACK, 0, False),  # nobody knows when it came: it is timed as it is taken in
        (ControlType.ACK, 5, False),
        (ControlType.SHUTDOWN, 5, False),
    ],
)
def test_what_only_tells_something_does_not_part_the_data(kind: ControlType, arrived: int, goes_first: bool) -> None:
    before, after = batch(b"a", b"b"), batch(b"c", seq=ISN + 2)
    told = Batch(pack_control_header(kind, 1, 0, 77) + bytes(4))
    told.arrived = arrived
    together = joined([before, told, after])
    assert [one.count for one in together] == ([1, 3] if goes_first else [2, 1, 1])
    assert (together[0] is told) is goes_first
