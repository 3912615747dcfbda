"""The two ends' clocks do not run alike; the latency stays what was agreed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND
from tests.sim.clock import Clock
from tests.sim.link import Link
from tests.sim.pair import Birth, connected
from tests.sim.telling import Stream, both_roles

DELAY = 20 * MILLISECOND
NOMINAL = 140 * MILLISECOND
PERIOD = 25 * MILLISECOND  # forty acknowledgements a second: the tracer learns each 25 s


def told(drift: int, *, traced: bool, swapped: bool, minutes: int, jitter: int = 0, period: int = PERIOD) -> list[int]:
    """Stream for some minutes to a receiver whose clock is `drift` ppm fast; return the delays."""
    birth = Birth(config=Config(drift_tracer=traced))
    birth = replace(birth, clock=Clock(777, drift)) if swapped else replace(birth, peer_clock=Clock(777, drift))
    links = Link(DELAY, jitter=jitter, seed=1), Link(DELAY, jitter=jitter, seed=2)
    world = connected(birth, *links, swapped=swapped)
    total = minutes * 60 * SECOND // period
    stream = Stream(world, world.a, total, period=period)
    world.run_until(stream.is_complete, (minutes * 60 + 5) * SECOND)
    assert stream.arrived == list(range(total))
    return stream.delays()


@both_roles
@pytest.mark.parametrize("drift", [100, -100])
def test_traced_a_hundred_ppm_for_four_minutes_stays_within_eight_milliseconds(drift: int, swapped: bool) -> None:
    delays = told(drift, traced=True, swapped=swapped, minutes=4)
    assert max(abs(delay - NOMINAL) for delay in delays) <= 8 * MILLISECOND
    assert abs(delays[-1] - NOMINAL) <= 8 * MILLISECOND


@both_roles
@pytest.mark.parametrize("drift", [100, -100])
def test_untraced_the_latency_creeps_by_just_the_drift(drift: int, swapped: bool) -> None:
    delays = told(drift, traced=False, swapped=swapped, minutes=4, period=SECOND)
    crept = delays[-1] - delays[0]
    assert abs(crept + drift * 240) <= 2 * MILLISECOND  # four minutes of it, in microseconds


@both_roles
def test_no_drift_and_a_jittery_path_move_nothing_seed_1(swapped: bool) -> None:
    delays = told(0, traced=True, swapped=swapped, minutes=2, jitter=10 * MILLISECOND)
    assert max(delays) <= NOMINAL + 15 * MILLISECOND
    assert min(delays) >= NOMINAL - 10 * MILLISECOND


@both_roles
@pytest.mark.parametrize("drift", [500, -500])
def test_a_message_a_second_for_an_hour_stays_at_the_latency(drift: int, swapped: bool) -> None:
    """Slow streams teach little, and an hour of such clocks is nearly two seconds."""
    delays = told(drift, traced=True, swapped=swapped, minutes=60, period=SECOND)
    # what has been learnt in one minute holds until the end of the next
    assert max(abs(delay - NOMINAL) for delay in delays) <= 500 * 90 + 15 * MILLISECOND


@both_roles
def test_an_idle_connection_s_keepalives_keep_the_clock(swapped: bool) -> None:
    birth = replace(Birth(config=Config()), clock=Clock(777, 100))
    world = connected(birth, Link(DELAY), Link(DELAY), swapped=swapped)
    world.run_for(3 * 3600 * SECOND)
    stream = Stream(world, world.a, 5)
    world.run_until(stream.is_complete, SECOND)
    assert max(abs(delay - NOMINAL) for delay in stream.delays()) <= 12 * MILLISECOND


@both_roles
@pytest.mark.parametrize("late", [150 * MILLISECOND, -15 * MILLISECOND], ids=["late", "early"])
def test_a_handshake_packet_out_of_time_is_made_up_for_in_two_seconds(late: int, swapped: bool) -> None:
    """The base comes from one packet; what is played must not depend on that one's luck for long."""
    world = connected(Birth(config=Config()), Link(DELAY), Link(DELAY), swapped=swapped)
    world.b.end.delivery._time_base.base += late
    stream = Stream(world, world.a, 4000)
    world.run_until(stream.is_complete, 6 * SECOND)
    delays = stream.delays()
    assert abs(delays[0] - NOMINAL - late) <= 2 * MILLISECOND
    assert max(abs(delay - NOMINAL) for delay in delays[2000:]) <= 3 * MILLISECOND
