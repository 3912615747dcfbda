"""Moving data between two ends that do as the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from srtpy.cli.end import End
from srtpy.cli.pump import LONGEST_RETRY, Pump
from tests.internal.session.fakes import in_thread


class Stop(threading.Event):
    """Remembers how long it was waited for, and lets nobody wait."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        return self.is_set()


class Scripted(End):
    """Opens, reads and writes as it is told, one step after another; an exception is raised."""

    def __init__(self, name: str, **nature: bool) -> None:
        super().__init__(name)
        self.stop: Stop = Stop()
        self.is_live = nature.get("is_live", False)
        self.reopens = nature.get("reopens", False)
        self.calls = nature.get("calls", False)
        self.opens: list[Exception | threading.Event | None] = []
        self.reads: list[Exception | list[bytes]] = []
        self.failures: list[Exception] = []
        self.written: list[bytes] = []
        self.opened = 0

    def open(self) -> None:
        step = self.opens.pop(0) if self.opens else None
        if isinstance(step, threading.Event):
            assert step.wait(30)
        elif step is not None:
            raise step
        self.opened += 1

    def read(self) -> list[bytes]:
        step = self.reads.pop(0) if self.reads else []
        if isinstance(step, Exception):
            raise step
        return step

    def write(self, messages: list[bytes]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.written += messages


def pump(source: End, sink: End, say: Callable[[str], None] = lambda text: None, reconnects: bool = True) -> Pump:
    return Pump(source, sink, reconnects=reconnects, pace=None, say=say)


def test_from_one_end_to_the_other() -> None:
    source, sink = Scripted("source"), Scripted("sink")
    source.reads = [[b"ab"], [b"c", b"d"]]
    moved = pump(source, sink)
    moved.run()
    assert sink.written == [b"ab", b"c", b"d"]
    assert (moved.messages, moved.bytes, moved.dropped, moved.interruptions) == (3, 4, 0, 0)
    assert moved.taken == 4


def test_time_counts_once_both_ends_are_there() -> None:
    source, sink = Scripted("source"), Scripted("sink", reopens=True)
    source.reads = [[b"a"], [b"b"]]
    sink.failures = [BrokenPipeError("the peer has closed")]
    caller = threading.Event()
    sink.opens = [caller]
    moved = pump(source, sink)
    running = in_thread(moved.run)
    assert moved.flows_since is None
    there = time.monotonic()
    caller.set()
    running.result()
    assert moved.flows_since is not None
    assert moved.began <= there <= moved.flows_since
    assert (sink.opened, moved.flows_since) == (2, max(source.first_open_at or 0, sink.first_open_at or 0))


@pytest.mark.parametrize("which", ["source", "sink"])
@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("error", [FileNotFoundError("gone"), ValueError("wrong"), RuntimeError("a bug")])
def test_an_end_that_cannot_be_had_ends_the_wait_for_the_other(which: str, is_live: bool, error: Exception) -> None:
    gate = threading.Event()
    ends = {"source": Scripted("source", is_live=is_live), "sink": Scripted("sink")}
    for name, end in ends.items():
        end.opens = [error if name == which else gate]
    with pytest.raises(type(error)):
        pump(ends["source"], ends["sink"]).run()
    gate.set()


def test_what_is_not_live_is_written_again_when_the_sink_is_back() -> None:
    source, sink = Scripted("source"), Scripted("sink", reopens=True)
    source.reads = [[b"first"], [b"second"]]
    sink.failures = [BrokenPipeError("the peer has closed")]
    said: list[str] = []
    moved = pump(source, sink, said.append)
    moved.run()
    assert sink.written == [b"first", b"second"]
    assert (moved.messages, moved.dropped, moved.interruptions) == (2, 0, 1)
    assert said == ["sink: the peer has closed; waiting for it to come back"]


def test_what_is_live_is_dropped_and_counted_while_the_sink_is_away() -> None:
    source, sink = Scripted("source", is_live=True), Scripted("sink", reopens=True)
    back = threading.Event()
    sink.opens = [None, back]
    sink.failures = [BrokenPipeError("the peer has closed")]
    moved = pump(source, sink)
    steps = iter([[b"lost", b"lost too"], [b"lost as well"], []])

    def read() -> list[bytes]:
        while not sink.opened:
            pass
        return next(steps)

    source.read = read  # type: ignore[method-assign]
    moved.run()
    back.set()
    assert (sink.written, moved.dropped) == ([], 3)


def test_a_failure_that_may_pass_is_told_once_and_tried_again_less_and_less_often() -> None:
    source, sink = Scripted("source", reopens=True, is_live=True), Scripted("sink")
    source.opens = [OSError("no answer") for _ in range(6)]
    said: list[str] = []
    moved = pump(source, sink, said.append)
    moved._open(source)
    moved._wait_for(source)
    assert source.stop.waits == [0.5, 1, 2, 4, LONGEST_RETRY, LONGEST_RETRY]
    assert said == ["source: no answer; trying again"]


def test_an_end_that_finds_out_it_cannot_be_had_is_not_tried_again() -> None:
    class Hopeless(Scripted):
        def open(self) -> None:
            self.reopens = False
            raise OSError("the port is taken")

    moved = pump(Hopeless("source", reopens=True, is_live=True), Scripted("sink"))
    with pytest.raises(OSError, match="the port is taken"):
        moved.run()


def test_ends_can_say_what_they_wait_for() -> None:
    source, sink, said = Scripted("source"), Scripted("sink"), list[str]()
    pump(source, sink, said.append)
    source.say("waiting")
    sink.say("waiting too")
    assert said == ["waiting", "waiting too"]


@pytest.mark.parametrize(("calls", "waits"), [(True, [0.5, 1, 2, 4, 5, 5]), (False, [])])
def test_a_peer_that_takes_calls_and_hangs_up_at_once_is_not_called_in_a_loop(calls: bool, waits: list[float]) -> None:
    source = Scripted("source", is_live=True, reopens=True, calls=calls)
    sink = Scripted("sink")
    source.reads += [OSError("over")] * 6
    source.reads += [RuntimeError("enough")]
    moved = pump(source, sink)
    with pytest.raises(RuntimeError, match="enough"):
        moved.run()
    assert source.stop.waits == waits
    assert moved.interruptions == 6


def test_without_reconnecting_the_first_loss_is_the_end() -> None:
    source, sink = Scripted("source", is_live=True, reopens=True), Scripted("sink")
    source.reads = [[b"x"], ConnectionResetError("silence")]
    with pytest.raises(ConnectionResetError):
        pump(source, sink, reconnects=False).run()
    source.reads = [[b"x"]]
    pump(source, sink, reconnects=False).run()


def test_a_sink_that_cannot_be_closed_well_does_not_keep_the_source_open() -> None:
    closed: list[str] = []

    class Closing(Scripted):
        def close(self) -> None:
            closed.append(self.name)
            if self.name == "sink":
                raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        pump(Closing("source"), Closing("sink")).close()
    assert closed == ["sink", "source"]
