"""Map's colours: by a field, by similarity to an expression, by how far the map can be trusted there, or by groups with names."""

from dataclasses import dataclass

import numpy as np
import streamlit as st

from clipexplore import links
from clipexplore.clusters import dense_groups, group, group_names
from clipexplore.space import Point
from clipexplore.worker import Job

from .cloud import REST, Overlay, Shades, draw_cloud, draw_sheet, heat, packed, sheet_name
from .expressions import expression_box
from .fits import fitted
from .maps import Layout, judged, pictures
from .regions import region_overlay, take_picture, take_region
from .session import space
from .texts import text

SHARES = 10  # values of a field with a colour of their own, the most frequent; the rest is grey
OWN_VALUES = {"boxes", "thing"}  # fields with another value for nearly every item
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
    fields = [name for name in space().collection.fields.columns if name not in OWN_VALUES]
    names = [*fields, *(name for name in COMPUTED if name not in fields)]
    index = names.index(defaults["color"]) if defaults["color"] in names else 0
    name = st.selectbox(text("map.color"), names, index=index, key="color", bind="query-params")
    if name == SIMILARITY:
        return Coloring(name, expression_box(defaults["heat"], key="heat", label=text("map.heat_to")))
    if name == GROUPS:
        by = st.segmented_control(text("map.by"), ["k-means", "hdbscan"], default=defaults["by"], required=True, key="by", bind="query-params", help=text("map.by_help"))
        return Coloring(name, by=by, groups=st.slider(text("map.groups"), 2, 40, defaults["groups"], key="groups", bind="query-params"))
    return Coloring(name)


def shades_of(coloring: Coloring, layout: Layout) -> tuple[Shades, Overlay]:
    """The colours of the pictures, and the labels that go with them."""
    if coloring.name == GROUPS:
        return group_shades(layout, coloring.by, coloring.groups)
    if coloring.name == SIMILARITY and coloring.point:
        return similarity_shades(coloring.point), Overlay()
    if coloring.name == TRUST:
        return trust_shades(layout), Overlay()
    if coloring.name in space().collection.fields.columns:
        return field_shades(coloring.name), Overlay()
    return Shades(np.full(len(layout.pictures), REST, np.uint8), [], text("map.rest")), Overlay()


def field_shades(field: str) -> Shades:
    """The most frequent values of a field in a colour each, the rest in grey."""
    values = space().collection.fields[field].astype("string")
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


def group_shades(layout: Layout, by: str, count: int) -> tuple[Shades, Overlay]:
    """Groups of pictures, k-means in the space or HDBSCAN on the map, and their names as labels; grey while they are made."""
    words, points = space().words, pictures()
    vectors = words.embeddings(space().model.key, "captions")

    def make(job: Job) -> tuple[np.ndarray, list[str]]:
        job.report(0.1, text("map.grouping"))
        found = group(points, min(count, len(points))) if by == "k-means" else dense_groups(layout.pictures, max(2, len(points) // (12 * count)))
        job.report(0.8, text("map.naming"))
        return found, group_names(points, found, vectors, words.captions)

    done = fitted(make, ("groups", space().revision, space().collection.name, layout.name, by, count), "groups")
    if done is None:
        return Shades(np.full(len(points), REST, np.uint8), [], text("map.rest")), Overlay()
    groups, names = done
    middles = [np.median(layout.pictures[groups == number], axis=0).tolist() for number in range(len(names))]
    labels = [(*middle, name) for middle, name in zip(middles, names, strict=True)]
    rest = text("map.between") if (groups < 0).any() else ""
    return Shades(np.where(groups < 0, REST, groups).astype(np.uint8), names, rest), Overlay(labels=labels)


def draw_map(layout: Layout, points: list[Point], coloring: Coloring, region: str, rows: np.ndarray) -> None:
    """The pictures of these rows as a cloud, the visitor's points on it as diamonds; click or lasso sets the region."""
    collection, over = space().collection, region_overlay(layout, region, rows)
    shades, labels = shades_of(coloring, layout)
    over.marks.extend((*_spot(layout, point), str(point.expression)[:40]) for point in points)
    there = set(shades.colors[rows].tolist())
    over.labels.extend(label for number, label in enumerate(labels.labels) if number in there)
    alt = text("map.alt", count=len(rows), field=coloring.name)
    ids, some = collection.ids, rows if len(rows) < len(collection) else None
    draw_cloud(packed(layout.pictures, shades, over, layout.axes, alt, sheet_name(collection), some), "cloud", take_region, lambda row: take_picture(ids, row))
    draw_sheet(collection)


def _spot(layout: Layout, point: Point) -> tuple[float, float]:
    """Where a point of the visitor lies: a picture of the collection where the map has it, anything else where the layout puts it."""
    written, collection = str(point.expression), space().collection
    known = written[1:] if written.startswith("@") and written[1:] in collection else None
    x, y = layout.project(point.vector[None])[0] if known is None else layout.pictures[collection.row(known)]
    return float(x), float(y)
