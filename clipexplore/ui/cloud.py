"""The cloud: our own WebGL canvas for points on a plane, in place of a chart library where those end.

Positions, colours and rows go to the browser as blocks of bytes, each sent again only when it changes; a polygon or the
row of one point comes back, never a list of points, so a lasso around a million points is as quick as one around ten.
What draws is in the folder canvas: cloud.js and what it stands on; block.js keeps the blocks, sheet.js the thumbnails.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from clipexplore.images import contact_sheet, encode, open_picture, thumbnail
from clipexplore.jobs import Job, Lane
from clipexplore.language import _, language
from clipexplore.store.collection import Collection

from .browser import component
from .session import run, speaking
from .shades import Shades

SIDE = 48  # pixels of a thumbnail
MOST_THUMBNAILS = 10_000  # on a sheet, 3 MB; of a larger collection every few have one
# Ten colours that stay apart on light and on dark, for most eyes; then darker, then lighter.
_TEN = ("4e79d8", "f28e2b", "d8433f", "20a39e", "b8a000", "a45fc4", "4fa34a", "ff7fa7", "8d6748", "7f8cff")
HUES = tuple(
    "#" + bytes(round(each + share * (end - each)) for each in bytes.fromhex(ten)).hex()
    for share, end in ((0, 0), (0.4, 0), (0.4, 255))
    for ten in _TEN
)
# A scale from violet over teal to amber, rising in lightness, visible on light and on dark.
RAMP = ("#6652b8", "#337abf", "#1f9e8f", "#85bd45", "#fac41a")

_HTML = """
<div class="cloud"><canvas></canvas><canvas class="over" role="img" tabindex="0"></canvas><svg class="loop"></svg>
<div class="axes"></div><div class="bar"></div>
<div class="tip"><canvas width="96" height="96"></canvas><span></span></div></div>
<div class="legend"></div>
"""
_HERE = Path(__file__).parent / "canvas"
_PARTS = (
    "view",
    "raster",
    "points",
    "drawing",
    "hands",
    "export",
    "cloud",
)  # of one module, each of which stands on those before it


def _script(*names: str) -> str:
    return "\n".join((_HERE / f"{name}.js").read_text(encoding="utf-8") for name in names)


_cloud = component("cloud", _HTML, _script(*_PARTS), css=(_HERE / "cloud.css").read_text(encoding="utf-8"))
_block = component("block", js=_script("block"))
_sheet = component("sheet", js=_script("sheet"))


@dataclass(frozen=True, eq=False)
class Overlay:
    """What is drawn on the points: marks and labels (x, y, text), and lines (x1, y1, x2, y2); in space also z."""

    marks: list[tuple[Any, ...]] = field(default_factory=list)
    labels: list[tuple[Any, ...]] = field(default_factory=list)
    lines: list[tuple[float, ...]] = field(default_factory=list)
    region: list[tuple[float, float]] | None = None
    chosen: int | None = None  # the row of the picture that has a ring


@dataclass(frozen=True, eq=False)
class Packed:
    """What the browser is sent: the head, plain values for JSON, and the blocks that it names, by slot."""

    head: dict[str, Any]
    blocks: dict[str, bytes]


def packed(
    coordinates: np.ndarray,
    shades: Shades,
    overlay: Overlay,
    axes: tuple[str, ...],
    alt: str,
    sheet: str | None,
    rows: np.ndarray | None = None,
    some: bool = False,
) -> Packed:
    """Points as cloud.js takes them: positions as float32, colours as uint8 and, of a filtered map, rows as uint32.

    Parameters
    ----------
    coordinates, shades
        `(n, 2)` and one colour each: of all rows of the collection.
    rows
        `(m,)` int, rising: those to draw; all by default. The view stays that of all.
    some
        Whether these are not all that there are to draw, so that it matters what is in sight.

    Raises
    ------
    ValueError
        When there is not one colour for each position.
    """
    if len(coordinates) != len(shades.colors):
        raise ValueError(f"{len(shades.colors)} colours for {len(coordinates)} points")
    kept = slice(None) if rows is None else rows
    arrays = {"places": np.asarray(coordinates[kept, :2], "<f4"), "colors": np.asarray(shades.colors[kept], np.uint8)}
    if rows is not None:
        arrays["rows"] = np.asarray(rows, "<u4")
    blocks = {slot: array.tobytes() for slot, array in arrays.items()}
    head: dict[str, Any] = {
        "blocks": {slot: blake2b(block, digest_size=8).hexdigest() for slot, block in blocks.items()},
        "bounds": _bounds(coordinates),
        "some": some,
        "axes": axes,
        "alt": alt,
        "sheet": sheet,
        "heat": shades.heat and dict(zip(("title", "low", "high"), shades.heat, strict=True)),
        "names": shades.names,
        "rest": shades.rest,
        "marks": overlay.marks,
        "labels": overlay.labels,
        "lines": overlay.lines,
        "region": overlay.region,
        "chosen": _place_of(overlay.chosen, rows),
        "hues": HUES,
        "ramp": RAMP,
        "language": language.get(),
        "says": {"lasso": _("Lasso"), "pan": _("Move"), "home": _("Whole"), "png": _("PNG"), "svg": _("SVG")},
    }
    return Packed(head, blocks)


def _bounds(coordinates: np.ndarray) -> list[float]:
    """Left, right, low and high of the points."""
    if not len(coordinates):
        return [0.0, 1.0, 0.0, 1.0]
    return np.stack([coordinates[:, :2].min(axis=0), coordinates[:, :2].max(axis=0)]).T.ravel().tolist()


def _place_of(row: int | None, rows: np.ndarray | None) -> int | None:
    """Which of the points drawn a row is; None where it is not drawn."""
    if row is None or rows is None:
        return row
    place = int(np.searchsorted(rows, row))
    return place if place < len(rows) and rows[place] == row else None


def draw_cloud(packed: Packed, key: str, on_region: Callable, on_pick: Callable, on_sight: Callable) -> None:
    """The canvas; it calls `on_region(corners)` with a polygon, [] when cleared, `on_pick(row)` for a click and, where
    only some points are drawn, `on_sight([left, right, low, high])` when the view has moved.
    """
    with st.container(gap=None):
        for slot, block in packed.blocks.items():
            slot_name = f"{key}-{slot}"
            _block(
                data=_headed({"slot": slot_name, "name": packed.head["blocks"][slot]}, block), key=slot_name, height=1
            )
        _cloud(data={"key": key, **packed.head}, key=key, on={"region": on_region, "pick": on_pick, "sight": on_sight})


def _headed(head: dict, payload: bytes) -> bytes:
    """The length of a head, the head in JSON, and what it is about."""
    written = json.dumps(head).encode()
    return len(written).to_bytes(4, "little") + written + payload


def sheet_name(collection: Collection) -> str:
    """The name of the thumbnails and captions of a collection, made from their content."""
    return f"{collection.name}-{collection.version}"


@st.cache_resource(show_spinner=False)
def _lane() -> Lane:
    return Lane("sheets", abandon_after=600)


@st.cache_resource(max_entries=4, show_spinner=False, validate=lambda job: job.state != "cancelled")
def _block_of(_collection: Collection, name: str) -> Job:
    return _lane().submit(lambda job: sheet_block(_collection, name, job), key=name)


def sheet_block(collection: Collection, name: str, job: Job | None = None) -> bytes:
    """What sheet.js unpacks: the length of a header, the header in JSON, and all thumbnails in one WebP, where the
    pictures are here.
    """
    rows = range(0, len(collection), -(-len(collection) // MOST_THUMBNAILS))
    small = []
    for number, row in enumerate(rows if collection.has_files else ()):
        small.append(thumbnail(open_picture(collection.picture(collection.ids[row])), SIDE))
        if job and number % 64 == 0:
            job.report(number / len(rows))
    sheet = contact_sheet(small, SIDE) if small else None
    every = len(rows) == len(collection)
    captions = {row: collection.captions[row] for row in rows} if not every else [*collection.captions]
    head: dict[str, Any] = {
        "name": name,
        "size": SIDE,
        "columns": sheet.width // SIDE if sheet else 0,
        "rows": None if every else list(rows),
        "captions": captions,
    }
    return _headed(head, encode(sheet, "WEBP") if sheet else b"")


def draw_sheet(collection: Collection) -> None:
    """Sends the thumbnails and captions of a collection, once they are made; the cloud shows them from then on."""
    job = _block_of(collection, sheet_name(collection))
    st.fragment(speaking(_send_sheet), run_every=1.0 if job.state in ("queued", "running") else None)(job, job.state)


def _send_sheet(job: Job, before: str) -> None:
    job.touch(run().screen.last_seen)
    if job.state == "done":
        if before != "done":
            st.rerun()  # and look no more
        _sheet(data=job.result, key="sheet", height=1)
