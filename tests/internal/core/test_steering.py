from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from srtpy.config import Config
from srtpy.internal.congestion.file import FileCC
from srtpy.internal.congestion.live import LiveCC
from srtpy.internal.core.steering import FIRST_PAYLOAD, controller_for, usual_payload
from srtpy.internal.handshake.negotiation import Negotiated


def agreed(**changes: Any) -> Negotiated:
    fields = {"congestion": "live", "payload_size": 1456, "mss": 1500, "send_isn": 0x7FFFFFF0, "socket_id": 77}
    return cast(Negotiated, SimpleNamespace(**(fields | changes)))


def test_the_controller_is_the_one_that_was_agreed_on() -> None:
    assert isinstance(controller_for(Config(), agreed(), 1316, 8191), LiveCC)
    assert isinstance(controller_for(Config(), agreed(congestion="file"), 1456, 8191), FileCC)


@pytest.mark.parametrize("congestion", ["live", "file"])
def test_it_is_told_what_the_user_allows(congestion: str) -> None:
    config = Config(max_bw=1_000_000, input_bw=2, min_input_bw=3, overhead_bw=40)
    controller = controller_for(config, agreed(congestion=congestion), 1456, 8191)
    limits = controller.limits
    assert (limits.max_bw, limits.input_bw, limits.min_input_bw, limits.overhead) == (1_000_000, 2, 3, 40)
    assert controller.max_bandwidth == 1_000_000
    assert controller.period == pytest.approx(1_500, rel=0.01)  # of a packet of 1500 bytes


@pytest.mark.parametrize(
    ("config", "payload"),
    [
        (Config(), FIRST_PAYLOAD),
        (Config(payload_size=1400), 1456),
        (Config(trans_type=1), 1456),  # type: ignore[arg-type]
    ],
)
def test_live_packets_are_small_unless_told_and_files_fill_them(config: Config, payload: int) -> None:
    assert usual_payload(config, agreed()) == payload
    assert usual_payload(config, agreed(payload_size=1000)) == 1000
