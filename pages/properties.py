"""Can the space be taken apart? Objects × values of a property: is "blue" the same step for a car and for a rose?

What one learns: parallel differences, the additive model and its R², and directions that mean something; all beside
what chance would give.
Sources: Trager et al., arXiv 2302.14383; the counts of dimensions follow traberph/exploringCLIP.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.properties import step, take_apart
from clipexplore.language import _

ui.header(
    lead=_("Objects times values of a property: can the space be taken apart?"),
    why=_(
        "If the space were made of parts, “blue minus red” would be the same vector for a car and for a rose: "
        "differences would be **parallel**, and a cell would be the mean, plus something for its object, plus "
        "something for its value. The share of the variance that this explains is R²; the rest is interaction. Each "
        "cell is also left out and predicted from the others, then looked for among everything else. Source: Trager et "
        "al., arXiv 2302.14383."
    ),
    formula=r"x_{ov} \approx \bar x + a_o + b_v, \qquad "
    r"R^2 = 1 - \frac{\sum \lVert x_{ov} - \bar x - a_o - b_v \rVert^2}{\sum \lVert x_{ov} - \bar x \rVert^2}",
    attempt=_("Use pictures for the cells instead of texts: `@{value}-{object}`. They are less tidy."),
)
left, middle, right = st.columns([2, 2, 3])
with left:
    objects = ui.lines_box("objects", _("Objects, one a line"), least=2, most=16)
with middle:
    values = ui.lines_box("values", _("Values of the property, one a line"), least=2, most=16)
with right:
    cell = ui.text_line(
        "cell",
        _("A cell"),
        max_chars=300,
        help=_(
            "An expression with `{object}` and `{value}` in it: a text such as `a {value} {object}`, or pictures such "
            "as `@{value}-{object}`."
        ),
    )

if objects and values:
    given = {"objects": objects, "values": values, "cell": cell}
    apart = ui.call(take_apart, **given)
    ui.show_grid(apart.result.grid)
    ui.show_apart(apart.result)
    ui.say_figures(
        _(
            "**Emoji World’s own CLIP**, parallelism (with shuffled values) and R²: colours × things {of[Colours × "
            "things: parallelism]:.3f} ({of[Colours × things: shuffled]:.3f}), {of[Colours × things: additive "
            "R²]:.1%}; as pictures {of[Colours × things, pictures: parallelism]:.3f} ({of[Colours × things, pictures: "
            "shuffled]:.3f}), {of[Colours × things, pictures: additive R²]:.1%}; places × things {of[Places × things: "
            "parallelism]:.3f} ({of[Places × things: shuffled]:.3f}), {of[Places × things: additive R²]:.1%}; as "
            "pictures {of[Places × things, pictures: parallelism]:.3f} ({of[Places × things, pictures: "
            "shuffled]:.3f}), {of[Places × things, pictures: additive R²]:.1%}; hats × people, pictures {of[Hats × "
            "people, pictures: parallelism]:.3f} ({of[Hats × people, pictures: shuffled]:.3f}), {of[Hats × people, "
            "pictures: additive R²]:.1%}."
        )
    )

    st.divider()
    st.subheader(_("A direction"), anchor=False)
    with ui.row():
        before = ui.select("before", _("From"), values, width=220)
        after = ui.select("after", _("To"), values, otherwise=1, width=220)
    direction = ui.call(step, **given, before=before, after=after)
    ui.show_direction(direction.result, objects, before, after)
    ui.open_in(direction.result.direction)

    st.divider()
    st.subheader(_("Dimension by dimension"), anchor=False)
    ui.show_dimensions(direction.result, objects)
    ui.code(apart, direction)
