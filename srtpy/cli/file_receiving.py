"""The receiver's side of the conversation, over one connection at a time.

Lives here: what becomes of each offer, of each piece, of each file at its end.
Never here: opening and naming files (file_store.py), connections (file_line.py), layouts (file_words.py).

Nothing the sender says is believed: names, sizes, offsets, the order of words.  What is whole is put on the disk
some files at a time, since a disk takes many at once nearly as fast as one.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from srtpy.cli.file_digests import Digest
from srtpy.cli.file_greeting import Opening, Veil
from srtpy.cli.file_names import UnsafeName, parts_of
from srtpy.cli.file_outcome import MEANING, Status, Tally, TransferError
from srtpy.cli.file_store import Incoming, Refused, Store, refusal
from srtpy.cli.file_words import (
    FROM_SENDER,
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
    frame,
)

PROMISES: Final = 1024  # offers that wait for their files; the sender has fewer
RIPE: Final = 64  # whole files that wait for the disk, at most
WRITERS: Final = 8  # files brought to the disk at once


@dataclass(slots=True)
class Promise:
    """A file that we said yes to.

    Attributes:
        offer: what the sender says it is.
        parts: where it goes.
        answer: what we said.
        have: bytes that are here already.
        digest: of those.
    """

    offer: Offer
    parts: tuple[str, ...]
    answer: Verdict
    have: int = 0
    digest: Digest | None = None


class Reception:
    """Everything one command receives of one transfer; outlives its connections.

    Args:
        store: where to.
        tally: told what becomes of it.
        single: the name of the file if one file is sent; None keeps the sender's.
    """

    def __init__(self, store: Store, tally: Tally, single: str | None = None) -> None:
        self.store = store
        self.tally = tally
        self.single = single
        self.opening: Opening | None = None

    def open(self, opening: Opening) -> None:
        """Learn what is coming; another transfer than before begins the tally anew."""
        known = self.opening
        self.opening = opening
        if known is None or (known.transfer, known.count) != (opening.transfer, opening.count):
            self.tally.expect(opening.count, opening.size, before=opening.count - opening.left, folders=None)

    def place(self, name: bytes) -> tuple[str, ...]:
        """Return where a file of that name goes; raises `UnsafeName`."""
        parts = parts_of(name)
        if self.single is None:
            return parts
        if self.opening is None or not self.opening.is_single:
            return (self.single, *parts)
        return (self.single,)


class ReceivingTalk:
    """What is said over one connection, after the opening.

    Args:
        reception: what there is to receive, and what has come.
        nonce: of our greeting.

    Attributes:
        is_over: the sender has said farewell.
        failure: the disk's, after which there is nothing more to say.
    """

    def __init__(self, reception: Reception, nonce: bytes) -> None:
        self.is_over = False
        self.failure: TransferError | None = None
        self._reception = reception
        self._store = reception.store
        self._tally = reception.tally
        self._frames = FrameReader(FROM_SENDER, has_data=True)
        self._promises: dict[int, Promise] = {}
        self._promised = 0  # bytes that the disk is to take
        self._current: tuple[Promise, Incoming] | None = None
        self._is_skipping = False
        self._ripe: list[tuple[Promise, Incoming]] = []
        self._said: list[bytes] = []
        self._veil = Veil(nonce)

    def take_said(self) -> bytes:
        """Return what is to be sent, and forget it."""
        said, self._said = b"".join(self._said), []
        return self._veil.over(said)

    def receive(self, data: bytes) -> None:
        """Take in what arrived.

        Raises:
            MalformedFrame: the sender does not keep to the conversation.
        """
        try:
            for word in self._frames.feed(data):
                if self.failure is not None:
                    return
                if isinstance(word, bytes):
                    self._take_piece(word)
                else:
                    self._hear(word)
        finally:
            self._settle_ripe()
        if self.is_over and self.failure is None:
            self._said.append(frame(Farewell()))

    def _hear(self, word: Word) -> None:
        if self.is_over:
            raise MalformedFrame("something after the farewell")
        if isinstance(word, Offer):
            self._consider(word)
        elif isinstance(word, Start):
            self._start(word)
        elif isinstance(word, End):
            self._end(word)
        elif isinstance(word, Leave):
            self._leave(word)
        elif isinstance(word, Same):
            self._same(word)
        else:
            self._settle_ripe()
            if self._tally.open:
                raise MalformedFrame("a farewell before everything has found its end")
            self.is_over = True

    # ---- offers

    def _consider(self, offer: Offer) -> None:
        opening = self._reception.opening
        if opening is None or offer.index >= opening.count or offer.index in self._promises:
            raise MalformedFrame(f"an offer of file {offer.index}, which there is not, or twice")
        if len(self._promises) >= PROMISES or (self._current and self._current[0].offer.index == offer.index):
            raise MalformedFrame(f"more than {PROMISES} offers at once, or one of the file that is being sent")
        if offer.kind is Kind.FOLDER:
            self._tally.note_folder(offer.index)
        try:
            parts = self._reception.place(offer.name)
            if offer.kind is Kind.FOLDER:
                self._store.make_folder(parts, offer.mode)
                self._done(offer, Verdict.WHOLE)
                return
            promise = self._promise(offer, parts)
        except (UnsafeName, Refused, OSError) as error:
            why = str(error) if isinstance(error, UnsafeName) else ""
            self._fail(offer, refusal(error), why)
            if offer.kind is Kind.FOLDER:
                self._said.append(frame(Done(offer.index, refusal(error))))
            else:
                self._said.append(frame(Answer(offer.index, refusal(error))))
            return
        self._promises[offer.index] = promise
        digest = promise.digest.digest() if promise.digest is not None else bytes(32)
        self._said.append(frame(Answer(offer.index, promise.answer, promise.have, digest)))

    def _promise(self, offer: Offer, parts: tuple[str, ...]) -> Promise:
        size = self._store.existing(parts)
        if size == offer.size:
            verdict = Verdict.REPLACE if self._store.replaces else Verdict.COMPARE
            return Promise(offer, parts, verdict, size, self._store.digest_of(parts, size))
        if size is not None and not self._store.replaces:
            raise Refused(Verdict.EXISTS)
        have, digest = self._store.begun(parts, offer.size)
        self._check_room(offer.size - have)
        self._promised += offer.size - have
        return Promise(offer, parts, Verdict.WELCOME, have, digest)

    def _check_room(self, count: int) -> None:
        """Raise `Refused` if the disk has no room for so many bytes besides those promised."""
        coming = self._promised
        if self._current is not None:
            promise, incoming = self._current
            coming += promise.offer.size - incoming.position
        if count > self._store.room() - coming:
            raise Refused(Verdict.NO_ROOM)

    def _take_promise(self, index: int) -> Promise:
        promise = self._promises.pop(index, None)
        if promise is None:
            raise MalformedFrame(f"a word about file {index}, which was not agreed on")
        if promise.answer is Verdict.WELCOME:
            self._promised -= promise.offer.size - promise.have
        return promise

    # ---- files

    def _start(self, word: Start) -> None:
        if self._current is not None:
            raise MalformedFrame("a file begins in the middle of another")
        promise = self._take_promise(word.index)
        is_continued = promise.answer is Verdict.WELCOME and word.offset == promise.have
        if promise.answer is Verdict.COMPARE or (word.offset and not is_continued):
            raise MalformedFrame(f"file {word.index} from byte {word.offset} on, which was not agreed on")
        digest = promise.digest if word.offset else None
        try:
            self._check_room(promise.offer.size - word.offset)
            self._current = promise, self._store.grow(promise.parts, word.offset, digest)
        except (Refused, OSError) as error:
            self._is_skipping = True
            self._close(promise.offer, refusal(error))
            return
        self._is_skipping = False
        self._tally.begin(word.index, promise.offer.name, word.offset)

    def _take_piece(self, piece: bytes) -> None:
        if self._current is None:
            if not self._is_skipping:
                raise MalformedFrame("a piece of no file")
            return
        promise, incoming = self._current
        if incoming.position + len(piece) > promise.offer.size:
            raise MalformedFrame(f"more of file {promise.offer.index} than its size")
        try:
            incoming.write(piece)
        except OSError as error:
            self._current = None
            incoming.close()
            self._close(promise.offer, refusal(error))
            return
        self._tally.move(promise.offer.index, len(piece))

    def _end(self, word: End) -> None:
        if self._current is None:
            if not self._is_skipping:
                raise MalformedFrame("the end of no file")
            self._is_skipping = False
            return
        promise, incoming = self._current
        if word.index != promise.offer.index or word.size != promise.offer.size:
            raise MalformedFrame(f"the end of file {word.index}, of another file or size")
        self._current = None
        if incoming.position != word.size or incoming.digest() != word.digest:
            incoming.discard()
            self._close(promise.offer, Verdict.DIFFERS)
            return
        self._ripe.append((promise, incoming))
        if len(self._ripe) >= RIPE:
            self._settle_ripe()

    def _leave(self, word: Leave) -> None:
        self._is_skipping = False
        if self._current is not None and self._current[0].offer.index == word.index:
            promise, incoming = self._current
            self._current = None
            if word.rest is Rest.KEEP:
                incoming.close()
            else:
                incoming.discard()
        elif word.index in self._promises:
            promise = self._take_promise(word.index)
        else:
            return  # crossed our own last word about it
        if promise.answer is Verdict.COMPARE:
            self._fail(promise.offer, Verdict.EXISTS)
        elif word.rest is Rest.DISCARD:
            self._tally.fail(word.index, Status.SOURCE, promise.offer.name, "the sender could not send it")

    def _same(self, word: Same) -> None:
        promise = self._take_promise(word.index)
        if promise.answer is Verdict.WELCOME:
            raise MalformedFrame(f"file {word.index} is the same as one that is not here")
        self._tally.begin(word.index, promise.offer.name, promise.offer.size)
        self._done(promise.offer, Verdict.WHOLE, was_there=True)

    # ---- ends

    def _settle_ripe(self) -> None:
        """Bring whole files to the disk, give them their names, and say so."""
        ripe, self._ripe = self._ripe, []
        if not ripe:
            return
        if len(ripe) == 1:
            verdicts = [self._finish(*ripe[0])]
        else:
            with ThreadPoolExecutor(min(WRITERS, len(ripe)), "srtpy-file") as pool:
                verdicts = list(pool.map(self._finish, *zip(*ripe, strict=True)))
        folders = {promise.parts[:-1] for promise, _ in ripe}
        failed = {parts for parts in folders if not self._is_synced(parts)}
        for (promise, _), verdict in zip(ripe, verdicts, strict=True):
            is_lost = verdict is Verdict.WHOLE and promise.parts[:-1] in failed
            self._close(promise.offer, Verdict.DISK if is_lost else verdict)

    def _finish(self, promise: Promise, incoming: Incoming) -> Verdict:
        offer = promise.offer
        try:
            incoming.finish(self._store.permissions(offer.mode), offer.mtime, replaces=self._store.replaces)
        except (Refused, OSError) as error:
            incoming.close()
            return refusal(error)
        return Verdict.WHOLE

    def _is_synced(self, parts: tuple[str, ...]) -> bool:
        """Bring a folder's names to the disk; say whether it took them."""
        try:
            self._store.folder(parts).sync()
        except OSError:
            return False
        return True

    def _close(self, offer: Offer, verdict: Verdict) -> None:
        """Say the last word about a file."""
        if verdict is Verdict.WHOLE:
            self._done(offer, verdict)
            return
        self._said.append(frame(Done(offer.index, verdict)))
        self._fail(offer, verdict)
        if MEANING[verdict][0] is Status.DISK:
            self.failure = TransferError(*MEANING[verdict])

    def _done(self, offer: Offer, verdict: Verdict, *, was_there: bool = False) -> None:
        self._said.append(frame(Done(offer.index, verdict)))
        self._tally.complete(offer.index, was_there=was_there)

    def _fail(self, offer: Offer, verdict: Verdict, why: str = "") -> None:
        status, text = MEANING[verdict]
        self._tally.fail(offer.index, status, offer.name, why or text, is_final=verdict is not Verdict.DIFFERS)

    def close(self) -> None:
        """Let go of everything; what is not whole stays for another try."""
        if self._current is not None:
            self._current[1].close()
            self._current = None
        for _, incoming in self._ripe:
            incoming.close()
        self._ripe = []
