"""Those who do not behave, and the measuring of what they cost us.

Lives here: strangers on plain sockets, a peer that has connected by hand and then says what it
likes, streams of well-behaved ends that check themselves, and the footprint of this process.
Never here: damage to packets (mutation.py), what must come of it (the tests).
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import srtpy
from srtpy.config import Config
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.mux.address import Address
from srtpy.internal.packet.handshake import Handshake
from srtpy.internal.packet.header import HEADER, HEADER_SIZE, MESSAGE_MASK, pack_control_header
from srtpy.internal.seq.number import SEQ_MASK
from tests.conftest import descriptors
from tests.internal.handshake.doorman import handshake, induction, packet
from tests.internal.session.callers import ISN, PlainCaller
from tests.internal.session.fakes import PATIENCE

PAGE = os.sysconf("SC_PAGE_SIZE")
MEGABYTE = 1 << 20
PADDING = bytes(4)
SINGLE = 0xE0000000  # a whole message, in order
PAYLOAD = 1316
FIRST_MARK = 0x12340000  # a socket id nobody else here has
NUMBERED = struct.Struct(">Qd")


class Stranger:
    """A plain UDP socket at an address of its own, perhaps one of many on this machine."""

    def __init__(self, target: Address, host: str = "127.0.0.1") -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.connect(target)
        self.socket.setblocking(False)
        self._mark = FIRST_MARK
        self._old_marks: set[int] = set()

    def __enter__(self) -> Stranger:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    @property
    def address(self) -> Address:
        name: Address = self.socket.getsockname()
        return name

    def send(self, *datagrams: bytes) -> None:
        """Send what the kernel takes."""
        for datagram in datagrams:
            with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
                self.socket.send(datagram)

    def heard(self, patience: float = 0.0) -> list[bytes]:
        """Return what has come, waiting so many seconds for the first of it."""
        if patience:
            select.select([self.socket], [], [], patience)
        found = []
        with contextlib.suppress(BlockingIOError, ConnectionRefusedError):
            while True:
                found.append(self.socket.recv(1 << 16))
        return [one for one in found if destination(one) not in self._old_marks]

    def answer(self, datagram: bytes) -> bytes:
        """Send one datagram and return the first answer."""
        self.send(datagram)
        limit = time.monotonic() + PATIENCE
        while not (heard := self.heard(max(limit - time.monotonic(), 0.0))):
            assert time.monotonic() < limit, "no answer"
        return heard[0]

    def cookie(self, socket_id: int = 4711) -> int:
        """Return the cookie the listener gives to this address."""
        return Handshake.decode(self.answer(packet(induction(socket_id=socket_id)).data)[HEADER_SIZE:]).cookie

    def answers(self, *datagrams: bytes) -> list[bytes]:
        """Return what these are answered: all that comes before the answer to an induction sent after them.

        That is sent again until it is answered: a listener that is flooded may have had no room for it.
        """
        self.heard()
        self._mark += 1
        self.send(*datagrams)
        found: list[bytes] = []
        for _ in range(100):
            self.send(packet(induction(socket_id=self._mark)).data)
            while heard := self.heard(0.3):
                found += heard
                marks = [place for place, one in enumerate(found) if destination(one) == self._mark]
                if marks:
                    self._old_marks.add(self._mark)
                    return found[: marks[0]]
        raise AssertionError("the listener does not answer any more")


def destination(datagram: bytes) -> int:
    """Return whom a datagram is for."""
    return int.from_bytes(datagram[12:16], "big")


@contextlib.contextmanager
def strangers(target: Address, count: int) -> Iterator[list[Stranger]]:
    """Open so many sockets, each at an address of its own."""
    with contextlib.ExitStack() as stack:
        yield [
            stack.enter_context(Stranger(target, f"127.77.{number // 250}.{1 + number % 250}"))
            for number in range(count)
        ]


def conclusion(cookie: int, socket_id: int = 4711, **words: object) -> bytes:
    """Return a conclusion with a good cookie."""
    return packet(handshake(**{"cookie": cookie, "socket_id": socket_id, **words}), stamp=1000).data


class MadPeer(PlainCaller):
    """A caller that connects as it should and afterwards says what it likes."""

    def __init__(self, listener: Address, config: Config | None = None, **about: object) -> None:
        super().__init__(listener, config, **about)  # type: ignore[arg-type]
        self._began = monotonic_now()
        self.peer_id = 0

    def __enter__(self) -> MadPeer:
        self.peer_id = self.connect().negotiated.peer_socket_id
        return self

    @property
    def stamp(self) -> int:
        """Its clock, as on its packets."""
        return (monotonic_now() - self._began) & 0xFFFFFFFF

    def control(self, kind: int, information: int = 0, body: bytes = PADDING, to: int | None = None) -> bytes:
        """Return a control packet to the connection, or to another id."""
        return pack_control_header(kind, information, self.stamp, self.peer_id if to is None else to) + body

    def packet(self, number: int, payload: bytes, stamp: int | None = None) -> bytes:
        """Return the data packet with this place in the stream."""
        when = self.stamp if stamp is None else stamp & 0xFFFFFFFF
        info = SINGLE | (number + 1) & MESSAGE_MASK
        return HEADER.pack((ISN + number) & SEQ_MASK, info, when, self.peer_id) + payload

    def send(self, *datagrams: bytes) -> None:
        """Send it all; a full kernel buffer makes it wait."""
        for datagram in datagrams:
            self.socket.send(datagram)

    def swallow(self) -> list[bytes]:
        """Return what has come, without waiting."""
        self.socket.setblocking(False)
        found = []
        with contextlib.suppress(BlockingIOError):
            while True:
                found.append(self.socket.recv(1 << 16))
        self.socket.settimeout(PATIENCE)
        return found


@dataclass(frozen=True)
class Footprint:
    """What this process has of what an attack could make it have more of."""

    threads: int
    descriptors: int
    resident: int

    @classmethod
    def now(cls) -> Footprint:
        """Measure."""
        gc.collect()
        resident = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * PAGE
        return cls(threading.active_count(), len(descriptors()), resident)

    def assert_not_outgrown(self, megabytes: int) -> None:
        """Fail when there is more of anything now; memory may have grown by so many megabytes."""
        now = Footprint.now()
        assert now.threads <= self.threads, f"{now.threads - self.threads} threads more"
        assert now.descriptors <= self.descriptors, f"{now.descriptors - self.descriptors} descriptors more"
        grown = (now.resident - self.resident) / MEGABYTE
        assert grown <= megabytes, f"memory grew by {grown:.1f} MB"


class Stream:
    """Numbered messages from one connection to another at a steady rate, each checked on arrival.

    Attributes:
        written, delays: how many were written; for each that arrived, in seconds, how long after.
    """

    def __init__(self, source: srtpy.Conn, sink: srtpy.Conn, rate: float) -> None:
        self.source, self.sink = self.ends = source, sink
        self.written = 0
        self.delays: list[float] = []
        self.failures: list[str] = []
        self._pause = 1 / rate
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=work, daemon=True) for work in (self._write, self._read)]
        for thread in self._threads:
            thread.start()

    def _write(self) -> None:
        due = time.monotonic()
        try:
            while not self._stop.is_set():
                self.source.write(self._message(self.written, time.monotonic()))
                self.written += 1
                due += self._pause
                self._stop.wait(max(due - time.monotonic(), 0))
        except srtpy.SRTError as error:
            self.failures.append(f"writing: {error!r}")

    def _read(self) -> None:
        try:
            while message := self.sink.read():
                now = time.monotonic()
                number, sent = NUMBERED.unpack_from(message)
                if message != self._message(len(self.delays), sent):
                    self.failures.append(f"message {number} came where {len(self.delays)} was to come")
                    return
                self.delays.append(now - sent)
        except srtpy.SRTError as error:
            self.failures.append(f"reading: {error!r}")

    @staticmethod
    def _message(number: int, sent: float) -> bytes:
        return NUMBERED.pack(number, sent) + bytes([number & 0xFF]) * (PAYLOAD - NUMBERED.size)

    def finish(self) -> None:
        """Stop writing, close, wait until all has been read."""
        self._stop.set()
        self._threads[0].join(30)
        self.source.close()
        self._threads[1].join(30)
        self.sink.close()
        assert not any(thread.is_alive() for thread in self._threads)

    def assert_whole(self, in_time: float) -> None:
        """Fail unless all arrived in order, and no later than so many seconds after they were written."""
        assert self.failures == []
        assert len(self.delays) == self.written > 0, self.sink.stats()
        late = [delay for delay in self.delays if delay > in_time]
        assert not late, f"{len(late)} of {self.written} came late, up to {max(late):.3f} s"


@contextlib.contextmanager
def streams(
    listener: srtpy.Listener, count: int, rate: float, *, both_ways: bool = False, **config: object
) -> Iterator[list[Stream]]:
    """Run so many streams into a listener, or every other one out of it; they are complete when the block has ended."""
    running = []
    listener.settimeout(30)
    for number in range(count):
        caller = srtpy.dial(listener.local_addr, **config)  # type: ignore[arg-type]
        accepted = listener.accept()
        ends = (accepted, caller) if both_ways and number % 2 else (caller, accepted)
        running.append(Stream(*ends, rate))
    try:
        yield running
    finally:
        for stream in running:
            stream.finish()


class Relay:
    """A port that forwards to another, and that can be closed for a while so that ICMP answers what is sent to it."""

    def __init__(self, target: int) -> None:
        self._back = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._back.connect(("127.0.0.1", target))
        self._front = self._open(0)
        self.address: tuple[str, int] = self._front.getsockname()
        self._client: Address | None = None
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def _open(port: int) -> socket.socket:
        front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        front.bind(("127.0.0.1", port))
        return front

    def __enter__(self) -> Relay:
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._ends.set()
        self._thread.join(30)
        self._front.close()
        self._back.close()

    def interrupt(self, during: Callable[[], object]) -> None:
        """Have the port closed while something is done."""
        self._ends.set()
        self._thread.join(30)
        self._front.close()
        during()
        self._front = self._open(self.address[1])
        self._ends.clear()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ends.is_set():
            ready, _, _ = select.select([self._front, self._back], [], [], 0.02)
            if self._front in ready:
                datagram, self._client = self._front.recvfrom(2048)
                self._back.send(datagram)
            if self._back in ready and self._client is not None:
                self._front.sendto(self._back.recv(2048), self._client)
