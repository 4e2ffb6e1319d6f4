"""The first page: one expression, what it is near to, and the way to everything else.

What one learns: pictures and texts are points of one space, and can be added and subtracted (Radford et al. 2021).
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.search import search
from clipexplore.language import _

ui.header(
    lead=_("Pictures and texts as points of one space. Type anything below, or pick an example."),
    why=_(
        "CLIP turns every picture and every text into a vector of length 1, so that those that match point the same "
        "way. How well two match is their cosine: 1 for the same direction, 0 for nothing in common. Here a point of "
        "that space is written as an **expression** – texts and pictures, added and subtracted – and every page takes "
        "one."
    ),
    formula=r"\cos(a, b) = a \cdot b, \qquad \lVert a \rVert = \lVert b \rVert = 1",
    attempt=_(
        "Take the hat off: replace `@man-top-hat - @man` by `@man - @man-top-hat` and watch the words turn around."
    ),
)
point = ui.expression_box()
ui.surprise_button()
if point:
    said, shown = (ui.space().instead_of(what) for what in ("words", "pictures"))
    near_words = ui.call(search, q=point, what=said, k=14)
    near_pictures = ui.call(search, q=point, what=shown, k=9, judge=False)
    words, pictures = st.columns(2, gap="large")
    with words:
        st.subheader(_("Nearest words") if said == "words" else _("Nearest captions"), anchor=False)
        ui.nearest_bars(near_words.result.hits, point, said, key="start-words")
    with pictures:
        st.subheader(_("Nearest pictures"), anchor=False)
        ui.gallery(near_pictures.result.hits, key="start-pictures")
    ui.open_in(point)

st.divider()
ui.show_doors()

if point:
    ui.code(near_words, near_pictures)
