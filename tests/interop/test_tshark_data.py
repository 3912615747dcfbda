"""Wireshark's reader of SRT understands every packet of a stream's life, libsrt's and ours, without a remark."""

from __future__ import annotations

from pathlib import Path

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, SECOND
from srtpy.internal.packet.header import ControlType
from tests.sim.link import Link
from tests.sim.pair import NEAR_THE_WRAP, meeting
from tests.sim.telling import message
from tests.tools import capture
from tests.tools.libsrt_peer import LibsrtPeer, PeerProcess
from tests.tools.srtpy_peer import SrtpyPeer
from tests.tools.udp_proxy import UdpProxy, Weather


def kind(control: ControlType) -> str:
    return f"{int(control):#06x}"


@pytest.mark.parametrize("isn", [1000, NEAR_THE_WRAP])
def test_all_we_say_in_a_lossy_life_with_drops_errors_and_an_end(isn: int, tshark: str, tmp_path: Path) -> None:
    dark = [(SECOND, 2500 * MILLISECOND)]
    links = Link(20 * MILLISECOND, loss=0.1, seed=1, black_outs=dark), Link(20 * MILLISECOND, loss=0.1, seed=2)
    world = meeting(Config(stream_id="#!::r=live/one"), forth=links[0], back=links[1], isn=isn)
    world.a.sent, world.b.sent = [], []
    world.run_until(lambda: world.a.end.connection is not None, 3 * SECOND)
    for number in range(4000):
        when = world.now + number * MILLISECOND
        world.at(when, lambda number=number: world.a.end.write(message(number, 1316), world.local_time(world.a)))  # type: ignore[misc]
    world.run_for(4200 * MILLISECOND)
    world.b.end.connection.send_peer_error(4000, world.local_time(world.b))
    world.run_for(3 * SECOND)
    world.a.end.connection.close(None, world.local_time(world.a))
    world.run_for(SECOND)
    said = [(when, True, datagram) for when, datagram in world.a.sent]
    said += [(when, False, datagram) for when, datagram in world.b.sent]
    path = tmp_path / "life.pcap"
    total = capture.write(path, sorted(said))
    assert capture.complaints(tshark, path) == ""
    seen = capture.kinds(tshark, path)
    assert seen.total() == total
    expected = set(ControlType) - {ControlType.CONGESTION_WARNING, ControlType.USER_DEFINED}
    assert {kind(control) for control in expected} <= set(seen)
    assert seen[""] >= 4000


@pytest.mark.parametrize("caller", [LibsrtPeer, SrtpyPeer])
@pytest.mark.usefixtures("libsrt")
def test_a_stream_between_libsrt_and_us_in_bad_weather(caller: type[PeerProcess], tshark: str, tmp_path: Path) -> None:
    listener = SrtpyPeer if caller is LibsrtPeer else LibsrtPeer
    with listener(role="receive", latency=800) as receiver, UdpProxy() as proxy:
        proxy.tap = []
        front = proxy.add_route(("127.0.0.1", receiver.port), Weather(loss=0.05, reorder=0.05, delay_ms=10), seed=4)
        sending = {"role": "send", "rate": 1_250_000, "count": 1500, "latency": 800, "keep_open_ms": 1300}
        with caller(mode="caller", port=front[1], **sending) as sender:
            sent, got = sender.result(), receiver.result()
    assert sent["messages"] == got["messages"] == 1500, f"{sent}\n{got}"
    path = tmp_path / "stream.pcap"
    total = capture.write(path, proxy.tap)
    assert capture.complaints(tshark, path) == ""
    seen = capture.kinds(tshark, path)
    assert seen.total() == total
    for control in (ControlType.HANDSHAKE, ControlType.ACK, ControlType.ACKACK, ControlType.NAK, ControlType.SHUTDOWN):
        assert seen[kind(control)], f"no {control.name} in {seen}"
