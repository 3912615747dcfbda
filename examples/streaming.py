"""Stream at a steady rate and watch the statistics, second by second.

    python examples/streaming.py [--bitrate 5000000] [--duration 5] [--latency 0.12]

Both ends run here, over loopback; the table shows what either side counted in each second.
"""

from __future__ import annotations

import argparse
import threading
import time

import srtpy

PACKET = 1316
HEADER = (
    f"{'time':>6} {'sent':>8} {'received':>8} {'RTT ms':>8} {'lost':>6} {'resent':>6} {'Mbit/s':>8} {'buffer ms':>9}"
)


def stream(conn: srtpy.Conn, bitrate: int, duration: float) -> None:
    """Write numbered messages, each when its time has come."""
    began = time.monotonic()
    interval = PACKET * 8 / bitrate
    with conn:
        for number in range(int(duration / interval)):
            time.sleep(max(began + number * interval - time.monotonic(), 0))
            conn.write(number.to_bytes(8, "big") + bytes(PACKET - 8))


def watch(caller: srtpy.Conn, accepted: srtpy.Conn, ended: threading.Event) -> None:
    """Print a line a second until the stream has ended."""
    began = time.monotonic()
    print(HEADER)
    while True:
        is_over = ended.wait(1.0)
        sent, got = caller.stats(clear=True), accepted.stats(clear=True)
        print(
            f"{time.monotonic() - began:6.1f} {sent.sent_packets:8} {got.recv_packets:8} {sent.rtt * 1e3:8.2f} "
            f"{got.recv_loss:6} {sent.retransmits:6} {got.mbps_recv_rate:8.2f} {got.ms_rcv_buf:9.0f}",
            flush=True,
        )
        if is_over:
            return


def main() -> int:
    """Return 0 if every message arrived, in order."""
    parser = argparse.ArgumentParser(description="Stream over loopback and show statistics each second.")
    parser.add_argument("--bitrate", type=int, default=5_000_000, help="bits per second (default 5,000,000)")
    parser.add_argument("--duration", type=float, default=5.0, help="seconds (default 5)")
    parser.add_argument("--latency", type=float, default=0.12, help="seconds (default 0.12)")
    arguments = parser.parse_args()
    srtpy.low_latency()
    with srtpy.listen("127.0.0.1:0", latency=arguments.latency) as listener:
        caller = srtpy.dial(listener.local_addr, latency=arguments.latency)
        accepted = listener.accept()
    ended = threading.Event()
    sender = threading.Thread(target=stream, args=(caller, arguments.bitrate, arguments.duration))
    watcher = threading.Thread(target=watch, args=(caller, accepted, ended))
    sender.start()
    watcher.start()
    with accepted:
        numbers = [int.from_bytes(message[:8], "big") for message in accepted.messages()]
    ended.set()
    sender.join()
    watcher.join()
    total = caller.stats().sent_unique_packets
    is_complete = numbers == list(range(total))
    print(f"{len(numbers)} of {total} messages arrived{', in order' if is_complete else ''}")
    return 0 if is_complete else 1


if __name__ == "__main__":
    raise SystemExit(main())
