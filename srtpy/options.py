"""Options of a running connection: one table says what each is and when it can be set.

Lives here: `SockOpt` and its table: binding time, how each is read and set; `KmState`.
Never here: fields of `Config`, which the settable ones share their checks with (config.py).
Source: libsrt's socket options (SRTO_*); numbers as in the Go library.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Final, TypeAlias

from srtpy.errors import (
    ConnClosedError,
    InvalidOptionError,
    PreConnectOnlyError,
    ReadOnlyOptionError,
)
from srtpy.fields import CryptoMode
from srtpy.inside import Inside
from srtpy.internal.session.fate import ConnState
from srtpy.limits import MAX_LINGER
from srtpy.timeouts import seconds

VERSION: Final = 0x010505
"""The version of SRT this library says it speaks."""


class BindingTime(Enum):
    """Until when an option can be set."""

    PRE_BIND = "before binding"
    PRE = "before connecting"
    POST = "any time"

    def __str__(self) -> str:
        return self.value


class KmState(IntEnum):
    """How one direction of a connection stands with its encryption."""

    UNSECURED = 0
    SECURING = 1
    SECURED = 2
    NO_SECRET = 3
    BAD_SECRET = 4
    BAD_CRYPTO_MODE = 5

    def __str__(self) -> str:
        return self.name.lower()


class SockOpt(IntEnum):
    """An option of a running connection; `binding` says when libsrt lets it be set."""

    MAX_BW = 0
    PAYLOAD_SIZE = 1
    RCV_LATENCY = 2
    SND_LATENCY = 3
    STATE = 4
    PEER_VERSION = 5
    STREAM_ID = 6
    MSS = 7
    FC = 8
    INPUT_BW = 9
    ISN = 10
    PEER_ISN = 11
    SND_KM_STATE = 12
    RCV_KM_STATE = 13
    KM_STATE = 14
    SND_DATA = 15
    RCV_DATA = 16
    SND_BUF = 17
    RCV_BUF = 18
    FLIGHT_SIZE = 19
    RTT = 20
    RTT_VAR = 21
    VERSION = 22
    CONGESTION = 23
    TRANS_TYPE = 24
    MESSAGE_API = 25
    TSBPD_MODE = 26
    TLPKTDROP = 27
    NAK_REPORT = 28
    RETRANSMIT_ALGO = 29
    PB_KEY_LEN = 30
    CRYPTO_MODE = 31
    PEER_IDLE_TIMEOUT = 32
    LINGER = 33
    EVENT = 34
    DRIFT_TRACER = 35
    MIN_VERSION = 37
    ENFORCED_ENCRYPTION = 38
    MAX_REXMIT_BW = 40
    OVERHEAD_BW = 41
    MIN_INPUT_BW = 42
    SND_DROP_DELAY = 43
    LOSS_MAX_TTL = 44
    SND_SYN = 45
    RCV_SYN = 46
    SND_TIMEO = 47
    RCV_TIMEO = 48

    @property
    def binding(self) -> BindingTime:
        """When the option can be set."""
        return TABLE[self].binding

    def __str__(self) -> str:
        return self.name.lower()


Getter: TypeAlias = Callable[[Inside], object]
Setter: TypeAlias = Callable[[Inside, object], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One option: when it can be set, how it is read, how it is set (None: not at all)."""

    binding: BindingTime
    get: Getter
    set: Setter | None = None


def _agreed(name: str) -> Getter:
    return lambda inside: getattr(inside.negotiated, name)


def _measured(name: str, unit: float | None = None) -> Getter:
    if unit is None:
        return lambda inside: inside.reading().gauges[name]
    return lambda inside: inside.reading().gauges[name] / unit


def _setting(name: str) -> Getter:
    return lambda inside: getattr(inside.config, name)


def _assign(name: str) -> Setter:
    def assign(inside: Inside, value: object) -> None:
        setattr(inside.config, name, value)
        inside.apply(name)

    return assign


def _key_state(direction: str) -> Getter:
    return lambda inside: KmState(int(inside.reading().gauges[f"{direction}_km_state"]))


def _main_key_state(inside: Inside) -> object:
    return _key_state("send" if inside.session.negotiated.initiator else "recv")(inside)


def _crypto_mode(inside: Inside) -> object:
    return {0: inside.config.crypto_mode, 2: CryptoMode.CTR, 4: CryptoMode.GCM}[int(inside.reading().gauges["cipher"])]


def _set_linger(inside: Inside, value: object) -> None:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        value = min(max(float(value), 0.0), MAX_LINGER)
    _assign("linger")(inside, value)


def _set_loss_max_ttl(inside: Inside, value: object) -> None:
    _assign("loss_max_ttl")(inside, 0 if isinstance(value, int) and value < 0 else value)


def _set_blocking(name: str, direction: str) -> Setter:
    def assign(inside: Inside, value: object) -> None:
        setattr(inside.config, name, value)
        inside.timeouts.set_blocking(getattr(inside.config, name), getattr(inside.timeouts, direction))

    return assign


def _set_limit(direction: str, what: str) -> Setter:
    def assign(inside: Inside, value: object) -> None:
        is_infinite = isinstance(value, (int, float)) and value < 0
        limit = None if is_infinite else seconds(value, what)  # type: ignore[arg-type]  # checked there
        inside.timeouts.set_limit(limit, getattr(inside.timeouts, direction))

    return assign


_PRE_BIND, _PRE, _POST = BindingTime.PRE_BIND, BindingTime.PRE, BindingTime.POST

TABLE: Final[dict[SockOpt, Row]] = {
    SockOpt.MAX_BW: Row(_POST, lambda inside: inside.config.effective_max_bw, _assign("max_bw")),
    SockOpt.PAYLOAD_SIZE: Row(_PRE, _agreed("payload_size")),
    SockOpt.RCV_LATENCY: Row(_PRE, _measured("recv_latency", 1e6)),
    SockOpt.SND_LATENCY: Row(_PRE, _measured("peer_latency", 1e6)),
    SockOpt.STATE: Row(_POST, lambda inside: inside.state),
    SockOpt.PEER_VERSION: Row(_POST, _agreed("peer_version")),
    SockOpt.STREAM_ID: Row(_PRE, _agreed("stream_id")),
    SockOpt.MSS: Row(_PRE_BIND, _agreed("mss")),
    SockOpt.FC: Row(_PRE, _agreed("flow_window")),
    SockOpt.INPUT_BW: Row(_POST, _setting("input_bw"), _assign("input_bw")),
    SockOpt.ISN: Row(_POST, _agreed("send_isn")),
    SockOpt.PEER_ISN: Row(_POST, _agreed("recv_isn")),
    SockOpt.SND_KM_STATE: Row(_POST, _key_state("send")),
    SockOpt.RCV_KM_STATE: Row(_POST, _key_state("recv")),
    SockOpt.KM_STATE: Row(_POST, _main_key_state),
    SockOpt.PB_KEY_LEN: Row(_PRE, _measured("key_length")),
    SockOpt.CRYPTO_MODE: Row(_PRE, _crypto_mode),
    SockOpt.ENFORCED_ENCRYPTION: Row(_PRE, _setting("enforced_encryption")),
    SockOpt.SND_DATA: Row(_POST, _measured("send_buffer_packets")),
    SockOpt.RCV_DATA: Row(_POST, _measured("unread_packets")),
    SockOpt.SND_BUF: Row(_PRE_BIND, _setting("send_buf_size")),
    SockOpt.RCV_BUF: Row(_PRE_BIND, _setting("effective_recv_buf_size")),
    SockOpt.FLIGHT_SIZE: Row(_POST, _measured("flight")),
    SockOpt.RTT: Row(_POST, _measured("rtt", 1e6)),
    SockOpt.RTT_VAR: Row(_POST, _measured("rtt_variance", 1e6)),
    SockOpt.VERSION: Row(_POST, lambda inside: VERSION),
    SockOpt.CONGESTION: Row(_PRE, _agreed("congestion")),
    SockOpt.TRANS_TYPE: Row(_PRE_BIND, _setting("trans_type")),
    SockOpt.MESSAGE_API: Row(_PRE, _agreed("message_api")),
    SockOpt.TSBPD_MODE: Row(_PRE, _agreed("tsbpd_receive")),
    SockOpt.TLPKTDROP: Row(_PRE, _agreed("tlpktdrop")),
    SockOpt.NAK_REPORT: Row(_PRE, _agreed("nak_report")),
    SockOpt.RETRANSMIT_ALGO: Row(_PRE, _setting("effective_retransmit_algo")),
    SockOpt.PEER_IDLE_TIMEOUT: Row(_PRE, _setting("peer_idle_timeout")),
    SockOpt.LINGER: Row(_POST, _setting("effective_linger"), _set_linger),
    SockOpt.EVENT: Row(_POST, Inside.events),
    SockOpt.DRIFT_TRACER: Row(_PRE, _setting("drift_tracer")),
    SockOpt.MIN_VERSION: Row(_PRE, _setting("min_version")),
    SockOpt.MAX_REXMIT_BW: Row(_PRE, _setting("max_rexmit_bw")),
    SockOpt.OVERHEAD_BW: Row(_POST, _setting("overhead_bw"), _assign("overhead_bw")),
    SockOpt.MIN_INPUT_BW: Row(_POST, _setting("min_input_bw"), _assign("min_input_bw")),
    SockOpt.SND_DROP_DELAY: Row(_POST, _setting("snd_drop_delay"), _assign("snd_drop_delay")),
    SockOpt.LOSS_MAX_TTL: Row(_POST, _setting("loss_max_ttl"), _set_loss_max_ttl),
    SockOpt.SND_SYN: Row(_POST, _setting("snd_syn"), _set_blocking("snd_syn", "writing")),
    SockOpt.RCV_SYN: Row(_POST, _setting("rcv_syn"), _set_blocking("rcv_syn", "reading")),
    SockOpt.SND_TIMEO: Row(_POST, lambda inside: inside.timeouts.writing.limit, _set_limit("writing", "SND_TIMEO")),
    SockOpt.RCV_TIMEO: Row(_POST, lambda inside: inside.timeouts.reading.limit, _set_limit("reading", "RCV_TIMEO")),
}

PRE_CONNECT_ONLY: Final = frozenset({SockOpt.MIN_VERSION, SockOpt.ENFORCED_ENCRYPTION})


def _known(option: SockOpt) -> SockOpt:
    try:
        return SockOpt(option)
    except ValueError:
        raise InvalidOptionError(f"{option!r} is no option; use a member of SockOpt") from None


def get_option(inside: Inside, option: SockOpt) -> object:
    """Return an option's value.

    Raises:
        InvalidOptionError: there is no such option.
        ConnClosedError: the connection is closed; only STATE can still be read.
    """
    known = _known(option)
    if inside.state >= ConnState.CLOSING and known is not SockOpt.STATE:
        raise ConnClosedError("the connection is closed: of its options only STATE can be read")
    return TABLE[known].get(inside)


def set_option(inside: Inside, option: SockOpt, value: object) -> None:
    """Set an option.

    Raises:
        InvalidOptionError: there is no such option.
        PreConnectOnlyError: it can be set before connecting only.
        ReadOnlyOptionError: it cannot be set.
        ConnClosedError: the connection is closed.
        TypeError: a value of the wrong type.
        ValueError: a value out of range.
    """
    known = _known(option)
    row = TABLE[known]
    if known in PRE_CONNECT_ONLY:
        raise PreConnectOnlyError(f"{known.name} can only be set before connecting: give it to dial, listen or Config")
    if row.set is None:
        when = "" if row.binding is BindingTime.POST else f" (it is settled {row.binding})"
        raise ReadOnlyOptionError(f"{known.name} can be read, not set{when}")
    if inside.state >= ConnState.CLOSING:
        raise ConnClosedError("the connection is closed: no option can be set")
    row.set(inside, value)
