"""A walk through the space: stops, a path through them, and what lies nearest along the way.

What one learns: slerp and lerp, and that the straight way leaves the sphere on which all embeddings lie (traberph/CLIP-Interpolation compares the two).
"""

import streamlit as st

from clipexplore import links, ui
from clipexplore.vectors import path

DEFAULTS = links.PAGES["interpolate"]

ui.header("interpolate")
given, settings = st.columns([3, 2])
with given:
    lines = ui.lines_box(ui.text("interpolate.stops"), DEFAULTS["stops"], key="stops", least=2, most=8, help=ui.text("interpolate.stops_help"))
with settings:
    frames = st.slider(ui.text("interpolate.frames"), 2, 50, DEFAULTS["frames"], key="frames", bind="query-params", help=ui.text("interpolate.frames_help"))
    curve = st.segmented_control(ui.text("interpolate.curve"), ["slerp", "lerp"], default=DEFAULTS["curve"], required=True, key="curve", bind="query-params") or DEFAULTS["curve"]

points = ui.points_of(lines or [])
if len(points) >= 2:
    walk = path(ui.stack(points), max(frames, len(points)), curve)
    ui.frame_strip(walk)
    curves, plane = st.columns(2, gap="large")
    with curves:
        ui.path_curves(walk, points)
    with plane:
        ui.path_map(walk, points)
    ui.path_download(walk, points)
    ui.code(f"""
from clipexplore import Space, path
import numpy as np

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
stops = np.stack([space.point(line).vector for line in {[str(point.expression) for point in points]!r}])
for vector in path(stops, frames={max(frames, len(points))}, curve={curve!r}).points:
    print(space.search(vector, "captions", k=1)[0].caption)
""")
