"""Map's parts: the layout, the pictures shown, what a visitor chose, and what there is to say about it."""

from collections.abc import Sequence
from functools import partial
from io import StringIO

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.explore.map import NEIGHBORS, Layout, Region, lay_out, region_of
from clipexplore.language import _
from clipexplore.maps.place import in_sight
from clipexplore.maps.umap import METRICS
from clipexplore.space import Point
from clipexplore.store.collection import Collection
from clipexplore.tables import harmless

from .calls import Call, call
from .cloud import Overlay, draw_cloud, draw_sheet, packed, sheet_name
from .expressions import show_error
from .plots import axis_titles
from .progress import awaited
from .session import run, space
from .shades import Coloring, middles
from .solid import draw_solid
from .widgets import download, number, select, slider, toggle

MOST_ITEMS = 10_000  # that are exported from the page
CORNERS = 40  # of a region, so that it fits into a link
MOST_DRAWN = 1_000_000  # points, 9 MB; of more those in sight, and a few others
SIGHT = "map-sight"


def plane_settings() -> dict[str, object]:
    """The widgets of PCA: the arguments that `lay_out` takes."""
    x = slider("x", _("Component on x"), 1, 50)
    y = slider("y", _("Component on y"), 1, 50)
    solid = toggle(
        "solid",
        _("3-D"),
        help=_("Adds a third axis: the first component that is on neither of the others. Drag to rotate; no lasso."),
    )
    return {"x": x, "y": y, "solid": solid}


def fit_settings() -> dict[str, object]:
    """The widgets of a UMAP of the visitor's own: the arguments that `lay_out` takes."""
    fit = select(
        "fit",
        _("Fit to"),
        ["background", "collection", "both"] if space().has_background else ["collection"],
        help=_(
            "The 10,000 background captions, the pictures of the collection, or both together. Pictures that were not "
            "part of the fit are moved across the modality gap and placed among their nearest captions."
        ),
    )
    n_neighbors = slider(
        "n_neighbors", "n_neighbors", 2, 100, help=_("Few neighbours show detail, many show the large picture.")
    )
    min_dist = slider("min_dist", "min_dist", 0.0, 1.0, step=0.05, help=_("How closely points may be packed."))
    seed = number("seed", _("Seed"), 0.0, 4294967295.0, step=1.0, format="%.0f")
    metric = select(
        "metric",
        _("Metric"),
        [*METRICS],
        help=_("What near means. Vectors of length 1 have the same neighbours by both; they are weighted differently."),
    )
    fitter = select(
        "fitter",
        _("Fitted by"),
        ["torch", "umap-learn"],
        help=_(
            "torch: our own, ready within seconds. umap-learn: the reference, in a separate process; each fit compiles "
            "for up to a minute before it starts."
        ),
    )
    given = {"fit": fit, "n_neighbors": n_neighbors, "min_dist": min_dist, "seed": int(seed or 0), "metric": metric}
    if fitter == "umap-learn" and fit == "background":
        given["placing"] = select(
            "placing",
            _("Place pictures by"),
            ["neighbours", "transform"],
            help=_(
                "neighbours: the weighted mean of the 15 exact nearest captions. transform: umap-learn's own method, "
                "which searches approximately."
            ),
        )
    return {**given, "fitter": fitter}


def laid_out(here: Call[Layout]) -> Layout | None:
    """The layout of a call of `lay_out`; while the visitor's own UMAP is fitted, with progress on screen, PCA.

    None, with progress too, until a large collection is laid out.
    """
    if here.arguments["method"] != "own":
        return here.in_time("layout")
    given = {name: value for name, value in here.arguments.items() if name != "placing"}
    key = ("umap", here.space.revision, here.space.collection.version, *given.items())
    found = awaited(lambda job: lay_out(here.space, **given, report=job.report), key, "umap", on="fit")
    if found:
        return found.by(here.arguments.get("placing", "neighbours"))
    return call(lay_out, method="pca").in_time("layout")


def show_map(layout: Layout, points: list[Point], coloring: Coloring, region: str, rows: np.ndarray) -> Region | None:
    """Draws pictures and the visitor's points, as diamonds; gives what the region of a click or the lasso holds."""
    collection, (chosen, error) = space().collection, _region(layout, region, rows)
    shades, over = coloring.shades(layout), _overlay(layout, chosen)
    over.marks.extend((*layout.spot(space(), point).tolist(), str(point.expression)[:40]) for point in points)
    if coloring.labelled:
        over.labels.extend(middles(layout.coordinates[rows], shades.of(rows)))
    alt = _("Map of {count:,} pictures coloured by {field}").format(count=len(rows), field=coloring.called)
    axes = axis_titles(layout.components, layout.shares) if layout.components else ("UMAP 1", "UMAP 2")
    if layout.coordinates.shape[1] == 3:
        draw_solid(layout.coordinates, shades, over, axes, rows, collection.captions, alt)
    else:
        of = (collection.name, collection.version, *axes)
        drawn = in_sight(layout.coordinates, rows, st.session_state.get(SIGHT, {}).get(of, ()), MOST_DRAWN)
        which, some = drawn if len(drawn) < len(collection) else None, len(drawn) < len(rows)
        sent = packed(layout.coordinates, shades, over, axes, alt, sheet_name(collection), which, some)
        draw_cloud(sent, "cloud", take_region, partial(take_picture, collection.ids), partial(_take_sight, of))
        if some:
            says = _("{drawn:,} of {count:,} points are drawn; zoom in to see more of them.")
            st.caption(says.format(drawn=len(drawn), count=len(rows)))
        draw_sheet(collection)
    if error:
        show_error(error)
    return chosen if chosen and len(chosen.rows) else None


def _region(layout: Layout, region: str, rows: np.ndarray) -> tuple[Region | None, InputError | None]:
    try:
        return (region_of(space(), layout, region, rows) if region.strip() else None), None
    except InputError as error:
        return None, error


def _overlay(layout: Layout, chosen: Region | None) -> Overlay:
    """A polygon, or a ring around a picture and lines to its nearest in the space."""
    if chosen is None:
        return Overlay()
    if chosen.corners is not None:
        return Overlay(region=[(float(x), float(y)) for x, y in chosen.corners])
    if chosen.row is None:
        return Overlay()
    start, ends = layout.coordinates[chosen.row].tolist(), layout.coordinates[chosen.nearest].tolist()
    return Overlay(lines=[(*start, *end) for end in ends], chosen=chosen.row)


def _take_sight(of: tuple[str, ...], sight: list[float]) -> None:
    """What is looked at decides which points of that map are drawn."""
    st.session_state[SIGHT] = {of: sight}


def take_region(corners: list[list[float]]) -> None:
    """A drawn polygon becomes the text of the region, [] no region; of many corners every few are kept."""
    step = max(1, -(-len(corners) // CORNERS))
    st.session_state["region"] = ", ".join(f"{x:.5g} {y:.5g}" for x, y in corners[::step])


def take_picture(ids: Sequence[str], row: int) -> None:
    """A clicked picture becomes the text of the region."""
    if 0 <= row < len(ids):
        st.session_state["region"] = f"@{ids[row]}"


def say_trust(layout: Layout, fitter: str) -> None:
    """What a map shows, and how far it can be trusted; `fitter` made a UMAP of the visitor's own."""
    st.caption(_explained(layout, fitter))
    says = _(
        "**How far can I trust this?** Trustworthiness {trust:.3f} (1: every neighbour here is one in the space; about "
        "0.5: chance). Of a picture's {k} nearest, {share:.0%} are nearest here too. Colour by **trust** to see where."
    )
    st.caption(says.format(trust=layout.trust.trustworthiness, share=layout.trust.shares.mean(), k=NEIGHBORS))


def _explained(layout: Layout, fitter: str) -> str:
    if layout.components:
        kept = sum(dict(zip(layout.components, layout.shares, strict=True)).values())
        return _(
            "These {count} components keep {kept:.1%} of the variance; {lost:.1%} of the differences is hidden."
        ).format(count=len(layout.components), kept=kept, lost=1 - kept)
    if layout.fitted_trust:
        return _(
            "UMAP of {count:,} captions, fitted once: its trustworthiness is {trust:.3f}, and {share:.0%} of 15 true "
            "neighbours are kept. Pictures, moved across the modality gap, and your points lie among their 15 nearest "
            "captions; a fit of your **own** keeps more of their neighbours. Only nearness means something here."
        ).format(
            count=layout.fitted, trust=layout.fitted_trust.trustworthiness, share=layout.fitted_trust.shares.mean()
        )
    says = _("UMAP of {count:,} points, fitted now by {fitter}. Only nearness means something here.")
    says = says.format(count=layout.fitted, fitter=fitter)
    if not layout.placed:
        return says
    worth = {name: trust.trustworthiness for name, (_places, trust) in layout.placed.items()}
    compared = _(
        "Pictures placed by exact neighbours: trustworthiness {neighbours:.3f}; by umap-learn's transform: "
        "{transform:.3f}."
    )
    return f"{says} {compared.format(**worth)}"


def say_neighbours(chosen: Region) -> None:
    """Of a chosen picture, how many of its true nearest are among its nearest on the map."""
    if chosen.nearest is not None:
        says = _("The lines lead to its {k} true nearest; {count} of them are among its {k} nearest on this map.")
        st.caption(says.format(k=len(chosen.nearest), count=chosen.near_here))


def layout_download(layout: Layout, rows: np.ndarray) -> None:
    """The coordinates of the pictures of these rows as CSV."""
    run().items.extend(space().collection.ids[row] for row in rows[:MOST_ITEMS])
    make = partial(layout_csv, space().collection, layout.coordinates, rows)
    download(_("Places (CSV)"), make, "map.csv", "map-csv")


def layout_csv(collection: Collection, places: np.ndarray, rows: np.ndarray) -> bytes:
    """id, x, y, caption and fields of the pictures of these rows; no spreadsheet takes any of them for a formula."""
    out = StringIO()
    table = pd.DataFrame(
        {"id": collection.ids, **dict(zip("xyz", places.T, strict=False)), "caption": collection.captions}
    )
    table = table.join(collection.fields.rename(columns={name: f"{name}_field" for name in table})).iloc[rows]
    table = table.map(lambda cell: harmless(cell) if isinstance(cell, str) else cell)
    table.to_csv(out, index=False, float_format="%.6f")
    return out.getvalue().encode("utf-8-sig")
