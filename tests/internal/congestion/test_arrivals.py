from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import SECOND
from srtpy.internal.congestion.arrivals import ARRIVALS_KEPT, PROBES_KEPT, Arrivals
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER, RETRANSMITTED, Header
from srtpy.internal.seq.number import SEQ_MASK
from tests.vectors import vectors

PAYLOAD = 1316


def headers(first: int, count: int = 1, flags: int = 0) -> list[Header]:
    return [(first + n, 0xC0000001 | flags, 0, 1) for n in range(count)]


def hear(arrivals: Arrivals, rows: list[Header], size: int, now: int) -> None:
    arrivals.note_batch(rows[0], len(rows), size, now)


def fed(intervals: list[int], size: int = PAYLOAD, count: int = 1) -> Arrivals:
    """A window that saw reads of `count` packets at these intervals; none of them is half of a pair."""
    arrivals = Arrivals(PAYLOAD, 0)
    now = 0
    for interval in [0, *intervals]:
        now += interval
        hear(arrivals, headers(2, count), size * count, now)
    return arrivals


def read_at(times: list[int], first: int = 0x7FFFFFF0, size: int = PAYLOAD) -> Batch:
    """A read of consecutive packets that came at these times, as the kernel tells."""
    sequence = [(first + n) & SEQ_MASK for n in range(len(times))]
    batch = Batch(b"".join(HEADER.pack(seq, 0xC0000001, 0, 1) + bytes(size) for seq in sequence))
    if len(times) > 1:
        batch = Batch(batch.data, HEADER.size + size)
    batch.times, batch.arrived = times, times[-1]
    return batch


def heard_each(times: list[int], lengths: list[int]) -> Arrivals:
    """A window that was told when each packet came, so many packets a read."""
    arrivals, start, seq = Arrivals(PAYLOAD, 0), 0, 0x7FFFFFF0
    for length in lengths:
        batch = read_at(times[start : start + length], seq)
        arrivals.note_each(batch, length * PAYLOAD)
        start, seq = start + length, (seq + length) & SEQ_MASK
    return arrivals


@pytest.mark.parametrize("length", [2, 7, 16, 33, 128])
def test_packets_that_came_apart_tell_speed_and_capacity_however_many_are_read_at_once(length: int) -> None:
    times = [1_000_000 + 400 * n - (280 if n % 16 == 1 else 0) for n in range(128 * 8)]  # the second of a pair is close
    arrivals = heard_each(times, [length] * (len(times) // length))
    packets, size = arrivals.speed()
    assert 2400 <= packets <= 2700
    assert size == pytest.approx(packets * (PAYLOAD + 12), rel=0.01)
    if length == 7:  # most pairs are within a read, some are parted
        assert arrivals.capacity(packets) == pytest.approx(8334, rel=0.01)
    else:
        assert (arrivals.capacity(packets), arrivals.are_pairs_known) == (8334, True)


def test_packets_that_came_in_clusters_are_an_entry_a_cluster() -> None:
    times = [1_000_000 + 1000 * (n // 4) + n % 4 for n in range(64)]  # four in 3 us, every millisecond
    arrivals = heard_each(times, [32, 32])
    assert 3900 <= arrivals.speed()[0] <= 4100


def test_packets_that_came_as_close_as_one_are_one_read() -> None:
    close, one = Arrivals(PAYLOAD, 0), Arrivals(PAYLOAD, 0)
    for turn in range(1, 30):
        batch = read_at([turn * 5000 + n for n in range(20)], 2)
        close.note_each(batch, 20 * PAYLOAD)
        hear(one, headers(2, 20), 20 * PAYLOAD, turn * 5000 + 19)
    assert close.speed() == one.speed()


def test_the_second_of_a_pair_that_was_sent_again_or_lost_tells_nothing() -> None:
    for second in (HEADER.pack(17, 0xC0000001 | RETRANSMITTED, 0, 1), HEADER.pack(18, 0xC0000001, 0, 1)):
        arrivals = Arrivals(PAYLOAD, 0)
        for _ in range(PROBES_KEPT):
            batch = Batch(HEADER.pack(16, 0xC0000001, 0, 1) + bytes(8) + second + bytes(8), HEADER.size + 8)
            batch.times = [1000, 1100]
            arrivals.note_each(batch, 16)
        assert not arrivals.are_pairs_known


@given(
    gaps=st.lists(st.integers(-5, 10**7), min_size=2, max_size=200),
    lengths=st.lists(st.integers(2, 60), min_size=1, max_size=20),
)
def test_no_times_are_too_strange(gaps: list[int], lengths: list[int]) -> None:
    times = list(accumulate(gaps))
    parts = [length for length, end in zip(lengths, accumulate(lengths), strict=True) if end <= len(times)]
    arrivals = heard_each(times, parts)
    packets, size = arrivals.speed()
    assert packets >= 0 <= size
    assert arrivals.capacity(packets) >= packets


def test_a_connection_begins_with_libsrts_values() -> None:
    arrivals = Arrivals(1500, 0)
    packets, _ = arrivals.speed()
    assert (packets, arrivals.capacity(packets)) == (1, 1000)


def test_an_outlier_does_not_count() -> None:
    assert fed([1000] * 15 + [90_000]).speed() == (1000, 1_328_000)


def test_uneven_arrivals_tell_nothing() -> None:
    assert fed([10, 100_000] * 8).speed() == (0, 0)


def test_as_in_srt_rs_eighths_and_eightfolds_are_outliers() -> None:
    (vector,) = [entry for entry in vectors("rate_scenario") if "arrival_speed" in entry["source"]]
    intervals = [1000] * 17
    intervals[7:9] = [125, 8000]
    arrivals = Arrivals(PAYLOAD, 0)
    now, known = 0, []
    for seen, interval in enumerate([0, *intervals], start=1):
        now += interval
        hear(arrivals, headers(2), 1000 - 12, now)
        if arrivals.speed() == (vector["expected_fields"]["packets_per_s"], vector["expected_fields"]["bytes_per_s"]):
            known.append(seen)
    # srt-rs waits until its window is full; libsrt, and we, until more than half of it can be believed
    assert known == list(range(12, 19))
    assert vector["expected_fields"]["min_samples"] in known


@pytest.mark.parametrize("count", [1, 2, 44, 500])
def test_the_speed_does_not_depend_on_how_many_packets_a_read_brings(count: int) -> None:
    packets, size = fed([20 * count] * 2 * ARRIVALS_KEPT, count=count).speed()
    assert packets == 50_000
    assert size == 50_000 * (PAYLOAD + 12)


def test_reads_of_different_size_weigh_by_their_packets() -> None:
    arrivals = Arrivals(PAYLOAD, 0)
    now = 0
    for n in range(40):
        count = 44 if n % 3 else 20
        now += 10 * count
        hear(arrivals, headers(2, count), PAYLOAD * count, now)
    assert arrivals.speed()[0] == 100_000


def test_the_first_reads_of_a_burst_tell_its_speed() -> None:
    """A libsrt sender of files may go on for seconds at an eighth of what the first acknowledgement names."""
    arrivals = Arrivals(PAYLOAD, 0)
    hear(arrivals, headers(2, 1), PAYLOAD, 1_000_000)
    assert arrivals.speed()[0] == 1
    hear(arrivals, headers(2, 15), PAYLOAD * 15, 1_000_750)
    assert arrivals.speed()[0] == 100_000


@pytest.mark.parametrize("late", [100, 1_300, 20_000])
def test_a_thread_that_wakes_late_makes_a_first_burst_no_slower(late: int) -> None:
    """A sender whose first burst seemed to take 1.3 ms went on at 1,430 packets a second."""
    arrivals = Arrivals(PAYLOAD, 0)
    for count, when in [(1, 0), (13, late), (2, late)]:
        hear(arrivals, headers(2, count), PAYLOAD * count, 1_000_000 + when)
    assert arrivals.speed()[0] >= 100_000


def test_a_burst_in_one_read_came_as_fast_as_libsrt_would_have_read_it() -> None:
    arrivals = Arrivals(PAYLOAD, 0)
    hear(arrivals, headers(2, 16), PAYLOAD * 16, 1_000_000)
    assert arrivals.speed()[0] == 100_000
    for read in range(1, 17):
        hear(arrivals, headers(2, 10), PAYLOAD * 10, 1_000_000 + read * 1000)
    assert arrivals.speed()[0] == 10_000  # nothing is left of it


def test_reads_of_one_instant_are_one() -> None:
    arrivals = Arrivals(PAYLOAD, 0)
    for n in range(40):
        hear(arrivals, headers(2, 3), PAYLOAD * 3, n * 100)
        hear(arrivals, headers(5, 2), PAYLOAD * 2, n * 100)
    assert arrivals.speed()[0] == 50_000


def probed(intervals: list[int], size: int = PAYLOAD, flags: int = 0, skip: int = 1) -> Arrivals:
    """A window that saw probe pairs at these intervals, read one by one."""
    arrivals = Arrivals(PAYLOAD, 0)
    now = 0
    for n, interval in enumerate(intervals):
        now += 100_000
        hear(arrivals, headers(16 * n), size, now)
        hear(arrivals, headers(16 * n + skip, 1, flags), size, now + interval)
        now += interval
    return arrivals


@pytest.mark.parametrize(
    ("intervals", "capacity"),
    [([1000] * 64, 1000), ([1000] * 40 + [250] * 24, 1383), ([1000] * 20 + [100] * 44, 10_000)],
)
def test_capacity_by_probe_pairs(intervals: list[int], capacity: int) -> None:
    assert probed(intervals).capacity(0) == capacity


def test_a_shorter_packet_counts_as_if_it_were_full() -> None:
    assert probed([100] * PROBES_KEPT, size=PAYLOAD // 2).capacity(0) == 5_000


@pytest.mark.parametrize(("flags", "skip"), [(RETRANSMITTED, 1), (0, 2), (0, 17)])
def test_what_is_no_pair_does_not_count(flags: int, skip: int) -> None:
    assert probed([100] * PROBES_KEPT, flags=flags, skip=skip).capacity(0) == 1000


def test_a_first_half_that_comes_twice_cancels_the_pair() -> None:
    arrivals = Arrivals(PAYLOAD, 0)
    for n in range(PROBES_KEPT):
        for step, seq in enumerate((16 * n, 16 * n, 16 * n + 1)):
            hear(arrivals, headers(seq), PAYLOAD, n * 100_000 + 10 * step)
    assert arrivals.capacity(0) == 1000


def test_pairs_inside_one_read_or_one_instant_have_no_interval() -> None:
    arrivals = Arrivals(PAYLOAD, 0)
    for n in range(2 * PROBES_KEPT):
        hear(arrivals, headers(32 * n, 2), 2 * PAYLOAD, 1000 * n)
        hear(arrivals, headers(32 * n + 16), PAYLOAD, 1000 * n + 500)
        hear(arrivals, headers(32 * n + 17), PAYLOAD, 1000 * n + 500)
    assert arrivals.capacity(0) == 1000


def test_capacity_is_at_least_the_speed() -> None:
    arrivals = fed([100] * ARRIVALS_KEPT, count=10)
    packets, _ = arrivals.speed()
    assert arrivals.capacity(packets) == packets == 100_000


def test_empty_packets_hurt_nobody() -> None:
    arrivals = probed([5] * PROBES_KEPT, size=0)
    assert arrivals.capacity(0) == 1000
    assert arrivals.speed()[1] < SECOND
