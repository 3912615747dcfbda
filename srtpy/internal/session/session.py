"""A connection at work: three threads around one core.

Lives here: putting core, socket and threads together, starting and closing them.
Never here: reading and writing (reading.py, writing.py), what the threads run (loops.py),
the protocol (core).

  thread                 runs             sleeps on
  srt-mux (shared)       the mux          the UDP socket; `tend` for us where there is little to do, or
                                          a file comes, if nobody holds our lock: it never waits for it
  srt-recv-<id>          receive_loop     the inbox
  srt-timer-<id>         timer_loop       sooner; in the end it takes the session down
  callers                read write close readable, writable, changed; a reader that sleeps for a
                                          moment only does the work of the other three as it wakes

Lock   The engine's lock guards the core, the fate, and the order of datagrams on the wire.
Order  one session's lock, never two at once; then nothing.  (The inbox and the mux's routes are
       leaves with no code of ours inside.)  No callback, no join, no wait for others under it.

  who is where when close() comes     what happens                            ends with
  blocked in read                     what has been delivered comes first     ConnClosedError
  blocked in write                    woken                                   ConnClosedError
  receiver thread at the inbox        a sentinel, after the state is set      returns
  timer thread asleep                 woken                                   takes down, returns
  mux still has our route             unregistered before the sentinel        later batches counted as unknown, and
                                                                              a peer that goes on told again
  a second close, from any thread     waits for the first                     returns once closed
  close on one of our two threads     begins; waits for nothing               returns at once
  linger                              the core drains, or its time is up      SHUTDOWN
  peer gone already                   nothing to wait for                     closed at once
  a call interrupted under the lock   broken: the core may be in pieces       SHUTDOWN, but files' peers hear nothing
                                                                              more; ConnectionBrokenError
  a signal's handler that interrupted another thread closes                   returns soon
    our own thread under the lock
  interpreter exits                   no linger                               SHUTDOWN
  child of a fork                     not ours                                ConnClosedError, nothing sent
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from srtpy.config import Config
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import NEVER, SECOND, Micros, from_seconds, wire_time
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.mux.address import Address, Path
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.control import PADDING
from srtpy.internal.packet.header import ControlType, SocketId, pack_control_header
from srtpy.internal.session.blocks import keep_freed_blocks
from srtpy.internal.session.engine import Engine
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.loops import receive_loop, tend, timer_loop
from srtpy.internal.session.neighbours import Core, Wire
from srtpy.internal.session.reading import Reader
from srtpy.internal.session.registry import OPEN
from srtpy.internal.session.serving import Serving
from srtpy.internal.session.streaming import StreamReader, StreamWriter
from srtpy.internal.session.waiting import Deadline
from srtpy.internal.session.writing import Limits, Writer
from srtpy.log import Log, LogCategory

HELD_TOO_LONG: Final[Micros] = SECOND // 2  # ours: our code holds the lock for milliseconds
PART_OF_LATENCY: Final = 12  # ours: so long at most what arrives may be left alone; 10 ms at libsrt's 120
BURST: Final = 7  # ours: eighths of what the kernel holds for us that a peer near by may send at once
LOOK_AGAIN: Final = 0.001  # ours: seconds between looks at a lock that seems to be held too long

T = TypeVar("T")


class Session:
    """One connection at work.  Reading is `reader`'s, writing `writer`'s business.

    Attributes:
        negotiated: what the handshake agreed on.
        linger: how long `close` may wait; None: until the peer has played everything, at most its latency and a second.
    """

    def __init__(
        self,
        core: Core,
        negotiated: Negotiated,
        config: Config,
        wire: Wire,
        path: Path,
        inbox: Inbox,
        on_down: Callable[[], None] | None = None,
    ) -> None:
        """Put it together; nothing runs before `start`.

        Args:
            core: the connection.
            negotiated: what it was made from.
            config: the settings it was made with.
            wire: the socket, acquired for this session and released by it.
            path: the way to the peer.
            inbox: where the socket puts what is for this session's id, registered already.
            on_down: called, without the lock, when threads and socket have been given back.
        """
        self.negotiated = negotiated
        linger = config.effective_linger
        self.linger: Micros | None = None if linger is None else from_seconds(linger)
        self.engine = Engine(core, partial(wire.send, path=path), inbox, wire)
        reader, writer = _ends(self.engine, negotiated, config)
        self.reader: Reader | StreamReader = reader
        self.writer: Writer | StreamWriter = writer
        self.core = core
        core.limit_bursts(wire.capacity * BURST // 8)
        self._wire = wire
        self._path = path
        self._inbox = inbox
        self._on_down = on_down
        self._has_given_back = False
        self._log = Log(config.logger, negotiated.socket_id)
        name = negotiated.socket_id
        self._receiver = threading.Thread(target=self._run_receiver, name=f"srt-recv-{name}", daemon=True)
        self._timer = threading.Thread(target=self._run_timer, name=f"srt-timer-{name}", daemon=True)

    def start(self, early: Sequence[Batch] = ()) -> None:
        """Start the threads; `early` is what arrived before there was a session.

        Raises:
            RuntimeError: the system has no thread left; everything is given back.
        """
        OPEN.add(self)
        self._inbox.is_patient = True  # the timer thread keeps looking
        with self.engine.lock:
            now = monotonic_now()
            self.engine.intake.feed_batches(list(early), now)
            self.engine.turn(now)
        try:
            self._receiver.start()
            self._timer.start()
        except BaseException:  # no thread left, or an interrupt
            self._begin_closing(0)
            if self._timer.ident is None:
                self._take_down()
            raise
        if self.negotiated.tsbpd_receive:
            patience = min(self.negotiated.recv_latency, self.negotiated.peer_latency) // PART_OF_LATENCY
            self._inbox.patience = patience
        else:
            self._inbox.is_tended_always = True  # what a file brings is worth no second thread, and it brings much
        self._inbox.tend = partial(tend, self.engine)

    # ---- asking

    def ask(self, question: Callable[[Micros], T]) -> T:
        """Run something short that touches the core, under the lock; then see to what came of it."""
        with self.engine.lock:
            now = monotonic_now()
            self.engine.hand_over(now)
            answer = question(now)
            self.engine.turn(now)
        return answer

    @property
    def state(self) -> ConnState:
        """Where the connection stands."""
        return self.engine.fate.state

    @property
    def socket_id(self) -> SocketId:
        """Our id."""
        return self.negotiated.socket_id

    @property
    def local_address(self) -> Address:
        """Our address, as the peer sees it where the socket is bound to all of them."""
        bound = self._wire.local_address
        return (self._path.local_host, bound[1]) if self._path.local_host else bound

    @property
    def remote_address(self) -> Address:
        """The peer's address."""
        return self._path.remote

    def set_read_deadline(self, deadline: Deadline) -> None:
        """Set how long reads may take; one that waits now is told."""
        with self.engine.lock:
            self.reader.deadline = deadline
            self.engine.readable.wake_all()

    def set_write_deadline(self, deadline: Deadline) -> None:
        """Set how long writes may take; one that waits now is told."""
        with self.engine.lock:
            self.writer.deadline = deadline
            self.engine.writable.wake_all()

    # ---- closing

    def close(self) -> None:
        """Close and wait until it is done: linger, threads, socket.  Any thread may, and as often as it likes."""
        if self._has_interrupted_itself():
            threading.Thread(target=self.close, name=f"srt-close-{self.socket_id}", daemon=True).start()
            return
        self._begin_closing(self.linger)
        if threading.current_thread() in (self._receiver, self._timer):
            return
        if self._timer.ident is None:
            if not self.engine.fate.is_down:
                self._take_down()  # nothing ever ran
            return
        self.engine.changed.wait_for(lambda now: None if self.engine.fate.is_down else NEVER)
        self._timer.join()

    def _has_interrupted_itself(self) -> bool:
        """Whether we are in a signal's handler, and what it interrupted holds the lock: waiting would be for ever."""
        if threading.current_thread() is not threading.main_thread():
            return False
        limit = monotonic_now() + HELD_TOO_LONG
        while self.engine.lock.locked():
            if monotonic_now() >= limit:
                return True
            time.sleep(LOOK_AGAIN)
        return False

    def shut_down(self) -> None:
        """Close without linger and do not wait: SHUTDOWN has left when this returns."""
        self._begin_closing(0)

    def abandon(self) -> None:
        """Be closed, in a child process: the threads and the connection are the parent's."""
        self.engine.abandon()
        self._wire.abandon()

    def _begin_closing(self, linger: Micros | None) -> None:
        engine, fate = self.engine, self.engine.fate
        with engine.lock:
            if fate.is_finished:
                fate.closing()
                engine.wake_everyone()  # again, if whoever did so was interrupted
                return
            now = monotonic_now()
            if engine.gathering.waiting:  # whoever does not wait for more says it before the end
                engine.gathering.until = now
                engine.flush(now)
            is_peer_gone = fate.is_ending and not fate.is_closing
            engine.flush_by = now  # the timer thread goes on with it if we are interrupted
            try:
                self.core.close(0 if is_peer_gone or fate.has_peer_failed else linger, now)
                fate.closing()
                engine.turn(now)
                if is_peer_gone or self.core.is_closed:
                    fate.finished()
            finally:
                engine.wake_everyone()

    # ---- the threads

    def _run_receiver(self) -> None:
        try:
            receive_loop(self.engine)
        except Exception as error:  # noqa: BLE001 logged, and told to whoever waits
            self._give_up(error)

    def _run_timer(self) -> None:
        try:
            timer_loop(self.engine, partial(self._log.warning, LogCategory.CONN))
        except Exception as error:  # noqa: BLE001 logged, and told to whoever waits
            self._give_up(error)
        finally:
            self._take_down()

    def _give_up(self, error: Exception) -> None:
        """Break the connection: a thread of ours cannot go on, and nobody must wait for it."""
        with self.engine.lock:
            self.engine.fate.broke(f"internal error: {error!r}")
            self.engine.fate.finished()
            self.engine.wake_everyone()
        self._log.error(LogCategory.CONN, f"internal error, the connection is broken: {error!r}")

    def _farewell(self) -> bytes:
        """Return a SHUTDOWN, for a peer that has missed ours; nothing if it might take it for the end of a file."""
        if not self.negotiated.tsbpd_send and not self.core.is_closed:
            return b""
        stamp = wire_time(monotonic_now(), self.negotiated.start)
        return pack_control_header(ControlType.SHUTDOWN, 0, stamp, self.negotiated.peer_socket_id) + PADDING

    def _take_down(self) -> None:
        """Give back the socket and the receiver, once; in this order nothing can arrive at what is gone."""
        with self.engine.lock:
            if self._has_given_back:
                return
            self._has_given_back = True
        try:
            farewell = self._farewell()
            if farewell and not self.core.is_closed:  # it broke in the middle of something, and has said nothing
                self._wire.send([(farewell, b"")], self._path)
            self._inbox.tend = None
            self._wire.unregister(self.negotiated.socket_id, farewell)
            self._inbox.put(None)
            if self._receiver.ident is not None:
                self._receiver.join()
            self._wire.release()
            if self._on_down is not None:
                self._on_down()
        finally:
            OPEN.discard(self)
            with self.engine.lock:
                self.engine.fate.down()
                self.engine.wake_everyone()


def _ends(
    engine: Engine, negotiated: Negotiated, config: Config
) -> tuple[Reader, Writer] | tuple[StreamReader, StreamWriter]:
    """Return what reads and writes: messages, of one packet each or of many, or a stream of bytes."""
    if negotiated.tsbpd_receive:
        limits = Limits(payload_size=negotiated.payload_size)
        return Reader(engine), Writer(engine, limits, negotiated.peer_latency if negotiated.tsbpd_send else 0)
    limits = Limits(
        payload_size=negotiated.payload_size,
        send_buffer=config.send_buf_size,
        peer_buffer=negotiated.flow_window - 1,  # libsrt buffer_rcv.cpp capacity(): one fewer than it advertises
    )
    keep_freed_blocks()
    reader = Reader(engine, tells_at_once=True)
    writer = Writer(engine, limits, serving=Serving(engine, gathers=not negotiated.message_api))
    if negotiated.message_api:
        return reader, writer
    return StreamReader(engine, reader), StreamWriter(engine, writer, negotiated.payload_size)
