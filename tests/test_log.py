from __future__ import annotations

import io
import logging

import pytest

from srtpy.log import STANDARD_LEVELS, Log, LogCategory, Logger, LogLevel, harmless, in_a_line, std_logger, with_frames


class Sink:
    def __init__(self) -> None:
        self.lines: list[tuple[LogLevel, LogCategory, int, str]] = []

    def log(self, level: LogLevel, category: LogCategory, socket_id: int, message: str) -> None:
        self.lines.append((level, category, socket_id, message))


def test_words() -> None:
    assert [str(level) for level in LogLevel] == ["debug", "note", "warning", "error"]
    assert set(LogCategory) == {
        "general", "conn", "handshake", "tsbpd", "congestion", "mux", "crypto", "group", "filter",
    }  # fmt: skip


def test_a_protocol_of_one_method() -> None:
    assert isinstance(Sink(), Logger)
    assert not isinstance(object(), Logger)


def test_to_an_object() -> None:
    sink = Sink()
    log = Log(sink, 42)
    assert log.is_debugging
    log.debug(LogCategory.CONN, "a")
    log.note(LogCategory.MUX, "b")
    log.warning(LogCategory.TSBPD, "c")
    log.error(LogCategory.GENERAL, "100% d")
    assert [line[0] for line in sink.lines] == list(LogLevel)
    assert sink.lines[3] == (LogLevel.ERROR, LogCategory.GENERAL, 42, "100% d")


def test_to_the_standard_loggers(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="srtpy"):
        log = Log(None, 42)
        log.debug(LogCategory.CONN, "unseen")
        log.note(LogCategory.HANDSHAKE, "100% seen")
        Log(None).note(LogCategory.MUX, "of no connection")
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("srtpy.handshake", logging.INFO, "[42] 100% seen"),
        ("srtpy.mux", logging.INFO, "of no connection"),
    ]
    assert caplog.records[0].__dict__["socket_id"] == 42


def test_to_one_standard_logger(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("application.srt")
    with caplog.at_level(logging.DEBUG, logger="application.srt"):
        assert Log(logger).is_debugging
        std_logger(logger).log(LogLevel.NOTE, LogCategory.TSBPD, 7, "50%")
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.INFO, "50%")
    assert (record.__dict__["category"], record.__dict__["socket_id"]) == ("tsbpd", 7)


def test_only_a_standard_logger_is_wrapped() -> None:
    with pytest.raises(TypeError, match=r"logging\.Logger"):
        std_logger(Sink())  # type: ignore[arg-type]


def test_nobody_listens_by_default() -> None:
    assert not Log(None).is_debugging
    assert not Log(logging.getLogger("quiet")).is_debugging
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("srtpy").handlers)


def nobody_logs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the program not have set up logging: pytest's own handlers are the root's."""
    monkeypatch.setattr(logging.getLogger("srtpy"), "propagate", False)


def test_an_error_nobody_would_see_is_shown(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_logs(monkeypatch)
    log = Log(None, 42)
    log.warning(LogCategory.CONN, "careful")
    log.error(LogCategory.CONN, "the callback failed: 100 %s")
    assert capsys.readouterr().err == "srtpy.conn: [42] the callback failed: 100 %s\n"


@pytest.mark.parametrize("way", ["handler", "level", "no last resort", "disabled"])
def test_whoever_has_set_up_logging_sees_it_once_or_as_they_wish(
    way: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody_logs(monkeypatch)
    logger, stream = logging.getLogger("srtpy"), io.StringIO()
    handlers = list(logger.handlers)
    match way:
        case "handler":
            monkeypatch.setattr(logger, "handlers", [*handlers, logging.StreamHandler(stream)])
        case "level":
            monkeypatch.setattr(logging.getLogger("srtpy.conn"), "level", logging.CRITICAL)
            logging.getLogger("srtpy.conn").manager._clear_cache()  # type: ignore[attr-defined]
        case "no last resort":
            monkeypatch.setattr(logging, "lastResort", None)
        case "disabled":
            monkeypatch.setattr(logging.getLogger("srtpy.conn"), "disabled", True)
    try:
        Log(None, 42).error(LogCategory.CONN, "wrong")
    finally:
        monkeypatch.undo()
        logging.getLogger("srtpy.conn").manager._clear_cache()  # type: ignore[attr-defined]
    assert capsys.readouterr().err == ""
    assert stream.getvalue() == ("[42] wrong\n" if way == "handler" else "")


def test_levels() -> None:
    assert [STANDARD_LEVELS[level] for level in LogLevel] == [10, 20, 30, 40]


def test_a_broken_logger_harms_nobody(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def log(self, level: LogLevel, category: LogCategory, socket_id: int, message: str) -> None:
            raise RuntimeError("on purpose")

    with caplog.at_level(logging.ERROR, logger="srtpy"):
        Log(Broken()).note(LogCategory.CONN, "x")
    assert "raised" in caplog.text


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain, caf\u00e9 \u65e5\u672c", "plain, caf\u00e9 \u65e5\u672c"),
        ("two\n\tlines", "two\n\tlines"),
        ("\x1b[31mred\x07\r\0", "\\x1b[31mred\\x07\\r\\x00"),
        ("\x9b31m \u202eover", "\\x9b31m \\u202eover"),
        ("not utf-8: \udcff", "not utf-8: \\udcff"),
    ],
)
def test_what_could_do_harm_is_escaped(text: str, told: str) -> None:
    sink = Sink()
    Log(sink).note(LogCategory.HANDSHAKE, text)
    assert [line[3] for line in sink.lines] == [harmless(text)] == [told]


def test_an_exception_in_a_line() -> None:
    class Silent(Exception):
        def __repr__(self) -> str:
            raise RuntimeError("on purpose")

    assert in_a_line(ValueError("one\ntwo\x1b")) == r"ValueError('one\ntwo\x1b')"
    assert in_a_line(Silent()) == "Silent, which cannot be shown"


def test_an_exception_and_where_it_happened() -> None:
    try:
        raise ValueError("a\nb")
    except ValueError as error:
        told = with_frames(error)
    assert "in test_an_exception_and_where_it_happened" in told
    assert told.endswith("\nValueError('a\\nb')")
