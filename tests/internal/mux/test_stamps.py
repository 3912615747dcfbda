"""Times of arrival: the kernel's words become instants of our clock, whatever anybody does to the wall clock."""

from __future__ import annotations

import select
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.monotonic import now
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.mux import stamps
from srtpy.internal.mux.stamps import LONGEST_WAIT, Stamps, ask_for_stamps
from srtpy.internal.mux.udp import Reading
from tests.internal.mux.sockets import bound, data, dialed, path_to

WALL = 1_700_000_000 * SECOND
HERE = 5_000 * SECOND


def stamped_at(monkeypatch: pytest.MonkeyPatch, wall: int, here: int) -> Stamps:
    monkeypatch.setattr(time, "time_ns", lambda: wall * 1000)
    monkeypatch.setattr(time, "monotonic_ns", lambda: here * 1000)
    made = Stamps()
    made.begin()
    return made


@pytest.mark.parametrize(
    ("ago", "expected"),
    [
        (0, HERE),
        (1, HERE - 1),
        (12 * MILLISECOND, HERE - 12 * MILLISECOND),
        (LONGEST_WAIT, HERE - LONGEST_WAIT),
        (LONGEST_WAIT + 1, HERE),  # the wall clock was set forward meanwhile
        (-1, HERE),  # or back
        (-3_600 * SECOND, HERE),
    ],
)
def test_a_time_of_the_wall_clock_becomes_an_instant(monkeypatch: pytest.MonkeyPatch, ago: int, expected: int) -> None:
    then = (WALL - ago) * 1000
    assert stamped_at(monkeypatch, WALL, HERE).instant(*divmod(then, 10**9)) == expected


def test_who_is_stopped_between_two_looks_at_clocks_takes_nothing_for_quicker_than_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A round trip that seems shorter than any can be is never forgotten: a sender so near gets a smaller window."""
    clock = iter(range(0, SECOND, 5 * MILLISECOND))
    monkeypatch.setattr(time, "time_ns", lambda: (WALL + next(clock)) * 1000)
    monkeypatch.setattr(time, "monotonic_ns", lambda: (HERE + next(clock)) * 1000)
    made = Stamps()
    made.begin()
    arrived = WALL - 20 * MILLISECOND
    assert made.instant(*divmod(arrived * 1000, 10**9)) == HERE - 15 * MILLISECOND


@given(st.lists(st.integers(-2, LONGEST_WAIT + 2), min_size=1))
def test_several_times_are_told_as_each_of_them_is(ago: list[int]) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        made = stamped_at(monkeypatch, WALL, HERE)
    times = [divmod((WALL - each) * 1000, 10**9) for each in ago]
    assert made.instants(times) == [made.instant(*each) for each in times]


@given(seconds=st.integers(-(2**63), 2**63 - 1), nanoseconds=st.integers(-(2**63), 2**63 - 1))
def test_no_time_is_in_the_future_or_long_ago(seconds: int, nanoseconds: int) -> None:
    made = Stamps()
    made.begin()
    assert now() - LONGEST_WAIT - SECOND <= made.instant(seconds, nanoseconds) <= now()


@pytest.mark.parametrize("reading", [Reading.MANY, Reading.MESSAGES])
@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("sizes", [(1316, 1316, 1316), (900, 1316, 20)])
def test_a_batch_has_arrived_when_it_came_and_not_when_it_was_read(
    reading: Reading, count: int, sizes: tuple[int, ...]
) -> None:
    """Who is stopped just between two looks at clocks takes it for later; not five times in a row."""
    with bound(reading=reading) as here, dialed(here, cuts=False) as there:
        for _ in range(5):
            before = now()
            assert there.send([data(seq, sizes[seq]) for seq in range(count)], path_to(here)) == count
            select.select([here._socket], [], [], 10)
            after = now()
            time.sleep(0.02)  # what is shown: this does not count
            reads = here.read()
            assert sum(batch.count for batch, _ in reads) == count
            for batch, path in reads:
                assert before <= batch.arrived <= now()
                assert len(batch.times) == (batch.count if batch.count > 1 else 0)
                assert batch.times == sorted(batch.times)
                assert not batch.times or batch.times[-1] == batch.arrived
                assert path is reads[0][1]
            if all(batch.arrived <= after for batch, _ in reads):
                return
    raise AssertionError("the time of reading was taken for that of arrival")


def test_of_datagrams_that_the_kernel_joined_nobody_knows_when_each_came() -> None:
    with bound(reading=Reading.MANY) as here, dialed(here) as there:
        before = now()
        there.send([data(seq) for seq in range(8)], path_to(here))
        ((batch, _),) = here.read()
        assert (batch.count, batch.times) == (8, [])
        assert before <= batch.arrived <= now()


@pytest.mark.parametrize("reading", [Reading.MANY, Reading.MESSAGES])
def test_a_socket_that_tells_no_times_is_read_all_the_same(reading: Reading, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stamps, "SO_TIMESTAMPNS", -1)
    with bound(reading=reading) as here, dialed(here, cuts=False) as there:
        assert not ask_for_stamps(here._socket)
        there.send([data(1), data(2)], path_to(here))
        reads = here.read()
    assert [batch.arrived for batch, _ in reads] == [0]
