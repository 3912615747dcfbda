"""Ctrl-C at any moment of a call: the connection works on, or is broken and says so; nothing is corrupted or left."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import count
from random import Random
from types import FrameType

import pytest

from srtpy.config import Config
from srtpy.errors import ConnectionBrokenError
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import Deadline
from tests.internal.session.fakes import in_thread
from tests.threads.conftest import Connect

SIZE = 500
BUSY = Config(latency=0.02, linger=0.0)
INTERRUPTS = 150
LONGEST = 0.004  # seconds until one comes, at most
SOON = Deadline.after(0.2)


class Interrupt(KeyboardInterrupt):
    """One of ours."""


class Interrupts:
    """Raises in the main thread, once a moment after it has been asked to."""

    def __init__(self, seed: int) -> None:
        self._chance = Random(seed)
        self._has_come = True
        self.count = 0

    def raised(self, number: int, frame: FrameType | None) -> None:
        """Be the signal's handler."""
        if not self._has_come:
            self._has_come = True
            raise Interrupt

    def during(self, work: Callable[[], None]) -> None:
        """Do this again and again until it is interrupted."""
        try:
            self._has_come = False
            signal.setitimer(signal.ITIMER_REAL, self._chance.uniform(1e-5, LONGEST))
            while not self._has_come:  # nobody hears one that comes in a weak reference's callback
                work()
        except Interrupt:
            pass
        finally:
            self._has_come = True
        self.count += 1


@pytest.fixture(params=[1, 2])
def interrupts(request: pytest.FixtureRequest) -> Iterator[Interrupts]:
    interrupts = Interrupts(request.param)
    before = signal.signal(signal.SIGALRM, interrupts.raised)
    yield interrupts
    signal.signal(signal.SIGALRM, before)


def numbered(number: int) -> bytes:
    return number.to_bytes(4) * (SIZE // 4)


class Heard:
    """Reads a session to its end, on a thread of its own, and checks what it reads."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.wrong: list[str] = []
        self.last = -1
        self._thread = in_thread(self._read)

    def _read(self) -> None:
        while message := self._session.reader.read():
            check(message, self)

    def done(self) -> list[str]:
        self._thread.result()
        return self.wrong


class Seen:
    """What was read so far."""

    def __init__(self) -> None:
        self.wrong: list[str] = []
        self.last = -1


def check(message: bytes, seen: Heard | Seen) -> None:
    """Note a message that nobody has written, or that comes twice or out of order."""
    number = int.from_bytes(message[:4])
    if message != numbered(number):
        seen.wrong.append(f"{message[:12]!r}… after {seen.last}")
    elif number <= seen.last:
        seen.wrong.append(f"{number} after {seen.last}")
    seen.last = number


def test_a_call_that_is_interrupted_corrupts_nothing_and_what_is_broken_says_so_seeds_1_2(
    connect: Connect, interrupts: Interrupts
) -> None:
    numbers, ends, mine = count(1), list[Heard](), Seen()
    while interrupts.count < INTERRUPTS:
        caller, accepted = connect(BUSY)
        heard = Heard(accepted)
        ends.append(heard)
        answers = in_thread(lambda session=accepted: answer(session))  # type: ignore[misc]
        with suppress(ConnectionBrokenError):
            while interrupts.count < INTERRUPTS:
                interrupts.during(partial(talk, caller, numbers, mine))
        if caller.state is ConnState.BROKEN:
            assert "interrupted in the middle" in str(caller.engine.fate.refusal_to_read())
        caller.close()
        assert caller.state is ConnState.CLOSED
        answers.result()
        mine.last = -1
    assert [wrong for one in ends for wrong in one.done()] == mine.wrong == []


def talk(session: Session, numbers: Iterator[int], seen: Seen) -> None:
    """Write five messages in two ways, and read what has come."""
    session.writer.write(numbered(next(numbers)))
    session.writer.write_many([numbered(next(numbers)) for _ in range(4)])
    for message in session.reader.read_many(100, SOON):
        check(message, seen)


def answer(session: Session) -> None:
    """Send numbers until the other side is gone, not all at once."""
    pause = threading.Event()
    for number in range(1 << 30):
        try:
            session.writer.write(numbered(number))
        except OSError:
            return
        pause.wait(0.0005)
