"""`srtpy demo`: the verdict is true either way."""

from __future__ import annotations

import threading
import time
from itertools import islice

import pytest

from srtpy.cli import demo
from srtpy.cli.main import main
from srtpy.cli.mpegts import TransportStream
from tests.connected import pair


def test_the_demonstration_succeeds_over_a_lossy_network(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--seconds", "2", "--mbps", "4", "--latency", "1000"]) == 0
    said = capsys.readouterr().err
    assert "OK: all 759 messages arrived" in said
    assert "0 came too late" in said


def test_a_network_too_bad_for_the_latency_is_called_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "--seconds", "2", "--mbps", "4", "--loss", "60", "--latency", "40"]) == 1
    assert "FAILED" in capsys.readouterr().err


def test_the_end_is_not_waited_for_when_all_is_there() -> None:
    with pair() as (a, b):
        seen = demo.Reception()
        a.write_many(list(islice(TransportStream(1e6).messages(), 3)))
        demo._receive(b, 3, [], seen)
        assert (seen.messages, seen.error) == (3, None)


def test_an_interrupt_ends_it_at_once_and_without_a_trace(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "_watch", interrupt)
    began = time.monotonic()
    assert main(["demo"]) == 130
    for thread in threading.enumerate():
        if thread.name.startswith("demo-"):
            thread.join(30)
    assert time.monotonic() - began < 7, "the demonstration takes 8 s"
    assert "Traceback" not in capsys.readouterr().err
