"""The collections of a model, as it has embedded them: what is searched, what is near in it, and what its cosines are
like, to judge a single one by.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.points import Point
from clipexplore.retrieval.nearest import ROUNDING, Hits, search
from clipexplore.retrieval.shared_search import shared_search
from clipexplore.sources.entries import Kind
from clipexplore.store.collection import Collection

What = Literal["pictures", "captions", "words"]
BARS = 60  # of a histogram of cosines


@dataclass(frozen=True)
class Hit:
    """One search result.

    Attributes
    ----------
    cosine
        In [−1, 1].
    z
        How many standard deviations `cosine` lies above the mean of everything searched, excluded items too.
    rank
        1 for the nearest that was not excluded.
    kind
        What was searched: "pictures", "captions" or "words".
    """

    id: str
    caption: str
    cosine: float
    z: float
    rank: int
    kind: What

    @classmethod
    def of(cls, bank: Collection, row: int, kind: What, cosine: float = 1.0, z: float = 0.0, rank: int = 1) -> Hit:
        """The item in a row of a collection."""
        return cls(bank.ids[row], bank.captions[row], cosine, z, rank, kind)

    @property
    def name(self) -> str:
        """Its caption, else its id as an expression has it."""
        return self.caption or f"@{self.id}"


@dataclass(frozen=True, eq=False)
class Context:
    """The cosines of one vector with everything searched, to judge a single one by.

    Attributes
    ----------
    count, mean, std
        How many there are, their mean and their standard deviation.
    best
        The item with the highest.
    counts, edges
        Their histogram: `(60,)` int, and the `(61,)` edges of its bins, from the lowest to the highest cosine.
    """

    count: int
    mean: float
    std: float
    best: Hit
    counts: np.ndarray
    edges: np.ndarray


class Banks:
    """What a `Space` searches: the collection that is explored, a bank of words and a background of texts, all embedded
    by one model; and the bundled world, whose pictures can be written as `@id` beside any other.
    """

    def __init__(
        self,
        model: catalog.Model,
        collection: Collection,
        words: Collection,
        background: Collection,
        world: Collection | None = None,
    ):
        self.model, self.collection, self.words, self.background = model, collection, words, background
        self.world, self.revision = world, collection.revision(model.key)
        for other in filter(None, (words, background, world)):
            if model.key in other.models:  # else it is being embedded, and says so to whoever asks it
                self._check_revision(other.title, other.revision(model.key))

    @property
    def kind(self) -> Kind:
        """What the items are to this model: "pictures", or "captions" where it has embedded no pictures of them."""
        return "pictures" if "pictures" in self.collection.embedded(self.model.key) else "captions"

    @property
    def searchable(self) -> list[What]:
        """What `search` can look through, of "pictures", "captions" and "words"."""
        key = self.model.key
        found: list[What] = [*sorted(self.collection.embedded(key), reverse=True)]
        return [*found, "words"] if "captions" in self.words.embedded(key) else found

    def instead_of(self, what: What) -> What:
        """What is searched where one would search `what` and there is none: captions for words, else the items."""
        also: What = "captions" if what == "words" else what
        return next((each for each in (what, also) if each in self.searchable), self.kind)

    def has_picture(self, id: str) -> bool:
        """Whether the collection, or else the bundled world, has an item of that id."""
        return id in self._owner(id)

    def search(
        self,
        vectors: np.ndarray,
        what: What = "pictures",
        k: int = 24,
        exclude: Point | None = None,
        among: np.ndarray | None = None,
    ) -> list:
        """The k nearest of what is searched, nearest first.

        A list of `Hit` for one vector `(dim,)`; for `(n, dim)` a list of such lists, all found in one pass.

        Parameters
        ----------
        what
            The pictures or captions of the collection, or the word bank.
        exclude
            A point whose inputs are left out: every row with the id or the caption of one of its terms.
        among
            The rows `(m,)` that are searched; all by default.

        Raises
        ------
        InputError
            For an unknown `what`, and where the collection has none of it.
        """
        bank, embeddings = self._bank(what)
        left_out = _rows_of(bank, exclude.inputs) if exclude else set()
        queries, among = np.atleast_2d(vectors), self._searched(bank, what, among)
        if among is None:
            found = shared_search(queries, embeddings, k, left_out)
        else:
            found = search(queries, embeddings, k, left_out, among=among)
        hits = [_listed(found, number, bank, what) for number in range(len(queries))]
        return hits if vectors.ndim == 2 else hits[0]

    def embeddings(self, what: What | None = None) -> np.ndarray:
        """Those of what is searched, `(n, dim)`, by default of the items, as `Collection.embeddings`."""
        return self._bank(what or self.kind)[1]

    def cosines(self, vector: np.ndarray, what: What = "pictures") -> np.ndarray:
        """The cosines of a unit vector `(dim,)` with everything searched, `(n,)` float32 in [−1, 1], in row order."""
        return np.vecdot(self._bank(what)[1], vector)

    def context(self, vector: np.ndarray, what: What = "pictures", among: np.ndarray | None = None) -> Context | None:
        """What the cosines of a unit vector `(dim,)` with everything searched are like; None if that is nothing.

        Parameters
        ----------
        among
            The rows `(m,)` that are searched; all by default.

        Raises
        ------
        InputError
            As in `search`.
        """
        bank, embeddings = self._bank(what)
        cosines, rows = np.vecdot(embeddings, vector), self._searched(bank, what, among)
        rows = np.arange(len(bank)) if rows is None else rows
        return _context_of(cosines[rows], rows, bank, what) if len(rows) else None

    def _bank(self, what: What) -> tuple[Collection, np.ndarray]:
        """What is searched, and its embeddings."""
        banks: dict[str, tuple[Collection, Literal["pictures", "captions"]]] = {
            "pictures": (self.collection, "pictures"),
            "captions": (self.collection, "captions"),
            "words": (self.words, "captions"),
        }
        if what not in banks:
            raise InputError(
                _("{what!r} cannot be searched; choose one of: {banks}.").format(what=what, banks=", ".join(banks))
            )
        bank, kind = banks[what]
        return bank, bank.embeddings(self.model.key, kind)

    def _searched(self, bank: Collection, what: What, among: np.ndarray | None) -> np.ndarray | None:
        """Of some rows those that have an embedding; None for all of a bank."""
        rows = bank.rows_embedded(self.model.key, "pictures" if what == "pictures" else "captions")
        if len(rows) == len(bank):
            return among
        return rows if among is None else np.intersect1d(rows, among)

    def _stored(self, text: str) -> np.ndarray | None:
        for bank in (self.words, self.background, self.collection):
            if "captions" in bank.embedded(self.model.key) and (rows := bank.rows_captioned(text)):
                return bank.embeddings(self.model.key, "captions")[rows[0]]
        return None

    def _owner(self, id: str) -> Collection:
        """The collection that a picture is of: the one that is explored, else the bundled one if that has it."""
        return self.world if self.world and id not in self.collection and id in self.world else self.collection

    def _check_revision(self, what: str, revision: str) -> None:
        if revision != self.revision:
            raise InputError(
                _(
                    "{title} is embedded by revision {ours} of the model {model}, and {what} has {theirs}; embed all "
                    "collections with the same model again."
                ).format(
                    title=self.collection.title, ours=self.revision, model=self.model.key, what=what, theirs=revision
                )
            )


def _listed(found: Hits, query: int, bank: Collection, kind: What) -> list[Hit]:
    """The hits of one query, the nearest first."""
    rows = zip(*(each[query].tolist() for each in (found.indices, found.cosines, found.z)), strict=True)
    return [Hit.of(bank, row, kind, cosine, z, rank) for rank, (row, cosine, z) in enumerate(rows, 1)]


def _context_of(cosines: np.ndarray, rows: np.ndarray, bank: Collection, kind: What) -> Context:
    """What the cosines `(n,)` of some rows of a bank are like; n ≥ 1."""
    first, mean, std = int(cosines.argmax()), cosines.mean(dtype=np.float64), cosines.std(dtype=np.float64)
    z = float((cosines[first] - mean) / std) if std > ROUNDING else 0.0
    best = Hit.of(bank, int(rows[first]), kind, float(cosines[first]), z)
    return Context(len(cosines), float(mean), float(std), best, *np.histogram(cosines, BARS))


def _rows_of(bank: Collection, inputs: frozenset[str]) -> set[int]:
    """The rows that have the id (written "@id") or the caption of an input."""
    ids = {text.removeprefix("@") for text in inputs if text.startswith("@")}
    return {bank.row(id) for id in ids if id in bank}.union(*(bank.rows_captioned(text) for text in inputs))
