"""Listening: from handshakes to sessions that wait to be accepted.

Lives here: the listener's thread, who may come in and when it is told so, the listener's end.
Never here: what a handshake says and what is answered (handshake.listener), running accept
callbacks (judging.py), waiting for sessions (backlog.py), the session (session.py).

  thread                 runs           sleeps on
  srt-listen-<port>      _listen_loop   the inbox; runs no code of the application's
  srt-accept-<port>      a callback     whatever the callback does
  srt-keys-<port>        a derivation   nothing; one at a time, and it rests after a failure
  callers                accept         the backlog

Lock   _lock guards the answerer, the requests being judged and the end; never a session's meanwhile.
Order  _lock, then the mux's table, a leaf.

A session is registered and running before its answer leaves: the caller's first packet may
come a few microseconds later.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Final

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.clock.monotonic import now as monotonic_now
from srtpy.internal.clock.units import SECOND, Micros
from srtpy.internal.core.agreeing import answer, fitted, needs_derivation
from srtpy.internal.core.connection import Connection
from srtpy.internal.crypto.exchange import Answer
from srtpy.internal.handshake.answers import LARGEST_WAITING, Key
from srtpy.internal.handshake.cookie import CookieJar
from srtpy.internal.handshake.listener import Answerer, Reply, Request
from srtpy.internal.handshake.negotiation import Refusal, judge_entry
from srtpy.internal.mux.address import Address, Path, shown
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.mux import Mux
from srtpy.internal.mux.opening import open_listening
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import SocketId
from srtpy.internal.session.backlog import Backlog
from srtpy.internal.session.dialing import new_socket_id
from srtpy.internal.session.judging import Applicant, Judge, Judges
from srtpy.internal.session.registry import OPEN
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import FOREVER, Deadline
from srtpy.log import Log, LogCategory

REST: Final = 3  # ours: a wrong passphrase costs a quarter of a core at most, however many try it at once
SECRET_SIZE: Final = 32  # ours: as long as what it keys (SHA-256)


def listen(address: str | Sequence[object], config: Config, backlog: int, judge: Judge | None = None) -> Accepting:
    """Return a listener at work.

    Args:
        address: where to listen.
        config: settings of every connection accepted.
        backlog: how many connections may wait to be accepted.
        judge: decides who may come in; None: everybody.

    Raises:
        ValueError: not an address.
        OSError: the name is not known, or the address cannot be bound.
    """
    accepting = Accepting(open_listening(address, config), config, backlog, judge)
    try:
        accepting.start()
    except BaseException:
        accepting.close()
        raise
    return accepting


class Accepting:
    """A listener at work.

    Attributes:
        judge: decides who may come in; may be replaced at any time.
    """

    def __init__(self, mux: Mux, config: Config, backlog: int, judge: Judge | None = None) -> None:
        """Put it together; nothing is heard before `start`.

        Args:
            mux: the socket, not yet started, which this listener is the first user of.
            config: settings of every connection accepted.
            backlog: how many connections may wait to be accepted.
            judge: decides who may come in; None: everybody.
        """
        self.judge = judge
        self._mux = mux
        self._config = config
        self._log = Log(config.logger)
        self._lock = threading.Lock()
        self._answerer = Answerer(
            config, CookieJar(secrets.token_bytes(SECRET_SIZE), secrets.token_bytes), monotonic_now()
        )
        self._judged: dict[Key, tuple[Request, Path]] = {}
        self._is_closed = False
        self._closer = 0
        self._is_down = threading.Event()
        self._backlog = Backlog(max(backlog, 1))
        self._inbox: Inbox = Inbox()
        port = mux.local_address[1]
        self._judges = Judges(f"srt-accept-{port}")
        self._derivers = Judges(f"srt-keys-{port}", most=1)
        self._thread = threading.Thread(target=self._listen_loop, name=f"srt-listen-{port}", daemon=True)

    def start(self) -> None:
        """Begin to listen."""
        self._mux.listen(self._inbox)
        if self._mux.warning:
            self._log.warning(LogCategory.MUX, self._mux.warning)
        OPEN.add(self)
        self._thread.start()
        self._mux.start()

    @property
    def local_address(self) -> Address:
        """Where it listens."""
        return self._mux.local_address

    @property
    def is_closed(self) -> bool:
        """Whether it has been closed."""
        return self._is_closed

    def accept(self, deadline: Deadline = FOREVER) -> Session:
        """Wait for a connection.

        Raises:
            ListenerClosedError: the listener is closed.
            DeadlineError, WouldBlockError: nobody came in time.
        """
        return self._backlog.take(deadline)

    # ---- closing

    def close(self) -> None:
        """Stop listening; what has been accepted lives on, what waits to be accepted is closed.  Idempotent."""
        with self._lock:
            is_first = not self._is_closed
            self._is_closed = True
            if is_first:
                self._closer = threading.get_ident()
        if is_first:
            self._end()
        elif self._closer != threading.get_ident():  # a signal's handler does not wait for what it interrupted
            self._is_down.wait()

    def _end(self) -> None:
        """Turn away who is not accepted and give everything back, even if we are interrupted meanwhile."""
        unaccepted = self._backlog.close()
        try:
            for session in unaccepted:
                session.shut_down()
            self._mux.unlisten()
            self._inbox.put(None)
            if self._thread.ident is not None:
                self._thread.join()
            with self._lock:
                for request, path in self._judged.values():
                    self._mux.send(self._answerer.reject(request, RejectReason.CLOSE, monotonic_now()), path)
                self._judged.clear()
            for session in unaccepted:
                session.close()
        finally:
            self._mux.release()
            OPEN.discard(self)
            self._is_down.set()

    def shut_down(self) -> None:
        """Let nobody in any more, when the interpreter ends; sessions see to themselves."""
        with self._lock:
            self._is_closed = True

    def abandon(self) -> None:
        """Be closed, in a child process: the threads and the callers are the parent's."""
        self._lock = threading.Lock()
        self._backlog.abandon()
        self._is_closed = True
        self._is_down.set()
        self._mux.abandon()

    # ---- hearing

    def _listen_loop(self) -> None:
        while True:
            item = self._inbox.get()
            if item is None:
                return
            batch, path = item
            for piece in batch.pieces():
                with self._one_callers_trouble():
                    self._hear(piece, path)

    def _hear(self, piece: Batch, path: Path) -> None:
        with self._lock:
            if self._is_closed:
                return
            heard = self._answerer.answer(piece, path.remote, path.source, piece.arrived or monotonic_now())
            if isinstance(heard, Request):
                if heard.key in self._judged:
                    return  # the application still thinks about what the answerer has long forgotten
                displaced = None if heard.displaced is None else self._judged.get(heard.displaced)
                is_crowded = len(self._judged) - bool(displaced) >= LARGEST_WAITING
                self._judged[heard.key] = heard, path
        if isinstance(heard, Reply):
            self._mux.send(heard.datagrams, path)
        elif isinstance(heard, Request):
            with self._one_callers_trouble(heard.key):
                if displaced is not None:
                    self._refuse(*displaced, RejectReason.BACKLOG)
                self._consider(heard, path, is_crowded)
        elif self._log.is_debugging:
            self._log.debug(LogCategory.HANDSHAKE, f"ignored a packet from {path.remote}: {heard.text}")

    def _consider(self, request: Request, path: Path, is_crowded: bool) -> None:
        """See to a caller that may come in if there is room and the application agrees."""
        judge = self.judge
        if is_crowded or self._backlog.is_full:
            self._refuse(request, path, RejectReason.BACKLOG)
        elif judge is None:
            self._admit(request, path, self._config)
        else:
            self._submit(self._judges, partial(self._ask, judge), request, path)

    def _submit(self, pool: Judges, work: Callable[[Request, Path], None], request: Request, path: Path) -> None:
        try:
            pool.submit(partial(work, request, path), path.remote[0])
        except RuntimeError:
            self._refuse(request, path, RejectReason.RESOURCE)

    def _ask(self, judge: Judge, request: Request, path: Path) -> None:
        """Ask the application and act.  Runs on one of the judges' threads."""
        if request.key not in self._judged:
            return  # told no meanwhile
        applicant = Applicant(request, self._config)
        reason = judge(applicant, self._log)
        with self._one_callers_trouble(request.key):
            if reason is not None:
                self._refuse(request, path, reason)
            elif not self._has_left(request, path):
                self._admit(request, path, applicant.config)

    def _has_left(self, request: Request, path: Path) -> bool:
        """Whether the caller has given up while it was judged: a session would be for nobody, and seem to work."""
        now = monotonic_now()
        with self._lock:
            if request.key not in self._judged or not self._answerer.abandon(request, now):
                return False
            del self._judged[request.key]
        waited = (now - request.arrived) / SECOND
        text = f"gave up before it was let in after {waited:.1f} s: a slow callback, or too many callers"
        self._tell(self._log.warning, f"{shown(path.remote)} {text}", now)
        return True

    # ---- keys

    def _admit(self, request: Request, path: Path, config: Config) -> None:
        """Let in whom the application has nothing against, once keys are agreed on; that may take another thread."""
        objection = judge_entry(config, request.handshake, request.offer)
        if objection is not None:
            self._refuse(request, path, RejectReason(objection.reason), objection.text)
        elif needs_derivation(config, request.offer):
            self._submit(self._derivers, partial(self._derive, config), request, path)
        else:
            self._agree(request, path, config)

    def _derive(self, config: Config, request: Request, path: Path) -> None:
        """Agree on keys with a caller that has offered one.  Runs on the thread for that."""
        if request.key not in self._judged:
            return  # told no meanwhile
        began = monotonic_now()
        is_let_in = False
        with self._one_callers_trouble(request.key):
            is_let_in = self._has_left(request, path) or self._agree(request, path, config)
        if not is_let_in:
            time.sleep(REST * max(monotonic_now() - began, 0) / SECOND)

    def _agree(self, request: Request, path: Path, config: Config) -> bool:
        """Let in a caller if keys can be agreed on; say whether they can."""
        agreement = answer(config, request.offer, secrets.token_bytes)
        if isinstance(agreement, Refusal):
            self._refuse(request, path, RejectReason(agreement.reason), agreement.text)
            return False
        with self._lock:
            is_replayed = bool(keys := agreement.keying.identity) and self._answerer.is_replayed(keys)
        if is_replayed:
            self._refuse(request, path, RejectReason.BAD_SECRET, "keys of another connection, recorded and sent again")
            return False
        self._let_in(request, path, config, agreement)
        return True

    @contextmanager
    def _one_callers_trouble(self, key: Key | None = None) -> Iterator[None]:
        """Keep an error of ours to the caller it befell: the thread goes on for the others."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 logged; the caller will ask again or give up
            if key is not None:
                with self._lock:
                    self._judged.pop(key, None)
            self._log.error(LogCategory.HANDSHAKE, f"internal error, a handshake was dropped: {error!r}")

    # ---- letting in, or not

    def _refuse(self, request: Request, path: Path, reason: RejectReason, text: str = "") -> None:
        """Tell a caller no, unless the listener's end has done so."""
        now = monotonic_now()
        with self._lock:
            is_news = self._judged.pop(request.key, None) is not None
            if is_news:
                self._mux.send(self._answerer.reject(request, reason, now), path)
        told = f"refused {shown(path.remote)}: {reason.name} ({reason.value})" + (f", {text}" if text else "")
        self._tell(self._log.note if is_news else None, told, now)

    def _tell(self, say: Callable[[LogCategory, str], None] | None, text: str, now: Micros) -> None:
        """Say something about a caller, a line a second at most; the rest, and what is no news, is for developers."""
        if say is not None and self._answerer.complaints.take(now):
            say(LogCategory.HANDSHAKE, text)
        elif self._log.is_debugging:
            self._log.debug(LogCategory.HANDSHAKE, text)

    def _let_in(self, request: Request, path: Path, config: Config, keys: Answer) -> None:
        """Make a session of a request and tell the caller, if there is still a place for it."""
        if not self._backlog.reserve():
            self._refuse(request, path, RejectReason.BACKLOG)
            return
        session = None
        try:
            session = self._make_session(request, path, config, keys)
        finally:
            if session is None:
                self._backlog.give_up()
        if session is not None and not self._backlog.fill(session):
            session.shut_down()
            session.close()

    def _make_session(self, request: Request, path: Path, config: Config, keys: Answer) -> Session | None:
        """Return a session at work whose caller has been told yes; None if it was told no."""
        inbox: Inbox = Inbox()
        now = monotonic_now()
        with self._lock:
            if request.key not in self._judged:
                return None  # the listener's end has told it no
            socket_id = self._register(inbox, path)
            agreed = self._answerer.accept(request, socket_id, now, config, keys.body)
            if isinstance(agreed, Refusal):
                self._mux.unregister(socket_id)
            else:
                del self._judged[request.key]
                self._mux.acquire()
        if isinstance(agreed, Refusal):
            self._refuse(request, path, RejectReason(agreed.reason))
            return None
        agreed = fitted(agreed, keys.keying)
        core = Connection(agreed, config, now, keying=keys.keying, entropy=secrets.token_bytes)
        session = Session(core, agreed, config, self._mux, path, inbox, partial(self._ended, request.key))
        session.start()
        self._mux.send([(agreed.reply, b"")], path)
        return session

    def _register(self, inbox: Inbox, path: Path) -> SocketId:
        """Return an id that is free, whose packets go to `inbox` from now on."""
        while True:
            socket_id = new_socket_id()
            if self._mux.register(socket_id, inbox, path.remote):
                return socket_id

    def _ended(self, key: Key) -> None:
        """Note that a connection is over: a belated repeat of its request must not open another."""
        with self._lock:
            self._answerer.ended(key, monotonic_now())
