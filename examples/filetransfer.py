"""Send a file over SRT's file mode, with the bare means of the library.

    python examples/filetransfer.py --mode recv --address :9000 --file copy.bin
    python examples/filetransfer.py --mode send --address 127.0.0.1:9000 --file original.bin

The receiver writes to a file beside the target and renames it once the sender has closed: nobody ever finds half a
file under its name.  Both print the SHA-256.  `srtpy file` does more: folders, checks, going on after a loss.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import tempfile
import time
from pathlib import Path

import srtpy


def send(address: str, path: Path, passphrase: str) -> int:
    """Call the receiver and send; closing waits until everything has arrived."""
    with (
        path.open("rb") as file,
        srtpy.dial(
            address, trans_type=srtpy.TransType.FILE, stream_id=f"file/{path.name}", passphrase=passphrase
        ) as conn,
    ):
        return conn.send_file(file)


def receive(address: str, path: Path, passphrase: str) -> int:
    """Wait for a sender and receive; the file has its name when the sender has closed, and not before."""
    with srtpy.listen(address, trans_type=srtpy.TransType.FILE, passphrase=passphrase) as listener:
        print(f"listening on port {listener.local_addr[1]}", file=sys.stderr, flush=True)
        conn = listener.accept()
    print(f"{conn.remote_addr[0]} sends {conn.stream_id!r}", file=sys.stderr)
    with conn, tempfile.NamedTemporaryFile(dir=path.absolute().parent, prefix=".", delete=False) as partial:
        try:
            count = conn.recv_file(partial)  # a disk that fails is told to the sender
            partial.flush()
            os.fsync(partial.fileno())
        except BaseException:
            os.unlink(partial.name)
            raise
    os.replace(partial.name, path)
    return count


def main() -> int:
    """Return 0 if the file is whole."""
    parser = argparse.ArgumentParser(description="Send a file over SRT's file mode.")
    parser.add_argument("-mode", "--mode", choices=("send", "recv"), required=True)
    parser.add_argument("-addr", "--address", default="127.0.0.1:9000", help="default 127.0.0.1:9000")
    parser.add_argument("-file", "--file", type=Path, required=True, help="what to send, or what to call what comes")
    parser.add_argument("--passphrase", default="", help="to encrypt; the same at both ends, 10 to 80 bytes")
    arguments = parser.parse_args()
    action = send if arguments.mode == "send" else receive
    began = time.monotonic()
    try:
        count = action(arguments.address, arguments.file, arguments.passphrase)
    except (OSError, ValueError) as error:
        print(f"{arguments.file}: {error}", file=sys.stderr)
        return 1
    seconds = time.monotonic() - began
    with arguments.file.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    print(f"{count:,} bytes in {seconds:.2f} s, SHA-256 {digest}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
