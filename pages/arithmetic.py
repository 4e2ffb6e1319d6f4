"""Hat minus no hat: the difference of two points, and the words, captions and pictures it points at.

What one learns: what two pictures share cancels; the order of the words is the result, not the size of the cosines. Averaging several
pairs gives a cleaner direction. Source of the experiment: WelchLabs/videos, `_2025/sora/cosine_similarities.csv`.
"""

import streamlit as st

from clipexplore import links, ui
from clipexplore.properties import direction

DEFAULTS = links.PAGES["arithmetic"]

ui.header("arithmetic")
point = ui.expression_box(DEFAULTS["q"])
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    if point:
        st.button(ui.text("arithmetic.reverse"), icon=":material/swap_horiz:", on_click=ui.preset, kwargs={"q": ui.reversed_sum(point.expression)})
    what = st.segmented_control(ui.text("arithmetic.bank"), ["words", "captions", "pictures"], default=DEFAULTS["bank"], required=True, key="bank",
                                bind="query-params") or DEFAULTS["bank"]  # fmt: skip
    k = st.slider(ui.text("search.k"), 1, 50, DEFAULTS["k"], key="k", bind="query-params", width=220)
    without_inputs = st.toggle(ui.text("arithmetic.exclude"), DEFAULTS["exclude"], key="exclude", bind="query-params", help=ui.text("arithmetic.exclude_help"))
with st.expander(ui.text("arithmetic.several"), icon=":material/functions:", expanded=bool(st.session_state.get("pairs"))):
    pairs = ui.lines_box(ui.text("arithmetic.pairs"), DEFAULTS["pairs"], key="pairs", least=0, most=12, help=ui.text("arithmetic.pairs_help"))

if point:
    points = [point, *ui.points_of(pairs or [])]
    mean = direction(ui.stack(points))
    if len(points) > 1:
        st.metric(ui.text("arithmetic.agreement"), f"{mean.agreement:.2f}", help=ui.text("arithmetic.agreement_help"), width="content")
    hits = ui.space().search(mean.vector, what, k, exclude=point if without_inputs else None)
    words, pictures = st.columns([3, 2], gap="large")
    with words:
        if what == "pictures":
            ui.gallery(hits, key="arithmetic")
        else:
            ui.result_bars(hits, key="arithmetic-bars", alt=ui.text("search.alt", what=what, q=point.expression))
        ui.score_context(mean.vector, what)
        ui.distribution(mean.vector, what, key="arithmetic")
    with pictures:
        st.subheader(ui.text("arithmetic.pictures"), anchor=False)
        ui.gallery(ui.space().search(mean.vector, "pictures", 9, exclude=point if without_inputs else None), key="arithmetic-pictures")
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        draw = ui.draw_toggle(DEFAULTS["draw"])
        onto = st.text_input(ui.text("draw.onto"), DEFAULTS["onto"], key="onto", bind="query-params", max_chars=200, disabled=not draw,
                             help=ui.text("draw.onto_help"), width=320)  # fmt: skip
    if draw:
        ui.draw_points(ui.sum_as_points(point, onto), "arithmetic-drawn")
    ui.open_in(point.expression, "arithmetic")
    ui.download_row(hits, mean.vector, key="arithmetic")
    ui.code(f"""
from clipexplore import Space, direction
import numpy as np

space = Space.open(model={ui.space().model.key!r}, collection={ui.space().collection.name!r})
points = [space.point(line).vector for line in {[str(each.expression) for each in points]!r}]
for hit in space.search(direction(np.stack(points)).vector, {what!r}, k={k}):
    print(f"{{hit.cosine:.3f}}  z {{hit.z:.1f}}  {{hit.caption}}")
""")
