"""Polygons on a map: as text, and what lies inside."""

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _


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
