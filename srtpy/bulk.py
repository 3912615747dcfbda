"""Whole files over a connection, in `socket.sendfile`'s manner.

Lives here: from a file into writes, from reads into a file; where the file stands afterwards, and what the peer hears
of a disk that fails.
Never here: reading and writing (channel.py), what a mode is (config.py), names, checksums and resuming (cli).
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from operator import index
from typing import Any, Final, Protocol

from srtpy.errors import SRTError, WouldBlockError

BLOCK: Final = 704
"""Packets read from a file at once: sixteen bursts, a megabyte."""
READ: Final = 1 << 22
"""Bytes taken from a connection at once, at most: so much can be in flight to a file."""


class Source(Protocol):
    """What a file needs to be sent."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""


class Sink(Protocol):
    """What a file needs to be received."""

    def write(self, data: Any, /) -> int | None:
        """Take bytes; return how many, None for all."""


def send_file(write: Callable[[bytes], int], file: Source, block: int, offset: int, count: int | None) -> int:
    """Write a file from `offset` on, `count` bytes or all, in blocks of `block`; return how many bytes.

    The file stands behind what was taken afterwards, whatever happens; an error says how much that was.
    """
    offset, left = _checked(file, offset, count)
    seek = getattr(file, "seek", None) if _is_seekable(file) else None
    if seek is not None:
        seek(offset)
    elif offset:
        raise ValueError(f"offset={offset}: the file cannot be positioned; leave offset out")
    sent = 0
    try:
        while left is None or sent < left:
            data = file.read(block if left is None else min(block, left - sent))
            if not data:
                break
            taken = write(data)
            sent += taken
            if taken < len(data):
                raise WouldBlockError(f"waiting was switched off in the middle, after {sent} bytes")
    except SRTError as error:
        sent += error.bytes_taken
        error.bytes_taken = sent
        raise
    finally:
        if seek is not None:
            seek(offset + sent)
    return sent


def recv_file(
    read: Callable[[int], Sequence[bytes]], file: Sink, count: int | None, on_failure: Callable[[], None]
) -> int:
    """Read into a file, `count` bytes or until the end; return how many bytes.

    If the file cannot be written `on_failure` is called, and what went wrong is raised.
    """
    _, left = _checked(file, 0, count)
    received = 0
    while left is None or received < left:
        pieces = read(READ if left is None else min(READ, left - received))
        if not pieces:
            break
        try:
            for piece in pieces:
                _write_whole(file, piece)
        except BaseException:
            with contextlib.suppress(SRTError):
                on_failure()
            raise
        received += sum(map(len, pieces))
    return received


def _write_whole(file: Sink, data: bytes) -> None:
    """Write all of it, to raw files too, which may take less at once."""
    taken = file.write(data)
    if taken is None or taken >= len(data):
        return
    view = memoryview(data)
    while taken < len(data):
        more = file.write(view[taken:])
        if not more:
            raise OSError(f"the file took {taken} of {len(data)} bytes and no more")
        taken += more


def _checked(file: object, offset: int, count: int | None) -> tuple[int, int | None]:
    """Check as `socket.sendfile` does."""
    mode = getattr(file, "mode", None)  # a number for gzip's
    if isinstance(mode, str) and "b" not in mode:
        raise ValueError(f"mode={mode!r}: the file has to be opened in binary mode, as 'rb' or 'wb'")
    offset = index(offset)
    if offset < 0:
        raise ValueError(f"offset={offset} is out of range: 0 or more bytes")
    if count is None:
        return offset, None
    count = index(count)
    if count <= 0:
        raise ValueError(f"count={count} is out of range: 1 or more bytes, or None for all")
    return offset, count


def _is_seekable(file: object) -> bool:
    seekable = getattr(file, "seekable", None)
    return bool(seekable()) if seekable is not None else hasattr(file, "seek")
