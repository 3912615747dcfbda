"""Many datagrams a call: what comes out is what was sent, whichever way through the reader it takes."""

from __future__ import annotations

import socket
import struct
import sys
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from srtpy.internal.clock.units import Micros
from srtpy.internal.mux import recvmmsg
from srtpy.internal.mux.address import PATHS_KEPT, Endpoint, Path
from srtpy.internal.mux.joining import JOIN_LIMIT, LARGEST_DATAGRAM, Joiner
from srtpy.internal.mux.recvmmsg import AT_ONCE, MESSAGES, ManyReader, is_available
from srtpy.internal.mux.udp import Reading
from srtpy.internal.packet.header import HEADER_SIZE, Datagram
from tests.internal.mux.sockets import IPV4, IPV6, arrived, bound, data, dialed, path_to, read_until, whole

ANY4 = Endpoint(socket.AF_INET, ("0.0.0.0", 0))
ANY6 = Endpoint(socket.AF_INET6, ("::", 0, 0, 0), dual=True)


@pytest.mark.parametrize(
    ("endpoint", "host", "source"),
    [
        (IPV4, "127.0.0.1", ""),
        (IPV6, "::1", ""),
        (ANY4, "127.0.0.3", "127.0.0.3"),
        (ANY6, "127.0.0.3", "127.0.0.3"),
        (ANY6, "::1", "::1"),
    ],
)
@pytest.mark.parametrize("cuts", [True, False])
def test_reading_with_and_without_joins_by_the_kernel(endpoint: Endpoint, host: str, source: str, cuts: bool) -> None:
    sent = [data(seq) for seq in range(100)] + [data(100, 700)]
    with bound(endpoint, reading=Reading.MANY) as here, dialed(here, host, cuts=cuts) as there:
        assert there.send(sent, path_to(here, host)) == 101
        reads = read_until(here, 101)
        assert arrived(reads) == whole(sent)
        for batch, path in reads:
            assert batch.count <= JOIN_LIMIT
            assert path.remote == there.local_address
            assert path.local_host == source
            assert path is reads[0][1]


def test_a_call_reads_no_more_than_it_has_room_for() -> None:
    sent = [data(seq, 20) for seq in range(MESSAGES + 10)]
    with bound() as here, dialed(here, cuts=False) as there:
        there.send(sent, path_to(here))
        assert arrived(here.read()) == whole(sent[:MESSAGES])
        assert arrived(here.read()) == whole(sent[MESSAGES:])
        assert here.read() == []


def test_where_the_kernel_joins_datagrams_a_call_reads_fewer_of_its_runs() -> None:
    sent = [data(seq, 1456) for seq in range(44)]
    with bound(reading=Reading.MANY) as here, dialed(here) as there:
        there.send(sent, path_to(here))
        assert arrived(read_until(here, 44)) == whole(sent)
        for _ in range(12):
            there.send(sent, path_to(here))
        first = read_until(here, 1)
        assert sum(batch.count for batch, _ in first) <= 44 * (AT_ONCE // 65_536 + 1)
        rest = read_until(here, 44 * 12 - sum(batch.count for batch, _ in first))
        assert arrived(first + rest) == whole(sent) * 12


def test_a_datagram_without_a_byte_alone_in_a_read() -> None:
    with bound(reading=Reading.MANY) as here, dialed(here) as there:
        there._socket.send(b"")
        there._socket.send(b"")
        assert here.read() == []
        there.send([data(5)], path_to(here))
        assert arrived(read_until(here, 1)) == whole([data(5)])


def test_several_peers_in_one_read() -> None:
    with bound() as here, dialed(here) as one, dialed(here) as two:
        for seq in range(6):
            (one, two)[seq % 2].send([data(seq)], path_to(here))
        reads = read_until(here, 6)
    assert [path.remote for _, path in reads] == [one.local_address, two.local_address] * 3


def test_garbage_is_counted_and_what_surrounds_it_is_kept() -> None:
    with bound() as here, dialed(here) as there:
        for sent in (
            data(1),
            (b"", b""),
            (b"short", b""),
            data(2),
            (bytes(HEADER_SIZE - 1), b""),
            (bytes(65_507), b""),
            data(3),
        ):
            there.send([sent], path_to(here))
        assert arrived(read_until(here, 3)) == whole([data(1), data(2), data(3)])
        assert here.counters.malformed == 4


def test_runs_of_what_is_too_long_do_not_take_the_shortcut() -> None:
    with bound() as here, dialed(here, cuts=False) as there:
        there.send([data(seq, LARGEST_DATAGRAM - HEADER_SIZE + 1) for seq in range(3)], path_to(here))
        there.send([data(seq, LARGEST_DATAGRAM - HEADER_SIZE) for seq in range(3)], path_to(here))
        assert len(arrived(read_until(here, 3))) == 3
        assert here.counters.malformed == 3


def test_what_an_earlier_read_left_in_the_buffers_does_not_show() -> None:
    """GRO and packet info lie beside long datagrams; the next, short and single, must not inherit them."""
    with bound(ANY4) as here, dialed(here, "127.0.0.1") as there, dialed(here, "127.0.0.2") as other:
        there.send([data(seq) for seq in range(44)], path_to(here, "127.0.0.1"))
        read_until(here, 44)
        other.send([data(9, 10)], path_to(here, "127.0.0.2"))
        ((batch, path),) = read_until(here, 1)
    assert (batch.count, batch.stride, path.local_host) == (1, 26, "127.0.0.2")


@pytest.mark.parametrize("reading", list(Reading))
@pytest.mark.parametrize("step", ["add", "_finish", "take"])
def test_a_read_that_is_interrupted_loses_what_it_had_and_spoils_nothing(
    reading: Reading, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = getattr(Joiner, step)

    def interrupted(joiner: Joiner, *details: Any) -> None:
        work(joiner, *details)
        raise KeyboardInterrupt

    sent = [data(1, 900), data(2, 30), data(3, 800)]
    with bound(reading=reading) as here, dialed(here, cuts=False) as one, dialed(here, cuts=False) as two:
        one.send(sent[:1], path_to(here))
        two.send(sent[1:], path_to(here))
        with monkeypatch.context() as patch:
            patch.setattr(Joiner, step, interrupted)
            with pytest.raises(KeyboardInterrupt):
                here.read()
        left = arrived(here.read())
        assert left == whole(sent)[len(sent) - len(left) :]
        one.send([data(4, 100), data(5, 1000)], path_to(here))
        assert arrived(here.read()) == whole([data(4, 100), data(5, 1000)])


datagrams = st.lists(
    st.builds(data, st.integers(0, 1000), st.sampled_from([0, 4, 20, 20, 20, 300])), min_size=1, max_size=20
)


def one_by_one(joiner: Joiner, pieces: list[bytes | memoryview], path: Path, arrivals: list[Micros]) -> None:
    for piece, instant in zip(pieces, arrivals, strict=True):
        joiner.add(piece, 0, path, instant)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(st.tuples(st.booleans(), st.booleans(), datagrams), min_size=1, max_size=4))
def test_the_shortcut_agrees_with_the_full_path(
    monkeypatch: pytest.MonkeyPatch, sent: list[tuple[bool, bool, list[Datagram]]]
) -> None:
    with bound() as here, dialed(here) as one, dialed(here) as two, dialed(here, cuts=False) as three:
        found = []
        for shortcut in (True, False):
            for first, cuts, run in sent:
                ((one if first else two) if cuts else three).send(run, path_to(here))
            with monkeypatch.context() as patch:
                if not shortcut:
                    patch.setattr(Joiner, "add_alike", one_by_one)
                reads = read_until(here, sum(len(run) for _, _, run in sent))
            found.append([(batch.data, batch.stride, path) for batch, path in reads])
        assert found[0] == found[1]
        assert arrived(reads) == whole([datagram for _, _, run in sent for datagram in run])


def test_an_error_of_the_kernel_is_raised() -> None:
    with bound() as here:
        reader = here._reader
        assert isinstance(reader, ManyReader)
        here._socket.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            reader.read()


def test_strange_control_messages_end_the_search() -> None:
    with bound() as here:
        reader = here._reader
        assert isinstance(reader, ManyReader)
        name = struct.pack("=H", socket.AF_INET) + struct.pack(">H4s24x", 9, bytes([127, 0, 0, 1]))
        assert reader._decode(name + struct.pack("=Qii8x", 0, 1, 2))[0] == 0
        assert (
            reader._decode(name + struct.pack("=Qii4x4x", 20, 1, 2) + struct.pack("=Qiii4x", 20, 17, 104, 99))[0] == 99
        )


def test_a_flood_of_sources_does_not_grow_memory() -> None:
    with bound() as here:
        reader = here._reader
        assert isinstance(reader, ManyReader)
        for port in range(PATHS_KEPT + 10):
            reader._envelopes[:4] = struct.pack("=H", socket.AF_INET) + struct.pack(">H", port)
            assert reader._sender(0, 0)[1].remote == ("0.0.0.0", port)
        assert len(reader._known) == 10


def test_systems_without_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with bound() as here:
        assert is_available(here._socket)
        monkeypatch.setattr(recvmmsg, "_recvmmsg", None)
        assert not is_available(here._socket)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert recvmmsg._find_recvmmsg() is None
