"""The C peer talks to itself, so that what it says about others can be believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.libsrt_peer import LibsrtPeer
from tests.tools.udp_proxy import UdpProxy, Weather

pytestmark = pytest.mark.usefixtures("libsrt")


def test_counts_times_and_latency_of_a_clean_stream() -> None:
    with LibsrtPeer(mode="listener", role="receive", latency=80) as receiver:
        sending = LibsrtPeer(
            mode="caller", role="send", port=receiver.port, rate=250_000, count=200, latency=80, keep_open_ms=300
        )
        with sending as sender:
            sent = sender.result(20)
            got = receiver.result(20)
    assert sent["messages"] == got["messages"] == got["stats"]["received_unique"] == 200
    assert got["missing"] == got["repeated"] == got["damaged"] == 0
    assert got["latency_us"]["min"] >= 80_000
    assert got["latency_us"]["p50"] < 90_000
    assert got["stats"]["latency_ms"] == 80


def test_repairs_five_percent_loss_seed_5() -> None:
    """Six messages more than needed: libsrt does not resend its last one if nobody asks for it, and waits for 20 s."""
    with LibsrtPeer(mode="listener", role="receive", latency=200) as receiver, UdpProxy() as proxy:
        front = proxy.add_route(("127.0.0.1", receiver.port), Weather(loss=0.05, delay_ms=10), seed=5)
        sending = LibsrtPeer(
            mode="caller", role="send", port=front[1], rate=500_000, count=606, latency=200, keep_open_ms=500
        )
        with sending as sender:
            sent = sender.result(40)
            got = receiver.result(20)
    assert 600 <= got["messages"] <= 606
    assert got["missing"] == 0
    assert sent["stats"]["retransmitted"] > 10


def test_many_connections_from_one_port() -> None:
    with LibsrtPeer(mode="listener", role="receive", connections=5) as receiver:
        sending = LibsrtPeer(
            mode="caller", role="send", port=receiver.port, connections=5, share_port=1, rate=200_000, count=100,
            keep_open_ms=400,
        )  # fmt: skip
        with sending as sender:
            sent = sender.result(20)
            got = receiver.result(20)
    assert sent["connections"] == got["connections"] == 5
    assert got["messages"] == 100
    assert got["missing"] == 0


def test_files_arrive_byte_for_byte_in_file_mode(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(bytes(range(256)) * 4000)
    with LibsrtPeer(role="receive", transtype="file", messageapi=0, out=target) as receiver:
        settings: dict[str, object] = {"mode": "caller", "role": "send", "in": source, "transtype": "file"}
        settings["messageapi"] = 0
        with LibsrtPeer(port=receiver.port, size=65536, **settings) as sender:
            sender.result(20)
            receiver.result(20)
    assert target.read_bytes() == source.read_bytes()


def test_says_why_it_was_refused() -> None:
    with LibsrtPeer(passphrase="a secret for two", pbkeylen=16) as receiver:
        caller = LibsrtPeer(mode="caller", port=receiver.port, passphrase="another secret here")
        with caller, pytest.raises(ConnectionRefusedError, match=r"1010|refused"):
            caller.wait_connected(10)
