"""Nothing shows a passphrase: no traceback, with or without locals, no log, no `repr`, no URL or figure we print."""

from __future__ import annotations

import copy
import io
import json
import logging
import pickle
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from types import TracebackType
from typing import Any, TextIO

import pytest

import srtpy
from srtpy.cli.main import main
from srtpy.secrecy import Secret, hide, redacted
from srtpy.statswriter import CsvWriter, JsonLinesWriter, StatsWriter
from tests.internal.session.fakes import until
from tests.tools.udp_proxy import UdpProxy, Weather

WORD = "Sesam-0effne-dich"
OTHER = "Mutabor-Mutabor"
SHORT = OTHER[1:7]
SECRETS = (WORD, OTHER, WORD[6:12], SHORT)
LOCAL = ("127.0.0.1", 0)


def assert_hidden(text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text], text


class Held:
    """A secret in a test's own frame, which is not ours to keep clean."""

    def __init__(self, **fields: Any) -> None:
        self.fields = fields


def whole_story(error: BaseException) -> str:
    """Return an error with all that collectors of errors send home: causes, contexts, locals of every frame of ours."""
    ours: TracebackType | None = error.__traceback__
    while ours is not None and "/srtpy/" not in ours.tb_frame.f_code.co_filename.replace("/tests/", "/"):
        ours = ours.tb_next
    while ours is not None and "/tests/" in ours.tb_frame.f_code.co_filename:
        ours = ours.tb_next
    told = traceback.TracebackException(type(error), error, ours, capture_locals=True)
    plain = "".join(traceback.format_exception(error))
    return "".join(told.format()) + plain + repr(error) + str(error) + repr(error.args) + repr(vars(error))


# ---- the wrapper


def test_a_secret_is_text_that_does_not_show() -> None:
    secret = Secret(WORD)
    assert secret == WORD
    assert isinstance(secret, str)
    for shown in (repr(secret), repr([secret]), repr({"passphrase": secret}), f"{secret!r}"):
        assert_hidden(shown)
    for twin in (pickle.loads(pickle.dumps(secret)), copy.copy(secret), copy.deepcopy(secret)):
        assert twin == WORD
        assert_hidden(repr(twin))


def test_hiding_wraps_what_is_plain_and_leaves_the_rest() -> None:
    fields: dict[str, Any] = {"passphrase": WORD, "stream_id": "live"}
    hide(fields)
    assert fields == {"passphrase": WORD, "stream_id": "live"}
    assert repr(fields) == "{'passphrase': <hidden>, 'stream_id': 'live'}"
    nothing: dict[str, Any] = {"passphrase": None}
    hide(nothing)
    assert nothing == {"passphrase": None}


@pytest.mark.parametrize("text", [f"host:1&passphrase={WORD}", f"/Passphrase={WORD}", "passphrase=", "host:1/x"])
def test_what_may_be_a_damaged_url_is_cut_short(text: str) -> None:
    assert_hidden(redacted(text))
    assert redacted("host:1/x") == "host:1/x"


# ---- tracebacks

MISTAKES: dict[str, Callable[[], object]] = {
    "a passphrase too short": lambda: srtpy.Config(**Held(passphrase=SHORT).fields),
    "a passphrase too long": lambda: srtpy.Config(**Held(passphrase=WORD * 9).fields),
    "another field, wrong": lambda: srtpy.Config(**Held(passphrase=WORD, latency=-1).fields),
    "another field, unknown": lambda: srtpy.Config(**Held(passphrase=WORD, latenzy=1).fields),
    "assigned": lambda: setattr(srtpy.Config(), "passphrase", SHORT),
    "replaced": lambda: srtpy.Config(passphrase=WORD).replace(**Held(passphrase=OTHER, mss=1).fields),
    "fields at odds": lambda: srtpy.dial(LOCAL, **Held(passphrase=WORD, payload_size=1456, mss=600).fields),
    "dialled with a wrong field": lambda: srtpy.dial(LOCAL, **Held(passphrase=WORD, mss=1).fields),
    "dialled to no address": lambda: srtpy.dial(("127.0.0.1",), **Held(passphrase=WORD).fields),
    "dialled to nobody": lambda: srtpy.dial(("127.0.0.1", 1), **Held(passphrase=WORD, conn_timeout=0.3).fields),
    "listened with a wrong field": lambda: srtpy.listen(LOCAL, **Held(passphrase=WORD, mss=1).fields),
    "listened nowhere": lambda: srtpy.listen(("192.0.2.1", 9), **Held(passphrase=WORD).fields),
    "listened for nobody": lambda: srtpy.listen(LOCAL, backlog=0, **Held(passphrase=WORD).fields),
    "a URL's field": lambda: srtpy.Config.from_url(f"srt://h:1?passphrase={WORD}&latency=soon"),
    "a URL's passphrase": lambda: srtpy.Config.from_url("srt://h:1?passphrase=" + SHORT),
    "a URL's passphrase, encoded": lambda: srtpy.Config.from_url(f"srt://h:1?passphrase={WORD}%FF"),
    "a URL's question mark": lambda: srtpy.Config.from_url(f"srt://h:1&passphrase={WORD}"),
    "a URL's scheme": lambda: srtpy.Config.from_url(f"http://h:1?passphrase={WORD}"),
    "a URL's mode": lambda: srtpy.open_url(f"srt://h:1?passphrase={WORD}&mode=x"),
    "a URL's rendezvous": lambda: srtpy.open_url(f"srt://h:1?passphrase={WORD}&mode=rendezvous"),
    "a URL to nobody": lambda: srtpy.open_url(f"srt://127.0.0.1:1?passphrase={WORD}&conntimeo=300"),
    "a URL over the URL's": lambda: srtpy.open_url(f"srt://h:1?passphrase={WORD}", **Held(mss=1).fields),
    "written for no address": lambda: srtpy.Config(passphrase=WORD).to_url("nowhere"),
    "written for no mode": lambda: srtpy.Config(passphrase=WORD).to_url("h:1", mode="x"),
    "written for ffmpeg": lambda: srtpy.Config(passphrase=f"{WORD}&+").to_ffmpeg_url("h:1"),
    "written for ffmpeg, no mode": lambda: srtpy.Config(passphrase=WORD).to_ffmpeg_url("h:1", mode="x"),
}


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_no_traceback_has_it_even_with_the_values_of_locals(mistake: Callable[[], object]) -> None:
    with warnings.catch_warnings(record=True), pytest.raises((ValueError, TypeError, OSError)) as raised:
        mistake()
    story = whole_story(raised.value)
    assert "srtpy" in story, "there is a frame of ours in it"
    assert_hidden(story)


REFUSALS = {
    "wrong passphrase": ({"passphrase": WORD}, {"passphrase": OTHER}),
    "missing here": ({"passphrase": WORD}, {}),
    "missing there": ({}, {"passphrase": OTHER}),
    "another mode": ({"passphrase": WORD, "crypto_mode": 2}, {"passphrase": WORD, "crypto_mode": 1}),
}


@pytest.mark.parametrize(("theirs", "ours"), REFUSALS.values(), ids=REFUSALS)
def test_no_refusal_has_it(theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    with srtpy.listen(LOCAL, **theirs) as listener, pytest.raises(srtpy.RejectedError) as raised:
        srtpy.dial(listener.local_addr, **ours)
    assert_hidden(whole_story(raised.value))


def test_no_error_of_a_running_connection_has_it() -> None:
    with srtpy.listen(LOCAL, passphrase=WORD) as listener, srtpy.dial(listener.local_addr, passphrase=WORD) as conn:
        conn.settimeout(0.01)
        calls: list[Callable[[], object]] = [
            lambda: conn.write(bytes(2000)),
            lambda: conn.set_option(srtpy.SockOpt.RTT, 1),
            conn.read,
        ]
        for call in calls:
            with pytest.raises((srtpy.SRTError, ValueError)) as raised:
                call()
            assert_hidden(whole_story(raised.value))


# ---- logs, reprs, figures


class Keeper(logging.Handler):
    """Keeps all that is logged, formatted as a program would."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record) + repr(record.args) + repr(vars(record)))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that is logged at DEBUG."""
    keeper, logger = Keeper(), logging.getLogger("srtpy")
    before = logger.level
    logger.setLevel(logging.DEBUG)
    logger.addHandler(keeper)
    yield keeper.lines
    logger.removeHandler(keeper)
    logger.setLevel(before)


def reprs(*objects: object) -> str:
    """Return what these and all that hangs on them, five steps far, say of themselves."""
    seen: set[int] = set()
    said: list[str] = []

    def look(one: object, steps: int) -> None:
        if id(one) in seen or not steps or isinstance(one, (str, bytes, int, float, type(None))):
            return
        seen.add(id(one))
        if type(one).__module__.startswith("srtpy"):
            said.append(repr(one))
        if isinstance(one, dict):
            held: list[object] = [*one.keys(), *one.values()]
        elif isinstance(one, (list, tuple, set, frozenset)):
            held = list(one)
        else:
            slots = [name for kind in type(one).__mro__ for name in getattr(kind, "__slots__", ())]
            held = [getattr(one, name, None) for name in slots] + list(getattr(one, "__dict__", {}).values())
        for each in held:
            look(each, steps - 1)

    for one in objects:
        look(one, 6)
    return "\n".join(said)


def keys_of(*conns: srtpy.Conn) -> list[bytes]:
    """Return the keys and key-encrypting keys in use."""
    found: list[bytes] = []
    for conn in conns:
        keys: Any = conn._session.core.keys  # type: ignore[attr-defined]
        found += [keys._sealing._keys.even, keys._sealing._keys.odd, *keys._keying.passphrase._derived.values()]
    return [key for key in found if key]


def test_a_whole_session_with_new_keys_and_failures_shows_nothing(logged: list[str]) -> None:
    fields: dict[str, Any] = {"passphrase": WORD, "km_refresh_rate": 60, "latency": 0.2, "linger": 0.0}

    def judge(request: srtpy.ConnRequest) -> bool:
        request.set_passphrase(WORD)
        with pytest.raises(ValueError, match="passphrase"):
            request.set_passphrase(SHORT)
        assert_hidden(repr(request))
        return True

    printed = io.StringIO()
    with (
        srtpy.listen(LOCAL, accept=judge, **{**fields, "passphrase": OTHER}) as listener,
        UdpProxy() as proxy,
        redirect_stdout(printed),
        redirect_stderr(printed),
    ):
        front = proxy.add_route(("127.0.0.1", listener.local_addr[1]), Weather(loss=0.02, duplicate=0.02), seed=4)
        wrongs: list[dict[str, Any]] = [{"passphrase": OTHER}, {}]
        for wrong in wrongs:
            with suppress(srtpy.RejectedError):
                srtpy.dial(listener.local_addr, **wrong)
        with srtpy.dial(front, **fields) as caller, listener.accept() as accepted:

            def write_on() -> bool:
                for conn in (caller, accepted):
                    conn.write_many([b"what is said"] * 5)
                return caller.stats().sent_km >= 2 <= caller.stats().recv_km

            until(write_on)
            keys = keys_of(caller, accepted)
            objects = (listener, caller, accepted, srtpy.Config(**fields), listener._accepting)
            said = [reprs(*objects)]
            for conn in (caller, accepted):
                stats = conn.stats()
                said += [repr(stats), json.dumps(stats.as_dict()), json.dumps(conn.extended_stats().as_dict())]
                for option in srtpy.SockOpt:
                    with suppress(srtpy.SRTError, ValueError, TypeError):
                        said.append(repr(conn.get_option(option)))
    everything = "\n".join([*said, *logged, printed.getvalue()])
    assert any("refused" in line for line in logged), "there was something to log"
    assert_hidden(everything)
    assert len(set(keys)) >= 2
    for key in keys:
        assert key.hex() not in everything
        assert repr(key)[2:-1] not in everything


@pytest.mark.parametrize("writer", [JsonLinesWriter, CsvWriter])
def test_no_figures_have_it(writer: Callable[[TextIO], StatsWriter]) -> None:
    out = io.StringIO()
    with (
        srtpy.listen(LOCAL, passphrase=WORD) as listener,
        srtpy.dial(listener.local_addr, passphrase=WORD, linger=0.0) as conn,
    ):
        writer(out).write(conn.stats())
    assert out.getvalue()
    assert_hidden(out.getvalue())


# ---- the command line

COMMANDS = [
    ["probe", f"srt://127.0.0.1:1?passphrase={WORD}&conntimeo=200"],
    ["probe", "srt://127.0.0.1:1?passphrase=" + SHORT],
    ["probe", f"srt://127.0.0.1:1&passphrase={WORD}"],
    ["probe", f"srt://127.0.0.1:1/passphrase={WORD}?conntimeo=200"],
    ["probe", f"srt://127.0.0.1:1?passphrase={WORD}&{OTHER}&conntimeo=200"],
    ["probe", f"srt://127.0.0.1:1?conntimeo=200&passphrase={WORD}&latency=soon"],
    ["probe", f"srt://:1?passphrase={WORD}"],
    ["probe", "--json", f"srt://127.0.0.1:1?passphrase={WORD}&conntimeo=200"],
    ["live", f"srt://127.0.0.1:1?mode=rendezvous&passphrase={WORD}", "-"],
    ["live", "-", f"srt://127.0.0.1:1?passphrase={WORD}&mss=1"],
    ["live", f"srt://127.0.0.1:1?passphrase={WORD}&conntimeo=200", f"srt://127.0.0.1:x?passphrase={OTHER}"],
    ["live", f"srtt://127.0.0.1:1?passphrase={WORD}", "-"],
    ["live", f"udp://127.0.0.1:1?passphrase={WORD}", "-"],
    ["live", f"udp://127.0.0.1:x?passphrase={WORD}", "-"],
    ["live", f"udp://127.0.0.1?ttl=x&passphrase={WORD}", "-"],
    ["file", "send", "pyproject.toml", f"srt://127.0.0.1:1?passphrase={WORD}&conntimeo=200"],
    ["file", "send", "pyproject.toml", f"srt://127.0.0.1:1&passphrase={WORD}"],
    ["file", "send", "not there", f"srt://127.0.0.1:1?passphrase={WORD}"],
    ["file", "recv", f"srt://127.0.0.1:1?passphrase={WORD}&mss=1", "."],
    ["demo", "--seconds", "0.2"],
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: words[0])
def test_the_command_line_prints_none(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with suppress(SystemExit):
        main(words)
    said = capsys.readouterr()
    assert said.out + said.err
    assert_hidden(said.out + said.err)
