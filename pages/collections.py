"""The collections: those that come with the product, those shared on this server, and your own.

What one learns: that every other page works on one's own pictures, captions or vectors as it does on the bundled world.
"""

import streamlit as st

from clipexplore import ui
from clipexplore.explore.collections import duplicates, outliers, sample
from clipexplore.language import _, ngettext

GROUPS, SHOWN = 12, 24  # of near-duplicates, and of the items of each, that are shown

ui.header(
    lead=_(
        "Your own pictures, captions or vectors beside the bundled world: drop them here, and every page explores them."
    ),
    why=_(
        "An import reads one picture after the other, turns it upright, makes it small, embeds it and stores it, 256 "
        "at a time; stopped at any moment, it continues where it was. A picture that is there already is recognised by "
        "its content and not embedded again. Embeddings of two models are two spaces: a collection can be embedded by "
        "several, and the sidebar selects one. What you drop stays in your session until you share it."
    ),
    formula=r"\text{near-duplicates: } x_i \cdot x_j \ge t, \qquad "
    r"\text{likeness}_i = \tfrac{1}{k} \textstyle\sum_{j \in N_k(i)} x_i \cdot x_j",
    attempt=_("Drop a ZIP with a folder for each class: the folders become labels that Classify can be judged by."),
)
ui.new_collection()
ui.show_shelf()

st.subheader(_("A look inside"), anchor=False)
with ui.row():
    look = ui.choice("look", _("Show"), ["sample", "duplicates", "outliers"])
    near_help = _("Two items are near-duplicates from this cosine on; at 1 they are the same to the last digit.")
    near = ui.slider("near", _("Near from cosine"), 0.5, 1.0, step=0.01, width=220, help=near_help)
    seed_help = _("Which items are drawn; the same number draws the same.")
    seed = ui.slider("seed", _("Sample"), 0, 99, width=140, help=seed_help)

if look == "sample":
    call = ui.call(sample, seed=seed)
    ui.show_items(call.result.hits, "inside-sample", say=lambda hit: hit.caption[:60])
    ui.download_row(call.result.hits, None, "inside-sample")
elif look == "duplicates":
    call = ui.call(duplicates, near=near)
    if found := call.awaited("neighbours"):
        groups = found.groups
        st.caption(
            ngettext("{groups:,} group of near-duplicates", "{groups:,} groups of near-duplicates", len(groups)).format(
                groups=len(groups)
            )
            + _(
                " with {items:,} items, joined by cosines of {near:.2f} and more. Below each item stands its highest "
                "cosine with another of its group."
            ).format(items=len(found.hits), near=near)
        )
        for number, group in enumerate(groups[:GROUPS]):
            with st.container(border=True):
                ui.show_items(group[:SHOWN], f"inside-group-{number}")
        if groups:
            ui.download_row(found.hits[: 200 if found.hits[0].kind == "pictures" else 5000], None, "inside-duplicates")
else:
    call = ui.call(outliers)
    if found := call.awaited("neighbours"):
        st.caption(
            _(
                "The items least like their ten nearest, with the mean cosine to these; on average it is {mean:.3f}."
            ).format(mean=found.mean)
        )
        ui.show_items(found.hits, "inside-outliers")
        ui.download_row(found.hits, None, "inside-outliers")
ui.code(call)
