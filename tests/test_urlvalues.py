from __future__ import annotations

from collections.abc import Callable

import pytest

from srtpy import urlvalues


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (urlvalues.milliseconds, "3000", 3.0),
        (urlvalues.milliseconds, "1.5s", 1.5),
        (urlvalues.latency, "0", 0.0),
        (urlvalues.latency, "120", 0.12),
        (urlvalues.drop_delay, "-1", -1.0),
        (urlvalues.drop_delay, "500", 0.5),
        (urlvalues.whole_seconds, "5", 5.0),
        (urlvalues.whole_seconds, "500ms", 0.5),
        (urlvalues.rate, "20Mbps", 2_500_000),
        (urlvalues.rate, "-1", -1),
        (urlvalues.retransmission_rate, "-1", 0),
        (urlvalues.whole, "0x10", 16),
        (urlvalues.flag, "ON", True),
        (urlvalues.flag, "no", False),
        (urlvalues.maybe_flag, "-1", None),
        (urlvalues.maybe_flag, "1", True),
        (urlvalues.trans_type, "FILE", 1),
        (urlvalues.trans_type, "live", 0),
        (urlvalues.congestion, "vod", "file"),
        (urlvalues.congestion, "live", "live"),
        (urlvalues.key_length, "", None),
        (urlvalues.key_length, "24", 24),
        (urlvalues.version, "1.4.0", "1.4.0"),
        (urlvalues.version, "0x010400", 0x010400),
        (urlvalues.text, "a b", "a b"),
    ],
)
def test_values(parse: Callable[[str], object], text: str, value: object) -> None:
    assert parse(text) == value


@pytest.mark.parametrize(
    ("parse", "text", "match"),
    [
        (urlvalues.milliseconds, "soon", "optional unit"),
        (urlvalues.latency, "200000", "did you mean microseconds"),
        (urlvalues.latency, "0.2", "less than 20 ms"),
        (urlvalues.rate, "5parsec", "optional unit"),
        (urlvalues.whole, "1.5", "not a whole number"),
        (urlvalues.flag, "maybe", "neither yes nor no"),
        (urlvalues.trans_type, "bulk", "neither live nor file"),
    ],
)
def test_what_is_no_value(parse: Callable[[str], object], text: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        parse(text)
