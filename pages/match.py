"""What CLIP was trained to do: find, in a batch of pictures and captions, which belong together; and the gap that it leaves between them.

What one learns: the symmetric cross-entropy and what it pulls and pushes, chance, and why pictures and texts still live in two places.
Sources: Radford et al. 2021, §2.3; Liang et al., Mind the gap, arXiv 2203.02053.
"""

import streamlit as st

from clipexplore import links, ui
from clipexplore.contrast import match_pairs

DEFAULTS = links.PAGES["match"]

ui.header("match")
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    count = st.slider(ui.text("match.count"), 2, 200, DEFAULTS["n"], key="n", bind="query-params", width=200, help=ui.text("match.count_help"))
    seed = st.slider(ui.text("match.seed"), 0, 99, DEFAULTS["seed"], key="seed", bind="query-params", width=140, help=ui.text("match.seed_help"))
    swap = st.slider(ui.text("match.swap"), 0, 100, DEFAULTS["swap"], step=5, key="swap", bind="query-params", width=240, help=ui.text("match.swap_help"))
    own_scale = ui.space().model.logit_scale
    scale = st.number_input(ui.text("match.scale"), 0.1, 1000.0, DEFAULTS["logit_scale"], step=1.0, key="logit_scale", bind="query-params", width=180,
                            placeholder=ui.text("match.own_scale", scale=own_scale), help=ui.text("match.scale_help"))  # fmt: skip
    dot = st.toggle(ui.text("match.dot"), DEFAULTS["dot"], key="dot", bind="query-params", help=ui.text("match.dot_help"))
with st.expander(ui.text("match.own"), icon=":material/edit:", expanded=bool(st.session_state.get("image"))):
    st.caption(ui.text("match.own_lead"))
    left, right = st.columns(2)
    with left:
        images = ui.lines_box(ui.text("classify.image"), DEFAULTS["image"], key="image", least=0, most=50)
        ui.add_picture(ui.append_picture)
    with right:
        captions = ui.lines_box(ui.text("match.own_captions"), DEFAULTS["captions"], key="captions", least=0, most=50)

pairs = ui.own_pairs(images, captions) if images or captions else ui.drawn_pairs(count, seed)
batch = ui.swapped(pairs, swap)
found = match_pairs(*batch.vectors(dot), scale or own_scale, normalized=not dot)
ui.match_metrics(found)
if dot:
    ui.match_lengths(batch, match_pairs(*batch.vectors(False), scale or own_scale), found)
show = st.segmented_control(ui.text("match.show"), ["cosines", "by picture", "by caption", "gradient"], default=DEFAULTS["show"], required=True, key="show",
                            bind="query-params") or DEFAULTS["show"]  # fmt: skip
matrix, training = st.columns([3, 2], gap="large")
with matrix:
    ui.match_matrix(batch, found, show)
with training:
    ui.match_training(batch, found)
ui.match_download(batch, found)

st.divider()
st.subheader(ui.text("match.gap_title"), anchor=False)
st.markdown(ui.text("match.gap_lead"))
closed = st.slider(ui.text("match.closed"), -100, 100, DEFAULTS["closed"], step=10, key="closed", bind="query-params", width=420)
ui.gap_lab(seed, closed, scale or own_scale)
ui.say_figures("match")
ui.code(f"""
from clipexplore import Space, close_gap, match_pairs, modality_gap
import numpy as np

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
images, texts = (np.stack([space.point(line).vector for line in lines]) for lines in (
    {batch.pictures[:12]!r},
    {batch.captions[:12]!r},
))
lengths = {batch.image_lengths[:12].tolist() if dot else 1}, {batch.text_lengths[:12].tolist() if dot else 1}
found = match_pairs((images.T * lengths[0]).T, (texts.T * lengths[1]).T, logit_scale={scale or own_scale:.4g}, normalized={not dot})
print(found.loss)
print(np.linalg.norm(modality_gap(*close_gap(images, texts, {closed / 100}))))
""")
