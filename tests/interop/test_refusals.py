"""Refusals between srtpy and libsrt, with the code at both ends: by libsrt's tool, its library, and `srtpy probe`."""

from __future__ import annotations

import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import pytest

import srtpy
from srtpy import RejectReason
from srtpy.cli import probe
from srtpy.cli.main import main
from tests.conftest import free_port
from tests.interop.cells import wait_until_bound
from tests.tools.libsrt_peer import PATIENCE, LibsrtPeer

PASSPHRASE = "0123456789ab"
OTHER = "another passphrase"
HERE = "127.0.0.1"

MISMATCHES = [  # the tool's passphrase, ours, the code both ends are to see, what libsrt calls it
    pytest.param(PASSPHRASE, OTHER, RejectReason.BAD_SECRET, "Incorrect passphrase", id="wrong"),
    pytest.param(PASSPHRASE, "", RejectReason.UNSECURE, "Password required or unexpected", id="missing here"),
    pytest.param("", PASSPHRASE, RejectReason.UNSECURE, "Password required or unexpected", id="missing there"),
]
PREDEFINED = [int(reason) for reason in RejectReason if 1400 <= reason < 1600]
APPLICATIONS = [*PREDEFINED, 1407, 1499, 1599, 2000, 2001, 2007, 2999, 3000, 123_456, 0x7FFFFFFF - 1000]


@contextmanager
def tool(path: str, port: int, mode: str, passphrase: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run srt-live-transmit at one end of a connection; it writes its log to its output."""
    url = f"srt://{HERE}:{port}?mode={mode}" + (f"&passphrase={passphrase}" if passphrase else "")
    words = [path, "-a:no", "-v", "-loglevel:note", url, "file://con"]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def heard(process: subprocess.Popen[bytes], words: bytes, limit: float = PATIENCE) -> bytes:
    """Return the line with these words in what a process writes."""
    assert process.stdout is not None
    end, text = time.monotonic() + limit, b""
    while time.monotonic() < end:
        if select.select([process.stdout], [], [], 0.1)[0]:
            more: bytes = process.stdout.read1()  # type: ignore[attr-defined]
            text += more
            found = [line for line in text.splitlines(keepends=True) if words in line and line.endswith(b"\n")]
            if found:
                return found[0]
            if not more:
                break
    raise AssertionError(f"no {words!r} in: {text.decode(errors='replace')}")


@pytest.mark.parametrize(("theirs", "ours", "reason", "name"), MISMATCHES)
def test_the_tool_listens_and_refuses_us(
    srt_live_transmit: str, theirs: str, ours: str, reason: RejectReason, name: str
) -> None:
    port = free_port()
    with tool(srt_live_transmit, port, "listener", theirs) as listener:
        wait_until_bound(port)
        with pytest.raises(srtpy.RejectedError) as refused:
            srtpy.dial((HERE, port), passphrase=ours)
        assert refused.value.reason is reason
        assert f"rsp(REJECT): {reason:d} - {name}".encode() in heard(listener, b"rsp(REJECT)")
    assert not (ours and ours in str(refused.value))


@pytest.mark.parametrize(("theirs", "ours", "reason", "name"), MISMATCHES)
def test_the_tool_calls_and_is_refused_by_us(
    srt_live_transmit: str, theirs: str, ours: str, reason: RejectReason, name: str
) -> None:
    with (
        srtpy.listen((HERE, 0), passphrase=ours) as listener,
        tool(srt_live_transmit, listener.local_addr[1], "caller", theirs) as caller,
    ):
        assert name.encode() in heard(caller, b"REJECT reported")


# ---- the codes of applications, by the library


@pytest.fixture(scope="module")
def refusing(libsrt: object) -> Iterator[LibsrtPeer]:
    """A libsrt listener that refuses everybody, with the code its stream id names."""
    with LibsrtPeer(mode="listener", turn_away=1) as peer:
        yield peer


@pytest.mark.parametrize("code", APPLICATIONS)
def test_a_libsrt_application_refuses_us(refusing: LibsrtPeer, code: int) -> None:
    with pytest.raises(srtpy.RejectedError) as refused:
        srtpy.dial((HERE, refusing.port), stream_id=str(code))
    assert refused.value.reason == code
    assert refused.value.reason.advice in str(refused.value)


@pytest.mark.parametrize(("code", "seen"), [(1000, RejectReason.PEER), (1001, 2001), (1003, 2003), (1399, 2399)])
def test_codes_of_libsrt_that_have_no_public_twin_are_told_as_they_came(
    refusing: LibsrtPeer, code: int, seen: int
) -> None:
    with pytest.raises(srtpy.RejectedError) as refused:
        srtpy.dial((HERE, refusing.port), stream_id=str(code))
    assert refused.value.reason == seen


@pytest.mark.parametrize("code", [*range(1000, 1018), *APPLICATIONS])
def test_our_application_refuses_libsrt(libsrt: object, code: int) -> None:
    with srtpy.listen((HERE, 0)) as listener:
        listener.set_accept_reject_func(lambda request: code)
        with LibsrtPeer(mode="caller", port=listener.local_addr[1], streamid="x") as caller:
            told = caller.outcome()["refused"]
    if code == RejectReason.UNKNOWN:
        assert told == 4  # libsrt takes 1000, the bound itself, for no rejection but for a rogue answer
    elif code == RejectReason.CRYPTO:
        assert told in (0, 17)  # 1017 came with AES-GCM: an older libsrt reads a code it has no name for as 0
    else:
        assert told == (code if code >= 1400 else code - 1000)


def _refuse(code: int, request: srtpy.ConnRequest) -> int:
    return code


def test_we_refuse_each_other_with_every_code() -> None:
    for code in [*range(1000, 1018), *APPLICATIONS]:
        with srtpy.listen((HERE, 0), accept=None) as listener:
            listener.set_accept_reject_func(partial(_refuse, code))
            with pytest.raises(srtpy.RejectedError) as refused:
                srtpy.dial(listener.local_addr)
            assert refused.value.reason == code


# ---- what `srtpy probe` makes of it

PROBES: list[Any] = [  # settings of libsrt's listener, the URL's keys, the status
    pytest.param({}, "", probe.CONNECTED, id="in clear"),
    pytest.param({"passphrase": PASSPHRASE}, f"passphrase={PASSPHRASE}", probe.CONNECTED, id="encrypted"),
    pytest.param({"passphrase": PASSPHRASE}, f"passphrase={OTHER}", probe.KEYS, id="wrong passphrase"),
    pytest.param({"passphrase": PASSPHRASE}, "", probe.KEYS, id="no passphrase here"),
    pytest.param({}, f"passphrase={PASSPHRASE}", probe.KEYS, id="no passphrase there"),
    pytest.param(
        {"passphrase": PASSPHRASE}, f"passphrase={PASSPHRASE}&cryptomode=2", probe.KEYS, id="a mode it does not know"
    ),
    pytest.param({"turn_away": 1}, "streamid=1403", probe.DENIED, id="forbidden"),
    pytest.param({"turn_away": 1}, "streamid=2007", probe.DENIED, id="a code of its own"),
    pytest.param({"turn_away": 1}, "streamid=1000", probe.DENIED, id="no reason given"),
    pytest.param({"minversion": 0x020000}, "", probe.REFUSED, id="wants a newer version"),
    pytest.param({"transtype": "file"}, "", probe.REFUSED, id="file mode"),
]


@pytest.mark.parametrize(("theirs", "keys", "status"), PROBES)
def test_probe_tells_by_its_status_how_it_went(
    libsrt: object, theirs: dict[str, Any], keys: str, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    with LibsrtPeer(mode="listener", role="idle", **theirs) as listener:
        assert main(["probe", f"srt://{HERE}:{listener.port}?{keys}"]) == status
    said = capsys.readouterr()
    assert ("is an SRT listener" in said.out) is (status == probe.CONNECTED)
    assert PASSPHRASE not in said.out + said.err
    assert OTHER not in said.out + said.err
