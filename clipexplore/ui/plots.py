"""Charts in one look: Streamlit's theme, room for labels, and a description for those who cannot see them.

Traces are dictionaries as Plotly's JSON schema has them, with numbers as arrays, titles as texts and scales by name.
Plotly's own classes check every property of every figure in Python, which took half the time of most pages, while a
room of visitors shares one interpreter; here the tests have Plotly check every figure that a page draws.
"""

import base64
from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import numpy as np
import streamlit as st
from plotly.basedatatypes import BaseFigure
from plotly.colors import get_colorscale

from clipexplore.language import _, decimal_marks, language, numeral

from .browser import component
from .markdown import plain, short

HEIGHT_OF_BAR = 26  # pixels, as in browser/bars.js
ACCENT, OTHER, MUTED = "#6c63d8", "#e0813a", "#9a9aa5"  # readable on light and on dark
CAMERA = dict(eye=dict(x=1.6, y=1.6, z=1.1), center=dict(x=0, y=0, z=-0.12))
NAME = dict(font=dict(size=13, color="#1c1c28"), bgcolor="rgba(255,255,255,0.85)", borderpad=2)
LEGENDS: dict[str, dict[str, Any]] = {
    "": {},
    "above": dict(orientation="h", y=1, yanchor="bottom", itemsizing="constant"),
    "below": dict(orientation="h", y=-0.2),
}
CONFIG = {
    "displaylogo": False,
    "scrollZoom": True,
    "modeBarButtonsToRemove": ["autoScale2d", "toggleSpikelines"],
    "toImageButtonOptions": {"scale": 2},
}

# Streamlit's frontend replaces these by the colours of its theme.
COLORWAY = [f"#{number:06}" for number in range(1, 11)]

_bars = component("bars", '<div class="bars"></div>', isolate_styles=False)


def sampled(count: int, whole: int) -> str:
    """That not all points are taken."""
    return _("{count:,} of {whole:,} points are shown, taken at even steps.").format(count=count, whole=whole)


def bars(
    labels: list[str], values: list[float], notes: list[str], alt: str, key: str, title: str = "", whole: bool = False
) -> None:
    """Horizontal bars, the first on top, with a note at the end of each; `whole` bars are shares of 1."""
    height = 56 + HEIGHT_OF_BAR * len(labels)
    given = {"labels": [short(label, 32) for label in labels], "values": values, "notes": notes, "title": title}
    look = {"whole": whole, "alt": alt, "height": height, "accent": ACCENT, "other": OTHER, "language": language.get()}
    _bars(data=given | look, key=key, height=height)


def marks(spots: np.ndarray, labels: list[str]) -> tuple[dict, list[dict]]:
    """The visitor's points, `(n, 2)` or in space `(n, 3)`: a trace of diamonds, and annotations that stay readable on
    what is below.

    In space labels lie before all points, at three heights, so that neighbours stay readable.
    """
    solid = spots.shape[1] == 3
    look: dict = dict(size=7) if solid else dict(size=13, line=dict(width=1.5, color="white"))
    trace = dict(
        type="scatter3d" if solid else "scatter",
        **dict(zip("xyz", spots.T, strict=False)),
        mode="markers",
        name=_("your points"),
        text=[plain(label) for label in labels],
        hoverinfo="text",
        marker=dict(symbol="diamond", color="#ff4b4b", **look),
    )
    names = [
        dict(zip("xyz", spot, strict=False), text=plain(label, 28), **NAME)
        for spot, label in zip(spots.tolist(), labels, strict=True)
    ]
    if solid:
        arrow = dict(ax=0, arrowcolor="#ff4b4b", arrowwidth=1.5, arrowhead=0)
        return trace, [name | arrow | {"ay": -26 - 22 * (number % 3)} for number, name in enumerate(names)]
    return trace, [name | {"showarrow": False, "yshift": 17} for name in names]


def axis_titles(components: Sequence[int], shares: Sequence[float]) -> tuple[str, ...]:
    """The components along two axes, or along three, whose titles are cut at the border and so have two short lines."""
    says = (
        _("component {number} ({share:.1%} of the variance)")
        if len(components) < 3
        else _("component {number}<br>({share:.1%})")
    )
    return tuple(says.format(number=number, share=share) for number, share in zip(components, shares, strict=True))


def scene(titles: Sequence[str], annotations: list[dict]) -> dict[str, Any]:
    """A space with these axes, as the camera sees it."""
    axes = {name: dict(title=title) for name, title in zip(("xaxis", "yaxis", "zaxis"), titles, strict=True)}
    return {**axes, "camera": CAMERA, "annotations": annotations or None}


def matrix(
    values: np.ndarray,
    columns: Sequence[str],
    rows: Sequence[str],
    alt: str,
    key: str,
    cells: dict[str, Any],
    titles: tuple[str, str] = ("", ""),
    height: int | None = None,
) -> None:
    """Values `(r, c)` as a heat map with a plain label at every column and row, the first row on top.

    Parameters
    ----------
    cells
        What Plotly's heat map takes; its `text` is written into the cells.
    titles
        Of the columns and of the rows.
    """
    look: dict[str, Any] = dict(xgap=1, ygap=1, showscale=False, hovertemplate="%{y}, %{x}: %{z:.2f}<extra></extra>")
    if cells.get("text") is not None:
        look |= dict(texttemplate="%{text}", textfont=dict(size=10), hoverinfo="skip", hovertemplate=None)
    x, y = dict(title=titles[0], autotickangles=[0, -50]), dict(title=titles[1], autorange="reversed")
    heat, high = dict(type="heatmap", z=values, **(look | cells)), height or 140 + 26 * len(rows)
    chart(heat, alt, key, high, x=x | _named(columns), y=y | _named(rows), dragmode=False)


def _named(labels: Sequence[str]) -> dict:
    """An axis with a label at each whole number; of very many labels every other."""
    ticks = list(range(0, len(labels), 1 + len(labels) // 40))
    return dict(tickvals=ticks, ticktext=[plain(labels[tick], 24) for tick in ticks], automargin=True, showgrid=False)


def chart(
    traces: dict | Iterable[dict], alt: str, key: str, height: int = 420, legend: str = "", **layout: Any
) -> None:
    """A chart in the look of the app, of what `figure` takes."""
    drawn = figure(traces, height, legend, **layout)
    st.plotly_chart(Unchecked(drawn), key=key, config=CONFIG, alt=alt)


def figure(
    traces: dict | Iterable[dict],
    height: int = 420,
    legend: str = "",
    x: str | dict[str, Any] = "",
    y: str | dict[str, Any] = "",
    across: Iterable[dict] = (),
    **layout: Any,
) -> dict[str, Any]:
    """What a chart shows, as Plotly's JSON schema has it.

    Parameters
    ----------
    legend
        Where one stands: "above", "below", or nowhere.
    x, y
        The titles of the axes, or all that Plotly is to know of them.
    across
        Lines from end to end, upright at an `x` or level at a `y`; `text` stands beside the end of one that is upright,
        and what else there is says how it looks.
    """
    for line in across:
        shape, *text = _across(**line)
        layout["shapes"] = [*layout.get("shapes", ()), shape]
        layout["annotations"] = [*layout.get("annotations", ()), *text]
    axes = {
        name: dict(title=axis) if isinstance(axis, str) else axis for name, axis in (("xaxis", x), ("yaxis", y)) if axis
    }
    look = dict(
        template={"layout": {"colorway": COLORWAY}},
        height=height,
        margin=dict(l=8, r=8, t=72 if legend == "above" else 28, b=8),
        showlegend=bool(legend),
        legend=LEGENDS[legend],
        separators=decimal_marks(),
    )
    data = [traces] if isinstance(traces, dict) else list(traces)
    whole = {name: _with_blanks(each) for name, each in (look | axes | layout).items()}
    return {"data": _as_json("data", data), "layout": _as_json("layout", whole)}


def _with_blanks(axis: Any) -> Any:
    """An axis of shares with a blank before its %, as many languages have it and Plotly never writes it."""
    if isinstance(axis, dict) and axis.get("tickformat") == ".0%" and numeral(1, ".0%") != "100%":
        return axis | {"labelalias": {f"{number}%": numeral(number / 100, ".0%") for number in range(101)}}
    return axis


def _across(x: float | None = None, y: float | None = None, text: str = "", **look: Any) -> list[dict]:
    """The shape of a line across a chart, and the annotation at its end."""
    if x is None:
        return [dict(type="line", x0=0, x1=1, xref="x domain", y0=y, y1=y, yref="y", line=look)]
    line = dict(type="line", x0=x, x1=x, xref="x", y0=0, y1=1, yref="y domain", line=look)
    end = dict(x=x, xref="x", xanchor="left", y=1, yref="y domain", yanchor="top", showarrow=False)
    return [line, *([end | {"text": text}] if text else [])]


def _as_json(name: str, value: Any) -> Any:
    """A property as Plotly's JSON schema has it; what is None was not given."""
    if isinstance(value, dict):
        return {each: _as_json(each, inner) for each, inner in value.items() if inner is not None}
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return [_as_json(name, each) for each in value]
    if name == "title" and isinstance(value, str):
        return {"text": value}
    if name == "colorscale" and isinstance(value, str):
        return _scale(value)
    packs = isinstance(value, np.ndarray) and value.size and value.dtype.kind in "fiu" and value.dtype != np.float16
    return _packed(value) if packs else value


_scale = cache(get_colorscale)


def _packed(array: np.ndarray) -> dict:
    """Numbers as Plotly's frontend reads them fastest: their bytes, row by row."""
    array = array.astype(np.int32) if array.dtype.kind in "iu" and array.dtype.itemsize == 8 else array
    shape = {"shape": ", ".join(map(str, array.shape))} if array.ndim > 1 else {}
    return {"dtype": array.dtype.str[1:], "bdata": base64.b64encode(array.tobytes()).decode("ascii"), **shape}


class Unchecked(BaseFigure):
    """A figure as `st.plotly_chart` takes it without checking it once more.

    It takes a dictionary too, but then builds Plotly's own classes of it. Of a `BaseFigure`, private to Plotly,
    it only calls `to_dict`: `tests/ui/test_plots.py` names the versions for which that holds.
    """

    def __init__(self, drawn: dict[str, Any]):
        self._drawn = drawn

    def to_dict(self) -> dict[str, Any]:
        return self._drawn
