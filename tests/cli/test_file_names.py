"""Names from the network: what may become a file, and what is shown of it."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.cli.file_names import LONGEST_PART, PARTIAL, UnsafeName, partial_name, parts_of, shown


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        (b"a", ("a",)),
        (b"a/b c/d.txt", ("a", "b c", "d.txt")),
        ("ünï/日本".encode(), ("ünï", "日本")),
        (b"not \xff utf-8", ("not \udcff utf-8",)),
        (b"...", ("...",)),
        (b"-rf", ("-rf",)),
        (b"at 12:30", ("at 12:30",)),
        (b"folder/C:", ("folder", "C:")),
        (b"~", ("~",)),
        (b"x" * 255, ("x" * 255,)),
    ],
)
def test_a_name_that_is_taken(name: bytes, parts: tuple[str, ...]) -> None:
    assert parts_of(name) == parts


@pytest.mark.parametrize(
    "name",
    [
        *(
            b"",
            b"/",
            b"/etc/passwd",
            b"//a",
            b"a//b",
            b"a/",
            b"./a",
            b"a/./b",
            b".",
            b"..",
            b"../a",
            b"a/../../b",
            b"a/..",
        ),
        *(b"a\\b", b"..\\a", b"C:\\a", b"C:", b"c:a", b"\\\\host\\share"),
        *(b"a\0b", b"a\nb", b"a\rb", b"\x1b[2J", b"a\x7f", "a\x85".encode(), "\x9b31m".encode()),
        *(b"x" * 256, b"/".join([b"a"] * 65), b"a/.b.srtpy-part", b"b.srtpy-part"),
    ],
)
def test_a_name_that_is_refused(name: bytes) -> None:
    with pytest.raises(UnsafeName):
        parts_of(name)


@given(st.binary(min_size=1, max_size=60))
def test_no_name_leads_elsewhere(name: bytes) -> None:
    try:
        parts = parts_of(name)
    except UnsafeName:
        return
    path = os.path.normpath(os.path.join(b"/inbox", *map(os.fsencode, parts)))
    assert path == b"/inbox/" + name
    assert not any(os.sep in part or part in ("", ".", "..") for part in parts)


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=255))
def test_a_partial_file_has_a_name_that_no_file_from_the_network_has(name: str) -> None:
    if len(os.fsencode(name)) > LONGEST_PART:
        return
    partial = partial_name(name)
    assert partial != name
    assert len(os.fsencode(partial)) <= LONGEST_PART
    with pytest.raises(UnsafeName):
        parts_of(os.fsencode(partial))


def test_partial_names() -> None:
    assert partial_name("film.mov") == f".film.mov{PARTIAL}"
    long = [partial_name("x" * 250 + letter) for letter in "ab"]
    assert long[0] != long[1]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (b"plain name", "plain name"),
        ("日本".encode(), "日本"),
        (b"\x1b[31mred", "\\x1b[31mred"),
        (b"\xff", "\\xff"),
        ("\u202egnp.exe".encode(), "\\u202egnp.exe"),
        ("\U000e0041".encode(), "\\U000e0041"),
        (b"two\nlines", "two\\x0alines"),
    ],
)
def test_what_is_shown(name: bytes, text: str) -> None:
    assert shown(name) == text
    assert shown(os.fsdecode(name)) == text
