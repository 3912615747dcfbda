from __future__ import annotations

from collections.abc import Callable

import pytest

from srtpy.errors import ConnClosedError, ConnectionBrokenError, PeerError, PeerShutdownError
from srtpy.internal.session.fate import ConnState, Fate


def nothing(fate: Fate) -> None:
    pass


def test_states_have_libsrts_numbers_and_are_told_in_words() -> None:
    assert [(int(one), str(one)) for one in ConnState] == [
        (1, "init"),
        (2, "opened"),
        (3, "listening"),
        (4, "connecting"),
        (5, "connected"),
        (6, "broken"),
        (7, "closing"),
        (8, "closed"),
        (9, "non_exist"),
    ]


def test_a_peer_that_reported_why_and_then_closed_is_remembered_for_why() -> None:
    fate = Fate()
    assert not fate.has_peer_failed
    fate.peer_failed(4000)
    assert fate.has_peer_failed
    fate.peer_closed()
    refusal = fate.refusal_to_write()
    assert isinstance(refusal, PeerError)
    assert refusal.code == 4000


@pytest.mark.parametrize(
    ("what", "state", "read", "write"),
    [
        (Fate.peer_closed, ConnState.BROKEN, None, PeerShutdownError),
        (lambda fate: fate.broke("silence"), ConnState.BROKEN, ConnectionBrokenError, ConnectionBrokenError),
        (lambda fate: fate.peer_failed(4000), ConnState.CONNECTED, None, PeerError),
        (Fate.closing, ConnState.CLOSING, ConnClosedError, ConnClosedError),
    ],
)
def test_what_happened_decides_what_readers_and_writers_get(
    what: Callable[[Fate], None], state: ConnState, read: type[Exception] | None, write: type[Exception]
) -> None:
    fate = Fate()
    assert fate.state is ConnState.CONNECTED
    assert [fate.is_ending, fate.is_unwritable, fate.is_finished, fate.is_down] == [False] * 4
    what(fate)
    assert fate.state is state
    assert fate.is_unwritable
    refusal = fate.refusal_to_read()
    assert (None if refusal is None else type(refusal)) is read
    assert type(fate.refusal_to_write()) is write


def test_the_peers_code_and_the_reason_are_told() -> None:
    fate = Fate()
    fate.peer_failed(4000)
    error = fate.refusal_to_write()
    assert isinstance(error, PeerError)
    assert error.code == 4000
    assert not fate.is_ending, "it may still send"
    fate.broke("the peer has been silent for 5 s")
    assert "silent for 5 s" in str(fate.refusal_to_write())
    assert "silent for 5 s" in str(fate.refusal_to_read())


def test_closing_wins_over_the_peers_end() -> None:
    fate = Fate()
    fate.peer_closed()
    fate.closing()
    assert fate.state is ConnState.CLOSING
    assert fate.is_closing
    assert isinstance(fate.refusal_to_read(), ConnClosedError)
    assert isinstance(fate.refusal_to_write(), ConnClosedError)


@pytest.mark.parametrize("end", [Fate.peer_closed, lambda fate: fate.broke("silence")])
def test_a_peer_that_goes_while_we_close_leaves_nothing_to_wait_for(end: Callable[[Fate], None]) -> None:
    fate = Fate()
    fate.closing()
    end(fate)
    assert fate.state is ConnState.CLOSING
    assert fate.is_finished


def test_the_end() -> None:
    fate = Fate()
    fate.closing()
    fate.finished()
    assert (fate.state, fate.is_down) == (ConnState.CLOSING, False)
    fate.down()
    assert (fate.state, fate.is_down) == (ConnState.CLOSED, True)


def test_who_has_said_all_has_closed() -> None:
    fate = Fate()
    fate.finished()
    assert (fate.state, fate.is_ending, fate.is_unwritable) == (ConnState.CLOSING, True, True)


def test_taken_down_before_it_is_closed() -> None:
    fate = Fate()
    fate.broke("internal error")
    fate.finished()
    fate.down()
    states = [fate.state]
    fate.closing()
    assert [*states, fate.state] == [ConnState.BROKEN, ConnState.CLOSED]


def test_the_numbers_are_libsrts() -> None:
    assert [int(state) for state in ConnState] == list(range(1, 10))
    assert int(ConnState.CONNECTED) == 5
