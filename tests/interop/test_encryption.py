"""Encrypted streams to and from libsrt: every key length, keys that change under loss, every refusal on both ends."""

from __future__ import annotations

from typing import Any

import pytest

import srtpy
from srtpy import KmState, SockOpt
from tests.interop.test_c_peer import KEEP_OPEN_MS, LATENCY_MS, OURS_AND_THEIRS, RATE, Report
from tests.tools.libsrt_peer import LibsrtPeer, PeerProcess
from tests.tools.srtpy_peer import SrtpyPeer
from tests.tools.udp_proxy import ProxyProcess, Weather

pytestmark = pytest.mark.usefixtures("libsrt")

PASSPHRASE = "0123456789ab"
OTHER = "another passphrase"


def sealed_stream(
    sender: type[PeerProcess],
    receiver: type[PeerProcess],
    *,
    sender_calls: bool,
    caller: dict[str, Any] | None = None,
    listener: dict[str, Any] | None = None,
    weather: Weather | None = None,
    count: int = 1000,
    **both: Any,
) -> tuple[Report, Report]:
    """Send numbered messages, encrypted; return both reports."""
    common = {"passphrase": PASSPHRASE, "latency": LATENCY_MS, **both}
    sending = {"role": "send", "rate": RATE, "count": count, "settle": 0.1, **common}
    sending["keep_open_ms"] = KEEP_OPEN_MS if weather is None else sending["latency"] + 500  # a SHUTDOWN can be lost
    receiving = {"role": "receive", "count": count if weather is None else 0, **common}
    first, second = (receiver, sender) if sender_calls else (sender, receiver)
    listening, calling = (receiving, sending) if sender_calls else (sending, receiving)
    with first(mode="listener", **listening, **(listener or {})) as one, ProxyProcess() as proxy:
        port = one.port
        if weather is not None:
            port = proxy.add_route(("127.0.0.1", port), weather, seed=7)[1]
        with second(mode="caller", port=port, **calling, **(caller or {})) as other:
            sent = (other if sender_calls else one).result()
            got = (one if sender_calls else other).result()
    return sent, got


def assert_whole(sent: Report, got: Report, count: int) -> None:
    assert sent["messages"] == got["messages"] == count, f"{sent}\n{got}"
    assert sent["unacknowledged"] == 0
    assert got["missing"] == got["repeated"] == got["damaged"] == 0
    assert got["stats"]["undecrypted"] == sent["stats"]["undecrypted"] == 0


@pytest.mark.parametrize("sender_calls", [True, False], ids=["sender calls", "receiver calls"])
@pytest.mark.parametrize(("sender", "receiver"), OURS_AND_THEIRS)
@pytest.mark.parametrize("size", [16, 24, 32])
def test_every_length_of_key(
    sender: type[PeerProcess], receiver: type[PeerProcess], sender_calls: bool, size: int
) -> None:
    sent, got = sealed_stream(sender, receiver, sender_calls=sender_calls, caller={"pbkeylen": size})
    assert_whole(sent, got, 1000)


@pytest.mark.parametrize("sender_calls", [True, False], ids=["sender calls", "receiver calls"])
@pytest.mark.parametrize(("sender", "receiver"), OURS_AND_THEIRS)
def test_the_listener_chooses_the_length(
    sender: type[PeerProcess], receiver: type[PeerProcess], sender_calls: bool
) -> None:
    sent, got = sealed_stream(sender, receiver, sender_calls=sender_calls, listener={"pbkeylen": 32}, count=500)
    assert_whole(sent, got, 500)
    ours = sent if sender is SrtpyPeer else got
    assert (ours["all_stats"]["snd_km_state"], ours["all_stats"]["rcv_km_state"]) == (2, 2)


@pytest.mark.parametrize("sender_calls", [True, False], ids=["sender calls", "receiver calls"])
@pytest.mark.parametrize(("sender", "receiver"), OURS_AND_THEIRS)
def test_a_new_key_every_thousand_packets_under_four_percent_loss_seed_7(
    sender: type[PeerProcess], receiver: type[PeerProcess], sender_calls: bool
) -> None:
    """Ten Mbit/s: at higher rates libsrt 1.5.1's own sender crashes when its keys change often."""
    sent, got = sealed_stream(
        sender,
        receiver,
        sender_calls=sender_calls,
        weather=Weather(loss=0.04, delay_ms=10),
        count=8000,
        latency=800,
        kmrefreshrate=1000,
        kmpreannounce=400,
    )
    assert_whole(sent, got, 8000)
    assert got["stats"]["receive_loss"] >= 200
    ours = (sent if sender is SrtpyPeer else got)["all_stats"]
    assert ours["sent_km" if sender is SrtpyPeer else "recv_km"] >= 7


REFUSALS = [  # libsrt's side, ours, the code
    ({"passphrase": PASSPHRASE}, {"passphrase": OTHER}, srtpy.RejectReason.BAD_SECRET),
    ({"passphrase": PASSPHRASE}, {}, srtpy.RejectReason.UNSECURE),
    ({}, {"passphrase": PASSPHRASE}, srtpy.RejectReason.UNSECURE),
]


@pytest.mark.parametrize(("theirs", "ours", "reason"), REFUSALS)
def test_libsrt_refuses_us(theirs: dict[str, Any], ours: dict[str, Any], reason: srtpy.RejectReason) -> None:
    peer = LibsrtPeer(mode="listener", role="receive", **theirs)
    with peer as listener, pytest.raises(srtpy.RejectedError) as refused:
        srtpy.dial(("127.0.0.1", listener.port), **ours)
    assert refused.value.reason is reason


@pytest.mark.parametrize(("theirs", "ours", "reason"), REFUSALS)
def test_we_refuse_libsrt(theirs: dict[str, Any], ours: dict[str, Any], reason: srtpy.RejectReason) -> None:
    with (
        srtpy.listen(("127.0.0.1", 0), **ours) as listener,
        LibsrtPeer(mode="caller", port=listener.local_addr[1], **theirs) as caller,
    ):
        assert caller.outcome()["refused"] == reason - 1000


def test_a_libsrt_without_gcm_refuses_it_for_what_it_cannot_read() -> None:
    with (
        LibsrtPeer(mode="listener", role="receive", passphrase=PASSPHRASE) as listener,
        pytest.raises(srtpy.RejectedError, match="it knows no AES-GCM: try crypto_mode CTR") as refused,
    ):
        srtpy.dial(("127.0.0.1", listener.port), passphrase=PASSPHRASE, crypto_mode=srtpy.CryptoMode.GCM)
    assert refused.value.reason is srtpy.RejectReason.UNSECURE


def test_who_demands_gcm_refuses_a_libsrt_that_has_none() -> None:
    gcm = srtpy.Config(passphrase=PASSPHRASE, crypto_mode=srtpy.CryptoMode.GCM)
    with (
        srtpy.listen(("127.0.0.1", 0), gcm) as listener,
        LibsrtPeer(mode="caller", port=listener.local_addr[1], passphrase=PASSPHRASE) as caller,
    ):
        # 1017 came with AES-GCM: an older libsrt reads a code it has no name for as 0
        assert caller.outcome()["refused"] in (0, srtpy.RejectReason.CRYPTO - 1000)


STATES = [  # the passphrases of caller and listener; states, sending and receiving, of the caller, of the listener
    (PASSPHRASE, PASSPHRASE, (2, 2), (2, 2)),
    (PASSPHRASE, OTHER, (4, 4), (4, 4)),
    (PASSPHRASE, "", (3, 0), (0, 3)),
    ("", PASSPHRASE, (0, 3), (3, 0)),
    ("", "", (0, 0), (0, 0)),
]


@pytest.mark.parametrize(("mine", "theirs", "calling", "listening"), STATES)
@pytest.mark.parametrize("we_call", [True, False])
def test_without_enforcement_our_states_are_those_libsrt_has(
    mine: str, theirs: str, calling: tuple[int, int], listening: tuple[int, int], we_call: bool
) -> None:
    ours = {"passphrase": mine if we_call else theirs, "enforced_encryption": False, "linger": 0.0}
    peer: dict[str, Any] = {"enforcedencryption": 0, "role": "idle"}
    secret = theirs if we_call else mine
    if secret:
        peer["passphrase"] = secret
    if we_call:
        with LibsrtPeer(mode="listener", **peer) as other:
            conn = srtpy.dial(("127.0.0.1", other.port), **ours)  # type: ignore[arg-type]
            with conn:
                assert _states(conn) == calling
                assert other.outcome()["km_state"][:2] == [*listening]
    else:
        with srtpy.listen(("127.0.0.1", 0), **ours) as listener:  # type: ignore[arg-type]
            listener.settimeout(10)
            with LibsrtPeer(mode="caller", port=listener.local_addr[1], **peer) as other, listener.accept() as conn:
                assert _states(conn) == listening
                assert other.outcome()["km_state"][:2] == [*calling]


def _states(conn: srtpy.Conn) -> tuple[object, object]:
    states = conn.get_option(SockOpt.SND_KM_STATE), conn.get_option(SockOpt.RCV_KM_STATE)
    assert all(isinstance(state, KmState) for state in states)
    return states
