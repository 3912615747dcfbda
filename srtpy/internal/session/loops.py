"""What the two threads of a session run.

Lives here: the receiver's loop (everything that waits goes into the core at once) and
the timer's loop (asleep until the core's next deadline).
Never here: starting and ending threads (session.py), what a turn of the core is (engine.py).
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import Micros
from srtpy.internal.mux.routes import Inbox
from srtpy.internal.packet.batch import Batch
from srtpy.internal.session.engine import Engine

MOST_AT_ONCE: Final = 64  # ours: batches one lock takes in, about 3 ms of work; then others have their turn


def receive_loop(engine: Engine, inbox: Inbox) -> None:
    """Feed the core with what arrives until None arrives.  Runs on the receiver thread."""
    while True:
        items = [inbox.get()]
        # nobody else takes from it: what is counted is there
        items += [inbox.get() for _ in range(min(inbox.qsize(), MOST_AT_ONCE))]
        batches = [item[0] for item in items if item is not None]
        if len(batches) > 1:
            batches = joined(batches)
        if batches:
            with engine.lock:
                take_in(engine, batches)
        if None in items:
            return


def take_in(engine: Engine, batches: list[Batch]) -> None:
    """Give the core what has arrived, serve what is due meanwhile, and flush.  Needs the lock."""
    if engine.fate.is_finished:
        return
    core = engine.core
    now = monotonic_now()
    for batch in batches:
        core.receive_datagrams(batch, now)
    engine.turn(now)


def joined(batches: list[Batch]) -> list[Batch]:
    """Join neighbours of one stride, in order: the core's work is by the batch, far more than by the packet."""
    result: list[Batch] = []
    start = 0
    while start < len(batches):
        first = batches[start]
        end = start + 1
        # a batch with a shorter last datagram can only be the end of a longer one
        while (
            end < len(batches)
            and batches[end].stride == first.stride
            and len(batches[end - 1].data) % first.stride == 0
        ):
            end += 1
        if end - start == 1:
            result.append(first)
        else:
            result.append(Batch(b"".join([batch.data for batch in batches[start:end]]), first.stride))
        start = end
    return result


def timer_loop(engine: Engine) -> None:
    """Serve the core's deadlines until it is finished.  Runs on the timer thread."""

    def look(now: Micros) -> Micros | None:
        while not engine.fate.is_finished:
            duty = engine.next_duty(now)
            if duty > now:
                return duty
            engine.turn(now)
            now = monotonic_now()
        return None

    engine.sooner.wait_for(look)
