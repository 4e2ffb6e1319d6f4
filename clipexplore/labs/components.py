"""Principal components taken apart: what they keep, what they lose, and how a point is made of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.maps.pca import PCA
from clipexplore.vectors import cosine_similarity

SOLVERS = ("full", "covariance_eigh", "arpack", "randomized")
_BLOCK = 4096  # rows taken at a time, so that the float64 copies stay small


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
