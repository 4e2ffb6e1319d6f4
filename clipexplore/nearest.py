"""Exact search: the rows of a matrix that are nearest to a query.

Separate because it is a function on arrays, whatever the rows are. A matrix product that many queries share beats an
approximate index up to a million rows, misses nothing and needs nothing built.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.vectors import normalize

_SCORES_AT_ONCE = 1 << 24  # 64 MB of float32
_ROUNDING = 1e-5  # more than two float32 products of unit vectors of 1,024 dimensions ever differ by


@dataclass(frozen=True, eq=False)
class Hits:
    """The nearest rows of each query, best first; equal cosines in row order.

    Attributes
    ----------
    indices
        `(q, k)`, int.
    cosines
        `(q, k)`, float32, in [−1, 1].
    z
        `(q, k)`, float32: (cosine − mean) / std; 0 where all cosines are equal.
    mean, std
        `(q,)`, float32: of the cosines of that query with all n rows, the excluded ones too.
    """

    indices: np.ndarray
    cosines: np.ndarray
    z: np.ndarray
    mean: np.ndarray
    std: np.ndarray


def search(queries: np.ndarray, embeddings: np.ndarray, k: int, exclude: Iterable[int] = ()) -> Hits:
    """The k rows of highest cosine for each query, found exactly.

    Queries share each read of the matrix, and only what can be among the best k is sorted; those few are scored again
    in float64, so a row's cosine does not depend on who else asked.

    Parameters
    ----------
    queries
        `(q, dim)`, of any length but zero.
    embeddings
        `(n, dim)`, float32, unit norm.
    k
        At least 1; fewer hits are returned where there are fewer rows.
    exclude
        Rows that are not returned.

    Raises
    ------
    InputError
        For k below 1, and for a query that is zero or not finite.
    """
    if k < 1:
        raise InputError(f"k is {k}; ask for at least 1 result.")
    queries = normalize(queries)
    left_out = np.unique(np.fromiter(exclude, np.intp))
    count, k = len(queries), min(k, len(embeddings) - len(left_out))
    indices, cosines = np.empty((count, k), np.intp), np.empty((count, k), np.float32)
    mean, std = np.empty((2, count), np.float32)
    together = max(1, _SCORES_AT_ONCE // len(embeddings))
    for start in range(0, count, together):
        for row, scores in enumerate(queries[start : start + together] @ embeddings.T, start):
            mean[row], std[row] = scores.mean(dtype=np.float64), scores.std(dtype=np.float64)
            scores[left_out] = -np.inf
            indices[row], cosines[row] = _best(queries[row], scores, embeddings, k)
    spread = np.where(std > _ROUNDING, std, np.inf)
    return Hits(indices, cosines, (cosines - mean[:, None]) / spread[:, None], mean, std)


def _best(query: np.ndarray, scores: np.ndarray, embeddings: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k rows of highest cosine and their cosines, for scores `(n,)` that are exact up to rounding."""
    if k == 0:
        return np.empty(0, np.intp), np.empty(0, np.float32)
    worst = np.partition(scores, -k)[-k]
    rows = np.flatnonzero(scores >= worst - _ROUNDING)
    cosines = (embeddings[rows] * query.astype(np.float64)).sum(axis=1).clip(-1, 1)
    order = np.argsort(-cosines, kind="stable")[:k]
    return rows[order], cosines[order]
