from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.buffer.send import Row, Run
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


def run_of(count: int) -> Run:
    return Run(
        [INFO + index for index in range(count)],
        [100 + index for index in range(count)],
        [b"%d" % index for index in range(count)],
    )


ROW: Row = (INFO, 100, b"0", START + 100, NEVER)


@pytest.mark.parametrize("first", [0, 1000, 0x7FFFFFF0, SEQ_MASK])
def test_a_run_gets_headers_with_numbers_that_follow_each_other(first: int) -> None:
    datagrams = Packing(terms(), None, 0).first_time(first, run_of(30), START + 999)
    headers = [HEADER.unpack(head) for head, _ in datagrams]
    assert headers == [((first + step) & SEQ_MASK, INFO + step, 100 + step, 0x77) for step in range(30)]
    assert [payload for _, payload in datagrams] == [b"%d" % step for step in range(30)]


def test_the_first_packet_of_all_looks_like_libsrts_but_for_the_order_flag() -> None:
    (head, payload), *_ = Packing(terms(), None, 0).first_time(1, Run([0xE0000001], [0x10], [b"hi"]), START)
    assert head.hex() == "00000001e00000010000001000000077"
    assert payload == b"hi"


def test_a_resend_is_the_same_packet_with_r_set() -> None:
    packing = Packing(terms(), None, 0)
    head, payload = packing.again(5, ROW, START + 10_000)
    assert HEADER.unpack(head) == (5, INFO | RETRANSMITTED, 100, 0x77)
    assert payload == b"0"


def test_a_peer_that_does_not_know_r_does_not_see_it() -> None:
    head, _ = Packing(terms(peer_retransmit_flag=False), None, 0).again(5, ROW, START)
    assert HEADER.unpack(head)[1] == INFO


def test_a_peer_that_does_not_play_by_time_is_told_when_a_packet_leaves() -> None:
    packing = Packing(terms(tsbpd_send=False), None, 0)
    first = [HEADER.unpack(head)[2] for head, _ in packing.first_time(5, run_of(3), START + 777)]
    again = HEADER.unpack(packing.again(5, ROW, START + 999)[0])[2]
    assert (first, again) == ([777, 777, 777], 999)


def test_without_a_seal_rows_are_what_they_were() -> None:
    packing = Packing(terms(), None, 0)
    run = run_of(3)
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
    run = Run([INFO, INFO + 1], [100, 200], [b"ab", b"cd"])
    sealed = packing.sealed(first, run, START)
    assert [(number, [row[:3] for row in rows]) for number, rows in runs] == [(first, list(zip(*run, strict=True)))]
    assert sealed == Run([INFO | KEY_EVEN, INFO + 1 | KEY_EVEN], [100, 200], [b"ba!", b"dc!"])


def test_a_seal_sees_the_timestamp_that_will_be_sent() -> None:
    stamps: list[int] = []

    def seal(first: int, rows: list[Row]) -> list[Row]:
        stamps.extend(row[1] for row in rows)
        return rows

    Packing(terms(tsbpd_send=False), seal, 0).sealed(5, run_of(2), START + 777)
    assert stamps == [777, 777]


@pytest.mark.parametrize(
    ("payload_size", "tag_size", "expected"), [(1456, 0, 1456), (1456, 16, 1440), (1316, 16, 1316), (1316, 0, 1316)]
)
def test_room_for_a_tag_is_taken_from_the_payload_only_where_there_is_none(
    payload_size: int, tag_size: int, expected: int
) -> None:
    packing = Packing(terms(payload_size=payload_size, mss=1500), None, tag_size)
    assert packing.payload_size == expected


@given(
    first=st.sampled_from([0, 1000, 0x7FFFFFF0, SEQ_MASK]),
    sizes=st.lists(st.sampled_from([0, 1, 7, 1456]), min_size=1, max_size=50),
)
def test_a_run_leaves_as_its_packets_one_by_one_would(first: int, sizes: list[int]) -> None:
    payloads = [bytes([index]) * size for index, size in enumerate(sizes)]
    run = Run([INFO + index for index in range(len(sizes))], list(range(len(sizes))), payloads)
    packing = Packing(terms(), None, 0)
    together = packing.first_time(first, run, START)
    apart = [
        packing.first_time((first + place) & SEQ_MASK, Run([INFO + place], [place], [payloads[place]]), START)[0]
        for place in range(len(sizes))
    ]
    assert list(together) == apart
