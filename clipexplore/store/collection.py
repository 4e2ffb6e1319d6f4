"""Pictures and captions with their embeddings: what every page explores."""

from __future__ import annotations

from collections.abc import Collection as Some
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipexplore.errors import InputError
from clipexplore.expression import folded
from clipexplore.language import _
from clipexplore.models.embedder import READY_MADE
from clipexplore.sources.entries import KINDS, Kind, groups
from clipexplore.store import absent
from clipexplore.store.database import FILE
from clipexplore.store.items import check_items, content_key, items_of
from clipexplore.store.published import MANIFEST, Published, publish
from clipexplore.store.stored import Stored
from clipexplore.store.texts import Lookup
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import pandas as pd


class Collection:
    """Captioned items, with pictures or without, and what models made of them.

    It is either a database or a published folder, which stays as it is. What is stored is compared with its checksum
    when it is read; any number of threads may read. What writes, `add_embeddings`, `add_map` and `remove`, is for one
    writer at a time, and raises an InputError for a published collection and a NoRoomError where the disk refuses.

    Attributes
    ----------
    name, title
        What it is called in links and in folders, and for people.
    ids, captions
        One str per row; ids are unique and can be written as `@id` in an expression.
    fields
        The further columns, a DataFrame of one row per item.
    revisions
        The revision of each model that is asked for: what another revision has made under its key does not count.
    """

    def __init__(self, store: Stored | Published, revisions: dict[str, str] | None = None):
        self.store, self.revisions = store, revisions or {}
        self._arrays: dict[tuple[str, str], Any] = {}  # what was read, by model and what it is
        self.name: str = store.facts["name"]
        self.title: str = store.facts["title"]
        self.ids, self.captions, self.fields = store.table()

    @classmethod
    def open(cls, folder: Path | str, verify: bool = False) -> Collection:
        """The collection in a folder.

        Parameters
        ----------
        verify
            Whether everything is compared with its checksum now, and not only when it is first used.

        Raises
        ------
        MissingError
            If there is none.
        DamagedError
            If it is not what was stored.
        InputError
            If nothing of it is there yet, because it is being imported.
        """
        folder = Path(folder)
        store = Stored.open(folder) if (folder / FILE).exists() else Published(folder)
        if not store.facts["counts"]["items"]:
            message = _("{title} is still being imported; wait until it is done, or go on with the import.")
            raise InputError(message.format(title=store.facts["title"]))
        if verify:
            store.verify()
        return cls(store)

    @classmethod
    def create(
        cls,
        folder: Path | str,
        *,
        name: str,
        title: str,
        items: pd.DataFrame,
        pictures: list[bytes] | None = None,
        **facts: Any,
    ) -> Collection:
        """A new collection, written to a folder that holds none yet.

        Parameters
        ----------
        items
            Columns `id` and `caption` (str, no gaps) and any further columns of plain values.
        pictures
            One encoded picture per item, in their order; None for texts alone.
        facts
            What else is said of it, such as `description`, `licence`, `seed`.

        Raises
        ------
        InputError
            If the folder holds a collection, or items or pictures break a rule.
        NoRoomError
            If the disk refuses.
        """
        check_items(items, pictures)
        folder = Path(folder)
        if (folder / FILE).exists() or (folder / MANIFEST).exists():
            message = _("There is something in {folder} already; choose another folder or delete it first.")
            raise InputError(message.format(folder=folder))
        kind = "captions" if pictures is None else "pictures"
        with Stored.building(folder, {"name": name, "title": title, "kind": kind, **facts}) as made:
            keys = [content_key(data) for data in pictures or ()]
            rows = items_of(items["id"], items["caption"], items.drop(columns=["id", "caption"]), keys)
            made.append(rows, range(len(rows)), dict(zip(keys, pictures or (), strict=True)))
            made.show()
        return cls.open(folder)

    @property
    def manifest(self) -> dict[str, Any]:
        """What is said of it: title, description, licence, counts, models ({key: {"revision", "dim"}}), …"""
        return {**self.store.facts, "models": self.models}

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        """Revision and dimension of each model that has embedded all pictures or all captions."""
        said = self.store.facts["models"]
        found = {key: said[stored] for key in {**said, **self.revisions} if (stored := self._key(key))}
        made = {key: each for key, each in found.items() if each.get("digests", True)}
        return {key: {part: each[part] for part in ("revision", "dim")} for key, each in made.items()}

    @property
    def folder(self) -> Path:
        """Where it was opened, whatever model asked for it."""
        return (self.store.base or self.store).folder

    @property
    def has_pictures(self) -> bool:
        return self.store.facts["counts"]["pictures"] > 0

    @property
    def has_files(self) -> bool:
        """Whether the pictures are here, and not only vectors of them."""
        return self.has_pictures and not self.store.facts.get("bare")

    @property
    def contained(self) -> list[Kind]:
        """What of the items is here, so that any model can embed it; empty captions are nothing."""
        return [kind for kind in KINDS if (self.has_files if kind == "pictures" else any(self.captions))]

    @property
    def version(self) -> str:
        """A few digits made from the content: other items, embeddings or maps have others."""
        return self.store.version

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: str) -> bool:
        return bool(self._rows_by_id.rows(id))

    def row(self, id: str) -> int:
        """The row of an id.

        Raises
        ------
        MissingError
            For an unknown id; the message names similar ones.
        """
        if not (rows := self._rows_by_id.rows(id)):
            raise absent.no_item(id, self.title, self.ids)
        return rows[0]

    def rows_captioned(self, text: str) -> list[int]:
        """The rows with that caption, in their order; letter case and the number of spaces do not count, as in CLIP."""
        return self._rows_by_caption.rows(text)

    def picture(self, id: str) -> bytes:
        """The encoded picture of an item, as it was stored.

        Raises
        ------
        MissingError
            For an unknown id, and where there are only texts or vectors.
        """
        row = self.row(id)
        self._check_kind("pictures")
        if not self.has_files:
            raise absent.no_files(self.title)
        return self.store.picture(row)

    def revision(self, model: str) -> str:
        """The revision of the model that made the embeddings. Raises as `embeddings`."""
        return self._model(model)["revision"]

    def embedded(self, model: str) -> list[Kind]:
        """What a model has embedded as a whole: "captions", "pictures"."""
        return self.store.embedded(self._key(model))

    def embeddings(self, model: str, kind: Kind) -> np.ndarray:
        """Embeddings of the "pictures" or "captions" by a model: `(n, dim)`, float32, unit norm, read-only.

        The row of an item without a caption is zero; `rows_embedded` has those of all others.

        Raises
        ------
        MissingError
            If that model has made none of that kind, and for pictures where there are texts only.
        """
        if (array := self._matrix(model, kind)) is None:
            self._check_kind(kind)
            self._model(model)
            array = self._matrix(model, kind)
        if array is None:
            there = kind in self.contained or bool(self.store.facts.get("bare"))
            raise absent.none_of_kind(self.title, model, kind, there)
        return array

    def rows_embedded(self, model: str, kind: Kind) -> np.ndarray:
        """The rows `(m,)` that have an embedding, rising: not those with an empty caption. Raises as `embeddings`."""
        array, key = self.embeddings(model, kind), (model, f"rows of {kind}")
        if key not in self._arrays:
            blank = [] if kind == "pictures" else [row for row, caption in enumerate(self.captions) if not caption]
            some = np.ones(len(self), bool)
            for block in groups(blank, 8192):
                some[block] = array[block].any(axis=1)
            self._arrays[key] = np.flatnonzero(some)
        return self._arrays[key]

    def lengths(self, model: str, kind: Kind) -> np.ndarray | None:
        """How long the embeddings were before they were normalised, `(n,)` float32; None where that was not kept."""
        key = self._key(model)
        if (key, f"lengths of {kind}") not in self._arrays:
            self._arrays[key, f"lengths of {kind}"] = self.store.lengths(key, kind)
        return self._arrays[key, f"lengths of {kind}"]

    def coordinates(self, model: str, method: str) -> np.ndarray | None:
        """The stored map of the items, `(n, 2)` float32; None where there is none."""
        return self.store.coordinates(self._key(model), method)

    def reload(self) -> None:
        """Takes in what another may have embedded meanwhile."""
        self.store.reload()
        self._arrays.clear()

    def publish(self, folder: Path | str) -> Collection:
        """Writes what other programs can read, Parquet and NPY files, to a new folder; gives the collection there."""
        publish(self, Path(folder))
        return Collection.open(folder)

    def add_embeddings(
        self, model: str, revision: str, kind: Kind, array: np.ndarray, keep_lengths: bool = False
    ) -> None:
        """Stores the embeddings `(n, dim)` of the "pictures" or "captions", normalised; with `keep_lengths` also how
        long they were before. What another revision of the model has made is dropped: it is of another space.

        Raises
        ------
        InputError
            For a row that cannot be normalised, a wrong number of rows, pictures where there are none.
        """
        self._check_kind(kind)
        store, unit = self.writable, normalize(array)
        self._check_rows(unit)
        lengths = np.linalg.norm(array, axis=1) if keep_lengths else None
        with store.transaction():
            space = store.space(kind, revision, READY_MADE)
            store.name_spaces(model, revision, {kind: space})
            store.add_vectors(space, store.contents(kind), unit, lengths)
            store.show()
        self._arrays.clear()

    def add_map(self, model: str, method: str, array: np.ndarray) -> None:
        """Stores a map `(n, 2)` of the items by the embeddings of a model, which raises as these."""
        self._model(model)
        self._check_rows(array)
        self.writable.add_map(self._key(model), method, np.asarray(array, np.float32))

    def remove(self, ids: Some[str]) -> Collection:
        """The collection without these items; what was embedded for them alone goes with them.

        Raises
        ------
        MissingError
            For an unknown id.
        InputError
            If none would be left.
        """
        store, rows = self.writable, sorted({self.row(id) for id in ids})
        if len(rows) == len(self):
            raise InputError(_("Nothing would be left of {title}; delete it instead.").format(title=self.title))
        with store.transaction():
            store.remove(int(position) for position in store.positions[rows])
            store.show()
        return Collection(store, self.revisions)

    @property
    def writable(self) -> Stored:
        """What it is stored in, if that can be added to; else an InputError."""
        if not isinstance(self.store, Stored):
            raise InputError(_("{title} is published and stays as it is.").format(title=self.title))
        return self.store

    def _check_rows(self, array: np.ndarray) -> None:
        if array.ndim != 2 or len(array) != len(self):
            message = _("The array is {shape}; give one row for each of the {items} items.")
            raise InputError(message.format(shape=array.shape, items=len(self)))

    @cached_property
    def _rows_by_id(self) -> Lookup:
        return Lookup(self.ids)

    @cached_property
    def _rows_by_caption(self) -> Lookup:
        return Lookup(self.captions, folded)

    def _key(self, model: str) -> str:
        """The key by which what a model made is stored, be it another of its revision; "" where it made nothing."""
        said, revision = self.store.facts["models"], self.revisions.get(model)
        if model in said and revision in (None, said[model]["revision"]):
            return model
        return next((key for key, each in said.items() if each["revision"] == revision), "")

    def _model(self, model: str) -> dict[str, Any]:
        if model not in self.models:
            self.reload()  # it may have been embedded since this was opened
        if model not in self.models:
            raise absent.not_embedded(self.title, model, model in self.revisions, self.models)
        return self.models[model]

    def _matrix(self, model: str, kind: Kind) -> np.ndarray | None:
        key = self._key(model)
        if (key, kind) not in self._arrays and (array := self.store.matrix(key, kind)) is not None:
            self._arrays[key, kind] = array
        return self._arrays.get((key, kind))

    def _check_kind(self, kind: Kind) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}")
        if kind == "pictures" and not self.has_pictures:
            raise absent.no_pictures(self.title)
