"""Words before CLIP: what texts alone say about words, by which occur in the same text (LSA) and which near each other
(PPMI).

What one learns: that meaning can be had from company alone, how far that carries, and what CLIP knows beyond it,
because it has seen pictures.
Sources: Deerwester et al. 1990; Levy and Goldberg 2014.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.words import answers, words
from clipexplore.language import _

ui.header(
    lead=_("Before CLIP, words had vectors too, from texts alone: ask three kinds the same question."),
    why=_(
        "**LSA** counts which word occurs in which text and keeps the k strongest patterns of that matrix (a truncated "
        "SVD). **PPMI** counts which words stand near each other and how much more often than by chance, and "
        "factorises that. Both know a word by its company only. **CLIP** was trained on texts with pictures. Sources: "
        "Deerwester et al. 1990; Levy and Goldberg 2014."
    ),
    formula=r"A \approx U_k \Sigma_k V_k^\top, \qquad "
    r"\operatorname{PPMI}(a, b) = \max\left(0,\; \ln \frac{p(a, b)}{p(a)\,p(b)}\right)",
    attempt=_("Widen the window, lower the rank, and watch neighbours of meaning turn into neighbours of topic."),
)
point = ui.expression_box()
with ui.row():
    k = ui.slider("k", _("Results"), 1, 50, width=220)
    window = ui.slider(
        "window",
        _("Window"),
        1,
        10,
        width=220,
        help=_("For PPMI: how many places apart two words may stand to count as neighbours."),
    )
    rank = ui.slider(
        "rank",
        _("Rank"),
        2,
        300,
        width=260,
        help=_("How many patterns are kept: few join what is only loosely alike, many keep every accident."),
    )
with st.expander(_("Your own texts"), icon=":material/description:"):
    texts = ui.corpus_box()

if point and (lexicon := ui.lexicon(texts, window, rank)):
    file = {} if texts is None else {"texts": "texts.txt"}
    call = ui.call(words, q=point, k=k, window=window, rank=rank, **file)
    found = answers(call.space, lexicon, call.arguments["q"], k)
    ui.say_lexicon(lexicon)
    ui.show_nearest(found)
    ui.open_in(point)
    if found.lsa.near:
        st.divider()
        st.subheader(_("Near without a common word"), anchor=False)
        st.markdown(_("Texts that contain none of the words in the question and are still the nearest."))
        ui.show_kindred(found)
        st.divider()
        st.subheader(_("The matrix"), anchor=False)
        st.markdown(
            _(
                "The words of the question and those nearest by LSA, in the texts nearest to them: as weighted by "
                "tf-idf, and as the k strongest patterns have it. A word that is not in a text, but might well be, "
                "gets more than zero."
            )
        )
        ui.show_corner(found)
    ui.code(call)
