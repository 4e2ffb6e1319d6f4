"""Pictures and captions with their embeddings: what every page explores, as it is and as a model sees it.

A published collection stays as it is; what further models made of it is in a database of its name in `home`.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection as Some
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clipexplore.errors import DamagedError, InputError, MissingError, NoRoomError
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.models.catalog import UNNAMED, Model
from clipexplore.models.embedder import READY_MADE
from clipexplore.retrieval.nearest import Hits, search
from clipexplore.settings import settings
from clipexplore.sources.entries import Kind
from clipexplore.store.database import FILE
from clipexplore.store.items import check_items, content_key, items_of
from clipexplore.store.published import ITEMS, MANIFEST, Published, publish
from clipexplore.store.readable import Readable
from clipexplore.store.repair import adopt, repair
from clipexplore.store.stored import Stored
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Collection", "Hits", "Kind", "open_for", "search"]  # searching is what one does with embeddings
log = logging.getLogger(__name__)


class Collection(Readable):
    """Captioned items, with pictures or without, and what models made of them: made, opened and changed.

    `add_embeddings`, `add_map` and `remove` are for one writer at a time; what is read is `Readable`.
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

    def add_embeddings(
        self, model: str, revision: str, kind: Kind, array: np.ndarray, keep_lengths: bool = False
    ) -> None:
        """Stores the embeddings `(n, dim)` of the "pictures" or "captions", normalised.

        Embeddings and maps that another revision of the model has made are dropped: they are of another space.

        Parameters
        ----------
        keep_lengths
            Whether to store how long they are before they are normalised, too.

        Raises
        ------
        InputError
            For a row that cannot be normalised, a wrong number of rows, pictures where there are none, a published
            collection.
        NoRoomError
            If the disk refuses.
        """
        self._check_kind(kind)
        store, unit = self.writable, normalize(array)
        self._check_rows(unit, 2)
        lengths = np.linalg.norm(array, axis=1) if keep_lengths else None
        with store.transaction():
            space = store.space(kind, revision, READY_MADE)
            store.name_spaces(model, revision, {kind: space})
            store.add_vectors(space, store.contents(kind), unit, lengths)
            store.show()
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


# As a model of the catalogue sees it


def open_for(folder: Path, model: Model) -> Collection:
    """The collection of a folder as that model sees it; whether its vectors are there already, `missing` tells.

    The unnamed model is that of the vectors which the collection brings and no model of this machine made.

    A collection that an earlier version made is taken over, and a damaged one repaired.

    Raises
    ------
    InputError
        As `Collection.open`.
    """
    try:
        adopt(folder)
    except (NoRoomError, DamagedError) as error:
        log.warning("the old collection is read as it is: %s", error)
    try:
        plain = Collection.open(folder)
    except DamagedError:
        if not (folder / FILE).exists():
            raise
        repair(folder)
        plain = Collection.open(folder)
    if model.key == UNNAMED:
        return _as_unnamed(plain)
    published = isinstance(plain.store, Published)
    if published and (model.key in plain.models or not model.present and not _folder_beside(plain).exists()):
        return plain
    found = plain if isinstance(plain.store, Stored) else Collection(_beside(plain))
    with suppress(OSError):  # a model whose weights are not here: what it made before counts
        found.revisions[model.key] = model.clip.identity
    return found


def _as_unnamed(plain: Collection) -> Collection:
    """A collection whose vectors of an unnamed model, else of one unknown, else of one not here, are the unnamed's.

    The bundled ones are of named models all.
    """
    known = catalog.models()

    def order(key: str) -> int:
        return 0 if key == UNNAMED else 1 if key not in known else 2 + known[key].present

    found = sorted((key for key in plain.models if order(key) < 3), key=order)
    if found and not plain.folder.is_relative_to(settings().assets):
        plain.revisions[UNNAMED] = plain.models[found[0]]["revision"]
    return plain


def _beside(plain: Collection) -> Stored:
    """The database of what further models made of a published collection; its items follow those."""
    published = plain.store
    assert isinstance(published, Published)
    folder = _folder_beside(plain)
    kind: Kind = "pictures" if plain.has_files else "captions"
    try:
        store = Stored.open(folder)
    except (MissingError, DamagedError):  # what is damaged can be made again
        _forget_older()
        store = Stored.create(folder, name=plain.name, title=plain.title, kind=kind)
    store.base = published
    if store.facts.get("follows") != published.facts["files"][ITEMS]["blake2b"]:
        _follow(store, plain, published.facts["files"][ITEMS]["blake2b"])
    return store


def _folder_beside(plain: Collection) -> Path:
    """Where the database beside a published collection is."""
    published = plain.store.folder
    bundled = published.is_relative_to(settings().assets)
    name = plain.name if bundled else f"{plain.name}-{content_key(str(published)).hex()[:6]}"
    return settings().home / "vectors" / name


def _follow(store: Stored, plain: Collection, of: str) -> None:
    """Gives a database the items of a published collection as they are now; vectors of what is still there stay."""
    pictures = [content_key(plain.picture(id)) for id in plain.ids if plain.has_files]
    rows = items_of(plain.ids, plain.captions, plain.fields, pictures)
    with store.transaction():
        store.run("DELETE FROM items")
        store.append(rows, range(len(rows)), {})
        store.prune()
        store.say(follows=of)
        store.show()


def _forget_older() -> None:
    """Deletes what models made of collections in the form of earlier versions; it is made again on demand."""
    for path in (settings().home / "vectors").glob("*"):
        if path.is_dir() and not (path / FILE).exists():
            shutil.rmtree(path, ignore_errors=True)
