"""The sender's side of the conversation, over one connection at a time.

Lives here: what the sender says next, what it makes of what it hears; no connection, no clock.
Never here: reading files (file_sources.py), connections (file_line.py), how words are laid out (file_words.py).

Offers run ahead of files, so that ten thousand small files do not cost a round trip each.  Every connection begins
with offers of all that is not yet settled: the receiver says what it has, and what it has is compared.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Final

from srtpy.cli.file_digests import TooShort
from srtpy.cli.file_greeting import HelloReader, Opening, Veil
from srtpy.cli.file_outcome import MEANING, Status, Tally, TransferError
from srtpy.cli.file_sources import Entry, Source
from srtpy.cli.file_words import (
    FROM_RECEIVER,
    Answer,
    Done,
    End,
    Farewell,
    FrameReader,
    Kind,
    Leave,
    MalformedFrame,
    Offer,
    Rest,
    Same,
    Start,
    Verdict,
    Word,
    data_frame,
    frame,
)

OFFERS: Final = 256  # offered and not settled at once
PIECE: Final = 1 << 18  # bytes of a file in one frame
ENOUGH: Final = 1 << 16  # bytes that are worth a write
ATTEMPTS: Final = 3  # how often a file that changes is begun
CHECKS: Final = 2  # how often a file is sent that arrives changed

_REFUSALS: Final = frozenset(MEANING) - {Verdict.WHOLE, Verdict.DIFFERS}


class Parcel:
    """Everything one command sends; outlives its connections.

    Args:
        entries: what is to be sent.
        transfer: a number nobody else has.
        is_single: one file was named, which the receiver may give another name.
        tally: told what becomes of it.
    """

    def __init__(self, entries: Sequence[Entry], transfer: bytes, tally: Tally, *, is_single: bool) -> None:
        self.entries = entries
        self.tally = tally
        self.is_single = is_single
        self._transfer = transfer
        folders = (entry.index for entry in entries if entry.kind is Kind.FOLDER)
        tally.expect(len(entries), sum(entry.size for entry in entries), folders=folders)

    def unsettled(self) -> list[Entry]:
        """Return what there is still to do."""
        return [entry for entry in self.entries if not entry.is_settled]

    def opening(self) -> Opening:
        """Return what is said first, over each connection."""
        left = self.unsettled()
        size = sum(entry.size for entry in left)
        return Opening(self.is_single, self._transfer, len(self.entries), len(left), size)


class SendingTalk:
    """What is said over one connection.

    Attributes:
        is_greeted: the other side has greeted: it speaks this conversation.
        is_over: everything is settled, and the receiver knows.
    """

    def __init__(self, parcel: Parcel) -> None:
        self.is_greeted = self.is_over = False
        self._parcel = parcel
        self._tally = parcel.tally
        self._hello = HelloReader()
        self._veil: Veil | None = None
        self._frames = FrameReader(FROM_RECEIVER, has_data=False)
        self._waiting = deque(parcel.unsettled())
        self._offered: dict[int, Entry] = {}
        self._answers: dict[int, Answer] = {}
        self._source: Source | None = None
        self._sent: set[int] = set()  # offered ones that only need the receiver's last word
        self._present: set[int] = set()  # of those, the ones that were there already
        self._has_said: set[str] = set()

    # ---- hearing

    def receive(self, data: bytes) -> None:
        """Take in what arrived.

        Raises:
            MalformedFrame, NotGreeted: the other side does not keep to the conversation.
            TransferError: the receiver's disk has failed.
        """
        rest = self._hello.feed(data)
        if not self._hello.nonce:
            return
        self.is_greeted = True
        self._veil = self._veil or Veil(self._hello.nonce)
        for word in self._frames.feed(self._veil.over(rest)):
            if isinstance(word, Answer):
                self._hear_answer(word)
            elif isinstance(word, Done):
                self._hear_done(word)
            elif "farewell" in self._has_said:
                self.is_over = True
            else:
                raise MalformedFrame("a farewell before its time")

    def _entry(self, index: int) -> Entry:
        entry = self._offered.get(index)
        if entry is None:
            raise MalformedFrame(f"a word about file {index}, which was not offered")
        return entry

    def _hear_answer(self, word: Answer) -> None:
        entry = self._entry(word.index)
        is_going = self._source is not None and self._source.entry is entry
        if is_going or word.index in self._sent or word.index in self._answers or entry.kind is Kind.FOLDER:
            raise MalformedFrame(f"a second answer about file {word.index}")
        if word.verdict in _REFUSALS:
            self._refuse(entry, word.verdict)
        elif (word.verdict is Verdict.WELCOME and word.have <= entry.size) or (
            word.verdict in (Verdict.COMPARE, Verdict.REPLACE) and word.have == entry.size
        ):
            self._answers[word.index] = word
        else:
            raise MalformedFrame(f"verdict {word.verdict.name} with {word.have} bytes as an answer")

    def _hear_done(self, word: Done) -> None:
        entry = self._entry(word.index)
        if word.verdict in _REFUSALS:
            self._refuse(entry, word.verdict)
            if MEANING[word.verdict][0] is Status.DISK:
                raise TransferError(Status.DISK, MEANING[word.verdict][1])
        elif word.index not in self._sent and entry.kind is Kind.FILE:
            raise MalformedFrame(f"the last word about file {word.index} before its end")
        elif word.verdict is Verdict.WHOLE:
            self._tally.complete(entry.index, was_there=word.index in self._present)
            self._settle(entry)
        elif word.verdict is Verdict.DIFFERS:
            self._send_again(entry)
        else:
            raise MalformedFrame(f"verdict {word.verdict.name} as the last word")

    def _refuse(self, entry: Entry, verdict: Verdict) -> None:
        self._settle(entry)
        status, why = MEANING[verdict]
        self._tally.fail(entry.index, status, entry.name, why)

    def _settle(self, entry: Entry) -> None:
        entry.is_settled = True
        self._forget(entry)

    def _forget(self, entry: Entry) -> None:
        """Be ready to offer it again, if ever."""
        self._offered.pop(entry.index, None)
        self._sent.discard(entry.index)
        self._answers.pop(entry.index, None)
        if self._source is not None and self._source.entry is entry:
            self._close_source()

    def _send_again(self, entry: Entry) -> None:
        self._forget(entry)
        entry.attempts += 1
        if entry.attempts < CHECKS:
            self._waiting.append(entry)
        else:
            self._refuse(entry, Verdict.DIFFERS)

    # ---- speaking

    def next_data(self) -> bytes:
        """Return what is to be sent now; b"" if there is nothing until more is heard."""
        said = bytearray()
        if not self.is_greeted:
            return b""
        if "opening" not in self._has_said:
            self._has_said.add("opening")
            said += self._parcel.opening().encode(self._hello.nonce)
        while len(said) < ENOUGH:
            more = self._offers() or self._piece() or self._next_file() or self._farewell()
            if not more:
                break
            said += more
        return bytes(said)

    def _offers(self) -> bytes:
        said = []
        while self._waiting and len(self._offered) < OFFERS:
            entry = self._waiting.popleft()
            self._offered[entry.index] = entry
            word = Offer(entry.index, entry.kind, entry.mode, entry.size, entry.mtime, entry.name)
            said.append(frame(word))
        return b"".join(said)

    def _next_file(self) -> bytes:
        while self._answers:
            index = next(iter(self._answers))
            answer, entry = self._answers.pop(index), self._offered[index]
            try:
                return frame(self._begin(entry, answer))
            except OSError as error:
                return self._give_up(entry, f"cannot be read: {error.strerror or error}")
        return b""

    def _begin(self, entry: Entry, answer: Answer) -> Word:
        """Open a file and say from where on it comes, or that it need not."""
        source = Source(entry)
        try:
            is_theirs = source.begins_with(answer.have, answer.digest)
            if answer.verdict is not Verdict.WELCOME and is_theirs:
                source.close()
                self._tally.begin(entry.index, entry.name, entry.size)
                self._sent.add(entry.index)
                self._present.add(entry.index)
                return Same(entry.index)
            if answer.verdict is not Verdict.COMPARE:
                self._source = source
                self._tally.begin(entry.index, entry.name, source.position)
                return Start(entry.index, source.position)
        except BaseException:
            source.close()
            raise
        source.close()
        self._refuse(entry, Verdict.EXISTS)
        return Leave(entry.index, Rest.KEEP)

    def _piece(self) -> bytes:
        """Return the next piece of the file that is being sent, or its end."""
        source = self._source
        if source is None:
            return b""
        entry = source.entry
        try:
            piece = source.read(PIECE)
            if piece:
                self._tally.move(entry.index, len(piece))
                return data_frame(piece)
            if not source.is_steady():
                return self._begin_again(entry)
        except TooShort:
            return self._begin_again(entry)
        except OSError as error:
            return self._give_up(entry, f"cannot be read: {error.strerror or error}")
        digest = source.digest()
        self._close_source()
        self._sent.add(entry.index)
        return frame(End(entry.index, entry.size, digest))

    def _begin_again(self, entry: Entry) -> bytes:
        """Offer a file as it is now: it has changed while it was sent."""
        self._close_source()
        entry.attempts += 1
        if entry.attempts >= ATTEMPTS:
            return self._give_up(entry, "changes while it is sent, again and again")
        self._forget(entry)
        before = entry.size
        try:
            entry.look_again()
        except OSError as error:
            return self._give_up(entry, f"cannot be read: {error.strerror or error}")
        self._tally.size += entry.size - before
        self._waiting.append(entry)
        return frame(Leave(entry.index, Rest.KEEP))

    def _give_up(self, entry: Entry, why: str) -> bytes:
        self._settle(entry)
        self._tally.fail(entry.index, Status.SOURCE, entry.path, why)
        return frame(Leave(entry.index, Rest.DISCARD))

    def _farewell(self) -> bytes:
        if self._waiting or self._offered or "farewell" in self._has_said:
            return b""
        self._has_said.add("farewell")
        return frame(Farewell())

    def _close_source(self) -> None:
        source, self._source = self._source, None
        if source is not None:
            source.close()

    def close(self) -> None:
        """Let go of the file being sent; the connection is over."""
        self._close_source()

    @property
    def is_settled(self) -> bool:
        """Whether the receiver's last word about everything has been heard, if not its farewell."""
        return not self._parcel.unsettled()
