"""Messages that wait for more."""

from __future__ import annotations

from srtpy.internal.clock.units import NEVER
from srtpy.internal.session.gathering import Gathering
from tests.internal.session.fakes import FakeCore


def test_it_is_empty_and_takes_nothing_until_it_begins() -> None:
    core = FakeCore()
    gathering = Gathering(core)
    assert (gathering.places, gathering.until) == (0, NEVER)
    gathering.hand_over(5)
    assert core.written == []


def test_what_is_handed_over_keeps_its_order_and_its_time() -> None:
    core = FakeCore()
    gathering = Gathering(core)
    gathering.begin(b"a", 10, 100, 3)
    gathering.waiting.append((b"b", 20))
    assert (gathering.places, gathering.until) == (3, 100)
    gathering.hand_over(50)
    assert (core.written, core.written_at) == ([b"a", b"b"], [10, 20])
    assert (gathering.places, gathering.until, gathering.waiting) == (0, NEVER, [])
    assert [payload for _, payload in core.outgoing] == [b"a", b"b"], "it leaves when the core says so"


def test_what_is_sent_leaves_with_what_the_core_has() -> None:
    core = FakeCore()
    gathering = Gathering(core)
    core.outgoing.append((b"h", b"ack"))
    gathering.begin(b"a", 10, 100, 3)
    assert [payload for _, payload in gathering.send(50)] == [b"ack", b"a"]
    assert (gathering.places, gathering.until, gathering.waiting) == (0, NEVER, [])
