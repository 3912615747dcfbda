"""What a listener has answered to whom, and how fast it may answer.

Lives here: the book of requests waiting for the application and of answers given, both
bounded; the allowance for answers to strangers.
Never here: what the answers are (listener.py).
Draft: 4.3.1.2 "The Conclusion Phase" (a repeated conclusion gets the response again).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Final, TypeAlias

from srtpy.errors import RejectReason
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.packet.header import SocketId
from srtpy.internal.seq.number import SequenceNumber

Key: TypeAlias = tuple[Hashable, SocketId, SequenceNumber]
"""Who asks: the address, the caller's socket id and its initial sequence number."""

LARGEST_WAITING: Final = 1024  # ours: requests the application is judging; each holds about a kilobyte
LARGEST_WAITING_PER_HOST: Final = 256  # ours: a quarter, so that one host cannot fill the book
FAIR_DIFFERENCE: Final = 2  # ours: a host that has so many more gives one up, and still has as many as the other
LARGEST_USED: Final = 16_384  # ours: keys that connections have begun with, about 200 bytes each; the oldest go first
LARGEST_ANSWERED: Final = 8192  # ours: answers kept for repeats, about 300 bytes each; the oldest go first
WAITING_LIFETIME: Final[Micros] = 60 * SECOND  # ours: no caller waits so long; guards against a lost verdict
# ours: libsrt and we repeat the conclusion each 250 ms; of six in a row one gets through
REPEATS_MISSING: Final[Micros] = 1_500 * MILLISECOND  # ours: see above
NEVER_REPEATED: Final[Micros] = 3 * SECOND  # libsrt socketconfig.h DEF_CONNTIMEO_S: a caller's patience, unless told
ANSWER_LIFETIME: Final[Micros] = 10 * SECOND  # ours: as the Go library; longer than a caller's patience
# ours: a connection's answer outlives it by more than a cookie lives, or a replayed request would open it again
ENDED_LIFETIME: Final[Micros] = 130 * SECOND  # ours: see above
SWEEP_INTERVAL: Final[Micros] = SECOND  # ours: expired entries are looked for so often

Told: TypeAlias = tuple[bytes, Micros]
"""An answer as it was first sent, and the timestamp zero of the clock on it."""

SILENCE: Final[Told] = (b"", 0)
"""The answer to a repeat of what is being judged, or of what has ended."""


class Waiting:
    """A request that is being judged.

    Attributes:
        until: when it is forgotten, verdict or not.
        heard_at: when it came last.
        patience: how long its caller may be silent before it counts as gone.
    """

    __slots__ = ("heard_at", "patience", "until")

    def __init__(self, now: Micros) -> None:
        self.until = now + WAITING_LIFETIME
        self.heard_at = now
        self.patience = NEVER_REPEATED

    def repeated(self, now: Micros) -> None:
        """Note that it came again."""
        self.heard_at = now
        self.patience = REPEATS_MISSING


class AnswerBook:
    """Requests being judged and answers given, found by who asked.

    Attributes:
        abandoned: how many requests' callers had given up before there was a verdict.
    """

    __slots__ = ("_answered", "_hosts", "_sweep_at", "_used", "_waiting", "abandoned")

    def __init__(self, now: Micros) -> None:
        self.abandoned = 0
        self._waiting: dict[Key, Waiting] = {}
        self._hosts: Counter[Hashable] = Counter()
        self._answered: dict[Key, tuple[Told, Micros]] = {}
        self._used: dict[bytes, None] = {}
        self._sweep_at = now + SWEEP_INTERVAL

    def __len__(self) -> int:
        return len(self._waiting) + len(self._answered)

    @property
    def waiting(self) -> int:
        """How many requests are being judged."""
        return len(self._waiting)

    def find(self, key: Key, now: Micros) -> Told | None:
        """Return what to repeat, or SILENCE; None for who is not in the book."""
        if now >= self._sweep_at:
            self._sweep(now)
        waiting = self._waiting.get(key)
        if waiting is not None:
            waiting.repeated(now)
            return SILENCE
        told, until = self._answered.get(key, (SILENCE, now))
        return told if until > now else None

    def wait(self, key: Key, now: Micros) -> RejectReason | Key | None:
        """Note that `key` is being judged; return why there is no room for it, whose room it has taken, or None.

        A full book takes in who has few requests in it, in the place of who has many: a few hosts that
        flood us keep nobody else out.
        """
        host = _host(key)
        own = self._hosts.get(host, 0)
        if own >= LARGEST_WAITING_PER_HOST:
            return RejectReason.X_OVERLOADED
        displaced = None
        if len(self._waiting) >= LARGEST_WAITING:
            busiest = max(self._hosts, key=self._hosts.__getitem__)
            if self._hosts[busiest] < own + FAIR_DIFFERENCE:
                return RejectReason.BACKLOG
            displaced = next(one for one in reversed(self._waiting) if _host(one) == busiest)
            self._leave(displaced)
        self._waiting[key] = Waiting(now)
        self._hosts[host] = own + 1
        return displaced

    def is_used(self, keys: bytes) -> bool:
        """Say whether a connection has begun with these keys before; from now on one has.

        Every caller makes its own, so keys that come again have been recorded and are sent again.
        """
        if keys in self._used:
            return True
        self._used[keys] = None
        if len(self._used) > LARGEST_USED:
            del self._used[next(iter(self._used))]
        return False

    def abandon(self, key: Key, now: Micros) -> bool:
        """Forget a request whose caller must have given up by now; say whether it must."""
        waiting = self._waiting.get(key)
        if waiting is not None and now - waiting.heard_at <= waiting.patience:
            return False
        self._leave(key)
        self.abandoned += 1
        return True

    def accepted(self, key: Key, told: Told) -> None:
        """Note the answer to an accepted request; it is repeated until `ended`."""
        self._settle(key, told, NEVER)

    def refused(self, key: Key, told: Told, now: Micros) -> None:
        """Note the answer to a refused request."""
        self._settle(key, told, now + ANSWER_LIFETIME)

    def ended(self, key: Key, now: Micros) -> None:
        """Note that the connection of `key` is over: its request, should it come again, gets no answer."""
        if key in self._answered:
            self._settle(key, SILENCE, now + ENDED_LIFETIME)

    def _settle(self, key: Key, told: Told, until: Micros) -> None:
        self._leave(key)
        self._answered.pop(key, None)
        self._answered[key] = (told, until)
        if len(self._answered) > LARGEST_ANSWERED:
            del self._answered[next(iter(self._answered))]

    def _leave(self, key: Key) -> None:
        if self._waiting.pop(key, None) is None:
            return
        host = _host(key)
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]

    def _sweep(self, now: Micros) -> None:
        self._sweep_at = now + SWEEP_INTERVAL
        for key in [key for key, waiting in self._waiting.items() if waiting.until <= now]:
            self._leave(key)
        for key in [key for key, (_, until) in self._answered.items() if until <= now]:
            del self._answered[key]


def _host(key: Key) -> Hashable:
    """Return the part of an address that its owner cannot choose freely."""
    remote = key[0]
    return remote[0] if isinstance(remote, tuple) and remote else remote


class Allowance:
    """A token bucket: so many a second, and some at once."""

    __slots__ = ("_burst", "_full_at", "_interval")

    def __init__(self, per_second: int, burst: int, now: Micros) -> None:
        self._interval: Micros = SECOND // per_second
        self._burst = burst * self._interval
        self._full_at: Micros = now

    def take(self, now: Micros) -> bool:
        """Take one; say whether there was one."""
        waits_until = max(self._full_at, now) + self._interval
        if waits_until - now > self._burst:
            return False
        self._full_at = waits_until
        return True
