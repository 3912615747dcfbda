"""Two `Conn`s joined in memory: real sessions and threads around real cores, and no socket between them.

Lives here: `pair`, for tests of the public modules.
Never here: handshakes and sockets (tests/test_dialer.py), lossy links (tests/sim).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

from srtpy.config import Config
from srtpy.conn import Conn
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.core.connection import Connection
from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import Datagram
from srtpy.internal.session.session import Session
from tests.sim.pair import NEAR_THE_WRAP, Birth, agreed

CALLER_ADDRESS, LISTENER_ADDRESS = ("127.0.0.1", 40001), ("127.0.0.1", 40002)
SHORT = Config(latency=0.02)


class Cable:
    """A wire whose other end is an inbox; unplugged, it loses everything."""

    def __init__(self, address: tuple[str, int], far_inbox: Inbox, from_here: Path) -> None:
        self.local_address = address
        self.capacity = 3640
        self.patience: Micros = NEVER
        self.company: Micros = NEVER
        self.is_plugged = True
        self.kinds: list[int] = []
        self._far_inbox = far_inbox
        self._from_here = from_here

    def send(self, datagrams: Sequence[Datagram], path: Path) -> int:
        for header, payload in datagrams:
            if header[0] & 0x80:
                self.kinds.append(int.from_bytes(header[:2]) & 0x7FFF)
            if self.is_plugged:
                self._far_inbox.put((Batch(header + payload), self._from_here))
        return len(datagrams)

    def attend(self, inbox: Inbox, by: Micros) -> None:
        pass

    def look(self, inbox: Inbox) -> None:
        pass

    def remind(self, inbox: Inbox, at: Micros) -> bool:
        return False

    def unregister(self, socket_id: int, farewell: bytes) -> None:
        pass

    def release(self) -> None:
        pass

    def abandon(self) -> None:
        pass


def join(mine: Config = SHORT, theirs: Config | None = None) -> tuple[Conn, Conn, Cable, Cable]:
    """Return caller and listener side, connected, and the cable from each to the other."""
    theirs = theirs or mine
    now = monotonic_now()
    inboxes: tuple[Inbox, Inbox] = (Inbox(), Inbox())
    to_listener, to_caller = Path(LISTENER_ADDRESS), Path(CALLER_ADDRESS)
    cables = Cable(CALLER_ADDRESS, inboxes[1], to_caller), Cable(LISTENER_ADDRESS, inboxes[0], to_listener)
    halves = agreed(Birth(config=mine, peer_config=theirs, isn=NEAR_THE_WRAP), 0)
    conns = []
    for half, config, cable, path, inbox in zip(
        halves, (mine, theirs), cables, (to_listener, to_caller), inboxes, strict=True
    ):
        negotiated = replace(half, start=now, peer_start=now, stream_id=mine.stream_id)
        session = Session(Connection(negotiated, config, now), negotiated, config, cable, path, inbox)
        session.start()
        conns.append(Conn(session, config.copy()))
    return conns[0], conns[1], cables[0], cables[1]


@contextmanager
def pair(mine: Config = SHORT, theirs: Config | None = None) -> Iterator[tuple[Conn, Conn]]:
    """Join two connections for the length of a `with` statement."""
    caller, listener, *_ = join(mine, theirs)
    try:
        yield caller, listener
    finally:
        for one in (caller, listener):
            one._session.shut_down()
            one.close()
