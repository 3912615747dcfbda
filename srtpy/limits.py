"""The numbers of the settings: defaults and bounds, as libsrt has them.

Lives here: `DEFAULT_*`, `MIN_*`, `MAX_*`, what a packet's headers take.
Never here: the settings themselves (settings.py), what `None` stands for (config.py).
Draft: none; libsrt's socket options, in seconds, packets and bytes per second.
"""

from __future__ import annotations

from typing import Final

DEFAULT_LATENCY: Final = 0.120
DEFAULT_MSS: Final = 1500
DEFAULT_FC: Final = 25600
DEFAULT_SEND_BUF_SIZE: Final = 8192
DEFAULT_RECV_BUF_SIZE: Final = 8192
DEFAULT_MAX_BW: Final = 125_000_000
UNLIMITED: Final = -1
DEFAULT_OVERHEAD_BW: Final = 25
DEFAULT_CONN_TIMEOUT: Final = 3.0
DEFAULT_PEER_IDLE_TIMEOUT: Final = 5.0
DEFAULT_KM_REFRESH_RATE: Final = 1 << 24
DEFAULT_KM_PRE_ANNOUNCE: Final = 1 << 16
MIN_LATENCY: Final = 0.020
MAX_LATENCY: Final = 65.535
MIN_MSS: Final = 76
MAX_MSS: Final = 1500
MIN_PAYLOAD: Final = 32
MIN_BUF_SIZE: Final = 32
MIN_FC: Final = 32
MAX_LINGER: Final = 180.0
MAX_SILENCE: Final = 900.0
"""The longest wait for a peer, a quarter of an hour.  Ours: libsrt sets no limit, but who writes 1000 or 5000 thinks of
libsrt's milliseconds, and would wait for hours; nobody is on the line who has been silent for so long."""
MAX_STREAM_ID: Final = 512
MIN_PASSPHRASE: Final = 10
MAX_PASSPHRASE: Final = 80

PACKET_OVERHEAD: Final = 44
"""Bytes of IP, UDP and SRT header in each packet: what a packet carries is at most MSS - 44."""
