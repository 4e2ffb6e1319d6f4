"""Map's region: what is drawn or clicked becomes text, as it stands in the link, and the text becomes pictures and lines.

A region is a polygon "x y, x y, …" in the coordinates of the map, or the `@id` of one picture.
"""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.projection import inside
from clipexplore.retrieval.nearest import search
from clipexplore.space import Hit

from .cloud import Overlay
from .expressions import show_error
from .maps import NEIGHBORS, Layout, pictures
from .session import space
from .texts import text

CORNERS = 40  # of a region, so that it fits into a link
NEAR = 24  # pictures that are listed for one picture
LISTED = 48  # of the pictures inside a polygon, however many those are


@dataclass(frozen=True, eq=False)
class Chosen:
    """What a region holds: the rows of all its pictures `(m,)`, and those of them that are listed, best first."""

    rows: np.ndarray
    hits: list[Hit]


def take_region(corners: list[list[float]]) -> None:
    """A drawn polygon becomes the text of the region, [] no region; of many corners every few are kept."""
    step = max(1, -(-len(corners) // CORNERS))
    st.session_state["region"] = ", ".join(f"{x:.5g} {y:.5g}" for x, y in corners[::step])


def take_picture(ids: list[str], row: int) -> None:
    """A clicked picture becomes the text of the region."""
    if 0 <= row < len(ids):
        st.session_state["region"] = f"@{ids[row]}"


def corners_of(region: str) -> np.ndarray:
    """The corners `(c, 2)` of a polygon as it is written.

    Raises
    ------
    InputError
        For what is no polygon.
    """
    try:
        corners = np.array([[float(number) for number in corner.split()] for corner in region.split(",")])
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise ValueError
    except ValueError:
        raise InputError("The region is no polygon; write three or more corners as x y, x y, … or the @id of a picture.") from None
    return corners


def chosen_by(layout: Layout, region: str, rows: np.ndarray) -> Chosen | None:
    """The pictures of a region, of those whose rows are shown: inside a polygon, nearest its middle first, or nearest a picture in the true space; None for none."""
    if not region.strip():
        return None
    try:
        if region.strip().startswith("@"):
            hits = near_hits(space().point(region).vector, rows, NEAR)
            return Chosen(np.array([space().collection.row(hit.id) for hit in hits]), hits) if hits else None
        corners = corners_of(region)
    except InputError as error:
        show_error(error)
        return None
    held = rows[inside(layout.pictures[rows, :2], corners)]
    return Chosen(held, _around_middle(held)) if len(held) else None


def near_hits(vector: np.ndarray, rows: np.ndarray, k: int) -> list[Hit]:
    """The k pictures nearest to a vector `(dim,)` among those of these rows; z against all pictures."""
    if not len(rows):
        return []
    found, collection = search(vector[None], pictures(), k, exclude=_all_but(rows)), space().collection
    listed = zip(found.indices[0].tolist(), found.cosines[0].tolist(), found.z[0].tolist(), strict=True)
    return [Hit(collection.ids[row], collection.captions[row], cosine, z, rank, "pictures") for rank, (row, cosine, z) in enumerate(listed, 1)]


def _around_middle(rows: np.ndarray) -> list[Hit]:
    held = np.zeros(len(pictures()), np.float32)
    held[rows] = 1 / len(rows)
    return near_hits(held @ pictures(), rows, LISTED)  # one pass; picking the rows would copy them


def _all_but(rows: np.ndarray) -> np.ndarray:
    others = np.ones(len(pictures()), bool)
    others[rows] = False
    return np.flatnonzero(others)


def region_overlay(layout: Layout, region: str, rows: np.ndarray) -> Overlay:
    """What a region adds to the map: its polygon, or lines from a picture to its true nearest among those whose rows are shown."""
    over = Overlay()
    row = _row_of(region, rows)
    if row is not None:
        nearest = layout.pictures[_true_nearest(row, rows)]
        over.lines.extend((*layout.pictures[row].tolist(), *each) for each in nearest.tolist())
        return Overlay(over.marks, over.labels, over.lines, None, row)
    try:
        return Overlay(region=[(float(x), float(y)) for x, y in corners_of(region)])
    except InputError:  # said where the pictures are listed
        return over


def say_neighbours(layout: Layout, region: str, rows: np.ndarray) -> None:
    """For one picture, how many of its true nearest are among its nearest on the map, of those whose rows are shown."""
    row = _row_of(region, rows)
    if row is None:
        return
    others = rows[rows != row]
    distances = np.square(layout.pictures[others] - layout.pictures[row]).sum(axis=1)
    on_map, truly = others[np.argsort(distances, kind="stable")[:NEIGHBORS]], _true_nearest(row, rows)
    st.caption(text("map.neighbours_say", k=len(truly), count=len(np.intersect1d(on_map, truly))))


def _row_of(region: str, rows: np.ndarray) -> int | None:
    """The row of the picture of the collection that a region is, if it is one and shown."""
    written = region.strip()
    if not (written.startswith("@") and written[1:] in space().collection):
        return None
    row = space().collection.row(written[1:])
    return row if row in rows else None


def _true_nearest(row: int, rows: np.ndarray) -> np.ndarray:
    """Of the rows those of the pictures nearest to one in the true space, itself left out."""
    others = rows[rows != row]
    return search(pictures()[row][None], pictures(), NEIGHBORS, exclude=_all_but(others)).indices[0] if len(others) else others
