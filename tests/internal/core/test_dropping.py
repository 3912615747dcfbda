from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from srtpy.internal.buffer.send import SendBuffer
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND
from srtpy.internal.congestion.shaper import Shaper
from srtpy.internal.core.counters import Counters
from srtpy.internal.core.dropping import LOOK, STALE_ANSWERS, Dropping
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.core.retransmission import Retransmission
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.packet.control import DropRequest
from srtpy.internal.packet.header import HEADER, HEADER_SIZE, ControlType, control_kind
from srtpy.internal.seq.number import SEQ_MASK
from tests.sim.pair import ORDINARY, agreed


class Scene:
    """A buffer, what is to be sent again, and the part that gives up."""

    def __init__(self, isn: int = 1000, **changes: object) -> None:
        terms = replace(agreed(ORDINARY, 0)[0], start=0, **changes)  # type: ignore[arg-type]
        self.isn = isn
        self.buffer = SendBuffer(isn, 8192)
        self.again = Retransmission(Shaper(0, 0), RoundTrip(), False, 1316, 0)
        self.outbox, self.counters = Outbox(7, 0), Counters()
        self.part = Dropping(terms, self.buffer, self.again, self.outbox, self.counters)

    def write(self, count: int, now: int = 0, expires: int = NEVER, size: int = 10) -> None:
        for _ in range(count):
            self.buffer.append(bytes(size), 1000, True, now, now, expires)

    def seq(self, place: int) -> int:
        return (self.isn + place) & SEQ_MASK

    def requests(self) -> list[tuple[int, int, int]]:
        """What the peer is told: message number, first and last place."""
        said = []
        for datagram, _ in self.outbox.take():
            word, number, _, _ = HEADER.unpack_from(datagram)
            assert control_kind(word) == ControlType.DROPREQ
            request = DropRequest.decode(datagram[HEADER_SIZE:])
            said.append((number, (request.first - self.isn) & SEQ_MASK, (request.last - self.isn) & SEQ_MASK))
        return said


@pytest.fixture(params=[1000, 0x7FFFFFF0])
def isn(request: pytest.FixtureRequest) -> int:
    value: int = request.param
    return value


@pytest.mark.parametrize(
    ("latency_ms", "delay_ms", "age_ms"), [(120, 0, 1020), (1000, 0, 1020), (2000, 500, 2520), (2000, 0, 2020)]
)
def test_the_age_at_which_libsrt_drops(latency_ms: int, delay_ms: int, age_ms: int) -> None:
    scene = Scene(peer_latency=latency_ms * MILLISECOND)
    scene.part.set_delay(delay_ms * MILLISECOND)
    scene.write(1, now=5)
    assert scene.part.deadline == 5 + age_ms * MILLISECOND + 1
    assert scene.part.too_late(5 + age_ms * MILLISECOND) == 0
    assert scene.part.too_late(scene.part.deadline) == 1


def test_looking_now_and_then_is_enough() -> None:
    scene = Scene()
    scene.part.set_delay(0)
    assert scene.part.look_at == 0
    for now in range(0, 3 * SECOND, MILLISECOND):
        if now >= scene.part.look_at:
            scene.part.too_late(now)
        assert scene.part.deadline > now - LOOK
        assert now < scene.part.look_at <= max(now, scene.part.look_at - 1) + LOOK
        scene.write(1, now)
    scene.part.set_delay(0)
    assert scene.part.look_at == 0


@pytest.mark.parametrize(("delay", "changes"), [(-1, {}), (0, {"peer_tlpktdrop": False}), (0, {"message_api": False})])
def test_where_nothing_is_ever_too_late(delay: int, changes: dict[str, Any]) -> None:
    scene = Scene(**changes)
    scene.part.set_delay(delay)
    scene.write(1)
    assert scene.part.deadline >= NEVER
    assert scene.part.too_late(3600 * SECOND) == 0


def test_until_a_delay_is_set_nothing_is_too_late() -> None:
    scene = Scene()
    scene.write(1)
    assert scene.part.deadline >= NEVER


def test_what_is_too_late_goes_sent_or_not_and_the_peer_is_not_told(isn: int) -> None:
    scene = Scene(isn)
    scene.part.set_delay(0)
    scene.write(10, now=0)
    scene.write(10, now=500 * MILLISECOND)
    scene.buffer.send(5)
    scene.again.everything(isn, 0, 4)
    assert scene.part.too_late(1021 * MILLISECOND) == 10
    assert (scene.buffer.base, len(scene.buffer), scene.buffer.sent) == (scene.seq(10), 10, 0)
    assert not scene.again.waiting
    assert (scene.counters.sent_dropped, scene.counters.sent_dropped_bytes) == (10, 100)
    assert scene.requests() == []


def test_an_expired_message_is_given_up_as_a_whole_and_announced_once(isn: int) -> None:
    scene = Scene(isn)
    scene.write(2)
    scene.write(1, expires=100, size=3500)
    scene.write(2)
    scene.buffer.send(8)
    scene.again.everything(isn, 0, 7)
    scene.part.expired([scene.seq(3), scene.seq(4)], 100)
    assert scene.requests() == [(3, 2, 5)]
    assert scene.again.take(4, 100) == [scene.seq(place) for place in (0, 1, 6, 7)]
    assert (scene.counters.sent_dropped, scene.counters.sent_dropped_bytes) == (4, 3500)
    assert scene.counters.sent_drop_requests == 1


def test_expired_neighbours_are_announced_together_to_a_peer_that_plays_by_time(isn: int) -> None:
    scene = Scene(isn)
    scene.write(6, expires=100)
    scene.buffer.send(6)
    scene.part.expired([scene.seq(place) for place in (0, 1, 2, 4)], 100)
    assert scene.requests() == [(0, 0, 2), (5, 4, 4)]
    assert (scene.counters.sent_dropped, scene.counters.sent_drop_requests) == (4, 2)


def test_each_expired_message_is_announced_by_its_number_to_a_peer_that_plays_by_order() -> None:
    scene = Scene(tsbpd_send=False)
    scene.write(3, expires=100)
    scene.buffer.send(3)
    scene.part.expired([scene.seq(place) for place in range(3)], 100)
    assert scene.requests() == [(1, 0, 0), (2, 1, 1), (3, 2, 2)]


def test_a_report_about_what_was_given_up_is_answered_again_and_counted_no_more() -> None:
    scene = Scene()
    scene.write(1, expires=100)
    scene.buffer.send(1)
    for _ in range(2):
        scene.part.expired([scene.seq(0)], 100)
    assert scene.requests() == [(1, 0, 0), (1, 0, 0)]
    assert scene.counters.sent_dropped == 1


def test_what_was_sent_is_let_go_of_when_all_of_it_is_given_up(isn: int) -> None:
    scene = Scene(isn)
    scene.write(5, expires=100)
    scene.buffer.send(4)
    assert scene.part.release() == 0
    scene.part.expired([scene.seq(place) for place in (0, 1, 3)], 100)
    assert scene.part.release() == 0
    scene.again.everything(isn, 2, 2)
    scene.again.take(1, 50)
    scene.part.expired([scene.seq(2)], 100)
    assert scene.part.release() == 4
    assert (scene.buffer.base, len(scene.buffer), scene.buffer.sent) == (scene.seq(4), 1, 0)
    assert scene.part.release() == 0


def test_a_peer_that_does_not_play_by_time_acknowledges_what_was_given_up(isn: int) -> None:
    scene = Scene(isn, tsbpd_send=False)
    scene.write(4, expires=100)
    scene.buffer.send(4)
    scene.part.expired([scene.seq(place) for place in range(4)], 100)
    assert scene.part.release() == 0
    assert len(scene.buffer) == 4


def gone(isn: int, **changes: object) -> Scene:
    scene = Scene(isn, **changes)
    scene.write(1000)
    scene.buffer.send(1000)
    scene.buffer.remove(1000)
    return scene


def test_one_range_answers_a_peer_that_plays_by_time(isn: int) -> None:
    scene = gone(isn)
    scene.part.disown([(place, place) for place in range(-4, -900, -7)], 0)
    (request,) = scene.requests()
    assert request == (0, 1000 - 893, 999)


def test_a_peer_that_plays_by_order_hears_of_what_it_named_and_nothing_else(isn: int) -> None:
    scene = gone(isn, tsbpd_send=False)
    scene.part.disown([(-10, -8), (-7, -5), (-100, -90)], 0)
    assert scene.requests() == [(0, 900, 910), (0, 990, 995)]


def test_and_of_not_more_than_a_few(isn: int) -> None:
    scene = gone(isn, tsbpd_send=False)
    scene.part.disown([(place, place) for place in range(-900, -4, 2)], 0)
    assert len(scene.requests()) == STALE_ANSWERS
    assert scene.counters.sent_drop_requests == STALE_ANSWERS


@pytest.mark.parametrize("changes", [{}, {"tsbpd_send": False}])
def test_numbers_from_the_other_side_of_the_circle_are_no_trouble(isn: int, changes: dict[str, object]) -> None:
    scene = gone(isn, **changes)
    scene.part.disown([(-(1 << 30), -(1 << 30)), (-(1 << 30) + 1, -5), (-3, -1)], 0)
    assert 0 < len(scene.requests()) <= 3
