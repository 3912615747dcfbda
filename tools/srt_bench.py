#!/usr/bin/env python3
"""Measure srtpy against libsrt on this machine, side by side, and say what the targets make of it.

Lives here: the command, interleaved repetitions, medians and ratios, the table and the JSON.
Never here: what is measured and how one run goes (bench_runs.py).

    python tools/srt_bench.py                         all of it, about half an hour
    python tools/srt_bench.py --only cpu10,latency --repetitions 3 --seconds 5
    python tools/srt_bench.py --json figures.json
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.tools.libsrt_peer import MissingPeer, build
from tools.bench_file import FILE_MEASUREMENTS
from tools.bench_runs import MEASUREMENTS, Figures, Measurement, Pair, Target, run

EVERYTHING = (*MEASUREMENTS, *FILE_MEASUREMENTS)
Rows = dict[Pair, list[Figures]]
BUSY = 0.3  # load for each core, before we begin, from which on figures are doubtful


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark; return 0 if every target is met."""
    chosen = parse(arguments)
    wanted = [each for each in EVERYTHING if not chosen.only or each.name in chosen.only.split(",")]
    if not wanted:
        print(f"--only knows: {', '.join(each.name for each in EVERYTHING)}", file=sys.stderr)
        return 2
    load = os.getloadavg()[0]
    if load > BUSY * (os.cpu_count() or 1):
        print(f"others use this machine (load {load:.1f}): these figures will say little", file=sys.stderr)
    has_libsrt = True
    try:
        build()
    except MissingPeer as missing:
        has_libsrt = False
        print(f"without libsrt, only srtpy is measured: {missing}", file=sys.stderr)
    results = measure(wanted, chosen.repetitions, chosen.seconds, has_libsrt=has_libsrt)
    judged = [judge(target, rows) for each, rows in results for target in each.targets]
    for each, rows in results:
        print(table(each, rows))
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(document(results, chosen), indent=1) + "\n", encoding="utf-8")
    return 0 if all(verdict["met"] for verdict in judged if verdict is not None) else 1


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--only", default="", help="measurements, with commas between them")
    parser.add_argument("--repetitions", type=int, default=5, help="runs of each pair, interleaved (5)")
    parser.add_argument("--seconds", type=float, default=6.0, help="length of each run (6)")
    parser.add_argument("--json", help="write all figures to this file")
    return parser.parse_args(arguments)


def measure(
    wanted: list[Measurement], repetitions: int, seconds: float, *, has_libsrt: bool
) -> list[tuple[Measurement, Rows]]:
    """Run everything, a repetition of all pairs before the next, so that a busy minute hits them alike."""
    results: list[tuple[Measurement, Rows]] = []
    for each in wanted:
        pairs = [pair for pair in each.pairs if has_libsrt or "libsrt" not in pair]
        rows: Rows = {pair: [] for pair in pairs}
        for repetition in range(repetitions):
            for pair in pairs:
                print(f"{each.name} {repetition + 1}/{repetitions}: {' to '.join(pair)}", file=sys.stderr)
                try:
                    rows[pair].append(run(each, pair, seconds, seed=repetition + 1))
                except (RuntimeError, TimeoutError, OSError) as fault:
                    print(f"{each.name}, {' to '.join(pair)}: {fault}", file=sys.stderr)
        results.append((each, rows))
    return results


def median(rows: Rows, pair: Pair, figure: str) -> float | None:
    """Return the median of a figure, None if that pair was not measured."""
    values = [row[figure] for row in rows.get(pair, [])]
    return statistics.median(values) if values else None


def judge(target: Target, rows: Rows) -> dict[str, Any] | None:
    """Hold the figures against a target; None if one of the pairs was not measured."""
    value, base = median(rows, target.pair, target.figure), median(rows, target.over, target.figure)
    if value is None or (base is None and not target.absolute):
        return None
    if target.absolute:
        found = value
    else:
        found = value / max((base or 0.0) + target.slack, 1e-9) if value else 0.0
    met = (target.at_least is None or found >= target.at_least) and (target.at_most is None or found <= target.at_most)
    bound = f">= {target.at_least:g}" if target.at_least is not None else f"<= {target.at_most:g}"
    against = "" if target.absolute else f" over {' to '.join(target.over)}"
    return {
        "text": f"{target.figure} of {' to '.join(target.pair)}{against}: {found:.2f} (target {bound})",
        "value": found,
        "met": met,
    }


def table(measured: Measurement, rows: Rows) -> str:
    """Return the medians of a measurement and what its targets make of them."""
    lines = [f"{measured.name}: {measured.about}"]
    lines.append(f"  {'':18}" + "".join(f"{name:>13}" for name in measured.shown))
    for pair in rows:
        shown = [median(rows, pair, name) for name in measured.shown]
        cells = "".join(f"{'-':>13}" if value is None else f"{value:13.2f}" for value in shown)
        lines.append(f"  {' to '.join(pair):18}{cells}")
    for target in measured.targets:
        verdict = judge(target, rows)
        if verdict is not None:
            lines.append(f"  {'met   ' if verdict['met'] else 'MISSED'} {verdict['text']}")
    return "\n".join(lines) + "\n"


def document(results: list[tuple[Measurement, Rows]], chosen: argparse.Namespace) -> dict[str, Any]:
    """Return everything as one JSON document."""
    measured = {}
    for each, rows in results:
        pairs = {" to ".join(pair): runs for pair, runs in rows.items()}
        medians = {
            " to ".join(pair): {name: median(rows, pair, name) for name in (runs[0] if runs else {})}
            for pair, runs in rows.items()
        }
        verdicts = [verdict for target in each.targets if (verdict := judge(target, rows))]
        measured[each.name] = {"about": each.about, "medians": medians, "runs": pairs, "targets": verdicts}
    machine = {
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "kernel": platform.release(),
    }
    return {
        "machine": machine,
        "seconds": chosen.seconds,
        "repetitions": chosen.repetitions,
        "measurements": measured,
    }


if __name__ == "__main__":
    sys.exit(main())
