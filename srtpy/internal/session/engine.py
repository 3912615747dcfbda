"""One core under one lock: feeding it, sending what it says, waking whom it concerns.

Lives here: the lock, who waits for what, the one flush that follows every change, and
when the timer thread has to be awake.
Never here: the threads (loops.py), what callers do (reading.py, writing.py), closing (session.py).

Every method needs the lock.  What wakes whom:

  readable   readers: a message they would otherwise sleep past, or the end
  writable   writers: room in the send buffer worth waking for, or the end
  sooner     the timer thread: its next duty has moved to an earlier instant, or the end
  changed    whoever closes: the connection's state changed
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from threading import Lock
from typing import Final, TypeVar

from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.core.events import Broken, Event, Finished, Noteworthy, PeerClosed, PeerFailed
from srtpy.internal.mux.inbox import Inbox
from srtpy.internal.packet.header import Datagram
from srtpy.internal.session.fate import Fate
from srtpy.internal.session.gathering import Gathering
from srtpy.internal.session.intake import Intake
from srtpy.internal.session.neighbours import Core, Wire
from srtpy.internal.session.waiting import Sleepers
from srtpy.log import in_a_line

DELIVERY_GAP: Final[Micros] = 3 * MILLISECOND  # ours: a reader wakes once for all that is due within it, 1.5 ms late
LAZY_DELIVERY: Final[Micros] = 10 * MILLISECOND  # ours: with nobody reading, how late what is due may be moved on
PROMISE: Final[Micros] = 4 * MILLISECOND  # ours: a reader that wakes so soon takes along what has come meanwhile
OVERDUE: Final[Micros] = 7 * MILLISECOND  # ours: so late it is broken; a thread that is to run waits 5 ms for another
# ours: whom a broken promise wakes sees to the timer's duties too; this is for the case that the socket is gone
TIMER_SLACK: Final[Micros] = SECOND  # ours: see above
CALM: Final[Micros] = 7 * MILLISECOND  # ours: two of a hurried writer's bursts; it hears of a loss so much later
NEAR: Final[Micros] = 60 * MILLISECOND  # ours: about as long as an acknowledgement may take to be echoed
HASTE: Final[Micros] = 5 * MILLISECOND  # ours: what is due sooner keeps a pace, and is left to the timer thread
GUARD: Final[Micros] = 3 * SECOND  # ours: if the socket's thread stands still, a peer still hears of us within 5 s
TWO_WAYS: Final[Micros] = SECOND  # ours: what has been written so lately may wait for its pace, which needs the timer
WORTHWHILE_ROOM: Final = 64  # ours: packets; a writer is not woken for less while more is to come

T = TypeVar("T")


class Engine:
    """One core, the lock that guards it, and those who wait for it.

    Attributes:
        lock: guards everything here, the core, and the order of datagrams on the wire.
        gathering: messages that wait outside the core for more.
        served_until: until then a caller serves the core more often than any timer would;
            the timer thread sleeps that long at least.
        flush_by: when somebody has to see to what was begun; `NEVER` if nothing was.
    """

    def __init__(
        self,
        core: Core,
        send: Callable[[Sequence[Datagram]], object],
        inbox: Inbox | None = None,
        wire: Wire | None = None,
    ) -> None:
        self.core = core
        self.intake = Intake(core, Inbox() if inbox is None else inbox, wire)
        self.fate = Fate()
        self.gathering = Gathering(core)
        self.served_until: Micros = 0
        self.flush_by: Micros = NEVER
        self._heard_at: Micros = 0  # when a writer last took in what had arrived
        self._due: Micros = 0  # the core's next deadline, as it was when a caller last served it
        self.send = send
        self._worthwhile_room = min(WORTHWHILE_ROOM, max(core.room() // 4, 1))
        self._renew_lock()

    def _renew_lock(self) -> None:
        self.lock = lock = Lock()
        self.readable = Sleepers(lock)
        self.writable = Sleepers(lock)
        self.sooner = Sleepers(lock)
        self.changed = Sleepers(lock)

    def turn(self, now: Micros) -> None:
        """Take in what has arrived, serve what is due, then flush; once all is over only throw away."""
        core = self.core
        try:
            if self.intake.inbox.qsize():
                self.intake.feed(now, not self.fate.is_finished)
            if self.fate.is_finished:
                return
            if core.next_deadline() <= now:
                core.handle_timer(now)
            if core.delivery_due() <= now:
                core.release(now)
        except BaseException as error:
            self.torn(error)
            raise
        self.flush(now)

    def receive(self, now: Micros) -> Micros:
        """Have a turn on the receiver thread; return for how long it may sleep.

        What is due soon it sees to by itself: for a packet now and then the timer thread would wake twice more.
        """
        intake = self.intake
        if intake.failure is not None:
            raise intake.failure
        self.stand_in(now)
        duty = NEVER if self.fate.is_finished else self.next_duty(now)
        if duty <= now + NEAR:
            intake.back_at = duty
            return max(duty - now, 0)
        intake.back_at = NEVER
        self.rouse_timer(now)
        return NEVER

    def visit(self, now: Micros) -> None:
        """Have a turn on the socket's thread, and have it come back for what is due later."""
        intake = self.intake
        self.stand_in(now)
        intake.back_at = NEVER
        if not self.fate.is_finished:
            duty = self.next_duty(now)
            if duty == NEVER or not self.leave_to_socket(duty, now):
                self.rouse_timer(now)

    def stand_in(self, now: Micros) -> None:
        """Have a turn; the timer thread has its duties again if somebody has broken a promise to serve the core."""
        intake = self.intake
        intake.back_at = 0  # whoever asks for the time now is seen to afterwards
        inbox = intake.inbox
        if inbox.is_let_down:
            inbox.is_let_down = False
            self.served_until = 0
        self.turn(now)

    def leave_to_socket(self, duty: Micros, now: Micros) -> bool:
        """Have the socket's thread see to a duty, if it does such things; return whether it will."""
        return duty >= now + HASTE and self.intake.remind(duty)

    def leave(self, now: Micros) -> Micros:
        """Return until when the timer thread may sleep, with nothing to do now."""
        duty, back_at = self.next_duty(now), self.intake.back_at
        if now < back_at <= duty and self.intake.inbox.tend is not None:
            return back_at + GUARD
        if duty < NEVER and self.served_until <= now and self.leave_to_socket(duty, now):
            return duty + GUARD
        return duty

    def burst(self, now: Micros, patience: Micros = CALM) -> None:
        """Send what has gathered; take in what has arrived, if it may have waited so long, and serve what is due."""
        self.wrote(now)
        if now < self._due and now < self._heard_at + patience and not self.intake.inbox.qsize():
            datagrams = self.change(partial(self.gathering.send, now))
            if datagrams:
                self.send(datagrams)
            return
        self.gathering.until = now
        self._attend(now)

    def listen(self, now: Micros) -> None:
        """Take in what has arrived and serve what is due, if it is time for that; soon after a burst, that is.

        What answers a burst at once, its acknowledgement, is there by then, and finds an answer itself.
        """
        if now >= self._heard_at + CALM or self.intake.inbox.qsize():
            self._attend(now)

    def _attend(self, now: Micros) -> None:
        if self.intake.is_promised:
            self.intake.keep()
        self.turn(now)
        self._due = self.core.next_deadline()
        self._heard_at = now

    def hand_over(self, now: Micros) -> None:
        """Have the core take what has gathered; before anything is asked of it or done to it that depends on that."""
        if self.gathering.waiting:
            self.change(partial(self.gathering.hand_over, now))

    def has_work(self, now: Micros) -> bool:
        """Whether something has arrived or become readable since the last turn."""
        return self.intake.inbox.qsize() > 0 or self.core.delivery_due() <= now or self.fate.is_ending

    def flush(self, now: Micros) -> None:
        """Send what the core has ready and wake whom it concerns; follows every change of the core."""
        assert self.lock.locked()
        core = self.core
        leaving = self.gathering.send if self.gathering.until <= now else core.datagrams_to_send
        datagrams = self.change(partial(leaving, now))
        if datagrams:
            self.send(datagrams)  # if we are interrupted here they are lost, as others on their way
        try:
            news = core.events()
            if news:
                self._heed(news)
        except BaseException as error:
            self.torn(error)
            raise
        self.flush_by = NEVER  # not before: if we are interrupted the timer thread still sees to the news
        if self.readable.count:
            self.rouse_reader(now)
        if self.writable.count and core.room() >= self._worthwhile_room:
            self.writable.wake_one()
        self.rouse_timer(now)

    def change(self, work: Callable[[], T]) -> T:
        """Have the core take something in; a call that is interrupted meanwhile breaks the connection."""
        try:
            return work()
        except BaseException as error:
            self.torn(error)
            raise

    def torn(self, error: BaseException) -> None:
        """Break the connection: who was at work on the core has been interrupted, and left it who knows how.

        Ctrl-C, and whatever else a signal's handler raises, comes between any two steps of the main thread.  A core
        that went on might send, or deliver, other bytes than were written.
        """
        try:
            self.fate.broke(f"a call was interrupted in the middle of its work by {in_a_line(error)}")
            self.fate.finished()
        finally:
            self.wake_everyone()

    def rouse_reader(self, now: Micros) -> None:
        """Wake a reader if all would sleep past the next message; one that wakes soon takes it along."""
        due = now if self.core.messages else self.core.delivery_due()
        if due + DELIVERY_GAP < self.readable.wakes_at:
            self.readable.wake_one(due + DELIVERY_GAP)

    def rouse_timer(self, now: Micros) -> None:
        """Wake the timer thread if it would sleep past its next duty."""
        wakes_at = self.sooner.wakes_at
        if self.intake.back_at < wakes_at:
            wakes_at = self.intake.back_at
        if wakes_at > self.served_until and wakes_at > now:  # else its next duty cannot be earlier
            duty = self.next_duty(now)
            if duty < wakes_at and not self.leave_to_socket(duty, now):
                self.sooner.wake_one(duty)

    def next_duty(self, now: Micros) -> Micros:
        """Return when the timer thread has to be awake; past or present means at once."""
        if self.served_until > now:  # a look whether it is: nobody wakes us when that ends
            return self.served_until
        core = self.core
        duty = min(core.next_deadline(), self.gathering.until, self.flush_by)
        if not self.readable.count:
            duty = min(duty, core.delivery_due() + LAZY_DELIVERY)
        return duty

    def is_calm(self, now: Micros) -> bool:
        """Whether somebody who has promised to look has nothing to do but to deliver."""
        inbox = self.intake.inbox
        return inbox.is_attended and now < self._due and not inbox.qsize() and not self.fate.is_ending

    def look_again(self, now: Micros) -> Micros:
        """Return until when a reader that comes back for what is due may leave everything else alone."""
        intake = self.intake
        leisure = min(self.core.leisure.to_hear(now), intake.patience - OVERDUE - DELIVERY_GAP, intake.company)
        self._due = self.core.next_deadline()
        return now + leisure if leisure > DELIVERY_GAP else now

    def promise_to_read(self, until: Micros, now: Micros, looks_at: Micros = 0) -> None:
        """Have nobody woken for what a reader takes along when it wakes, or at `looks_at`, if that is soon."""
        if until <= now + PROMISE or until == looks_at:
            by = max(until, looks_at) + OVERDUE
            self.intake.promise(by)
            if now > self.gathering.wrote_at + TWO_WAYS and self.intake.is_promised:
                self.serve_until(by + TIMER_SLACK)

    def promise_to_write(self, by: Micros) -> None:
        """Have nobody woken for what a writer takes along when it sends what has gathered."""
        self.intake.promise(by)
        if self._due > by and self.intake.inbox.is_attended:  # else something has to keep its pace
            self.serve_until(by + TIMER_SLACK)

    def look(self) -> None:
        """Keep a promise; if it was a writer's too, what that one has left behind is still watched over."""
        self.intake.keep()
        leaves_at = self.gathering.until
        if self.served_until > leaves_at + PROMISE:
            self.intake.promise(leaves_at)

    def wrote(self, now: Micros) -> None:
        """Note that messages go into the core: who spared the timer thread before has not reckoned with their pace."""
        if now > self.gathering.wrote_at + TWO_WAYS:
            self.served_until = 0
        self.gathering.wrote_at = now

    def serve_until(self, instant: Micros) -> None:
        """Spare the timer thread until then: a caller serves the core."""
        if instant > self.served_until:
            self.served_until = instant

    def _heed(self, news: list[Event]) -> None:
        """Take note of rare news; whoever it concerns wakes and looks."""
        fate = self.fate
        for event in news:
            match event:
                case PeerClosed():
                    fate.peer_closed()
                case Broken(text):
                    fate.broke(text)
                case PeerFailed(code):
                    fate.peer_failed(code)
                case Noteworthy(text):
                    fate.untold.append(text)
                case Finished():
                    fate.finished()
        self.wake_everyone()

    def wake_everyone(self) -> None:
        """Have everybody look at what became of the connection."""
        self.readable.wake_all()
        self.writable.wake_all()
        self.sooner.wake_all()
        self.changed.wake_all()

    def abandon(self) -> None:
        """Forget the parent's threads after a fork: nobody here holds the lock, nobody waits."""
        self._renew_lock()
        self.fate.down()
        self.fate.closing()
