from __future__ import annotations

from dataclasses import asdict

import pytest

from srtpy.observing import Observer, Watch
from srtpy.stats import ConnStats, Reading
from tests.test_stats import COUNTS, GAUGES


class Moving:
    """A connection whose time and counts a test moves."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(COUNTS, 0.0)
        self.gauges: dict[str, float] = asdict(GAUGES) | {"now": GAUGES.start}
        self.looks = 0

    def go(self, seconds: float, packets: int = 0) -> None:
        self.gauges["now"] += round(seconds * 1e6)
        self.counts["sent_unique_packets"] += packets
        self.counts["sent_unique_bytes"] += packets * 1000

    def __call__(self) -> Reading:
        self.looks += 1
        return Reading(dict(self.counts), dict(self.gauges), 42, 1.7e9, 8192)


def test_two_consumers_do_not_disturb_each_other() -> None:
    conn = Moving()
    observer = Observer(conn)
    seen: list[ConnStats] = []
    watch = Watch(observer, seen.append)
    conn.go(1, packets=10)
    assert observer.stats(clear=True).sent_packets == 10
    conn.go(1, packets=5)
    watch()
    assert observer.stats(clear=True).sent_packets == 5
    conn.go(1)
    watch()
    assert observer.stats().sent_packets == 15
    assert [stats.sent_packets for stats in seen] == [15, 0]
    assert seen[0].mbps_send_rate == pytest.approx(15 * 1044 * 8 / 2e6)


def test_a_watch_counts_from_its_own_beginning() -> None:
    conn = Moving()
    conn.go(1, packets=10)
    seen: list[ConnStats] = []
    watch = Watch(Observer(conn), seen.append)
    conn.go(1, packets=1)
    watch()
    assert seen[0].sent_packets == 1


def test_the_last_reading_stays() -> None:
    conn = Moving()
    observer = Observer(conn)
    conn.go(1, packets=10)
    observer.freeze()
    conn.go(1, packets=10)
    observer.freeze()
    assert observer.stats().sent_packets == 10
    assert observer.stats().duration == 1.0
    assert conn.looks == 1


def test_a_core_that_can_no_longer_be_read_does_not_keep_a_connection_from_closing() -> None:
    conn = Moving()
    observer = Observer(conn)
    conn.go(1, packets=3)
    assert observer.stats().sent_packets == 3

    def fail() -> Reading:
        raise ValueError("interrupted in the middle of something")

    observer._read = fail
    observer.freeze()
    assert observer.stats().sent_packets == 3


def test_averages_follow() -> None:
    conn = Moving()
    observer = Observer(conn)
    assert observer.averages() == [6.0, 6000.0, 7.0, 7000.0]
    conn.gauges["send_buffer_packets"] = 106
    assert observer.averages()[0] == 6.0
    conn.go(0.080)
    assert observer.averages()[0] == pytest.approx(6 + 100 * 0.632, abs=0.1)
    conn.go(10)
    assert observer.averages()[0] == 106.0


def test_the_rate_is_that_of_the_last_second() -> None:
    conn = Moving()
    observer = Observer(conn)
    assert observer.send_rate() == (0.0, 0.0)
    for _ in range(30):
        conn.go(0.1, packets=10)
        observer.send_rate()
    for _ in range(10):
        conn.go(0.1, packets=30)
        rate = observer.send_rate()
    assert rate[0] == pytest.approx(300, rel=0.15)
    assert rate[1] == 1000 * rate[0]


def test_the_rate_since_a_look_long_ago() -> None:
    conn = Moving()
    observer = Observer(conn)
    conn.go(1, packets=10)
    observer.send_rate()
    conn.go(10, packets=500)
    assert observer.send_rate() == (50.0, 50_000.0)


def test_extended() -> None:
    conn = Moving()
    conn.go(2, packets=10)
    stats = Observer(conn).extended()
    assert (stats.sent_packets, stats.send_rate_pps, stats.avg_rcv_buf_bytes) == (10, 5.0, 7000.0)
    assert stats.as_dict()["send_rate_bps"] == 5000.0
    assert "pktSent" in stats.as_dict("libsrt")
