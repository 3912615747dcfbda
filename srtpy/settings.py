"""The table of the settings: each with its unit, default, range and libsrt's name for it.

Lives here: `Settings`, the fields and their rules; `ConfigFields`, the same as keywords; `RULES`; which
field a misspelt name may have meant.
Never here: how a rule is checked (fields.py); what `None` stands for, checks across fields (config.py);
the numbers that have names (limits.py).
Draft: none; libsrt's socket options (SRTO_*), in seconds, packets and bytes per second.
"""

from __future__ import annotations

import difflib
import logging
from dataclasses import dataclass, field, fields
from typing import Final, TypedDict

from srtpy.fields import (
    LONGEST,
    MOST_PACKETS,
    CongestionType,
    CryptoMode,
    Rule,
    TransType,
    choice,
    flag,
    member,
    rate,
    seconds,
    secret,
    text,
    version,
    whole,
)
from srtpy.limits import (
    DEFAULT_CONN_TIMEOUT,
    DEFAULT_FC,
    DEFAULT_KM_REFRESH_RATE,
    DEFAULT_LATENCY,
    DEFAULT_MSS,
    DEFAULT_OVERHEAD_BW,
    DEFAULT_PEER_IDLE_TIMEOUT,
    DEFAULT_RECV_BUF_SIZE,
    DEFAULT_SEND_BUF_SIZE,
    MAX_LATENCY,
    MAX_LINGER,
    MAX_MSS,
    MAX_PASSPHRASE,
    MAX_SILENCE,
    MAX_STREAM_ID,
    MIN_BUF_SIZE,
    MIN_FC,
    MIN_LATENCY,
    MIN_MSS,
    MIN_PASSPHRASE,
    MIN_PAYLOAD,
    PACKET_OVERHEAD,
)
from srtpy.log import Logger

_LARGEST_SOCKET_BUFFER: Final = (1 << 31) - 1
_LONGEST_KEY_USE: Final = 1 << 30


class ConfigFields(TypedDict, total=False):
    """The fields of `Config` as keywords, for `dial(..., latency=0.2)` and the like."""

    trans_type: TransType
    message_api: bool | None
    congestion: CongestionType | str | None
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
class Settings:
    """The fields of a `Config`, which checks them."""

    trans_type: TransType = member(  # noqa: RUF009 - a field as the others
        TransType.LIVE,
        TransType,
        "LIVE: each message at its time, or not at all; FILE: everything, as fast as it goes",
        "SRTO_TRANSTYPE",
    )
    message_api: bool | None = flag(
        None, "whole messages (True) or a stream of bytes; None: messages when live", "SRTO_MESSAGEAPI", none=True
    )
    congestion: CongestionType | None = member(  # noqa: RUF009 - a field as the others
        None, CongestionType, "who sets the pace; None: as trans_type", "SRTO_CONGESTION", none=True
    )
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
        "sending rate, headers included; None: 125,000,000, for files unlimited; -1: unlimited; 0: from the input",
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
    conn_timeout: float = seconds(DEFAULT_CONN_TIMEOUT, "how long dial tries", "SRTO_CONNTIMEO", 0.001, MAX_SILENCE)
    peer_idle_timeout: float = seconds(
        DEFAULT_PEER_IDLE_TIMEOUT,
        "silence after which the connection is broken (2 s at least)",
        "SRTO_PEERIDLETIMEO",
        1.0,
        MAX_SILENCE,
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
        MAX_LATENCY,
    )
    stream_id: str = text("what the caller wants, for the listener to judge", "SRTO_STREAMID", MAX_STREAM_ID)
    passphrase: str = secret(
        "what both ends know, to encrypt; empty: in clear", "SRTO_PASSPHRASE", MIN_PASSPHRASE, MAX_PASSPHRASE
    )
    key_length: int | None = choice(
        None, "bytes of a key; None: the other side's choice, else 16", "SRTO_PBKEYLEN", (16, 24, 32), none=True
    )
    crypto_mode: CryptoMode = member(  # noqa: RUF009 - a field as the others
        CryptoMode.AUTO, CryptoMode, "how to encrypt; AUTO: the caller's choice, CTR", "SRTO_CRYPTOMODE"
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
        "how long close waits; None: until the peer has played everything, for files 180",
        "SRTO_LINGER",
        0.0,
        MAX_LINGER,
        none=True,
    )
    nak_report: bool | None = flag(
        None, "report losses again and again; None: yes when live", "SRTO_NAKREPORT", none=True
    )
    retransmit_algo: int | None = whole(
        None,
        "1: not again within a round trip; None: 1, for files 0",
        "SRTO_RETRANSMITALGO",
        "(which algorithm)",
        0,
        1,
        none=True,
    )
    drift_tracer: bool = flag(True, "follow the peer's clock", "SRTO_DRIFTTRACER")
    tlpktdrop: bool | None = flag(
        None, "skip what is too late; None: yes; never for files", "SRTO_TLPKTDROP", none=True
    )
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


RULES: Final[dict[str, Rule]] = {one.name: one.metadata["rule"] for one in fields(Settings)}
"""The table: a rule for each field, in order."""


def did_you_mean(name: str) -> str:
    """Return "; did you mean ...?" for a field's misspelt name, or nothing."""
    close = difflib.get_close_matches(name.lower(), RULES, n=1)
    return f"; did you mean {close[0]!r}?" if close else ""
