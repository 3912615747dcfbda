"""Send standard input, or a pattern, to an SRT listener.

ffmpeg -re -i film.mp4 -c copy -f mpegts - | python examples/sender.py --address 127.0.0.1:9000
python examples/sender.py --address 127.0.0.1:9000 --pattern --duration 10
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator

import srtpy

PACKET = 1316


def read_input() -> Iterator[bytes]:
    """Yield what comes in, a packet at a time, as soon as it is there."""
    while packet := sys.stdin.buffer.read(PACKET):
        yield packet


def pattern(bitrate: int, duration: float) -> Iterator[bytes]:
    """Yield numbered packets at a steady rate."""
    began = time.monotonic()
    interval = PACKET * 8 / bitrate
    for number in range(int(duration / interval)):
        time.sleep(max(began + number * interval - time.monotonic(), 0))
        yield number.to_bytes(8, "big") + bytes(PACKET - 8)


def main() -> int:
    """Send until the input ends."""
    parser = argparse.ArgumentParser(description="Send standard input, or a pattern, to an SRT listener.")
    parser.add_argument("-addr", "--address", default="127.0.0.1:9000", help="where to (default 127.0.0.1:9000)")
    parser.add_argument("--latency", type=float, default=0.12, help="seconds (default 0.12)")
    parser.add_argument("--stream-id", default="", help="which stream this is, for the listener")
    parser.add_argument("--pattern", action="store_true", help="send numbered packets instead of standard input")
    parser.add_argument("--bitrate", type=int, default=5_000_000, help="of the pattern, bits per second")
    parser.add_argument("--duration", type=float, default=10.0, help="of the pattern, seconds")
    arguments = parser.parse_args()
    try:
        conn = srtpy.dial(arguments.address, latency=arguments.latency, stream_id=arguments.stream_id)
    except (OSError, ValueError) as error:
        print(f"cannot connect to {arguments.address}: {error}", file=sys.stderr)
        return 1
    packets = pattern(arguments.bitrate, arguments.duration) if arguments.pattern else read_input()
    try:
        with conn:
            for packet in packets:
                conn.write(packet)
    except srtpy.SRTError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    stats = conn.stats()
    print(f"sent {stats.sent_unique_bytes:,} bytes, {stats.retransmits} packets twice or more", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
