"""A caller on a plain socket, packet by packet, for tests that need its every word."""

from __future__ import annotations

import secrets
import socket
from types import TracebackType

from srtpy.config import Config
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.core.agreeing import Initiating
from srtpy.internal.handshake.caller import Caller, CallerEvent
from srtpy.internal.handshake.negotiation import Opened, Refused
from srtpy.internal.mux.address import Address
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import CONTROL, HEADER, ControlType
from tests.internal.session.fakes import PATIENCE

ISN = 0x7FFFFFF0


class PlainCaller:
    """The caller's handshake by hand."""

    def __init__(
        self, listener: Address, config: Config | None = None, *, socket_id: int = 4711, host: str = "127.0.0.1"
    ) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((host, 0))
        self.socket.connect(listener)
        self.socket.settimeout(PATIENCE)
        self.socket_id = socket_id
        now = monotonic_now()
        self.keys = Initiating(config or Config(), secrets.token_bytes)
        self.caller = Caller(config or Config(), socket_id, ISN, b"\x7f\0\0\1", now, now, keys=self.keys)
        self.conclusion = b""

    def __enter__(self) -> PlainCaller:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.socket.close()

    @property
    def address(self) -> Address:
        name: Address = self.socket.getsockname()
        return name

    def say(self) -> None:
        """Send what the caller has to say."""
        for header, body in self.caller.datagrams_to_send(monotonic_now()):
            self.conclusion = header + body
            self.socket.send(self.conclusion)

    def ask(self) -> None:
        """Get as far as the conclusion, and send it."""
        self.say()
        self.hear(self.receive())
        self.say()

    def receive(self, timeout: float = PATIENCE) -> bytes:
        self.socket.settimeout(timeout)
        return self.socket.recv(2048)

    def hear(self, datagram: bytes) -> list[CallerEvent]:
        self.caller.receive_datagrams(Batch(datagram), monotonic_now())
        return self.caller.events()

    def outcome(self) -> CallerEvent:
        """Wait for the answer to the conclusion."""
        while True:
            for event in self.hear(self.receive()):
                return event

    def connect(self) -> Opened:
        self.ask()
        opened = self.outcome()
        assert isinstance(opened, Opened), opened
        return opened

    def refusal(self) -> Refused:
        refused = self.outcome()
        assert isinstance(refused, Refused), refused
        return refused

    def data(self, peer: int, payload: bytes, number: int = 0) -> bytes:
        return HEADER.pack((ISN + number) & 0x7FFFFFFF, 0xE000_0001 + number, 1_000, peer) + payload

    def shut_down(self, peer: int) -> None:
        self.socket.send(HEADER.pack(CONTROL | ControlType.SHUTDOWN << 16, 0, 0, peer) + bytes(4))


def without_stamp(datagram: bytes) -> bytes:
    """Return a datagram with its timestamp blanked, to compare answers by what they say."""
    return datagram[:8] + bytes(4) + datagram[12:]
