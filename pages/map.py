"""The collection on a plane, with the visitor's own points among it, and how far that plane can be trusted.

What one learns: what PCA keeps (variance, a linear view) and what UMAP keeps (neighbourhoods); neighbours are always
those of the true space.
Sources: Eckart and Young 1936; McInnes, Healy and Melville, arXiv 1802.03426; Venna and Kaski 2001 (trustworthiness).
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.map import lay_out, near
from clipexplore.language import _

ui.header(
    lead=_("The collection laid out on a plane, with your own points among it."),
    why=_(
        "**PCA** keeps the two directions along which the pictures differ most; distances shrink but are never torn. "
        "**UMAP** keeps neighbourhoods: what is close stays close, but directions, sizes and gaps mean nothing. Its "
        "map was fitted to 10,000 captions; pictures and your points are placed among their nearest captions. "
        "Neighbours in the list are always those of the true space, not of the plane."
    ),
    formula=r"\text{PCA: } y = V_2^\top (x - \bar x), \qquad "
    r"\text{UMAP: } y = \textstyle\sum_k w_k\, y_k,\; w = \operatorname{softmax}(x \cdot x_k / \tau)",
    attempt=_("Draw a loop around a cluster with the lasso and see what is in it. Colour by place, then by thing."),
)
plot, settings = st.columns([5, 2], gap="medium")
with settings:
    method = ui.choice(
        "method",
        _("Projection"),
        ["pca", "umap", "own"] if ui.space().has_background else ["pca", "own"],
        help=_("**own** fits a UMAP with your settings; meanwhile the plane of PCA is shown."),
    )
    coloring = ui.color_box()
    lines = ui.lines_box(
        "points",
        _("Your points, one a line"),
        least=0,
        most=24,
        help=_("Each line is an expression; it is shown on the map as a diamond."),
    )
    given = ui.plane_settings() if method == "pca" else ui.fit_settings() if method == "own" else {}
    shown = ui.filter_box()
    region = ui.text_line(
        "region",
        _("Region"),
        max_chars=4000,
        help=_(
            "Set by a click or the lasso. A polygon as `x y, x y, …`, or the `@id` of one picture; it is part of the "
            "link."
        ),
    )
    if region:
        st.button(_("Clear the region"), on_click=ui.preset, kwargs={"region": ""}, icon=":material/close:")

points, call = ui.points_of(lines or []), ui.call(lay_out, method=method, **given)
with plot:
    layout, chosen = ui.laid_out(call), None
    if layout:
        chosen = ui.show_map(layout, points, coloring, region, shown)
        ui.say_kept(shown)
        ui.say_trust(layout, given.get("fitter", ""))

nearest = _("Nearest to {q} in the true space")
if chosen:
    picture = region.strip().startswith("@")
    count = _("{count:,} pictures in the region").format(count=len(chosen.rows))
    st.subheader(nearest.format(q=ui.escape(region)) if picture else count, anchor=False)
    ui.say_neighbours(chosen)
    ui.gallery(chosen.hits, key="map-region", into="points")
    if picture:
        ui.open_in(region.strip())
    ui.download_row(chosen.hits, None, key="map-region")
if points and ui.draw_toggle():
    ui.draw_points({str(point.expression): point for point in points[:8]})
for number, point in enumerate(points[:4]) if not chosen else ():
    st.subheader(nearest.format(q=ui.escape(str(point.expression))), anchor=False)
    ui.gallery(near(call.space, point.vector, shown, 7), key=f"map-near-{number}", into="points")
if layout:
    ui.layout_download(layout, chosen.rows if chosen else shown)
ui.code(call)
