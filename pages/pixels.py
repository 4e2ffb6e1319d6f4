"""The same picture as plain pixels and in CLIP's space: components, a reconstruction of rank k, and the nearest pictures in both.

What one learns: PCA is a linear autoencoder of anything; near by pixels is alike in paint, near by CLIP is alike in meaning.
Source: Sirovich and Kirby 1987 (components of pictures); the digits are those of scikit-learn.
"""

import streamlit as st

from clipexplore import links, ui

DEFAULTS = links.PAGES["pixels"]

ui.header("pixels")
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    source = st.segmented_control(ui.text("pixels.source"), ["collection", "digits"], default=DEFAULTS["source"], required=True, key="source", bind="query-params")
    if source != "digits":
        id = st.text_input(ui.text("pixels.picture"), DEFAULTS["picture"], key="picture", bind="query-params", max_chars=200, width=260, help=ui.text("pixels.picture_help"))
        ui.add_picture(lambda id: ui.preset(picture=f"@{id}"))
    else:
        id = str(st.slider(ui.text("pixels.digit"), 0, 1796, DEFAULTS["digit"], key="digit", bind="query-params", width=260))
    rank = st.slider(ui.text("components.rank"), 1, 100, DEFAULTS["rank"], key="rank", bind="query-params", width=260)

found, cloud = ui.pixel_space(source), None
row = ui.chosen_row(source, found, id.strip())
left, right = st.columns(2, gap="large")
with right:
    if source == "digits" and found:
        ui.draw_components(found)
    elif row is not None:
        cloud = ui.rebuild_in_clip(id.strip(), rank)
if found and row is not None:
    with left:
        ui.rebuild(found, row, rank)
    ui.compare(found, row, cloud, id.strip())
    if source != "digits":
        ui.draw_components(found)
ui.code(f"""
from clipexplore import Space
from clipexplore.pixels import digits, error, pixel_pca, pixels

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
rows = {"digits()[0]" if source == "digits" else "pixels([space.collection.picture(id) for id in space.collection.ids])"}
fit = pixel_pca(rows, k={rank})
row = {f"rows[{id}]" if source == "digits" else f"pixels([space.picture({id.strip().removeprefix('@')!r})])[0]"}
print(error(row, fit.inverse_transform(fit.transform(row[None]))[0]))
""")
