"""Sockets as asked for: family, port, buffers, hops, and the errors when that cannot be."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from srtpy.config import Config
from srtpy.internal.mux.address import IP_PKTINFO, Endpoint, resolve_local
from srtpy.internal.mux.options import (
    BUFFER_PACKETS,
    SOL_UDP,
    UDP_GRO,
    ask_for_joined_reads,
    buffer_warning,
    granted_buffer,
    open_bound,
    open_connected,
)
from tests.internal.mux.sockets import IPV4, IPV6

NOWHERE = Endpoint(socket.AF_INET, ("192.0.2.77", 0))  # an address this machine does not have


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


def test_a_port_is_one_listeners_alone_and_free_once_closed() -> None:
    with open_bound([IPV4], Config()) as first:
        taken = Endpoint(socket.AF_INET, first.getsockname())
        with pytest.raises(OSError, match=rf"in use: 127\.0\.0\.1:{taken.address[1]} \(UDP\)") as refused:
            open_bound([taken], Config())
        assert refused.value.errno == errno.EADDRINUSE
    open_bound([taken], Config()).close()


def test_a_listener_everywhere_keeps_others_from_the_port_in_both_families() -> None:
    with open_bound(resolve_local(":0"), Config()) as first:
        port = first.getsockname()[1]
        for endpoint in (Endpoint(socket.AF_INET, ("127.0.0.1", port)), Endpoint(socket.AF_INET6, ("::1", port, 0, 0))):
            with pytest.raises(OSError, match="in use"):
                open_bound([endpoint], Config())
        with pytest.raises(OSError, match="in use"):  # half of it, IPv4 alone, would be a surprise
            open_bound(resolve_local(f":{port}"), Config())


def test_an_address_this_machine_lacks_is_passed_over() -> None:
    with open_bound([NOWHERE, IPV4], Config()) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"
    with pytest.raises(OSError, match="assign") as first:
        open_bound([NOWHERE, NOWHERE], Config())
    assert first.value.errno == errno.EADDRNOTAVAIL


@pytest.mark.parametrize(("ipv6_only", "meant"), [(None, 0), (False, 0), (True, 1)])
def test_listening_everywhere_is_both_families_unless_told_otherwise(ipv6_only: bool | None, meant: int) -> None:
    with open_bound(resolve_local(":0", ipv6_only), Config()) as sock:
        assert sock.family == socket.AF_INET6
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY) == meant


@pytest.mark.parametrize(
    ("address", "level", "option", "meant"),
    [
        ("0.0.0.0:0", socket.IPPROTO_IP, IP_PKTINFO, 1),
        ("[::]:0", socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1),
        ("127.0.0.1:0", socket.IPPROTO_IP, IP_PKTINFO, 0),
        ("[::1]:0", socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 0),
    ],
)
def test_packet_info_is_asked_for_where_replies_need_it(address: str, level: int, option: int, meant: int) -> None:
    with open_bound(resolve_local(address), Config()) as sock:
        assert sock.getsockopt(level, option) == meant


def test_hops_and_type_of_service_by_family(stack: ExitStack) -> None:
    config = Config(ip_ttl=33, ip_tos=0xB8)
    ipv4 = stack.enter_context(open_bound([IPV4], config))
    ipv6 = stack.enter_context(open_bound([IPV6], config))
    dual = stack.enter_context(open_bound(resolve_local(":0"), config))
    for sock in (ipv4, dual):
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TTL) == 33
        assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 0xB8
    for sock in (ipv6, dual):
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS) == 33
        assert sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS) == 0xB8


def test_without_them_the_system_decides() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as usual, open_bound([IPV4], Config()) as sock:
        for option in (socket.IP_TTL, socket.IP_TOS):
            assert sock.getsockopt(socket.IPPROTO_IP, option) == usual.getsockopt(socket.IPPROTO_IP, option)


def test_a_device() -> None:
    with open_bound([IPV4], Config(bind_to_device="lo")) as sock:
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"
    with pytest.raises(OSError, match="bind_to_device='no-such-device': No such device"):
        open_bound([IPV4], Config(bind_to_device="no-such-device"))


def test_kernel_buffers_as_asked_for() -> None:
    config = Config(udp_recv_buf_size=100_000, udp_send_buf_size=50_000)
    with open_bound([IPV4], config) as sock:
        assert granted_buffer(sock, socket.SO_RCVBUF) == 100_000
        assert granted_buffer(sock, socket.SO_SNDBUF) == 50_000
        assert buffer_warning(sock, config) == ""


def test_kernel_buffers_large_enough_when_nothing_is_said() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as usual, open_bound([IPV4], Config()) as sock:
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            usual.setsockopt(socket.SOL_SOCKET, option, BUFFER_PACKETS * 1500)
            assert granted_buffer(sock, option) == granted_buffer(usual, option)


def test_kernel_buffers_too_small_are_told_of_with_the_remedy() -> None:
    asked = 1 << 30
    with open_bound([IPV4], Config(udp_recv_buf_size=100_000)) as sock:
        warning = buffer_warning(sock, Config(udp_recv_buf_size=asked))
        assert f"100000 bytes for receiving where {asked} were asked for" in warning
        assert f"sysctl -w net.core.rmem_max={asked}" in warning
        assert "12288000 were asked for" in buffer_warning(sock, Config())


def test_dialing_connects() -> None:
    with open_bound([IPV4], Config()) as there:
        remote = Endpoint(socket.AF_INET, there.getsockname())
        with open_connected(remote, Config()) as sock:
            assert sock.getpeername() == there.getsockname()
            assert sock.getsockopt(socket.IPPROTO_IP, IP_PKTINFO) == 0


def test_dialing_from_an_address_of_the_same_family() -> None:
    remote = Endpoint(socket.AF_INET, ("127.0.0.1", 9))
    with open_connected(remote, Config(), resolve_local("127.0.0.4:0")) as sock:
        assert sock.getsockname()[0] == "127.0.0.4"
    with open_connected(remote, Config(), resolve_local(":0")) as sock:
        assert sock.family == socket.AF_INET
    with pytest.raises(OSError, match="another family"):
        open_connected(remote, Config(), [IPV6])


def test_no_way_there_leaves_nothing_open() -> None:
    with pytest.raises(OSError, match=r"\w"):
        open_connected(Endpoint(socket.AF_INET, ("255.255.255.255", 9)), Config())


def test_joined_reads_are_asked_for_apart_and_an_older_kernel_may_not_have_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with open_bound([IPV4], Config()) as sock:
        assert sock.getsockopt(SOL_UDP, UDP_GRO) == 0
        with monkeypatch.context() as patch:
            patch.setattr("srtpy.internal.mux.options.UDP_GRO", 9_999)
            ask_for_joined_reads(sock)
        assert sock.getsockopt(SOL_UDP, UDP_GRO) == 0
        ask_for_joined_reads(sock)
        assert sock.getsockopt(SOL_UDP, UDP_GRO) == 1
