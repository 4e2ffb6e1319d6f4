"""How far a map can be trusted, however it was made: whether neighbours on it are neighbours in the space."""

from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import normalize

_SCORES_AT_ONCE = 1 << 22  # 16 MB of float32


@dataclass(frozen=True, eq=False)
class Trust:
    """What a map is worth around each of some points.

    Attributes
    ----------
    rows
        `(r,)` int: the points that were looked at, rising.
    trustworthiness
        At most 1, which it is when no point has a neighbour on the map that is not one in the space; about 0.5 for a
        map at random.
    shares
        `(r,)` float64 in [0, 1]: of each point's true k nearest, those that are among its k nearest on the map.
    """

    rows: np.ndarray
    trustworthiness: float
    shares: np.ndarray


def trust_in(x: np.ndarray, coordinates: np.ndarray, k: int = 15, rows: np.ndarray | None = None) -> Trust:
    """How far the neighbours of points on a map are those of the space, by cosine; exact for the rows looked at.

    Parameters
    ----------
    x
        `(n, dim)`: the points, of any length but zero.
    coordinates
        `(n, 2)` or more columns: where the map has them.
    k
        Neighbours of a point, itself left out; at least 1 and less than n / 2.
    rows
        The points to look at; all by default. Rows drawn at random estimate the whole.

    Raises
    ------
    InputError
        For k out of range.

    Source
    ------
    J. Venna and S. Kaski, Neighborhood preservation in nonlinear projection methods, 2001.
    """
    if not 1 <= k < len(x) / 2:
        message = _("k is {k}; with {points} points it can be 1 to {most}.")
        raise InputError(message.format(k=k, points=len(x), most=(len(x) - 1) // 2))
    x, rows = normalize(x), np.arange(len(x)) if rows is None else np.unique(rows)
    on_map = _on_map(coordinates, rows, k)
    penalty, shares = 0, np.empty(len(rows))
    together = max(1, _SCORES_AT_ONCE // len(x))
    for start in range(0, len(rows), together):
        some = rows[start : start + together]
        cosines = x[some] @ x.T
        cosines[np.arange(len(some)), some] = -np.inf  # nobody is their own neighbour
        reached = np.take_along_axis(cosines, on_map[start : start + together], axis=1)
        for i, (all_of_one, theirs) in enumerate(zip(cosines, reached, strict=True), start):
            ranks = 1 + (all_of_one > theirs[:, None]).sum(axis=1)  # 1 for the nearest
            penalty += np.maximum(ranks - k, 0).sum()
            shares[i] = (ranks <= k).mean()
    worst = len(rows) * k * (2 * len(x) - 3 * k - 1) / 2
    return Trust(rows, 1 - float(penalty) / worst, shares)


def _on_map(coordinates: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The k nearest of each row on the map, itself left out: `(r, k)`."""
    from scipy.spatial import cKDTree

    near = cKDTree(coordinates).query(coordinates[rows], k + 1)[1]
    itself = near == rows[:, None]
    itself[~itself.any(axis=1), -1] = True  # among many in the same place it may not be found
    return near[~itself].reshape(len(rows), k)
