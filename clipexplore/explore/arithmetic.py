"""Arithmetic: the direction that one or several differences share, and what it points at."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipexplore.labs.properties import direction
from clipexplore.space import Context, Hit, Point, Space, What


@dataclass(frozen=True, eq=False)
class Arithmetic:
    """What a direction points at.

    Attributes
    ----------
    points
        Of the expression, and of those averaged with it.
    vector
        Their mean direction `(dim,)`, float32, unit norm.
    agreement
        The mean cosine of all pairs of points, at most 1: 1 when all point the same way.
    hits, pictures
        The nearest of what was searched, and the nearest pictures, or captions where there are none.
    context
        What all the cosines are like, to judge a single one by.
    """

    points: list[Point]
    vector: np.ndarray
    agreement: float
    hits: list[Hit]
    pictures: list[Hit]
    context: Context | None


def arithmetic(
    space: Space, q: str, pairs: Sequence[str] = (), bank: What = "words", k: int = 12, exclude: bool = False
) -> Arithmetic:
    """What is nearest to the mean direction of an expression and of `pairs`, further expressions.

    Parameters
    ----------
    bank
        What is searched: the word bank, or the captions or pictures of the collection.
    exclude
        Whether the texts and pictures of `q` are left out of what is found.

    Raises
    ------
    InputError
        As `Space.point`, and where the directions cancel out.
    """
    points = [space.point(each) for each in (q, *pairs)]
    mean = direction(np.stack([point.vector for point in points]))
    left_out = points[0] if exclude else None
    hits = space.search(mean.vector, bank, k, exclude=left_out)
    pictures = space.search(mean.vector, space.instead_of("pictures"), 9, exclude=left_out)
    context = space.context(mean.vector, bank)
    return Arithmetic(points, mean.vector, mean.agreement, hits, pictures, context)
