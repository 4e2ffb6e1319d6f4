"""Take apart: any point read back as a short sum of words, which is an expression again.

What one learns: how much of a picture's vector a few words say, that several sums say it about as well, and what none
of them says.
Sources: Bhalla et al. 2024, arXiv 2402.10376 (SpLiCE); Tibshirani 1996.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.apart import MOST, apart, beside
from clipexplore.language import _

ui.header(
    lead=_("Read any picture, text or sum back as a short sum of words, and change it word by word."),
    why=_(
        "The mean of its kind is taken from the point, and that of the word bank from each word, because pictures and "
        "texts lie in two clouds. Then the LASSO looks for few words with positive weights whose sum is nearest: its "
        "penalty λ, a fifth of the strongest pull of any word, keeps the sum short. The words come in the order of "
        "their penalised weights, and the weights are then fitted without the penalty.\n\n"
        "**What can mislead.** The sum says what is in CLIP’s vector, not what is in the picture: what CLIP does not "
        "see, or sees wrongly, is missing or wrong here too. Only words of the bank can be named, and many sums are "
        "nearly as good: the table shows what comes in when a word is taken away. Late words with small weights often "
        "fit nothing but noise. And a collection of lions has the lion in its mean, so no word for it is left to find. "
        "Source: Bhalla et al. 2024 (SpLiCE), arXiv 2402.10376."
    ),
    formula=r"x - \bar x \approx \sum_j w_j (t_j - \bar t), \qquad "
    r"\min_{w \ge 0} \tfrac12 \Bigl\lVert \hat x - \sum_j w_j \hat t_j \Bigr\rVert^2 + \lambda \sum_j w_j",
    attempt=_("Set a word to 0, or double one, and watch which pictures are nearest to the sum then."),
)
point = ui.expression_box()
with ui.row():
    terms = ui.slider("terms", _("Terms"), 1, MOST, width=260, help=_("The most words that the sum may have."))
    signed = ui.toggle(
        "signed",
        _("Negative weights too"),
        help=_("Comes nearer with as many words, but what is not there is endless, and such words are hard to read."),
    )
    ui.add_picture("q")

if point:
    call = ui.call(apart, q=point, terms=terms, signed=signed)
    found = call.result
    sliders, nearest = st.columns(2, gap="large")
    with sliders:
        edited = ui.sum_box(found, terms, signed)
    likeness = ui.call(beside, q=point, sum=edited)
    with nearest:
        ui.show_sum(found, likeness.result)
    ui.say_figures(
        _(
            "**Emoji World’s own CLIP**, on new scenes: the first five words name {of[taken apart: elements in five "
            "terms]:.1%} of the things, headwear, colours and places there; eight reach a cosine of {of[taken apart: "
            "cosine of eight terms]:.3f}, which is {of[taken apart: cosine of that of pursuit]:.1%} of what a greedy "
            "pursuit of the cosine alone reaches."
        )
    )
    curve, stability = st.columns(2, gap="large")
    with curve:
        ui.show_curve(found)
    with stability:
        ui.show_stability(found)
    ui.show_remainder(found)
    if ui.draw_toggle():
        ui.draw_points(ui.apart_as_points(found, likeness.result))
    ui.open_in(edited)
    ui.code(call, likeness)
