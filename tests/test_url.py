from __future__ import annotations

import warnings
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.config import Config
from srtpy.dialer import open_url
from srtpy.fields import CongestionType, CryptoMode, TransType
from srtpy.url import parse_url, split_address
from tests.vectors import vectors


def _shown(address: tuple[str, int]) -> str:
    return f"{address[0]}:{address[1]}"


@pytest.mark.parametrize("row", vectors("uri"), ids=lambda row: str(row["expected_fields"]["text"])[:40])
def test_known_answers(row: dict[str, Any]) -> None:
    text, expect = row["expected_fields"]["text"], row["expected_fields"]["expect"]
    url = parse_url(text)
    if "mode" in expect:
        assert url.mode == expect["mode"]
    if "remote" in expect:
        assert _shown(url.remote) == expect["remote"]
    for key in ("bind", "local"):
        if key in expect:
            assert _shown(url.local) == expect[key]
    if "port" in expect:
        assert url.local[1] == expect["port"]
    for key, name in (("maxbw", "max_bw"), ("inputbw", "input_bw"), ("mininputbw", "min_input_bw")):
        if key in expect:
            assert url.fields[name] == expect[key]
    if "overhead_pct" in expect:
        assert url.fields["overhead_bw"] == expect["overhead_pct"]


def test_a_url_full_of_options() -> None:
    [row] = [row for row in vectors("uri") if "conntimeo" in row["expected_fields"]["text"]]
    config = Config.from_url(row["expected_fields"]["text"])
    assert config == Config(
        conn_timeout=10.0,
        fc=50000,
        ip_ttl=32,
        latency=0.042,
        linger=128.0,
        loss_max_ttl=256,
        mss=1300,
        payload_size=1234,
        peer_idle_timeout=4.242,
        recv_buf_size=22000000 // 1272,
        send_buf_size=23000000 // 1272,
        snd_drop_delay=0.084,
        stream_id="TheStreamID",
        passphrase="passphrase1234",
        key_length=32,
        km_refresh_rate=11000,
        km_pre_announce=33000,
    )


@pytest.mark.parametrize(
    ("value", "stream_id"),
    [
        ("#!::r=a/b,m=request", "#!::r=a/b,m=request"),
        ("%23%21%3A%3Ar%3Da%2Fb", "#!::r=a/b"),
        ("a+b%20c", "a+b c"),
        ("k=v?x#y:z", "k=v?x#y:z"),
        ("caf%C3%A9", "café"),
        ("café", "café"),
        ("100%", "100%"),
    ],
)
def test_stream_ids_survive(value: str, stream_id: str) -> None:
    assert Config.from_url(f"srt://h:1?streamid={value}&latency=200").stream_id == stream_id


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("200", 0.2), ("200ms", 0.2), ("0.2s", 0.2), ("200000us", 0.2), ("20.5", 0.0205), ("65535", 65.535)],
)
def test_units_of_latency(text: str, seconds: float) -> None:
    assert Config.from_url(f"srt://h:1?latency={text}").latency == seconds


@pytest.mark.parametrize(
    ("text", "rate"), [("20Mbps", 2_500_000), ("8kbps", 1000), ("-1", -1), ("0", 0), ("1000000", 1_000_000)]
)
def test_units_of_bandwidth(text: str, rate: int) -> None:
    assert Config.from_url(f"srt://h:1?maxbw={text}").max_bw == rate


def test_latency_in_microseconds_is_noticed() -> None:
    with pytest.raises(ValueError, match="microseconds, as in ffmpeg"):
        Config.from_url("srt://h:1?latency=200000")


def test_latency_left_out_leaves_the_peers_to_the_peer() -> None:
    assert Config.from_url("srt://h:1").effective_peer_latency == 0
    assert Config.from_url("srt://h:1").effective_recv_latency == 0.12
    assert Config.from_url("srt://h:1?rcvlatency=300").effective_peer_latency == 0
    config = Config.from_url("srt://h:1?latency=300&peerlatency=400")
    assert (config.effective_recv_latency, config.effective_peer_latency) == (0.3, 0.4)


def test_negatives_that_mean_something() -> None:
    config = Config.from_url("srt://h:1?maxrexmitbw=-1&snddropdelay=-1&ipttl=-1&iptos=-1&ipv6only=-1")
    assert (config.max_rexmit_bw, config.snd_drop_delay) == (0, -1.0)
    assert (config.ip_ttl, config.ip_tos, config.ipv6_only) == (None, None, None)


def test_versions() -> None:
    for text in ("1.4.0", "0x010400", "66560"):
        assert Config.from_url(f"srt://h:1?minversion={text}").min_version == 0x010400


def test_flags_and_blocking() -> None:
    config = Config.from_url("srt://h:1?nakreport=no&tlpktdrop=0&drifttracer=Off&retransmitalgo=0&blocking=false")
    assert (config.nak_report, config.tlpktdrop, config.drift_tracer) == (False, False, False)
    assert (config.retransmit_algo, config.snd_syn, config.rcv_syn) == (0, False, False)


def test_timeout() -> None:
    assert parse_url("srt://h:1?timeout=1500").timeout == 1.5
    assert parse_url("srt://h:1?timeout=-1").timeout is None
    assert parse_url("srt://h:1").timeout is None


def test_modes() -> None:
    assert parse_url("srt://h:1?mode=client").mode == "caller"
    assert parse_url("srt://h:1?mode=SERVER").mode == "listener"
    assert parse_url("srt://[::]:5000").mode == "caller"  # libsrt's documented oddity
    assert parse_url("srt://[::1]:5000").remote == ("::1", 5000)
    assert parse_url("srt://:5000?bind=127.0.0.1:4000").local == ("127.0.0.1", 5000)
    assert parse_url("srt://h:5000?bind=127.0.0.1:4000&mode=caller").local == ("127.0.0.1", 4000)
    assert parse_url("srt://[::1]:5000?mode=rendezvous").local == ("::", 5000)


@pytest.mark.parametrize(
    ("url", "match"),
    [
        ("udp://h:1", "not an srt:// URL"),
        ("h:1", "not an srt:// URL: 'h:1'; write srt://host:port, or srt://:port to listen"),
        ("srt://h", "no port"),
        ("srt://h:99999", "no port"),
        ("srt://::1:9000", "brackets"),
        ("srt://user:secret@h:1", "no user name"),
        ("srt://h:1?mode=both", "caller, listener or rendezvous"),
        ("srt://:1?mode=caller", "needs a host"),
        ("srt://h:1?port=x", "not a port"),
        ("srt://h:1?latency=soon", "latency=soon"),
        ("srt://h:1?latency=20parsec", "optional unit"),
        ("srt://h:1?latency=0.2", "latency=0.2 in the URL: less than 20 ms; a number without a unit is in milli"),
        ("srt://h:1?mss=many", "whole number"),
        ("srt://h:1?sndbuf=1000", "sndbuf=1000 in the URL: 47104 bytes or more"),
        ("srt://h:1?mss=1400&rcvbuf=0", "rcvbuf=0 in the URL: 43904 bytes or more"),
        ("srt://h:1?mss=9000", "76 to 1500"),
        ("srt://h:1?nakreport=maybe", "neither yes nor no"),
        ("srt://h:1?streamid=%FF", "UTF-8"),
        ("srt://h:1?packetfilter=fec", "packetfilter in the URL is not supported yet"),
        ("srt://h:1?transtype=bulk", "transtype=bulk in the URL: neither live nor file"),
        (
            "srt://h:1?congestion=bbr",
            "congestion='bbr' is out of range: None or a CongestionType: LIVE .'live'. or FILE",
        ),
        ("srt://h:1?pbkeylen=17", "key_length=17 is out of range: None or 16 or 24 or 32"),
        ("srt://h:1?pbkeylen=long", "not a whole number"),
        ("srt://h:1?cryptomode=3", "crypto_mode=3 is out of range"),
    ],
)
def test_mistakes_are_named(url: str, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        Config.from_url(url)


def test_secrets_are_not_printed() -> None:
    for value in ("correctly", "correct" * 12, "correct%FFhorse"):
        with pytest.raises(ValueError, match="passphrase") as caught:
            Config.from_url(f"srt://h:1?passphrase={value}")
        assert "correct" not in f"{caught.value!r} {caught.value.__cause__!r}"
    with pytest.raises(ValueError, match="this passphrase cannot stand in an ffmpeg URL") as caught:
        Config(passphrase="correct+horse").to_ffmpeg_url("h:1")
    assert "correct" not in str(caught.value)
    assert "correct" not in repr(parse_url("srt://h:1?passphrase=correcthorse"))
    with pytest.raises(ValueError) as caught:
        Config.from_url("srt://user:correcthorse@h:1")
    assert "correcthorse" not in str(caught.value)


def test_encryption() -> None:
    query = "passphrase=correct%26horse&pbkeylen=32&kmrefreshrate=1000&kmpreannounce=100&enforcedencryption=no"
    config = Config.from_url(f"srt://h:1?latency=120&cryptomode=2&{query}")
    assert config == Config(
        passphrase="correct&horse",
        key_length=32,
        crypto_mode=CryptoMode.GCM,
        km_refresh_rate=1000,
        km_pre_announce=100,
        enforced_encryption=False,
    )
    assert Config.from_url(config.to_url("h:1")) == config
    assert Config.from_url("srt://h:1?pbkeylen=0&passphrase=").key_length is None
    config = config.replace(passphrase="correct horse")
    written = config.to_ffmpeg_url("h:1").partition("?")[2].split("&")
    assert {"passphrase=correct+horse", "pbkeylen=32", "kmrefreshrate=1000", "kmpreannounce=100"} < set(written)
    assert "enforced_encryption=0" in written
    assert not [pair for pair in written if "cryptomode" in pair]


def test_file_mode() -> None:
    config = Config.from_url("srt://h:1?transtype=file&latency=120")
    assert config == Config(trans_type=TransType.FILE)
    assert Config.from_url(config.to_url("h:1")) == config
    config = Config.from_url("srt://h:1?latency=120&messageapi=1&congestion=vod&transtype=FILE")
    assert config == Config(trans_type=TransType.FILE, message_api=True, congestion=CongestionType.FILE)
    assert Config.from_url(config.to_url("h:1")) == config
    written = config.to_ffmpeg_url("h:1").partition("?")[2].split("&")
    assert {"transtype=file", "messageapi=1", "smoother=file"} < set(written)


def test_neutral_values_of_later_features_pass() -> None:
    Config.from_url("srt://h:1?transtype=live&congestion=live&messageapi=1&tsbpdmode=yes&pbkeylen=0&groupconnect=0")


def test_unknown_keys_are_warned_about() -> None:
    with pytest.warns(UserWarning, match="k2"):
        assert Config.from_url("srt://h:1?streamid=test?k1=v1&k2=v2").stream_id == "test?k1=v1"
    with pytest.warns(UserWarning, match="conntimeo"):
        Config.from_url("srt://h:1?connect_timeout=3000")
    with pytest.warns(UserWarning, match="path '/live/a' is left out.*streamid=live/a"):
        Config.from_url("srt://h:1/live/a?latency=200")


def test_a_warning_comes_once_and_points_at_the_caller() -> None:
    with pytest.warns(UserWarning, match="'k'") as told, pytest.raises(ValueError, match="mode=rendezvous"):
        open_url("srt://127.0.0.1:9?k=v&mode=rendezvous")
    assert [one.filename for one in told] == [__file__]


def test_written_for_libsrt() -> None:
    config = Config(latency=0.2, stream_id="#!::r=a&b 100%", max_bw=-1, send_buf_size=100, nak_report=False)
    url = config.to_url(("::1", 9000))
    assert url == (
        "srt://[::1]:9000?mode=caller&latency=200&maxbw=-1&sndbuf=147200&streamid=#!::r=a%26b%20100%25&nakreport=0"
    )
    assert Config.from_url(url) == config


def test_written_for_ffmpeg() -> None:
    config = Config(
        latency=0.2, snd_drop_delay=-1, conn_timeout=5, fc=8192, payload_size=1316, stream_id="a b", mss=1400,
        peer_idle_timeout=9, udp_recv_buf_size=1_000_000,
    )  # fmt: skip
    assert config.to_ffmpeg_url("host:9000", mode="listener") == (
        "srt://host:9000?mode=listener&latency=200000&connect_timeout=5000&snddropdelay=-1&mss=1400&ffs=8192"
        "&pkt_size=1316&streamid=a+b&recv_buffer_size=1000000"
    )
    with pytest.raises(ValueError, match="ffmpeg"):
        Config(stream_id="a+b").to_ffmpeg_url("host:9000")
    with pytest.raises(ValueError, match="mode"):
        Config().to_url("host:1", mode="sideways")


milliseconds = st.integers(20, 65535).map(lambda number: number / 1000)
text = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=100)


@given(
    latency=milliseconds,
    recv_latency=st.none() | milliseconds,
    peer_latency=st.none() | st.just(0.0) | milliseconds,
    stream_id=text,
    max_bw=st.none() | st.integers(-1, 1 << 40),
    mss=st.integers(200, 1500),
    send_buf_size=st.integers(32, 100000),
    snd_drop_delay=st.sampled_from([-1.0, 0.0, 0.25]),
    linger=st.none() | st.integers(0, 180).map(float),
    nak_report=st.none() | st.booleans(),
    ip_tos=st.none() | st.integers(0, 255),
)
def test_written_and_read_again(**fields: Any) -> None:
    config = Config(**fields)
    assert Config.from_url(config.to_url("h:1")) == config


@given(st.text(max_size=60))
def test_any_query_is_read_or_refused(query: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            Config.from_url("srt://h:1?" + query)
        except ValueError:
            return


def test_addresses() -> None:
    assert split_address("host:9000") == ("host", 9000)
    assert split_address(":9000") == ("", 9000)
    assert split_address("[::1%lo]:9000") == ("::1%lo", 9000)
    for bad in ("host", "host:", ":", "host:-1", "host:٣", "::1:9000", "[::1:9000"):
        with pytest.raises(ValueError):
            split_address(bad)
