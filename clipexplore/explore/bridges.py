"""Bridges between the spaces of two models, fitted on what both have embedded of one collection, and collections that
are carried over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Any

import numpy as np

from clipexplore.draw.drawer import Drawer, drawer_of
from clipexplore.errors import DamagedError, InputError
from clipexplore.explore.memory import remembered
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.models.bridge import PULLS, Bridge, fit_bridge
from clipexplore.models.catalog import DrawnFrom
from clipexplore.models.embedder import Embedder
from clipexplore.reports import Report, silent
from clipexplore.settings import settings
from clipexplore.sources.entries import Kind
from clipexplore.space import Space
from clipexplore.store.collection import Collection
from clipexplore.store.embedding import Embeds, embed_anchors, missing
from clipexplore.store.opening import open_for

MOST = 2000  # anchors; more of them change little
KINDS: tuple[Kind, ...] = ("pictures", "captions")
ANCHORS = 300  # that a model embeds before it has embedded a collection


def bridge_between(
    space: Space, other: Space, most: int = MOST, seed: int = 0, pulls: Sequence[float] = PULLS
) -> Bridge:
    """The bridge from one model's space to another's, by what both have embedded of the same collection.

    Parameters
    ----------
    space, other
        Two models' spaces of one collection; `space.point(…).vector` is carried to `other` by the result's `carry`.
    most
        The most anchors, chosen by `seed`.
    pulls
        As in `fit_bridge`.

    Raises
    ------
    InputError
        If the spaces are of different collections, or have too little in common.
    """
    if space.collection.name != other.collection.name:
        raise InputError(
            _(
                "A bridge is fitted on one collection, and these are {one} and {two}; open both models on the same."
            ).format(one=space.collection.name, two=other.collection.name)
        )
    kinds: list[str] = [kind for kind in KINDS if kind in {*space.searchable} & {*other.searchable}]
    both = set(space.collection.ids) & set(other.collection.ids)
    ids = sorted(id for id in both if "captions" not in kinds or space.collection.captions[space.collection.row(id)])
    chosen = sorted(np.random.default_rng(seed).permutation(len(ids))[:most].tolist())
    anchors = [ids[number] for number in chosen]
    ours, theirs = ({kind: _rows(each, kind, anchors) for kind in kinds} for each in (space, other))
    return fit_bridge(ours, theirs, (space.revision, other.revision), anchors, seed, pulls)


def _rows(space: Space, kind: str, ids: list[str]) -> np.ndarray:
    rows = [space.collection.row(id) for id in ids]
    return space.embeddings(kind)[rows]  # type: ignore[arg-type]


class Carried(Collection):
    """A collection as a model sees it that has not embedded it yet, with vectors carried over from another model's, of
    which nothing is stored.

    Parameters
    ----------
    plain
        The collection, embedded by the model that the bridge comes from.
    source, model
        The keys of that model, and of the one that the bridge leads to.
    """

    def __init__(self, plain: Collection, source: str, model: str, bridge: Bridge):
        super().__init__(plain.store, plain.revisions)
        self._source, self._carried_to, self.bridge = source, model, bridge

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        entry = {"revision": self.bridge.models[1], "dim": self.bridge.map.shape[1]}
        return {**super().models, self._carried_to: entry}

    @property
    def version(self) -> str:
        return f"{super().version}-{self.bridge.name}"

    def embedded(self, model: str) -> list[Kind]:
        return super().embedded(self._source if model == self._carried_to else model)

    def _matrix(self, model: str, kind: Kind) -> np.ndarray | None:
        if model != self._carried_to:
            return super()._matrix(model, kind)
        key = model, kind
        if key not in self._arrays and (known := super()._matrix(self._source, kind)) is not None:
            carried = np.zeros((len(known), self.bridge.map.shape[1]), np.float32)
            there = known.any(axis=1)  # an empty caption has no vector
            carried[there] = self.bridge.carry(known[there], kind)
            carried.flags.writeable = False
            self._arrays[key] = carried
        return self._arrays.get(key)


def carry_over(
    space: Space, model: str, embedder: Embeds | None = None, anchors: int = ANCHORS, report: Report = silent
) -> Space:
    """Another model's space of the same collection before that has embedded it: what is stored is carried over from
    this one's, what is asked the other embeds itself.

    The other embeds the anchors and the bridge is fitted on these; the result's `collection.bridge` says how near it
    comes. What the anchors cost is not paid again when the whole collection is embedded.

    Parameters
    ----------
    model
        The key of the other model.
    embedder
        What embeds for it; loaded by default.
    anchors
        How many things of the collection are embedded; the same ones each time.
    report
        Is told how far that is; may raise to stop it.

    Raises
    ------
    InputError
        As `Weights.require`, `Embedder.load` and `fit_bridge`, and for a published collection that brings vectors of
        the other model.
    """
    entry, collection = catalog.get(model), space.collection
    embedder = embedder or Embedder.resident(entry.clip.require(model), entry.clip.revisions)
    whole = [row for row, caption in enumerate(collection.captions) if caption] or range(len(collection))
    rows = sorted(np.random.default_rng(0).permutation(whole)[:anchors].tolist())
    theirs = embed_anchors(open_for(collection.folder, entry), entry, embedder, rows, report)
    kinds = [kind for kind in theirs if kind in collection.embedded(space.model.key)]
    ours: dict[str, np.ndarray] = {kind: collection.embeddings(space.model.key, kind)[rows] for kind in kinds}
    ids = [collection.ids[row] for row in rows]
    bridge = fit_bridge(ours, {kind: theirs[kind] for kind in kinds}, (space.revision, entry.clip.identity), ids)
    bridge.save(settings().home / "bridges" / f"{'-'.join(bridge.models)}-{bridge.name}.safetensors")
    words = open_for(space.words.folder, entry)
    carried = [Carried(each, space.model.key, model, bridge) for each in (collection, space.words, space.background)]
    return Space(entry, carried[0], carried[1] if missing(words, entry) else words, carried[2], embedder)  # type: ignore[arg-type]


def drawer_for(space: Space, kind: DrawnFrom, checked: bool = False) -> Drawer | None:
    """What draws points or token states for a space: the model's own, else for points another's, through a bridge.

    The other has embedded the collection that is explored, or the bundled world, as this model has. One that the
    operator has fetched goes before the bundled one.

    Parameters
    ----------
    checked
        As in `drawer_of`.
    """
    own = drawer_of(space.model, kind, checked)
    if own or kind == "tokens":
        return own
    others = [model for model in catalog.models().values() if model.clip != space.model.clip]
    for model in sorted(others, key=lambda model: model.clip.bundled):
        if (drawer := drawer_of(model, kind, checked)) and (bridge := _stored_bridge(space, model.key)):
            return replace(drawer, bridge=bridge, owner=model.title)
    return None


@remembered(8)
def _stored_bridge(space: Space, other: str) -> Bridge | None:
    """The bridge to another model, kept in `home`; None where the two have embedded nothing in common."""
    for collection in filter(None, (space.collection, space.world)):
        if not collection.has_pictures:
            continue
        try:
            ours = Space(space.model, collection, space.words, space.background)
            theirs = ours.seen_by(other)
        except InputError:  # not embedded by the other
            continue
        return _kept(ours, theirs)
    return None


def _kept(ours: Space, theirs: Space) -> Bridge:
    """The bridge of two spaces, from the disk where it was fitted before on the same things."""
    what = blake2b(f"{ours.collection.name} {ours.collection.version}".encode(), digest_size=6).hexdigest()
    path = settings().home / "bridges" / f"{ours.revision}-{theirs.revision}-{what}.safetensors"
    try:
        return Bridge.load(path)
    except DamagedError:  # or not there yet, or of another version
        bridge = bridge_between(ours, theirs)
        bridge.save(path)
        return bridge
