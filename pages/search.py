"""Any to any: an expression in, the nearest pictures, captions or words out, each with what its cosine is worth.

What one learns: ranking by cosine, and why a cosine needs its context (openai/CLIP issues 405 and 491 ask why a match
is .25 and not 1).
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.search import search
from clipexplore.language import _

ui.header(
    lead=_("Enter a text, a picture or any sum of them, and find the nearest pictures, captions and words."),
    why=_(
        "The expression becomes one vector, and everything is ranked by its cosine with it. A cosine alone says "
        "little: with CLIP a perfect match may be 0.3. So each comes with **z**: how many standard deviations it lies "
        "above the average of everything searched."
    )
    + "\n\n"
    + _(
        "**Is it here at all?** There is always a nearest picture. From its own captions each collection learns from "
        "which cosine on a picture counts: a text is asked twice, once with all pictures, and once without those whose "
        "captions share a word with it or mean the same. A logistic regression weighs the best cosine, the mean and "
        "standard deviation of all, and how the best picture answers back: the text’s probability *p* among the words "
        "of the bank. The limit lets one of twenty held-out texts pass; each half of the texts measures what was "
        "learned from the other. What a caption says word for word counts whatever its cosine.\n\n"
        "**What can mislead.** Captions that leave out what is in a picture make the limit too high. Texts of another "
        "kind than the captions, such as words of other languages, are judged worse than the figure says, and what "
        "the model takes for the same, such as a canoe and a kayak, it cannot tell apart. Sums, pictures, and "
        "collections without captions of their own are not judged. Sources: Platt 1999; Hendrycks and Gimpel 2017, "
        "arXiv 1610.02136."
    ),
    formula=r"\text{score}_i = q \cdot x_i, \qquad z_i = \frac{q \cdot x_i - \operatorname{mean}}{\operatorname{std}}, "
    r"\qquad q \text{ is here} \iff w_1 \max_i q \cdot x_i + w_2 \operatorname{mean} + w_3 \operatorname{std} + "
    r"w_4 \ln p + w_0 \ge 0",
    attempt=_(
        "Add and subtract: `@lion-jungle-07 - jungle + snow`. Press + or − on a picture for more or less like it."
    ),
)
point = ui.expression_box()
with ui.row():
    kind = ui.choice("in", _("Search in"), ui.space().searchable)
    k = ui.slider("k", _("Results"), 1, 100, width=220)
    ui.add_picture("q")
    facet, only = ui.facet_box()
    matching = ui.toggle(
        "matching",
        _("Only matches"),
        disabled=kind != "pictures",
        help=_("Leaves out what does not count as a match; all is shown where nobody knows."),
    )

if point:
    results, learning = st.container(), st.container()
    with learning:
        judge = ui.can_judge(point, kind)
    with results:
        found = ui.call(search, q=point, what=kind, k=k, facet=facet, only=only, matching=matching, judge=judge)
        ui.say_search(found)
        hits = found.result.hits
        if kind == "pictures":
            ui.show_matches(found.result, key="search")
        else:
            ui.nearest_bars(hits, point, kind, key="search-bars")
    if found.result.presence:
        ui.say_figures(
            _(
                "**Emoji World’s own CLIP**: of names, captions and paraphrases of things that were held out, "
                "{of[presence: false]:.1%} were said to be here, and {of[presence: kept]:.1%} of those that are. "
                "Without learning anew, in a second collection: {of[presence of a second collection: false]:.1%} "
                "and {of[presence of a second collection: kept]:.1%}."
            )
        )
    if ui.draw_toggle():
        ui.draw_points(ui.hits_as_points(point, hits))
    ui.show_distribution(found.result.context, key="search")
    ui.open_in(point)
    ui.download_row(hits, point.vector, key="search")
    ui.code(found)
