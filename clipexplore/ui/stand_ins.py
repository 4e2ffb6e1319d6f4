"""Where the model is not here to read texts: what can be asked all the same, with items of the collection in the place
of a page's examples.
"""

import streamlit as st

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term, format
from clipexplore.language import _
from clipexplore.models.catalog import UNNAMED

from .markdown import escape
from .session import preset, space
from .titles import titled

ASKING = ("start", "search", "arithmetic", "components")  # pages whose `q` items of the collection can answer


def say_what_can_be_asked(page: str) -> None:
    """That the model is not here, and examples of what needs none."""
    here = space()
    says = _(
        "{title} is not on this machine, so other texts and pictures cannot be embedded; an @id of {collection}, sums "
        "of them and its own captions can be asked all the same."
    )
    if here.model.key == UNNAMED:
        says = _(
            "Nobody has said which model made these vectors, so other texts and pictures cannot be embedded; an @id of "
            "{collection}, sums of them and its own captions can be asked all the same."
        )
    st.caption(escape(says.format(title=titled(here.model), collection=here.collection.title)))
    with st.container(horizontal=True, gap="small"):
        for number, example in enumerate(_examples(page)):
            (label,) = example.values()
            key = f"own-{page}-{number}"
            st.button(escape(label.replace("\n", " → ")), key=key, on_click=preset, kwargs=example)


def stand_in(page: str, key: str, typed: str) -> str:
    """What was typed; in the place of the page's example, where that needs the model, items of the collection."""
    if not typed or typed != links.PAGES[page].get(key) or space().can_embed or _has_points(typed):
        return typed
    if own := _own(page).get(key):
        says = _("The example in the box needs the model; shown is {own}.")
        st.caption(escape(says.format(own=own.replace("\n", ", "))))
    return own or typed


def _has_points(lines: str) -> bool:
    """Whether all expressions, one a line, are of what is stored."""
    try:
        return all(map(space().point, lines.splitlines()))
    except InputError:
        return False


def _some() -> list[str]:
    """Three items of the collection, as expressions."""
    ids = space().collection.ids
    return [f"@{ids[len(ids) * third // 3]}" for third in range(3)]


def _own(page: str) -> dict[str, str]:
    one, two, three = _some()
    asked = f"{one} - {two}" if page == "arithmetic" else one
    return {"q": asked, "heat": one, "image": one, "stops": f"{one}\n{two}", "points": f"{one}\n{two}\n{three}"}


def _examples(page: str) -> list[dict[str, str]]:
    """What to set a page's widgets to."""
    one, two, three = _some()
    if page in ASKING:
        captions = space().collection.captions if "captions" in space().searchable else []
        said = [format(Expression((Term(caption),))) for caption in captions[-1:] if caption]
        return [{"q": each} for each in (one, f"{one} - {two}", f"{one} + {two}", *said)]
    if page == "interpolate":
        return [{"stops": f"{one}\n{two}"}, {"stops": f"{two}\n{three}"}]
    return [{"points": f"{one}\n{two}\n{three}"}] if page == "map" else []
