"""A collection as a model sees it: taken over, made whole, and with a place for what that model makes of it.

A published one stays as it is; what further models made of it is in a database of its name in `home`.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import suppress
from pathlib import Path

from clipexplore.errors import DamagedError, MissingError, NoRoomError
from clipexplore.models import catalog
from clipexplore.models.catalog import UNNAMED, Model
from clipexplore.settings import settings
from clipexplore.sources.entries import Kind
from clipexplore.store.collection import Collection
from clipexplore.store.database import FILE
from clipexplore.store.items import content_key, items_of
from clipexplore.store.published import ITEMS, Published
from clipexplore.store.repair import adopt, repair
from clipexplore.store.stored import Stored

log = logging.getLogger(__name__)


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


def waits_for_map(collection: Collection, model: str) -> bool:
    """Whether what a model makes of a published collection is still to be made, or its map is."""
    made = collection.embedded(model) and collection.coordinates(model, "umap") is not None
    return collection.store.base is not None and not made


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
