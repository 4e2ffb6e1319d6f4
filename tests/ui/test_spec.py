"""The same calls make the same figure as Plotly's own classes; `helpers.assert_whole` has Plotly check every figure
that a page draws.
"""

import json
from base64 import b64decode
from importlib.metadata import version

import numpy as np
import plotly.graph_objects as plotly
import pytest
from plotly.io import to_json
from plotly.tools import return_figure_from_figure_or_data

from clipexplore.ui import spec


def marked(go):
    figure = go.Figure(
        go.Bar(x=np.array([0.1, 0.5]), y=[2, 1], marker_color="#123456", text=None, width=np.array([0.2, 0.2]))
    )
    figure.update_layout(bargap=0, meta="x", margin=dict(l=8, r=8), xaxis_title="from left")
    figure.update_layout(xaxis=dict(title="cosine", range=[0, 1]))
    figure.update_layout(xaxis=dict(tickvals=[0, 1], title_font_size=9, title_font_color="red"))
    figure.update_layout(yaxis=dict(title=None, tickmode=None, autorange="reversed"))
    figure.add_vline(x=0.25, line_color="red", annotation_text="0.25")
    figure.add_hline(y=0.9, line_dash="dot")
    figure.add_shape(type="rect", x0=0, x1=1, y0=0, y1=1, line=dict(color="red", width=2))
    figure.add_annotation(x=0.5, y=0.5, text="here", showarrow=False, font=dict(size=13))
    return figure


def curves(go):
    figure = go.Figure(
        [
            go.Scatter(x=np.arange(4), y=np.arange(4) / 7, mode="lines", line=dict(dash="dot"), name="a"),
            go.Histogram(x=[1, 2], xbins=dict(start=0, size=0.1)),
        ]
    )
    figure.add_trace(go.Scatter(x=[0, 1], y=[1, 0], marker=dict(size=np.array([6.5, 7.5]), line_width=2), yaxis="y2"))
    figure.update_layout(
        yaxis=dict(title="left", rangemode="tozero"),
        yaxis2=dict(title=dict(text="right"), overlaying="y"),
        legend=dict(orientation="h"),
        showlegend=True,
    )
    return figure


def heat(go):
    numbers = np.linspace(-1, 1, 6).reshape(2, 3)
    figure = go.Figure(
        go.Heatmap(
            z=numbers,
            text=np.array([["a", "b", "c"]] * 2),
            texttemplate="%{text}",
            colorscale="RdBu_r",
            showscale=False,
        )
    )
    figure.add_layout_image(source="data:,", xref="x", yref="y", x=0, y=0, sizex=1, sizey=1, layer="below")
    return figure


def solid(go):
    figure = go.Figure(
        go.Scatter3d(
            **dict(zip("xyz", np.eye(3, dtype=np.float32), strict=True)), mode="markers", marker=dict(color=["red"] * 3)
        )
    )
    figure.add_trace(go.Scattergl(x=np.array([True, False]), y=np.array([], float)))
    figure.update_layout(scene_camera_eye=dict(x=1.4, y=1), scene=dict(xaxis_title="first"), paper_bgcolor="white")
    return figure


def read(value):
    """Numbers as lists, however they were written and rounded; nothing of the template, and nothing that is empty."""
    if isinstance(value, dict) and "bdata" in value:
        rows = np.frombuffer(b64decode(value["bdata"]), value["dtype"])
        return rows.reshape([int(each) for each in value.get("shape", str(rows.size)).split(",")]).tolist()
    if isinstance(value, dict):
        return {name: read(each) for name, each in value.items() if name != "template" and each != {}}
    if isinstance(value, float):
        return round(value, 9)
    return [read(each) for each in value] if isinstance(value, list | tuple) else value


@pytest.mark.parametrize("draw", [marked, curves, heat, solid])
def test_the_figure_is_that_of_plotly(draw):
    ours = json.loads(to_json(draw(spec).to_dict(), validate=False))
    assert read(ours) == read(json.loads(draw(plotly).to_json()))
    plotly.Figure(ours)


def test_defaults_take_the_colours_of_the_theme():
    from streamlit.elements.lib import streamlit_plotly_theme as theme

    assert [getattr(theme, f"CATEGORY_{number}") for number in range(10)] == spec.COLORWAY


def test_streamlit_takes_an_unchecked_figure_as_it_is():
    assert version("streamlit").startswith("1.67.") and version("plotly").startswith("7."), (
        "look again at spec.Unchecked"
    )
    figure = spec.Figure({"type": "no such trace"})
    assert return_figure_from_figure_or_data(spec.Unchecked(figure), validate_figure=True) == figure.to_dict()
