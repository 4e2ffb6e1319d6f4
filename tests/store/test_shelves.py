"""The shelf: who sees which collection, and what becomes of what is deleted."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fixtures_imports import fill, take

from clipexplore.errors import InputError, NoRoomError
from clipexplore.paths import bytes_of
from clipexplore.settings import settings
from clipexplore.store import calendar as calendars
from clipexplore.store import shelves
from clipexplore.store.bin import put_back, throw_away
from clipexplore.store.collection import Collection
from clipexplore.store.database import FILE
from clipexplore.store.stored import Stored

ROOT = Path(__file__).parents[2]
ANN, BOB = "a" * 32, "b" * 32

pytestmark = pytest.mark.usefixtures("home")


def make(title, owner=None):
    folder = shelves.new_folder(title, owner)
    Stored.create(folder, name=folder.name, title=title, kind="pictures")
    return folder


def test_a_session_sees_the_shared_and_its_own_and_nobody_elses():
    shared, anns, bobs = make("Birds"), make("Birds", ANN), make("Fish", BOB)
    assert (shared.name, anns.name, bobs.name) == ("birds", "my-birds", "my-fish")
    assert {"birds", "emoji-world"} <= set(shelves.folders()) and not [
        name for name in shelves.folders() if name.startswith("my-")
    ]
    assert shelves.folders(ANN)["my-birds"] == anns and "my-fish" not in shelves.folders(ANN)


def test_names_are_unique_and_never_those_of_sessions():
    assert [make(title).name for title in ("Birds!", "birds", "My birds", "my-my-fish", "Words")] == [
        "birds",
        "birds-2",
        "birds-3",
        "fish",
        "words-2",
    ]
    for title in ("", "  ", "鳥"):
        with pytest.raises(InputError, match="no letter"):
            shelves.new_folder(title)


CLAIMING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from clipexplore.store import shelves
print("ready", flush=True), sys.stdin.readline()
with ThreadPoolExecutor(4) as threads:
    print(*threads.map(lambda _: shelves.new_folder("Birds").name, range(20)))
"""


def test_two_processes_and_their_threads_never_get_the_same_folder(home):
    environ = {**os.environ, "CLIPEXPLORE_HOME": str(home)}
    command = [sys.executable, "-c", CLAIMING]
    both = [
        subprocess.Popen(command, cwd=ROOT, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    assert [each.stdout.readline() for each in both] == ["ready\n"] * 2
    for each in both:  # so that both begin at once
        each.stdin.write("\n"), each.stdin.flush()
    names = [name for each in both for name in each.communicate()[0].split()]
    assert len(names) == 40 and set(names) == {"birds", *(f"birds-{number}" for number in range(2, 41))}


def test_a_disk_that_refuses_a_new_folder_is_told(home):
    home.mkdir(parents=True, exist_ok=True)
    (home / "collections").write_text("no folder")
    with pytest.raises(NoRoomError, match="Cannot write to"):
        shelves.new_folder("Birds")


def test_what_was_deleted_twice_in_a_second_waits_twice():
    first, second = (throw_away(make("Birds")) for _ in range(2))
    assert first != second and first.is_dir() and second.is_dir()


@pytest.mark.parametrize("owner", ["", "..", "../../etc", "A" * 32, "a" * 31, "a" * 32 + "/x"])
def test_a_session_name_is_never_a_path(owner):
    with pytest.raises(InputError, match="no name of its own"):
        shelves.session_folder(owner)


def test_the_shelf_says_what_there_is(tmp_path):
    fill(tmp_path / "photos", 5)
    folder = make("Birds", ANN)
    take(folder, tmp_path / "photos")
    bundled, *_ = shelf = shelves.shelf(ANN)
    (found,) = [each for each in shelf if each.of == "own"]
    assert (bundled.name, bundled.of, found.title, found.items, found.pictures, found.models, found.unfinished) == (
        "emoji-world",
        "bundled",
        "Birds",
        5,
        5,
        ("toy",),
        False,
    )
    assert abs(found.bytes - bytes_of(folder)) < 10_000 and "words" not in [each.name for each in shelf]
    make("Half", ANN)
    (folder / FILE).write_text("{")
    assert [each.title for each in shelves.shelf(ANN) if each.of == "own"] == ["Half"]


def test_a_title_changes_and_the_name_stays(tmp_path):
    folder = make("Birds")
    shelves.rename(folder, "  Vögel ")
    assert (Stored.open(folder).facts["title"], Stored.open(folder).facts["name"]) == ("Vögel", "birds")
    with pytest.raises(InputError, match="needs a name"):
        shelves.rename(folder, " ")


def test_sharing_moves_a_collection_to_everybody(tmp_path):
    fill(tmp_path / "photos", 3)
    make("Birds")
    folder = make("Birds", ANN)
    take(folder, tmp_path / "photos")
    place = shelves.share(folder)
    assert not folder.exists() and shelves.folders()["birds-2"] == place
    found = Collection.open(place, verify=True)
    assert (found.name, len(found)) == ("birds-2", 3)


def test_what_is_deleted_can_be_had_back_for_a_day():
    folder = make("Birds", ANN)
    throw_away(folder)
    assert "my-birds" not in shelves.folders(ANN) and shelves.deleted(BOB) == {}
    (waiting,) = shelves.deleted(ANN).values()
    assert put_back(waiting) == folder and "my-birds" in shelves.folders(ANN)

    throw_away(folder)
    make("Birds", ANN)
    with pytest.raises(InputError, match="another collection"):
        put_back(shelves.deleted(ANN)["my-birds"])
    shutil.rmtree(folder)
    waiting = shelves.deleted(ANN)["my-birds"]
    old = waiting.with_name(f"{int(time.time() - calendars.DAY) - 5}-my-birds")
    waiting.rename(old)
    assert shelves.deleted(ANN) == {} and not old.exists()
    with pytest.raises(InputError, match="The day"):
        put_back(old)


def test_what_sessions_left_is_forgotten_after_a_day():
    old, new = make("Birds", ANN), make("Fish", BOB)
    past = time.time() - calendars.DAY - 5
    for path in (old.parent, new.parent):
        os.utime(path, (past, past))
    assert shelves.forget_sessions({BOB}) == 1 and not old.exists() and new.exists(), "BOB is connected"
    (waiting,) = (settings().home / "sessions/.deleted").iterdir()
    assert (waiting / old.name / FILE).exists() and shelves.forget_sessions({BOB}) == 0
    waiting = waiting.rename(waiting.with_name(f"{past:.0f}-{ANN}"))
    assert shelves.forget_sessions({BOB}) == 0 and not waiting.exists()


@pytest.mark.parametrize("jump", [91, -91])
def test_a_clock_that_is_wrong_forgets_no_session_and_no_deleted_collection(monkeypatch, jump):
    folder = make("Birds", ANN)
    other = throw_away(make("Fish", ANN))
    wall = time.time()
    calendars.calendar().now()
    monkeypatch.setattr(calendars.time, "time", lambda: wall + jump * 24 * 3600)
    assert shelves.forget_sessions() == 0 and folder.exists()
    assert shelves.deleted(ANN)["my-fish"] == other
