from __future__ import annotations

from dataclasses import fields
from typing import get_type_hints

from srtpy.config import Config
from srtpy.settings import RULES, ConfigFields, Settings, did_you_mean


def test_keywords_are_the_fields() -> None:
    assert set(get_type_hints(ConfigFields)) == {one.name for one in fields(Config)}
    assert not ConfigFields.__required_keys__


def test_every_field_says_what_it_is_for() -> None:
    assert all(len(rule.means) > 10 for rule in RULES.values())


def test_there_is_a_rule_for_each_field_in_order() -> None:
    assert list(RULES) == [one.name for one in fields(Settings)] == [one.name for one in fields(Config)]


def test_a_misspelt_name_is_known_again() -> None:
    assert did_you_mean("latncy") == "; did you mean 'latency'?"
    assert did_you_mean("zzz") == ""
