"""The form that makes a collection, or adds to one: from dropped files, or from a folder that the operator allows."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from clipexplore.images import suffixes
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.models.catalog import UNNAMED
from clipexplore.sources.descriptions import ENDINGS as BESIDE
from clipexplore.sources.recognise import FILES, VECTORS
from clipexplore.store import shelves

from .imports import Import, allowed_folders, begin, put_down, room_for
from .looking import look_first
from .markdown import escape
from .page import show_errors
from .session import access, present, visitor
from .shelf import may_change
from .titles import naming, titled


def new_collection() -> None:
    """What a collection is made of, its name, and the button that begins."""
    if told := st.session_state.pop("shelf-error", None):
        st.error(escape(told), icon=":material/error:")
    cards = shelves.shelf(visitor())
    with st.expander(
        _("Add pictures, captions or vectors"),
        icon=":material/add:",
        expanded=not any(each.of != "bundled" for each in cards),
    ):
        left, right = st.columns([2, 1], gap="large")
        with left:
            files, folder = _source()
        with right:
            into, title, shared = _into([card.name for card in cards if may_change(card)])
            model, made_by = st.session_state["model"], UNNAMED
            vectors = any(Path(file.name).suffix.lower() in (*VECTORS, ".tsv") for file in files)
            if vectors:
                made_by = _made_by()
            elif model != UNNAMED:
                says = _("{title}, selected in the sidebar, will embed it.")
                st.caption(says.format(title=escape(titled(catalog.get(model)))))
            begins = st.button(
                _("Import"), type="primary", icon=":material/play_arrow:", disabled=not (files or folder)
            )
        caption, found_vectors = look_first(files, folder)
        if found_vectors and not vectors:
            made_by = _made_by()
        if begins:
            _begin(files, folder, into, title, shared, Import("", model, None, bool(folder), made_by, caption))


def _into(known: list[str]) -> tuple[str | None, str, bool]:
    """One of these collections to add to; or None, the title of a new one, and whether it is for everybody."""
    new = _("a new collection")
    into = st.selectbox(_("Into"), [new, *known], key="making-into")
    if into != new:
        return into, "", False
    title = st.text_input(_("Name"), key="making-title", max_chars=80, placeholder=_("for example Holidays"))
    shared = st.toggle(
        _("For everybody on this server"),
        access().operator,
        key="making-shared",
        help=_("Otherwise only you see the collection, and it is deleted a day after you leave."),
    )
    return None, title, shared


def _source() -> tuple[list, Path | str | None]:
    """What was dropped, or the folder that was chosen."""
    allowed = allowed_folders()
    kinds = ["files", "folder", *(["server"] if allowed else [])]
    kind = st.segmented_control(
        _("From"),
        kinds,
        default="files",
        required=True,
        key="making-from",
        format_func=naming("making-from", kinds),
        help=_(
            "Files, a ZIP, or a folder with everything in it, from your computer; or a folder on the server if its "
            "operator allows."
        ),
    )
    if kind == "server":
        return [], st.selectbox(_("Folder"), allowed, index=None, key="making-folder")
    endings = [each[1:] for each in (*suffixes(), *FILES, *BESIDE)]
    files = st.file_uploader(
        _("Drop files here"),
        type=endings,
        accept_multiple_files="directory" if kind == "folder" else True,
        key=f"making-{kind}",
    )
    st.caption(
        _(
            "Pictures, with a text file of the same name for a caption, and subfolders for labels; a ZIP of these; a "
            "CSV with a column caption, and a column file for pictures; a text file with one caption a line; "
            "ready-made vectors (NPY, NPZ, Parquet); or what other tools wrote, such as WebDataset, Hugging Face, "
            "COCO, FiftyOne, Takeout. “Look first” shows what it is taken for."
        )
    )
    return files or [], None


def _made_by() -> str:
    """The key of the model that made vectors which are dropped; nobody guesses it."""
    known = {UNNAMED: _("I do not know, or another"), **{key: titled(each) for key, each in catalog.models().items()}}
    return st.selectbox(
        _("Which model made the vectors?"),
        [*known],
        format_func=lambda key: known[key],
        key="making-made-by",
        help=_("Only with the model that made them can texts and other pictures be compared with them."),
    )


def _begin(files: list, folder: Path | str | None, into: str | None, title: str, shared: bool, asked: Import) -> None:
    with show_errors():
        room = room_for(sum(file.size for file in files))
        place = _place(into, title or _named(files, folder), shared)
        path = folder or put_down(files, place, title or place.name)
        asked = replace(asked, path=str(path), most=room, trusted=asked.trusted or room is None)
        begin(place, title or _named(files, folder), asked)
        st.session_state.setdefault("made", set()).add(place.name)
        st.rerun()


def _named(files: list, folder: Path | str | None) -> str:
    """A title for who has typed none."""
    return (
        Path(folder).name
        if folder
        else Path(files[0].name.replace("\\", "/")).stem
        if len(files) == 1
        else _("Pictures")
    )


def _place(into: str | None, title: str, shared: bool) -> Path:
    if into:
        return shelves.folders(visitor())[into]
    shelves.forget_sessions(present())
    return shelves.new_folder(title, None if shared else visitor())
