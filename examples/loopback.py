"""Send random bytes to ourselves and compare: the smallest complete program.

    python examples/loopback.py [--megabytes 10]

It listens, calls itself, sends, receives, and compares the SHA-256 of both sides.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import threading
import time

import srtpy

PACKET = 1316
"""Bytes of a message: seven packets of MPEG-TS, what live SRT usually carries."""
LATENCY = 2.0
"""Seconds between writing and reading, and for repair: live data that comes later is given up.  On the internet a tenth
of that does; here sender and receiver share a machine that may be busy with something else for a second."""
RATE = 25_000_000
"""Bytes per second: what a busy machine keeps up with on both ends at once."""


def send(conn: srtpy.Conn, data: bytes) -> None:
    """Write everything, message by message, and close; closing waits until the other side has got it."""
    with conn:
        for start in range(0, len(data), PACKET):
            conn.write(data[start : start + PACKET])


def main() -> int:
    """Return 0 if what arrived is what was sent."""
    parser = argparse.ArgumentParser(description="Send random bytes over SRT to ourselves and compare.")
    parser.add_argument("--megabytes", type=float, default=10, help="how much to send (default 10)")
    arguments = parser.parse_args()
    data = os.urandom(int(arguments.megabytes * 1_000_000))
    with srtpy.listen("127.0.0.1:0", latency=LATENCY) as listener:
        caller = srtpy.dial(listener.local_addr, latency=LATENCY, max_bw=RATE)
        accepted = listener.accept()
    sender = threading.Thread(target=send, args=(caller, data))
    began = time.monotonic()
    sender.start()
    digest, received = hashlib.sha256(), 0
    with accepted:
        for message in accepted.messages():
            digest.update(message)
            received += len(message)
        seconds = time.monotonic() - began
        lost = accepted.stats().recv_dropped
    sender.join()
    is_same = digest.digest() == hashlib.sha256(data).digest()
    print(f"sent      {len(data):>12,} bytes")
    print(f"received  {received:>12,} bytes in {seconds:.2f} s, {LATENCY} of it the latency; lost {lost} packets")
    print(f"SHA-256   {'identical' if is_same else 'DIFFERENT'}")
    if lost:
        print(f"          this machine stood still for longer than the latency of {LATENCY} s: raise LATENCY")
    return 0 if is_same else 1


if __name__ == "__main__":
    raise SystemExit(main())
