from __future__ import annotations

import pytest

from srtpy.internal.congestion.controller import Controller, Limits


def test_a_controller_is_only_an_interface() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Controller()  # type: ignore[abstract]


def test_every_controller_has_to_answer_the_same_questions() -> None:
    assert Controller.__abstractmethods__ == {
        "limit", "wrote", "sent", "acknowledged", "lost", "timed_out", "slow_down",
    }  # fmt: skip


def test_what_is_allowed_unless_told_otherwise() -> None:
    assert Limits() == Limits(max_bw=None, input_bw=0, min_input_bw=0, overhead=25)


def test_limits_do_not_change_behind_a_controllers_back() -> None:
    with pytest.raises(AttributeError):
        Limits().max_bw = 5  # type: ignore[misc]
