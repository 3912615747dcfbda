#!/usr/bin/env python3
"""Carry a large file between srtpy and libsrt in every way there is, and compare digests.

Lives here: the ways (who sends, stream or messages, clear or encrypted, clean or bad path, one direction or
both at once), running one, the table.
Never here: speed against libsrt (srt_bench.py), sharing a path (file_fairness.py).

    python tools/file_bulk.py                       1 GiB each way, about half an hour
    python tools/file_bulk.py --mebibytes 64 --only messages,bad-path
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.tools.libsrt_peer import LibsrtPeer, PeerProcess, build
from tests.tools.srtpy_peer import SrtpyPeer
from tests.tools.udp_proxy import ProxyProcess, Weather

PEERS: Final[dict[str, type[PeerProcess]]] = {"srtpy": SrtpyPeer, "libsrt": LibsrtPeer}
BAD_PATH: Final = Weather(loss=0.01, delay_ms=10, bandwidth=25_000_000, queue=500_000)  # 200 Mbit/s, 20 ms
PIECE: Final = 65_536
PASSPHRASE: Final = "a passphrase for large files"
BLOCK: Final = 1 << 20  # bytes
Figures = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Way:
    """One way to carry a file: pairs of sender and receiver, all at once."""

    name: str
    pairs: tuple[tuple[str, str], ...]
    settings: tuple[tuple[str, object], ...] = ()
    path: Weather | None = None


ONE_WAYS: Final = (("srtpy", "libsrt"), ("libsrt", "srtpy"))
SECRET: Final = (("passphrase", PASSPHRASE), ("pbkeylen", 16))
AS_MESSAGES: Final = (("messageapi", 1),)


def ways() -> Iterator[Way]:
    """Yield every way."""
    for pair in ONE_WAYS:
        name = "-to-".join(pair)
        yield Way(name=f"stream {name}", pairs=(pair,))
        yield Way(name=f"messages {name}", pairs=(pair,), settings=AS_MESSAGES)
        yield Way(name=f"encrypted {name}", pairs=(pair,), settings=SECRET)
        yield Way(name=f"bad-path {name}", pairs=(pair,), path=BAD_PATH)
        yield Way(
            name=f"bad-path encrypted messages {name}", pairs=(pair,), settings=SECRET + AS_MESSAGES, path=BAD_PATH
        )
    yield Way(name="both-ways", pairs=ONE_WAYS)
    yield Way(name="both-ways bad-path encrypted", pairs=ONE_WAYS, settings=SECRET, path=BAD_PATH)


def main(arguments: list[str] | None = None) -> int:
    """Carry a file every way; return 0 if every digest is right."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--mebibytes", type=int, default=1024, help="size of the file (1024)")
    parser.add_argument("--only", default="", help="parts of names, with commas between them; all must be in a name")
    parser.add_argument("--timeout", type=float, default=900.0, help="seconds a transfer may take")
    parser.add_argument("--json", help="write all figures to this file")
    chosen = parser.parse_args(arguments)
    build()
    rows = []
    with tempfile.TemporaryDirectory() as room:
        source = make_source(Path(room) / "source", chosen.mebibytes * BLOCK)
        for way in ways():
            if all(part in way.name for part in chosen.only.split(",")):
                try:
                    rows.append(carry(way, source, Path(room), chosen.timeout) | {"way": way.name})
                    print(line(rows[-1]), flush=True)
                except (TimeoutError, RuntimeError) as fault:
                    rows.append({"way": way.name, "met": False, "fault": str(fault)})
                    print(f"WRONG {way.name}: {fault}", flush=True)
    if chosen.json:
        Path(chosen.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0 if rows and all(row["met"] for row in rows) else 1


def make_source(path: Path, size: int) -> Path:
    """Write a file of so many random bytes."""
    with path.open("wb") as out:
        for start in range(0, size, BLOCK):
            out.write(os.urandom(min(BLOCK, size - start)))
    return path


def carry(way: Way, source: Path, room: Path, timeout: float) -> Figures:
    """Carry the file one way; return rates, costs, and whether what arrived is what left."""
    size = source.stat().st_size
    common: dict[str, Any] = {"transtype": "file", "messageapi": 0, "size": PIECE, "settle": 0.5, **dict(way.settings)}
    outs = [room / f"out{number}" for number in range(len(way.pairs))]
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(ProxyProcess()) if way.path else None
        peers = []
        for number, ((sends, receives), out) in enumerate(zip(way.pairs, outs, strict=True)):
            receiver = stack.enter_context(PEERS[receives](mode="listener", role="receive", out=out, **common))
            port = receiver.port
            if proxy is not None and way.path is not None:
                port = proxy.add_route(("127.0.0.1", port), way.path, seed=number + 1)[1]
            sending = {"mode": "caller", "role": "send", "port": port, "in": source, **common}
            peers.append((stack.enter_context(PEERS[sends](**sending)), receiver))
        limit = time.monotonic() + timeout
        results = [(sender.result(timeout), receiver.result(limit - time.monotonic())) for sender, receiver in peers]
    # the C peer's messages may overtake one another, as libsrt's do unless told otherwise
    in_order = AS_MESSAGES[0] not in way.settings
    wanted = digest(source, in_order)
    return {
        "bytes": size,
        "mbit_s": [got["mbit_s"] for _, got in results],
        "memory_mb": [[round(one["max_rss_kb"] / 1024) for one in pair] for pair in results],
        "resent": [sent["stats"]["retransmitted"] for sent, _ in results],
        "arrived": [got["bytes"] for _, got in results],
        "met": all(got["bytes"] == size for _, got in results) and all(digest(out, in_order) == wanted for out in outs),
        "load": os.getloadavg()[0],
    }


def digest(path: Path, in_order: bool) -> str:
    """Return the SHA-256 of a file, or of its pieces in whatever order they came."""
    with path.open("rb") as file:
        if in_order:
            return hashlib.file_digest(file, "sha256").hexdigest()
        pieces = sorted(hashlib.sha256(piece).digest() for piece in iter(lambda: file.read(PIECE), b""))
    return hashlib.sha256(b"".join(pieces)).hexdigest()


def line(row: Figures) -> str:
    """Return a row of the table."""
    rates = ", ".join(f"{rate:.0f}" for rate in row["mbit_s"])
    return (
        f"{'right' if row['met'] else 'WRONG'} {row['bytes'] >> 20:6} MiB {row['way']:48} {rates} Mbit/s,"
        f" resent {row['resent']}, memory (sender, receiver) {row['memory_mb']} MB, load {row['load']:.1f}"
    )


if __name__ == "__main__":
    sys.exit(main())
