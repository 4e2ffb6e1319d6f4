"""Imports from the page: what was dropped is put beside the new collection, and a lane makes it.

Where its source lies and which model embeds stands in `import.json` in the collection's folder, so that an import goes
on after anything, the server's end included. A visitor's files never leave that folder, and go when they are in.
"""

import json
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path, PurePosixPath

import streamlit as st

from clipexplore.batcher import Shared
from clipexplore.errors import InputError, NoRoomError
from clipexplore.jobs import Job
from clipexplore.language import _
from clipexplore.models import catalog
from clipexplore.models.catalog import UNNAMED
from clipexplore.reports import Report
from clipexplore.settings import settings
from clipexplore.sources.entries import Source
from clipexplore.sources.files import OPERATOR, Caps
from clipexplore.sources.preview import captioned_by
from clipexplore.sources.recognise import FILES, open_source
from clipexplore.store import shelves
from clipexplore.store.embedding import embed_missing
from clipexplore.store.importing import add_by
from clipexplore.store.repair import repair
from clipexplore.store.shelves import NOTE, Shelved
from clipexplore.store.stored import Stored

from .markdown import escape
from .progress import lane, said_of
from .session import access, embedder, speaking, visitor

INCOMING = "incoming"


@dataclass(frozen=True)
class Import:
    """An import: its source, the model that embeds, what limits it, what made vectors that come ready-made, and the
    column of captions if one is chosen.
    """

    path: str
    model: str
    most: int | None
    trusted: bool
    made_by: str = UNNAMED
    caption: str = ""

    def source(self, report: Report) -> Source:
        found = open_source(self.path, OPERATOR if self.trusted else Caps(), report)
        return captioned_by(found, self.caption) if self.caption else found


@st.cache_resource(show_spinner=False)
def jobs() -> dict[str, Job]:
    """The imports of this process by the folder of their collection, ended ones until somebody has seen them."""
    return {}


def room_for(more: int) -> int | None:
    """How many items this visitor may bring beside `more` bytes; None for the operator, whom nothing holds back.

    What a session has shared counts too. What it deleted does not, until that too is more than a session may have.

    Raises
    ------
    NoRoomError
        If so many bytes, or any item, would be too much; while an import of the session is at work, since what that
        brings is not known yet; and where the disk is nearly full.
    """
    if access().operator:
        return None
    shelves.check_free(more)
    mine, most = _mine(), access().most_bytes
    binned = max(0, shelves.binned(visitor(), _made()) - most)
    if sum(each.bytes for each in mine) + binned + more > most:
        sentence = _(
            "With these files the session would hold more than {most:.0f} MB; delete a collection or choose fewer."
        )
        raise NoRoomError(sentence.format(most=most / 10**6))
    return _items_left(mine)


def _mine() -> list[Shelved]:
    """What this session has made; raises where that is growing."""
    mine = [each for each in shelves.shelf(visitor()) if each.of == "own" or each.name in _made()]
    at_work = (job for each in mine if (job := jobs().get(str(each.folder))))
    if any(job.state in ("queued", "running") for job in at_work):
        raise NoRoomError(_("Your last import is not done yet; wait for it, or cancel it."))
    return mine


def _made() -> set[str]:
    return st.session_state.get("made", set())


def _items_left(mine: list[Shelved]) -> int:
    most = int(access().most_items)
    if (left := most - sum(each.items for each in mine)) <= 0:
        sentence = _("This session holds {most} pictures, the most it may; delete a collection first.")
        raise NoRoomError(sentence.format(most=most))
    return left


def put_down(files: list, folder: Path, title: str) -> Path:
    """Writes uploaded files into the folder of a new collection as its source: one as it is, several as one ZIP.

    What visitors call their files is only written into that ZIP, and never a path here.

    Raises
    ------
    InputError
        If the disk refuses.
    """
    suffix = PurePosixPath(files[0].name).suffix.lower() if len(files) == 1 else ""
    path = folder / INCOMING / f"{shelves.plain_name(title)}{suffix if suffix in FILES else '.zip'}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix in FILES:
            path.write_bytes(files[0].getbuffer())
        else:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                for file in files:
                    archive.writestr(_plain(file.name), file.getbuffer())
    except OSError as error:
        _leave_nothing(folder)
        message = _("The server's disk refused the files ({reason}); tell who runs the server.")
        raise NoRoomError(message.format(reason=error.strerror)) from error
    return path


def _plain(name: str) -> str:
    """A visitor's name for a file without what could lead anywhere."""
    parts = [
        part
        for part in name.replace("\\", "/").replace("\0", "").replace(":", "_").split("/")
        if part not in ("", ".", "..")
    ]
    return "/".join(parts)[-200:] or "file"


def begin(folder: Path, title: str, asked: Import) -> None:
    """Makes the collection, if it is new, and starts its import, which finds out what the source is.

    Raises
    ------
    InputError
        If the disk refuses, too much is waiting, or the model is not here.
    """
    if not shelves.exists(folder):
        Stored.create(folder, name=folder.name, title=title, kind="pictures")
    st.session_state["importing"] = {*filter(shelves.exists, st.session_state.get("importing", ())), folder}
    try:
        (folder / NOTE).write_text(json.dumps(asked.__dict__), encoding="utf-8")
        _submit(folder, asked)
    except InputError:
        _leave_nothing(folder)
        raise


def resume(folder: Path) -> None:
    """Goes on with an import that was stopped, within what its session may have by now."""
    try:
        asked = Import(**json.loads((folder / NOTE).read_text(encoding="utf-8")))
        _submit(folder, asked if access().operator else replace(asked, most=_items_left(_mine())))
    except InputError as error:
        st.session_state["shelf-error"] = str(error)
    except (OSError, ValueError, TypeError):
        st.session_state["shelf-error"] = _(
            "The server no longer knows what was being imported here; add the files again."
        )


def reembed(folder: Path, model: str) -> None:
    """Starts to embed a collection by another model, beside those that have."""
    by = embedder(model)
    jobs()[str(folder)] = lane("import").submit(
        partial(_reembed, folder, model, by), ("reembed", str(folder), model), owner=str(folder)
    )


def _submit(folder: Path, asked: Import) -> None:
    by = {key: embedder(key) for key in (asked.model, asked.made_by)}
    jobs()[str(folder)] = lane("import").submit(partial(_import, folder, asked, by), owner=str(folder))


def _import(folder: Path, asked: Import, by: Mapping[str, Shared], job: Job) -> str:
    """The work of the lane; what it says in the end. Of what is refused nothing is left."""
    job.report(0, _("Opening"))
    repair(folder)
    try:
        said = _add(Stored.open(folder), asked, by, job.report)
    except NoRoomError:  # there may be room later
        raise
    except InputError:
        _leave_nothing(folder)
        raise
    _forget_note(folder)
    return said


def _add(store: Stored, asked: Import, by: Mapping[str, Shared], report: Report) -> str:
    """Adds what was asked for; gives what became of it, with what the source itself has to say."""
    source, (model, made_by) = asked.source(report), map(catalog.get, (asked.model, asked.made_by))
    outcome = add_by(store, source, model, made_by, lambda model: by[model.key], report, asked.most)
    return ". ".join([str(outcome), *source.notes])


def _leave_nothing(folder: Path) -> None:
    _forget_note(folder)
    shelves.discard_empty(folder)


def _forget_note(folder: Path) -> None:
    (folder / NOTE).unlink(missing_ok=True)
    shutil.rmtree(folder / INCOMING, ignore_errors=True)


def _reembed(folder: Path, model: str, by: Shared, job: Job) -> str:
    repair(folder)
    store = Stored.open(folder)
    with store.writing():
        embed_missing(store, by, model, by.revision, job.report)
    return _("Embedded with {model}.").format(model=model)


def say_failed() -> None:
    """Why an import of this visitor left no collection."""
    for folder in sorted(st.session_state.get("importing", ())):
        job = jobs().get(str(folder))
        if job and not shelves.exists(folder) and job.wait(1) and job.error:
            st.error(escape(job.error), icon=":material/error:")


def import_panel(folder: Path, may_stop: bool) -> None:
    """How far the import into a collection is, looked at twice a second while it is at work."""
    job = jobs().get(str(folder))
    if job:
        st.fragment(speaking(_look), run_every=0.5 if job.state in ("queued", "running") else None)(
            job, folder, may_stop
        )


def _look(job: Job, folder: Path, may_stop: bool) -> None:
    shown = st.session_state.setdefault("import-states", {})
    if shown.get(job.id, job.state) != job.state:  # the card has more to say now
        shown[job.id] = job.state
        st.rerun()
    shown[job.id] = job.state
    if job.state in ("queued", "running"):
        st.progress(job.progress, said_of(job))
        if may_stop:
            st.button(_("Cancel"), key=f"stop-{job.id}", on_click=job.cancel, icon=":material/stop:")
    elif job.state == "done":
        st.success(escape(str(job.result)))
    else:
        st.warning(escape(job.error or _("Stopped; what was done is kept.")))
        if (
            may_stop
            and (folder / NOTE).exists()
            and st.button(_("Continue"), key=f"again-{job.id}", icon=":material/play_arrow:")
        ):
            resume(folder)
            st.rerun()  # the whole page: the job that this part looks at is over


def allowed_folders() -> list[Path | str]:
    """The folders that the operator lets visitors make collections of, and those right below them; and addresses."""
    found: list[Path | str] = []
    for root in settings().roots:
        if isinstance(root, str):  # which nobody looks into before it is chosen
            found.append(root)
            continue
        found += [root, *sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))]
    return found
