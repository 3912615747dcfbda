"""Calling a listener.

Lives here: `dial`, `open_url`: settings and addresses put together, checked, handed on.
Never here: the handshake (session.dialing drives it), URLs' grammar (url.py), listening
(listener.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, Unpack

from srtpy.config import Config
from srtpy.conn import Conn
from srtpy.internal.session.dialing import Dialing
from srtpy.listener import listen
from srtpy.secrecy import Secret, hide
from srtpy.settings import ConfigFields
from srtpy.url import SrtUrl, parse_url

AddressLike: TypeAlias = str | Sequence[object]
"""(host, port), IPv6's four, or text: "host:port", ":port", "[::1]:port"."""


def settings(config: Config | None, fields: ConfigFields) -> Config:
    """Return a copy of `config` with `fields` changed, checked as a whole."""
    hide(fields)
    merged = (config or Config()).replace(**fields)
    merged.validate()
    return merged


def dial(
    address: AddressLike, config: Config | None = None, *, wait: bool = True, **fields: Unpack[ConfigFields]
) -> Conn:
    """Connect to a listener.

    Args:
        address: (host, port), or "host:port", ":port" (this machine), "[::1]:port".  A name is resolved, and each
            address tried in turn.
        config: settings; copied.
        wait: False returns at once, with a connection that is CONNECTING; `Conn.wait_connected` waits for it.
        fields: fields of `Config`, over `config`: `dial("host:9000", latency=0.2, stream_id="live/a")`.

    Raises:
        ValueError: an address or a setting that cannot be.
        RejectedError: the peer refused; `reason` says why.
        ConnectionTimeoutError: nobody answered within `conn_timeout`.
        NobodyListeningError: nobody answered, and the peer's machine said that nobody listens.
        OSError: the name is not known, or there is no way there.
    """
    hide(fields)
    return _dial(address, settings(config, fields), None, wait)


def _dial(address: AddressLike, config: Config, local: AddressLike | None, wait: bool = True) -> Conn:
    dialing = Dialing(address, config, local)
    if wait:
        try:
            return Conn(dialing.run(), config)
        except BaseException:  # an interrupt may come when there is a session and nobody knows of it
            dialing.close()
            raise
    dialing.start()
    return Conn._connecting(dialing, config)


def open_url(url: str, **fields: Unpack[ConfigFields]) -> Conn:
    """Connect as an srt:// URL says: `srt://host:port?latency=120&streamid=...`.

    `mode=caller` calls; `mode=listener` listens, accepts one connection and stops listening; without `mode`, a
    URL with a host calls and one without listens.  `adapter` and `port` (or `bind`) say where to call from.  Keys
    and units are srt-live-transmit's: times in milliseconds.  `timeout` limits reads and writes, and the wait for
    a caller.

    Args:
        url: see `Config.from_url`.
        fields: fields of `Config`, over the URL's.

    Raises:
        ValueError: not such a URL, or a mode that is not supported yet (rendezvous).
        DeadlineError: no caller came within `timeout`.
        OSError: what `dial` and `listen` raise.
    """
    url = Secret(url)
    hide(fields)
    parsed = parse_url(url, is_quiet=True)
    config = settings(Config.from_url(url), fields)
    conn = _accept_one(parsed, config) if parsed.mode == "listener" else _call(parsed, config)
    conn.settimeout(parsed.timeout)
    return conn


def _call(parsed: SrtUrl, config: Config) -> Conn:
    if parsed.mode != "caller":
        raise ValueError(
            f"mode={parsed.mode} is not supported yet: use caller or listener "
            "(a URL with a host and an adapter, and no mode, means rendezvous)"
        )
    host, port = parsed.local
    return _dial(parsed.remote, config, parsed.local if host or port else None)


def _accept_one(parsed: SrtUrl, config: Config) -> Conn:
    with listen(parsed.local, config, backlog=1) as listener:
        listener.settimeout(parsed.timeout)
        return listener.accept()
