"""What a collection holds: items in order, pictures by content, and vectors by what made them of what.

A vector belongs to a *space* (the kind, the revision of the tower and the version of the preparation) and to the
content of a picture or a caption. So it outlives renaming, growing and shrinking, and goes with the last item that has
it. What is imported or embedded is shown to readers as a whole, by `show`; each row carries a checksum, and so do all
items together and each matrix of vectors.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial
from hashlib import blake2b
from itertools import repeat
from zlib import crc32

import numpy as np

from clipexplore.language import _
from clipexplore.models.embedder import PREPARATION, READY_MADE
from clipexplore.sources.entries import Kind
from clipexplore.store import mapped
from clipexplore.store.items import CONTENT, NOTHING, Item, Items, content_key, digest

_PICTURED = "SELECT count(*) FROM items JOIN pictures ON picture = key"


class Stored(Items):
    """An open collection that can be written."""

    @property
    def version(self) -> str:
        return self.facts["version"]

    def remove(self, positions: Iterable[int]) -> None:
        """Takes items away, and the pictures and vectors that no other item has."""
        with self.transaction():
            self.run_many("DELETE FROM items WHERE position = ?", ((place,) for place in positions))
            self.prune()
            self.say(pending=True)

    def prune(self) -> None:
        """Drops pictures and vectors of contents that no item has, and spaces that no model names."""
        used = {space for model in self.facts["models"].values() for space in model["spaces"].values()}
        with self.transaction():
            run = self.run
            run("DELETE FROM pictures WHERE key NOT IN (SELECT picture FROM items WHERE picture IS NOT NULL)")
            # Of a space that damage took, too: its number is given to the next one that is made.
            run("DELETE FROM vectors WHERE space NOT IN (SELECT space FROM spaces)")
            for space, kind, *_rest in self.spaces():
                if space not in used:
                    run("DELETE FROM vectors WHERE space = ?", (space,))
                    run("DELETE FROM spaces WHERE space = ?", (space,))
                column = CONTENT[kind]
                left = f"SELECT {column} FROM items WHERE {column} IS NOT NULL"
                run(f"DELETE FROM vectors WHERE space = ? AND content NOT IN ({left})", (space,))

    def verify(self) -> None:
        """Compares everything with its checksum.

        Raises
        ------
        DamagedError
            For the first that is something else.
        """
        if self.read("PRAGMA quick_check(1)") != [("ok",)]:
            raise self.damage(_("its pages do not fit together"))
        for table in WHOLE:
            for rows in self.stream(f"SELECT rowid, * FROM {table}", ()):
                if not all(WHOLE[table](row[1:]) for row in rows):
                    raise self.damage(_("a row of {table} is not what was stored").format(table=table))
        if "items" in self.facts:  # from the first `show` on
            self.table()
        for entry in self.facts["models"].values():
            for kind in entry["digests"]:
                if self._lacks(entry["spaces"][kind], kind):
                    raise self.damage(_("vectors are missing"))
        if (
            not self.base
            and not self.facts.get("bare")
            and self.facts["counts"]["pictures"] > self.read(_PICTURED)[0][0]
        ):
            raise self.damage(_("pictures are missing"))

    # Vectors

    def spaces(self) -> list[tuple[int, Kind, str, int]]:
        """Number, kind, revision and preparation of each."""
        return self.read("SELECT space, kind, revision, preparation FROM spaces")

    def space(self, kind: Kind, revision: str, preparation: int) -> int:
        """The number of a space, which is made if it is new."""
        said = (kind, revision, preparation)
        for space, *about in self.spaces():
            if tuple(about) == said:
                return space
        with self.transaction():
            number = self.read("SELECT coalesce(max(space), 0) + 1 FROM spaces")[0][0]
            row = (number, *said)
            self.run("INSERT INTO spaces VALUES (?, ?, ?, ?, ?)", (*row, crc32(repr(row).encode())))
            return number

    def name_spaces(self, model: str, revision: str, spaces: Mapping[Kind, int]) -> None:
        """Says in which spaces a model's vectors are; those of another revision of it are forgotten with their maps."""
        known = self.facts["models"].get(model, {})
        same: dict = {"revision": revision, "spaces": {}, "digests": {}}
        same = known if known.get("revision") == revision else same
        entry = {**same, "spaces": {**same["spaces"], **spaces}}
        if entry != known:
            with self.transaction():
                self.say(models={**self.facts["models"], model: entry}, pending=True)
                if same is not known and known:
                    self.run("DELETE FROM maps WHERE name LIKE ?", (f"{model}/%",))
                    self.prune()

    def lacking(self, space: int, kind: Kind) -> list[tuple[int, bytes]]:
        """Position and content of what has no vector in a space and can be embedded, each content once, in order."""
        column, there = CONTENT[kind], "caption != ''" if kind == "captions" else str(not self.facts.get("bare"))
        query = (
            f"SELECT min(position), {column} FROM items WHERE {there} AND {column} NOT IN"
            f" (SELECT content FROM vectors WHERE space = ?) GROUP BY {column} ORDER BY 1"
        )
        return self.read(query, (space,))

    def known(self, space: int, contents: Iterable[bytes]) -> set[bytes]:
        """Those of some contents that have a vector in a space."""
        find = "SELECT 1 FROM vectors WHERE space = ? AND content = ?"
        return {content for content in set(contents) if self.read(find, (space, content))}

    def add_vectors(
        self, space: int, contents: Sequence[bytes], vectors: np.ndarray, lengths: np.ndarray | None = None
    ) -> None:
        """Vectors `(n, dim)` of unit norm for as many contents, and how long they were before, `(n,)`; those that a
        content has already are replaced.
        """
        blobs = (row.tobytes() for row in np.ascontiguousarray(vectors, "<f4"))
        before = repeat(None, len(contents)) if lengths is None else map(float, lengths)
        with self.transaction():
            self.run_many(
                "INSERT OR REPLACE INTO vectors VALUES (?, ?, ?, ?, ?)",
                (
                    (space, content, crc32(blob, crc32(content, space)), length, blob)
                    for content, length, blob in zip(contents, before, blobs, strict=True)
                ),
            )
            self.say(pending=True, touched=sorted({*self.facts.get("touched", ()), space}))

    def embedded(self, model: str) -> list[Kind]:
        """The kinds of which a model has a vector, as one is made today, for every item that is shown."""
        entry = self.facts["models"].get(model, {"digests": {}, "spaces": {}})
        made = {space: preparation for space, _kind, _revision, preparation in self.spaces()}
        return [kind for kind in entry["digests"] if made[entry["spaces"][kind]] in (READY_MADE, PREPARATION[kind])]

    def matrix(self, model: str, kind: Kind) -> np.ndarray | None:
        """The vectors `(n, dim)` of a model, float32, one row for each item that is shown; None where some have none.

        An empty caption has none: its row is zero.

        They are mapped from a file in `cache/`, which is made again where it is missing or not what was stored.
        """
        entry = self.facts["models"].get(model, {"digests": {}})
        if kind not in entry["digests"]:
            return None
        digest = entry["digests"][kind]
        if (array := mapped.found(self.folder, digest)) is not None:
            return array
        made, array = mapped.made(self.folder, partial(self._blocks, entry["spaces"][kind], kind))
        if made != digest:
            raise self._changed(_("vectors are not what was stored"))
        return array

    def lengths(self, model: str, kind: Kind) -> np.ndarray | None:
        """How long the vectors were before they were normalised, `(n,)` float32; None where that is not known."""
        space = self.facts["models"].get(model, {"spaces": {}})["spaces"].get(kind)
        found = [length for block in self._of_shown("length", space, kind) for (length,) in block]
        return None if None in found or not found else np.array(found, np.float32)

    def _blocks(self, space: int, kind: Kind) -> Iterator[bytes]:
        """The rows of a space as an NPY of float32, zero where an item has no vector."""
        dim = self._dim(space)
        yield mapped.header(len(self.contents(kind)), dim)
        for block in self._of_shown("vector", space, kind):
            yield b"".join(blob or bytes(4 * dim) for (blob,) in block)

    def _of_shown(self, column: str, space: int | None, kind: Kind) -> Iterator[list[tuple]]:
        """A column of the vectors of what is shown, in order; None for an item that has none."""
        vectors = f"vectors ON space = ? AND content = {CONTENT[kind]}"
        return self.stream(f"SELECT {column} FROM items LEFT JOIN {vectors} {self._shown}", (space,))

    # Maps

    def coordinates(self, model: str, method: str) -> np.ndarray | None:
        """A stored map, `(n, 2)` float32; None where there is none of these items."""
        rows = self.read('SELECT "check", coordinates FROM maps WHERE name = ?', (f"{model}/{method}",))
        if not rows:
            return None
        if crc32(rows[0][1]) != rows[0][0]:
            raise self.damage(_("a map is not what was stored"))
        return np.frombuffer(rows[0][1], "<f4").reshape(-1, 2)

    def add_map(self, model: str, method: str, coordinates: np.ndarray) -> None:
        """Stores a map `(n, 2)` of what is shown; it goes when that changes."""
        data = np.ascontiguousarray(coordinates, "<f4").tobytes()
        with self.transaction():
            self.run("INSERT OR REPLACE INTO maps VALUES (?, ?, ?)", (f"{model}/{method}", crc32(data), data))
            self._stamp()

    # Showing

    def show(self) -> None:
        """Lets readers see what was imported and embedded since; nothing where nothing was."""
        if not self.facts["pending"]:
            return
        with self.transaction():
            self.say(shown=self.read("SELECT coalesce(max(position), -1) + 1 FROM items")[0][0], hidden=[])
            rows = self.read("SELECT id, caption, fields, picture IS NOT NULL FROM items ORDER BY position")
            ids, captions, fields, pictures = map(list, zip(*rows, strict=True)) if rows else ([], [], [], [])
            items, counts = digest([ids, captions, fields]), {"items": len(rows), "pictures": sum(pictures)}
            same = items == self.facts.get("items")
            if not same:
                self.run("DELETE FROM maps")
            self.say(items=items, counts=counts, models=self._complete(same), pending=False, touched=[])
            self._stamp()
        self._forget_caches()

    def _complete(self, same: bool) -> dict[str, dict]:
        """What is said of each model, with the checksum of each kind embedded as a whole; `same` if the items are."""
        stale, models = set(self.facts.get("touched", ())), self.facts["models"]
        made: dict[int, tuple[str, int] | None] = {}
        found = {}
        for key, entry in models.items():
            for kind, space in entry["spaces"].items():
                kept = same and space not in stale and entry["digests"].get(kind)
                if space not in made:
                    made[space] = (kept, entry["dim"]) if kept else self._finish(space, kind)
            whole = {kind: each for kind, space in entry["spaces"].items() if (each := made[space])}
            digests = {kind: digest for kind, (digest, _dim) in whole.items()}
            found[key] = {**entry, "digests": digests, "dim": max((dim for _digest, dim in whole.values()), default=0)}
        return found

    def _finish(self, space: int, kind: Kind) -> tuple[str, int] | None:
        """Checksum and dimension of a space that has a vector for all there is of its kind, and any; else None."""
        if self._lacks(space, kind) or not self.rows() or not (dim := self._dim(space)):
            return None
        return mapped.made(self.folder, partial(self._blocks, space, kind))[0], dim

    def _dim(self, space: int) -> int:
        """The dimension of the vectors of a space, 0 where there are none."""
        one = self.read("SELECT length(vector) / 4 FROM vectors WHERE space = ? LIMIT 1", (space,))
        return one[0][0] if one else 0

    def _lacks(self, space: int, kind: Kind) -> int:
        """How many items have no vector in a space, those with an empty caption apart, unless it came with one."""
        column, empty = CONTENT[kind], "0"
        if kind == "captions":
            ready = any(number == space and made == READY_MADE for number, _kind, _revision, made in self.spaces())
            empty = f"text = x'{NOTHING.hex()}'" if ready else "caption = ''"
        query = (
            f"SELECT count(*) FROM items WHERE {column} IS NULL OR NOT ({empty}) AND"
            f" NOT EXISTS (SELECT 1 FROM vectors WHERE space = ? AND content = {column})"
        )
        return self.read(query, (space,))[0][0]

    def _stamp(self) -> None:
        """Gives what is shown its version."""
        maps = self.read('SELECT name, "check" FROM maps ORDER BY name')
        models = {key: entry["digests"] for key, entry in self.facts["models"].items()}
        content = json.dumps([self.facts.get("items"), models, maps], sort_keys=True)
        self.say(version=blake2b(content.encode(), digest_size=6).hexdigest())

    def _forget_caches(self) -> None:
        digests = {digest for entry in self.facts["models"].values() for digest in entry["digests"].values()}
        for path in (self.folder / mapped.CACHE).glob("*"):
            if path.name.partition(".")[0] not in digests:
                with suppress(OSError):
                    path.unlink()


def _whole_space(row: tuple) -> bool:
    return crc32(repr(tuple(row[:4])).encode()) == row[4]


#: The tables whose rows are known by themselves to be whole, and how.
WHOLE: dict[str, Callable[[tuple], bool]] = {
    "items": lambda row: Item(*row[2:]).check(row[0]) == row[1],
    "pictures": lambda row: content_key(row[1]) == row[0],
    "spaces": _whole_space,
    "vectors": lambda row: crc32(row[4], crc32(row[1], row[0])) == row[2],
    "maps": lambda row: crc32(row[2]) == row[1],
}
