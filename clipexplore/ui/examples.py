"""The examples of a page; where the model is not here to read texts, items of the collection stand in their place."""

import json
from functools import cache

import streamlit as st

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term
from clipexplore.language import _, language
from clipexplore.models.catalog import UNNAMED
from clipexplore.settings import settings

from .markdown import escape
from .session import page_here, preset, run, space
from .titles import titled

WITHOUT_MODEL = ("status", "collections")  # pages that need none
ASKING = ("start", "search", "arithmetic", "components")  # pages whose `q` items of the collection can answer


def show_examples() -> None:
    """Buttons that set the page's widgets to something worth seeing. They are of Emoji World: where the model is not
    here, there is what can be asked all the same; and those in a language of its own are for models trained on many.
    """
    page = page_here()
    lacking = page not in WITHOUT_MODEL and not space().can_embed
    if lacking:
        _say_what_can_be_asked(page)
    there = [] if lacking else _all().get(page, [])
    there = [each for each in there if "language" not in each or space().model.family.multilingual]
    with st.container(horizontal=True, gap="small", key="page-examples"):
        for number, example in enumerate(there):
            st.button(
                example.get(language.get(), example["label"]),
                key=f"example-{page}-{number}",
                on_click=preset,
                kwargs=example["set"],
                type="secondary",
            )
        run().afresh = st.empty()


@cache
def _all() -> dict[str, list[dict]]:
    """The examples of each page: a label in English and, by code, in the other languages, and what it sets; with a
    `language`, those of one text in that language for all visitors.
    """
    return json.loads((settings().assets / "examples.json").read_text(encoding="utf-8"))


def _say_what_can_be_asked(page: str) -> None:
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
        for number, example in enumerate(_stand_ins(page)):
            (label,) = example.values()
            key = f"own-{page}-{number}"
            st.button(escape(label.replace("\n", " → ")), key=key, on_click=preset, kwargs=example)


def stand_in(key: str, typed: str) -> str:
    """What was typed; in the place of the page's example, where that needs the model, items of the collection."""
    page = page_here()
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


def _stand_ins(page: str) -> list[dict[str, str]]:
    """What to set a page's widgets to."""
    one, two, three = _some()
    if page in ASKING:
        captions = space().collection.captions if "captions" in space().searchable else []
        said = [str(Expression((Term(caption),))) for caption in captions[-1:] if caption]
        return [{"q": each} for each in (one, f"{one} - {two}", f"{one} + {two}", *said)]
    if page == "interpolate":
        return [{"stops": f"{one}\n{two}"}, {"stops": f"{two}\n{three}"}]
    return [{"points": f"{one}\n{two}\n{three}"}] if page == "map" else []
