"""A collection as any model of the catalogue sees it: with the vectors it brings, or with those that are made here and kept.

Separate from `collection`, which knows no models, and from `space`, which only reads: this decides where a model's vectors of a
collection lie, what is missing, and makes it, reporting how far it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from clipexplore.catalog import Model
from clipexplore.collection import Collection, Kind
from clipexplore.collections.layered import Layered
from clipexplore.collections.storage import Store
from clipexplore.errors import InputError
from clipexplore.projection import across_gap, place
from clipexplore.settings import settings

if TYPE_CHECKING:
    from clipexplore.embedder import Embedder

Report = Callable[[float, str], None]  # share of the work done, what is being done; may raise to stop the work
CHUNK = 64  # items embedded together, so that questions of visitors come in between


class Embedded(Collection):
    """A collection that does not bring the vectors of a model; they lie in the data directory once `embed` has made them."""

    def _model(self, model: str) -> dict:
        if model not in self.manifest["models"]:
            raise InputError(f"The model {model} has not embedded {self.title} yet; the app does so in the background, come back in some minutes.")
        return super()._model(model)

    def coordinates(self, model: str, method: str) -> np.ndarray | None:
        """As `Collection.coordinates`; of texts alone the map is on its way where there is none, and that is told."""
        found = super().coordinates(model, method)
        if found is None and not self.has_pictures:
            raise InputError(f"The map of {self.title} by the model {model} is not fitted yet; the app does so in the background, come back in a minute.")
        return found

    def refresh(self) -> None:
        """Takes in what somebody else may have made meanwhile."""
        self._store.reload()
        self._arrays.clear()


def open_embedded(folder: Path, model: Model) -> Collection:
    """The collection of a folder as that model sees it; whether its vectors are there already, `missing` tells.

    Raises
    ------
    InputError
        As `Collection.open`.
    """
    plain = Collection.open(folder)
    if model.key in plain.manifest["models"]:
        return plain
    return Embedded(Layered(Store.open(folder), vectors_folder(plain, model), model.key))


def vectors_folder(collection: Collection, model: Model) -> Path:
    """Where the vectors that a model made of a collection are kept: by the model's revision and the collection's content."""
    content = sorted(f"{name} {entry['blake2b']}" for name, entry in collection.manifest["files"].items() if not name.startswith(("embeddings/", "maps/")))
    name = f"{collection.name}-{blake2b(chr(10).join(content).encode(), digest_size=6).hexdigest()}"
    return settings().home / "vectors" / model.clip.identity / name


def missing(collection: Collection, model: Model) -> list[Kind]:
    """What of a collection the model has not embedded."""
    kinds: list[Kind] = ["captions", "pictures"] if collection.has_pictures else ["captions"]
    return [kind for kind in kinds if f"embeddings/{model.key}/{kind}.npy" not in collection.manifest["files"]]


def embed(collections: Sequence[Collection], model: Model, embedder: Embedder, report: Report = lambda share, stage: None) -> None:
    """Embeds what is missing of these collections; each kind is stored when it is whole, so what was done stays done.

    Parameters
    ----------
    report
        Is told after every 64 items.

    Raises
    ------
    InputError
        If the model cannot be loaded, a picture cannot be read, or the disk refuses.
    """
    for collection in collections:
        if isinstance(collection, Embedded):
            collection.refresh()
    work = [(collection, kind) for collection in collections for kind in missing(collection, model)]
    whole, done = sum(len(collection) for collection, _ in work), 0
    for collection, kind in work:
        vectors = []
        for start in range(0, len(collection), CHUNK):
            ids = collection.ids[start : start + CHUNK]
            captions = collection.captions[start : start + CHUNK]
            vectors.append(embedder.embed_texts(captions) if kind == "captions" else embedder.embed_images([collection.picture(id) for id in ids]))
            done += len(ids)
            report(done / whole, f"{collection.title}: {kind}, {start + len(ids):,} of {len(collection):,}")
        collection.add_embeddings(model.key, model.clip.identity, kind, np.concatenate(vectors))


def fit_maps(collection: Collection, background: Collection, model: Model, report: Report = lambda share, stage: None) -> None:
    """Fits the map of the background captions, once, and places the pictures of a collection on it, unless that is done already."""
    from clipexplore.maps.layout import fit_layout

    known = background.embeddings(model.key, "captions")
    if not _has_map(background, model):
        background.add_map(model.key, "umap", fit_layout(known, report=partial(_say, report)))
    if collection.has_pictures and not _has_map(collection, model):
        pictures = across_gap(collection.embeddings(model.key, "pictures"), known)
        collection.add_map(model.key, "umap", place(pictures, known, background.coordinates(model.key, "umap")))


def _has_map(collection: Collection, model: Model) -> bool:
    return f"maps/{model.key}/umap.npy" in collection.manifest["files"]


def _say(report: Report, share: float, *more: object) -> None:
    report(share, "UMAP of the background captions")
