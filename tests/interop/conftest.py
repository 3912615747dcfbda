"""What the tests against real peers share: one minute of television, waves of streams."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.interop.cells import Cell, Outcome, Stage

MINUTE = 60
STREAMS_PER_CORE = 4
ATTEMPTS = 3
VOID = pytest.StashKey[list[str]]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Tell of every stream that was void: a machine that needs this often is no place to judge."""
    void = config.stash.get(VOID, [])
    if void:
        terminalreporter.section("streams that were void")
        for line in void:
            terminalreporter.write_line(line)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything here."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.interop)


@pytest.fixture(scope="session")
def minute(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of MPEG-TS at a constant 10 Mbit/s, made by ffmpeg."""
    path = tmp_path_factory.mktemp("minute") / "minute.ts"
    sources = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25", "-f", "lavfi", "-i", "sine=frequency=440"]
    video = ["-c:v", "mpeg2video", "-b:v", "8M", "-minrate", "8M", "-maxrate", "8M", "-bufsize", "2M"]
    audio = ["-c:a", "mp2", "-b:a", "192k"]
    words = [ffmpeg, "-hide_banner", "-nostdin", "-loglevel", "error", "-y", *sources, "-t", str(MINUTE)]
    subprocess.run([*words, *video, *audio, "-f", "mpegts", "-muxrate", "10M", str(path)], check=True)
    return path


@pytest.fixture(scope="session")
def packets(ffprobe: str) -> Callable[[Path], dict[str, Any]]:
    """What ffprobe finds in a file: packets of each stream, and complaints."""

    def probe(path: Path) -> dict[str, Any]:
        entries = "format=duration:stream=codec_name,nb_read_packets"
        words = [ffprobe, "-hide_banner", "-v", "error", "-count_packets", "-show_entries", entries, "-of", "json"]
        done = subprocess.run([*words, str(path)], capture_output=True, text=True, check=False)
        found = json.loads(done.stdout)
        streams = {stream["codec_name"]: int(stream["nb_read_packets"]) for stream in found["streams"]}
        return {"streams": streams, "seconds": float(found["format"]["duration"]), "complaints": done.stderr}

    return probe


@pytest.fixture(scope="session")
def outcome_of(
    request: pytest.FixtureRequest,
    minute: Path,
    ffmpeg: str,
    srt_live_transmit: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Cell], Outcome]:
    """Return what came of a cell; streams of a minute run in waves, several cells of this session at once.

    A stream with gaps is void, and runs again, twice at most, if every gap was sent about when the machine (or the
    network made on it) stood still for a quarter of the latency of 250 ms or more.  A gap at another time, a byte that
    nobody sent, an end that breaks or does not report is a failure whatever the machine did.  The summary tells.
    """
    chosen: list[Cell] = []
    for item in request.session.items:
        call = getattr(item, "callspec", None)
        cell = call.params.get("cell") if call else None
        if isinstance(cell, Cell) and cell not in chosen:
            chosen.append(cell)
    chosen = [cell for start in range(4) for cell in chosen[start::4]]  # each wave has some of every kind
    finished: dict[Cell, Outcome] = {}
    tools = {"ffmpeg": ffmpeg, "srt-live-transmit": srt_live_transmit}

    def run(cells: list[Cell]) -> None:
        outcomes = Stage(minute, tmp_path_factory.mktemp("streams"), tools).run(cells)
        for cell, outcome in outcomes.items():
            if cell in finished:
                finished[cell].arrived.unlink(missing_ok=True)
            finished[cell] = outcome

    def outcome(cell: Cell) -> Outcome:
        if cell not in finished:
            wave = [cell, *(each for each in chosen if each not in finished and each != cell)]
            wave = wave[: STREAMS_PER_CORE * (os.cpu_count() or 1)]
            for _ in range(ATTEMPTS):
                run(wave)
                excuses = {each: finished[each].excuse() for each in wave}
                wave = [each for each in wave if excuses[each]]
                if not wave:
                    break
                void = request.config.stash.setdefault(VOID, [])
                void += [f"{each}: {excuses[each]}" for each in wave]
        return finished[cell]

    return outcome
