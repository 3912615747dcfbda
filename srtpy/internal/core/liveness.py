"""Whether the two ends still hear each other, and how a connection ends.

Lives here: the keepalive, the patience with a silent peer or a peer that sends no data,
the closing of our side: what it waits for, for how long, the SHUTDOWN.
Never here: when anything was last sent (outbox.py), what is still unacknowledged (sender.py).
Draft: 3.2.3 "Keep-Alive", 3.2.7 "Shutdown", 4.9 (latency until what was sent is played).
"""

from __future__ import annotations

from typing import Final

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros, from_seconds
from srtpy.internal.core.events import Broken, Event, Finished
from srtpy.internal.core.outbox import Outbox
from srtpy.internal.handshake.negotiation import Negotiated
from srtpy.internal.packet.control import PADDING
from srtpy.internal.packet.header import ControlType

KEEPALIVE_PERIOD: Final[Micros] = SECOND  # draft 3.2.3 "Keep-Alive"; libsrt core.h COMM_KEEPALIVE_PERIOD_US
UNHEARD_KEEPALIVES: Final = 3  # ours: a caller that never speaks again (spoofed?) gets no more than this
SHORTEST_PATIENCE: Final[Micros] = 2 * SECOND  # ours: an idle peer speaks once a second, and may be late or lost once
CLOSING_ALLOWANCE: Final[Micros] = SECOND  # ours: closing waits for the latency and this long at most
# ours: libsrt says it once; nothing confirms it, and a peer that misses it waits for its idle timeout (5 s)
SHUTDOWN_COPIES: Final = 3  # ours: see above; libsrt and we ignore all but the first
LATE: Final[Micros] = 50 * MILLISECOND  # ours: who is woken so late is on a machine that stands still now and then
PLAYED_MARGIN: Final[Micros] = 100 * MILLISECOND  # ours: a busy peer plays late, and stops at SHUTDOWN


class Liveness:
    """Hears, speaks when there is nothing else to say, and knows when it is over.

    Attributes:
        is_closing: our side is closing; nothing more may be written.
        is_over: the connection has ended, by either side or by silence.
        peer_closed: the peer's SHUTDOWN came.
    """

    __slots__ = (
        "_close_at",
        "_config_data_idle",
        "_data_at",
        "_events",
        "_heard_at",
        "_idle_limit",
        "_keepalives_left",
        "_look_at",
        "_margin",
        "_outbox",
        "_peer_latency",
        "_played_at",
        "is_closing",
        "is_over",
        "peer_closed",
    )

    def __init__(
        self, negotiated: Negotiated, config: Config, outbox: Outbox, events: list[Event], now: Micros
    ) -> None:
        self._outbox = outbox
        self._events = events
        self._idle_limit = max(from_seconds(config.peer_idle_timeout), SHORTEST_PATIENCE)
        self._config_data_idle = NEVER if config.data_idle_timeout is None else from_seconds(config.data_idle_timeout)
        self._peer_latency = negotiated.peer_latency if negotiated.tsbpd_send else 0
        self._margin = PLAYED_MARGIN if negotiated.tsbpd_send else 0  # without a time, what has arrived can be read
        self._heard_at = self._data_at = now
        self._played_at: Micros = 0
        self._close_at = self._look_at = NEVER
        self._keepalives_left = NEVER if negotiated.initiator else UNHEARD_KEEPALIVES
        self.is_closing = self.is_over = self.peer_closed = False

    def heard(self, now: Micros) -> None:
        """Note that something came from the peer."""
        self._heard_at = now
        self._keepalives_left = NEVER

    def heard_data(self, now: Micros) -> None:
        """Note that data came from the peer."""
        self._data_at = now

    def wrote(self, now: Micros) -> None:
        """Note that the application has written; the peer plays it a latency later."""
        self._data_at = now
        self._played_at = now + self._peer_latency + self._margin

    def peer_shut_down(self) -> bool:
        """Note the peer's SHUTDOWN; say whether it is the first."""
        is_first = not self.peer_closed
        self.peer_closed = self.is_over = True
        return is_first

    def close(self, linger: Micros | None, now: Micros) -> None:
        """Begin to close: SHUTDOWN leaves when what was sent is safe, after `linger` at the latest.

        `None` waits until the peer has acknowledged and played everything, for the latency
        and a second at most.  A second call can only shorten the wait.
        """
        self.is_closing = True
        patience = self._peer_latency + CLOSING_ALLOWANCE if linger is None else linger
        self._close_at = min(self._close_at, now + patience)
        self._look_at = now

    def finish_if_safe(self, unacknowledged: int, now: Micros) -> None:
        """End a closing connection whose peer has everything, or whose time is up."""
        if not self.is_closing or self.is_over:
            return
        if now >= self._look_at + LATE:
            # what stands still may be the peer's machine too: it has not played while we did not look
            self._played_at = max(self._played_at, now + self._margin)
        # past this moment only an ACK, or the end of our patience, can change the answer
        self._look_at = self._played_at if now < self._played_at else NEVER
        if now >= self._close_at or (not unacknowledged and now >= self._played_at):
            for _ in range(SHUTDOWN_COPIES):
                self._outbox.control(ControlType.SHUTDOWN, 0, PADDING, now)
            self._events.append(Finished())
            self.is_over = True

    def give_up(self, reason: str, now: Micros) -> None:
        """Break the connection, saying why; the peer, that may hear us though we do not hear it, is told to stop."""
        if not self.is_over:
            self.is_over = True
            self._outbox.control(ControlType.SHUTDOWN, 0, PADDING, now)
            self._events.append(Broken(reason))

    @property
    def deadline(self) -> Micros:
        """When there is something to do next."""
        if self.is_over:
            return NEVER
        ends = self._heard_at + self._idle_limit  # asked for several times a batch: comparing is cheaper than min()
        silent = self._data_at + self._config_data_idle
        if silent < ends:
            ends = silent
        if self.is_closing:
            ends = min(ends, self._close_at, self._look_at)
        if self._keepalives_left:
            speak = self._outbox.last_said + KEEPALIVE_PERIOD
            if speak < ends:
                ends = speak
        return ends

    def on_deadline(self, now: Micros) -> None:
        """Break on silence, or say that we are there."""
        if self.is_over:
            return
        silence, limit = now - self._heard_at, self._idle_limit
        if silence >= limit:
            self.give_up(
                f"the peer has been silent for {silence / SECOND:.1f} s (peer_idle_timeout {limit / SECOND:g} s)", now
            )
        elif now - self._data_at >= self._config_data_idle:
            self.give_up(f"no data for {(now - self._data_at) / SECOND:.1f} s (data_idle_timeout)", now)
        elif now - self._outbox.last_said >= KEEPALIVE_PERIOD and self._keepalives_left:
            self._keepalives_left -= 1
            self._outbox.control(ControlType.KEEPALIVE, 0, PADDING, now)
