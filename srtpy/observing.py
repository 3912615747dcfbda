"""Looking at a connection: readings, baselines, averages.

Lives here: taking a reading of a session, what each consumer saw last, smoothed buffer
sizes, the sending rate over the last second, the last reading of a closed connection.
Never here: what the figures mean (stats.py), counting (core).
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import fields
from typing import Final

from srtpy.stats import ConnStats, ExtendedConnStats, Reading, project

SMOOTHING: Final = 0.080
"""Seconds: libsrt's average over 8 samples taken each 10 ms."""
RATE_WINDOW: Final = 1.0
"""Seconds over which the sending rate is told."""

_BUFFERS: Final = ("send_buffer_packets", "send_buffer_bytes", "receive_buffer_packets", "receive_buffer_bytes")


class Observer:
    """One connection's statistics, from whoever asks; a lock of its own guards what it remembers."""

    __slots__ = ("_averages", "_base", "_final", "_last", "_lock", "_looked_at", "_read", "_sent")

    def __init__(self, read: Callable[[], Reading]) -> None:
        self._lock = threading.Lock()
        self._read = read
        self._base: Reading | None = None
        self._last: Reading | None = None
        self._final: Reading | None = None
        self._averages: list[float] = []
        self._looked_at = 0.0
        self._sent: deque[tuple[float, float, float]] = deque([(0.0, 0.0, 0.0)])

    def reading(self) -> Reading:
        """Return how things stand; of a closed connection, how they stood in the end."""
        if self._final is not None:
            return self._final
        self._last = reading = self._read()
        return reading

    def freeze(self) -> None:
        """Keep the present reading for good: the connection is closed."""
        try:
            self._final = self.reading()
        except Exception:  # noqa: BLE001 a core that broke in the middle of something, which has been told
            self._final = self._last

    def stats(self, clear: bool = False) -> ConnStats:
        """Return the statistics since the beginning; with `clear`, since the last call with `clear`."""
        reading = self.reading()
        if not clear:
            return project(reading)
        with self._lock:
            base, self._base = self._base, reading
        return project(reading, base)

    def extended(self, clear: bool = False) -> ExtendedConnStats:
        """Return `stats` and smoothed figures."""
        plain = self.stats(clear)
        packets, octets = self.send_rate()
        averages = self.averages()
        return ExtendedConnStats(
            **{one.name: getattr(plain, one.name) for one in fields(ConnStats)},
            avg_snd_buf_pkts=averages[0],
            avg_snd_buf_bytes=averages[1],
            avg_rcv_buf_pkts=averages[2],
            avg_rcv_buf_bytes=averages[3],
            send_rate_pps=packets,
            send_rate_bps=octets,
        )

    def averages(self) -> list[float]:
        """Return packets and bytes in the send buffer, then in the receive buffer, smoothed over the looks taken."""
        reading = self.reading()
        values = [float(reading.gauges[name]) for name in _BUFFERS]
        with self._lock:
            weight = 1 - math.exp(-max(reading.age - self._looked_at, 0) / SMOOTHING) if self._averages else 1.0
            old = self._averages or values
            self._averages = [was + weight * (value - was) for was, value in zip(old, values, strict=True)]
            self._looked_at = reading.age
            return [round(value, 2) for value in self._averages]

    def send_rate(self) -> tuple[float, float]:
        """Return packets and payload bytes a second: over the last second, or since the last look if that is longer."""
        reading = self.reading()
        counts, now = reading.counts, reading.age
        packets = counts["sent_unique_packets"] + counts["retransmits"]
        octets = counts["sent_unique_bytes"] + counts["retrans_bytes"]
        with self._lock:
            while len(self._sent) > 1 and now - self._sent[1][0] >= RATE_WINDOW:
                self._sent.popleft()
            then, packets_then, octets_then = self._sent[0]
            if now - self._sent[-1][0] >= RATE_WINDOW / 10:
                self._sent.append((now, packets, octets))
        elapsed = now - then
        if elapsed <= 0:
            return 0.0, 0.0
        return (packets - packets_then) / elapsed, (octets - octets_then) / elapsed


class Watch:
    """A consumer with a baseline of its own: what `on_stats` hands out, interval by interval."""

    __slots__ = ("_base", "_callback", "_observer")

    def __init__(self, observer: Observer, callback: Callable[[ConnStats], object]) -> None:
        self._observer = observer
        self._callback = callback
        self._base: Reading | None = observer.reading()

    def __call__(self) -> None:
        """Hand out what happened since the last time."""
        reading = self._observer.reading()
        base, self._base = self._base, reading
        self._callback(project(reading, base))
