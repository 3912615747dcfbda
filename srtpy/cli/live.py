"""`srtpy live SRC DST`: carry a live stream from one place to another.

Lives here: the command's options, its exit status.
Never here: ends (end.py, endpoints.py), moving data (pump.py), figures (figures.py), signals (interruption.py).
"""

from __future__ import annotations

import argparse
import re
import sys
from typing import Final

import srtpy
from srtpy.cli.arguments import duration
from srtpy.cli.end import End
from srtpy.cli.endpoints import FileEnd, check_apart, open_end
from srtpy.cli.figures import COLUMNS, FORMATS, Figures, StatsFile, totals
from srtpy.cli.interruption import Interruption
from srtpy.cli.mpegts import MESSAGE_SIZE
from srtpy.cli.pump import Pace, Pump, clock_pace, rate_pace
from srtpy.cli.screen import Screen

LARGEST_CHUNK: Final = 1456
RATE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([kMG]?)(?:bps|bit/s)?")
EXAMPLES: Final = """\
examples:
  srtpy live srt://:9000 out.ts                     receive, listening on port 9000, into a file
  srtpy live in.ts srt://example.net:9000           send a file at the speed of its own clock
  srtpy live udp://239.1.1.1:5000 'srt://example.net:9000?latency=200&streamid=live/a'
  srtpy live srt://example.net:9000 - | ffplay -    receive as a caller, into a player

exit status:
  0  the stream ended, or was ended by Ctrl-C or SIGTERM
  1  something failed: the last line says what
  2  wrong usage
"""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the parser."""
    parser = commands.add_parser(
        "live",
        help="carry a live stream between srt://, udp://, files and standard input and output",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", metavar="SRC", help="srt://…, udp://…, a path, or - for standard input")
    parser.add_argument("sink", metavar="DST", help="srt://…, udp://…, a path, or - for standard output")
    parser.add_argument(
        "--reconnect",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="when an srt:// end goes away, wait for it to come back (default); otherwise end; "
        "settings that a listener refuses from the first, such as a wrong passphrase, end it either way",
    )
    parser.add_argument("--streamid", help="stream id for the srt:// ends, over the URL's")
    parser.add_argument("--chunk", type=_chunk, default=MESSAGE_SIZE, help="bytes of a message read from a file (1316)")
    parser.add_argument(
        "--pace",
        default="auto",
        help="how fast a file is sent: clock (the transport stream's own), off, or a rate such as 10M; "
        "auto is clock for a file on a disk, off otherwise",
    )
    parser.add_argument("--interval", type=duration, default=1.0, help="seconds between figures (1)")
    parser.add_argument("--quiet", action="store_true", help="no figures on the screen until the last line, only news")
    parser.add_argument("--stats-out", metavar="FILE", help="write figures to a file")
    parser.add_argument("--stats-format", choices=FORMATS, default="json", help="format of that file (json)")
    parser.set_defaults(run=run)


def _chunk(text: str) -> int:
    chunk = int(text)
    if not 1 <= chunk <= LARGEST_CHUNK:
        raise argparse.ArgumentTypeError(f"{chunk} is out of range: 1 to {LARGEST_CHUNK} bytes fit a live message")
    return chunk


def pace_for(text: str, source: End) -> Pace | None:
    """Return the pace that `text` asks for.

    Raises:
        ValueError: it is not one of the words nor a rate.
    """
    is_disk = isinstance(source, FileEnd) and source.is_regular
    if text == "off" or (text == "auto" and not is_disk):
        return None
    if text in ("auto", "clock"):
        return clock_pace()
    found = RATE.fullmatch(text)
    if not found or not float(found[1]):
        raise ValueError(f"--pace {text}: use clock, off, or a rate in bits a second such as 8M or 500k")
    return rate_pace(float(found[1]) * {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}[found[2]] / 8)


def run(options: argparse.Namespace) -> int:
    """Carry the stream; return 0 when it ended or was ended, 1 when it failed.

    Raises:
        ValueError: ends that cannot be, or not together.
        BrokenPipeError: whoever read our standard output is gone.
    """
    source = open_end(options.source, is_source=True, chunk=options.chunk, stream_id=options.streamid)
    sink = open_end(options.sink, is_source=False, stream_id=options.streamid)
    check_apart(source, sink)
    screen = Screen(COLUMNS)
    pump = Pump(source, sink, reconnects=options.reconnect, pace=pace_for(options.pace, source), say=screen.say)
    stats_file = StatsFile(options.stats_out, options.stats_format) if options.stats_out else None
    figures = Figures(pump, None if options.quiet else screen, stats_file, options.interval, screen.say)
    with Interruption():
        if options.pace in ("auto", "clock") and isinstance(source, FileEnd) and source.lacks_clock:
            screen.say(f"{source.name}: no transport stream, so it has no clock to be paced by: --pace says how fast")
        if not options.quiet:
            screen.say(f"srtpy live: {source.name} -> {sink.name}")
        failure = _carry(pump, figures)
        screen.say(f"srtpy live: {totals(pump)}")
    if isinstance(failure, BrokenPipeError) and not isinstance(failure, srtpy.SRTError):
        raise failure
    if failure is not None:
        print(f"srtpy: {failure}", file=sys.stderr)
        return 1
    return 0


def _carry(pump: Pump, figures: Figures) -> OSError | None:
    """Carry the stream until it ends or is ended, or return what made it fail."""
    failure: OSError | None = None
    figures.start()
    try:
        pump.run()
    except KeyboardInterrupt:
        pass
    except OSError as error:
        failure = error
    finally:
        figures.stop()
        try:
            pump.close()
        except OSError as error:  # a file that could not be written can often not be closed either: that is no news
            failure = failure or error
    return failure
