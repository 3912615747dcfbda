"""What a person sees while a stream runs: rows of figures, with or without colours.

Lives here: a table that grows a row a second, through `rich` on a terminal that has it,
as plain text everywhere else; formatting of rates, bytes and durations.
Never here: where the figures come from.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import Final, TextIO

HAS_RICH: Final = find_spec("rich") is not None
HEADING_EVERY: Final = 20  # plain rows between repetitions of the heading


def megabits(bytes_per_second: float) -> str:
    """Say a rate as people in the field do."""
    return f"{bytes_per_second * 8 / 1e6:.2f} Mbit/s"


def size(count: float) -> str:
    """Say a number of bytes with a unit that suits it."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.2f} TB"


def duration(seconds: float) -> str:
    """Say a duration as hours, minutes and seconds."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(int(minutes), 60)
    return f"{hours:d}:{minutes:02d}:{rest:04.1f}" if hours else f"{minutes:d}:{rest:04.1f}"


class Screen:
    """Rows under headings, and lines between them, on one stream of text.

    Args:
        columns: heading of each column and its width.
        out: where to write; standard error when None, since standard output may carry the stream.
    """

    def __init__(self, columns: Mapping[str, int], out: TextIO | None = None) -> None:
        self._out = sys.stderr if out is None else out
        self._columns = columns
        self._rows = 0
        self._is_rich = HAS_RICH and self._out.isatty()

    def row(self, values: Sequence[str]) -> None:
        """Show one row."""
        if self._rows % HEADING_EVERY == 0:
            self._line("  ".join(name.rjust(width) for name, width in self._columns.items()), "bold cyan")
        self._rows += 1
        pairs = zip(values, self._columns.values(), strict=True)
        self._line("  ".join(value.rjust(width) for value, width in pairs))

    def say(self, text: str) -> None:
        """Show a line of news."""
        self._line(text)

    def good(self, text: str) -> None:
        """Show good news."""
        self._line(text, "bold green")

    def bad(self, text: str) -> None:
        """Show bad news."""
        self._line(text, "bold red")

    def _line(self, text: str, style: str = "") -> None:
        if self._is_rich:
            _print_rich(text, style, self._out)
        else:
            print(text, file=self._out, flush=True)


if HAS_RICH:
    from rich.console import Console
    from rich.text import Text

    def _print_rich(text: str, style: str, out: TextIO) -> None:
        Console(file=out, highlight=True, soft_wrap=True).print(
            Text(text, style=style) if style else text, markup=False
        )

else:

    def _print_rich(text: str, style: str, out: TextIO) -> None:
        print(text, file=out, flush=True)
