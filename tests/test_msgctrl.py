from __future__ import annotations

import pytest

from srtpy.internal.packet.header import IN_ORDER, POSITION_SINGLE, RETRANSMITTED
from srtpy.msgctrl import Boundary, MsgCtrl, as_read


def test_what_a_header_says() -> None:
    ctrl = as_read(7, POSITION_SINGLE | IN_ORDER | RETRANSMITTED | 42, 1.5)
    assert ctrl == MsgCtrl(src_time=1.5, in_order=True, boundary=Boundary.SINGLE, pkt_seq=7, msg_no=42)
    assert not as_read(7, POSITION_SINGLE | 42, 1.5).in_order


def test_defaults_and_shape() -> None:
    ctrl = MsgCtrl()
    assert (ctrl.src_time, ctrl.msg_ttl, ctrl.in_order, ctrl.boundary) == (None, None, True, Boundary.SINGLE)
    with pytest.raises(AttributeError):
        ctrl.in_order = False  # type: ignore[misc]


def test_boundaries() -> None:
    assert [int(one) for one in Boundary] == [0, 1, 2, 3]
    assert str(Boundary.SINGLE) == "single"
