"""The page that map.py drives: n points at random, drawn by our cloud or by plotly, and how many of them a lasso holds.

Not part of the app.
"""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from clipexplore.maps.place import inside
from clipexplore.ui.cloud import Overlay, draw_cloud, packed
from clipexplore.ui.shades import Shades

count, by = int(st.query_params.get("n", 10_000)), st.query_params.get("by", "cloud")


@st.cache_resource
def points(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Ten clouds of different colours."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 10, count)
    return (rng.normal(size=(10, 2))[kinds] * 4 + rng.normal(size=(count, 2))).astype(np.float32), kinds


places, kinds = points(count)
if by == "cloud":
    region = st.session_state.get("region")
    drawn = packed(
        places,
        Shades(kinds, [f"kind {kind}" for kind in range(10)]),
        Overlay(region=region),
        ("x", "y"),
        "benchmark",
        None,
    )
    draw_cloud(drawn, "cloud", lambda corners: st.session_state.update(region=corners), *2 * [lambda said: None])
    held = int(inside(places, np.array(region)).sum()) if region else 0
else:
    figure = go.Figure(
        [
            go.Scattergl(x=places[kinds == kind, 0], y=places[kinds == kind, 1], mode="markers", name=f"kind {kind}")
            for kind in range(10)
        ]
    )
    figure.update_layout(dragmode="lasso", height=640)
    held = len(st.plotly_chart(figure, key="plotly", on_select="rerun", selection_mode="lasso").selection.points)
st.text(f"holds {held}")
