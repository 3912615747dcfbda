from __future__ import annotations

import threading
from collections.abc import Callable
from typing import cast

import pytest

from srtpy.config import Config
from srtpy.errors import RejectReason
from srtpy.internal.handshake.listener import Request
from srtpy.internal.handshake.offer import Offer
from srtpy.internal.packet.extensions import SrtExtension
from srtpy.internal.session.judging import MOST_JUDGES, Applicant, Judges, by_bool, by_code
from srtpy.log import Log
from tests.internal.handshake.doorman import handshake
from tests.internal.session.fakes import until

REQUEST = cast(Applicant, object())


def answers(answer: object) -> Callable[[Applicant], object]:
    def callback(request: Applicant) -> object:
        assert request is REQUEST
        return answer

    return callback


class AlmostZero(int):
    pass


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (True, None),
        (False, RejectReason.PEER),
        (None, RejectReason.X_INTERNAL_ERROR),
        (1, RejectReason.X_INTERNAL_ERROR),
        (0, RejectReason.X_INTERNAL_ERROR),
        ("yes", RejectReason.X_INTERNAL_ERROR),
    ],
)
def test_only_true_lets_in(answer: object, reason: RejectReason | None, caplog: pytest.LogCaptureFixture) -> None:
    assert by_bool(answers(answer))(REQUEST, Log(None)) is reason
    assert bool(caplog.records) is (reason is RejectReason.X_INTERNAL_ERROR)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (0, None),
        (RejectReason.X_FORBIDDEN, RejectReason.X_FORBIDDEN),
        (1403, RejectReason.X_FORBIDDEN),
        (2007, RejectReason(2007)),
        (True, RejectReason.X_INTERNAL_ERROR),
        (False, RejectReason.X_INTERNAL_ERROR),
        (None, RejectReason.X_INTERNAL_ERROR),
        (0.0, RejectReason.X_INTERNAL_ERROR),
        (AlmostZero(0), RejectReason.X_INTERNAL_ERROR),
        (5, RejectReason.X_INTERNAL_ERROR),
        (-1, RejectReason.X_INTERNAL_ERROR),
        (1200, RejectReason.X_INTERNAL_ERROR),
        (1 << 40, RejectReason.X_INTERNAL_ERROR),
    ],
)
def test_only_the_int_zero_lets_in(answer: object, reason: RejectReason | None) -> None:
    assert by_code(answers(answer))(REQUEST, Log(None)) is reason


@pytest.mark.parametrize("error", [ValueError("a bug"), SystemExit(0), KeyboardInterrupt()])
@pytest.mark.parametrize("form", [by_bool, by_code])
def test_a_callback_that_raises_lets_nobody_in_and_is_logged(
    form: Callable[..., Callable[..., object]], error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    def callback(request: Applicant) -> bool:
        raise error

    assert form(callback)(REQUEST, Log(None)) is RejectReason.X_INTERNAL_ERROR
    assert type(error).__name__ in caplog.text
    assert "def callback" not in caplog.text
    assert "in callback" in caplog.text, "where it happened is told"


class Unspeakable(Exception):
    def __repr__(self) -> str:
        raise RuntimeError("on purpose")


def test_what_a_caller_makes_a_callback_quote_stays_in_its_line(caplog: pytest.LogCaptureFixture) -> None:
    errors = [KeyError("x\n2026-01-01 ERROR forged"), ValueError("\x1b[2J"), Unspeakable()]

    def callback(request: Applicant) -> bool:
        raise errors.pop(0)

    while errors:
        assert by_bool(callback)(REQUEST, Log(None)) is RejectReason.X_INTERNAL_ERROR
    text = "".join(record.getMessage() for record in caplog.records)
    assert r"KeyError('x\n2026-01-01 ERROR forged')" in text
    assert "\x1b" not in text
    assert "Unspeakable" in text


def judges_running(name: str) -> int:
    return sum(thread.name == name for thread in threading.enumerate())


def test_threads_start_when_needed_and_end_when_idle() -> None:
    judges = Judges("srt-accept-1")
    assert judges_running("srt-accept-1") == 0
    done = threading.Event()
    judges.submit(done.set)
    assert done.wait(30)
    until(lambda: judges_running("srt-accept-1") == 0)


def test_slow_work_delays_nobody_until_there_are_too_many() -> None:
    judges = Judges("srt-accept-2")
    gate, begun, done = threading.Event(), threading.Semaphore(0), threading.Semaphore(0)

    def slow() -> None:
        begun.release()
        gate.wait(30)
        done.release()

    for _ in range(MOST_JUDGES + 3):
        judges.submit(slow)
    for _ in range(MOST_JUDGES):
        assert begun.acquire(timeout=30)
    assert judges_running("srt-accept-2") == MOST_JUDGES
    assert not begun.acquire(blocking=False)
    gate.set()
    for _ in range(MOST_JUDGES + 3):
        assert done.acquire(timeout=30)
    until(lambda: judges_running("srt-accept-2") == 0)


def test_a_system_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    judges = Judges("srt-accept-3")

    def refuse(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    with pytest.raises(RuntimeError):
        judges.submit(lambda: None)
    monkeypatch.undo()
    done = threading.Event()
    judges.submit(done.set)
    assert done.wait(30)


def test_what_is_decided_for_one_caller_alone() -> None:
    offer = Offer(SrtExtension(0x010501, 0xBF, 120, 120), stream_id="live/a", key_material=b"some")
    remote = ("127.0.0.1", 4000)
    config = Config(latency=0.3)
    applicant = Applicant(Request(remote, handshake(), offer, 0, 0), config)
    assert (applicant.stream_id, applicant.remote, applicant.encrypted) == ("live/a", remote, True)
    assert (applicant.hs_version, applicant.peer_version) == (5, 0x010501)
    assert applicant.config is config
    applicant.set_passphrase("0123456789ab")
    assert (applicant.config.passphrase, applicant.config.latency) == ("0123456789ab", 0.3)
    assert config.passphrase == ""
    applicant.set_passphrase("")
    assert applicant.config.passphrase == ""
    with pytest.raises(ValueError, match="passphrase=<hidden>"):
        applicant.set_passphrase("short")


def test_one_at_a_time() -> None:
    judges, gate, running = Judges("srt-test", most=1), threading.Event(), []

    def work() -> None:
        running.append(threading.current_thread().name)
        gate.wait(30)

    for _ in range(3):
        judges.submit(work)
    until(lambda: len(running) == 1)
    gate.set()
    until(lambda: len(running) == 3)


def test_sources_take_turns() -> None:
    judges, gate, done = Judges("srt-test", most=1), threading.Event(), []
    judges.submit(lambda: done.append(("first", gate.wait(30))), "busy")
    for number in range(3):
        judges.submit(lambda number=number: done.append(("busy", number)), "busy")  # type: ignore[misc]
    judges.submit(lambda: done.append(("other", True)), "other")
    gate.set()
    until(lambda: len(done) == 5)
    assert done.index(("other", True)) <= 2, "not behind all that the busy one has brought"
    assert [what for what in done if what[0] == "busy"] == [("busy", 0), ("busy", 1), ("busy", 2)]
