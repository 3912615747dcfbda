from __future__ import annotations

import contextlib
import inspect

import pytest

from srtpy.config import Config
from srtpy.internal.core.connection import Connection
from srtpy.internal.mux.opening import open_listening
from srtpy.internal.session.neighbours import Core, Wire
from tests.internal.session.fakes import FakeCore, FakeWire, negotiated


def verbs(protocol: type) -> list[str]:
    return [name for name in vars(protocol) if not name.startswith("_") and callable(getattr(protocol, name))]


def assert_alike(protocol: type, *things: object) -> None:
    assert verbs(protocol)
    for name in verbs(protocol):
        wanted = list(inspect.signature(getattr(protocol, name)).parameters.values())[1:]
        for thing in things:
            found = inspect.signature(getattr(thing, name)).parameters.values()
            assert [(p.name, p.kind) for p in found] == [(p.name, p.kind) for p in wanted], (name, thing)


def test_real_and_fake_core_speak_the_same_verbs() -> None:
    real, fake = Connection(negotiated(), Config(), 0), FakeCore()
    assert_alike(Core, real, fake)
    assert real.messages == fake.messages
    assert real.is_closed is fake.is_closed is False


@pytest.mark.usefixtures("no_descriptor_left")
def test_real_and_fake_socket_speak_the_same_verbs() -> None:
    mux = open_listening(("127.0.0.1", 0), Config())
    with contextlib.closing(contextlib.ExitStack()) as stack:
        stack.callback(mux.release)
        assert_alike(Wire, mux, FakeWire())
        assert mux.local_address[0] == FakeWire().local_address[0]
