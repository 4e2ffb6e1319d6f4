"""The first page: one expression, what it is near to, and the way to everything else.

What one learns: pictures and texts are points of one space, and can be added and subtracted (Radford et al. 2021).
"""

import streamlit as st

from clipexplore import links, ui

ui.header("start")
point = ui.expression_box(links.PAGES["start"]["q"])
if point:
    words, pictures = st.columns(2, gap="large")
    with words:
        st.subheader(ui.text("start.words"), anchor=False)
        ui.result_bars(ui.space().search(point.vector, "words", 14), key="start-words", alt=ui.text("start.words_alt", q=point.expression))
    with pictures:
        st.subheader(ui.text("start.pictures"), anchor=False)
        ui.gallery(ui.space().search(point.vector, "pictures", 9), key="start-pictures")
    ui.open_in(point.expression, "start")

st.divider()
with st.grid("auto", min_column_width=190):
    for name in list(ui.PAGES)[1:]:
        with st.container(border=True, height="stretch"):
            st.page_link(f"pages/{name}.py", label=f"**{ui.PAGES[name].title}**")
            st.caption(ui.PAGES[name].lead)

ui.code(f"""
from clipexplore import Space

space = Space.open()
point = space.point({(str(point.expression) if point else "cat + snow")!r})
for hit in space.search(point.vector, "words", k=10):
    print(f"{{hit.cosine:.3f}}  z {{hit.z:.1f}}  {{hit.caption}}")
""")
