"""The pictures that a visitor has chosen in galleries, and what can be made of several: a sum, classes, a file."""

from functools import partial

import streamlit as st

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.expression import Expression, Term
from clipexplore.language import _, ngettext
from clipexplore.store.export import some_as_zip

from .expressions import page_links
from .journey import carried
from .markdown import escape
from .session import page_here, preset, space
from .widgets import download


def chosen() -> list[str]:
    """The ids of the pictures, in the order chosen; of another collection, those that it has too."""
    return [id for id in st.session_state.get("chosen", ()) if id in space().collection]


def choose(what: tuple[str, bool]) -> None:
    """Takes a picture among those chosen, or out of them; no more than one expression can hold."""
    id, taken = what
    others = [each for each in chosen() if each != id]
    try:
        if taken:
            _sum([*others, id])
    except InputError as error:
        st.toast(escape(str(error)), icon=":material/error:")
        taken = False
    st.session_state["chosen"] = [*others, id] if taken else others


def chosen_bar() -> None:
    """What can be made of the chosen pictures, at the foot of the window while there are some; after the page has
    run.
    """
    if not (ids := chosen()):
        return
    collection, written = space().collection, str(_sum(ids))
    with st.bottom, st.container(horizontal=True, vertical_alignment="center", gap="small"):
        says = ngettext("{count} picture chosen", "{count} pictures chosen", len(ids)).format(count=len(ids))
        st.markdown(f"**{says}**", width="content")
        if "q" in links.PAGES[page_here()]:
            st.button(_("Their sum"), key="chosen-sum", on_click=preset, kwargs={"q": written}, help=escape(written))
        download(_("Pictures (ZIP)"), partial(some_as_zip, collection, ids), "pictures.zip", "chosen-zip")
        st.button(_("Clear the choice"), key="choose-none", on_click=preset, kwargs={"chosen": []}, type="tertiary")
        with st.popover(_("Open in"), icon=":material/open_in_new:"):
            _links(ids, written)


def _links(ids: list[str], written: str) -> None:
    """Links to pages that bring the sum, or the pictures one a line, or their captions."""
    lines, collection = "\n".join(f"@{id}" for id in ids), space().collection
    links_of = {"search": {"q": written}, "map": {"points": lines}, "interpolate": {"stops": lines}}
    page_links(links_of | {"classify": {"image": lines}})
    captions = "\n".join(dict.fromkeys(collection.captions[collection.row(id)] for id in ids))
    st.page_link(
        "pages/classify.py",
        label=_("As classes"),
        query_params=carried(class_names=captions, templates="{}"),
        help=_("Their captions become the class names of Classify."),
    )


def _sum(ids: list[str]) -> Expression:
    return Expression(tuple(Term(id, is_id=True) for id in ids))
