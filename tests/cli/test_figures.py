from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from srtpy.cli.endpoints import End
from srtpy.cli.figures import COLUMNS, Figures, StatsFile
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


def test_a_source_that_brings_nothing_is_told_from_one_that_flows() -> None:
    rows: list[list[str]] = []
    ends: Any = SimpleNamespace(source=End("source"), sink=End("sink"), began=0.0, dropped=0)
    figures = Figures(ends, None, None, 1.0, lambda text: None)
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
    ends: Any = SimpleNamespace(source=End("source"), sink=End("sink"), began=0.0, dropped=0)
    figures = Figures(ends, None, None, 1.0, lambda text: None)
    with pair() as (_, b):
        figures._looked_at += 0.2
        row = figures._row(b.stats(clear=True), None, 0.2)
    assert row[1] == "0.00 Mbit/s"
