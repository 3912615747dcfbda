from __future__ import annotations

import copy
import pickle
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy import errors
from srtpy.errors import (
    ClosedError,
    DeadlineError,
    PeerError,
    RejectedError,
    RejectReason,
    SRTError,
)

TREE: dict[str, type[BaseException] | None] = {
    "RejectedError": ConnectionRefusedError,
    "NobodyListeningError": ConnectionRefusedError,
    "ConnectionTimeoutError": TimeoutError,
    "ConnectionBrokenError": ConnectionResetError,
    "PeerShutdownError": BrokenPipeError,
    "PeerError": None,
    "DeadlineError": TimeoutError,
    "WouldBlockError": BlockingIOError,
    "MessageTooLargeError": ValueError,
    "ClosedError": None,
    "ConnClosedError": ClosedError,
    "ListenerClosedError": ClosedError,
    "InvalidOptionError": ValueError,
    "ReadOnlyOptionError": ValueError,
    "PreConnectOnlyError": ValueError,
}


def test_the_tree_is_complete() -> None:
    defined = {name for name, one in vars(errors).items() if isinstance(one, type) and issubclass(one, SRTError)} - {
        "SRTError"
    }
    assert defined == set(TREE)


@pytest.mark.parametrize("name", TREE)
def test_each_is_an_srt_error_and_its_builtin(name: str) -> None:
    kind = getattr(errors, name)
    builtin = TREE[name]
    assert issubclass(kind, SRTError)
    assert issubclass(kind, OSError)
    assert builtin is None or issubclass(kind, builtin)


@pytest.mark.parametrize("name", TREE)
def test_each_has_errno_and_text_and_survives_copying(name: str) -> None:
    kind = getattr(errors, name)
    for error in (kind(), kind(text="something went wrong: try again")):
        assert isinstance(error.errno, int)
        assert error.errno > 0
        assert str(error) == error.strerror
        assert str(error)
        error.bytes_taken = 7
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(twin) is kind
            assert (str(twin), twin.errno, twin.bytes_taken) == (str(error), error.errno, 7)
            assert twin.args == error.args
    assert str(kind(text="something")) == "something"
    assert "something" in repr(kind(text="something"))


def test_what_was_taken_before_is_nothing_unless_said() -> None:
    assert DeadlineError().bytes_taken == 0


def test_rejected() -> None:
    error = RejectedError(1403)
    assert error.reason is RejectReason.X_FORBIDDEN
    assert "X_FORBIDDEN, 1403" in str(error)
    assert "denies access" in str(error)
    twin = pickle.loads(pickle.dumps(RejectedError(2007, "no")))
    assert (twin.reason, str(twin)) == (RejectReason(2007), "no")


def test_peer_error() -> None:
    assert PeerError(4001).code == pickle.loads(pickle.dumps(PeerError(4001))).code == 4001
    assert "4001" in str(PeerError(4001))


REASONS = {
    "UNKNOWN": 1000, "SYSTEM": 1001, "PEER": 1002, "RESOURCE": 1003, "ROGUE": 1004, "BACKLOG": 1005, "IPE": 1006,
    "CLOSE": 1007, "VERSION": 1008, "RDV_COOKIE": 1009, "BAD_SECRET": 1010, "UNSECURE": 1011, "MESSAGE_API": 1012,
    "CONGESTION": 1013, "FILTER": 1014, "GROUP": 1015, "TIMEOUT": 1016, "CRYPTO": 1017, "X_BAD_REQUEST": 1400,
    "X_UNAUTHORIZED": 1401, "X_OVERLOADED": 1402, "X_FORBIDDEN": 1403, "X_NOT_FOUND": 1404, "X_BAD_MODE": 1405,
    "X_UNACCEPTABLE": 1406, "X_CONFLICT": 1409, "X_UNSUPPORTED_MEDIA": 1415, "X_LOCKED": 1423,
    "X_FAILED_DEPENDENCY": 1424, "X_INTERNAL_ERROR": 1500, "X_UNIMPLEMENTED": 1501, "X_GATEWAY": 1502,
    "X_UNAVAILABLE": 1503, "X_VERSION": 1505, "X_NO_ROOM": 1507, "USER_DEFINED": 2000,
}  # fmt: skip


def test_reasons() -> None:
    assert {name: int(one) for name, one in RejectReason.__members__.items()} == REASONS


@pytest.mark.parametrize("reason", list(RejectReason) + [RejectReason(number) for number in (1200, 2007, 1600)])
def test_every_reason_has_advice(reason: RejectReason) -> None:
    assert len(reason.advice) > 20


@given(st.integers(1000, 0x7FFFFFFF))
def test_any_code_from_1000_up_is_a_reason(number: int) -> None:
    reason = RejectReason(number)
    assert reason == number
    assert RejectReason(number) is reason is pickle.loads(pickle.dumps(reason)) is copy.deepcopy(reason)
    assert str(number) in repr(reason)


@pytest.mark.parametrize("bad", [0, 1, 999, -1, 1 << 31, True, "1403", None, 1403.5])
def test_what_is_no_reason(bad: Any) -> None:
    with pytest.raises(ValueError):
        RejectReason(bad)


def test_new_reasons_do_not_join_the_list() -> None:
    count = len(RejectReason)
    RejectReason(5555)
    assert len(RejectReason) == count


def test_two_threads_get_one_member() -> None:
    found: list[RejectReason] = []
    gate = threading.Barrier(8)

    def make() -> None:
        gate.wait()
        found.extend(RejectReason(number) for number in range(30_000, 30_050))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(member) for member in found}) == 50
