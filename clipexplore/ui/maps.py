"""Map's layouts: where the collection lies on a plane, by PCA, by the shipped UMAP or by a fit of the visitor's own; and how far to trust it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from hashlib import blake2b
from io import StringIO

import numpy as np
import pandas as pd
import streamlit as st

from clipexplore import links
from clipexplore.collection import Collection
from clipexplore.maps.layout import fit_layout
from clipexplore.maps.reference import fit_umap_apart
from clipexplore.maps.trust import Trust, trust_in
from clipexplore.projection import METRICS, PCA, across_gap, pca, place
from clipexplore.space import Space
from clipexplore.worker import Job

from .fits import fitted
from .results import harmless
from .session import space
from .texts import text

COMPONENTS = 50  # that can be an axis
NEIGHBORS = 15  # that a map is judged by
LOOKED_AT = 1e7  # cosines computed to judge a map; of a larger one, rows are drawn at random


@dataclass(frozen=True, eq=False)
class Layout:
    """A plane: where the pictures lie `(n, 2)`, where any vectors would `(q, dim) → (q, 2)`, its axes, and what there is to say about it; 3 for 2 in a solid one."""

    pictures: np.ndarray
    project: Callable[[np.ndarray], np.ndarray]
    axes: tuple[str, ...]
    explain: Callable[[], str]
    components: tuple[int, ...] = ()  # of PCA, the axes, counted from 0

    @property
    def name(self) -> str:
        """The same for the same places."""
        return _name(self.pictures)


def pca_layout(x: int, y: int, solid: bool = False) -> Layout:
    """The pictures along two of their principal components, counted from 1, and a `solid` one also along the first that is neither.

    Where there are fewer components, the last stands for those beyond.
    """
    content = space().revision, space().collection.version
    fit = _pca(space(), *content)
    axes = [x, y, min({1, 2, 3} - {x, y})] if solid else [x, y]
    along = [min(axis, len(fit.components)) - 1 for axis in axes]
    plane, shares = replace(fit, components=fit.components[along]), fit.explained_variance_ratio
    kept = shares[sorted({*along})].sum()
    names = tuple(text("map.component", number=each + 1, share=shares[each]) for each in along)
    return Layout(_along(plane, tuple(along), *content), plane.transform, names, lambda: text("map.pca_says", count=len(axes), kept=kept, lost=1 - kept), tuple(along))


def umap_layout() -> Layout:
    """The pictures among the background's captions, whose UMAP is shipped."""
    here = space()
    captions, coordinates = here.background.embeddings(here.model.key, "captions"), here.background.coordinates(here.model.key, "umap")
    stored = here.collection.coordinates(here.model.key, "umap")
    placed = _placed(here, here.revision, here.collection.version) if stored is None else stored

    def explain() -> str:
        worth = _judge(captions, coordinates, f"shipped {here.revision}")
        return text("map.umap_says", count=len(here.background), trust=worth.trustworthiness, share=worth.shares.mean())

    return Layout(placed, lambda vectors: place(vectors, captions, coordinates), ("UMAP 1", "UMAP 2"), explain)


@dataclass(frozen=True)
class FitSettings:
    """What a fit of the visitor's own depends on, as the link has it."""

    fit: str
    n_neighbors: int
    min_dist: float
    seed: int
    metric: str
    fitter: str
    placing: str

    @property
    def umap(self) -> dict[str, object]:
        """As `fit_umap` and `fit_layout` take them."""
        return {"n_neighbors": self.n_neighbors, "min_dist": self.min_dist, "seed": self.seed, "metric": self.metric}


def fit_settings() -> FitSettings:
    """The widgets of a fit of the visitor's own."""
    defaults = links.PAGES["map"]

    def choice(key: str, options: list[str]) -> str:
        return st.selectbox(text(f"map.{key}"), options, index=options.index(defaults[key]), key=key, bind="query-params", help=text(f"map.{key}_help"))

    fit = choice("fit", ["background", "collection", "both"])
    n_neighbors = st.slider(text("map.n_neighbors"), 2, 100, defaults["n_neighbors"], key="n_neighbors", bind="query-params", help=text("map.n_neighbors_help"))
    min_dist = st.slider(text("map.min_dist"), 0.0, 1.0, defaults["min_dist"], 0.05, key="min_dist", bind="query-params", help=text("map.min_dist_help"))
    seed = st.number_input(text("map.seed"), 0.0, 4294967295.0, float(defaults["seed"]), step=1.0, format="%.0f", key="seed", bind="query-params")
    metric, fitter = choice("metric", list(METRICS)), choice("fitter", ["torch", "umap-learn"])
    placing = choice("placing", ["neighbours", "transform"]) if fitter == "umap-learn" and fit == "background" else defaults["placing"]
    return FitSettings(fit, n_neighbors, min_dist, int(seed), metric, fitter, placing)


def own_layout(settings: FitSettings) -> Layout | None:
    """A UMAP by these settings; None, with its progress on screen, while it is fitted."""
    here, new = space(), pictures()
    captions = here.background.embeddings(here.model.key, "captions")
    parts = {"background": [captions], "collection": [new], "both": [captions, new]}[settings.fit]
    key = ("umap", here.revision, here.collection.version, replace(settings, placing=""))
    found = fitted(lambda job: _fit(job, parts, new, settings), key, "umap", on="fit")
    if found is None:
        return None
    anchors, places, mine, moved = found

    def explain() -> str:
        says = text("map.own_says", count=len(anchors), fitter=settings.fitter)
        if not len(moved):
            return says
        worth = [_judge(new, each, f"{here.revision} {_name(each)}").trustworthiness for each in (mine, moved)]
        return says + " " + text("map.transform_says", neighbours=worth[0], transform=worth[1])

    shown = moved if settings.placing == "transform" and len(moved) else mine
    return Layout(shown, lambda vectors: place(vectors, anchors, places), ("UMAP 1", "UMAP 2"), explain)


def _fit(job: Job, parts: list[np.ndarray], new: np.ndarray, settings: FitSettings) -> tuple[np.ndarray, ...]:
    """On the fit lane: what was fitted and its places, those of the pictures `new`, and those `.transform` gives them where umap-learn can be asked."""
    anchors, moved = np.concatenate(parts), np.empty((0, 2), np.float32)
    over = across_gap(new, anchors) if settings.fit == "background" else None
    if settings.fitter == "torch":
        places = fit_layout(anchors, **settings.umap, report=job.report)
    else:
        job.report(0, text("map.compiling"))
        places, moved = fit_umap_apart(anchors, over, job.report, **settings.umap)
    return anchors, places, places[-len(new) :] if over is None else place(over, anchors, places), moved


def layout_code(layout: Layout, settings: FitSettings | None = None) -> str:
    """The lines of Python that make a layout, or the one that a fit by settings will be."""
    head = f"""
import numpy as np
from clipexplore import Space, pca, place, trust_in

space = Space.open(model={space().model.key!r}, collection={space().collection.name!r})
pictures = space.collection.embeddings(space.model.key, "pictures")
captions = space.background.embeddings(space.model.key, "captions")
gap = captions.mean(axis=0) - pictures.mean(axis=0)
"""
    worth = "\nprint(trust_in(pictures, coordinates).trustworthiness)"
    if not settings and layout.components:
        return head + f"coordinates = pca(pictures, k={max(layout.components) + 1}).transform(pictures)[:, {[*layout.components]}]" + worth
    if not settings:
        return head + 'coordinates = place(pictures + gap, captions, space.background.coordinates(space.model.key, "umap"))' + worth
    function = "fit_layout" if settings.fitter == "torch" else "fit_umap"
    anchors = {"background": "captions", "collection": "pictures", "both": "np.concatenate([captions, pictures])"}[settings.fit]
    given = ", ".join(f"{name}={value!r}" for name, value in settings.umap.items())
    lines = f"from clipexplore import {function}\n\nfitted = {function}({anchors}, {given})\n"
    return head + lines + ("coordinates = place(pictures + gap, captions, fitted)" if settings.fit == "background" else "coordinates = fitted[-len(pictures):]") + worth


@st.cache_data(max_entries=16, show_spinner=False)
def _pca(_space: Space, revision: str, collection: str) -> PCA:
    embeddings = _space.collection.embeddings(_space.model.key, "pictures")
    return pca(embeddings, min(COMPONENTS, *embeddings.shape))


@st.cache_data(max_entries=32, show_spinner=False)
def _along(_plane: PCA, along: tuple[int, ...], revision: str, collection: str) -> np.ndarray:
    return _plane.transform(pictures())


@st.cache_data(max_entries=16, show_spinner=False)
def _placed(_space: Space, revision: str, collection: str) -> np.ndarray:
    background, model = _space.background, _space.model.key
    captions = background.embeddings(model, "captions")
    return place(across_gap(_space.collection.embeddings(model, "pictures"), captions), captions, background.coordinates(model, "umap"))


def pictures() -> np.ndarray:
    """The embeddings of the collection's pictures, `(n, dim)`."""
    return space().collection.embeddings(space().model.key, "pictures")


def judged(layout: Layout) -> Trust:
    """How far the neighbours on a map of the pictures are those of the space."""
    return _judge(pictures(), layout.pictures, f"{space().revision} {layout.name}")


@st.cache_data(max_entries=64, show_spinner=False)
def _judge(_x: np.ndarray, _coordinates: np.ndarray, name: str) -> Trust:
    count = len(_x)
    rows = None if count**2 <= LOOKED_AT else np.random.default_rng(0).choice(count, max(200, int(LOOKED_AT / count)), replace=False)
    return trust_in(_x, _coordinates, min(NEIGHBORS, (count - 1) // 2), rows)


def _name(places: np.ndarray) -> str:
    return blake2b(np.ascontiguousarray(places).tobytes(), digest_size=8).hexdigest()


def say_trust(layout: Layout) -> None:
    """What a map shows, and in one sentence how far it can be trusted."""
    st.caption(layout.explain())
    worth = judged(layout)
    st.caption(text("map.trust_says", trust=worth.trustworthiness, share=worth.shares.mean(), k=NEIGHBORS))


def layout_download(layout: Layout, rows: np.ndarray) -> None:
    """The coordinates of the pictures of these rows as CSV."""
    make = partial(layout_csv, space().collection, layout.pictures, rows)
    st.download_button(text("map.csv"), make, "map.csv", "text/csv", key="map-csv", on_click="ignore", icon=":material/download:")


def layout_csv(collection: Collection, places: np.ndarray, rows: np.ndarray) -> bytes:
    """id, x, y, caption and fields of the pictures of these rows; a spreadsheet takes none of them for a formula."""
    out = StringIO()
    table = pd.DataFrame({"id": collection.ids, **dict(zip("xyz", places.T, strict=False)), "caption": collection.captions})
    table = table.join(collection.fields.rename(columns={name: f"{name}_field" for name in table})).iloc[rows]
    table = table.map(lambda cell: harmless(cell) if isinstance(cell, str) else cell)
    table.to_csv(out, index=False, float_format="%.6f")
    return out.getvalue().encode("utf-8-sig")
