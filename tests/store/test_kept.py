"""Kept pictures: on the disk when that is said, forgotten by their age and not by the clock, and never in one step."""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from clipexplore.errors import NoRoomError
from clipexplore.store import calendar as calendars
from clipexplore.store import kept

ID, PICTURE = "up-3fa9", b"a picture"


@pytest.fixture(autouse=True)
def clocks(home, monkeypatch):
    """The wall clock and the monotonic one, in days, and a data directory of the test's own."""
    now = {"wall": 20_000.0, "up": 0.0}
    monkeypatch.setattr(calendars.time, "time", lambda: now["wall"] * calendars.DAY)
    monkeypatch.setattr(calendars.time, "monotonic", lambda: now["up"] * calendars.DAY)
    calendars._calendar.cache_clear()
    yield now
    calendars._calendar.cache_clear()


def wait(clocks, days):
    clocks["wall"] += days
    clocks["up"] += days


def test_what_is_kept_is_there_for_others(home):
    kept.keep(ID, PICTURE)
    assert kept.load(ID) == PICTURE and kept.load("up-other") is None
    assert not list(home.rglob("*.partial"))


@pytest.mark.parametrize("id", ["../../etc/passwd", "up-../x", "up-", "hat", "up-3FA9/", "up-" + "a" * 100, "up-\0"])
def test_an_id_is_never_a_path(id):
    assert kept.load(id) is None


def test_it_is_synced_to_the_disk_before_it_has_its_name(home, monkeypatch):
    done = []
    sync = os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda file: done.append([each.suffix for each in home.rglob("up-*")]) or sync(file)
    )
    kept.keep(ID, PICTURE)
    assert done == [[".partial"], [".webp"]], "the picture first, then the folder"


def test_two_who_keep_the_same_at_once_both_can(home):
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: kept.keep(ID, PICTURE), range(64)))
    assert kept.load(ID) == PICTURE and not list(home.rglob("*.partial"))


def test_unused_for_its_days_it_goes_to_a_bin_for_a_day_and_then_for_good(clocks, home):
    kept.keep(ID, PICTURE)
    wait(clocks, 89)
    assert kept.forget() == 0 and kept.load(ID) == PICTURE, "its days begin again with each use"
    wait(clocks, 91)
    assert kept.load(ID) is None and list(home.glob(f"uploads/.deleted/*-{ID}.webp"))
    wait(clocks, 0.5)
    kept.forget()
    assert list(home.rglob("*up-*")), "the operator can put it back"
    wait(clocks, 1)
    kept.forget()
    assert kept.load(ID) is None and not list(home.rglob("*up-*"))


def test_the_bin_of_an_earlier_version_is_emptied(clocks, home):
    """It was `bin/`, where the names of things did not say since when they were there."""
    (home / "uploads/bin").mkdir(parents=True)
    (home / f"uploads/bin/{ID}.webp").write_bytes(PICTURE)
    assert kept.forget() == 0 and list(home.rglob(f"{ID}.webp")) and not (home / "uploads/bin").exists()
    wait(clocks, 1.1)
    assert kept.forget() == 0 and not list(home.rglob("*up-*"))


@pytest.mark.parametrize("jump", [91, 10_000, -91])
def test_a_clock_that_is_wrong_deletes_nothing(clocks, jump):
    """While the program runs, and from one run to the next."""
    kept.keep(ID, PICTURE)
    clocks["wall"] += jump
    assert kept.forget() == 0 and kept.load(ID) == PICTURE
    calendars._calendar.cache_clear()  # the program is started again
    clocks["wall"] += jump
    assert kept.forget() == 0 and kept.load(ID) == PICTURE


def test_zero_days_are_for_ever(clocks, monkeypatch):
    changed = replace(kept.settings(), kept_days=0)
    monkeypatch.setattr(kept, "settings", lambda: changed)
    kept.keep(ID, PICTURE)
    wait(clocks, 10_000)
    assert kept.forget() == 0


def test_a_disk_that_is_read_only_is_no_error_for_who_looks_and_a_sentence_for_who_keeps(clocks, monkeypatch, caplog):
    kept.keep(ID, PICTURE)
    wait(clocks, 91)

    def refuse(*given, **more):
        raise OSError(30, "Read-only file system")

    for name in ("replace", "unlink", "open", "mkdir"):
        monkeypatch.setattr(kept.Path, name, refuse)
    assert kept.forget() == 0 and "Read-only" in caplog.text
    with pytest.raises(NoRoomError, match="Read-only file system"):
        kept.keep("up-another", PICTURE)
