"""Charts in one look: Streamlit's theme, no fixed colours for text, room for labels, a description for who cannot see them."""

from collections.abc import Sequence

import numpy as np
import streamlit as st

from . import spec as go

HEIGHT_OF_BAR = 26  # pixels
ACCENT, OTHER, MUTED = "#6c63d8", "#e0813a", "#9a9aa5"  # readable on light and on dark
CAMERA = dict(eye=dict(x=1.6, y=1.6, z=1.1), center=dict(x=0, y=0, z=-0.12))
NAME = dict(font=dict(size=13, color="#1c1c28"), bgcolor="rgba(255,255,255,0.85)", borderpad=2, ax=0, arrowcolor="#ff4b4b", arrowwidth=1.5, arrowhead=0)
CONFIG = {"displaylogo": False, "scrollZoom": True, "modeBarButtonsToRemove": ["autoScale2d", "toggleSpikelines"], "toImageButtonOptions": {"scale": 2}}


def plain(label: str, most: int = 48) -> str:
    """A label that Plotly shows as typed: it reads a little HTML; long ones are cut."""
    label = label if len(label) <= most else label[: most - 1] + "…"
    return label.replace("&", "&amp;").replace("<", "&lt;")


def bars(labels: list[str], values: list[float], notes: list[str], alt: str, key: str, title: str = "", whole: bool = False) -> None:
    """Horizontal bars, the first on top, with a note at the end of each; `whole` bars are shares of 1."""
    figure = go.Figure(go.Bar(x=values, y=list(range(len(labels))), orientation="h", text=notes, textposition="outside", cliponaxis=False,
                              marker_color=[ACCENT if value >= 0 else OTHER for value in values], hoverinfo="skip"))  # fmt: skip
    low, high = min([0.0, *values]), max([1e-6, *values])
    figure.update_xaxes(title=title, **dict(range=[0, 2.3], tickvals=[0, 0.5, 1]) if whole else dict(range=[low * 1.3, high * 1.5]))
    # Equal labels would fall on one bar, so positions are numbers and labels are ticks.
    figure.update_yaxes(autorange="reversed", tickvals=list(range(len(labels))), ticktext=[plain(label, 32) for label in labels], automargin=True)
    figure.update_layout(bargap=0.25)
    chart(figure, alt, key, height=80 + HEIGHT_OF_BAR * len(labels), dragmode=False)


def mark(figure: go.Figure, spots: np.ndarray, labels: list[str], name: str = "") -> None:
    """Points `(n, 2)` of the visitor on a plane: diamonds with a label that stays readable on whatever lies below."""
    figure.add_trace(go.Scatter(x=spots[:, 0], y=spots[:, 1], mode="markers", name=name, text=[plain(label) for label in labels], hoverinfo="text",
                                marker=dict(symbol="diamond", size=13, color="#ff4b4b", line=dict(width=1.5, color="white"))))  # fmt: skip
    for (x, y), label in zip(spots, labels, strict=True):
        figure.add_annotation(x=float(x), y=float(y), text=plain(label, 28), showarrow=False, yshift=17, bgcolor="rgba(255,255,255,0.85)", borderpad=2,
                              font=dict(size=13, color="#1c1c28"))  # fmt: skip


def mark_solid(figure: go.Figure, spots: np.ndarray, labels: list[str], name: str = "") -> None:
    """The same in space, `(n, 3)`. Labels lie before all points, however deep their own is, at three heights, so that neighbours do not cover each other."""
    figure.add_trace(go.Scatter3d(**dict(zip("xyz", spots.T, strict=True)), mode="markers", name=name, text=[plain(label) for label in labels], hoverinfo="text",
                                  marker=dict(symbol="diamond", size=7, color="#ff4b4b")))  # fmt: skip
    names = [dict(zip("xyz", spot, strict=True), text=plain(label, 28), ay=-26 - 22 * (number % 3), **NAME)
             for number, (spot, label) in enumerate(zip(spots.tolist(), labels, strict=True))]  # fmt: skip
    figure.update_layout(scene=dict(annotations=names))


def solid_axes(figure: go.Figure, names: Sequence[str]) -> None:
    """What the three axes are, in two short lines, since they are cut at the border; and from where they are looked at."""
    short = (name.replace(" of the variance", "").replace(" (", "<br>(") for name in names)
    figure.update_layout(scene=dict(zip(("xaxis_title", "yaxis_title", "zaxis_title"), short, strict=True)), scene_camera=CAMERA)


def chart(figure: go.Figure, alt: str, key: str, height: int = 420, **layout: object):
    """A figure in the look of the app; returns the selection where the page asked for one."""
    select = {name: layout.pop(name) for name in ("on_select", "selection_mode") if name in layout}
    figure.update_layout(height=height, margin=dict(l=8, r=8, t=72 if layout.get("showlegend") else 28, b=8), showlegend=layout.pop("showlegend", False), **layout)
    return st.plotly_chart(figure, key=key, config=CONFIG, alt=alt, **select)
