"""The items of an open collection: their ids, captions and fields in order, and their pictures by content.

What is added is shown to readers as a whole; each row carries a checksum, and so do all items together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Self

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.sources.entries import KINDS, Kind
from clipexplore.store.database import Database
from clipexplore.store.items import Item, content_key, digest, fields_frame

if TYPE_CHECKING:
    import pandas as pd

    from clipexplore.store.published import Published

CONTENT = {"pictures": "picture", "captions": "text"}  # the column of an item that a kind of vector belongs to


class Contents(Database):
    """The items of an open collection, and their pictures.

    Attributes
    ----------
    base
        The published collection whose pictures these items have, where this holds only what further models made of it.
    """

    base: Published | None = None
    positions: np.ndarray  # those of the rows of `table`

    @classmethod
    def create(cls, folder: Path, *, name: str, title: str, kind: Kind, **facts: object) -> Self:
        """A collection without items yet; `Collection.open` takes it from the first `show` on.

        Raises
        ------
        NoRoomError
            If the disk refuses.
        """
        head = {"name": name, "title": title, "kind": kind, **facts, "counts": {"items": 0, "pictures": 0}}
        with cls.building(folder, head):
            pass
        return cls.open(folder)

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What of an item is embedded."""
        return KINDS if self.facts["kind"] == "pictures" else ("captions",)

    def table(self) -> tuple[list[str], list[str], pd.DataFrame]:
        """Ids, captions and fields of what is shown, in order, compared with their checksum."""
        rows = self.read(f"SELECT position, id, caption, fields FROM items WHERE {self._shown} ORDER BY position")
        positions, ids, captions, fields = map(list, zip(*rows, strict=True)) if rows else ([], [], [], [])
        if digest([ids, captions, fields]) != self.facts.get("items"):
            raise self._changed(_("its items are not what was stored"))
        self.positions = np.array(positions, np.int64)
        return ids, captions, fields_frame(fields)

    @property
    def _shown(self) -> str:
        hidden = ",".join(map(str, self.facts["hidden"]))
        return f"position < {self.facts['shown']}" + f" AND position NOT IN ({hidden})" * bool(hidden)

    def rows(self) -> int:
        """How many items there are, shown or not."""
        return self.read("SELECT count(*) FROM items")[0][0]

    def sources(self) -> dict[bytes, str]:
        """What tells each item from all others, with the label of each, "" where it has none."""
        rows = self.read("SELECT source, coalesce(json_extract(fields, '$.label'), '') FROM items")
        return {source: intern(str(label)) for source, label in rows}

    def all_ids(self) -> list[str]:
        """The ids of all items, shown or not."""
        return [id for (id,) in self.read("SELECT id FROM items")]

    def free_positions(self) -> Iterator[int]:
        """Where new items go: places of lost ones first, so that importing them again gives what there was."""
        last = self.read("SELECT coalesce(max(position), -1) + 1 FROM items")[0][0]
        if last > self.rows():
            taken = {position for (position,) in self.read("SELECT position FROM items")}
            yield from (position for position in range(last) if position not in taken)
        while True:
            yield last
            last += 1

    def append(self, items: Sequence[Item], positions: Sequence[int], pictures: Mapping[bytes, bytes]) -> None:
        """Items in their positions, with the pictures of theirs that are new; hidden until `show`."""
        shown = self.facts["shown"]
        hidden = [*self.facts["hidden"], *(position for position in positions if position < shown)]
        with self.transaction():
            self.run_many("INSERT OR IGNORE INTO pictures VALUES (?, ?)", pictures.items())
            self.run_many(
                "INSERT INTO items VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    (place, item.check(place), item.id, item.caption, item.fields, item.source, item.picture, item.text)
                    for place, item in zip(positions, items, strict=True)
                ),
            )
            self.say(pending=True, hidden=hidden)

    def picture(self, row: int) -> bytes:
        """The picture of a row of `table`, compared with its checksum."""
        return self._picture(int(self.positions[row]))

    def held(self, kind: Kind, positions: Iterable[int]) -> list[bytes] | list[str]:
        """The pictures or captions of the items in some positions, shown or not."""
        if kind == "pictures":
            return [self._picture(position) for position in positions]
        find = "SELECT caption FROM items WHERE position = ?"
        return [self.read(find, (position,))[0][0] for position in positions]

    def _picture(self, position: int) -> bytes:
        if self.base:
            return self.base.picture(position)
        rows = self.read("SELECT key, data FROM items JOIN pictures ON picture = key WHERE position = ?", (position,))
        if not rows or content_key(rows[0][1]) != rows[0][0]:
            raise self._changed(_("a picture is not what was stored"))
        return rows[0][1]

    def contents(self, kind: Kind) -> list[bytes]:
        """What the vectors of a kind belong to, of the items that are shown, in order."""
        query = f"SELECT {CONTENT[kind]} FROM items WHERE {self._shown} ORDER BY position"
        return [content for (content,) in self.read(query)]

    def _changed(self, what: str) -> InputError:
        """Why something is not as it was said to be: another has changed it, or the file is damaged."""
        before = self.facts
        self.reload()
        if self.facts != before:
            return InputError(_("{folder} has changed meanwhile; open it again.").format(folder=self.folder))
        return self.damage(what)
