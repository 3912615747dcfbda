"""How far a file transfer is: a bar on a terminal that has `rich`, lines everywhere else.

Lives here: rate, remaining time, when to show them.
Never here: the numbers themselves (file_outcome.py).
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self, TextIO

from srtpy.cli.file_outcome import Tally
from srtpy.cli.screen import HAS_RICH, duration, megabits, size

OFTEN: Final = 0.1  # seconds between looks at the bar
WINDOW: Final = 10.0  # seconds over which a rate is taken
LONGEST_NAME: Final = 40  # letters of a name that are shown


class Rate:
    """Bytes a second over the last seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque([(clock(), 0)])

    def note(self, moved: int) -> float:
        """Learn how many bytes have moved by now; return the rate."""
        now = self._clock()
        if moved < self._seen[-1][1]:
            # counted anew for somebody else, or what was on the way is lost: neither what was before nor what had
            # moved by then is part of the rate
            self._seen = deque([(self._seen[-1][0], moved)])
        self._seen.append((now, moved))
        while len(self._seen) > 2 and self._seen[1][0] <= now - WINDOW:
            self._seen.popleft()
        began, before = self._seen[0]
        return max(moved - before, 0) / (now - began) if now > began else 0.0


def arrived(tally: Tally) -> int:
    """Return how many bytes are at the receiver."""
    return max(tally.done - tally.afloat(), 0)


def line(tally: Tally, rate: float) -> str:
    """Return how far it is, in a line."""
    done = arrived(tally)
    share = f"{100 * done / tally.size:3.0f} %  " if tally.size else ""
    of = f" of {size(tally.size)}" if tally.size else ""
    left = max(tally.size - done, 0)
    rest = f", {duration(left / rate)} left" if left and rate else ""
    at = min(tally.whole + tally.failed + 1, tally.files)
    files = f", file {at} of {tally.files_in_words}" if tally.files > 1 else ""
    name = tally.name if len(tally.name) <= LONGEST_NAME else f"…{tally.name[1 - LONGEST_NAME :]}"
    return f"{share}{size(done)}{of}, {megabits(rate)}{rest}{files}  {name}".rstrip()


class Bar(Protocol):
    """What a terminal can do that lines cannot."""

    def start(self) -> None:
        """Begin to draw."""

    def stop(self) -> None:
        """Take it away."""

    def show(self, tally: Tally, rate: float) -> None:
        """Draw it anew."""

    def say(self, text: str) -> None:
        """Show a line above it."""


class Display:
    """What people see while it runs.

    Args:
        interval: seconds between lines where there is no bar.
        is_quiet: show no progress, only news.
        out: where to; standard error when None.
        clock: tells the time.
    """

    def __init__(
        self,
        interval: float,
        *,
        is_quiet: bool = False,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out = sys.stderr if out is None else out
        self._clock = clock
        self._is_quiet = is_quiet
        self._rate = Rate(clock)
        self._bar = _bar(self._out) if HAS_RICH and self._out.isatty() and not is_quiet else None
        self._interval = interval if self._bar is None else OFTEN
        self._due = clock() + self._interval
        self.tally = Tally(self.say, self.changed)

    def __enter__(self) -> Self:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.show(self.tally, self._rate.note(max(self.tally.moved - self.tally.afloat(), 0)))
            self._bar.stop()

    def say(self, text: str) -> None:
        """Show news."""
        if self._bar is not None:
            self._bar.say(text)
        else:
            print(text, file=self._out, flush=True)

    def changed(self) -> None:
        """Learn that a number has changed; show it if it is time."""
        now = self._clock()
        if now < self._due or self._is_quiet:
            return
        self._due = now + self._interval
        rate = self._rate.note(max(self.tally.moved - self.tally.afloat(), 0))
        if self._bar is not None:
            self._bar.show(self.tally, rate)
        else:
            print(line(self.tally, rate), file=self._out, flush=True)


if HAS_RICH:
    from rich.console import Console
    from rich.live import Live
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    class _RichBar:
        """A bar and the line under it."""

        def __init__(self, out: TextIO) -> None:
            self._console = Console(file=out, soft_wrap=True)
            self._live = Live(console=self._console, auto_refresh=False, transient=True)

        def start(self) -> None:
            """Begin to draw."""
            self._live.start()

        def stop(self) -> None:
            """Take it away."""
            self._live.stop()

        def show(self, tally: Tally, rate: float) -> None:
            """Draw it anew."""
            grid = Table.grid(padding=(0, 1))
            grid.add_row(
                ProgressBar(total=max(tally.size, 1), completed=min(arrived(tally), max(tally.size, 1)), width=30)
            )
            grid.add_row(Text(line(tally, rate)))
            self._live.update(grid, refresh=True)

        def say(self, text: str) -> None:
            """Show a line above it."""
            self._console.print(Text(text), markup=False)

    def _bar(out: TextIO) -> Bar | None:
        return _RichBar(out)

else:

    def _bar(out: TextIO) -> Bar | None:
        return None
