"""Map: the pictures of a collection on a plane, how far it can be trusted, and what lies where on it.

Sources: Eckart and Young 1936 (PCA); McInnes et al., arXiv 1802.03426 (UMAP); Venna and Kaski 2001 (trust).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar, Literal

import numpy as np
import pandas as pd

from clipexplore.errors import MissingError
from clipexplore.explore.memory import remembered
from clipexplore.explore.search import rows_with
from clipexplore.language import _
from clipexplore.maps.clusters import dense_groups, group, group_names
from clipexplore.maps.pca import PCA, pca
from clipexplore.maps.place import corners_of, inside, onto, place
from clipexplore.maps.reference import fit_umap_apart
from clipexplore.maps.trust import Trust, trust_in
from clipexplore.maps.umap import fit_layout
from clipexplore.reports import Report, silent
from clipexplore.space import Hit, Point, Space
from clipexplore.store.opening import waits_for_map

Method = Literal["pca", "umap", "own"]
Placing = Literal["neighbours", "transform"]
Grouping = Literal["k-means", "hdbscan"]

COMPONENTS = 50  # that can be an axis
NEIGHBORS = 15  # that a map is judged by
LOOKED_AT = 1e7  # cosines computed to judge a map; of a larger one, rows are drawn at random
NEAR = 24  # pictures listed for one picture
LISTED = 48  # pictures listed of those inside a polygon, however many there are


@dataclass(frozen=True, eq=False)
class Layout:
    """Where the pictures of a collection lie."""

    SHOWN: ClassVar = ("trust.trustworthiness", "trust.shares.mean()", "coordinates")

    coordinates: np.ndarray  # (n, 2) float32, in row order; (n, 3) in space
    trust: Trust  # how far neighbours on the map are neighbours in the space
    place: Callable[[np.ndarray], np.ndarray]  # where any vectors would lie: (q, dim) → (q, 2) or (q, 3)
    components: tuple[int, ...] = ()  # of PCA: which the axes are, counted from 1
    shares: tuple[float, ...] = ()  # of the variance, along each of these
    fitted: int = 0  # of UMAP: to how many points
    fitted_trust: Trust | None = None  # of the bundled UMAP: in the captions it was fitted to
    placed: dict[str, tuple[np.ndarray, Trust]] | None = None  # of umap-learn: coordinates by each way of placing

    def by(self, placing: Placing) -> Layout:
        """The same map with the pictures placed in that way, where there is a choice."""
        if not self.placed:
            return self
        coordinates, trust = self.placed[placing]
        return replace(self, coordinates=coordinates, trust=trust)

    def spot(self, space: Space, point: Point) -> np.ndarray:
        """Where a point lies, `(2,)` or `(3,)`: a picture of the collection where the map has it."""
        written = str(point.expression)
        if written.startswith("@") and written[1:] in space.collection:
            return self.coordinates[space.collection.row(written[1:])]
        return self.place(point.vector[None])[0]


def lay_out(
    space: Space,
    method: Method = "pca",
    x: int = 1,
    y: int = 2,
    solid: bool = False,
    fit: Literal["background", "collection", "both"] = "background",
    n_neighbors: int = 15,
    min_dist: float = 0.1,
    seed: int = 0,
    metric: Literal["cosine", "euclidean"] = "cosine",
    fitter: Literal["torch", "umap-learn"] = "torch",
    placing: Placing = "neighbours",
    report: Report = silent,
) -> Layout:
    """The pictures of the collection on a map.

    Parameters
    ----------
    method
        "pca" for two principal components, "umap" for the bundled UMAP of captions, "own" for one fitted now, in up to
        a minute.
    x, y
        Of PCA: the components along the axes, counted from 1; the last one stands for any beyond it.
    solid
        Of PCA: whether there is a third axis, the first component that is on neither of the others.
    fit
        What one's own UMAP is fitted to: the background captions, with pictures placed among them, pictures, or both.
    n_neighbors, min_dist, seed, metric
        As `fit_umap` takes them.
    fitter
        Our own UMAP, or umap-learn in a process of its own.
    placing
        How umap-learn places pictures on the background: by the mean of their nearest captions or by its `transform`.
    report
        Is told how far a fit is, in [0, 1], and the name of its stage; may raise to stop it.

    Raises
    ------
    InputError
        When there are too few pictures, and for a setting that is out of range.
    """
    if method == "pca":
        return _pca_layout(space, x, y, solid, report=report)
    if method == "umap":
        return _bundled_layout(space)
    return _own_layout(space, fit, n_neighbors, min_dist, seed, metric, fitter, report).by(placing)


@remembered(16)
def _components(space: Space, report: Report = silent) -> PCA:
    embeddings = space.embeddings()
    report(0, _("Finding components"))
    return pca(embeddings, min(COMPONENTS, *embeddings.shape))


@remembered(32)
def _pca_layout(space: Space, x: int, y: int, solid: bool, report: Report = silent) -> Layout:
    every = _components(space, report=report)
    axes = [x, y, min({1, 2, 3} - {x, y})] if solid else [x, y]
    rows = [min(axis, len(every.components)) - 1 for axis in axes]
    plane = replace(every, components=every.components[rows])
    coordinates = plane.transform(space.embeddings())
    shares = tuple(every.explained_variance_ratio[rows].tolist())
    report(0.5, _("Comparing with the true space"))
    trust = _judged(space.embeddings(), coordinates)
    return Layout(coordinates, trust, plane.transform, tuple(row + 1 for row in rows), shares)


@remembered(8)
def _bundled_layout(space: Space) -> Layout:
    captions = space.background.embeddings(space.model.key, "captions")
    places = space.background.coordinates(space.model.key, "umap")
    if places is None and waits_for_map(space.background, space.model.key):
        message = _("The map of {title} by the model {model} is not fitted yet; the app does so in the background,")
        message += _(" come back in a minute.")
        raise MissingError(message.format(title=space.background.title, model=space.model.key))
    if places is None:
        raise MissingError(_("There is no UMAP of the background captions for this model; choose PCA or fit your own."))
    stored = space.collection.coordinates(space.model.key, "umap")
    coordinates = place(_among(captions, space), captions, places) if stored is None else stored
    anywhere = partial(place, background=captions, coordinates=places)
    trust, fitted = _judged(space.embeddings(), coordinates), _judged(captions, places)
    return Layout(coordinates, trust, anywhere, fitted=len(captions), fitted_trust=fitted)


def _own_layout(
    space: Space, fit: str, n_neighbors: int, min_dist: float, seed: int, metric: str, fitter: str, report: Report
) -> Layout:
    pictures = anchors = space.embeddings()
    query = None
    if fit != "collection":
        captions = space.background.embeddings(space.model.key, "captions")
        anchors = captions if fit == "background" else np.concatenate([captions, pictures])
        query = _among(captions, space) if fit == "background" else None
    settings: dict[str, Any] = {"n_neighbors": n_neighbors, "min_dist": min_dist, "seed": seed, "metric": metric}
    moved = None
    if fitter == "torch":
        places = fit_layout(anchors, **settings, report=report)
    else:
        report(0, _("umap-learn is compiling; this takes up to a minute"))
        places, moved = fit_umap_apart(anchors, query, report, **settings)
    coordinates = places[-len(pictures) :] if query is None else place(query, anchors, places)
    placed = {"neighbours": (coordinates, _judged(pictures, coordinates))}
    if moved is not None and len(moved):
        placed["transform"] = moved, _judged(pictures, moved)
    anywhere = partial(place, background=anchors, coordinates=places)
    several = placed if len(placed) > 1 else None
    return Layout(*placed["neighbours"], anywhere, fitted=len(anchors), placed=several)


def _among(captions: np.ndarray, space: Space) -> np.ndarray:
    """The items where captions lie: pictures are moved across the gap."""
    return onto(space.embeddings(), captions) if space.kind == "pictures" else space.embeddings()


def _judged(x: np.ndarray, coordinates: np.ndarray) -> Trust:
    """What a map is worth, by all points or, of very many, by some drawn at random."""
    count, rows = len(x), None
    if count**2 > LOOKED_AT:
        rows = np.random.default_rng(0).choice(count, max(200, int(LOOKED_AT / count)), replace=False)
    return trust_in(x, coordinates, min(NEIGHBORS, (count - 1) // 2), rows)


def grouped(
    space: Space, layout: Layout, by: Grouping, count: int, report: Report = silent
) -> tuple[np.ndarray, list[str]]:
    """The group of each picture `(n,)`, −1 for none, and a word of the word bank for each group, the largest first.

    k-means makes `count` groups in the space; HDBSCAN makes about as many on the map, and leaves some pictures out.
    """
    points = space.embeddings()
    report(0, _("Grouping"))  # how long that takes is not known
    if by == "k-means":
        groups = group(points, min(count, len(points)))
    else:
        groups = dense_groups(layout.coordinates, max(2, len(points) // (12 * count)))
    report(0.8, _("Finding names"))
    return groups, _names_of(space, points, groups)


def _names_of(space: Space, points: np.ndarray, groups: np.ndarray) -> list[str]:
    """A word for each group; where the model has embedded no words, the caption nearest to it or else a number."""
    bank = space.words if "words" in space.searchable else space.collection
    if "captions" in bank.embedded(space.model.key):
        rows = bank.rows_embedded(space.model.key, "captions")
        names = [bank.captions[row] or f"@{bank.ids[row]}" for row in rows]
        if len(set(names)) > groups.max():
            return group_names(points, groups, bank.embeddings(space.model.key, "captions")[rows], names)
    return [_("group {number}").format(number=number + 1) for number in range(groups.max() + 1)]


def kept(
    fields: pd.DataFrame, facet: str, only: Sequence[str], cosines: np.ndarray | None = None, least: float = -1.0
) -> np.ndarray:
    """The rows `(m,)`, in order, with a value of `only`, if any, in `facet`, and a cosine of at least `least`."""
    rows = rows_with(fields, facet, only)
    rows = np.arange(len(fields)) if rows is None else rows
    return rows if cosines is None else rows[cosines[rows] >= least]


@dataclass(frozen=True, eq=False)
class Region:
    """What a region of a map holds."""

    rows: np.ndarray  # (m,): all its pictures
    hits: list[Hit]  # those listed: nearest the middle of a polygon's pictures first, or nearest a picture
    corners: np.ndarray | None = None  # (c, 2), of a polygon
    row: int | None = None  # of the picture of the collection that the region is, if it is one
    nearest: np.ndarray | None = None  # the rows nearest to that picture in the space
    near_here: int = 0  # how many of these are among as many nearest on the map


def region_of(space: Space, layout: Layout, region: str, rows: np.ndarray) -> Region:
    """The pictures of a region, of those whose `rows` are shown.

    Parameters
    ----------
    region
        A polygon "x y, x y, …" in the coordinates of the map, or an expression that begins with "@".

    Raises
    ------
    InputError
        For what is neither.
    """
    if region.strip().startswith("@"):
        return _around(space, layout, region.strip(), rows)
    corners = corners_of(region)
    held = rows[inside(layout.coordinates[rows, :2], corners)]
    return Region(held, near(space, _middle(space.embeddings(), held), held, LISTED), corners)


def _middle(pictures: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """The mean of some rows in one pass: to pick a million of them would copy them."""
    weights = np.zeros(len(pictures), np.float32)
    weights[rows] = 1 / max(len(rows), 1)
    return weights @ pictures


def _around(space: Space, layout: Layout, region: str, rows: np.ndarray) -> Region:
    hits = near(space, space.point(region).vector, rows, NEAR)
    listed = np.array([space.collection.row(hit.id) for hit in hits], int)
    row = space.collection.row(region[1:]) if region[1:] in space.collection else None
    if row is None or row not in rows:
        return Region(listed, hits)
    others = rows[rows != row]
    found = near(space, space.embeddings()[row], others, NEIGHBORS)
    nearest = np.array([space.collection.row(hit.id) for hit in found], int)
    distances = np.square(layout.coordinates[others] - layout.coordinates[row]).sum(axis=1)
    here = others[np.argsort(distances, kind="stable")[:NEIGHBORS]]
    return Region(listed, hits, row=row, nearest=nearest, near_here=len(np.intersect1d(here, nearest)))


def near(space: Space, vector: np.ndarray, rows: np.ndarray, k: int) -> list[Hit]:
    """The k pictures nearest to a vector `(dim,)` among those of some rows, which z is against."""
    if not len(rows):
        return []
    return space.search(vector, space.kind, k, among=None if len(rows) == len(space.collection) else rows)
