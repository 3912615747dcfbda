"""Reject codes on the wire, as the table in the manual has them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.errors import RejectReason
from srtpy.internal.handshake.codes import LARGEST_WIRE, from_wire, to_wire


@pytest.mark.parametrize(
    ("public", "wire"),
    [(1000, 1000), (1010, 1010), (1017, 1017), (1400, 2400), (1403, 2403), (1599, 2599), (2000, 3000), (2007, 3007)],
)
def test_both_ways(public: int, wire: int) -> None:
    assert to_wire(public) == wire
    assert from_wire(wire) == public


@pytest.mark.parametrize(
    ("wire", "public"),
    [
        (1018, 1018),
        (1400, 1400),  # Go peers send it so
        (1999, 1999),
        (2000, RejectReason.PEER),  # libsrt's refusal without a reason
        (2001, 2001),
        (2399, 2399),
        (2600, 2600),
        (2999, 2999),
        (LARGEST_WIRE, LARGEST_WIRE - 1000),
    ],
)
def test_what_only_others_send(wire: int, public: int) -> None:
    assert from_wire(wire) == public


@pytest.mark.parametrize("reason", [-1, 0, 1, 16, 999, 1018, 1399, 1600, 1999, LARGEST_WIRE - 999, LARGEST_WIRE])
def test_what_cannot_be_sent(reason: int) -> None:
    with pytest.raises(ValueError, match=str(reason)):
        to_wire(reason)


@given(st.one_of(st.integers(1000, 1017), st.integers(1400, 1599), st.integers(2000, LARGEST_WIRE - 1000)))
def test_what_is_sent_arrives(reason: int) -> None:
    assert from_wire(to_wire(reason)) == reason


@given(st.integers(1000, LARGEST_WIRE))
def test_what_is_received_is_a_reason(kind: int) -> None:
    assert RejectReason(from_wire(kind)) >= 1000
