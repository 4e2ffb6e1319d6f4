"""A look before an import: what was recognised, the first items, what is left out, and what has to be said."""

import shutil
from functools import partial
from pathlib import Path

import streamlit as st

from clipexplore.errors import InputError
from clipexplore.images import data_url
from clipexplore.jobs import Job
from clipexplore.language import _
from clipexplore.sources.files import OPERATOR, Caps
from clipexplore.sources.preview import Preview, Shown, look
from clipexplore.sources.recognise import open_source
from clipexplore.store import shelves

from .imports import put_down, room_for
from .markdown import escape
from .progress import awaited
from .results import tiles
from .session import visitor

SLOT = "looking"


def look_first(files: list, folder: Path | str | None) -> tuple[str, bool]:
    """A button that shows what would be imported; gives the column that was chosen as the caption, "" for none, and
    whether vectors come ready-made, as far as that was looked at.
    """
    of = tuple(file.file_id for file in files) or (str(folder),)
    nothing = not (files or folder)
    if st.button(_("Look first"), icon=":material/visibility:", disabled=nothing, key="making-look"):
        st.session_state["making-looked"] = of
    if nothing or st.session_state.get("making-looked") != of:
        return "", False
    found = awaited(partial(_look, files, folder, visitor(), _trusted(files)), (SLOT, *of), SLOT, on="import")
    return (_show(found), found.source.dim is not None) if found else ("", False)


def _trusted(files: list) -> bool:
    """Whether a source may be as large as an operator's."""
    try:
        return not files or room_for(sum(file.size for file in files)) is None
    except InputError:  # the import will say so
        return False


def _look(files: list, folder: Path | str | None, owner: str, trusted: bool, job: Job) -> Preview:
    """The work of the lane; what was put down for it is not kept."""
    place = shelves.session_folder(owner) / f".look-{job.id}"
    try:
        path = folder or put_down(files, place, "look")
        return look(open_source(path, OPERATOR if trusted else Caps(), job.report), job.report)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _show(found: Preview) -> str:
    source = found.source
    with st.container(border=True):
        st.markdown(f"**{escape(source.recognised)}**")
        st.caption(_("{count:,} entries, of which these come first:").format(count=source.count))
        if any(each.picture for each in found.shown):
            tiles(((data_url(each.picture), each.caption, _note(each)) for each in found.shown if each.picture), 130)
        else:
            st.dataframe(_rows(found), hide_index=True, key="making-shown")
        for left in found.left_out:
            message = _("Left out, {count:,} of the first {seen:,}: {reason}")
            told = message.format(count=left.count, seen=found.seen, reason=left.reason)
            st.caption(f"{escape(told)} ({escape(', '.join(left.names))})")
        for each in source.notes:
            st.info(escape(each), icon=":material/info:")
        for each in found.questions:
            st.warning(escape(each), icon=":material/help:")
        if not found.columns:
            return ""
        as_is = _("as shown")
        return st.selectbox(
            _("The caption is"),
            ["", *found.columns],
            format_func=lambda column: column or as_is,
            key="making-caption",
        )


def _note(shown: Shown) -> str:
    norms = [_("norm {norm:.3f}").format(norm=norm) for norm in shown.norms.values()]
    label = [f"**{escape(shown.label)}**"] if shown.label else []
    return "  \n".join([escape(shown.caption[:100]) or "–", *label, *norms])


def _rows(found: Preview) -> dict[str, list]:
    columns: dict[str, list] = {
        _("name"): [each.name for each in found.shown],
        _("caption"): [each.caption for each in found.shown],
        _("label"): [each.label for each in found.shown],
    }
    if any(each.norms for each in found.shown):
        columns[_("norm")] = [next(iter(each.norms.values()), None) for each in found.shown]
    return columns
