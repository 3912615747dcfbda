"""Whether messages come in a rhythm: in bursts with pauses between them, as an encoder's pictures do.

Lives here: how many bursts in a row are no chance, and what a burst is.
Never here: what is done about it (reading.py for those that arrive, writing.py for those that are written).
Draft: none.
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import MILLISECOND, Micros

RHYTHM: Final = 8  # ours: so many bursts in a row are no chance
LEAST_BURST: Final = 4  # ours: messages; for fewer a burst is not worth two threads' waking
LONGEST_PERIOD: Final[Micros] = 50 * MILLISECOND  # ours: a little more than 25 pictures a second have


class Rhythm:
    """The bursts of one direction.

    Attributes:
        is_kept: there is a rhythm.
    """

    __slots__ = ("_bursts", "is_kept")

    def __init__(self) -> None:
        self._bursts = 0  # in a row
        self.is_kept = False

    def note(self, pause: Micros, messages: int) -> None:
        """Learn of a pause, and of how many messages there were with it: for each burst once."""
        if pause > LONGEST_PERIOD:
            self._bursts = 0
        elif messages < LEAST_BURST:
            self._bursts -= self._bursts > 0
        elif self._bursts < 2 * RHYTHM:
            self._bursts += 1
        self.is_kept = self._bursts >= RHYTHM
