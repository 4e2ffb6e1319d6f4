"""The collection on a plane, with the visitor's own points among it.

What one learns: what PCA keeps (variance, a linear view) and what UMAP keeps (neighbourhoods); neighbours are always those of the true space.
Sources: Eckart and Young 1936; McInnes, Healy and Melville, arXiv 1802.03426.
"""

import streamlit as st

from clipexplore import links, ui

DEFAULTS = links.PAGES["map"]

ui.header("map")
settings, plot = st.columns([1, 3], gap="large")
with settings:
    method = st.segmented_control(ui.text("map.method"), ["pca", "umap"], default=DEFAULTS["method"], required=True, key="method", bind="query-params")  # fmt: skip
    color = st.selectbox(ui.text("map.color"), fields := ui.map_fields(), index=fields.index(DEFAULTS["color"]) if DEFAULTS["color"] in fields else 0, key="color",
                         bind="query-params")  # fmt: skip
    lines = ui.lines_box(ui.text("map.points"), DEFAULTS["points"], key="points", least=0, most=24, help=ui.text("map.points_help"))
    if method == "pca":
        x = st.slider(ui.text("map.x"), 1, 10, DEFAULTS["x"], key="x", bind="query-params")
        y = st.slider(ui.text("map.y"), 1, 10, DEFAULTS["y"], key="y", bind="query-params")
points = ui.points_of(lines or [])
layout = ui.pca_layout(x, y) if method == "pca" else ui.umap_layout()
with plot:
    ui.scatter(layout, points, color)
    st.caption(layout.explanation)
with settings:
    region = st.text_input(ui.text("map.region"), DEFAULTS["region"], key="region", bind="query-params", max_chars=4000, help=ui.text("map.region_help"))
    if region:
        st.button(ui.text("map.clear"), on_click=ui.preset, kwargs={"region": ""}, icon=":material/close:")

chosen = ui.region_hits(layout, region)
if chosen:
    st.subheader(ui.text("map.chosen", count=len(chosen)) if len(chosen) > 1 else f"@{chosen[0].id}", anchor=False)
    ui.gallery(chosen[:48], key="map-region")
    ui.download_row(chosen, None, key="map-region")
for number, point in enumerate(points[:4]) if not chosen else ():
    st.subheader(ui.text("map.near", q=str(point.expression)), anchor=False)
    ui.gallery(ui.space().search(point.vector, "pictures", 7), key=f"map-near-{number}")
ui.layout_download(layout)
ui.code(f"""
from clipexplore import Space, {"pca" if method == "pca" else "place"}

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
pictures = space.collection.embeddings(space.model.key, "pictures")
{"fit = pca(pictures, k=10)" if method == "pca" else 'captions = space.background.embeddings(space.model.key, "captions")'}
{"coordinates = fit.transform(pictures)" if method == "pca" else 'coordinates = place(pictures, captions, space.background.coordinates(space.model.key, "umap"))'}
""")
