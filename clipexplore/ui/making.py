"""The form that makes a collection, or adds to one: from dropped files, or from a folder that the operator allows."""

from pathlib import Path

import streamlit as st

from clipexplore import catalog
from clipexplore.collections import shelves
from clipexplore.errors import InputError
from clipexplore.images import suffixes
from clipexplore.settings import settings

from .imports import WHOLE, Plan, allowed_folders, begin, put_down
from .logs import visitor
from .markdown import escape
from .shelf import alone, may_change
from .texts import text


def new_collection() -> None:
    """What a collection is made of, its name, and the button that begins."""
    if told := st.session_state.pop("shelf-error", None):
        st.error(escape(told), icon=":material/error:")
    with st.expander(text("making.label"), icon=":material/add:", expanded=not any(each.of != "bundled" for each in shelves.shelf(visitor()))):
        new = text("making.new")
        targets = [new, *(each.name for each in shelves.shelf(visitor()) if may_change(each))]
        left, right = st.columns([2, 1], gap="large")
        with left:
            files, folder = _source()
        with right:
            into = st.selectbox(text("making.into"), targets, key="making-into")
            into = None if into == new else into
            title = "" if into else st.text_input(text("making.name"), key="making-title", max_chars=80, placeholder=text("making.name_example"))
            shared = not into and st.toggle(text("making.shared"), alone(), key="making-shared", help=text("making.shared_help"))
            model = st.session_state["model"]
            st.caption(text("making.model", title=escape(catalog.get(model).title)))
            if st.button(text("making.begin"), type="primary", icon=":material/play_arrow:", disabled=not (files or folder)):
                _begin(files, folder, into, title, shared, model)


def _source() -> tuple[list, Path | None]:
    """What was dropped, or the folder that was chosen."""
    allowed = allowed_folders()
    kinds = ["files", "folder", *(["server"] if allowed else [])]
    kind = st.segmented_control(text("making.from"), kinds, default="files", required=True, key="making-from", help=text("making.from_help"))
    if kind == "server":
        return [], st.selectbox(text("making.folder"), allowed, index=None, key="making-folder")
    endings = [each[1:] for each in (*suffixes(), *WHOLE)]
    files = st.file_uploader(text("making.drop"), type=endings, accept_multiple_files="directory" if kind == "folder" else True, key=f"making-{kind}")
    st.caption(text("making.drop_help"))
    return files or [], None


def _begin(files: list, folder: Path | None, into: str | None, title: str, shared: bool, model: str) -> None:
    try:
        place = _place(into, title or _named(files, folder), shared)
        trusted = alone() or folder is not None
        _check_quota(files, trusted)
        path = folder or put_down(files, place, title or place.name)
        own = place.is_relative_to(shelves.own_folder(visitor()))
        begin(place, title or _named(files, folder), Plan(str(path), model, _room() if own and not trusted else None, trusted))
        st.session_state.setdefault("made", set()).add(place.name)
    except InputError as error:
        st.error(escape(str(error)), icon=":material/error:")
        return
    st.rerun()


def _named(files: list, folder: Path | None) -> str:
    """A title for who has typed none."""
    return folder.name if folder else Path(files[0].name.replace("\\", "/")).stem if len(files) == 1 else text("making.untitled")


def _place(into: str | None, title: str, shared: bool) -> Path:
    if into:
        return shelves.folders(visitor())[into]
    shelves.forget_sessions()
    return shelves.new_folder(title, None if shared else visitor())


def _check_quota(files: list, trusted: bool) -> None:
    """What one session may upload; nothing holds back who is alone on the machine.

    Raises
    ------
    InputError
        If this would be more.
    """
    held = shelves.size_of(shelves.own_folder(visitor())) + sum(file.size for file in files)
    if not trusted and held > settings().session_megabytes * 10**6:
        raise InputError(f"With these files the session would hold more than {settings().session_megabytes} MB; delete a collection, or choose fewer files.")


def _room() -> int:
    """How many items the session may still have."""
    return max(1, settings().session_pictures - sum(each.items for each in shelves.shelf(visitor()) if each.of == "own"))
