"""Hat minus no hat: the difference of two points, and the words, captions and pictures it points at.

What one learns: what two pictures share cancels; the order of the words is the result, not the size of the cosines.
Averaging several pairs gives a cleaner direction. Source: WelchLabs/videos, `_2025/sora/cosine_similarities.csv`.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.arithmetic import arithmetic
from clipexplore.language import _, numeral

ui.header(
    lead=_("Subtract a bare head from one with a hat, and the nearest words are about hats."),
    why=_(
        "What two pictures share cancels in their difference; what remains points to what only the first one has. Its "
        "cosines with the words of a bank are small, so read the **order**, and z: a word at z = 4 lies four standard "
        "deviations above the bank. The sign matters: with − without."
    ),
    formula=r"d = \frac{x_\text{hat} - x_\text{bare}}{\lVert x_\text{hat} - x_\text{bare} \rVert}, "
    r"\qquad \text{score}_w = d \cdot w",
    attempt=_(
        "Give several pairs, one per line: their mean is a cleaner direction; the agreement says how parallel they are."
    ),
)
point = ui.expression_box()
with ui.row():
    if point:
        st.button(
            _("Turn around"),
            icon=":material/swap_horiz:",
            on_click=ui.preset,
            kwargs={"q": ui.reversed_sum(point.expression)},
        )
    what = ui.choice("bank", _("Search in"), ui.space().searchable[::-1])
    k = ui.slider("k", _("Results"), 1, 50, width=220)
    without_inputs = ui.toggle(
        "exclude",
        _("Leave the inputs out"),
        help=_("Removes the expression’s own pictures and texts from the results."),
    )
with st.expander(_("Average several pairs"), icon=":material/functions:", expanded=bool(st.session_state.get("pairs"))):
    pairs = ui.lines_box(
        "pairs",
        _("Further pairs to average, one per line"),
        least=0,
        most=12,
        help=_("Each line is a difference like the one above. All are normalised and averaged."),
    )

if point:
    others = ui.points_of(pairs or [])
    found = ui.call(arithmetic, q=point, pairs=others, bank=what, k=k, exclude=without_inputs)
    result = found.result
    if others:
        st.metric(
            _("Agreement of the pairs"),
            numeral(result.agreement, ".2f"),
            help=_(
                "The mean cosine between the differences: 1 if all point the same way, 0 if they have nothing in "
                "common."
            ),
            width="content",
        )
    words, pictures = st.columns(2, gap="large")
    with words:
        if what == "pictures":
            ui.gallery(result.hits, key="arithmetic")
        else:
            ui.nearest_bars(result.hits, point, what, key="arithmetic-bars")
        ui.say_context(result.context, what)
        ui.show_distribution(result.context, key="arithmetic")
    with pictures:
        st.subheader(_("Nearest pictures"), anchor=False)
        ui.gallery(result.pictures, key="arithmetic-pictures")
    with ui.row():
        draw = ui.draw_toggle()
        onto = ui.text_line(
            "onto",
            _("Added to"),
            max_chars=200,
            disabled=not draw,
            help=_("The last drawing adds the sum to this expression."),
            width=320,
        )
    if draw:
        ui.draw_points(ui.sum_as_points(point, onto))
    ui.open_in(point)
    ui.download_row(result.hits, result.vector, key="arithmetic")
    ui.code(found)
