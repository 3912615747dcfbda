"""What the two threads of a session run, and what the socket's thread runs for it.

Lives here: the receiver's loop (asleep until the inbox rings), the timer's loop (asleep
until the core's next deadline), and `tend`, which spares both where there is little to do,
or a file comes.
Never here: starting and ending threads (session.py), what a turn of the core is (engine.py),
what is taken from the inbox (intake.py).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty

from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, SECOND, Micros
from srtpy.internal.session.engine import Engine


def receive_loop(engine: Engine) -> None:
    """Feed the core with what arrives until None arrives.  Runs on the receiver thread."""
    intake, wait = engine.intake, engine.intake.inbox.wait
    patience: float | None = None
    while not intake.is_ended:
        with suppress(Empty):  # then something is due
            wait(patience)
        with engine.lock:
            sleep = engine.receive(monotonic_now())
        patience = None if sleep == NEVER else sleep / SECOND


def tend(engine: Engine, now: Micros) -> None:
    """Do what the two would be woken for.  Runs on the socket's thread, which waits for nobody."""
    intake, lock = engine.intake, engine.lock
    if not lock.acquire(blocking=False):
        intake.inbox.ring()  # who holds it may have looked already
        return
    try:
        engine.visit(now)
    except Exception as error:  # noqa: BLE001 raised again on the receiver thread
        intake.failure = error
        intake.inbox.ring()
    finally:
        lock.release()


def timer_loop(engine: Engine, tell: Callable[[str], None]) -> None:
    """Serve the core's deadlines until it is finished.  Runs on the timer thread.

    `tell` is given, without the lock, what people should know of.
    """
    fate = engine.fate

    def look(now: Micros) -> Micros | None:
        while not fate.is_finished and not fate.untold:
            duty = engine.next_duty(now)
            if duty > now:
                return engine.leave(now)
            engine.turn(now)
            now = monotonic_now()
        return None

    while not fate.is_finished:
        engine.sooner.wait_for(look)
        while fate.untold:
            tell(fate.untold.pop(0))
