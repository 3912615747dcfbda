"""Capture files: datagrams as Wireshark reads them, and what its SRT reader thinks of them.

Lives here: writing a capture of datagrams that crossed no real network, asking tshark.
Never here: where the datagrams come from.
"""

from __future__ import annotations

import struct
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

RAW_IP = 101
LOCALHOST = bytes([127, 0, 0, 1])
CALLER_PORT, LISTENER_PORT = 40000, 9000
NOTE = 0x00400000
"""Wireshark's word for what is worth knowing: it notes each reported loss, which is no complaint."""
Captured = tuple[int, bool, bytes]
"""When (microseconds), whether the caller sent it, the datagram."""


def write(path: Path, datagrams: Iterable[Captured]) -> int:
    """Write a capture file; return how many datagrams it has."""
    records = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 1 << 16, RAW_IP)]
    for number, (when, from_caller, datagram) in enumerate(datagrams):
        ports = (CALLER_PORT, LISTENER_PORT) if from_caller else (LISTENER_PORT, CALLER_PORT)
        udp = struct.pack(">HHHH", *ports, 8 + len(datagram), 0) + datagram
        size = 20 + len(udp)
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, number & 0xFFFF, 0, 64, 17, 0, LOCALHOST, LOCALHOST)
        records.append(struct.pack("<IIII", when // 1_000_000, when % 1_000_000, size, size) + ip + udp)
    path.write_bytes(b"".join(records))
    return len(records) - 1


def _ask(tshark: str, path: Path, *words: str) -> str:
    command = [tshark, "-n", "-r", str(path), "-d", f"udp.port=={LISTENER_PORT},srt", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=90).stdout


def complaints(tshark: str, path: Path) -> str:
    """Return whatever tshark finds odd: malformed packets, warnings, datagrams that are not SRT to it."""
    return _ask(tshark, path, "-Y", f"_ws.malformed || _ws.expert.severity > {NOTE} || !srt", "-V")[:5000]


def kinds(tshark: str, path: Path) -> Counter[str]:
    """Return how many packets of which control type tshark sees; "" is data."""
    rows = _ask(tshark, path, "-T", "fields", "-e", "srt.iscontrol", "-e", "srt.type").splitlines()
    return Counter(row.partition("\t")[2] for row in rows)
