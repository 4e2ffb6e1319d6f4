"""The items of a collection: what one is, which ids can be written, what a column holds, and the table of all."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import repeat
from pathlib import Path
from sys import intern
from typing import TYPE_CHECKING, Any, Self
from zlib import crc32

import numpy as np

from clipexplore.errors import InputError
from clipexplore.expression import ID
from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.sources.entries import KINDS, Kind, groups
from clipexplore.store.database import Database
from clipexplore.store.texts import Texts

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from clipexplore.store.published import Published

CONTENT = {"pictures": "picture", "captions": "text"}  # the column of an item that a kind of vector belongs to
RESERVED = ("id", "caption", "content", "picture", "boxes")  # no names for a field that somebody brings
MOST_OF_FIELD = 2_000  # characters of a field that are kept
_JSON = json.JSONEncoder(ensure_ascii=False)
_DASHES = re.compile("-+")
_WHOLE, _DECIMAL = re.compile(r"0|-?[1-9]\d{0,14}"), re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")


@dataclass(frozen=True)
class Item:
    """A row: `source` tells it from all others, `picture` and `text` are the contents that its vectors belong to."""

    id: str
    caption: str
    fields: str  # JSON
    source: bytes
    picture: bytes | None
    text: bytes

    def content(self, kind: Kind) -> bytes:
        """What its vector of a kind belongs to."""
        return self.text if kind == "captions" else self.picture or b""

    def check(self, position: int) -> int:
        """The checksum of the row in its place."""
        said = "\0".join((str(position), self.id, self.caption, self.fields)).encode("utf-8", "surrogatepass")
        return crc32(b"\0".join((said, self.source, self.picture or b"", self.text)))


def content_key(data: bytes | str) -> bytes:
    """The name of a content, 16 bytes made from it: of the bytes of a picture or of the text of a caption."""
    data = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return blake2b(data, digest_size=16).digest()


def items_of(
    ids: Iterable[str], captions: Iterable[str], fields: pd.DataFrame, pictures: Sequence[bytes]
) -> list[Item]:
    """The items of a table, each told from all others by its id; `pictures` are their contents, none for texts."""
    columns = fields.astype(object).to_dict("records") if len(fields.columns) else repeat({})
    rows = zip(ids, captions, columns, pictures or repeat(None), strict=False)
    return [
        Item(id, caption, fields_json(said, ()), content_key(id), picture, content_key(caption))
        for id, caption, said, picture in rows
    ]


NOTHING = content_key("")  # the content of an empty caption, which no model embeds


def digest(columns: Iterable[Sequence[str]]) -> str:
    """The checksum of columns of text."""
    checksum = blake2b(digest_size=16)
    for column in columns:
        between = ""
        for block in groups(column, 8192):
            checksum.update((between + "\0".join(block)).encode("utf-8", "surrogatepass"))
            between = "\0"
        checksum.update(b"\1")
    return checksum.hexdigest()


def check_items(items: pd.DataFrame, pictures: Sequence[bytes] | None) -> None:
    """Refuses items that break a rule.

    Raises
    ------
    InputError
        For items without an id or a caption, ids that are there twice or cannot be written, pictures not one for each.
    """
    if missing := {"id", "caption"} - set(items.columns):
        names = " and ".join(sorted(missing))
        raise InputError(_("The items lack the column {names}; give each an id and a caption.").format(names=names))
    if items.empty:
        raise InputError(_("There are no items; a collection needs at least one."))
    for id in items["id"]:
        if not (isinstance(id, str) and ID.fullmatch(id)):
            message = _("The id {id!r} cannot be written as @id; use letters, digits, dots, dashes, underscores.")
            raise InputError(message.format(id=id))
    if len(twice := items["id"][items["id"].duplicated()]):
        raise InputError(_("The id {id} is there twice; give each item its own.").format(id=twice.iloc[0]))
    if not all(isinstance(caption, str) for caption in items["caption"]):
        raise InputError(_("An item has no caption; give each one a text."))
    if pictures is not None and len(pictures) != len(items):
        message = _("There are {pictures} pictures for {items} items; give one for each.")
        raise InputError(message.format(pictures=len(pictures), items=len(items)))


class Ids:
    """The ids of a collection, and new ones that can be written as @id."""

    def __init__(self, taken: Iterable[str]):
        self._taken = set(taken)
        self._last: dict[str, int] = {}  # the number that was last put behind a name

    def new(self, name: str) -> str:
        """An id made of a name and different from all others, which include it from now on."""
        plain = id = _written(name)
        while id in self._taken:
            self._last[plain] = self._last.get(plain, 1) + 1
            id = f"{plain}-{self._last[plain]}"
        self._taken.add(id)
        return id


def _written(name: str) -> str:
    """What an id can say of a name."""
    stem, _dot, suffix = name.rpartition("/")[2].rpartition(".")
    stem = stem if stem and f".{suffix.lower()}" in suffixes() else name.rpartition("/")[2]
    letters = [each if _may_stand(each) else "-" for each in unicodedata.normalize("NFC", stem)]
    plain = _DASHES.sub("-", "".join(letters)).strip("-._")[:80]
    plain = plain if ID.fullmatch(plain) else f"item-{plain}".rstrip("-")
    return f"picture-{plain}" if plain.startswith("up-") else plain  # which uploads are called


@lru_cache(4096)
def _may_stand(character: str) -> bool:
    """Whether an id is written with a character: a letter, mark or number of any script, a dot, dash or underscore."""
    return character in "._-" or unicodedata.category(character)[0] in "LMN" and bool(ID.fullmatch(f"a{character}"))


def fields_json(fields: Mapping[str, object], reserved: Sequence[str] = RESERVED) -> str:
    """The further columns of an item as JSON; what is no plain value becomes text, of 2,000 characters at most."""
    if not fields:
        return "{}"
    named = {f"{name}_" if name.lower() in reserved else name: value for name, value in fields.items()}
    return _JSON.encode({name: _plain(value) for name, value in named.items()})


def _plain(value: object) -> object:
    if hasattr(value, "item"):  # a scalar of numpy
        value = value.item()
    if isinstance(value, float) and value != value:
        return None
    if value is None or isinstance(value, float) or isinstance(value, int) and abs(value) < 2**63:
        return value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        value = ", ".join(value)
    return str(value)[:MOST_OF_FIELD]


def fields_frame(fields: Sequence[str]) -> pd.DataFrame:
    """The further columns of items, one row each; text of numbers alone becomes numbers, 007 stays."""
    import pandas as pd
    import pyarrow as pa

    rows: list[dict[str, Any]] = [] if all(each == "{}" for each in fields) else json.loads(f"[{','.join(fields)}]")
    names = list(dict.fromkeys(name for row in rows for name in row))
    if not names:
        return pd.DataFrame(index=pd.RangeIndex(len(fields)))
    columns = {name: _column([row.get(name) for row in rows]) for name in names}
    return pa.table(columns).to_pandas()


def _column(values: list) -> pa.Array:
    """One column; of values of several types as text."""
    import pyarrow as pa

    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {str}:
        given = [value for value in values if value is not None]
        for pattern, kind in ((_WHOLE, int), (_DECIMAL, float)):
            if all(map(pattern.fullmatch, given)):
                return pa.array([None if value is None else kind(value) for value in values])
        return pa.array(values, pa.string())
    if kinds == {int, float}:
        return pa.array(values, pa.float64())
    if len(kinds) > 1:
        return pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.array(values) if kinds else pa.array(values, pa.string())


class Items(Database):
    """The items of an open collection, and their pictures. What is added is shown to readers as a whole.

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

    def table(self) -> tuple[Texts, Texts, pd.DataFrame]:
        """Ids, captions and fields of what is shown, in order, compared with their checksum."""
        import pyarrow as pa

        query = f"SELECT position, id, caption, fields FROM items {self._shown}"
        kinds = pa.int64(), pa.string(), pa.string(), pa.string()
        parts = [
            [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), kinds, strict=True)]
            for rows in self.stream(query, ())
        ]
        positions, *texts = (
            pa.chunked_array([part[place] for part in parts], kind) for place, kind in enumerate(kinds)
        )
        ids, captions, fields = map(Texts, texts)
        if digest([ids, captions, fields]) != self.facts.get("items"):
            raise self._changed(_("its items are not what was stored"))
        self.positions = positions.to_numpy()
        return ids, captions, fields_frame(fields)

    @property
    def _shown(self) -> str:
        """The end of a query of items: of those that are shown, in order."""
        hidden = ",".join(map(str, self.facts["hidden"]))
        return f"WHERE position < {self.facts['shown']} AND position NOT IN ({hidden}) ORDER BY position"

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
        return [content for (content,) in self.read(f"SELECT {CONTENT[kind]} FROM items {self._shown}")]

    def _changed(self, what: str) -> InputError:
        """Why something is not as it was said to be: another has changed it, or the file is damaged."""
        before = self.facts
        self.reload()
        if self.facts != before:
            return InputError(_("{folder} has changed meanwhile; open it again.").format(folder=self.folder))
        return self.damage(what)
