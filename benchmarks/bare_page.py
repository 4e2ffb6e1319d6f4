"""What first_paint.py compares with: a title, a field, a line and nine pictures, by Streamlit alone.

Not part of the app.
"""

from pathlib import Path

import streamlit as st

from clipexplore.images import open_picture
from clipexplore.store.collection import Collection

st.title("Pictures")
st.text_input("Text", "lion")


@st.cache_resource
def pictures() -> list:
    """Nine of Emoji World."""
    world = Collection.open(Path(__file__).parents[1] / "assets/collections/emoji-world")
    return [open_picture(world.picture(id)) for id in world.ids[:9]]


st.write("The pictures nearest to it.")
st.image(pictures(), width=140)
