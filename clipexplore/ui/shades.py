"""Map's colours: by a field, by similarity to an expression, by how far the map can be trusted there, or by groups with names."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore import links
from clipexplore.maps.clusters import dense_groups, group, group_names
from clipexplore.space import Point
from clipexplore.worker import Job

from .cloud import REST, Shades, draw_cloud, draw_sheet, heat, packed, sheet_name
from .expressions import expression_box
from .filters import facets_here
from .fits import fitted
from .maps import Layout, judged, pictures
from .regions import region_overlay, take_picture, take_region
from .session import space
from .solid import draw_solid
from .texts import text

SHARES = 10  # values of a field with a colour of their own, the most frequent; the rest is grey
PARTS = 8  # that the extent of a group is looked at in, each way, for the place of its name
SIMILARITY, TRUST, GROUPS = "similarity", "trust", "groups"
COMPUTED = (SIMILARITY, TRUST, GROUPS)


@dataclass(frozen=True)
class Coloring:
    """What a visitor wants a map coloured by: the name of a field or of what is computed, and what that needs."""

    name: str
    point: Point | None = None
    by: str = ""
    groups: int = 0


def color_box() -> Coloring:
    """The widgets of what colours a map: the fields of the collection, and what is computed."""
    defaults = links.PAGES["map"]
    table, few = space().collection.fields, facets_here()
    fields = [name for name in table.columns if name in few or on_scale(table[name])]
    names = [*fields, *(name for name in COMPUTED if name not in fields)]
    index = names.index(defaults["color"]) if defaults["color"] in names else 0
    name = st.selectbox(text("map.color"), names, index=index, key="color", bind="query-params")
    if name == SIMILARITY:
        return Coloring(name, expression_box(defaults["heat"], key="heat", label=text("map.heat_to")))
    if name == GROUPS:
        by = st.segmented_control(text("map.by"), ["k-means", "hdbscan"], default=defaults["by"], required=True, key="by", bind="query-params", help=text("map.by_help"))
        return Coloring(name, by=by, groups=st.slider(text("map.groups"), 2, 40, defaults["groups"], key="groups", bind="query-params"))
    return Coloring(name)


def shades_of(coloring: Coloring, layout: Layout) -> Shades:
    """The colours of the pictures."""
    if coloring.name == GROUPS:
        return group_shades(layout, coloring.by, coloring.groups)
    if coloring.name == SIMILARITY and coloring.point:
        return similarity_shades(coloring.point)
    if coloring.name == TRUST:
        return trust_shades(layout)
    if coloring.name in space().collection.fields.columns:
        return _field_shades(space().collection.fields[coloring.name], coloring.name, space().collection.version)
    return Shades(np.full(len(layout.pictures), REST, np.uint8), [], text("map.rest"))


def on_scale(field: pd.Series) -> bool:
    """Whether the values of a field are numbers, and too many for a colour each."""
    return pd.api.types.is_numeric_dtype(field) and field.nunique() > SHARES


@st.cache_data(max_entries=64, show_spinner=False)
def _field_shades(_field: pd.Series, name: str, collection: str) -> Shades:
    return field_shades(_field)


def field_shades(field: pd.Series) -> Shades:
    """Numbers on a scale; of anything else the most frequent values in a colour each, the rest in grey."""
    if on_scale(field):
        return heat(field.to_numpy(float, na_value=np.nan), str(field.name))
    values = field.astype("string")
    common = [value for value in values.value_counts().index[:SHARES]]
    colors = values.map({value: number for number, value in enumerate(common)}).fillna(REST).to_numpy(np.uint8)
    rest = text("map.rest") if (colors == REST).any() else ""
    return Shades(colors, common, rest)


def similarity_shades(point: Point) -> Shades:
    """A heat over the whole map: the cosine of each picture with a point."""
    return heat(space().cosines(point.vector, "pictures"), text("map.heat", q=str(point.expression)))


def trust_shades(layout: Layout) -> Shades:
    """Of each picture's true nearest, the share that is near on the map; grey where it was not looked at."""
    worth, shares = judged(layout), np.full(len(layout.pictures), np.nan)
    shares[worth.rows] = worth.shares
    return heat(shares, text("map.trust_heat"))


def group_shades(layout: Layout, by: str, count: int) -> Shades:
    """Groups of pictures, k-means in the space or HDBSCAN on the map, with their names; grey while they are made."""
    words, points = space().words, pictures()
    vectors = words.embeddings(space().model.key, "captions")

    def make(job: Job) -> tuple[np.ndarray, list[str]]:
        job.report(0, text("map.grouping"))  # no one knows how long a group takes
        found = group(points, min(count, len(points))) if by == "k-means" else dense_groups(layout.pictures, max(2, len(points) // (12 * count)))
        job.report(0.8, text("map.naming"))
        return found, group_names(points, found, vectors, words.captions)

    done = fitted(make, ("groups", space().revision, space().collection.version, layout.name, by, count), "groups")
    if done is None:
        return Shades(np.full(len(points), REST, np.uint8), [], text("map.rest"))
    groups, names = done
    return Shades(np.where(groups < 0, REST, groups).astype(np.uint8), names, text("map.between") if (groups < 0).any() else "")


def middles(places: np.ndarray, shades: Shades) -> list[tuple[float, float, str]]:
    """The names of groups as labels, each where most of those of its points `(n, 2)` lie that there are."""
    there = [number for number in range(len(shades.names)) if (shades.colors == number).any()]
    return [(*_thickest(places[shades.colors == number]).tolist(), shades.names[number]) for number in there]


def _thickest(places: np.ndarray) -> np.ndarray:
    """The middle of those points that lie in the fullest of the parts of their extent; the middle of all might lie where none is."""
    low, high = places.min(axis=0), places.max(axis=0)
    parts = np.floor(PARTS * (places - low) / np.maximum(high - low, 1e-9)).clip(max=PARTS - 1)
    _, part, counts = np.unique(parts, axis=0, return_inverse=True, return_counts=True)
    return np.median(places[part.ravel() == counts.argmax()], axis=0)


def draw_map(layout: Layout, points: list[Point], coloring: Coloring, region: str, rows: np.ndarray) -> None:
    """The pictures of these rows as a cloud, the visitor's points on it as diamonds; click or lasso sets the region, on a plane."""
    collection, over = space().collection, region_overlay(layout, region, rows)
    shades = shades_of(coloring, layout)
    over.marks.extend((*_spot(layout, point), str(point.expression)[:40]) for point in points)
    if coloring.name == GROUPS:
        over.labels.extend(middles(layout.pictures[rows], replace(shades, colors=shades.colors[rows])))
    alt = text("map.alt", count=len(rows), field=coloring.name)
    if len(layout.axes) == 3:
        draw_solid(layout.pictures, shades, over, layout.axes, rows, collection.captions, alt)
        return
    ids, some = collection.ids, rows if len(rows) < len(collection) else None
    draw_cloud(packed(layout.pictures, shades, over, layout.axes, alt, sheet_name(collection), some), "cloud", take_region, lambda row: take_picture(ids, row))
    draw_sheet(collection)


def _spot(layout: Layout, point: Point) -> list[float]:
    """Where a point of the visitor lies: a picture of the collection where the map has it, anything else where the layout puts it."""
    written, collection = str(point.expression), space().collection
    known = written[1:] if written.startswith("@") and written[1:] in collection else None
    return (layout.project(point.vector[None])[0] if known is None else layout.pictures[collection.row(known)]).tolist()
