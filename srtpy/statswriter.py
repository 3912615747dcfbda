"""Statistics into files: JSON lines and CSV as srt-live-transmit writes them, and Prometheus text.

Lives here: the three writers, each taking snapshots one by one.
Never here: what the figures mean (stats.py), taking them (conn.py).
Source: srt-live-transmit's statswriter.cpp, for names and order.
"""

from __future__ import annotations

import importlib
import json
from dataclasses import fields
from typing import Any, Final, Protocol, TextIO

from srtpy.log import harmless
from srtpy.stats import ConnStats, libsrt_names, live_transmit_value, timepoint


class StatsWriter(Protocol):
    """Takes snapshots and puts them somewhere."""

    def write(self, stats: ConnStats) -> None:
        """Take one snapshot."""


class JsonLinesWriter:
    """One JSON object a line, in srt-live-transmit's shape."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, stats: ConnStats) -> None:
        """Write one line and flush it."""
        self._file.write(json.dumps(stats.as_dict("srt-live-transmit"), separators=(",", ":")) + "\n")
        self._file.flush()


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


CSV_COLUMNS: Final = _words("""
    Timepoint Time SocketID Time pktFlowWindow pktCongestionWindow pktFlightSize msRTT mbpsBandwidth mbpsMaxBW
    pktSent pktSentUnique pktSndLoss pktSndDrop pktRetrans pktSndFilterExtra byteSent byteSentUnique byteSndDrop
    byteAvailSndBuf msSndBuf mbpsSendRate usPktSndPeriod pktRecv pktRecvUnique pktRcvLoss pktRcvDrop pktRcvRetrans
    pktRcvBelated pktRcvFilterExtra pktRcvFilterSupply pktRcvFilterLoss byteRecv byteRecvUnique byteRcvLoss
    byteRcvDrop byteAvailRcvBuf msRcvBuf mbpsRecvRate msRcvTsbPdDelay
""")
"""srt-live-transmit's header, `Time` twice as there."""


class CsvWriter:
    """srt-live-transmit's CSV: its header once, then a line for each snapshot."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._has_header = False

    def write(self, stats: ConnStats) -> None:
        """Write one line and flush it."""
        if not self._has_header:
            self._file.write(",".join(CSV_COLUMNS) + "\n")
            self._has_header = True
        values = libsrt_names(stats)
        values |= {"Timepoint": timepoint(stats), "Time": values["msTimeStamp"], "SocketID": stats.socket_id}
        self._file.write(",".join(str(live_transmit_value(values, name)) for name in CSV_COLUMNS) + "\n")
        self._file.flush()


_COUNTERS: Final = {
    "sent_packets": ("srt_sent_packets", 1.0),
    "sent_total_bytes": ("srt_sent_bytes", 1.0),
    "sent_unique_packets": ("srt_sent_unique_packets", 1.0),
    "retransmits": ("srt_retransmitted_packets", 1.0),
    "lost_packets": ("srt_send_lost_packets", 1.0),
    "sent_dropped": ("srt_send_dropped_packets", 1.0),
    "recv_packets": ("srt_received_packets", 1.0),
    "recv_total_bytes": ("srt_received_bytes", 1.0),
    "recv_unique_packets": ("srt_received_unique_packets", 1.0),
    "recv_retrans": ("srt_received_retransmitted_packets", 1.0),
    "recv_loss": ("srt_receive_lost_packets", 1.0),
    "recv_dropped": ("srt_receive_dropped_packets", 1.0),
    "recv_undecrypt": ("srt_receive_undecryptable_packets", 1.0),
    "recv_belated": ("srt_receive_belated_packets", 1.0),
    "sent_acks": ("srt_sent_acks", 1.0),
    "sent_naks": ("srt_sent_naks", 1.0),
    "recv_acks": ("srt_received_acks", 1.0),
    "recv_naks": ("srt_received_naks", 1.0),
}
_GAUGES: Final = {
    "rtt": ("srt_rtt_seconds", 1.0),
    "rtt_var": ("srt_rtt_variance_seconds", 1.0),
    "flow_window": ("srt_flow_window_packets", 1.0),
    "flight_size": ("srt_flight_packets", 1.0),
    "send_buf_size": ("srt_send_buffer_packets", 1.0),
    "recv_buf_size": ("srt_receive_buffer_packets", 1.0),
    "ms_snd_buf": ("srt_send_buffer_seconds", 1e-3),
    "ms_rcv_buf": ("srt_receive_buffer_seconds", 1e-3),
    "ms_rcv_tsbpd_delay": ("srt_receive_latency_seconds", 1e-3),
    "ms_snd_tsbpd_delay": ("srt_send_latency_seconds", 1e-3),
    "estimated_bandwidth": ("srt_link_capacity_packets_per_second", 1.0),
}
LARGEST_LABEL: Final = 128
"""Longer label values are cut: a stream id can be 512 bytes, and is the peer's to choose."""


class PrometheusWriter:
    """The latest snapshot of each connection, as a collector for prometheus-client.

    Give it cumulative snapshots (`stats()` without `clear`) and register it:
    `prometheus_client.REGISTRY.register(writer)`.  Rates are left to the query, as is Prometheus's custom.
    `remove` forgets a connection that has ended.

    Raises:
        ModuleNotFoundError: prometheus-client is not installed (`pip install srtpy[prometheus]`).
    """

    def __init__(self) -> None:
        try:
            self._core: Any = importlib.import_module("prometheus_client.core")
        except ModuleNotFoundError as error:
            hint = "statistics for Prometheus need prometheus-client: pip install 'srtpy[prometheus]'"
            raise ModuleNotFoundError(hint, name=error.name) from None
        self._latest: dict[int, tuple[tuple[str, str, str], ConnStats]] = {}

    def write(self, stats: ConnStats, role: str = "", peer: str = "", stream_id: str = "") -> None:
        """Take a snapshot, labelled with what tells the connection from others."""
        # a stream id need not be UTF-8, and one that is not would keep everybody's metrics from being written
        labels = (role[:LARGEST_LABEL], peer[:LARGEST_LABEL], harmless(stream_id)[:LARGEST_LABEL])
        self._latest[stats.socket_id] = (labels, stats)

    def remove(self, socket_id: int) -> None:
        """Forget a connection."""
        self._latest.pop(socket_id, None)

    def collect(self) -> list[Any]:
        """Return the metric families: prometheus-client calls this on each scrape."""
        latest = dict(self._latest)
        families = []
        for table, family_type in ((_COUNTERS, "CounterMetricFamily"), (_GAUGES, "GaugeMetricFamily")):
            for name, (metric, factor) in table.items():
                family = getattr(self._core, family_type)(
                    metric, _HELP[name], labels=("conn", "role", "peer", "streamid")
                )
                for socket_id, (labels, stats) in latest.items():
                    family.add_metric((str(socket_id), *labels), getattr(stats, name) * factor)
                families.append(family)
        return families


_HELP: Final = {one.name: f"srtpy's {one.name}" for one in fields(ConnStats)}
