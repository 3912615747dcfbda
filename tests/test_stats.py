from __future__ import annotations

import json
import re
from dataclasses import asdict, fields
from typing import Any

import pytest

from srtpy.internal.core.counters import Counters
from srtpy.internal.core.gauges import Gauges
from srtpy.stats import ConnStats, ExtendedConnStats, Reading, project

KEY_COUNTS = ("sent_km", "recv_km", "ignored_km", "recv_undecrypt", "recv_undecrypt_bytes")
COUNTS: dict[str, float] = {name: 10 * (index + 1) for index, name in enumerate((*Counters.__slots__, *KEY_COUNTS))}
GAUGES = Gauges(
    now=7_000_000,
    start=5_000_000,
    rtt=20_000,
    rtt_variance=3_000,
    mss=1500,
    payload_size=1456,
    flow_window=8000,
    congestion_window=8192,
    flight=5,
    send_period=12.5,
    max_bandwidth=1_000_000,
    send_buffer_packets=6,
    send_buffer_bytes=6000,
    send_buffer_age=30_000,
    send_buffer_room=100,
    peer_capacity=1000,
    peer_latency=200_000,
    receive_buffer_packets=7,
    receive_buffer_bytes=7000,
    receive_buffer_span=40_500,
    receive_buffer_room=90,
    receive_rate=300,
    link_capacity=2000,
    recv_latency=120_000,
    reorder_tolerance=2,
    unread_packets=1,
    send_km_state=2,
    recv_km_state=3,
    key_length=16,
    cipher=2,
)

GO_FIELDS = """
    start_time duration sent_packets sent_bytes sent_unique_packets sent_unique_bytes retransmits retrans_bytes
    recv_packets recv_bytes recv_unique_packets recv_unique_bytes recv_retrans recv_retrans_bytes lost_packets recv_loss
    send_loss_rate recv_loss_rate sent_total_bytes recv_total_bytes sent_unique_total_bytes recv_unique_total_bytes
    recv_loss_bytes retrans_total_bytes recv_retrans_total_bytes sent_drop_total_bytes recv_drop_total_bytes
    recv_belated_total_bytes mbps_send_rate mbps_recv_rate rtt rtt_var rtt_factor flow_window flight_size send_buf_size
    send_buf_available send_buf_bytes recv_buf_size recv_buf_available recv_buf_bytes negotiated_latency
    packet_receive_rate estimated_bandwidth us_pkt_snd_period mbps_max_bw ms_snd_buf ms_rcv_buf sent_acks sent_naks
    sent_ackacks recv_acks recv_naks recv_ackacks recv_dropped recv_dropped_bytes recv_belated recv_belated_bytes
    sent_dropped sent_dropped_bytes us_snd_duration congestion_window reorder_tolerance reorder_distance
    recv_undecrypt recv_undecrypt_bytes recv_undecrypt_total_bytes sent_km recv_km snd_km_state rcv_km_state
    rcv_avg_belated_time negotiated_mss negotiated_fc ms_snd_tsbpd_delay ms_rcv_tsbpd_delay
"""


def reading(counts: dict[str, float] | None = None, **gauges: Any) -> Reading:
    values = asdict(GAUGES) | gauges
    return Reading(counts or COUNTS, values, socket_id=42, start_time=1_700_000_000.25, flow_window=8192)


def test_every_field_of_go_and_ours() -> None:
    assert {one.name for one in fields(ConnStats)} == set(GO_FIELDS.split()) | {"socket_id", "recv_duplicates"}
    extended = {one.name for one in fields(ExtendedConnStats)} - {one.name for one in fields(ConnStats)}
    assert extended == {
        "avg_snd_buf_pkts", "avg_snd_buf_bytes", "avg_rcv_buf_pkts", "avg_rcv_buf_bytes", "send_rate_pps",
        "send_rate_bps",
    }  # fmt: skip


def test_since_the_beginning() -> None:
    stats = project(reading())
    assert stats.socket_id == 42
    assert stats.duration == 2.0
    assert stats.sent_packets == stats.sent_unique_packets + stats.retransmits
    assert stats.sent_bytes == stats.sent_unique_bytes + stats.retrans_bytes
    assert stats.sent_total_bytes == stats.sent_bytes + 44 * stats.sent_packets
    assert stats.sent_total_bytes == stats.sent_unique_total_bytes + stats.retrans_total_bytes
    assert stats.recv_total_bytes == stats.recv_bytes + 44 * stats.recv_packets
    assert stats.mbps_send_rate == pytest.approx(stats.sent_total_bytes * 8 / 2e6)
    assert stats.mbps_recv_rate == pytest.approx(stats.recv_total_bytes * 8 / 2e6)
    assert stats.lost_packets == COUNTS["sent_loss"]
    assert stats.send_loss_rate == pytest.approx(100 * stats.lost_packets / stats.sent_packets)
    expected = stats.recv_unique_packets + stats.recv_dropped
    assert stats.recv_loss_rate == pytest.approx(100 * stats.recv_dropped / expected)
    average = stats.recv_bytes / stats.recv_packets
    assert stats.recv_loss_bytes == int(stats.recv_loss * (average + 44))


def test_units() -> None:
    stats = project(reading())
    assert (stats.rtt, stats.rtt_var, stats.rtt_factor) == (0.02, 0.003, 6.0)
    assert (stats.negotiated_latency, stats.ms_rcv_tsbpd_delay, stats.ms_snd_tsbpd_delay) == (0.12, 120.0, 200.0)
    assert (stats.mbps_max_bw, stats.us_pkt_snd_period) == (8.0, 12.5)
    assert (stats.ms_snd_buf, stats.ms_rcv_buf) == (30.0, 40.5)
    assert stats.rcv_avg_belated_time == COUNTS["belated_time_average"] / 1000
    assert (stats.negotiated_mss, stats.negotiated_fc) == (1500, 8192)


def test_encryption() -> None:
    stats = project(reading())
    assert (stats.recv_undecrypt, stats.recv_undecrypt_bytes) == (
        COUNTS["recv_undecrypt"],
        COUNTS["recv_undecrypt_bytes"],
    )
    assert stats.recv_undecrypt_total_bytes == stats.recv_undecrypt_bytes + 44 * stats.recv_undecrypt
    assert (stats.sent_km, stats.recv_km) == (COUNTS["sent_km"], COUNTS["recv_km"])
    assert (stats.snd_km_state, stats.rcv_km_state) == (2, 3)
    assert stats.as_dict("libsrt")["pktRcvUndecrypt"] == stats.recv_undecrypt


def test_the_better_estimate_of_the_link() -> None:
    assert project(reading()).estimated_bandwidth == 1000
    assert project(reading(peer_capacity=1)).estimated_bandwidth == 2000


def test_since_the_last_look() -> None:
    base = reading()
    later = reading({name: value + 5 for name, value in COUNTS.items()}, now=8_000_000)
    stats = project(later, base)
    assert (stats.sent_unique_packets, stats.retransmits, stats.sent_packets, stats.recv_acks) == (5, 5, 10, 5)
    assert stats.mbps_send_rate == pytest.approx((10 + 440) * 8 / 1e6)
    assert stats.duration == 3.0
    assert stats.reorder_distance == COUNTS["reorder_distance"] + 5
    assert stats.send_loss_rate == project(later).send_loss_rate


def test_nothing_has_happened_yet() -> None:
    stats = project(reading(dict.fromkeys(COUNTS, 0), now=5_000_000, rtt=0))
    assert (stats.duration, stats.mbps_send_rate, stats.send_loss_rate, stats.recv_loss_rate) == (0, 0, 0, 0)
    assert (stats.rtt_factor, stats.recv_loss_bytes) == (0, 0)
    base = reading()
    assert project(base, base).mbps_send_rate == 0


def test_frozen() -> None:
    with pytest.raises(AttributeError):
        project(reading()).rtt = 1  # type: ignore[misc]


@pytest.mark.parametrize("style", ["snake", "libsrt", "srt-live-transmit"])
def test_dictionaries_are_ready_for_json(style: Any) -> None:
    stats = project(reading())
    assert json.loads(json.dumps(stats.as_dict(style)))


def test_our_own_names() -> None:
    stats = project(reading())
    assert stats.as_dict() == asdict(stats)
    with pytest.raises(ValueError, match="srt-live-transmit"):
        stats.as_dict("csv")  # type: ignore[arg-type]


def test_names_of_libsrt() -> None:
    stats = project(reading())
    names = stats.as_dict("libsrt")
    assert names["msTimeStamp"] == 2000
    assert names["msRTT"] == 20.0
    assert names["byteSent"] == stats.sent_total_bytes
    assert names["mbpsBandwidth"] == 1000 * 1500 * 8 / 1e6
    assert names["byteAvailSndBuf"] == 150_000
    assert names["byteSndBuf"] == 6000 + 6 * 44
    assert all(re.fullmatch(r"(pkt|byte|ms|us|mbps)[A-Z]\w*", name) for name in names)


LIVE_TRANSMIT = (
    '{"sid":702293171,"timepoint":"2026-11-22T10:13:37.311293+0000","time":705,"window":{"flow":8192,"congestion":8192,'
    '"flight":0},"link":{"rtt":0.035,"bandwidth":12,"maxBandwidth":1000},"send":{"packets":0,"packetsUnique":0,'
    '"packetsLost":0,"packetsDropped":0,"packetsRetransmitted":0,"packetsFilterExtra":0,"bytes":0,"bytesUnique":0,'
    '"bytesDropped":0,"byteAvailBuf":12288000,"msBuf":0,"mbitRate":0,"sendPeriod":12},"recv":{"packets":140,'
    '"packetsUnique":140,"packetsLost":0,"packetsDropped":0,"packetsRetransmitted":0,"packetsBelated":0,'
    '"packetsFilterExtra":0,"packetsFilterSupply":0,"packetsFilterLoss":0,"bytes":210000,"bytesUnique":210000,'
    '"bytesLost":0,"bytesDropped":0,"byteAvailBuf":12240000,"msBuf":36,"mbitRate":2.38169,"msTsbPdDelay":120}}'
)
"""A line that srt-live-transmit 1.5.1 wrote."""


def shape(value: object) -> object:
    return {key: shape(inner) for key, inner in value.items()} if isinstance(value, dict) else None


def test_the_shape_of_srt_live_transmit() -> None:
    ours = project(reading()).as_dict("srt-live-transmit")
    theirs = json.loads(LIVE_TRANSMIT)
    assert shape(ours) == shape(theirs)
    assert json.dumps(shape(ours)) == json.dumps(shape(theirs)), "the order differs"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d{4}", str(ours["timepoint"]))
    assert (ours["sid"], ours["time"]) == (42, 2000)
    recv = ours["recv"]
    assert isinstance(recv, dict)
    assert (recv["msBuf"], recv["msTsbPdDelay"]) == (40, 120)
