from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from srtpy.bulk import BLOCK, READ, recv_file, send_file
from srtpy.config import Config
from srtpy.conn import Conn
from srtpy.errors import PEER_ERROR_FILE_SYSTEM, DeadlineError, PeerError, WouldBlockError
from srtpy.fields import TransType
from tests.connected import join, pair
from tests.internal.session.fakes import in_thread

STREAM = Config(trans_type=TransType.FILE)
MESSAGES = Config(trans_type=TransType.FILE, message_api=True)
SIZES = [1, 1456, 100_000, 3_000_001]


@pytest.fixture
def source(tmp_path: Path) -> Callable[[int], Path]:
    def make(size: int) -> Path:
        path = tmp_path / "source"
        path.write_bytes(os.urandom(size))
        return path

    return make


class Shelf:
    """A connection that remembers what was written, as far as it may."""

    def __init__(self, room: int = 1 << 30) -> None:
        self.taken = b""
        self.calls: list[int] = []
        self.room = room

    def write(self, data: bytes) -> int:
        self.calls.append(len(data))
        if len(data) > self.room:
            self.taken += data[: self.room]
            error = DeadlineError()
            error.bytes_taken = self.room
            raise error
        self.room -= len(data)
        self.taken += data
        return len(data)


# ---- sending -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("offset", "count"), [(0, None), (3, None), (0, 20), (3, 20), (90, 20), (100, None), (200, 5)])
def test_a_part_of_a_file(offset: int, count: int | None) -> None:
    data = bytes(range(100))
    file, shelf = io.BytesIO(data), Shelf()
    file.seek(50)
    wanted = data[offset:] if count is None else data[offset : offset + count]
    assert send_file(shelf.write, file, 7, offset, count) == len(wanted)
    assert shelf.taken == wanted
    assert all(size <= 7 for size in shelf.calls)
    assert file.tell() == offset + len(wanted)


def test_a_file_that_cannot_be_positioned_is_sent_from_where_it_stands() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.parts = [b"abc", b"defgh", b"i"]

        def read(self, size: int = -1) -> bytes:
            return self.parts.pop(0) if self.parts else b""

    shelf = Shelf()
    assert send_file(shelf.write, Pipe(), 100, 0, None) == 9
    assert shelf.taken == b"abcdefghi"
    with pytest.raises(ValueError, match="offset=5: the file cannot be positioned"):
        send_file(shelf.write, Pipe(), 100, 5, None)


def test_an_error_in_the_middle_says_how_much_was_taken_and_leaves_the_file_there() -> None:
    file, shelf = io.BytesIO(bytes(100)), Shelf(room=25)
    with pytest.raises(DeadlineError) as caught:
        send_file(shelf.write, file, 10, 50, None)
    assert caught.value.bytes_taken == 25
    assert file.tell() == 75


def test_waiting_that_is_switched_off_in_the_middle_leaves_nothing_out() -> None:
    """A write that may not wait takes a part, and what is read next from the file would not follow it."""
    file, taken = io.BytesIO(bytes(range(100))), bytearray()

    def write(data: bytes) -> int:
        part = data[:7] if len(taken) >= 20 else data
        taken.extend(part)
        return len(part)

    with pytest.raises(WouldBlockError, match="in the middle") as caught:
        send_file(write, file, 10, 0, None)
    assert bytes(taken) == bytes(range(27))
    assert (caught.value.bytes_taken, file.tell()) == (27, 27)


@pytest.mark.parametrize(
    ("arguments", "error", "match"),
    [
        ((-1, None), ValueError, "offset=-1"),
        ((0, 0), ValueError, "count=0"),
        ((0, -5), ValueError, "count=-5"),
        ((0, 1.5), TypeError, "integer"),
        (("x", None), TypeError, "integer"),
    ],
)
def test_what_makes_no_sense(arguments: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        send_file(Shelf().write, io.BytesIO(b"x"), 10, *arguments)


def test_text_is_no_file_to_send(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("x")
    with path.open() as file, pytest.raises(ValueError, match="mode='r': the file has to be opened in binary mode"):
        send_file(Shelf().write, file, 10, 0, None)  # type: ignore[arg-type]


def test_a_compressed_file_is_one(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "packed", "wb") as packed:
        packed.write(b"content")
    shelf = Shelf()
    with gzip.open(tmp_path / "packed", "rb") as unpacked:
        assert send_file(shelf.write, unpacked, 10, 3, None) == 4
    assert shelf.taken == b"tent"


# ---- receiving ---------------------------------------------------------------------------------


class Source:
    """A connection that has these pieces to give."""

    def __init__(self, *pieces: bytes) -> None:
        self.pieces = list(pieces)
        self.asked: list[int] = []
        self.failures = 0

    def read(self, size: int) -> list[bytes]:
        self.asked.append(size)
        return [self.pieces.pop(0)] if self.pieces else []

    def fail(self) -> None:
        self.failures += 1


def test_what_comes_until_the_end() -> None:
    source, file = Source(b"abc", b"de"), io.BytesIO()
    assert recv_file(source.read, file, None, source.fail) == 5
    assert file.getvalue() == b"abcde"
    assert source.asked == [READ] * 3


def test_no_more_than_asked_for() -> None:
    source, file = Source(b"abc", b"de", b"f"), io.BytesIO()
    assert recv_file(source.read, file, 5, source.fail) == 5
    assert source.asked == [5, 2]
    assert recv_file(source.read, file, 5, source.fail) == 1
    assert file.getvalue() == b"abcdef"


def test_a_file_that_takes_little_at_once() -> None:
    class Slow(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(bytes(data)[:2])

    source, file = Source(b"abcde", memoryview(b"fgh")), Slow()  # type: ignore[arg-type]
    assert recv_file(source.read, file, None, source.fail) == 8
    assert file.getvalue() == b"abcdefgh"


def test_a_file_that_takes_nothing_is_a_failure() -> None:
    class Stuck(io.BytesIO):
        def write(self, data: Any) -> int:
            return 0

    source = Source(b"abcde")
    with pytest.raises(OSError, match="took 0 of 5 bytes and no more"):
        recv_file(source.read, Stuck(), None, source.fail)
    assert source.failures == 1


# ---- from end to end ---------------------------------------------------------------------------


@pytest.mark.parametrize("config", [STREAM, MESSAGES], ids=["stream", "messages"])
@pytest.mark.parametrize("size", SIZES)
def test_a_file_arrives(config: Config, size: int, source: Callable[[int], Path], tmp_path: Path) -> None:
    path, target = source(size), tmp_path / "target"
    with pair(config) as (a, b):

        def send() -> int:
            with path.open("rb") as file:
                sent = a.send_file(file)
                assert file.tell() == size
            a.close()
            return sent

        sending = in_thread(send)
        with target.open("wb") as file:
            assert b.recv_file(file) == size
        assert sending.result() == size
    assert target.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("config", [STREAM, MESSAGES], ids=["stream", "messages"])
def test_several_parts_one_after_the_other(config: Config, source: Callable[[int], Path]) -> None:
    data = source(300_000).read_bytes()
    with pair(config) as (a, b):
        sending = in_thread(lambda: [a.sendfile(io.BytesIO(data), offset, 100_000) for offset in (0, 200_000, 100_000)])
        files = [io.BytesIO() for _ in range(3)]
        assert [b.recv_file(file, 100_000) for file in files] == [100_000] * 3
        assert sending.result() == [100_000] * 3
        assert [file.getvalue() for file in files] == [data[:100_000], data[200_000:], data[100_000:200_000]]


class Full(io.BytesIO):
    """A disk with room for so many bytes."""

    def write(self, data: Any) -> int:
        if self.tell() > 100_000:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("config", [STREAM, MESSAGES], ids=["stream", "messages"])
def test_a_disk_that_fails_is_told_to_the_sender(config: Config) -> None:
    config = config.replace(send_buf_size=200, recv_buf_size=200)
    with pair(config) as (a, b):
        sending = in_thread(lambda: a.send_file(io.BytesIO(bytes(5_000_000))))
        with pytest.raises(OSError, match="No space left"):
            b.recv_file(Full())
        with pytest.raises(PeerError) as caught:
            sending.result()
        assert caught.value.code == PEER_ERROR_FILE_SYSTEM == 4000
        assert 0 < caught.value.bytes_taken < 5_000_000
        a.close()  # does not wait for 180 s
        assert a.closed


def test_time_is_up_in_the_middle() -> None:
    with pair(STREAM.replace(send_buf_size=200, recv_buf_size=200)) as (a, b):
        a.settimeout(0.1)
        file = io.BytesIO(bytes(5_000_000))
        with pytest.raises(DeadlineError) as caught:
            a.send_file(file)
        assert 0 < file.tell() == caught.value.bytes_taken < 5_000_000
        b.settimeout(0.1)
        target = io.BytesIO()
        with pytest.raises(DeadlineError):
            b.recv_file(target)
        assert target.tell() > 0


@pytest.mark.parametrize("ban", [lambda conn: conn.setblocking(False), lambda conn: conn.set_option(45, False)])
def test_it_has_to_wait(ban: Callable[[Conn], None]) -> None:
    with pair(STREAM) as (a, _):
        ban(a)
        with pytest.raises(ValueError, match="send_file waits, and waiting is switched off"):
            a.send_file(io.BytesIO(b"x"))


def test_live_mode_would_drop_what_is_late() -> None:
    with pair() as (a, b):
        with pytest.raises(ValueError, match="send_file needs file mode"):
            a.send_file(io.BytesIO(b"x"))
        with pytest.raises(ValueError, match="recv_file needs file mode"):
            b.recv_file(io.BytesIO())


def test_a_block_is_made_of_whole_packets_and_fits_the_buffers() -> None:
    a, b, *_ = join(MESSAGES.replace(send_buf_size=50))
    sizes: list[int] = []

    class Watched(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            sizes.append(size or 0)
            return super().read(size)

    try:
        a.send_file(Watched(bytes(10)))
        b.send_file(Watched(bytes(10)))
    finally:
        for one in (a, b):
            one._session.shut_down()
            one.close()
    assert sizes[0] == 50 * 1456
    assert BLOCK % 44 == 0
