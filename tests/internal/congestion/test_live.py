from __future__ import annotations

import pytest

from srtpy.internal.clock.units import SECOND
from srtpy.internal.congestion.controller import Limits
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.congestion.live import LiveCC

WINDOW = 8192


def a_controller(payload: int = 1316, **limits: int | None) -> LiveCC:
    return LiveCC(Limits(**limits), payload, WINDOW)  # type: ignore[arg-type]


def test_the_default_is_libsrts_whole_ten_microseconds() -> None:
    controller = a_controller()
    assert (controller.period, controller.window, controller.max_bandwidth) == (10, WINDOW, 125_000_000)


def test_small_packets_do_not_leave_faster_than_a_libsrt_receiver_takes_them() -> None:
    assert a_controller(188).period == 10


def test_large_packets_leave_in_whole_microseconds_by_default() -> None:
    assert a_controller(1456).period == 12


@pytest.mark.parametrize(
    ("max_bw", "period"), [(1_250_000, 1088.0), (125_000_000, 10.88), (12_500_000, 108.8), (10**12, 1.0)]
)
def test_a_limit_that_is_set_is_kept_exactly(max_bw: int, period: float) -> None:
    controller = a_controller(max_bw=max_bw)
    assert controller.period == pytest.approx(period)
    assert controller.max_bandwidth == max_bw


def test_periods_other_implementations_work_out_too() -> None:
    # payload 100000 - 44, so that the packet is what their vectors take it for
    assert a_controller(99_956, max_bw=10_000_000).period == 10_000
    assert a_controller(99_956, max_bw=0, input_bw=1_000_000, overhead=100).period == 50_000


def test_unlimited_still_has_a_pace() -> None:
    controller = a_controller(max_bw=-1)
    assert (controller.period, controller.max_bandwidth, controller.window) == (4.5, 0, WINDOW)
    controller.sent(10, 10 * 188)
    assert controller.period == 4.5


def test_a_known_input_rate_is_not_measured() -> None:
    controller = a_controller(max_bw=0, input_bw=1_000_000, overhead=25)
    assert not controller.measures_input
    assert (controller.max_bandwidth, controller.window) == (1_250_000, WINDOW)
    controller.wrote(10_000, 10**9, 0)
    controller.wrote(10_000, 10**9, SECOND)
    assert controller.max_bandwidth == 1_250_000


def test_the_input_is_measured_and_overhead_added() -> None:
    controller = a_controller(max_bw=0, overhead=50)
    assert controller.measures_input
    assert controller.window == 1000, "libsrt's window until a bandwidth is known"
    for now in range(0, 2 * SECOND, 1000):
        controller.wrote(1, 1316, now)
    assert controller.max_bandwidth == 1360 * 1000 * 150 // 100
    assert controller.period == pytest.approx(1000 / 1.5)
    assert controller.window == WINDOW


def test_the_measured_rate_has_a_floor() -> None:
    controller = a_controller(max_bw=0, min_input_bw=1_000_000, overhead=100)
    for now in range(0, 2 * SECOND, 100_000):
        controller.wrote(1, 1316, now)
    assert controller.max_bandwidth == 2_000_000


def test_from_hardly_any_input_does_not_follow_a_pace_of_minutes() -> None:
    controller = a_controller(max_bw=0)
    for now in range(0, 4 * SECOND, 900_000):
        controller.wrote(1, 1, now)
    assert controller.period < SECOND / 10


def test_the_average_payload_moves_by_a_128th() -> None:
    controller = a_controller(1316, max_bw=SECOND)
    controller.sent(1, 188)
    assert int(controller.period) == 1307 + 44
    controller.sent(1, 188)
    assert int(controller.period) == 1298 + 44


def test_the_average_of_a_run_is_the_average_of_its_packets_one_by_one() -> None:
    together, apart = a_controller(max_bw=SECOND), a_controller(max_bw=SECOND)
    together.sent(44, 44 * 188)
    for _ in range(44):
        apart.sent(1, 188)
    assert together.period == pytest.approx(apart.period)


def test_warnings_slow_down_within_reason_and_until_the_next_acknowledgement() -> None:
    controller = a_controller(max_bw=SECOND)
    controller.slow_down()
    assert controller.period == pytest.approx(1360 * 1.125)
    for _ in range(1000):
        controller.slow_down()
    assert controller.period == 2 * 1360
    controller.acknowledged(0, Feedback(1316, 0), 100, 0)
    assert controller.period == 1360


def test_losses_and_silence_change_nothing() -> None:
    controller = a_controller(max_bw=SECOND)
    controller.lost(0, 500, 500, 1000, 100_000, 0)
    controller.timed_out(Feedback(1316, 0), 100_000, 0)
    assert (controller.period, controller.window) == (1360, WINDOW)
    assert not controller.waits_for_losses


def test_limits_change_while_it_runs() -> None:
    controller = a_controller()
    controller.limit(Limits(max_bw=1_360_000))
    assert controller.period == 1000
    assert controller.limits.max_bw == 1_360_000
