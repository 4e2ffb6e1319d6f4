"""A walk through the space: stops, a path through them, what lies nearest along the way, and every frame as a picture.

What one learns: slerp and lerp; that the straight way leaves the sphere on which all embeddings lie; and that a point of the space can be drawn
(traberph/CLIP-Interpolation compares the two curves; Ramesh et al. 2022 draw from embeddings).
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
    frames = st.slider(ui.text("interpolate.frames"), 2, 240, DEFAULTS["frames"], key="frames", bind="query-params", help=ui.text("interpolate.frames_help"))
    with st.container(horizontal=True):
        curve = st.segmented_control(ui.text("interpolate.curve"), ["slerp", "lerp", "both"], default=DEFAULTS["curve"], required=True, key="curve",
                                     bind="query-params", help=ui.text("interpolate.curve_help")) or DEFAULTS["curve"]  # fmt: skip
        easing = st.segmented_control(ui.text("interpolate.easing"), ["linear", "smooth"], default=DEFAULTS["easing"], required=True, key="easing",
                                      bind="query-params", help=ui.text("interpolate.easing_help")) or DEFAULTS["easing"]  # fmt: skip
    with st.popover(ui.text("interpolate.drawing"), icon=":material/brush:"):
        drawing = ui.walk_draw_settings()

points = ui.points_of(lines or [])
if len(points) >= 2:
    route = ui.Route(tuple(str(point.expression) for point in points), max(frames, len(points)), curve, easing)
    walk = path(ui.stack(points), route.frames, route.curves[0], easing)
    near = ui.nearest(walk)
    tracks = ui.drawn_walk(route, points, drawing)
    ui.path_view(walk, points, near, tracks)
    if tracks:
        ui.drawn_strip(tracks)
        ui.walk_download(tracks, route, drawing)
    with st.expander(ui.text("interpolate.strip"), icon=":material/photo_library:", expanded=not tracks):
        ui.frame_strip(near)
    ui.path_curves(walk, points)
    ui.path_download(walk, points)
    ui.code(f"""
from clipexplore import Space, path
import numpy as np

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
stops = np.stack([space.point(line).vector for line in {list(route.stops)!r}])
walk = path(stops, frames={route.frames}, curve={route.curves[0]!r}, easing={easing!r}).points
for vector in walk:
    print(space.search(vector, "captions", k=1)[0].caption)
{ui.drawing_code(points, route, drawing)}""")
