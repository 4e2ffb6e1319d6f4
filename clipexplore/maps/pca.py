"""Principal components of a cloud of points."""

from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _

_BLOCK = 4096  # rows centred at a time, so that the float64 copies stay small


@dataclass(frozen=True, eq=False)
class PCA:
    """The k directions of a cloud of points along which it varies most.

    Attributes
    ----------
    mean
        `(dim,)` float32: what was taken away; zero where the cloud was not centred.
    components
        `(k, dim)` float32, orthonormal rows, most variance first; the entry of largest size in each is positive.
    explained_variance_ratio
        `(k,)` float64 in [0, 1], falling: the share of the cloud's whole variance along each component; where it was
        not centred, of its mean square.
    singular_values
        `(k,)` float64, falling: those of the points, centred and divided as asked.
    scale
        `(dim,)` float32: what each dimension was divided by; one where the cloud was not standardised.
    """

    mean: np.ndarray
    components: np.ndarray
    explained_variance_ratio: np.ndarray
    singular_values: np.ndarray
    scale: np.ndarray

    def prepare(self, x: np.ndarray) -> np.ndarray:
        """Points `(n, dim)` as the projection sees them, float32: centred and divided."""
        return (np.asarray(x, np.float32) - self.mean) / self.scale

    def transform(self, x: np.ndarray) -> np.ndarray:
        """The coordinates `(n, k)`, float32, of points `(n, dim)`."""
        weights = self.components / self.scale
        return np.asarray(x, np.float32) @ weights.T - weights @ self.mean  # without a copy of x

    def inverse_transform(self, coordinates: np.ndarray) -> np.ndarray:
        """The points `(n, dim)`, float32, at coordinates `(n, j)`, j ≤ k: of all those, the nearest to the mean."""
        coordinates = np.asarray(coordinates, np.float32)
        return coordinates @ self.components[: coordinates.shape[1]] * self.scale + self.mean


def pca(x: np.ndarray, k: int = 2, *, center: bool = True, standardize: bool = False) -> PCA:
    """The first `k` principal components of the rows of `x`.

    Parameters
    ----------
    x
        `(n, dim)`, n ≥ 2.
    k
        At most n and at most dim.
    center
        Whether the mean is taken away first; without it the first component points at the mean.
    standardize
        Whether every dimension is divided by its standard deviation first, so that all count the same.

    Raises
    ------
    InputError
        When `k` is out of range, there are fewer than two points, or all points are the same.

    Source
    ------
    C. Eckart and G. Young, The approximation of one matrix by another of lower rank, 1936: no k directions lose less.
    """
    count, dim = x.shape
    if count < 2:
        raise InputError(_("A projection needs at least 2 points and has {count}; add some.").format(count=count))
    if not 1 <= k <= min(count, dim):
        message = _("{count} points of {dim} numbers have 1 to {most} components, not {k}; change k.")
        raise InputError(message.format(count=count, dim=dim, most=min(count, dim), k=k))
    mean = x.mean(axis=0, dtype=np.float64)
    around_mean = _scatter(x, mean)  # (dim, dim)
    size = count * mean @ mean
    # a spread of a millionth of the size is rounding
    if np.trace(around_mean) <= 1e-12 * (np.trace(around_mean) + size):
        raise InputError(_("All points are the same, so there is nothing to project; add different ones."))
    deviation = np.sqrt(np.diag(around_mean) / count)
    scale = np.where(standardize & (deviation > 1e-7), deviation, 1.0)
    values, components, total = _principal(
        x, mean * center, scale, around_mean + count * (not center) * np.outer(mean, mean)
    )
    values, mean = values[:k], mean.astype(np.float32) if center else np.zeros(dim, np.float32)
    return PCA(mean, signed(components[:k]), values / total, np.sqrt(values), scale.astype(np.float32))


def signed(components: np.ndarray) -> np.ndarray:
    """Components `(k, dim)` as float32, each turned so that its entry of largest size is positive."""
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1, keepdims=True), axis=1)
    return (components * np.where(largest < 0, -1, 1)).astype(np.float32)


def _principal(
    x: np.ndarray, origin: np.ndarray, scale: np.ndarray, scatter: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Squared singular values, falling, divided by `scale`; their vectors `(rank, dim)`; the sum of all squares."""
    if len(x) < len(scatter):  # of few points themselves, a fraction of the work
        _, singular, vectors = np.linalg.svd((x - origin) / scale, full_matrices=False)
        return singular**2, vectors, float((singular**2).sum())
    scatter = scatter / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(scatter)  # rising
    return np.clip(values[::-1], 0, None), vectors.T[::-1], float(np.trace(scatter))


def _scatter(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The scatter matrix `(dim, dim)`, float64: the covariance times the number of points."""
    scatter = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(x), _BLOCK):
        centred = x[start : start + _BLOCK] - mean
        scatter += centred.T @ centred
    return scatter
