"""How fast the peer's clock runs away from ours.

Lives here: samples of the drift, their mean, and the corrections of the time base it leads to.
Never here: the time base (timebase.py), matching ACKACKs and timing round trips (core/acks.py).
Draft: 4.7 "Drift Management".

Samples come from packets the peer stamps as they leave: ACKACK and KEEPALIVE.  Data is no
measure, its timestamps are the application's.

libsrt corrects after a thousand samples, ten seconds of a busy stream.  Of a slow one that is minutes, in
which clocks may part by a good share of the latency: so after a minute fewer will do.  And the base comes
from a single packet of the handshake; if that one was late, on its way or at our end, all that is
played is late with it: so the first round is a short one, and its mean round trip is the one that later
ones are compared with (libsrt takes the very first).
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import MILLISECOND, SECOND, Micros, WireTime
from srtpy.internal.tsbpd.timebase import TimeBase

DRIFT_SAMPLES: Final = 1000  # libsrt tsbpd_time.h TSBPD_DRIFT_MAX_SAMPLES
LARGEST_DRIFT: Final[Micros] = 5 * MILLISECOND  # libsrt tsbpd_time.h TSBPD_DRIFT_MAX_VALUE
FIRST_SAMPLES: Final = 100  # ours: of the first round, a second of a busy stream
LONGEST_ROUND: Final[Micros] = 60 * SECOND  # ours: 6 ms at 100 ppm, what a pair of ordinary clocks may have
FEWEST_SAMPLES: Final = 30  # ours: their mean is a fifth as uneven as the path; an idle peer speaks once a second
PROMPT_OF: Final = 100  # ours: samples of which the shortest counts for all, a second of a busy stream
PROMPT_SPAN: Final[Micros] = 4 * SECOND  # ours: or so long; of a slow stream nobody naps, and clocks drift meanwhile
# ours: from one round to the next clocks drift by milliseconds; a stamp that says more is a jump or a lie
LARGEST_SAMPLE: Final[Micros] = SECOND  # ours: see above


class DriftTracer:
    """Averages samples and corrects the time base, a thousand or a minute's at a time."""

    __slots__ = (
        *("_began", "_count", "_latest", "_needed", "_rtt_count", "_rtt_sum", "_sum", "_summed", "_time_base"),
        *("_since", "_usual_rtt"),
    )

    def __init__(self, time_base: TimeBase) -> None:
        self._time_base = time_base
        self._sum: Micros = 0
        self._summed = 0
        self._count = 0
        self._needed = FIRST_SAMPLES
        self._began: Micros = 0
        self._rtt_sum: Micros = 0
        self._rtt_count = 0
        self._latest: list[tuple[Micros, Micros]] = []  # round trips and delays that await their shortest
        self._since: Micros = 0  # when the first of them came
        self._usual_rtt: Micros | None = None  # of the first round that had any

    def sample(self, stamp: WireTime, rtt: Micros | None, now: Micros) -> bool:
        """Learn from a packet stamped on leaving; say whether the time base was corrected.

        `rtt` is the round trip the packet completed, None for a KEEPALIVE.
        """
        delay = self._time_base.delay(stamp, now)
        if rtt is None:
            self._add(delay, 1)
        else:
            if not self._latest:
                self._since = now
            self._latest.append((rtt, delay))
            if len(self._latest) == PROMPT_OF or now - self._since >= PROMPT_SPAN:
                self._add_promptest()
        if not self._count:
            self._began = now
        self._count += 1
        if self._count < self._needed and (self._count < FEWEST_SAMPLES or now - self._began < LONGEST_ROUND):
            return False
        self._correct()
        return True

    def _add_promptest(self) -> None:
        """Let the shortest round trip and the shortest delay of the latest samples count for all of them.

        A packet may wait milliseconds here for a reader that naps, which is neither path nor clock.  Its peer may
        have waited as long before it answered, which is in the round trip only: so the two need not be one packet's.
        """
        latest = self._latest
        rtt, delay, count = min(latest)[0], min([delay for _, delay in latest]), len(latest)
        latest.clear()
        self._rtt_sum += rtt * count
        self._rtt_count += count
        if self._usual_rtt is not None:
            # libsrt tsbpd_time.cpp addSample: half of what the path has grown is path, not clock
            delay -= (rtt - self._usual_rtt) // 2
        self._add(delay, count)

    def _add(self, delay: Micros, count: int) -> None:
        known = self._time_base.drift
        self._sum += min(max(delay, known - LARGEST_SAMPLE), known + LARGEST_SAMPLE) * count
        self._summed += count

    def _correct(self) -> None:
        # libsrt utilities.h DriftTracer: what exceeds the limit moves the base, a limit at a time
        if 2 * len(self._latest) >= PROMPT_OF or not self._summed:
            self._add_promptest()
        drift = round(self._sum / self._summed)
        step = 0
        if abs(drift) > LARGEST_DRIFT:
            step = LARGEST_DRIFT if drift > 0 else -LARGEST_DRIFT
        self._time_base.correct(drift - step, step)
        if self._usual_rtt is None and self._rtt_count:
            self._usual_rtt = self._rtt_sum // self._rtt_count
        self._sum = self._summed = self._count = self._rtt_sum = self._rtt_count = 0
        self._latest.clear()  # too few to tell the shortest, and measured against the base as it was
        self._needed = DRIFT_SAMPLES
