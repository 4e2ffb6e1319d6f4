"""Making collections whole: earlier versions' are taken over, and what is whole of a damaged one is kept."""

from __future__ import annotations

import json
import logging
import os
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zlib import crc32

import numpy as np

from clipexplore.errors import DamagedError, no_room
from clipexplore.language import _
from clipexplore.paths import delete
from clipexplore.sources.entries import KINDS
from clipexplore.store.database import FILE, PAGE, UNREADABLE
from clipexplore.store.items import Item, content_key, fields_json
from clipexplore.store.published import COPY, ITEMS, MANIFEST, described, read_manifest, read_parquet
from clipexplore.store.stored import WHOLE, Stored

log = logging.getLogger(__name__)
ASIDE = "damaged"
_OLD = (MANIFEST, COPY, ITEMS, "shards", "sheets", "vectors", "embeddings", "maps")
_OLD_PREPARATION = 1
_GAP = 1_000  # numbers without a row behind the last that is known of
_MOST = 100_000_000  # rows; a damaged number of the last one may be anything


def repair(folder: Path) -> list[str]:
    """Takes over an old collection, and makes a damaged one again of what is whole in it; says what was not.

    The damaged file is kept in `damaged/`. What was lost comes back with the next import of its source.

    Raises
    ------
    NoRoomError
        If the disk refuses; then nothing has changed.
    """
    adopt(folder)
    try:
        with closing(Stored.open(folder)) as store:
            store.verify()
        return []
    except DamagedError as error:
        log.warning("%s", error)
    lost = _rebuild(folder)
    log.warning("Repaired %s; lost: %s", folder, ", ".join(lost))
    return lost


def _rebuild(folder: Path) -> list[str]:
    """Puts what is whole in a new file in the place of the damaged one."""
    lost: Counter[str] = Counter()
    with _salvaged(folder) as old:
        facts = _whole_facts(old, folder)
        with Stored.building(folder, facts) as made:
            with made.transaction():
                for table, test in WHOLE.items():
                    for row in _rows(old, table, test, lost):
                        made.run(f"INSERT OR IGNORE INTO {table} VALUES ({','.join('?' * len(row))})", row)
                _drop_pictureless(made, lost)
                made.say(models=_whole_models(facts, made), pending=True, items=None)
                made.prune()
                made.show()
            _set_aside(folder)
    return [f"{number:,} {table}" for table, number in lost.items()] or [_("pages without rows")]


@contextmanager
def _salvaged(folder: Path) -> Iterator[sqlite3.Connection]:
    """The damaged file, opened to be read; with the first page of a new one where its own says nothing any more."""
    damaged, copy = folder / FILE, folder / f"{FILE}.salvaged"
    try:
        if not _has_tables(damaged):
            shutil.copyfile(damaged, copy)
            with open(copy, "r+b") as file:
                file.write(_first_page())
        with closing(_read_only(copy if copy.exists() else damaged)) as connection:
            yield connection
    except OSError as error:
        raise no_room(folder, error) from error
    finally:
        copy.unlink(missing_ok=True)


def _read_only(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?immutable=1", uri=True)


def _has_tables(path: Path) -> bool:
    with closing(_read_only(path)) as connection, suppress(*UNREADABLE):
        return connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'items'").fetchone()[0] == 1
    return False


def _first_page() -> bytes:
    """The first page of an empty collection: its tables are where they are in any other."""
    with TemporaryDirectory() as place:
        Stored.create(Path(place), name="", title="", kind="captions").close()
        page = bytearray((Path(place) / FILE).read_bytes()[:PAGE])
    page[92:96] = bytes(4)  # version-valid-for: the size of the file counts instead
    return bytes(page)


def _rows(old: sqlite3.Connection, table: str, test: Callable[[tuple], bool], lost: Counter[str]) -> Iterator[tuple]:
    """The whole rows of a table; the others are counted. Each is looked up alone: a lost page takes its rows only."""
    missed, last = 0, 0
    with suppress(*UNREADABLE):
        last = old.execute(f"SELECT max(rowid) FROM {table}").fetchone()[0] or 0
    for number in count(0):
        row: tuple | None = None
        try:
            row = old.execute(f"SELECT * FROM {table} WHERE rowid = ?", (number,)).fetchone()
            whole = row is not None and test(row)
        except (*UNREADABLE, TypeError, ValueError, OverflowError):
            whole, row = False, row or ()
        missed = 0 if row else missed + 1
        if whole and row is not None:
            yield row
        elif row:
            lost[table] += 1
        if missed > _GAP and number > min(last, _MOST):
            return


def _whole_facts(old: sqlite3.Connection, folder: Path) -> dict[str, Any]:
    """What is said of the collection in the copy that is whole; what its folder says where none is."""
    for copy in (1, 2):
        with suppress(*UNREADABLE, TypeError, ValueError):
            text, check = old.execute('SELECT json, "check" FROM facts WHERE copy = ?', (copy,)).fetchone()
            if crc32(text.encode()) == check:
                return json.loads(text)
    return {"name": folder.name, "title": folder.name, "kind": "pictures", "counts": {"items": 0, "pictures": 0}}


def _drop_pictureless(made: Stored, lost: Counter[str]) -> None:
    """Takes out the items whose picture was lost; the next import of their source brings them back."""
    if made.facts["kind"] == "pictures" and not made.facts.get("bare"):
        query = "SELECT position FROM items WHERE picture IS NOT NULL AND picture NOT IN (SELECT key FROM pictures)"
        gone = [position for (position,) in made.read(query)]
        made.run_many("DELETE FROM items WHERE position = ?", ((position,) for position in gone))
        if gone:
            lost["items without their picture"] = len(gone)


def _whole_models(facts: Mapping[str, Any], made: Stored) -> dict[str, Any]:
    """What was said of each model, as far as its spaces are there."""
    known = {space for space, *_about in made.spaces()}
    models = {}
    for key, entry in facts.get("models", {}).items():
        spaces = {kind: space for kind, space in entry["spaces"].items() if space in known}
        models[key] = {**entry, "spaces": spaces, "digests": {}}
    return models


def _set_aside(folder: Path) -> None:
    place, number = folder / ASIDE / FILE, 1
    while place.exists():
        place, number = folder / ASIDE / f"{FILE}.{number}", number + 1
    place.parent.mkdir(exist_ok=True)
    os.link(folder / FILE, place)  # the new file takes the old one's name at once


# Collections that grew before there was a database


def adopt(folder: Path) -> None:
    """Makes a database of a collection that an earlier version let grow as a folder of shards, once.

    It is built beside the old files, compared with them and takes their place; only then they are deleted.

    Raises
    ------
    NoRoomError
        If the disk refuses; then the old files are as they were.
    """
    if (folder / MANIFEST).exists() and (folder / FILE).exists():
        _forget_old(folder)
        return
    if not (folder / MANIFEST).exists() or (folder / FILE).exists():
        return
    manifest = read_manifest(folder)
    if "parts" not in manifest:
        return  # made in one go: a published collection
    plain = ("name", "title", "kind", "description", "licence")
    facts = {key: manifest[key] for key in plain if key in manifest}
    with Stored.building(folder, {**facts, "counts": {"items": 0, "pictures": 0}}) as made:
        whole = [part for part in sorted(manifest["parts"]) if _is_whole(folder, manifest, part)]
        for part in whole:  # a damaged one is left out, and comes back with its source
            _adopt_part(folder, manifest, part, made)
        made.show()
        made.verify()
        if len(whole) == len(manifest["parts"]):
            _compare(folder, manifest, made)
    _forget_old(folder)
    log.info("took over the collection in %s", folder)


def _adopt_part(folder: Path, manifest: Mapping[str, Any], part: str, made: Stored) -> None:
    """Takes over one shard, its items and its vectors."""
    table = read_parquet(folder / part)
    items = [_item(row, manifest["kind"]) for row in table.to_pylist()]
    pictures = table["picture"].to_pylist() if "picture" in table.column_names else []
    places = made.free_positions()
    with made.transaction():
        made.append(items, [next(places) for _item in items], {content_key(data): data for data in pictures})
        for model, about in manifest["vectors"].items():
            for kind in KINDS:
                name = f"vectors/{model}/{kind}/{Path(part).stem}.npy"
                if _is_whole(folder, manifest, name):
                    space = made.space(kind, about["revision"], _OLD_PREPARATION)
                    made.name_spaces(model, about["revision"], {kind: space})
                    made.add_vectors(
                        space, [item.content(kind) for item in items], np.load(folder / name, allow_pickle=False)
                    )


def _item(row: dict[str, Any], kind: str) -> Item:
    """A row of a shard. Captions may come with ready-made vectors, so there each item has its own content."""
    picture, source = row.pop("picture", None), bytes.fromhex(row.pop("content"))
    id, caption = row.pop("id"), row.pop("caption")
    text = source if kind == "captions" else content_key(caption)
    return Item(id, caption, fields_json(row, ()), source, picture and content_key(picture), text)


def _is_whole(folder: Path, manifest: Mapping[str, Any], name: str) -> bool:
    try:
        with open(folder / name, "rb") as file:
            return described(iter(lambda: file.read(1 << 22), b"")) == manifest["files"].get(name)
    except OSError:
        return False


def _compare(folder: Path, manifest: Mapping[str, Any], made: Stored) -> None:
    """Compares what was taken over with what the old files merged.

    Raises
    ------
    DamagedError
        If vectors are others.
    """
    made.table()
    for model in manifest["models"]:
        for kind in KINDS:
            name = f"embeddings/{model}/{kind}.npy"
            if _is_whole(folder, manifest, name):
                array, before = made.matrix(model, kind), np.load(folder / name, mmap_mode="r")
                lost = array is None and len(made.positions) == len(before)
                if lost or array is not None and not np.array_equal(array[: len(before)], before):
                    raise made.damage(_("it is not what it was made of"))


def _forget_old(folder: Path) -> None:
    """Deletes the files of the old form."""
    for name in _OLD:
        delete(folder / name)
