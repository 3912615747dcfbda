from __future__ import annotations

import subprocess
import sys

import srtpy

EXPECTED = """
    TransType
    AcceptFunc AcceptRejectFunc Address AddressLike BindingTime Boundary BytesLike
    ClosedError Config ConfigFields Conn ConnClosedError ConnRequest ConnState ConnStats ConnectionBrokenError
    CongestionType ConnectionTimeoutError CryptoMode CsvWriter DEFAULT_KM_PRE_ANNOUNCE DEFAULT_KM_REFRESH_RATE
    DEFAULT_CONN_TIMEOUT DEFAULT_FC DEFAULT_LATENCY DEFAULT_MAX_BW DEFAULT_MSS DEFAULT_OVERHEAD_BW
    DEFAULT_PEER_IDLE_TIMEOUT DEFAULT_RECV_BUF_SIZE DEFAULT_SEND_BUF_SIZE DeadlineError ExtendedConnStats
    InvalidOptionError JsonLinesWriter KmState Listener ListenerClosedError LogCategory
    LogLevel Logger MAX_LATENCY MAX_LINGER MAX_MSS MAX_STREAM_ID MIN_BUF_SIZE MIN_FC MIN_LATENCY MIN_MSS
    MIN_PAYLOAD MessageTooLargeError MsgCtrl NobodyListeningError PEER_ERROR_FILE_SYSTEM
    PeerError PeerShutdownError PollFlag PreConnectOnlyError PrometheusWriter ReadOnlyOptionError RejectReason
    RejectedError SRTError SockOpt StatsWriter StreamIDInfo StreamMode StreamType
    WouldBlockError default_config dial listen low_latency open_url parse_stream_id
    std_logger
"""


def test_the_exported_set() -> None:
    assert set(srtpy.__all__) == set(EXPECTED.split())
    assert len(srtpy.__all__) == len(set(srtpy.__all__))


def test_what_is_not_there_yet_has_no_name() -> None:
    later = "Group", "Server", "Watcher", "rendezvous", "packet_conn", "Filter", "Watched"
    names = {*srtpy.__all__, *(name for name in dir(srtpy.Conn) if not name.startswith("_"))}
    assert not [name for name in names for word in later if word.lower() in name.lower()]


def test_every_export_exists() -> None:
    for name in srtpy.__all__:
        assert getattr(srtpy, name) is not None


def test_nothing_else_is_public() -> None:
    public = {name for name, value in vars(srtpy).items() if not name.startswith("_") and not _is_module(value)}
    assert public == set(srtpy.__all__)


def _is_module(value: object) -> bool:
    return type(value).__name__ == "module"


def test_a_star_import_brings_them() -> None:
    space: dict[str, object] = {}
    exec("from srtpy import *", space)
    assert set(srtpy.__all__) <= set(space)


def test_importing_starts_no_thread_and_needs_no_extra() -> None:
    script = (
        "import sys, threading, srtpy\n"
        "print(threading.active_count(), sorted({'rich', 'prometheus_client', 'av', 'numpy'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["1", "[]"]
