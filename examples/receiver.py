"""Wait for an SRT sender and write what it sends to standard output.

python examples/receiver.py --address :9000 | ffplay -
"""

from __future__ import annotations

import argparse
import sys

import srtpy


def main() -> int:
    """Receive until the sender closes."""
    parser = argparse.ArgumentParser(description="Wait for an SRT sender and write what it sends to standard output.")
    parser.add_argument("-addr", "--address", default=":9000", help="where to listen (default :9000)")
    parser.add_argument("--latency", type=float, default=0.12, help="seconds (default 0.12)")
    arguments = parser.parse_args()
    try:
        return receive(arguments.address, arguments.latency)
    except KeyboardInterrupt:
        return 130


def receive(address: str, latency: float) -> int:
    """Wait for one sender; write what it sends."""
    with srtpy.listen(address, latency=latency) as listener:
        print(f"listening on port {listener.local_addr[1]}", file=sys.stderr, flush=True)
        conn = listener.accept()
    with conn:
        print(f"connected: {conn.remote_addr[0]} {conn.stream_id!r}", file=sys.stderr, flush=True)
        try:
            for message in conn.messages():
                sys.stdout.buffer.write(message)
                sys.stdout.buffer.flush()
        except srtpy.ConnectionBrokenError as error:
            print(error, file=sys.stderr)
            return 1
        stats = conn.stats()
    print(f"received {stats.recv_unique_bytes:,} bytes, lost {stats.recv_dropped} packets", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
