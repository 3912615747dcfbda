"""Wireshark's own reader of SRT understands every handshake packet we make, and finds nothing odd in it."""

from __future__ import annotations

import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path

import pytest

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.handshake.caller import Caller
from srtpy.internal.packet.batch import Batch
from tests.internal.handshake.doorman import CALLER_ID, ISN, Doorman

pytestmark = pytest.mark.interop

RAW_IP = 101
LOCALHOST = bytes([127, 0, 0, 1])
CALLER_PORT, LISTENER_PORT = 40000, 9000


def capture(datagrams: Iterable[bytes]) -> bytes:
    """Return the datagrams as a capture file, as if each had crossed the loopback."""
    packets = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)]
    for number, datagram in enumerate(datagrams):
        udp = struct.pack(">HHHH", CALLER_PORT, LISTENER_PORT, 8 + len(datagram), 0) + datagram
        ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), number, 0, 64, 17, 0, LOCALHOST, LOCALHOST)
        size = len(ip) + len(udp)
        packets.append(struct.pack("<IIII", number, 0, size, size) + ip + udp)
    return b"".join(packets)


def exchange(config: Config, doorman: Doorman) -> list[bytes]:
    """Return everything that both sides say until the handshake is over."""
    caller = Caller(config, CALLER_ID, ISN, LOCALHOST, 0, 0)
    said: list[bytes] = []
    for now in range(1000, 5000, 1000):
        for source, target in ((caller, doorman), (doorman, caller)):
            for header, body in source.datagrams_to_send(now):
                said.append(header + body)
                target.receive_datagrams(Batch(header + body), now)
    return said


def dissected(tshark: str, datagrams: list[bytes], folder: Path) -> list[str]:
    """Return what tshark makes of each datagram."""
    file = folder / "handshake.pcap"
    file.write_bytes(capture(datagrams))
    command = [tshark, "-n", "-r", str(file), "-d", f"udp.port=={LISTENER_PORT},srt", "-Y", "srt", "-O", "srt"]
    text = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    frames = text.split("SRT Protocol")[1:]
    assert len(frames) == len(datagrams), text
    for complaint in ("Malformed", "Expert Info", "Warning", "Error", "Undecoded"):
        assert complaint not in text, text
    return frames


def test_a_whole_handshake(tshark: str, tmp_path: Path) -> None:
    config = Config(stream_id="#!::u=me,r=live/a", recv_latency=0.25, peer_latency=0.3)
    asked, greeted, concluded, answered = dissected(tshark, exchange(config, Doorman()), tmp_path)
    for line in ("Handshake Version: 4", "SRT_DGRAM (2)", "URQ_INDUCTION", f"Sequence Number: {ISN}", "127.0.0.1"):
        assert line in asked
    for line in ("Handshake Version: 5", "HSv5 MAGIC", "URQ_INDUCTION", f"Socket ID: 0x{CALLER_ID:08x}"):
        assert line in greeted
    for line in ("URQ_CONCLUSION (-1)", "SRT_CMD_HSREQ", "(1.5.5)", "0x000000bf", "SRT_CMD_SID", "#!::u=me,r=live/a"):
        assert line in concluded
    # Wireshark's "peer" is the sender of the packet: what it receives with, then what it asks of the other side
    assert "Peer Latency: 250ms" in concluded
    assert "    Latency: 300ms" in concluded
    for line in ("URQ_CONCLUSION (-1)", "SRT_CMD_HSRSP", "(1.5.5)", "0x000000bf", "Socket ID: 0x00001001"):
        assert line in answered
    assert "Peer Latency: 300ms" in answered
    assert "    Latency: 250ms" in answered


def test_a_refusal(tshark: str, tmp_path: Path) -> None:
    doorman = Doorman()
    doorman.verdict = lambda _request: RejectReason.BACKLOG
    *_, refusal = dissected(tshark, exchange(Config(), doorman), tmp_path)
    assert "1005" in refusal
