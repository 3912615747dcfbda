"""Reading many datagrams with one system call: recvmmsg, through ctypes.

Lives here: the C structures' layout, one set of buffers used again and again, control
messages beside a datagram (GRO's segment size, the address of ours it came to, and when).
Never here: what a batch may hold (joining.py), when to read (mux.py).
Source: Linux recvmmsg(2), cmsg(3), udp(7); layouts of 64-bit Linux, which `is_available` checks.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import mmap
import os
import socket
import struct
import sys
from typing import Final

from srtpy.internal.clock.units import Micros
from srtpy.internal.mux.address import PATHS_KEPT, Path, Paths, decode_packet_info, decode_sockaddr
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.joining import JOIN_LIMIT, Joiner, Reads
from srtpy.internal.mux.options import SOL_UDP, UDP_GRO, ask_for_joined_reads
from srtpy.internal.mux.stamps import SO_TIMESTAMPNS, STAMP_LEVEL, Stamps, ask_for_stamps

MESSAGES: Final = JOIN_LIMIT  # ours: a call; 64 to 256 cost the same a datagram, and a full call fills one batch
SLOT: Final = 65_536 + 192  # ours: the largest datagram; not a power of two, or all slots share one cache set
AT_ONCE: Final = 1 << 19  # ours: bytes a call where the kernel joins datagrams; what is taken up next is in the cache
NAME: Final = 32  # ours: room for sockaddr_in6 (28), rounded up
CONTROL_ROOM: Final = 128  # ours: room for a time (32), GRO (24), IP_PKTINFO (32) and IPV6_PKTINFO (40) together
ENVELOPE: Final = NAME + CONTROL_ROOM  # ours: what travels beside one datagram

_MMSGHDR: Final = struct.Struct("=QIxxxxQQQQiIII")  # mmsghdr: name, its length, iovec, 1, control, its length, flags
_IOVEC: Final = struct.Struct("=QQ")
_ROW: Final = struct.Struct("=40xQIxxxxIxxxx")  # of an mmsghdr, what the kernel tells: control length, flags, length
_CMSGHDR: Final = struct.Struct("=Qii")
_STAMP: Final = struct.Struct(f"={NAME}xQiiqq{CONTROL_ROOM - 32}x")  # of an envelope: what the kernel tells first
TIME_AT: Final = NAME + _CMSGHDR.size  # ours: in an envelope, when the datagram arrived
TIME_SIZE: Final = 16  # ours: a timespec's bytes
NO_TIME: Final = bytes(TIME_SIZE)  # ours: put in its place, so that datagrams alike look alike
_INT: Final = struct.Struct("=i")


def _find_recvmmsg() -> ctypes._NamedFuncPointer | None:
    if not sys.platform.startswith("linux") or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    try:
        function = ctypes.CDLL(None, use_errno=True).recvmmsg
    except (OSError, AttributeError):
        return None
    function.restype = ctypes.c_int
    function.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p]
    return function


_recvmmsg = _find_recvmmsg()


def is_available(sock: socket.socket) -> bool:
    """Whether the system has the call and lets us use it; reads nothing."""
    return _recvmmsg is not None and _recvmmsg(sock.fileno(), None, 0, socket.MSG_DONTWAIT, None) == 0


def _address_of(buffer: bytearray | mmap.mmap) -> int:
    """Return where a buffer begins; it stays there as long as nobody changes the buffer's size."""
    return ctypes.addressof(ctypes.c_char.from_buffer(buffer))


class ManyReader:
    """Reads up to `MESSAGES` datagrams a call, each perhaps several that the kernel joined (GRO).

    One thread uses it.  The buffers are one stretch of memory the kernel maps as it is
    touched, so that a quiet socket costs next to nothing.
    """

    __slots__ = (
        "_blank",
        "_envelopes",
        "_headers",
        "_headers_at",
        "_iovecs",
        "_is_at_work",
        "_joiner",
        "_known",
        "_most",
        "_name_size",
        "_paths",
        "_slots",
        "_socket",
        "_stamps",
        "_template",
    )

    def __init__(self, sock: socket.socket, counters: MuxCounters) -> None:
        ask_for_joined_reads(sock)
        self._stamps = Stamps() if ask_for_stamps(sock) else None
        self._socket = sock
        self._joiner = Joiner(counters)
        self._paths = Paths()
        self._known: dict[bytes, tuple[int, Path]] = {}
        self._name_size = 16 if sock.family == socket.AF_INET else 28
        data = mmap.mmap(-1, MESSAGES * SLOT)
        with contextlib.suppress(OSError, AttributeError):  # huge pages would be touched whole
            data.madvise(mmap.MADV_NOHUGEPAGE)
        self._envelopes = bytearray(MESSAGES * ENVELOPE)
        self._headers = bytearray(MESSAGES * _MMSGHDR.size)
        self._iovecs = bytearray(MESSAGES * _IOVEC.size)
        self._headers_at = _address_of(self._headers)
        self._fill_in(_address_of(data))
        view = memoryview(data)
        self._slots = [view[start : start + SLOT] for start in range(0, MESSAGES * SLOT, SLOT)]
        self._template = bytes(self._headers)
        self._blank = bytes(self._envelopes)
        self._most = MESSAGES
        self._is_at_work = False

    def _fill_in(self, data_at: int) -> None:
        """Write the structures that tell the kernel where everything goes."""
        envelopes_at, iovecs_at = _address_of(self._envelopes), _address_of(self._iovecs)
        for index in range(MESSAGES):
            name_at, iovec_at = envelopes_at + index * ENVELOPE, iovecs_at + index * _IOVEC.size
            _IOVEC.pack_into(self._iovecs, index * _IOVEC.size, data_at + index * SLOT, SLOT)
            _MMSGHDR.pack_into(
                self._headers, index * _MMSGHDR.size,
                name_at, NAME, iovec_at, 1, name_at + NAME, CONTROL_ROOM, 0, 0, 0, 0,
            )  # fmt: skip

    def read(self) -> Reads:
        """Return what waits, up to one call's worth, without waiting for more.

        Raises:
            OSError: the kernel complains.
        """
        assert _recvmmsg is not None
        if self._is_at_work:
            self._begin_again()
        self._is_at_work = True
        count = _recvmmsg(self._socket.fileno(), self._headers_at, self._most, socket.MSG_DONTWAIT, None)
        if count <= 0:
            code = ctypes.get_errno()
            self._is_at_work = False
            if count < 0 and code not in (errno.EAGAIN, errno.EINTR):
                raise OSError(code, os.strerror(code))
            return []
        used = count * _MMSGHDR.size
        rows: list[tuple[int, int, int]] = list(_ROW.iter_unpack(memoryview(self._headers)[:used]))
        arrivals = self._arrivals(count)
        reads = self._take(rows, arrivals)
        self._headers[:used] = self._template[:used]
        used = count * ENVELOPE
        self._envelopes[:used] = self._blank[:used]
        self._is_at_work = False
        return reads

    def _begin_again(self) -> None:
        """Tidy up after a read that was interrupted (Ctrl-C); what it brought is lost, as on the way."""
        self._headers[:] = self._template
        self._envelopes[:] = self._blank
        self._joiner.forget()

    def _arrivals(self, count: int) -> list[Micros]:
        """Return when each datagram arrived, 0 where the kernel does not say; its words for that are blanked."""
        stamps, envelopes = self._stamps, self._envelopes
        if stamps is None:
            return [0] * count
        stamps.begin()
        end = count * ENVELOPE
        times = [
            (seconds, nanoseconds)
            for _, level, kind, seconds, nanoseconds in _STAMP.iter_unpack(envelopes[:end])
            if level == STAMP_LEVEL and kind == SO_TIMESTAMPNS
        ]
        if len(times) < count:
            self._stamps = None  # this kernel tells something else first, or nothing
            return [0] * count
        if count == 1:
            envelopes[TIME_AT : TIME_AT + TIME_SIZE] = NO_TIME
        else:
            for place in range(TIME_AT, TIME_AT + TIME_SIZE):
                envelopes[place:end:ENVELOPE] = self._blank[:count]
        return stamps.instants(times)

    def _take(self, rows: list[tuple[int, int, int]], arrivals: list[Micros]) -> Reads:
        """Hand what was read to the joiner: neighbours that are alike together, which is nearly all there is."""
        joiner, envelopes, slots = self._joiner, self._envelopes, self._slots
        first, count, longest = 0, len(rows), 1
        while first < count:
            row = control, _, length = rows[first]
            stride, path = self._sender(first, control)
            last = first + 1
            if not stride:
                told = envelopes[first * ENVELOPE : last * ENVELOPE]
                if not first and rows.count(row) == count and envelopes[: count * ENVELOPE] == told * count:
                    last = count
                while last < count and rows[last] == row and envelopes.startswith(told, last * ENVELOPE):
                    last += 1
            if last - first > 1:
                joiner.add_alike([slot[:length] for slot in slots[first:last]], path, arrivals[first:last])
            else:
                joiner.add(slots[first][:length], stride, path, arrivals[first])
            first, longest = last, max(longest, length)
        self._most = min(MESSAGES, max(AT_ONCE // longest, 1))
        return joiner.take()

    def _sender(self, index: int, control: int) -> tuple[int, Path]:
        """Return the segment size (0: one datagram) and the path told beside a datagram."""
        start = index * ENVELOPE
        told = bytes(self._envelopes[start : start + NAME + control])
        known = self._known.get(told)
        if known is None:
            if len(self._known) >= PATHS_KEPT:
                self._known.clear()
            known = self._known[told] = self._decode(told)
        return known

    def _decode(self, told: bytes) -> tuple[int, Path]:
        stride, source, position = 0, b"", NAME
        while position + _CMSGHDR.size <= len(told):
            length, level, kind = _CMSGHDR.unpack_from(told, position)
            if length < _CMSGHDR.size:
                break
            data = told[position + _CMSGHDR.size : position + length]
            if level == SOL_UDP and kind == UDP_GRO:
                stride = _INT.unpack(data)[0]
            else:
                source = decode_packet_info(level, kind, data) or source
            position += length + 7 & ~7
        return stride, self._paths.between(decode_sockaddr(told[: self._name_size]), source)
