"""What all tests share: real peers or an honest reason, free ports, and a look for what was left behind."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import settings

from tests.tools import libsrt_peer

PACKAGES = {
    "srt-live-transmit": "srt-tools",
    "srt-file-transmit": "srt-tools",
    "ffmpeg": "ffmpeg",
    "ffprobe": "ffmpeg",
    "tshark": "tshark",
    "gcc": "gcc libsrt-openssl-dev",
}
settings.register_profile("on a busy machine", deadline=None)  # an example that takes long there is no failure
settings.load_profile("on a busy machine")
ENDING = 3.0  # seconds a closed connection's threads may take to be gone


def missing_peer(what: str) -> NoReturn:
    """The one place where a missing peer ends a test: a failure where peers are promised (CI=true), else a skip."""
    if os.environ.get("CI", "").lower() in ("true", "1"):
        pytest.fail(f"CI=true and {what}", pytrace=False)
    pytest.skip(what)


def program(name: str) -> str:
    """Return the path of an installed program, or end the test."""
    found = shutil.which(name)
    if found is None:
        missing_peer(f"{name} is not installed (apt-get install {PACKAGES.get(name, name)})")
    return found


def free_port(host: str = "127.0.0.1") -> int:
    """Return a UDP port that was free a moment ago, for programs that cannot be told to choose one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with contextlib.closing(socket.socket(family, socket.SOCK_DGRAM)) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def libsrt() -> Path:
    """The C peer's program."""
    try:
        return libsrt_peer.build()
    except libsrt_peer.MissingPeer as missing:
        missing_peer(str(missing))


@pytest.fixture(scope="session")
def srt_live_transmit() -> str:
    """The program srt-live-transmit."""
    return program("srt-live-transmit")


@pytest.fixture(scope="session")
def ffmpeg() -> str:
    """The program ffmpeg, with SRT in it."""
    return program("ffmpeg")


@pytest.fixture(scope="session")
def ffprobe() -> str:
    """The program ffprobe."""
    return program("ffprobe")


@pytest.fixture(scope="session")
def tshark() -> str:
    """The program tshark."""
    return program("tshark")


def srt_threads() -> set[threading.Thread]:
    """Return the library's threads that run in this process."""
    return {thread for thread in threading.enumerate() if thread.name.startswith("srt-")}


def descriptors() -> set[tuple[int, str]]:
    """Return the open descriptors of this process with what they are."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
    return found


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test that leaves one of the library's threads running."""
    before = srt_threads()
    yield
    left = srt_threads() - before
    limit = time.monotonic() + ENDING
    for thread in left:
        thread.join(max(0.0, limit - time.monotonic()))
    still = sorted(thread.name for thread in left if thread.is_alive())
    assert not still, f"threads left behind: {still}"


@pytest.fixture
def no_descriptor_left() -> Iterator[None]:
    """Fail a test that leaves descriptors open."""
    gc.collect()
    before = descriptors()
    yield
    limit = time.monotonic() + ENDING
    while True:
        gc.collect()
        left = {entry for entry in descriptors() - before if entry[1].startswith(("socket:", "anon_inode:", "pipe:"))}
        if not left or time.monotonic() > limit:
            break
        threading.Event().wait(0.02)
    assert not left, f"descriptors left open: {sorted(left)}"
