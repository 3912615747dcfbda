"""Runs that leave by one call, what happens when the kernel refuses, and what is counted as lost."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.mux.address import Ancillary, Path
from srtpy.internal.mux.counters import MuxCounters
from srtpy.internal.mux.gso import MOST_BYTES, MOST_SEGMENTS, Sending, runs
from srtpy.internal.mux.options import SOL_UDP
from srtpy.internal.packet.header import Datagram
from srtpy.internal.packet.train import couple
from tests.internal.mux.sockets import arrived, bound, control, data, path_to, read_until, whole

SO_NO_CHECK = 11  # Linux socket.h: without checksums the kernel does not cut


class Told(socket.socket):
    """A socket that fails as told, once for each entry, and remembers its calls' sizes."""

    def tell(self, *failures: int) -> None:
        self.failures = list(failures)
        self.calls: list[int] = []

    def _fail(self, cutting: bool, size: int) -> None:
        self.calls.append(-size if cutting else size)
        if self.failures and (code := self.failures.pop(0)):
            raise OSError(code, "as told")

    def sendmsg(  # type: ignore[override]
        self, buffers: list[bytes], ancillary: list[Ancillary], flags: int = 0, address: tuple[str, int] | None = None
    ) -> int:
        self._fail(any(level == SOL_UDP for level, _, _ in ancillary), sum(map(len, buffers)))
        return super().sendmsg(buffers, ancillary, flags, address)

    def sendto(self, content: bytes, flags: int, address: tuple[str, int]) -> int:  # type: ignore[override]
        self._fail(False, len(content))
        return super().sendto(content, flags, address)


@pytest.fixture
def told() -> Iterator[Told]:
    with Told(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.tell()
        sock.bind(("127.0.0.1", 0))
        yield sock


def sending(sock: socket.socket) -> tuple[Sending, MuxCounters]:
    counters = MuxCounters()
    return Sending(sock, counters, connected=False), counters


@given(st.lists(st.sampled_from([0, 1, 300, 1316, 1316, 1456, 40_000, 65_400]), max_size=150))
def test_runs_cover_everything_in_order_and_are_what_the_kernel_can_cut(sizes: list[int]) -> None:
    datagrams = [data(seq, size) for seq, size in enumerate(sizes)]
    lengths = [len(one) for one in whole(datagrams)]
    end = 0
    for first, last, size in runs(datagrams):
        assert first == end < last
        end = last
        assert set(lengths[first : last - 1]) <= {size}
        assert lengths[last - 1] <= size
        assert last - first <= MOST_SEGMENTS
        assert last - first == 1 or sum(lengths[first:last]) <= MOST_BYTES
    assert end == len(sizes)


def test_runs_are_as_long_as_they_can_be() -> None:
    assert list(runs([data(seq) for seq in range(100)])) == [(0, 49, 1332), (49, 98, 1332), (98, 100, 1332)]
    assert list(runs([data(seq, 84) for seq in range(100)])) == [(0, 64, 100), (64, 100, 100)]
    assert list(runs([data(0), data(1), control(2), data(2)])) == [(0, 3, 1332), (3, 4, 1332)]
    assert list(runs([])) == []


def test_a_run_leaves_by_one_call(told: Told) -> None:
    with bound() as here:
        out, counters = sending(told)
        sent = [*[data(seq) for seq in range(44)], data(44, 100)]
        assert out.send(sent, path_to(here)) == 45
        assert told.calls == [-(44 * 1332 + 116)]
        assert arrived(read_until(here, 45)) == whole(sent)
        assert counters.unsent == 0


def test_a_lone_datagram_and_a_mixture(told: Told) -> None:
    with bound() as here:
        out, _ = sending(told)
        sent = [control(2, 4), data(1), control(6, 4), control(6, 8), data(2), data(3)]
        assert out.send(sent[:1], path_to(here)) == 1
        assert out.send(sent, path_to(here)) == 6
        assert told.calls == [20, 20, -1352, 24, -2664]
        assert arrived(read_until(here, 7)) == whole(sent[:1] + sent)
        assert out.send([], path_to(here)) == 0


@pytest.mark.parametrize("code", [errno.EIO, errno.EINVAL, errno.EMSGSIZE, errno.ENOTSUP])
def test_a_refusal_to_cut_is_counted_once_and_never_asked_for_again(told: Told, code: int) -> None:
    with bound() as here:
        out, counters = sending(told)
        told.tell(code)
        sent = [data(seq, 84) for seq in range(100)]
        assert out.send(sent, path_to(here)) == 100
        assert out.send(sent[:3], path_to(here)) == 3
        assert told.calls == [-6400, *[100] * 103]
        assert (out.cuts, counters.unsegmented, counters.unsent, counters.errors) == (False, 1, 0, 0)
        assert arrived(read_until(here, 103)) == whole(sent + sent[:3])


def test_the_kernel_itself_refusing(told: Told) -> None:
    told.setsockopt(socket.SOL_SOCKET, SO_NO_CHECK, 1)
    with bound() as here:
        out, counters = sending(told)
        assert out.send([data(seq) for seq in range(5)], path_to(here)) == 5
        assert (out.cuts, counters.unsegmented) == (False, 1)
        assert len(arrived(read_until(here, 5))) == 5


def test_when_datagrams_fare_no_better_cutting_was_not_the_trouble(told: Told) -> None:
    with bound() as here:
        out, counters = sending(told)
        told.tell(*[errno.EINVAL] * 3)
        assert out.send([data(1), data(2)], path_to(here)) == 0
        assert (out.cuts, counters.unsegmented, counters.unsent, counters.errors) == (True, 0, 2, 2)


@pytest.mark.parametrize("code", [errno.EAGAIN, errno.ENOBUFS])
def test_a_full_kernel_buffer_loses_the_rest(told: Told, code: int) -> None:
    with bound() as here:
        out, counters = sending(told)
        told.tell(0, code)
        sent = [data(seq, 84) for seq in range(200)]
        assert out.send(sent, path_to(here)) == 64
        assert told.calls == [-6400, -6400]
        assert (counters.unsent, counters.errors) == (136, 0)
        told.tell(code)
        assert out.send(sent[:1], path_to(here)) == 0
        assert counters.unsent == 137


def test_other_errors_are_counted_with_their_words(told: Told) -> None:
    with bound() as here:
        out, counters = sending(told)
        told.tell(errno.EPERM)
        assert out.send([data(1), data(2)], path_to(here)) == 0
        told.tell(errno.EPERM)
        assert out.send([data(1)], path_to(here)) == 0
        assert (counters.unsent, counters.errors, counters.last_error) == (3, 2, "as told")


@pytest.mark.parametrize("count", [1, 5])
def test_late_news_of_an_earlier_datagram_does_not_lose_this_one(told: Told, count: int) -> None:
    with bound() as here:
        out, counters = sending(told)
        told.tell(errno.ECONNREFUSED)
        sent = [data(seq) for seq in range(count)]
        assert out.send(sent, path_to(here)) == count
        assert (counters.refusals, counters.unsent) == (1, 0)
        assert arrived(read_until(here, count)) == whole(sent)


def test_a_refusal_that_lasts_is_a_loss(told: Told) -> None:
    with bound() as here:
        out, counters = sending(told)
        told.tell(errno.ECONNREFUSED, errno.ECONNREFUSED)
        assert out.send([data(1)], path_to(here)) == 0
        assert (counters.refusals, counters.unsent) == (2, 1)


def test_a_reply_leaves_from_the_address_it_was_asked_at() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as everywhere, bound() as here:
        everywhere.bind(("0.0.0.0", 0))
        out, _ = sending(everywhere)
        path = Path(path_to(here).destination, bytes([127, 0, 0, 5]))
        out.send([data(1)], path)
        out.send([data(seq) for seq in range(3)], path)
        assert {path.remote[0] for _, path in read_until(here, 4)} == {"127.0.0.5"}


def test_a_connected_socket_needs_no_address_but_may_have_a_source() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, bound() as here:
        sock.connect(here.local_address)
        out = Sending(sock, MuxCounters(), connected=True)
        elsewhere = ("192.0.2.1", 1)
        for path in (Path(elsewhere), Path(elsewhere, bytes([127, 0, 0, 1]))):
            assert out.send([data(1)], path) == 1
            assert out.send([data(2), data(3)], path) == 2
        assert len(arrived(read_until(here, 6))) == 6


def test_a_closed_socket_loses_everything_quietly(told: Told) -> None:
    out, counters = sending(told)
    told.close()
    datagrams: list[Datagram] = [data(1), data(2), data(3)]
    assert out.send(datagrams, Path(("127.0.0.1", 9))) == 0
    assert counters.unsent == 3


def test_systems_that_know_nothing_of_cutting() -> None:
    class Older(socket.socket):
        def getsockopt(self, *args: int) -> int:  # type: ignore[override]
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")

    with Older(socket.AF_INET, socket.SOCK_DGRAM) as sock, bound() as here:
        out, counters = sending(sock)
        assert not out.cuts
        assert out.send([data(1), data(2)], path_to(here)) == 2
        assert counters.unsegmented == 0
        assert len(arrived(read_until(here, 2))) == 2


def test_a_train_leaves_by_one_call_or_as_its_datagrams_would(told: Told) -> None:
    with bound() as here:
        out, counters = sending(told)
        train = couple(5, [1] * 44, [2] * 44, [b"a" * 100] * 43 + [b"c" * 7], 9)
        assert train is not None
        assert out.send(train, path_to(here)) == 44
        out.cuts = False
        assert out.send(train, path_to(here)) == 44
        assert told.calls == [-(43 * 116 + 23), *[116] * 43, 23]
        assert arrived(read_until(here, 88)) == whole(list(train)) * 2
        assert counters.unsent == 0


def test_a_train_too_long_for_a_call_leaves_by_two(told: Told) -> None:
    count, size = MOST_SEGMENTS + 1, 100
    with bound() as here:
        out, _ = sending(told)
        train = couple(5, [1] * count, [2] * count, [bytes(size)] * count, 9)
        assert train is not None
        assert out.send(train, path_to(here)) == count
        assert len(told.calls) == 2
        assert arrived(read_until(here, count)) == whole(list(train))
