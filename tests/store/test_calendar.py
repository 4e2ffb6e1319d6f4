"""Days pass as they are lived through, whatever the clock is set to."""

import os

import pytest

from clipexplore.store import calendar as calendars
from clipexplore.store.calendar import DAY, Calendar


@pytest.fixture
def clocks(monkeypatch):
    """The wall clock and the monotonic one, in seconds."""
    now = {"wall": 1_800_000_000.0, "up": 50.0}
    monkeypatch.setattr(calendars.time, "time", lambda: now["wall"])
    monkeypatch.setattr(calendars.time, "monotonic", lambda: now["up"])

    def pass_by(seconds):
        now["wall"] += seconds
        now["up"] += seconds

    now["pass"] = pass_by
    return now


def test_it_begins_with_the_clock_and_goes_on_with_the_time_that_passes(tmp_path, clocks):
    calendar = Calendar(tmp_path / "home/calendar")
    assert calendar.now() == 1_800_000_000
    clocks["pass"](3 * DAY)
    assert calendar.now() == 1_800_000_000 + 3 * DAY


@pytest.mark.parametrize("jump", [91 * DAY, -91 * DAY])
def test_a_clock_that_is_set_while_the_program_runs_changes_nothing(tmp_path, clocks, jump):
    calendar = Calendar(tmp_path / "calendar")
    before = calendar.now()
    clocks["wall"] += jump
    assert calendar.now() == before


@pytest.mark.parametrize("jump, passes", [(91 * DAY, DAY), (-91 * DAY, 0.0), (3600.0, 3600.0)])
def test_between_two_runs_at_most_a_day_passes(tmp_path, clocks, jump, passes):
    before = Calendar(tmp_path / "calendar").now()
    clocks["wall"], clocks["up"] = clocks["wall"] + jump, 3.0
    assert Calendar(tmp_path / "calendar").now() == before + passes


@pytest.mark.parametrize("text", ["", "soon", "nan", "\x00"])
def test_a_note_that_is_damaged_is_none(tmp_path, clocks, text):
    (tmp_path / "calendar").write_text(text)
    assert Calendar(tmp_path / "calendar").now() == 1_800_000_000


def test_the_age_of_what_is_used_and_of_what_is_not(tmp_path, clocks):
    calendar, path = Calendar(tmp_path / "calendar"), tmp_path / "picture"
    path.write_bytes(b"x")
    calendar.use(path)
    clocks["pass"](2 * DAY)
    assert calendar.age(path) == 2 * DAY
    calendar.use(path)
    assert calendar.age(path) == 0 == calendar.age(tmp_path / "gone")
    os.utime(path, (2**33, 2**33))  # written while the clock was ahead
    assert calendar.age(path) == 0


def test_a_disk_that_refuses_is_no_error(tmp_path, clocks):
    (tmp_path / "file").write_bytes(b"")
    calendar = Calendar(tmp_path / "file/calendar")
    assert calendar.now() == 1_800_000_000
    calendar.use(tmp_path / "gone")
