"""Which congestion controller a connection gets, and what it is told to begin with.

Lives here: the choice, the limits the user has set, the packet size to expect.
Never here: how a controller finds its pace (congestion), when packets leave (sender.py).
Draft: 5 "SRT Packet Pacing and Congestion Control".
"""

from __future__ import annotations

from typing import Final

from srtpy.config import Config
from srtpy.internal.congestion.controller import Controller, Limits
from srtpy.internal.congestion.file import FileCC
from srtpy.internal.congestion.live import LiveCC
from srtpy.internal.handshake.negotiation import LIVE, Negotiated

FIRST_PAYLOAD: Final = 1316  # libsrt srt.h SRT_LIVE_DEF_PLSIZE: what live packets carry unless told


def controller_for(config: Config, negotiated: Negotiated, payload: int, window: int) -> Controller:
    """Return the controller that was agreed on, for packets of `payload` bytes and a peer that holds `window`."""
    limits = Limits(
        max_bw=config.max_bw,
        input_bw=config.input_bw,
        min_input_bw=config.min_input_bw,
        overhead=config.overhead_bw,
    )
    if negotiated.congestion == LIVE:
        return LiveCC(limits, payload, window)
    return FileCC(limits, negotiated.mss, window, negotiated.send_isn)


def usual_payload(config: Config, negotiated: Negotiated) -> int:
    """Return how much a packet will carry, before any has left: files fill them, live media seldom do."""
    if config.payload_size or config.is_file:
        return negotiated.payload_size
    return min(FIRST_PAYLOAD, negotiated.payload_size)
