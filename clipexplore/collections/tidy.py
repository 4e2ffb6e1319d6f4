"""What is nearly the same in a collection, and what is like nothing else in it.

Separate because both are read from one table, each item's nearest neighbours, and neither needs more than arrays.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from clipexplore.retrieval.nearest import search

_AT_ONCE = 256  # items whose neighbours are looked for in one pass


@dataclass(frozen=True, eq=False)
class Neighbours:
    """The nearest others of each item, best first: `indices` and `cosines`, `(n, k)`."""

    indices: np.ndarray
    cosines: np.ndarray


def neighbours(embeddings: np.ndarray, k: int = 10, report: Callable[[float], None] = lambda share: None) -> Neighbours:
    """The k nearest others of each row of `(n, dim)` unit vectors; fewer where there are fewer. Takes n passes shared by 256."""
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
    """Groups of rows that are joined by cosines of at least `least`, directly or through others; the largest first, rows rising."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows, places = np.nonzero(found.cosines >= least)
    count = len(found.indices)
    graph = coo_array((np.ones(len(rows), np.int8), (rows, found.indices[rows, places])), shape=(count, count))
    _, groups = connected_components(graph, directed=False)
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return sorted((part.tolist() for part in parts if len(part) > 1), key=lambda part: (-len(part), part[0]))


def outliers(found: Neighbours) -> tuple[np.ndarray, np.ndarray]:
    """All rows, those first that are least like their neighbours, and for each the mean cosine with these, in [−1, 1]."""
    likeness = found.cosines.mean(axis=1) if found.cosines.shape[1] else np.zeros(len(found.cosines), np.float32)
    order = np.argsort(likeness, kind="stable")
    return order, likeness[order]
