"""UMAP in a few vectorised steps of torch: a first fit within seconds, since nothing is compiled, on a GPU if any.

umap-learn is the reference: tests hold these maps to its maps in trustworthiness and in neighbours kept.

Source: L. McInnes, J. Healy, J. Melville, arXiv 1802.03426, 2018, §§3–4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from clipexplore.errors import InputError
from clipexplore.language import _
from clipexplore.maps.pca import pca
from clipexplore.reports import Report, silent
from clipexplore.vectors import normalize

if TYPE_CHECKING:
    import torch

METRICS = ("cosine", "euclidean")
EPOCHS = 500
PARTS = 4  # of an epoch's edges: all at once, points overshoot, and 5 % fewer neighbours are kept
NEGATIVES = 5  # points pushed away for each neighbour that is drawn near
# A point moves at most so far for one neighbour, times the step, and for all of them together: many copies of a
# picture are neighbours of the same few, which the sum would fling away; umap-learn moves for one after the other.
_FURTHEST = 4.0
_SCORES_AT_ONCE = 1 << 24  # 64 MB of float32


def fit_layout(
    x: np.ndarray,
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
    metric: str = "cosine",
    report: Report = silent,
) -> np.ndarray:
    """A map on which near points were near before: UMAP, as `fit_umap` makes it, some ten times sooner.

    Parameters
    ----------
    x
        `(n, dim)`, at least `n_neighbors` + 2 rows.
    n_neighbors, min_dist, seed, metric
        As for `fit_umap`. Neighbours are exact; the same seed gives the same map on the same device and versions.
    report
        Is called at each step.

    Returns
    -------
    np.ndarray
        `(n, 2)` float32. Only nearness means something on it, not direction, size or empty space.

    Raises
    ------
    InputError
        As `fit_umap`, and where the map does not come out finite.
    """
    check_umap(len(x), n_neighbors, min_dist, metric)
    import torch

    x = normalize(x) if metric == "cosine" else np.asarray(x, np.float32)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    points = torch.from_numpy(x).to(device)
    near, distances = _neighbours(points, n_neighbors, metric, report)
    report(0.3, _("Weighing neighbours"))
    heads, tails, weights = _graph(near, _memberships(distances))
    start = pca(x, 2).transform(x)
    places = torch.from_numpy(10 * start / np.abs(start).max()).to(device)
    places = _arrange(places, heads, tails, weights, curve(min_dist), seed, report)
    if not places.isfinite().all():
        raise InputError(_("The fit did not settle; change min_dist or the seed."))
    return places.cpu().numpy()


def curve(min_dist: float) -> tuple[float, float]:
    """a and b for which 1 / (1 + a d^(2b)) falls as a cloud does whose points may be `min_dist` apart."""
    from scipy.optimize import curve_fit

    d = np.linspace(0, 3, 300)
    wanted = np.where(d < min_dist, 1.0, np.exp(-(d - min_dist)))
    return tuple(curve_fit(lambda d, a, b: 1 / (1 + a * d ** (2 * b)), d, wanted)[0])


def _neighbours(points: torch.Tensor, k: int, metric: str, report: Report) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows and distances of each point's k nearest, itself first, as umap-learn counts: `(n, k)` each."""
    import torch

    count, squares, found = len(points), (points**2).sum(1), []
    together = max(1, _SCORES_AT_ONCE // count)
    for start in range(0, count, together):
        report(0.3 * start / count, _("Finding neighbours"))
        closeness = points[start : start + together] @ points.T
        if metric == "euclidean":
            closeness = 2 * closeness - squares  # minus the squared distance, up to the point's own
        rows = torch.arange(start, start + len(closeness), device=points.device)
        closeness[torch.arange(len(closeness)), rows] = torch.inf
        found.append(closeness.topk(k, dim=1).indices)
    near = torch.cat(found)
    if metric == "euclidean":
        distances = torch.stack([(points[column] - points).norm(dim=1) for column in near.T], dim=1)
    else:
        distances = torch.stack([1 - (points[column] * points).sum(1) for column in near.T], dim=1)
    distances[:, 0] = 0  # to itself, and not to rounding
    return near, distances.clamp(min=0)


def _memberships(distances: torch.Tensor) -> torch.Tensor:
    """How much each neighbour belongs, `(n, k)` in (0, 1]: the nearest wholly, all together log2 k (§3.1)."""
    import torch

    rho, target = distances[:, 1:2], np.log2(distances.shape[1])
    beyond = (distances - rho).clamp(min=0)
    low, high = torch.zeros_like(rho), torch.full_like(rho, torch.inf)
    sigma = torch.ones_like(rho)
    for _step in range(64):  # bisection, of all points at once
        too_wide = torch.exp(-beyond[:, 1:] / sigma).sum(1, keepdim=True) > target
        high, low = torch.where(too_wide, sigma, high), torch.where(too_wide, low, sigma)
        sigma = torch.where(high.isinf(), 2 * sigma, (low + high) / 2)
    return torch.exp(-beyond / sigma.clamp(min=1e-3 * distances.mean()))


def _graph(near: torch.Tensor, memberships: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The edges both ways, `(e,)` each: heads, tails, and weights by the union of both points' views, a + b − a b."""
    import torch

    count, k = near.shape
    rows = torch.arange(count, device=near.device)[:, None].expand(-1, k)
    off = near != rows
    there = torch.sparse_coo_tensor(
        torch.stack([rows[off], near[off]]), memberships[off], (count, count), check_invariants=False
    )
    back = there.transpose(0, 1)
    union = (there + back - (there.coalesce() * back.coalesce())).coalesce()
    (heads, tails), weights = union.indices(), union.values()
    kept = weights > weights.max() / EPOCHS  # would not be drawn once
    return heads[kept], tails[kept], weights[kept]


def _arrange(
    places: torch.Tensor,
    heads: torch.Tensor,
    tails: torch.Tensor,
    weights: torch.Tensor,
    ab: tuple[float, float],
    seed: int,
    report: Report,
) -> torch.Tensor:
    """Draws neighbours near and pushes random others away (§4), each edge as often as it weighs, as in umap-learn."""
    import torch

    dice = torch.Generator(device=places.device).manual_seed(seed)
    chance = weights / weights.max()
    # where in its interval an edge begins
    turn = torch.rand(len(chance), generator=dice, dtype=torch.float32, device=places.device)
    for epoch in range(EPOCHS):
        report(0.3 + 0.7 * epoch / EPOCHS, _("Arranging points"))
        turn = turn + chance
        drawn = (turn >= 1).nonzero()[:, 0]
        turn[drawn] -= 1
        order = drawn[torch.randperm(len(drawn), generator=dice, device=places.device)]
        for some in order.chunk(PARTS):
            moves = _moves(places, heads[some], tails[some], ab, dice)
            places = places + (1 - epoch / EPOCHS) * moves.clamp(-_FURTHEST, _FURTHEST)
    return places


def _moves(
    places: torch.Tensor, head: torch.Tensor, tail: torch.Tensor, ab: tuple[float, float], dice: torch.Generator
) -> torch.Tensor:
    """Where all edges from `head` to `tail` pull each point: both ends together, heads away from some others."""
    import torch

    (a, b), count = ab, len(places)
    apart = places[head] - places[tail]
    square = (apart**2).sum(1, keepdim=True)
    pull = -2 * a * b * square.clamp(min=1e-12) ** (b - 1) / (1 + a * square**b)
    step = (torch.where(square > 0, pull, 0) * apart).clamp(-_FURTHEST, _FURTHEST)
    moves = _added(_added(torch.zeros_like(places), head, step), tail, -step)
    others, pushed = (
        torch.randint(count, (len(head) * NEGATIVES,), generator=dice, device=places.device),
        head.repeat(NEGATIVES),
    )
    apart = places[pushed] - places[others]
    square = (apart**2).sum(1, keepdim=True)
    push = 2 * b / ((0.001 + square) * (1 + a * square**b))
    return _added(moves, pushed, (push * apart).clamp(-_FURTHEST, _FURTHEST))


def _added(moves: torch.Tensor, rows: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """`moves` with each step added to its row, always in the same order, which decides the last bits of the map."""
    return moves.index_put_((rows,), steps, accumulate=True) if moves.is_cuda else moves.index_add_(0, rows, steps)


def check_umap(count: int, n_neighbors: int, min_dist: float, metric: str) -> None:
    """Raises an InputError for a setting of UMAP that is out of range, and when `count` points are too few for it."""
    if n_neighbors < 2:
        raise InputError(_("n_neighbors is {value} and must be at least 2; raise it.").format(value=n_neighbors))
    if not 0 <= min_dist <= 1:
        raise InputError(_("min_dist is {value} and must be between 0 and 1; change it.").format(value=min_dist))
    if metric not in METRICS:
        message = _("The metric {metric!r} is unknown; choose one of: {metrics}.")
        raise InputError(message.format(metric=metric, metrics=", ".join(METRICS)))
    if count < n_neighbors + 2:
        message = _("{count} points are too few for {n_neighbors} neighbours; lower n_neighbors or use PCA.")
        raise InputError(message.format(count=count, n_neighbors=n_neighbors))
