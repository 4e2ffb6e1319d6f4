"""A visitor's own pictures. An upload is named by its content, lives in its session, and is kept on the server only where the visitor asks.

`@up-3fa9…` in an expression is such a picture. In another session the same link finds it only if it was kept.
"""

import os
import time
from pathlib import Path

import numpy as np
import streamlit as st

from clipexplore.errors import InputError
from clipexplore.images import data_url, encode, open_picture, picture_id, suffixes, thumbnail
from clipexplore.settings import settings

from .markdown import escape
from .session import space
from .texts import text

SIDE = 256  # pixels of what is shown again


class Uploads(dict):
    """Vectors of the session's pictures by id; a kept picture is looked for on the server when it is not among them."""

    def __init__(self, model: str):
        super().__init__()
        self.model, self.pictures = model, {}

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
            if len(self) >= (most := settings().session_pictures):
                raise InputError(f"This session holds {most} uploaded pictures and may hold no more; reload the page to start again.")
            self._embed(id, encode(thumbnail(open_picture(data), SIDE)))
        return id

    def _embed(self, id: str, small: bytes) -> None:
        """What is embedded is what could be kept, so that a link shows others the same numbers."""
        self.pictures[id] = small
        self[id] = space().embedder.embed_images([open_picture(small)])[0]

    def keep(self, id: str) -> None:
        """Writes a picture of the session to the server, so that a link with its id works for others.

        Raises
        ------
        InputError
            When the disk refuses.
        """
        folder = kept_folder()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            partial = folder / f"{id}.partial"
            partial.write_bytes(self.pictures[id])
            partial.replace(folder / f"{id}.webp")
        except OSError as error:
            raise InputError(f"The picture @{id} was not kept, because the server's disk refused it ({error.strerror}); tell who runs the server.") from error

    def _load_kept(self, id: str) -> bool:
        if not (id.startswith("up-") and id[3:].isalnum()):
            return False
        forget_kept()
        path = kept_folder() / f"{id}.webp"
        if not path.is_file():
            return False
        self._embed(id, path.read_bytes())
        os.utime(path)  # its days begin again
        return True


def kept_folder() -> Path:
    """Where pictures lie that are kept for links."""
    return settings().home / "uploads"


def forget_kept() -> int:
    """Deletes the kept pictures whose link nobody has opened for as many days as the settings say, and counts them."""
    days = settings().kept_days
    old = [path for path in kept_folder().glob("*") if days and time.time() - path.stat().st_mtime > days * 24 * 3600]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def uploads() -> Uploads:
    """Those of this session and of the model it uses; another model starts with none, since vectors are of one space."""
    model = st.session_state["model"]
    if "uploads" not in st.session_state or st.session_state["uploads"].model != model:
        st.session_state["uploads"] = Uploads(model)
    return st.session_state["uploads"]


def held_uploads(session: str) -> tuple[int, int]:
    """The bytes of uploaded files that Streamlit holds for one of its sessions, and for all."""
    storage = st.runtime.get_instance()._uploaded_file_mgr.file_storage
    sizes = {owner: sum(len(file.data) for file in list(files.values())) for owner, files in list(storage.items())}
    return sizes.get(session, 0), sum(sizes.values())


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
    """The same as an address: `st.image` would write the bytes anew as JPEG in every run, and a browser fetch each by a request of its own."""
    return data_url(picture(id))


def add_picture(on_use) -> None:
    """A popover to upload, drop or photograph pictures; `on_use(id)` is called when the visitor wants to work with one."""
    with st.popover(text("uploads.label"), icon=":material/add_photo_alternate:"):
        files = st.file_uploader(text("uploads.drop"), type=[each[1:] for each in suffixes()], accept_multiple_files=True, key="files")
        photo = st.camera_input(text("uploads.camera"), key="camera") if st.toggle(text("uploads.use_camera"), key="use_camera") else None
        given = [*(files or ()), *([photo] if photo else ())]
        held = np.cumsum([file.size for file in given])
        for id, name in {_take(file, size): file.name for file, size in zip(given, held, strict=True)}.items():
            if id:  # the same picture given twice is shown once
                _offer(id, name, on_use)


def _take(file, held: int) -> str | None:
    """The id of a picture; None, with the reason on screen, for what is none or more than a session may hold."""
    try:
        if held > (most := settings().session_megabytes) * 1_000_000:
            raise InputError(f"With this picture the session would hold more than {most} MB of files; remove some of them first.")
        return uploads().add(file.getvalue())
    except InputError as error:
        st.error(escape(str(error)), icon=":material/broken_image:")
        return None


def _offer(id: str, name: str, on_use) -> None:
    left, right = st.columns([1, 2], vertical_alignment="center")
    left.image(data_url(uploads().pictures[id]), width=96, alt=name)
    right.button(text("uploads.use"), key=f"use-{id}", on_click=on_use, args=(id,), icon=":material/arrow_forward:")
    if right.button(text("uploads.keep"), key=f"keep-{id}", help=_keep_help(), type="tertiary"):
        try:
            uploads().keep(id)
        except InputError as error:
            st.error(escape(str(error)), icon=":material/error:")


def _keep_help() -> str:
    days = settings().kept_days
    return text("uploads.keep_help") + (" " + text("uploads.keep_days", days=days) if days else "")
