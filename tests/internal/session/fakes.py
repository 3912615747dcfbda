"""A core and a socket that do as they are told, for tests of what is built around them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from srtpy.config import Config
from srtpy.internal.buffer.receive import Delivered
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.core.events import Event, Finished
from srtpy.internal.core.leisure import Leisure
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.mux.address import Address, Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER, Datagram
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import Sleepers

ISN = 0x7FFFFFF0
LATENCY = 120_000
PACKET = 1456
"""Bytes a packet of the fake core takes."""
PATIENCE = 30.0
"""Seconds: what has not happened by then does not happen, however busy the machine is."""


def negotiated(**changes: object) -> Negotiated:
    values: dict[str, object] = {
        "socket_id": 77,
        "peer_socket_id": 88,
        "send_isn": ISN,
        "recv_isn": ISN,
        "mss": 1500,
        "payload_size": 1456,
        "flow_window": 8192,
        "peer_version": 0x010501,
        "recv_latency": LATENCY,
        "peer_latency": LATENCY,
        "tsbpd_receive": True,
        "tsbpd_send": True,
        "tlpktdrop": True,
        "peer_tlpktdrop": True,
        "nak_report": True,
        "peer_nak_report": True,
        "peer_retransmit_flag": True,
        "message_api": True,
        "congestion": "live",
        "stream_id": "",
        "start": 0,
        "peer_start": 0,
        "initiator": True,
        "reply": b"",
    }
    return Negotiated(**(values | changes))  # type: ignore[arg-type]


def row(payload: bytes, seq: int = 0, stamp: int = 0) -> Delivered:
    return payload, seq, 0xE000_0001, stamp


def batch(*payloads: bytes, destination: int = 77, seq: int = ISN) -> Batch:
    """Data packets of one size, the last perhaps shorter."""
    packets = [
        HEADER.pack((seq + index) & 0x7FFFFFFF, 0xE000_0001 + index, 0, destination) + payload
        for index, payload in enumerate(payloads)
    ]
    return Batch(b"".join(packets), len(packets[0]))


class FakeCore:
    """Remembers what it was told; says what the test has put in."""

    def __init__(self, room: int = 1000) -> None:
        self.messages: deque[Delivered] = deque()
        self.is_closed = False
        self.is_tight = False
        self.round_trip = RoundTrip()
        self.leisure = Leisure(negotiated(), self.round_trip)  # none before a round trip is known
        self.finishes_at_once = True
        self.space = room
        self.deadline: Micros = NEVER
        self.due: Micros = NEVER
        self.waiting: list[tuple[Micros, Delivered]] = []
        self.news: list[Event] = []
        self.outgoing: list[Datagram] = []
        self.received: list[Batch] = []
        self.written: list[bytes] = []
        self.written_at: list[Micros] = []
        self.reads_noted = 0
        self.burst = 0
        self.controls: list[tuple[Micros | None, Micros | None, bool]] = []
        self.timer_calls: list[Micros] = []
        self.closings: list[Micros | None] = []
        self.on_timer: Callable[[Micros], None] = lambda now: None
        self.on_receive: Callable[[Batch, Micros], None] = lambda batch, now: None

    def limit_bursts(self, packets: int) -> None:
        self.burst = packets

    def receive_datagrams(self, batch: Batch, now: Micros) -> None:
        self.received.append(batch)
        self.on_receive(batch, now)

    def write(
        self,
        message: bytes,
        now: Micros,
        *,
        stamp: Micros | None = None,
        ttl: Micros | None = None,
        in_order: bool = True,
    ) -> None:
        assert self.space >= self.packets_for(len(message))
        self.space -= self.packets_for(len(message))
        self.written.append(message)
        self.controls.append((stamp, ttl, in_order))
        self.outgoing.append((b"h" * 16, message))

    def write_many(self, messages: Sequence[bytes], now: Micros, instants: Sequence[Micros] | None = None) -> int:
        for count, message in enumerate(messages):
            if self.packets_for(len(message)) > self.space:
                return count
            self.write(message, now)
            self.written_at.append(now if instants is None else instants[count])
        return len(messages)

    def write_stream(self, data: bytes, start: int, end: int, now: Micros) -> int:
        taken = 0
        while self.space and start + taken < end:
            piece = data[start + taken : min(start + taken + PACKET, end)]
            self.write(piece, now, in_order=False)
            taken += len(piece)
        return taken

    def packets_for(self, size: int) -> int:
        return -(-size // PACKET)

    def send_run(self, messages: Sequence[bytes], instants: Sequence[Micros], now: Micros) -> list[Datagram]:
        assert self.write_many(messages, now, instants) == len(messages)
        return self.datagrams_to_send(now)

    def room(self) -> int:
        return self.space

    @property
    def unsent(self) -> int:
        return len(self.outgoing)

    def handle_timer(self, now: Micros) -> None:
        self.timer_calls.append(now)
        self.deadline = NEVER
        self.on_timer(now)

    def next_deadline(self) -> Micros:
        return self.deadline

    def datagrams_to_send(self, now: Micros) -> list[Datagram]:
        taken, self.outgoing = self.outgoing, []
        return taken

    def events(self) -> list[Event]:
        taken, self.news = self.news, []
        return taken

    def arrive(self, payload: bytes, due: Micros) -> None:
        """Put in a message that is due at that instant."""
        self.waiting.append((due, row(payload)))

    def delivery_due(self) -> Micros:
        return min((due for due, _ in self.waiting), default=NEVER)

    def release(self, now: Micros) -> None:
        self.messages.extend(one for due, one in self.waiting if due <= now)
        self.waiting = [entry for entry in self.waiting if entry[0] > now]

    def note_read(self, now: Micros) -> None:
        self.reads_noted += 1

    def close(self, linger: Micros | None, now: Micros) -> None:
        self.closings.append(linger)
        if self.finishes_at_once or linger == 0:
            self.finish()

    def finish(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            self.outgoing.append((b"SHUTDOWN", b""))
            self.news.append(Finished())

    def play_time(self, stamp: int, now: Micros) -> Micros:
        return stamp + LATENCY


class FakeWire:
    """Remembers what was sent and in what order it was given back."""

    def __init__(self) -> None:
        self.local_address: Address = ("127.0.0.1", 9000)
        self.capacity = 3640
        self.bursts: list[list[bytes]] = []
        self.sent_at: list[Micros] = []
        self.calls: list[str] = []
        self.sent = threading.Event()
        self.farewell = b""
        self.promised: list[Micros] = []
        self.reminds = False
        self.reminders: list[Micros] = []
        self.looks = 0
        self.patience: Micros = NEVER
        self.company: Micros = NEVER
        self.on_look: Callable[[], None] = lambda: None

    def send(self, datagrams: Sequence[Datagram], path: Path) -> int:
        self.bursts.append([payload or header for header, payload in datagrams])
        self.sent_at.append(monotonic_now())
        self.sent.set()
        return len(datagrams)

    def attend(self, inbox: Inbox, by: Micros) -> None:
        self.promised.append(by)
        inbox.is_attended = True

    def look(self, inbox: Inbox) -> None:
        self.looks += 1
        self.on_look()

    def remind(self, inbox: Inbox, at: Micros) -> bool:
        if self.reminds:
            self.reminders.append(at)
        return self.reminds

    def unregister(self, socket_id: int, farewell: bytes) -> None:
        self.calls.append(f"unregister {socket_id}")
        self.farewell = farewell

    def release(self) -> None:
        self.calls.append("release")

    def abandon(self) -> None:
        self.calls.append("abandon")


class Rig:
    """A session around a fake core and a fake socket."""

    def __init__(self, core: FakeCore | None = None, config: Config | None = None, **changes: object) -> None:
        self.core = core or FakeCore()
        self.wire = FakeWire()
        self.inbox = Inbox()
        self.path = Path(("127.0.0.1", 9001))
        self.down = threading.Event()
        self.session = Session(
            self.core, negotiated(**changes), config or Config(), self.wire, self.path, self.inbox, self.down.set
        )

    def start(self) -> Rig:
        self.session.start()
        return self

    def arrive(self, *batches: Batch) -> None:
        for one in batches:
            self.inbox.put((one, self.path))

    def tell(self, *news: Event) -> None:
        """Have the core report news, as after a packet."""

        def report(now: Micros) -> None:
            self.core.news.extend(news)

        self.session.ask(report)

    def deliver(self, *payloads: bytes) -> None:
        """Have the core deliver messages, as after a packet."""

        def report(now: Micros) -> None:
            self.core.messages.extend(row(payload) for payload in payloads)

        self.session.ask(report)


def sleep_once(sleepers: Sleepers, until_when: Micros = NEVER) -> None:
    """Sleep until woken, or until that instant."""
    instants: list[Micros | None] = [until_when, None]
    sleepers.wait_for(lambda now: instants.pop(0))


def in_thread(work: Callable[[], object]) -> Running:
    return Running(work)


class Running:
    """Something running on a thread of its own."""

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._result: object = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="test-caller", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = self._work()
        except BaseException as error:  # noqa: BLE001 raised again by `result`
            self._error = error

    @property
    def is_done(self) -> bool:
        return not self._thread.is_alive()

    def result(self, timeout: float = PATIENCE) -> object:
        self._thread.join(timeout)
        assert not self._thread.is_alive(), "still waiting"
        if self._error is not None:
            raise self._error
        return self._result


def until(condition: Callable[[], bool], timeout: float = PATIENCE) -> None:
    """Wait for what another thread does and gives no signal of."""
    limit = monotonic_now() + int(timeout * 1e6)
    pause = threading.Event()
    while not condition():
        assert monotonic_now() < limit, "it did not happen"
        pause.wait(0.001)
