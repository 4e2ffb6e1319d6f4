"""Map's colours: by a field, by similarity to an expression, by how far to trust the map there, or by named groups."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from hashlib import blake2b

import numpy as np
import pandas as pd

from clipexplore.explore.map import Grouping, Layout, grouped
from clipexplore.explore.memory import remembered
from clipexplore.language import _, language
from clipexplore.space import Point, Space

from .expressions import expression_box
from .filters import facets
from .progress import awaited
from .session import space
from .titles import called, value_called
from .widgets import choice, select, slider

REST = 255  # the colour of points without a named value
SHARES = 10  # values of a field with a colour of their own, the most frequent; the rest is grey
PARTS = 8  # that the extent of a group is divided into, each way, to place its name
SIMILARITY, TRUST, GROUPS = "similarity", "trust", "groups"
COMPUTED = (SIMILARITY, TRUST, GROUPS)


@dataclass(frozen=True, eq=False)
class Shades:
    """The colours of points."""

    colors: np.ndarray  # (n,) uint8: the place of a point's value in `names` or, 0 to 254, on the scale; `REST` is grey
    names: list[str]  # what the colours stand for; empty with a scale
    rest: str = ""  # what grey stands for, "" where nothing is grey
    heat: tuple[str, float, float] | None = None  # title, low and high of a scale

    def of(self, rows: np.ndarray) -> Shades:
        """Those of some points only."""
        return replace(self, colors=self.colors[rows])


@dataclass(frozen=True)
class Coloring:
    """What a map is coloured by: what that is called, what gives the colours of the pictures of a layout, and whether
    the names of the colours stand on the map.
    """

    called: str
    shades: Callable[[Layout], Shades]
    labelled: bool = False


def color_box() -> Coloring:
    """The widgets of what colours a map: the fields of the collection, and what is computed."""
    collection, few = space().collection, facets(space())
    fields = [name for name in collection.fields.columns if name in few or on_scale(collection.fields[name])]
    name = select("color", _("Colour by"), [*fields, *(each for each in COMPUTED if each not in fields)])
    title = called("color", name)
    if name == SIMILARITY:
        point = expression_box("heat", label=_("Similar to"))
        return Coloring(title, lambda layout: _similarity(point) if point else _grey(len(collection)))
    if name == TRUST:
        return Coloring(title, _trust_shades)
    if name != GROUPS:
        return Coloring(title, lambda layout: _field_shades(space(), name, language.get()))
    by = choice(
        "by",
        _("Groups by"),
        ["k-means", "hdbscan"],
        help=_("k-means groups pictures in the true space; HDBSCAN groups what lies together on this map."),
    )
    groups = slider("groups", _("Groups"), 2, 40)
    return Coloring(title, lambda layout: _group_shades(layout, by, groups), labelled=True)


def _grey(count: int) -> Shades:
    return Shades(np.full(count, REST, np.uint8), [], _("others"))


def _similarity(point: Point) -> Shades:
    """The cosine of each picture with a point."""
    title = _("cosine with {q}").format(q=point.expression)
    return heat(space().cosines(point.vector, space().kind), title)


def heat(values: np.ndarray, title: str) -> Shades:
    """Colours on a scale from the lowest to the highest of values `(n,)`; what is not finite is grey."""
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 1.0)
    scaled = (np.where(known, values, low) - low) / max(high - low, 1e-12)
    colors = np.where(known, np.rint(scaled * 254), REST).astype(np.uint8)
    return Shades(colors, [], "" if known.all() else _("not looked at"), (title, low, high))


def on_scale(field: pd.Series) -> bool:
    """Whether the values of a field are numbers, and too many for a colour each."""
    return pd.api.types.is_numeric_dtype(field) and field.nunique() > SHARES


@remembered(64)
def _field_shades(space: Space, name: str, language: str) -> Shades:
    shades = field_shades(space.collection.fields[name])
    return replace(shades, names=list(map(value_called, shades.names)))


def field_shades(field: pd.Series) -> Shades:
    """Numbers on a scale; of anything else the most frequent values in a colour each, the rest in grey."""
    if on_scale(field):
        return heat(field.to_numpy(float, na_value=np.nan), str(field.name))
    values = field.astype("string")
    common = [value for value in values.value_counts().index[:SHARES]]
    colors = values.map({value: number for number, value in enumerate(common)}).fillna(REST).to_numpy(np.uint8)
    return Shades(colors, common, _("others") if (colors == REST).any() else "")


def _trust_shades(layout: Layout) -> Shades:
    """Of each picture's true nearest, the share that is near on the map; grey where it was not looked at."""
    shares = np.full(len(layout.coordinates), np.nan)
    shares[layout.trust.rows] = layout.trust.shares
    return heat(shares, _("share of true neighbours that are near here"))


def _group_shades(layout: Layout, by: Grouping, count: int) -> Shades:
    """Groups of pictures with names; grey, with their progress on screen, while they are made."""
    here = space()
    places = blake2b(np.ascontiguousarray(layout.coordinates).tobytes(), digest_size=8).hexdigest()
    key = ("groups", here.revision, here.collection.version, places, by, count)
    found = awaited(lambda job: grouped(here, layout, by, count, report=job.report), key, "groups")
    if found is None:
        return _grey(len(layout.coordinates))
    groups, names = found
    colors = np.where(groups < 0, REST, groups).astype(np.uint8)
    return Shades(colors, names, _("between groups") if (groups < 0).any() else "")


def middles(places: np.ndarray, shades: Shades) -> list[tuple[float | str, ...]]:
    """The names of groups as labels, each where most of those of its points `(n, 2)` lie that there are."""
    there = [number for number in range(len(shades.names)) if (shades.colors == number).any()]
    return [(*_thickest(places[shades.colors == number]).tolist(), shades.names[number]) for number in there]


def _thickest(places: np.ndarray) -> np.ndarray:
    """The middle of the points in the fullest part of their extent; the middle of all might lie where none is."""
    low, high = places.min(axis=0), places.max(axis=0)
    parts = np.floor(PARTS * (places - low) / np.maximum(high - low, 1e-9)).clip(max=PARTS - 1)
    _parts, part, counts = np.unique(parts, axis=0, return_inverse=True, return_counts=True)
    return np.median(places[part.ravel() == counts.argmax()], axis=0)
