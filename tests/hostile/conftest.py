"""A listener that hears everything a hostile network has, and proof that nobody inside was hurt."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator

import pytest

import srtpy

LATENCY = 0.06


@pytest.fixture(autouse=True)
def _no_descriptor_left(no_descriptor_left: None) -> None:
    """Every test here gives its descriptors back."""


@pytest.fixture(autouse=True)
def _no_exception_anywhere(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Fail a test during which any thread ended by an exception."""
    raised: list[str] = []
    monkeypatch.setattr(threading, "excepthook", lambda told: raised.append(f"{told.thread}: {told.exc_value!r}"))
    yield
    assert raised == []


class _Keeper(logging.Handler):
    """Keeps the records it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def said() -> Iterator[list[logging.LogRecord]]:
    """Return what the library logs, in notes and worse; that the kernel's buffers are small is no news here."""
    keeper, logger = _Keeper(), logging.getLogger("srtpy")
    keeper.addFilter(lambda record: record.name != "srtpy.mux")
    before = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(keeper)
    yield keeper.records
    logger.removeHandler(keeper)
    logger.setLevel(before)


@pytest.fixture
def listener() -> Iterator[srtpy.Listener]:
    """Return a listener on loopback."""
    with srtpy.listen(("127.0.0.1", 0), linger=0.0, latency=LATENCY) as listener:
        listener.settimeout(30)
        yield listener
