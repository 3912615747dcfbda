"""A caller is answered by something gone mad: it ends connected or refused, in time, and never raises."""

from __future__ import annotations

import pytest

from srtpy.config import Config
from srtpy.internal.clock.units import MILLISECOND, NEVER, SECOND, Micros
from srtpy.internal.handshake.caller import EARLY_LIMIT, Caller
from srtpy.internal.handshake.negotiation import Opened, Refused
from srtpy.internal.packet.batch import Batch
from srtpy.internal.packet.header import HEADER_SIZE
from tests.hostile.mutation import Mutator
from tests.internal.handshake.doorman import CALLER_ID, ISN, Doorman

PATIENCE = 3 * SECOND


def answers(caller: Caller, doorman: Doorman, now: Micros) -> list[bytes]:
    """Return what a sane listener answers to what the caller says now."""
    for header, body in caller.datagrams_to_send(now):
        doorman.receive_datagrams(Batch(header + body), now)
    return [header + body for header, body in doorman.datagrams_to_send(now)]


@pytest.mark.parametrize("seed", range(60))
def test_damaged_answers_by_seed(seed: int) -> None:
    mutator = Mutator(seed)
    chance = mutator.chance
    begin: Micros = 5 * SECOND
    caller = Caller(Config(stream_id="live/a"), CALLER_ID, ISN, b"\x7f\0\0\1", begin, begin)
    doorman = Doorman()
    now, said = begin, [bytes(64)]
    outcome: list[Opened | Refused] = []
    while not outcome:
        said = answers(caller, doorman, now) + said[:3]
        for _ in range(chance.randrange(1, 20)):
            bad = mutator.mutated(said, CALLER_ID) if chance.random() < 0.8 else mutator.noise(CALLER_ID)
            if len(bad) >= HEADER_SIZE and bad[:2] != b"\x80\x05":
                caller.receive_datagrams(Batch(bad), now)
        assert sum(batch.count for batch in caller.early) <= EARLY_LIMIT
        outcome = list(caller.events())
        deadline = caller.next_deadline()
        assert outcome or now < deadline <= begin + PATIENCE
        now = min(deadline, now + chance.choice((1, 100, 50 * MILLISECOND)))
        caller.handle_timer(now)
        outcome += caller.events()
    assert len(outcome) == 1
    assert caller.next_deadline() == NEVER
    assert now <= begin + PATIENCE
