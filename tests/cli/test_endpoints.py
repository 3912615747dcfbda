"""Ends of a stream, by themselves."""

from __future__ import annotations

import pytest

import srtpy
from srtpy.cli.endpoints import SrtEnd
from tests.connected import pair


def write_until_it_fails(end: SrtEnd) -> None:
    while True:
        end.write([b"data"])


def test_who_sends_is_told_that_the_peer_has_closed_and_nothing_about_reading() -> None:
    end = SrtEnd("srt://127.0.0.1:9000")
    with pair() as (a, b):
        end.conn = a
        b.close()
        with pytest.raises(srtpy.PeerShutdownError) as caught:
            write_until_it_fails(end)
    assert str(caught.value) == "the peer has closed the connection"
