"""The collections: those that come with the product, those shared on this server, and one's own; made, enlarged, looked into and taken away.

What one learns: that every other page works on one's own pictures, captions or vectors as it does on the bundled world.
"""

import streamlit as st

from clipexplore import links, ui

DEFAULTS = links.PAGES["collections"]

ui.header("collections")
ui.new_collection()
ui.show_shelf()

st.subheader(ui.text("inside.label"), anchor=False)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    look = st.segmented_control(ui.text("inside.look"), ["sample", "duplicates", "outliers"], default=DEFAULTS["look"], required=True, key="look",
                                bind="query-params") or DEFAULTS["look"]  # fmt: skip
    near = st.slider(ui.text("inside.near"), 0.5, 1.0, DEFAULTS["near"], 0.01, key="near", bind="query-params", width=220, help=ui.text("inside.near_help"))
    seed = st.slider(ui.text("match.seed"), 0, 99, DEFAULTS["seed"], key="seed", bind="query-params", width=140, help=ui.text("inside.seed_help"))
ui.look_inside(look, near, seed)
ui.code("""
from clipexplore import Collection
from clipexplore.collections.shelves import folders
from clipexplore.collections.tidy import near_duplicates, neighbours

found = Collection.open(folders()["emoji-world"])  # `python -m clipexplore index PATH --name NAME` makes others
near = neighbours(found.embeddings("emoji", "pictures"))
for group in near_duplicates(near, 0.95)[:10]:
    print([found.ids[row] for row in group])
""")
