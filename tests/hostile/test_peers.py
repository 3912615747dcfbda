"""Rows 22 to 27: peers that take and do not give, that come and go; time that jumps; applications that misbehave."""

from __future__ import annotations

import ast
import contextlib
import gc
import itertools
import logging
import statistics
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

import srtpy
from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.units import SECOND
from srtpy.internal.core.events import Broken
from srtpy.internal.handshake import answers
from srtpy.internal.packet.handshake import Handshake
from srtpy.internal.packet.header import HEADER_SIZE, ControlType
from srtpy.internal.session import accepting as accepting_room
from srtpy.internal.session.judging import MOST_JUDGES
from tests.hostile.peers import Footprint, MadPeer, Stranger, conclusion, streams
from tests.house.sources import parsed, python_files, relative
from tests.internal.session.fakes import in_thread, until
from tests.sim.link import Link
from tests.sim.pair import NEAR_THE_WRAP, Birth, connected
from tests.sim.telling import Stream, both_roles

QUICK = Config(linger=0.0)
LATENCY = 1.0  # of streams that must arrive whole though a machine stands still
LATE = LATENCY + 2.0
LIMIT = 100

# ---- row 22


def test_row_22_a_peer_that_never_acknowledges_is_met_with_back_pressure() -> None:
    """The application waits, or is told so; memory does not grow."""
    patient = Config(snd_drop_delay=-1, peer_idle_timeout=60.0, linger=0.0)  # however slowly this machine writes
    with (
        srtpy.listen(("127.0.0.1", 0), patient) as listener,
        MadPeer(listener.local_addr) as peer,
        listener.accept() as conn,
    ):
        conn.settimeout(1.0)
        before, taken = Footprint.now(), 0
        with contextlib.suppress(srtpy.DeadlineError):
            while taken < 50_000:
                conn.write(bytes(1316))
                taken += 1
                if taken % 256 == 0:
                    peer.swallow()
        assert Config().send_buf_size <= taken < 50_000
        assert conn.stats().send_buf_size <= Config().send_buf_size
        before.assert_not_outgrown(32)


def test_row_22_what_nobody_acknowledges_is_dropped_when_it_is_too_late(listener: srtpy.Listener) -> None:
    """Live: the stream goes on with the present, and an end is put to a peer that has fallen silent."""
    with MadPeer(listener.local_addr) as peer, listener.accept() as conn:

        def goes_on() -> bool:
            for _ in range(20):
                conn.write(bytes(1316))
            peer.send(peer.control(ControlType.KEEPALIVE))
            peer.swallow()
            threading.Event().wait(0.01)
            stats = conn.stats()
            return stats.sent_dropped > 1000 and stats.ms_snd_buf < 1500

        until(goes_on)
        assert conn.state == srtpy.ConnState.CONNECTED


def test_row_22_a_peer_that_never_reads_closes_its_window_and_costs_no_memory() -> None:
    config = Config(tlpktdrop=False, snd_drop_delay=-1, latency=0.02, linger=0.0, recv_buf_size=500, fc=500)
    with ExitStack() as stack:
        listener = stack.enter_context(srtpy.listen(("127.0.0.1", 0), config))
        source = stack.enter_context(srtpy.dial(listener.local_addr, config))
        sink = stack.enter_context(listener.accept())
        before, taken = Footprint.now(), 0
        source.settimeout(1.0)
        with contextlib.suppress(srtpy.DeadlineError):
            while taken < 50_000:
                source.write(bytes(1316))
                taken += 1
        assert config.send_buf_size <= taken < 50_000
        assert sink.stats().recv_buf_size <= 500
        assert source.stats().send_buf_size <= config.send_buf_size
        before.assert_not_outgrown(32)
        sink.settimeout(30)
        for _ in range(600):
            assert len(sink.read()) == 1316
        source.settimeout(30)
        source.write(bytes(1316))


# ---- row 23


def test_row_23_a_publisher_that_only_keeps_alive_is_shown_the_door() -> None:
    with (
        srtpy.listen(("127.0.0.1", 0), data_idle_timeout=0.5, linger=0.0) as listener,
        MadPeer(listener.local_addr) as peer,
        listener.accept() as conn,
    ):
        begun = time.monotonic()
        reading = in_thread(conn.read)
        while not reading.is_done:
            peer.send(peer.control(ControlType.KEEPALIVE), peer.control(ControlType.ACKACK, 5))
            threading.Event().wait(0.05)
        with pytest.raises(srtpy.ConnectionBrokenError, match="data_idle_timeout"):
            reading.result()
        assert time.monotonic() - begun > 0.4


def test_row_23_a_slow_publisher_and_a_patient_listener_stay_together(listener: srtpy.Listener) -> None:
    """Without the setting keepalives are enough; with it, a little data is."""
    with srtpy.listen(("127.0.0.1", 0), data_idle_timeout=1.5, linger=0.0) as strict, ExitStack() as stack:
        pairs = []
        for one in (listener, strict):
            peer = stack.enter_context(MadPeer(one.local_addr))
            pairs.append((peer, stack.enter_context(one.accept())))
        begun, number = time.monotonic(), 0
        while time.monotonic() < begun + 2.0:
            pairs[1][0].send(pairs[1][0].packet(number, b"x"))
            number += 1
            for peer, _ in pairs:
                peer.send(peer.control(ControlType.KEEPALIVE))
            threading.Event().wait(0.2)
        assert [conn.state for _, conn in pairs] == [srtpy.ConnState.CONNECTED] * 2


# ---- row 24


def test_row_24_socket_ids_cannot_be_guessed_from_others(listener: srtpy.Listener) -> None:
    with Stranger(listener.local_addr) as stranger:
        cookie, ids = stranger.cookie(), []
        for number in range(1, 65):
            answer = Handshake.decode(stranger.answer(conclusion(cookie, number))[HEADER_SIZE:])
            ids.append(answer.socket_id)
            listener.accept().close()
            stranger.heard()
    assert len(set(ids)) == 64
    assert all(0 < one <= 0x3FFFFFFF for one in ids)
    steps = [later - sooner for sooner, later in itertools.pairwise(ids)]
    assert statistics.median(map(abs, steps)) > 1 << 24
    assert 15 < sum(step > 0 for step in steps) < 48


def test_row_24_data_to_guessed_ids_reaches_nobody(listener: srtpy.Listener) -> None:
    """From strangers and from the peer itself: to id 0, to random ones, and to the right one from elsewhere."""
    with streams(listener, 1, 200.0, latency=LATENCY) as (stream,), Stranger(listener.local_addr) as stranger:
        before = Footprint.now()
        right = stream.sink.socket_id
        for number in range(20_000):
            head = [number & 0x7FFFFFFF, 0xE0000001, 0, (0, right, right ^ number + 1, number * 40_503)[number % 4]]
            stranger.send(b"".join((word & 0xFFFFFFFF).to_bytes(4, "big") for word in head) + b"guess")
        counters = listener._accepting._mux.counters
        until(lambda: min(counters.unknown, counters.wrong_source, counters.unheard) > 1000)
        before.assert_not_outgrown(16)
    stream.assert_whole(in_time=LATE)


# ---- row 25


@pytest.mark.slow
def test_row_25_ten_thousand_connections_come_and_go(listener: srtpy.Listener) -> None:
    """By hand, which is quicker, and from one port each hundred: nothing grows but the bounded book of answers."""

    def come_and_go(count: int) -> None:
        for start in range(0, count, 100):
            with Stranger(listener.local_addr) as caller:
                cookie = caller.cookie()
                for number in range(start + 1, start + 101):
                    caller.answer(conclusion(cookie, number))
                    listener.accept().close()
                    caller.heard()

    come_and_go(2_000)
    before = Footprint.now()
    come_and_go(10_000)
    gc.collect()
    before.assert_not_outgrown(24)
    assert len(listener._accepting._answerer._book) <= 8_192
    assert sum(isinstance(one, srtpy.Conn) for one in gc.get_objects()) == 0


# ---- row 26


@both_roles
@pytest.mark.parametrize("pause", [4, 60, 3600])
def test_row_26_a_clock_that_stood_still_for_one_side_recovers_or_breaks_cleanly(swapped: bool, pause: int) -> None:
    """A suspended machine, a collection that took an hour; the other side's clock went on."""
    world = connected(Birth(isn=NEAR_THE_WRAP), Link(10_000), Link(10_000), swapped=swapped, joined=44)
    stream = Stream(world, world.a, 400)
    world.run_for(200_000)
    world.freeze(world.b, pause * SECOND)
    world.run_for((pause + 15) * SECOND)
    arrived = stream.arrived
    assert arrived == sorted(set(arrived))
    has_ended = world.a.end.is_closed or world.b.end.is_closed
    assert has_ended == (pause > 5)
    if has_ended:
        assert world.a.heard(Broken)
        assert world.a.end.is_closed
        assert world.b.end.is_closed
    wakes = world.a.wakes + world.b.wakes
    assert wakes < 20_000, "time was made up for step by step"


def test_row_26_steps_of_the_wall_clock_are_not_noticed(
    listener: srtpy.Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, real_ns = time.time, time.time_ns
    with streams(listener, 1, 300.0, latency=LATENCY) as (stream,):
        for step in (3600, -3600, 10**9, -(10**9), 0):
            monkeypatch.setattr(time, "time", lambda step=step: real() + step)
            monkeypatch.setattr(time, "time_ns", lambda step=step: real_ns() + step * 10**9)
            threading.Event().wait(0.15)
            assert stream.source.stats().duration < 60
    stream.assert_whole(in_time=LATE)


@pytest.mark.parametrize("path", python_files("srtpy/internal"), ids=relative)
def test_row_26_the_protocol_asks_no_clock_that_can_be_set(path: Path) -> None:
    """One file does, to make instants of the kernel's stamps, and bounds them by the clock that cannot be set."""
    allowed = {"monotonic", "monotonic_ns", "sleep"} | ({"time_ns"} if path.name == "stamps.py" else set())
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "time":
            assert node.attr in allowed, f"line {node.lineno}"


# ---- row 27


def test_row_27_callbacks_that_raise_keep_out_their_caller_and_nobody_else(said: list[logging.LogRecord]) -> None:
    errors: list[BaseException] = [ValueError("a bug"), SystemExit(1), KeyboardInterrupt(), RecursionError()]

    def judge(request: srtpy.ConnRequest) -> bool:
        if errors:
            raise errors.pop()
        return True

    with srtpy.listen(("127.0.0.1", 0), accept=judge, linger=0.0) as listener:
        for _ in range(4):
            with pytest.raises(srtpy.RejectedError) as caught:
                srtpy.dial(listener.local_addr, QUICK)
            assert caught.value.reason == RejectReason.X_INTERNAL_ERROR
        with srtpy.dial(listener.local_addr, QUICK), listener.accept():
            pass
    assert len([record for record in said if record.levelno == logging.ERROR]) == 4


def test_row_27_callbacks_that_block_delay_nobody_else() -> None:
    """As long as there is one thread left in the pool; and those who wait get their answer once one is free."""
    released = threading.Event()

    def judge(request: srtpy.ConnRequest) -> bool:
        return request.stream_id != "slow" or released.wait(30)

    with srtpy.listen(("127.0.0.1", 0), accept=judge, linger=0.0, latency=LATENCY) as listener, ExitStack() as stack:
        listener.settimeout(30)
        with streams(listener, 1, 200.0, latency=LATENCY) as (stream,):
            slow = [in_thread(lambda: srtpy.dial(listener.local_addr, QUICK, stream_id="slow")) for _ in range(7)]
            until(lambda: listener._accepting._answerer.waiting == MOST_JUDGES - 1)
            begun = time.monotonic()
            with srtpy.dial(listener.local_addr, QUICK), listener.accept():
                assert time.monotonic() - begun < 10.0, "those that block do so for 30 s"
            released.set()
            for one in slow:
                conn = one.result()
                assert isinstance(conn, srtpy.Conn)
                stack.enter_context(conn)
                stack.enter_context(listener.accept())
        stream.assert_whole(in_time=LATE)


def test_row_27_callbacks_that_never_return_do_not_collect_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Their requests are forgotten after a while and may come again: still there is a limit to those that wait."""
    monkeypatch.setattr(answers, "WAITING_LIFETIME", 1)
    monkeypatch.setattr(answers, "SWEEP_INTERVAL", 1)
    monkeypatch.setattr(accepting_room, "LARGEST_WAITING", LIMIT)
    released = threading.Event()
    with (
        srtpy.listen(("127.0.0.1", 0), accept=lambda request: released.wait(30.0)) as listener,
        Stranger(listener.local_addr) as stranger,
    ):
        cookie, refused = stranger.cookie(), list[bytes]()
        for start in range(1, 501, 50):
            refused += stranger.answers(*(conclusion(cookie, number) for number in range(start, start + 50)))
        again = stranger.answers(*(conclusion(cookie, number) for number in range(1, 51)))
        waiting = len(listener._accepting._judged)
        released.set()
        assert waiting == LIMIT
        assert [Handshake.decode(one[HEADER_SIZE:]).kind for one in refused] == [RejectReason.BACKLOG] * (500 - LIMIT)
        assert again == [], "what still waits is not asked about twice"


def test_row_27_callbacks_may_use_the_api_they_are_called_from() -> None:
    """Ask and change the listener, dial somebody, and close the listener itself."""
    calls: list[str] = []
    with srtpy.listen(("127.0.0.1", 0), linger=0.0) as other, ExitStack() as stack:

        def judge(request: srtpy.ConnRequest) -> bool:
            calls.append(request.stream_id)
            assert listener.local_addr
            if request.stream_id == "dial":
                stack.enter_context(srtpy.dial(other.local_addr, QUICK))
                stack.enter_context(other.accept())
            elif request.stream_id == "again":
                stack.enter_context(srtpy.dial(listener.local_addr, QUICK, stream_id="inner"))
            elif request.stream_id == "replace":
                listener.set_accept_func(lambda request: request.stream_id != "refused")
            return True

        listener = stack.enter_context(srtpy.listen(("127.0.0.1", 0), accept=judge, linger=0.0))
        listener.settimeout(30)
        for stream_id, accepted in (("dial", 1), ("again", 2), ("replace", 1), ("other", 1)):
            stack.enter_context(srtpy.dial(listener.local_addr, QUICK, stream_id=stream_id))
            for _ in range(accepted):
                stack.enter_context(listener.accept())
        with pytest.raises(srtpy.RejectedError):
            srtpy.dial(listener.local_addr, QUICK, stream_id="refused")
        assert calls == ["dial", "again", "inner", "replace"]


def test_row_27_a_callback_may_close_its_listener() -> None:
    def judge(request: srtpy.ConnRequest) -> bool:
        listener.close()
        return True

    with srtpy.listen(("127.0.0.1", 0), accept=judge) as listener:
        with pytest.raises(srtpy.RejectedError) as caught:
            srtpy.dial(listener.local_addr, QUICK)
        assert caught.value.reason == RejectReason.CLOSE
        assert listener.closed


class Broken27:
    """A logger that raises, and one that calls back."""

    def __init__(self) -> None:
        self.lines = 0

    def log(self, level: srtpy.LogLevel, category: srtpy.LogCategory, socket_id: int, message: str) -> None:
        self.lines += 1
        raise RuntimeError("on purpose")


def test_row_27_a_logger_that_raises_ends_no_thread() -> None:
    def judge(request: srtpy.ConnRequest) -> bool:
        raise ValueError("a bug, to be logged")

    logger = Broken27()
    with (
        srtpy.listen(("127.0.0.1", 0), accept=judge, logger=logger, linger=0.0) as listener,
        Stranger(listener.local_addr) as stranger,
    ):
        stranger.send(*(bytes(size) for size in range(100)))
        stranger.send(conclusion(1), conclusion(2))
        for _ in range(MOST_JUDGES + 2):
            with pytest.raises(srtpy.RejectedError):
                srtpy.dial(listener.local_addr, QUICK, logger=logger)
        listener.set_accept_func(None)
        with srtpy.dial(listener.local_addr, QUICK, logger=logger), listener.accept():
            pass
    assert logger.lines > MOST_JUDGES


def test_row_27_statistics_callbacks_that_raise_block_or_close_hurt_no_stream(listener: srtpy.Listener) -> None:
    calls: list[str] = []
    blocked = threading.Event()

    def misbehave(stats: srtpy.ConnStats) -> None:
        calls.append("called")
        if len(calls) == 1:
            raise SystemExit(1)
        if len(calls) == 2:
            raise RuntimeError("on purpose")
        blocked.wait(0.5)

    with streams(listener, 2, 200.0, latency=LATENCY) as (one, other):
        one.source.on_stats(0.02, misbehave)
        with srtpy.dial(listener.local_addr, QUICK) as third, listener.accept():
            third.on_stats(0.02, lambda stats: third.close())
            until(lambda: len(calls) > 3 and third.closed)
        blocked.set()
        one.source.on_stats(0, None)
    for stream in (one, other):
        stream.assert_whole(in_time=LATE)
