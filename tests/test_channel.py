from __future__ import annotations

import math
import threading
import time
from typing import Any

import pytest

from srtpy.config import Config
from srtpy.errors import (
    ConnClosedError,
    ConnectionBrokenError,
    DeadlineError,
    MessageTooLargeError,
    PeerShutdownError,
    WouldBlockError,
)
from srtpy.fields import TransType
from srtpy.msgctrl import Boundary, MsgCtrl
from srtpy.options import SockOpt
from tests.connected import CALLER_ADDRESS, LISTENER_ADDRESS, pair
from tests.internal.session.fakes import in_thread, until


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
        with pytest.raises(TypeError, match="a MsgCtrl, not NoneType"):
            a.write_msg_ctrl(b"x", None)  # type: ignore[arg-type]  # the point
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
        reader.join(30)
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


# ---- files: streams and messages of many packets ---------------------------------------------------

STREAM = Config(trans_type=TransType.FILE)
MESSAGES = Config(trans_type=TransType.FILE, message_api=True)
SMALL: dict[str, Any] = {"send_buf_size": 64, "recv_buf_size": 64}
LARGE = bytes(range(251)) * 4000  # a megabyte


def test_a_stream_is_read_as_a_socket_s() -> None:
    with pair(STREAM) as (a, b):
        a.write(b"abc")
        a.sendall(b"defgh")
        assert a.send(bytearray(b"ij")) == 2
        got = b.recv(4)
        while len(got) < 4:
            got += b.recv(4 - len(got))
        assert got == b"abcd"
        buffer = bytearray(3)
        assert b.recv_into(buffer, 2) == 2
        assert buffer == b"ef\0"
        rest = b""
        while len(rest) < 4:
            rest += b.read()
        assert rest == b"ghij"
        a.close()
        assert (b.read(), b.recv(5), b.read_many(), b.read_into(bytearray(1))) == (b"", b"", [], 0)


@pytest.mark.parametrize("config", [STREAM, MESSAGES], ids=["stream", "messages"])
def test_more_than_the_buffers_hold_passes_through_them(config: Config) -> None:
    size = 50_000 if config.message_api else len(LARGE)
    with pair(config.replace(**SMALL)) as (a, b):
        writing = in_thread(lambda: [a.write(LARGE[at : at + size]) for at in range(0, len(LARGE), size)])
        got = b""
        while len(got) < len(LARGE):
            got += b.read(7_000)
        assert got == LARGE
        assert sum(writing.result()) == len(LARGE)  # type: ignore[call-overload]


def test_messages_of_many_packets_stay_whole() -> None:
    messages = [bytes([number]) * size for number, size in enumerate((1, 1456, 1457, 100_000, 300_000))]
    with pair(MESSAGES) as (a, b):
        assert a.write_many(messages) == 5
        assert [b.read_message() for _ in messages] == messages
        assert a.write_msg_ctrl(LARGE[:90_000], MsgCtrl(in_order=False)) == 90_000
        payload, control = b.read_msg_ctrl()
        assert payload == LARGE[:90_000]
        assert (control.boundary, control.in_order, control.msg_no) == (Boundary.SINGLE, False, 6)


def test_a_large_message_is_read_in_parts_of_any_size() -> None:
    with pair(MESSAGES) as (a, b):
        a.write(LARGE[:200_000])
        a.write(b"next")
        parts = [b.read(30_001) for _ in range(3)]
        buffer = bytearray(50_000)
        assert b.read_into(buffer) == 50_000
        rest = b.read()
        assert b"".join([*parts, bytes(buffer), rest]) == LARGE[:200_000]
        assert b.read() == b"next"


@pytest.mark.parametrize(
    ("ours", "theirs", "match"),
    [
        ({"send_buf_size": 64}, {}, r"the send buffer takes 93184 bytes \(64 packets, send_buf_size\)"),
        ({}, {"recv_buf_size": 64}, r"the peer can hold 91728 bytes \(63 packets, its recv_buf_size\)"),
    ],
)
def test_a_message_that_cannot_fit_is_refused_before_anything_is_sent(
    ours: dict[str, Any], theirs: dict[str, Any], match: str
) -> None:
    with pair(MESSAGES.replace(**ours), MESSAGES.replace(**theirs)) as (a, b):
        for write in (a.write, a.send, a.sendall, lambda data: a.write_many([b"x", data])):
            with pytest.raises(MessageTooLargeError, match=match):
                write(bytes(93_185))
        assert a.get_option(SockOpt.SND_DATA) == 0
        a.write(bytes(91_728))
        assert len(b.read()) == 91_728


def test_a_stream_that_runs_out_of_time_says_how_much_was_taken() -> None:
    with pair(STREAM.replace(**SMALL)) as (a, b):
        a.settimeout(0.7)
        with pytest.raises(DeadlineError) as caught:
            a.write(LARGE)
        taken = caught.value.bytes_taken
        assert 0 < taken < len(LARGE)
        got = b""
        while len(got) < taken:
            got += b.read()
        assert got == LARGE[:taken]
        assert 0 < a.send(LARGE) < len(LARGE)
        with pytest.raises(DeadlineError) as caught:
            a.sendall(b"x" * 200_000)
        assert caught.value.bytes_taken < 200_000


def test_a_stream_that_may_not_wait_takes_what_fits() -> None:
    with pair(STREAM.replace(**SMALL)) as (a, b):
        for conn in (a, b):
            conn.setblocking(False)
        with pytest.raises(WouldBlockError):
            b.read()
        taken = a.send(LARGE)
        assert 0 < taken < len(LARGE)
        with pytest.raises(WouldBlockError) as caught:
            a.sendall(LARGE)
        until(lambda: b.get_option(SockOpt.RCV_DATA) > 0)
        assert 0 < len(b.read()) <= taken + caught.value.bytes_taken


def test_a_message_of_many_packets_that_may_not_wait_goes_whole_or_not_at_all() -> None:
    with pair(MESSAGES.replace(**SMALL)) as (a, b):
        a.set_option(SockOpt.SND_SYN, False)
        sent: list[int] = []
        with pytest.raises(WouldBlockError) as caught:
            sent.extend(a.write(bytes(50_000)) for _ in range(100))
        assert caught.value.bytes_taken == 0
        b.settimeout(30)
        assert [len(b.read()) for _ in sent] == sent == [50_000] * len(sent)
        b.settimeout(0.05)
        with pytest.raises(DeadlineError):
            b.read()


@pytest.mark.parametrize("config", [STREAM, MESSAGES], ids=["stream", "messages"])
def test_closing_wakes_who_reads_and_who_writes(config: Config) -> None:
    with pair(config.replace(**SMALL, linger=0)) as (a, b):
        message = bytes(50_000)
        writing, reading = in_thread(lambda: [a.write(message) for _ in range(100)]), in_thread(a.read)
        until(lambda: a._session.engine.writable.count > 0 and a._session.engine.readable.count > 0)
        a.close()
        for running in (writing, reading):
            with pytest.raises(ConnClosedError):
                running.result()
        with pytest.raises(ConnectionBrokenError, match="only a part"):
            all(iter(b.read, b""))


def test_a_stream_as_a_file() -> None:
    with pair(STREAM) as (a, b):
        with a.makefile("wb") as out:
            out.write(LARGE)
            out.write(b"the end")
        a.close()
        with b.makefile("rb") as incoming:
            assert incoming.read(len(LARGE)) == LARGE
            assert incoming.read() == b"the end"


def test_expiring_makes_no_sense_for_a_stream() -> None:
    with pair(STREAM) as (a, _), pytest.raises(ValueError, match="msg_ttl"):
        a.write_msg_ctrl(b"x", MsgCtrl(msg_ttl=1))
