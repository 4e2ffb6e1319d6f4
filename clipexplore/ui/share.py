"""The share box: the link of what is on screen, its QR code, and files: the result as a picture with the link in it,
how it was made, and the code.
"""

import json
from functools import partial
from io import BytesIO
from typing import Any
from urllib.parse import urlencode, urlsplit

import segno
import streamlit as st

import clipexplore
from clipexplore import links
from clipexplore.images import data_url
from clipexplore.language import _, ngettext
from clipexplore.lessons import draft
from clipexplore.paths import bytes_of
from clipexplore.server.door import entrance
from clipexplore.server.serving import address_for_others
from clipexplore.settings import settings

from .browser import component, present_button
from .calls import shown_code
from .markdown import escape
from .results import MOST_BYTES, for_other_tools
from .room import lead_buttons
from .session import access, page_here, run, space
from .widgets import download

TOLD = ("q", "image", "points", "stops", "objects", "picture")  # what a page is about, where it has such a key
LONGEST = 1500  # characters of a link that a QR code can hold and a phone still read

_COPY_CSS = """
button { font: inherit; color: inherit; background: transparent; cursor: pointer;
         border: 1px solid var(--st-border-color); border-radius: var(--st-base-radius); padding: .25rem .75rem;
         width: 100%; }
button:hover { color: var(--st-primary-color); border-color: var(--st-primary-color); }
"""
_copy_button = component("copy", "<button></button>", css=_COPY_CSS)
_card_button = component("card", "<button></button>", css=_COPY_CSS)


def _base() -> str:
    """How the address begins: as the operator says, or as this visitor's browser has it."""
    asked = urlsplit(st.context.url or "")
    return settings().public_url.rstrip("/") or (f"{asked.scheme}://{asked.netloc}" if asked.netloc else "")


def _own_part() -> str:
    """The path and state of this page; a value that is the default is left out."""
    query = [(key, value) for key in st.query_params for value in st.query_params.get_all(key)]
    return (urlsplit(st.context.url or "").path or "/") + ("?" + urlencode(query) if query else "")


def share_box() -> None:
    """A popover with link, copy button and QR code; called after the page has run, so that the link is that of this
    run.
    """
    own, page = _own_part(), page_here()  # no page, where a link names a model not here
    link = _base() + own
    with st.popover(
        _("Share this view"), icon=":material/share:", width="stretch", key="share", on_change="rerun"
    ) as box:
        st.write(_("This link opens what you see for anybody who can reach this server."))
        st.code(link, language=None, wrap_lines=True)
        _copy_button(data={"link": link, "label": _("Copy the link"), "copied": _("Copied")}, key="copy")
        if box.open:  # every change makes another link, and what is made of it would take as long as many a page
            _ways_on(own, link, page)
    if given := st.session_state.get("for-the-room"):
        _enlarge(*given) if given[0].endswith(own) else _close()  # it is the code of one view


def _ways_on(own: str, link: str, page: str) -> None:
    """What can be made of the link, and ways to show it."""
    if page:
        _files(link, page)
    make = draft(own).encode
    download(_("Make a lesson of it"), make, "20-my-lesson.toml", "make-lesson", "school", width="stretch")
    present_button()
    if page:
        lead_buttons(page)
    if len(link) > LONGEST:
        st.caption(_("The link is too long for a QR code."))
    else:
        _show_to_others()


def _files(link: str, page: str) -> None:
    """The view as a picture, drawn by the browser, which has all charts; how it was made; and its code."""
    data = {"label": _("Picture with the link (PNG)"), "file": "clip-explorer.png", "link": link}
    data |= {"title": run().pages[page].title, "about": _about()}
    _card_button(data=data | {"code": data_url(_qr(link)) if len(link) <= LONGEST else None}, key="share-card")
    with st.container(horizontal=True, gap="small"):
        if run().space:
            download(_("Recipe (JSON)"), partial(bytes, _recipe(link)), "clip-explorer.json", "share-recipe")
        if code := shown_code():
            download(_("Code"), code.encode, "clip-explorer.py", "share-code", icon="code")
    if run().space:
        _for_other_tools()


def _for_other_tools() -> None:
    """The items that the page shows, else the whole collection where it is not too large, as files for other tools."""
    here = space()
    collection, model = here.collection, here.model.key
    ids = [id for id in dict.fromkeys(run().items) if id in collection] or None
    if ids is None and bytes_of(collection.folder) > min(MOST_BYTES, access().most_bytes):
        return
    model = model if model in collection.models else ""
    for_other_tools(lambda: collection, collection.has_files, model, collection.name, "share", ids)
    count = len(ids or collection)
    says = ngettext("The ZIP has {count:,} item of {title}.", "The ZIP has {count:,} items of {title}.", count)
    st.caption(says.format(count=count, title=escape(collection.title)))


def _recipe(link: str) -> bytes:
    """JSON: the page and all its values, also those that a link leaves out, with the revisions that they hold for."""
    here, page = space(), page_here()
    keys = {**links.ALL, **links.PAGES[page]}
    made: dict[str, Any] = {
        "page": page,
        "link": link,
        "values": {key: st.session_state.get(key, default) for key, default in keys.items()},
        "model": {"key": here.model.key, "revision": here.revision},
        "collection": {"name": here.collection.name, "version": here.collection.version},
        "clipexplore": clipexplore.__version__,
        "code": shown_code(),
    }
    return json.dumps(made, ensure_ascii=False, indent=2).encode()


def _about() -> str:
    """What the view is about, on one line."""
    keys = links.PAGES[page_here()]
    told = next((st.session_state.get(key) for key in TOLD if key in keys), None)
    return " · ".join(str(told or "").split("\n"))


def _show_to_others() -> None:
    """The QR code, and a button that shows it to a room; what it says instead where nobody else reaches the server."""
    port = int(st.get_option("server.port"))
    base = address_for_others(_base(), st.get_option("server.address"), port)
    if base is None:
        st.caption(_("Only this machine reaches this server; `clipexplore serve --class` opens it to a room."))
        return
    # The passcode, where there is one, is in the code, so that nobody has to type it.
    target = entrance(base, settings().passcode, _own_part())
    st.image(data_url(_qr(target)), width=240, alt=_("QR code of the link"))
    label, icon = _("Show it to the room"), ":material/cast_for_education:"
    given = base + _own_part(), target
    st.button(label, key="enlarge", on_click=_show_to_room, args=given, icon=icon, width="stretch")


def _show_to_room(link: str, target: str) -> None:
    st.session_state["share"] = False  # the popover that the button stands in
    st.session_state["for-the-room"] = link, target


def _close() -> None:
    st.session_state.pop("for-the-room", None)


@st.dialog(_("Share this view"), width="large", icon=":material/qr_code_2:", on_dismiss=_close)
def _enlarge(link: str, target: str) -> None:
    """For a screen that a whole room looks at; `browser/window.css` keeps all of the code on it."""
    with st.container(key="room-code"):
        st.image(data_url(_qr(target)), width="stretch", alt=_("QR code of the link"))
    st.subheader(escape(link), anchor=False)
    if settings().passcode:
        st.subheader(_("Passcode: {passcode}").format(passcode=escape(settings().passcode)), anchor=False)


@st.cache_data(max_entries=256, show_spinner=False)
def _qr(link: str) -> bytes:
    file = BytesIO()
    segno.make(link, error="l").save(file, kind="png", scale=8, border=3)
    return file.getvalue()
