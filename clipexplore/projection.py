"""Maps: embeddings projected to a plane, and new points placed on it.

Separate because it is a lesson of its own, and UMAP is slow to import.
"""

import threading
from dataclasses import dataclass

import numpy as np

from clipexplore.errors import InputError
from clipexplore.retrieval.nearest import search
from clipexplore.vectors import normalize

METRICS = ("cosine", "euclidean")
_BLOCK = 4096  # rows centred at a time, so that the float64 copies stay small
# In cosine. Of 250 text vectors of CLIP B/32 left out of a map, 13 % did not land among the 15 points of the map around
# their nearest neighbour; 25 % did not with 0.01, and 42 % with 0.02.
_SOFTNESS = 0.005
_one_fit = threading.Lock()  # two umap fits at once abort the process (umap#665)


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
        """The points `(n, dim)`, float32, at coordinates `(n, j)`, j ≤ k: of all that have them, the nearest to the mean."""
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
        raise InputError(f"A projection needs at least 2 points and has {count}; add some.")
    if not 1 <= k <= min(count, dim):
        raise InputError(f"{count} points of {dim} numbers have 1 to {min(count, dim)} components, not {k}; change k.")
    mean = x.mean(axis=0, dtype=np.float64)
    around_mean = _scatter(x, mean)  # (dim, dim)
    size = count * mean @ mean
    if np.trace(around_mean) <= 1e-12 * (np.trace(around_mean) + size):  # a spread of a millionth of the size is rounding
        raise InputError("All points are the same, so there is nothing to project; add different ones.")
    deviation = np.sqrt(np.diag(around_mean) / count)
    scale = np.where(standardize & (deviation > 1e-7), deviation, 1.0)
    values, components, total = _principal(x, mean * center, scale, around_mean + count * (not center) * np.outer(mean, mean))
    values, components = values[:k], components[:k]
    largest = np.take_along_axis(components, np.abs(components).argmax(axis=1, keepdims=True), axis=1)
    components = (components * np.sign(largest)).astype(np.float32)
    mean = mean.astype(np.float32) if center else np.zeros(dim, np.float32)
    return PCA(mean, components, values / total, np.sqrt(values), scale.astype(np.float32))


def _principal(x: np.ndarray, origin: np.ndarray, scale: np.ndarray, scatter: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Squared singular values, falling, of the rows around the origin, divided by `scale`; their vectors `(rank, dim)`; the sum of all squares."""
    if len(x) < len(scatter):  # of few points themselves, a fraction of the work
        _, singular, vectors = np.linalg.svd((x - origin) / scale, full_matrices=False)
        return singular**2, vectors, float((singular**2).sum())
    scatter = scatter / np.outer(scale, scale)
    values, vectors = np.linalg.eigh(scatter)  # rising
    return np.clip(values[::-1], 0, None), vectors.T[::-1], float(np.trace(scatter))


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


def across_gap(pictures: np.ndarray, captions: np.ndarray) -> np.ndarray:
    """Pictures `(n, dim)` moved to where the captions are, so that the nearest captions are not the few that lie towards all pictures."""
    return pictures + (captions.mean(axis=0) - pictures.mean(axis=0))


def fit_umap(x: np.ndarray, n_neighbors: int = 15, min_dist: float = 0.1, seed: int = 0, metric: str = "cosine") -> np.ndarray:
    """A map on which near points were near before: UMAP by umap-learn, the reference.

    Takes about 10 s for 10,000 points on one core, and up to a minute more the first time in a process, which compiles.
    One fit runs at a time; others wait. `layout.fit_layout` is faster and holds to this one.

    Parameters
    ----------
    x
        `(n, dim)`, at least `n_neighbors` + 2 rows.
    n_neighbors
        At least 2: few show detail, many the large picture.
    min_dist
        In [0, 1]: how closely points may be packed, in units of the map.
    seed
        The same seed gives the same map, on the same versions and the same kind of machine.
    metric
        "cosine" or "euclidean".

    Returns
    -------
    np.ndarray
        `(n, 2)` float32. Only nearness means something on it, not direction, size or empty space.

    Raises
    ------
    InputError
        When a setting is out of range or there are too few points.

    Source
    ------
    L. McInnes, J. Healy, J. Melville, UMAP: uniform manifold approximation and projection, arXiv 1802.03426, 2018.
    """
    return umap_and_transform(x, None, n_neighbors, min_dist, seed, metric)[0]


def umap_and_transform(
    x: np.ndarray, query: np.ndarray | None, n_neighbors: int = 15, min_dist: float = 0.1, seed: int = 0, metric: str = "cosine", verbose: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """The map of `fit_umap`, and where umap-learn's own `.transform` puts new points `(q, dim)` on it: `(n, 2)` and `(q, 2)`.

    `verbose` lets umap-learn print how far it is.

    Raises
    ------
    InputError
        As `fit_umap`.
    """
    check_umap(len(x), n_neighbors, min_dist, metric)
    with _one_fit:
        from umap import UMAP

        said = {"verbose": verbose, "tqdm_kwds": {"disable": True}}
        fit = UMAP(n_neighbors=n_neighbors, min_dist=min_dist, metric=metric, random_state=seed, n_jobs=1, **said)
        coordinates = fit.fit_transform(normalize(x)).astype(np.float32)
        if query is None or not len(query):
            return coordinates, np.empty((0, 2), np.float32)
        return coordinates, fit.transform(normalize(query)).astype(np.float32)


def check_umap(count: int, n_neighbors: int, min_dist: float, metric: str) -> None:
    """Raises InputError when a setting of UMAP is out of range, or `count` points are too few for it."""
    if n_neighbors < 2:
        raise InputError(f"n_neighbors is {n_neighbors} and must be at least 2; raise it.")
    if not 0 <= min_dist <= 1:
        raise InputError(f"min_dist is {min_dist} and must be between 0 and 1; change it.")
    if metric not in METRICS:
        raise InputError(f"The metric {metric!r} is unknown; choose one of: {', '.join(METRICS)}.")
    if count < n_neighbors + 2:
        raise InputError(f"{count} points are too few for {n_neighbors} neighbours; lower n_neighbors or use PCA.")


def _scatter(x: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The scatter matrix `(dim, dim)`, float64: the covariance times the number of points."""
    scatter = np.zeros((x.shape[1], x.shape[1]))
    for start in range(0, len(x), _BLOCK):
        centred = x[start : start + _BLOCK] - mean
        scatter += centred.T @ centred
    return scatter


def inside(points: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Which points `(n, 2)` lie inside a polygon of `(c, 2)` corners, `(n,)` bool.

    A point is inside when a ray from it crosses the border an odd number of times; the border may cross itself.
    """
    within = np.flatnonzero(((points >= corners.min(axis=0)) & (points <= corners.max(axis=0))).all(axis=1))
    x, y = np.asarray(points, np.float64)[within].T
    odd = np.zeros(len(within), bool)
    with np.errstate(divide="ignore", invalid="ignore"):
        for (x1, y1), (x2, y2) in zip(corners, np.roll(corners, -1, axis=0), strict=True):  # one at a time: a million points fit
            odd ^= ((y1 > y) != (y2 > y)) & (x < (x2 - x1) * (y - y1) / (y2 - y1) + x1)
    found = np.zeros(len(points), bool)
    found[within] = odd
    return found
