from __future__ import annotations

import pytest

from srtpy import limits
from srtpy.config import Config


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("DEFAULT_LATENCY", "latency"),
        ("DEFAULT_MSS", "mss"),
        ("DEFAULT_FC", "fc"),
        ("DEFAULT_SEND_BUF_SIZE", "send_buf_size"),
        ("DEFAULT_RECV_BUF_SIZE", "recv_buf_size"),
        ("DEFAULT_OVERHEAD_BW", "overhead_bw"),
        ("DEFAULT_CONN_TIMEOUT", "conn_timeout"),
        ("DEFAULT_PEER_IDLE_TIMEOUT", "peer_idle_timeout"),
        ("DEFAULT_KM_REFRESH_RATE", "km_refresh_rate"),
    ],
)
def test_the_defaults_are_those_of_the_fields(name: str, field: str) -> None:
    assert getattr(limits, name) == getattr(Config(), field)


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("latency", limits.MIN_LATENCY, limits.MAX_LATENCY),
        ("mss", limits.MIN_MSS, limits.MAX_MSS),
        ("linger", 0, limits.MAX_LINGER),
        ("payload_size", limits.MIN_PAYLOAD, limits.MAX_MSS - limits.PACKET_OVERHEAD),
    ],
)
def test_the_bounds_are_taken_and_no_more(field: str, low: float, high: float) -> None:
    for taken in (low, high):
        setattr(Config(), field, taken)
    for refused in (low - 1, high + 1):
        with pytest.raises(ValueError, match=field):
            setattr(Config(), field, refused)
