from __future__ import annotations

import logging
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import pytest

from srtpy.fields import LONGEST, MOST_BYTES, Rule, flag, rate, seconds, text, version, whole


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        (Rule(kind="seconds", unit="seconds", low=0.02, high=65.535), "0.02 to 65.535 seconds"),
        (Rule(kind="seconds", unit="seconds", low=0.001, high=LONGEST, none=True), "None or 0.001 or more seconds"),
        (Rule(kind="seconds", unit="seconds", low=-LONGEST, high=LONGEST), "any number of seconds"),
        (Rule(kind="seconds", unit="seconds", low=-LONGEST, high=60.0), "at most 60.0 seconds"),
        (Rule(kind="whole", unit="bytes", low=32, high=1456, also=(0,)), "0 or 32 to 1456 bytes"),
        (Rule(kind="whole", unit="bytes per second", low=-1, high=MOST_BYTES), "-1 or more bytes per second"),
        (Rule(kind="text", high=512), "at most 512 bytes of UTF-8 without NUL"),
        (Rule(kind="flag", none=True), "None or True or False"),
    ],
)
def test_ranges_in_words(rule: Rule, words: str) -> None:
    assert rule.allowed() == words


def test_secrets_are_not_shown() -> None:
    rule = Rule(kind="text", high=3, secret=True)
    with pytest.raises(ValueError) as caught:
        rule.checked("passphrase", "correcthorse")
    assert "correcthorse" not in str(caught.value)


def test_long_values_are_cut() -> None:
    with pytest.raises(ValueError) as caught:
        Rule(kind="text", high=3).checked("name", "x" * 10_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("value", [1, 1.0, Fraction(1, 1)])
def test_any_real_number_is_seconds(value: Any) -> None:
    kept = Rule(kind="seconds", low=0, high=2).checked("x", value)
    assert kept == 1.0
    assert type(kept) is float


def test_anything_with_an_index_is_whole() -> None:
    class Seven:
        def __index__(self) -> int:
            return 7

    assert Rule(kind="whole", low=0, high=9).checked("x", Seven()) == 7


def test_makers() -> None:
    @dataclass
    class Settings:
        a: float = seconds(1.0, "what", "SRTO_A", 0, 2)
        b: int = whole(1, "what", "SRTO_B", "packets", 0, 2)
        c: int = rate(0, "what", "SRTO_C")
        d: int | None = rate(None, "what", "SRTO_D", low=-1, none=True)
        e: bool = flag(True, "what", "SRTO_E")
        f: str = text("what", "SRTO_F", 5)
        g: int = version(0x010000, "what", "SRTO_G")

    assert Settings() == Settings(1.0, 1, 0, None, True, "", 0x010000)
    rules = {name: one.metadata["rule"] for name, one in Settings.__dataclass_fields__.items()}
    assert [rule.source for rule in rules.values()] == [f"SRTO_{letter}" for letter in "ABCDEFG"]
    assert {rule.means for rule in rules.values()} == {"what"}
    assert (rules["c"].low, rules["d"].low, rules["d"].none) == (0, -1, True)


@pytest.mark.parametrize(
    ("rule", "value", "kept"),
    [
        (Rule(kind="whole", low=1, high=9, none=True), None, None),
        (Rule(kind="whole", low=1, high=9, none=True, minus_one_is_none=True), -1, None),
        (Rule(kind="whole", low=5, high=9, also=(0,)), 0, 0),
        (Rule(kind="flag"), True, True),
        (Rule(kind="flag", minus_one_is_none=True), 0, False),
        (Rule(kind="text", high=4), "é", "é"),
        (Rule(kind="version", low=0x010000, high=0xFFFFFF), "1.4.3", 0x010403),
        (Rule(kind="version", low=0x010000, high=0xFFFFFF), 0x010500, 0x010500),
        (Rule(kind="logger"), logging.getLogger("x"), logging.getLogger("x")),
    ],
)
def test_what_is_taken(rule: Rule, value: object, kept: object) -> None:
    assert rule.checked("x", value) == kept


@pytest.mark.parametrize(
    ("rule", "value", "error"),
    [
        (Rule(kind="whole", low=1, high=9), 0, ValueError),
        (Rule(kind="whole", low=1, high=9), 1.0, TypeError),
        (Rule(kind="whole", low=1, high=9), None, TypeError),
        (Rule(kind="whole", low=0, high=9), False, TypeError),
        (Rule(kind="seconds", low=0, high=9), "1", TypeError),
        (Rule(kind="seconds", low=0, high=9), 8000, ValueError),
        (Rule(kind="seconds", low=0, high=9), float("nan"), ValueError),
        (Rule(kind="seconds", low=0, high=9), 10**400, ValueError),
        (Rule(kind="flag"), 1, TypeError),
        (Rule(kind="text", high=4), b"x", TypeError),
        (Rule(kind="text", high=4), "12345", ValueError),
        (Rule(kind="text", high=4), "\ud800", ValueError),
        (Rule(kind="version", low=0x010000, high=0xFFFFFF), "1.x.0", ValueError),
        (Rule(kind="version", low=0x010000, high=0xFFFFFF), "0.9.9", ValueError),
        (Rule(kind="logger"), object(), TypeError),
    ],
)
def test_what_is_refused(rule: Rule, value: object, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"^x"):
        rule.checked("x", value)
