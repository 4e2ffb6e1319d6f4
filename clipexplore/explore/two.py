"""Two models: one expression in the spaces of both, and how far they agree about the same collection.

Sources: Huh et al. 2024, arXiv 2405.07987; Kornblith et al. 2019, arXiv 1905.00414; Moschella et al. 2023, arXiv
2209.15430 (two trainings find the same geometry, turned).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from clipexplore.explore.bridges import bridge_between
from clipexplore.explore.gap import PAIRS
from clipexplore.explore.match import drawn_pairs
from clipexplore.labs.agreement import Alignment, cka, compare_neighbours
from clipexplore.labs.contrast import modality_gap, recall_at
from clipexplore.models.bridge import ROTATION, Bridge
from clipexplore.reports import Report, silent
from clipexplore.space import Hit, Point, Space, What

MOST = 3000  # things that are compared with each other; of more, so many are drawn


@dataclass(frozen=True, eq=False)
class InBoth:
    """What one expression finds in two spaces.

    Attributes
    ----------
    points
        Its point in either space.
    hits, theirs
        What lies nearest in the first model's space, and in the other's.
    shared
        How many of these are among both.
    """

    SHOWN: ClassVar = ("hits", "theirs", "shared")
    points: tuple[Point, Point]
    hits: list[Hit]
    theirs: list[Hit]
    shared: int


def in_both(
    space: Space, q: str, other: str = "emoji-2", what: What = "pictures", k: int = 12, opened: Space | None = None
) -> InBoth:
    """The k nearest to an expression in two models' spaces of the same collection.

    Parameters
    ----------
    other
        The key of the other model.
    opened
        Its space of the collection, where that is open already.

    Raises
    ------
    InputError
        As `Space.seen_by`, `Space.point` and `Space.search`.
    """
    spaces = space, space.seen_by(other, opened)
    points = tuple(each.point(q) for each in spaces)
    hits, theirs = (each.search(point.vector, what, k) for each, point in zip(spaces, points, strict=True))
    return InBoth(points, hits, theirs, len({hit.id for hit in hits} & {hit.id for hit in theirs}))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Figures:
    """What one model makes of the pairs of a collection, up to 500 of different captions.

    Attributes
    ----------
    gap
        The length of the mean picture minus the mean caption.
    by_picture, by_caption
        R@1: the share of pictures whose own caption is nearest, and the reverse.
    """

    model: str
    dim: int
    gap: float
    by_picture: float
    by_caption: float


@dataclass(frozen=True, eq=False)
class Agreement:
    """How far two models agree about the things of a collection.

    Attributes
    ----------
    rows
        `(r,)` int: the rows of the collection that were compared with each other, rising.
    shared, relations
        `(r,)`, as in `labs.agreement.Neighbourhoods`.
    ranking
        `(r,)` int: the same rows, those about which the two disagree most first.
    k
        How many neighbours `shared` is of.
    alignment
        CKA, plain and debiased.
    turned
        The rotation that is a bridge from the first space to the second, with its held-out cosines.
    unturned
        The mean cosine of a thing's vector in one space with its vector in the other as they are; None where the
        dimensions differ.
    models
        What each makes of pictures and captions; None for texts alone.
    """

    SHOWN: ClassVar = ("neighbours", "chance", "alignment", "turned.held_out", "unturned", "models")
    rows: np.ndarray
    shared: np.ndarray
    relations: np.ndarray
    ranking: np.ndarray
    k: int
    alignment: Alignment
    turned: Bridge
    unturned: float | None
    models: tuple[Figures, Figures] | None

    @property
    def neighbours(self) -> float:
        """The mutual k-NN alignment: the mean of `shared`, in [0, 1]."""
        return float(self.shared.mean())

    @property
    def chance(self) -> float:
        """What `neighbours` would be between unrelated spaces."""
        return self.k / (len(self.rows) - 1)


def agreement(
    space: Space,
    other: str = "emoji-2",
    of: Literal["pictures", "captions"] = "pictures",
    n_neighbors: int = 10,
    opened: Space | None = None,
    report: Report = silent,
) -> Agreement:
    """How far two models agree about a collection, thing by thing and as a whole; takes seconds.

    Parameters
    ----------
    other, opened
        As in `in_both`.
    of
        Which embeddings are compared. Of more than 3,000, so many are drawn; the same each time.
    n_neighbors
        How many neighbours of each are compared.
    report
        Is told how far it is; may raise to stop it.

    Raises
    ------
    InputError
        As `Space.seen_by`, `compare_neighbours` and `fit_bridge`.
    """
    theirs = space.seen_by(other, opened)
    count = len(space.collection)
    rows = np.sort(np.random.default_rng(0).permutation(count)[:MOST])
    report(0.1, None)
    x, y = (each.embeddings(of)[rows] for each in (space, theirs))
    near = compare_neighbours(x, y, n_neighbors)
    report(0.5, None)
    whole = cka(x, y)
    report(0.7, None)
    turned = bridge_between(space, theirs, pulls=ROTATION)
    unturned = float(np.vecdot(x, y).mean()) if x.shape == y.shape else None
    figures = (_figures(space), _figures(theirs)) if space.collection.has_pictures else None
    return Agreement(rows, near.shared, near.relations, rows[near.order], n_neighbors, whole, turned, unturned, figures)


def _figures(space: Space) -> Figures:
    pairs = drawn_pairs(space, PAIRS, 0)
    cosines = pairs.images @ pairs.texts.T
    length = float(np.linalg.norm(modality_gap(pairs.images, pairs.texts)))
    return Figures(space.model.key, pairs.images.shape[1], length, recall_at(cosines, 1), recall_at(cosines.T, 1))
