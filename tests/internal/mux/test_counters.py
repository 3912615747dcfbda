"""Telling a peer's refusal from other complaints, from many threads at once."""

from __future__ import annotations

import errno
from threading import Barrier, Thread

from srtpy.internal.clock.monotonic import now
from srtpy.internal.mux.counters import MuxCounters


def test_a_refusal_is_counted_with_its_time() -> None:
    counters, before = MuxCounters(), now()
    counters.note_error(ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"))
    assert (counters.refusals, counters.errors) == (1, 0)
    assert before <= counters.refused_at <= now()


def test_other_complaints_leave_their_words() -> None:
    counters = MuxCounters()
    counters.note_error(OSError(errno.ENETUNREACH, "Network is unreachable"))
    counters.note_error(OSError("only words"))
    assert (counters.refusals, counters.errors, counters.last_error) == (0, 2, "only words")


def test_no_count_is_lost_between_threads() -> None:
    counters, gate = MuxCounters(), Barrier(4)

    def count() -> None:
        gate.wait()
        for _ in range(500):
            counters.note_unsent(2)

    threads = [Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert counters.unsent == 4000
