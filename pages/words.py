"""Words before CLIP: what texts alone say about words, by which occur in the same text (LSA) and which near each other (PPMI).

What one learns: that meaning can be had from company alone, how far that carries, and what CLIP knows beyond it, because it has seen pictures.
Sources: Deerwester et al. 1990; Levy and Goldberg 2014.
"""

import streamlit as st

from clipexplore import links, ui

DEFAULTS = links.PAGES["words"]

ui.header("words")
point = ui.expression_box(DEFAULTS["q"])
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    k = st.slider(ui.text("search.k"), 1, 50, DEFAULTS["k"], key="k", bind="query-params", width=220)
    window = st.slider(ui.text("words.window"), 1, 10, DEFAULTS["window"], key="window", bind="query-params", width=220, help=ui.text("words.window_help"))
    rank = st.slider(ui.text("words.rank"), 2, 300, DEFAULTS["rank"], key="rank", bind="query-params", width=260, help=ui.text("words.rank_help"))
with st.expander(ui.text("words.own"), icon=":material/description:"):
    texts = ui.corpus_box()

if point and (found := ui.lexicon(texts, window, rank)):
    ui.say_lexicon(found)
    ui.three_columns(found, point, k)
    ui.open_in(point.expression, "words")
    if ui.answered(found, point):
        st.divider()
        st.subheader(ui.text("words.kindred"), anchor=False)
        st.markdown(ui.text("words.kindred_lead"))
        ui.kindred(found, point)
        st.divider()
        st.subheader(ui.text("words.matrix"), anchor=False)
        st.markdown(ui.text("words.matrix_lead"))
        ui.matrices(found, point)
    ui.code(f"""
from clipexplore import Space, cooccurrence, factorized, lsa, nearest_words, ppmi, term_document

terms = term_document(Space.open().background.captions)
question = {ui.asked(point)!r}
for words in (lsa(terms, {rank}).space, factorized(ppmi(cooccurrence(terms, {window})), terms.words, {rank})):
    print([near.text for near in nearest_words(words, question, {k})])
""")
