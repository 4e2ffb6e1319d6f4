"""Two models' drawing: what both find, side by side, how far they agree, and where they do not."""

import numpy as np
import streamlit as st

from clipexplore.explore.map import lay_out
from clipexplore.explore.two import Agreement, InBoth
from clipexplore.language import _, numeral
from clipexplore.models import catalog
from clipexplore.space import Point, Space

from .calls import call
from .maps import show_map
from .markdown import escape
from .models import other_ready
from .plots import sampled
from .results import hit_tiles, metrics, result_bars, table
from .session import preset, space, space_of
from .shades import Coloring, heat
from .titles import titled
from .uploads import picture_url
from .widgets import select

LISTED = 12  # things that two models disagree about most


def other_box() -> Space | None:
    """The model to compare with, and its space; None, with what is missing or how far it is, until it is embedded."""
    here = st.session_state["model"]
    keys = [key for key in catalog.models() if key != here]
    other = select("other", _("Compare with"), keys)
    return space_of(other) if other_ready(other) else None


def show_both(found: InBoth, other: Space, what: str) -> None:
    """What each of the two finds, nearest first; what both find is marked."""
    shared = {hit.id for hit in found.hits} & {hit.id for hit in found.theirs}
    both = (space().model, found.points[0], found.hits), (other.model, found.points[1], found.theirs)
    for side, (model, point, hits) in zip(st.columns(2, gap="large"), both, strict=True):
        with side:
            st.subheader(titled(model), anchor=False)
            _say_unknown(point)
            if what == "pictures":
                notes = (
                    f"{'**●** ' * (hit.id in shared)}{numeral(hit.cosine, '.3f')}  \n{escape(f'@{hit.id}')}"
                    for hit in hits
                )
                hit_tiles(zip(hits, notes, strict=True))
            else:
                alt = _("Bars: what lies nearest in the space of {model}").format(model=titled(model))
                result_bars(hits, f"two-{model.key}", alt)
    st.caption(
        _(
            "**{shared}** of {count} are among the nearest of both. Compare their order, not their cosines: each space "
            "has its own scale."
        ).format(shared=found.shared, count=len(found.hits))
        + (" " + _("**●** marks them.") if what == "pictures" else "")
    )


def _say_unknown(point: Point) -> None:
    """The words of an expression that a model never learned."""
    strangers = dict.fromkeys(word for term in point.terms for word in term.strangers or ())
    if strangers:
        words = ", ".join(_("“{word}”").format(word=escape(word)) for word in strangers)
        st.caption(_("This model has never learned {words}: it answers all the same.").format(words=words))


def show_agreement(found: Agreement, other: Space) -> None:
    """How far two models agree, each figure beside what it would be by chance; and what each makes of its own pairs."""
    if len(found.rows) < len(space().collection):
        st.caption(sampled(len(found.rows), len(space().collection)))
    of, kinds = found.alignment, {"pictures": _("once turned, pictures"), "captions": _("once turned, captions")}
    turned = _(
        "The mean cosine of a thing carried over by one rotation with itself, of things that it was not fitted on."
    )
    figures = [
        (_("shared neighbours"), numeral(found.neighbours, ".0%"), _("Mutual k-NN: of the k nearest of each thing.")),
        (
            _("CKA, debiased"),
            numeral(of.debiased, ".3f"),
            _("About 0 for unrelated spaces, 1 for the same one turned."),
        ),
        ("CKA", numeral(of.cka, ".3f"), _("High for noise too where there are few things in many dimensions.")),
        *((kinds[kind], numeral(cosine, ".3f"), turned) for kind, cosine in found.turned.held_out.items()),
    ]
    metrics(*figures)
    near = _(
        "Of the {k} nearest of a thing in one space, {shared:.0%} are among its {k} nearest in the other; between "
        "unrelated spaces it would be {chance:.1%}."
    ).format(k=found.k, shared=found.neighbours, chance=found.chance)
    st.caption(near if found.unturned is None else f"{near} {_say_unturned(found)}")
    if found.models:
        names = [titled(space().model), titled(other.model)]
        table(
            {
                _("model"): names,
                _("dimensions"): [str(each.dim) for each in found.models],
                _("modality gap"): [numeral(each.gap, ".3f") for each in found.models],
                _("picture → caption R@1"): [numeral(each.by_picture, ".1%") for each in found.models],
                _("caption → picture R@1"): [numeral(each.by_caption, ".1%") for each in found.models],
            }
        )


def _say_unturned(found: Agreement) -> str:
    return _(
        "A thing’s two vectors have cosine {raw:.3f} as they are; one rotation, fitted on {count:,} things, brings "
        "others to {turned}."
    ).format(
        raw=found.unturned,
        count=len(found.turned.anchors),
        turned=", ".join(numeral(cosine, ".3f") for cosine in found.turned.held_out.values()),
    )


def show_disagreement(found: Agreement, method: str, point: Point | None, region: str) -> np.ndarray:
    """The first model's map, coloured by how many neighbours are not shared; the rows of a drawn region, all without.

    What was not compared is grey. Of texts alone there is no map.
    """
    if not space().collection.has_pictures:
        return found.rows
    layout = call(lay_out, method=method).result
    values = np.full(len(space().collection), np.nan)
    values[found.rows] = 1 - found.shared
    title = _("share of neighbours that the two do not share")
    coloring, every = Coloring(_("disagreement"), lambda layout: heat(values, title)), np.arange(len(values))
    chosen = show_map(layout, [point] if point else [], coloring, region, every)
    return chosen.rows if chosen and chosen.corners is not None else every


def show_ranking(found: Agreement, rows: np.ndarray) -> None:
    """The things about which the two disagree most, of these rows, each with a button that compares it above."""
    collection = space().collection
    place = {row: number for number, row in enumerate(found.rows.tolist())}
    ranked = [row for row in found.ranking.tolist() if row in set(rows.tolist())]
    with st.grid("auto", min_column_width=130, gap="small"):
        for row in ranked[:LISTED]:
            id, caption = collection.ids[row], collection.captions[row]
            expression = f"@{id}" if collection.has_pictures else caption
            shared, relation = found.shared[place[row]], found.relations[place[row]]
            with st.container(gap=None):
                if collection.has_pictures:
                    st.image(picture_url(id), width="stretch", alt=caption)
                st.caption(escape(expression))
                st.caption(
                    _("{shared} of {k} shared · r {relation:.2f}").format(
                        shared=round(shared * found.k), k=found.k, relation=relation
                    )
                )
                st.button(_("Compare"), key=f"two-{row}", on_click=preset, kwargs={"q": expression}, type="tertiary")
