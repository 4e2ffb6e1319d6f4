"""The file of a collection after every interruption."""

import sqlite3
import threading

import pytest

from clipexplore.errors import DamagedError, InputError, MissingError, NoRoomError
from clipexplore.store.database import FILE, Database


class Killed(BaseException):
    """What a process that is killed would not get to handle."""


@pytest.fixture
def database(tmp_path):
    with Database.building(tmp_path / "it", {"name": "it", "title": "It"}):
        pass
    return Database.open(tmp_path / "it")


def test_what_is_said_is_read_again(database):
    database.say(title="Other", more=[1, "ü"])
    assert Database.open(database.folder).facts | {"title": "Other", "more": [1, "ü"]} == database.facts


def test_a_transaction_is_a_whole(database):
    with pytest.raises(Killed), database.transaction():
        database.say(title="Other")
        with database.transaction():
            database.say(more=1)
        raise Killed
    assert database.facts["title"] == "It" == Database.open(database.folder).facts["title"]
    assert "more" not in database.facts


def test_what_is_building_is_not_there_until_it_is_whole(tmp_path):
    with pytest.raises(Killed), Database.building(tmp_path / "it", {"name": "it"}):
        raise Killed
    assert not list((tmp_path / "it").iterdir())
    with pytest.raises(MissingError, match="There is no collection in"):
        Database.open(tmp_path / "it")


def test_one_process_writes_at_a_time(database):
    other = Database.open(database.folder)
    with database.writing(), pytest.raises(InputError, match="being written by another process"), other.writing():
        pass


def test_many_threads_read_while_one_writes(database):
    other, seen = Database.open(database.folder), []

    def read():
        for _ in range(50):
            other.reload()
            seen.append(other.facts.get("number", 0))

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(30):
        database.say(number=number)
    for thread in threads:
        thread.join()
    assert len(seen) == 150 and max(seen) <= 29


@pytest.mark.parametrize("copy", [1, 2])
def test_one_copy_of_what_is_said_is_enough(database, copy):
    with sqlite3.connect(database.folder / FILE) as connection:
        connection.execute("UPDATE facts SET json = '{}' WHERE copy = ?", (copy,))
    assert Database.open(database.folder).facts["title"] == "It"
    with sqlite3.connect(database.folder / FILE) as connection:
        connection.execute("UPDATE facts SET json = '{}'")
    with pytest.raises(DamagedError, match="what it says of itself cannot be read; import it again"):
        Database.open(database.folder)


def test_a_later_version_is_told(database):
    with sqlite3.connect(database.folder / FILE) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="later version; update"):
        Database.open(database.folder)


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("SQLITE_FULL", NoRoomError, "No space left on device; make room"),
        ("SQLITE_IOERR_WRITE", NoRoomError, "make room"),
        ("SQLITE_BUSY", InputError, "another process"),
        ("SQLITE_CORRUPT", DamagedError, "damaged: .*; import it again"),
    ],
)
def test_what_sqlite_says_is_a_sentence(database, name, kind, message):
    error = sqlite3.OperationalError("it")
    error.sqlite_errorname = name
    with pytest.raises(kind, match=message), database.transaction():
        raise error
    assert database.facts["title"] == "It"
