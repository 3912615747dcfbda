"""Both sides of a file transfer's conversation in one thread, over a wire that can be cut after any byte."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from srtpy.cli.file_greeting import OpeningReader, hello
from srtpy.cli.file_outcome import Tally
from srtpy.cli.file_receiving import ReceivingTalk, Reception
from srtpy.cli.file_sending import Parcel, SendingTalk
from srtpy.cli.file_sources import gather
from srtpy.cli.file_store import Store

NONCE = bytes(range(16))
TRANSFER = bytes(16)
ENDLESS = 1 << 60


def digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of every file under a folder, hidden ones included; folders have none."""
    return {
        os.fsdecode(os.path.relpath(os.fsencode(path), os.fsencode(folder))): ""
        if path.is_dir()
        else hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
    }


@dataclass
class Wire:
    """One direction: bytes on the way, of which the wire carries so many until it is cut."""

    left: int = ENDLESS
    waiting: bytearray = field(default_factory=bytearray)
    carried: int = 0

    def put(self, data: bytes) -> None:
        taken = data[: max(self.left, 0)]
        self.left -= len(data)
        self.carried += len(taken)
        self.waiting += taken

    def take(self, size: int) -> bytes:
        taken = bytes(self.waiting[:size])
        del self.waiting[:size]
        return taken

    @property
    def is_cut(self) -> bool:
        return self.left < 0


class Transfer:
    """One command at each end, and as many connections as it takes."""

    def __init__(self, sources: list[Path], target: Path, *, replaces: bool = False, single: str | None = None) -> None:
        self.news: list[str] = []
        self.sent, self.received = Tally(self.news.append), Tally(self.news.append)
        found = gather([os.fspath(path) for path in sources])
        assert not found.left_out + found.unreadable
        entries = found.entries
        is_single = len(entries) == 1 and entries[0].kind == 0
        self.parcel = Parcel(entries, TRANSFER, self.sent, is_single=is_single)
        self.target = target
        self.replaces, self.single = replaces, single
        self.reception = Reception(Store(str(self.target), replaces=self.replaces), self.received, self.single)

    def restart_receiver(self) -> None:
        """Have a new receiver, which knows nothing but what is on the disk."""
        self.received = Tally(self.news.append)
        self.reception = Reception(Store(str(self.target), replaces=self.replaces), self.received, self.single)

    def connect(
        self,
        forth: int = ENDLESS,
        back: int = ENDLESS,
        chop: Callable[[], int] = lambda: ENDLESS,
        meanwhile: Callable[[], None] = lambda: None,
    ) -> bool:
        """Talk over one connection that is cut after so many bytes each way; say whether they came to the end."""
        there, again = Wire(forth), Wire(back)
        self.forth, self.back = there, again
        sender = SendingTalk(self.parcel)
        reader, receiver = OpeningReader(NONCE), ReceivingTalk(self.reception, NONCE)
        again.put(hello(NONCE))
        is_open = False
        try:
            while not sender.is_over:
                meanwhile()
                said = sender.next_data()
                there.put(said)
                heard = there.take(chop())
                if heard:
                    rest = reader.feed(heard)
                    assert not reader.is_bare
                    if reader.opening is not None:
                        if not is_open:
                            is_open = True
                            self.reception.open(reader.opening)
                        receiver.receive(rest)
                        again.put(receiver.take_said())
                answered = again.take(chop())
                if answered:
                    sender.receive(answered)
                if not (said or heard or answered):
                    assert there.is_cut or again.is_cut, "both wait for the other"
                    return False
            return True
        finally:
            sender.close()
            receiver.close()


def chops(sizes: list[int]) -> Callable[[], int]:
    """Return what deals out these sizes in turn, over and over."""

    def cycle() -> Iterator[int]:
        while True:
            yield from sizes

    turn = cycle()
    return lambda: next(turn)
