"""Reading datagrams with a system call each: for systems without recvmmsg.

Lives here: a loop of `recvmsg` that understands GRO and packet info, and a loop of `recvfrom`
for systems that have neither.
Never here: many datagrams a call (recvmmsg.py), what a batch may hold (joining.py).
Source: Linux udp(7), ip(7), ipv6(7).
"""

from __future__ import annotations

import socket
import struct
from typing import Final

from srtpy.internal.clock.units import Micros
from srtpy.internal.mux.address import Address, Paths, decode_packet_info
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.joining import Joiner, Reads
from srtpy.internal.mux.options import SOL_UDP, UDP_GRO, ask_for_joined_reads
from srtpy.internal.mux.recvmmsg import CONTROL_ROOM, MESSAGES
from srtpy.internal.mux.stamps import SO_TIMESTAMPNS, STAMP_LEVEL, Stamps, ask_for_stamps

LARGEST: Final = 65_536  # ours: no datagram, and no run the kernel joined, is longer

_INT: Final = struct.Struct("=i")
_TIMESPEC: Final = struct.Struct("=qq")


class MessageReader:
    """Reads until nothing waits, a `recvmsg` a datagram or a run that the kernel joined (GRO)."""

    __slots__ = ("_buffer", "_counters", "_joiner", "_paths", "_socket", "_stamps", "_view")

    def __init__(self, sock: socket.socket, counters: MuxCounters) -> None:
        ask_for_joined_reads(sock)
        ask_for_stamps(sock)
        self._stamps = Stamps()
        self._socket = sock
        self._counters = counters
        self._joiner = Joiner(counters)
        self._paths = Paths()
        self._buffer = bytearray(LARGEST)
        self._view = memoryview(self._buffer)

    def read(self) -> Reads:
        """Return what waits, up to a bound, without waiting for more.

        Raises:
            OSError: the kernel complains.
        """
        joiner, view = self._joiner, self._view
        joiner.forget()
        try:
            for _ in range(MESSAGES):
                size, told, _, address = self._socket.recvmsg_into([view], CONTROL_ROOM, socket.MSG_DONTWAIT)
                stride, source, arrived = self._decode(told)
                joiner.add(bytes(view[:size]), stride, self._paths.between(_checked(address), source), arrived)
        except (BlockingIOError, InterruptedError):
            pass  # nothing more waits
        except OSError as error:
            return _taken_before(error, joiner, self._counters)
        return joiner.take()

    def _decode(self, told: list[tuple[int, int, bytes]]) -> tuple[int, bytes, Micros]:
        """Return the segment size (0: one datagram), the address of ours it came to, and when (0: not told)."""
        stride, source, arrived = 0, b"", 0
        for level, kind, data in told:
            if level == SOL_UDP and kind == UDP_GRO:
                stride = _INT.unpack(data[:4])[0]
            elif level == STAMP_LEVEL and kind == SO_TIMESTAMPNS:
                self._stamps.begin()
                arrived = self._stamps.instant(*_TIMESPEC.unpack(data[: _TIMESPEC.size]))
            else:
                source = decode_packet_info(level, kind, data) or source
        return stride, source, arrived


class PlainReader:
    """Reads until nothing waits, a `recvfrom` a datagram; does not learn which address of ours it came to."""

    __slots__ = ("_counters", "_joiner", "_paths", "_socket")

    def __init__(self, sock: socket.socket, counters: MuxCounters) -> None:
        self._socket = sock
        self._counters = counters
        self._joiner = Joiner(counters)
        self._paths = Paths()

    def read(self) -> Reads:
        """Return what waits, up to a bound, without waiting for more.

        Raises:
            OSError: the kernel complains.
        """
        joiner = self._joiner
        joiner.forget()
        try:
            for _ in range(MESSAGES):
                data, address = self._socket.recvfrom(LARGEST, socket.MSG_DONTWAIT)
                joiner.add(data, 0, self._paths.between(_checked(address)))
        except (BlockingIOError, InterruptedError):
            pass  # nothing more waits
        except OSError as error:
            return _taken_before(error, joiner, self._counters)
        return joiner.take()


def _checked(address: object) -> Address:
    """Return what the socket said of a datagram's sender; UDP over IP says nothing else."""
    assert isinstance(address, tuple)
    return address


def _taken_before(error: OSError, joiner: Joiner, counters: MuxCounters) -> Reads:
    """Return what was read before the kernel complained; raise the complaint when that is nothing."""
    reads = joiner.take()
    if not reads:
        raise error
    counters.note_error(error)
    return reads
