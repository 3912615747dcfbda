"""What becomes of connections and listeners that nobody closed.

Lives here: ending them when they are collected.
Never here: the warning about it (conn.py, listener.py), what is open when the interpreter exits
(session.registry shuts it down).
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable


def end_unclosed(*ends: Callable[[], object]) -> None:
    """Call `ends` on a thread of their own: who collects may hold the very locks that they want.

    Not once the interpreter is on its way out: what is open has been shut down by then, and a thread that is started
    never runs, while `Thread.start` waits for it for ever.
    """
    if sys.is_finalizing():
        return
    with contextlib.suppress(RuntimeError):
        threading.Thread(target=lambda: [end() for end in ends], name="srt-unclosed", daemon=True).start()
