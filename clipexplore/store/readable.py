"""Pictures and captions with their embeddings, as they are read."""

from __future__ import annotations

import difflib
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from clipexplore.errors import MissingError
from clipexplore.language import _
from clipexplore.models.catalog import UNNAMED
from clipexplore.sources.entries import KINDS, Kind, groups
from clipexplore.store.published import Published
from clipexplore.store.stored import Stored


class Readable:
    """Captioned items, with pictures or without, and what models made of them.

    It is either a database, which can be added to, or a published folder, which is only read. What is stored is
    compared with its checksum when it is read. Any number of threads may read.

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
        self._arrays: dict[tuple[str, str], np.ndarray] = {}
        self._lengths: dict[tuple[str, str], np.ndarray | None] = {}
        self._counted: dict[str, tuple[np.ndarray, np.ndarray]] = {}  # by kind: embeddings, and the rows that have one
        self.name: str = store.facts["name"]
        self.title: str = store.facts["title"]
        self.ids, self.captions, self.fields = store.table()
        self._rows = {id: row for row, id in enumerate(self.ids)}

    @property
    def manifest(self) -> dict[str, Any]:
        """What is said of it: title, description, licence, counts, models ({key: {"revision", "dim"}}), …"""
        return {**self.store.facts, "models": self.models}

    @property
    def models(self) -> dict[str, dict[str, Any]]:
        """Revision and dimension of each model that has embedded all pictures or all captions."""
        said = self.store.facts["models"]
        found = {key: said[stored] for key in {**said, **self.revisions} if (stored := self._key(key))}
        return {
            key: {"revision": entry["revision"], "dim": entry["dim"]}
            for key, entry in found.items()
            if entry.get("digests", True)
        }

    @property
    def folder(self) -> Path:
        """Where it was opened, whatever model asked for it."""
        beside = isinstance(self.store, Stored) and self.store.base
        return beside.folder if beside else self.store.folder

    @property
    def has_pictures(self) -> bool:
        return self.manifest["counts"]["pictures"] > 0

    @property
    def has_files(self) -> bool:
        """Whether the pictures are here, and not only vectors of them."""
        return self.has_pictures and not self.manifest.get("bare")

    @property
    def contained(self) -> list[Kind]:
        """What of the items is here, so that any model can embed it; empty captions are nothing."""
        there = {"captions": any(self.captions), "pictures": self.has_files}
        return [kind for kind in KINDS if there[kind]]

    @property
    def version(self) -> str:
        """A few digits made from the content: other items, embeddings or maps have others."""
        return self.store.version

    def __len__(self) -> int:
        return len(self.ids)

    def __contains__(self, id: str) -> bool:
        return id in self._rows

    def row(self, id: str) -> int:
        """The row of an id.

        Raises
        ------
        MissingError
            For an unknown id; the message names similar ones.
        """
        if id not in self._rows:
            similar = _(" or ").join(f"@{other}" for other in difflib.get_close_matches(id, self.ids, n=3))
            remedy = _("did you mean {similar}?").format(similar=similar) if similar else _("search for it instead.")
            raise MissingError(_("There is no @{id} in {title}; ").format(id=id, title=self.title) + remedy)
        return self._rows[id]

    def rows_captioned(self, text: str) -> list[int]:
        """The rows with that caption, in their order; letter case and the number of spaces do not count, as in CLIP."""
        return self._rows_by_caption.get(folded(text), [])

    def picture(self, id: str) -> bytes:
        """The encoded picture of an item, as it was stored.

        Raises
        ------
        MissingError
            For an unknown id, and where there are only texts or vectors.
        """
        row = self.row(id)
        if not self.has_pictures:
            raise self._texts_only()
        if not self.has_files:
            message = _("The pictures of {title} are not here, only vectors of them.")
            raise MissingError(message.format(title=self.title))
        return self.store.picture(row)

    def revision(self, model: str) -> str:
        """The revision of the model that made the embeddings.

        Raises
        ------
        MissingError
            If that model has made none.
        """
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
        self._check_kind(kind)
        self._model(model)
        if (array := self._matrix(model, kind)) is None:
            if kind not in self.contained and not self.store.facts.get("bare"):
                raise MissingError(_("{title} has no captions; look at its pictures instead.").format(title=self.title))
            message = _("The {kind} of {title} are not embedded by the model {model}; choose another model.")
            raise MissingError(message.format(kind=kind, title=self.title, model=model))
        return array

    def rows_embedded(self, model: str, kind: Kind) -> np.ndarray:
        """The rows `(m,)` that have an embedding, rising: not those with an empty caption. Raises as `embeddings`."""
        if (array := self.embeddings(model, kind)) is not self._counted.get(kind, (None, None))[0]:
            blank = [] if kind == "pictures" else [row for row, caption in enumerate(self.captions) if not caption]
            some = np.ones(len(self), bool)
            for block in groups(blank, 8192):
                some[block] = array[block].any(axis=1)
            self._counted[kind] = array, np.flatnonzero(some)
        return self._counted[kind][1]

    def lengths(self, model: str, kind: Kind) -> np.ndarray | None:
        """How long the embeddings were before they were normalised, `(n,)` float32; None where that was not kept."""
        key = self._key(model)
        if (key, kind) not in self._lengths:
            self._lengths[key, kind] = self.store.lengths(key, kind)
        return self._lengths[key, kind]

    def coordinates(self, model: str, method: str) -> np.ndarray | None:
        """The stored map of the items, `(n, 2)` float32; None where there is none.

        Raises
        ------
        MissingError
            If the app is to make one, of texts alone, and has not yet.
        """
        found = self.map_of(model, method)
        if found is None and not self.has_pictures and isinstance(self.store, Stored) and self.store.base:
            message = _("The map of {title} by the model {model} is not fitted yet; the app does so in the background,")
            raise MissingError((message + _(" come back in a minute.")).format(title=self.title, model=model))
        return found

    def waits_for_map(self, model: str) -> bool:
        """Whether what a model makes of a published collection is still to be made, or its map is."""
        beside = isinstance(self.store, Stored) and self.store.base is not None
        return beside and (not self.embedded(model) or self.map_of(model, "umap") is None)

    def map_of(self, model: str, method: str) -> np.ndarray | None:
        """As `coordinates`, and None where one is still to come."""
        return self.store.coordinates(self._key(model), method)

    def reload(self) -> None:
        """Takes in what another may have embedded meanwhile."""
        if isinstance(self.store, Stored):
            self.store.reload()
            self._forget()

    def _forget(self) -> None:
        """Reads anew what has changed."""
        self._arrays.clear()
        self._lengths.clear()

    @cached_property
    def _rows_by_caption(self) -> dict[str, list[int]]:
        rows: dict[str, list[int]] = {}
        for row, caption in enumerate(self.captions):
            rows.setdefault(folded(caption), []).append(row)
        return rows

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
            raise self._not_embedded(model)
        return self.models[model]

    def _not_embedded(self, model: str) -> MissingError:
        if model in self.revisions:
            message = _("The model {model} has not embedded {title} yet; the app does so in the background,")
            return MissingError((message + _(" come back in some minutes.")).format(model=model, title=self.title))
        known = ", ".join(self.models) or _("none yet")
        if model == UNNAMED:
            message = _("{title} has no vectors of an unnamed model, and none can be made; it is embedded by: {known}.")
            return MissingError(message.format(title=self.title, known=known))
        message = _("{title} is not embedded by the model {model}; it is by: {known}.")
        return MissingError(message.format(title=self.title, model=model, known=known))

    def _matrix(self, model: str, kind: Kind) -> np.ndarray | None:
        key = self._key(model)
        if (key, kind) not in self._arrays and (array := self.store.matrix(key, kind)) is not None:
            self._arrays[key, kind] = array
        return self._arrays.get((key, kind))

    def _check_kind(self, kind: Kind) -> None:
        if kind not in KINDS:
            raise ValueError(f"kind is {kind!r}")
        if kind == "pictures" and not self.has_pictures:
            raise self._texts_only()

    def _texts_only(self) -> MissingError:
        return MissingError(_("{title} holds texts only; choose a collection with pictures.").format(title=self.title))


def folded(text: str) -> str:
    """A text as CLIP reads it: in small letters, with single spaces."""
    return " ".join(text.lower().split())
