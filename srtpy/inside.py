"""A connection's inside as the door sees it: the session, its settings, how it stands.

Lives here: `PollFlag`; readings of counts and gauges, applying settings to a
running connection, control packets on the application's behalf.
Never here: reading and writing (conn.py calls the session), what an option is (options.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import fields
from enum import IntFlag
from typing import Any, Final, Protocol, TypeVar, cast

from srtpy.config import Config
from srtpy.internal.clock.units import Micros, from_seconds, to_seconds
from srtpy.internal.session.fate import ConnState
from srtpy.internal.session.session import Session
from srtpy.stats import Reading
from srtpy.timeouts import Timeouts

T = TypeVar("T")


class PollFlag(IntFlag):
    """What a connection is ready for."""

    IN = 1
    OUT = 4
    ERR = 8


class Core(Protocol):
    """What the door asks of the connection's core; each needs the session's lock."""

    counters: Any  # a slotted object of counts
    gauges: Callable[[Micros], Any]
    keys: Any  # its `counts()` go with the counters'

    sender: Any  # has a `set_...` for each setting that can change
    losses: Any

    def send_peer_error(self, code: int, now: Micros) -> None:
        """Tell the peer of a failure of ours."""

    def send_keepalive(self, now: Micros) -> None:
        """Say that we are there."""


_CHANGEABLE: Final[dict[str, Callable[[Core, Config], None]]] = {
    "max_bw": lambda core, config: core.sender.set_max_bw(config.max_bw),
    "input_bw": lambda core, config: core.sender.set_input_bw(config.input_bw),
    "min_input_bw": lambda core, config: core.sender.set_min_input_bw(config.min_input_bw),
    "overhead_bw": lambda core, config: core.sender.set_overhead_bw(config.overhead_bw),
    "snd_drop_delay": lambda core, config: core.sender.set_snd_drop_delay(from_seconds(config.snd_drop_delay)),
    "loss_max_ttl": lambda core, config: core.losses.set_largest_tolerance(config.loss_max_ttl),
}
"""How a running connection takes what can change."""


class Inside:
    """One connection's session and settings.

    Attributes:
        session: the connection at work.
        config: its own copy of the settings; options that are settings live here.
        timeouts: how long its calls may take.
    """

    __slots__ = ("_core", "_start_time", "config", "session", "timeouts")

    def __init__(self, session: Session, config: Config, timeouts: Timeouts) -> None:
        self.session = session
        self.config = config
        self.timeouts = timeouts
        self._core = cast(Core, session.engine.core)
        age = self.ask(lambda now: to_seconds(now - session.negotiated.start))
        self._start_time = time.time() - age

    def ask(self, question: Callable[[Micros], T]) -> T:
        """Run something short under the session's lock."""
        return self.session.ask(question)

    @property
    def state(self) -> ConnState:
        """Where the connection stands."""
        return self.session.state

    @property
    def negotiated(self) -> object:
        """What the handshake agreed on."""
        return self.session.negotiated

    def reading(self) -> Reading:
        """Take a reading of counts and gauges, at one moment."""
        counts, gauges = self.ask(self._figures)
        negotiated = self.session.negotiated
        return Reading(counts, gauges, negotiated.socket_id, self._start_time, negotiated.flow_window)

    def _figures(self, now: Micros) -> tuple[dict[str, float], dict[str, float]]:
        counters, gauges = self._core.counters, self._core.gauges(now)
        counts = {name: getattr(counters, name) for name in counters.__slots__} | self._core.keys.counts()
        return counts, {one.name: getattr(gauges, one.name) for one in fields(gauges)}

    def events(self) -> PollFlag:
        """Say what the connection is ready for."""
        session = self.session
        is_readable, is_writable = self.ask(lambda now: (session.reader.is_ready, session.writer.is_ready))
        flags = PollFlag(0)
        if is_readable:
            flags |= PollFlag.IN
        if is_writable:
            flags |= PollFlag.OUT
        return flags | PollFlag.ERR if self.state >= ConnState.BROKEN else flags

    def apply(self, name: str) -> None:
        """Have the running connection take one setting from `config` again."""
        linger = self.config.effective_linger
        self.session.linger = None if linger is None else from_seconds(linger)
        if name in _CHANGEABLE:
            self.ask(lambda now: _CHANGEABLE[name](self._core, self.config))

    def send_peer_error(self, code: int) -> None:
        """Tell the peer of a failure of ours."""
        self.ask(lambda now: self._core.send_peer_error(code, now))

    def send_keepalive(self) -> None:
        """Say that we are there."""
        self.ask(self._core.send_keepalive)
