from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest

from srtpy.config import Config
from srtpy.errors import (
    DeadlineError,
    MessageTooLargeError,
    PeerShutdownError,
    WouldBlockError,
)
from srtpy.msgctrl import Boundary, MsgCtrl
from srtpy.options import SockOpt
from tests.connected import CALLER_ADDRESS, LISTENER_ADDRESS, pair


def test_messages_arrive_whole_and_in_order() -> None:
    with pair() as (a, b):
        for index in range(50):
            assert a.write(b"%d" % index) == len(b"%d" % index)
        assert [b.read() for _ in range(50)] == [b"%d" % index for index in range(50)]


def test_both_directions_at_once() -> None:
    with pair() as (a, b):
        a.write(b"there")
        b.write(b"back")
        assert (b.read(), a.read()) == (b"there", b"back")


def test_a_message_read_in_parts_keeps_its_rest() -> None:
    with pair() as (a, b):
        a.write_many([b"abcdefgh", b"next"])
        assert b.read(0) == b""
        assert b.read(3) == b"abc"
        buffer = bytearray(2)
        assert b.read_into(buffer) == 2
        assert bytes(buffer) == b"de"
        assert b.read_many() == [b"fgh", b"next"]


def test_a_size_that_is_no_number_takes_nothing() -> None:
    with pair() as (a, b):
        a.write(b"abcdefgh")
        for bad in (None, 2.5, "2"):
            for call in (b.read, b.recv, b.read_many):
                with pytest.raises(TypeError):
                    call(bad)  # type: ignore[arg-type]
        assert b.read() == b"abcdefgh"


@pytest.mark.parametrize("data", [b"\x01\x00\x02\x00", bytearray(b"\x01\x00\x02\x00"), memoryview(b"\x01\x00\x02\x00")])
def test_anything_bytes_like_is_written(data: Any) -> None:
    with pair() as (a, b):
        assert a.write(data) == 4
        assert a.write(memoryview(data).cast("B").cast("H")) == 4
        assert b.read() == b.read() == b"\x01\x00\x02\x00"


def test_what_is_not_bytes_is_refused() -> None:
    with pair() as (a, _):
        for bad in ("text", 5, None, [1]):
            with pytest.raises(TypeError):
                a.write(bad)  # type: ignore[arg-type]
        assert a.write(b"") == 0
        assert a.stats().sent_packets == 0


def test_a_message_too_large_names_the_limit() -> None:
    with pair(Config(latency=0.02, payload_size=1316)) as (a, _):
        with pytest.raises(MessageTooLargeError, match="1316") as caught:
            a.write(bytes(1317))
        assert isinstance(caught.value, ValueError)
        with pytest.raises(MessageTooLargeError):
            a.write_many([b"fits", bytes(1317)])


def test_reading_into_what_cannot_be_written() -> None:
    with pair() as (_, b), pytest.raises(TypeError):
        b.read_into(memoryview(b"constant"))


def test_messages_until_the_end() -> None:
    with pair() as (a, b):
        a.write_many([b"one", b"two"])
        threading.Thread(target=a.close).start()
        assert list(b.messages()) == [b"one", b"two"]
        assert b.read() == b""
        assert b.read_many() == []
        assert b.read_into(bytearray(5)) == 0
        assert b.read_msg_ctrl() == (b"", MsgCtrl())
        with pytest.raises(PeerShutdownError):
            b.write(b"too late")


def test_not_iterable() -> None:
    with pair() as (a, _), pytest.raises(TypeError):
        iter(a)  # type: ignore[call-overload]


def test_metadata() -> None:
    with pair() as (a, b):
        before = time.monotonic()
        a.write_msg_ctrl(b"one", MsgCtrl(src_time=before, msg_ttl=1.0, in_order=False))
        a.write_msg_ctrl(b"two", MsgCtrl(src_time=1.0))
        one, with_one = b.read_msg_ctrl()
        two, with_two = b.read_msg_ctrl()
        assert (one, two) == (b"one", b"two")
        assert (with_one.boundary, with_one.in_order, with_two.in_order) == (Boundary.SINGLE, False, True)
        assert (with_one.pkt_seq, with_two.pkt_seq) == (0x7FFFFFF0, 0x7FFFFFF1)
        assert (with_one.msg_no, with_two.msg_no) == (1, 2)
        assert with_one.src_time == pytest.approx(before + 0.02, abs=0.002)
        assert with_two.src_time is not None
        assert with_two.src_time > before


def test_bad_metadata() -> None:
    with pair() as (a, b):
        for bad in (
            MsgCtrl(msg_ttl=-1),
            MsgCtrl(msg_ttl=math.nan),
            MsgCtrl(src_time=math.nan),
            MsgCtrl(src_time=math.inf),
        ):
            with pytest.raises(ValueError):
                a.write_msg_ctrl(b"x", bad)
        a.write_msg_ctrl(b"for ever", MsgCtrl(msg_ttl=math.inf))
        assert b.read() == b"for ever"


def test_as_a_socket() -> None:
    with pair() as (a, b):
        assert a.send(b"abcdef") == 6
        assert a.sendall(b"ghi") is None  # type: ignore[func-returns-value]
        assert b.recv(4) == b"abcd"
        buffer = bytearray(8)
        assert b.recv_into(buffer, 1) == 1
        assert b.recv_into(buffer) == 1
        assert b.recv(100) == b"ghi"
        assert a.getpeername() == b.getsockname() == LISTENER_ADDRESS
        assert a.getsockname() == b.getpeername() == CALLER_ADDRESS
        for call in (b.recv, lambda size: b.recv_into(buffer, size)):
            with pytest.raises(ValueError):
                call(-1)
        with pytest.raises(ValueError, match="too small"):
            b.recv_into(buffer, 9)


def test_timeouts() -> None:
    with pair() as (_, b):
        assert b.gettimeout() is None
        assert b.getblocking()
        b.settimeout(0.01)
        with pytest.raises(TimeoutError):
            b.read()
        b.setblocking(False)
        assert (b.gettimeout(), b.getblocking()) == (0.0, False)
        with pytest.raises(BlockingIOError):
            b.read()
        b.setblocking(True)
        assert b.gettimeout() is None
        with pytest.raises(ValueError):
            b.settimeout(-1)
        b.settimeout(math.inf)
        b.set_deadline(math.inf)
        b.set_deadline(-math.inf)
        with pytest.raises(DeadlineError):
            b.read()


def test_deadlines() -> None:
    with pair() as (a, b):
        b.set_read_deadline(time.monotonic() + 0.01)
        with pytest.raises(DeadlineError):
            b.read()
        with pytest.raises(DeadlineError, match="did you mean settimeout"):
            b.read()
        b.set_deadline(None)
        a.set_write_deadline(5.0)
        a.write(b"there is room: nothing to wait for")
        assert b.read()


def test_a_deadline_set_meanwhile_wakes_the_reader() -> None:
    with pair() as (_, b):
        failures: list[BaseException] = []

        def read() -> None:
            try:
                b.read()
            except DeadlineError as error:
                failures.append(error)

        reader = threading.Thread(target=read)
        reader.start()
        b.set_deadline(time.monotonic())
        reader.join(5)
        assert len(failures) == 1


def test_options_that_switch_waiting_off() -> None:
    with pair(Config(latency=0.02, rcv_syn=False)) as (a, b):
        with pytest.raises(WouldBlockError):
            b.read()
        b.set_option(SockOpt.RCV_SYN, True)
        a.write(b"x")
        assert b.read() == b"x"


def test_files_are_in_test_rawio_and_modes_are_checked() -> None:
    with pair() as (a, _):
        for mode in ("r", "rt", "a", "w+b"):
            with pytest.raises(ValueError):
                a.makefile(mode)
