"""Keeping a stream on time in a busy Python process.

Lives here: `low_latency`, which shortens the interpreter's switch interval.
Never here: SRT's latency, which is a field of `Config`.
"""

from __future__ import annotations

import sys
from types import TracebackType


class low_latency:  # noqa: N801 - a call for what it does; a class only to serve `with` too
    """Let threads take turns more often, so that a busy thread does not hold up a stream.

    A thread that computes in Python keeps the interpreter for 5 ms at a time by default, and everything SRT
    does in this process waits that long.  Call it for the whole process, or use it in a `with` statement, which
    restores what was set before.  A program that only waits and forwards does not need it.

    Args:
        switch_interval: seconds, as for `sys.setswitchinterval`.

    Raises:
        ValueError: not more than zero.
    """

    def __init__(self, switch_interval: float = 0.0005) -> None:
        self._before = sys.getswitchinterval()
        sys.setswitchinterval(switch_interval)

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        sys.setswitchinterval(self._before)
