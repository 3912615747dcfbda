"""Who gets a datagram, who does not, and what is counted then."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import NEVER
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.farewells import Farewells
from srtpy.internal.mux.inbox import PATIENCE, Inbox
from srtpy.internal.mux.routes import INBOX_LIMIT, LISTENER_LIMIT, LITTLE, Routes, runs_to_one
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import ControlType, Datagram
from tests.internal.mux.sockets import control, data, has_rung, whole

PEER = Path(("192.0.2.1", 9000))
STRANGER = Path(("192.0.2.1", 9001))


def batch(*datagrams: Datagram) -> Batch:
    pieces = whole(datagrams)
    return Batch(b"".join(pieces), len(pieces[0]))


def contents(inbox: Inbox) -> list[bytes]:
    found = []
    while inbox.qsize():
        item = inbox.get_nowait()
        assert item is not None
        found += [item[0].datagram(index) for index in range(item[0].count)]
    return found


@pytest.fixture
def said() -> list[object]:
    """What is sent, and to whom."""
    return []


@pytest.fixture
def routes(said: list[object]) -> Routes:
    return Routes(MuxCounters(), Farewells(lambda datagrams, path: said.extend((whole(datagrams), path))))


def inbox_of(routes: Routes, socket_id: int = 77, path: Path | None = PEER, is_opening: bool = False) -> Inbox:
    inbox = Inbox()
    assert routes.register(socket_id, inbox, None if path is None else path.remote, is_opening=is_opening)
    return inbox


def test_a_connection_gets_what_its_peer_sends_it(routes: Routes) -> None:
    inbox, sent = inbox_of(routes), batch(data(1), data(2))
    routes.deliver(sent, PEER)
    assert inbox.get_nowait() == (sent, PEER)


def test_an_id_is_given_once_and_can_be_given_again(routes: Routes) -> None:
    first, second = inbox_of(routes), Inbox()
    assert not routes.register(77, second, PEER.remote)
    routes.unregister(77)
    routes.unregister(77)
    assert len(routes) == 0
    assert routes.register(77, second, PEER.remote)
    routes.deliver(batch(data(1)), PEER)
    assert (first.qsize(), second.qsize()) == (0, 1)


def test_a_peer_that_goes_on_is_told_that_it_is_over(routes: Routes, said: list[object]) -> None:
    inbox_of(routes)
    routes.unregister(77, b"farewell")
    for _ in range(3):
        routes.deliver(batch(data(1), data(2)), PEER)
        routes.deliver(batch(data(1)), STRANGER)
    assert said == [[b"farewell"], PEER]
    assert routes._counters.unknown == 9


def test_who_leaves_without_a_word_leaves_nothing(routes: Routes, said: list[object]) -> None:
    inbox_of(routes)
    inbox_of(routes, 78, path=None)
    routes.unregister(77)
    routes.unregister(78, b"farewell")
    routes.unregister(79, b"farewell")
    for destination in (77, 78, 79):
        routes.deliver(batch(data(1, destination=destination)), PEER)
    assert said == []


def test_another_source_is_dropped_and_counted(routes: Routes) -> None:
    inbox = inbox_of(routes)
    routes.deliver(batch(data(1), data(2)), STRANGER)
    routes.deliver(batch(control(ControlType.SHUTDOWN)), STRANGER)
    assert inbox.empty()
    assert routes._counters.wrong_source == 3


def test_a_connection_may_take_any_source(routes: Routes) -> None:
    inbox = inbox_of(routes, path=None)
    routes.deliver(batch(data(1)), STRANGER)
    assert inbox.qsize() == 1


def test_ipv4_in_ipv6_clothes_is_the_same_peer(routes: Routes) -> None:
    inbox = Inbox()
    assert routes.register(77, inbox, ("::ffff:192.0.2.1", 9000, 0, 0))
    routes.deliver(batch(data(1)), PEER)
    routes.deliver(batch(data(2)), Path(("::ffff:192.0.2.1", 9000, 0, 0)))
    assert inbox.qsize() == 2


@pytest.mark.parametrize("destination", [1, 0x3FFFFFFF, 0x80000000 | 77, 0xFFFFFFFF])
def test_an_unknown_id_is_dropped_and_counted(routes: Routes, destination: int) -> None:
    inbox = inbox_of(routes)
    routes.deliver(batch(data(1, destination=destination)), PEER)
    assert inbox.empty()
    assert routes._counters.unknown == 1


def test_a_full_inbox_drops_and_counts_for_its_connection(routes: Routes) -> None:
    inbox, other = inbox_of(routes), inbox_of(routes, 78)
    for _ in range(INBOX_LIMIT + 2):
        routes.deliver(batch(data(1), data(2)), PEER)
    routes.deliver(batch(data(1, destination=78)), PEER)
    assert inbox.qsize() == INBOX_LIMIT
    assert other.qsize() == 1
    assert (routes.overflowed(77), routes.overflowed(78), routes.overflowed(79)) == (4, 0, 0)
    assert routes._counters.overflowed == 4


def test_handshakes_go_to_the_listener(routes: Routes) -> None:
    listener = Inbox()
    connection = inbox_of(routes)
    assert routes.listen(listener)
    routes.deliver(batch(control(ControlType.HANDSHAKE, destination=0)), PEER)
    assert (listener.qsize(), connection.qsize()) == (1, 0)


def test_one_listener_at_a_time(routes: Routes) -> None:
    first = Inbox()
    second = Inbox()
    assert routes.listen(first)
    assert not routes.listen(second)
    routes.unlisten()
    assert routes.listen(second)


@pytest.mark.parametrize(
    "sent",
    [data(1, destination=0), control(ControlType.SHUTDOWN, destination=0), control(0x7FFF, destination=0)],
)
def test_the_listener_hears_handshakes_only(routes: Routes, sent: Datagram) -> None:
    listener = Inbox()
    routes.listen(listener)
    routes.deliver(batch(sent), PEER)
    assert listener.empty()
    assert routes._counters.unheard == 1


def test_a_flood_of_handshakes_stops_at_the_listeners_limit(routes: Routes) -> None:
    listener = Inbox()
    routes.listen(listener)
    for port in range(LISTENER_LIMIT + 5):
        routes.deliver(batch(control(ControlType.HANDSHAKE, destination=0)), Path(("192.0.2.9", port)))
    assert listener.qsize() == LISTENER_LIMIT
    assert routes._counters.unheard == 5


def test_without_a_listener_whoever_dials_that_address_hears_it(routes: Routes) -> None:
    dialing, other = inbox_of(routes, is_opening=True), inbox_of(routes, 78, STRANGER, is_opening=True)
    routes.deliver(batch(control(ControlType.HANDSHAKE, destination=0)), PEER)
    assert (dialing.qsize(), other.qsize()) == (1, 0)
    routes.deliver(batch(control(ControlType.HANDSHAKE, destination=0)), Path(("192.0.2.3", 1)))
    assert routes._counters.unknown == 1


def test_who_has_shaken_hands_hears_no_handshakes_for_nobody(routes: Routes) -> None:
    accepted, dialed = inbox_of(routes), inbox_of(routes, 78, is_opening=True)
    routes.opened(78)
    routes.deliver(batch(control(ControlType.HANDSHAKE, destination=0)), PEER)
    assert (accepted.qsize(), dialed.qsize()) == (0, 0)
    assert routes._counters.unknown == 1


@given(st.lists(st.sampled_from([0, 77, 78, 77 << 8, 0x01000000 | 77]), min_size=1, max_size=40))
def test_each_gets_its_own_in_order(destinations: list[int]) -> None:
    routes = Routes(MuxCounters(), Farewells(lambda datagrams, path: None))
    inboxes = {socket_id: inbox_of(routes, socket_id) for socket_id in (77, 78, 77 << 8)}
    sent = [data(seq, 30, destination) for seq, destination in enumerate(destinations)]
    mixed = batch(*sent)
    assert mixed.is_to_one == (len(set(destinations)) == 1)
    assert [run.headers[0][3] for run in runs_to_one(mixed)] == without_repeats(destinations)
    routes.deliver(mixed, PEER)
    for socket_id, inbox in inboxes.items():
        own = [datagram for datagram, to in zip(whole(sent), destinations, strict=True) if to == socket_id]
        assert contents(inbox) == own
    counters = routes._counters
    assert counters.unheard == destinations.count(0)
    assert counters.unknown == destinations.count(0x01000000 | 77)


def without_repeats(values: Sequence[int]) -> list[int]:
    return [value for index, value in enumerate(values) if not index or values[index - 1] != value]


def test_a_shorter_last_datagram_is_looked_at_too(routes: Routes) -> None:
    first, second = inbox_of(routes), inbox_of(routes, 78)
    routes.deliver(batch(data(1), data(2), control(ControlType.ACKACK, 0, 78)), PEER)
    assert (len(contents(first)), len(contents(second))) == (2, 1)


@pytest.mark.parametrize("kind", list(ControlType))
def test_nobody_is_woken_for_what_only_tells_something(routes: Routes, kind: ControlType) -> None:
    inbox = inbox_of(routes)
    inbox.is_patient = True
    routes.deliver(batch(control(kind)), PEER)
    can_wait = kind in (ControlType.KEEPALIVE, ControlType.ACKACK)
    assert inbox._is_rung is not can_wait
    assert inbox.qsize() == 1


def test_what_only_tells_something_hides_nothing_else(routes: Routes) -> None:
    inbox = inbox_of(routes)
    inbox.is_patient = True
    routes.deliver(batch(control(ControlType.ACKACK), control(ControlType.NAK)), PEER)
    assert inbox._is_rung


@pytest.mark.parametrize(
    ("is_tended", "packets", "waiting", "is_told"),
    [
        (True, 1, 0, True),
        (True, LITTLE, 0, True),
        (True, LITTLE + 1, 0, False),
        (True, 1, LITTLE, False),
        (False, 1, 0, False),
    ],
)
def test_the_socket_thread_is_told_of_what_is_little_and_others_are_woken_for_more(
    routes: Routes, is_tended: bool, packets: int, waiting: int, is_told: bool
) -> None:
    inbox, told = inbox_of(routes), list[Inbox]()
    for _ in range(waiting):
        inbox.add((batch(data(0)), PEER))
    if is_tended:
        inbox.tend = lambda now: None
    routes.deliver(batch(*[data(seq) for seq in range(packets)]), PEER, told.append)
    assert (told == [inbox]) is is_told
    assert has_rung(inbox) is not is_told


def test_the_socket_thread_is_told_of_everything_for_who_is_always_tended(routes: Routes) -> None:
    inbox, told = inbox_of(routes), list[Inbox]()
    inbox.tend, inbox.is_tended_always = lambda now: None, True
    routes.deliver(batch(*[data(seq) for seq in range(LITTLE + 1)]), PEER, told.append)
    assert told == [inbox]
    assert not has_rung(inbox)
    inbox.tend = None  # as when it ends
    routes.deliver(batch(*[data(seq) for seq in range(LITTLE + 1)]), PEER, told.append)
    assert told == [inbox]
    assert has_rung(inbox)


def test_nobody_is_told_of_what_can_wait_or_is_attended(routes: Routes) -> None:
    patient, attended = inbox_of(routes, 77), inbox_of(routes, 78)
    patient.is_patient = attended.is_attended = True
    told: list[Inbox] = []
    for inbox in (patient, attended):
        inbox.tend = lambda now: None
    routes.deliver(batch(control(ControlType.KEEPALIVE)), PEER, told.append)
    routes.deliver(batch(data(1, destination=78)), PEER, told.append)
    assert told == []
    assert (patient.qsize(), attended.qsize()) == (1, 1)
    assert not has_rung(patient)
    assert not has_rung(attended)


def test_counting_whom_anything_has_come_for(routes: Routes) -> None:
    assert routes.count() == (0, 0)
    for number, patience in ((77, 9_000), (78, 7_000), (79, 8_000)):
        inbox_of(routes, number).patience = patience
    for destination in (77, 79, 79, 555):
        routes.deliver(batch(data(1, destination=destination)), PEER)
    routes.deliver(batch(data(1, destination=78)), STRANGER)
    assert routes.company == NEVER
    assert routes.count() == (2, 7_000)
    assert routes.count() == (0, 7_000)
    assert routes.company == 7_000


def test_one_alone_need_not_mind_others(routes: Routes) -> None:
    inbox_of(routes).patience = 1_000
    inbox_of(routes, 78).patience = 2_000
    routes.count()
    assert routes.company == 1_000
    routes.unregister(77)
    routes.count()
    assert routes.company == NEVER


def test_while_somebody_shakes_hands_nobody_has_patience(routes: Routes) -> None:
    inbox_of(routes)
    assert routes.count() == (0, PATIENCE)
    routes.deliver(batch(control(ControlType.HANDSHAKE, destination=0)), PEER)
    assert routes.are_visited
    assert routes.count() == (0, 0)
    assert not routes.are_visited
    assert routes.count() == (0, PATIENCE)
    inbox_of(routes, 78, is_opening=True)
    assert routes.count() == (0, 0)
    routes.opened(78)
    assert routes.count() == (0, PATIENCE)
