"""A visitor's own pictures: named by content, living in the session, kept on the server only on request.

`@up-3fa9…` in an expression is such a picture. In another session the same link finds it only if it was kept.
"""

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from clipexplore.errors import InputError, NoRoomError
from clipexplore.images import card, data_url, open_picture, picture_id, small_copy, suffixes
from clipexplore.language import _
from clipexplore.settings import settings
from clipexplore.store import kept
from clipexplore.store.shelves import check_free

from .markdown import escape
from .session import access, space

GIVING = "giving-pictures"  # the key of the popover


class Uploads(dict[str, np.ndarray]):
    """Vectors of the session's pictures by id; a kept picture is looked for on the server when it is not among them."""

    def __init__(self, model: str):
        super().__init__()
        self.model = model
        self.pictures: dict[str, bytes] = {}

    def __bool__(self) -> bool:
        return True  # also while empty: it may find a kept one

    def __contains__(self, id: object) -> bool:
        return super().__contains__(id) or (isinstance(id, str) and self._load_kept(id))

    def add(self, data: bytes) -> str:
        """Embeds a picture and gives its id; the same content twice is one picture.

        Raises
        ------
        InputError
            For what is no picture, and when the session holds too many.
        """
        id = picture_id(data)
        if not super().__contains__(id):
            if len(self) >= (most := access().most_items):
                message = _(
                    "This session holds {most} uploaded pictures, the most it may; reload the page to start again."
                )
                raise NoRoomError(message.format(most=most))
            self._embed(id, small_copy(data))
        return id

    def _embed(self, id: str, small: bytes) -> None:
        """What is embedded is what could be kept, so that a link shows others the same numbers."""
        self.pictures[id] = small
        self[id] = space().embedder.embed_images([open_picture(small)])[0]

    def keep(self, id: str) -> None:
        """Writes a picture of the session to the server, so that a link with its id works for others.

        Raises
        ------
        NoRoomError
            When the disk refuses.
        """
        kept.keep(id, self.pictures[id])

    def _load_kept(self, id: str) -> bool:
        if (small := kept.load(id)) is None:
            return False
        self._embed(id, small)
        return True


def uploads() -> Uploads:
    """Those of this session and its model; another model starts with none, since vectors are of one space."""
    model, own = st.session_state["model"], st.session_state.get("uploads")
    if own is None or own.model != model:
        own = st.session_state["uploads"] = Uploads(model)
    return own


def picture(id: str) -> bytes:
    """The picture of an id, of the session, of the collection or of the bundled world, encoded.

    Raises
    ------
    InputError
        For an unknown id.
    """
    own = uploads()
    return own.pictures[id] if id in own else space().picture(id)


def picture_url(id: str) -> str:
    """The same as an address: `st.image` would write it anew as JPEG in every run, and a browser fetch each alone.

    Where of an item there is only its caption or vector, a card with what is known of it stands in its place.
    """
    own, here = uploads(), space()  # asked once: a gallery has a hundred pictures
    if id in own:
        return data_url(own.pictures[id])
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
        return uploads().add(file.getvalue())
    except InputError as error:
        st.error(escape(str(error)), icon=":material/broken_image:")
        return None


def _offer(id: str, name: str, into: str, one_more: bool) -> None:
    left, right = st.columns([1, 2], vertical_alignment="center")
    left.image(data_url(uploads().pictures[id]), width=96, alt=name)
    right.button(
        _("Use it"), key=f"use-{id}", on_click=_use, args=(id, into, one_more), icon=":material/arrow_forward:"
    )
    if right.button(_("Keep for links"), key=f"keep-{id}", help=_keep_help(), type="tertiary"):
        try:
            if not access().operator:
                check_free(len(uploads().pictures[id]))
            uploads().keep(id)
        except InputError as error:
            st.error(escape(str(error)), icon=":material/error:")


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
