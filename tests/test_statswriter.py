from __future__ import annotations

import csv
import io
import json

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from srtpy.stats import project
from srtpy.statswriter import CSV_COLUMNS, CsvWriter, JsonLinesWriter, PrometheusWriter
from tests.test_stats import reading

HEADER = (
    "Timepoint,Time,SocketID,Time,pktFlowWindow,pktCongestionWindow,pktFlightSize,msRTT,mbpsBandwidth,mbpsMaxBW,"
    "pktSent,pktSentUnique,pktSndLoss,pktSndDrop,pktRetrans,pktSndFilterExtra,byteSent,byteSentUnique,byteSndDrop,"
    "byteAvailSndBuf,msSndBuf,mbpsSendRate,usPktSndPeriod,pktRecv,pktRecvUnique,pktRcvLoss,pktRcvDrop,pktRcvRetrans,"
    "pktRcvBelated,pktRcvFilterExtra,pktRcvFilterSupply,pktRcvFilterLoss,byteRecv,byteRecvUnique,byteRcvLoss,"
    "byteRcvDrop,byteAvailRcvBuf,msRcvBuf,mbpsRecvRate,msRcvTsbPdDelay"
)
"""The line srt-live-transmit 1.5.1 begins with."""


def test_json_lines() -> None:
    file = io.StringIO()
    writer = JsonLinesWriter(file)
    for _ in range(2):
        writer.write(project(reading()))
    lines = file.getvalue().splitlines()
    assert [json.loads(line)["sid"] for line in lines] == [42, 42]
    assert " " not in lines[0]


def test_csv() -> None:
    file = io.StringIO()
    writer = CsvWriter(file)
    stats = project(reading())
    for _ in range(2):
        writer.write(stats)
    assert file.getvalue().splitlines()[0] == HEADER == ",".join(CSV_COLUMNS)
    header, *rows = csv.reader(io.StringIO(file.getvalue()))
    assert len(rows) == 2
    row = dict(zip(header, rows[0], strict=True))
    assert (row["SocketID"], row["Time"], row["msRTT"], row["mbpsMaxBW"]) == ("42", "2000", "20", "8")
    assert row["pktSent"] == str(stats.sent_packets)
    assert row["pktRcvFilterLoss"] == "0"
    assert all(value for value in rows[0])


def text_of(writer: PrometheusWriter) -> str:
    registry = CollectorRegistry()
    registry.register(writer)
    return generate_latest(registry).decode()


def test_prometheus() -> None:
    writer = PrometheusWriter()
    stats = project(reading())
    writer.write(stats, role="caller", peer="127.0.0.1:9", stream_id="s" * 300)
    text = text_of(writer)
    labels = 'conn="42",peer="127.0.0.1:9",role="caller",streamid="' + "s" * 128 + '"'
    assert f"srt_sent_packets_total{{{labels}}} {float(stats.sent_packets)}" in text
    assert f"srt_rtt_seconds{{{labels}}} 0.02" in text
    assert f"srt_receive_latency_seconds{{{labels}}} 0.12" in text
    assert text.count("# TYPE srt_rtt_seconds gauge") == 1
    assert text.count("# TYPE srt_sent_packets_total counter") == 1


@pytest.mark.parametrize("stream_id", ["caf\udce9", "\x1b[31m", "a\nb", '"} 1'])
def test_prometheus_survives_any_stream_id(stream_id: str) -> None:
    writer = PrometheusWriter()
    writer.write(project(reading()), stream_id=stream_id)
    lines = text_of(writer).splitlines()
    assert all(line.isprintable() for line in lines)
    assert all(line.startswith(("#", "srt_")) for line in lines)


def test_prometheus_forgets() -> None:
    writer = PrometheusWriter()
    writer.write(project(reading()))
    writer.remove(42)
    writer.remove(42)
    assert 'conn="42"' not in text_of(writer)


def test_prometheus_is_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("importlib.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'srtpy\[prometheus\]'"):
        PrometheusWriter()
