"""Moving a stream from one end to another, for as long as both can be had.

Lives here: opening ends in the background, what happens while one is away (live data is
dropped and counted, other data waits), pace, the totals.
Never here: what an end is (end.py), figures on the screen and in files (figures.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Final

from srtpy.cli.end import End
from srtpy.cli.endpoints import SrtEnd
from srtpy.cli.mpegts import ClockPace

FIRST_RETRY: Final = 0.5  # seconds before the first new attempt; doubles
LONGEST_RETRY: Final = 5.0  # seconds between attempts at most
Pace = Callable[[bytes], float]


class Opening:
    """Opens an end in a thread, again and again if it may, until it is open or stopped.

    Args:
        end: what to open.
        delay: seconds before the first attempt.
        retries: whether a failure is tried again.
        say: told about failures that are tried again.
        tell: called when it is over, either way.

    Attributes:
        delay: as above.
        opened_at: when it was open, or over.
    """

    def __init__(
        self, end: End, *, delay: float, retries: bool, say: Callable[[str], None], tell: Callable[[], None]
    ) -> None:
        self.delay = delay
        self.opened_at = 0.0
        self._end = end
        self._error: BaseException | None = None
        self._is_over = threading.Event()
        self._retries = retries
        self._say = say
        self._tell = tell
        self._thread = threading.Thread(target=self._run, name="srtpy-opening", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._open()
        except BaseException as error:  # noqa: BLE001 raised to whoever waits
            self._error = error
        self.opened_at = time.monotonic()
        if self._error is None and self._end.first_open_at is None:
            self._end.first_open_at = self.opened_at
        if self._end.stop.is_set():
            self._end.close()  # it opened while we were being stopped
        self._is_over.set()
        self._tell()
        peer = self._end.peer()
        if peer:
            self._say(f"{self._end.name}: {peer}")

    def _open(self) -> None:
        wait, told = FIRST_RETRY, ""
        if self.delay:
            self._end.stop.wait(self.delay)
        while True:
            try:
                return self._end.open()
            except OSError as error:
                if not (self._retries and self._end.reopens) or self._end.stop.is_set():
                    raise
                if str(error) != told:
                    told = str(error)
                    self._say(f"{self._end.name}: {told}; trying again")
            self._end.stop.wait(wait)
            wait = min(wait * 2, LONGEST_RETRY)

    def check(self) -> None:
        """Raise what went wrong for good, if it has."""
        if self._error is not None:
            raise self._error

    def is_open(self) -> bool:
        """Say whether the end is ready; raises what went wrong for good."""
        is_over = self._is_over.is_set()
        self.check()
        return is_over


def rate_pace(bytes_per_second: float) -> Pace:
    """Return a pace of so many bytes a second."""
    gone = 0

    def due(message: bytes) -> float:
        nonlocal gone
        gone += len(message)
        return (gone - len(message)) / bytes_per_second

    return due


def clock_pace() -> Pace:
    """Return the pace of the transport stream's own clock."""
    return ClockPace().due


class Pump:
    """Reads one end and writes another until the stream is over.

    Attributes:
        messages: messages written.
        bytes: bytes written.
        taken: bytes read.
        dropped: messages of a live source that came while nobody could take them.
        interruptions: how often an end went away and was waited for.
        began: when it was made, by `time.monotonic`.
    """

    def __init__(
        self, source: End, sink: End, *, reconnects: bool, pace: Pace | None, say: Callable[[str], None]
    ) -> None:
        self.source, self.sink = source, sink
        source.say = sink.say = say
        self.messages = self.bytes = self.taken = self.dropped = self.interruptions = 0
        self.began = time.monotonic()
        self._reconnects = reconnects
        self._pace = pace
        self._paced_from: float | None = None
        self._say = say
        self._openings: dict[End, Opening] = {}
        self._news: SimpleQueue[None] = SimpleQueue()

    @property
    def flows_since(self) -> float | None:
        """Since when data could be moved, for the first time; None: not yet."""
        source, sink = self.source.first_open_at, self.sink.first_open_at
        return None if source is None or sink is None else max(source, sink)

    @property
    def given_up(self) -> int:
        """How many packets came or left too late, or never, on connections that are over."""
        return self.source.given_up + self.sink.given_up

    def run(self) -> None:
        """Move data until the source ends, or an end that may not come back goes away.

        Raises:
            OSError, ValueError: an end could not be opened, or failed for good.
        """
        self._open(self.sink)
        self._open(self.source)
        if not self.source.is_live:
            self._wait_for(self.sink)  # nothing is lost by waiting, and a sink that cannot be had is the news
        while True:
            self._wait_for(self.source)
            try:
                messages = self.source.read()
            except OSError as error:
                self._lost(self.source, error)
                continue
            if messages:
                self.taken += sum(map(len, messages))
                if self._pace is not None:
                    self._keep_pace(messages)
                self._write(messages)
            elif self._reconnects and self.source.reopens:
                self._lost(self.source, None)
            else:
                return

    def _open(self, end: End, delay: float = 0.0) -> None:
        retries = self._reconnects and end.reopens
        self._openings[end] = Opening(
            end, delay=delay, retries=retries, say=self._say, tell=partial(self._news.put, None)
        )

    def _wait_for(self, end: End) -> None:
        """Wait until an end is open; raises what went wrong for good with either."""
        while not self._openings[end].is_open():
            for opening in self._openings.values():
                opening.check()
            self._news.get()

    def _write(self, messages: list[bytes]) -> None:
        """Write to the sink; what is live is dropped while it is away, other data waits."""
        while True:
            if self.source.is_live and not self._openings[self.sink].is_open():
                self.dropped += len(messages)
                return
            self._wait_for(self.sink)
            try:
                self.sink.write(messages)
            except OSError as error:
                self._lost(self.sink, error)
            else:
                self.messages += len(messages)
                self.bytes += sum(map(len, messages))
                return

    def _lost(self, end: End, error: OSError | None) -> None:
        """Begin to get an end back, if it may come back; the next call of one that was soon lost again waits."""
        if error is not None and not (self._reconnects and end.reopens):
            raise error
        self._say(f"{end.name}: {error or 'the peer has closed'}; waiting for it to come back")
        if isinstance(end, SrtEnd):
            end.hang_up()
        self.interruptions += 1
        opening = self._openings[end]
        is_soon = end.calls and time.monotonic() - opening.opened_at < LONGEST_RETRY
        self._open(end, min(max(2 * opening.delay, FIRST_RETRY), LONGEST_RETRY) if is_soon else 0.0)

    def _keep_pace(self, messages: list[bytes]) -> None:
        assert self._pace is not None
        due = self._pace(messages[0])
        if self._paced_from is None:
            self._paced_from = time.monotonic() - due
        early = self._paced_from + due - time.monotonic()
        if early > 0:
            time.sleep(early)

    def close(self) -> None:
        """Close both ends; the sink first waits for what it still has to deliver."""
        self.source.stop.set()
        self.sink.stop.set()
        try:
            self.sink.close()
        finally:
            self.source.close()
