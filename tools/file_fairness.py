#!/usr/bin/env python3
"""File mode on bad paths: how fast alone, how fair with others, srtpy and libsrt through the same proxy.

Lives here: flows between real processes over one path with a bottleneck, what each gets of it, the targets.
Never here: speed on a clean loopback (srt_bench.py), the path (tests/tools/udp_proxy.py).

    python tools/file_fairness.py                              alone with loss, then two of ours and one of libsrt
    python tools/file_fairness.py --only share --seconds 30 --orders 5,5,0
    python tools/file_fairness.py --flows srtpy,srtpy --queue-kb 250 --json figures.json
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.tools.libsrt_peer import LibsrtPeer, PeerProcess, build
from tests.tools.srtpy_peer import SrtpyPeer
from tests.tools.udp_proxy import ProxyProcess, Weather

PEERS: Final[dict[str, type[PeerProcess]]] = {"srtpy": SrtpyPeer, "libsrt": LibsrtPeer}
LEAST_SHARE: Final = 20.0  # percent of the path, the least that any of three flows may get
PIECE: Final = 65_536
TOLD: Final = 0.1  # seconds between a receiver's reports
SETTLED: Final = 0.4  # of the time after the last start, for the flows to find their shares
Figures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Flow:
    """One transfer: who sends and receives, and when it starts."""

    kind: str
    start: float = 0.0


def main(arguments: list[str] | None = None) -> int:
    """Measure; return 0 if every target is met."""
    chosen = parse(arguments)
    build()
    alone: dict[str, list[Figures]] = {}
    shared: list[Figures] = []
    if chosen.only in ("", "alone"):
        alone = measure_alone(chosen)
        print(alone_table(alone))
    if chosen.only in ("", "share"):
        shared = measure_shared(chosen)
        print(share_table(shared))
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(document(chosen, alone, shared), indent=1) + "\n", encoding="utf-8")
    return 0 if is_faster(alone) and all(row["met"] for row in shared) else 1


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only", default="", choices=["", "alone", "share"])
    parser.add_argument("--flows", default="srtpy,srtpy,libsrt", help="who shares the path")
    parser.add_argument("--orders", default="0,0,0;0,0,5;5,5,0", help="when each starts, in seconds")
    parser.add_argument("--kinds", default="libsrt,srtpy", help="who is measured alone")
    parser.add_argument("--seconds", type=float, default=30.0, help="length of a run (30)")
    parser.add_argument("--seeds", default="1,2,3", help="of the proxy, a run each when alone")
    parser.add_argument("--megabits", type=float, default=100.0, help="the bottleneck, Mbit/s (100)")
    parser.add_argument("--rtt-ms", type=float, default=40.0, help="the round trip (40)")
    parser.add_argument("--loss", type=float, default=0.01, help="chance of loss when alone (0.01)")
    parser.add_argument("--shared-loss", type=float, default=0.0, help="chance of loss on the shared path (0)")
    parser.add_argument("--queue-kb", type=float, default=500.0, help="bytes that may wait at the bottleneck (500)")
    parser.add_argument("--json", help="write all figures to this file")
    return parser.parse_args(arguments)


def weather(chosen: argparse.Namespace, loss: float) -> Weather:
    """Return the path in one direction."""
    bandwidth, queue = round(chosen.megabits * 125_000), round(chosen.queue_kb * 1000)
    return Weather(loss=loss, delay_ms=chosen.rtt_ms / 2, bandwidth=bandwidth, queue=queue)


def measure_alone(chosen: argparse.Namespace) -> dict[str, list[Figures]]:
    """Measure each kind by itself, one seed of all kinds after the other."""
    rows: dict[str, list[Figures]] = {kind: [] for kind in chosen.kinds.split(",")}
    for seed in map(int, chosen.seeds.split(",")):
        for kind, runs in rows.items():
            print(f"{kind} alone, seed {seed}", file=sys.stderr)
            run = transfer([Flow(kind=kind)], weather(chosen, chosen.loss), chosen.seconds, seed)
            runs.append(run | {"seed": seed})
    return rows


def measure_shared(chosen: argparse.Namespace) -> list[Figures]:
    """Measure who gets what of one path, in every order of starting."""
    rows: list[Figures] = []
    kinds = chosen.flows.split(",")
    for seed, order in enumerate(chosen.orders.split(";"), 1):
        flows = [Flow(kind=kind, start=float(at)) for kind, at in zip(kinds, order.split(","), strict=True)]
        print(f"{chosen.flows} starting at {order} s", file=sys.stderr)
        run = transfer(flows, weather(chosen, chosen.shared_loss), chosen.seconds, seed)
        rows.append(run | {"order": order, "kinds": kinds, "met": min(run["shares"]) >= LEAST_SHARE})
    return rows


def transfer(flows: list[Flow], path: Weather, seconds: float, seed: int) -> Figures:
    """Let all flows send over one path; return what each brought across, whole and after settling."""
    last = max(flow.start for flow in flows)
    settled = last + SETTLED * (seconds - last)
    common: dict[str, object] = {"transtype": "file", "messageapi": 0, "size": PIECE, "check": 0}
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(ProxyProcess())
        senders, receivers = [], []
        for flow in flows:
            receiver = stack.enter_context(PEERS[flow.kind](mode="listener", role="receive", tell=TOLD, **common))
            port = proxy.add_route(("127.0.0.1", receiver.port), path, seed=seed, path="shared")[1]
            sending = common | {"mode": "caller", "role": "send", "port": port, "settle": 1 + flow.start}
            sender = stack.enter_context(PEERS[flow.kind](**sending, seconds=seconds + 60))
            receivers.append(receiver)
            senders.append(sender)
        for sender in senders:
            sender.wait_connected(20)
        time.sleep(1 + settled)
        began = time.monotonic()
        time.sleep(seconds - settled)
        ended = time.monotonic()
        load, counters = os.getloadavg()[0], proxy.counters()
        for receiver in receivers:
            receiver.stop()
        got = [receiver.result(20) for receiver in receivers]
    rates = [(got_by(one, ended) - got_by(one, began)) * 8e-6 / (ended - began) for one in got]
    forth = counters["routes"][0]["forth"]
    return {
        "delivered": [report["mbit_s"] for report in got],
        "settled": rates,
        "shares": [100 * rate / max(sum(rates), 1e-9) for rate in rates],
        "offered": [route["offered"] for route in counters["routes"]],
        "passed": [route["passed"] for route in counters["routes"]],
        "lost_percent": 100 * forth["lost"] / max(forth["carried"], 1),
        "proxy_late_us": counters["late_us_mean"],
        "kernel_drops": counters["kernel_drops"],
        "load": load,
    }


def got_by(report: Figures, instant: float) -> int:
    """Return the bytes a receiver had been given by then."""
    return max((size for at, size in report["told"] if at <= instant), default=0)


def median(runs: list[Figures]) -> float:
    """Return the median rate of flows that were alone."""
    return float(statistics.median([run["delivered"][0] for run in runs]))


def is_faster(alone: dict[str, list[Figures]]) -> bool:
    """Say whether ours is at least as fast as libsrt's alone, as far as both were measured."""
    return not {"srtpy", "libsrt"} <= alone.keys() or median(alone["srtpy"]) >= median(alone["libsrt"])


def alone_table(alone: dict[str, list[Figures]]) -> str:
    """Return what each kind reached alone."""
    lines = ["alone on the path with loss, Mbit/s delivered"]
    for kind, runs in alone.items():
        each = "".join(f"{run['delivered'][0]:8.1f}" for run in runs)
        lines.append(f"  {kind:8} median {median(runs):6.1f}   runs{each}   load {runs[-1]['load']:.1f}")
    if {"srtpy", "libsrt"} <= alone.keys():
        ratio = median(alone["srtpy"]) / max(median(alone["libsrt"]), 1e-9)
        lines.append(f"  {'met   ' if is_faster(alone) else 'MISSED'} srtpy over libsrt: {ratio:.2f} (target >= 1)")
    return "\n".join(lines) + "\n"


def share_table(shared: list[Figures]) -> str:
    """Return what each flow got of a shared path."""
    lines = ["several flows on one path, percent of what they delivered after settling"]
    for row in shared:
        cells = "".join(f"{kind:>9} {share:4.0f}%" for kind, share in zip(row["kinds"], row["shares"], strict=True))
        lines.append(
            f"  {'met   ' if row['met'] else 'MISSED'} starts {row['order']:10}{cells}   "
            f"{sum(row['settled']):6.1f} Mbit/s, {row['lost_percent']:.1f} % lost, load {row['load']:.1f}"
        )
    return "\n".join(lines) + f"\n  (target: nobody below {LEAST_SHARE:.0f} %)\n"


def document(chosen: argparse.Namespace, alone: dict[str, list[Figures]], shared: list[Figures]) -> Figures:
    """Return everything as one JSON document."""
    machine = {"cores": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()}
    return {"machine": machine, "settings": vars(chosen), "alone": alone, "shared": shared}


if __name__ == "__main__":
    sys.exit(main())
