"""The cloud: our own WebGL canvas for points on a plane, in place of a chart library where those end.

Positions and colours go to the browser as one block of bytes; a polygon or the row of one point comes back, never a list of
points, so a lasso around a million points is as quick as one around ten. cloud.js draws, sheet.js keeps the thumbnails.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

import numpy as np
import streamlit as st

from clipexplore.collection import Collection
from clipexplore.images import contact_sheet, encode, open_picture, thumbnail
from clipexplore.worker import Job, Lane

from .texts import text

SIDE = 48  # pixels of a thumbnail
MOST_THUMBNAILS = 10_000  # on a sheet, 3 MB; of a larger collection every few have one
REST = 255  # the colour of points of no named value

_HTML = """
<div class="cloud"><canvas></canvas><canvas class="over" role="img" tabindex="0"></canvas><div class="axes"></div>
<div class="bar"></div><div class="tip"><canvas width="96" height="96"></canvas><span></span></div></div><div class="legend"></div>
"""
_HERE = Path(__file__).parent
_cloud = st.components.v2.component("clipexplore_cloud", html=_HTML, css=(_HERE / "cloud.css").read_text(), js=(_HERE / "cloud.js").read_text())
_sheet = st.components.v2.component("clipexplore_sheet", html="<div></div>", js=(_HERE / "sheet.js").read_text())


@dataclass(frozen=True, eq=False)
class Shades:
    """The colours of points.

    Attributes
    ----------
    colors
        `(n,)` uint8: the place of a point's value in `names`, or with `heat` its place between low and high, 0 to 254; `REST` is grey.
    names
        What the colours stand for; empty with `heat`.
    rest
        What grey stands for, "" where nothing is grey.
    heat
        Title, low and high of a scale, or None.
    """

    colors: np.ndarray
    names: list[str]
    rest: str = ""
    heat: tuple[str, float, float] | None = None


@dataclass(frozen=True, eq=False)
class Overlay:
    """What is drawn on the points, in the coordinates of the plane: the visitor's marks and labels (x, y, text), and lines (x1, y1, x2, y2)."""

    marks: list[tuple[float, float, str]] = field(default_factory=list)
    labels: list[tuple[float, float, str]] = field(default_factory=list)
    lines: list[tuple[float, float, float, float]] = field(default_factory=list)
    region: list[tuple[float, float]] | None = None
    chosen: int | None = None


def heat(values: np.ndarray, title: str) -> Shades:
    """Colours on a scale from the lowest to the highest of values `(n,)`; what is not finite is grey."""
    known = np.isfinite(values)
    low, high = (float(values[known].min()), float(values[known].max())) if known.any() else (0.0, 1.0)
    scaled = (np.where(known, values, low) - low) / max(high - low, 1e-12)
    return Shades(np.where(known, np.rint(scaled * 254), REST).astype(np.uint8), [], "" if known.all() else text("map.unknown"), (title, low, high))


def packed(coordinates: np.ndarray, shades: Shades, overlay: Overlay, axes: tuple[str, str], alt: str, sheet: str | None) -> bytes:
    """What cloud.js unpacks: the length of a header, the header in JSON, positions as float32, colours as uint8.

    Raises
    ------
    ValueError
        When there is not one colour for each position.
    """
    places = np.ascontiguousarray(coordinates[:, :2], "<f4")
    if len(places) != len(shades.colors):
        raise ValueError(f"{len(shades.colors)} colours for {len(places)} points")
    title = shades.heat and dict(zip(("title", "low", "high"), shades.heat, strict=True))
    head = {
        "id": blake2b(places.tobytes(), digest_size=8).hexdigest(), "count": len(places), "axes": axes, "alt": alt, "sheet": sheet, "heat": title,
        "names": shades.names, "rest": shades.rest, "marks": overlay.marks, "labels": overlay.labels, "lines": overlay.lines, "region": overlay.region,
        "chosen": overlay.chosen, "says": {name: text(f"cloud.{name}") for name in ("lasso", "pan", "home", "png", "svg")},
    }  # fmt: skip
    written = json.dumps(head).encode()
    written += b" " * (-(len(written) + 4) % 4)  # float32 must begin at a multiple of four
    return len(written).to_bytes(4, "little") + written + places.tobytes() + np.ascontiguousarray(shades.colors, np.uint8).tobytes()


def draw_cloud(block: bytes, key: str, on_region: Callable, on_pick: Callable) -> None:
    """The canvas; `on_region(corners)` is called with a drawn polygon, or [] when it is cleared, `on_pick(row)` with what was clicked."""
    def tell(name: str, act: Callable) -> None:
        value = st.session_state[key].get(name)
        if value is not None:
            act(value)

    _cloud(data=block, key=key, on_region_change=lambda: tell("region", on_region), on_pick_change=lambda: tell("pick", on_pick))


def sheet_name(collection: Collection) -> str | None:
    """The name of the thumbnails of a collection, made from their content; None where it has no pictures."""
    return collection.name + "-" + collection.manifest["files"]["pictures.parquet"]["blake2b"][:12] if collection.has_pictures else None


@st.cache_resource(show_spinner=False)
def _lane() -> Lane:
    return Lane("sheets", abandon_after=600)


@st.cache_resource(max_entries=4, show_spinner=False, validate=lambda job: job.state != "cancelled")
def _block_of(_collection: Collection, name: str) -> Job:
    return _lane().submit(lambda job: sheet_block(_collection, name, job), key=name)


def sheet_block(collection: Collection, name: str, job: Job | None = None) -> bytes:
    """What sheet.js unpacks: the length of a header, the header in JSON, and all thumbnails in one WebP."""
    rows = range(0, len(collection), -(-len(collection) // MOST_THUMBNAILS))
    small = []
    for number, row in enumerate(rows):
        small.append(thumbnail(open_picture(collection.picture(collection.ids[row])), SIDE))
        if job and number % 64 == 0:
            job.report(number / len(rows))
    sheet = contact_sheet(small, SIDE)
    every = len(rows) == len(collection)
    captions = {row: collection.captions[row] for row in rows} if not every else collection.captions
    head = {"name": name, "size": SIDE, "columns": sheet.width // SIDE, "rows": None if every else list(rows), "captions": captions}
    written = json.dumps(head).encode()
    return len(written).to_bytes(4, "little") + written + encode(sheet, "WEBP")


def draw_sheet(collection: Collection) -> None:
    """Sends the thumbnails of a collection, once they are made; the cloud shows them from then on."""
    if name := sheet_name(collection):
        job = _block_of(collection, name)
        st.fragment(_send_sheet, run_every=1.0 if job.state in ("queued", "running") else None)(job, job.state)


def _send_sheet(job: Job, before: str) -> None:
    job.touch()
    if job.state == "done":
        if before != "done":
            st.rerun()  # and look no more
        _sheet(data=job.result, key="sheet", height=1)
