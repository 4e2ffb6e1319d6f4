"""Properties as directions: what pairs of points that differ in one thing have in common.

Separate because it is a lesson of its own.
"""

from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.vectors import normalize


@dataclass(frozen=True, eq=False)
class Direction:
    """What several differences have in common.

    Attributes
    ----------
    vector
        `(dim,)` float32, unit: the mean of the unit differences, normalised.
    agreement
        The mean cosine of all pairs of differences, at most 1: 1 when all point the same way, about 0 when they have
        nothing in common; 1 for a single difference.
    """

    vector: np.ndarray
    agreement: float


def direction(differences: np.ndarray) -> Direction:
    """The direction that several differences share, and how far they agree.

    Each counts the same, however large it is.

    Parameters
    ----------
    differences
        `(p, dim)`, p ≥ 1: one end of each pair minus the other.

    Raises
    ------
    InputError
        When there is no difference, when one is zero, or when all of them together cancel out.
    """
    differences = np.asarray(differences)
    pairs = len(differences)
    if not pairs:
        raise InputError("A direction needs at least one pair of points; add one.")
    for pair in np.flatnonzero(~differences.any(axis=1)):
        raise InputError(f"The two ends of pair {pair + 1} are the same point, so it has no direction; change one end.")
    total = normalize(differences).sum(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(total))
    if length < 1e-6 * pairs:
        raise InputError("The differences cancel out, with no direction in common; turn a pair round or leave it out.")
    # |sum|² holds every ordered pair once and each vector with itself, which is 1
    agreement = (length**2 - pairs) / (pairs * (pairs - 1)) if pairs > 1 else 1.0
    return Direction((total / length).astype(np.float32), min(agreement, 1.0))
