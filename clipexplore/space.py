"""One model and its collections: expressions become points, and points find what lies near.

Separate because it joins the grammar, what is stored and the model, and keeps one promise between them: what is stored
is not computed again, so a page whose terms are all stored answers before torch is imported.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Literal

import numpy as np

from clipexplore import catalog, links
from clipexplore.collection import Collection, Hits
from clipexplore.collections import shelves
from clipexplore.collections.embedded import embed as embed_missing
from clipexplore.collections.embedded import missing, open_embedded
from clipexplore.collections.repair import mend
from clipexplore.collections.shelves import BANKS
from clipexplore.embedder import Embedder
from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term, combine, parse
from clipexplore.retrieval.nearest import search
from clipexplore.retrieval.shared_search import shared_search

What = Literal["pictures", "captions", "words"]
WORLD = links.ALL["collection"]  # the bundled collection that all examples are of


@dataclass(frozen=True, eq=False)
class PointTerm:
    """One term of a point.

    Attributes
    ----------
    vector
        `(dim,)` float32, before it is weighted.
    tokens
        Those of the whole text, start and end included; None for a picture and for a text whose vector was stored.
    truncated
        Whether the text was longer than the model reads, so that its end does not count.
    meaning
        The point that a name stands for; None for a text and a picture.
    """

    term: Term
    vector: np.ndarray
    tokens: int | None = None
    truncated: bool = False
    meaning: Point | None = None

    @property
    def is_picture(self) -> bool:
        return self.term.is_id and self.meaning is None


@dataclass(frozen=True, eq=False)
class Point:
    """What an expression stands for in the space of one model.

    Attributes
    ----------
    vector
        `(dim,)` float32, unit norm.
    length
        That of the sum before it was normalised: 1 for a single term, near 0 where the terms cancel.
    terms
        In the order of the expression.
    """

    expression: Expression
    vector: np.ndarray
    length: float
    terms: tuple[PointTerm, ...]

    @property
    def inputs(self) -> frozenset[str]:
        """What went in: the texts, and "@id" for each picture."""
        return frozenset("@" * term.is_id + term.text for term in self.expression.terms)


@dataclass(frozen=True)
class Hit:
    """One thing that was found.

    Attributes
    ----------
    cosine
        In [−1, 1].
    z
        How many standard deviations above the mean of all that was searched, what was excluded too.
    rank
        1 for the nearest of those not excluded.
    kind
        Where it was searched: "pictures", "captions" or "words".
    """

    id: str
    caption: str
    cosine: float
    z: float
    rank: int
    kind: What


@dataclass(frozen=True)
class Context:
    """What the cosines of one vector are like, to judge a single one by: their count, mean and standard deviation, and
    the highest."""

    count: int
    mean: float
    std: float
    best: Hit


class Space:
    """A model, the collection that is explored, a word bank and a background of texts, all embedded by that model.

    Any number of threads and visitors may share it; what belongs to one visitor is passed in.

    Parameters
    ----------
    embedder
        What embeds that which is not stored: `embed_texts`, `embed_images`, `count_tokens` and `max_tokens` as in
        `Embedder`. By default that of the model, loaded when first needed.
    world
        The bundled collection, whose pictures can be written as `@id` beside any other, as all examples are: what the collection has comes first.

    Raises
    ------
    InputError
        If a collection is not embedded by the model, or by another revision of it.
    """

    def __init__(
        self,
        model: catalog.Model,
        collection: Collection,
        words: Collection,
        background: Collection,
        embedder: Embedder | None = None,
        world: Collection | None = None,
    ):
        self.model, self.collection, self.words, self.background, self._world = model, collection, words, background, world
        self.revision = collection.revision(model.key)
        for other in filter(None, (words, background, world)):
            if model.key in other.manifest["models"]:  # else it is being embedded, and says so to whoever asks it
                self._check_revision(other.title, other.revision(model.key))
        self._embedder, self._loading = embedder, threading.Lock()

    @classmethod
    def open(
        cls, model: str = "emoji", collection: str = "emoji-world", embedder: Embedder | None = None, owner: str | None = None, embed: bool = False
    ) -> Space:
        """The space of a model and a collection, both by the name that links use; one of a session only for its `owner`.

        Parameters
        ----------
        embed
            Whether what the model has not embedded yet is embedded first, which may take minutes, and kept for the next time.

        Raises
        ------
        InputError
            For an unknown model or collection, and a collection that is damaged or not embedded by the model.
        """
        folders = collection_folders(owner)
        if collection not in folders:
            raise InputError(f"There is no collection {collection!r}; choose one of: {', '.join(folders)}.")
        mend(folders[collection])
        entry = catalog.get(model)
        opened = {name: open_embedded(folders[name], entry) for name in {collection, *BANKS}}
        if embed and any(missing(each, entry) for each in opened.values()):
            embedder = embedder or Embedder.load(entry.clip.require(model), revision=entry.clip.identity)
            embed_missing(list(opened.values()), entry, embedder)
        world = _world_beside(collection, folders, entry)
        return cls(entry, opened[collection], opened["words"], opened["background"], embedder, world)

    @property
    def embedder(self) -> Embedder:
        """What embeds that which is not stored; the first call may take seconds.

        Raises
        ------
        InputError
            If the model cannot be loaded, or is not the revision that the collections were embedded by.
        """
        with self._loading:
            if self._embedder is None:
                embedder = Embedder.load(self.model.clip.require(self.model.key), revision=self.model.clip.identity)
                self._check_revision(f"the model in {self.model.clip_folder}", embedder.revision)
                self._embedder = embedder
            return self._embedder

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Embeddings `(n, dim)` of at least one text, float32, unit norm, in the order given: stored ones if there."""
        computed = self._compute(texts)
        return np.stack([computed[text][0] if text in computed else self._stored(text) for text in texts])

    def point(
        self,
        expression: str | Expression,
        uploads: Mapping[str, np.ndarray] | None = None,
        names: Mapping[str, Expression] | None = None,
    ) -> Point:
        """The point of an expression.

        Parameters
        ----------
        uploads
            Embeddings `(dim,)` of the visitor's own pictures by id.
        names
            What `@name` stands for, as `names.define` gives it: its point counts like that of a picture. A name may use those before it.

        Raises
        ------
        InputError
            For what `parse` and `combine` refuse, for an id that is neither in the collection nor in the bundled world nor an upload nor a
            name, and for a name that is the id of a picture of the collection too.
        """
        if isinstance(expression, str):
            expression = parse(expression)
        computed = self._compute([term.text for term in expression.terms if not term.is_id])
        terms = tuple(self._resolve(term, computed, uploads or {}, names or {}) for term in expression.terms)
        combined = combine(expression, np.stack([term.vector for term in terms]))
        return Point(expression, combined.vector, combined.length, terms)

    def picture(self, id: str) -> bytes:
        """The encoded picture of an id, as it was stored.

        Raises
        ------
        InputError
            For an id that neither the collection nor the bundled world has.
        """
        return self._owner(id).picture(id)

    def cut(self, texts: Sequence[str]) -> list[tuple[str, int]]:
        """The texts that are longer than the model reads, each with its number of tokens; stored ones were looked at when stored."""
        new = [text for text in texts if self._stored(text) is None]
        counts = zip(new, self.embedder.count_tokens(new), strict=True) if new else ()
        return [(text, tokens) for text, tokens in counts if tokens > self.embedder.max_tokens]

    def search(
        self,
        vector: np.ndarray,
        what: What = "pictures",
        k: int = 24,
        exclude: Point | None = None,
        among: np.ndarray | None = None,
    ) -> list[Hit]:
        """The k nearest of what is searched to a vector `(dim,)`, nearest first.

        Parameters
        ----------
        what
            The pictures or captions of the collection, or the word bank.
        exclude
            A point whose inputs are left out: every row with the id or the caption of one of its terms.
        among
            The rows `(m,)` that are searched, and that z is told by; all by default.

        Raises
        ------
        InputError
            For an unknown `what`, and where the collection has none of it.
        """
        bank, embeddings = self._bank(what)
        rows = _rows_of(bank, exclude.inputs) if exclude else ()
        if among is not None:
            hits = search(vector[None], embeddings[among], k, np.flatnonzero(np.isin(among, list(rows)))) if len(among) else None
            return _listed(replace(hits, indices=among[hits.indices]), bank, what) if hits else []
        return _listed(shared_search(vector, embeddings, k, rows), bank, what)

    def cosines(self, vector: np.ndarray, what: What = "pictures") -> np.ndarray:
        """The cosines of a unit vector `(dim,)` with all that is searched, `(n,)` float32 in [−1, 1], in row order."""
        return np.vecdot(self._bank(what)[1], vector)

    def context(self, vector: np.ndarray, what: What = "pictures", among: np.ndarray | None = None) -> Context:
        """What the cosines of a vector `(dim,)` with all that is searched are like.

        Raises
        ------
        InputError
            As in `search`.
        """
        bank, embeddings = self._bank(what)
        hits = shared_search(vector, embeddings, 1) if among is None else search(vector[None], embeddings[among], 1)
        hits = hits if among is None else replace(hits, indices=among[hits.indices])
        return Context(len(bank if among is None else among), float(hits.mean[0]), float(hits.std[0]), _listed(hits, bank, what)[0])

    def _bank(self, what: What) -> tuple[Collection, np.ndarray]:
        """What is searched, and its embeddings."""
        banks = {
            "pictures": (self.collection, "pictures"),
            "captions": (self.collection, "captions"),
            "words": (self.words, "captions"),
        }
        if what not in banks:
            raise InputError(f"{what!r} cannot be searched; choose one of: {', '.join(banks)}.")
        bank, kind = banks[what]
        return bank, bank.embeddings(self.model.key, kind)

    def _compute(self, texts: Sequence[str]) -> dict[str, tuple[np.ndarray, int]]:
        """Embedding and number of tokens of each text that is not stored."""
        new = list(dict.fromkeys(text for text in texts if self._stored(text) is None))
        if not new:
            return {}
        vectors, tokens = self.embedder.embed_texts(new), self.embedder.count_tokens(new)
        return dict(zip(new, zip(vectors, tokens, strict=True), strict=True))

    def _stored(self, text: str) -> np.ndarray | None:
        for bank in (self.words, self.background, self.collection):
            if self.model.key in bank.manifest["models"] and (rows := bank.rows_captioned(text)):
                return bank.embeddings(self.model.key, "captions")[rows[0]]
        return None

    def _resolve(self, term: Term, computed: dict, uploads: Mapping[str, np.ndarray], names: Mapping[str, Expression]) -> PointTerm:
        if term.is_id and term.text in names:
            meaning = self._named(term.text, uploads, names)
            return PointTerm(term, meaning.vector, meaning=meaning)
        if term.is_id:
            return PointTerm(term, self._picture(term.text, uploads))
        if term.text in computed:
            vector, tokens = computed[term.text]
            return PointTerm(term, vector, tokens, tokens > self.embedder.max_tokens)
        return PointTerm(term, self._stored(term.text))

    def _named(self, name: str, uploads: Mapping[str, np.ndarray], names: Mapping[str, Expression]) -> Point:
        if name in self.collection:
            raise InputError(f"@{name} is a name of yours and a picture of {self.collection.title}; give your point another name.")
        before = dict(takewhile(lambda each: each[0] != name, names.items()))
        return self.point(names[name], uploads=uploads, names=before)

    def _picture(self, id: str, uploads: Mapping[str, np.ndarray]) -> np.ndarray:
        if id in uploads:
            return uploads[id]
        if id.startswith("up-") and id not in self.collection:
            raise InputError(f"The uploaded picture @{id} is not here (any more); upload it again.")
        owner = self._owner(id)
        return owner.embeddings(self.model.key, "pictures")[owner.row(id)]

    def _owner(self, id: str) -> Collection:
        """The collection that a picture is of: the one that is explored, else the bundled one if that has it."""
        return self._world if self._world and id not in self.collection and id in self._world else self.collection

    def _check_revision(self, what: str, revision: str) -> None:
        if revision != self.revision:
            ours = f"{self.collection.title} is embedded by revision {self.revision} of the model {self.model.key}"
            raise InputError(f"{ours}, and {what} has {revision}; embed all collections by the same model again.")


def collection_folders(owner: str | None = None) -> dict[str, Path]:
    """The folder of each collection there is for everybody, and for one session, by the name that links use."""
    return shelves.folders(owner)


def explorable(owner: str | None = None) -> dict[str, str]:
    """What each collection that can be explored is, by its name, the default first; the word bank and the background serve all others."""
    folders = {name: folder for name, folder in collection_folders(owner).items() if name not in BANKS}
    manifests = {name: manifest for name, folder in folders.items() if (manifest := shelves.manifest_of(folder)) and manifest.get("counts", {}).get("items", 1)}
    names = sorted(manifests, key=lambda name: (name != WORLD, name))
    return {name: manifests[name].get("description") or manifests[name]["title"] for name in names}


def _world_beside(collection: str, folders: Mapping[str, Path], model: catalog.Model) -> Collection | None:
    """The bundled world for another collection, if the model has embedded it."""
    world = open_embedded(folders[WORLD], model) if WORLD in folders and collection != WORLD else None
    return None if world is None or missing(world, model) else world


def _rows_of(bank: Collection, inputs: frozenset[str]) -> set[int]:
    """The rows that have the id or the caption of an input."""
    ids = {text.removeprefix("@") for text in inputs if text.startswith("@")}
    return {bank.row(id) for id in ids if id in bank}.union(*(bank.rows_captioned(text) for text in inputs))


def _listed(hits: Hits, bank: Collection, kind: What) -> list[Hit]:
    """The hits of the first query."""
    found = zip(hits.indices[0].tolist(), hits.cosines[0].tolist(), hits.z[0].tolist(), strict=True)
    return [
        Hit(bank.ids[row], bank.captions[row], cosine, z, rank, kind) for rank, (row, cosine, z) in enumerate(found, 1)
    ]
