from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from srtpy.cli.figures import StatsFile
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
