from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from srtpy.cli.end import End
from srtpy.cli.endpoints import SrtEnd
from srtpy.cli.figures import COLUMNS, Figures, StatsFile, totals
from srtpy.internal.clock.units import SECOND
from srtpy.internal.core.roundtrip import INITIAL_RTT, INITIAL_VARIANCE
from srtpy.stats import ConnStats
from tests.connected import pair


class Shown:
    """As much of a connection as a file of statistics wants."""

    remote_addr = ("127.0.0.1", 9000)
    stream_id = ""

    def __init__(self, stats: ConnStats, socket_id: int) -> None:
        self.socket_id = socket_id
        self._stats = replace(stats, socket_id=socket_id)

    def stats(self) -> ConnStats:
        return self._stats


def test_prometheus_sees_only_the_connections_there_are(tmp_path: Path) -> None:
    path = tmp_path / "metrics"
    file = StatsFile(str(path), "prometheus")
    with pair() as (a, _):
        stats = a.stats()

    def shown_after(socket_id: int, role: str) -> set[str]:
        conn: Any = Shown(stats, socket_id)
        file.write(conn, stats, role)
        file.flush()
        return set(re.findall(r"srt_rtt_seconds\{conn=\"(\d+)\"", path.read_text()))

    assert shown_after(1, "sender") == {"1"}
    assert shown_after(2, "receiver") == {"1", "2"}
    assert shown_after(3, "sender") == {"2", "3"}, "a sender that came back has another id"
    file.forget("receiver")
    file.forget("receiver")
    assert shown_after(3, "sender") == {"3"}
    file.close()


def silent() -> Figures:
    """Return figures of no stream at all, for nobody to see."""
    source, sink = SrtEnd("srt://127.0.0.1:9000"), SrtEnd("srt://127.0.0.1:9001")
    ends: Any = SimpleNamespace(source=source, sink=sink, began=0.0, dropped=0, taken=0, bytes=0)
    return Figures(ends, None, None, 1.0, lambda text: None)


def test_a_source_that_brings_nothing_is_told_from_one_that_flows() -> None:
    rows: list[list[str]] = []
    figures = silent()
    with pair() as (a, b):
        for writes, conn in ((1, b), (0, b), (0, b), (1, b), (0, None), (0, b)):
            for _ in range(writes):
                a.write(b"data")
                b.read()
            figures._looked_at += 1.0
            rows.append(figures._row(None if conn is None else conn.stats(clear=True), None, 1.0))
    shown = [row[1] for row in rows]
    assert shown[1:3] == ["no data for 1 s", "no data for 2 s"]
    assert shown[0].endswith("Mbit/s")
    assert shown[3:] == [shown[0], "-", "no data for 1 s"]
    assert all(len(text) <= COLUMNS["in"] for text in shown)


def test_a_last_row_that_follows_at_once_tells_of_no_silence() -> None:
    figures = silent()
    with pair() as (_, b):
        figures._looked_at += 0.2
        row = figures._row(b.stats(clear=True), None, 0.2)
    assert row[1] == "0.00 Mbit/s"


def test_ends_without_a_link_have_rates_too() -> None:
    pump: Any = SimpleNamespace(source=End("file"), sink=End("udp"), began=0.0, dropped=0, taken=0, bytes=0)
    figures = Figures(pump, None, None, 1.0, lambda text: None)
    shown = []
    for taken, given in ((1_000_000, 500_000), (1_250_000, 1_250_000), (1_250_000, 1_250_000)):
        pump.taken, pump.bytes = taken, given
        shown.append(figures._row(None, None, 2.0)[1:3])
    assert shown == [["4.00 Mbit/s", "2.00 Mbit/s"], ["1.00 Mbit/s", "3.00 Mbit/s"], ["0.00 Mbit/s", "0.00 Mbit/s"]]
    pump.source = pump.sink = SrtEnd("srt://127.0.0.1:9000")
    assert figures._row(None, None, 2.0)[1:3] == ["-", "-"], "no link now"


def test_a_round_trip_that_nobody_has_measured_is_not_told() -> None:
    figures = silent()
    with pair() as (a, _):
        known = replace(a.stats(), rtt=0.0015, rtt_var=0.0007)
    unknown = replace(known, rtt=INITIAL_RTT / SECOND, rtt_var=INITIAL_VARIANCE / SECOND)
    rows = [(known, None), (unknown, None), (None, unknown), (known, unknown), (unknown, unknown), (None, None)]
    shown = [figures._row(source, sink, 1.0)[3] for source, sink in rows]
    assert shown == ["1.5 ms", "-", "-", "1.5 - ms", "-", "-"]


def test_the_average_counts_from_the_first_connection_on() -> None:
    now = time.monotonic()
    pump: Any = SimpleNamespace(
        began=now - 1000, flows_since=now - 100, messages=7, bytes=12_500_000, dropped=0, given_up=0, interruptions=0
    )
    told = totals(pump)
    assert told.startswith("7 messages, 12.5 MB in 1:4")
    assert float(told.split("(")[1].split()[0]) == pytest.approx(1, abs=0.1)


def test_with_no_connection_there_is_no_average() -> None:
    pump: Any = SimpleNamespace(
        began=0.0, flows_since=None, messages=0, bytes=0, dropped=0, given_up=0, interruptions=0
    )
    assert totals(pump) == "0 messages, 0 B in 0:00.0 (- on average)"


def test_what_never_arrived_is_told_with_the_totals() -> None:
    pump: Any = SimpleNamespace(
        began=0.0, flows_since=None, messages=9, bytes=900, dropped=2, given_up=514, interruptions=1
    )
    assert totals(pump).endswith(
        ", 2 messages dropped while nobody could take them, "
        "514 packets given up, too late or lost with a connection, 1 interruption"
    )
    pump.given_up = 1
    assert ", 1 packet given up, too late or lost with a connection," in totals(pump)
