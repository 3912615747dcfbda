from __future__ import annotations

import copy
import logging
import pickle
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.config import Config, default_config
from srtpy.fields import CongestionType, CryptoMode, TransType
from srtpy.limits import DEFAULT_MAX_BW
from srtpy.log import LogCategory, LogLevel
from srtpy.settings import RULES
from srtpy.url import parse_url

DEFAULTS: dict[str, object] = {
    "trans_type": TransType.LIVE,
    "message_api": None,
    "congestion": None,
    "latency": 0.120,
    "recv_latency": None,
    "peer_latency": None,
    "mss": 1500,
    "fc": 25600,
    "send_buf_size": 8192,
    "recv_buf_size": 8192,
    "payload_size": 0,
    "max_bw": None,
    "input_bw": 0,
    "min_input_bw": 0,
    "overhead_bw": 25,
    "max_rexmit_bw": 0,
    "conn_timeout": 3.0,
    "peer_idle_timeout": 5.0,
    "data_idle_timeout": None,
    "loss_max_ttl": 0,
    "snd_drop_delay": 0.0,
    "stream_id": "",
    "passphrase": "",
    "key_length": None,
    "crypto_mode": 0,
    "km_refresh_rate": 1 << 24,
    "km_pre_announce": None,
    "enforced_encryption": True,
    "min_version": 0x010000,
    "linger": None,
    "nak_report": None,
    "retransmit_algo": None,
    "drift_tracer": True,
    "tlpktdrop": None,
    "snd_syn": True,
    "rcv_syn": True,
    "udp_send_buf_size": 0,
    "udp_recv_buf_size": 0,
    "ip_ttl": None,
    "ip_tos": None,
    "ipv6_only": None,
    "bind_to_device": "",
    "logger": None,
}


def test_defaults() -> None:
    config = default_config()
    assert {one.name: getattr(config, one.name) for one in fields(config)} == DEFAULTS


@pytest.mark.parametrize("size", [10, 79, 80])
def test_passphrases_that_fit(size: int) -> None:
    assert Config(passphrase="x" * size).passphrase == "x" * size
    assert Config(passphrase="ü" * (size // 2)).passphrase


@pytest.mark.parametrize("text", ["x" * 9, "x" * 81, "ü" * 41, "secret\udc80 and more"])
def test_passphrases_that_do_not_fit_are_not_shown(text: str) -> None:
    with pytest.raises(ValueError, match=r"passphrase=<hidden> is out of range: 10 to 80 bytes") as caught:
        Config(passphrase=text)
    assert text not in str(caught.value)
    assert caught.value.__cause__ is None


def test_a_passphrase_is_never_shown() -> None:
    config = Config(passphrase="correct horse", latency=0.2)
    for shown in (repr(config), str(config), f"{config}", repr(parse_url(config.to_url("host:1")))):
        assert "correct" not in shown
    assert "passphrase=<hidden>" in repr(config)
    with pytest.raises(TypeError, match="10 to 80 bytes of UTF-8, or nothing, not bytes"):
        Config(passphrase=b"correct horse")  # type: ignore[arg-type]


def test_encryption_in_a_table() -> None:
    assert [Config(key_length=size).key_length for size in (None, 16, 24, 32)] == [None, 16, 24, 32]
    assert Config(crypto_mode=2).crypto_mode is CryptoMode.GCM  # type: ignore[arg-type]
    assert str(CryptoMode.GCM) == "gcm"
    for wrong in ({"key_length": 17}, {"crypto_mode": 3}, {"km_refresh_rate": (1 << 30) + 1}, {"km_pre_announce": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            Config(**wrong)  # type: ignore[arg-type]
    for wrong_type in ({"key_length": "16"}, {"crypto_mode": "gcm"}, {"enforced_encryption": 1}):
        with pytest.raises(TypeError):
            Config(**wrong_type)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"km_refresh_rate": 100, "km_pre_announce": 50}, "too early: at most 49 packets"),
        ({"passphrase": "0123456789", "crypto_mode": 2, "payload_size": 1441}, "at most 1440 bytes"),
    ],
)
def test_encryption_across_fields(fields: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Config(**fields).validate()


def test_encryption_that_fits() -> None:
    Config(km_refresh_rate=100, km_pre_announce=49).validate()
    Config(km_refresh_rate=0, km_pre_announce=49).validate()
    Config(passphrase="0123456789", crypto_mode=CryptoMode.GCM, payload_size=1440).validate()


def test_keywords_only() -> None:
    make: Any = Config  # what a type checker says of this call depends on its version
    with pytest.raises(TypeError):
        make("0.2")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("latency", value) for value in (0, 0.019, 65.536, -1, 120, float("nan"), float("inf"))),
        ("recv_latency", 0.001),
        ("peer_latency", 0.001),
        *(("mss", value) for value in (75, 1501)),
        *((name, value) for name in ("fc", "send_buf_size", "recv_buf_size") for value in (31, 0, -1, 1 << 40)),
        *(("payload_size", value) for value in (1, 31, 1457, -1)),
        ("max_bw", -2),
        *((name, -1) for name in ("input_bw", "min_input_bw", "max_rexmit_bw", "loss_max_ttl")),
        *(("overhead_bw", value) for value in (0, 4, 101)),
        *(("conn_timeout", value) for value in (0, -1)),
        ("peer_idle_timeout", 0.5),
        ("data_idle_timeout", 0),
        *(("linger", value) for value in (-1, 181)),
        ("retransmit_algo", 2),
        *(("ip_ttl", value) for value in (0, 256, -2)),
        *(("ip_tos", value) for value in (256, -2)),
        *(("min_version", value) for value in (0, 1 << 24, "1.4", "1.4.256", "one.two.three", "1.4.0.0")),
        *(("stream_id", value) for value in ("x" * 513, "é" * 257, "nul\0", "\ud800")),
        ("bind_to_device", "x" * 16),
    ],
)
def test_out_of_range(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"^{name}=.*out of range: ") as caught:
        Config(**{name: value})
    assert RULES[name].allowed() in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, "1") for name, rule in RULES.items() if rule.kind in ("seconds", "whole", "flag")),
        *((name, True) for name, rule in RULES.items() if rule.kind in ("seconds", "whole", "version", "text")),
        *((name, None) for name, rule in RULES.items() if not rule.none),
        ("mss", 1500.0),
        ("stream_id", b"bytes"),
        ("drift_tracer", 1),
        ("logger", print),
    ],
)
def test_wrong_type(name: str, value: Any) -> None:
    with pytest.raises(TypeError, match=f"^{name} takes "):
        Config(**{name: value})


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if rule.kind == "seconds"])
def test_milliseconds_are_noticed(name: str) -> None:
    """What is usual in milliseconds is refused in seconds, but where so long a time makes sense."""
    if name == "data_idle_timeout":  # a standby may be quiet for hours
        assert Config(data_idle_timeout=7200).data_idle_timeout == 7200.0
        return
    with pytest.raises(
        ValueError, match=rf"^{name}=3000 is out of range: .*; did you mean 3\.0 seconds \(3000 ms\)\?$"
    ):
        Config(**{name: 3000})  # type: ignore[arg-type]


def test_long_waits_are_possible() -> None:
    config = Config(conn_timeout=600, peer_idle_timeout=900.0, snd_drop_delay=60, linger=180, latency=8)
    config.snd_drop_delay = -1e6
    assert Config.from_url("srt://h:1?conntimeo=900000&peeridletimeo=900000").conn_timeout == 900.0


def test_assignment_is_checked() -> None:
    config = Config()
    config.latency = 1
    assert config.latency == 1.0
    with pytest.raises(ValueError):
        config.latency = 200
    assert config.latency == 1.0


def test_unknown_fields() -> None:
    with pytest.raises(TypeError, match="did you mean 'latency'"):
        Config(latncy=1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="'stream_id'"):
        Config().replace(streamid="x")  # type: ignore[call-arg]
    with pytest.raises(AttributeError, match="did you mean 'recv_latency'"):
        Config().recvlatency = 1


def test_versions_as_text() -> None:
    assert Config(min_version="1.4.3").min_version == 0x010403


def test_minus_one_is_none() -> None:
    config = Config(ip_ttl=-1, ip_tos=-1, ipv6_only=-1)  # type: ignore[arg-type]
    assert (config.ip_ttl, config.ip_tos, config.ipv6_only) == (None, None, None)
    assert Config(ipv6_only=1).ipv6_only is True  # type: ignore[arg-type]


def test_loggers() -> None:
    class Sink:
        def log(self, level: LogLevel, category: LogCategory, socket_id: int, message: str) -> None:
            pass

    assert Config(logger=Sink()).logger is not None
    assert Config(logger=logging.getLogger("x")).logger is logging.getLogger("x")


def test_copies_are_independent() -> None:
    config = Config(latency=0.2, stream_id="a")
    for twin in (config.copy(), copy.copy(config), copy.deepcopy(config), pickle.loads(pickle.dumps(config))):
        assert twin == config
        twin.latency = 0.3
        assert config.latency == 0.2
    assert config.replace(latency=0.5) == Config(latency=0.5, stream_id="a")
    with pytest.raises(ValueError):
        config.replace(latency=500)


def test_repr_shows_what_was_set() -> None:
    assert repr(Config()) == "Config()"
    assert repr(Config(latency=0.2, stream_id="a")) == "Config(latency=0.2, stream_id='a')"


def test_fields_that_contradict_each_other() -> None:
    Config(mss=1400, payload_size=1356).validate()
    with pytest.raises(ValueError, match="payload_size=1357 does not fit mss=1400: at most 1356"):
        Config(mss=1400, payload_size=1357).validate()


def test_what_none_stands_for() -> None:
    config = Config(latency=0.2)
    assert (config.effective_recv_latency, config.effective_peer_latency) == (0.2, 0.2)
    config = Config(latency=0.2, recv_latency=0.3, peer_latency=0)
    assert (config.effective_recv_latency, config.effective_peer_latency) == (0.3, 0)
    config = Config()
    assert config.effective_max_bw == DEFAULT_MAX_BW
    assert (config.effective_nak_report, config.effective_tlpktdrop, config.effective_retransmit_algo) == (
        True,
        True,
        1,
    )
    config = Config(max_bw=-1, nak_report=False, tlpktdrop=False, retransmit_algo=0)
    assert config.effective_max_bw == -1
    assert (config.effective_nak_report, config.effective_tlpktdrop, config.effective_retransmit_algo) == (
        False,
        False,
        0,
    )


def test_what_none_stands_for_in_file_mode() -> None:
    config = Config(trans_type=TransType.FILE)
    assert config.is_file
    assert (config.effective_recv_latency, config.effective_peer_latency) == (0, 0)
    assert (config.effective_nak_report, config.effective_tlpktdrop, config.effective_retransmit_algo) == (
        False,
        False,
        0,
    )
    assert config.effective_message_api is False
    assert config.effective_congestion is CongestionType.FILE
    assert config.effective_linger == 180
    assert config.effective_max_bw == -1
    assert config.effective_payload_size == 1456
    config.validate()
    config = config.replace(linger=2, message_api=True, max_bw=0, nak_report=True, retransmit_algo=1, payload_size=1316)
    assert (config.effective_linger, config.effective_message_api, config.effective_max_bw) == (2, True, 0)
    assert (config.effective_nak_report, config.effective_retransmit_algo, config.effective_payload_size) == (
        True,
        1,
        1316,
    )
    config.validate()


def test_what_none_stands_for_in_live_mode() -> None:
    config = Config()
    assert not config.is_file
    assert config.effective_message_api is True
    assert config.effective_congestion is CongestionType.LIVE
    assert config.effective_linger is None


def test_modes_are_members_or_their_values() -> None:
    assert Config(trans_type=1).trans_type is TransType.FILE  # type: ignore[arg-type]
    assert Config(congestion="file").congestion is CongestionType.FILE
    assert (str(TransType.FILE), str(CongestionType.FILE)) == ("file", "file")
    for wrong in ({"trans_type": 2}, {"congestion": "bbr"}):
        with pytest.raises(ValueError, match=f"{next(iter(wrong))}="):
            Config(**wrong)
    for wrong_type in ({"trans_type": "file"}, {"trans_type": True}, {"congestion": 1}, {"message_api": 1}):
        with pytest.raises(TypeError):
            Config(**wrong_type)


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"message_api": False}, "message_api=False makes a stream of bytes, and live mode"),
        ({"trans_type": 1, "congestion": "live"}, "congestion='live' paces messages"),
        ({"trans_type": 1, "crypto_mode": 2}, "crypto_mode=GCM works in live mode only"),
    ],
)
def test_modes_that_do_not_go_together(fields: dict[str, Any], match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Config(**fields).validate()


def test_derived_sizes() -> None:
    assert Config().largest_payload == Config().effective_payload_size == 1456
    assert Config(payload_size=1316).effective_payload_size == 1316
    assert Config(mss=1000, payload_size=1316).effective_payload_size == 956
    assert Config(fc=100).effective_recv_buf_size == 100
    assert Config(fc=100, recv_buf_size=50).effective_recv_buf_size == 50


def test_addresses_for_urls_may_be_tuples() -> None:
    assert Config().to_url(("host", 1)) == Config().to_url("host:1")
    assert Config().to_ffmpeg_url(("host", 1)) == Config().to_ffmpeg_url("host:1")


@given(st.sampled_from(sorted(RULES)), st.one_of(st.integers(), st.floats(), st.text(max_size=20), st.none()))
def test_anything_is_taken_or_refused(name: str, value: Any) -> None:
    config = Config()
    try:
        setattr(config, name, value)
    except (TypeError, ValueError):
        assert config == Config()
