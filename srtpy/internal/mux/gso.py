"""Sending many datagrams with one system call: the kernel cuts a run into datagrams (GSO).

Lives here: finding runs of one size, one call a run, a call a datagram where the kernel
refuses to cut, and what a full kernel buffer or a peer's refusal means.
Never here: pacing and order (core), sockets' options (options.py).
Source: Linux udp(7), UDP_SEGMENT.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain
from typing import Final, TypeAlias

from srtpy.internal.mux.address import Ancillary, Path
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.options import SOL_UDP, UDP_SEGMENT
from srtpy.internal.packet.header import HEADER_SIZE, Datagram
from srtpy.internal.packet.train import Train

MOST_SEGMENTS: Final = 64  # ours: Linux udp.h UDP_MAX_SEGMENTS; newer kernels take 128
MOST_BYTES: Final = 65_487  # ours: what IPv4 and IPv6 both carry in one call (65,535 - 40 - 8)
SIZES_KEPT: Final = 64  # ours: datagram sizes whose control message is kept; a stream uses two or three

_SIZE: Final = struct.Struct("=H")
_BLOCKED: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})
_LATE_NEWS: Final = frozenset({
    errno.ECONNREFUSED, errno.ECONNRESET, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENOPROTOOPT, errno.EACCES
})  # fmt: skip
"""What ICMP said of an earlier datagram, told in answer to this one, which has not left."""
_CANNOT_CUT: Final = frozenset({errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOTSUP, errno.EOPNOTSUPP})


Octets: TypeAlias = bytes | memoryview


@lru_cache(maxsize=SIZES_KEPT)
def _cut(size: int) -> Ancillary:
    """Return the control message that has the kernel cut what it is given into datagrams of `size` bytes."""
    return (SOL_UDP, UDP_SEGMENT, _SIZE.pack(size))


def runs(datagrams: Sequence[Datagram]) -> Iterator[tuple[int, int, int]]:
    """Yield (first, last, size) of neighbours that can leave in one call: one size, the last may be shorter."""
    sizes = [len(header) + len(payload) for header, payload in datagrams]
    total, first = len(sizes), 0
    alike = sizes.count(sizes[0]) == total if sizes else True
    while first < total:
        size = sizes[first]
        limit = min(total, first + max(1, min(MOST_SEGMENTS, MOST_BYTES // max(1, size))))
        last = limit if alike else first + 1
        while last < limit and sizes[last] == size:
            last += 1
        if last < limit and sizes[last] < size:
            last += 1
        yield first, last, size
        first = last


def _is_one_run(datagrams: Sequence[Datagram]) -> bool:
    """Whether these are full data packets of one size that leave in one call: nearly always the case."""
    payload = len(datagrams[0][1])
    return (
        payload > 0
        and len(datagrams) * (HEADER_SIZE + payload) <= MOST_BYTES
        and len(datagrams) <= MOST_SEGMENTS
        and [len(payload) for _, payload in datagrams].count(payload) == len(datagrams)
    )


def _fits(train: Train) -> bool:
    """Whether a train leaves in one call."""
    return len(train) <= MOST_SEGMENTS and len(train.wire) <= MOST_BYTES


class Sending:
    """The way out of one socket.  Any thread may send; a datagram that cannot leave at once is lost, and counted."""

    __slots__ = ("_connected", "_counters", "_socket", "cuts")

    def __init__(self, sock: socket.socket, counters: MuxCounters, *, connected: bool, cuts: bool = True) -> None:
        self._socket = sock
        self._counters = counters
        self._connected = connected
        self.cuts = cuts and _kernel_cuts(sock)

    def send(self, datagrams: Sequence[Datagram], path: Path) -> int:
        """Send the datagrams in order and return how many left."""
        if len(datagrams) < 2 or not self.cuts:
            return self._send_each(datagrams, path)
        if type(datagrams) is Train:
            if _fits(datagrams):
                return self._send_wire(datagrams.wire, datagrams, datagrams.stride, path)
            datagrams = list(datagrams)  # once: it takes them apart whenever it is asked for one
        if _is_one_run(datagrams):
            header, payload = datagrams[0]
            return self._send_run(datagrams, len(header) + len(payload), path)
        sent = 0
        for first, last, size in runs(datagrams):
            left = self._send_run(datagrams[first:last], size, path)
            sent += left
            if not left:  # what follows would fare no better
                self._counters.note_unsent(len(datagrams) - last)
                break
        return sent

    def _send_run(self, datagrams: Sequence[Datagram], size: int, path: Path) -> int:
        if len(datagrams) == 1 or not self.cuts:
            return self._send_each(datagrams, path)
        return self._send_wire(b"".join(chain.from_iterable(datagrams)), datagrams, size, path)

    def _send_wire(self, data: Octets, datagrams: Sequence[Datagram], size: int, path: Path) -> int:
        """Send a run that is `data` already."""
        try:
            self._hand_over(data, path, [*path.ancillary, _cut(size)])
        except OSError as error:
            if error.errno in _CANNOT_CUT:
                return self._send_uncut(datagrams, path)
            self._counters.note_unsent(len(datagrams))
            if error.errno not in _BLOCKED:
                self._counters.note_error(error)
            return 0
        return len(datagrams)

    def _send_uncut(self, datagrams: Sequence[Datagram], path: Path) -> int:
        """Send what the kernel would not cut; if it takes them singly, cutting was the trouble: never ask again."""
        sent = self._send_each(datagrams, path)
        if sent and self.cuts:
            self.cuts = False
            self._counters.unsegmented += 1
        return sent

    def _send_each(self, datagrams: Sequence[Datagram], path: Path) -> int:
        sent = 0
        for header, payload in datagrams:
            try:
                self._hand_over(header + payload, path, path.ancillary)
            except OSError as error:
                if error.errno in _BLOCKED:
                    break
                self._counters.note_error(error)
            else:
                sent += 1
        if sent < len(datagrams):
            self._counters.note_unsent(len(datagrams) - sent)
        return sent

    def _hand_over(self, data: Octets, path: Path, ancillary: list[Ancillary], again: bool = True) -> None:
        """Give the kernel one call's worth; ask again when it only had to tell what became of an earlier one."""
        try:
            if ancillary:
                to = () if self._connected else (path.destination,)
                self._socket.sendmsg([data], ancillary, socket.MSG_DONTWAIT, *to)
            elif self._connected:
                self._socket.send(data, socket.MSG_DONTWAIT)
            else:
                self._socket.sendto(data, socket.MSG_DONTWAIT, path.destination)
        except OSError as error:
            if not again or error.errno not in _LATE_NEWS:
                raise
            self._counters.note_error(error)
            self._hand_over(data, path, ancillary, again=False)


def _kernel_cuts(sock: socket.socket) -> bool:
    """Whether the kernel knows the option at all; whether the way out can do it shows with the first run."""
    try:
        sock.getsockopt(SOL_UDP, UDP_SEGMENT)
    except OSError:
        return False
    return True
