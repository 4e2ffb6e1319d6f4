"""PCA you can take apart: spectrum, components as directions, fingerprints, and what a projection keeps.

What one learns: PCA is the best linear autoencoder, what a component means, and that the first joint component is the modality gap.
Sources: Eckart and Young 1936; Liang et al., arXiv 2203.02053; Halko, Martinsson and Tropp 2011.
"""

import streamlit as st

from clipexplore import links, ui

DEFAULTS = links.PAGES["components"]
PARTS = ["spectrum", "plane", "walk", "fingerprint", "distances", "solvers"]

ui.header("components")
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    of = st.segmented_control(ui.text("components.of"), ui.CLOUDS, default=DEFAULTS["of"], required=True, key="of", bind="query-params") or DEFAULTS["of"]
    center = st.toggle(ui.text("components.center"), DEFAULTS["center"], key="center", bind="query-params", help=ui.text("components.center_help"))
    standardize = st.toggle(ui.text("components.standardize"), DEFAULTS["standardize"], key="standardize", bind="query-params",
                            help=ui.text("components.standardize_help"))  # fmt: skip
part = st.segmented_control(ui.text("components.part"), PARTS, default=DEFAULTS["part"], required=True, key="part", bind="query-params", label_visibility="collapsed")
cloud = ui.cloud_of(of, center, standardize)
ui.say_gap(cloud)

if part not in ("plane", "walk", "fingerprint"):
    rank = st.slider(ui.text("components.rank"), 1, 100, DEFAULTS["rank"], key="rank", bind="query-params", width=320)
if part == "plane":
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        x = st.slider(ui.text("map.x"), 1, 50, DEFAULTS["x"], key="x", bind="query-params", width=220)
        y = st.slider(ui.text("map.y"), 1, 50, DEFAULTS["y"], key="y", bind="query-params", width=220)
        solid = st.toggle(ui.text("components.solid"), DEFAULTS["solid"], key="solid", bind="query-params")
        if solid:
            z = st.slider(ui.text("components.z"), 1, 50, DEFAULTS["z"], key="z", bind="query-params", width=220)
    lines = ui.lines_box(ui.text("map.points"), DEFAULTS["points"], key="points", least=0, most=24, help=ui.text("map.points_help"))
    ui.plane(cloud, [x, y, z] if solid else [x, y], ui.points_of(lines or []), solid)
elif part == "walk":
    component = st.slider(ui.text("components.component"), 1, 50, DEFAULTS["component"], key="component", bind="query-params", width=320)
    ui.walk(cloud, component)
elif part == "fingerprint":
    point = ui.expression_box(DEFAULTS["q"])
    if point:
        ui.fingerprint(cloud, point)
        ui.open_in(point.expression, "components")
elif part == "distances":
    ui.kept_by_projection(cloud, rank)
elif part == "solvers":
    ui.solvers(cloud, rank)
else:
    ui.spectrum(cloud, rank)

ui.code(f"""
import numpy as np
from clipexplore import Space, pca
from clipexplore.components import lost

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
points = {ui.cloud_code(of)}
fit = pca(points, k=50, center={center}, standardize={standardize})
print(fit.explained_variance_ratio[:10])
print(lost(points, fit, [1, 10, 50]))
""")
