"""The SQLite file that a collection is: its tables, what is said of it, transactions, and errors as sentences.

The journal is SQLite's rollback journal rather than a write-ahead log: with nobody writing, the collection is this one
file, which opens from a full disk or a read-only one and survives the renaming of its folder while it is being read.
Every row carries a checksum; `facts` (kept twice) has one of all items and one of each matrix of vectors.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self
from zlib import crc32

from clipexplore.errors import DamagedError, InputError, MissingError, no_room
from clipexplore.language import _
from clipexplore.paths import sync

FILE, PARTIAL, LOCK = "collection.db", "collection.db.partial", ".lock"
_VERSION, PAGE = 1, 16_384  # bytes: seven vectors of 512 float32 fit on a page
UNREADABLE = (sqlite3.Error, UnicodeDecodeError)  # the latter where SQLite's message quotes a damaged schema
SCHEMA = """
CREATE TABLE facts (copy INTEGER PRIMARY KEY, json TEXT NOT NULL, "check" INTEGER NOT NULL);
CREATE TABLE items (position INTEGER PRIMARY KEY, "check" INTEGER NOT NULL, id TEXT NOT NULL, caption TEXT NOT NULL,
    fields TEXT NOT NULL, source BLOB NOT NULL, picture BLOB, text BLOB NOT NULL);
CREATE TABLE pictures (key BLOB PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE spaces (
    space INTEGER PRIMARY KEY, kind TEXT NOT NULL, revision TEXT NOT NULL, preparation INTEGER NOT NULL,
    "check" INTEGER NOT NULL);
CREATE TABLE vectors (space INTEGER NOT NULL, content BLOB NOT NULL, "check" INTEGER NOT NULL, length REAL,
    vector BLOB NOT NULL, PRIMARY KEY (space, content));
CREATE TABLE maps (name TEXT PRIMARY KEY, "check" INTEGER NOT NULL, coordinates BLOB NOT NULL);
"""


class Database:
    """An open collection. Any number of threads may use it; one process at a time may write, see `writing`."""

    def __init__(self, folder: Path, file: str = FILE):
        self.folder, self._lock = folder, threading.RLock()
        with self._errors():
            self._connection = sqlite3.connect(
                f"{(folder / file).absolute().as_uri()}?mode=rw",
                uri=True,
                timeout=30,
                isolation_level=None,
                check_same_thread=False,
            )
            self._connection.execute("PRAGMA cache_size = -65536")
            self._connection.execute("PRAGMA cache_spill = off")  # readers are locked out for a commit only
            self.facts: dict[str, Any] = {}
            self.reload()

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The collection in a folder.

        Raises
        ------
        MissingError
            If there is none.
        DamagedError
            If it cannot be understood.
        """
        if not (folder / FILE).is_file():
            raise MissingError(_("There is no collection in {folder}; check the path.").format(folder=folder))
        return cls(folder)

    @classmethod
    @contextmanager
    def building(cls, folder: Path, facts: Mapping[str, Any]) -> Iterator[Self]:
        """A new collection, which takes its place in the folder when the block ends without an error.

        Raises
        ------
        NoRoomError
            If the disk refuses; then nothing has changed.
        """
        partial = folder / PARTIAL
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _remove(partial)
            with _errors(folder), closing(sqlite3.connect(partial, isolation_level=None)) as connection:
                connection.execute(f"PRAGMA page_size = {PAGE}")
                connection.execute(f"PRAGMA user_version = {_VERSION}")
                connection.executescript(f"BEGIN;{SCHEMA}")
                _write_facts(connection, {"shown": 0, "hidden": [], "pending": False, "models": {}, **facts})
                connection.execute("COMMIT")
            with closing(cls(folder, PARTIAL)) as made:
                yield made
            os.replace(partial, folder / FILE)
            sync(folder)
        except OSError as error:
            raise no_room(folder, error) from error
        finally:
            with suppress(OSError):
                _remove(partial)

    def close(self) -> None:
        self._connection.close()

    def __del__(self) -> None:
        if hasattr(self, "_connection"):
            self._connection.close()

    # Facts

    def reload(self) -> None:
        """Reads again what is said of the collection, which another may have changed."""
        with self._errors():
            rows = self._connection.execute('SELECT json, "check" FROM facts ORDER BY copy').fetchall()
            version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        whole = [json for json, check in rows if isinstance(json, str) and crc32(json.encode()) == check]
        if version > _VERSION:
            raise InputError(
                _("The collection in {folder} was made by a later version; update the program.").format(
                    folder=self.folder
                )
            )
        if not whole:
            raise self.damage(_("what it says of itself cannot be read"))
        self.facts = json.loads(whole[0])

    def say(self, **facts: Any) -> None:
        """Changes what is said of the collection; part of a transaction where there is one."""
        with self.transaction():
            self.facts = {**self.facts, **facts}
            _write_facts(self._connection, self.facts)

    def damage(self, what: str) -> DamagedError:
        """The error that says what is wrong with the file, for the caller to raise."""
        return _damage(self.folder, what)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """What is written in the block is written as a whole or not at all; a block inside another is a part of it.

        Raises
        ------
        NoRoomError
            If the disk refuses.
        """
        with self._lock:
            if self._connection.in_transaction:
                yield
                return
            before = self.facts
            try:
                with self._errors():
                    self._connection.execute("BEGIN IMMEDIATE")
                    yield
                    self._connection.execute("COMMIT")
            except BaseException:
                self.facts = before
                with suppress(sqlite3.Error):
                    self._connection.execute("ROLLBACK")
                raise

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Keeps other processes from importing meanwhile.

        Raises
        ------
        InputError
            If one does already.
        """
        try:
            import fcntl
        except ImportError:  # Windows, where nothing of the kind outlives a killed process as surely
            yield
            return
        with _open_lock(self.folder) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise _busy(self.folder) from error
            self.reload()
            yield

    # Reading

    def run(self, query: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """Runs one statement of a transaction."""
        return self._connection.execute(query, values)

    def run_many(self, query: str, rows: Iterable[Sequence[Any]]) -> None:
        """Runs one statement for each row."""
        self._connection.executemany(query, rows)

    def read(self, query: str, values: Sequence[Any] = ()) -> list[tuple]:
        with self._lock, self._errors():
            return self._connection.execute(query, values).fetchall()

    def stream(self, query: str, values: Sequence[Any]) -> Iterator[list[tuple]]:
        """The rows of a query, some megabytes at a time."""
        with self._lock, self._errors():
            cursor = self._connection.execute(query, values)
            while rows := cursor.fetchmany(1024):
                yield rows

    def _errors(self) -> AbstractContextManager[None]:
        return _errors(self.folder)


@contextmanager
def _errors(folder: Path) -> Iterator[None]:
    """What SQLite says, as the errors of this program."""
    try:
        yield
    except UNREADABLE as error:
        name = getattr(error, "sqlite_errorname", "")
        if name.startswith("SQLITE_FULL"):
            raise no_room(folder, _("No space left on device")) from error
        if name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN", "SQLITE_READONLY", "SQLITE_PERM")):
            raise no_room(folder, str(error)) from error
        if name.startswith("SQLITE_BUSY"):
            raise _busy(folder) from error
        raise _damage(folder, error) from error


def _busy(folder: Path) -> InputError:
    return InputError(_("{folder} is being written by another process; wait until it is done.").format(folder=folder))


def _damage(folder: Path, what: object) -> DamagedError:
    message = _("The collection in {folder} is damaged: {what}; import it again, or restore the folder.")
    return DamagedError(message.format(folder=folder, what=what))


def facts_of(folder: Path) -> dict[str, Any] | None:
    """What is said of a collection, without opening it for more; None where that cannot be read."""
    try:
        with closing(Database(folder)) as found:
            return found.facts
    except InputError:
        return None


def _write_facts(connection: sqlite3.Connection, facts: Mapping[str, Any]) -> None:
    text = json.dumps(facts, ensure_ascii=False)
    rows = [(copy, text, crc32(text.encode())) for copy in (1, 2)]
    connection.executemany("INSERT OR REPLACE INTO facts VALUES (?, ?, ?)", rows)


@contextmanager
def _open_lock(folder: Path) -> Iterator[Any]:
    try:
        lock = open(folder / LOCK, "wb")  # noqa: SIM115 – closed below
    except OSError as error:
        raise no_room(folder, error) from error
    with lock:
        yield lock


def _remove(path: Path) -> None:
    """Deletes a database, and the journal beside it."""
    for each in (path, path.with_name(f"{path.name}-journal")):
        each.unlink(missing_ok=True)
