"""Collections: a random handful of one, what is nearly the same in it, and what is like nothing else."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from clipexplore.explore.memory import remembered
from clipexplore.language import _
from clipexplore.reports import Report, silent
from clipexplore.retrieval.nearest import search
from clipexplore.space import Hit, Space

SHOWN = 24
_AT_ONCE = 256  # items whose neighbours are looked for in one pass


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest others of each item, best first: `indices` and `cosines`, `(n, k)`."""

    indices: np.ndarray
    cosines: np.ndarray


@dataclass(frozen=True, eq=False)
class Duplicates:
    """Groups of near-duplicates, the largest first.

    Attributes
    ----------
    hits
        Their items group by group: `rank` is the number of the group, `cosine` the highest with another of it.
    """

    hits: list[Hit]

    @property
    def groups(self) -> list[list[Hit]]:
        return [list(group) for _rank, group in groupby(self.hits, lambda hit: hit.rank)]


@dataclass(frozen=True, eq=False)
class Outliers:
    """The items least like their nearest others.

    Attributes
    ----------
    hits
        With their mean cosine to these, and how many standard deviations that is from `mean`.
    mean
        Of the mean cosines of all items.
    """

    hits: list[Hit]
    mean: float


@dataclass(frozen=True, eq=False)
class Sample:
    """Items drawn at random."""

    hits: list[Hit]


def sample(space: Space, seed: int = 0, count: int = SHOWN) -> Sample:
    """Different items of the collection, drawn at random; the same seed draws the same."""
    whole = len(space.collection)
    rows = np.random.default_rng(seed).choice(whole, min(count, whole), replace=False)
    return Sample([_hit(space, int(row), rank) for rank, row in enumerate(rows, 1)])


def duplicates(space: Space, near: float = 0.95, report: Report = silent) -> Duplicates:
    """Groups of items that are joined by cosines of at least `near`, directly or through others.

    Raises
    ------
    MissingError
        If the model has not embedded the collection.
    """
    found = _neighbours_of(space, report=report)
    groups = enumerate(near_duplicates(found, near), 1)
    return Duplicates([_hit(space, row, rank, _likeness(found, group, row)) for rank, group in groups for row in group])


def outliers(space: Space, count: int = SHOWN, report: Report = silent) -> Outliers:
    """The items that are least like the ten nearest to them.

    Raises
    ------
    MissingError
        If the model has not embedded the collection.
    """
    rows, likeness = least_alike(_neighbours_of(space, report=report))
    mean, spread = float(likeness.mean()), max(float(likeness.std()), 1e-9)
    scored = zip(rows[:count].tolist(), likeness[:count].tolist(), strict=True)
    hits = [_hit(space, row, rank, cosine, (cosine - mean) / spread) for rank, (row, cosine) in enumerate(scored, 1)]
    return Outliers(hits, mean)


def neighbours(
    embeddings: np.ndarray, k: int = 10, report: Callable[[float], object] = lambda share: None
) -> Neighbours:
    """The k nearest others of each row of `(n, dim)` unit vectors, or as many as there are; 256 share a pass."""
    k = min(k, len(embeddings) - 1)
    indices, cosines = np.empty((len(embeddings), k), np.intp), np.empty((len(embeddings), k), np.float32)
    for start in range(0, len(embeddings) if k else 0, _AT_ONCE):
        report(start / len(embeddings))
        rows = np.arange(start, min(start + _AT_ONCE, len(embeddings)))
        hits = search(embeddings[rows], embeddings, k + 1)
        others = hits.indices != rows[:, None]
        others[others.all(axis=1), -1] = False  # more than k are the same as the item: the last is left out instead
        indices[rows], cosines[rows] = hits.indices[others].reshape(-1, k), hits.cosines[others].reshape(-1, k)
    return Neighbours(indices, cosines)


def near_duplicates(found: Neighbours, least: float) -> list[list[int]]:
    """Groups of rows that are joined by cosines of at least `least`; the largest first, rows ascending."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, places = np.nonzero(found.cosines >= least)
    count = len(found.indices)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, found.indices[rows, places])), shape=(count, count))
    _count, groups = connected_components(graph, directed=False)
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return sorted((part.tolist() for part in parts if len(part) > 1), key=lambda part: (-len(part), part[0]))


def least_alike(found: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """All rows, the least like their neighbours first, and each one's mean cosine with these, in [−1, 1]."""
    likeness = found.cosines.mean(axis=1) if found.cosines.shape[1] else np.zeros(len(found.cosines), np.float32)
    order = np.argsort(likeness, kind="stable")
    return order, likeness[order]


@remembered(4)
def _neighbours_of(space: Space, report: Report) -> Neighbours:
    """The neighbours of all items of a collection; a look by another cosine needs no other."""
    embeddings = space.embeddings()
    return neighbours(embeddings, report=lambda share: report(share, _("Comparing all with all")))


def _likeness(found: Neighbours, group: list[int], row: int) -> float:
    """The highest cosine of an item with another of its group."""
    inside = np.isin(found.indices[row], group)
    return float(found.cosines[row][inside].max()) if inside.any() else 1.0


def _hit(space: Space, row: int, rank: int, cosine: float = 1.0, z: float = 0.0) -> Hit:
    return Hit.of(space.collection, row, space.kind, cosine, z, rank)
