from __future__ import annotations

from queue import Empty

import pytest

from srtpy.internal.mux.address import Path
from srtpy.internal.mux.inbox import MANY, Inbox, Item
from srtpy.internal.packet.batch import Batch
from tests.internal.mux.sockets import has_rung
from tests.internal.session.fakes import in_thread, until

PATH = Path(("127.0.0.1", 9001))


def item(number: int) -> Item:
    return Batch(bytes(15) + bytes([number])), PATH


def test_first_in_first_out() -> None:
    inbox, items = Inbox(), [item(1), None, item(2)]
    for one in items:
        inbox.put(one)
    assert inbox.qsize() == 3
    assert [inbox.get(), inbox.get_nowait(), inbox.get()] == items
    assert inbox.empty()
    with pytest.raises(IndexError):
        inbox.get_nowait()


def test_one_ring_for_all_that_waits() -> None:
    inbox = Inbox()
    inbox.put(item(1))
    inbox.put(item(2))
    assert (has_rung(inbox), has_rung(inbox)) == (True, False)
    inbox.put(item(3))
    assert has_rung(inbox)


def test_an_attended_one_rings_for_its_owner_only() -> None:
    inbox = Inbox()
    inbox.is_attended = True
    inbox.put(item(1))
    assert not has_rung(inbox)
    inbox.put(None)
    assert has_rung(inbox)
    inbox.ring()
    assert has_rung(inbox)
    assert inbox.qsize() == 2


def test_what_can_wait_rings_for_a_patient_owner_only_when_there_is_much_of_it() -> None:
    inbox = Inbox()
    inbox.put(item(1), can_wait=True)
    assert has_rung(inbox)
    inbox.is_patient = True
    for number in range(MANY - 2):
        inbox.put(item(number), can_wait=True)
    assert not has_rung(inbox)
    inbox.put(item(0), can_wait=True)
    assert has_rung(inbox), "else a flood of it would fill the inbox unheard of"
    while inbox.qsize():
        inbox.get_nowait()
    inbox.put(item(1), can_wait=True)
    assert not has_rung(inbox)
    inbox.put(item(2))
    assert has_rung(inbox)


def test_what_is_added_rings_for_nobody_but_says_whether_it_should() -> None:
    inbox = Inbox()
    assert inbox.add(item(1))
    inbox.is_attended = True
    assert not inbox.add(item(2))
    assert inbox.add(None)
    inbox.is_attended, inbox.is_patient = False, True
    assert not inbox.add(item(3), can_wait=True)
    assert inbox.add(item(4))
    assert not has_rung(inbox)
    assert inbox.qsize() == 5


def test_whoever_waits_is_woken_by_what_comes() -> None:
    inbox = Inbox()
    waiting = in_thread(inbox.get)
    inbox.put(one := item(1))
    assert waiting.result() is one


def test_waiting_ends_when_time_is_up() -> None:
    with pytest.raises(Empty):
        Inbox().get(timeout=0.001)


@pytest.mark.parametrize("attending", [False, True])
def test_no_wake_up_is_lost(attending: bool) -> None:
    """One thread puts, one attends now and then as a reader does, one waits: together they find everything."""
    inbox, found = Inbox(), 0
    ended = False

    def owner() -> None:
        while not ended:
            inbox.wait()
            take()

    def take() -> None:
        nonlocal found
        while True:
            try:
                inbox.get_nowait()
            except IndexError:
                return
            found += 1

    def put() -> None:
        for number in range(2_000):
            inbox.put(item(number & 0xFF))

    def attend() -> None:
        for _ in range(500):
            inbox.is_attended = True
            inbox.is_attended = False
            if inbox.qsize():
                inbox.ring()  # as one who is interrupted

    waiting = in_thread(owner)
    threads = [in_thread(put), *([in_thread(attend)] if attending else [])]
    for thread in threads:
        thread.result()
    until(inbox.empty)
    ended = True
    inbox.put(None)
    waiting.result()
    assert found == 2_001
