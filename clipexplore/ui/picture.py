"""One picture shown large, over any page: its fields, the pictures nearest to it, the words it is made of, and ways on.

The link says which (`links.OPEN`), so that Back closes it again.
"""

from typing import Any

import streamlit as st

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.explore.apart import apart
from clipexplore.explore.search import search
from clipexplore.expression import Expression, Term
from clipexplore.language import _

from .calls import call, code
from .expressions import open_in
from .gallery import act, gallery, on_page, open_picture_view, tools
from .markdown import escape
from .page import show_errors
from .session import page_here, space, speaking
from .titles import field_called
from .uploads import picture_url

WORDS = 6  # of the sum that stands for the picture
NEAREST = 8


def picture_view() -> None:
    """The dialog, if the link names a picture; called when the page has run, and with it what the arrow keys walk."""
    if not (id := st.query_params.get(links.OPEN)):
        return
    try:
        url = picture_url(id)
    except InputError as error:
        st.info(escape(str(error)), icon=":material/link_off:")
        return
    show = st.dialog(escape(f"@{id}"), width="large", on_dismiss=_close)(speaking(_show))
    show(id, url, on_page())


def _close() -> None:
    st.query_params.pop(links.OPEN, None)


def _show(id: str, url: str, order: list[str]) -> None:
    if st.query_params.get(links.OPEN) != id:  # another one, or none: the page shows which
        st.rerun()
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.image(url, width="stretch", alt=_caption(id))
        _steps(id, order)
    with right, show_errors():
        st.markdown(escape(_caption(id)))
        st.caption(_fields(id))
        _ways(id)
        open_in(_alone(id), "picture")
        made = call(apart, q=str(_alone(id)), terms=WORDS)
        st.code(f"{_alone(id)} ≈ {made.result.sum}", language=None, wrap_lines=True)
        st.caption(_("Taken apart into words; the cosine of the two is {c:.3f}.").format(c=made.result.cosines[-1]))
    with show_errors():
        near = call(search, q=str(_alone(id)), k=NEAREST + 1)
        st.subheader(_("Nearest pictures"), anchor=False)
        gallery([hit for hit in near.result.hits if hit.id != id][:NEAREST], "picture", into=None)
        code(near, call(apart, q=str(_alone(id)), terms=WORDS))


def _alone(id: str) -> Expression:
    return Expression((Term(id, is_id=True),))


def _caption(id: str) -> str:
    collection = space().collection
    return collection.captions[collection.row(id)] if id in collection else ""


def _fields(id: str) -> str:
    """The fields of the item that say something, as Markdown."""
    collection = space().collection
    if id not in collection:
        return ""
    values = collection.fields.iloc[collection.row(id)].dropna()
    said = {field_called(str(name)): str(value) for name, value in values.items() if value != ""}
    return " · ".join(f"{escape(name)} **{escape(value)}**" for name, value in said.items())


def _steps(id: str, order: list[str]) -> None:
    """The way to the pictures before and after it on the page, also by the arrow keys."""
    if id not in order:
        return
    at = order.index(id)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for there, key, says in ((at - 1, "Left", _("Previous")), (at + 1, "Right", _("Next"))):
            inside = 0 <= there < len(order)
            given: Any = dict(on_click=open_picture_view, args=(order[there],)) if inside else dict(disabled=True)
            st.button(says, key=f"step-{key}", shortcut=key, **given)


def _ways(id: str) -> None:
    """What can be done with the picture on this page."""
    keys = links.PAGES[page_here()]
    into = next((key for key in ("q", "points") if key in keys), None)
    if not into:
        return
    here = [("search", "", _("Explore this"))] if into == "q" else []
    with st.container(horizontal=True, gap="small"):
        for action, sign, says in [*here, *tools(into)]:
            st.button(f"{sign} {says}", key=f"picture-{action}", on_click=_use, args=(into, action, id))


def _use(into: str, action: str, id: str) -> None:
    act(into, (action, id))
    _close()
