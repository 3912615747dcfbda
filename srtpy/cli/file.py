"""`srtpy file send|recv`: carry files and folders, whole or not at all.

Lives here: the command's options, which way of sending and receiving is taken, its exit status.
Never here: the conversation (file_sending.py, file_receiving.py), connections (file_line.py), bare files
(file_bare.py), what is shown (file_progress.py), signals (interruption.py).
"""

from __future__ import annotations

import argparse
import os
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import srtpy
from srtpy.cli.arguments import LONGEST, duration
from srtpy.cli.file_bare import afloat, bare_name, receive_bare, send_bare
from srtpy.cli.file_carrying import (
    BareFile,
    Lost,
    NobodyGreets,
    Patience,
    Stranger,
    persist,
    receive_parcel,
    send_parcel,
)
from srtpy.cli.file_greeting import MOST_FILES
from srtpy.cli.file_line import Line
from srtpy.cli.file_names import shown
from srtpy.cli.file_outcome import STATUSES, Status, TransferError, nothing
from srtpy.cli.file_progress import Display
from srtpy.cli.file_receiving import Reception
from srtpy.cli.file_sending import Parcel
from srtpy.cli.file_sources import Entry, gather
from srtpy.cli.file_store import Store
from srtpy.cli.file_words import Kind
from srtpy.cli.interruption import Interruption

PEERS: Final = ("auto", "srtpy", "plain")
TRANSFER: Final = 16  # bytes of a transfer's number
SILENCE: Final = 30.0  # seconds that somebody who calls may say nothing at first

DESCRIPTION: Final = """\
Carry files and folders over SRT.  Either side may call or listen, as its URL says: srt://host:port calls (for 3
seconds at first, or conntimeo=MILLISECONDS), srt://:port listens (for ever, or timeout=MILLISECONDS).  Every file is
checked by SHA-256 and gets its name in one step, when it is whole; until then it grows under a hidden name beside it
(.NAME.srtpy-part).  A connection that is lost is made again, and goes on from where the receiver stands, even if a
command was ended in between: run it again.

srt-file-transmit is understood in both directions, for one file at a time.  It sends no checksum and cannot go on
after a loss.
"""
SEND_EXAMPLES: Final = """\
examples:
  srtpy file send film.mov srt://example.net:9000
  srtpy file send photos notes.txt 'srt://example.net:9000?passphrase=…'
  srtpy file send film.mov srt://:9000                       the receiver calls us
  srtpy file send --peer plain film.mov srt://example.net:9000   to srt-file-transmit, without a wait
"""
RECV_EXAMPLES: Final = """\
examples:
  srtpy file recv srt://:9000 inbox/                         whatever comes, into a folder
  srtpy file recv srt://:9000 film.mov                       one file, under this name
  srtpy file recv 'srt://example.net:9000?passphrase=…' .    call a sender that listens

what is there already:
  a file that is the same counts as received; a different one is left alone, unless --overwrite is given.
  Links, devices and folders are never written through or replaced.  Names that lead out of the folder, and names
  with control characters or backslashes, are refused.  Permissions and times are the sender's, less the umask and
  never set-user-id; owners are not kept.
"""


def add_arguments(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command to the parser."""
    about: dict[str, Any] = {
        "description": DESCRIPTION,
        "formatter_class": argparse.RawDescriptionHelpFormatter,
    }
    parser = commands.add_parser(
        "file",
        help="send and receive files and folders, checked and gone on with after a loss",
        epilog=STATUSES,
        **about,
    )
    verbs = parser.add_subparsers(title="commands", required=True, metavar="send|recv")
    send = verbs.add_parser("send", help="send files and folders", epilog=f"{SEND_EXAMPLES}\n{STATUSES}", **about)
    send.add_argument("paths", metavar="PATH", nargs="+", help="files and folders")
    send.add_argument("url", metavar="URL", help="srt://host:port calls, srt://:port listens")
    send.add_argument(
        "--hello-wait",
        type=duration,
        default=5.0,
        metavar="SECONDS",
        help="with --peer auto: how long the receiver may take to greet before it is taken for srt-file-transmit (5)",
    )
    send.set_defaults(run=run_send)
    recv = verbs.add_parser("recv", help="receive them", epilog=f"{RECV_EXAMPLES}\n{STATUSES}", **about)
    recv.add_argument("url", metavar="URL", help="srt://host:port calls, srt://:port listens")
    recv.add_argument("path", metavar="PATH", help="a folder that is there, or ends in /; else the name for what comes")
    recv.add_argument("--overwrite", action="store_true", help="replace files that are there and differ")
    recv.set_defaults(run=run_recv)
    for each in (send, recv):
        _add_common(each)


def _add_common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--peer",
        choices=PEERS,
        default="auto",
        help="what the other side is: srtpy file; plain, which is srt-file-transmit; auto finds out (default)",
    )
    parser.add_argument(
        "--patience",
        type=_patience,
        default=30.0,
        metavar="SECONDS",
        help="how long to try to get a lost connection back, without progress; 0: not at all (30)",
    )
    parser.add_argument("--interval", type=duration, default=5.0, metavar="SECONDS", help="between lines (5)")
    parser.add_argument("--quiet", action="store_true", help="no progress, only news and the totals")


def _patience(text: str) -> float:
    value = float(text)
    if not 0 <= value <= LONGEST:
        raise argparse.ArgumentTypeError(f"{text} is out of range: 0 to {LONGEST:g} seconds")
    return value


def _path(text: str) -> str:
    """Return a path, which srt-file-transmit's users write as file://."""
    path = text.removeprefix("file://")
    if path in ("", "-", "con"):
        raise ValueError(f"{text}: a file or folder is needed, for what it is called and how long it is")
    return path


def _run(options: argparse.Namespace, verb: str, work: Callable[[Line, Display], None]) -> int:
    """Do the work, tell the totals, return the exit status."""
    display = Display(options.interval, is_quiet=options.quiet)
    line = Line(options.url, display.say)
    with Interruption():
        try:
            with display:
                status = _outcome(line, display, work)
        finally:
            line.close()
        display.say(f"srtpy file: {display.tally.summary(verb)}")
    return status


def _outcome(line: Line, display: Display, work: Callable[[Line, Display], None]) -> Status:
    """Do the work, and say what kept it from being done."""
    try:
        work(line, display)
        return display.tally.status()
    except TransferError as error:
        display.say(f"srtpy: {error}")
        return error.status
    except KeyboardInterrupt as stop:
        display.say(f"srtpy: stopped; {stop}" if stop.args else "srtpy: stopped; run it again to go on")
        return Status.STOPPED


# ---- sending


def run_send(options: argparse.Namespace) -> int:
    """Send; return what the status says."""
    paths = [_path(path) for path in options.paths]
    return _run(options, "sent", lambda line, display: _send(options, paths, line, display))


def _send(options: argparse.Namespace, paths: list[str], line: Line, display: Display) -> None:
    tally = display.tally
    try:
        found = gather(paths)
    except OSError as error:
        raise TransferError(Status.SOURCE, f"{shown(error.filename or '')}: {error.strerror}") from None
    for path, why in found.left_out:
        display.say(f"{shown(path)}: left out: {why}")
    entries = found.entries
    if len(entries) > MOST_FILES:
        raise TransferError(Status.SOURCE, f"{len(entries)} files and folders are too many: at most {MOST_FILES}")
    is_single = len(entries) == 1 and entries[0].kind is Kind.FILE
    if not entries:
        raise TransferError(Status.SOURCE, "there is nothing to send")
    if options.peer == "plain" and not is_single:
        raise ValueError("--peer plain: srt-file-transmit takes one file; name one, or have srtpy at the other side")
    parcel = Parcel(entries, secrets.token_bytes(TRANSFER), tally, is_single=is_single)
    for path, why in found.unreadable:
        tally.miss(path, why)
    sender = _Sender(parcel, entries[0], options.peer, options.hello_wait, display.say)
    persist(line, sender.attempt, tally, Patience(options.patience), display.say)


class _Sender:
    """Sends over one connection after the other, with a conversation if the other side has one."""

    def __init__(self, parcel: Parcel, first: Entry, peer: str, greeting: float, say: Callable[[str], None]) -> None:
        self._parcel = parcel
        self._first = first
        self._is_plain = peer == "plain"
        self._may_be_plain = peer == "auto" and parcel.is_single
        self._has_greeted = False
        self._greeting = greeting if self._may_be_plain else max(greeting, SILENCE)
        self._say = say

    def attempt(self, conn: srtpy.Conn) -> None:
        """Send what is left."""
        tally = self._parcel.tally
        tally.afloat = lambda: afloat(conn)
        try:
            if not self._is_plain and self._converse(conn):
                return
            send_bare(conn, self._first, tally)
        except (Lost, TransferError, KeyboardInterrupt):
            tally.sink()
            raise
        finally:
            tally.afloat = nothing

    def _converse(self, conn: srtpy.Conn) -> bool:
        """Send with a conversation; say whether the other side has one."""
        try:
            send_parcel(conn, self._parcel, self._greeting)
        except NobodyGreets:
            if self._has_greeted:
                raise Lost("the other side does not greet as it did before") from None
            if not self._may_be_plain:
                raise TransferError(
                    Status.PROTOCOL,
                    "the other side does not greet as `srtpy file recv` does; srt-file-transmit takes one file",
                ) from None
            self._is_plain = True
            self._say("the other side does not greet: sending the file without checksum, as to srt-file-transmit")
            return False
        except Lost as lost:
            self._has_greeted = self._has_greeted or not isinstance(lost, Stranger)
            raise
        return True


# ---- receiving


def run_recv(options: argparse.Namespace) -> int:
    """Receive; return what the status says."""
    folder, single = _target(_path(options.path))
    return _run(options, "received", lambda line, display: _receive(options, folder, single, line, display))


def _target(path: str) -> tuple[str, str | None]:
    """Return the folder that things go into, and the name they get if it is not their own."""
    if path.endswith(os.sep) or os.path.isdir(path):
        return path, None
    real = os.path.realpath(path)
    if os.path.exists(real) and not os.path.isfile(real):
        raise ValueError(f"{shown(path)} is neither a file nor a folder")
    return os.path.dirname(real), os.path.basename(real)


def _receive(options: argparse.Namespace, folder: str, single: str | None, line: Line, display: Display) -> None:
    tally = display.tally
    try:
        store = Store(folder, replaces=options.overwrite)
    except OSError as error:
        raise TransferError(Status.DISK, f"{shown(folder)}: {error.strerror}") from None
    reception = Reception(store, tally, single)

    def attempt(conn: srtpy.Conn) -> None:
        while_nothing_came = reception.opening is None
        try:
            receive_parcel(conn, reception, greets=options.peer != "plain", silence=SILENCE)
        except BareFile as bare:
            if options.peer == "srtpy" or not while_nothing_came:
                raise TransferError(Status.PROTOCOL, "the other side sends a file without a word") from None
            name = bare_name(single, conn.stream_id, time.localtime())
            display.say(f"{shown(name)}: a file without checksum, as srt-file-transmit sends it")
            receive_bare(conn, store, name, bare.start, is_all=bare.is_all, tally=tally)

    persist(line, attempt, tally, Patience(options.patience), display.say)
