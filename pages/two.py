"""Two models side by side: what both find for one expression, and how far two trainings agree about a collection.

What one learns: two trainings find nearly the same geometry, turned; single cosines mean nothing across spaces,
neighbours do; and a model is least to be trusted where another sees it differently.
Sources: Kornblith et al. 2019, arXiv 1905.00414; Huh et al. 2024, arXiv 2405.07987; Moschella et al. 2023, arXiv
2209.15430.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.two import agreement, in_both
from clipexplore.language import _

ui.header(
    lead=_("One expression in the spaces of two models, and what the two disagree about."),
    why=_(
        "The axes of a space come from its training by accident: the cosine of a picture’s vector in one space with "
        "its vector in the other is about 0. What can be compared is who is near to whom. **Shared neighbours** "
        "(mutual k-NN) counts, for each thing, how many of its k nearest in one space are among its k nearest in the "
        "other. **CKA** compares all the inner products of one space with those of the other; its debiased form leaves "
        "out each thing’s product with itself, since with few things in many dimensions these alone make noise look "
        "alike. **Once turned** says how near one rotation, fitted on some things, brings others to where they lie in "
        "the other space.\n\n"
        "**What can mislead.** Two models that agree may both be wrong: trained on the same world, they share its "
        "blind spots. Neighbours are counted among the things of this collection only: of twenty pictures of the same "
        "lion it is chance which ten are nearest, and that is no disagreement about lions. CKA is ruled by the few "
        "directions along which things differ most. Cosines of different spaces have different scales. Sources: "
        "Kornblith et al. 2019, arXiv 1905.00414; Huh et al. 2024, arXiv 2405.07987."
    ),
    formula=r"m = \frac1n \sum_i \frac{|N_k(x_i) \cap N_k(y_i)|}{k}, \qquad "
    r"\mathrm{CKA} = \frac{\lVert Y^\top X \rVert_F^2}{\lVert X^\top X \rVert_F\, \lVert Y^\top Y \rVert_F}",
    attempt=_("Find a picture below about which the two disagree, press **Compare**, and see what each takes it for."),
)
left, right = st.columns([3, 2], gap="large")
with left:
    point = ui.expression_box()
with right:
    other = ui.other_box()
with ui.row():
    what = ui.choice("in", _("Search in"), ["pictures", "captions", "words"])
    k = ui.slider("k", _("Results"), 1, 100, width=220)
    ui.add_picture("q")

if other:
    calls = []
    if point:
        both = ui.call(in_both, q=point, other=other.model.key, what=what, k=k).knowing(opened=other)
        ui.show_both(both.result, other, what)
        ui.open_in(point)
        calls.append(both)

    st.divider()
    st.subheader(_("Where they disagree"), anchor=False)
    with ui.row():
        of = ui.choice("of", _("Compare"), ["pictures", "captions"])
        n_neighbors = ui.slider("n_neighbors", _("Neighbours, k"), 1, 100, width=220)
        method = ui.choice("method", _("Projection"), ["pca", "umap"])
        region = ui.text_line("region", _("Region"), max_chars=4000, width=220)
    call = ui.call(agreement, other=other.model.key, of=of, n_neighbors=n_neighbors)
    if found := call.awaited("agreement"):
        ui.show_agreement(found, other)
        rows = ui.show_disagreement(found, method, point, region)
        st.subheader(_("They disagree most about"), anchor=False)
        ui.show_ranking(found, rows)
    ui.code(*calls, call)
