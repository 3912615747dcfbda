"""From the inbox into the core, by whoever is awake.

Lives here: taking what waits (in order, joined, so much at a time), and promises: one who comes back in
a moment, and takes along what has come, spares the others being woken for it.
Never here: the inbox's bell (mux.inbox), what a core does with batches, whose turn it is (engine.py).

All of it needs the session's lock: taking and feeding are one step, so batches reach the core in the
order in which they were put, whoever takes them.

A promise lasts from `promise` to the next `keep` or `take_back`, or until it is broken.  Meanwhile batches do not
ring, and the socket's thread leaves the socket alone, which whoever has promised then reads.  The inbox needs
nothing else: see there why nothing in it is overlooked.  A broken promise is noticed by the socket's thread, which
rings; so it does not matter whether who promised ever comes back.
"""

from __future__ import annotations

from typing import Final

from srtpy.internal.clock.units import NEVER, Micros
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.mux.joining import LARGE
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import CONTROL, PATIENT, control_kind
from srtpy.internal.session.neighbours import Core, Wire

MOST_AT_ONCE: Final = 64  # ours: batches one lock takes in, about 3 ms of work; then others have their turn


class Intake:
    """What has arrived for one core.

    Attributes:
        inbox: where it waits.
        back_at: when the receiver's or the socket's thread sees to what is due, unless the timer thread does;
            `NEVER`: neither does.
        is_ended: the inbox's owner has said that nothing more will come.
        failure: an error of ours on the socket's thread, for the receiver thread to raise.
    """

    __slots__ = ("_core", "_wire", "back_at", "failure", "inbox", "is_ended")

    def __init__(self, core: Core, inbox: Inbox, wire: Wire | None) -> None:
        self._core = core
        self._wire = wire
        self.inbox = inbox
        self.is_ended = False
        self.failure: Exception | None = None
        self.back_at: Micros = NEVER

    def feed(self, now: Micros, is_wanted: bool = True) -> None:
        """Give the core what waits, or throw it away; what is too much for once is left to the receiver thread."""
        inbox = self.inbox
        take, batches = inbox.get_nowait, []
        for _ in range(min(inbox.qsize(), MOST_AT_ONCE)):
            item = take()
            if item is None:
                self.is_ended = True
                break
            batches.append(item[0])
        if is_wanted:
            self.feed_batches(batches, now)
        if inbox.qsize() and not self.is_ended:
            inbox.ring()

    def feed_batches(self, batches: list[Batch], now: Micros) -> None:
        """Give the core batches that never were in the inbox."""
        receive = self._core.receive_datagrams
        for batch in joined(batches) if len(batches) > 1 else batches:
            receive(batch, now)

    def remind(self, at: Micros) -> bool:
        """Have the socket's thread see to what is due then, if it does such a thing; return whether it does."""
        if self._wire is None or self.inbox.tend is None or not self._wire.remind(self.inbox, at):
            return False
        self.back_at = at
        return True

    # ---- promises

    @property
    def is_promised(self) -> bool:
        """Whether somebody has promised to look, and may still do so."""
        return self.inbox.is_attended

    @property
    def patience(self) -> Micros:
        """How long what arrives may wait in the kernel for who has promised to look, if the promise is broken."""
        return 0 if self._wire is None else self._wire.patience

    @property
    def company(self) -> Micros:
        """How long others who share the socket can wait for who has promised to look, and does."""
        return NEVER if self._wire is None else self._wire.company

    def promise(self, by: Micros) -> None:
        """Give somebody's word that it looks by that instant."""
        if self._wire is not None:
            self._wire.attend(self.inbox, by)

    def keep(self) -> None:
        """Look, as promised; what has come is in the inbox afterwards."""
        try:
            if self._wire is not None:
                self._wire.look(self.inbox)  # what it brings need not ring either
        finally:
            self.inbox.is_attended = False  # who is interrupted here may not come back

    def take_back(self) -> None:
        """Have the others woken again; somebody who is interrupted does so, with the lock or without."""
        self.inbox.is_attended = False
        if self.inbox.qsize():
            self.inbox.ring()


def joined(batches: list[Batch]) -> list[Batch]:
    """Join neighbours of one stride, in order: the core's work is by the batch, far more than by the packet.

    What only tells something, and when it came, goes first; else an echo parts the data that came before and after it.
    """
    telling = [batch for batch in batches if batch.first[0] >= CONTROL and _only_tells(batch)]
    if telling:
        batches = [*telling, *(batch for batch in batches if batch not in telling)]
    result: list[Batch] = []
    start = 0
    while start < len(batches):
        first = batches[start]
        end = start + 1
        # a batch with a shorter last datagram can only be the end of a longer one
        while (
            end < len(batches)
            and batches[end].stride == first.stride
            and first.count < LARGE
            and batches[end].count < LARGE
            and first.first[0] < CONTROL  # control packets come one by one, each at its time
            and len(batches[end - 1].data) % first.stride == 0
        ):
            end += 1
        if end - start == 1:
            result.append(first)
        else:
            together = Batch(b"".join([batch.data for batch in batches[start:end]]), first.stride)
            together.arrived = batches[end - 1].arrived
            if all(batch.times or batch.count == 1 for batch in batches[start:end]):
                together.times = [at for batch in batches[start:end] for at in batch.times or (batch.arrived,)]
            result.append(together)
        start = end
    return result


def _only_tells(batch: Batch) -> bool:
    """Whether this is a control packet that can be taken in at any time."""
    return batch.count == 1 and batch.arrived > 0 and control_kind(batch.first[0]) in PATIENT
