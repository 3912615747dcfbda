"""A slow reader and a fast sender: what both hold stays within the configured buffers, on real sockets."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import pytest

import srtpy
from srtpy import Config, TransType

PACKETS = 1024
PAYLOAD = 1456
PIECE = 65_536
# payloads in the send buffer and the receive buffer, and as much again for rows, batches and what is being read
BOUND = 2 * 2 * PACKETS * PAYLOAD + (4 << 20)


@pytest.fixture
def traced() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


def fill(conn: srtpy.Conn, piece: bytes) -> int:
    """Write until nothing more is taken; return how many bytes were."""
    taken = 0
    while True:
        try:
            taken += conn.write(piece)
        except srtpy.DeadlineError as error:
            return taken + (error.bytes_taken or 0)


@pytest.mark.usefixtures("traced")
@pytest.mark.parametrize("message_api", [False, True], ids=["stream", "messages"])
def test_memory_is_bounded_by_the_buffers(message_api: bool) -> None:
    config = Config(
        trans_type=TransType.FILE, message_api=message_api, send_buf_size=PACKETS, recv_buf_size=PACKETS, linger=0
    )
    with (
        srtpy.listen(("127.0.0.1", 0), config) as listener,
        srtpy.dial(listener.local_addr, config) as sender,
        listener.accept() as receiver,
    ):
        sender.settimeout(0.3)
        receiver.settimeout(30)
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        piece, sent, got = bytes(PIECE), 0, 0
        for _ in range(8):
            sent += fill(sender, piece)
            assert sent - got <= 2 * PACKETS * PAYLOAD + PIECE
            while got < sent - PACKETS * PAYLOAD:
                got += len(receiver.read(PIECE))
        _, peak = tracemalloc.get_traced_memory()
        assert sent > 4 * PACKETS * PAYLOAD
        assert peak - before < BOUND
