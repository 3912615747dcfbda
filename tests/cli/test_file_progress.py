"""How far it is: rate, remaining time, lines and a bar."""

from __future__ import annotations

import io

import pytest

from srtpy.cli import file_progress
from srtpy.cli.file_outcome import MEANING, STATUSES, Status, Tally
from srtpy.cli.file_progress import Display, Rate, arrived, line
from srtpy.cli.file_words import Verdict


class Screen(io.StringIO):
    """A terminal, or not."""

    def __init__(self, is_terminal: bool = False) -> None:
        super().__init__()
        self._is_terminal = is_terminal

    def isatty(self) -> bool:
        return self._is_terminal


def test_the_rate_is_that_of_the_last_seconds() -> None:
    now = [0.0]
    rate = Rate(lambda: now[0])
    assert rate.note(0) == 0
    moved = 0
    for second in range(1, 31):
        now[0] = second
        moved += 100 if second <= 20 else 1000
        found = rate.note(moved)
    assert found == 1000


def test_the_rate_begins_anew_when_somebody_else_sends() -> None:
    now = [0.0]
    rate = Rate(lambda: now[0])
    for second, moved in ((5, 5000), (6, 0), (7, 6000)):
        now[0] = second
        found = rate.note(moved)
    assert found == 3000


def test_what_is_lost_on_the_way_does_not_make_the_rate_that_of_everything_so_far() -> None:
    """A connection that comes back counts from where the receiver stands, not all of it in its first second."""
    now = [0.0]
    rate = Rate(lambda: now[0])
    found = 0.0
    for second, moved in ((100, 100_000), (101, 99_000), (102, 100_000), (103, 101_000)):
        now[0] = second
        found = rate.note(moved)
    assert found == pytest.approx(2000 / 3)


def test_a_line() -> None:
    tally = Tally()
    tally.expect(3, 2_000_000)
    tally.begin(0, "film\x1b.mov", 500_000)
    tally.move(0, 500_000)
    assert line(tally, 100_000) == " 50 %  1.0 MB of 2.0 MB, 0.80 Mbit/s, 0:10.0 left, file 1 of 3  film\\x1b.mov"
    tally.begin(0, "a" * 100, 0)
    assert len(line(tally, 0)) < 90
    bare = Tally()
    bare.expect(1, 0)
    bare.begin(0, "x", 0)
    bare.move(0, 10)
    assert line(bare, 0) == "10 B, 0.00 Mbit/s  x"


def test_lines_come_at_intervals_and_news_at_once() -> None:
    now = [0.0]
    out = Screen()
    with Display(5.0, out=out, clock=lambda: now[0]) as display:
        display.tally.expect(1, 100)
        for second in range(21):
            now[0] = second
            display.tally.move(0, 5)
        display.say("news")
    said = out.getvalue().splitlines()
    assert len(said) == 5
    assert said[0].startswith(" 30 %  30 B of 100 B")
    assert said[-1] == "news"


def test_quiet_says_the_news_only() -> None:
    out = Screen(is_terminal=True)
    with Display(0.0, is_quiet=True, out=out) as display:
        display.tally.expect(1, 0)
        display.tally.move(0, 5)
        display.tally.fail(0, Status.DISK, "f", "why")
    assert out.getvalue() == "f: why\n"


def test_a_terminal_has_a_bar() -> None:
    now = [0.0]
    out = Screen(is_terminal=True)
    with Display(5.0, out=out, clock=lambda: now[0]) as display:
        display.tally.expect(1, 1000)
        now[0] = 1.0
        display.tally.begin(0, "[bold]film", 0)
        display.tally.move(0, 500)
        now[0] = 2.0
        display.tally.move(0, 250)
        display.say("[red]news")
    said = out.getvalue()
    assert "━" in said
    assert "75 %" in said
    assert "[bold]film" in said
    assert "[red]news" in said


def test_a_terminal_without_rich_has_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_progress, "HAS_RICH", False)
    now = [0.0]
    out = Screen(is_terminal=True)
    with Display(1.0, out=out, clock=lambda: now[0]) as display:
        display.tally.expect(1, 10)
        now[0] = 1.0
        display.tally.move(0, 5)
    assert out.getvalue().startswith(" 50 %  5 B of 10 B")


def test_totals() -> None:
    tally = Tally()
    assert tally.summary("sent") == "0 files sent whole; 0 B in 0:00.0, 0.00 Mbit/s"
    tally.expect(2, 10)
    tally.complete(0)
    assert tally.summary("sent").startswith("1 of 2 files sent whole;")
    tally.fail(1, Status.CHECKSUM, "f", "why")
    assert tally.summary("sent").startswith("1 of 2 files sent whole, 1 failed;")
    tally.complete(1, was_there=True)
    tally.complete(1, was_there=True)
    assert tally.summary("sent").startswith("2 files sent whole (1 there already);")
    assert tally.is_settled
    tally.expect(3, 10, before=1)
    assert (tally.whole, tally.failed, tally.done, tally.open) == (0, 0, 0, 2)
    tally.miss("locked", "cannot be read")
    assert tally.status() is Status.SOURCE


def test_folders_are_no_files() -> None:
    tally = Tally()
    tally.expect(5, 0, folders=[0, 2])
    tally.complete(0)
    assert tally.summary("sent").startswith("0 of 3 files sent whole;")
    assert line(tally, 0) == "0 B, 0.00 Mbit/s, file 1 of 3"
    tally.complete(1)
    tally.fail(2, Status.REFUSED, "folder", "why")
    assert (tally.files, tally.whole, tally.failed, tally.open) == (3, 1, 0, 2)
    assert tally.status() is Status.REFUSED
    tally.fail(3, Status.SOURCE, "f", "why")
    tally.complete(4)
    assert tally.summary("sent").startswith("2 of 3 files sent whole, 1 failed, 1 folder failed;")
    assert tally.is_settled


def test_who_receives_learns_of_folders_as_they_come() -> None:
    tally = Tally()
    tally.expect(4, 0, folders=None)
    assert tally.summary("received").startswith("0 of up to 4 files received whole;")
    for index in (0, 1, 1):
        tally.note_folder(index)
        tally.complete(index)
    tally.complete(2)
    assert tally.summary("received").startswith("1 of up to 2 files received whole;")
    assert line(tally, 0) == "0 B, 0.00 Mbit/s, file 2 of up to 2"
    tally.note_folder(3)
    assert (tally.files, tally.open) == (1, 1)
    tally.complete(3)
    assert tally.summary("received").startswith("1 file received whole;")
    assert tally.is_settled


def test_what_is_tried_again_is_not_settled() -> None:
    tally = Tally()
    tally.expect(1, 10)
    tally.fail(0, Status.CHECKSUM, "f", "why", is_final=False)
    assert (tally.open, tally.is_settled, tally.status()) == (0, False, Status.CHECKSUM)
    tally.complete(0)
    assert (tally.is_settled, tally.status()) == (True, Status.WHOLE)


def test_a_file_is_counted_once_however_often_it_comes() -> None:
    tally = Tally()
    tally.expect(1, 10)
    for _ in range(2):
        tally.begin(0, "f", 0)
        tally.move(0, 10)
        tally.complete(0)
    assert (tally.done, tally.whole) == (10, 1)


def test_what_was_on_the_way_is_not_moved() -> None:
    tally = Tally()
    tally.expect(1, 10)
    tally.move(0, 10)
    tally.afloat = lambda: 4
    assert arrived(tally) == 6
    tally.sink()
    assert tally.moved == 6


def test_failures_without_end_are_not_all_named() -> None:
    said: list[str] = []
    tally = Tally(said.append)
    tally.expect(5_000, 0)
    for index in range(5_000):
        tally.fail(index, Status.REFUSED, "f", "why")
    assert len(said) == 1_001
    assert tally.failed == 5_000


def test_of_several_failures_the_worst_counts() -> None:
    tally = Tally()
    assert tally.status() is Status.WHOLE
    tally.expect(4, 0)
    for index, status in enumerate([Status.REFUSED, Status.SOURCE, Status.CHECKSUM, Status.DISK]):
        tally.fail(index, status, "f", "why")
        assert tally.status() is status


def test_every_status_is_told() -> None:
    for status in Status:
        assert f"\n  {int(status):<5}" in STATUSES


def test_a_full_disk_comes_with_what_to_do() -> None:
    status, text = MEANING[Verdict.NO_ROOM]
    assert status is Status.DISK
    assert all(advice in text for advice in ("free some", "run both commands again", "another folder"))
