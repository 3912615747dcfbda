"""Figures about a running stream, each interval, on the screen and into a file.

Lives here: the thread that takes snapshots of both ends' connections and passes them on.
Never here: their formats (srtpy.statswriter), the layout of the screen (screen.py).
"""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import IO, Any, Final

import srtpy
from srtpy.cli.end import End
from srtpy.cli.pump import Pump
from srtpy.cli.screen import Screen, duration, megabits, size
from srtpy.statswriter import CsvWriter, JsonLinesWriter, PrometheusWriter

COLUMNS: Final = {"time": 9, "in": 17, "out": 14, "RTT": 9, "lost": 7, "resent": 7, "dropped": 8, "buffer": 9}
UNMEASURED: Final = (0.1, 0.05)  # draft 4.10: the round trip and its variance in seconds, before anybody knows
FORMATS: Final = ("json", "csv", "prometheus")


class StatsFile:
    """Writes snapshots to a file in one of three formats.

    JSON and CSV grow by a line a snapshot, of what happened since the one before; Prometheus text
    holds the latest totals and is replaced whole, as its text-file collectors want it.

    Raises:
        ModuleNotFoundError: the format is Prometheus and prometheus-client is not installed.
    """

    def __init__(self, path: str, form: str) -> None:
        self._path = Path(path)
        self._lines: IO[str] | None = None
        self._prometheus: PrometheusWriter | None = None
        self._shown: dict[str, int] = {}
        if form == "prometheus":
            self._prometheus = PrometheusWriter()
            self._client: Any = importlib.import_module("prometheus_client")
            self._registry = self._client.CollectorRegistry()
            self._registry.register(self._prometheus)
        else:
            self._lines = self._path.open("w", encoding="utf-8", newline="")
            self._writer = (JsonLinesWriter if form == "json" else CsvWriter)(self._lines)

    def write(self, conn: srtpy.Conn, recent: srtpy.ConnStats, role: str) -> None:
        """Write a snapshot of one connection."""
        if self._prometheus is None:
            self._writer.write(recent)
        else:
            host, port = conn.remote_addr[:2]
            self.forget(role, conn.socket_id)
            self._prometheus.write(conn.stats(), role, f"{host}:{port}", conn.stream_id)

    def forget(self, role: str, successor: int = 0) -> None:
        """Let go of the totals of an end's connection that is over, or has this successor."""
        known = self._shown.pop(role, 0)
        if self._prometheus is not None and known and known != successor:
            self._prometheus.remove(known)
        if successor:
            self._shown[role] = successor

    def flush(self) -> None:
        """Put the latest totals where scrapers find them, all at once."""
        if self._prometheus is not None:
            fresh = self._path.with_name(self._path.name + ".new")
            fresh.write_bytes(self._client.generate_latest(self._registry))
            fresh.replace(self._path)

    def close(self) -> None:
        """Close the file."""
        if self._lines is not None:
            self._lines.close()


class Figures:
    """Takes and passes on snapshots each `interval` seconds until it is stopped."""

    def __init__(
        self, pump: Pump, screen: Screen | None, file: StatsFile | None, interval: float, say: Callable[[str], None]
    ) -> None:
        self._pump, self._screen, self._file, self._interval, self._say = pump, screen, file, interval, say
        self._stop = threading.Event()
        self._looked_at = self._data_at = time.monotonic()
        self._moved = (0, 0)
        self._thread = threading.Thread(target=self._run, name="srtpy-figures", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End, after a last look."""
        if self._thread.is_alive():
            self._stop.set()
            self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(self._interval):
            self._look()
        self._look()
        if self._file is not None:
            self._note(self._file.close)

    def _look(self) -> None:
        """Take a snapshot of each connection there is, and pass them on."""
        source = self._snapshot(self._pump.source, "receiver")
        sink = self._snapshot(self._pump.sink, "sender")
        elapsed, self._looked_at = time.monotonic() - self._looked_at, time.monotonic()
        if self._file is not None:
            self._note(self._file.flush)
        if self._screen is not None and elapsed > 0:
            self._screen.row(self._row(source, sink, elapsed))

    def _snapshot(self, end: End, role: str) -> srtpy.ConnStats | None:
        conn = end.conn
        if conn is None:
            if self._file is not None:
                self._file.forget(role)
            return None
        recent = conn.stats(clear=True)
        if self._file is not None:
            self._note(partial(self._file.write, conn, recent, role))
        return recent

    def _note(self, write: Callable[[], None]) -> None:
        """Have something done to the file; if it cannot be, say so and leave the file alone from then on."""
        try:
            write()
        except OSError as error:
            self._file = None
            self._say(f"statistics can no longer be written: {error}")

    def _row(self, source: srtpy.ConnStats | None, sink: srtpy.ConnStats | None, elapsed: float) -> list[str]:
        """Say what came in, what went out, how the links are."""
        links = [stats for stats in (source, sink) if stats is not None]
        before, self._moved = self._moved, (self._pump.taken, self._pump.bytes)
        taken, given = ((now - then) / elapsed for now, then in zip(self._moved, before, strict=True))
        return [
            duration(time.monotonic() - self._pump.began),
            self._came_in(source, elapsed) if self._pump.source.has_link else megabits(taken),
            self._went_out(sink, elapsed) if self._pump.sink.has_link else megabits(given),
            _round_trips(links),
            str(source.recv_loss if source else sink.lost_packets if sink else 0),
            str(sum(stats.retransmits + stats.recv_retrans for stats in links)),
            str(sum(stats.recv_dropped + stats.sent_dropped for stats in links) + self._pump.dropped),
            f"{sum(stats.send_buf_size + stats.recv_buf_size for stats in links)} pkt",
        ]

    def _came_in(self, source: srtpy.ConnStats | None, elapsed: float) -> str:
        """Say how fast data came, or for how long none has: a peer that has died is not missed at once."""
        if source is None or source.recv_unique_packets:
            self._data_at = self._looked_at
        if source is None:
            return "-"
        silence = self._looked_at - self._data_at
        if source.recv_unique_packets or silence < 0.5:  # the last row may follow another at once
            return megabits(source.recv_unique_bytes / elapsed)
        return f"no data for {silence:.0f} s"

    def _went_out(self, sink: srtpy.ConnStats | None, elapsed: float) -> str:
        """Say how fast data left, if there is a connection."""
        return "-" if sink is None else megabits(sink.sent_unique_bytes / elapsed)


def _round_trips(links: list[srtpy.ConnStats]) -> str:
    """Say how long the round trips are, as far as they are known."""
    known = ["-" if (stats.rtt, stats.rtt_var) == UNMEASURED else f"{stats.rtt * 1000:.1f}" for stats in links]
    return " ".join(known) + " ms" if set(known) - {"-"} else "-"


def totals(pump: Pump) -> str:
    """Say in a line what a pump has moved, since it could move anything."""
    elapsed = 0.0 if pump.flows_since is None else time.monotonic() - pump.flows_since
    rate = megabits(pump.bytes / elapsed) if elapsed > 0 else "-"
    text = f"{pump.messages} messages, {size(pump.bytes)} in {duration(elapsed)} ({rate} on average)"
    if pump.dropped:
        text += f", {pump.dropped} messages dropped while nobody could take them"
    if pump.given_up:
        text += (
            f", {pump.given_up} packet{'s' if pump.given_up > 1 else ''} given up, too late or lost with a connection"
        )
    if pump.interruptions:
        text += f", {pump.interruptions} interruption{'s' if pump.interruptions > 1 else ''}"
    return text
