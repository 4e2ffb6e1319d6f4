"""Properties as directions: what points that differ in one thing have in common, and whether a space is additive.

A *grid* is `(objects, values, dim)`: every object with every value of one property,
such as cars, apples and houses in red, green and blue.

Source: Trager et al., Linear spaces of meanings, arXiv 2302.14383; the counts of dimensions follow the notebooks of
traberph/exploringCLIP.
"""

from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import cosine_similarity, normalize

_ROUNDING = 1e-6  # by which two float32 cosines of the same point can differ


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
        raise InputError(_("A direction needs at least one pair of points; add one."))
    for pair in np.flatnonzero(~differences.any(axis=1)):
        message = _("The two ends of pair {number} are the same point, so it has no direction; change one end.")
        raise InputError(message.format(number=pair + 1))
    total = normalize(differences).sum(axis=0, dtype=np.float64)
    length = float(np.linalg.norm(total))
    if length < 1e-6 * pairs:
        raise InputError(
            _("The differences cancel out, with no direction in common; turn a pair round or leave it out.")
        )
    # |sum|² holds every ordered pair once and each vector with itself, which is 1
    agreement = (length**2 - pairs) / (pairs * (pairs - 1)) if pairs > 1 else 1.0
    return Direction((total / length).astype(np.float32), min(agreement, 1.0))


@dataclass(frozen=True)
class Parallelism:
    """How parallel the way from one value to another is, whatever the object."""

    cosine: float  # the mean over all pairs of objects and of values, between the differences of the two objects
    shuffled: float  # the same with the values of each object in a random order of their own: what chance gives
    spread: float  # the standard deviation of `shuffled` over the orders that were tried


@dataclass(frozen=True, eq=False)
class Additive:
    """A grid taken apart: cell = mean + object + value + what is left (interaction)."""

    mean: np.ndarray  # (dim,) float64
    objects: np.ndarray  # (o, dim) float64, adding up to zero
    values: np.ndarray  # (v, dim) float64, adding up to zero
    object_share: float  # of the grid's variance, in [0, 1]; the three add up to 1
    value_share: float
    interaction_share: float
    r2: float  # the share that the additive model explains: 1 − interaction_share


@dataclass(frozen=True, eq=False)
class Change:
    """What changes, dimension by dimension, from one value to another."""

    sizes: np.ndarray  # (o, dim) float64: the absolute change of each dimension for each object
    energy: np.ndarray  # (dim,) float64: Σ over the objects of its square
    top: np.ndarray  # (o, k) int: for each object the k dimensions that change most, most first
    shared: np.ndarray  # (o, o) int: how many of them two objects share; k on the diagonal
    chance: float  # how many two random choices of k dimensions would share on average: k² / dim


def parallelism(grid: np.ndarray, seed: int = 0, orders: int = 20) -> Parallelism:
    """How parallel the differences between values are across objects, beside shuffled values.

    Raises
    ------
    InputError
        For fewer than two objects or values, and for two values of an object that are the same point.
    """
    _check_grid(grid)
    rng = np.random.default_rng(seed)
    mixed = [
        _mean_cosine(rng.permuted(np.arange(grid.shape[1])[None].repeat(len(grid), 0), axis=1), grid)
        for _ in range(orders)
    ]
    straight = _mean_cosine(np.arange(grid.shape[1])[None].repeat(len(grid), 0), grid)
    return Parallelism(straight, float(np.mean(mixed)), float(np.std(mixed)))


def additive(grid: np.ndarray) -> Additive:
    """The least-squares additive model of a grid, and the shares of its variance (a two-way analysis of variance).

    Raises
    ------
    InputError
        For fewer than two objects or values, and when all cells are the same point.
    """
    _check_grid(grid)
    grid = np.asarray(grid, np.float64)
    mean = grid.mean(axis=(0, 1))
    objects, values = grid.mean(axis=1) - mean, grid.mean(axis=0) - mean
    rest = grid - mean - objects[:, None] - values
    total = float(((grid - mean) ** 2).sum())
    if total < 1e-12:
        raise InputError(
            _("All cells of the grid are the same point, so there is nothing to take apart; change objects or values.")
        )
    of_objects, of_values, of_rest = (
        float((part**2).sum()) * times / total
        for part, times in ((objects, grid.shape[1]), (values, len(grid)), (rest, 1))
    )
    return Additive(mean, objects, values, of_objects, of_values, of_rest, r2=1 - of_rest)


def predict_cell(grid: np.ndarray, row: int, column: int) -> np.ndarray:
    """One cell as the additive model of all others has it, `(dim,)` float64; the cell itself is not looked at.

    Source
    ------
    F. Yates, The analysis of replicated experiments when the field results are incomplete, 1933: one missing cell.
    """
    _check_grid(grid)
    known = np.asarray(grid, np.float64).copy()
    known[row, column] = 0
    o, v = known.shape[:2]
    return (o * known[row].sum(axis=0) + v * known[:, column].sum(axis=0) - known.sum(axis=(0, 1))) / (
        (o - 1) * (v - 1)
    )


def held_out_ranks(grid: np.ndarray, rivals: np.ndarray) -> np.ndarray:
    """Each cell's rank among cells and rivals by cosine with its prediction from the others, `(o, v)` int; 1 is best.

    Parameters
    ----------
    rivals
        `(n, dim)`: other points, none of which is a cell of the grid.
    """
    cells = normalize(grid.reshape(-1, grid.shape[-1]))
    pool = np.concatenate([cells, normalize(rivals)]) if len(rivals) else cells
    predicted = [predict_cell(grid, *divmod(index, grid.shape[1])) for index in range(len(cells))]
    cosines = np.stack(predicted).astype(np.float32) @ pool.T
    own = cosines[np.arange(len(cells)), np.arange(len(cells))]
    return ((cosines > own[:, None] + _ROUNDING).sum(axis=1) + 1).reshape(grid.shape[:2])


def changed_dimensions(differences: np.ndarray, k: int = 20) -> Change:
    """Which dimensions change from one value to another, `(o, dim)` differences for o objects, and how many agree.

    Raises
    ------
    InputError
        When k is not between 1 and dim.
    """
    sizes = np.abs(np.asarray(differences, np.float64))
    if not 1 <= k <= sizes.shape[1]:
        message = _("k is {k}, and there are {dim} dimensions; choose k between 1 and {dim}.")
        raise InputError(message.format(k=k, dim=sizes.shape[1]))
    top = np.argsort(-sizes, axis=1, kind="stable")[:, :k]
    chosen = np.zeros(sizes.shape, int)
    np.put_along_axis(chosen, top, 1, axis=1)
    return Change(sizes, (sizes**2).sum(axis=0), top, chosen @ chosen.T, k * k / sizes.shape[1])


def difference_cosines(differences: np.ndarray) -> np.ndarray:
    """How parallel each two differences `(o, dim)` are, `(o, o)` float32 in [−1, 1]."""
    return cosine_similarity(differences, differences)


def _mean_cosine(order: np.ndarray, grid: np.ndarray) -> float:
    """The mean cosine of two objects' differences, over all pairs of values; `order` `(o, v)` names the cells."""
    cells = np.take_along_axis(np.asarray(grid), order[..., None], axis=1)
    count = len(cells)
    found = []
    for a in range(cells.shape[1]):
        for b in range(a):
            total = normalize(cells[:, a] - cells[:, b]).sum(axis=0, dtype=np.float64)
            found.append((total @ total - count) / (count * (count - 1)))
    return float(np.mean(found))


def _check_grid(grid: np.ndarray) -> None:
    if min(grid.shape[:2]) < 2:
        message = _("The grid has {objects} objects and {values} values; give at least two of each.")
        raise InputError(message.format(objects=grid.shape[0], values=grid.shape[1]))
