"""What to do when the peer says nothing about what we sent.

Lives here: how long an acknowledgement may take, and what its absence calls for.
Never here: sending again (retransmission.py), a peer that is silent altogether (liveness.py).
Draft: 4.8.2 "Packet Retransmission"; the interval is libsrt's (core.cpp checkRexmitTimer), which
knows the first two remedies; the other two are ours.

Three things call for three remedies (`Remedy`), all after one round trip and some patience:

- EVERYTHING again: a peer that does not repeat its loss reports, or any in file mode (libsrt
  FASTREXMIT and LATEREXMIT).  Measured from the last acknowledgement that brought something new; a
  repeated one changes nothing.  Each time in a row takes longer.
- the LAST packet again: a peer that does repeat its reports cannot report a tail it never saw
  begin.  libsrt leaves that tail lost in live mode.  We send the last packet once more: the peer sees
  the gap before it and reports it as any other.  Measured from the last data sent too, so a
  stream that flows never does this, and a silent one costs a packet each time.  Both ends may nap before
  they look (leisure.py), which is no loss.
- KNOCK: the peer's window is closed and nothing is on its way, so no acknowledgement can
  come to open it.  One packet beyond the window asks.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Final

from srtpy.internal.clock.units import MILLISECOND, NEVER, Micros
from srtpy.internal.core.leisure import longest_nap
from srtpy.internal.core.roundtrip import RoundTrip

ACK_PERIOD: Final[Micros] = 10 * MILLISECOND  # libsrt common.h COMM_SYN_INTERVAL_US


class Remedy(Enum):
    """What silence calls for."""

    EVERYTHING = auto()
    LAST = auto()
    KNOCK = auto()


class Silence:
    """Notices that an acknowledgement is overdue.

    Attributes:
        since: the last acknowledgement of something new, or when data first left after all was acknowledged.
        is_knocking: whether one packet may leave though the window is closed.
    """

    __slots__ = (
        *("_latency", "_not_before", "_round_trip", "_sent_at", "_times", "_waits_for_quiet"),
        *("is_knocking", "since"),
    )

    def __init__(self, round_trip: RoundTrip, waits_for_quiet: bool, now: Micros, latency: Micros = 0) -> None:
        """Begin with nothing sent; the peer plays it so much later, and where there is time both ends may nap."""
        self._round_trip = round_trip
        self._latency = latency
        self._waits_for_quiet = waits_for_quiet
        self._times = 1
        self._sent_at = now
        self._not_before = now
        self.since = now
        self.is_knocking = False

    def sent(self, now: Micros) -> None:
        """Note that data left, new or again."""
        self._sent_at = now
        self.is_knocking = False

    def knock(self) -> None:
        """Let one packet leave though the window is closed."""
        self.is_knocking = True

    def ended(self, now: Micros) -> None:
        """Note that the peer acknowledged something new, or that there was nothing to acknowledge until now."""
        self.since = now
        self._times = 1
        self._not_before = now

    def acted(self, now: Micros) -> None:
        """Note that a remedy was applied: it gets the time to work."""
        self._times += 1
        self._not_before = now + self._interval

    def postpone(self, now: Micros) -> None:
        """Look again in a while: what is reported lost has not all been sent yet."""
        self._not_before = now + ACK_PERIOD

    def deadline(self, on_their_way: int, is_shut_out: bool) -> Micros:
        """Return when an acknowledgement is overdue."""
        if on_their_way and not self._waits_for_quiet:
            # libsrt core.cpp checkRexmitTimer: count * (RTT + 4 * variance + 2 * SYN) + SYN
            overdue = self.since + self._times * self._interval + ACK_PERIOD
        elif on_their_way or is_shut_out:
            begin = self._sent_at if self._sent_at > self.since else self.since
            overdue = begin + self._interval + ACK_PERIOD
            if on_their_way:
                overdue += 2 * longest_nap(self._latency, self._round_trip.smoothed)
        else:
            return NEVER
        return overdue if overdue > self._not_before else self._not_before

    def remedy(self, on_their_way: int) -> Remedy:
        """Say what the silence calls for."""
        if not on_their_way:
            return Remedy.KNOCK
        return Remedy.LAST if self._waits_for_quiet else Remedy.EVERYTHING

    @property
    def _interval(self) -> Micros:
        return self._round_trip.patience + 2 * ACK_PERIOD
