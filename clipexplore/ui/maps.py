"""Map's drawing: where the collection lies on a plane, the visitor's points on top, and what a region holds.

A region is text, as it stands in the link: a polygon "x y, x y, …" in the coordinates of the map, or the `@id` of one picture.
"""

from dataclasses import dataclass
from functools import partial
from io import StringIO

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import streamlit as st

from clipexplore.collection import Collection
from clipexplore.errors import InputError
from clipexplore.projection import PCA, inside, pca, place
from clipexplore.space import Hit, Point

from .expressions import show_error, stack
from .plots import MUTED, chart, mark, plain
from .session import space
from .texts import text

COMPONENTS = 10
SHARES = 10  # values of a field with a colour of their own, the most frequent; the rest is grey
OWN_VALUES = {"boxes", "thing"}  # fields with another value for nearly every item
CORNERS = 40  # of a region, so that it fits into a link


@dataclass(frozen=True, eq=False)
class Layout:
    """A plane: where the pictures lie `(n, 2)`, where any vectors would `(q, dim) → (q, 2)`, its axes and what it is worth."""

    pictures: np.ndarray
    project: object
    axes: tuple[str, str]
    explanation: str


def pca_layout(x: int, y: int) -> Layout:
    """The pictures along two of their principal components, counted from 1."""
    fit = _pca(space(), space().model.key, space().collection.name)
    shares = fit.explained_variance_ratio

    def project(vectors: np.ndarray) -> np.ndarray:
        return fit.transform(vectors)[:, [x - 1, y - 1]]

    axes = tuple(text("map.component", number=each, share=shares[each - 1]) for each in (x, y))
    kept = shares[[x - 1, y - 1]].sum() if x != y else shares[x - 1]
    return Layout(project(_pictures()), project, axes, text("map.pca_says", kept=kept, lost=1 - kept))


def umap_layout() -> Layout:
    """The pictures among the background's captions, whose UMAP is shipped."""
    here = space()

    def project(vectors: np.ndarray) -> np.ndarray:
        return place(vectors, here.background.embeddings(here.model.key, "captions"), here.background.coordinates(here.model.key, "umap"))

    coordinates = here.collection.coordinates(here.model.key, "umap")
    if coordinates is None:
        coordinates = _umap(here, here.model.key, here.collection.name)
    return Layout(coordinates, project, ("UMAP 1", "UMAP 2"), text("map.umap_says", count=len(here.background)))


@st.cache_data(max_entries=16, show_spinner=False)
def _pca(_space, model: str, collection: str) -> PCA:
    return pca(_space.collection.embeddings(model, "pictures"), COMPONENTS)


@st.cache_data(max_entries=16, show_spinner=False)
def _umap(_space, model: str, collection: str) -> np.ndarray:
    background = _space.background
    return place(_space.collection.embeddings(model, "pictures"), background.embeddings(model, "captions"), background.coordinates(model, "umap"))


def _pictures() -> np.ndarray:
    return space().collection.embeddings(space().model.key, "pictures")


def map_fields() -> list[str]:
    """The fields of the collection that can colour a map."""
    return [name for name in space().collection.fields.columns if name not in OWN_VALUES]


def scatter(layout: Layout, points: list[Point], field: str) -> None:
    """Pictures as dots coloured by a field, the visitor's points as labelled diamonds; click or lasso sets the region."""
    collection = space().collection
    values = collection.fields[field].astype("string").fillna(text("map.nothing"))
    common = values.value_counts().index[:SHARES]
    figure = go.Figure()
    for value in [*common, None]:
        rows = np.flatnonzero(values == value if value is not None else ~values.isin(common))
        if len(rows):
            _add_dots(figure, layout, rows, value)
    if points:
        mark(figure, layout.project(stack(points)), [str(point.expression) for point in points], text("map.yours"))
    figure.update_xaxes(title=layout.axes[0], zeroline=False)
    figure.update_yaxes(title=layout.axes[1], zeroline=False)
    chart(figure, text("map.alt", count=len(collection), field=field), key="scatter", height=620, showlegend=True, dragmode="lasso",
          legend=dict(orientation="h", yanchor="top", y=-0.1, itemsizing="constant"), on_select=_select, selection_mode=("points", "lasso", "box"))  # fmt: skip


def _add_dots(figure: go.Figure, layout: Layout, rows: np.ndarray, value: str | None) -> None:
    collection = space().collection
    grey = {"color": MUTED, "opacity": 0.45} if value in (None, text("map.nothing")) else {"opacity": 0.8}
    figure.add_trace(go.Scattergl(
        x=layout.pictures[rows, 0], y=layout.pictures[rows, 1], mode="markers", name=plain(value or text("map.rest")), marker=dict(size=6, **grey),
        customdata=[collection.ids[row] for row in rows], hovertemplate="%{text}<extra></extra>", text=[plain(collection.captions[row]) for row in rows],
    ))  # fmt: skip


def _select() -> None:
    """What was clicked or drawn becomes the text of the region."""
    selection = st.session_state["scatter"].get("selection", {})
    if shapes := [*selection.get("lasso", ()), *selection.get("box", ())]:
        st.session_state["region"] = _written(shapes[-1]["x"], shapes[-1]["y"])
    elif picked := [point["customdata"] for point in selection.get("points", ()) if point.get("customdata")]:
        st.session_state["region"] = f"@{picked[0] if isinstance(picked[0], str) else picked[0][0]}"


def _written(xs: list[float], ys: list[float]) -> str:
    if len(xs) == 2:  # a box is given by two opposite corners
        xs, ys = [xs[0], xs[1], xs[1], xs[0]], [ys[0], ys[0], ys[1], ys[1]]
    step = max(1, -(-len(xs) // CORNERS))
    return ", ".join(f"{x:.3g} {y:.3g}" for x, y in list(zip(xs, ys, strict=True))[::step])


def region_hits(layout: Layout, region: str) -> list[Hit]:
    """The pictures of a region: those inside a polygon, nearest its middle first, or those nearest a picture in the true space."""
    if not region.strip():
        return []
    try:
        if region.strip().startswith("@"):
            return space().search(space().point(region).vector, "pictures", 24)
        corners = _corners(region)
    except InputError as error:
        show_error(error)
        return []
    rows = np.flatnonzero(inside(layout.pictures, corners))
    return _around_middle(rows)


def _corners(region: str) -> np.ndarray:
    try:
        corners = np.array([[float(number) for number in corner.split()] for corner in region.split(",")])
        if corners.ndim != 2 or corners.shape[1] != 2 or len(corners) < 3 or not np.isfinite(corners).all():
            raise ValueError
    except ValueError:
        raise InputError("The region is no polygon; write three or more corners as x y, x y, … or the @id of a picture.") from None
    return corners


def _around_middle(rows: np.ndarray) -> list[Hit]:
    if not len(rows):
        return []
    collection, inner = space().collection, _pictures()[rows]
    cosines = inner @ inner.mean(0) / np.linalg.norm(inner.mean(0))
    return [Hit(collection.ids[row], collection.captions[row], float(cosine), 0.0, rank, "pictures")
            for rank, (cosine, row) in enumerate(sorted(zip(cosines, rows, strict=True), reverse=True), 1)]  # fmt: skip


def layout_download(layout: Layout) -> None:
    """The coordinates of all pictures as CSV."""
    st.download_button(text("result.csv"), partial(_csv, space().collection, layout), "map.csv", "text/csv", key="map-csv", on_click="ignore", icon=":material/download:")


def _csv(collection: Collection, layout: Layout) -> bytes:
    out = StringIO()
    table = pd.DataFrame({"id": collection.ids, "x": layout.pictures[:, 0], "y": layout.pictures[:, 1], "caption": collection.captions})
    table.to_csv(out, index=False, float_format="%.6f")
    return out.getvalue().encode("utf-8-sig")
