from __future__ import annotations

import pytest

from srtpy.internal.core.counters import Counters
from srtpy.internal.core.echo import ECHO_PERIOD, Echo
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.packet.header import HEADER, ControlType, control_kind

PEER = 0x1234
LAST = 0x7FFFFFFF


def an_echo() -> tuple[Echo, Outbox, Counters]:
    outbox, counters = Outbox(PEER, 0), Counters()
    return Echo(outbox, counters, 0), outbox, counters


def said(outbox: Outbox) -> list[int]:
    """The acknowledgement numbers echoed."""
    headers = [HEADER.unpack_from(head) for head, _ in outbox.take()]
    assert all(control_kind(word) == ControlType.ACKACK for word, *_ in headers)
    return [number for _, number, *_ in headers]


def test_the_first_acknowledgement_is_echoed_with_its_number_and_a_padded_body() -> None:
    echo, outbox, counters = an_echo()
    echo.heard(1, 0)
    (datagram, payload), *more = outbox.take()
    assert (len(datagram), payload, more) == (20, b"", [])
    assert HEADER.unpack_from(datagram)[1:] == (1, 0, PEER)
    assert counters.sent_ackacks == 1


def test_one_in_ten_milliseconds_is_echoed() -> None:
    echo, outbox, counters = an_echo()
    echoed = []
    for number, now in enumerate(range(0, 5 * ECHO_PERIOD, ECHO_PERIOD // 4), start=1):
        echo.heard(number, now)
        echoed += said(outbox)
    assert echoed == [1, 6, 11, 16]
    assert counters.sent_ackacks == 4


def test_of_those_that_are_taken_in_together_the_newest_is_echoed() -> None:
    echo, outbox, counters = an_echo()
    for number in (1, 2, 3):
        echo.heard(number, 5)
    assert said(outbox) == [3]
    assert counters.sent_ackacks == 1
    echo.heard(4, 5 + ECHO_PERIOD)
    assert said(outbox) == []
    echo.heard(5, 5 + ECHO_PERIOD + 1)
    echo.heard(0, 5 + ECHO_PERIOD + 1)
    assert said(outbox) == [5]


@pytest.mark.parametrize("newest", [7, 0, LAST])
def test_one_that_was_overtaken_on_its_way_is_not_the_newest(newest: int) -> None:
    echo, outbox, _ = an_echo()
    echo.heard(newest, 5)
    echo.heard((newest - 1) & LAST, 5)
    assert said(outbox) == [newest]


def test_a_repeated_number_is_echoed_at_once_because_the_echo_was_lost() -> None:
    echo, outbox, _ = an_echo()
    for _ in range(3):
        echo.heard(7, 100)
    assert said(outbox) == [7, 7, 7]


def test_number_zero_of_a_peer_that_does_not_number_small_acknowledgements() -> None:
    echo, outbox, _ = an_echo()
    echo.heard(0, 0)
    assert said(outbox) == [0]
