from __future__ import annotations

from itertools import islice

import pytest

from srtpy.cli.mpegts import (
    MESSAGE_SIZE,
    NULL_PID,
    PACKET_SIZE,
    Checker,
    ClockPace,
    TransportStream,
    clock_reference,
    crc32_mpeg,
)

RATE = 4_000_000


def some(count: int) -> list[bytes]:
    return list(islice(TransportStream(RATE).messages(), count))


def test_the_crc_of_a_program_association_table_known_from_the_field() -> None:
    section = bytes.fromhex("00b00d0001c100000001e100")
    assert crc32_mpeg(section + crc32_mpeg(section).to_bytes(4, "big")) == 0  # a CRC over itself leaves nothing
    assert crc32_mpeg(b"123456789") == 0x0376E6E7  # the catalogue's check value of CRC-32/MPEG-2


def test_messages_are_seven_packets_and_every_packet_begins_with_the_sync_byte() -> None:
    for message in some(100):
        assert len(message) == MESSAGE_SIZE
        assert set(message[::PACKET_SIZE]) == {0x47}


def test_a_whole_stream_has_nothing_wrong_with_it() -> None:
    checker = Checker()
    for message in some(500):
        checker.feed(message)
    assert (checker.packets, checker.out_of_sync, checker.discontinuities) == (3500, 0, 0)


@pytest.mark.parametrize("missing", [3, 100, 498])
def test_a_missing_message_shows_as_a_discontinuity(missing: int) -> None:
    checker = Checker()
    for number, message in enumerate(some(500)):
        if number != missing:
            checker.feed(message)
    assert checker.discontinuities >= 1


def test_a_cut_message_is_out_of_sync() -> None:
    checker = Checker()
    checker.feed(some(1)[0][1:])
    checker.feed(b"")
    assert checker.out_of_sync == 2


def test_null_packets_have_no_continuity() -> None:
    checker = Checker()
    null = bytes([0x47, NULL_PID >> 8, NULL_PID & 0xFF, 0x10]).ljust(PACKET_SIZE, b"\xff")
    checker.feed(null * 7)
    assert checker.discontinuities == 0


def test_clock_references_run_at_the_claimed_rate() -> None:
    stream = b"".join(some(3000))
    clocks = []
    for start in range(0, len(stream), PACKET_SIZE):
        found = clock_reference(stream[start : start + PACKET_SIZE])
        if found is not None:
            clocks.append((start, found[1]))
    (first, began), (last, ended) = clocks[0], clocks[-1]
    assert ended - began == pytest.approx((last - first) * 8 / RATE, rel=1e-4)


def test_the_pace_of_a_file_is_that_of_its_clock() -> None:
    pace = ClockPace()
    messages = some(2000)
    due = [pace.due(message) for message in messages]
    assert due == sorted(due)
    assert due[-1] == pytest.approx(2000 * MESSAGE_SIZE * 8 / RATE, rel=0.02)


def test_a_jump_of_the_clock_does_not_stop_a_file() -> None:
    pace = ClockPace()
    messages = some(1000)
    first = [pace.due(message) for message in messages][-1]
    again = [pace.due(message) for message in messages]  # the clock falls back to its beginning
    assert again[0] == first
    assert again[-1] == pytest.approx(2 * first, rel=0.02)


def test_a_file_without_a_clock_is_due_at_once() -> None:
    pace = ClockPace()
    assert [pace.due(b"not a transport stream" * 50) for _ in range(3)] == [0, 0, 0]
