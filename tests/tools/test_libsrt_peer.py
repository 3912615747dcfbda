"""The C peer talks to itself, so that what it says about others can be believed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.tools.libsrt_peer import LibsrtPeer, PeerProcess
from tests.tools.srtpy_peer import SrtpyPeer
from tests.tools.udp_proxy import UdpProxy, Weather

pytestmark = pytest.mark.usefixtures("libsrt")

DATA_HEADER = 16  # bytes


def test_counts_times_and_latency_of_a_clean_stream() -> None:
    middles = []
    for _ in range(3):  # a busy machine makes libsrt late, and early too: being on time once shows that we can tell
        with LibsrtPeer(mode="listener", role="receive", latency=300) as receiver:
            sending = LibsrtPeer(
                mode="caller", role="send", port=receiver.port, rate=250_000, count=200, latency=300, keep_open_ms=600
            )
            with sending as sender:
                sent = sender.result()
                got = receiver.result()
        assert sent["messages"] == got["messages"] == 200, f"{sent}\n{got}"
        assert 200 <= got["stats"]["received_unique"] <= 200 + sent["tail"]
        assert got["missing"] == got["repeated"] == got["damaged"] == 0
        assert got["stats"]["latency_ms"] == 300
        middles.append(got["latency_us"]["p50"])
        if 300_000 <= middles[-1] < 310_000:
            return
    pytest.fail(f"late or early each time: {middles}")


def test_repairs_five_percent_loss_seed_5() -> None:
    with LibsrtPeer(mode="listener", role="receive", latency=1500) as receiver, UdpProxy() as proxy:
        front = proxy.add_route(("127.0.0.1", receiver.port), Weather(loss=0.05, delay_ms=10), seed=5)
        sending = LibsrtPeer(
            mode="caller", role="send", port=front[1], rate=500_000, count=600, latency=1500, keep_open_ms=1800
        )
        with sending as sender:
            sent = sender.result()
            got = receiver.result()
    assert sent["messages"] == got["messages"] == 600, f"{sent}\n{got}"
    assert got["missing"] == 0
    assert sent["stats"]["retransmitted"] > 10


def is_numbered(datagram: bytes, first: int) -> bool:
    """Whether this is a data packet with a message of the number `first` or a later one."""
    is_data = len(datagram) > DATA_HEADER + 16 and not datagram[0] & 0x80
    return is_data and int.from_bytes(datagram[DATA_HEADER : DATA_HEADER + 8], "little") >= first


@pytest.mark.parametrize("receiver", [LibsrtPeer, SrtpyPeer])
@pytest.mark.parametrize("lost", [1, 5])
def test_the_last_messages_arrive_though_all_are_lost_at_first(receiver: type[PeerProcess], lost: int) -> None:
    """libsrt does not send them again unless somebody asks, and nobody knows of them without the tail."""
    count, seen = 100, set[bytes]()

    def loses(datagram: bytes) -> bool:
        sequence_number = datagram[:4]
        is_new = sequence_number not in seen
        seen.add(sequence_number)
        return is_new and is_numbered(datagram, count - lost)

    with receiver(role="receive", latency=1000) as receiving, UdpProxy() as proxy:
        proxy.loses = loses
        front = proxy.add_route(("127.0.0.1", receiving.port))
        sending = {"role": "send", "port": front[1], "rate": 500_000, "count": count, "latency": 1000}
        with LibsrtPeer(mode="caller", keep_open_ms=1300, **sending) as sender:
            sent, got = sender.result(), receiving.result()
    assert sent["messages"] == got["messages"] == count, f"{sent}\n{got}"
    assert (got["bytes"], got["missing"], got["damaged"]) == (count * 1316, 0, 0)
    assert sent["tail"] >= 1
    assert sent["unacknowledged"] == 0


@pytest.mark.parametrize("sender", [LibsrtPeer, SrtpyPeer])
def test_what_nobody_ever_acknowledges_is_told_and_ends(sender: type[PeerProcess]) -> None:
    with SrtpyPeer(role="receive") as receiver, UdpProxy() as proxy:
        proxy.loses = lambda datagram: not datagram[0] & 0x80
        front = proxy.add_route(("127.0.0.1", receiver.port))
        own: dict[str, object] = {} if sender is LibsrtPeer else {"linger_s": 0}
        with sender(mode="caller", role="send", port=front[1], count=10, patience=0.3, latency=5000, **own) as sending:
            sent = sending.result()
    assert (sent["messages"], sent["unacknowledged"]) == (10, 10)


def test_a_peer_that_says_nothing_is_described() -> None:
    with LibsrtPeer(role="receive", latency=77) as peer, pytest.raises(TimeoutError) as caught:
        peer.result(0.01)
    told = str(caught.value)
    assert told.startswith("LibsrtPeer role=receive latency=77: it said nothing for 0.01 s; its process is in state ")


def test_a_peer_that_cannot_go_on_says_why() -> None:
    with pytest.raises(RuntimeError, match="latencie=77: latencie: "), LibsrtPeer(latencie=77):
        pass


def test_many_connections_from_one_port() -> None:
    with LibsrtPeer(mode="listener", role="receive", connections=5) as receiver:
        sending = LibsrtPeer(
            mode="caller", role="send", port=receiver.port, connections=5, share_port=1, rate=200_000, count=100,
            keep_open_ms=400,
        )  # fmt: skip
        with sending as sender:
            sent = sender.result()
            got = receiver.result()
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
            sender.result()
            receiver.result()
    assert target.read_bytes() == source.read_bytes()


def test_says_why_it_was_refused() -> None:
    with LibsrtPeer(passphrase="a secret for two", pbkeylen=16) as receiver:
        caller = LibsrtPeer(mode="caller", port=receiver.port, passphrase="another secret here")
        with caller, pytest.raises(ConnectionRefusedError, match=r"1010|refused"):
            caller.wait_connected()
