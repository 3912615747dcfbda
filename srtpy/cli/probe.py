"""`srtpy probe URL`: shake hands with a listener, say what it is like, and leave.

Lives here: what is printed, which exit status stands for which end.
Never here: the handshake, and what went wrong with it in words (srtpy.errors).
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Final

import srtpy
from srtpy.url import SrtUrl, host_and_port, parse_url

CONNECTED: Final = 0
OTHER: Final = 1
NOBODY: Final = 3
SILENCE: Final = 4
KEYS: Final = 5
DENIED: Final = 6
REFUSED: Final = 7

KEY_REASONS: Final = frozenset({srtpy.RejectReason.BAD_SECRET, srtpy.RejectReason.UNSECURE, srtpy.RejectReason.CRYPTO})
FIRST_APPLICATION_CODE: Final = 1400
STATUSES: Final = f"""\
exit status:
  {CONNECTED}  the handshake succeeded
  {OTHER}  something else failed (no such host, no way there)
  2  wrong usage
  {NOBODY}  nobody listens there, says its machine
  {SILENCE}  nobody answered in time
  {KEYS}  refused for encryption: wrong passphrase, a passphrase on one side only, another mode
  {DENIED}  refused by the listener's application, for the stream id or its own reasons
  {REFUSED}  refused for the protocol: version, mode, full backlog and the like
"""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the parser."""
    parser = commands.add_parser(
        "probe",
        help="shake hands with a listener and say what it is like",
        epilog=STATUSES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("url", metavar="URL", help="srt://host:port with the keys a caller would use")
    parser.add_argument("--json", action="store_true", help="print one line of JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Probe, print, and return what the status says."""
    where = parse_url(options.url, is_quiet=True)
    if where.mode != "caller":
        raise ValueError(f"mode={where.mode}: what can be probed is a listener, with mode=caller")
    config = srtpy.Config.from_url(options.url).replace(linger=0.0)
    began = time.monotonic()
    try:
        with srtpy.dial(where.remote, config) as conn:
            found, status = _found(conn, time.monotonic() - began), CONNECTED
    except srtpy.SRTError as error:
        found, status = _failed(error), status_of(error)
    if options.json:
        print(json.dumps({"address": host_and_port(where.remote), **found}))
    else:
        _print(where, found, status)
    return status


def status_of(error: srtpy.SRTError) -> int:
    """Return the exit status for the end of an attempt."""
    if isinstance(error, srtpy.NobodyListeningError):
        return NOBODY
    if isinstance(error, srtpy.ConnectionTimeoutError):
        return SILENCE
    if not isinstance(error, srtpy.RejectedError):
        return OTHER
    if error.reason in KEY_REASONS:
        return KEYS
    is_denied = error.reason >= FIRST_APPLICATION_CODE or error.reason == srtpy.RejectReason.PEER
    return DENIED if is_denied else REFUSED


def _found(conn: srtpy.Conn, took: float) -> dict[str, object]:
    stats = conn.stats()
    return {
        "connected": True,
        "handshake": f"{took * 1000:.1f} ms",
        "version": _dotted(conn.peer_version),
        "latency": f"{stats.ms_snd_tsbpd_delay:g} ms to the listener, {stats.ms_rcv_tsbpd_delay:g} ms back",
        "encryption": _encryption(conn),
        "handshake_ms": round(took * 1000, 1),
        "latency_ms": {"to_listener": stats.ms_snd_tsbpd_delay, "back": stats.ms_rcv_tsbpd_delay},
    }


def _failed(error: srtpy.SRTError) -> dict[str, object]:
    found: dict[str, object] = {"connected": False}
    if isinstance(error, srtpy.RejectedError):
        found |= {"reason": error.reason.name, "code": int(error.reason)}
    return found | {"error": str(error)}


def _encryption(conn: srtpy.Conn) -> str:
    stats = conn.stats()
    sending, receiving = srtpy.KmState(stats.snd_km_state), srtpy.KmState(stats.rcv_km_state)
    if sending == receiving == srtpy.KmState.UNSECURED:
        return "none"
    if sending == receiving == srtpy.KmState.SECURED:
        bits = 8 * int(str(conn.get_option(srtpy.SockOpt.PB_KEY_LEN)))
        mode = conn.get_option(srtpy.SockOpt.CRYPTO_MODE)
        return f"AES-{bits}-{mode.name if isinstance(mode, srtpy.CryptoMode) else mode}"
    return f"not agreed on (sending: {sending}, receiving: {receiving})"


def _dotted(version: int) -> str:
    return f"{version >> 16}.{version >> 8 & 0xFF}.{version & 0xFF}"


def _print(where: SrtUrl, found: dict[str, object], status: int) -> None:
    if status != CONNECTED:
        print(f"srtpy: {found['error']}", file=sys.stderr)
        return
    print(f"{host_and_port(where.remote)} is an SRT listener")
    for name in ("version", "handshake", "latency", "encryption"):
        print(f"  {name:<12}{found[name]}")
