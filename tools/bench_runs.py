"""What the benchmark measures, and one run of each measurement.

Lives here: the measurements (settings of both processes, figures taken from their reports), the
targets they are held against, running one between two processes.
Never here: repetitions, medians and the table (srt_bench.py), the processes themselves
(tests/tools: the C peer on libsrt and its twin on srtpy take the same settings).

Fairness: both libraries get the same buffers, windows and limits in every measurement.
"Unlimited" is maxbw=-1 for both: libsrt paces that at 1 Gbit/s, srtpy does not pace it.
`lifted` gives libsrt a limit it cannot reach instead, which it profits from.

What is encrypted is held against libsrt encrypted and, in the same minutes, against srtpy in clear (`OPEN`).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tests.tools.libsrt_peer import LibsrtPeer, PeerProcess
from tests.tools.srtpy_peer import SrtpyPeer
from tests.tools.udp_proxy import ProxyProcess, Weather

Settings = Mapping[str, Any]
Report = dict[str, Any]
Figures = dict[str, float]

OPEN: Final = "in clear"  # srtpy in a measurement that is encrypted otherwise
PEERS: Final[dict[str, type[PeerProcess]]] = {"srtpy": SrtpyPeer, "libsrt": LibsrtPeer, OPEN: SrtpyPeer}
MESSAGE: Final = 1316
ROOM: Final = {"fc": 65536, "rcvbuf": 100_000_000, "sndbuf": 100_000_000}
KERNEL_ROOM: Final = {"udp_rcvbuf": 4_000_000, "udp_sndbuf": 4_000_000}
LONGEST: Final = 120.0
FRAME: Final = 19  # messages of 1,316 bytes in a picture, at 10 Mbit/s and 50 pictures a second: an encoder's bursts
Pair = tuple[str, str]
ALIKE: Final[tuple[Pair, ...]] = (("libsrt", "libsrt"), ("srtpy", "srtpy"))
ALL: Final[tuple[Pair, ...]] = (("libsrt", "libsrt"), ("srtpy", "srtpy"), ("srtpy", "libsrt"), ("libsrt", "srtpy"))
ALL_AND_OPEN: Final[tuple[Pair, ...]] = (*ALL, (OPEN, OPEN))
UNSEALED: Final[Settings] = {}
AES_128: Final[Settings] = {"passphrase": "what both ends know", "pbkeylen": 16}


@dataclass(frozen=True, kw_only=True)
class Target:
    """A figure of one pair over the same figure of another, and the bound it is to keep."""

    figure: str
    pair: Pair
    over: Pair = ("libsrt", "libsrt")
    at_least: float | None = None
    at_most: float | None = None
    absolute: bool = False  # the figure itself is bounded, not the ratio
    slack: float = 0.0  # added to what is divided by: small counts differ by chance


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """Something to measure between a sending and a receiving process."""

    name: str
    about: str
    figures: Callable[[Report, Report], Figures]
    shown: tuple[str, ...]
    pairs: tuple[Pair, ...] = ALL
    both: Settings = field(default_factory=dict)
    sender: Settings = field(default_factory=dict)
    receiver: Settings = field(default_factory=dict)
    only_srtpy: Settings = field(default_factory=dict)  # how srtpy's sender is called
    only_libsrt: Settings = field(default_factory=dict)
    sealed: Settings = field(default_factory=dict)  # for both, unless they are to be in clear
    weather: Weather | None = None
    targets: tuple[Target, ...] = ()


def throughput(sent: Report, got: Report) -> Figures:
    """Take rate, loss, cost and memory."""
    return {
        "mbit_s": got["mbit_s"],
        "lost": sent["messages"] - got["messages"],
        "send_us": 1e6 * cpu(sent) / max(sent["messages"], 1),
        "recv_us": 1e6 * cpu(got) / max(got["messages"], 1),
        **memory(sent, got),
    }


def cost(sent: Report, got: Report) -> Figures:
    """Take the share of a core each side needs, in percent; and the sender's without what its program takes itself."""
    send_core = 100 * cpu(sent) / sent["seconds"]
    return {
        "send_core": send_core,
        "send_lib": send_core - sent["own_core"],
        "recv_core": 100 * cpu(got) / sent["seconds"],
        "lost": sent["messages"] - got["messages"],
        **memory(sent, got),
    }


def recovery(sent: Report, got: Report) -> Figures:
    """Take what was not recovered, and what the recovery took."""
    return {
        "unrecovered": sent["messages"] - got["messages"],
        "resent": sent["stats"]["retransmitted"],
        "resent_%": 100 * sent["stats"]["retransmitted"] / max(sent["messages"], 1),
        "p99_ms": got["latency_us"]["p99"] / 1000,
    }


def latency(sent: Report, got: Report) -> Figures:
    """Take how far delivery is from the negotiated latency of 120 ms."""
    late = {name: got["latency_us"][name] / 1000 - 120 for name in ("min", "p50", "p99", "p999", "max")}
    return {f"{name}_ms": value for name, value in late.items()} | {"lost": sent["messages"] - got["messages"]}


def crowd(sent: Report, got: Report) -> Figures:
    """Take what many streams at once cost the listener's side."""
    return {
        "lost": sent["messages"] - got["messages"],
        "recv_core": 100 * cpu(got) / sent["seconds"],
        "p99_ms": got["latency_us"]["p99"] / 1000 - 120,
        **memory(sent, got),
    }


def idleness(sent: Report, got: Report) -> Figures:
    """Take what connections cost on which nothing happens."""
    return {
        "open": got["connections"],
        "send_core": 100 * cpu(sent) / sent["wall"],
        "recv_core": 100 * cpu(got) / got["wall"],
        **memory(sent, got),
    }


def cpu(report: Report) -> float:
    """Return the processor seconds of a process, from when it was connected on."""
    return float(report["cpu_user"] + report["cpu_system"])


def memory(sent: Report, got: Report) -> Figures:
    """Take the largest memory of each process."""
    return {"send_MB": sent["max_rss_kb"] / 1024, "recv_MB": got["max_rss_kb"] / 1024}


def at_rate(name: str, megabits: int, sealed: Settings = UNSEALED, burst: int = 1) -> Measurement:
    """Return the measurement of what a stream of this rate costs, when the sender is woken for `burst` messages.

    A program that wakes 950 times a second for a message each pays for that itself, in Python twice or three times
    what it pays in C: `send_lib` leaves out what the same loop takes without a library (measured in the same run).
    """
    rate = megabits * 125_000
    return Measurement(
        name=name,
        about=f"processor time at {megabits} Mbit/s{', AES-128-CTR' if sealed else ''}, "
        f"the sender woken for {burst} message{'s' if burst > 1 else ''}",
        figures=cost,
        shown=("send_core", "send_lib", "recv_core", "lost", "send_MB", "recv_MB"),
        pairs=ALL_AND_OPEN if sealed else ALL,
        both={"check": 0},
        sealed=sealed,
        sender={"rate": rate, "burst": burst, "rehearse": 2},
        targets=(
            Target(figure="send_core", pair=("srtpy", "srtpy"), at_most=1.0),
            Target(figure="recv_core", pair=("srtpy", "srtpy"), at_most=1.0),
            Target(figure="send_core", pair=("srtpy", "libsrt"), at_most=1.0),
            Target(figure="recv_core", pair=("libsrt", "srtpy"), at_most=1.0),
        ),
    )


RATES: Final = ("mbit_s", "lost", "send_us", "recv_us", "send_MB", "recv_MB")
UNLIMITED: Final = {"check": 0, "maxbw": -1, **ROOM, **KERNEL_ROOM}
MEASUREMENTS: Final = (
    Measurement(
        name="write_many",
        about="live mode, 1,316-byte messages as fast as they go, srtpy by write_many",
        figures=throughput,
        shown=RATES,
        both=UNLIMITED,
        only_srtpy={"call": "write_many"},
        targets=(
            Target(figure="mbit_s", pair=("srtpy", "srtpy"), at_least=1.2),
            Target(figure="mbit_s", pair=("srtpy", "libsrt"), at_least=1.2),
        ),
    ),
    Measurement(
        name="write",
        about="the same, srtpy by single writes",
        figures=throughput,
        shown=RATES,
        both=UNLIMITED,
        only_srtpy={"call": "write"},
        targets=(
            Target(figure="mbit_s", pair=("srtpy", "srtpy"), at_least=0.9),
            Target(figure="mbit_s", pair=("srtpy", "libsrt"), at_least=0.9),
        ),
    ),
    Measurement(
        name="lifted",
        about="as write_many, libsrt's own pacing of 1 Gbit/s lifted (maxbw=1250000000); no target",
        figures=throughput,
        shown=RATES,
        pairs=ALIKE,
        both=UNLIMITED,
        only_srtpy={"call": "write_many"},
        only_libsrt={"maxbw": 1_250_000_000},
    ),
    at_rate("cpu10", 10),
    at_rate("cpu10_frames", 10, burst=FRAME),
    at_rate("cpu50", 50),
    Measurement(
        name="sealed",
        about="as write_many, AES-128-CTR; beside it srtpy in clear",
        figures=throughput,
        shown=RATES,
        pairs=ALL_AND_OPEN,
        both=UNLIMITED,
        sealed=AES_128,
        only_srtpy={"call": "write_many"},
        targets=(
            Target(figure="mbit_s", pair=("srtpy", "srtpy"), at_least=1.0),
            Target(figure="mbit_s", pair=("srtpy", "libsrt"), at_least=1.0),
            Target(figure="mbit_s", pair=("srtpy", "srtpy"), over=(OPEN, OPEN), at_least=0.65),
        ),
    ),
    at_rate("sealed_cpu10", 10, AES_128),
    Measurement(
        name="loss",
        about="5 % loss each way, 40 ms round trip, 120 ms latency, 10 Mbit/s",
        figures=recovery,
        shown=("unrecovered", "resent", "resent_%", "p99_ms"),
        sender={"rate": 1_250_000, "keep_open_ms": 600},
        weather=Weather(loss=0.05, delay_ms=20),
        targets=(
            Target(figure="unrecovered", pair=("srtpy", "srtpy"), at_most=1.0, slack=2),
            Target(figure="resent", pair=("srtpy", "srtpy"), at_most=1.0),
        ),
    ),
    Measurement(
        name="latency",
        about="delivery minus the negotiated 120 ms, at 10 Mbit/s",
        figures=latency,
        shown=("min_ms", "p50_ms", "p99_ms", "p999_ms", "max_ms", "lost"),
        sender={"rate": 1_250_000},
        targets=(
            Target(figure="p50_ms", pair=("libsrt", "srtpy"), at_most=2.0, absolute=True),
            Target(figure="p99_ms", pair=("libsrt", "srtpy"), at_most=6.0, absolute=True),
            Target(figure="p50_ms", pair=("srtpy", "srtpy"), at_most=2.0, absolute=True),
            Target(figure="p99_ms", pair=("srtpy", "srtpy"), at_most=6.0, absolute=True),
        ),
    ),
    Measurement(
        name="many",
        about="200 connections of 100 kbit/s into one listener",
        figures=crowd,
        shown=("lost", "recv_core", "p99_ms", "recv_MB"),
        pairs=(("libsrt", "libsrt"), ("libsrt", "srtpy"), ("srtpy", "srtpy")),
        both={"connections": 200},
        sender={"rate": 200 * 12_500, "share_port": 1, "settle": 1.0, "keep_open_ms": 1000},
        receiver={"settle": 0.0},
        targets=(
            Target(figure="lost", pair=("libsrt", "srtpy"), at_most=0, absolute=True),
            Target(figure="lost", pair=("srtpy", "srtpy"), at_most=0, absolute=True),
        ),
    ),
    Measurement(
        name="idle",
        about="500 connections on which nothing happens",
        figures=idleness,
        shown=("open", "send_core", "recv_core", "send_MB", "recv_MB"),
        pairs=(("libsrt", "libsrt"), ("libsrt", "srtpy")),
        both={"role": "idle", "connections": 500, "settle": 1.0},
        sender={"share_port": 1},
        targets=(Target(figure="recv_core", pair=("libsrt", "srtpy"), at_most=10.0, absolute=True),),
    ),
)


def run(measured: Measurement, pair: Pair, seconds: float, seed: int) -> Figures:
    """Measure once: a receiving and a sending process, the weather between them if there is any."""
    sender_kind, receiver_kind = pair
    sealed = measured.sealed
    own: dict[str, Settings] = {
        "srtpy": {**measured.only_srtpy, **sealed},
        "libsrt": {**measured.only_libsrt, **sealed},
        OPEN: measured.only_srtpy,
    }
    idle = measured.both.get("role") == "idle"
    receiving = {"mode": "listener", "role": "receive", **measured.both, **own[receiver_kind], **measured.receiver}
    sending = {"mode": "caller", "role": "send", "keep_open_ms": 500, "seconds": seconds}
    sending |= {**measured.both, **own[sender_kind], **measured.sender}
    if idle:
        receiving["seconds"] = seconds
    with PEERS[receiver_kind](**receiving) as receiver, ProxyProcess() as proxy:
        port = receiver.port
        if measured.weather is not None:
            port = proxy.add_route(("127.0.0.1", port), measured.weather, seed=seed)[1]
        with PEERS[sender_kind](port=port, **sending) as sender:
            if idle:
                got = receiver.result(LONGEST)
                sent = sender.result(LONGEST)
            else:
                sent = sender.result(LONGEST)
                time.sleep(0.2)
                receiver.stop()
                got = receiver.result(LONGEST)
    return measured.figures(sent, got)
