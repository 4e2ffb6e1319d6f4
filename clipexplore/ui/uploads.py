"""The pictures that expressions name, as addresses; and the popover that takes in a visitor's own."""

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from clipexplore.errors import InputError, NoRoomError
from clipexplore.images import card, data_url, suffixes
from clipexplore.language import _
from clipexplore.settings import settings
from clipexplore.store.kept import keep
from clipexplore.store.shelves import check_free

from .markdown import escape
from .page import show_errors
from .session import access, space, uploads

GIVING = "giving-pictures"  # the key of the popover


def picture_url(id: str) -> str:
    """A picture as an address: `st.image` would write it anew as JPEG in every run, and a browser fetch each alone.

    Where of an item there is only its caption or vector, a card with what is known of it stands in its place.
    """
    here = space()  # asked once: a gallery has a hundred pictures
    return data_url(here.picture(id)) if (known := here.said_of(id)) is None else card(known)


def add_picture(into: str, one_more: bool = False) -> None:
    """A popover to upload, drop or photograph pictures, each of which can become what the widget `into` holds, or one
    more of its lines. Nothing where there is no model to embed them.
    """
    if not space().can_embed:
        return
    with st.popover(_("Add a picture"), icon=":material/add_photo_alternate:", key=GIVING, on_change="rerun"):
        files = st.file_uploader(
            _("Drop pictures here"), type=[each[1:] for each in suffixes()], accept_multiple_files=True, key="files"
        )
        photo = (
            st.camera_input(_("Take a photo"), key="camera")
            if st.toggle(_("Use the camera"), key="use_camera")
            else None
        )
        given = [*(files or ()), *([photo] if photo else ())]
        held = np.cumsum([file.size for file in given])
        shown: set[str] = set()
        for file, size in zip(given, held, strict=True):
            if (id := _take(file, size)) and id not in shown:  # the same picture given twice is shown once
                shown.add(id)
                _offer(id, file.name, into, one_more)


def _take(file: UploadedFile, held: int) -> str | None:
    """The id of a picture; None, with the reason on screen, for what is none or more than a session may hold."""
    try:
        if held > (most := access().most_bytes):
            message = _(
                "With this picture the session would hold more than {most:.0f} MB of files; remove some of them first."
            )
            raise NoRoomError(message.format(most=most / 1e6))
        return uploads().add(file.getvalue(), access().most_items)
    except InputError as error:
        st.error(escape(str(error)), icon=":material/broken_image:")
        return None


def _offer(id: str, name: str, into: str, one_more: bool) -> None:
    left, right = st.columns([1, 2], vertical_alignment="center")
    left.image(data_url(uploads()[id]), width=96, alt=name)
    right.button(
        _("Use it"), key=f"use-{id}", on_click=_use, args=(id, into, one_more), icon=":material/arrow_forward:"
    )
    if right.button(_("Keep for links"), key=f"keep-{id}", help=_keep_help(), type="tertiary"):
        with show_errors():
            if not access().operator:
                check_free(len(uploads()[id]))
            keep(id, uploads()[id])


def _use(id: str, into: str, one_more: bool) -> None:
    before = st.session_state.get(into, "") if one_more else ""
    st.session_state[into] = f"{before}\n@{id}".strip()
    st.session_state[GIVING] = False


def _keep_help() -> str:
    days = settings().kept_days
    keeps = _(
        "Stores the picture on this server so that everybody with the link sees it. Otherwise it disappears with your "
        "session."
    )
    return keeps + (
        _(" It is deleted when nobody has opened the link for {days:g} days.").format(days=days) if days else ""
    )
