"""What a congestion controller is told, and what it answers.

Lives here: the interface every controller has, the limits a user can set.
Never here: how a pace is found (live.py), how it is kept (pacing.py), when packets leave (core).
Draft: 5 "SRT Packet Pacing and Congestion Control".

A controller knows no packets and keeps no buffer: it hears how much was written, sent,
acknowledged and lost, and answers with a pace and a window.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Final

from srtpy.internal.clock.units import Micros
from srtpy.internal.congestion.feedback import Feedback
from srtpy.internal.seq.number import SequenceNumber

HEADERS: Final = 44  # libsrt packet.h UDP_HDR_SIZE + HDR_SIZE: what a packet costs beside its payload
DEFAULT_BANDWIDTH: Final = 125_000_000  # libsrt core.h BW_INFINITE, bytes per second
UNLIMITED: Final = -1  # libsrt SRTO_MAXBW
FROM_INPUT: Final = 0  # libsrt SRTO_MAXBW


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the user allows, in bytes per second, headers included.

    Attributes:
        max_bw: the most; `None` the mode's default, 0 what the input takes, -1 no limit.
        input_bw: the input's rate; 0: to be measured.
        min_input_bw: the least the measured rate counts for.
        overhead: percent added to the input's rate, for what is sent again.
    """

    max_bw: int | None = None
    input_bw: int = 0
    min_input_bw: int = 0
    overhead: int = 25


class Controller(ABC):
    """Sets the pace and the window of one sending side.

    Attributes:
        limits: what the user allows.
        period: microseconds from one packet to the next.
        window: packets that may be on their way, as far as the controller is asked.
        max_bandwidth: bytes per second the pace is made for; 0: no limit.
        measures_input: whether `wrote` wants to be told; counting bytes nobody needs costs time.
        waits_for_losses: whether silence is acted upon only when nothing reported lost is left
            to send (libsrt LATEREXMIT, else FASTREXMIT).
    """

    limits: Limits
    period: float
    window: int
    max_bandwidth: int
    measures_input: bool
    waits_for_losses: bool

    @abstractmethod
    def limit(self, limits: Limits) -> None:
        """Take over what the user allows from now on."""

    @abstractmethod
    def wrote(self, packets: int, size: int, now: Micros) -> None:
        """Hear that the application wrote `packets` with `size` bytes of payload."""

    @abstractmethod
    def sent(self, packets: int, size: int) -> None:
        """Hear that `packets` with `size` bytes of payload left for the first time."""

    @abstractmethod
    def acknowledged(self, seq: SequenceNumber, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        """Hear that everything before `seq` has arrived, and what the receiver measures."""

    @abstractmethod
    def lost(
        self,
        first: SequenceNumber,
        packets: int,
        waiting: int,
        next_seq: SequenceNumber,
        round_trip: Micros,
        now: Micros,
    ) -> None:
        """Hear of a loss report.

        `first` is the first number in it, `packets` how many it names that did not wait to be sent again
        before, `waiting` how many do now, `next_seq` the number the next new packet will have.
        """

    @abstractmethod
    def timed_out(self, feedback: Feedback, round_trip: Micros, now: Micros) -> None:
        """Hear that the peer was silent for so long that everything is sent again."""

    @abstractmethod
    def slow_down(self) -> None:
        """Hear the peer's congestion warning."""
