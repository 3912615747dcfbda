from __future__ import annotations

import io
import threading

import pytest

from srtpy.config import Config
from srtpy.errors import DeadlineError, WouldBlockError
from srtpy.rawio import ConnIO, wrap
from tests.connected import SHORT, pair


class Messages:
    """A stream that hands out what it is given and keeps what it gets."""

    def __init__(self, incoming: list[bytes] | None = None, room: int = 1000) -> None:
        self.incoming = incoming or []
        self.sent: list[bytes] = []
        self.room = room
        self.refusal: Exception = WouldBlockError()

    def read(self, size: int = -1) -> bytes:
        if not self.incoming:
            raise self.refusal
        message = self.incoming.pop(0)
        if len(message) > size:
            self.incoming.insert(0, message[size:])
        return message[:size]

    def read_many(self, limit: int = 64) -> list[bytes]:
        if not self.incoming:
            raise self.refusal
        taken, self.incoming = self.incoming[:limit], self.incoming[limit:]
        return [message for message in taken if message]

    def write(self, data: bytes) -> int:
        self.write_many([data])
        return len(data)

    def write_many(self, messages: list[bytes]) -> int:
        taken = messages[: self.room]
        if not taken:
            raise self.refusal
        self.room -= len(taken)
        self.sent += taken
        return len(taken)


def raw(stream: Messages, mode: str = "rwb") -> ConnIO:
    return ConnIO(stream, mode, 4, 10, "<test>")


def test_a_read_takes_what_is_ready_and_fits() -> None:
    stream = Messages([b"abc", b"defg", b"h", b"i"])
    file = raw(stream)
    assert file.read(30) == b"abcdefgh"
    assert file.read(5) == b"i"
    assert file.read(5) is None


def test_small_buffers_lose_nothing() -> None:
    file = raw(Messages([b"abcdefgh", b""]))
    assert [file.read(3) for _ in range(3)] == [b"abc", b"def", b"gh"]
    assert file.read(3) == b""


def test_messages_larger_than_expected_lose_nothing() -> None:
    file = raw(Messages([b"x" * 25, b"y"]))
    assert file.read(10) == b"x" * 10
    assert file.read(20) == b"x" * 15
    assert file.read(0) == b""
    assert file.read(20) == b"y"


def test_after_a_timeout_nothing_more_is_read() -> None:
    stream = Messages()
    stream.refusal = DeadlineError()
    file = raw(stream)
    with pytest.raises(TimeoutError):
        file.read(10)
    stream.incoming = [b"late"]
    with pytest.raises(OSError, match="after a timeout"):
        file.read(10)


def test_writes_are_cut_and_the_tail_waits() -> None:
    stream = Messages()
    file = raw(stream)
    assert file.write(b"abcdef") == 6
    assert file.write(memoryview(b"gh")) == 2
    assert file.write(b"i") == 1
    assert stream.sent == [b"abcd", b"efgh"]
    file.flush()
    file.flush()
    assert stream.sent == [b"abcd", b"efgh", b"i"]
    file.write(b"j")
    file.close()
    assert stream.sent[3:] == [b"j"]


def test_a_write_taken_in_part_says_how_much() -> None:
    stream = Messages(room=1)
    file = raw(stream)
    file.write(b"ab")
    assert file.write(b"cdefghij") == 2
    assert file.write(b"efgh") is None
    stream.room = 9
    assert file.write(b"efghij") == 6
    file.flush()
    assert b"".join(stream.sent) == b"abcdefghij"


def test_a_flush_that_fails_can_be_repeated() -> None:
    stream = Messages(room=0)
    file = raw(stream)
    file.write(b"ab")
    with pytest.raises(BlockingIOError):
        file.flush()
    stream.room = 1
    file.flush()
    assert stream.sent == [b"ab"]


def test_modes() -> None:
    reader, writer = raw(Messages(), "rb"), raw(Messages(), "wb")
    assert (reader.readable(), reader.writable()) == (True, False)
    assert (writer.readable(), writer.writable()) == (False, True)
    with pytest.raises(io.UnsupportedOperation):
        reader.write(b"x")
    with pytest.raises(io.UnsupportedOperation):
        writer.read(1)
    with pytest.raises(io.UnsupportedOperation):
        reader.fileno()
    reader.close()
    for call in (reader.readable, lambda: reader.read(1)):
        with pytest.raises(ValueError, match="closed"):
            call()
    assert "test" in reader.name


@pytest.mark.parametrize("buffering", [-1, 1, 100])
def test_buffered_writers_flush_the_tail(buffering: int) -> None:
    stream = Messages()
    file = wrap(raw(stream, "wb"), buffering)
    assert isinstance(file, io.BufferedWriter)
    file.write(b"abcdefghij")
    file.flush()
    assert b"".join(stream.sent) == b"abcdefghij"
    assert all(len(packet) == 4 for packet in stream.sent[:-1])


def test_buffered_pairs() -> None:
    stream = Messages([b"line\n", b"", b""])
    file = wrap(raw(stream), -1)
    assert isinstance(file, io.BufferedRWPair)
    file.write(b"abcde")
    file.flush()
    assert stream.sent == [b"abcd", b"e"]
    assert file.readline() == b"line\n"


def test_without_a_buffer_it_is_the_raw_file() -> None:
    file = raw(Messages(), "rb")
    assert wrap(file, 0) is file
    assert isinstance(wrap(file, -1), io.BufferedReader)


def test_over_a_connection() -> None:
    data = bytes(range(256)) * 100
    with pair(SHORT) as (a, b):
        with a.makefile("wb") as file:
            file.write(data)
        assert not a.closed
        assert {len(message) for message in (b.read(), b.read())} == {1316}
        threading.Thread(target=a.close).start()
        rest = b.makefile("rb").read()
        assert rest == data[2632:]


def test_payload_size_decides_the_cut() -> None:
    with pair(Config(latency=0.02, payload_size=188)) as (a, b):
        file = a.makefile("wb", buffering=0)
        file.write(bytes(400))
        file.flush()
        assert [len(b.read()) for _ in range(3)] == [188, 188, 24]


def test_unbuffered_reads_return_what_has_come() -> None:
    with pair() as (a, b):
        a.write(b"abc")
        file = b.makefile("rb", buffering=0)
        buffer = bytearray(32768)
        assert isinstance(file, io.RawIOBase)
        assert file.readinto(buffer) == 3
        b.settimeout(0.0)
        assert file.read(100) is None
        assert "Conn" in file.name  # type: ignore[attr-defined]


def test_a_stream_is_written_as_it_is() -> None:
    stream = Messages()
    file = ConnIO(stream, "wb", 0, 1 << 60, "stream")
    assert file.write(b"x" * 5000) == 5000
    assert stream.sent == [b"x" * 5000]
    stream.room = 0
    assert file.write(b"y") is None
    late = DeadlineError()
    stream.refusal = late
    with pytest.raises(DeadlineError):
        file.write(b"y")
    late.bytes_taken = 3
    assert file.write(b"yyyyy") == 3
