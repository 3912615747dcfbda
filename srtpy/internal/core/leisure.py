"""How long anything may wait for more, so that one wake-up serves several: only time that repairs can spare.

Lives here: what the latency leaves beside the round trips of a repair, and the haste after a loss.
Never here: who waits, and for what (session), delivery (delivery.py), the round trip (roundtrip.py).
Draft: 4.9 (latency: what is lost has so long to come again).

The peer plays by timestamps: when a packet leaves, or is looked at, changes nothing that is heard or seen as long
as it is there in time.  Waiting costs time for repairs only.  So nothing waits long where repairs are needed:
while something has been lost lately, or where the round trip leaves no time.

A repair takes three waits (until the packet leaves, is missed, is asked for); with a sixth of what the latency leaves
beside two round trips they are half of that at most.  The other half, without any more waits, is for a repair that
is lost itself, or for a path that is dumb for a while: there the packet that shows the gap waits too, and after
`QUIET` without a word from the peer nothing does.
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.core.roundtrip import RoundTrip
from srtpy.internal.handshake.negotiation import Negotiated

LONGEST: Final[Micros] = 20 * MILLISECOND  # ours: 50 wake-ups a second, each 0.4 ms of a core; more would spare little
ROUND_TRIPS: Final = 2  # ours: an asking and its answer, and once more
SHARE: Final = 6  # ours: see above
HASTE: Final[Micros] = 2 * SECOND  # ours: so long after a loss another is expected
QUIET: Final[Micros] = 50 * MILLISECOND  # ours: pictures, and what answers them, come each 40 ms or sooner


class Leisure:
    """What one connection can spare, in either direction."""

    __slots__ = ("_heard_at", "_round_trip", "_to_hear", "_to_send", "_until")

    def __init__(self, negotiated: Negotiated, round_trip: RoundTrip) -> None:
        self._round_trip = round_trip
        self._to_send = negotiated.peer_latency if negotiated.tsbpd_send else 0
        self._to_hear = negotiated.recv_latency if negotiated.tsbpd_receive else 0
        self._until: Micros = 0  # of the haste
        self._heard_at = NEVER  # nothing yet

    def heard(self, now: Micros) -> None:
        """Note that something came from the peer."""
        self._heard_at = now

    def lost(self, now: Micros) -> None:
        """Note that something is missing, or came in another order: every repair may count."""
        self._until = now + HASTE

    def to_send(self, now: Micros) -> Micros:
        """Return how long what is written may wait, and what answers it; 0: no longer than it must."""
        return self._spared(self._to_send, now)

    def to_hear(self, now: Micros) -> Micros:
        """Return how long what has arrived may wait; 0: no longer than it must."""
        return self._spared(self._to_hear, now)

    def _spared(self, latency: Micros, now: Micros) -> Micros:
        if now < self._until or now > self._heard_at + QUIET:
            return 0
        return longest_nap(latency, self._round_trip.smoothed)


def longest_nap(latency: Micros, round_trip: Micros) -> Micros:
    """Return the longest that an end leaves unread what has come, while nothing has been lost."""
    return min(max(latency - ROUND_TRIPS * round_trip, 0) // SHARE, LONGEST)
