"""Addresses as people write them, as the kernel writes them, and the paths between them."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.mux.address import (
    IP_PKTINFO,
    PATHS_KEPT,
    Endpoint,
    Path,
    Paths,
    decode_packet_info,
    decode_sockaddr,
    parse_address,
    plain,
    resolve_local,
    resolve_remote,
)


@pytest.mark.parametrize(
    ("address", "meant"),
    [
        ("example.org:9000", ("example.org", 9000)),
        (":9000", ("", 9000)),
        ("192.0.2.1:0", ("192.0.2.1", 0)),
        ("[::1]:9000", ("::1", 9000)),
        ("[fe80::1%eth0]:65535", ("fe80::1%eth0", 65535)),
        (("192.0.2.1", 9000), ("192.0.2.1", 9000)),
        (["192.0.2.1", 9000], ("192.0.2.1", 9000)),
        (("::1", 9000), ("::1", 9000)),
        (("::1", 9000, 0, 0), ("::1", 9000)),
        (("fe80::1", 9000, 0, 2), ("fe80::1%2", 9000)),
    ],
)
def test_the_ways_to_write_an_address(address: object, meant: tuple[str, int]) -> None:
    assert parse_address(address) == meant  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("address", "hint"),
    [
        ("example.org", "no port"),
        ("srt://example.org:9000", "URLs are for open_url"),
        ("", "no port"),
        ("::1:9000", "needs brackets"),
        ("[example.org]:9000", "brackets are for IPv6"),
        ("example.org:http", "not a number"),
        ("example.org:", "not a number"),
        ("example.org:-1", "not a number"),
        ("example.org:\uff19", "not a number"),
        ("example.org:65536", "within 0..65535"),
        (("example.org", 65536), "within 0..65535"),
        (("example.org", -1), "within 0..65535"),
    ],
)
def test_what_is_no_address_is_shown_with_a_hint(address: object, hint: str) -> None:
    with pytest.raises(ValueError, match=hint):
        parse_address(address)  # type: ignore[arg-type]


@pytest.mark.parametrize("address", [9000, None, b"host:1", ("host",), ("host", "1"), (1, "host"), ("host", True), {}])
def test_what_is_neither_text_nor_host_and_port(address: object) -> None:
    with pytest.raises(TypeError, match="an address is"):
        parse_address(address)  # type: ignore[arg-type]


@given(st.text(max_size=30))
def test_any_text_is_an_address_or_a_value_error(text: str) -> None:
    try:
        host, port = parse_address(text)
    except ValueError:
        return
    assert 0 <= port <= 65535
    assert parse_address(f"[{host}]:{port}" if ":" in host else f"{host}:{port}") == (host, port)


def test_dialing_numbers() -> None:
    assert resolve_remote("127.0.0.1:9000") == [Endpoint(socket.AF_INET, ("127.0.0.1", 9000))]
    assert resolve_remote("[::1]:9000") == [Endpoint(socket.AF_INET6, ("::1", 9000, 0, 0))]
    # a flow label of the user's own would never equal what datagrams arrive from
    assert resolve_remote(("::1", 9000, 7, 0)) == [Endpoint(socket.AF_INET6, ("::1", 9000, 0, 0))]


def test_dialing_nobody_in_particular_is_this_machine() -> None:
    assert [one.address[0] for one in resolve_remote(":9000")] == ["127.0.0.1", "::1"]


def test_dialing_a_name_has_every_answer_once() -> None:
    found = resolve_remote("localhost:9000")
    assert Endpoint(socket.AF_INET, ("127.0.0.1", 9000)) in found
    assert len(found) == len(set(found))


def test_port_0_cannot_be_dialed() -> None:
    with pytest.raises(ValueError, match="cannot dial port 0"):
        resolve_remote("127.0.0.1:0")


def test_an_unknown_name_is_an_os_error() -> None:
    with pytest.raises(socket.gaierror, match=r"no address for the host 'name\.invalid'"):
        resolve_remote("name.invalid:9000")


@pytest.mark.parametrize(
    ("ipv6_only", "meant"),
    [
        (None, [("::", True), ("0.0.0.0", None)]),
        (False, [("::", True), ("0.0.0.0", None)]),
        (True, [("::", False)]),
    ],
)
def test_listening_everywhere(ipv6_only: bool | None, meant: list[tuple[str, bool | None]]) -> None:
    found = resolve_local(":9000", ipv6_only)
    assert [(one.address[0], one.dual) for one in found] == meant
    assert all(one.is_wildcard for one in found)


@pytest.mark.parametrize(("ipv6_only", "dual"), [(None, None), (True, False), (False, True)])
def test_listening_at_all_of_ipv6(ipv6_only: bool | None, dual: bool | None) -> None:
    assert resolve_local("[::]:9000", ipv6_only) == [Endpoint(socket.AF_INET6, ("::", 9000, 0, 0), dual)]
    assert resolve_local("0.0.0.0:9000", ipv6_only) == [Endpoint(socket.AF_INET, ("0.0.0.0", 9000))]
    assert not resolve_local("127.0.0.1:0")[0].is_wildcard


def test_ipv4_in_ipv6_clothes_is_ipv4() -> None:
    assert plain(("::ffff:192.0.2.1", 9, 0, 0)) == ("192.0.2.1", 9)
    assert plain(("::1", 9, 0, 0)) == ("::1", 9, 0, 0)
    assert plain(("::ffff:0:1", 9, 0, 0)) == ("::ffff:0:1", 9, 0, 0)
    assert plain(("192.0.2.1", 9)) == ("192.0.2.1", 9)


def test_addresses_as_the_kernel_writes_them() -> None:
    ipv4 = struct.pack("=H", socket.AF_INET) + struct.pack(">H4s8x", 9000, bytes([192, 0, 2, 1]))
    assert decode_sockaddr(ipv4) == ("192.0.2.1", 9000)
    packed = socket.inet_pton(socket.AF_INET6, "fe80::1")
    ipv6 = struct.pack("=H", socket.AF_INET6) + struct.pack(">HI16s", 9000, 0, packed) + struct.pack("=I", 3)
    assert decode_sockaddr(ipv6) == ("fe80::1", 9000, 0, 3)


def test_packet_info() -> None:
    ours, group = bytes([127, 0, 0, 2]), socket.inet_pton(socket.AF_INET6, "ff02::1")
    assert decode_packet_info(socket.IPPROTO_IP, IP_PKTINFO, struct.pack("=i4s4s", 1, ours, bytes(4))) == ours
    packed = socket.inet_pton(socket.AF_INET6, "::1")
    assert decode_packet_info(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, packed + bytes(4)) == packed
    assert decode_packet_info(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, group + bytes(4)) == b""
    assert decode_packet_info(socket.IPPROTO_IP, IP_PKTINFO, ours) == b""
    assert decode_packet_info(socket.SOL_SOCKET, 29, bytes(16)) == b""


def test_a_path_for_people_and_for_the_kernel() -> None:
    path = Path(("::ffff:192.0.2.1", 9, 0, 0), socket.inet_pton(socket.AF_INET6, "::ffff:192.0.2.9"))
    assert path.remote == ("192.0.2.1", 9)
    assert path.remote_packed == bytes([192, 0, 2, 1])
    assert path.local_host == "192.0.2.9"
    assert [level for level, _, _ in path.ancillary] == [socket.IPPROTO_IPV6]
    assert Path(("::1", 9, 0, 0)).remote_packed == bytes(15) + b"\1"
    assert Path(("192.0.2.1", 9)).ancillary == []
    assert Path(("192.0.2.1", 9)).local_host == ""
    assert Path(("192.0.2.1", 9), bytes([192, 0, 2, 9])).local_host == "192.0.2.9"


def test_paths_are_made_once_and_compared_by_both_ends() -> None:
    paths = Paths()
    one = paths.between(("192.0.2.1", 9), bytes([127, 0, 0, 1]))
    assert paths.between(("192.0.2.1", 9), bytes([127, 0, 0, 1])) is one
    other = paths.between(("192.0.2.1", 9), bytes([127, 0, 0, 2]))
    assert one != other
    assert len({one, other, Path(("192.0.2.1", 9), bytes([127, 0, 0, 1]))}) == 2


def test_a_flood_of_sources_does_not_grow_memory() -> None:
    paths = Paths()
    for port in range(2 * PATHS_KEPT):
        paths.between(("192.0.2.1", port))
    assert len(paths._known) <= PATHS_KEPT
