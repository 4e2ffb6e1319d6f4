"""The pictures of a page: in galleries, by mouse, touch and keyboard; one of them shown large, over any page; and
several chosen, of which a sum, classes or a file can be made.

All galleries of a page are one list for whoever walks from one picture to the next, and whoever chooses. The link says
which is shown large (`links.OPEN`), so that Back closes it again.
"""

from functools import partial
from typing import Any

import streamlit as st

from clipexplore import links
from clipexplore.errors import InputError
from clipexplore.explore.apart import apart
from clipexplore.explore.search import search
from clipexplore.expression import Expression, Term, parse
from clipexplore.language import _, ngettext, numeral
from clipexplore.space import Hit
from clipexplore.store.export import as_zip

from .browser import component
from .calls import call, code
from .expressions import open_in, page_links
from .journey import carried
from .markdown import escape
from .page import show_errors
from .session import page_here, preset, run, space, speaking
from .titles import field_called, value_called
from .uploads import picture_url
from .widgets import download

WORDS = 6  # of the sum that stands for a picture shown large
NEAREST = 8  # pictures beside it

_gallery = component("gallery", '<ul class="gallery"></ul>', isolate_styles=False)


def score(hit: Hit) -> str:
    return f"{numeral(hit.cosine, '.3f')} · z {numeral(hit.z, '.1f')}"


def gallery(hits: list[Hit], key: str, into: str | None = "q") -> None:
    """Pictures and scores. The tools on each change the widget `into`, which is the expression "q" or the lines
    "points"; None leaves them out.
    """
    if not hits:
        st.info(_("Nothing is left to show."))
        return
    run().pictures.extend(hit.id for hit in hits)
    run().items.extend(hit.id for hit in hits)
    items = [dict(id=hit.id, url=picture_url(hit.id), caption=hit.caption, score=score(hit)) for hit in hits]
    data = {"items": items, "tools": _tools(into), "chosen": chosen()}
    data |= {"label": _("Pictures"), "choose": _("Choose")}
    acts = {"open": _open, "act": partial(_act, into), "choose": _choose}
    _gallery(data=data, key=f"{key}-gallery", on=acts)


def _tools(into: str | None) -> list[tuple[str, str, str]]:
    """What can be done with a picture where it stands: the action, its sign, and what it is called."""
    if into == "points":
        return [("point", "+", _("Add to my points"))]
    if into is None:
        return []
    return [("more", "+", _("More like this")), ("less", "−", _("Less like this"))]


def _act(into: str | None, what: tuple[str, str]) -> None:
    """Does something with a picture, given as the action and the id, to the widget `into`."""
    action, id = what
    if into:
        st.session_state[into] = rewritten(st.session_state.get(into, ""), action, id)


def rewritten(before: str, action: str, id: str) -> str:
    """An expression made of this picture alone, or with it added or subtracted; or lines with it as one more.

    What is no expression yet is not added to.
    """
    if action == "point":
        return f"{before.rstrip()}\n@{id}".lstrip()
    sign = {"more": " + ", "less": " - "}.get(action)
    return f"{before}{sign}@{id}" if sign and _is_expression(before) else f"@{id}"


def _is_expression(typed: str) -> bool:
    try:
        return bool(parse(typed))
    except ValueError:
        return False


def _sum(ids: list[str]) -> Expression:
    return Expression(tuple(Term(id, is_id=True) for id in ids))


# one shown large


def picture_view() -> None:
    """A dialog, if the link names a picture: its fields, the words it is made of, the pictures nearest to it, and ways
    on. Called when the page has run, and with it what the arrow keys walk.
    """
    if not (id := st.query_params.get(links.OPEN)):
        return
    try:
        url = picture_url(id)
    except InputError as error:
        st.info(escape(str(error)), icon=":material/link_off:")
        return
    show = st.dialog(escape(f"@{id}"), width="large", on_dismiss=_close)(speaking(_show))
    show(id, url, list(dict.fromkeys(run().pictures)))


def _open(id: str) -> None:
    st.query_params[links.OPEN] = id


def _close() -> None:
    st.query_params.pop(links.OPEN, None)


def _show(id: str, url: str, order: list[str]) -> None:
    if st.query_params.get(links.OPEN) != id:  # another one, or none: the page shows which
        st.rerun()
    alone = _sum([id])
    left, right = st.columns([2, 3], gap="medium")
    with left:
        st.image(url, width="stretch", alt=_caption(id))
        _steps(id, order)
    with right, show_errors():
        st.markdown(escape(_caption(id)))
        st.caption(_fields(id))
        _ways(id)
        open_in(alone, "picture")
        made = call(apart, q=str(alone), terms=WORDS)
        st.code(f"{alone} ≈ {made.result.sum}", language=None, wrap_lines=True)
        st.caption(_("Taken apart into words; the cosine of the two is {c:.3f}.").format(c=made.result.cosines[-1]))
    with show_errors():
        near = call(search, q=str(alone), k=NEAREST + 1)
        st.subheader(_("Nearest pictures"), anchor=False)
        gallery([hit for hit in near.result.hits if hit.id != id][:NEAREST], "picture", into=None)
        code(near, call(apart, q=str(alone), terms=WORDS))


def _caption(id: str) -> str:
    collection = space().collection
    return collection.captions[collection.row(id)] if id in collection else ""


def _fields(id: str) -> str:
    """The fields of the item that say something, as Markdown."""
    collection = space().collection
    if id not in collection:
        return ""
    values = collection.fields.iloc[collection.row(id)].drop("boxes", errors="ignore").dropna()
    said = {field_called(str(name)): value_called(str(value)) for name, value in values.items() if value != ""}
    return " · ".join(f"{escape(name)} **{escape(value)}**" for name, value in said.items())


def _steps(id: str, order: list[str]) -> None:
    """The way to the pictures before and after it on the page, also by the arrow keys."""
    if id not in order:
        return
    at = order.index(id)
    with st.container(horizontal=True, horizontal_alignment="distribute"):
        for there, key, says in ((at - 1, "Left", _("Previous")), (at + 1, "Right", _("Next"))):
            inside = 0 <= there < len(order)
            given: Any = dict(on_click=_open, args=(order[there],)) if inside else dict(disabled=True)
            st.button(says, key=f"step-{key}", shortcut=key, **given)


def _ways(id: str) -> None:
    """What can be done with the picture on this page."""
    keys = links.PAGES[page_here()]
    into = next((key for key in ("q", "points") if key in keys), None)
    if not into:
        return
    here = [("search", "", _("Explore this"))] if into == "q" else []
    with st.container(horizontal=True, gap="small"):
        for action, sign, says in [*here, *_tools(into)]:
            st.button(f"{sign} {says}", key=f"picture-{action}", on_click=_use, args=(into, action, id))


def _use(into: str, action: str, id: str) -> None:
    _act(into, (action, id))
    _close()


# several chosen


def chosen() -> list[str]:
    """The ids of the pictures, in the order chosen; of another collection, those that it has too."""
    return [id for id in st.session_state.get("chosen", ()) if id in space().collection]


def _choose(what: tuple[str, bool]) -> None:
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
        download(_("Pictures (ZIP)"), partial(as_zip, collection, ids), "pictures.zip", "chosen-zip")
        st.button(_("Clear the choice"), key="choose-none", on_click=preset, kwargs={"chosen": []}, type="tertiary")
        with st.popover(_("Open in"), icon=":material/open_in_new:"):
            _links(ids, written)


def _links(ids: list[str], written: str) -> None:
    """Links to pages that bring the sum, or the pictures one a line, or their captions."""
    lines = "\n".join(f"@{id}" for id in ids)
    links_of = {"search": {"q": written}, "map": {"points": lines}, "interpolate": {"stops": lines}}
    page_links(links_of | {"classify": {"image": lines}})
    captions = "\n".join(dict.fromkeys(map(_caption, ids)))
    st.page_link(
        "pages/classify.py",
        label=_("As classes"),
        query_params=carried(class_names=captions, templates="{}"),
        help=_("Their captions become the class names of Classify."),
    )
