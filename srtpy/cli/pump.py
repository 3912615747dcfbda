"""Moving a stream from one end to another, for as long as both can be had.

Lives here: opening ends in the background, what happens while one is away (live data is
dropped and counted, other data waits), pace, the totals.
Never here: what an end is (endpoints.py), figures on the screen and in files (figures.py).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

from srtpy.cli.endpoints import End, SrtEnd
from srtpy.cli.mpegts import ClockPace

FIRST_RETRY: Final = 0.5  # seconds before the first new attempt; doubles
LONGEST_RETRY: Final = 5.0  # seconds between attempts at most
Pace = Callable[[bytes], float]


class Opening:
    """Opens an end in a thread, again and again if it may, until it is open or stopped.

    Args:
        end: what to open.
        retries: whether a failure is tried again.
        say: told about failures that are tried again.
    """

    def __init__(self, end: End, *, retries: bool, say: Callable[[str], None]) -> None:
        self.end = end
        self.error: Exception | None = None
        self.done = threading.Event()
        self._retries = retries
        self._say = say
        self._thread = threading.Thread(target=self._run, name="srtpy-opening", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        wait, told = FIRST_RETRY, ""
        while True:
            try:
                self.end.open()
                break
            except (OSError, ValueError) as error:
                if not self._retries or self.end.stop.is_set() or isinstance(error, ValueError):
                    self.error = error
                    break
                if str(error) != told:
                    told = str(error)
                    self._say(f"{self.end.name}: {told}; trying again")
            self.end.stop.wait(wait)
            wait = min(wait * 2, LONGEST_RETRY)
        if self.end.stop.is_set():
            self.end.close()  # it opened while we were being stopped
        self.done.set()

    @property
    def is_open(self) -> bool:
        """Whether the end is ready; raises what went wrong for good."""
        if not self.done.is_set():
            return False
        if self.error is not None:
            raise self.error
        return True

    def wait(self) -> None:
        """Wait until the end is open.

        Raises:
            OSError: it could not be opened.
        """
        self.done.wait()
        if self.error is not None:
            raise self.error


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
        dropped: messages of a live source that came while nobody could take them.
        reconnections: how often an end came back.
    """

    def __init__(
        self, source: End, sink: End, *, reconnects: bool, pace: Pace | None, say: Callable[[str], None]
    ) -> None:
        self.source, self.sink = source, sink
        self.messages = self.bytes = self.dropped = self.reconnections = 0
        self.began = time.monotonic()
        self._reconnects = reconnects
        self._pace = pace
        self._paced_from: float | None = None
        self._say = say

    def run(self) -> None:
        """Move data until the source ends, or an end that may not come back goes away.

        Raises:
            OSError: an end could not be opened, or failed for good.
        """
        into, out = self._opening(self.sink), self._opening(self.source)
        if not self.source.is_live:
            into.wait()  # nothing is lost by waiting, and a sink that cannot be had is the news
        while True:
            out.wait()
            try:
                messages = self.source.read()
            except OSError as error:
                out = self._lost(self.source, error)
                continue
            if not messages:
                if not (self._reconnects and self.source.reopens):
                    return
                out = self._lost(self.source, None)
                continue
            if self._pace is not None:
                self._keep_pace(messages)
            into = self._write(messages, into)

    def _opening(self, end: End) -> Opening:
        return Opening(end, retries=self._reconnects and end.reopens, say=self._say)

    def _write(self, messages: list[bytes], into: Opening) -> Opening:
        """Write to the sink, or drop what is live while it is away; return how the sink stands."""
        if not into.is_open:
            if self.source.is_live:
                self.dropped += len(messages)
                return into
            into.wait()
        try:
            self.sink.write(messages)
        except OSError as error:
            return self._lost(self.sink, error)
        self.messages += len(messages)
        self.bytes += sum(map(len, messages))
        return into

    def _lost(self, end: End, error: OSError | None) -> Opening:
        """Begin to get an end back, if it may come back."""
        if error is not None and not (self._reconnects and end.reopens):
            raise error
        self._say(f"{end.name}: {error or 'the peer has closed'}; waiting for it to come back")
        if isinstance(end, SrtEnd):
            end.hang_up()
        self.reconnections += 1
        return self._opening(end)

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
        self.sink.close()
        self.source.close()
