"""Any to any: an expression in, the nearest pictures, captions or words out, each with what its cosine is worth.

What one learns: ranking by cosine, and why a cosine needs its context (openai/CLIP issues 405 and 491 ask why a match is .25 and not 1).
"""

import streamlit as st

from clipexplore import links, ui

DEFAULTS = links.PAGES["search"]

ui.header("search")
point = ui.expression_box(DEFAULTS["q"])
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    kind = st.segmented_control(ui.text("search.in"), ["pictures", "captions", "words"], default=DEFAULTS["in"], required=True, key="in",
                                bind="query-params") or DEFAULTS["in"]  # fmt: skip
    k = st.slider(ui.text("search.k"), 1, 100, DEFAULTS["k"], key="k", bind="query-params", width=220)
    ui.add_picture(lambda id: ui.preset(q=f"@{id}"))
    among = ui.facet_box(kind)

if point:
    hits = ui.find(point.vector, kind, k, among)
    ui.score_context(point.vector, kind, among)
    if kind == "pictures":
        ui.gallery(hits, key="search")
    else:
        ui.result_bars(hits, key="search-bars", alt=ui.text("search.alt", what=kind, q=point.expression))
    if ui.draw_toggle(DEFAULTS["draw"]):
        ui.draw_points(ui.hits_as_points(point, hits), "search-drawn")
    ui.distribution(point.vector, kind, key="search", among=among)
    ui.open_in(point.expression, "search")
    ui.download_row(hits, point.vector, key="search")
    ui.code(f"""
from clipexplore import Space

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
point = space.point({str(point.expression)!r})
for hit in space.search(point.vector, {kind!r}, k={k}{", among=rows" if among is not None else ""}):
    print(f"{{hit.rank:3}}  {{hit.cosine:.3f}}  z {{hit.z:.1f}}  {{hit.id}}  {{hit.caption}}")
""")
