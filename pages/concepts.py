"""Concepts: directions that a sparse autoencoder has learned from pictures, checked against what is true of them.

What one learns: that a vector is a sum of a few of many directions which mean something by themselves, while its own
dimensions and its principal components do not; and that turning one changes what is drawn.
Sources: Makhzani and Frey 2013, arXiv 1312.5663; Gao et al. 2024, arXiv 2406.04093; Bricken et al. 2023; Rao et al.
2024, arXiv 2407.14499.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.concepts import concept, concepts
from clipexplore.explore.turned import turn
from clipexplore.language import _

ui.header(
    lead=_("A dictionary of concepts, learned from pictures alone: see what each one means, and turn it up or down."),
    why=_(
        "A **sparse autoencoder** learns a thousand directions so that every picture’s vector is a sum of at most "
        "twelve of them: an encoder says how much of each there is, all but the twelve largest amounts become zero, "
        "and the rest must give the vector back. Nobody tells it what to look for. Each direction then gets the words "
        "nearest to it, without the mean of all words, because texts and pictures lie in two clouds.\n\n"
        "**What can mislead.** A concept is called by its nearest word even where no word fits. Another seed finds "
        "other concepts: the stability says how many come back. One thing can be split into several concepts, and a "
        "rare one be in none. A high F1 is that of the best of hundreds of concepts, so it is judged on new scenes. "
        "And turning a concept further than any picture has it leads to where no picture is. Sources: Makhzani and "
        "Frey 2013 (k-sparse autoencoders); Gao et al. 2024, arXiv 2406.04093; Bricken et al. 2023, Towards "
        "monosemanticity; for CLIP, Rao et al. 2024, arXiv 2407.14499."
    ),
    formula=r"z = \operatorname{TopK}\bigl(W (x - \bar x) + b\bigr), \qquad \hat x = \bar x + \sum_j z_j d_j, \qquad "
    r"\min \sum_x \lVert x - \hat x \rVert^2, \quad \lVert d_j \rVert = 1",
    attempt=_("Turn the jungle of the lion to 0, add **snow** at 1.5, and draw it."),
)
found = None
if ui.concepts_ready():
    with ui.row():
        find = ui.text_line(
            "find",
            _("Find concepts by an expression"),
            max_chars=300,
            width=320,
            placeholder="snow",
            help=_("Those whose direction is nearest to it come first. Empty, they come in the order beside it."),
        )
        order = ui.choice(
            "order",
            _("Order"),
            ["stability", "purity", "frequency"],
            help=_(
                "**purity** is how alike the pictures are that have most of a concept: the mean cosine of two of the "
                "first ten. **stability** is how surely another seed finds it again."
            ),
        )
        k = ui.slider("k", _("Results"), 1, 50, width=200)
    listed = ui.call(concepts, find=find, order=order)
    found = listed.in_time("cards")
if found:
    ui.say_concepts(found)
    ui.show_judged()
    ui.show_cards(found.cards[:k])

    st.divider()
    st.subheader(_("One concept"), anchor=False)
    first = found.cards[0].number
    number = ui.number(
        "concept", _("Number"), 1, found.count, step=1.0, format="%.0f", width=160, placeholder=f"{first}"
    )
    one = ui.call(concept, number=int(number or first))
    ui.show_concept(one.result)

    st.divider()
    st.subheader(_("Turn concepts up and down"), anchor=False)
    calls = [listed, one]
    if point := ui.expression_box():
        ui.add_picture("q")
        written = ui.text_line(
            "turned",
            _("What is turned"),
            max_chars=600,
            placeholder="12 0, 40 1.5",
            help=_(
                "Numbers of concepts and how much of each there is to be: 0 for none, 1 for what is usual where it "
                "is. The sliders write it, and it is part of the link."
            ),
        )
        change = ui.call(turn, q=point, turned=written)
        ui.turn_box(written, change.result, found.cards)
        ui.show_turned(change.result)
        if ui.draw_toggle():
            ui.draw_points(ui.turned_as_points(change.result))
        ui.open_in(point)
        calls.append(change)
    ui.code(*calls)
