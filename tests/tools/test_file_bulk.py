"""Large files in every way, here of moderate size: digests are right though the path is bad, encrypted, both ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import file_bulk

WAYS = {way.name: way for way in file_bulk.ways()}
SIZE = 16 << 20
SLOW = 4 << 20  # libsrt's sender takes its time over a path that loses

pytestmark = pytest.mark.usefixtures("libsrt")


@pytest.mark.parametrize("name", [name for name in WAYS if "bad-path" in name or "encrypted" in name or "both" in name])
def test_what_arrives_is_what_left(name: str, tmp_path: Path) -> None:
    way = WAYS[name]
    is_slow = way.path is not None and any(sends == "libsrt" for sends, _ in way.pairs)
    source = file_bulk.make_source(tmp_path / "source", SLOW if is_slow else SIZE)
    row = file_bulk.carry(way, source, tmp_path, 90)
    assert row["met"], row


def test_pieces_in_another_order_are_the_same_messages(tmp_path: Path) -> None:
    pieces = [bytes([number]) * file_bulk.PIECE for number in range(3)]
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_bytes(b"".join(pieces))
    other.write_bytes(b"".join(reversed(pieces)))
    assert file_bulk.digest(one, in_order=False) == file_bulk.digest(other, in_order=False)
    assert file_bulk.digest(one, in_order=True) != file_bulk.digest(other, in_order=True)
