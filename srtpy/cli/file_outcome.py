"""What becomes of a transfer: of each file, of the whole, in words and as an exit status.

Lives here: the exit statuses, the tally that both ends keep, which failure gives the status.
Never here: what is shown while it runs (file_progress.py), who decides (file_sending.py, file_receiving.py).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from enum import IntEnum
from typing import Final

from srtpy.cli.file_names import shown
from srtpy.cli.file_words import Verdict
from srtpy.cli.screen import duration, megabits, size


class Status(IntEnum):
    """Exit statuses of `srtpy file`."""

    WHOLE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    REFUSED = 4
    DISK = 5
    CHECKSUM = 6
    INTERRUPTED = 7
    SOURCE = 8
    PROTOCOL = 9
    STOPPED = 130


STATUSES: Final = f"""\
exit status:
  {Status.WHOLE}    every file is whole at the receiver
  {Status.FAILED}    something else failed
  {Status.USAGE}    wrong usage
  {Status.UNREACHABLE}    no connection came about: nobody there, or nobody answered
  {Status.REFUSED}    the connection was refused (passphrase), or a file (it exists, its name, no right to write)
  {Status.DISK}    a disk failed or is full, here or at the other side
  {Status.CHECKSUM}    what arrived is not what was sent, twice
  {Status.INTERRUPTED}    the connection was lost and did not come back in time; run both commands again to go on
  {Status.SOURCE}    a file could not be read, or would not stop changing
  {Status.PROTOCOL}    the other side does not keep to the conversation
  {Status.STOPPED}  stopped by Ctrl-C or SIGTERM
Of several, the first of {Status.DISK}, {Status.CHECKSUM}, {Status.SOURCE}, {Status.REFUSED} counts.
"""

MOST_NAMED: Final = 1000  # files that fail and are said to
WHOLE: Final = 32
"""The fate of a file that is."""

FOLDER: Final = 64
"""A flag beside a fate: it is a folder's, which is not counted as a file."""

WORST_FIRST: Final = (Status.DISK, Status.CHECKSUM, Status.SOURCE, Status.PROTOCOL, Status.REFUSED, Status.FAILED)

NO_ROOM: Final = (
    "the receiver's disk has no room for it; free some there and run both commands again, then it goes on from where"
    " it stands, or choose another folder"
)
MEANING: Final[dict[Verdict, tuple[Status, str]]] = {
    Verdict.WHOLE: (Status.WHOLE, "whole"),
    Verdict.DIFFERS: (Status.CHECKSUM, "what arrived has another SHA-256 than what was sent"),
    Verdict.EXISTS: (Status.REFUSED, "a different file of that name is there; with --overwrite it is replaced"),
    Verdict.NAME: (Status.REFUSED, "the receiver does not take this name"),
    Verdict.IN_THE_WAY: (Status.REFUSED, "something that is no file (or no folder) of that name is in the way"),
    Verdict.BUSY: (Status.REFUSED, "somebody else is receiving this very file"),
    Verdict.DENIED: (Status.REFUSED, "the receiver has no right to write there"),
    Verdict.NO_ROOM: (Status.DISK, NO_ROOM),
    Verdict.DISK: (Status.DISK, "the receiver's disk failed"),
}


def nothing() -> int:
    """Say that nothing is on the way."""
    return 0


class TransferError(Exception):
    """The transfer cannot go on, for good; the text is for people.

    Attributes:
        status: the exit status for it.
    """

    def __init__(self, status: Status, text: str) -> None:
        super().__init__(text)
        self.status = status


class Complaints:
    """Says which files fail, unless there are too many of them."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._count = 0

    def forget(self) -> None:
        """Begin to count anew."""
        self._count = 0

    def tell(self, name: str | bytes, why: str) -> None:
        """Say why this one fails."""
        self._count += 1
        if self._count <= MOST_NAMED:
            self._say(f"{shown(name)}: {why}")
        elif self._count == MOST_NAMED + 1:
            self._say("more files fail; they are not named")


class Tally:
    """What has become of the files so far; kept over all connections of one transfer.

    Args:
        say: told of each file that fails.
        changed: called when a number has changed, often.

    Attributes:
        size: bytes of all files.
        moved: bytes that went over the network.
        done: bytes that are at the receiver, or on the way.
        name: of the file it is now, shown.
        afloat: tells how many of them are on the way.
    """

    def __init__(
        self, say: Callable[[str], None] = lambda text: None, changed: Callable[[], None] = lambda: None
    ) -> None:
        self.size = self.moved = self.done = 0
        self.name = ""
        self.afloat: Callable[[], int] = nothing
        self._began: float | None = None
        self._reached: dict[int, int] = {}  # of files begun and not whole
        self._expected = 0  # files and folders
        self._knows_folders = True
        self._fates = bytearray()  # of each: nothing yet, whole, or the status of its failure
        self._counts: Counter[int] = Counter()  # how many have which
        self._tried_again: set[int] = set()
        self._present = 0
        self._complaints = Complaints(say)
        self._changed = changed

    def expect(self, count: int, size: int, *, before: int = 0, folders: Iterable[int] | None = ()) -> None:
        """Learn how much there is, and begin to count.

        Args:
            count: files and folders.
            size: bytes of all files.
            before: so many were settled with somebody else.
            folders: those that are; None: that shows as they are offered.
        """
        self.moved = self.done = self._present = 0
        self._fates = bytearray(count)
        for each in (self._reached, self._counts, self._tried_again):
            each.clear()
        self._complaints.forget()
        self._expected, self.size = count - before, size
        self._knows_folders = folders is not None
        for index in folders or ():
            self.note_folder(index)
        self._changed()

    def note_folder(self, index: int) -> None:
        """Learn that this one is a folder."""
        self._decide(index, self._fates[index] | FOLDER)

    def tick(self) -> None:
        """Learn that time has passed."""
        self._changed()

    def sink(self) -> None:
        """Learn that the connection is gone, and with it what was on the way."""
        self.moved = max(self.moved - self.afloat(), 0)
        self.afloat = nothing

    def begin(self, index: int, name: str | bytes, position: int) -> None:
        """Learn that a file begins, or goes on, at that position."""
        if self._began is None:
            self._began = time.monotonic()
        self.name = shown(name)
        self._reach(index, position)

    def move(self, index: int, count: int) -> None:
        """Learn that so many bytes of a file went over the network."""
        self.moved += count
        self._reach(index, self._reached.get(index, 0) + count)

    def _reach(self, index: int, position: int) -> None:
        if not self._fates[index] & WHOLE:
            self.done += position - self._reached.get(index, 0)
            self._reached[index] = position
        self._changed()

    def complete(self, index: int, *, was_there: bool = False) -> None:
        """Learn that a file, or a folder, is whole at the receiver."""
        self._present += was_there and not self._fates[index] & WHOLE
        self._decide(index, WHOLE)
        self._reached.pop(index, None)

    def fail(self, index: int, status: Status, name: str | bytes, why: str, *, is_final: bool = True) -> None:
        """Learn that a file has not arrived, for good or to be tried again, and say so."""
        self._complaints.tell(name, why)
        self._decide(index, status)
        if not is_final:
            self._tried_again.add(index)

    def miss(self, name: str | bytes, why: str) -> None:
        """Learn that something could not even be offered, and say so."""
        self._complaints.tell(name, why)
        self._counts[Status.SOURCE] += 1

    def _decide(self, index: int, fate: int) -> None:
        before = self._fates[index]
        fate |= before & FOLDER
        self._counts[before] -= 1
        self._counts[fate] += 1
        self._fates[index] = fate
        self._tried_again.discard(index)
        self._changed()

    def _with_fate(self, *fates: int) -> int:
        return sum(self._counts[fate] for fate in fates)

    @property
    def files(self) -> int:
        """How many files there are in all; what is not known to be a folder counts as one."""
        return self._expected - sum(count for fate, count in self._counts.items() if fate & FOLDER)

    @property
    def files_in_words(self) -> str:
        """The same for people; who receives is not told how many folders there are before they are offered."""
        return f"{self.files}" if self._knows_folders or not self.open else f"up to {self.files}"

    @property
    def whole(self) -> int:
        """How many files are whole at the receiver."""
        return self._with_fate(WHOLE)

    @property
    def failed(self) -> int:
        """How many files did not arrive, at least so far."""
        return self._with_fate(*WORST_FIRST)

    @property
    def _failed_folders(self) -> int:
        return self._with_fate(*[status | FOLDER for status in WORST_FIRST])

    @property
    def open(self) -> int:
        """How many files and folders have no fate yet."""
        return self._expected - self._with_fate(WHOLE, WHOLE | FOLDER) - self.failed - self._failed_folders

    @property
    def is_settled(self) -> bool:
        """Whether all have found their end."""
        return not self.open and not self._tried_again

    def status(self) -> Status:
        """Return the exit status that the files by themselves give."""
        return next((status for status in WORST_FIRST if self._with_fate(status, status | FOLDER)), Status.WHOLE)

    def summary(self, verb: str) -> str:
        """Return the totals in a line."""
        took = 0.0 if self._began is None else time.monotonic() - self._began
        is_one = max(self.files, self.whole) == 1
        of = f" of {self.files_in_words}" if self.files and self.whole != self.files else ""
        text = f"{self.whole}{of} {'file' if is_one else 'files'} {verb} whole"
        if self._present:
            text += f" ({self._present} there already)"
        if self.failed:
            text += f", {self.failed} failed"
        if self._failed_folders:
            text += f", {self._failed_folders} folder{'s' if self._failed_folders > 1 else ''} failed"
        return f"{text}; {size(self.moved)} in {duration(took)}, {megabits(self.moved / max(took, 1e-3))}"
