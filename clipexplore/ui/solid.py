"""Map in three dimensions: the same points and colours by Plotly, which rotates them but has no lasso."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from clipexplore.language import _
from clipexplore.maps.place import inside

from .cloud import HUES, RAMP, Overlay
from .markdown import plain
from .plots import ACCENT, MUTED, chart, marks, sampled, scene
from .shades import REST, Shades

MOST = 20_000  # points; of more, every few are drawn


def draw_solid(
    places: np.ndarray,
    shades: Shades,
    over: Overlay,
    axes: tuple[str, ...],
    rows: np.ndarray,
    captions: Sequence[str],
    alt: str,
) -> None:
    """Points in space, to be turned by hand.

    Parameters
    ----------
    places, shades, captions
        `(n, 3)`, a colour and a text each: of all pictures.
    over
        Its marks, labels and lines have three coordinates for each place; a region goes by the first two.
    rows
        `(m,)`: those to draw.
    """
    step = max(1, -(-len(rows) // MOST))
    if step > 1:
        st.caption(sampled(len(rows[::step]), len(rows)))
    traces, some = [], rows[::step]
    said, size = np.array([plain(captions[row]) for row in some], object), 3 if len(some) < 5000 else 2
    for which, name, marker in _kinds(places[some], shades, shades.colors[some], over):
        if which.any():
            traces.append(
                _points(
                    places[some[which]],
                    mode="markers",
                    name=name,
                    text=said[which],
                    hovertemplate="%{text}<extra></extra>",
                    marker=dict(size=size, **marker),
                )
            )
    above, names = _over(places, over)
    chart([*traces, *above], alt, key="solid-map", height=680, legend="above", scene=scene(axes, names))


def _points(places: np.ndarray, **said: object) -> dict:
    return dict(type="scatter3d", **dict(zip("xyz", places.T, strict=True)), **said)


def _kinds(places: np.ndarray, shades: Shades, colors: np.ndarray, over: Overlay) -> list[tuple[np.ndarray, str, dict]]:
    """What is drawn alike: which of the points, what they are called, and how they are marked."""
    held = np.ones(len(places), bool) if over.region is None else inside(places[:, :2], np.array(over.region))
    clear = 0.3 if over.lines else 0.85  # else lines would be lost among points
    kinds = [
        ((colors == number) & held, plain(name), dict(color=HUES[number % len(HUES)], opacity=clear))
        for number, name in enumerate(shades.names)
    ]
    if shades.heat:
        title, low, high = shades.heat
        known = (colors != REST) & held
        scale = dict(
            colorscale=list(zip(np.linspace(0, 1, len(RAMP)), RAMP, strict=True)),
            cmin=low,
            cmax=high,
            colorbar=dict(orientation="h", len=0.6, thickness=12, y=0),
        )
        kinds.append(
            (known, plain(title), dict(color=low + colors[known] / 254 * (high - low), opacity=clear, **scale))
        )
    return [
        *kinds,
        ((colors == REST) & held, shades.rest, dict(color=MUTED, opacity=min(clear, 0.5))),
        (~held, _("outside the region"), dict(color=MUTED, opacity=0.15)),
    ]


def _over(places: np.ndarray, over: Overlay) -> tuple[list[dict], list[dict]]:
    """Lines to the nearest of a chosen picture, the ring around it, the visitor's points and the names of groups: their
    traces, and annotations.
    """
    quiet = dict(hoverinfo="skip", showlegend=False)
    traces: list[dict] = []
    names: list[dict] = []
    if over.lines:
        ends = np.array([[*line[:3], *line[3:], np.nan, np.nan, np.nan] for line in over.lines], float).reshape(-1, 3)
        traces.append(_points(ends, mode="lines", line=dict(color=ACCENT, width=4), **quiet))
    if over.chosen is not None:
        ring = dict(symbol="circle-open", size=12, color=ACCENT)
        traces.append(_points(places[[over.chosen]], mode="markers", marker=ring, **quiet))
    if over.marks:
        own = np.array([each[:3] for each in over.marks], float)
        diamonds, names = marks(own, [each[3] for each in over.marks])
        traces.append(diamonds)
    if over.labels:
        at, said = np.array([each[:3] for each in over.labels], float), [plain(each[3], 28) for each in over.labels]
        traces.append(_points(at, mode="text", text=said, **quiet))
    return traces, names
