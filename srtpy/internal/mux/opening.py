"""Muxes for the two ways to begin: listening at an address, and dialing one.

Lives here: putting socket, reading, sending and table together.
Never here: trying one address after another, retries and timeouts (session).
"""

from __future__ import annotations

from collections.abc import Sequence

from srtpy.config import Config
from srtpy.internal.mux.address import Endpoint, Path, resolve_local
from srtpy.internal.mux.mux import Mux
from srtpy.internal.mux.options import buffer_warning, open_bound, open_connected
from srtpy.internal.mux.udp import UdpSocket


def open_listening(address: str | Sequence[object], config: Config) -> Mux:
    """Return a mux, not yet started, on a socket bound to `address` that hears everybody.

    Raises:
        ValueError: not an address.
        OSError: the name is not known, or the address cannot be bound (EADDRINUSE: somebody has the port).
    """
    sock = open_bound(resolve_local(address, config.ipv6_only), config)
    return Mux(UdpSocket(sock), warning=buffer_warning(sock, config))


def open_dialing(remote: Endpoint, config: Config, local: str | Sequence[object] | None = None) -> tuple[Mux, Path]:
    """Return a mux, not yet started, on a socket that speaks with `remote` alone, and the path to it.

    Args:
        remote: one answer of `resolve_remote`.
        config: the socket's options.
        local: where to dial from; `None` leaves address and port to the system.

    Raises:
        ValueError: `local` is not an address.
        OSError: there is no way to `remote`, or `local` cannot be bound.
    """
    endpoints = () if local is None else resolve_local(local, config.ipv6_only)
    sock = open_connected(remote, config, endpoints)
    return Mux(UdpSocket(sock), warning=buffer_warning(sock, config)), Path(remote.address)
