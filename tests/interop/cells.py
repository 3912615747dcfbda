"""One stream between srtpy and a tool of somebody else's, as it would be set up by hand.

Lives here: the cells of the interoperability table (which tool, who sends, who calls, what
weather), running one, running several at once, what came of it.
Never here: what should have come of it (the tests), whether a tool is there (conftest.py).

How each arrangement makes "complete" possible, which depends on how the tools end:
- srt-live-transmit reads a pipe in real time and is kept alive, fed with null packets, until the
  receiver has everything: it never ends by itself, and closing loses what is not yet played.
- ffmpeg sends what it muxes to the network and, by its tee muxer, the same bytes to a file that is
  the reference; `linger` gives its last packets time.  Lost ones of these are not sent again: libsrt
  waits for somebody to ask, and nobody knows.  The reference ends where what arrived does, if it is these alone.
- ffmpeg receives with its `data` demuxer and muxer, which copy bytes and change none.
- srtpy's own close waits until the peer has played everything.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.conftest import free_port
from tests.tools.srtpy_peer import SrtpyPeer
from tests.tools.stillness import Stall, Stillness, gaps, is_explained
from tests.tools.udp_proxy import CLEAR, Address, ProxyProcess, Weather

RATE = 1_250_000  # bytes a second: 10 Mbit/s
MESSAGE = 1316
NULL_PACKET = b"\x47\x1f\xff\x10" + b"\xff" * 184
LATENCY_MS = 250
BAD = Weather(loss=0.02, reorder=0.05, duplicate=0.01, delay_ms=20)
WEATHERS = {"clean": CLEAR, "bad": BAD}
LIBSRT_TAIL = 6  # messages: that so many of the last are all lost in bad weather has a probability of 0.02 ** 6
ENDING = 30  # seconds a process may take to begin or to end
LONGEST = 120  # seconds a stream of one minute may take altogether


@dataclass(frozen=True)
class Cell:
    """One stream: the tool `sends` or `receives`, as `caller` or `listener`, in `clean` or `bad` weather."""

    tool: str
    does: str
    mode: str
    weather: str

    def __str__(self) -> str:
        return f"{self.tool} {self.does} as {self.mode}, {self.weather}"


def cells_of(tool: str) -> list[Cell]:
    """Return all cells of a tool."""
    return [
        Cell(tool, does, mode, weather)
        for weather in WEATHERS
        for does in ("sends", "receives")
        for mode in ("caller", "listener")
    ]


@dataclass
class Outcome:
    """What came of a cell: what was sent, what arrived, what srtpy and the network counted."""

    sent: Path
    arrived: Path
    report: dict[str, Any] = field(default_factory=dict)
    network: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    began: float = 0.0  # when the first byte was sent, about
    stalls: list[Stall] = field(default_factory=list)  # of the machine, and of the network made on it

    @property
    def stood_still(self) -> float:
        """The longest stall, in seconds."""
        return max([end - begin for begin, end in self.stalls], default=0.0)

    def excuse(self) -> str:
        """Say why a stream from which something is missing shows nothing about its ends: "" if it does.

        Each gap must have been sent about when the machine stood still, and there must be nothing wrong but gaps.
        """
        if not self.report or not self.stalls:
            return ""
        missing = gaps(self.sent.read_bytes(), self.arrived.read_bytes())
        times = [self.began + place / RATE for place, _ in missing or []]
        if not missing or not is_explained(times, self.stalls):
            return ""
        lost = ", ".join(f"{size} bytes at {place / RATE:.2f} s" for place, size in missing[:5])
        still = ", ".join(f"{end - begin:.3f} s at {begin - self.began:.2f} s" for begin, end in self.stalls[:8])
        return f"missing {lost}{', …' if len(missing) > 5 else ''}; the machine stood still for {still}"

    def forgive_tail(self) -> None:
        """Cut what was sent to the length of what arrived if that is a few messages shorter."""
        sent, arrived = self.sent.stat().st_size, self.arrived.stat().st_size
        if 0 < sent - arrived <= LIBSRT_TAIL * MESSAGE:
            os.truncate(self.sent, arrived)

    def first_difference(self) -> str:
        """Return "" if what arrived begins with all that was sent, else where it differs."""
        with self.sent.open("rb") as sent, self.arrived.open("rb") as arrived:
            place = 0
            while True:
                one = sent.read(1 << 20)
                other = arrived.read(len(one))
                if one != other:
                    same = next(
                        (n for n, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(other)
                    )
                    return f"byte {place + same} of {self.sent.stat().st_size} ({self.arrived.stat().st_size} arrived)"
                if not one:
                    return ""
                place += len(one)


class Stage:
    """Runs cells, once: the tools, a proxy process, the stream to send, a room for files."""

    def __init__(self, source: Path, room: Path, tools: dict[str, str]) -> None:
        self.source, self.room, self.tools = source, room, tools
        self.proxy = ProxyProcess()
        self._routes = 0

    def run(self, cells: Iterable[Cell]) -> dict[Cell, Outcome]:
        """Run cells all at once; return what came of each."""
        outcomes = {cell: self._prepare(cell) for cell in cells}
        threads = [threading.Thread(target=self._run, args=item) for item in outcomes.items()]
        with self.proxy, Stillness() as stillness:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            late = [(begin, end) for begin, end in self.proxy.counters()["stalls"]]
        for outcome in outcomes.values():
            outcome.stalls = sorted([*stillness.stalls, *late])
        return outcomes

    def _prepare(self, cell: Cell) -> Outcome:
        room = self.room / str(cell).replace(" ", "-").replace(",", "")
        room.mkdir()
        is_reference_made = (cell.tool, cell.does) == ("ffmpeg", "sends")
        return Outcome(room / "sent.ts" if is_reference_made else self.source, room / "arrived.ts")

    def _run(self, cell: Cell, outcome: Outcome) -> None:
        try:
            if cell.does == "sends":
                self._tool_sends(cell, outcome)
            else:
                self._tool_receives(cell, outcome)
        except Exception as fault:  # noqa: BLE001  (it is the test's to report, in its own thread)
            outcome.fault = f"{type(fault).__name__}: {fault} {outcome.fault}"

    def _front(self, cell: Cell, port: int) -> int:
        """Return the port to call so that the weather lies between."""
        if cell.weather == "clean":
            return port
        self._routes += 1
        front: Address = self.proxy.add_route(("127.0.0.1", port), WEATHERS[cell.weather], seed=self._routes)
        return front[1]

    def _network(self, port: int) -> dict[str, Any]:
        """Return what the proxy did to the flow towards `port`."""
        counted = self.proxy.counters()
        found = [route for route in counted["routes"] if route["target"] == port]
        own = {name: value for name, value in counted.items() if name != "routes"}
        return {**found[0], **own} if found else {}

    def _tool_sends(self, cell: Cell, outcome: Outcome) -> None:
        wanted = self.source.stat().st_size if cell.tool == "srt-live-transmit" else 0
        settings = {"role": "receive", "out": outcome.arrived, "latency": LATENCY_MS, "bytes": wanted}
        if cell.mode == "listener":
            port = free_port()
            with self._tool(cell, port, outcome) as tool:
                wait_until_bound(port)
                with SrtpyPeer(mode="caller", port=self._front(cell, port), **settings) as srtpy:
                    self._see_through(tool, srtpy, outcome)
        else:
            with SrtpyPeer(mode="listener", **settings) as srtpy:
                port = srtpy.port
                with self._tool(cell, self._front(cell, port), outcome) as tool:
                    self._see_through(tool, srtpy, outcome)
        outcome.network = self._network(port)

    def _see_through(self, tool: Tool, srtpy: SrtpyPeer, outcome: Outcome) -> None:
        """Feed a tool that reads a pipe; wait for srtpy's report."""
        srtpy.wait_connected()
        outcome.began = time.monotonic()
        if tool.process.stdin is None:
            outcome.report = srtpy.result(LONGEST)
            return
        time.sleep(1.5)  # srt-live-transmit throws away what it reads before it knows that it is connected
        outcome.began = time.monotonic()
        done = threading.Event()
        feeder = threading.Thread(target=feed, args=(self.source, tool.process.stdin, done))
        feeder.start()
        try:
            outcome.report = srtpy.result(LONGEST)
        finally:
            done.set()
            feeder.join()

    def _tool_receives(self, cell: Cell, outcome: Outcome) -> None:
        settings = {"role": "send", "rate": RATE, "in": self.source, "latency": LATENCY_MS, "size": MESSAGE}
        if cell.mode == "listener":
            port = free_port()
            with self._tool(cell, port, outcome) as tool:
                wait_until_bound(port)
                with SrtpyPeer(mode="caller", port=self._front(cell, port), **settings) as srtpy:
                    srtpy.wait_connected()
                    outcome.began = time.monotonic()
                    outcome.report = srtpy.result(LONGEST)
                    tool.process.wait(ENDING)
        else:
            with SrtpyPeer(mode="listener", **settings) as srtpy:
                port = srtpy.port
                with self._tool(cell, self._front(cell, port), outcome) as tool:
                    srtpy.wait_connected()
                    outcome.began = time.monotonic()
                    outcome.report = srtpy.result(LONGEST)
                    tool.process.wait(ENDING)
        outcome.network = self._network(port)

    def _tool(self, cell: Cell, port: int, outcome: Outcome) -> Tool:
        """Start the tool of a cell."""
        if cell.tool == "ffmpeg":
            url = f"srt://127.0.0.1:{port}?mode={cell.mode}&latency={LATENCY_MS * 1000}&pkt_size={MESSAGE}"
            return Tool([self.tools["ffmpeg"], *ffmpeg_words(cell, url, self.source, outcome)], outcome)
        url = f"srt://127.0.0.1:{port}?mode={cell.mode}&latency={LATENCY_MS}"
        ends = ["file://con", url] if cell.does == "sends" else [url, "file://con"]
        words = [self.tools["srt-live-transmit"], "-a:no", "-q", "-loglevel:error", f"-chunk:{MESSAGE}", *ends]
        return Tool(words, outcome, is_fed=cell.does == "sends", is_tapped=cell.does == "receives")


def ffmpeg_words(cell: Cell, url: str, source: Path, outcome: Outcome) -> list[str]:
    """Return ffmpeg's arguments."""
    words = ["-hide_banner", "-nostdin", "-loglevel", "error", "-y"]
    if cell.does == "receives":
        return [*words, "-f", "data", "-i", url, "-map", "0", "-c", "copy", "-f", "data", str(outcome.arrived)]
    muxer = "f=mpegts:muxrate=10M"
    both = f"[{muxer}]{outcome.sent}|[{muxer}]{url}&linger=5"
    return [*words, "-re", "-i", str(source), "-map", "0", "-c", "copy", "-f", "tee", both]


class Tool:
    """A running tool; a context manager that ends it and keeps its complaints for a failing test."""

    def __init__(self, words: list[str], outcome: Outcome, *, is_fed: bool = False, is_tapped: bool = False) -> None:
        self._outcome = outcome
        self._complaints = outcome.arrived.with_name("complaints.txt").open("w+b")
        self._tap = outcome.arrived.open("wb") if is_tapped else None
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE if is_fed else subprocess.DEVNULL,
            stdout=self._tap or subprocess.DEVNULL,
            stderr=self._complaints,
        )

    def __enter__(self) -> Tool:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()  # srt-live-transmit sees a signal only between two reads
        try:
            self.process.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._complaints.seek(0)
        self._outcome.fault = self._complaints.read().decode(errors="replace")[-2000:]
        self._complaints.close()
        if self._tap is not None:
            self._tap.close()


def feed(source: Path, pipe: Any, done: threading.Event) -> None:
    """Write a file to a pipe in real time, then null packets, until `done`."""
    begin, written = time.monotonic(), 0
    padding = NULL_PACKET * (MESSAGE // len(NULL_PACKET))
    with source.open("rb") as stream, contextlib.suppress(BrokenPipeError):
        while not done.is_set():
            pipe.write(stream.read(MESSAGE) or padding)
            pipe.flush()
            written += MESSAGE
            pause = begin + written / RATE - time.monotonic()
            if pause > 0:
                time.sleep(pause)


def wait_until_bound(port: int, limit: float = ENDING) -> None:
    """Wait until some process has bound this UDP port, as /proc tells."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        rows = Path("/proc/net/udp").read_text(encoding="ascii").splitlines()[1:]
        rows += Path("/proc/net/udp6").read_text(encoding="ascii").splitlines()[1:]
        if any(int(row.split()[1].rsplit(":", 1)[1], 16) == port for row in rows):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nobody bound port {port}")
