"""A seeded, lossy UDP proxy on loopback: the bad network between two real peers.

Lives here: forwarding in both directions in real time, each by a `Link` of the virtual world
(so loss, delay, duplicates, reordering and bottleneck mean the same there and here), counters.
Never here: what the datagrams are; a proxy does not know SRT.

Run `python -m tests.tools.udp_proxy --help` for a proxy of its own process (what busy tests
want: `ProxyProcess` starts and asks one), or use `UdpProxy` for a thread of this one.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import heapq
import json
import os
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.sim.link import Link
from tests.tools.stillness import NOTICEABLE, Stall

Address = tuple[str, int]
Links = tuple[Link, Link]
KERNEL_BUFFER = 8 << 20
PR_SET_TIMERSLACK = 29  # prctl(2): how many nanoseconds late a sleeper may be woken, 50,000 unless told
READ_LIMIT = 256  # datagrams of one socket before the others get their turn
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, kw_only=True)
class Weather:
    """What the network does to datagrams, in each direction alike.  Milliseconds, bytes a second, chances."""

    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    reorder_by_ms: float = 5.0
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    bandwidth: int = 0
    queue: int = 1 << 18

    def link(self, seed: int) -> Link:
        """Return a link with this weather."""
        return Link(
            round(self.delay_ms * 1000),
            jitter=round(self.jitter_ms * 1000),
            loss=self.loss,
            duplicate=self.duplicate,
            reorder=self.reorder,
            reorder_by=round(self.reorder_by_ms * 1000),
            bandwidth=self.bandwidth,
            queue=self.queue,
            seed=seed,
        )


CLEAR = Weather()


class _Flow:
    """One client's way through a proxy: its own socket to the target and a link each way."""

    def __init__(self, client: Address, target: Address, forth: Link, back: Link) -> None:
        self.client = client
        self.forth = forth
        self.back = back
        self.socket = _udp_socket(("127.0.0.1" if "." in target[0] else "::1", 0))
        self.socket.connect(target)


class _Route:
    """A front port, the target behind it and the flows of its clients."""

    def __init__(self, target: Address, front: Address, new_links: Callable[[int], Links]) -> None:
        self.target = target
        self.front = _udp_socket(front)
        self.flows: dict[Address, _Flow] = {}
        self.offered = self.passed = 0  # bytes on the way to the target: what came, what got through
        self._new_links = new_links

    def flow_of(self, client: Address) -> tuple[_Flow, bool]:
        """Return the client's flow, and whether it is new."""
        flow = self.flows.get(client)
        if flow is not None:
            return flow, False
        forth, back = self._new_links(len(self.flows))
        flow = self.flows[client] = _Flow(client, self.target, forth, back)
        return flow, True


class UdpProxy:
    """One thread that forwards for any number of routes.

    Use as a context manager; `add_route` returns the port callers dial instead of the target's.
    """

    def __init__(self) -> None:
        self._routes: list[_Route] = []
        self._readers: dict[socket.socket, tuple[_Route, _Flow | None]] = {}
        self._paths: dict[str, Links] = {}
        self._due: list[tuple[int, int, socket.socket, Address | _Route, bytes]] = []
        self._order = count()
        self._lock = threading.Lock()  # guards the routes and readers; the loop takes it once a turn
        self._stirred, self._stir = socket.socketpair()
        self._ends = False
        self.unsent = 0
        self.tap: list[tuple[int, bool, bytes]] | None = None
        """Set it to a list to have (microseconds, whether it goes to the target, datagram) of all that comes in."""
        self.loses: Callable[[bytes], bool] | None = None
        """Set it to have what goes to the target lost, besides the weather's, if this says so of it."""
        self.late_us_worst = self.late_us_sum = self.forwarded = 0
        self.stalls: list[Stall] = []
        self._thread = threading.Thread(target=self._run, name="udp-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_route(
        self,
        target: Address,
        forth: Weather = CLEAR,
        back: Weather | None = None,
        *,
        seed: int = 1,
        port: int = 0,
        path: str = "",
    ) -> Address:
        """Forward from a new port to `target`; return the new port's address.

        Each client has links of its own, but all flows of the routes with the same `path` share one link each
        way, its bandwidth and its queue: those of the first such route.  Counters of links are then the path's.
        """
        host = "127.0.0.1" if "." in target[0] else "::1"
        behind = forth if back is None else back

        def new_links(flows: int) -> Links:
            if path and path in self._paths:
                return self._paths[path]
            links = forth.link(seed + 1000 * flows), behind.link(seed + 1000 * flows + 500)
            if path:
                self._paths[path] = links
            return links

        route = _Route(target, (host, port), new_links)
        with self._lock:
            self._routes.append(route)
            self._readers[route.front] = (route, None)
        self._stir.send(b".")
        name: Address = route.front.getsockname()[:2]
        return name

    def black_out(self, seconds: float) -> None:
        """Lose everything in both directions from now on for so long."""
        now = time.monotonic_ns() // 1000
        window = (now, now + round(seconds * 1_000_000))
        with self._lock:
            for route in self._routes:
                for flow in route.flows.values():
                    flow.forth.black_outs.append(window)
                    flow.back.black_outs.append(window)

    def counters(self) -> dict[str, Any]:
        """Return what happened: per route the datagrams each way, and how late this proxy itself was."""
        with self._lock:
            routes = [
                {
                    "target": route.target[1],
                    "clients": len(route.flows),
                    "offered": route.offered,
                    "passed": route.passed,
                    "forth": _sum([flow.forth for flow in route.flows.values()]),
                    "back": _sum([flow.back for flow in route.flows.values()]),
                }
                for route in self._routes
            ]
            sockets = list(self._readers)
        return {
            "routes": routes,
            "unsent": self.unsent,
            "kernel_drops": _kernel_drops(sockets),
            "late_us_mean": round(self.late_us_sum / max(self.forwarded, 1)),
            "late_us_worst": self.late_us_worst,
            "stalls": self.stalls,
        }

    def close(self) -> None:
        """Stop forwarding and close every socket."""
        if self._ends:
            return
        self._ends = True
        self._stir.send(b".")
        self._thread.join()
        for each in [*self._readers, self._stir, self._stirred]:
            each.close()

    def _run(self) -> None:
        """Read what waits, decide its fate, send what is due; sleep in between."""
        while not self._ends:
            with self._lock:
                sockets = [self._stirred, *self._readers]
            pause = None
            if self._due:
                pause = max(0, self._due[0][0] - time.monotonic_ns() // 1000) / 1_000_000
            ready, _, _ = select.select(sockets, (), (), pause)
            for each in ready:
                if each is self._stirred:
                    each.recv(4096)
                else:
                    self._read(each)
            self._send_due()

    def _read(self, source: socket.socket) -> None:
        """Read what waits at one socket and put it on its link."""
        route, flow = self._readers[source]
        due, order = self._due, self._order
        for _ in range(READ_LIMIT):
            try:
                datagram, sender = source.recvfrom(65536)
            except BlockingIOError:
                return
            except ConnectionError:  # nobody there (ICMP): as on a real network, silence
                continue
            now = time.monotonic_ns() // 1000
            if self.tap is not None:
                self.tap.append((now, flow is None, datagram))
            if flow is not None:
                for arrival, arrived in flow.back.carry(datagram, now):
                    heapq.heappush(due, (arrival, next(order), route.front, flow.client, arrived))
                continue
            with self._lock:
                towards, is_new = route.flow_of(sender[:2])
                if is_new:
                    self._readers[towards.socket] = (route, towards)
            route.offered += len(datagram)
            if self.loses is not None and self.loses(datagram):
                continue
            for arrival, arrived in towards.forth.carry(datagram, now):
                heapq.heappush(due, (arrival, next(order), towards.socket, route, arrived))

    def _send_due(self) -> None:
        due = self._due
        now = time.monotonic_ns() // 1000
        while due and due[0][0] <= now:
            when, _, out, client, datagram = heapq.heappop(due)
            try:
                if isinstance(client, _Route):
                    client.passed += len(datagram)
                    out.send(datagram)
                else:
                    out.sendto(datagram, client)
            except OSError:
                self.unsent += 1
                self._note_stall(now / 1_000_000, now / 1_000_000)  # a loss of this machine's, not of the weather's
            now = time.monotonic_ns() // 1000
            self.forwarded += 1
            self.late_us_sum += now - when
            if now - when > self.late_us_worst:
                self.late_us_worst = now - when
            if now - when > NOTICEABLE * 1_000_000:
                self._note_stall(when / 1_000_000, now / 1_000_000)

    def _note_stall(self, begin: float, end: float) -> None:
        """Remember that something left late; what overlaps is one stall."""
        if self.stalls and begin <= self.stalls[-1][1]:
            self.stalls[-1] = min(begin, self.stalls[-1][0]), end
        else:
            self.stalls.append((begin, end))


class ProxyProcess:
    """A `UdpProxy` in a process of its own, for tests whose own process is busy."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.tools.udp_proxy", "--stdin"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT, bufsize=1
        )
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add_route(
        self,
        target: Address,
        forth: Weather = CLEAR,
        back: Weather | None = None,
        *,
        seed: int = 1,
        port: int = 0,
        path: str = "",
    ) -> Address:
        """Forward from a new port to `target`; return the new port's address.  See `UdpProxy.add_route`."""
        both = {"forth": asdict(forth), "back": asdict(forth if back is None else back)}
        front = self._ask({"do": "add_route", "target": list(target), "seed": seed, "port": port, "path": path, **both})
        return str(front[0]), int(front[1])

    def black_out(self, seconds: float) -> None:
        """Lose everything in both directions from now on for so long."""
        self._ask({"do": "black_out", "seconds": seconds})

    def counters(self) -> dict[str, Any]:
        """Return what happened so far."""
        answer: dict[str, Any] = self._ask({"do": "counters"})
        return answer

    def close(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._process.wait(10)
        self._stdout.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        with self._lock:
            self._stdin.write(json.dumps(request) + "\n")
            self._stdin.flush()
            line = self._stdout.readline()
        if not line:
            raise RuntimeError("the proxy process has ended")
        return json.loads(line)

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        return self._process.stdout


def _udp_socket(address: Address) -> socket.socket:
    """Return a bound, non-blocking UDP socket with large kernel buffers."""
    made = socket.socket(socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM)
    made.setblocking(False)
    for option, forced in ((socket.SO_RCVBUF, 33), (socket.SO_SNDBUF, 32)):  # SO_RCVBUFFORCE, SO_SNDBUFFORCE
        made.setsockopt(socket.SOL_SOCKET, option, KERNEL_BUFFER)
        with contextlib.suppress(OSError):
            made.setsockopt(socket.SOL_SOCKET, forced, KERNEL_BUFFER)
    made.bind(address)
    return made


def _sum(links: list[Link]) -> dict[str, int]:
    names = ("carried", "lost", "duplicated", "reordered", "bytes")
    return {name: sum(getattr(link, name) for link in links) for name in names}


def _kernel_drops(sockets: list[socket.socket]) -> int:
    """Return how many datagrams the kernel threw away at these sockets' full buffers."""
    ports = {each.getsockname()[1] for each in sockets}
    drops = 0
    for table in ("/proc/net/udp", "/proc/net/udp6"):
        with contextlib.suppress(OSError), open(table, encoding="ascii") as rows:
            next(rows)
            drops += sum(int(f[-1]) for f in map(str.split, rows) if int(f[1].rsplit(":", 1)[1], 16) in ports)
    return drops


def _serve_stdin(proxy: UdpProxy) -> None:
    """Obey requests, one JSON object a line, until the end of input."""
    for line in sys.stdin:
        request = json.loads(line)
        answer: Any = None
        if request["do"] == "add_route":
            host, port = request["target"]
            forth, back = Weather(**request["forth"]), Weather(**request["back"])
            names = ("seed", "port", "path")
            answer = proxy.add_route((host, port), forth, back, **{name: request[name] for name in names})
        elif request["do"] == "black_out":
            proxy.black_out(request["seconds"])
        elif request["do"] == "counters":
            answer = proxy.counters()
        print(json.dumps(answer), flush=True)


def be_punctual() -> None:
    """Have this process woken when it asks to be: a network does not wait for its users to finish computing.

    A bottleneck that wakes late lets packets out in bursts, and by those receivers measure many times its speed.
    Where the machine allows neither, it stays as punctual as others.
    """
    with contextlib.suppress(OSError):
        os.nice(-10)
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_TIMERSLACK, ctypes.c_ulong(1), 0, 0, 0)


def main(arguments: list[str] | None = None) -> None:
    """Run the proxy from the command line."""
    parser = argparse.ArgumentParser(prog="udp_proxy", description="A seeded, lossy UDP proxy on loopback.")
    parser.add_argument("target", nargs="?", help="host:port behind the proxy")
    parser.add_argument("--port", type=int, default=0, help="the front port (0: any)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--stdin", action="store_true", help="take requests as JSON lines")
    for name, value in asdict(CLEAR).items():
        parser.add_argument("--" + name.replace("_", "-"), type=type(value), default=value)
    chosen = parser.parse_args(arguments)
    be_punctual()
    with UdpProxy() as proxy, contextlib.suppress(KeyboardInterrupt):
        if chosen.stdin:
            _serve_stdin(proxy)
            return
        if chosen.target is None:
            parser.error("a target host:port is needed")
        host, _, port = chosen.target.rpartition(":")
        weather = replace(CLEAR, **{name: getattr(chosen, name) for name in asdict(CLEAR)})
        front = proxy.add_route((host, int(port)), weather, seed=chosen.seed, port=chosen.port)
        print(f"forwarding {front[0]}:{front[1]} to {chosen.target}; Ctrl-C ends", flush=True)
        try:
            threading.Event().wait()
        finally:
            print(json.dumps(proxy.counters()), flush=True)


if __name__ == "__main__":
    main()
