"""Pictures and captions with their embeddings: what every page explores."""

from __future__ import annotations

from collections.abc import Collection as Some
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.models.embedder import READY_MADE
from clipexplore.retrieval.nearest import Hits, search
from clipexplore.sources.entries import Kind
from clipexplore.store.database import FILE
from clipexplore.store.items import check_items, content_key, items_of
from clipexplore.store.published import MANIFEST, Published, publish
from clipexplore.store.readable import Readable
from clipexplore.store.stored import Stored
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Collection", "Hits", "Kind", "search"]  # searching is what one does with the embeddings of a collection


class Collection(Readable):
    """Captioned items, with pictures or without, and what models made of them: made, opened and changed.

    `add_embeddings`, `add_lengths`, `add_map` and `remove` are for one writer at a time; what is read is `Readable`.
    """

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

    def publish(self, folder: Path | str) -> Collection:
        """Writes what other programs can read, Parquet and NPY files, to a new folder; gives the collection there.

        Raises
        ------
        InputError
            If the folder holds something.
        NoRoomError
            If the disk refuses.
        """
        publish(self, Path(folder))
        return Collection.open(folder)

    def add_embeddings(self, model: str, revision: str, kind: Kind, array: np.ndarray) -> None:
        """Stores the embeddings `(n, dim)` of the "pictures" or "captions", normalised.

        Embeddings and maps that another revision of the model has made are dropped: they are of another space.

        Raises
        ------
        InputError
            For a row that cannot be normalised, a wrong number of rows, pictures where there are none, a published
            collection.
        NoRoomError
            If the disk refuses.
        """
        self._check_kind(kind)
        store, array = self.writable, normalize(array)
        self._check_rows(array, 2)
        with store.transaction():
            space = store.space(kind, revision, READY_MADE)
            store.name(model, revision, {kind: space})
            store.add_vectors(space, store.contents(kind), array)
            store.show()
        self._forget()

    def add_lengths(self, model: str, kind: Kind, lengths: np.ndarray) -> None:
        """Stores how long the embeddings `(n,)` of the "pictures" or "captions" were before they were normalised.

        Raises
        ------
        InputError
            If the model has made no embeddings, for a wrong number of them, a published collection.
        NoRoomError
            If the disk refuses.
        """
        self._model(model)
        self._check_rows(np.asarray(lengths), 1)
        self.writable.add_lengths(self._key(model), kind, lengths)
        self._forget()

    def add_map(self, model: str, method: str, array: np.ndarray) -> None:
        """Stores a map `(n, 2)` of the items by the embeddings of a model.

        Raises
        ------
        InputError
            If the model has made no embeddings, for a wrong shape, a published collection.
        NoRoomError
            If the disk refuses.
        """
        self._model(model)
        self._check_rows(array, 2)
        self.writable.add_map(self._key(model), method, np.asarray(array, np.float32))

    def remove(self, ids: Some[str]) -> Collection:
        """The collection without these items; what was embedded for them alone goes with them.

        Raises
        ------
        MissingError
            For an unknown id.
        InputError
            If none would be left, and for a published collection.
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
        """What it is stored in, if that can be added to.

        Raises
        ------
        InputError
            For a published collection.
        """
        if not isinstance(self.store, Stored):
            raise InputError(_("{title} is published and stays as it is.").format(title=self.title))
        return self.store

    def _check_rows(self, array: np.ndarray, dimensions: int) -> None:
        if array.ndim != dimensions or len(array) != len(self):
            message = _("The array is {shape}; give one row for each of the {items} items.")
            raise InputError(message.format(shape=array.shape, items=len(self)))
