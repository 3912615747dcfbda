from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import NEVER, SECOND
from srtpy.internal.core.acks import FULL_ACK_PERIOD, JOURNAL_SIZE, LAST_ACK_NUMBER, NEAR, Acks, Journal
from srtpy.internal.core.leisure import LONGEST
from srtpy.internal.packet.header import RETRANSMITTED, ControlType
from srtpy.internal.seq.number import SEQ_MASK
from tests.internal.core.receiving import LATENCY, STARTS, ReceivingSide, batch, datagram, negotiated, words
from tests.vectors import vectors


def acknowledge(side: ReceivingSide, now: int) -> tuple[int, list[int]] | None:
    """Let the acknowledging part do what is due; return number and words of the ACK, if it said one."""
    if side.acks.deadline <= now:
        side.acks.on_deadline(now)
    said = [(number, list(words(body))) for kind, number, body in side.said() if kind == ControlType.ACK]
    said = [ack for ack in said if ack[0]]
    assert len(said) <= 1
    return said[0] if said else None


@pytest.mark.parametrize("isn", STARTS)
def test_ten_milliseconds_after_the_first_arrival_everything_is_acknowledged(isn: int) -> None:
    side = ReceivingSide(isn, capacity=8191)
    assert side.acks.deadline == NEVER
    side.hear_numbers([0, 1], 1_000)
    side.hear_numbers([2, 3], 5_000)
    assert side.acks.deadline == 1_000 + FULL_ACK_PERIOD
    ack = acknowledge(side, 11_000)
    assert ack == (1, [(isn + 4) & SEQ_MASK, 100_000, 50_000, 8187, 1, 1000, 1456 + 12])
    assert side.counters.sent_acks == 1


@pytest.mark.parametrize(("congestion", "is_said"), [("live", True), ("file", False)])
def test_what_comes_so_late_after_the_last_acknowledgement_is_acknowledged_at_once(
    congestion: str, is_said: bool
) -> None:
    side = ReceivingSide(congestion=congestion)
    side.hear_numbers([0], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    side.acks.confirm(1, FULL_ACK_PERIOD + 5)
    soon, later = 2 * FULL_ACK_PERIOD - 1, 4 * FULL_ACK_PERIOD
    side.hear_numbers([1], soon)
    assert side.acks.deadline == soon + FULL_ACK_PERIOD
    acknowledge(side, soon + FULL_ACK_PERIOD)
    side.acks.confirm(2, soon + FULL_ACK_PERIOD + 5)
    side.hear_numbers([2], later)
    assert side.acks.deadline == (later if is_said else later + FULL_ACK_PERIOD)
    assert (acknowledge(side, later) is not None) is is_said
    side.hear_numbers([3], later + 1)
    assert side.acks.deadline == later + FULL_ACK_PERIOD + (1 if is_said else 0)


@pytest.mark.parametrize(("version", "size"), [(0x010505, 28), (0x010003, 28), (0x010002, 32), (0x010001, 24), (0, 24)])
def test_the_size_is_the_one_the_peers_version_knows(version: int, size: int) -> None:
    side = ReceivingSide(peer_version=version)
    side.hear_numbers([0], 0)
    ack = acknowledge(side, FULL_ACK_PERIOD)
    assert ack is not None
    assert 4 * len(ack[1]) == size
    if size == 32:
        assert ack[1][7] == ack[1][5] * 1456


def test_an_echo_completes_a_round_trip_and_puts_to_sleep() -> None:
    side = ReceivingSide()
    side.hear_numbers([0], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    assert side.acks.confirm(1, FULL_ACK_PERIOD + 30_000) == 30_000
    assert (side.round_trip.smoothed, side.round_trip.variance) == (30_000, 15_000)
    assert side.acks.deadline == NEVER
    assert side.counters.recv_ackacks == 1


def test_an_echo_of_what_was_not_said_teaches_nothing() -> None:
    side = ReceivingSide()
    side.hear_numbers([0], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    for number in (0, 2, 77, LAST_ACK_NUMBER):
        assert side.acks.confirm(number, FULL_ACK_PERIOD + 1) is None
    assert not side.round_trip.is_known
    assert side.counters.ignored_control == 4
    assert side.acks.confirm(1, FULL_ACK_PERIOD + 5) == 5
    assert side.acks.confirm(1, FULL_ACK_PERIOD + 50_000) is None
    assert side.round_trip.smoothed == 5


def test_an_echo_in_the_same_instant_is_a_round_trip_of_a_microsecond() -> None:
    side = ReceivingSide()
    side.hear_numbers([0], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    assert side.acks.confirm(1, FULL_ACK_PERIOD) == 1


@pytest.mark.parametrize("congestion", ["live", "file"])
def test_an_acknowledgement_that_is_not_echoed_is_repeated_after_a_round_trips_patience(congestion: str) -> None:
    """Live, a reader may have left the echo unread for so long besides."""
    side = ReceivingSide(congestion=congestion)
    for _ in range(3):
        side.round_trip.sample(30_000)
    patience = side.round_trip.patience + (LONGEST if congestion == "live" else 0)
    side.hear_numbers([0], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    assert side.acks.deadline == FULL_ACK_PERIOD + patience
    ack = acknowledge(side, FULL_ACK_PERIOD + patience)
    assert ack is not None
    assert (ack[0], ack[1][0]) == (2, 1)
    assert side.acks.deadline == FULL_ACK_PERIOD + 2 * patience


@pytest.mark.parametrize(("congestion", "apart"), [("live", LONGEST + 10), ("file", FULL_ACK_PERIOD)])
def test_on_a_fast_path_repetitions_keep_a_distance(congestion: str, apart: int) -> None:
    side = ReceivingSide(congestion=congestion)
    for _ in range(40):
        side.round_trip.sample(10)
    side.hear_numbers([0], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    assert side.acks.deadline == FULL_ACK_PERIOD + apart


def test_before_the_first_echo_repetitions_come_sooner_and_then_less_often() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 2], 0)
    times: list[int] = []
    while len(times) < 7:
        times.append(side.acks.deadline)
        assert acknowledge(side, times[-1]) is not None
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert waits == [50_000, 100_000, 200_000, 300_000, 300_000, 300_000]
    side.round_trip.sample(20_000)
    side.hear_numbers([4], times[-1])
    assert acknowledge(side, times[-1] + FULL_ACK_PERIOD) is None
    assert side.acks.deadline == times[-1] + side.round_trip.patience + LONGEST


def test_arrivals_behind_a_hole_do_not_hurry_the_repetition() -> None:
    side = ReceivingSide()
    side.round_trip.sample(100_000)
    side.hear_numbers([0, 2], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    side.hear_numbers([3], 20_000)
    assert side.acks.deadline == 20_000
    assert acknowledge(side, 20_000) is None
    assert side.acks.deadline == FULL_ACK_PERIOD + side.round_trip.patience + LONGEST


def test_once_echoed_arrivals_behind_a_hole_are_not_acknowledged() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 2], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    side.acks.confirm(1, 20_000)
    side.hear_numbers([3], 20_000)
    assert acknowledge(side, 30_000) is None
    assert side.acks.deadline == NEVER
    side.resend(1, 0, 40_000)
    ack = acknowledge(side, 50_000)
    assert ack is not None
    assert ack[1][0] == 4


def test_a_skip_moves_the_acknowledgement_past_the_hole() -> None:
    side = ReceivingSide()
    side.hear_numbers([0, 2], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    side.acks.confirm(1, 20_000)
    side.run_until(LATENCY)
    assert side.acks.deadline == LATENCY + FULL_ACK_PERIOD
    ack = acknowledge(side, LATENCY + FULL_ACK_PERIOD)
    assert ack is not None
    assert ack[1][0] == 3


@pytest.mark.parametrize("isn", STARTS)
def test_every_64_packets_a_light_acknowledgement_leaves(isn: int) -> None:
    side = ReceivingSide(isn)
    said = []
    for n in range(260):
        side.hear_numbers([n], n)
        said += [(n + 1, number, side.offset(ack.seq), ack.is_light) for number, ack in side.said_acks()]
    assert said == [(count, 0, count, True) for count in (64, 128, 192, 256)]
    assert (side.counters.sent_light_acks, side.counters.sent_acks) == (4, 0)
    acknowledge(side, FULL_ACK_PERIOD)
    said = []
    for n in range(260, 330):
        side.hear_numbers([n], 20_000)
        said += [(n + 1 - 260, number, side.offset(ack.seq), ack.is_light) for number, ack in side.said_acks()]
    assert said == [(64, 0, 324, True)]


def test_batches_pass_several_multiples_of_64_with_one_light_acknowledgement() -> None:
    side = ReceivingSide()
    side.hear_numbers(range(200), 0)
    assert [ack.seq for _, ack in side.said_acks()] == [200]
    side.hear_numbers(range(200, 244), 0)
    assert side.said_acks() == []
    side.hear_numbers(range(244, 288), 0)
    assert [ack.seq for _, ack in side.said_acks()] == [288]


def test_light_acknowledgements_stop_at_a_hole() -> None:
    side = ReceivingSide()
    side.hear_numbers([*range(10), *range(11, 400)], 0)
    assert [ack.seq for _, ack in side.said_acks()] == [10]
    side.hear_numbers(range(400, 800), 0)
    assert side.said_acks() == []


def test_gosrts_hundred_packets_in_one_period() -> None:
    (vector,) = vectors("ack_scenario")
    side = ReceivingSide()
    for n in range(vector["expected_fields"]["packets"]):
        side.hear_numbers([n], n * 10)
    assert [ack.is_light for _, ack in side.said_acks()] == [True]


def test_at_a_low_rate_there_are_few_acknowledgements() -> None:
    (vector,) = [entry for entry in vectors("rate_scenario") if "max_acks" in entry["expected_fields"]]
    fields = vector["expected_fields"]
    side = ReceivingSide()
    for n in range(fields["packets"]):
        now = n * fields["interval_ms"] * 1_000
        side.hear_numbers([n], now)
        for due in (now + FULL_ACK_PERIOD, now + FULL_ACK_PERIOD + 20_000):
            side.run_until(due)
            for number, _ in side.said_acks():
                side.acks.confirm(number, due + 20_000)
        assert side.acks.deadline == NEVER
    assert side.counters.sent_acks == fields["packets"] <= fields["max_acks"]


def test_even_a_peer_that_never_echoes_hears_little() -> None:
    side = ReceivingSide()
    for n in range(10):
        side.hear_numbers([n], n * 400_000)
        side.run_until((n + 1) * 400_000 - 1)
    assert side.counters.sent_acks < 40


def test_under_load_a_full_acknowledgement_leaves_every_ten_milliseconds() -> None:
    side = ReceivingSide()
    times = []
    for n in range(1_000):
        now = n * 100
        side.hear_numbers([n], now)
        if side.acks.deadline <= now:
            side.acks.on_deadline(now)
        full = [number for number, ack in side.said_acks() if ack.capacity is not None]
        times += [now] * len(full)
        for number in full:
            side.acks.confirm(number, now)
    assert 9 <= len(times) <= 10
    assert all(10_000 <= later - earlier <= 10_200 for earlier, later in pairwise(times))


def test_gosrts_issue_67_the_acknowledgement_never_runs_back() -> None:
    side = ReceivingSide(recv_latency=0)
    side.hear(batch(datagram(0, 1_000)), 1_000)
    positions: list[int] = []

    def acknowledged(now: int) -> None:
        side.run_until(now)
        positions.extend(ack.seq for _, ack in side.said_acks())

    acknowledged(90_000)
    side.hear(batch(datagram(12, 121_000)), 95_000)
    assert side.said_naks() == [[(1, 11)]]
    side.hear(batch(datagram(1, 11_000)), 96_000)
    side.hear(batch(datagram(11, 111_000)), 96_000)
    acknowledged(111_000)
    assert positions[-1] == 2
    acknowledged(200_000)
    assert positions == sorted(positions)
    assert positions[-1] == 13


def test_a_small_acknowledgement_is_numbered_and_echoed_like_a_full_one() -> None:
    side = ReceivingSide(capacity=100)
    side.hear_numbers(range(100), 0)
    side.said()
    number, ack = acknowledge(side, FULL_ACK_PERIOD) or (0, [])
    assert (number, ack[3]) == (1, 0)
    side.release(LATENCY)
    side.read()
    side.acks._full_at = LATENCY - 1  # a full one has only just left
    side.acks.on_deadline(LATENCY)
    ((number, small),) = side.said_acks()
    assert (number, small.available, small.capacity) == (2, 100, None)
    assert side.acks.confirm(2, LATENCY + 7) == 7


def test_unread_messages_narrow_the_window() -> None:
    side = ReceivingSide(capacity=1_000)
    side.hear_numbers(range(100), 0)
    side.release(LATENCY)
    side.hear_numbers([*range(100, 150), 151], LATENCY)
    side.said()
    ack = acknowledge(side, LATENCY + FULL_ACK_PERIOD)
    assert ack is not None
    assert ack[1][3] == 850
    side.read()
    side.hear_numbers([150], LATENCY + FULL_ACK_PERIOD)
    ack = acknowledge(side, LATENCY + 2 * FULL_ACK_PERIOD)
    assert ack is not None
    assert ack[1][3] == 1_000 - 52


def test_a_window_that_closed_is_reopened_soon_after_a_read() -> None:
    side = ReceivingSide(capacity=100)
    side.hear_numbers(range(100), 0)
    side.said()
    ack = acknowledge(side, FULL_ACK_PERIOD)
    assert ack is not None
    assert ack[1][3] == 0
    side.acks.confirm(ack[0], FULL_ACK_PERIOD + 1_000)
    assert side.acks.deadline == NEVER
    side.release(LATENCY)
    side.acks.note_read(LATENCY)
    assert side.acks.deadline == NEVER  # released is not read
    side.delivery.messages.popleft()
    side.acks.note_read(LATENCY)
    assert side.acks.deadline == LATENCY
    ack = acknowledge(side, LATENCY)
    assert ack is not None
    assert (ack[1][0], ack[1][3]) == (100, 1)
    side.read()
    side.acks.note_read(LATENCY + 100)
    assert side.acks.deadline == LATENCY + FULL_ACK_PERIOD
    ack = acknowledge(side, LATENCY + FULL_ACK_PERIOD)
    assert ack is not None
    assert ack[1][3] == 100


def test_a_slow_reader_of_a_full_buffer_is_no_storm() -> None:
    side = ReceivingSide(capacity=8191)
    side.hear_numbers(range(8191), 0)
    acknowledge_all(side, LATENCY)
    side.release(LATENCY)
    before = side.counters.sent_acks
    now = LATENCY
    while side.delivery.messages:
        now += 1_000
        side.delivery.messages.popleft()
        side.acks.note_read(now)
        acknowledge_all(side, now)
    assert 1 <= side.counters.sent_acks - before <= 20


def acknowledge_all(side: ReceivingSide, now: int) -> None:
    """Say what is due, and have it echoed at once."""
    side.acks.on_deadline(now)
    for number, ack in side.said_acks():
        if not ack.is_light:
            side.acks.confirm(number, now)


def test_a_light_acknowledgement_due_when_the_window_has_reopened_is_a_full_one() -> None:
    side = ReceivingSide(capacity=100)
    side.hear_numbers(range(64), 0)
    side.said()
    acknowledge_all(side, FULL_ACK_PERIOD)
    side.release(LATENCY)
    side.read()
    side.hear_numbers(range(64, 128), LATENCY)
    ((number, ack),) = side.said_acks()
    assert (number, ack.seq, ack.available) == (0, 128, None)
    side.hear_numbers(range(128, 164), LATENCY)
    side.said()
    acknowledge_all(side, 2 * LATENCY)
    assert side.acks._window == 0
    side.release(2 * LATENCY)
    side.read()
    side.hear_numbers(range(164, 228), 2 * LATENCY)
    ((number, ack),) = side.said_acks()
    assert (ack.seq, ack.available) == (228, 36)
    assert number > 0


# the journal


def test_numbers_begin_with_one_and_zero_follows_the_last() -> None:
    journal = Journal()
    assert [journal.enter(n, n) for n in range(3)] == [1, 2, 3]
    journal._number = LAST_ACK_NUMBER - 1
    assert [journal.enter(n, n) for n in range(3)] == [LAST_ACK_NUMBER, 0, 1]


def test_an_echo_forgets_what_was_said_before() -> None:
    journal = Journal()
    for n in range(5):
        journal.enter(100 + n, n)
    assert journal.echoed(3) == (102, 2)
    assert len(journal) == 2
    assert journal.echoed(2) is None
    assert journal.echoed(5) == (104, 4)
    assert len(journal) == 0


def test_the_journal_is_bounded() -> None:
    journal = Journal()
    for n in range(3 * JOURNAL_SIZE):
        journal.enter(n, n)
    assert len(journal) == JOURNAL_SIZE
    assert journal.echoed(1) is None
    assert journal.echoed(2 * JOURNAL_SIZE + 1) == (2 * JOURNAL_SIZE, 2 * JOURNAL_SIZE)


def test_the_rate_fields_say_how_fast_packets_arrive() -> None:
    side = ReceivingSide()
    for n in range(0, 4_000, 40):
        side.hear_numbers(range(n, n + 40), 10 * n)
    side.said()
    side.acks.on_deadline(50_000)
    ((_, ack),) = side.said_acks()
    assert ack.receive_rate == ack.capacity == 100_000
    assert ack.receive_bytes_rate == 100_000 * (8 + 12)


def test_a_fresh_part_says_nothing() -> None:
    side = ReceivingSide()
    acks = Acks(negotiated(), side.buffer, side.round_trip, side.arrivals, side.outbox, side.counters, SECOND)
    acks.on_deadline(SECOND)
    acks.note_read(SECOND)
    assert acks.deadline == NEVER
    assert side.said() == []


@given(st.integers(0, 1 << 30), st.sampled_from(STARTS), st.sampled_from([0.0, 0.02, 0.2, 0.5]), st.booleans())
def test_with_random_loss_the_acknowledgements_move_only_forward(
    seed: int, isn: int, loss: float, echoes: bool
) -> None:
    rng = random.Random(seed)
    side = ReceivingSide(isn, recv_latency=20_000)
    reached = 0
    again: list[tuple[int, int, int]] = []
    now = 0
    for n in range(0, 600, 5):
        now += 1_000
        side.run_until(now)
        made = [datagram(isn + n + k, now) for k in range(5) if rng.random() > loss]
        made += [datagram(isn + k, stamp, flags=RETRANSMITTED) for due, k, stamp in again if due <= now]
        again = [entry for entry in again if entry[0] > now]
        if made:
            side.hear(batch(*made), now)
        for kind, number, body in side.said():
            if kind == ControlType.ACK:
                position = side.offset(words(body)[0])
                assert reached <= position <= n + 5
                reached = position
                if number and echoes:
                    side.acks.confirm(number, now)
        again += [(now + rng.randrange(30_000), rng.randrange(n + 5), now) for _ in range(2)]
    side.run_until(now + 200_000)
    for _, ack in side.said_acks():
        assert reached <= side.offset(ack.seq)
        reached = side.offset(ack.seq)
    assert reached == side.offset(side.buffer.end)


# ---- a window that was closed ----------------------------------------------------------------------


@pytest.mark.parametrize("isn", STARTS)
def test_a_reopened_window_is_told_again_until_its_echo_comes(isn: int) -> None:
    """A sender that met a closed window has nothing on its way: were the news lost, nobody would tell it again."""
    side = ReceivingSide(isn, capacity=32, tsbpd_receive=False, tlpktdrop=False)
    side.hear_numbers(range(32), 0)
    ack = acknowledge(side, FULL_ACK_PERIOD)
    assert ack is not None
    assert ack[1][3] == 0
    assert side.acks.is_tight
    side.acks.confirm(ack[0], FULL_ACK_PERIOD + 30_000)
    assert side.acks.deadline == NEVER
    side.read()
    now = 500_000
    side.acks.note_read(now)
    assert side.acks.deadline == now
    ack = acknowledge(side, now)
    assert ack is not None
    assert ack[1][3] == 32
    assert not side.acks.is_tight
    for _ in range(3):
        assert now < side.acks.deadline <= now + side.acks._patience()
        now = side.acks.deadline
        ack = acknowledge(side, now)
        assert ack is not None
        assert ack[1][3] == 32
    side.acks.confirm(ack[0], now + 30_000)
    assert side.acks.deadline == NEVER


def test_an_echo_of_what_was_said_before_the_window_opened_does_not_end_the_repetition() -> None:
    side = ReceivingSide(capacity=32, tsbpd_receive=False, tlpktdrop=False)
    side.hear_numbers(range(32), 0)
    before = acknowledge(side, FULL_ACK_PERIOD)
    assert before is not None
    side.read()
    side.acks.note_read(2 * FULL_ACK_PERIOD)
    assert acknowledge(side, 2 * FULL_ACK_PERIOD) is not None
    side.acks.confirm(before[0], 2 * FULL_ACK_PERIOD + 1_000)
    assert side.acks.deadline < NEVER


def test_files_hope_for_more_than_arrives() -> None:
    """A sender of files does not grow beyond the capacity it is told, and large reads hide the probe pairs."""
    told = []
    for congestion in ("live", "file"):
        side = ReceivingSide(congestion=congestion)
        for step in range(60):
            side.hear_numbers([step], 100 * step)
        ack = acknowledge(side, FULL_ACK_PERIOD)
        assert ack is not None
        told.append((ack[1][4], ack[1][5]))
    (rate, capacity), (file_rate, file_capacity) = told
    assert rate == file_rate
    assert file_capacity == max(capacity, 2 * rate)


def test_live_acknowledgements_repeat_the_rates_and_files_do_not() -> None:
    told: dict[str, list[int]] = {}
    for congestion in ("live", "file"):
        side = ReceivingSide(congestion=congestion)
        seen = told[congestion] = []
        for turn in range(1, 18):
            side.hear_numbers(range(20 * turn - 20, 20 * turn), turn * FULL_ACK_PERIOD + 100 * turn * turn)
            seen.append(side.acks._rates.words()[0])
    assert len(set(told["file"])) > 10
    assert [told["live"][turn] for turn in (0, 8, 16)] == [told["file"][turn] for turn in (0, 8, 16)]
    assert told["live"] == [told["live"][turn // 8 * 8] for turn in range(17)]


@pytest.mark.parametrize("isn", STARTS)
def test_who_sends_a_file_hears_of_all_but_the_last_packet_first(isn: int) -> None:
    """Otherwise a libsrt 1.5.1 whose window was full may sleep on until its timeout."""
    side = ReceivingSide(isn, congestion="file", capacity=8191)
    side.hear_numbers(list(range(16)), 0)
    side.acks.on_deadline(FULL_ACK_PERIOD)
    heard = [(number, words(body)[0]) for _, number, body in side.said()]
    assert heard == [(0, (isn + 15) & SEQ_MASK), (1, (isn + 16) & SEQ_MASK)]
    side.hear_numbers(list(range(16, 80)), FULL_ACK_PERIOD + 1)
    light = [(number, tuple(words(body))) for _, number, body in side.said()]
    assert light == [(0, ((isn + 79) & SEQ_MASK,)), (0, ((isn + 80) & SEQ_MASK,))]
    assert side.counters.sent_light_acks == 3


def test_one_packet_more_than_the_last_time_is_acknowledged_once() -> None:
    side = ReceivingSide(congestion="file")
    side.hear_numbers([0], 0)
    side.acks.on_deadline(FULL_ACK_PERIOD)
    assert [number for _, number, _ in side.said()] == [1]
    side.acks.on_deadline(FULL_ACK_PERIOD + SECOND)
    assert [number for _, number, _ in side.said()] == [2], "a repetition is one too"


@pytest.mark.parametrize("isn", STARTS)
def test_what_is_taken_in_together_is_lightly_acknowledged_together(isn: int) -> None:
    side = ReceivingSide(isn, congestion="file", capacity=8191)
    for start in range(0, 640, 64):
        side.hear_numbers(list(range(start, start + 64)), 0)
    assert [words(body)[0] for _, _, body in side.said()] == [(isn + 63) & SEQ_MASK, (isn + 640) & SEQ_MASK]
    assert side.counters.sent_light_acks == 2


@pytest.mark.parametrize("isn", STARTS)
@pytest.mark.parametrize(
    ("congestion", "taken", "told"), [("file", NEAR, 500), ("file", NEAR + 1, 8000), ("live", 1, 7998)]
)
def test_a_sender_of_files_near_by_hears_of_no_more_than_the_kernel_holds(
    isn: int, congestion: str, taken: int, told: int
) -> None:
    """Who is as fast as we are fills the kernel's buffer before we are awake, and what comes then is lost."""
    side = ReceivingSide(isn, congestion=congestion, tsbpd_receive=congestion == "live", capacity=8000)
    side.acks.limit_bursts(500)
    side.hear_numbers([0], 0)
    ack = acknowledge(side, FULL_ACK_PERIOD)
    assert ack is not None
    assert ack[1][3] == 7999, "how far away it is nobody knows yet"
    side.read_all()
    side.acks.confirm(1, FULL_ACK_PERIOD + taken)
    side.hear_numbers([1], FULL_ACK_PERIOD + 2000)
    side.read_all()
    ack = acknowledge(side, 3 * FULL_ACK_PERIOD)
    assert ack is not None
    assert ack[1][3] == told


@pytest.mark.parametrize("isn", STARTS)
def test_a_small_window_that_is_used_up_is_told_anew_before_the_next_full_acknowledgement(isn: int) -> None:
    side = ReceivingSide(isn, tsbpd_receive=False, congestion="file", capacity=8000)
    side.acks.limit_bursts(256)
    side.hear_numbers([0], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    side.acks.confirm(1, FULL_ACK_PERIOD + 100)
    side.hear_numbers([1], FULL_ACK_PERIOD + 200)
    acknowledge(side, 2 * FULL_ACK_PERIOD + 200)
    told = []
    for start in range(2, 2 + 4 * 64, 64):
        side.hear_numbers(list(range(start, start + 64)), 2 * FULL_ACK_PERIOD + 200 + start)
        side.read_all()
        told += [words(body)[3:] for _, number, body in side.said() if number]
    assert told == [(256,)], "after three times 64 less than half is left"


def test_a_reader_that_does_not_read_is_told_of_though_the_peer_is_near() -> None:
    side = ReceivingSide(tsbpd_receive=False, congestion="file", capacity=1000)
    side.acks.limit_bursts(500)
    side.hear_numbers([0], 0)
    acknowledge(side, FULL_ACK_PERIOD)
    side.acks.confirm(1, FULL_ACK_PERIOD + 100)
    for start in range(1, 961, 64):
        side.hear_numbers(list(range(start, start + 64)), FULL_ACK_PERIOD + 200 + start)
    side.said()
    ack = acknowledge(side, 3 * FULL_ACK_PERIOD)
    assert ack is None or ack[1][3] == 1000 - 961
