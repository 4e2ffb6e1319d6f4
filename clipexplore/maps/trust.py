"""How far a map can be trusted, however it was made: whether neighbours on it are neighbours in the space."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import normalize

_SCORES_AT_ONCE = 1 << 24  # 64 MB of float32


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
    rows = np.arange(len(x)) if rows is None else np.unique(rows)
    on_map = _on_map(coordinates, rows, k)
    theirs, ranks = np.empty(on_map.shape, np.float32), np.ones(on_map.shape, int)  # 1 for the nearest
    held = [*_cosines(x, rows)] if len(rows) * len(x) <= _SCORES_AT_ONCE else None  # else computed twice
    for start, cosines in held or _cosines(x, rows):
        points, places = np.nonzero((on_map >= start) & (on_map < start + cosines.shape[1]))
        theirs[points, places] = cosines[points, on_map[points, places] - start]
    for _start, cosines in held or _cosines(x, rows):
        for place in range(k):
            ranks[:, place] += (cosines > theirs[:, place, None]).sum(axis=1)
    worst = len(rows) * k * (2 * len(x) - 3 * k - 1) / 2
    return Trust(rows, 1 - float(np.maximum(ranks - k, 0).sum()) / worst, (ranks <= k).mean(axis=1))


def _cosines(x: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """The cosines of some rows with all points, some points at a time, from which on; −∞ with themselves."""
    asked, size = normalize(x[rows]), max(1, _SCORES_AT_ONCE // len(rows))
    for start in range(0, len(x), size):
        cosines = asked @ normalize(x[start : start + size]).T
        itself = np.flatnonzero((rows >= start) & (rows < start + size))
        cosines[itself, rows[itself] - start] = -np.inf  # nobody is their own neighbour
        yield start, cosines


def _on_map(coordinates: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """The k nearest of each row on the map, itself left out: `(r, k)`."""
    from scipy.spatial import cKDTree

    near = cKDTree(coordinates).query(coordinates[rows], k + 1)[1]
    itself = near == rows[:, None]
    itself[~itself.any(axis=1), -1] = True  # among many in the same place it may not be found
    return near[~itself].reshape(len(rows), k)
