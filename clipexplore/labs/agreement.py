"""How far two spaces agree about the same things, whatever their dimensions and however one is turned to the other.

Sources: Kornblith et al. 2019, arXiv 1905.00414 (CKA); Song et al. 2012, JMLR 13, eq. 5 (the unbiased HSIC that the
debiased CKA is made of); Huh et al. 2024, arXiv 2405.07987 (mutual nearest neighbours).
"""

from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import normalize

_COSINES_AT_ONCE = 1 << 22  # 16 MB of float32


@dataclass(frozen=True, eq=False)
class Neighbourhoods:
    """How alike the surroundings of each of n things are in two spaces.

    Attributes
    ----------
    shared
        `(n,)` float64 in [0, 1]: of the k nearest of each in the one space, those that are among its k nearest in the
        other. The mean is the mutual k-NN alignment; between unrelated spaces it is k / (n − 1).
    relations
        `(n,)` float64 in [−1, 1]: the correlation of its cosines with all others in the one space with those in the
        other.
    """

    shared: np.ndarray
    relations: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """The rows `(n,)` from the most disagreement to the least: the fewest shared neighbours first, then the lowest
        correlation.
        """
        return np.lexsort((self.relations, self.shared))


def compare_neighbours(x: np.ndarray, y: np.ndarray, k: int = 10) -> Neighbourhoods:
    """The surroundings of the same things in two spaces, by cosine; exact, in time that grows with n².

    Parameters
    ----------
    x, y
        `(n, dim)` and `(n, other)`, of any length but zero; row i of both is the same thing.
    k
        Neighbours of each, itself left out; from 1 to n − 2.

    Raises
    ------
    InputError
        For k out of range, another number of rows, and rows without a direction.
    """
    _check_rows(x, y)
    if not 1 <= k <= len(x) - 2:
        says = _("k is {k}; with {count} things it can be 1 to {most}.")
        raise InputError(says.format(k=k, count=len(x), most=len(x) - 2))
    x, y = normalize(x), normalize(y)
    shared, relations = np.empty(len(x)), np.empty(len(x))
    together = max(1, _COSINES_AT_ONCE // len(x))
    for start in range(0, len(x), together):
        some = slice(start, start + together)
        ours, theirs = _with_others(x, some), _with_others(y, some)
        near = _nearest(ours, k) & _nearest(theirs, k)
        shared[some] = near.sum(axis=1) / k
        relations[some] = _correlations(ours, theirs)
    return Neighbourhoods(shared, relations)


def _with_others(x: np.ndarray, some: slice) -> np.ndarray:
    """The cosines of some rows with all others, `(m, n − 1)`; the same column is the same thing in every space."""
    cosines = x[some] @ x.T
    others = np.ones(cosines.shape, bool)
    others[np.arange(len(cosines)), some.start + np.arange(len(cosines))] = False
    return cosines[others].reshape(len(cosines), -1)


def _nearest(cosines: np.ndarray, k: int) -> np.ndarray:
    """Which are the k highest of each row; bool, in the shape of the cosines."""
    chosen = np.zeros(cosines.shape, bool)
    np.put_along_axis(chosen, np.argpartition(-cosines, k - 1, axis=1)[:, :k], True, axis=1)
    return chosen


def _correlations(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    lengths = np.sqrt(np.vecdot(a, a) * np.vecdot(b, b))
    return np.vecdot(a, b) / np.maximum(lengths, 1e-12)


@dataclass(frozen=True)
class Alignment:
    """Linear CKA of two spaces: 1 where one is the other turned, scaled or moved.

    Attributes
    ----------
    cka
        In [0, 1]. With few things in many dimensions it is high for noise too.
    debiased
        At most 1, and about 0 for unrelated spaces, however few things there are.
    """

    cka: float
    debiased: float


def cka(x: np.ndarray, y: np.ndarray) -> Alignment:
    """Linear CKA of the same n things in two spaces, plain and debiased; in time that grows with n.

    Parameters
    ----------
    x, y
        `(n, dim)` and `(n, other)`, n at least 4; row i of both is the same thing.

    Raises
    ------
    InputError
        For fewer things, another number of rows, and things that are all the same in one of the spaces.
    """
    _check_rows(x, y)
    if len(x) < 4:
        raise InputError(_("CKA compares at least 4 things, and there are {count}; give more.").format(count=len(x)))
    x, y = (each - each.mean(axis=0, dtype=np.float64) for each in (x, y))
    plain, debiased = (
        [hsic(a, b) for a, b in ((x, y), (x, x), (y, y))] for hsic in (_squared_covariance, _unbiased_hsic)
    )
    if not plain[1] * plain[2]:
        raise InputError(_("All things are the same in one of the two spaces; there is nothing to compare."))
    return Alignment(*(float(xy / np.sqrt(xx * yy)) for xy, xx, yy in (plain, debiased)))


def _squared_covariance(x: np.ndarray, y: np.ndarray) -> float:
    """The biased HSIC of linear kernels, up to a factor: tr(KL) for centred rows."""
    return float(np.square(x.T @ y).sum())


def _unbiased_hsic(x: np.ndarray, y: np.ndarray) -> float:
    """Song et al., eq. 5, for the linear kernels K, L with their diagonals set to 0; no n × n matrix is made."""
    n = len(x)
    own_x, own_y = np.vecdot(x, x), np.vecdot(y, y)  # the diagonals
    rows_x, rows_y = x @ x.sum(axis=0) - own_x, y @ y.sum(axis=0) - own_y  # K 1 and L 1
    trace = _squared_covariance(x, y) - own_x @ own_y
    whole = rows_x.sum() * rows_y.sum() / ((n - 1) * (n - 2))
    return float((trace + whole - 2 / (n - 2) * (rows_x @ rows_y)) / (n * (n - 3)))


def _check_rows(x: np.ndarray, y: np.ndarray) -> None:
    if len(x) != len(y):
        says = _(
            "There are {one} things in one space and {other} in the other; give the same things in the same order."
        )
        raise InputError(says.format(one=len(x), other=len(y)))
