"""Principal components of a cloud of points: finding them, what the first few keep and lose, and how a point is made of
them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.vectors import cosine_similarity

SOLVERS = ("full", "covariance_eigh", "arpack", "randomized")
_BLOCK = 4096  # rows taken at a time, so that the float64 copies stay small


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
    return PCA(mean, _signed(components[:k]), values / total, np.sqrt(values), scale.astype(np.float32))


def randomized_pca(x: np.ndarray, k: int, seed: int = 0) -> PCA:
    """As `pca`, found by random projections, for points of thousands of dimensions; k is cut to what there is.

    Source
    ------
    N. Halko, P. Martinsson, J. Tropp, Finding structure with randomness, 2011.
    """
    from sklearn.decomposition import PCA as Estimator

    found = Estimator(min(k, *x.shape), svd_solver="randomized", random_state=seed).fit(x)
    shares, values = (each.astype(np.float64) for each in (found.explained_variance_ratio_, found.singular_values_))
    ones = np.ones(x.shape[1], np.float32)
    return PCA(found.mean_.astype(np.float32), _signed(found.components_), shares, values, ones)


def lost(x: np.ndarray, fit: PCA, ks: Sequence[int]) -> np.ndarray:
    """What the first k components leave of a cloud: ‖X − X_k‖²_F, `(len(ks),)` float64, measured on the points.

    Parameters
    ----------
    x
        `(n, dim)`: the points that were projected.
    ks
        Rising, each at most the number of components of `fit`.

    Source
    ------
    Eckart–Young–Mirsky: it equals Σ_{i>k} σ_i², and no other matrix of rank k comes nearer.
    """
    components, left = fit.components.astype(np.float64), np.zeros(len(ks))
    for start in range(0, len(x), _BLOCK):
        rest = fit.prepare(x[start : start + _BLOCK]).astype(np.float64)
        before = 0
        for i, k in enumerate(ks):
            step = components[before:k]
            rest -= (rest @ step.T) @ step
            left[i] += (rest**2).sum()
            before = k
    return left


def reconstructions(point: np.ndarray, fit: PCA, ks: Sequence[int]) -> np.ndarray:
    """A point `(dim,)` from its first k components only, for each k: `(len(ks), dim)` float32, not normalised."""
    z = fit.transform(point[None])
    return np.concatenate([fit.inverse_transform(z[:, :k]) for k in ks])


def faithfulness(point: np.ndarray, fit: PCA) -> np.ndarray:
    """The cosine of a point `(dim,)` with what its first 1, 2, … components make of it: `(k,)`, in [−1, 1]."""
    return cosine_similarity(point[None], reconstructions(point, fit, range(1, len(fit.components) + 1)))[0]


def gap_alignment(fit: PCA, pictures: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """How far each component is the modality gap: |cosine| with the offset between the two clouds, `(k,)` in [0, 1].

    Parameters
    ----------
    pictures, captions
        `(n, dim)` and `(m, dim)`: the embeddings of the two kinds.

    Source
    ------
    W. Liang et al., Mind the gap, arXiv 2203.02053, 2022.
    """
    offset = (pictures.mean(axis=0) - captions.mean(axis=0)) / fit.scale
    return np.abs(cosine_similarity(offset[None], fit.components)[0])


@dataclass(frozen=True, eq=False)
class Preserved:
    """One quantity of random points or pairs, `(p,)` float64 each, in three places."""

    original: np.ndarray  # between the points, centred and divided as the projection does
    approximation: np.ndarray  # between their best approximations of rank k, in all dimensions
    coordinates: np.ndarray  # between their k coordinates: the same numbers, up to rounding


def preserved(x: np.ndarray, fit: PCA, k: int, pairs: int = 2000, seed: int = 0) -> dict[str, Preserved]:
    """The "norms", "inner products" and "distances" of random pairs of `(n, dim)`, before and in k dimensions."""
    left, right = np.random.default_rng(seed).integers(len(x), size=(2, pairs))
    components = fit.components[:k].astype(np.float64)

    def places(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        points = fit.prepare(x[rows]).astype(np.float64)
        z = points @ components.T
        return points, z @ components, z

    a, b = places(left), places(right)
    return {
        "norms": Preserved(*(np.linalg.norm(u, axis=1) for u in a)),
        "inner products": Preserved(*((u * v).sum(axis=1) for u, v in zip(a, b, strict=True))),
        "distances": Preserved(*(np.linalg.norm(u - v, axis=1) for u, v in zip(a, b, strict=True))),
    }


def solve(x: np.ndarray, k: int, solver: str, seed: int = 0) -> tuple[np.ndarray, float]:
    """The first k components `(k, dim)` of a cloud `(n, dim)` by a solver of scikit-learn, and the seconds it took.

    "full" is the singular value decomposition of all points, "covariance_eigh" the eigenvectors of the covariance,
    "arpack" a truncated decomposition by Lanczos steps, "randomized" that of Halko, Martinsson and Tropp 2011.

    Raises
    ------
    InputError
        For another solver.
    """
    if solver not in SOLVERS:
        message = _("There is no solver {solver!r}; choose one of: {solvers}.")
        raise InputError(message.format(solver=solver, solvers=", ".join(SOLVERS)))
    from sklearn.decomposition import PCA as Estimator

    start = perf_counter()
    found = Estimator(k, svd_solver=solver, random_state=seed).fit(x)
    return found.components_, perf_counter() - start


def same_subspace(a: np.ndarray, b: np.ndarray) -> float:
    """The cosine of the largest angle between two subspaces, of orthonormal rows `(k, dim)`: 1 for the same."""
    return float(np.linalg.svd(a.astype(np.float64) @ b.T.astype(np.float64), compute_uv=False)[-1].clip(0, 1))


def _signed(components: np.ndarray) -> np.ndarray:
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
