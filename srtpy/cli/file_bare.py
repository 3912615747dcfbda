"""Single files without a conversation, as srt-file-transmit has it: the bytes, and the end of the connection.

Lives here: sending and receiving such a file, what it is called when it goes into a folder.
Never here: finding out that the other side has no conversation (file_carrying.py).
Source: srt-file-transmit.

There is no checksum, no going on after a loss, and nothing tells a file from the first half of one whose sender was
stopped: closing is closing.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from math import inf
from typing import Final, Protocol

import srtpy
from srtpy.cli.file_carrying import Lost, Stream, judged, next_bytes
from srtpy.cli.file_digests import TooShort
from srtpy.cli.file_names import UnsafeName, partial_name, parts_of, shown
from srtpy.cli.file_outcome import MEANING, Status, Tally, TransferError
from srtpy.cli.file_sources import Entry, Source
from srtpy.cli.file_store import Incoming, Refused, Store, refusal
from srtpy.cli.file_words import Verdict

PIECE: Final = 1 << 18  # bytes written at once
PACKET: Final = 1456  # bytes of a full packet
LOOK: Final = 0.02  # seconds between looks at what is not acknowledged yet
PERMISSIONS: Final = 0o666
STOPPED: Final = "a file without checksum is not gone on with: run both commands again, and it will begin anew"


class Draining(Stream, Protocol):
    """A connection that can say what is still on its way."""

    @property
    def state(self) -> srtpy.ConnState:
        """Where it stands."""

    def get_option(self, option: srtpy.SockOpt) -> object:
        """Return an option's value."""


def send_bare(stream: Draining, entry: Entry, tally: Tally) -> None:
    """Send a file's bytes and wait until the other side has acknowledged them.

    Raises:
        TransferError: it cannot be done; the other side may take what it has for all of it.
        KeyboardInterrupt: it was stopped; with what that means.
    """
    try:
        source = Source(entry)
    except OSError as error:
        raise TransferError(Status.SOURCE, f"{entry.path}: {error.strerror or error}") from None
    try:
        tally.begin(entry.index, entry.name, 0)
        with judged():
            for piece in iter(lambda: source.read(PIECE), b""):
                stream.write(piece)
                tally.move(entry.index, len(piece))
            _drain(stream, tally)
        tally.complete(entry.index)
    except Lost as lost:
        raise TransferError(Status.INTERRUPTED, f"interrupted: {lost}; a bare file is not gone on with") from None
    except TooShort:
        raise TransferError(Status.SOURCE, f"{entry.path}: the file has shrunk while it was sent") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(STOPPED) from None
    finally:
        source.close()


def afloat(stream: Draining) -> int:
    """Return about how many bytes the other side has not acknowledged."""
    try:
        packets = int(str(stream.get_option(srtpy.SockOpt.SND_DATA)))
    except srtpy.SRTError:  # closed
        return 0
    return packets * PACKET


def _drain(stream: Draining, tally: Tally) -> None:
    while stream.get_option(srtpy.SockOpt.SND_DATA):
        if stream.state is not srtpy.ConnState.CONNECTED:
            raise Lost("the other side has closed the connection before it had everything")
        tally.tick()
        time.sleep(LOOK)


def bare_name(single: str | None, stream_id: str, now: time.struct_time) -> str:
    """Return what a bare file is called here.

    It is what its receiver said, else the last part of the stream id, where srt-file-transmit has the file's name
    if it is quick enough, else the time.
    """
    if single is not None:
        return single
    try:
        wanted = srtpy.parse_stream_id(stream_id).resource_name
        return parts_of(os.fsencode(wanted.rpartition("/")[2]))[0]
    except (UnsafeName, ValueError):
        return time.strftime("received-%Y%m%d-%H%M%S", now)


def receive_bare(stream: Stream, store: Store, name: str, start: bytes, *, is_all: bool, tally: Tally) -> None:
    """Receive a file's bytes until the other side closes.

    Args:
        stream: the connection.
        store: where to.
        name: what to call it.
        start: what has been read already.
        is_all: that was all.
        tally: told of it.

    Raises:
        TransferError: it cannot be done.
        KeyboardInterrupt: it was stopped; with what that means.
    """
    try:
        if not store.replaces and store.existing((name,)) is not None:
            raise Refused(Verdict.EXISTS)
        incoming = store.grow((name,))
        tally.expect(1, 0)
        tally.begin(0, name, 0)
        try:
            _fill(stream, incoming, start, is_all, lambda count: tally.move(0, count))
            incoming.finish(store.permissions(PERMISSIONS), time.time_ns(), replaces=store.replaces)
        finally:
            incoming.close()
    except Lost as lost:
        raise TransferError(
            Status.INTERRUPTED, f"interrupted: {lost}; what has come of {name} is kept under a hidden name"
        ) from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt(STOPPED) from None
    except (Refused, OSError) as error:
        verdict = refusal(error)
        stream.send_peer_error()
        status, text = MEANING[verdict]
        if verdict is Verdict.NO_ROOM:
            text = f"the receiver's disk has no room for it; what came takes room there as {partial_name(name)}"
        raise TransferError(status, f"{shown(name)}: {text}") from None
    tally.complete(0)


def _fill(stream: Stream, incoming: Incoming, data: bytes, is_all: bool, moved: Callable[[int], None]) -> None:
    while data:
        incoming.write(data)
        moved(len(data))
        if is_all:
            return
        with judged():
            data = next_bytes(stream, inf) or b""
