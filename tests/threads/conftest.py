"""Real connections over loopback, and the counting of what they leave behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from srtpy.config import Config
from srtpy.internal.core.connection import Connection
from srtpy.internal.mux.address import Address
from srtpy.internal.session.accepting import Accepting, listen
from srtpy.internal.session.dialing import dial
from srtpy.internal.session.session import Session
from srtpy.internal.session.waiting import Deadline

Pair = tuple[Session, Session]
Connect = Callable[..., Pair]


@pytest.fixture(autouse=True)
def _nothing_left(no_descriptor_left: None) -> None:
    """Every test here must give back its threads (everywhere) and its descriptors."""


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Return a function that makes pairs of sessions, the caller's side first, and ends them without linger."""
    with ExitStack() as stack:

        def connect(
            mine: Config | None = None,
            theirs: Config | None = None,
            by_way_of: Callable[[Address], Address] = lambda address: address,
        ) -> Pair:
            mine = mine or Config()
            listener = listen(("127.0.0.1", 0), theirs or mine, 8)
            stack.callback(listener.close)
            caller = dial(by_way_of(listener.local_address), mine)
            stack.callback(end, caller)
            accepted = listener.accept(Deadline.after(30.0))
            stack.callback(end, accepted)
            return caller, accepted

        yield connect


@pytest.fixture
def listener() -> Iterator[Accepting]:
    """Return a listener without linger."""
    listener = listen(("127.0.0.1", 0), Config(linger=0.0), 64)
    yield listener
    listener.close()


def core(session: Session) -> Connection:
    """Return a session's real core."""
    assert isinstance(session.core, Connection)
    return session.core


def end(session: Session) -> None:
    session.shut_down()
    session.close()
