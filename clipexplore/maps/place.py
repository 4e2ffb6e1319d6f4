"""Where on a finished map: new points, and what lies inside a polygon."""

from collections.abc import Sequence

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize

# In cosine. Of 250 text vectors of CLIP B/32 left out of a map, 13 % did not land among the 15 points of the map around
# their nearest
# neighbour; 25 % did not with 0.01, and 42 % with 0.02.
_SOFTNESS = 0.005


def place(query: np.ndarray, background: np.ndarray, coordinates: np.ndarray, n_neighbors: int = 15) -> np.ndarray:
    """Where new points lie on a finished map: among their nearest neighbours, the nearer the more.

    The mean of the neighbours' coordinates, weighted by the softmax of their cosines. A point of the background comes
    out where the map has it, drawn only towards others that are nearly the same (cosine above 0.98).

    Parameters
    ----------
    query
        `(q, dim)`: the new points.
    background, coordinates
        `(n, dim)`, n ≥ 1: the points of the map, and `(n, 2)`: where it has them.
    n_neighbors
        How many of the background a new point is placed by; all of it where it has fewer.

    Returns
    -------
    np.ndarray
        `(q, 2)` float32.

    Raises
    ------
    InputError
        When a point has no direction, as in `normalize`.
    """
    near = search(query, normalize(background), n_neighbors)
    weights = np.exp((near.cosines - near.cosines[:, :1]) / _SOFTNESS)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.einsum("qk,qkd->qd", weights, np.asarray(coordinates, np.float32)[near.indices])


def onto(pictures: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """Pictures `(n, dim)` moved among the captions; else the same few captions would be nearest to all pictures."""
    return pictures + (captions.mean(axis=0) - pictures.mean(axis=0))


def in_sight(coordinates: np.ndarray, rows: np.ndarray, sight: Sequence[float], most: int) -> np.ndarray:
    """Of very many points those to draw: of those in sight every few, and of the others a few.

    Parameters
    ----------
    coordinates
        `(n, 2)`: where all points are.
    rows
        `(m,)`, rising: those that there are to draw.
    sight
        Left, right, low and high of what is looked at; whole where it is empty.
    most
        How many are drawn at once; as many as that are all drawn.
    """
    if len(rows) <= most:
        return rows
    left, right, low, high = sight or (-np.inf, np.inf, -np.inf, np.inf)
    x, y = coordinates[rows, 0], coordinates[rows, 1]
    seen = (left <= x) & (x <= right) & (low <= y) & (y <= high)
    drawn = np.zeros(len(rows), bool)
    for part, share in ((seen, 0.9), (~seen, 0.1)):
        there = np.flatnonzero(part)
        drawn[there[:: max(1, -(-len(there) // int(share * most)))]] = True
    return rows[drawn]


def corners_of(text: str) -> np.ndarray:
    """The corners `(c, 2)` of a polygon that is written "x y, x y, …".

    Raises
    ------
    InputError
        For what is not a polygon.
    """
    try:
        corners = np.array([[float(number) for number in corner.split()] for corner in text.split(",")])
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise ValueError
    except ValueError:
        message = _("The region is not a polygon; enter three or more corners as x y, x y, … or the @id of a picture.")
        raise InputError(message) from None
    return corners


def inside(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Which points `(n, 2)` lie inside a polygon of `(c, 2)` corners, `(n,)` bool.

    A point is inside when a ray from it crosses the border an odd number of times; the border may cross itself.
    """
    within = np.flatnonzero(((points >= corners.min(axis=0)) & (points <= corners.max(axis=0))).all(axis=1))
    x, y = np.asarray(points, np.float64)[within].T
    odd = np.zeros(len(within), bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        # one edge at a time, so that a million points fit into memory
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    found = np.zeros(len(points), bool)
    found[within] = odd
    return found
