from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.streamid import StreamIDInfo, StreamMode, StreamType, parse_stream_id
from tests.vectors import vectors


def test_plain_text_is_a_resource() -> None:
    assert parse_stream_id("live/a") == StreamIDInfo(resource_name="live/a")
    assert parse_stream_id("") == StreamIDInfo()
    assert parse_stream_id("#!:{nested}").resource_name == "#!:{nested}"


def test_every_key() -> None:
    info = parse_stream_id("#!::u=admin,r=a/b=c,h=host,s=1,t=stream,m=publish,bmd_uuid=42")
    assert (info.user_name, info.resource_name, info.host_name, info.session_id) == ("admin", "a/b=c", "host", "1")
    assert info.type == StreamType.STREAM
    assert info.mode == StreamMode.PUBLISH
    assert info.extra == {"bmd_uuid": "42"}
    assert parse_stream_id("#!::m=anything").mode == "anything"


def test_bad_pairs_are_skipped() -> None:
    info = parse_stream_id("#!::,novalue,=x,r=a,,u=")
    assert info == StreamIDInfo(resource_name="a")


@pytest.mark.parametrize("raw", ["#!::", "#!::,", "#!::word", "x" * 513, "é" * 257, "%23%21%3A%3A"])
def test_unusable_ids_raise(raw: str) -> None:
    with pytest.raises(ValueError):
        parse_stream_id(raw)


def test_what_is_not_text_raises() -> None:
    with pytest.raises(TypeError):
        parse_stream_id(b"a")  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        parse_stream_id("%23%21%3A%3Ar=%FF")


@pytest.mark.parametrize(
    "raw", ["%23%21%3A%3Ar%3Da%2Fb%2Cm%3Drequest", "%23!::r=a/b,m=request", "#%21::r=a%2Fb,m=request"]
)
def test_percent_encoded_leftovers_are_decoded(raw: str) -> None:
    info = parse_stream_id(raw)
    assert (info.resource_name, info.mode) == ("a/b", "request")
    assert parse_stream_id("#!::r=a%20b").resource_name == "a%20b"
    assert parse_stream_id("50%25").resource_name == "50%25"


def test_known_answers() -> None:
    for row in vectors("streamid"):
        text = row["expected_fields"]["text"]
        assert bytes.fromhex(row["hex"]).decode() == text
        assert parse_stream_id(text).format() == text


def test_what_cannot_be_written() -> None:
    for info in (StreamIDInfo(user_name="a,b"), StreamIDInfo(extra={"a=b": "c"}), StreamIDInfo(extra={"": "c"})):
        with pytest.raises(ValueError):
            info.format()
    with pytest.raises(ValueError, match="512"):
        StreamIDInfo(resource_name="x" * 510).format()


words = st.text(st.characters(codec="utf-8", exclude_characters=",=\0"), min_size=1, max_size=12)


@given(
    user=words, resource=words, mode=st.sampled_from(list(StreamMode)), extra=st.dictionaries(words, words, max_size=3)
)
def test_written_and_read_again(user: str, resource: str, mode: StreamMode, extra: dict[str, str]) -> None:
    extra = {f"x_{key}": value for key, value in extra.items()}
    info = StreamIDInfo(user_name=user, resource_name=resource, mode=mode, extra=extra)
    assert parse_stream_id(info.format()) == info


@given(st.text(st.characters(codec="utf-8"), max_size=100))
def test_any_text_is_parsed_or_refused(raw: str) -> None:
    try:
        info = parse_stream_id(raw)
    except ValueError:
        return
    assert isinstance(info, StreamIDInfo)
