"""Just enough MPEG transport stream to test a link with, and to pace a file by its own clock.

Lives here: making a valid transport stream of any rate (PAT, PMT, one stream with a clock
and numbered payloads), checking one that arrived, reading the programme clock (PCR).
Never here: decoding media; sockets.
Source: ISO/IEC 13818-1 (packet header, adaptation field, PSI sections).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

PACKET_SIZE: Final = 188
SYNC: Final = 0x47
PACKETS_A_MESSAGE: Final = 7  # what fits an Ethernet frame: 1,316 bytes, the habit of the field
MESSAGE_SIZE: Final = PACKET_SIZE * PACKETS_A_MESSAGE
NULL_PID: Final = 0x1FFF
PAT_PID: Final = 0x0000
PMT_PID: Final = 0x0100
STREAM_PID: Final = 0x0101
PRIVATE_DATA: Final = 0x06
CLOCK_HZ: Final = 27_000_000
TABLES_EVERY: Final = 400  # packets between repetitions of the tables
CLOCK_EVERY: Final = 40  # packets between clock references


def crc32_mpeg(data: bytes) -> int:
    """Return the CRC that ends a PSI section."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ 0x04C11DB7 if crc & 0x80000000 else crc << 1) & 0xFFFFFFFF
    return crc


def _section(table: int, identifier: int, body: bytes) -> bytes:
    length = len(body) + 9
    head = bytes([table, 0xB0 | length >> 8, length & 0xFF, identifier >> 8, identifier & 0xFF, 0xC1, 0, 0])
    section = head + body
    return section + crc32_mpeg(section).to_bytes(4, "big")


def _packet(pid: int, counter: int, payload: bytes, *, starts: bool = False, adaptation: bytes = b"") -> bytes:
    control = 0x10 | (0x20 if adaptation else 0)
    head = bytes([SYNC, (0x40 if starts else 0) | pid >> 8, pid & 0xFF, control | counter & 0x0F])
    return (head + adaptation + payload).ljust(PACKET_SIZE, b"\xff")


def _clock_reference(ticks: int) -> bytes:
    base, extension = divmod(ticks, 300)
    base &= (1 << 33) - 1
    return bytes([7, 0x10]) + ((base << 15) | 0x7E00 | extension).to_bytes(6, "big")


class TransportStream:
    """A transport stream of constant rate whose every packet says which one it is.

    Args:
        bits_per_second: the rate the clock references claim.
    """

    def __init__(self, bits_per_second: float) -> None:
        self._ticks_a_packet = PACKET_SIZE * 8 * CLOCK_HZ / bits_per_second
        self._made = 0
        self._counters = {PAT_PID: 0, PMT_PID: 0, STREAM_PID: 0}
        self._number = 0

    def messages(self) -> Iterator[bytes]:
        """Yield the stream without end, seven packets at a time."""
        while True:
            yield b"".join([self._next() for _ in range(PACKETS_A_MESSAGE)])

    def _next(self) -> bytes:
        turn = self._made % TABLES_EVERY
        ticks = int(self._made * self._ticks_a_packet)
        self._made += 1
        if turn == 0:
            return self._table(PAT_PID, _section(0, 1, bytes([0, 1, 0xE0 | PMT_PID >> 8, PMT_PID & 0xFF])))
        if turn == 1:
            pid = bytes([0xE0 | STREAM_PID >> 8, STREAM_PID & 0xFF])
            return self._table(PMT_PID, _section(2, 1, pid + b"\xf0\x00" + bytes([PRIVATE_DATA]) + pid + b"\xf0\x00"))
        adaptation = _clock_reference(ticks) if turn % CLOCK_EVERY == 2 else b""
        payload = self._number.to_bytes(8, "big") * ((PACKET_SIZE - 4 - len(adaptation)) // 8)
        self._number += 1
        return _packet(STREAM_PID, self._count(STREAM_PID), payload, adaptation=adaptation)

    def _table(self, pid: int, section: bytes) -> bytes:
        return _packet(pid, self._count(pid), b"\x00" + section, starts=True)

    def _count(self, pid: int) -> int:
        self._counters[pid] += 1
        return self._counters[pid] - 1 & 0x0F


class Checker:
    """Reads a transport stream as it arrives and counts what is wrong with it.

    Attributes:
        packets: transport packets seen.
        out_of_sync: messages that do not begin a packet.
        discontinuities: gaps in a PID's continuity counter.
    """

    def __init__(self) -> None:
        self.packets = self.out_of_sync = self.discontinuities = 0
        self._expected: dict[int, int] = {}

    def feed(self, message: bytes) -> None:
        """Look at one message of whole packets."""
        if len(message) % PACKET_SIZE or not message or message[0] != SYNC:
            self.out_of_sync += 1
            return
        for start in range(0, len(message), PACKET_SIZE):
            self.packets += 1
            pid = (message[start + 1] & 0x1F) << 8 | message[start + 2]
            flags = message[start + 3]
            if pid == NULL_PID or not flags & 0x10:
                continue
            counter = flags & 0x0F
            if self._expected.get(pid, counter) != counter:
                self.discontinuities += 1
            self._expected[pid] = counter + 1 & 0x0F


def clock_reference(packet: bytes | memoryview) -> tuple[int, float] | None:
    """Return the PID and the time in seconds of a packet's clock reference, if it carries one."""
    if len(packet) < 12 or packet[0] != SYNC or not packet[3] & 0x20 or packet[4] < 7 or not packet[5] & 0x10:
        return None
    word = int.from_bytes(packet[6:12], "big")
    pid = (packet[1] & 0x1F) << 8 | packet[2]
    return pid, ((word >> 15) * 300 + (word & 0x1FF)) / CLOCK_HZ


class ClockPace:
    """Says when a file's data is due, by the clock references in it.

    The first PID that carries a clock is followed; a jump of the clock (an edit, a wrap) starts anew.
    """

    def __init__(self) -> None:
        self._pid: int | None = None
        self._last: float | None = None
        self._due = 0.0

    def due(self, message: bytes) -> float:
        """Return when `message` should leave, in seconds after the first one."""
        view = memoryview(message)
        for start in range(0, len(message) - PACKET_SIZE + 1, PACKET_SIZE):
            reference = clock_reference(view[start : start + PACKET_SIZE])
            if reference is None or self._pid not in (None, reference[0]):
                continue
            self._pid, seconds = reference
            step = 0.0 if self._last is None else seconds - self._last
            self._last = seconds
            if 0 < step < 1:
                self._due += step
        return self._due
