"""Routing: which part hears what, and what a caller of the five verbs sees of it."""

from __future__ import annotations

from random import Random

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.core.agreeing import Initiating
from srtpy.internal.core.connection import Connection
from srtpy.internal.core.events import Broken, Finished, Noteworthy, PeerClosed, PeerFailed
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.control import PADDING, Ack, DropRequest
from srtpy.internal.packet.handshake import ExtensionKind
from srtpy.internal.packet.header import (
    HEADER,
    HEADER_SIZE,
    POSITION_SINGLE,
    ControlType,
    control_kind,
    pack_control_header,
)
from srtpy.internal.packet.losses import encode_losses
from tests.sim.pair import CALLER, NEAR_THE_WRAP, Birth, agreed

DELAY = MILLISECOND
LATENCY = 120 * MILLISECOND


class Ends:
    """A connection, what it says, and hand-made packets from its peer."""

    def __init__(self, isn: int = NEAR_THE_WRAP, config: Config | None = None) -> None:
        birth = Birth(isn=isn, config=config)
        terms, _ = agreed(birth, DELAY)
        self.now: Micros = birth.clock.local(0)
        self.isn = terms.recv_isn
        self.peer_start = terms.peer_start
        self.connection = Connection(terms, config or Config(), self.now)

    def control(self, kind: int, information: int = 0, body: bytes = PADDING, stamp: int | None = None) -> None:
        """Let a control packet arrive."""
        stamp = self.stamp() if stamp is None else stamp
        header = pack_control_header(kind, information, stamp, CALLER)
        self.connection.receive_datagrams(Batch(header + body), self.now)

    def stamp(self) -> int:
        return (self.now - self.peer_start) & 0xFFFFFFFF

    def data(self, *places: int) -> None:
        """Let data packets arrive, as one read if they are many."""
        packets = [
            HEADER.pack((self.isn + place) & 0x7FFFFFFF, POSITION_SINGLE | place + 1, self.stamp(), CALLER) + b"payload"
            for place in places
        ]
        self.connection.receive_datagrams(Batch(b"".join(packets), HEADER_SIZE + 7), self.now)

    def said(self) -> list[tuple[int, int]]:
        """Take what leaves now: control type (-1 for data) and information word."""
        heads = [HEADER.unpack_from(head) for head, _ in self.connection.datagrams_to_send(self.now)]
        return [(control_kind(word) if word >> 31 else -1, information) for word, information, *_ in heads]

    def kinds(self) -> list[int]:
        return [kind for kind, _ in self.said()]


@pytest.fixture(params=[NEAR_THE_WRAP, 0, 1000], ids=["wrap", "zero", "thousand"])
def ends(request: pytest.FixtureRequest) -> Ends:
    return Ends(request.param)


def test_a_new_connection_has_nothing_to_say_and_sleeps_until_its_first_keepalive(ends: Ends) -> None:
    connection = ends.connection
    assert ends.said() == []
    assert connection.events() == []
    assert connection.delivery_due() == NEVER
    assert ends.now < connection.next_deadline() <= ends.now + SECOND
    assert not connection.is_closed


def test_questions_change_nothing(ends: Ends) -> None:
    ends.data(0, 2)
    ends.connection.write(b"x", ends.now)
    first = [
        (ends.connection.next_deadline(), ends.connection.delivery_due(), ends.connection.room()) for _ in range(3)
    ]
    assert len(set(first)) == 1


def test_data_becomes_readable_a_latency_later(ends: Ends) -> None:
    connection = ends.connection
    ends.data(0, 1, 2)
    due = connection.delivery_due()
    assert due == ends.now + LATENCY
    connection.release(due - 1)
    assert not connection.messages
    connection.release(due)
    assert [message[0] for message in connection.messages] == [b"payload"] * 3
    assert connection.play_time(connection.messages[0][3], due) == due


def test_a_gap_is_reported_at_once_and_given_up_when_its_time_has_come(ends: Ends) -> None:
    connection = ends.connection
    ends.data(0, 3)
    assert ControlType.NAK in ends.kinds()
    connection.release(connection.delivery_due())
    assert len(connection.messages) == 2
    assert connection.counters.recv_dropped == 2
    assert connection.losses.deadline == NEVER


def test_arrivals_are_acknowledged_and_the_echo_measures_the_round_trip(ends: Ends) -> None:
    connection = ends.connection
    ends.data(*range(5))
    ends.now = connection.next_deadline()
    connection.handle_timer(ends.now)
    ((kind, number),) = ends.said()
    assert kind == ControlType.ACK
    ends.now += 7 * MILLISECOND
    ends.control(ControlType.ACKACK, number)
    assert connection.gauges(ends.now).rtt == 7 * MILLISECOND


def test_an_acknowledgement_empties_the_buffer_and_is_echoed(ends: Ends) -> None:
    connection = ends.connection
    assert connection.write_many([b"a", b"b", b"c"], ends.now) == 3
    assert ends.kinds() == [-1, -1, -1]
    assert connection.sender.unacknowledged == 3
    body = Ack((ends.isn + 3) & 0x7FFFFFFF, 20_000, 5_000, 8000, 100, 1000, 1_000_000).encode()
    ends.control(ControlType.ACK, 9, body)
    assert connection.sender.unacknowledged == 0
    assert ends.said() == [(ControlType.ACKACK, 9)]
    assert connection.gauges(ends.now).rtt == 20_000


def test_a_light_acknowledgement_is_not_echoed(ends: Ends) -> None:
    ends.connection.write_many([b"a", b"b", b"c"], ends.now)
    ends.said()
    ends.control(ControlType.ACK, 0, Ack((ends.isn + 2) & 0x7FFFFFFF).encode())
    assert ends.connection.sender.unacknowledged == 1
    assert ControlType.ACKACK not in ends.kinds()


def test_hostile_row_12_an_acknowledgement_of_what_was_never_sent_is_ignored(ends: Ends) -> None:
    ends.connection.write(b"a", ends.now)
    ends.said()
    for place in (2, 3, 1000, 1 << 29, 1 << 30):
        body = Ack((ends.isn + place) & 0x7FFFFFFF, 1000, 500, 8000, 100, 1000, 1_000_000).encode()
        ends.control(ControlType.ACK, 1, body)
    assert ends.connection.counters.ignored_control >= 4
    assert ends.connection.sender.unacknowledged == 1
    assert ends.connection.events() == []


def test_a_loss_report_is_answered_with_the_packet_again(ends: Ends) -> None:
    connection = ends.connection
    connection.write_many([b"a", b"b", b"c"], ends.now)
    ends.said()
    ends.now += 200 * MILLISECOND
    (body,) = encode_losses([((ends.isn + 1) & 0x7FFFFFFF,) * 2], 300)
    ends.control(ControlType.NAK, 0, body)
    assert ends.kinds() == [-1]
    assert connection.counters.retransmits == 1
    assert connection.counters.recv_naks == 1


def test_hostile_row_14_a_loss_report_of_what_was_never_sent_is_ignored(ends: Ends) -> None:
    ends.connection.write(b"a", ends.now)
    ends.said()
    (body,) = encode_losses([((ends.isn + 5) & 0x7FFFFFFF, (ends.isn + 9) & 0x7FFFFFFF)], 300)
    ends.control(ControlType.NAK, 0, body)
    assert ends.connection.counters.ignored_control == 1
    assert ends.said() == []


def test_control_packets_leave_before_data(ends: Ends) -> None:
    ends.data(0, 5)
    ends.connection.write(b"a", ends.now)
    assert ends.kinds() == [ControlType.NAK, -1]


def test_hostile_row_13_an_echo_of_nothing_is_ignored(ends: Ends) -> None:
    for number in (0, 1, 0x7FFFFFFF, 0xFFFFFFFF):
        ends.control(ControlType.ACKACK, number)
    assert ends.connection.gauges(ends.now).rtt == 100 * MILLISECOND
    assert ends.connection.counters.ignored_control == 4


def test_hostile_row_15_a_drop_request_never_takes_what_is_here(ends: Ends) -> None:
    connection = ends.connection
    ends.data(0, 1, 4)
    for first, last in ((0, 4), (3, 1), (0, 1 << 30), (1 << 30, 0), (2, 3)):
        body = HEADER.pack(0, 0, (ends.isn + first) & 0x7FFFFFFF, (ends.isn + last) & 0x7FFFFFFF)[8:]
        ends.control(ControlType.DROPREQ, 0, body)
    connection.release(connection.delivery_due())
    assert len(connection.messages) == 3


def test_a_drop_request_ends_the_asking(ends: Ends) -> None:
    connection = ends.connection
    ends.data(0, 3)
    ends.said()
    gone = DropRequest((ends.isn + 1) & 0x7FFFFFFF, (ends.isn + 2) & 0x7FFFFFFF)
    ends.control(ControlType.DROPREQ, 0, gone.encode())
    assert connection.losses.deadline == NEVER


def test_the_peers_shutdown_is_news_once_and_what_came_is_still_delivered(ends: Ends) -> None:
    connection = ends.connection
    ends.data(0, 1)
    ends.control(ControlType.SHUTDOWN)
    ends.control(ControlType.SHUTDOWN)
    assert connection.events() == [PeerClosed()]
    assert connection.events() == []
    assert connection.is_closed
    connection.release(connection.delivery_due())
    assert len(connection.messages) == 2


def test_hostile_row_17_a_peer_error_is_news_and_kills_nothing(ends: Ends) -> None:
    ends.control(ControlType.PEERERROR, 4000)
    assert ends.connection.events() == [PeerFailed(4000)]
    ends.data(0)
    ends.connection.release(ends.connection.delivery_due())
    assert ends.connection.messages
    assert not ends.connection.is_closed


def test_hostile_row_18_unknown_and_user_defined_control_packets_are_counted(ends: Ends) -> None:
    kinds = [0x0009, 0x0100, 0x7FFE, ControlType.USER_DEFINED, ControlType.HANDSHAKE]
    for kind in kinds:
        ends.control(kind, 0xFFFFFFFF, bytes(range(40)))
    assert ends.connection.counters.ignored_control == len(kinds)
    assert ends.connection.events() == []
    assert ends.said() == []


@pytest.mark.parametrize("kind", [ControlType.ACK, ControlType.NAK, ControlType.DROPREQ])
@pytest.mark.parametrize("body", [b"", b"\x00", bytes(3), bytes(5), b"\xff" * 4, b"\xff" * 7])
def test_hostile_row_19_malformed_bodies_are_counted(kind: int, body: bytes) -> None:
    ends = Ends()
    ends.connection.write(b"a", ends.now)
    ends.control(kind, 1, body)
    counters = ends.connection.counters
    assert counters.malformed + counters.ignored_control == 1
    assert ends.connection.events() == []


def test_a_congestion_warning_slows_the_sender(ends: Ends) -> None:
    before = ends.connection.gauges(ends.now).send_period
    ends.control(ControlType.CONGESTION_WARNING)
    assert ends.connection.gauges(ends.now).send_period > before


def test_one_read_may_mix_data_and_control(ends: Ends) -> None:
    data = HEADER.pack(ends.isn, POSITION_SINGLE | 1, ends.stamp(), CALLER) + bytes(100)
    shutdown = pack_control_header(ControlType.SHUTDOWN, 0, ends.stamp(), CALLER) + PADDING
    ends.connection.receive_datagrams(Batch(data + shutdown, len(data)), ends.now)
    assert ends.connection.counters.recv_packets == 1
    assert ends.connection.events() == [PeerClosed()]


def test_a_far_jump_on_an_empty_buffer_breaks_the_connection(ends: Ends) -> None:
    ends.data(1 << 20)
    (news,) = ends.connection.events()
    assert isinstance(news, Broken)


def test_a_full_buffer_is_news_once(ends: Ends) -> None:
    for number in (0, 8190, 8191, 8192):
        ends.data(number)
    (news,) = ends.connection.events()
    assert isinstance(news, Noteworthy)
    assert "is full" in news.text


def test_closing_says_shutdown_and_sends_no_data_any_more(ends: Ends) -> None:
    connection = ends.connection
    connection.write(b"a", ends.now)
    connection.close(0, ends.now)
    assert connection.events() == [Finished()]
    assert set(ends.kinds()) == {ControlType.SHUTDOWN}
    assert connection.next_deadline() == NEVER


def test_closing_waits_for_the_acknowledgement_of_the_last_packet(ends: Ends) -> None:
    connection = ends.connection
    connection.write(b"a", ends.now)
    ends.said()
    connection.close(None, ends.now)
    assert connection.events() == []
    ends.now += LATENCY + 120 * MILLISECOND
    ends.control(ControlType.ACK, 1, Ack((ends.isn + 1) & 0x7FFFFFFF, 20_000, 5_000, 8000, 100, 1000, 100_000).encode())
    assert connection.events() == [Finished()]


def test_a_keepalive_and_a_peer_error_leave_when_asked_for(ends: Ends) -> None:
    ends.connection.send_keepalive(ends.now)
    ends.connection.send_peer_error(4000, ends.now)
    assert ends.said() == [(ControlType.KEEPALIVE, 0), *[(ControlType.PEERERROR, 4000)] * 3]


def test_gauges_tell_what_is_in_the_buffers(ends: Ends) -> None:
    connection = ends.connection
    connection.write_many([bytes(1000)] * 4, ends.now)
    ends.data(0, 1, 2)
    gauges = connection.gauges(ends.now + 5 * MILLISECOND)
    assert (gauges.send_buffer_packets, gauges.send_buffer_bytes) == (4, 4000)
    assert gauges.send_buffer_age == 5 * MILLISECOND
    assert gauges.send_buffer_room == 8192 - 4
    assert (gauges.receive_buffer_packets, gauges.receive_buffer_bytes) == (3, 21)
    assert gauges.receive_buffer_room == 8191 - 3  # what waits for its time takes room, too
    assert gauges.receive_buffer_room == 8191 - 3  # what waits for its time takes room, too
    assert gauges.flow_window == 8191
    assert gauges.recv_latency == LATENCY
    connection.release(connection.delivery_due())
    gauges = connection.gauges(ends.now)
    assert gauges.unread_packets == 3
    assert gauges.receive_buffer_room == 8191 - 3
    connection.note_read(ends.now)
    ends.data(5, 7)
    gauges = connection.gauges(ends.now)
    assert (gauges.receive_buffer_packets, gauges.receive_buffer_bytes) == (5, 35)
    assert gauges.receive_buffer_room == 8191 - 3  # as the peer is told
    ends.data(5, 7)
    gauges = connection.gauges(ends.now)
    assert (gauges.receive_buffer_packets, gauges.receive_buffer_bytes) == (5, 35)
    assert gauges.receive_buffer_room == 8191 - 3  # as the peer is told


# ---- encryption


def sealed_ends(refresh: int = 1000) -> Ends:
    """Return a connection with keys, which its peer shares."""
    ends = Ends(0)
    keys = Initiating(Config(passphrase="0123456789ab"), Random(1).randbytes)
    terms, _ = agreed(Birth(isn=0), DELAY)
    assert keys.conclude(terms, keys.offer(0)) is None
    config = Config(km_refresh_rate=refresh)
    ends.connection = Connection(terms, config, ends.now, keying=keys.keying, entropy=Random(2).randbytes)
    return ends


def extension(ends: Ends, kind: int, body: bytes) -> None:
    header = pack_control_header(ControlType.USER_DEFINED, 0, ends.stamp(), CALLER, kind)
    ends.connection.receive_datagrams(Batch(header + body), ends.now)


def test_what_was_sealed_is_opened_before_it_is_stored() -> None:
    sender, receiver = sealed_ends(), sealed_ends()
    sender.connection.write(b"message", sender.now)
    ((header, body),) = sender.connection.datagrams_to_send(sender.now)
    assert body != b"message"
    receiver.connection.receive_datagrams(Batch(header + body), receiver.now)
    receiver.connection.release(receiver.now + SECOND)
    assert [row[0] for row in receiver.connection.messages] == [b"message"]


def test_what_cannot_be_opened_counts_as_never_arrived() -> None:
    ends = sealed_ends()
    ends.data(0)
    ends.connection.release(ends.now + SECOND)
    assert not ends.connection.messages
    assert ends.connection.keys.counts()["recv_undecrypt"] == 1


def test_a_new_key_is_announced_along_with_the_data_that_makes_it_due() -> None:
    ends = sealed_ends(refresh=4)
    for _ in range(4):
        ends.connection.write(b"x", ends.now)
    ends.now += SECOND
    assert ControlType.USER_DEFINED in ends.kinds()
    assert ends.connection.next_deadline() < ends.now + SECOND, "it is said again"
    ends.now = ends.connection.keys.deadline
    ends.connection.handle_timer(ends.now)
    assert ControlType.USER_DEFINED in ends.kinds()


def test_extensions_find_their_way() -> None:
    ends = sealed_ends()
    for kind in (ExtensionKind.KMREQ, ExtensionKind.KMRSP):
        extension(ends, kind, b"not key material")
    assert ends.connection.keys.recv_km == ends.connection.counters.malformed == 2
    extension(ends, 99, b"")
    assert ends.connection.counters.ignored_control == 1


def test_a_gauge_of_keys() -> None:
    gauges = sealed_ends().connection.gauges(0)
    assert (gauges.send_km_state, gauges.recv_km_state, gauges.key_length, gauges.cipher) == (2, 2, 16, 2)
    gauges = Ends().connection.gauges(0)
    assert (gauges.send_km_state, gauges.recv_km_state, gauges.key_length, gauges.cipher) == (0, 0, 0, 0)


def late(ends: Ends, kind: ControlType, number: int, arrived: int) -> None:
    """Have a control packet taken in that arrived a while ago."""
    packet = Batch(pack_control_header(kind, number, ends.stamp(), CALLER) + PADDING)
    packet.arrived = arrived
    ends.connection.receive_datagrams(packet, ends.now)


def test_what_is_taken_in_late_counts_as_heard_when_it_arrived(ends: Ends) -> None:
    began, limit = ends.now, 5 * SECOND
    ends.now += limit + 3
    late(ends, ControlType.KEEPALIVE, 0, began + 2)
    ends.connection.handle_timer(ends.now)
    (news,) = ends.connection.events()
    assert isinstance(news, Broken)


def test_what_arrived_in_time_keeps_a_connection_though_it_is_taken_in_late(ends: Ends) -> None:
    began, limit = ends.now, 5 * SECOND
    ends.now += limit + 3
    late(ends, ControlType.KEEPALIVE, 0, began + 4)
    ends.connection.handle_timer(ends.now)
    assert ends.connection.events() == []


def test_a_round_trip_ends_when_the_echo_arrived(ends: Ends) -> None:
    ends.data(0)
    ends.now += 10 * MILLISECOND
    ends.connection.handle_timer(ends.now)
    said_at = ends.now
    ends.said()
    ends.now += 900 * MILLISECOND
    late(ends, ControlType.ACKACK, 1, said_at + 700)
    assert ends.connection.gauges(ends.now).rtt == 700


@pytest.mark.parametrize("what", ["gap", "loss report", "nothing"])
def test_while_something_is_lost_nothing_waits_for_more(what: str) -> None:
    ends = Ends()
    ends.connection.write(b"payload", ends.now)
    assert len(ends.connection.datagrams_to_send(ends.now)) == 1
    seq = ends.connection.negotiated.send_isn
    ends.control(ControlType.ACK, 1, Ack((seq + 1) & 0x7FFFFFFF, 1_000, 100, 8_000, 1, 1, 1).encode())  # a short path
    leisure = ends.connection.leisure
    assert leisure.to_send(ends.now) > 0
    assert leisure.to_hear(ends.now) > 0
    if what == "gap":
        ends.data(0, 2)
    elif what == "loss report":
        ends.control(ControlType.NAK, body=encode_losses([(5, 5)], 300)[0])
    else:
        ends.data(0, 1)
    assert (leisure.to_send(ends.now) > 0) is (leisure.to_hear(ends.now) > 0) is (what == "nothing")
