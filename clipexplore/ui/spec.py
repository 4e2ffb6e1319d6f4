"""Plotly figures as plain dictionaries, written as with `plotly.graph_objects`: `from . import spec as go`.

Plotly's own classes check every property of every figure in Python, which took half the time of most pages
(`python -m benchmarks.reruns`), while a room of visitors shares one interpreter. Here nothing is checked at run time;
the tests have Plotly check every figure that a page draws.
"""

import base64
from collections.abc import Iterable
from functools import cache, partial
from typing import Any

import numpy as np
from plotly.basedatatypes import BaseFigure
from plotly.colors import get_colorscale

# Properties with an underscore in their own name.
WHOLE = {"paper_bgcolor", "plot_bgcolor", "error_x", "error_y", "error_z"}
# Streamlit's frontend replaces these by the colours of its theme.
COLORWAY = [f"#{number:06}" for number in range(1, 11)]


def trace(kind: str, **properties: object) -> dict:
    """One trace of that kind."""
    return _nested({"type": kind, **properties})


Bar, Scatter, Scattergl, Scatter3d, Heatmap, Histogram = (
    partial(trace, kind) for kind in ("bar", "scatter", "scattergl", "scatter3d", "heatmap", "histogram")
)


class Figure:
    """Traces and a layout; what `plotly.graph_objects.Figure` can do and the pages use."""

    def __init__(self, traces: dict | Iterable[dict] = ()):
        self._traces = [traces] if isinstance(traces, dict) else list(traces)
        self._spec: dict[str, Any] = {"template": {"layout": {"colorway": COLORWAY}}}

    def to_dict(self) -> dict:
        """The figure as Plotly's JSON schema has it."""
        return {"data": self._traces, "layout": self._spec}

    def add_trace(self, one: dict) -> None:
        self._traces.append(one)

    def update_layout(self, **properties: object) -> None:
        _merge(self._spec, _nested(properties))

    def add_shape(self, **properties: object) -> None:
        self._add("shapes", properties)

    def add_annotation(self, **properties: object) -> None:
        self._add("annotations", properties)

    def add_layout_image(self, **properties: object) -> None:
        self._add("images", properties)

    def add_vline(self, x: float, annotation_text: str | None = None, **look: object) -> None:
        """A line from bottom to top at `x`, and a text beside its end."""
        self.add_shape(type="line", x0=x, x1=x, xref="x", y0=0, y1=1, yref="y domain", **look)
        if annotation_text is not None:
            self.add_annotation(
                text=annotation_text,
                showarrow=False,
                x=x,
                xref="x",
                xanchor="left",
                y=1,
                yref="y domain",
                yanchor="top",
            )

    def add_hline(self, y: float, **look: object) -> None:
        """A line from left to right at `y`."""
        self.add_shape(type="line", x0=0, x1=1, xref="x domain", y0=y, y1=y, yref="y", **look)

    def _add(self, where: str, properties: dict) -> None:
        self._spec.setdefault(where, []).append(_nested(properties))


class Unchecked(BaseFigure):
    """A figure as `st.plotly_chart` takes it without checking it once more.

    It takes a dictionary too, but then builds Plotly's own classes of it. Of a `BaseFigure`, private to Plotly,
    it only calls `to_dict`: `tests/ui/test_spec.py` names the versions for which that holds.
    """

    def __init__(self, figure: Figure):
        self._drawn = figure.to_dict()

    def to_dict(self) -> dict:
        return self._drawn


def _nested(properties: dict) -> dict:
    """`{"line_color": c, "title": t}` as `{"line": {"color": c}, "title": {"text": t}}`."""
    made: dict = {}
    for name, value in properties.items():
        if value is None:  # as if it had not been given
            continue
        head, _, rest = (name, "", "") if name in WHOLE else name.partition("_")
        _merge(made, {head: _nested({rest: value}) if rest else _value(head, value)})
    return made


def _value(name: str, value: Any) -> Any:
    if name == "title" and isinstance(value, str):
        return {"text": value}
    if name == "colorscale" and isinstance(value, str):
        return _scale(value)
    if isinstance(value, dict):
        return _nested(value)
    packs = isinstance(value, np.ndarray) and value.size and value.dtype.kind in "fiu" and value.dtype != np.float16
    return _packed(value) if packs and name != "range" else value


_scale = cache(get_colorscale)


def _packed(array: np.ndarray) -> dict:
    """Numbers as Plotly's frontend reads them fastest: their bytes, row by row."""
    array = array.astype(np.int32) if array.dtype.kind in "iu" and array.dtype.itemsize == 8 else array
    shape = {"shape": ", ".join(map(str, array.shape))} if array.ndim > 1 else {}
    return {"dtype": array.dtype.str[1:], "bdata": base64.b64encode(array.tobytes()).decode("ascii"), **shape}


def _merge(into: dict, more: dict) -> None:
    """Puts more properties over those that are there."""
    for name, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(name), dict):
            _merge(into[name], value)
        else:
            into[name] = value
