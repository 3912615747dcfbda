from __future__ import annotations

from typing import Any

import pytest

import srtpy
from srtpy.config import Config
from srtpy.errors import (
    ConnClosedError,
    InvalidOptionError,
    PreConnectOnlyError,
    ReadOnlyOptionError,
    RejectedError,
    RejectReason,
    WouldBlockError,
)
from srtpy.fields import CryptoMode, TransType
from srtpy.inside import PollFlag
from srtpy.internal.handshake.offer import SRT_VERSION
from srtpy.internal.session.fate import ConnState
from srtpy.options import PRE_CONNECT_ONLY, TABLE, VERSION, BindingTime, KmState, SockOpt
from tests.connected import join, pair
from tests.internal.session.fakes import until

NUMBERS = {
    "MAX_BW": 0, "PAYLOAD_SIZE": 1, "RCV_LATENCY": 2, "SND_LATENCY": 3, "STATE": 4, "PEER_VERSION": 5, "STREAM_ID": 6,
    "MSS": 7, "FC": 8, "INPUT_BW": 9, "ISN": 10, "PEER_ISN": 11, "SND_KM_STATE": 12, "RCV_KM_STATE": 13,
    "KM_STATE": 14, "SND_DATA": 15, "RCV_DATA": 16, "SND_BUF": 17, "RCV_BUF": 18, "FLIGHT_SIZE": 19, "RTT": 20,
    "RTT_VAR": 21, "VERSION": 22, "CONGESTION": 23, "TRANS_TYPE": 24, "MESSAGE_API": 25, "TSBPD_MODE": 26,
    "TLPKTDROP": 27,
    "NAK_REPORT": 28, "RETRANSMIT_ALGO": 29, "PB_KEY_LEN": 30, "CRYPTO_MODE": 31, "PEER_IDLE_TIMEOUT": 32,
    "LINGER": 33, "EVENT": 34, "DRIFT_TRACER": 35, "MIN_VERSION": 37, "ENFORCED_ENCRYPTION": 38, "MAX_REXMIT_BW": 40,
    "OVERHEAD_BW": 41, "MIN_INPUT_BW": 42, "SND_DROP_DELAY": 43, "LOSS_MAX_TTL": 44, "SND_SYN": 45, "RCV_SYN": 46,
    "SND_TIMEO": 47, "RCV_TIMEO": 48,
}  # fmt: skip
SETTABLE = {
    "MAX_BW", "INPUT_BW", "LINGER", "OVERHEAD_BW", "MIN_INPUT_BW", "SND_DROP_DELAY", "LOSS_MAX_TTL", "SND_SYN",
    "RCV_SYN", "SND_TIMEO", "RCV_TIMEO",
}  # fmt: skip


def test_names_and_numbers() -> None:
    assert {option.name: int(option) for option in SockOpt} == NUMBERS
    assert set(TABLE) == set(SockOpt)
    assert {option.name for option, row in TABLE.items() if row.set} == SETTABLE
    assert str(SockOpt.MAX_BW) == "max_bw"


def test_binding_times() -> None:
    assert SockOpt.MAX_BW.binding is BindingTime.POST
    assert SockOpt.MSS.binding is BindingTime.PRE_BIND
    assert SockOpt.MIN_VERSION.binding is BindingTime.PRE
    assert {str(time) for time in BindingTime} == {"before binding", "before connecting", "any time"}


def test_values_at_the_beginning() -> None:
    expected: dict[SockOpt, object] = {
        SockOpt.MAX_BW: 125_000_000,
        SockOpt.PAYLOAD_SIZE: 1316,
        SockOpt.RCV_LATENCY: 0.02,
        SockOpt.SND_LATENCY: 0.02,
        SockOpt.STATE: ConnState.CONNECTED,
        SockOpt.PEER_VERSION: 0x010505,
        SockOpt.STREAM_ID: "live/a",
        SockOpt.MSS: 1500,
        SockOpt.FC: 8192,
        SockOpt.INPUT_BW: 0,
        SockOpt.ISN: 0x7FFFFFF0,
        SockOpt.PEER_ISN: 0x7FFFFFF0,
        SockOpt.SND_KM_STATE: KmState.UNSECURED,
        SockOpt.RCV_KM_STATE: KmState.UNSECURED,
        SockOpt.KM_STATE: KmState.UNSECURED,
        SockOpt.PB_KEY_LEN: 0,
        SockOpt.CRYPTO_MODE: CryptoMode.AUTO,
        SockOpt.ENFORCED_ENCRYPTION: True,
        SockOpt.SND_DATA: 0,
        SockOpt.RCV_DATA: 0,
        SockOpt.SND_BUF: 8192,
        SockOpt.RCV_BUF: 8192,
        SockOpt.FLIGHT_SIZE: 0,
        SockOpt.RTT: 0.1,
        SockOpt.RTT_VAR: 0.05,
        SockOpt.VERSION: SRT_VERSION,
        SockOpt.CONGESTION: "live",
        SockOpt.TRANS_TYPE: TransType.LIVE,
        SockOpt.MESSAGE_API: True,
        SockOpt.TSBPD_MODE: True,
        SockOpt.TLPKTDROP: True,
        SockOpt.NAK_REPORT: True,
        SockOpt.RETRANSMIT_ALGO: 1,
        SockOpt.PEER_IDLE_TIMEOUT: 5.0,
        SockOpt.LINGER: None,
        SockOpt.EVENT: PollFlag.OUT,
        SockOpt.DRIFT_TRACER: True,
        SockOpt.MIN_VERSION: 0x010000,
        SockOpt.MAX_REXMIT_BW: 0,
        SockOpt.OVERHEAD_BW: 25,
        SockOpt.MIN_INPUT_BW: 0,
        SockOpt.SND_DROP_DELAY: 0.0,
        SockOpt.LOSS_MAX_TTL: 0,
        SockOpt.SND_SYN: True,
        SockOpt.RCV_SYN: True,
        SockOpt.SND_TIMEO: None,
        SockOpt.RCV_TIMEO: None,
    }
    with pair(Config(latency=0.02, payload_size=1316, stream_id="live/a")) as (a, _):
        assert {option: a.get_option(option) for option in SockOpt} == expected
    assert VERSION == SRT_VERSION


def test_of_a_file() -> None:
    with pair(Config(trans_type=TransType.FILE)) as (a, b):
        shown = {
            SockOpt.TRANS_TYPE: TransType.FILE,
            SockOpt.CONGESTION: "file",
            SockOpt.MESSAGE_API: False,
            SockOpt.TSBPD_MODE: False,
            SockOpt.TLPKTDROP: False,
            SockOpt.NAK_REPORT: False,
            SockOpt.RETRANSMIT_ALGO: 0,
            SockOpt.LINGER: 180.0,
            SockOpt.MAX_BW: -1,
            SockOpt.RCV_LATENCY: 0,
            SockOpt.SND_LATENCY: 0,
        }
        assert {option: a.get_option(option) for option in shown} == shown
        a.write(bytes(10 * 1456))
        until(lambda: b.get_option(SockOpt.RCV_DATA) == 10)  # packets, however they are joined
        until(lambda: a.get_option(SockOpt.SND_DATA) == 0)
        a.set_option(SockOpt.LINGER, 0)
        b.set_option(SockOpt.LINGER, 0)
        assert a.get_option(SockOpt.LINGER) == 0


@pytest.mark.parametrize(
    ("mode", "size", "effective"), [(0, None, CryptoMode.CTR), (1, 24, CryptoMode.CTR), (2, 32, CryptoMode.GCM)]
)
def test_encryption(mode: int, size: int | None, effective: CryptoMode) -> None:
    config = Config(latency=0.02, passphrase="0123456789ab", crypto_mode=CryptoMode(mode), key_length=size)
    with srtpy.listen(("127.0.0.1", 0), config.replace(crypto_mode=CryptoMode.AUTO)) as listener:
        caller = srtpy.dial(listener.local_addr, config)
        with caller, listener.accept() as accepted:
            for one in (caller, accepted):
                for option in (SockOpt.SND_KM_STATE, SockOpt.RCV_KM_STATE, SockOpt.KM_STATE):
                    assert one.get_option(option) is KmState.SECURED
                assert one.get_option(SockOpt.PB_KEY_LEN) == size or 16
                assert one.get_option(SockOpt.CRYPTO_MODE) is effective
                assert one.get_option(SockOpt.PAYLOAD_SIZE) == (1440 if effective is CryptoMode.GCM else 1456)
            with pytest.raises(PreConnectOnlyError):
                caller.set_option(SockOpt.ENFORCED_ENCRYPTION, False)


STATES = {  # passphrases, caller's and listener's: states (sending, receiving) of the caller, of the listener
    ("same", "same"): ((2, 2), (2, 2)),
    ("same", "other"): ((4, 4), (4, 4)),
    ("same", ""): ((3, 0), (0, 3)),
    ("", "same"): ((0, 3), (3, 0)),
    ("", ""): ((0, 0), (0, 0)),
}


@pytest.mark.parametrize(("mine", "theirs"), STATES)
@pytest.mark.parametrize(("we_enforce", "they_enforce"), [(True, True), (True, False), (False, True), (False, False)])
def test_enforced_encryption(mine: str, theirs: str, we_enforce: bool, they_enforce: bool) -> None:
    words = {"same": "the same passphrase", "other": "another passphrase", "": ""}
    here = Config(latency=0.02, linger=0.0, passphrase=words[mine], enforced_encryption=we_enforce)
    there = here.replace(passphrase=words[theirs], enforced_encryption=they_enforce)
    with srtpy.listen(("127.0.0.1", 0), there) as listener:
        if mine != theirs and (we_enforce or they_enforce):
            with pytest.raises(RejectedError) as refused:
                srtpy.dial(listener.local_addr, here)
            assert refused.value.reason == (RejectReason.UNSECURE if "" in (mine, theirs) else RejectReason.BAD_SECRET)
            return
        caller = srtpy.dial(listener.local_addr, here)
        with caller, listener.accept() as accepted:
            states = tuple(
                (one.get_option(SockOpt.SND_KM_STATE), one.get_option(SockOpt.RCV_KM_STATE))
                for one in (caller, accepted)
            )
            assert states == STATES[mine, theirs]
            assert caller.get_option(SockOpt.KM_STATE) == states[0][0]
            assert accepted.get_option(SockOpt.KM_STATE) == states[1][1]
            assert str(KmState.BAD_SECRET) == "bad_secret"


@pytest.mark.parametrize(
    ("option", "value", "kept"),
    [
        (SockOpt.MAX_BW, 1_000_000, 1_000_000),
        (SockOpt.MAX_BW, -1, -1),
        (SockOpt.MAX_BW, None, 125_000_000),
        (SockOpt.INPUT_BW, 5000, 5000),
        (SockOpt.MIN_INPUT_BW, 5000, 5000),
        (SockOpt.OVERHEAD_BW, 50, 50),
        (SockOpt.LINGER, 1, 1.0),
        (SockOpt.LINGER, 500, 180.0),
        (SockOpt.LINGER, -1, 0.0),
        (SockOpt.LINGER, None, None),
        (SockOpt.SND_DROP_DELAY, 0.5, 0.5),
        (SockOpt.SND_DROP_DELAY, -1, -1.0),
        (SockOpt.LOSS_MAX_TTL, 5, 5),
        (SockOpt.LOSS_MAX_TTL, -5, 0),
        (SockOpt.SND_TIMEO, 0.5, 0.5),
        (SockOpt.RCV_TIMEO, -1, None),
        (SockOpt.RCV_SYN, False, False),
        (SockOpt.SND_SYN, False, False),
    ],
)
def test_what_is_set_is_kept(option: SockOpt, value: Any, kept: object) -> None:
    with pair() as (a, _):
        a.set_option(option, value)
        assert a.get_option(option) == kept


def test_what_is_set_has_effect() -> None:
    with pair() as (a, b):
        a.set_option(SockOpt.MAX_BW, 0)
        a.set_option(SockOpt.INPUT_BW, 1_000_000)
        a.set_option(SockOpt.OVERHEAD_BW, 100)
        assert a.stats().mbps_max_bw == 16.0
        a.set_option(SockOpt.LINGER, 0)
        assert a._session.linger == 0
        b.set_option(SockOpt.LOSS_MAX_TTL, 7)
        b.set_option(SockOpt.SND_DROP_DELAY, 1.0)
        b.set_option(SockOpt.RCV_SYN, False)
        with pytest.raises(WouldBlockError):
            b.read()
        b.set_option(SockOpt.RCV_SYN, True)
        b.set_option(SockOpt.RCV_TIMEO, 0.01)
        with pytest.raises(TimeoutError):
            b.read()


@pytest.mark.parametrize(
    ("option", "value", "error"),
    [
        (SockOpt.MAX_BW, -2, ValueError),
        (SockOpt.MAX_BW, "much", TypeError),
        (SockOpt.INPUT_BW, -1, ValueError),
        (SockOpt.MIN_INPUT_BW, -1, ValueError),
        (SockOpt.OVERHEAD_BW, 4, ValueError),
        (SockOpt.OVERHEAD_BW, 101, ValueError),
        (SockOpt.LINGER, "long", TypeError),
        (SockOpt.LOSS_MAX_TTL, 1.5, TypeError),
        (SockOpt.SND_SYN, 1, TypeError),
        (SockOpt.SND_TIMEO, "soon", TypeError),
        (SockOpt.RCV_TIMEO, float("nan"), ValueError),
    ],
)
def test_bad_values_change_nothing(option: SockOpt, value: Any, error: type[Exception]) -> None:
    with pair() as (a, _):
        before = a.get_option(option)
        with pytest.raises(error):
            a.set_option(option, value)
        assert a.get_option(option) == before


def test_read_only_and_unknown_options() -> None:
    with pair() as (a, _):
        for option in SockOpt:
            if option.name in SETTABLE:
                continue
            expected = PreConnectOnlyError if option in PRE_CONNECT_ONLY else ReadOnlyOptionError
            with pytest.raises(expected, match=option.name) as caught:
                a.set_option(option, 1)
            assert isinstance(caught.value, ValueError)
            assert "any time" not in str(caught.value)
        for bad in (36, 999, "MAX_BW", None):
            with pytest.raises(InvalidOptionError):
                a.get_option(bad)  # type: ignore[arg-type]
            with pytest.raises(InvalidOptionError):
                a.set_option(bad, 1)  # type: ignore[arg-type]


def test_after_close_only_the_state_can_be_read() -> None:
    with pair() as (a, _):
        pass
    assert a.get_option(SockOpt.STATE) is ConnState.CLOSED
    with pytest.raises(ConnClosedError):
        a.get_option(SockOpt.RTT)
    with pytest.raises(ConnClosedError):
        a.set_option(SockOpt.MAX_BW, 1)


def test_data_and_events() -> None:
    a, b, cable, _ = join(Config(latency=0.4))
    with b, a:
        cable.is_plugged = False
        a.write_many([b"one", b"two"])
        assert a.get_option(SockOpt.SND_DATA) == 2
        cable.is_plugged = True
        while b.get_option(SockOpt.RCV_DATA) < 2:
            pass
        assert b.get_option(SockOpt.EVENT) == PollFlag.IN | PollFlag.OUT
        assert b.read_many() == [b"one", b"two"]
        assert b.get_option(SockOpt.EVENT) == PollFlag.OUT
        a._session.shut_down()
        while b.state is ConnState.CONNECTED:
            pass
        assert b.get_option(SockOpt.EVENT) == PollFlag.IN | PollFlag.OUT | PollFlag.ERR
