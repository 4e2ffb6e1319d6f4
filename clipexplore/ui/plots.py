"""Charts in one look: Streamlit's theme, room for labels, and a description for those who cannot see them."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import streamlit as st

from clipexplore.language import _, decimal_marks, language

from . import spec as go
from .browser import component

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

_bars = component("bars", '<div class="bars"></div>', isolate_styles=False)


def plain(label: str, most: int = 48) -> str:
    """A label that Plotly shows as typed: it reads a little HTML; long ones are cut."""
    return short(label, most).replace("&", "&amp;").replace("<", "&lt;")


def short(label: str, most: int) -> str:
    """A label of at most so many characters."""
    return label if len(label) <= most else label[: most - 1] + "…"


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


def mark(figure: go.Figure, spots: np.ndarray, labels: list[str]) -> None:
    """The visitor's points, `(n, 2)` or in space `(n, 3)`: diamonds with labels that stay readable on what is below.

    In space labels lie before all points, at three heights, so that neighbours stay readable.
    """
    solid = spots.shape[1] == 3
    look: dict = dict(size=7) if solid else dict(size=13, line=dict(width=1.5, color="white"))
    figure.add_trace(
        (go.Scatter3d if solid else go.Scatter)(
            **dict(zip("xyz", spots.T, strict=False)),
            mode="markers",
            name=_("your points"),
            text=[plain(label) for label in labels],
            hoverinfo="text",
            marker=dict(symbol="diamond", color="#ff4b4b", **look),
        )
    )
    names = [
        dict(zip("xyz", spot, strict=False), text=plain(label, 28), **NAME)
        for spot, label in zip(spots.tolist(), labels, strict=True)
    ]
    if solid:
        arrow = dict(ax=0, arrowcolor="#ff4b4b", arrowwidth=1.5, arrowhead=0)
        names = [name | arrow | {"ay": -26 - 22 * (number % 3)} for number, name in enumerate(names)]
        figure.update_layout(scene=dict(annotations=names))
    else:
        figure.update_layout(annotations=[name | {"showarrow": False, "yshift": 17} for name in names])


def axis_titles(components: Sequence[int], shares: Sequence[float]) -> tuple[str, ...]:
    """The components along two axes, or along three, whose titles are cut at the border and so have two short lines."""
    says = (
        _("component {number} ({share:.1%} of the variance)")
        if len(components) < 3
        else _("component {number}<br>({share:.1%})")
    )
    return tuple(says.format(number=number, share=share) for number, share in zip(components, shares, strict=True))


def solid_axes(figure: go.Figure, titles: Sequence[str]) -> None:
    """Names the three axes and sets the camera."""
    figure.update_layout(
        scene=dict(zip(("xaxis_title", "yaxis_title", "zaxis_title"), titles, strict=True)), scene_camera=CAMERA
    )


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
    heat, high = go.Heatmap(z=values, **(look | cells)), height or 140 + 26 * len(rows)
    chart(heat, alt, key, high, x=x | _named(columns), y=y | _named(rows), dragmode=False)


def _named(labels: Sequence[str]) -> dict:
    """An axis with a label at each whole number; of very many labels every other."""
    ticks = list(range(0, len(labels), 1 + len(labels) // 40))
    return dict(tickvals=ticks, ticktext=[plain(labels[tick], 24) for tick in ticks], automargin=True, showgrid=False)


def chart(
    drawn: go.Figure | dict | list[dict],
    alt: str,
    key: str,
    height: int = 420,
    legend: str = "",
    x: str | dict[str, Any] = "",
    y: str | dict[str, Any] = "",
    **layout: Any,
) -> None:
    """A figure, or traces, in the look of the app.

    Parameters
    ----------
    legend
        Where one stands: "above", "below", or nowhere.
    x, y
        The titles of the axes, or all that Plotly is to know of them.
    """
    figure = drawn if isinstance(drawn, go.Figure) else go.Figure(drawn)
    axes = {
        name: dict(title=axis) if isinstance(axis, str) else axis for name, axis in (("xaxis", x), ("yaxis", y)) if axis
    }
    figure.update_layout(
        height=height,
        margin=dict(l=8, r=8, t=72 if legend == "above" else 28, b=8),
        showlegend=bool(legend),
        legend=LEGENDS[legend],
        separators=decimal_marks(),
        **axes,
        **layout,
    )
    st.plotly_chart(go.Unchecked(figure), key=key, config=CONFIG, alt=alt)
