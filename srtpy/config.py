"""Every setting of a connection, with its unit, default, range and libsrt's name for it.

Lives here: `Config`, the table of its fields, the checks on assignment and across fields,
what `None` stands for.
Never here: what a setting makes anyone do; URLs' grammar and units (url.py); options of a
running connection (options.py).
Draft: none; libsrt's socket options (SRTO_*), in seconds, packets and bytes per second.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final, Self, TypedDict, Unpack, cast

from srtpy.fields import (
    LONGEST,
    MOST_PACKETS,
    CryptoMode,
    Rule,
    choice,
    flag,
    mode,
    rate,
    seconds,
    secret,
    text,
    version,
    whole,
)
from srtpy.log import Logger
from srtpy.url import ffmpeg_query, libsrt_query, parse_url, split_address, write_url

DEFAULT_LATENCY: Final = 0.120
DEFAULT_MSS: Final = 1500
DEFAULT_FC: Final = 25600
DEFAULT_SEND_BUF_SIZE: Final = 8192
DEFAULT_RECV_BUF_SIZE: Final = 8192
DEFAULT_MAX_BW: Final = 125_000_000
DEFAULT_OVERHEAD_BW: Final = 25
DEFAULT_CONN_TIMEOUT: Final = 3.0
DEFAULT_PEER_IDLE_TIMEOUT: Final = 5.0
DEFAULT_KM_REFRESH_RATE: Final = 1 << 24
DEFAULT_KM_PRE_ANNOUNCE: Final = 1 << 16
MIN_LATENCY: Final = 0.020
MAX_LATENCY: Final = 65.535
MIN_MSS: Final = 76
MAX_MSS: Final = 1500
MIN_PAYLOAD: Final = 32
MIN_BUF_SIZE: Final = 32
MIN_FC: Final = 32
MAX_LINGER: Final = 180.0
MAX_STREAM_ID: Final = 512
MIN_PASSPHRASE: Final = 10
MAX_PASSPHRASE: Final = 80

PACKET_OVERHEAD: Final = 44
"""Bytes of IP, UDP and SRT header in each packet: what a packet carries is at most MSS - 44."""

_LARGEST_SOCKET_BUFFER: Final = (1 << 31) - 1
_LONGEST_KEY_USE: Final = 1 << 30
_GCM_TAG: Final = 16


class ConfigFields(TypedDict, total=False):
    """The fields of `Config` as keywords, for `dial(..., latency=0.2)` and the like."""

    latency: float
    recv_latency: float | None
    peer_latency: float | None
    mss: int
    fc: int
    send_buf_size: int
    recv_buf_size: int
    payload_size: int
    max_bw: int | None
    input_bw: int
    min_input_bw: int
    overhead_bw: int
    max_rexmit_bw: int
    conn_timeout: float
    peer_idle_timeout: float
    data_idle_timeout: float | None
    loss_max_ttl: int
    snd_drop_delay: float
    stream_id: str
    passphrase: str
    key_length: int | None
    crypto_mode: CryptoMode
    km_refresh_rate: int
    km_pre_announce: int | None
    enforced_encryption: bool
    min_version: int | str
    linger: float | None
    nak_report: bool | None
    retransmit_algo: int | None
    drift_tracer: bool
    tlpktdrop: bool | None
    snd_syn: bool
    rcv_syn: bool
    udp_send_buf_size: int
    udp_recv_buf_size: int
    ip_ttl: int | None
    ip_tos: int | None
    ipv6_only: bool | None
    bind_to_device: str
    logger: logging.Logger | Logger | None


@dataclass(slots=True, init=False, repr=False)
class Config:
    """The settings of a connection: keywords only, each checked when it is assigned.

    Durations are seconds, bandwidths bytes per second, buffers and windows packets.  `None` means
    "not set"; the properties `effective_*` say what that comes to.

    Raises:
        TypeError: an unknown field, or a value of the wrong type.
        ValueError: a value out of range; the text names the field, the value and the range.
    """

    latency: float = seconds(
        DEFAULT_LATENCY,
        "how long after it was written a message is read, both ways",
        "SRTO_LATENCY",
        MIN_LATENCY,
        MAX_LATENCY,
    )
    recv_latency: float | None = seconds(
        None, "the same, for what we receive; None: latency", "SRTO_RCVLATENCY", MIN_LATENCY, MAX_LATENCY, none=True
    )
    peer_latency: float | None = seconds(
        None,
        "the same, for what the peer receives; None: latency",
        "SRTO_PEERLATENCY",
        MIN_LATENCY,
        MAX_LATENCY,
        none=True,
        also=(0,),
    )
    mss: int = whole(DEFAULT_MSS, "largest IP packet", "SRTO_MSS", "bytes", MIN_MSS, MAX_MSS)
    fc: int = whole(
        DEFAULT_FC, "largest flow window: packets on their way at once", "SRTO_FC", "packets", MIN_FC, MOST_PACKETS
    )
    send_buf_size: int = whole(
        DEFAULT_SEND_BUF_SIZE,
        "room for what is not yet acknowledged",
        "SRTO_SNDBUF",
        "packets",
        MIN_BUF_SIZE,
        MOST_PACKETS,
    )
    recv_buf_size: int = whole(
        DEFAULT_RECV_BUF_SIZE,
        "room for what is not yet read; never more than fc",
        "SRTO_RCVBUF",
        "packets",
        MIN_BUF_SIZE,
        MOST_PACKETS,
    )
    payload_size: int = whole(
        0,
        "largest message written; 0: mss - 44",
        "SRTO_PAYLOADSIZE",
        "bytes",
        MIN_PAYLOAD,
        MAX_MSS - PACKET_OVERHEAD,
        also=(0,),
    )
    max_bw: int | None = rate(
        None,
        "sending rate, headers included; None: 125,000,000, -1: unlimited, 0: from the input",
        "SRTO_MAXBW",
        low=-1,
        none=True,
    )
    input_bw: int = rate(0, "rate of the input, for max_bw=0; 0: measured", "SRTO_INPUTBW")
    min_input_bw: int = rate(0, "the least the measured rate counts for", "SRTO_MININPUTBW")
    overhead_bw: int = whole(
        DEFAULT_OVERHEAD_BW, "added to the input's rate for what is sent again", "SRTO_OHEADBW", "percent", 5, 100
    )
    max_rexmit_bw: int = rate(0, "rate of what is sent again; 0: unlimited", "SRTO_MAXREXMITBW")
    conn_timeout: float = seconds(DEFAULT_CONN_TIMEOUT, "how long dial tries", "SRTO_CONNTIMEO", 0.001)
    peer_idle_timeout: float = seconds(
        DEFAULT_PEER_IDLE_TIMEOUT,
        "silence after which the connection is broken (2 s at least)",
        "SRTO_PEERIDLETIMEO",
        1.0,
    )
    data_idle_timeout: float | None = seconds(
        None, "the same for data: a peer that only keeps alive; None: no limit", "ours", 0.001, none=True
    )
    loss_max_ttl: int = whole(
        0,
        "packets to wait for one out of order before it is reported lost",
        "SRTO_LOSSMAXTTL",
        "packets",
        0,
        MOST_PACKETS,
    )
    snd_drop_delay: float = seconds(
        0.0,
        "added to the latency before what is late is not sent any more; negative: never",
        "SRTO_SNDDROPDELAY",
        -LONGEST,
    )
    stream_id: str = text("what the caller wants, for the listener to judge", "SRTO_STREAMID", MAX_STREAM_ID)
    passphrase: str = secret(
        "what both ends know, to encrypt; empty: in clear", "SRTO_PASSPHRASE", MIN_PASSPHRASE, MAX_PASSPHRASE
    )
    key_length: int | None = choice(
        None, "bytes of a key; None: the other side's choice, else 16", "SRTO_PBKEYLEN", (16, 24, 32), none=True
    )
    crypto_mode: CryptoMode = mode(  # noqa: RUF009 - a field as the others
        CryptoMode.AUTO, "how to encrypt; AUTO: the caller's choice, CTR", "SRTO_CRYPTOMODE"
    )
    km_refresh_rate: int = whole(
        DEFAULT_KM_REFRESH_RATE,
        "packets a key is used for; 0: as long as is safe",
        "SRTO_KMREFRESHRATE",
        "packets",
        0,
        _LONGEST_KEY_USE,
    )
    km_pre_announce: int | None = whole(
        None,
        "packets before its use that a new key is announced; None: 65536, or half of km_refresh_rate",
        "SRTO_KMPREANNOUNCE",
        "packets",
        0,
        _LONGEST_KEY_USE,
        none=True,
    )
    enforced_encryption: bool = flag(True, "no connection without a common key", "SRTO_ENFORCEDENCRYPTION")
    min_version: int = version(0x010000, "oldest SRT version of a peer", "SRTO_MINVERSION")
    linger: float | None = seconds(
        None,
        "how long close waits; None: until the peer has played everything",
        "SRTO_LINGER",
        0.0,
        MAX_LINGER,
        none=True,
    )
    nak_report: bool | None = flag(None, "report losses again and again; None: yes", "SRTO_NAKREPORT", none=True)
    retransmit_algo: int | None = whole(
        None, "1: not again within a round trip; None: 1", "SRTO_RETRANSMITALGO", "(which algorithm)", 0, 1, none=True
    )
    drift_tracer: bool = flag(True, "follow the peer's clock", "SRTO_DRIFTTRACER")
    tlpktdrop: bool | None = flag(None, "skip what is too late; None: yes", "SRTO_TLPKTDROP", none=True)
    snd_syn: bool = flag(True, "writing may wait", "SRTO_SNDSYN")
    rcv_syn: bool = flag(True, "reading may wait", "SRTO_RCVSYN")
    udp_send_buf_size: int = whole(
        0, "the kernel's send buffer; 0: enough", "SRTO_UDP_SNDBUF", "bytes", 0, _LARGEST_SOCKET_BUFFER
    )
    udp_recv_buf_size: int = whole(
        0, "the kernel's receive buffer; 0: enough", "SRTO_UDP_RCVBUF", "bytes", 0, _LARGEST_SOCKET_BUFFER
    )
    ip_ttl: int | None = whole(
        None,
        "hops a packet may take; None: the system's",
        "SRTO_IPTTL",
        "hops",
        1,
        255,
        none=True,
        minus_one_is_none=True,
    )
    ip_tos: int | None = whole(
        None,
        "type of service; None: the system's",
        "SRTO_IPTOS",
        "(type of service)",
        0,
        255,
        none=True,
        minus_one_is_none=True,
    )
    ipv6_only: bool | None = flag(
        None,
        "an IPv6 socket takes no IPv4; None: the system's, both when listening on every address",
        "SRTO_IPV6ONLY",
        none=True,
        minus_one_is_none=True,
    )
    bind_to_device: str = text("network interface (Linux; needs the right to)", "SRTO_BINDTODEVICE", 15)
    logger: logging.Logger | Logger | None = field(
        default=None,
        compare=False,
        metadata={"rule": Rule(means="where log lines go; None: logging's srtpy.*", kind="logger", none=True)},
    )

    def __init__(self, **changes: Unpack[ConfigFields]) -> None:
        for one in fields(self):
            object.__setattr__(self, one.name, one.default)
        self._assign(cast(Mapping[str, object], changes))

    def __setattr__(self, name: str, value: object) -> None:
        rule = RULES.get(name)
        if rule is None:
            raise AttributeError(f"Config has no field {name!r}{did_you_mean(name)}")
        object.__setattr__(self, name, rule.checked(name, value))

    def __repr__(self) -> str:
        shown = []
        for one in fields(self):
            value = getattr(self, one.name)
            if value != one.default:
                shown.append(f"{one.name}=" + ("<hidden>" if RULES[one.name].secret else repr(value)))
        return f"Config({', '.join(shown)})"

    def _assign(self, changes: Mapping[str, object]) -> None:
        for name, value in changes.items():
            if name not in RULES:
                raise TypeError(f"Config has no field {name!r}{did_you_mean(name)}")
            setattr(self, name, value)

    def copy(self) -> Self:
        """Return an independent copy."""
        return self.replace()

    def replace(self, **changes: Unpack[ConfigFields]) -> Self:
        """Return a copy with some fields changed; each is checked as on assignment."""
        twin = type(self)()
        for one in fields(self):
            object.__setattr__(twin, one.name, getattr(self, one.name))
        twin._assign(cast(Mapping[str, object], changes))
        return twin

    @classmethod
    def from_url(cls, url: str) -> Self:
        """Return the settings in an srt:// URL's query, read as srt-live-transmit reads them.

        Times are milliseconds unless a unit follows (`latency=200`, `200ms`, `0.2s`, `200000us`), buffers
        are bytes, bandwidths bytes per second or with a unit (`maxbw=20Mbps`).  Without `latency` the peer's
        latency is left to the peer, as libsrt does.  An unknown key is warned about.

        Raises:
            ValueError: not an srt:// URL, or a value that cannot be; the text names the key or field.
        """
        config = cls()
        config._assign(parse_url(url).fields)
        return config

    def to_url(self, address: str | tuple[str, int], mode: str = "caller") -> str:
        """Return an srt:// URL for libsrt's applications and `from_url`: times in milliseconds.

        The passphrase is in it, if there is one: it is for a program, not for a screen or a log.
        What is at its default is left out, but for the latency; `data_idle_timeout`, the UDP buffer sizes
        and the logger have no key.
        """
        host, port = split_address(address) if isinstance(address, str) else address[:2]
        return write_url(mode, host, port, libsrt_query(self._changed(), self.mss))

    def to_ffmpeg_url(self, address: str | tuple[str, int], mode: str = "caller") -> str:
        """Return an srt:// URL for ffmpeg: latencies in microseconds, keys in its spelling.

        Raises:
            ValueError: a stream id or passphrase with "&" or "+", which ffmpeg's URLs cannot hold.
        """
        host, port = split_address(address) if isinstance(address, str) else address[:2]
        return write_url(mode, host, port, ffmpeg_query(self._changed(), self.mss))

    def _changed(self) -> dict[str, object]:
        values = {one.name: (getattr(self, one.name), one.default) for one in fields(self)}
        return {name: value for name, (value, default) in values.items() if value != default or name == "latency"}

    def validate(self) -> None:
        """Check what no field alone can know; `dial` and `listen` call it.

        Raises:
            ValueError: fields that contradict each other.
        """
        if self.payload_size > self.largest_payload:
            raise ValueError(
                f"payload_size={self.payload_size} does not fit mss={self.mss}: "
                f"at most {self.largest_payload} bytes (mss - {PACKET_OVERHEAD})"
            )

        room = self.largest_payload - _GCM_TAG
        if self.passphrase and self.crypto_mode is CryptoMode.GCM and self.payload_size > room:
            raise ValueError(f"payload_size={self.payload_size} leaves no room for AES-GCM's tag: at most {room} bytes")
        half = (self.km_refresh_rate - 1) // 2
        if 0 <= half < (self.km_pre_announce or 0):
            raise ValueError(
                f"km_pre_announce={self.km_pre_announce} is too early: at most {half} packets before the next"
            )

    @property
    def largest_payload(self) -> int:
        """The most a packet of `mss` bytes can carry."""
        return self.mss - PACKET_OVERHEAD

    @property
    def effective_recv_latency(self) -> float:
        """Seconds that what we receive is held at least."""
        return self.latency if self.recv_latency is None else self.recv_latency

    @property
    def effective_peer_latency(self) -> float:
        """Seconds that we ask the peer to hold what it receives."""
        return self.latency if self.peer_latency is None else self.peer_latency

    @property
    def effective_payload_size(self) -> int:
        """The most a packet of ours carries, as far as this side decides."""
        return min(self.payload_size or self.largest_payload, self.largest_payload)

    @property
    def effective_recv_buf_size(self) -> int:
        """Packets the receive buffer holds; never more than the flow window allows."""
        return min(self.recv_buf_size, self.fc)

    @property
    def effective_max_bw(self) -> int:
        """`max_bw` with live mode's default: bytes per second, 0 (from the input), or -1 (unlimited)."""
        return DEFAULT_MAX_BW if self.max_bw is None else self.max_bw

    @property
    def effective_nak_report(self) -> bool:
        """Whether we repeat loss reports periodically."""
        return self.nak_report is not False

    @property
    def effective_retransmit_algo(self) -> int:
        """1: a packet is not sent again within one round trip of the last time; 0: whenever asked."""
        return 1 if self.retransmit_algo is None else self.retransmit_algo

    @property
    def effective_tlpktdrop(self) -> bool:
        """Whether what comes too late is given up."""
        return self.tlpktdrop is not False


RULES: Final[dict[str, Rule]] = {one.name: one.metadata["rule"] for one in fields(Config)}
"""The table: a rule for each field, in order."""


def did_you_mean(name: str) -> str:
    """Return "; did you mean ...?" for a field's misspelt name, or nothing."""
    close = difflib.get_close_matches(name.lower(), RULES, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""


def default_config() -> Config:
    """Return a `Config` with every field at its default."""
    return Config()
