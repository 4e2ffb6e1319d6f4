"""Components: the principal components of the pictures, the captions, both or the words."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, get_args

import numpy as np

from clipexplore.explore.memory import remembered
from clipexplore.language import _
from clipexplore.maps.pca import (
    PCA,
    SOLVERS,
    Preserved,
    faithfulness,
    gap_alignment,
    lost,
    pca,
    preserved,
    reconstructions,
    same_subspace,
    solve,
)
from clipexplore.reports import Report, silent
from clipexplore.sources.entries import Kind
from clipexplore.space import Hit, Point, Space, What
from clipexplore.store.collection import Collection

CloudName = Literal["pictures", "captions", "both", "words"]

MOST = 10_000  # points of a cloud; a larger one is sampled evenly
GAP = 0.9  # of |cosine| with the modality gap, from which a component is called the gap
RANKS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
EXTREMES = 8  # points listed at each end of a component
WORDS = 6  # listed for each direction of a component
STEPS = range(-3, 4)  # of a walk along a component, in standard deviations


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points of a space and their principal components."""

    points: np.ndarray  # (n, dim) float32
    ids: list[str]
    captions: list[str]
    kinds: list[What]
    whole: int  # how many points there were before sampling
    fit: PCA  # as many components as there are
    gap: np.ndarray | None  # (k,): how far each is the modality gap; None unless pictures and captions are both there

    def hit(self, row: int, rank: int, component: int) -> Hit:
        """A point with its cosine with a component, counted from 1, and as z its coordinate in standard deviations."""
        point = self.fit.prepare(self.points[row])
        along = self.fit.components[component - 1] @ point
        deviation = self.fit.singular_values[component - 1] / np.sqrt(len(self.points))
        cosine = float(along / max(np.linalg.norm(point), 1e-9))
        return Hit(self.ids[row], self.captions[row], cosine, float(along / deviation), rank, self.kinds[row])


def clouds(space: Space) -> list[CloudName]:
    """The clouds there are of what the model has embedded."""
    there = space.searchable
    wanted = {"pictures": ["pictures"], "captions": ["captions"], "both": ["pictures", "captions"], "words": ["words"]}
    return [of for of in get_args(CloudName) if {*wanted[of]} <= {*there}]


@remembered(12)
def cloud(space: Space, of: CloudName = "pictures", center: bool = True, standardize: bool = False) -> Cloud:
    """The pictures or captions of the collection, both, or the words of the word bank, projected as `pca` is told to.

    Raises
    ------
    InputError
        When there are fewer than two points, or all are the same.
    """
    kinds: tuple[What, ...] = ("pictures", "captions") if of == "both" else (of,)
    banks = [space.words if kind == "words" else space.collection for kind in kinds]
    stored: list[Kind] = ["pictures" if kind == "pictures" else "captions" for kind in kinds]
    vectors, rows = (
        [read(bank, space.model.key, kind) for bank, kind in zip(banks, stored, strict=True)]
        for read in (Collection.embeddings, Collection.rows_embedded)
    )
    taken = [each[:: max(1, -(-len(each) * len(kinds) // MOST))] for each in rows]
    points = np.concatenate([each[rows] for each, rows in zip(vectors, taken, strict=True)])
    fit = pca(points, min(points.shape), center=center, standardize=standardize)
    return Cloud(
        points,
        [bank.ids[row] for bank, rows in zip(banks, taken, strict=True) for row in rows],
        [bank.captions[row] for bank, rows in zip(banks, taken, strict=True) for row in rows],
        [kind for kind, rows in zip(kinds, taken, strict=True) for _row in rows],
        sum(map(len, rows)),
        fit,
        gap_alignment(fit, *(each[some] for each, some in zip(vectors, rows, strict=True))) if of == "both" else None,
    )


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How much variance each component takes, and what the first k lose."""

    SHOWN: ClassVar = ("kept", "half", "most", "difference")

    cloud: Cloud
    kept: float  # the share of the variance along the first `rank` components
    half: int  # how many components keep half of it
    most: int  # and 95 %
    ks: tuple[int, ...]  # the numbers of components that losses are given for
    measured: np.ndarray  # (len(ks),): ‖X − X_k‖², of the points
    expected: np.ndarray  # (len(ks),): Σ σᵢ² over i > k
    difference: float  # the largest of the two, as a share of the whole


def spectrum(
    space: Space, of: CloudName = "pictures", center: bool = True, standardize: bool = False, rank: int = 10
) -> Spectrum:
    """The spectrum of a cloud, given as for `cloud`, and what its first `rank` components keep."""
    points = cloud(space, of, center, standardize)
    shares, squares = points.fit.explained_variance_ratio.cumsum(), points.fit.singular_values**2
    half, most = (int(np.searchsorted(shares, share)) + 1 for share in (0.5, 0.95))
    ks, measured = _losses(space, of, center, standardize)
    expected = np.array([squares[k:].sum() for k in ks])
    difference = float(np.abs(measured - expected).max() / squares.sum())
    return Spectrum(points, float(shares[:rank][-1]), half, most, ks, measured, expected, difference)


@remembered(12)
def _losses(space: Space, of: CloudName, center: bool, standardize: bool) -> tuple[tuple[int, ...], np.ndarray]:
    points = cloud(space, of, center, standardize)
    whole = len(points.fit.components)
    ks = (*(k for k in RANKS if k < whole), whole)
    return ks, lost(points.points, points.fit, ks)


@dataclass(frozen=True, eq=False)
class Plane:
    """A cloud along a few of its components."""

    SHOWN: ClassVar = ("shares", "spots")

    cloud: Cloud
    axes: Sequence[int]  # the components, counted from 1
    shares: list[float]  # of the variance along each
    coordinates: np.ndarray  # (n, len(axes)) float32
    points: list[Point]  # the visitor's
    spots: np.ndarray  # (len(points), len(axes)): where these lie


def plane(
    space: Space,
    of: CloudName = "pictures",
    center: bool = True,
    standardize: bool = False,
    axes: Sequence[int] = (1, 2),
    points: Sequence[str] = (),
) -> Plane:
    """A cloud, given as for `cloud`, along some components, counted from 1, with the points of expressions in it."""
    shown, own = cloud(space, of, center, standardize), [space.point(each) for each in points]
    along = [min(axis, len(shown.fit.components)) - 1 for axis in axes]
    fit = replace(shown.fit, components=shown.fit.components[along])
    spots = fit.transform(np.array([point.vector for point in own]).reshape(len(own), shown.points.shape[1]))
    return Plane(
        shown, axes, shown.fit.explained_variance_ratio[along].tolist(), fit.transform(shown.points), own, spots
    )


@dataclass(frozen=True)
class Station:
    """The picture and caption nearest to a point on a way, or to a point rebuilt from `at` components."""

    at: int
    picture: Hit
    caption: str
    cosine: float  # of the picture with the point of the way; of what is rebuilt with the original


@dataclass(frozen=True, eq=False)
class Traversal:
    """One component from end to end."""

    SHOWN: ClassVar = ("share", "low_words", "high_words")

    share: float  # of the variance
    low: list[Hit]  # the points furthest along it, the furthest first; z is the coordinate in standard deviations
    high: list[Hit]
    low_words: list[Hit]  # the words nearest to both directions
    high_words: list[Hit]
    way: list[Station]  # from −3 to 3 standard deviations from the middle


def walk(
    space: Space, of: CloudName = "pictures", center: bool = True, standardize: bool = False, component: int = 1
) -> Traversal:
    """One component, counted from 1, of a cloud given as for `cloud`: its extremes, its words, what lies between."""
    points = cloud(space, of, center, standardize)
    component = min(component, len(points.fit.components))
    along = points.fit.components[component - 1]
    coordinates = points.fit.prepare(points.points) @ along
    order = np.argsort(coordinates, kind="stable")
    low, high = (
        [points.hit(row, rank, component) for rank, row in enumerate(rows[:EXTREMES], 1)]
        for rows in (order, order[::-1])
    )
    middle, stretched = points.points.mean(axis=0), float(coordinates.std()) * along * points.fit.scale
    way = np.stack([middle + step * stretched for step in STEPS])
    pictures, captions = (space.search(way, space.instead_of(kind), 1) for kind in ("pictures", "captions"))
    nearest = zip(STEPS, pictures, captions, strict=True)
    steps = [Station(at, picture, caption.name, picture.cosine) for at, (picture,), (caption,) in nearest]
    share = float(points.fit.explained_variance_ratio[component - 1])
    low_words, high_words = space.search(np.stack([-along, along]), space.instead_of("words"), WORDS)
    return Traversal(share, low, high, low_words, high_words, steps)


@dataclass(frozen=True, eq=False)
class Fingerprint:
    """A point by its coordinates."""

    SHOWN: ClassVar = ("coordinates", "cosines")

    point: Point
    coordinates: np.ndarray  # (k,) float32, along each component
    cosines: np.ndarray  # (k,): of the point with what its first 1, 2, … components make of it
    rebuilt: list[Station]  # the picture nearest to what 1, 2, 4, … components make of it


def fingerprint(
    space: Space, q: str, of: CloudName = "pictures", center: bool = True, standardize: bool = False
) -> Fingerprint:
    """The coordinates of an expression's point in a cloud given as for `cloud`, and the point from its first few."""
    fit, point = cloud(space, of, center, standardize).fit, space.point(q)
    cosines = faithfulness(point.vector, fit)
    ks = [k for k in RANKS if k <= len(cosines)]
    rebuilt = space.search(reconstructions(point.vector, fit, ks), space.instead_of("pictures"), 1)
    nearest = zip(ks, rebuilt, strict=True)
    steps = [Station(k, picture, picture.caption, float(cosines[k - 1])) for k, (picture,) in nearest]
    return Fingerprint(point, fit.transform(point.vector[None])[0], cosines, steps)


@dataclass(frozen=True, eq=False)
class Kept:
    """What some coordinates keep of random pairs: "norms", "inner products" and "distances"."""

    SHOWN: ClassVar = ("exact", "correlation", "remains")

    quantities: dict[str, Preserved]
    exact: list[float]  # of each, the largest difference to the best approximation of that rank, which is rounding
    correlation: list[float]  # of each with the original
    remains: list[float]  # of each, the share of the original


def distances(
    space: Space, of: CloudName = "pictures", center: bool = True, standardize: bool = False, rank: int = 10
) -> Kept:
    """What the first `rank` coordinates of a cloud, given as for `cloud`, keep of norms, products and distances."""
    points = cloud(space, of, center, standardize)
    found = preserved(points.points, points.fit, rank)
    return Kept(
        found,
        [float(np.abs(one.coordinates - one.approximation).max()) for one in found.values()],
        [float(np.corrcoef(one.original, one.coordinates)[0, 1]) for one in found.values()],
        [float(np.abs(one.coordinates).sum() / np.abs(one.original).sum()) for one in found.values()],
    )


@dataclass(frozen=True, eq=False)
class Race:
    """By solver, the seconds it took, and the cosine of the largest angle between its components and ours."""

    seconds: dict[str, float]
    cosines: dict[str, float]


def solvers(
    space: Space,
    of: CloudName = "pictures",
    center: bool = True,
    standardize: bool = False,
    rank: int = 10,
    report: Report = silent,
) -> Race:
    """The first `rank` components of a cloud by each of scikit-learn's solvers, which always centre, beside ours."""
    points, race = cloud(space, of, center, standardize), Race({}, {})
    for number, solver in enumerate(SOLVERS):
        report(number / len(SOLVERS), _("Solving: {solver}").format(solver=solver))
        components, race.seconds[solver] = solve(points.points, rank, solver)
        race.cosines[solver] = same_subspace(components, points.fit.components[:rank])
    return race
