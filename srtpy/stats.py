"""Statistics for people and dashboards: what a connection counted, with units and names.

Lives here: `ConnStats` and `ExtendedConnStats`, the projection of counts and gauges onto them,
baselines (each consumer its own), the dictionary shapes of other tools.
Never here: counting (core), when anyone is told (statswatch.py), files (statswriter.py).
Source: libsrt SRT_TRACEBSTATS for meanings, srt-live-transmit for its shape.

Every packet costs 44 bytes of headers (IPv4, UDP, SRT); `*_total_bytes` include them, other
counts of bytes are payload.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Final, Literal, TypeAlias

HEADERS: Final = 44
"""Bytes of IP, UDP and SRT header in each packet."""

Style: TypeAlias = Literal["snake", "libsrt", "srt-live-transmit"]
Counts: TypeAlias = Mapping[str, float]

RUNNING: Final = frozenset({"belated_time_average", "reorder_distance"})
"""Counts that are states rather than sums: an interval shows them as they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnStats:
    """What a connection has done, since it began or since the last look, and how it stands.

    Durations without a unit in their name are seconds; `ms_*` are milliseconds, `us_*` microseconds,
    `mbps_*` Mbit/s including headers; buffers and windows are packets.
    """

    socket_id: int
    start_time: float  # Unix seconds
    duration: float  # age of the connection, in an interval too
    sent_packets: int  # first sends and resends
    sent_bytes: int
    sent_unique_packets: int
    sent_unique_bytes: int
    retransmits: int
    retrans_bytes: int
    recv_packets: int  # everything that arrived
    recv_bytes: int
    recv_unique_packets: int  # stored for the first time
    recv_unique_bytes: int
    recv_retrans: int  # arrived marked as sent again
    recv_retrans_bytes: int
    lost_packets: int  # ours that the peer, or our timer, reported lost
    recv_loss: int  # the peer's that were missing on arrival
    send_loss_rate: float  # percent of sent packets, since the beginning
    recv_loss_rate: float  # percent given up of all expected, since the beginning
    sent_total_bytes: int
    recv_total_bytes: int
    sent_unique_total_bytes: int
    recv_unique_total_bytes: int
    recv_loss_bytes: int  # estimated by the average packet, headers included
    retrans_total_bytes: int
    recv_retrans_total_bytes: int
    sent_drop_total_bytes: int
    recv_drop_total_bytes: int
    recv_belated_total_bytes: int
    recv_undecrypt_total_bytes: int
    mbps_send_rate: float  # over the interval, or since the beginning
    mbps_recv_rate: float
    rtt: float
    rtt_var: float
    rtt_factor: float  # round trips that fit into the latency
    flow_window: int
    flight_size: int
    send_buf_size: int  # packets held
    send_buf_available: int
    send_buf_bytes: int
    recv_buf_size: int
    recv_buf_available: int
    recv_buf_bytes: int
    negotiated_latency: float
    packet_receive_rate: int  # packets a second
    estimated_bandwidth: int  # packets a second
    us_pkt_snd_period: float
    mbps_max_bw: float  # 0: unlimited
    ms_snd_buf: float  # age of the oldest packet not acknowledged
    ms_rcv_buf: float  # from the oldest packet held to the newest
    sent_acks: int
    sent_naks: int
    sent_ackacks: int
    recv_acks: int
    recv_naks: int
    recv_ackacks: int
    recv_dropped: int  # given up as too late
    recv_dropped_bytes: int
    recv_belated: int  # arrived when its place had been played or given up; repeats before that are duplicates
    recv_belated_bytes: int
    recv_duplicates: int  # arrived more than once
    recv_undecrypt: int  # no key we have opens them, or they came in clear where that is not allowed
    recv_undecrypt_bytes: int
    sent_dropped: int  # too late to be sent (again)
    sent_dropped_bytes: int
    sent_km: int  # key material sent: announcements
    recv_km: int  # and received: announcements and answers
    snd_km_state: int  # as KmState
    rcv_km_state: int
    us_snd_duration: int  # how long the send buffer held something
    congestion_window: int
    reorder_tolerance: int
    reorder_distance: int
    rcv_avg_belated_time: float
    negotiated_mss: int
    negotiated_fc: int
    ms_snd_tsbpd_delay: float
    ms_rcv_tsbpd_delay: float

    def as_dict(self, style: Style = "snake") -> dict[str, object]:
        """Return the statistics as a dictionary ready for JSON.

        Args:
            style: "snake" for the names here; "libsrt" for the names of its C structure (byte counts
                include headers); "srt-live-transmit" for that tool's nested JSON.
        """
        if style == "snake":
            return {one.name: getattr(self, one.name) for one in fields(self)}
        if style == "libsrt":
            return libsrt_names(self)
        if style == "srt-live-transmit":
            return live_transmit_shape(self)
        raise ValueError(f"style={style!r}: use 'snake', 'libsrt' or 'srt-live-transmit'")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtendedConnStats(ConnStats):
    """`ConnStats` and smoothed figures."""

    avg_snd_buf_pkts: float
    avg_snd_buf_bytes: float
    avg_rcv_buf_pkts: float
    avg_rcv_buf_bytes: float
    send_rate_pps: float
    send_rate_bps: float  # bytes a second


@dataclass(frozen=True, slots=True)
class Reading:
    """What a connection counted and showed at one moment.

    Attributes:
        counts: by the names of the core's counters.
        gauges: by the names of the core's gauges; times in microseconds.
        socket_id: ours.
        start_time: when it began, in Unix seconds.
        flow_window: as negotiated, in packets.
    """

    counts: Counts
    gauges: Counts
    socket_id: int
    start_time: float
    flow_window: int

    @property
    def age(self) -> float:
        """Seconds since the connection began."""
        return max(self.gauges["now"] - self.gauges["start"], 0) / 1e6


def since(counts: Counts, base: Counts | None) -> Counts:
    """Return what was counted since `base`; None is the beginning."""
    if base is None:
        return counts
    return {name: value if name in RUNNING else value - base[name] for name, value in counts.items()}


def project(reading: Reading, base: Reading | None = None) -> ConnStats:
    """Return the statistics since `base`, or since the beginning."""
    counts = since(reading.counts, base.counts if base is not None else None)
    elapsed = reading.age - base.age if base is not None else reading.age
    return ConnStats(**_identity(reading), **_counted(counts, elapsed), **_rates(reading.counts), **_gauged(reading))  # type: ignore[arg-type]


def _identity(reading: Reading) -> dict[str, float]:
    return {"socket_id": reading.socket_id, "start_time": reading.start_time, "duration": reading.age}


def _with_headers(payload: float, packets: float) -> int:
    return int(payload + HEADERS * packets)


def _counted(counts: Counts, elapsed: float) -> dict[str, float]:
    sent = counts["sent_unique_packets"] + counts["retransmits"]
    sent_bytes = counts["sent_unique_bytes"] + counts["retrans_bytes"]
    average = counts["recv_bytes"] / counts["recv_packets"] if counts["recv_packets"] else 0
    sent_total = _with_headers(sent_bytes, sent)
    recv_total = _with_headers(counts["recv_bytes"], counts["recv_packets"])
    return {
        **{name: int(counts[name]) for name in _AS_COUNTED},
        "sent_packets": int(sent),
        "sent_bytes": int(sent_bytes),
        "lost_packets": int(counts["sent_loss"]),
        "sent_total_bytes": sent_total,
        "recv_total_bytes": recv_total,
        "sent_unique_total_bytes": _with_headers(counts["sent_unique_bytes"], counts["sent_unique_packets"]),
        "recv_unique_total_bytes": _with_headers(counts["recv_unique_bytes"], counts["recv_unique_packets"]),
        "recv_loss_bytes": _with_headers(average * counts["recv_loss"], counts["recv_loss"]),
        "retrans_total_bytes": _with_headers(counts["retrans_bytes"], counts["retransmits"]),
        "recv_retrans_total_bytes": _with_headers(counts["recv_retrans_bytes"], counts["recv_retrans"]),
        "sent_drop_total_bytes": _with_headers(counts["sent_dropped_bytes"], counts["sent_dropped"]),
        "recv_drop_total_bytes": _with_headers(counts["recv_dropped_bytes"], counts["recv_dropped"]),
        "recv_belated_total_bytes": _with_headers(counts["recv_belated_bytes"], counts["recv_belated"]),
        "recv_undecrypt_total_bytes": _with_headers(counts["recv_undecrypt_bytes"], counts["recv_undecrypt"]),
        "mbps_send_rate": sent_total * 8 / 1e6 / elapsed if elapsed > 0 else 0.0,
        "mbps_recv_rate": recv_total * 8 / 1e6 / elapsed if elapsed > 0 else 0.0,
        "us_snd_duration": int(counts["send_duration"]),
        "rcv_avg_belated_time": counts["belated_time_average"] / 1e3,
    }


_AS_COUNTED: Final = (
    *("sent_unique_packets", "sent_unique_bytes", "retransmits", "retrans_bytes", "sent_dropped", "sent_dropped_bytes"),
    *("recv_packets", "recv_bytes", "recv_unique_packets", "recv_unique_bytes", "recv_retrans", "recv_retrans_bytes"),
    *("recv_loss", "recv_dropped", "recv_dropped_bytes", "recv_belated", "recv_belated_bytes", "recv_duplicates"),
    *("sent_acks", "sent_naks", "sent_ackacks", "recv_acks", "recv_naks", "recv_ackacks", "reorder_distance"),
    *("recv_undecrypt", "recv_undecrypt_bytes", "sent_km", "recv_km"),
)


def _rates(total: Counts) -> dict[str, float]:
    sent = total["sent_unique_packets"] + total["retransmits"]
    expected = total["recv_unique_packets"] + total["recv_dropped"]
    return {
        "send_loss_rate": 100 * total["sent_loss"] / sent if sent else 0.0,
        "recv_loss_rate": 100 * total["recv_dropped"] / expected if expected else 0.0,
    }


def _gauged(reading: Reading) -> dict[str, float]:
    gauges = reading.gauges
    rtt, latency = gauges["rtt"] / 1e6, gauges["recv_latency"] / 1e6
    return {
        "rtt": rtt,
        "rtt_var": gauges["rtt_variance"] / 1e6,
        "rtt_factor": latency / rtt if rtt else 0.0,
        "flow_window": gauges["flow_window"],
        "flight_size": gauges["flight"],
        "send_buf_size": gauges["send_buffer_packets"],
        "send_buf_available": gauges["send_buffer_room"],
        "send_buf_bytes": gauges["send_buffer_bytes"],
        "recv_buf_size": gauges["receive_buffer_packets"],
        "recv_buf_available": gauges["receive_buffer_room"],
        "recv_buf_bytes": gauges["receive_buffer_bytes"],
        "negotiated_latency": latency,
        "packet_receive_rate": gauges["receive_rate"],
        "estimated_bandwidth": gauges["peer_capacity"] if gauges["peer_capacity"] > 1 else gauges["link_capacity"],
        "us_pkt_snd_period": float(gauges["send_period"]),
        "mbps_max_bw": gauges["max_bandwidth"] * 8 / 1e6,
        "ms_snd_buf": gauges["send_buffer_age"] / 1e3,
        "ms_rcv_buf": gauges["receive_buffer_span"] / 1e3,
        "congestion_window": gauges["congestion_window"],
        "reorder_tolerance": gauges["reorder_tolerance"],
        "negotiated_mss": gauges["mss"],
        "negotiated_fc": reading.flow_window,
        "ms_snd_tsbpd_delay": gauges["peer_latency"] / 1e3,
        "ms_rcv_tsbpd_delay": gauges["recv_latency"] / 1e3,
        "snd_km_state": gauges["send_km_state"],
        "rcv_km_state": gauges["recv_km_state"],
    }


def _table(text: str) -> dict[str, str]:
    return dict(pair.split("=") for pair in text.split())


_LIBSRT: Final = _table("""
    pktFlowWindow=flow_window pktCongestionWindow=congestion_window pktFlightSize=flight_size mbpsMaxBW=mbps_max_bw
    pktSent=sent_packets pktSentUnique=sent_unique_packets pktSndLoss=lost_packets pktSndDrop=sent_dropped
    pktRetrans=retransmits byteSent=sent_total_bytes byteSentUnique=sent_unique_total_bytes
    byteRetrans=retrans_total_bytes byteSndDrop=sent_drop_total_bytes pktSndBuf=send_buf_size msSndBuf=ms_snd_buf
    mbpsSendRate=mbps_send_rate usPktSndPeriod=us_pkt_snd_period usSndDuration=us_snd_duration
    msSndTsbPdDelay=ms_snd_tsbpd_delay pktSentACK=sent_acks pktSentNAK=sent_naks
    pktRecv=recv_packets pktRecvUnique=recv_unique_packets pktRcvLoss=recv_loss pktRcvDrop=recv_dropped
    pktRcvRetrans=recv_retrans pktRcvBelated=recv_belated byteRecv=recv_total_bytes
    byteRecvUnique=recv_unique_total_bytes byteRcvLoss=recv_loss_bytes byteRcvDrop=recv_drop_total_bytes
    pktRcvBuf=recv_buf_size msRcvBuf=ms_rcv_buf mbpsRecvRate=mbps_recv_rate msRcvTsbPdDelay=ms_rcv_tsbpd_delay
    pktRecvACK=recv_acks pktRecvNAK=recv_naks pktReorderDistance=reorder_distance
    pktReorderTolerance=reorder_tolerance byteMSS=negotiated_mss pktRcvUndecrypt=recv_undecrypt
    byteRcvUndecrypt=recv_undecrypt_total_bytes
""")
"""libsrt's name for each field that needs no arithmetic."""


def libsrt_names(stats: ConnStats) -> dict[str, object]:
    """Return the statistics under the names of libsrt's `SRT_TRACEBSTATS`."""
    return {
        "msTimeStamp": round(stats.duration * 1e3),
        "msRTT": stats.rtt * 1e3,
        "mbpsBandwidth": stats.estimated_bandwidth * stats.negotiated_mss * 8 / 1e6,
        "byteAvailSndBuf": stats.send_buf_available * stats.negotiated_mss,
        "byteAvailRcvBuf": stats.recv_buf_available * stats.negotiated_mss,
        "byteSndBuf": _with_headers(stats.send_buf_bytes, stats.send_buf_size),
        "byteRcvBuf": _with_headers(stats.recv_buf_bytes, stats.recv_buf_size),
        "pktRcvAvgBelatedTime": stats.rcv_avg_belated_time * 1e3,
        **{name: getattr(stats, attribute) for name, attribute in _LIBSRT.items()},
    }


_LIVE_TRANSMIT: Final = {
    "window": _table("flow=pktFlowWindow congestion=pktCongestionWindow flight=pktFlightSize"),
    "link": _table("rtt=msRTT bandwidth=mbpsBandwidth maxBandwidth=mbpsMaxBW"),
    "send": _table("""
        packets=pktSent packetsUnique=pktSentUnique packetsLost=pktSndLoss packetsDropped=pktSndDrop
        packetsRetransmitted=pktRetrans packetsFilterExtra= bytes=byteSent bytesUnique=byteSentUnique
        bytesDropped=byteSndDrop byteAvailBuf=byteAvailSndBuf msBuf=msSndBuf mbitRate=mbpsSendRate
        sendPeriod=usPktSndPeriod
    """),
    "recv": _table("""
        packets=pktRecv packetsUnique=pktRecvUnique packetsLost=pktRcvLoss packetsDropped=pktRcvDrop
        packetsRetransmitted=pktRcvRetrans packetsBelated=pktRcvBelated packetsFilterExtra= packetsFilterSupply=
        packetsFilterLoss= bytes=byteRecv bytesUnique=byteRecvUnique bytesLost=byteRcvLoss bytesDropped=byteRcvDrop
        byteAvailBuf=byteAvailRcvBuf msBuf=msRcvBuf mbitRate=mbpsRecvRate msTsbPdDelay=msRcvTsbPdDelay
    """),
}
"""srt-live-transmit's groups; what only a packet filter would count is 0, there for the shape's sake."""

_WHOLE_MILLISECONDS: Final = frozenset({"msSndBuf", "msRcvBuf", "msRcvTsbPdDelay"})


def live_transmit_value(values: Mapping[str, object], name: str) -> object:
    """Return one of libsrt's values as srt-live-transmit prints it."""
    value = values.get(name, 0)
    if isinstance(value, float):
        value = round(value) if name in _WHOLE_MILLISECONDS else float(f"{value:.6g}")
        return int(value) if value == int(value) else value
    return value


def timepoint(stats: ConnStats) -> str:
    """Return the moment of the statistics as ISO 8601 in local time, as srt-live-transmit writes it."""
    moment = datetime.fromtimestamp(stats.start_time + stats.duration).astimezone()
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f%z")


def live_transmit_shape(stats: ConnStats) -> dict[str, object]:
    """Return the statistics in the shape of srt-live-transmit's JSON."""
    values = libsrt_names(stats)
    shape: dict[str, object] = {
        "sid": stats.socket_id,
        "timepoint": timepoint(stats),
        "time": values["msTimeStamp"],
    }
    for group, names in _LIVE_TRANSMIT.items():
        shape[group] = {shown: live_transmit_value(values, name) for shown, name in names.items()}
    return shape
