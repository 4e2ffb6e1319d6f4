"""The collection on a plane, with the visitor's own points among it, and how far that plane can be trusted.

What one learns: what PCA keeps (variance, a linear view) and what UMAP keeps (neighbourhoods); neighbours are always those of the true space.
Sources: Eckart and Young 1936; McInnes, Healy and Melville, arXiv 1802.03426; Venna and Kaski 2001 (trustworthiness).
"""

import streamlit as st

from clipexplore import links, ui

DEFAULTS = links.PAGES["map"]

ui.header("map")
settings, plot = st.columns([1, 3], gap="large")
with settings:
    method = st.segmented_control(ui.text("map.method"), ["pca", "umap", "own"], default=DEFAULTS["method"], required=True, key="method", bind="query-params",
                                  help=ui.text("map.method_help"))  # fmt: skip
    coloring = ui.color_box()
    lines = ui.lines_box(ui.text("map.points"), DEFAULTS["points"], key="points", least=0, most=24, help=ui.text("map.points_help"))
    if method not in ("umap", "own"):
        x = st.slider(ui.text("map.x"), 1, 50, DEFAULTS["x"], key="x", bind="query-params")
        y = st.slider(ui.text("map.y"), 1, 50, DEFAULTS["y"], key="y", bind="query-params")
        solid = st.toggle(ui.text("components.solid"), DEFAULTS["solid"], key="solid", bind="query-params", help=ui.text("map.solid_help"))
    if method == "own":
        fit = ui.fit_settings()
    shown = ui.filter_box()
    region = st.text_input(ui.text("map.region"), DEFAULTS["region"], key="region", bind="query-params", max_chars=4000, help=ui.text("map.region_help"))
    if region:
        st.button(ui.text("map.clear"), on_click=ui.preset, kwargs={"region": ""}, icon=":material/close:")

points = ui.points_of(lines or [])
with plot:
    if method == "own":
        layout = ui.own_layout(fit) or ui.pca_layout(1, 2)
    else:
        layout = ui.umap_layout() if method == "umap" else ui.pca_layout(x, y, solid)
    ui.draw_map(layout, points, coloring, region, shown)
    ui.say_kept(shown)
    ui.say_trust(layout)

chosen = ui.chosen_by(layout, region, shown)
if chosen:
    picture = region.strip().startswith("@")
    st.subheader(ui.text("map.near", q=ui.escape(region)) if picture else ui.text("map.chosen", count=len(chosen.rows)), anchor=False)
    ui.say_neighbours(layout, region, shown)
    ui.gallery(chosen.hits, key="map-region", into="points")
    if picture:
        ui.open_in(region.strip(), "map")
    ui.download_row(chosen.hits, None, key="map-region")
if points and ui.draw_toggle(DEFAULTS["draw"]):
    ui.draw_points({str(point.expression): point for point in points[:8]}, "map-drawn")
for number, point in enumerate(points[:4]) if not chosen else ():
    st.subheader(ui.text("map.near", q=ui.escape(str(point.expression))), anchor=False)
    ui.gallery(ui.near_hits(point.vector, shown, 7), key=f"map-near-{number}", into="points")
ui.layout_download(layout, chosen.rows if chosen else shown)
ui.code(ui.layout_code(layout, fit if method == "own" else None))
