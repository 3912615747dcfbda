from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest

from srtpy.errors import (
    ConnClosedError,
    ConnectionBrokenError,
    DeadlineError,
    PeerError,
    PeerShutdownError,
    SRTError,
    WouldBlockError,
)
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.core.events import Broken, Event, PeerClosed, PeerFailed
from srtpy.internal.packet.header import Datagram
from srtpy.internal.session.engine import Engine
from srtpy.internal.session.reading import Reader
from srtpy.internal.session.serving import Serving
from srtpy.internal.session.streaming import CHUNK, StreamReader, StreamWriter
from srtpy.internal.session.waiting import AT_ONCE, Deadline
from srtpy.internal.session.writing import Limits, Writer
from tests.internal.session.fakes import PACKET, FakeCore, Running, in_thread, row, until


class Desk:
    """A stream's reader and writer, and the core between them."""

    def __init__(self, room: int = 1000) -> None:
        self.core = FakeCore(room)
        self.bursts: list[int] = []
        self.engine = Engine(self.core, self.send)
        self.reader = StreamReader(self.engine, Reader(self.engine, tells_at_once=True))
        serving = Serving(self.engine, gathers=True)
        waiting = Writer(self.engine, Limits(payload_size=PACKET), serving=serving)
        self.writer = StreamWriter(self.engine, waiting, PACKET)

    def send(self, datagrams: Sequence[Datagram]) -> None:
        self.bursts.append(len(datagrams))

    def has(self, *chunks: bytes) -> Desk:
        self.core.messages.extend(row(chunk) for chunk in chunks)
        return self

    def arrive(self, *chunks: bytes) -> None:
        with self.engine.lock:
            self.has(*chunks)
            self.engine.turn(monotonic_now())

    def acknowledge(self, packets: int) -> None:
        with self.engine.lock:
            self.core.space += packets
            self.engine.turn(monotonic_now())

    def tell(self, event: Event) -> None:
        with self.engine.lock:
            self.core.news.append(event)
            self.engine.turn(monotonic_now())

    def reading(self, size: int = -1) -> Running:
        running = in_thread(lambda: self.reader.read(size))
        until(lambda: self.engine.readable.count > 0)
        return running

    def writing(self, data: bytes) -> Running:
        running = in_thread(lambda: self.writer.write(data))
        until(lambda: self.engine.writable.count > 0)
        return running


# ---- reading -----------------------------------------------------------------------------------


def test_all_that_is_ready_is_read_and_no_more() -> None:
    desk = Desk().has(b"012", b"345", b"678")
    assert desk.reader.read() == b"012345678"
    with pytest.raises(WouldBlockError):
        desk.reader.read(deadline=AT_ONCE)


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 8, 9, 100])
def test_reads_of_any_size_are_the_stream(size: int) -> None:
    desk = Desk().has(b"012", b"345", b"678")
    taken = []
    while desk.core.messages:
        taken.append(desk.reader.read(size))
    assert b"".join(taken) == b"012345678"
    assert all(len(part) == size for part in taken[:-1])
    assert all(type(part) is bytes for part in taken)


def test_nothing_asked_for_is_nothing() -> None:
    desk = Desk().has(b"012")
    assert desk.reader.read(0) == b""
    assert desk.reader.read_into(memoryview(bytearray())) == 0
    assert desk.reader.read() == b"012"


def test_a_buffer_is_filled_from_as_many_chunks_as_it_takes() -> None:
    desk = Desk().has(b"012", b"345", b"678")
    buffer = bytearray(b"-" * 7)
    assert desk.reader.read_into(memoryview(buffer)) == 7
    assert buffer == b"0123456"
    assert desk.reader.read_into(memoryview(buffer)) == 2
    assert buffer == b"7823456"


def test_in_pieces_nothing_is_joined() -> None:
    desk = Desk().has(b"012", b"345", b"678")
    assert desk.reader.read(1) == b"0"
    pieces = desk.reader.read_many(2)
    assert pieces == [b"12", b"345"]
    assert all(type(piece) is bytes for piece in pieces)
    assert desk.reader.read_many() == [b"678"]
    with pytest.raises(ValueError, match="limit=0"):
        desk.reader.read_many(0)


def test_as_a_message_with_the_words_of_its_first_packet() -> None:
    desk = Desk().has(b"012", b"345")
    found = desk.reader.read_message()
    assert found is not None
    assert found[0] == row(b"012345")


def test_a_large_chunk_read_in_small_parts_is_not_copied_again_and_again() -> None:
    desk = Desk().has(bytes(1_000_000))
    desk.reader.read(1)
    rest = desk.core.messages[0][0]
    desk.reader.read(1)
    assert isinstance(rest, memoryview)
    assert desk.core.messages[0][0].obj is rest.obj


def test_a_read_waits_for_the_first_byte() -> None:
    desk = Desk()
    running = desk.reading()
    desk.arrive(b"012", b"345")
    assert running.result() == b"012345"


def test_the_end_comes_after_all_has_been_read() -> None:
    desk = Desk().has(b"012")
    desk.tell(PeerClosed())
    assert [desk.reader.read(2), desk.reader.read(), desk.reader.read()] == [b"01", b"2", b""]
    assert desk.reader.read_many() == []
    assert desk.reader.read_into(memoryview(bytearray(1))) == 0
    assert desk.reader.read_message() is None


def test_what_ends_a_stream_that_waits() -> None:
    desk = Desk()
    running = desk.reading()
    desk.tell(Broken("gone"))
    with pytest.raises(ConnectionBrokenError, match="gone"):
        running.result()


@pytest.mark.parametrize(("deadline", "error"), [(Deadline.after(0.02), DeadlineError), (AT_ONCE, WouldBlockError)])
def test_reads_wait_no_longer_than_they_may(deadline: Deadline, error: type[SRTError]) -> None:
    desk = Desk()
    for read in (
        lambda: desk.reader.read(5, deadline),
        lambda: desk.reader.read_into(memoryview(bytearray(5)), deadline),
        lambda: desk.reader.read_many(5, deadline),
        lambda: desk.reader.read_message(deadline),
    ):
        with pytest.raises(error, match="nothing arrived"):
            read()
    desk.reader.deadline = deadline
    assert desk.reader.deadline is deadline
    with pytest.raises(error):
        desk.reader.read()


def test_several_readers_lose_and_double_nothing() -> None:
    desk, taken, lock = Desk(), [], threading.Lock()
    chunks = [bytes([number]) * 100 for number in range(200)]

    def work() -> None:
        while part := desk.reader.read(70):
            with lock:
                taken.append(part)

    running = [in_thread(work) for _ in range(4)]
    for chunk in chunks:
        desk.arrive(chunk)
    desk.tell(PeerClosed())
    for one in running:
        one.result()
    assert sorted(b"".join(taken)) == sorted(b"".join(chunks))


def test_a_sender_that_was_told_to_wait_hears_of_each_read() -> None:
    desk = Desk().has(b"012", b"345")
    desk.reader.read(1)
    assert desk.core.reads_noted == 0
    desk.core.is_tight = True
    desk.reader.read(1)
    assert desk.core.reads_noted == 1


# ---- writing -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, PACKET, PACKET + 1, CHUNK * PACKET, CHUNK * PACKET + 1, 5 * CHUNK * PACKET - 3])
def test_a_stream_is_cut_into_full_packets(size: int) -> None:
    desk = Desk()
    data = bytes(range(251)) * (size // 251 + 1)
    assert desk.writer.write(data[:size]) == size
    assert b"".join(desk.core.written) == data[:size]
    assert all(len(packet) == PACKET for packet in desk.core.written[:-1])
    with desk.engine.lock:
        desk.engine.flush(monotonic_now())
    assert sum(desk.bursts) == len(desk.core.written)
    assert desk.bursts[0] == min(CHUNK, len(desk.core.written)), "the first of much leaves before the last is cut"


def test_nothing_to_write_is_nothing() -> None:
    desk = Desk()
    assert desk.writer.write(b"") == 0
    assert not desk.core.written


def test_a_write_goes_on_as_there_is_room_until_all_is_taken() -> None:
    desk = Desk(room=3)
    running = desk.writing(bytes(10 * PACKET))
    assert len(desk.core.written) == 3
    desk.acknowledge(4)
    until(lambda: len(desk.core.written) == 7)
    desk.acknowledge(100)
    assert running.result() == 10 * PACKET
    assert len(desk.core.written) == 10


def test_a_write_that_runs_out_of_time_says_how_much_was_taken() -> None:
    desk = Desk(room=3)
    with pytest.raises(DeadlineError, match="the send buffer stayed full") as caught:
        desk.writer.write(bytes(10 * PACKET), Deadline.after(0.02))
    assert caught.value.bytes_taken == 3 * PACKET
    desk.writer.deadline = Deadline.after(0.02)
    with pytest.raises(DeadlineError) as caught:
        desk.writer.write(bytes(10))
    assert caught.value.bytes_taken == 0


def test_a_write_that_may_not_wait_takes_what_fits() -> None:
    desk = Desk(room=3)
    assert desk.writer.write(bytes(10 * PACKET), AT_ONCE) == 3 * PACKET
    with pytest.raises(WouldBlockError) as caught:
        desk.writer.write(bytes(10), AT_ONCE)
    assert caught.value.bytes_taken == 0


@pytest.mark.parametrize(
    ("event", "error"),
    [(PeerClosed(), PeerShutdownError), (Broken("x"), ConnectionBrokenError), (PeerFailed(4000), PeerError)],
)
def test_what_ends_a_write_in_the_middle_says_how_much_was_taken(event: Event, error: type[SRTError]) -> None:
    desk = Desk(room=3)
    running = desk.writing(bytes(10 * PACKET))
    desk.tell(event)
    with pytest.raises(error) as caught:
        running.result()
    assert caught.value.bytes_taken == 3 * PACKET
    with pytest.raises(error) as caught:
        desk.writer.write(b"more")
    assert caught.value.bytes_taken == 0


def test_closing_wakes_a_writer() -> None:
    desk = Desk(room=0)
    running = desk.writing(b"x")
    with desk.engine.lock:
        desk.engine.fate.closing()
        desk.engine.wake_everyone()
    with pytest.raises(ConnClosedError):
        running.result()


def test_many_pieces_are_one_stream() -> None:
    desk = Desk()
    assert desk.writer.write_many([b"012", b"", b"345"]) == 3
    assert b"".join(desk.core.written) == b"012345"
    desk.core.space = 1
    pieces = [bytes(PACKET - 1), b"12", b"3"]
    assert desk.writer.write_many(pieces, AT_ONCE) == 1


def test_bytes_of_a_stream_cannot_expire() -> None:
    desk = Desk()
    with pytest.raises(ValueError, match="msg_ttl"):
        desk.writer.write_control(b"x", ttl=5)
    assert desk.writer.write_control(b"x", stamp=5, in_order=True) == 1
    assert desk.core.written == [b"x"]


def test_readiness() -> None:
    desk = Desk(room=0)
    with desk.engine.lock:
        assert (desk.reader.is_ready, desk.writer.is_ready) == (False, False)
        desk.has(b"x")
        desk.core.space = 1
        assert (desk.reader.is_ready, desk.writer.is_ready) == (True, True)
