"""PyAV reads and writes connections, as they are and as files, with ffmpeg at the other end."""

from __future__ import annotations

import io
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import av
import pytest

import srtpy
from tests.conftest import program

LOCAL = ("127.0.0.1", 0)
TEST_PICTURE = ["-re", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25"]
ENCODED = ["-c:v", "mpeg2video", "-b:v", "1M", "-g", "10", "-f", "mpegts"]


@contextmanager
def ffmpeg(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run ffmpeg for the length of a `with` statement."""
    process = subprocess.Popen(
        [program("ffmpeg"), "-hide_banner", "-loglevel", "error", "-nostdin", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def pictures(opened: Any, count: int) -> list[tuple[int, int]]:
    """Decode so many pictures; return their sizes."""
    with av.open(opened, format="mpegts", options={"probesize": "100000", "analyzeduration": "500000"}) as container:
        found: list[tuple[int, int]] = []
        for frame in container.decode(video=0):
            found.append((frame.width, frame.height))
            if len(found) == count:
                break
        return found


@pytest.mark.interop
@pytest.mark.parametrize(
    "opening",
    [
        lambda conn: conn,
        lambda conn: conn.makefile("rb", buffering=0),
        lambda conn: conn.makefile("rb", buffering=1316 * 4),
    ],
    ids=["conn", "unbuffered", "buffered"],
)
def test_pyav_reads_what_ffmpeg_sends(opening: Callable[[srtpy.Conn], Any]) -> None:
    with srtpy.listen(LOCAL, latency=0.8) as listener:
        listener.settimeout(30)
        url = srtpy.Config(latency=0.8).to_ffmpeg_url(listener.local_addr)
        with ffmpeg(*TEST_PICTURE, *ENCODED, url), listener.accept() as conn:
            conn.settimeout(30)
            assert pictures(opening(conn), 20) == [(160, 120)] * 20
            assert conn.stats().recv_dropped == 0


def encode(target: Any, seconds: float) -> None:
    """Write a short transport stream with PyAV."""
    with av.open(target, mode="w", format="mpegts") as container:
        stream = container.add_stream("mpeg2video", rate=25)
        stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
        for index in range(round(25 * seconds)):
            frame = av.VideoFrame(160, 120, "yuv420p")
            for plane in frame.planes:
                plane.update(bytes([index % 256]) * plane.buffer_size)
            frame.pts = index
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def test_pyav_writes_and_pyav_reads() -> None:
    with srtpy.listen(LOCAL, latency=0.8) as listener:
        caller = srtpy.dial(listener.local_addr, latency=0.8)
        with listener.accept() as accepted:

            def send() -> None:
                with caller, caller.makefile("wb", buffering=0) as file:
                    encode(file, seconds=2)

            sender = threading.Thread(target=send)
            sender.start()
            received = b"".join(accepted.messages())
            sender.join(30)
    assert len(received) % 188 == 0
    assert pictures(io.BytesIO(received), 1000) == [(160, 120)] * 50
    assert accepted.stats().recv_dropped == 0


def test_packets_of_a_transport_stream_are_not_torn() -> None:
    with srtpy.listen(LOCAL, latency=0.8) as listener:
        caller = srtpy.dial(listener.local_addr, latency=0.8)
        with listener.accept() as accepted:
            with caller, caller.makefile("wb") as file:
                encode(file, seconds=1)
            messages = list(accepted.messages())
    assert {len(message) for message in messages[:-1]} == {1316}
    assert all(message[0] == 0x47 for message in messages)
