"""Control packets made and not yet sent."""

from __future__ import annotations

from srtpy.internal.core.outbox import Outbox
from srtpy.internal.packet.control import PADDING
from srtpy.internal.packet.header import ControlType

PEER = 0x11223344
START = 5_000


def test_a_keepalive_as_it_was_seen_on_the_wire() -> None:
    outbox = Outbox(PEER, START)
    outbox.control(ControlType.KEEPALIVE, 0, PADDING, START + 0x0018BF04)
    assert outbox.take() == [(bytes.fromhex("80010000 00000000 0018bf04 11223344 00000000"), b"")]


def test_the_subtype_and_the_information_word() -> None:
    outbox = Outbox(1, START)
    outbox.control(ControlType.USER_DEFINED, 0, bytes.fromhex("04000000"), START, subtype=4)
    outbox.control(ControlType.PEERERROR, 4000, PADDING, START)
    assert outbox.take() == [
        (bytes.fromhex("ffff0004 00000000 00000000 00000001 04000000"), b""),
        (bytes.fromhex("80080000 00000fa0 00000000 00000001 00000000"), b""),
    ]


def test_the_timestamp_goes_round() -> None:
    outbox = Outbox(PEER, START)
    outbox.control(ControlType.KEEPALIVE, 0, PADDING, START + (1 << 32) + 5)
    ((packet, _),) = outbox.take()
    assert packet[8:12] == bytes.fromhex("00000005")


def test_taking_empties_and_keeps_the_order() -> None:
    outbox = Outbox(PEER, START)
    assert not outbox
    assert outbox.take() == []
    for number in range(5):
        outbox.control(ControlType.ACKACK, number, PADDING, START)
    assert outbox
    taken = outbox.take()
    assert [packet[7] for packet, _ in taken] == [0, 1, 2, 3, 4]
    assert not outbox
    outbox.control(ControlType.ACKACK, 9, PADDING, START)
    assert len(taken) == 5
    assert len(outbox.take()) == 1


def test_it_knows_when_something_was_last_said() -> None:
    outbox = Outbox(PEER, START)
    assert outbox.last_said == START
    outbox.control(ControlType.KEEPALIVE, 0, PADDING, START + 77)
    outbox.take()
    assert outbox.last_said == START + 77


def test_what_has_not_left_may_be_said_anew() -> None:
    outbox = Outbox(PEER, START)
    assert not outbox.replace_last(ControlType.ACK, 0, bytes(4), START)
    outbox.control(ControlType.ACK, 0, bytes(4), START)
    assert outbox.replace_last(ControlType.ACK, 0, b"abcd", START + 9)
    assert not outbox.replace_last(ControlType.ACK, 0, b"abcdefgh", START)
    assert not outbox.replace_last(ControlType.NAK, 0, b"abcd", START)
    assert outbox.last_said == START + 9
    ((packet, _),) = outbox.take()
    assert packet[8:] == bytes([0, 0, 0, 9]) + PEER.to_bytes(4, "big") + b"abcd"
    assert not outbox.replace_last(ControlType.ACK, 0, b"abcd", START)
