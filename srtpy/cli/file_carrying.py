"""Conversations over connections: reading and writing in turn, and beginning again after a loss.

Lives here: the loops of both sides, the wait for a greeting, patience, what ends a connection and what a transfer.
Never here: what is said (file_sending.py, file_receiving.py), bare files (file_bare.py), making connections
(file_line.py).
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from typing import Final, Protocol, TypeVar

import srtpy
from srtpy.cli.file_greeting import NONCE, NotGreeted, OpeningReader, hello
from srtpy.cli.file_outcome import Status, Tally, TransferError
from srtpy.cli.file_receiving import ReceivingTalk, Reception
from srtpy.cli.file_sending import Parcel, SendingTalk
from srtpy.cli.file_words import MalformedFrame

READ: Final = 1 << 20  # bytes taken at once
TICK: Final = 0.5  # seconds between looks at how far it is while nothing is heard
LAST_WORDS: Final = 2.0  # seconds for the other side to confirm a farewell that changes nothing

AGAIN: Final = "run both commands again to go on"
LEFT: Final = "the other side came and left without a word"


class Stream(Protocol):
    """What a connection in file mode does, as far as it matters here."""

    def read(self, size: int = -1) -> bytes:
        """Wait for bytes; b"" at the end."""

    def write(self, data: bytes) -> int:
        """Write all of it."""

    def set_read_deadline(self, t: float | None) -> None:
        """Let reads wait until then."""

    def send_peer_error(self, code: int = ...) -> None:
        """Tell the other side that we failed."""


StreamT = TypeVar("StreamT", bound=Stream)


class Lost(Exception):
    """The connection is gone; another may go on."""


class Stranger(Lost):
    """Whoever called has left without a word: nothing has begun."""


class NobodyGreets(Exception):
    """The other side does not speak our conversation, or not yet."""


class BareFile(Exception):
    """The other side just sends a file.

    Attributes:
        start: the bytes of it that have been read.
        is_all: there are no more.
    """

    def __init__(self, start: bytes, *, is_all: bool) -> None:
        super().__init__("a file without a word")
        self.start = start
        self.is_all = is_all


class Patience:
    """How long to wait for somebody who is away; renewed whenever there is progress.

    Args:
        seconds: how long in all without progress.
        clock: tells the time.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.seconds = seconds
        self._clock = clock
        self._progress: object = None
        self._limit: float | None = None

    def note(self, progress: object) -> None:
        """Begin to wait, with all of the patience if there was progress since the last time."""
        if self._limit is None or progress != self._progress:
            self._limit = self._clock() + self.seconds
        self._progress = progress

    @property
    def limit(self) -> float | None:
        """Until when to wait; None while nothing has been lost."""
        return self._limit

    @property
    def is_exhausted(self) -> bool:
        """Whether it is time to give up."""
        return self._limit is not None and self._clock() >= self._limit


@contextlib.contextmanager
def judged() -> Iterator[None]:
    """Turn what connections and conversations raise into what it means for a transfer."""
    try:
        yield
    except srtpy.PeerError as error:
        raise TransferError(Status.DISK, f"the other side reports that its disk failed (error {error.code})") from None
    except srtpy.SRTError as error:
        raise Lost(str(error)) from None
    except NotGreeted as error:
        raise TransferError(Status.PROTOCOL, str(error)) from None
    except MalformedFrame as error:
        raise TransferError(Status.PROTOCOL, f"the other side does not keep to the conversation: {error}") from None


class Connecting(Protocol[StreamT]):
    """What makes connections.

    Attributes:
        listens: strangers may call, and leave again before the transfer begins.
    """

    listens: bool

    def connect(self, limit: float | None) -> StreamT:
        """Make a connection, until an instant at most."""

    def hang_up(self, stream: StreamT, *, at_once: bool = False) -> None:
        """Close one; `at_once`: what is on its way need not arrive."""


def persist(
    line: Connecting[StreamT],
    attempt: Callable[[StreamT], None],
    tally: Tally,
    patience: Patience,
    say: Callable[[str], None],
) -> None:
    """Attempt until it succeeds, over one connection after the other.

    Args:
        line: makes them.
        attempt: does it; raises `Lost` when the connection is gone.
        tally: changes when something has been achieved.
        patience: how long to go on without.
        say: told of losses.

    Raises:
        TransferError: it cannot succeed, or patience is at its end.
    """
    while True:
        stream = _connected(line, patience)
        try:
            attempt(stream)
            return
        except Lost as lost:
            if line.listens and patience.limit is None and isinstance(lost, Stranger):
                say(str(lost))
                continue
            patience.note((tally.moved, tally.whole, tally.failed, tally.open))
            if patience.is_exhausted:
                raise TransferError(Status.INTERRUPTED, f"interrupted: {lost}; {AGAIN}") from None
            say(f"{lost}; trying for {patience.seconds:g} s to go on")
        except KeyboardInterrupt:
            line.hang_up(stream, at_once=True)
            raise
        finally:
            line.hang_up(stream)


def _connected(line: Connecting[StreamT], patience: Patience) -> StreamT:
    try:
        return line.connect(patience.limit)
    except TransferError as error:
        if patience.limit is None or error.status is not Status.UNREACHABLE:
            raise
        raise TransferError(Status.INTERRUPTED, f"the other side did not come back: {error}; {AGAIN}") from None


def next_bytes(stream: Stream, limit: float) -> bytes | None:
    """Return what arrives until that instant, b"" at the end; None if nothing does.

    It waits in steps: a signal that comes just before a wait without end would not be heeded until its end.
    """
    while True:
        stream.set_read_deadline(min(limit, time.monotonic() + TICK))
        try:
            return stream.read(READ)
        except TimeoutError:
            if time.monotonic() >= limit:
                return None


def _hear(stream: Stream, limit: float) -> bytes | None:
    """Return what arrives until then; None if nothing does; raises `Lost` at the end."""
    data = next_bytes(stream, limit)
    if data == b"":
        raise Lost("the other side has closed the connection")
    return data


def send_parcel(stream: Stream, parcel: Parcel, greeting: float) -> None:
    """Send what is not settled yet over one connection.

    Args:
        stream: the connection.
        parcel: what there is to send.
        greeting: seconds to wait for the other side's greeting.

    Raises:
        NobodyGreets: there was none; nothing has been sent.
        Lost, TransferError: as they say.
    """
    talk = SendingTalk(parcel)
    try:
        with judged():
            limit = time.monotonic() + greeting
            while not talk.is_greeted:
                try:
                    data = _hear(stream, limit)
                except Lost:
                    raise Stranger(LEFT) from None
                if data is None:
                    raise NobodyGreets()
                talk.receive(data)
            _send(stream, talk, parcel.tally)
    except Lost:
        if not talk.is_settled:
            raise
    finally:
        talk.close()


def _send(stream: Stream, talk: SendingTalk, tally: Tally) -> None:
    until = float("inf")
    while not talk.is_over and time.monotonic() < until:
        said = talk.next_data()
        if said:
            stream.write(said)
        heard = _hear(stream, time.monotonic() + (0.0 if said else TICK))
        if heard is not None:
            talk.receive(heard)
        elif not said:
            tally.tick()
        if talk.is_settled:
            until = min(until, time.monotonic() + LAST_WORDS)


def receive_parcel(stream: Stream, reception: Reception, *, greets: bool, silence: float) -> None:
    """Receive over one connection what the other side sends.

    Args:
        stream: the connection.
        reception: where to, and what has come before.
        greets: whether to speak first.
        silence: seconds after which a peer that says nothing at first is given up.

    Raises:
        BareFile: the other side sends a file without a word.
        Lost, TransferError: as they say.
    """
    with judged():
        nonce = secrets.token_bytes(NONCE)
        rest = _opening(stream, reception, nonce if greets else b"", silence)
        talk = ReceivingTalk(reception, nonce)
        try:
            _receive(stream, talk, reception.tally, rest)
        except (Lost, srtpy.SRTError):
            if not reception.tally.is_settled:
                raise
        finally:
            talk.close()


def _opening(stream: Stream, reception: Reception, nonce: bytes, silence: float) -> bytes:
    """Hear who sends, and return what comes after the first words; without a nonce, do not greet."""
    reader = OpeningReader(nonce)
    if nonce:
        with contextlib.suppress(srtpy.SRTError):  # a short file may have come, and its sender gone, before
            stream.write(hello(nonce))
    limit = time.monotonic() + silence
    while True:
        try:
            data = _hear(stream, limit)
        except Lost:
            start = reader.end()
            if start or not nonce:
                raise BareFile(start, is_all=True) from None
            raise Stranger(LEFT) from None
        if data is None:
            raise Stranger(f"the other side said nothing for {silence:g} s")
        rest = reader.feed(data) if nonce else data
        if reader.is_bare or not nonce:
            raise BareFile(rest, is_all=False)
        if reader.opening is not None:
            reception.open(reader.opening)
            return rest


def _receive(stream: Stream, talk: ReceivingTalk, tally: Tally, data: bytes | None) -> None:
    while True:
        try:
            talk.receive(data or b"")
        finally:
            said = talk.take_said()
            if said:
                stream.write(said)
        if talk.failure is not None:
            stream.send_peer_error()
            raise talk.failure
        if talk.is_over:
            return
        data = _hear(stream, time.monotonic() + TICK)
        if data is None:
            tally.tick()
