"""srt:// URLs: their grammar and their keys.

Lives here: taking a URL apart and writing one, the query keys of srt-live-transmit and of
ffmpeg with the kind of value each of them takes, the rule that finds the mode.
Never here: units and words of values (urlvalues.py), what the fields mean and may hold (config.py),
connecting (dialer.py).
Draft: none; libsrt's apps (uriparser.cpp, socketoptions.hpp) and ffmpeg's libsrt protocol.

The standard library's URL functions are of no use: they cut at "#", which begins every structured
stream id, and turn "+" into a space.  Here a value may hold anything but "&", and `%XX` is decoded.
"""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias
from urllib.parse import unquote_to_bytes

from srtpy import urlvalues
from srtpy.limits import MIN_BUF_SIZE
from srtpy.secrecy import SECRET_FIELDS, Secret, redacted

Mode: TypeAlias = Literal["caller", "listener", "rendezvous"]
Address: TypeAlias = tuple[str, int]

MODES: Final[dict[str, Mode]] = {
    "caller": "caller",
    "client": "caller",
    "listener": "listener",
    "server": "listener",
    "rendezvous": "rendezvous",
}
UDP_HEADERS: Final = 28
"""What MSS counts beside a packet: IP and UDP headers; buffer sizes in bytes are packets of MSS - 28."""


@dataclass(frozen=True, slots=True)
class SrtUrl:
    """An srt:// URL taken apart.

    Attributes:
        mode: what to do with the addresses.
        remote: whom to call, as a caller or in rendezvous.
        local: where to bind, port 0 for any.
        timeout: seconds for reads and writes, None for none.
        fields: fields of `Config`, in its units.
    """

    mode: Mode
    remote: Address
    local: Address
    timeout: float | None = None
    fields: Mapping[str, object] = field(default_factory=dict, repr=False)


_PARSERS: Final[dict[str, tuple[str, Callable[[str], object]]]] = {
    "transtype": ("trans_type", urlvalues.trans_type),
    "messageapi": ("message_api", urlvalues.flag),
    "congestion": ("congestion", urlvalues.congestion),
    "latency": ("latency", urlvalues.latency),
    "rcvlatency": ("recv_latency", urlvalues.latency),
    "peerlatency": ("peer_latency", urlvalues.latency),
    "conntimeo": ("conn_timeout", urlvalues.milliseconds),
    "peeridletimeo": ("peer_idle_timeout", urlvalues.milliseconds),
    "snddropdelay": ("snd_drop_delay", urlvalues.drop_delay),
    "linger": ("linger", urlvalues.whole_seconds),
    "maxbw": ("max_bw", urlvalues.rate),
    "inputbw": ("input_bw", urlvalues.rate),
    "mininputbw": ("min_input_bw", urlvalues.rate),
    "maxrexmitbw": ("max_rexmit_bw", urlvalues.retransmission_rate),
    "oheadbw": ("overhead_bw", urlvalues.whole),
    "mss": ("mss", urlvalues.whole),
    "fc": ("fc", urlvalues.whole),
    "sndbuf": ("send_buf_size", urlvalues.whole),
    "rcvbuf": ("recv_buf_size", urlvalues.whole),
    "payloadsize": ("payload_size", urlvalues.whole),
    "lossmaxttl": ("loss_max_ttl", urlvalues.whole),
    "streamid": ("stream_id", urlvalues.text),
    "passphrase": ("passphrase", Secret),
    "pbkeylen": ("key_length", urlvalues.key_length),
    "kmrefreshrate": ("km_refresh_rate", urlvalues.whole),
    "kmpreannounce": ("km_pre_announce", urlvalues.whole),
    "enforcedencryption": ("enforced_encryption", urlvalues.flag),
    "cryptomode": ("crypto_mode", urlvalues.crypto_mode),
    "minversion": ("min_version", urlvalues.version),
    "nakreport": ("nak_report", urlvalues.flag),
    "tlpktdrop": ("tlpktdrop", urlvalues.flag),
    "drifttracer": ("drift_tracer", urlvalues.flag),
    "retransmitalgo": ("retransmit_algo", urlvalues.whole),
    "ipttl": ("ip_ttl", urlvalues.whole),
    "iptos": ("ip_tos", urlvalues.whole),
    "ipv6only": ("ipv6_only", urlvalues.maybe_flag),
    "bindtodevice": ("bind_to_device", urlvalues.text),
}

_ADDRESS_KEYS: Final = frozenset({"mode", "adapter", "port", "bind", "timeout", "blocking"})

_LATER: Final[dict[str, frozenset[str]]] = {
    "packetfilter": frozenset({""}),
    "tsbpdmode": frozenset({"1", "yes", "on", "true"}),
    "groupconnect": frozenset({"0", "no", "off", "false"}),
    "groupminstabletimeo": frozenset(),
}
"""Keys of features this version does not have yet, and the values that ask for nothing."""

_FFMPEG_NAMES: Final = {
    "connect_timeout": "conntimeo",
    "pkt_size": "payloadsize",
    "payload_size": "payloadsize",
    "ffs": "fc",
    "smoother": "congestion",
    "srt_streamid": "streamid",
    "tsbpddelay": "latency",
    "tsbpd": "tsbpdmode",
    "enforced_encryption": "enforcedencryption",
}


def parse_url(url: str, *, is_quiet: bool = False) -> SrtUrl:
    """Take an srt:// URL apart; an unknown key, and a path, is warned about and left out.

    Args:
        url: the URL.
        is_quiet: warn of nothing, since somebody else has.

    Raises:
        ValueError: not an srt:// URL, or a value that makes no sense; the text names the key.
    """
    url = Secret(url)
    try:
        return _parse(url, is_quiet)
    except ValueError as error:
        raise error.with_traceback(None) from None  # what its frames hold is the URL, in pieces


def _parse(url: str, is_quiet: bool) -> SrtUrl:
    scheme, separator, rest = url.partition("://")
    if not separator or scheme.lower() != "srt":
        what = f"{redacted(scheme)}://..." if separator else f"'{redacted(scheme)}'"
        raise ValueError(f"not an srt:// URL: {what}; write srt://host:port, or srt://:port to listen")
    authority, _, query = rest.partition("?")
    authority, _, path = authority.partition("/")
    host, port = split_address(authority)
    pairs = _split_query(query)
    if not is_quiet:
        _warn_of_what_is_left_out(path, pairs)
    mode, remote, local = _addresses(host, port, pairs)
    fields = _fields(pairs)
    seconds = _value("timeout", pairs, urlvalues.milliseconds)
    timeout = seconds if isinstance(seconds, float) and seconds >= 0 else None
    return SrtUrl(mode, remote, local, timeout, fields)


def _warn_of_what_is_left_out(path: str, keys: Iterable[str]) -> None:
    """Warn whoever called srtpy, at their line."""
    left_out = []
    if path:
        path = redacted(path)
        left_out.append(f"the URL's path {'/' + path!r} is left out, SRT has none; did you mean streamid={path}?")
    before = ""
    for key in keys:
        before, follows = key, before
        if key in _PARSERS or key in _LATER or key in _ADDRESS_KEYS:
            continue
        if follows in SECRET_FIELDS:  # it may be the rest of one
            left_out.append(f"what follows {follows} in the URL is no key and left out; an & in it is written %26")
            before = follows
        else:
            name = _FFMPEG_NAMES.get(key, "")
            hint = f"; the key is {name} (and times are in milliseconds)" if name else ""
            left_out.append(f"the URL's key {key!r} is unknown and left out{hint}")
    frame, level = sys._getframe(), 1
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith("srtpy."):
        frame, level = frame.f_back, level + 1
    for text in left_out:
        warnings.warn(text, stacklevel=level)


def split_address(text: str) -> Address:
    """Split "host:port", ":port" or "[v6]:port"; an empty host stays empty.

    Raises:
        ValueError: no port, or none between 0 and 65535.
    """
    if "@" in text:
        raise ValueError("srt:// URLs and addresses take no user name or password; use the stream id")
    host, colon, port = text.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host or "[" in host or "]" in host:
        raise ValueError(f"{redacted(text)!r}: write an IPv6 address in brackets, as in [::1]:9000")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > 65535:
        raise ValueError(
            f"{redacted(text)!r} has no port: write host:port, :port or [address]:port, with a port up to 65535"
        )
    return host, int(port)


def _split_query(query: str) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for pair in query.split("&"):
        if not pair:
            continue
        key, _, value = pair.partition("=")
        try:
            pairs[key.lower()] = unquote_to_bytes(value).decode()
        except UnicodeDecodeError:
            raise ValueError(f"the value of {key} in the URL is not UTF-8 once decoded") from None
    return pairs


def _addresses(host: str, port: int, pairs: Mapping[str, str]) -> tuple[Mode, Address, Address]:
    adapter, local_port = pairs.get("adapter", ""), pairs.get("port", "")
    if "bind" in pairs:
        adapter, number = split_address(pairs["bind"])
        local_port = str(number)
    if local_port and not (local_port.isascii() and local_port.isdecimal() and int(local_port) <= 65535):
        raise ValueError(f"port={local_port} in the URL is not a port")
    word = pairs.get("mode", "")
    if word:
        mode = MODES.get(word.lower())
        if mode is None:
            raise ValueError(f"mode={word} in the URL: use caller, listener or rendezvous")
    else:
        mode = "listener" if not host else "rendezvous" if adapter else "caller"
    if mode == "listener":
        return mode, ("", 0), (adapter or host, port)
    if not host:
        raise ValueError(f"mode={mode} in the URL needs a host to call")
    if mode == "rendezvous":
        return mode, (host, port), (adapter or _any_like(host), int(local_port or port))
    return mode, (host, port), (adapter, int(local_port or 0))


def _any_like(host: str) -> str:
    return "::" if ":" in host else "0.0.0.0"


def _value(key: str, pairs: Mapping[str, str], parse: Callable[[str], object]) -> object:
    if key not in pairs:
        return None
    try:
        return parse(pairs[key])
    except ValueError as error:
        raise ValueError(f"{key}={pairs[key]} in the URL: {error}") from None


def _fields(pairs: Mapping[str, str]) -> dict[str, object]:
    fields: dict[str, object] = {}
    for key, value in pairs.items():
        if key in _PARSERS:
            name, parse = _PARSERS[key]
            fields[name] = _value(key, pairs, parse)
        elif key in _LATER and value.lower() not in _LATER[key]:
            raise ValueError(f"{key} in the URL is not supported yet")
    if _value("blocking", pairs, urlvalues.flag) is False:
        fields["snd_syn"] = fields["rcv_syn"] = False
    packet = int(str(fields.get("mss", 1500))) - UDP_HEADERS
    for name in ("send_buf_size", "recv_buf_size"):
        size = fields.get(name)
        if isinstance(size, int) and packet > 0:
            packets = fields[name] = size // packet
            if packets < MIN_BUF_SIZE:
                key = "sndbuf" if name == "send_buf_size" else "rcvbuf"
                raise ValueError(
                    f"{key}={size} in the URL: {MIN_BUF_SIZE * packet} bytes or more ({MIN_BUF_SIZE} packets)"
                )
    if "latency" not in fields:
        fields.setdefault("peer_latency", 0.0)
    return fields


def _encoded(value: str) -> str:
    """Escape only what would be misread: older libsrt applications decode nothing."""
    return re.sub(r"[%&\x00-\x20\x7f]", lambda found: f"%{ord(found[0]):02X}", value)


def _plain(value: str, key: str, *, is_secret: bool = False) -> str:
    """Return a value as ffmpeg reads it: nothing decoded but "+" for a space."""
    value = Secret(value) if is_secret else value
    if "&" in value or "+" in value:
        shown = f"this {key}" if is_secret else repr(value)
        option = {"streamid": "srt_streamid"}.get(key, key)
        raise ValueError(
            f"{shown} cannot stand in an ffmpeg URL: it has no way to write '&' or '+'; "
            f"leave it out here and give ffmpeg the option -{option} instead"
        )
    return value.replace(" ", "+")


def _number(value: float) -> str:
    return f"{value:.9g}"


def host_and_port(address: tuple[str, int] | tuple[str, int, int, int]) -> str:
    """Return an address as URLs and people write it: an IPv6 host in brackets."""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def write_url(mode: str, host: str, port: int, pairs: Mapping[str, str]) -> str:
    """Put a URL together; the values in `pairs` are in their final form."""
    if mode.lower() not in MODES:
        raise ValueError(f"mode={mode}: use caller, listener or rendezvous")
    query = "&".join(f"{key}={value}" for key, value in {"mode": MODES[mode.lower()], **pairs}.items())
    return f"srt://{host_and_port((host, port))}?{query}"


def libsrt_query(fields: Mapping[str, object], mss: int) -> dict[str, str]:
    """Return fields of `Config` as srt-live-transmit's keys: times in milliseconds, buffers in bytes."""
    written: dict[str, str] = {}
    for key, (name, parse) in _PARSERS.items():
        value = fields.get(name)
        if value is None:
            continue
        if parse in (urlvalues.latency, urlvalues.milliseconds, urlvalues.drop_delay):
            written[key] = _number(float(str(value)) * 1000) if float(str(value)) >= 0 else "-1"
        elif name in ("send_buf_size", "recv_buf_size"):
            written[key] = str(int(str(value)) * (mss - UDP_HEADERS))
        elif name == "trans_type":
            written[key] = str(value)
        elif isinstance(value, int):  # flags and modes too
            written[key] = str(int(value))
        else:
            text = _number(value) if isinstance(value, float) else _encoded(str(value))
            written[key] = Secret(text) if key in SECRET_FIELDS else text
    if fields.get("snd_syn") is False and fields.get("rcv_syn") is False:
        written["blocking"] = "0"
    return written


_TO_FFMPEG: Final = {
    "congestion": "smoother",
    "conntimeo": "connect_timeout",
    "payloadsize": "pkt_size",
    "fc": "ffs",
    "enforcedencryption": "enforced_encryption",
}
_ONLY_HERE: Final = frozenset(
    {
        "peeridletimeo",
        "mininputbw",
        "maxrexmitbw",
        "drifttracer",
        "retransmitalgo",
        "ipv6only",
        "bindtodevice",
        "blocking",
        "cryptomode",
    }
)
_MICROSECONDS: Final = frozenset({"latency", "rcvlatency", "peerlatency", "snddropdelay"})


def ffmpeg_query(fields: Mapping[str, object], mss: int) -> dict[str, str]:
    """Return fields of `Config` as ffmpeg's keys: latencies in microseconds; what it has no key for is left out."""
    written: dict[str, str] = {}
    for key, text in libsrt_query(fields, mss).items():
        if key in _MICROSECONDS:
            written[key] = text if text == "-1" else str(round(float(text) * 1000))
        elif key == "streamid":
            written[key] = _plain(str(fields["stream_id"]), key)
        elif key == "passphrase":
            written[key] = Secret(_plain(Secret(fields["passphrase"]), key, is_secret=True))
        elif key not in _ONLY_HERE:
            written[_TO_FFMPEG.get(key, key)] = text
    for key, name in (("send_buffer_size", "udp_send_buf_size"), ("recv_buffer_size", "udp_recv_buf_size")):
        if fields.get(name):
            written[key] = str(fields[name])
    return written
