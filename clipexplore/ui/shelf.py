"""The collections as cards: what each is, its cover, and what its owner may do with it.

Whoever is alone on the machine may change every collection that is not bundled; where others can reach the server, a session may
change its own, and the shared ones that it made.
"""

from functools import partial
from pathlib import Path

import streamlit as st
from PIL import Image

from clipexplore import catalog
from clipexplore.collection import Collection
from clipexplore.collections import shelves
from clipexplore.collections.shards import sheet_name
from clipexplore.collections.shelves import Shelved
from clipexplore.collections.storage import MANIFEST
from clipexplore.errors import InputError
from clipexplore.images import contact_sheet, data_url, encode, open_picture, thumbnail
from clipexplore.settings import settings
from clipexplore.units import size

from .exports import export_row
from .imports import import_panel, jobs, reembed, resume
from .logs import visitor
from .markdown import escape
from .session import preset
from .texts import text

ACROSS, SIDE = 6, 64  # of the pictures on a cover


def show_shelf() -> None:
    """Every collection that this visitor sees, one card each, and what was deleted today."""
    _say_deleted()
    cards = shelves.shelf(visitor())
    with st.grid("auto", min_column_width=300, gap="medium"):
        for card in cards:
            with st.container(border=True):
                _card(card)


def may_change(card: Shelved) -> bool:
    """Whether this visitor may rename, enlarge or delete a collection."""
    made_here = card.name in st.session_state.get("made", ())
    return card.of == "own" or card.of == "shared" and (alone() or made_here)


def alone() -> bool:
    """Whether the server can be reached from this machine only, so that its visitor is its operator."""
    return (st.get_option("server.address") or "") in ("127.0.0.1", "localhost", "::1") and not settings().passcode


def _card(card: Shelved) -> None:
    written = (card.folder / MANIFEST).stat().st_mtime_ns
    if card.items and (cover := _cover(card.folder, written)):
        st.image(data_url(cover), width="stretch", alt=text("shelf.cover", title=card.title))
    st.markdown(f"**{escape(card.title)}** · {text(f'shelf.{card.of}')}")
    st.caption(escape(card.description) if card.description else _counted(card))
    models = ", ".join(card.models) or text("shelf.no_model")
    st.caption(text("shelf.about", name=card.name, items=card.items, size=size(card.bytes), models=models))
    import_panel(card.folder)
    _go_on(card)
    with st.container(horizontal=True, gap="small"):
        chosen = st.session_state["collection"] == card.name
        label = text("shelf.chosen") if chosen else text("shelf.explore")
        st.button(label, key=f"explore-{card.name}", on_click=preset, kwargs={"collection": card.name}, icon=":material/explore:",
                  disabled=chosen or not card.items)  # fmt: skip
        with st.popover("⋯", type="tertiary"):
            _actions(card)


def _counted(card: Shelved) -> str:
    return text("shelf.pictures", count=card.items) if card.pictures else text("shelf.texts", count=card.items)


@st.cache_data(max_entries=256, show_spinner=False)
def _cover(folder: Path, written: int) -> bytes | None:
    """The first pictures of a collection in one; None where there are none, or they cannot be read."""
    try:
        found = Collection.open(folder)
        if not found.has_pictures:
            return None
        if sheet_name(0) in found.manifest["files"]:
            return encode(_row_of_sheet(open_picture(folder / sheet_name(0)), len(found)), "WEBP")
        step = max(1, len(found) // (2 * ACROSS))
        small = [thumbnail(open_picture(found.picture(id)), SIDE) for id in found.ids[::step][: 2 * ACROSS]]
        return encode(contact_sheet(small, SIDE, ACROSS), "WEBP")
    except InputError:
        return None


def _row_of_sheet(sheet: Image.Image, items: int) -> Image.Image:
    """The first thumbnails of a sheet, whose rows have 16, as two rows."""
    cover, count = Image.new("RGB", (ACROSS * SIDE, 2 * SIDE), "white"), min(items, 2 * ACROSS)
    for place in range(count):
        cover.paste(sheet.crop((place * SIDE, 0, (place + 1) * SIDE, SIDE)), (place % ACROSS * SIDE, place // ACROSS * SIDE))
    return cover if count > ACROSS else cover.crop((0, 0, ACROSS * SIDE, SIDE))


def _go_on(card: Shelved) -> None:
    """An import that was stopped, by whomever, goes on with a button."""
    if card.unfinished and str(card.folder) not in jobs() and may_change(card):
        st.caption(text("shelf.unfinished"))
        st.button(text("imports.go_on"), key=f"go-on-{card.name}", on_click=resume, args=(card.folder,), icon=":material/play_arrow:")


def _actions(card: Shelved) -> None:
    export_row(card)
    if not may_change(card):
        return
    title = st.text_input(text("shelf.title"), card.title, key=f"title-{card.name}", max_chars=80)
    if title != card.title:
        _try(partial(shelves.rename, card.folder, title))
    if card.of == "own":
        st.button(text("shelf.share"), key=f"share-{card.name}", on_click=_share, args=(card.folder,), icon=":material/group:", help=text("shelf.share_help"))
    model = st.session_state["model"]
    if model not in card.models and catalog.get(model).present and card.items:
        st.button(text("shelf.embed", model=model), key=f"embed-{card.name}", on_click=reembed, args=(card.folder, model), icon=":material/memory:")
    st.button(text("shelf.delete"), key=f"delete-{card.name}", on_click=_delete, args=(card.folder,), icon=":material/delete:", help=text("shelf.delete_help"))


def _try(act) -> None:
    """Does something with a collection and shows what came of it; a reason where it cannot be done."""
    try:
        act()
    except InputError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    st.rerun()


def _share(folder: Path) -> None:
    chosen = st.session_state.get("collection") == folder.name
    place = shelves.share(folder)
    st.session_state.setdefault("made", set()).add(place.name)
    if chosen:
        st.session_state["collection"] = place.name


def _delete(folder: Path) -> None:
    job = jobs().pop(str(folder), None)
    if job:
        job.cancel()
    shelves.delete(folder)


def _say_deleted() -> None:
    mine = st.session_state.get("made", ())
    for name, waiting in shelves.deleted(visitor()).items():
        if alone() or name in mine or waiting.is_relative_to(shelves.own_folder(visitor())):
            with st.container(horizontal=True, vertical_alignment="center"):
                st.caption(text("shelf.deleted", name=name), width="content")
                if st.button(text("shelf.undo"), key=f"undo-{waiting.name}", icon=":material/undo:", type="tertiary"):
                    _try(partial(shelves.undelete, waiting))


def say_missing(collections: dict[str, str]) -> None:
    """One sentence for a link that names a collection which this visitor cannot see."""
    named = st.query_params.get("collection")
    if named is not None and named not in collections:
        whose = "own" if named.startswith(shelves.OWN) else "shared"
        st.warning(text(f"shelf.missing_{whose}", name=escape(named[:60])), icon=":material/link_off:")
