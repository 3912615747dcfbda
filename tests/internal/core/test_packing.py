from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.internal.buffer.send import Row
from srtpy.internal.clock.units import NEVER
from srtpy.internal.core.packing import Packing
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.header import HEADER, KEY_EVEN, RETRANSMITTED
from srtpy.internal.seq.number import SEQ_MASK
from tests.sim.pair import ORDINARY, agreed

START = 5_000_000
INFO = 0xE0000001


def terms(**changes: object) -> Negotiated:
    return replace(agreed(ORDINARY, 0)[0], peer_socket_id=0x77, start=START, **changes)  # type: ignore[arg-type]


def rows(count: int) -> list[Row]:
    return [(INFO + index, 100 + index, b"%d" % index, START + 100 + index, NEVER) for index in range(count)]


@pytest.mark.parametrize("first", [0, 1000, 0x7FFFFFF0, SEQ_MASK])
def test_a_run_gets_headers_with_numbers_that_follow_each_other(first: int) -> None:
    datagrams = Packing(terms(), None, 0).first_time(first, rows(30), START + 999)
    headers = [HEADER.unpack(head) for head, _ in datagrams]
    assert headers == [((first + step) & SEQ_MASK, INFO + step, 100 + step, 0x77) for step in range(30)]
    assert [payload for _, payload in datagrams] == [b"%d" % step for step in range(30)]


def test_the_first_packet_of_all_looks_like_libsrts_but_for_the_order_flag() -> None:
    (head, payload), *_ = Packing(terms(), None, 0).first_time(1, [(0xE0000001, 0x10, b"hi", START, NEVER)], START)
    assert head.hex() == "00000001e00000010000001000000077"
    assert payload == b"hi"


def test_a_resend_is_the_same_packet_with_r_set() -> None:
    packing = Packing(terms(), None, 0)
    head, payload = packing.again(5, rows(1)[0], START + 10_000)
    assert HEADER.unpack(head) == (5, INFO | RETRANSMITTED, 100, 0x77)
    assert payload == b"0"


def test_a_peer_that_does_not_know_r_does_not_see_it() -> None:
    head, _ = Packing(terms(peer_retransmit_flag=False), None, 0).again(5, rows(1)[0], START)
    assert HEADER.unpack(head)[1] == INFO


def test_a_peer_that_does_not_play_by_time_is_told_when_a_packet_leaves() -> None:
    packing = Packing(terms(tsbpd_send=False), None, 0)
    first = [HEADER.unpack(head)[2] for head, _ in packing.first_time(5, rows(3), START + 777)]
    again = HEADER.unpack(packing.again(5, rows(1)[0], START + 999)[0])[2]
    assert (first, again) == ([777, 777, 777], 999)


def test_without_a_seal_rows_are_what_they_were() -> None:
    packing = Packing(terms(), None, 0)
    run = rows(3)
    assert not packing.seals
    assert packing.sealed(5, run, START) is run


@pytest.mark.parametrize("first", [5, SEQ_MASK - 1])
def test_a_seal_is_given_the_whole_run_once(first: int) -> None:
    runs: list[tuple[int, list[Row]]] = []

    def seal(first: int, rows: list[Row]) -> list[Row]:
        runs.append((first, rows))
        return [(info | KEY_EVEN, stamp, text[::-1] + b"!", born, dies) for info, stamp, text, born, dies in rows]

    packing = Packing(terms(), seal, 16)
    assert packing.seals
    run: list[Row] = [(INFO, 100, b"ab", 1, NEVER), (INFO + 1, 200, b"cd", 2, 9)]
    sealed = packing.sealed(first, run, START)
    assert runs == [(first, run)]
    assert sealed == [(INFO | KEY_EVEN, 100, b"ba!", 1, NEVER), (INFO + 1 | KEY_EVEN, 200, b"dc!", 2, 9)]


def test_a_seal_sees_the_timestamp_that_will_be_sent() -> None:
    stamps: list[int] = []

    def seal(first: int, rows: list[Row]) -> list[Row]:
        stamps.extend(row[1] for row in rows)
        return rows

    Packing(terms(tsbpd_send=False), seal, 0).sealed(5, rows(2), START + 777)
    assert stamps == [777, 777]


@pytest.mark.parametrize(
    ("payload_size", "tag_size", "expected"), [(1456, 0, 1456), (1456, 16, 1440), (1316, 16, 1316), (1316, 0, 1316)]
)
def test_room_for_a_tag_is_taken_from_the_payload_only_where_there_is_none(
    payload_size: int, tag_size: int, expected: int
) -> None:
    packing = Packing(terms(payload_size=payload_size, mss=1500), None, tag_size)
    assert packing.payload_size == expected
