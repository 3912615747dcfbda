"""Every setting of a connection: checked, copied, written as a URL, and what `None` stands for.

Lives here: `Config`, the checks on assignment and across fields, what a field that is not set comes to.
Never here: the table of the fields (settings.py), their numbers (limits.py); what a setting makes
anyone do; URLs' grammar and units (url.py); options of a running connection (options.py).
Draft: none; libsrt's socket options (SRTO_*), in seconds, packets and bytes per second.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Final, Self, Unpack, cast

from srtpy.fields import CongestionType, CryptoMode, TransType
from srtpy.limits import DEFAULT_MAX_BW, MAX_LINGER, PACKET_OVERHEAD, UNLIMITED
from srtpy.secrecy import Secret, hide
from srtpy.settings import RULES, ConfigFields, Settings, did_you_mean
from srtpy.url import ffmpeg_query, libsrt_query, parse_url, split_address, write_url

_GCM_TAG: Final = 16


class Config(Settings):
    """The settings of a connection: keywords only, each checked when it is assigned.

    Durations are seconds, bandwidths bytes per second, buffers and windows packets.  `None` means
    "not set"; the properties `effective_*` say what that comes to.

    Raises:
        TypeError: an unknown field, or a value of the wrong type.
        ValueError: a value out of range; the text names the field, the value and the range.
    """

    __slots__ = ()

    def __init__(self, **changes: Unpack[ConfigFields]) -> None:
        hide(changes)
        for one in fields(self):
            object.__setattr__(self, one.name, one.default)
        self._assign(changes)

    def __setattr__(self, name: str, value: object) -> None:
        rule = RULES.get(name)
        if rule is not None and rule.secret and isinstance(value, str):
            value = Secret(value)
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

    def _assign(self, changes: ConfigFields) -> None:
        for name, value in changes.items():
            if name not in RULES:
                raise TypeError(f"Config has no field {name!r}{did_you_mean(name)}")
            setattr(self, name, value)

    def copy(self) -> Self:
        """Return an independent copy."""
        return self.replace()

    def replace(self, **changes: Unpack[ConfigFields]) -> Self:
        """Return a copy with some fields changed; each is checked as on assignment."""
        hide(changes)
        twin = type(self)()
        for one in fields(self):
            object.__setattr__(twin, one.name, getattr(self, one.name))
        twin._assign(changes)
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
        url = Secret(url)
        config = cls()
        config._assign(cast(ConfigFields, parse_url(url).fields))
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
        self._check_mode()
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

    def _check_mode(self) -> None:
        if not self.effective_message_api and not self.is_file:
            raise ValueError(
                "message_api=False makes a stream of bytes, and live mode (trans_type=LIVE) plays each message at its"
                " time: leave message_api out, or use trans_type=FILE"
            )
        if not self.effective_message_api and self.effective_congestion is CongestionType.LIVE:
            raise ValueError(
                "congestion='live' paces messages, and message_api=False makes a stream of bytes: leave congestion"
                " out, or use message_api=True"
            )
        if self.is_file and self.crypto_mode is CryptoMode.GCM:
            raise ValueError("crypto_mode=GCM works in live mode only: for trans_type=FILE use CTR, or AUTO")

    @property
    def is_file(self) -> bool:
        """Whether this is file mode: nothing has a time, everything arrives."""
        return self.trans_type is TransType.FILE

    @property
    def largest_payload(self) -> int:
        """The most a packet of `mss` bytes can carry."""
        return self.mss - PACKET_OVERHEAD

    @property
    def effective_recv_latency(self) -> float:
        """Seconds that what we receive is held at least; 0 where nothing is delivered by its time."""
        if self.is_file:
            return 0.0
        return self.latency if self.recv_latency is None else self.recv_latency

    @property
    def effective_peer_latency(self) -> float:
        """Seconds that we ask the peer to hold what it receives."""
        if self.is_file:
            return 0.0
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
        """`max_bw` with the mode's default: bytes per second, 0 (from the input), or -1 (unlimited)."""
        if self.max_bw is not None:
            return self.max_bw
        return UNLIMITED if self.effective_congestion is CongestionType.FILE else DEFAULT_MAX_BW

    @property
    def effective_nak_report(self) -> bool:
        """Whether we repeat loss reports periodically."""
        return not self.is_file if self.nak_report is None else self.nak_report

    @property
    def effective_retransmit_algo(self) -> int:
        """1: a packet is not sent again within one round trip of the last time; 0: whenever asked."""
        return int(not self.is_file) if self.retransmit_algo is None else self.retransmit_algo

    @property
    def effective_tlpktdrop(self) -> bool:
        """Whether what comes too late is given up; without a time nothing is late."""
        return self.tlpktdrop is not False and not self.is_file

    @property
    def effective_message_api(self) -> bool:
        """Whether messages are written and read, and not a stream of bytes."""
        return not self.is_file if self.message_api is None else self.message_api

    @property
    def effective_congestion(self) -> CongestionType:
        """Who sets the pace."""
        return self.congestion or (CongestionType.FILE if self.is_file else CongestionType.LIVE)

    @property
    def effective_linger(self) -> float | None:
        """Seconds that closing may take; None: until the peer has played everything."""
        return MAX_LINGER if self.linger is None and self.is_file else self.linger


def default_config() -> Config:
    """Return a `Config` with every field at its default."""
    return Config()
