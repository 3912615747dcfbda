"""Cookies: keyed, bound to who asked, good for one window and the next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from srtpy.internal.clock.units import SECOND
from srtpy.internal.handshake.cookie import SECRET_WINDOWS, WINDOW, CookieJar

SECRET, OTHER = b"k" * 32, b"o" * 32
REMOTE, LOCAL = ("10.0.0.1", 5000), ("10.0.0.2", 9000)


def test_a_cookie_is_good_at_once() -> None:
    jar = CookieJar(SECRET)
    assert jar.is_fresh(jar.bake(REMOTE, LOCAL, 5), REMOTE, LOCAL, 5)


@pytest.mark.parametrize(
    ("baked", "shown", "fresh"),
    [
        (0, WINDOW - 1, True),
        (WINDOW - 1, WINDOW, True),
        (WINDOW - 1, WINDOW + SECOND, True),
        (0, 2 * WINDOW - 1, True),
        (WINDOW - 1, 2 * WINDOW, False),
        (0, 3 * WINDOW, False),
        (3 * WINDOW, 0, False),
    ],
)
def test_two_windows(baked: int, shown: int, fresh: bool) -> None:
    jar = CookieJar(SECRET)
    assert jar.is_fresh(jar.bake(REMOTE, LOCAL, baked), REMOTE, LOCAL, shown) is fresh


@pytest.mark.parametrize(
    ("remote", "local"),
    [(("10.0.0.3", 5000), LOCAL), (("10.0.0.1", 5001), LOCAL), (REMOTE, ("10.0.0.2", 9001)), ("pipe", LOCAL)],
)
def test_a_cookie_is_for_one_caller_and_one_listener(remote: object, local: tuple[str, int]) -> None:
    jar = CookieJar(SECRET)
    assert not jar.is_fresh(jar.bake(REMOTE, LOCAL, 0), remote, local, 0)


def test_other_secrets_bake_other_cookies() -> None:
    assert not CookieJar(OTHER).is_fresh(CookieJar(SECRET).bake(REMOTE, LOCAL, 0), REMOTE, LOCAL, 0)


def test_rotation_spares_the_last_cookies() -> None:
    jar = CookieJar(SECRET)
    old = jar.bake(REMOTE, LOCAL, WINDOW)
    jar.rotate(OTHER, WINDOW + SECOND)
    new = jar.bake(REMOTE, LOCAL, WINDOW + SECOND)
    assert old != new
    for cookie in (old, new):
        assert jar.is_fresh(cookie, REMOTE, LOCAL, WINDOW + SECOND)
        assert jar.is_fresh(cookie, REMOTE, LOCAL, 3 * WINDOW - 1)
        assert not jar.is_fresh(cookie, REMOTE, LOCAL, 3 * WINDOW)


def test_an_old_secret_is_forgotten() -> None:
    jar = CookieJar(SECRET)
    jar.rotate(OTHER, 0)
    forged = CookieJar(SECRET).bake(REMOTE, LOCAL, 5 * WINDOW)
    assert not jar.is_fresh(forged, REMOTE, LOCAL, 5 * WINDOW)
    again = CookieJar(SECRET)
    again.rotate(OTHER, 0)
    again.rotate(b"third" * 8, 1)
    assert not again.is_fresh(CookieJar(SECRET).bake(REMOTE, LOCAL, 0), REMOTE, LOCAL, 1)


@given(st.binary(min_size=16, max_size=32), st.integers(0, 1 << 62))
def test_never_zero_and_32_bits(secret: bytes, now: int) -> None:
    assert 0 < CookieJar(secret).bake(REMOTE, LOCAL, now) <= 0xFFFFFFFF


@given(st.integers(0, 0xFFFFFFFF))
def test_guesses(cookie: int) -> None:
    jar = CookieJar(SECRET)
    assert jar.is_fresh(cookie, REMOTE, LOCAL, 0) == (cookie == jar.bake(REMOTE, LOCAL, 0))


def test_the_secret_is_not_shown() -> None:
    assert "kkk" not in repr(CookieJar(SECRET))


def test_the_secret_changes_every_hour_and_no_cookie_dies_of_it() -> None:
    made: list[int] = []

    def entropy(size: int) -> bytes:
        made.append(size)
        return bytes([len(made)]) * size

    jar = CookieJar(SECRET, entropy)
    start = 1000 * WINDOW + 5
    end = start + 3 * SECRET_WINDOWS * WINDOW
    cookie, now = jar.bake(REMOTE, LOCAL, start), start
    while now < end:
        now += WINDOW // 2
        assert jar.is_fresh(cookie, REMOTE, LOCAL, now)
        cookie = jar.bake(REMOTE, LOCAL, now)
    assert made == [len(SECRET)] * 3
    forged = CookieJar(SECRET).bake(REMOTE, LOCAL, now)
    assert not jar.is_fresh(forged, REMOTE, LOCAL, now)


def test_a_jar_that_was_not_asked_for_long_renews_its_secret_first() -> None:
    jar = CookieJar(SECRET, lambda size: OTHER[:size])
    jar.bake(REMOTE, LOCAL, 0)
    later = 10 * SECRET_WINDOWS * WINDOW
    cookie = jar.bake(REMOTE, LOCAL, later)
    assert cookie == CookieJar(OTHER).bake(REMOTE, LOCAL, later)
    assert jar.is_fresh(cookie, REMOTE, LOCAL, later + WINDOW)
