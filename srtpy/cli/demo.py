"""`srtpy demo`: a stream over a bad network, on this machine alone, with a verdict.

Lives here: a sender, a receiver and a lossy relay between them, the passphrase they share, the
figures while they run, what counts as a success.
Never here: the transport stream (mpegts.py), the relay (lossy.py).
"""

from __future__ import annotations

import argparse
import contextlib
import secrets
import statistics
import threading
import time
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import srtpy
from srtpy.cli.arguments import duration, percent
from srtpy.cli.arguments import megabits as megabits_a_second
from srtpy.cli.lossy import LossyRelay
from srtpy.cli.mpegts import MESSAGE_SIZE, Checker, TransportStream
from srtpy.cli.screen import Screen, megabits

COLUMNS: Final = {"time": 6, "sent": 14, "received": 14, "RTT": 9, "lost": 7, "resent": 7, "missing": 8, "latency": 10}
NETWORK_DELAY: Final = 0.010  # seconds each way
GATHER: Final = 0.002  # seconds; messages due within it are written together
KEY_LIFE: Final = 2000  # packets; a few changes in a short demonstration
PATIENCE: Final = 10.0  # seconds for the receiver to finish after the sender has


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the parser."""
    parser = commands.add_parser("demo", help="stream over a lossy loopback and give a verdict")
    parser.add_argument("--seconds", type=duration, default=8.0, help="how long to stream (8)")
    parser.add_argument("--mbps", type=megabits_a_second, default=8.0, help="rate of the stream in Mbit/s (8)")
    parser.add_argument("--loss", type=percent, default=5.0, help="percent of datagrams the network loses (5)")
    parser.add_argument("--latency", type=float, default=200.0, help="latency in milliseconds (200)")
    parser.set_defaults(run=run)


@dataclass
class Reception:
    """What the receiver has seen."""

    checker: Checker = field(default_factory=Checker)
    messages: int = 0
    delays: list[float] = field(default_factory=list)
    error: BaseException | None = None


def _receive(conn: srtpy.Conn, total: int, written_at: list[float], seen: Reception) -> None:
    """Read until all is there or the sender closes; note when each message came, and what is wrong with the stream.

    That the sender has closed is said once, and this network loses it as it loses everything else.
    """
    try:
        while seen.messages < total and (messages := conn.read_many()):
            arrived = time.monotonic()
            for message in messages:
                seen.checker.feed(message)
                if seen.messages < len(written_at):
                    seen.delays.append(arrived - written_at[seen.messages])
                seen.messages += 1
    except srtpy.SRTError as error:
        seen.error = error


def _send(conn: srtpy.Conn, total: int, rate: float, written_at: list[float]) -> None:
    """Write `total` messages at `rate` bits a second, unless the connection ends before: the receiver tells."""
    stream = islice(TransportStream(rate).messages(), total)
    began = time.monotonic()
    interval = MESSAGE_SIZE * 8 / rate
    with contextlib.suppress(srtpy.SRTError):
        for number, message in enumerate(stream):
            early = began + number * interval - time.monotonic()
            if early > 0:
                time.sleep(max(early, GATHER))
            written_at.append(time.monotonic())
            conn.write(message)


def run(options: argparse.Namespace) -> int:
    """Stream, show figures each second, and say whether everything arrived."""
    screen = Screen(COLUMNS)
    rate, total = options.mbps * 1e6, max(1, int(options.seconds * options.mbps * 1e6 / 8 / MESSAGE_SIZE))
    latency = options.latency / 1000
    config = srtpy.Config(latency=latency, passphrase=secrets.token_urlsafe(16), km_refresh_rate=KEY_LIFE)
    screen.say(
        f"srtpy demo: {options.mbps:g} Mbit/s of MPEG-TS for {options.seconds:g} s over a network that loses "
        f"{options.loss:g} % each way and takes {NETWORK_DELAY * 1000:g} ms; latency {options.latency:g} ms; "
        f"encrypted with AES-128, a new key every {KEY_LIFE} packets"
    )
    written_at: list[float] = []
    seen = Reception()
    with (
        srtpy.listen(("127.0.0.1", 0), config) as listener,
        LossyRelay(listener.local_addr[:2], loss=options.loss / 100, delay=NETWORK_DELAY) as network,
        srtpy.dial(network.address, config, stream_id="demo") as caller,
        listener.accept() as accepted,
    ):
        reader = threading.Thread(target=_receive, args=(accepted, total, written_at, seen), name="demo-receiver")
        writer = threading.Thread(target=_send, args=(caller, total, rate, written_at), name="demo-sender")
        reader.start()
        writer.start()
        _watch(screen, caller, accepted, writer, seen)
        caller.close()
        reader.join(PATIENCE)
        sent, received = caller.stats(), accepted.stats()
    return _verdict(screen, total, seen, sent, received, network, latency)


def _watch(screen: Screen, caller: srtpy.Conn, accepted: srtpy.Conn, writer: threading.Thread, seen: Reception) -> None:
    """Show a row of figures each second while the sender runs."""
    began = time.monotonic()
    shown = 0
    while writer.is_alive():
        writer.join(1.0)
        sent, received = caller.stats(clear=True), accepted.stats(clear=True)
        recent, shown = seen.delays[shown:], len(seen.delays)
        screen.row(
            [
                f"{time.monotonic() - began:.1f} s",
                megabits(sent.sent_unique_bytes),
                megabits(received.recv_unique_bytes),
                f"{sent.rtt * 1000:.1f} ms",
                str(received.recv_loss),
                str(sent.retransmits),
                str(received.recv_dropped),
                f"{statistics.median(recent) * 1000:.1f} ms" if recent else "-",
            ]
        )


def _verdict(
    screen: Screen,
    total: int,
    seen: Reception,
    sent: srtpy.ConnStats,
    received: srtpy.ConnStats,
    network: LossyRelay,
    latency: float,
) -> int:
    """Say what became of the stream; 0 is success."""
    if seen.error is not None:
        screen.bad(f"FAILED: the receiver stopped: {seen.error}")
        return 1
    complete = seen.messages == total and not seen.checker.discontinuities and not seen.checker.out_of_sync
    middle = statistics.median(seen.delays) * 1000 if seen.delays else float("nan")
    screen.say(
        f"the network lost {network.lost} of {network.lost + network.forwarded} datagrams; "
        f"{sent.retransmits} packets were sent again; {received.recv_dropped} came too late; "
        f"{received.recv_undecrypt} could not be decrypted, {sent.sent_km} announcements of keys; "
        f"median delay {middle:.1f} ms of {latency * 1000:g} ms latency and {NETWORK_DELAY * 1000:g} ms network"
    )
    if complete:
        screen.good(f"OK: all {total} messages arrived, in order and intact ({seen.checker.packets} TS packets)")
        return 0
    screen.bad(
        f"FAILED: {seen.messages} of {total} messages arrived, "
        f"{seen.checker.discontinuities} discontinuities in the transport stream"
    )
    return 1
